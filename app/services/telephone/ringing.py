"""Who calls just now: what the pages of her whose extension rings show of the caller. White paper 2.1.1.1."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session, joinedload, selectinload

from app.actors import Actor
from app.models.appointments import AppointmentSlip, SlipState
from app.models.audit import SensitiveViewLog, Way
from app.models.customers import CollectedField, ContactKind, Customer, CustomerTrait, TraitState
from app.models.settings import DictionaryItem
from app.models.telephone import CallState, Direction, PhoneCall, PhoneExtension
from app.services.customers import log_look_up, whose_number
from app.services.guard import crossing
from app.services.scope import in_scope
from app.unit import unit_of_work

#: How long a call is shown if nothing more is told of it: an event may be lost on its way.
RINGS_FOR, TALKS_FOR = timedelta(seconds=90), timedelta(hours=3)
#: How long afterwards: one that was answered until it is registered, one that was missed for a moment.
AFTERWARDS, MISSED_FOR = timedelta(minutes=10), timedelta(minutes=1)
MOST_SHOWN = 3


@dataclass(frozen=True)
class Caller:
    """A call and what is known of who calls: the file with its open slip and what to mind, or whose customer she is.

    ``owner_said`` is the sentence on a number that is another's customer's; empty where the file is shown or unknown.
    """

    call: PhoneCall
    slip: AppointmentSlip | None = None
    mind: list[str] = field(default_factory=list)
    owner_said: str = ""


def has_extension(by: Actor) -> object:
    """Return the condition, for other statements too, that a person answers an extension."""
    return (
        select(PhoneExtension.id)
        .where(PhoneExtension.employee_id == by.employee_id, PhoneExtension.retired_at.is_(None))
        .exists()
    )


def shown_calls(session: Session, by: Actor, *, at: datetime) -> list[Caller]:
    """Return the calls that a person's pages show, the newest first, one statement if there is none."""
    if by.employee_id is None:
        return []
    since = PhoneCall.told_at
    shown = or_(
        and_(PhoneCall.state == CallState.RINGING, since > at - RINGS_FOR),
        and_(PhoneCall.state == CallState.TALKING, since > at - TALKS_FOR),
        and_(PhoneCall.state == CallState.ENDED, since > at - AFTERWARDS, PhoneCall.contact_record_id.is_(None)),
        and_(PhoneCall.state == CallState.MISSED, since > at - MISSED_FOR, PhoneCall.contact_record_id.is_(None)),
    )
    statement = (
        in_scope(PhoneCall, by)
        .where(PhoneCall.employee_id == by.employee_id, PhoneCall.began_at > at - TALKS_FOR - RINGS_FOR)
        .where(PhoneCall.direction == Direction.IN, shown)
        .options(
            joinedload(PhoneCall.customer).options(
                selectinload(Customer.contacts), joinedload(Customer.developer), joinedload(Customer.owner_consultant)
            )
        )
        .order_by(PhoneCall.began_at.desc(), PhoneCall.id.desc())
        .limit(MOST_SHOWN)
    )
    return [_caller(session, call, by) for call in session.scalars(statement)]


def _caller(session: Session, call: PhoneCall, by: Actor) -> Caller:
    if call.customer is not None:
        return Caller(call, _open_slip(session, call.customer, by), _mind(session, call.customer, by))
    return Caller(call, owner_said=_owner_said(session, call, by))


def _open_slip(session: Session, customer: Customer, by: Actor) -> AppointmentSlip | None:
    return session.scalars(
        in_scope(AppointmentSlip, by)
        .where(AppointmentSlip.customer_id == customer.id, AppointmentSlip.state == SlipState.PENDING)
        .order_by(AppointmentSlip.appointed_at)
        .limit(1)
    ).one_or_none()


def _mind(session: Session, customer: Customer, by: Actor) -> list[str]:
    """Return what to mind when talking to her: 回访注意事项 of her file and of her traits. R-2.22-6."""
    traits = session.scalars(
        in_scope(CustomerTrait, by)
        .join(DictionaryItem, DictionaryItem.id == CustomerTrait.trait_type_id)
        .where(CustomerTrait.customer_id == customer.id, CustomerTrait.state == TraitState.CURRENT)
        .where(DictionaryItem.code == CollectedField.CALLING.trait_code)
        .order_by(CustomerTrait.id)
        .limit(MOST_SHOWN)
    )
    return [words for words in (customer.followup_note, *(trait.value for trait in traits)) if words]


def _owner_said(session: Session, call: PhoneCall, by: Actor) -> str:
    """Say whose customer a number is that is none of hers; that she learned it is kept, once per call."""
    known = whose_number(session, ContactKind.PHONE, call.number) if call.number else None
    if known is None:
        return ""
    with crossing("telephone"):
        told = session.scalar(
            select(SensitiveViewLog.id).where(
                SensitiveViewLog.actor == by.name,
                SensitiveViewLog.way == Way.LOOK_UP,
                SensitiveViewLog.table_name == "customer",
                SensitiveViewLog.record_id == known.customer_id,
                SensitiveViewLog.at >= call.created_at,
            )
        )
    if told is None:
        with unit_of_work(session):
            log_look_up(session, known, by)
    return known.sentence(by)
