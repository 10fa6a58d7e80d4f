"""Every call is registered with its category: by who took it, or by the house if nobody answered. R-2.1.1-1, -3."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement
from sqlalchemy.orm import Session

from app.actors import Actor
from app.acts import Outcome, act
from app.errors import InvalidInput
from app.fields import HouseForm, Item, Pick, Words
from app.models.appointments import ContactRecord
from app.models.customers import ContactKind
from app.models.hr import Branch
from app.models.telephone import CallState, Direction, PhoneCall
from app.services.appointments.contacts import FUTURE_MINUTES, MAX_NOTE, record_of_call
from app.services.customers import log_look_up, whose_number
from app.services.followup import plan_return_call
from app.services.settings import item_by_code, value_of
from app.services.telephone.house import SETTLE_SECONDS
from app.words import _, _l

#: The business category of a call that nobody took, until somebody says a better one.
MISSED_CATEGORY = "missed"


class Registration(HouseForm):
    """What every call needs: who, what about, what was said, what came of it."""

    customer_id = Pick(_l("Customer"), table="customer", description=_l("Empty: nobody of ours."))
    business_category_id = Item(_l("Business category"), dictionary="business_category", required=True)
    content = Words(_l("Content"), most=MAX_NOTE, multiline=True)
    outcome = Words(_l("Result"), most=MAX_NOTE, multiline=True)


def _not_to_register(call: PhoneCall, by: Actor) -> object | None:
    if call.contact_record_id is not None:
        return _("This call is registered already.")
    if call.direction is Direction.OUT:
        return _("Calls that were dialled here are written down where they were planned.")
    return None


@act(
    PhoneCall,
    "register",
    _l("Register the call"),
    form=Registration,
    prefill=("customer_id",),
    guard=_not_to_register,
    icon="telephone-inbound",
    tone="accent",
    consequence=_l("Every call is registered, also the wrong number."),
)
def register(
    session: Session,
    call: PhoneCall,
    *,
    customer_id: int | None,
    business_category_id: int,
    content: str | None,
    outcome: str | None,
    by: Actor,
    at: datetime,
) -> Outcome:
    """Make the contact record of a call: number, rings and times are the call's own. R-2.1.1-1, -2.

    A missed call gets its return call planned (R-2.1.1-3). Says whose the number is, if it is known.
    """
    if call.began_at > at + timedelta(minutes=FUTURE_MINUTES):
        raise InvalidInput({"business_category_id": [_("This time lies in the future.")]})
    record = _register(
        session,
        call,
        by=by,
        at=at,
        customer_id=customer_id,
        business_category_id=business_category_id,
        content=content,
        outcome=outcome,
    )
    known = whose_number(session, ContactKind.PHONE, call.number) if call.number else None
    if known is None or known.customer_id == customer_id:
        return Outcome(result=record)
    log_look_up(session, known, by)
    return Outcome(result=record, notice=known.sentence(by))


@act(
    PhoneCall,
    "register_missed",
    _l("Register a missed call"),
    guard=_not_to_register,
    by_system=True,
)
def register_missed(session: Session, call: PhoneCall, *, by: Actor, at: datetime) -> Outcome:
    """Register a call that nobody took, in the name of whose extension rang, and plan the return call. R-2.1.1-3."""
    category = item_by_code(session, "business_category", MISSED_CATEGORY)
    record = _register(session, call, by=by, at=at, customer_id=call.customer_id, business_category_id=category.id)
    return Outcome(result=record)


def _register(
    session: Session, call: PhoneCall, *, by: Actor, at: datetime, customer_id: int | None, **said: Any
) -> ContactRecord:
    record = record_of_call(
        session,
        by=by,
        at=at,
        call_id=call.call_id,
        caller_no=call.number,
        contacted_at=call.began_at,
        answered_at=call.answered_at,
        missed_at=call.missed_at,
        ring_count=call.ring_count,
        customer_id=customer_id,
        **said,
    )
    if by.is_house:
        record.consultant_id, record.department_id = call.employee_id, call.department_id
    session.flush()
    call.contact_record_id, call.customer_id = record.id, customer_id
    if call.missed_at is not None:
        plan_return_call(session, record, day=at.astimezone(by.timezone).date(), at=at)
    return record


def settled_misses(session: Session, at: datetime) -> Any:
    """Return the condition, branch by branch, of missed calls that nobody registered and of which no more is told."""

    def due(branch: Branch) -> ColumnElement[bool]:
        seconds: int = value_of(session, SETTLE_SECONDS, branch_id=branch.id, at=at)
        return (
            (PhoneCall.state == CallState.MISSED)
            & PhoneCall.contact_record_id.is_(None)
            & (PhoneCall.told_at <= at - timedelta(seconds=seconds))
        )

    return due
