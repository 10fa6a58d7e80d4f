"""Plans to call a customer again. White paper 1.3, 2.1.4, 2.22; SM-03.

The desk's own rules make plans here: a missed call, a lapsed slip, a slip due tomorrow.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.appointments import AppointmentSlip, ContactRecord
from app.models.base import Base, Branched, Choice, Encrypted, Instant, Labelled, Recorded, Scope, Stateful, col, one_of
from app.models.customers import Customer
from app.models.hr import Branch, Department, Employee
from app.models.settings import DictionaryItem
from app.words import _l


class PlanState(Labelled):
    """SM-03, as far as plans of rules go: they are approved when they are made."""

    APPROVED = "approved"
    EXECUTED = "executed"
    WITHDRAWN = "withdrawn"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {cls.APPROVED: _l("To be done"), cls.EXECUTED: _l("Done"), cls.WITHDRAWN: _l("Withdrawn")}

    @classmethod
    def tones(cls) -> dict[Any, str]:
        return {cls.APPROVED: "info", cls.EXECUTED: "ok"}


class FollowupPlan(Stateful, Recorded, Branched, Base):
    """One call to be made: to whom, why, when, by whom. Made once per rule and occasion."""

    __tablename__ = "followup_plan"
    TITLE, TITLES = _l("Follow-up plan"), _l("Follow-up plans")
    SCOPE = Scope(branch="branch_id", department="department_id", own=("executor_id",))
    STATES = PlanState
    MOVES = {PlanState.APPROVED: {PlanState.EXECUTED, PlanState.WITHDRAWN}, PlanState.WITHDRAWN: {PlanState.APPROVED}}
    __table_args__ = (
        one_of("state", PlanState),
        Index("uq_followup_plan_occasion", "rule", "occasion", unique=True),
        Index("ix_followup_plan_executor_due", "executor_id", "state", "planned_on"),
        CheckConstraint("state <> 'executed' OR feedback IS NOT NULL", name="executed_has_feedback"),
        CheckConstraint("customer_id IS NOT NULL OR contact_record_id IS NOT NULL", name="about_somebody"),
    )

    category_id: Mapped[int] = mapped_column(
        ForeignKey("dictionary_item.id"), info=col(_l("Category"), dictionary="followup_category")
    )
    rule: Mapped[str] = mapped_column(String(40), info=col(_l("Made by the rule")))
    occasion: Mapped[str] = mapped_column(String(80), info=col(_l("Occasion")))
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customer.id"), index=True, info=col(_l("Customer")))
    contact_record_id: Mapped[int | None] = mapped_column(
        ForeignKey("contact_record.id"), index=True, info=col(_l("Contact record"))
    )
    appointment_slip_id: Mapped[int | None] = mapped_column(
        ForeignKey("appointment_slip.id"), index=True, info=col(_l("Appointment slip"))
    )
    purpose: Mapped[str | None] = mapped_column(Encrypted(400), info=col(_l("Purpose")))
    planned_on: Mapped[date] = mapped_column(info=col(_l("Planned for")))
    executor_id: Mapped[int | None] = mapped_column(ForeignKey("employee.id"), info=col(_l("Carried out by")))
    department_id: Mapped[int | None] = mapped_column(
        ForeignKey("department.id"), index=True, info=col(_l("Department"))
    )
    state: Mapped[PlanState] = mapped_column(Choice(PlanState), default=PlanState.APPROVED, info=col(_l("State")))
    executed_at: Mapped[datetime | None] = mapped_column(Instant, info=col(_l("Done at")))
    feedback: Mapped[str | None] = mapped_column(Encrypted, info=col(_l("Feedback"), multiline=True))

    branch: Mapped[Branch] = relationship(lazy="select")
    category: Mapped[DictionaryItem] = relationship(lazy="select")
    customer: Mapped[Customer | None] = relationship(lazy="select")
    contact_record: Mapped[ContactRecord | None] = relationship(lazy="select")
    appointment_slip: Mapped[AppointmentSlip | None] = relationship(lazy="select")
    executor: Mapped[Employee | None] = relationship(lazy="select")
    department: Mapped[Department | None] = relationship(lazy="select")

    def __str__(self) -> str:
        return f"{self.category} {self.planned_on.isoformat()}"
