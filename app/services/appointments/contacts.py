"""Every contact is registered: calls, chats, partners' leads. White paper 2.1.1, R-2.1.1-1 to -5."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from app.actors import Actor
from app.acts import Outcome, act
from app.errors import InvalidInput
from app.fields import CallerNumber, Choose, HouseForm, Instant, Item, PhoneNumber, Pick, Whole, Words
from app.models.appointments import Answered, Channel, ContactRecord
from app.models.customers import ContactKind, contact_hash
from app.services.customers import log_look_up, refuse_referrer_of_partner, whose_number
from app.services.followup import plan_return_call
from app.services.hr import own_branch
from app.services.scope import find
from app.services.settings import next_number
from app.words import _, _l

MAX_NOTE = 5000
FUTURE_MINUTES = 5


class _Ringing(HouseForm):
    """Who called, and how long it rang."""

    caller_no = CallerNumber(
        _l("Caller's number"),
        description=_l("Empty if the telephone showed none."),
        render_kw={"data-lookup": "/customer/whose"},
    )
    ring_count = Whole(_l("Rings before the answer"), least=0, most=99)
    missed = Choose(_l("Answered or missed"), options=Answered)


class _Sender(HouseForm):
    """Which partner sends whom."""

    channel_partner_id = Pick(_l("Channel partner"), table="channel_partner", required=True)
    caller_no = PhoneNumber(_l("Telephone"))


class _ContactForm(HouseForm):
    """What every contact has: when, what about, what was said, what came of it. Fields stand in the order of
    their making, so what a desk asks first is declared in a class above this one."""

    customer_id = Pick(_l("Customer"), table="customer", description=_l("Empty: matched by number, if it is known."))
    contacted_at = Instant(_l("When"), description=_l("Empty: now."))
    business_category_id = Item(_l("Business category"), dictionary="business_category", required=True)
    content = Words(_l("Content"), most=MAX_NOTE, multiline=True)
    outcome = Words(_l("Result"), most=MAX_NOTE, multiline=True)


class Call(_Ringing, _ContactForm):
    """来电登记, 2.1.1.1."""


class Chat(_ContactForm):
    """网络登记, 2.1.1.2."""

    chat_id = Words(_l("Chat identifier"), most=80)
    landing_page = Words(_l("Landing page"), most=400)
    keyword = Words(_l("Keyword"), most=120)
    chat_text = Words(_l("Chat"), most=20000, multiline=True)
    lead_quality_id = Item(_l("Quality of the lead"), dictionary="lead_quality")


class Lead(_Sender, _ContactForm):
    """渠道登记, 2.1.1.3."""


def _record(
    session: Session,
    channel: Channel,
    doc_type: str,
    *,
    by: Actor,
    at: datetime,
    contacted_at: datetime | None = None,
    **said: Any,
) -> ContactRecord:
    """Make a contact record of what the form said; its inputs bear the names of the columns that they fill."""
    if contacted_at is not None and contacted_at > at + timedelta(minutes=FUTURE_MINUTES):
        raise InvalidInput({"contacted_at": [_("This time lies in the future.")]})
    branch = own_branch(session, by)
    record = ContactRecord(
        record_no=next_number(session, doc_type, branch=branch, at=at, zone=by.timezone),
        channel=channel,
        branch_id=branch.id,
        consultant_id=by.employee_id,
        department_id=by.department_id,
        contacted_at=contacted_at or at,
        **said,
    )
    session.add(record)
    return record


def _match(session: Session, record: ContactRecord, by: Actor) -> str | None:
    """Link the customer whose number called if she is in scope; in any case say whose she is. R-2.1.1-2."""
    if record.caller_no is None:
        return None
    record.caller_hash = contact_hash(ContactKind.PHONE, record.caller_no)
    known = whose_number(session, ContactKind.PHONE, record.caller_no)
    if known is None:
        return None
    log_look_up(session, known, by)
    if record.customer_id is None and find(session, "customer", known.customer_id, by) is not None:
        record.customer_id = known.customer_id
    return known.sentence(by)


@act(
    ContactRecord,
    "register_call",
    _l("Register a call"),
    form=Call,
    creates=True,
    icon="telephone-inbound",
    tone="accent",
    main=True,
    consequence=_l("Every call is registered, also the wrong number."),
)
def register_call(
    session: Session,
    *,
    missed: Answered | None = None,
    by: Actor,
    at: datetime,
    **said: Any,
) -> Outcome:
    """Register a call, whoever called: R-2.1.1-1. The number is matched (R-2.1.1-2); a missed call gets its
    return call planned (R-2.1.1-3)."""
    record = _record(session, Channel.PHONE, "call", by=by, at=at, **said)
    is_missed = missed is Answered.MISSED
    record.missed_at = record.contacted_at if is_missed else None
    record.answered_at = None if is_missed else record.contacted_at
    known = _match(session, record, by)
    session.flush()
    if is_missed:
        plan_return_call(session, record, day=at.astimezone(by.timezone).date(), at=at)
    return Outcome(result=record, notice=known)


def record_of_call(session: Session, *, by: Actor, at: datetime, **said: Any) -> ContactRecord:
    """Make the contact record of a call that the telephone system told of; ``said`` are its columns. 2.1.1.1."""
    record = _record(session, Channel.PHONE, "call", by=by, at=at, **said)
    if record.caller_no is not None:
        record.caller_hash = contact_hash(ContactKind.PHONE, record.caller_no)
    return record


@act(
    ContactRecord,
    "register_chat",
    _l("Register a chat"),
    form=Chat,
    creates=True,
    icon="chat-dots",
    tone="accent",
    main=True,
)
def register_chat(session: Session, *, by: Actor, at: datetime, **said: Any) -> ContactRecord:
    """Register a web chat with its category and content. White paper 2.1.1.2, R-2.1.1-1."""
    return _record(session, Channel.WEB_CHAT, "chat", by=by, at=at, **said)


@act(
    ContactRecord,
    "register_lead",
    _l("Register a partner's lead"),
    form=Lead,
    creates=True,
    icon="shop",
    tone="accent",
    main=True,
)
def register_lead(session: Session, *, channel_partner_id: int, by: Actor, at: datetime, **said: Any) -> Outcome:
    """Register a partner's lead; it names the partner and has no referrer. White paper 2.1.1.3, R-2.1.1-5."""
    refuse_referrer_of_partner(session, channel_partner_id=channel_partner_id, referrer_id=None, source_id=None)
    record = _record(session, Channel.PARTNER, "lead", by=by, at=at, channel_partner_id=channel_partner_id, **said)
    return Outcome(result=record, notice=_match(session, record, by))
