"""Logins of employees: opened, closed, given roles, given a new password. White paper 4.2, R32.

Accounts live in Flask-AppBuilder's tables; acts on employees keep them, so that every change has its history.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.orm import Session
from werkzeug.security import generate_password_hash
from wtforms.widgets import PasswordInput

from app.actors import Actor, Reach
from app.acts import act
from app.errors import InvalidInput, Refusal
from app.fields import ChooseMany, HouseForm, Words
from app.models.api_keys import ApiKey
from app.models.base import METADATA
from app.models.doors import Ended
from app.models.hr import Employee, EmployeeState
from app.models.settings import ReachChoice, RoleReach
from app.roles import ROLES, RoleName
from app.services.access import warnings_of
from app.services.doors import passwords, sessions
from app.services.doors.entering import roles_of
from app.services.notices import tell
from app.services.warning import is_heard, warn
from app.words import _, _l

ADMIN = "admin"
#: The roles that decide for a branch, whatever rights a version gives them.
HEADS = frozenset({"branch_head", "hospital_director"})
USERNAME = re.compile(r"[a-z][a-z0-9_.]{2,63}")

PASSWORD_HELP = _l(
    "Ten characters or more, three kinds of capital letters, small letters, digits and signs, unless your hospital set"
    " it otherwise; not the login name, nothing common, none of the last ones."
)


class Password(Words):
    """A password: never shown again, never kept in the history."""

    SECRET = True

    def process_formdata(self, valuelist: list[Any]) -> None:
        """Take a password as it was typed: blanks at its ends belong to it, as they do at login."""
        self.data = valuelist[0] if valuelist and isinstance(valuelist[0], str) else None

    def __init__(self, label: Any = None, *, required: bool = True, **kwargs: Any) -> None:
        kwargs.setdefault("description", PASSWORD_HELP)
        super().__init__(label, required=required, most=passwords.MOST_CHARACTERS, widget=PasswordInput(), **kwargs)


class NewLogin(HouseForm):
    """Login name, first password, roles."""

    username = Words(_l("Login name"), required=True, most=64)
    password = Password(_l("Password"))
    roles = ChooseMany(_l("Roles"), options=RoleName, required=True)


class NewRoles(HouseForm):
    """The roles from now on."""

    roles = ChooseMany(_l("Roles"), options=RoleName, required=True)


class NewPassword(HouseForm):
    """A new password."""

    password = Password(_l("New password"))


def _table(name: str) -> Any:
    return METADATA.tables[name]


def username_of(session: Session, user_id: int) -> str:
    """Return the name with which one logs in."""
    user = _table("ab_user")
    return str(session.execute(select(user.c.username).where(user.c.id == user_id)).scalar_one())


def _no_login(employee: Employee, by: Actor) -> object | None:
    return _("This employee has a login already.") if employee.user_id is not None else None


def has_login(employee: Employee, by: Actor) -> object | None:
    return _("This employee has no login.") if employee.user_id is None else None


def check_login(session: Session, username: str, password: str, *, branch_id: int | None, at: datetime) -> None:
    """Refuse a login name of the wrong shape and a password that the settings do not allow."""
    if not USERNAME.fullmatch(username):
        raise InvalidInput({"username": [_("Small letters, digits, dots and underscores, three at least.")]})
    passwords.check_password(session, password, username=username, branch_id=branch_id, at=at)


def check_roles(session: Session, roles: Sequence[str], by: Actor) -> None:
    """Refuse roles over the whole group, and those that approve, from anybody but an administrator.

    So whoever keeps the logins cannot make an approver of anybody: R-2.1.3-5 wants three persons.
    """
    if not _is_administrator(by) and _approving(session, map(str, roles)):
        raise InvalidInput({"roles": [_("Only an administrator can give a role that approves.")]})
    if not _is_administrator(by) and _reaching_all(session, map(str, roles)):
        raise InvalidInput({"roles": [_("Only an administrator can give a role over the whole group.")]})


def _approving(session: Session, roles: Iterable[str]) -> set[str]:
    """Return which of these roles approve: the heads' of the house, and all that now hold a right to approve."""
    named = set(roles)
    role, granted, pair = _table("ab_role"), _table("ab_permission_view_role"), _table("ab_permission_view")
    permission = _table("ab_permission")
    holding = (
        select(role.c.name)
        .join(granted, granted.c.role_id == role.c.id)
        .join(pair, pair.c.id == granted.c.permission_view_id)
        .join(permission, permission.c.id == pair.c.permission_id)
        .where(permission.c.name == "can_approve", role.c.name.in_(sorted(named)))
    )
    return {name for name in named if name in HEADS} | set(session.scalars(holding))


def _reaching_all(session: Session, roles: Iterable[str]) -> set[str]:
    """Return which of these roles reach over the whole group: as declared, or over any table as it is set now."""
    declared = {str(name) for name in roles if name in ROLES}
    changed = session.scalars(
        select(RoleReach.role).where(
            RoleReach.role.in_(sorted(declared)), RoleReach.reach == ReachChoice.GROUP, RoleReach.retired_at.is_(None)
        )
    )
    return {name for name in declared if ROLES[name].reach is Reach.GROUP} | set(changed)


def refuse_approver(session: Session, user_id: int, by: Actor) -> None:
    """Refuse who would take an approver's login or right without being an administrator. R-2.1.3-5."""
    if not _is_administrator(by) and _approving(session, roles_of(session, user_id)):
        raise Refusal(_("Only an administrator can change the login of one who approves."))


def account_to_lend(session: Session, employee: Employee, by: Actor) -> int:
    """Return the login of an employee in whose name a program may act; refuse who could not set its password."""
    if employee.user_id is None:
        raise Refusal(_("This employee has no login."))
    user_id = refuse_above(session, employee, by)
    refuse_approver(session, user_id, by)
    return user_id


def _is_administrator(by: Actor) -> bool:
    return by.is_house or ADMIN in by.roles


def refuse_above(session: Session, employee: Employee, by: Actor) -> int:
    """Return the login of an employee; refuse who changes one that reaches further than her own."""
    assert employee.user_id is not None
    held = roles_of(session, employee.user_id)
    if not _is_administrator(by) and _reaching_all(session, held):
        raise Refusal(_("Only an administrator can change an administrator."))
    return employee.user_id


@act(
    Employee,
    "open_login",
    _l("Open a login"),
    form=NewLogin,
    moves={EmployeeState.ACTIVE: None},
    guard=_no_login,
    icon="person-check",
)
def open_login(
    session: Session,
    employee: Employee,
    *,
    username: str,
    password: str,
    roles: Sequence[str],
    by: Actor,
    at: datetime,
) -> None:
    """Give an employee a login with roles; refuses a name that is taken and weak passwords."""
    check_login(session, username, password, branch_id=employee.branch_id, at=at)
    if is_heard(session):
        warn(session, *warnings_of(session, roles))
    employee.user_id = add_account(
        session,
        username,
        generate_password_hash(password),
        employee.name,
        roles,
        by=by,
        at=at,
        branch_id=employee.branch_id,
    )
    tell(session, employee.id, "login_opened", employee, by=by.display_name or by.name)


def add_account(
    session: Session,
    username: str,
    password_hash: str,
    name: str,
    roles: Sequence[str],
    *,
    by: Actor,
    at: datetime,
    branch_id: int | None = None,
) -> int:
    """Insert an account with its roles and return its id; refuses a login name that is taken.

    Its first password comes from somebody else, so its owner replaces it, unless the settings say otherwise.
    """
    check_roles(session, roles, by)
    user = _table("ab_user")
    if session.scalar(select(user.c.id).where(user.c.username == username)) is not None:
        raise InvalidInput({"username": [_("This login name is taken.")]})
    moment = at.replace(tzinfo=None)
    user_id: int = session.execute(
        insert(user)
        .values(
            first_name=name,
            last_name="",
            username=username,
            password=password_hash,
            active=True,
            email=f"{username}@localhost",
            login_count=0,
            fail_login_count=0,
            created_on=moment,
            changed_on=moment,
        )
        .returning(user.c.id)
    ).scalar_one()
    _set_roles(session, user_id, roles)
    passwords.remember(session, user_id, password_hash, at=at, by_others=True, branch_id=branch_id)
    return user_id


def _set_roles(session: Session, user_id: int, roles: Sequence[str]) -> None:
    link, role = _table("ab_user_role"), _table("ab_role")
    ids = {name: key for key, name in session.execute(select(role.c.id, role.c.name).where(role.c.name.in_(roles)))}
    absent = sorted(set(map(str, roles)) - set(ids))
    if absent:
        raise Refusal(_("These roles are not in the database yet: %(roles)s.", roles=", ".join(absent)))
    session.execute(delete(link).where(link.c.user_id == user_id))
    session.execute(insert(link), [{"user_id": user_id, "role_id": ids[str(name)]} for name in roles])


@act(Employee, "give_roles", _l("Change roles"), form=NewRoles, guard=has_login, icon="person-gear")
def give_roles(session: Session, employee: Employee, *, roles: Sequence[str], by: Actor, at: datetime) -> None:
    """Replace the roles of an employee's login; refuses to take the administrator's from the last one."""
    check_roles(session, roles, by)
    if employee.user_id == by.user_id:
        raise Refusal(_("Nobody changes her own roles."))
    user_id = refuse_above(session, employee, by)
    refuse_approver(session, user_id, by)
    if ADMIN not in map(str, roles) and ADMIN in roles_of(session, user_id):
        _refuse_last_administrator(session, user_id)
    if is_heard(session):
        warn(session, *warnings_of(session, roles))
    _set_roles(session, user_id, roles)
    sessions.end_all(session, user_id, Ended.ROLES, at)
    tell(session, employee.id, "roles_changed", employee, by=by.display_name or by.name)


@act(Employee, "reset_password", _l("Set a new password"), form=NewPassword, guard=has_login, icon="key")
def reset_password(session: Session, employee: Employee, *, password: str, by: Actor, at: datetime) -> None:
    """Give an employee's login a new password; its sessions end at once, its owner replaces it at her next login."""
    if employee.user_id == by.user_id:
        raise Refusal(_("One's own password is changed under “My login”, with the present one."))
    user_id = refuse_above(session, employee, by)
    refuse_approver(session, user_id, by)
    passwords.check_password(
        session,
        password,
        username=username_of(session, user_id),
        user_id=user_id,
        branch_id=employee.branch_id,
        at=at,
    )
    passwords.set_password(session, user_id, password, at=at, by_others=True, branch_id=employee.branch_id)
    sessions.end_all(session, user_id, Ended.PASSWORD, at)
    tell(session, employee.id, "password_reset", employee, by=by.display_name or by.name)


@act(
    Employee,
    "close_login",
    _l("Close the login"),
    guard=has_login,
    icon="person-x",
    tone="danger",
    many=True,
    consequence=_l("This person can no longer log in; what she did stays under her name."),
)
def close_login(session: Session, employee: Employee, *, by: Actor, at: datetime) -> None:
    """Switch an employee's login off, at once."""
    if employee.user_id == by.user_id:
        raise Refusal(_("Nobody closes her own login."))
    user_id = refuse_above(session, employee, by)
    refuse_approver(session, user_id, by)
    close_account(session, user_id, by=by, at=at)


def close_account(session: Session, user_id: int, *, by: Actor, at: datetime) -> None:
    """Switch off the login of one who leaves; whoever may let her leave may do so. White paper 4.2.2.

    Her sessions end and her API keys are revoked for good: a login that is opened again brings none of them back.
    Refuses the last administrator, and an administrator unless one is one.
    """
    if ADMIN in roles_of(session, user_id):
        if not _is_administrator(by):
            raise Refusal(_("Only an administrator can change an administrator."))
        _refuse_last_administrator(session, user_id)
    _switch(session, user_id, on=False)
    sessions.end_all(session, user_id, Ended.CLOSED, at)
    hers = select(Employee.id).where(Employee.user_id == user_id)
    for key in session.scalars(select(ApiKey).where(ApiKey.employee_id.in_(hers), ApiKey.revoked_at.is_(None))):
        key.revoked_at = at


def _refuse_last_administrator(session: Session, user_id: int) -> None:
    """Refuse to lose the last administrator; one transaction at a time decides whether one remains."""
    session.execute(text("select pg_advisory_xact_lock(hashtextextended('administrators', 2))"))
    if not _other_administrators(session, user_id):
        raise Refusal(_("She is the last administrator: name another one first."))


def _other_administrators(session: Session, user_id: int) -> int:
    """Return how many open logins but this one hold the administrator's role."""
    user, link, role = _table("ab_user"), _table("ab_user_role"), _table("ab_role")
    statement = (
        select(func.count())
        .select_from(user)
        .join(link, link.c.user_id == user.c.id)
        .join(role, role.c.id == link.c.role_id)
        .where(role.c.name == ADMIN, user.c.active, user.c.id != user_id)
    )
    return session.scalar(statement) or 0


def _switch(session: Session, user_id: int, *, on: bool) -> None:
    user = _table("ab_user")
    session.execute(update(user).where(user.c.id == user_id).values(active=on))


@act(
    Employee,
    "reopen_login",
    _l("Reopen the login"),
    moves={EmployeeState.ACTIVE: None},
    guard=has_login,
    icon="person-check",
)
def reopen_login(session: Session, employee: Employee, *, by: Actor, at: datetime) -> None:
    """Let an employee whose login was closed come in again."""
    user_id = refuse_above(session, employee, by)
    refuse_approver(session, user_id, by)
    _switch(session, user_id, on=True)
