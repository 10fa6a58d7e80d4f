"""The tree of departments: moved, given a head, given posts, closed, opened again. White paper 4.2.1, REF-1."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from app.actors import Actor
from app.acts import Outcome, act
from app.errors import InvalidInput, Refusal
from app.fields import Day, HouseForm, Pick, Reason, Whole, Words
from app.models.hr import (
    Department,
    DepartmentMove,
    Employee,
    EmployeeState,
    Position,
    PositionDepartment,
)
from app.services.hr.people import departments_below
from app.services.scope import find
from app.words import _, _l, _n


def today_of(by: Actor, at: datetime) -> date:
    """Return the calendar day by the branch's clock."""
    return at.astimezone(by.timezone).date()


def lock_tree(session: Session, branch_id: int) -> None:
    """Let one transaction at a time change the shape of a branch's tree."""
    session.execute(
        text("select pg_advisory_xact_lock(hashtextextended(:name, 2))"), {"name": f"department_tree {branch_id}"}
    )


class FromDay(HouseForm):
    """A day that is today unless said otherwise."""

    day_field = ""

    def __init__(self, formdata: Any = None, **kwargs: Any) -> None:
        super().__init__(formdata, **kwargs)
        day = self[self.day_field]
        if day.data is None and not day.raw_data:
            day.data = self.context.now.astimezone(self.context.zone).date()


class Moving(FromDay):
    """Part of what, and from when."""

    day_field = "moved_on"
    parent_id = Pick(
        _l("Part of"), table="department", description=_l("Empty: stands by itself, at the top of the branch.")
    )
    moved_on = Day(_l("From the day"), required=True, past=True)
    reason = Words(_l("Reason"), most=500)


def _is_open(department: Department, by: Actor) -> object | None:
    return _("This department is closed.") if department.retired_at is not None else None


def _is_closed(department: Department, by: Actor) -> object | None:
    return _("This department is open.") if department.retired_at is None else None


@act(
    Department,
    "move",
    _l("Move"),
    form=Moving,
    guard=_is_open,
    icon="diagram-3",
    prefill=("parent_id",),
    from_address=("parent_id",),
    consequence=_l("Whoever sees a department sees all that is part of it: moving it changes who sees its people."),
)
def move(
    session: Session,
    department: Department,
    *,
    parent_id: int | None = None,
    moved_on: date | None = None,
    reason: str | None = None,
    by: Actor,
    at: datetime,
) -> None:
    """Make a department part of another; where it was and until when is kept. White paper 4.2.1.

    Refuses a cycle, another branch, a closed department, a day in the future or before its last move.
    """
    lock_tree(session, department.branch_id)
    if parent_id == department.parent_id:
        raise InvalidInput({"parent_id": [_("It is part of this one already.")]})
    if parent_id is not None:
        _check_parent(session, department, parent_id)
    moved_on = moved_on or today_of(by, at)
    _check_move_day(session, department, moved_on, by, at)
    session.add(
        DepartmentMove(
            department_id=department.id,
            from_parent_id=department.parent_id,
            to_parent_id=parent_id,
            moved_on=moved_on,
            reason=reason,
        )
    )
    department.parent_id = parent_id


def _check_parent(session: Session, department: Department, parent_id: int) -> None:
    parent = session.get(Department, parent_id, populate_existing=True)
    if parent is None or parent.branch_id != department.branch_id:
        raise InvalidInput({"parent_id": [_("This department belongs to another branch.")]})
    if parent_id in departments_below(session, department.id):
        raise InvalidInput({"parent_id": [_("A department cannot be part of itself.")]})
    if parent.retired_at is not None:
        raise InvalidInput({"parent_id": [_("This department is closed.")]})


def _check_move_day(session: Session, department: Department, moved_on: date, by: Actor, at: datetime) -> None:
    if moved_on > today_of(by, at):
        raise InvalidInput({"moved_on": [_("This day lies in the future.")]})
    last = session.scalar(
        select(func.max(DepartmentMove.moved_on)).where(DepartmentMove.department_id == department.id)
    )
    begun = max((day for day in (last, department.valid_from) if day is not None), default=None)
    if begun is not None and moved_on < begun:
        raise InvalidInput({"moved_on": [_("Not before %(day)s, please.", day=begun.isoformat())]})


class NamingHead(HouseForm):
    """Who leads it."""

    head_id = Pick(_l("Head of department"), table="employee", description=_l("Empty: nobody for now."))


@act(
    Department,
    "name_head",
    _l("Name the head"),
    form=NamingHead,
    guard=_is_open,
    icon="person-badge",
    prefill=("head_id",),
)
def name_head(session: Session, department: Department, *, head_id: int | None = None, by: Actor, at: datetime) -> None:
    """Say who leads a department; refuses who does not work in its branch. White paper 4.2.1."""
    if head_id is not None:
        working(session, head_id, department.branch_id, "head_id")
    department.head_id = head_id


def working(session: Session, employee_id: int, branch_id: int, field: str) -> Employee:
    """Return somebody who works in a branch, held there until this transaction ends; refuses anybody else."""
    employee = session.scalars(
        select(Employee)
        .where(Employee.id == employee_id)
        .with_for_update(of=Employee, read=True, key_share=True)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if employee is None or employee.branch_id != branch_id:
        raise InvalidInput({field: [_("Somebody of the same branch, please.")]})
    if employee.state is not EmployeeState.ACTIVE:
        raise InvalidInput({field: [_("%(name)s has left.", name=employee.name)]})
    return employee


class Closing(FromDay, Reason):
    """Until when it was, and why."""

    day_field = "valid_to"
    valid_to = Day(_l("Last day"), required=True, past=True)


@act(
    Department,
    "close_department",
    _l("Close the department"),
    form=Closing,
    guard=_is_open,
    icon="slash-circle",
    tone="danger",
    consequence=_l("It is no longer offered anywhere; what was done in it stays under its name."),
)
def close_department(
    session: Session, department: Department, *, valid_to: date | None = None, reason: str, by: Actor, at: datetime
) -> None:
    """End a department; it is never deleted. White paper 4.2.1.

    Refuses while people work in it or open departments are part of it, naming how many.
    """
    lock_tree(session, department.branch_id)
    valid_to = valid_to or today_of(by, at)
    if department.valid_from is not None and valid_to < department.valid_from:
        raise InvalidInput({"valid_to": [_("The end cannot lie before the beginning.")]})
    people = _count(session, Employee, Employee.department_id == department.id, Employee.state == EmployeeState.ACTIVE)
    parts = _count(session, Department, Department.parent_id == department.id, Department.retired_at.is_(None))
    if people or parts:
        raise Refusal(
            _("It cannot be closed yet.")
            + " "
            + _n("%(num)s person works in it;", "%(num)s people work in it;", people)
            + " "
            + _n("%(num)s open department is part of it.", "%(num)s open departments are part of it.", parts)
        )
    department.valid_to, department.retired_at = valid_to, at


def _count(session: Session, model: Any, *conditions: Any) -> int:
    return session.scalar(select(func.count()).select_from(model).where(*conditions)) or 0


@act(Department, "reopen", _l("Open again"), guard=_is_closed, icon="arrow-counterclockwise")
def reopen(session: Session, department: Department, *, by: Actor, at: datetime) -> None:
    """Open a closed department again, where it stood; refuses if what it is part of is closed."""
    lock_tree(session, department.branch_id)
    parent = session.get(Department, department.parent_id, populate_existing=True) if department.parent_id else None
    if parent is not None and parent.retired_at is not None:
        raise Refusal(_("It is part of %(parent)s, which is closed. Open that one first.", parent=parent.name))
    department.valid_to = department.retired_at = None


class NewPost(HouseForm):
    """Which post, and for how many."""

    position_id = Pick(_l("Position"), table="position", required=True)
    headcount = Whole(_l("Planned headcount"), least=0, most=9999, description=_l("Empty: not planned."))


@act(Department, "add_post", _l("Add a post"), form=NewPost, guard=_is_open, icon="briefcase")
def add_post(
    session: Session, department: Department, *, position_id: int, headcount: int | None = None, by: Actor, at: datetime
) -> Outcome:
    """Say that a department has a post, and how many people are planned for it; an ended post is taken up again."""
    position = find(session, "position", position_id, by, offered=True)
    if not isinstance(position, Position):
        raise InvalidInput({"position_id": [_("Not a valid choice.")]})
    post = session.scalars(
        select(PositionDepartment)
        .where(PositionDepartment.department_id == department.id, PositionDepartment.position_id == position_id)
        .with_for_update(of=PositionDepartment)
    ).one_or_none()
    if post is not None and post.retired_at is None:
        raise InvalidInput({"position_id": [_("This department has this post already.")]})
    if post is None:
        post = PositionDepartment(department_id=department.id, position_id=position_id)
        session.add(post)
    post.headcount, post.retired_at = headcount, None
    session.flush()
    return Outcome(result=post)


def _post_stands(post: PositionDepartment, by: Actor) -> object | None:
    return _("This post has ended.") if post.retired_at is not None else None


@act(PositionDepartment, "end_post", _l("End the post"), guard=_post_stands, icon="slash-circle", tone="danger")
def end_post(session: Session, post: PositionDepartment, *, by: Actor, at: datetime) -> None:
    """Take a post from a department; refuses while somebody holds it."""
    if post.holders:
        raise Refusal(_n("%(num)s person holds this post.", "%(num)s people hold this post.", post.holders))
    post.retired_at = at
