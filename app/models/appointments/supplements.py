"""补预约单: a request for the slip of an arrival that had been arranged and had none. White paper 2.1.3.3, SM-33."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.appointments.slips import AppointmentSlip, Channel, ContactRecord, Intention
from app.models.base import Base, Branched, Choice, Encrypted, Instant, Labelled, Recorded, Scope, Stateful, col, one_of
from app.models.customers import Customer
from app.models.files import StoredFile
from app.models.hr import Branch, Department, Employee
from app.words import _l, listed


class EvidenceKind(Labelled):
    """What shows that the visit had been arranged. White paper 2.1.3.3."""

    CUSTOMER_CARD = "customer_card"
    RECEPTION_FORM = "reception_form"
    CALL_RECORD = "call_record"
    CHAT_RECORD = "chat_record"
    OTHER = "other"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {
            cls.CUSTOMER_CARD: _l("Customer card"),
            cls.RECEPTION_FORM: _l("Reception form"),
            cls.CALL_RECORD: _l("Call record"),
            cls.CHAT_RECORD: _l("Chat record"),
            cls.OTHER: _l("Other evidence"),
        }


class SupplementState(Labelled):
    """SM-33; a request may also be taken back before it is decided."""

    SUBMITTED = "submitted"
    APPROVED = "approved"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    EXECUTED = "executed"
    CLOSED = "closed"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {
            cls.SUBMITTED: _l("Waits for approval"),
            cls.APPROVED: _l("Waits for execution"),
            cls.REJECTED: _l("Rejected"),
            cls.WITHDRAWN: _l("Taken back"),
            cls.EXECUTED: _l("Executed"),
            cls.CLOSED: _l("Checked and closed"),
        }

    @classmethod
    def tones(cls) -> dict[Any, str]:
        return {cls.SUBMITTED: "warn", cls.APPROVED: "info", cls.REJECTED: "bad", cls.EXECUTED: "ok", cls.CLOSED: "ok"}


#: Names of foreign keys that would be longer than PostgreSQL's 63 characters are given by hand.
_TABLE = "appointment_supplement_request"
_DONE = "('executed', 'closed')"


class AppointmentSupplementRequest(Stateful, Recorded, Branched, Base):
    """Somebody asks for the slip that was missing; three people make it: one asks, one approves, one executes.

    R-2.1.3-5. ``department_id`` is the department of the claimed owner. ``visit_id`` waits for reception (2.2).
    """

    __tablename__ = _TABLE
    TITLE, TITLES = _l("Supplementary slip"), _l("Supplementary slips")
    SCOPE = Scope(branch="branch_id", department="department_id", own=("requested_by_id", "claimed_owner_id"))
    LOCK_FIRST = ("customer_id",)
    STATES = SupplementState
    MOVES = {
        SupplementState.SUBMITTED: {SupplementState.APPROVED, SupplementState.REJECTED, SupplementState.WITHDRAWN},
        SupplementState.APPROVED: {SupplementState.EXECUTED, SupplementState.REJECTED},
        SupplementState.EXECUTED: {SupplementState.CLOSED},
    }
    __table_args__ = (
        one_of("state", SupplementState),
        one_of("channel", Channel),
        one_of("intention", Intention),
        CheckConstraint("approver_id <> requested_by_id", name="approver_is_another"),
        CheckConstraint("approver_id <> claimed_owner_id", name="approver_gains_nothing"),
        CheckConstraint(
            "executed_by_id <> requested_by_id AND executed_by_id <> approver_id", name="executor_is_another"
        ),
        CheckConstraint("executed_by_id <> claimed_owner_id", name="executor_gains_nothing"),
        CheckConstraint("closed_by_id <> executed_by_id", name="checked_by_another"),
        CheckConstraint(
            "(state IN ('approved', 'rejected', 'executed', 'closed')) = (approver_id IS NOT NULL) "
            "AND (approver_id IS NULL) = (decided_at IS NULL)",
            name="decided_by_somebody",
        ),
        CheckConstraint(
            "state <> 'rejected' OR decision_note IS NOT NULL OR rejection_note IS NOT NULL",
            name="rejection_has_reason",
        ),
        CheckConstraint(
            "(rejected_at IS NULL OR state = 'rejected') "
            "AND (rejected_at IS NULL) = (rejected_by_id IS NULL) "
            "AND (rejected_at IS NULL) = (rejection_note IS NULL) "
            "AND rejected_at >= decided_at",
            name="rejected_after_approval",
        ),
        CheckConstraint(
            f"(state IN {_DONE}) = (resulting_slip_id IS NOT NULL) "
            "AND (resulting_slip_id IS NULL) = (executed_at IS NULL) "
            "AND (executed_at IS NULL) = (executed_by_id IS NULL)",
            name="executed_with_slip",
        ),
        CheckConstraint(
            "(state = 'closed') = (closed_at IS NOT NULL) AND (closed_at IS NULL) = (closed_by_id IS NULL)",
            name="closed_by_somebody",
        ),
        CheckConstraint("(state = 'withdrawn') = (withdrawn_at IS NOT NULL)", name="withdrawn_at_recorded"),
        CheckConstraint("cardinality(evidence_kinds) >= 1", name="evidence_named"),
        CheckConstraint(
            "evidence_kinds <@ ARRAY['customer_card', 'reception_form', 'call_record', 'chat_record', 'other']::text[]",
            name="evidence_kinds_known",
        ),
        CheckConstraint("evidence_file_id IS NOT NULL OR contact_record_id IS NOT NULL", name="evidence_attached"),
        CheckConstraint("claimed_arrived_at <= requested_at", name="arrival_not_ahead"),
        CheckConstraint("executed_at >= decided_at", name="executed_after_approval"),
        CheckConstraint("attribution_moved_at IS NULL OR executed_at IS NOT NULL", name="moved_when_executed"),
        Index(
            "uq_appointment_supplement_request_open",
            "customer_id",
            "claimed_on",
            unique=True,
            postgresql_where=text("state IN ('submitted', 'approved')"),
        ),
        Index("ix_appointment_supplement_request_branch_state", "branch_id", "state"),
        Index("ix_appointment_supplement_request_branch_requested", "branch_id", "requested_at"),
    )

    request_no: Mapped[str] = mapped_column(String(30), unique=True, info=col(_l("Request number"), search=True))
    state: Mapped[SupplementState] = mapped_column(
        Choice(SupplementState), default=SupplementState.SUBMITTED, info=col(_l("State"))
    )
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"), index=True, info=col(_l("Customer")))
    visit_id: Mapped[int | None] = mapped_column(BigInteger)
    requested_by_id: Mapped[int] = mapped_column(ForeignKey("employee.id"), index=True, info=col(_l("Requested by")))
    requested_at: Mapped[datetime] = mapped_column(Instant, info=col(_l("Requested at")))
    claimed_owner_id: Mapped[int] = mapped_column(
        ForeignKey("employee.id"), index=True, info=col(_l("Owner claimed"), _l("Whose customer she is said to be."))
    )
    department_id: Mapped[int] = mapped_column(
        ForeignKey("department.id"), index=True, info=col(_l("Owner's department"))
    )
    claimed_arrived_at: Mapped[datetime] = mapped_column(Instant, info=col(_l("Arrived at")))
    claimed_on: Mapped[date] = mapped_column(info=col(_l("Day of the arrival")))
    channel: Mapped[Channel] = mapped_column(Choice(Channel), info=col(_l("Channel")))
    intention: Mapped[Intention] = mapped_column(Choice(Intention), info=col(_l("Intention")))
    need_text: Mapped[str | None] = mapped_column(Encrypted, info=col(_l("Needs and what was said"), multiline=True))
    evidence_kinds: Mapped[list[str]] = mapped_column(ARRAY(Text), info=col(_l("Evidence")))
    contact_record_id: Mapped[int | None] = mapped_column(
        ForeignKey("contact_record.id", name=f"fk_{_TABLE}_contact_record_id"),
        index=True,
        info=col(_l("Contact record")),
    )
    evidence_file_id: Mapped[int | None] = mapped_column(
        ForeignKey("stored_file.id"), unique=True, info=col(_l("File of evidence"))
    )
    reason: Mapped[str] = mapped_column(Encrypted, info=col(_l("Reason"), multiline=True))

    approver_id: Mapped[int | None] = mapped_column(ForeignKey("employee.id"), info=col(_l("Approver")))
    decided_at: Mapped[datetime | None] = mapped_column(Instant, index=True, info=col(_l("Decision at")))
    decision_note: Mapped[str | None] = mapped_column(info=col(_l("Note on the decision"), multiline=True))
    rejected_by_id: Mapped[int | None] = mapped_column(
        ForeignKey("employee.id"), info=col(_l("Approval taken back by"), _l("Who rejected it after it was approved."))
    )
    rejected_at: Mapped[datetime | None] = mapped_column(Instant, index=True, info=col(_l("Approval taken back at")))
    rejection_note: Mapped[str | None] = mapped_column(info=col(_l("Why it was taken back"), multiline=True))
    withdrawn_at: Mapped[datetime | None] = mapped_column(Instant, info=col(_l("Withdrawn at")))
    executed_by_id: Mapped[int | None] = mapped_column(ForeignKey("employee.id"), info=col(_l("Executed by")))
    executed_at: Mapped[datetime | None] = mapped_column(Instant, index=True, info=col(_l("Executed at")))
    resulting_slip_id: Mapped[int | None] = mapped_column(
        ForeignKey("appointment_slip.id", name=f"fk_{_TABLE}_resulting_slip_id"), unique=True, info=col(_l("Slip made"))
    )
    attribution_from_id: Mapped[int | None] = mapped_column(
        ForeignKey("employee.id"), info=col(_l("Taken from"), _l("Whose customer she was before."))
    )
    attribution_moved_at: Mapped[datetime | None] = mapped_column(
        Instant, info=col(_l("Performance moved from"), _l("The moment of the approval; empty: nothing moved."))
    )
    closed_by_id: Mapped[int | None] = mapped_column(ForeignKey("employee.id"), info=col(_l("Checked by")))
    closed_at: Mapped[datetime | None] = mapped_column(Instant, info=col(_l("Closed at")))

    branch: Mapped[Branch] = relationship(lazy="select")
    customer: Mapped[Customer] = relationship(lazy="select")
    requested_by: Mapped[Employee] = relationship(foreign_keys=[requested_by_id], lazy="select")
    claimed_owner: Mapped[Employee] = relationship(foreign_keys=[claimed_owner_id], lazy="select")
    department: Mapped[Department] = relationship(lazy="select")
    contact_record: Mapped[ContactRecord | None] = relationship(lazy="select")
    evidence_file: Mapped[StoredFile | None] = relationship(lazy="select")
    approver: Mapped[Employee | None] = relationship(foreign_keys=[approver_id], lazy="select")
    rejected_by: Mapped[Employee | None] = relationship(foreign_keys=[rejected_by_id], lazy="select")
    executed_by: Mapped[Employee | None] = relationship(foreign_keys=[executed_by_id], lazy="select")
    resulting_slip: Mapped[AppointmentSlip | None] = relationship(back_populates="supplement_request", lazy="select")
    attribution_from: Mapped[Employee | None] = relationship(foreign_keys=[attribution_from_id], lazy="select")
    closed_by: Mapped[Employee | None] = relationship(foreign_keys=[closed_by_id], lazy="select")

    @property
    def evidence_text(self) -> str:
        """The kinds of evidence in the reader's language."""
        return listed(EvidenceKind(kind).label for kind in self.evidence_kinds)

    def __str__(self) -> str:
        return self.request_no
