"""接诊: what a consultant and her customer spoke of, and whether it came to a deal. White paper 2.4; GL 51-53."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint, select, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import (
    ALSO_OWN,
    MONEY,
    Base,
    Branched,
    Choice,
    Encrypted,
    Instant,
    Labelled,
    Recorded,
    Scope,
    Stateful,
    col,
    one_of,
)
from app.models.customers import Customer
from app.models.hr import Branch, Department, Employee
from app.models.reception import Visit
from app.models.settings import DictionaryItem
from app.models.triage import TriageAssignment
from app.words import _l, listed


class ConsultationState(Labelled):
    """How a consultation stands; its outcome is its end. White paper 2.4, SM-04."""

    OPEN = "open"
    DEAL = "deal"
    NO_DEAL = "no_deal"
    SERVED = "served"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {
            cls.OPEN: _l("In consultation"),
            cls.DEAL: _l("Deal"),
            cls.NO_DEAL: _l("No deal"),
            cls.SERVED: _l("Served, nothing to sell"),
        }

    @classmethod
    def tones(cls) -> dict[Any, str]:
        return {cls.OPEN: "info", cls.DEAL: "ok", cls.SERVED: "ok"}


O = ConsultationState  # noqa: E741 (stands for the states, twice below)


class Consultation(Stateful, Recorded, Branched, Base):
    """A consultation of a visit. White paper 2.4. Nothing medical stands here: that is the doctor's (R-2.4-4)."""

    __tablename__ = "consultation"
    TITLE, TITLES = _l("Consultation"), _l("Consultations")
    SCOPE = Scope(branch="branch_id", department="department_id", own=("consultant_id",))
    LOCK_FIRST = ("visit.customer_id", "visit_id")
    ALSO_TOLD = ("item_ids",)
    TOLD_ALONE = ("history",)
    STATES = ConsultationState
    MOVES = {O.OPEN: {O.DEAL, O.NO_DEAL, O.SERVED}}
    __table_args__ = (
        one_of("state", ConsultationState),
        CheckConstraint("(state = 'no_deal') = (failure_reason_id IS NOT NULL)", name="no_deal_has_reason"),
        CheckConstraint("(state = 'open') = (ended_at IS NULL)", name="end_recorded"),
        CheckConstraint("ended_at >= started_at", name="ended_after_start"),
        CheckConstraint("budget >= 0", name="budget_positive"),
        Index("uq_consultation_open", "visit_id", unique=True, postgresql_where=text("state = 'open'")),
        Index("ix_consultation_consultant_started", "consultant_id", "started_at"),
        Index("ix_consultation_department_started", "department_id", "started_at"),
        Index("ix_consultation_branch_started", "branch_id", "started_at"),
    )

    visit_id: Mapped[int] = mapped_column(ForeignKey("visit.id"), index=True, info=col(_l("Visit")))
    assignment_id: Mapped[int | None] = mapped_column(
        ForeignKey("triage_assignment.id"), unique=True, info=col(_l("Assignment"))
    )
    consultant_id: Mapped[int] = mapped_column(ForeignKey("employee.id"), info=col(_l("Consultant")))
    department_id: Mapped[int | None] = mapped_column(ForeignKey("department.id"), info=col(_l("Department")))
    state: Mapped[ConsultationState] = mapped_column(
        Choice(ConsultationState), default=ConsultationState.OPEN, info=col(_l("State"))
    )
    need_text: Mapped[str | None] = mapped_column(
        Encrypted, info=col(_l("Need in the customer's words"), multiline=True)
    )
    budget: Mapped[Decimal | None] = mapped_column(MONEY, info=col(_l("Budget")))
    concern_text: Mapped[str | None] = mapped_column(Encrypted, info=col(_l("Concerns"), multiline=True))
    started_at: Mapped[datetime] = mapped_column(Instant, info=col(_l("Started at")))
    ended_at: Mapped[datetime | None] = mapped_column(Instant, info=col(_l("Ended at")))
    failure_reason_id: Mapped[int | None] = mapped_column(
        ForeignKey("dictionary_item.id"), info=col(_l("Reason for no deal"), dictionary="failure_reason")
    )
    next_action: Mapped[str | None] = mapped_column(String(500), info=col(_l("Next action"), multiline=True))

    branch: Mapped[Branch] = relationship(lazy="select")
    visit: Mapped[Visit] = relationship(lazy="select")
    assignment: Mapped[TriageAssignment | None] = relationship(lazy="select")
    consultant: Mapped[Employee] = relationship(lazy="select")
    department: Mapped[Department | None] = relationship(lazy="select")
    failure_reason: Mapped[DictionaryItem | None] = relationship(lazy="select")
    item_links: Mapped[list[ConsultationItem]] = relationship(
        back_populates="consultation", lazy="select", order_by="ConsultationItem.id", cascade="save-update, merge"
    )

    @property
    def item_ids(self) -> list[int]:
        return [link.item_id for link in self.item_links]

    @property
    def items_text(self) -> str:
        return listed([str(link.item) for link in self.item_links])

    @property
    def customer(self) -> Customer:
        return self.visit.customer

    def __str__(self) -> str:
        return f"{self.visit} · {self.consultant}"


class ConsultationItem(Base):
    """What a consultation is about; one by default, a setting (R-2.4-1)."""

    __tablename__ = "consultation_item"
    TITLE, TITLES = _l("Item of a consultation"), _l("Items of consultations")
    SCOPE = Scope(via="consultation")
    __table_args__ = (UniqueConstraint("consultation_id", "item_id"),)

    consultation_id: Mapped[int] = mapped_column(ForeignKey("consultation.id"), info=col(_l("Consultation")))
    item_id: Mapped[int] = mapped_column(
        ForeignKey("dictionary_item.id"), info=col(_l("Item"), dictionary="appointment_item")
    )

    consultation: Mapped[Consultation] = relationship(back_populates="item_links", lazy="select")
    item: Mapped[DictionaryItem] = relationship(lazy="select")

    def __str__(self) -> str:
        return str(self.item)


def _of_visits_that_are_mine(model: Any, employee_id: int) -> Any:
    """A consultant to whom a visit was given in the middle of it sees its consultation: she takes it over."""
    mine = select(Visit.id).where(Visit.consultant_id == employee_id, Visit.closed_at.is_(None))
    return model.visit_id.in_(mine)


ALSO_OWN.setdefault("consultation", []).append(_of_visits_that_are_mine)
