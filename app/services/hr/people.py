"""People: who a login is, what her roles allow, whom a department holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Table, select
from sqlalchemy.orm import Session, aliased

from app.actors import Actor, Reach
from app.errors import Refusal
from app.models.base import METADATA
from app.models.hr import Branch, Department, Employee, EmployeeState
from app.roles import ROLES
from app.words import _


def _ab(name: str) -> Table:
    return METADATA.tables[name]


def rights_of_user(session: Session, user_id: int) -> tuple[Mapping[str, set[str]], frozenset[tuple[str, str]]]:
    """Return each role of a login with the views it has rights on, and all (view, permission) pairs; one statement."""
    user_role, role = _ab("ab_user_role"), _ab("ab_role")
    granted, pair = _ab("ab_permission_view_role"), _ab("ab_permission_view")
    permission, view = _ab("ab_permission"), _ab("ab_view_menu")
    rows = session.execute(
        select(role.c.name, view.c.name, permission.c.name)
        .select_from(user_role)
        .join(role, role.c.id == user_role.c.role_id)
        .outerjoin(granted, granted.c.role_id == role.c.id)
        .outerjoin(pair, pair.c.id == granted.c.permission_view_id)
        .outerjoin(permission, permission.c.id == pair.c.permission_id)
        .outerjoin(view, view.c.id == pair.c.view_menu_id)
        .where(user_role.c.user_id == user_id)
    ).all()
    held: dict[str, set[str]] = {}
    for role_name, view_name, _permission in rows:
        held.setdefault(role_name, set()).update({view_name} - {None})
    return held, frozenset((row[1], row[2]) for row in rows if row[1] is not None)


def reaches_of(held: Mapping[str, set[str]]) -> Mapping[str, Reach]:
    """Return how far several roles together see each table: the widest counts.

    A role counts only for tables on which it holds a right, or for which it names its reach: a cashier's view of the
    whole branch does not widen what she sees of customers as a consultant.
    """
    reaches: dict[str, Reach] = {}
    for name, tables in held.items():
        role = ROLES.get(name)
        if role is None:
            continue
        for table in tables | set(role.reaches):
            reaches[table] = max(reaches.get(table, Reach.NONE), role.reaches.get(table, role.reach))
    return reaches


def departments_below(session: Session, department_id: int | None) -> frozenset[int]:
    """Return a department and all that are part of it."""
    if department_id is None:
        return frozenset()
    tree = select(Department.id).where(Department.id == department_id).cte("tree", recursive=True)
    child = aliased(Department)
    tree = tree.union(select(child.id).join(tree, child.parent_id == tree.c.id))
    return frozenset(session.scalars(select(tree.c.id)))


def holders_of(session: Session, table: str, permission: str, *, branch_id: int, login: bool = False) -> list[int]:
    """Return the employees of a branch, whose roles hold a right: whom to tell that it is their turn.

    ``login``: only those whose login is open.
    """
    user = _ab("ab_user")
    user_role, granted, pair = _ab("ab_user_role"), _ab("ab_permission_view_role"), _ab("ab_permission_view")
    permissions, view = _ab("ab_permission"), _ab("ab_view_menu")
    holding = (
        select(user_role.c.user_id)
        .join(granted, granted.c.role_id == user_role.c.role_id)
        .join(pair, pair.c.id == granted.c.permission_view_id)
        .join(permissions, permissions.c.id == pair.c.permission_id)
        .join(view, view.c.id == pair.c.view_menu_id)
        .where(view.c.name == table, permissions.c.name == permission)
    )
    if login:
        holding = holding.join(user, user.c.id == user_role.c.user_id).where(user.c.active)
    return list(
        session.scalars(
            select(Employee.id)
            .where(Employee.branch_id == branch_id, Employee.state == EmployeeState.ACTIVE)
            .where(Employee.user_id.in_(holding))
            .order_by(Employee.id)
        )
    )


def may_take(session: Session, employee: Employee, table: str) -> bool:
    """Say whether an employee could see records of a table: an open login with a role that lists or shows them."""
    user = _ab("ab_user")
    if employee.user_id is None or not session.scalar(select(user.c.active).where(user.c.id == employee.user_id)):
        return False
    _held, rights = rights_of_user(session, employee.user_id)
    return bool(rights & {(table, "can_list"), (table, "can_show")})


def own_branch(session: Session, by: Actor) -> Branch:
    """Return the branch whose papers an actor writes; refuses one without an employee file."""
    if by.branch_id is None:
        raise Refusal(_("Only an employee of a branch can do this."))
    return session.get_one(Branch, by.branch_id)


def actor_for_user(session: Session, user_id: int, display_name: str = "") -> Actor:
    """Return the actor behind a login: employee file, departments, roles, rights, reaches."""
    held, rights = rights_of_user(session, user_id)
    row = session.execute(
        select(
            Employee.id,
            Employee.name,
            Employee.branch_id,
            Employee.department_id,
            Branch.zone,
            Branch.name.label("branch_name"),
        )
        .join(Branch, Branch.id == Employee.branch_id)
        .where(Employee.user_id == user_id, Employee.state == EmployeeState.ACTIVE)
    ).one_or_none()
    reaches = reaches_of(held)
    by_department = row is not None and Reach.DEPARTMENT in reaches.values()
    given: dict[str, Any] = {}
    if row is not None:
        given = {
            "employee_id": row.id,
            "branch_id": row.branch_id,
            "department_id": row.department_id,
            "zone": row.zone,
            "branch_name": row.branch_name,
        }
    return Actor(
        name=f"user:{user_id}",
        user_id=user_id,
        department_ids=departments_below(session, row.department_id) if by_department and row else frozenset(),
        roles=frozenset(held),
        rights=rights,
        reaches=reaches,
        display_name=row.name if row is not None else display_name,
        **given,
    )


def actor_for_employee(session: Session, employee: Employee) -> Actor:
    """Return the actor behind an employee's login, for the demo and for tests; raises if there is none."""
    if employee.user_id is None:
        raise LookupError(f"{employee.employee_no} has no login")
    return actor_for_user(session, employee.user_id)
