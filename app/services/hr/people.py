"""People: who a login is, what her roles allow, whom a department holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, String, Table, func, literal_column, null, select
from sqlalchemy.orm import Session, aliased

from app.actors import Actor, Reach
from app.errors import Refusal
from app.models.base import METADATA
from app.models.hr import Branch, Department, Employee, EmployeeState
from app.models.settings import ReachChoice, RoleReach
from app.roles import ROLES
from app.services.settings import setting, value_statement
from app.words import _, _l

CUSTOMERS = "customer"
SHARED_BY_GROUP = "group"
SHARED_BY = setting(
    "customers.shared_by",
    _l("Customers are shared by"),
    "branch",
    "option",
    options=("branch", SHARED_BY_GROUP),
    help=_l(
        "group: who sees all customers of her branch sees those of all branches, with what belongs to their files;"
        " slips, contacts and follow-ups of other branches stay theirs."
    ),
    source="1.2, part D",
    group_only=True,
)
_reaches = RoleReach.__table__
_NO_REACH = literal_column("null", String).label("reach")


def _ab(name: str) -> Table:
    return METADATA.tables[name]


@dataclass(frozen=True)
class Held:
    """What a login's roles give it: each role with the views it has rights on, all (view, permission) pairs, and the
    reaches that an administrator changed, as (role, table) -> reach."""

    roles: Mapping[str, set[str]]
    rights: frozenset[tuple[str, str]]
    changed: Mapping[tuple[str, str], Reach]


def rights_of_user(session: Session, user_id: int) -> Held:
    """Return what a login's roles give it; one statement."""
    user_role, role = _ab("ab_user_role"), _ab("ab_role")
    granted, pair = _ab("ab_permission_view_role"), _ab("ab_permission_view")
    permission, view = _ab("ab_permission"), _ab("ab_view_menu")
    granting = (
        select(role.c.name.label("role"), view.c.name.label("view"), permission.c.name.label("permission"), _NO_REACH)
        .select_from(user_role)
        .join(role, role.c.id == user_role.c.role_id)
        .outerjoin(granted, granted.c.role_id == role.c.id)
        .outerjoin(pair, pair.c.id == granted.c.permission_view_id)
        .outerjoin(permission, permission.c.id == pair.c.permission_id)
        .outerjoin(view, view.c.id == pair.c.view_menu_id)
        .where(user_role.c.user_id == user_id)
    )
    changing = (
        select(_reaches.c.role, _reaches.c.table_name, null(), _reaches.c.reach)
        .join(role, role.c.name == _reaches.c.role)
        .join(user_role, user_role.c.role_id == role.c.id)
        .where(user_role.c.user_id == user_id, _reaches.c.retired_at.is_(None))
    )
    held: dict[str, set[str]] = {}
    changed: dict[tuple[str, str], Reach] = {}
    rights = set()
    for role_name, view_name, right, reach in session.execute(granting.union_all(changing)):
        if reach is not None:
            changed[role_name, view_name] = ReachChoice(reach).reach
            continue
        held.setdefault(role_name, set()).update({view_name} - {None})
        if view_name is not None:
            rights.add((view_name, right))
    return Held(held, frozenset(rights), changed)


def holds_right(user_id: Any, table: Any, right: Any) -> ColumnElement[bool]:
    """Return the condition that a login's roles give it one right, by the names of view and permission."""
    user_role, granted = _ab("ab_user_role"), _ab("ab_permission_view_role")
    pair, permission, view = _ab("ab_permission_view"), _ab("ab_permission"), _ab("ab_view_menu")
    return (
        select(granted.c.role_id)
        .join(user_role, user_role.c.role_id == granted.c.role_id)
        .join(pair, pair.c.id == granted.c.permission_view_id)
        .join(permission, permission.c.id == pair.c.permission_id)
        .join(view, view.c.id == pair.c.view_menu_id)
        .where(user_role.c.user_id == user_id, view.c.name == table, permission.c.name == right)
        .exists()
    )


def reaches_of(
    held: Mapping[str, set[str]], changed: Mapping[tuple[str, str], Reach] | None = None
) -> Mapping[str, Reach]:
    """Return how far several roles together see each table: the widest counts.

    A role counts only for tables on which it holds a right, or for which it names its reach: a cashier's view of the
    whole branch does not widen what she sees of customers as a consultant. What an administrator ``changed`` for a
    role and a table counts instead of what the role declares.
    """
    changed = changed or {}
    reaches: dict[str, Reach] = {}
    for name, tables in held.items():
        role = ROLES.get(name)
        if role is None:
            continue
        for table in tables | set(role.reaches) | {of for by, of in changed if by == name}:
            reach = changed.get((name, table), role.reaches.get(table, role.reach))
            reaches[table] = max(reaches.get(table, Reach.NONE), reach)
    return reaches


def shared(reaches: Mapping[str, Reach], shared_by: str | None) -> Mapping[str, Reach]:
    """Return the reaches where customers are the group's: who reaches a branch's reaches all. Setting
    ``customers.shared_by``; one's own and one's departments' stay what they are."""
    if shared_by != SHARED_BY_GROUP or reaches.get(CUSTOMERS, Reach.NONE) is not Reach.BRANCH:
        return reaches
    return {**reaches, CUSTOMERS: Reach.GROUP}


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
    rights = rights_of_user(session, employee.user_id).rights
    return bool(rights & {(table, "can_list"), (table, "can_show")})


def own_branch(session: Session, by: Actor) -> Branch:
    """Return the branch whose papers an actor writes; refuses one without an employee file."""
    if by.branch_id is None:
        raise Refusal(_("Only an employee of a branch can do this."))
    return session.get_one(Branch, by.branch_id)


def actor_for_user(session: Session, user_id: int, display_name: str = "") -> Actor:
    """Return the actor behind a login: employee file, departments, roles, rights, reaches."""
    held = rights_of_user(session, user_id)
    row = session.execute(
        select(
            Employee.id,
            Employee.name,
            Employee.branch_id,
            Employee.department_id,
            Branch.zone,
            Branch.name.label("branch_name"),
            value_statement(SHARED_BY, branch_id=Branch.id, at=func.now()).correlate(Branch).scalar_subquery(),
        )
        .join(Branch, Branch.id == Employee.branch_id)
        .where(Employee.user_id == user_id, Employee.state == EmployeeState.ACTIVE)
    ).one_or_none()
    reaches = reaches_of(held.roles, held.changed)
    if row is not None:
        reaches = shared(reaches, row[-1] or SHARED_BY.default)
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
        roles=frozenset(held.roles),
        rights=held.rights,
        reaches=reaches,
        display_name=row.name if row is not None else display_name,
        **given,
    )


def actor_for_employee(session: Session, employee: Employee) -> Actor:
    """Return the actor behind an employee's login, for the demo and for tests; raises if there is none."""
    if employee.user_id is None:
        raise LookupError(f"{employee.employee_no} has no login")
    return actor_for_user(session, employee.user_id)
