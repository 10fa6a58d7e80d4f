"""People at their posts: hired, moved to another post, taken back. White paper 4.2.2, SM-29."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session
from werkzeug.security import generate_password_hash

from app.actors import Actor
from app.acts import Outcome, act
from app.errors import InvalidInput
from app.fields import ChooseMany, Day, PhoneNumber, Pick, Words
from app.models.hr import Branch, Department, Employee, EmployeeState, Position, PositionDepartment, PostChange
from app.roles import RoleName
from app.services.accounts import Password, add_account, check_login
from app.services.hr.organising import FromDay, today_of
from app.services.scope import find
from app.services.settings import next_number
from app.words import _, _l

LOGIN_FIELDS = ("username", "password", "roles")


class Hiring(FromDay):
    """Who, where, from when; and a login, for those who may open one."""

    day_field = "hired_on"
    name = Words(_l("Full name"), required=True, most=60)
    employee_no = Words(_l("Employee number"), most=20, description=_l("Empty: the next number."))
    department_id = Pick(_l("Department"), table="department", required=True)
    position_id = Pick(_l("Position"), table="position")
    hired_on = Day(_l("Hired on"), required=True)
    phone = PhoneNumber(_l("Telephone"))
    username = Words(_l("Login name"), most=64, description=_l("Empty: no login for now."))
    password = Password(_l("First password"), required=False)
    roles = ChooseMany(_l("Roles"), options=RoleName, description=_l("None: the role of the position."))

    def __init__(self, formdata: Any = None, **kwargs: Any) -> None:
        """Leave the login out for who keeps no logins; what she sends all the same is refused beside its field."""
        super().__init__(formdata, **kwargs)
        self._keeps_logins = self.context.actor is None or self.context.actor.may("employee", "can_open_login")
        for name in LOGIN_FIELDS:
            if not self._keeps_logins and not any(self[name].raw_data or ()):
                del self[name]

    def check(self) -> None:
        sent = [name for name in LOGIN_FIELDS if name in self and self[name].data]
        if not self._keeps_logins:
            for name in sent:
                self.refuse(name, _("Only who keeps logins can open one. Hire without; IT opens the login."))
        elif sent and not self.username.data:
            self.refuse("username", _("A login needs its name."))
        elif sent and not self.password.data:
            self.refuse("password", _("A login needs a first password."))


@act(
    Employee,
    "hire",
    _l("Hire"),
    form=Hiring,
    creates=True,
    icon="person-plus",
    tone="accent",
    main=True,
    starts_from={"department": {"department_id": "id"}},
)
def hire(
    session: Session,
    *,
    name: str,
    department_id: int,
    employee_no: str | None = None,
    position_id: int | None = None,
    hired_on: date | None = None,
    phone: str | None = None,
    username: str | None = None,
    password: str | None = None,
    roles: Sequence[str] = (),
    by: Actor,
    at: datetime,
) -> Outcome:
    """Take somebody in: file, post and, for who keeps logins, the login with its roles, in one step. SM-29 入职.

    Without a number the next one by rule; without roles that of the position. Refuses a closed department, a number or
    a login name that is taken, a weak password.
    """
    department = open_department(session, department_id, by)
    position = _position(session, position_id, by)
    employee = Employee(
        employee_no=employee_no or _next_number(session, department.branch_id, by, at),
        name=name,
        branch_id=department.branch_id,
        department_id=department.id,
        position_id=position_id,
        hired_on=hired_on or today_of(by, at),
        phone=phone,
        state=EmployeeState.ACTIVE,
    )
    _refuse_taken_number(session, employee.employee_no)
    session.add(employee)
    session.flush()
    if username:
        check_login(session, username, password or "", branch_id=employee.branch_id, at=at)
        chosen = [str(role) for role in roles] or _role_of(position)
        hashed = generate_password_hash(password or "")
        employee.user_id = add_account(
            session, username, hashed, name, chosen, by=by, at=at, branch_id=employee.branch_id
        )
    return Outcome(result=employee, notice=_about_post(session, employee))


def _role_of(position: Position | None) -> list[str]:
    """Return the role that a position gives; refuses one that gives none."""
    known = {str(role) for role in RoleName}
    if position is None or position.default_role not in known:
        raise InvalidInput({"roles": [_("The position gives no role: please choose.")]})
    return [str(position.default_role)]


def open_department(session: Session, department_id: int, by: Actor) -> Department:
    """Return a department in scope that people may join, held open until this transaction ends."""
    if find(session, "department", department_id, by) is None:
        raise InvalidInput({"department_id": [_("Not a valid choice.")]})
    department = session.scalars(
        select(Department)
        .where(Department.id == department_id)
        .with_for_update(of=Department, read=True, key_share=True)
        .execution_options(populate_existing=True)
    ).one()
    if department.retired_at is not None:
        raise InvalidInput({"department_id": [_("This department is closed.")]})
    return department


def _position(session: Session, position_id: int | None, by: Actor) -> Position | None:
    if position_id is None:
        return None
    position = find(session, "position", position_id, by, offered=True)
    if not isinstance(position, Position):
        raise InvalidInput({"position_id": [_("Not a valid choice.")]})
    return position


def _next_number(session: Session, branch_id: int, by: Actor, at: datetime) -> str:
    """Return the next number by rule that nobody has; numbers typed by hand are passed over."""
    branch = session.get_one(Branch, branch_id)
    while True:
        number = next_number(session, "employee", branch=branch, at=at, zone=by.timezone)
        if not _is_taken(session, number):
            return number


def _is_taken(session: Session, number: str) -> bool:
    return session.scalar(select(Employee.id).where(Employee.employee_no == number)) is not None


def _refuse_taken_number(session: Session, number: str) -> None:
    if _is_taken(session, number):
        raise InvalidInput({"employee_no": [_("This employee number is taken.")]})


def _about_post(session: Session, employee: Employee) -> str | None:
    """Return what is worth knowing of a post that was just filled: not planned, or more people than planned."""
    if employee.position_id is None:
        return None
    session.flush()
    posts = session.scalars(
        select(PositionDepartment)
        .where(PositionDepartment.department_id == employee.department_id, PositionDepartment.retired_at.is_(None))
        .execution_options(populate_existing=True)
    ).all()
    post = next((post for post in posts if post.position_id == employee.position_id), None)
    if posts and post is None:
        return _("This department has no such post; add it if it is to stay.")
    if post is not None and post.headcount is not None and post.holders > post.headcount:
        return _(
            "%(holders)s people hold this post; %(planned)s are planned.", holders=post.holders, planned=post.headcount
        )
    return None


class ChangingPost(FromDay):
    """Where to, and from when."""

    day_field = "changed_on"
    department_id = Pick(_l("Department"), table="department", required=True)
    position_id = Pick(_l("Position"), table="position")
    changed_on = Day(_l("From the day"), required=True, past=True)
    reason = Words(_l("Reason"), most=500)


@act(
    Employee,
    "change_post",
    _l("Change the post"),
    form=ChangingPost,
    moves={EmployeeState.ACTIVE: None},
    icon="arrow-left-right",
    prefill=("department_id", "position_id"),
)
def change_post(
    session: Session,
    employee: Employee,
    *,
    department_id: int,
    position_id: int | None = None,
    changed_on: date | None = None,
    reason: str | None = None,
    by: Actor,
    at: datetime,
) -> Outcome:
    """Send an employee to another department or position from a day; where she was is kept. White paper 4.2.2.

    Refuses what changes nothing, another branch, a closed department, a day in the future, before her hiring or before
    her last change. Her login's roles stay: who keeps logins changes them.
    """
    if (department_id, position_id) == (employee.department_id, employee.position_id):
        raise InvalidInput({"department_id": [_("She has this post already.")]})
    if department_id != employee.department_id:
        department = open_department(session, department_id, by)
        if department.branch_id != employee.branch_id:
            raise InvalidInput({"department_id": [_("This department belongs to another branch.")]})
    position = _position(session, position_id, by) if position_id != employee.position_id else employee.position
    changed_on = changed_on or today_of(by, at)
    _check_day(session, employee, changed_on, "changed_on", by, at)
    session.add(
        PostChange(
            employee_id=employee.id,
            from_department_id=employee.department_id,
            to_department_id=department_id,
            from_position_id=employee.position_id,
            to_position_id=position_id,
            changed_on=changed_on,
            reason=reason,
        )
    )
    employee.department_id, employee.position_id = department_id, position_id
    return Outcome(notice=_about_roles(employee, position) or _about_post(session, employee))


def _about_roles(employee: Employee, position: Position | None) -> str | None:
    if employee.user_id is None or position is None or not position.default_role:
        return None
    return _("Her login keeps its roles; IT changes them if the new post needs others.")


def _check_day(session: Session, employee: Employee, day: date, field: str, by: Actor, at: datetime) -> None:
    """Refuse a day in the future, before the hiring, or before the last change of post."""
    if day > today_of(by, at):
        raise InvalidInput({field: [_("This day lies in the future.")]})
    last = session.scalar(select(func.max(PostChange.changed_on)).where(PostChange.employee_id == employee.id))
    begun = max((known for known in (last, employee.hired_on) if known is not None), default=None)
    if begun is not None and day < begun:
        raise InvalidInput({field: [_("Not before %(day)s, please.", day=begun.isoformat())]})


class Returning(FromDay):
    """Where to, and from when."""

    day_field = "hired_on"
    department_id = Pick(_l("Department"), table="department", required=True)
    position_id = Pick(_l("Position"), table="position")
    hired_on = Day(_l("Hired again on"), required=True)


@act(
    Employee,
    "return_to_work",
    _l("Rehire"),
    form=Returning,
    moves={EmployeeState.LEFT: EmployeeState.ACTIVE},
    icon="person-check",
    prefill=("department_id", "position_id"),
)
def return_to_work(
    session: Session,
    employee: Employee,
    *,
    department_id: int,
    position_id: int | None = None,
    hired_on: date | None = None,
    by: Actor,
    at: datetime,
) -> Outcome:
    """Take somebody back who left, under her old number. What she handed over stays where it is; so does her login.

    Refuses a closed department, another branch, and a day before she left.
    """
    department = open_department(session, department_id, by)
    if department.branch_id != employee.branch_id:
        raise InvalidInput({"department_id": [_("This department belongs to another branch.")]})
    if position_id != employee.position_id:
        _position(session, position_id, by)
    hired_on = hired_on or today_of(by, at)
    if employee.left_at is not None and hired_on < employee.left_at.astimezone(by.timezone).date():
        raise InvalidInput({"hired_on": [_("This day lies before she left.")]})
    employee.department_id, employee.position_id = department_id, position_id
    employee.hired_on, employee.left_at = hired_on, None
    login = _("Her login stays closed until IT opens it again.") if employee.user_id is not None else None
    return Outcome(notice=login or _about_post(session, employee))
