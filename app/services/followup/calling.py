"""Whether a customer may be called just now, and what it means for writing the call down. R-2.22-6, L13.

Whom one may contact is said in one place, ``app.services.contacting``; here stands what follows for a plan. Night is
no hindrance to a call that the customer asked for, once its caller has read the sentence; that she wants no calls is
always one. Dialling asks the same (``app.services.telephone.minding``).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from app.errors import Refusal
from app.models.contacting import ContactWay
from app.models.followup import CallMethod, FollowupPlan
from app.services.contacting import (
    is_quiet,
    lasting_hindrances,
    may_contact,
    opted_out,
    quiet_hours,
    quiet_sentence,
)
from app.services.followup.triggers import ABNORMAL, MISSED_CALL
from app.services.settings import setting, value_of
from app.services.warning import is_heard, warn
from app.words import _l

WRITE_DOWN = setting(
    "followup.write_down_minutes",
    _l("Minutes for writing down a call that ended at night"),
    "30",
    "whole",
    least=0,
    most=240,
    help=_l("So long after the quiet hours began, what was said before them can still be written down."),
    source="R-2.22-6",
)
#: By which way a method reaches the customer; face to face reaches nobody who did not come herself.
WAYS = {
    CallMethod.PHONE: ContactWay.PHONE,
    CallMethod.SMS: ContactWay.SMS,
    CallMethod.WECHAT: ContactWay.WECHAT,
}


def is_asked_for(plan: FollowupPlan) -> bool:
    """Say whether the customer wants this call: promised at a minute, the answer to hers, or something abnormal."""
    return plan.is_promised or plan.trigger in (MISSED_CALL, ABNORMAL)


def is_marketing(plan: FollowupPlan) -> bool:
    """Say whether a plan serves the house's sales: its category does, and she has not asked for the call. L13."""
    return plan.category.is_marketing and not is_asked_for(plan)


def why_not(session: Session, plan: FollowupPlan, at: datetime, way: ContactWay = ContactWay.PHONE) -> str | None:
    """Return why the customer of a plan may not be contacted now, in the reader's language; None: she may."""
    zone = ZoneInfo(plan.branch.zone)
    if plan.customer is not None:
        return may_contact(session, plan.customer, way, at, marketing=is_marketing(plan), zone=zone)
    begins, ends = quiet_hours(session, plan.branch_id, at)
    return quiet_sentence(begins, ends) if is_quiet(at.astimezone(zone).time(), begins, ends) else None


def mind(session: Session, plan: FollowupPlan, method: CallMethod, at: datetime) -> None:
    """Warn of what speaks against a call that is written down; refuse one that an opt-out or the night forbids.

    House code that tells of calls with typed values is asked about opt-outs alone.
    """
    way = WAYS.get(method)
    if way is None:
        return
    if (said := _lasting(session, plan, way, at)) is not None:
        raise Refusal(said, field="method")
    said = why_not(session, plan, at, way) if is_heard(session) else None
    if said is None:
        return
    if _is_deep_night(session, plan, at) and not is_asked_for(plan):
        raise Refusal(said, field="method")
    warn(session, said)


def _lasting(session: Session, plan: FollowupPlan, way: ContactWay, at: datetime) -> str | None:
    """Return what forbids this way at any hour: a closed file, or that she does not want it."""
    customer = plan.customer
    if customer is None:
        return None
    closed = lasting_hindrances(session, [customer], way, at, marketing=False).get(customer.id)
    return closed or opted_out(session, customer, way, at, marketing=is_marketing(plan))


def _is_deep_night(session: Session, plan: FollowupPlan, at: datetime) -> bool:
    """Say whether the quiet hours began so long ago that the call must have been made in them."""
    begins, ends = quiet_hours(session, plan.branch_id, at)
    local = at.astimezone(ZoneInfo(plan.branch.zone))
    minutes = value_of(session, WRITE_DOWN, branch_id=plan.branch_id, at=at)
    return all(is_quiet(each.time(), begins, ends) for each in (local, local - timedelta(minutes=minutes)))
