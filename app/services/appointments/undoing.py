"""到场撤销: a customer was marked as arrived by mistake. SM-02; R07, who edits today's visits."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.actors import Actor
from app.acts import act
from app.errors import Refusal
from app.fields import Reason
from app.models.appointments import AppointmentSlip, SlipState
from app.models.hr import Branch
from app.services.appointments.placing import open_slip_of
from app.services.followup import SLIP_DUE, SLIP_LAPSED, revive_plan, withdraw_plans_after_lapse
from app.services.notices import tell
from app.services.settings import ONE_OPEN_SLIP, value_of
from app.words import _, _l


def _was_awaited(slip: AppointmentSlip, by: Actor) -> object | None:
    """A supplementary slip was made for its arrival, which was approved; it was never awaited. R-2.1.3-5."""
    return _("The arrival of a supplementary slip was approved and stands.") if slip.is_supplement else None


@act(
    AppointmentSlip,
    "undo_arrival",
    _l("Take the arrival back"),
    form=Reason,
    moves={SlipState.ARRIVED: SlipState.PENDING},
    guard=_was_awaited,
    icon="arrow-counterclockwise",
    consequence=_l(
        "The slip is awaited again, or lapsed if it had lapsed before; the arrival stays in its history and leaves the "
        "reports. Its owner is told."
    ),
)
def undo_arrival(session: Session, slip: AppointmentSlip, *, reason: str, by: Actor, at: datetime) -> None:
    """Take back an arrival of the same day at the branch; the slip is as it was before, awaited or lapsed.

    Refuses another day's arrival, and a customer who has another awaited slip meanwhile (R-2.1.2-2). SM-02.
    """
    arrived_at = slip.arrived_at
    assert arrived_at is not None  # the schema says so of every slip in this state
    slip.arrived_at, slip.guide_id = None, None
    zone = ZoneInfo(session.get_one(Branch, slip.branch_id).zone)
    today = at.astimezone(zone).date()
    if arrived_at.astimezone(zone).date() != today:
        raise Refusal(_("An arrival can be taken back on its own day only."))
    if slip.expired_at is not None:
        slip.become(SlipState.EXPIRED)  # it had lapsed before; lapsing anew would count it twice
        revive_plan(session, slip, trigger=SLIP_LAPSED, from_day=slip.expired_at.astimezone(zone).date())
    else:
        _refuse_other_open(session, slip, at)
        withdraw_plans_after_lapse(session, slip.customer)
        revive_plan(session, slip, trigger=SLIP_DUE, from_day=today)
    _forget_visit(session, slip, arrived_at)
    if slip.owner_id != by.employee_id:
        facts = {"by": by.display_name, "customer": str(slip.customer), "slip": slip.slip_no, "reason": reason}
        tell(session, slip.owner_id, "arrival_undone", slip, **facts)


def _refuse_other_open(session: Session, slip: AppointmentSlip, at: datetime) -> None:
    """R-2.1.2-2, a setting: the customer got a new slip since she was marked as arrived."""
    if not value_of(session, ONE_OPEN_SLIP, branch_id=slip.branch_id, at=at):
        return
    other = open_slip_of(session, slip.customer_id, apart_from=slip.id)
    if other is not None:
        raise Refusal(
            _("This customer has another awaited slip meanwhile: %(slip)s. Please void it first.", slip=other.slip_no)
        )


def _forget_visit(session: Session, slip: AppointmentSlip, arrived_at: datetime) -> None:
    """Let the customer's first and last visit be those of her other arrivals again."""
    session.flush()
    customer = slip.customer
    first, last = session.execute(
        select(func.min(AppointmentSlip.arrived_at), func.max(AppointmentSlip.arrived_at)).where(
            AppointmentSlip.customer_id == customer.id
        )
    ).one()
    if customer.first_visit_at == arrived_at:
        customer.first_visit_at = first
    if customer.last_visit_at == arrived_at:
        customer.last_visit_at = last or customer.first_visit_at
