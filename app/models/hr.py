"""The organisation: branches, departments, positions, employees. White paper 4.2, REF-1, part B."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    String,
    UniqueConstraint,
    column,
    func,
    select,
    table,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, column_property, mapped_column, relationship

from app.models.base import (
    Base,
    Branched,
    Choice,
    Encrypted,
    Instant,
    Labelled,
    Recorded,
    Retirable,
    Scope,
    Stateful,
    col,
    one_of,
)
from app.roles import RoleName
from app.words import _l, locale_in_force

#: The framework's accounts, as far as an employee's file shows them.
ACCOUNT = table("ab_user", column("id", Integer), column("active", Boolean))


class Branch(Recorded, Base):
    """One hospital of the group, with its own clock, numbers and settings."""

    __tablename__ = "branch"
    TITLE, TITLES = _l("Branch"), _l("Branches")
    SCOPE = Scope(shared=True)
    __table_args__ = (CheckConstraint("code ~ '^[0-9]{2}$'", name="code_two_digits"),)

    code: Mapped[str] = mapped_column(
        String(2), unique=True, info=col(_l("Code"), _l("Two digits; part of every document number."), search=True)
    )
    name: Mapped[str] = mapped_column(String(80), unique=True, info=col(_l("Name"), search=True))
    phone: Mapped[str | None] = mapped_column(String(40), info=col(_l("Telephone"), _l("Printed on paper.")))
    address: Mapped[str | None] = mapped_column(String(200), info=col(_l("Address")))
    licence_no: Mapped[str | None] = mapped_column(String(60), info=col(_l("Licence number")))
    surgical_level_max: Mapped[int] = mapped_column(
        default=1, server_default="1", info=col(_l("Highest surgical level"), _l("1 to 4, as licensed."))
    )
    zone: Mapped[str] = mapped_column(
        String(40), default="Asia/Shanghai", server_default="Asia/Shanghai", info=col(_l("Time zone"))
    )

    def __str__(self) -> str:
        return self.name


class DepartmentKind(Labelled):
    """REF-1's types."""

    MANAGEMENT = "management"
    FUNCTION = "function"
    MEDICAL_ADMIN = "medical_admin"
    BUSINESS = "business"
    MEDICAL = "medical"
    MEDICAL_TECH = "medical_tech"
    LOGISTICS = "logistics"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {
            cls.MANAGEMENT: _l("Management"),
            cls.FUNCTION: _l("Functional department"),
            cls.MEDICAL_ADMIN: _l("Medical administration"),
            cls.BUSINESS: _l("Business department"),
            cls.MEDICAL: _l("Medical department"),
            cls.MEDICAL_TECH: _l("Medical technology"),
            cls.LOGISTICS: _l("Logistics"),
        }


class Department(Recorded, Branched, Retirable, Base):
    """A department of a branch; departments form a tree. REF-1, white paper 4.2.1.

    A trigger refuses a cycle and a parent of another branch, under the same lock as the acts that change the tree.
    """

    __tablename__ = "department"
    TITLE, TITLES = _l("Department"), _l("Departments")
    SCOPE = Scope(branch="branch_id", department="id")
    __table_args__ = (
        UniqueConstraint("branch_id", "code"),
        CheckConstraint("parent_id <> id", name="no_own_parent"),
        one_of("kind", DepartmentKind),
    )

    code: Mapped[str] = mapped_column(String(20), info=col(_l("Code"), search=True))
    name: Mapped[str] = mapped_column(String(80), info=col(_l("Name"), search=True))
    kind: Mapped[DepartmentKind] = mapped_column(Choice(DepartmentKind), info=col(_l("Kind")))
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("department.id"), index=True, info=col(_l("Part of")))
    head_id: Mapped[int | None] = mapped_column(
        ForeignKey("employee.id", use_alter=True), info=col(_l("Head of department"))
    )
    settles: Mapped[bool] = mapped_column(default=False, server_default="false", info=col(_l("Settles revenue")))
    public_desk: Mapped[bool] = mapped_column(
        default=False,
        server_default="false",
        info=col(_l("Public desk"), _l("Strangers see its screens, so they are locked sooner.")),
    )
    valid_from: Mapped[date | None] = mapped_column(info=col(_l("Valid from")))
    valid_to: Mapped[date | None] = mapped_column(info=col(_l("Valid to")))

    @classmethod
    def offered(cls) -> Any:
        return cls.retired_at.is_(None)

    branch: Mapped[Branch] = relationship(lazy="select")
    parent: Mapped[Department | None] = relationship(remote_side="Department.id", lazy="select")
    head: Mapped[Employee | None] = relationship(foreign_keys=[head_id], lazy="select")

    def __str__(self) -> str:
        return self.name


class Position(Recorded, Retirable, Base):
    """A post, and the role that its holder gets by default."""

    __tablename__ = "position"
    TITLE, TITLES = _l("Position"), _l("Positions")
    SCOPE = Scope(shared=True)

    code: Mapped[str] = mapped_column(String(40), unique=True, info=col(_l("Code"), search=True))
    name: Mapped[str] = mapped_column(String(80), info=col(_l("Name"), search=True))
    name_en: Mapped[str | None] = mapped_column(String(80), info=col(_l("English name")))
    default_role: Mapped[str | None] = mapped_column(
        String(64), info=col(_l("Default role"), _l("What its holder's login may do."), options=RoleName)
    )

    @classmethod
    def offered(cls) -> Any:
        return cls.retired_at.is_(None)

    def __str__(self) -> str:
        return (self.name_en or self.name) if locale_in_force() == "en" else self.name


class EmployeeState(Labelled):
    """Whether an employee works here."""

    ACTIVE = "active"
    LEFT = "left"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {cls.ACTIVE: _l("Employed"), cls.LEFT: _l("Has left")}

    @classmethod
    def tones(cls) -> dict[Any, str]:
        return {cls.ACTIVE: "ok", cls.LEFT: "mute"}


class Employee(Stateful, Recorded, Branched, Base):
    """A person who works here; at most one login each. White paper 4.2.2, GL 44-45."""

    __tablename__ = "employee"
    TITLE, TITLES = _l("Employee"), _l("Employees")
    SCOPE = Scope(branch="branch_id", department="department_id", own=("id",))
    STATES = EmployeeState
    MOVES = {EmployeeState.ACTIVE: {EmployeeState.LEFT}, EmployeeState.LEFT: {EmployeeState.ACTIVE}}
    __table_args__ = (
        CheckConstraint("partner_employee_id <> id", name="partner_is_another"),
        CheckConstraint("successor_employee_id <> id", name="successor_is_another"),
        one_of("state", EmployeeState),
        Index("ix_employee_department_id_state", "department_id", "state"),
    )

    employee_no: Mapped[str] = mapped_column(String(20), unique=True, info=col(_l("Employee number"), search=True))
    name: Mapped[str] = mapped_column(String(60), info=col(_l("Full name"), search=True))
    id_no: Mapped[str | None] = mapped_column(Encrypted, info=col(_l("ID number"), sensitive=True, right="id_no"))
    phone: Mapped[str | None] = mapped_column(Encrypted, info=col(_l("Telephone"), sensitive=True, right="phone"))
    department_id: Mapped[int] = mapped_column(ForeignKey("department.id"), info=col(_l("Department")))
    position_id: Mapped[int | None] = mapped_column(ForeignKey("position.id"), info=col(_l("Position")))
    state: Mapped[EmployeeState] = mapped_column(
        Choice(EmployeeState), default=EmployeeState.ACTIVE, info=col(_l("State"))
    )
    hired_on: Mapped[date | None] = mapped_column(info=col(_l("Hired on")))
    left_at: Mapped[datetime | None] = mapped_column(Instant, info=col(_l("Left")))
    partner_employee_id: Mapped[int | None] = mapped_column(
        ForeignKey("employee.id"), info=col(_l("Covering colleague"), _l("Covers when this person is busy or off."))
    )
    successor_employee_id: Mapped[int | None] = mapped_column(
        ForeignKey("employee.id"), info=col(_l("Successor"), _l("Takes over the customers of one who leaves."))
    )
    user_id: Mapped[int | None] = mapped_column(ForeignKey("ab_user.id"), unique=True, info=col(_l("Login")))
    #: Whether the login is open; None if there is none. Loaded by the lists that show it.
    login_open = column_property(
        select(ACCOUNT.c.active).where(ACCOUNT.c.id == user_id).correlate_except(ACCOUNT).scalar_subquery(),
        deferred=True,
    )

    @classmethod
    def offered(cls) -> Any:
        return cls.state == EmployeeState.ACTIVE

    @property
    def option_hint(self) -> str:
        return str(self.department)

    branch: Mapped[Branch] = relationship(lazy="select")
    department: Mapped[Department] = relationship(foreign_keys=[department_id], lazy="select")
    position: Mapped[Position | None] = relationship(lazy="select")
    partner: Mapped[Employee | None] = relationship(
        foreign_keys=[partner_employee_id], remote_side="Employee.id", lazy="select"
    )
    successor: Mapped[Employee | None] = relationship(
        foreign_keys=[successor_employee_id], remote_side="Employee.id", lazy="select"
    )

    def __str__(self) -> str:
        return self.name


class PositionDepartment(Recorded, Retirable, Base):
    """A post that a department has, and how many people are planned for it. White paper 4.2.1."""

    __tablename__ = "position_department"
    TITLE, TITLES = _l("Post of a department"), _l("Posts of departments")
    SCOPE = Scope(via="department")
    ALSO_TOLD = ("holders",)
    __table_args__ = (
        UniqueConstraint("department_id", "position_id"),
        CheckConstraint("headcount BETWEEN 0 AND 9999", name="headcount_bounds"),
    )

    department_id: Mapped[int] = mapped_column(ForeignKey("department.id"), info=col(_l("Department")))
    position_id: Mapped[int] = mapped_column(ForeignKey("position.id"), index=True, info=col(_l("Position")))
    headcount: Mapped[int | None] = mapped_column(info=col(_l("Planned headcount"), _l("Empty: not planned.")))
    #: How many who work here hold it.
    holders = column_property(
        select(func.count(Employee.id))
        .where(
            Employee.department_id == department_id,
            Employee.position_id == position_id,
            Employee.state == EmployeeState.ACTIVE,
        )
        .correlate_except(Employee)
        .scalar_subquery()
    )

    department: Mapped[Department] = relationship(lazy="select")
    position: Mapped[Position] = relationship(lazy="select")

    def __str__(self) -> str:
        return f"{self.department} · {self.position}"


class DepartmentMove(Recorded, Base):
    """A department became part of another: from which, to which, from when. White paper 4.2.1, "move keeps history"."""

    __tablename__ = "department_move"
    TITLE, TITLES = _l("Move of a department"), _l("Moves of departments")
    SCOPE = Scope(via="department")
    __table_args__ = (Index("ix_department_move_department_id_moved_on", "department_id", "moved_on"),)

    department_id: Mapped[int] = mapped_column(ForeignKey("department.id"), info=col(_l("Department")))
    from_parent_id: Mapped[int | None] = mapped_column(ForeignKey("department.id"), info=col(_l("Was part of")))
    to_parent_id: Mapped[int | None] = mapped_column(ForeignKey("department.id"), info=col(_l("Became part of")))
    moved_on: Mapped[date] = mapped_column(info=col(_l("From the day")))
    reason: Mapped[str | None] = mapped_column(String(500), info=col(_l("Reason")))

    department: Mapped[Department] = relationship(foreign_keys=[department_id], lazy="select")
    from_parent: Mapped[Department | None] = relationship(foreign_keys=[from_parent_id], lazy="select")
    to_parent: Mapped[Department | None] = relationship(foreign_keys=[to_parent_id], lazy="select")

    def __str__(self) -> str:
        return f"{self.department} {self.moved_on.isoformat()}"


class PostChange(Recorded, Base):
    """An employee went to another department or position: from where, to where, from when. White paper 4.2.2."""

    __tablename__ = "post_change"
    TITLE, TITLES = _l("Change of post"), _l("Changes of post")
    SCOPE = Scope(via="employee")
    __table_args__ = (Index("ix_post_change_employee_id_changed_on", "employee_id", "changed_on"),)

    employee_id: Mapped[int] = mapped_column(ForeignKey("employee.id"), info=col(_l("Employee")))
    from_department_id: Mapped[int] = mapped_column(ForeignKey("department.id"), info=col(_l("From the department")))
    to_department_id: Mapped[int] = mapped_column(ForeignKey("department.id"), info=col(_l("To the department")))
    from_position_id: Mapped[int | None] = mapped_column(ForeignKey("position.id"), info=col(_l("From the position")))
    to_position_id: Mapped[int | None] = mapped_column(ForeignKey("position.id"), info=col(_l("To the position")))
    changed_on: Mapped[date] = mapped_column(info=col(_l("From the day")))
    reason: Mapped[str | None] = mapped_column(String(500), info=col(_l("Reason")))

    employee: Mapped[Employee] = relationship(lazy="select")
    from_department: Mapped[Department] = relationship(foreign_keys=[from_department_id], lazy="select")
    to_department: Mapped[Department] = relationship(foreign_keys=[to_department_id], lazy="select")
    from_position: Mapped[Position | None] = relationship(foreign_keys=[from_position_id], lazy="select")
    to_position: Mapped[Position | None] = relationship(foreign_keys=[to_position_id], lazy="select")

    def __str__(self) -> str:
        return f"{self.employee} {self.changed_on.isoformat()}"


class HandoverBatch(Recorded, Branched, Base):
    """What one who left held, and who has it now. White paper 4.2.2, GL 45.

    Both go by the name of the holding: ``items`` are the ids of all that she held, ``counts`` how many of them went to
    the successor; what has no count was left to nobody.
    """

    __tablename__ = "handover_batch"
    TITLE, TITLES = _l("Hand-over"), _l("Hand-overs")
    SCOPE = Scope(
        branch="branch_id", department="department_id", own=("from_employee_id", "to_employee_id", "done_by_id")
    )
    __table_args__ = (CheckConstraint("from_employee_id <> to_employee_id", name="to_another"),)

    from_employee_id: Mapped[int] = mapped_column(ForeignKey("employee.id"), index=True, info=col(_l("Who left")))
    to_employee_id: Mapped[int | None] = mapped_column(ForeignKey("employee.id"), index=True, info=col(_l("Successor")))
    department_id: Mapped[int] = mapped_column(ForeignKey("department.id"), info=col(_l("Department")))
    left_on: Mapped[date] = mapped_column(info=col(_l("Last day")))
    reason: Mapped[str] = mapped_column(String(500), info=col(_l("Reason"), multiline=True))
    counts: Mapped[dict[str, int]] = mapped_column(JSONB, default=dict, server_default=text("'{}'::jsonb"))
    items: Mapped[dict[str, list[int]]] = mapped_column(JSONB, default=dict, server_default=text("'{}'::jsonb"))
    done_at: Mapped[datetime] = mapped_column(Instant, info=col(_l("Done at")))
    done_by_id: Mapped[int | None] = mapped_column(ForeignKey("employee.id"), info=col(_l("Done by")))

    branch: Mapped[Branch] = relationship(lazy="select")
    department: Mapped[Department] = relationship(lazy="select")
    from_employee: Mapped[Employee] = relationship(foreign_keys=[from_employee_id], lazy="select")
    to_employee: Mapped[Employee | None] = relationship(foreign_keys=[to_employee_id], lazy="select")
    done_by: Mapped[Employee | None] = relationship(foreign_keys=[done_by_id], lazy="select")

    @property
    def total(self) -> int:
        """How many records changed hands."""
        return sum(self.counts.values())

    def __str__(self) -> str:
        return f"{self.from_employee} {self.left_on.isoformat()}"
