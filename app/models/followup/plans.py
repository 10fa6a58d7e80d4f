"""Plans to call a customer again: what for, when, by whom, approved by whom. White paper 1.3, 2.1.4, 2.22; SM-03."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, or_, select, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.appointments import AppointmentSlip, ContactRecord
from app.models.base import (
    ALSO_OWN,
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
from app.models.followup.rules import FollowupCategory, FollowupRule
from app.models.hr import Branch, Department, Employee
from app.models.settings import DictionaryItem
from app.models.telephone import PhoneCall
from app.words import _l


class PlanState(Labelled):
    """SM-03."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    APPROVED = "approved"
    EXECUTED = "executed"
    CLOSED = "closed"
    CANCELLED = "cancelled"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {
            cls.DRAFT: _l("Draft"),
            cls.SUBMITTED: _l("To be approved"),
            cls.APPROVED: _l("To be done"),
            cls.EXECUTED: _l("To be reviewed"),
            cls.CLOSED: _l("Closed after review"),
            cls.CANCELLED: _l("Cancelled"),
        }

    @classmethod
    def tones(cls) -> dict[Any, str]:
        return {cls.SUBMITTED: "warn", cls.APPROVED: "info", cls.EXECUTED: "warn", cls.CLOSED: "ok"}


class PlanOrigin(Labelled):
    """Whether a person drew a plan up or a rule made it."""

    MANUAL = "manual"
    AUTO_RULE = "auto_rule"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {cls.MANUAL: _l("By a person"), cls.AUTO_RULE: _l("By a rule")}


#: States in which a plan still wants something done before the customer is called.
AHEAD = (PlanState.DRAFT, PlanState.SUBMITTED, PlanState.APPROVED)


class FollowupPlan(Stateful, Recorded, Branched, Base):
    """One call to be made: to whom, why, when, by whom. A rule makes one per occasion.

    ``planned_at`` of a promised call is the minute that the customer was told, else an hour of its day.
    ``cover_id`` does it while the executor is away.
    """

    __tablename__ = "followup_plan"
    TITLE, TITLES = _l("Follow-up plan"), _l("Follow-up plans")
    SCOPE = Scope(branch="branch_id", department="department_id", own=("executor_id", "cover_id", "submitter_id"))
    STATES = PlanState
    TOLD_ALONE = ("recording_heard",)
    MOVES = {
        PlanState.DRAFT: {PlanState.SUBMITTED, PlanState.CANCELLED},
        PlanState.SUBMITTED: {PlanState.APPROVED, PlanState.DRAFT, PlanState.CANCELLED},
        PlanState.APPROVED: {PlanState.EXECUTED, PlanState.CANCELLED},
        PlanState.EXECUTED: {PlanState.CLOSED, PlanState.APPROVED},
        PlanState.CANCELLED: {PlanState.APPROVED},
    }
    __table_args__ = (
        one_of("state", PlanState),
        one_of("origin", PlanOrigin),
        CheckConstraint("(origin = 'auto_rule') = (rule_id IS NOT NULL)", name="rule_named"),
        CheckConstraint("(rule_id IS NULL) = (occasion IS NULL)", name="occasion_named"),
        CheckConstraint("origin = 'auto_rule' OR submitter_id IS NOT NULL", name="drawn_up_by_somebody"),
        CheckConstraint(
            "state NOT IN ('submitted', 'approved') OR origin = 'auto_rule' "
            "OR (purpose IS NOT NULL AND submitted_at IS NOT NULL)",
            name="submitted_whole",
        ),
        CheckConstraint(
            "state NOT IN ('approved', 'executed', 'closed') OR origin = 'auto_rule' OR approver_id IS NOT NULL",
            name="approved_by_somebody",
        ),
        CheckConstraint("approver_id <> submitter_id", name="approved_by_another"),
        CheckConstraint(
            "state NOT IN ('executed', 'closed') OR (executed_at IS NOT NULL "
            "AND (next_plan_id IS NOT NULL OR end_flag))",
            name="next_or_end",
        ),
        CheckConstraint("NOT (end_flag AND next_plan_id IS NOT NULL)", name="not_next_and_end"),
        CheckConstraint("NOT end_flag OR end_reason_id IS NOT NULL OR end_note IS NOT NULL", name="end_has_reason"),
        CheckConstraint("state <> 'cancelled' OR cancel_reason IS NOT NULL", name="cancelled_for_a_reason"),
        CheckConstraint("customer_id IS NOT NULL OR contact_record_id IS NOT NULL", name="about_somebody"),
        CheckConstraint("next_plan_id <> id", name="next_is_another"),
        Index("uq_followup_plan_occasion", "rule_id", "occasion", unique=True),
        Index("ix_followup_plan_executor_due", "executor_id", "state", "planned_at"),
        Index("ix_followup_plan_branch_state", "branch_id", "state", "planned_at"),
        Index("ix_followup_plan_cover", "cover_id", postgresql_where=text("cover_id IS NOT NULL")),
    )

    plan_no: Mapped[str] = mapped_column(String(30), unique=True, info=col(_l("Plan number"), search=True))
    state: Mapped[PlanState] = mapped_column(Choice(PlanState), default=PlanState.DRAFT, info=col(_l("State")))
    origin: Mapped[PlanOrigin] = mapped_column(Choice(PlanOrigin), info=col(_l("Drawn up")))
    category_id: Mapped[int] = mapped_column(ForeignKey("followup_category.id"), index=True, info=col(_l("Category")))
    rule_id: Mapped[int | None] = mapped_column(ForeignKey("followup_rule.id"), info=col(_l("Made by the rule")))
    trigger: Mapped[str | None] = mapped_column(String(40), info=col(_l("Trigger")))
    occasion: Mapped[str | None] = mapped_column(String(80), info=col(_l("Occasion")))
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customer.id"), index=True, info=col(_l("Customer")))
    contact_record_id: Mapped[int | None] = mapped_column(
        ForeignKey("contact_record.id"), index=True, info=col(_l("Contact record"))
    )
    appointment_slip_id: Mapped[int | None] = mapped_column(
        ForeignKey("appointment_slip.id"), index=True, info=col(_l("Appointment slip"))
    )
    purpose: Mapped[str | None] = mapped_column(Encrypted(400), info=col(_l("Purpose")))
    content: Mapped[str | None] = mapped_column(Encrypted(2000), info=col(_l("Content"), multiline=True))
    planned_at: Mapped[datetime] = mapped_column(Instant, info=col(_l("Planned for")))
    is_promised: Mapped[bool] = mapped_column(
        default=False,
        server_default="false",
        info=col(_l("Promised to the customer"), _l("Then it stands on top at its minute.")),
    )
    focus_flag: Mapped[bool] = mapped_column(default=False, server_default="false", info=col(_l("Focus")))
    executor_id: Mapped[int | None] = mapped_column(ForeignKey("employee.id"), info=col(_l("Carried out by")))
    cover_id: Mapped[int | None] = mapped_column(ForeignKey("employee.id"), info=col(_l("Covered by")))
    department_id: Mapped[int | None] = mapped_column(
        ForeignKey("department.id"), index=True, info=col(_l("Department"))
    )
    submitter_id: Mapped[int | None] = mapped_column(ForeignKey("employee.id"), info=col(_l("Submitted by")))
    submitted_at: Mapped[datetime | None] = mapped_column(Instant, info=col(_l("Submitted at")))
    approver_id: Mapped[int | None] = mapped_column(ForeignKey("employee.id"), info=col(_l("Approved by")))
    approved_at: Mapped[datetime | None] = mapped_column(Instant, info=col(_l("Approved at")))
    guidance: Mapped[str | None] = mapped_column(Encrypted(1000), info=col(_l("Guidance"), multiline=True))
    send_back_reason: Mapped[str | None] = mapped_column(Encrypted(500), info=col(_l("Why it was sent back")))
    executed_at: Mapped[datetime | None] = mapped_column(Instant, index=True, info=col(_l("Done at")))
    next_plan_id: Mapped[int | None] = mapped_column(
        ForeignKey("followup_plan.id"), unique=True, info=col(_l("Next plan"))
    )
    end_flag: Mapped[bool] = mapped_column(default=False, server_default="false", info=col(_l("Follow-up ended")))
    end_reason_id: Mapped[int | None] = mapped_column(
        ForeignKey("dictionary_item.id"), info=col(_l("Why it ended"), dictionary="followup_end_reason")
    )
    end_note: Mapped[str | None] = mapped_column(Encrypted(500), info=col(_l("Note on the end")))
    cancel_reason: Mapped[str | None] = mapped_column(Encrypted(500), info=col(_l("Why it was cancelled")))
    escalated_at: Mapped[datetime | None] = mapped_column(Instant, info=col(_l("Supervisor told at")))
    phone_call_id: Mapped[int | None] = mapped_column(
        ForeignKey("phone_call.id"), index=True, info=col(_l("Telephone call"), _l("The one that was dialled last."))
    )

    branch: Mapped[Branch] = relationship(lazy="select")
    category: Mapped[FollowupCategory] = relationship(lazy="select")
    rule: Mapped[FollowupRule | None] = relationship(lazy="select")
    customer: Mapped[Customer | None] = relationship(lazy="select")
    contact_record: Mapped[ContactRecord | None] = relationship(lazy="select")
    appointment_slip: Mapped[AppointmentSlip | None] = relationship(lazy="select")
    executor: Mapped[Employee | None] = relationship(foreign_keys=[executor_id], lazy="select")
    cover: Mapped[Employee | None] = relationship(foreign_keys=[cover_id], lazy="select")
    department: Mapped[Department | None] = relationship(lazy="select")
    submitter: Mapped[Employee | None] = relationship(foreign_keys=[submitter_id], lazy="select")
    approver: Mapped[Employee | None] = relationship(foreign_keys=[approver_id], lazy="select")
    next_plan: Mapped[FollowupPlan | None] = relationship(remote_side="FollowupPlan.id", lazy="select")
    end_reason: Mapped[DictionaryItem | None] = relationship(lazy="select")
    phone_call: Mapped[PhoneCall | None] = relationship(lazy="select")

    @property
    def planned_on(self) -> date:
        """The day for which it is planned, in the branch's zone."""
        return self.planned_at.astimezone(ZoneInfo(self.branch.zone)).date()

    @property
    def in_charge_id(self) -> int | None:
        """Who does it now: the cover while there is one."""
        return self.cover_id if self.cover_id is not None else self.executor_id

    def __str__(self) -> str:
        return f"{self.plan_no} {self.category}"


def _customers_of_my_calls(model: Any, employee_id: int) -> Any:
    """Whom one is to call, or calls for a colleague, one must be able to look at, for as long as the call stands."""
    calls = (
        select(FollowupPlan.customer_id)
        .where(FollowupPlan.state == PlanState.APPROVED, FollowupPlan.customer_id.is_not(None))
        .where(or_(FollowupPlan.executor_id == employee_id, FollowupPlan.cover_id == employee_id))
    )
    return model.id.in_(calls)


ALSO_OWN.setdefault("customer", []).append(_customers_of_my_calls)
