"""May this number be dialled now? What speaks against it is said before it rings. R-2.22-6, L13.

Whom one may contact is said in one place, ``app.services.contacting``; writing a call down asks there too
(``app.services.followup.calling``). An opt-out, a closed file and marketing without consent are refused. At night and
over the day's limit a call is refused as well, unless she asked for it or something abnormal waits: then its caller
reads the sentence and decides.
"""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from app.actors import Actor
from app.errors import Refusal
from app.models.contacting import ContactWay
from app.models.customers import ContactKind, Customer, contact_hash
from app.models.followup import FollowupPlan, PlanState
from app.models.telephone import CallState, Direction, PhoneCall
from app.services.contacting import day_bounds, is_quiet, lasting_hindrances, may_contact, quiet_hours, quiet_sentence
from app.services.followup.calling import is_asked_for, is_marketing
from app.services.followup.triggers import ABNORMAL
from app.services.warning import warn

PHONE = ContactWay.PHONE


def mind_dialling(
    session: Session, number: str, customer: Customer | None, plan: FollowupPlan | None, *, by: Actor, at: datetime
) -> None:
    """Refuse a number that may not be dialled now, or warn of it if the call is wanted.

    A call without a plan is no marketing. Of a number that nobody of ours has, only the hour is asked, by the caller's
    clock.
    """
    zone = by.timezone if customer is None else ZoneInfo(customer.branch.zone)
    if customer is None:
        begins, ends = quiet_hours(session, by.branch_id, at)
        said = quiet_sentence(begins, ends) if is_quiet(at.astimezone(zone).time(), begins, ends) else None
        lasting = None
    else:
        marketing = plan is not None and is_marketing(plan)
        said = may_contact(session, customer, PHONE, at, marketing=marketing, zone=zone)
        lasting = said and lasting_hindrances(session, [customer], PHONE, at, marketing=marketing).get(customer.id)
    if said is None:
        return
    is_wanted = (plan is not None and is_asked_for(plan)) or _is_wanted(session, number, customer, at, zone)
    if lasting is not None or not is_wanted:
        raise Refusal(said)
    warn(session, said)


def _is_wanted(session: Session, number: str, customer: Customer | None, at: datetime, zone: ZoneInfo) -> bool:
    """Say whether a call of today from this number or customer was missed, or a doctor's task of hers waits."""
    began, ends = day_bounds(at.astimezone(zone).date(), zone)
    hers = PhoneCall.number_hash == contact_hash(ContactKind.PHONE, number)
    if customer is not None:
        hers = or_(hers, PhoneCall.customer_id == customer.id)
    missed = select(PhoneCall.id).where(
        hers, PhoneCall.direction == Direction.IN, PhoneCall.state == CallState.MISSED,
        PhoneCall.began_at >= began, PhoneCall.began_at < ends,
    )  # fmt: skip
    if session.scalar(missed.limit(1)) is not None:
        return True
    if customer is None:
        return False
    waits = select(FollowupPlan.id).where(
        FollowupPlan.customer_id == customer.id,
        FollowupPlan.trigger == ABNORMAL,
        FollowupPlan.state == PlanState.APPROVED,
    )
    return session.scalar(waits.limit(1)) is not None
