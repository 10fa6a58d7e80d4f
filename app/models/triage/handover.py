"""交接班: triage hands over to the next shift who is in the house, their needs and special cases. Triage SOP, F41."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, Branched, Choice, Encrypted, Instant, Labelled, Recorded, Scope, Stateful, col, one_of
from app.models.hr import Branch, Employee
from app.models.reception import Visit, VisitState
from app.models.triage.assignments import AssignmentState, TriageAssignment
from app.words import _l


class HandoverState(Labelled):
    """Handed over, then confirmed by who takes over; or taken back before that."""

    HANDED = "handed"
    CONFIRMED = "confirmed"
    WITHDRAWN = "withdrawn"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {
            cls.HANDED: _l("To be confirmed"),
            cls.CONFIRMED: _l("Taken over"),
            cls.WITHDRAWN: _l("Taken back"),
        }

    @classmethod
    def tones(cls) -> dict[Any, str]:
        return {cls.HANDED: "warn", cls.CONFIRMED: "ok"}


class ShiftHandover(Stateful, Recorded, Branched, Base):
    """Who handed the triage to whom, when, with which special cases. The visits of that moment are its rows."""

    __tablename__ = "shift_handover"
    TITLE, TITLES = _l("Shift hand-over"), _l("Shift hand-overs")
    SCOPE = Scope(branch="branch_id", own=("from_id", "to_id"))
    STATES = HandoverState
    MOVES = {HandoverState.HANDED: {HandoverState.CONFIRMED, HandoverState.WITHDRAWN}}
    __table_args__ = (
        one_of("state", HandoverState),
        CheckConstraint("from_id <> to_id", name="two_people"),
        CheckConstraint("(state = 'confirmed') = (confirmed_at IS NOT NULL)", name="confirmation_recorded"),
        CheckConstraint("state <> 'withdrawn' OR withdrawn_reason IS NOT NULL", name="withdrawal_has_reason"),
        Index("ix_shift_handover_branch_handed", "branch_id", "handed_at"),
    )

    from_id: Mapped[int] = mapped_column(ForeignKey("employee.id"), index=True, info=col(_l("Handed over by")))
    to_id: Mapped[int] = mapped_column(ForeignKey("employee.id"), index=True, info=col(_l("Taken over by")))
    state: Mapped[HandoverState] = mapped_column(
        Choice(HandoverState), default=HandoverState.HANDED, info=col(_l("State"))
    )
    handed_at: Mapped[datetime] = mapped_column(Instant, info=col(_l("Handed over at")))
    special_cases: Mapped[str | None] = mapped_column(
        Encrypted(2000), info=col(_l("Special cases"), _l("Whom to mind, and why."), multiline=True)
    )
    confirmed_at: Mapped[datetime | None] = mapped_column(Instant, info=col(_l("Confirmed at")))
    withdrawn_reason: Mapped[str | None] = mapped_column(String(500), info=col(_l("Why taken back")))

    branch: Mapped[Branch] = relationship(lazy="select")
    from_: Mapped[Employee] = relationship(foreign_keys=[from_id], lazy="select")
    to: Mapped[Employee] = relationship(foreign_keys=[to_id], lazy="select")

    def __str__(self) -> str:
        return f"{self.from_} → {self.to}"


class ShiftHandoverVisit(Base):
    """A visit that was in the house when the triage was handed over, as it stood then; one row for each call."""

    __tablename__ = "shift_handover_visit"
    TITLE, TITLES = _l("Visit handed over"), _l("Visits handed over")
    SCOPE = Scope(via="handover")
    APPEND_ONLY = True
    __table_args__ = (one_of("visit_state", VisitState), one_of("call_state", AssignmentState))

    handover_id: Mapped[int] = mapped_column(
        ForeignKey("shift_handover.id"), index=True, info=col(_l("Shift hand-over"))
    )
    visit_id: Mapped[int] = mapped_column(ForeignKey("visit.id"), index=True, info=col(_l("Visit")))
    visit_state: Mapped[VisitState] = mapped_column(Choice(VisitState), info=col(_l("State of the visit")))
    arrived_at: Mapped[datetime] = mapped_column(Instant, info=col(_l("Arrived at")))
    needs: Mapped[str | None] = mapped_column(String(500), info=col(_l("What she comes for")))
    assignment_id: Mapped[int | None] = mapped_column(
        ForeignKey("triage_assignment.id"), index=True, info=col(_l("Assignment"))
    )
    call_state: Mapped[AssignmentState | None] = mapped_column(
        Choice(AssignmentState), info=col(_l("State of the call"))
    )

    handover: Mapped[ShiftHandover] = relationship(lazy="select")
    visit: Mapped[Visit] = relationship(lazy="select")
    assignment: Mapped[TriageAssignment | None] = relationship(lazy="select")

    def __str__(self) -> str:
        return str(self.visit)
