"""The organisation: branches, departments, positions, employees. White paper 4.2, REF-1, part B."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

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
from app.words import _l, locale_in_force


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
    """A department of a branch; departments form a tree. REF-1."""

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
    default_role: Mapped[str | None] = mapped_column(String(64), info=col(_l("Default role")))

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
    id_no: Mapped[str | None] = mapped_column(Encrypted, info=col(_l("ID number"), sensitive=True))
    phone: Mapped[str | None] = mapped_column(Encrypted, info=col(_l("Telephone"), sensitive=True))
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
