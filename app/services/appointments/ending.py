"""What becomes of a slip: void, arrived, completed, lapsed. White paper 2.1.3.1, SM-02, R-2.1.2-3, R-2.1.3-1 and -2."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from app.actors import Actor
from app.acts import Outcome, act
from app.errors import Refusal
from app.fields import Reason
from app.models.appointments import AppointmentSlip, SlipState
from app.models.hr import Branch
from app.services.appointments.placing import refuse_closed
from app.services.due import carry_out_due
from app.services.followup import SLIP_DUE, plan_after_lapse, withdraw_plans
from app.services.notices import tell
from app.services.settings import GRACE_MINUTES, PRINT_ON_ARRIVAL, value_of
from app.words import _, _l


@act(
    AppointmentSlip,
    "void",
    _l("Void"),
    form=Reason,
    moves={SlipState.PENDING: SlipState.VOIDED, SlipState.EXPIRED: SlipState.VOIDED},
    icon="x-circle",
    tone="danger",
    many=True,
    consequence=_l("The slip stays on file as void and cannot be restored; its reminder is withdrawn."),
)
def void(session: Session, slip: AppointmentSlip, *, reason: str, by: Actor, at: datetime) -> None:
    """Void a slip that has not arrived (R-2.1.3-1); it is not deleted (R-2.1.3-2). White paper 2.1.3.1."""
    slip.void_reason = reason
    slip.closed_at = at
    withdraw_plans(session, slip)
    if slip.owner_id != by.employee_id:
        tell(
            session,
            slip.owner_id,
            "slip_voided",
            slip,
            by=by.display_name,
            slip=slip.slip_no,
            customer=str(slip.customer),
            reason=reason,
        )


@act(
    AppointmentSlip,
    "arrive",
    _l("Mark as arrived"),
    moves={SlipState.PENDING: SlipState.ARRIVED, SlipState.EXPIRED: SlipState.ARRIVED},
    icon="box-arrow-in-right",
    tone="accent",
    consequence=_l("The customer is here. A slip that has arrived cannot be voided."),
)
def arrive(session: Session, slip: AppointmentSlip, *, by: Actor, at: datetime) -> Outcome:
    """Receive the customer of a slip; once, and late arrivals too (R-2.2.4-1, -2). Its owner is told.

    Refuses a closed file, and a customer who has a supplementary slip for the day (2.1.3.3). The slip opens for
    printing if the setting says so (R-2.1-1). SM-02.
    """
    slip.arrived_at = at  # first of all: the schema wants it of every slip in this state
    slip.guide_id = by.employee_id
    refuse_closed(slip.customer)
    _refuse_supplemented(session, slip, at)
    slip.customer.last_visit_at = at
    if slip.customer.first_visit_at is None:
        slip.customer.first_visit_at = at
    withdraw_plans(session, slip)
    if slip.owner_id != by.employee_id:
        tell(session, slip.owner_id, "slip_arrived", slip, customer=str(slip.customer), slip=slip.slip_no)
    prints = value_of(session, PRINT_ON_ARRIVAL, branch_id=slip.branch_id, at=at)
    return Outcome(paper="appointment_slip" if prints else None)


def _refuse_supplemented(session: Session, slip: AppointmentSlip, at: datetime) -> None:
    """2.1.3.3: an arrival that has its supplementary slip is not counted a second time."""
    zone = session.get_one(Branch, slip.branch_id).zone
    number = session.scalar(
        select(AppointmentSlip.slip_no)
        .where(AppointmentSlip.customer_id == slip.customer_id, AppointmentSlip.branch_id == slip.branch_id)
        .where(AppointmentSlip.is_supplement, AppointmentSlip.state.in_([SlipState.ARRIVED, SlipState.COMPLETED]))
        .where(func.date(func.timezone(zone, AppointmentSlip.arrived_at)) == at.astimezone(ZoneInfo(zone)).date())
        .limit(1)
    )
    if number is not None:
        raise Refusal(
            _("The arrival of this customer today is on the supplementary slip %(slip)s already.", slip=number)
        )


@act(
    AppointmentSlip,
    "complete",
    _l("Complete"),
    moves={SlipState.ARRIVED: SlipState.COMPLETED},
    icon="check2-circle",
    many=True,
)
def complete(session: Session, slip: AppointmentSlip, *, by: Actor, at: datetime) -> None:
    """Close a slip whose customer was seen. SM-02."""
    slip.completed_at = at


@act(
    AppointmentSlip,
    "expire",
    _l("Lapse"),
    moves={SlipState.PENDING: SlipState.EXPIRED},
    by_system=True,
    icon="hourglass-bottom",
)
def expire(session: Session, slip: AppointmentSlip, *, by: Actor, at: datetime) -> None:
    """Let a slip lapse after its latest arrival plus grace; a follow-up is planned the same day. R-2.1.2-3."""
    slip.expired_at = at
    withdraw_plans(session, slip, trigger=SLIP_DUE)
    plan_after_lapse(session, slip, day=at.astimezone(by.timezone).date(), at=at)
    tell(session, slip.owner_id, "slip_expired", slip, slip=slip.slip_no, customer=str(slip.customer))


def expire_due(session: Session, *, at: datetime) -> int:
    """Let every slip lapse that is past its latest arrival plus its branch's grace; return how many. R-2.1.2-3."""

    def is_past(branch: Branch) -> ColumnElement[bool]:
        grace = value_of(session, GRACE_MINUTES, branch_id=branch.id, at=at)
        return AppointmentSlip.latest_arrival_at < at - timedelta(minutes=grace)

    return carry_out_due(session, "appointment_slip.expire", is_past, job="appointments.expire", at=at)
