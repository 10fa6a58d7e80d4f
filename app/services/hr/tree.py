"""The tree of a branch's departments as it was on a day. White paper 4.2.1: effective dating."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import or_, select
from sqlalchemy.orm import Session, joinedload

from app.models.hr import Department, DepartmentMove, Employee, EmployeeState, PostChange


@dataclass
class Node:
    """A department in the tree. ``people`` work in it, ``people_below`` in it and all that is part of it."""

    department: Department
    is_closed: bool
    people: int = 0
    people_below: int = 0
    parts: list[Node] = field(default_factory=list)


def tree_of(
    session: Session,
    branch_id: int,
    *,
    day: date,
    today: date,
    zone: ZoneInfo,
    with_closed: bool = False,
    only: Iterable[int] | None = None,
) -> list[Node]:
    """Return a branch's departments as a forest, ordered by code, as it was on a day.

    ``with_closed`` shows those too that were closed by then; ``only`` keeps these ids, each under the nearest that is
    kept. A department whose parent is not shown stands at the top, so nothing is lost.
    """
    departments = session.scalars(
        select(Department)
        .where(Department.branch_id == branch_id)
        .options(joinedload(Department.head))
        .order_by(Department.code, Department.id)
    ).all()
    parents = _parents_on(session, departments, day)
    people = _people_on(session, branch_id, day, today, zone)
    kept = None if only is None else frozenset(only)
    nodes: dict[int, Node] = {}
    for department in departments:
        closed = _was_closed(department, day, today)
        if department.valid_from is not None and department.valid_from > day:
            continue
        if (closed and not with_closed) or (kept is not None and department.id not in kept):
            continue
        nodes[department.id] = Node(department, closed, people.get(department.id, 0))
    return _forest(nodes, parents)


def _was_closed(department: Department, day: date, today: date) -> bool:
    """Say whether a department was closed on a day; its last day is still one of its own, but not today's tree."""
    if day >= today:
        return department.retired_at is not None
    return department.valid_to is not None and department.valid_to < day


def _parents_on(session: Session, departments: Sequence[Department], day: date) -> dict[int, int | None]:
    """Return what each department was part of on a day: where its first later move came from, else where it is."""
    parents = {department.id: department.parent_id for department in departments}
    later = session.scalars(
        select(DepartmentMove)
        .where(DepartmentMove.department_id.in_(list(parents)), DepartmentMove.moved_on > day)
        .order_by(DepartmentMove.moved_on.desc(), DepartmentMove.id.desc())
    )
    for past in later:
        parents[past.department_id] = past.from_parent_id
    return parents


def _people_on(session: Session, branch_id: int, day: date, today: date, zone: ZoneInfo) -> dict[int, int]:
    """Return how many worked in each department on a day."""
    end = datetime.combine(day + timedelta(days=1), time.min, zone)
    working = Employee.state == EmployeeState.ACTIVE
    if day < today:
        working = or_(working, Employee.left_at >= end)
    rows = session.execute(
        select(Employee.id, Employee.department_id).where(
            Employee.branch_id == branch_id, working, or_(Employee.hired_on.is_(None), Employee.hired_on <= day)
        )
    )
    places: dict[int, int] = {row.id: row.department_id for row in rows}
    if day < today:
        later = select(PostChange).where(PostChange.changed_on > day, PostChange.employee_id.in_(list(places)))
        for past in session.scalars(later.order_by(PostChange.changed_on.desc(), PostChange.id.desc())):
            places[past.employee_id] = past.from_department_id
    counts: dict[int, int] = {}
    for department_id in places.values():
        counts[department_id] = counts.get(department_id, 0) + 1
    return counts


def _forest(nodes: Mapping[int, Node], parents: Mapping[int, int | None]) -> list[Node]:
    roots: list[Node] = []
    for key, node in nodes.items():
        above = _nearest(key, nodes, parents)
        (roots if above is None else nodes[above].parts).append(node)
    for root in roots:
        _add_up(root)
    return roots


def _nearest(key: int, nodes: Mapping[int, Node], parents: Mapping[int, int | None]) -> int | None:
    """Return the nearest shown department above, or None at the top.

    Moves that were dated back can make a past day's tree run in a circle: its first department stands at the top.
    """
    found, seen, above = None, {key}, parents.get(key)
    while above is not None and above not in seen:
        if found is None and above in nodes:
            found = above
        seen.add(above)
        above = parents.get(above)
    return None if above == key and key == min(seen) else found


def _add_up(node: Node) -> int:
    node.people_below = node.people + sum(_add_up(part) for part in node.parts)
    return node.people_below
