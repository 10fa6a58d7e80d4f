"""The outbox: messages of people and of rules; looked at, released, marked, tried again, cancelled. R-2.22-6."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.actors import Actor
from app.acts import Outcome, act
from app.errors import InvalidInput, Refusal
from app.fields import Choose, Flag, HouseForm, Instant, Pick, Words
from app.models.contacting import ContactWay
from app.models.customers import ContactKind, Customer
from app.models.hr import Branch
from app.models.messages import Message, MessageChannel, MessageState, MessageTemplate, ProviderKind, TemplateState
from app.services.contacting import lasting_hindrances, not_before, what_to_mind
from app.services.messages.providers import provider_for
from app.services.messages.sending import held_because
from app.services.messages.texts import MOST_TEXT, about_customer, finished, unfinished
from app.services.placeholders import MESSAGE_TEXT, About, Hint, fill
from app.words import _, _l

FURTHEST = timedelta(days=365)


def recipient_of(customer: Customer, channel: MessageChannel) -> str | None:
    """Return where a message goes: her first mobile number, or her WeChat account, else the number it hangs on."""
    phones = [one.value for one in customer.contacts if one.kind is ContactKind.PHONE]
    mobiles = [number for number in phones if number.startswith(("1", "+")) and len(number) >= 8]
    if channel is MessageChannel.WECHAT:
        accounts = [one.value for one in customer.contacts if one.kind is ContactKind.WECHAT]
        return next(iter([*accounts, *mobiles]), None)
    return next(iter(mobiles), None)


def message_banners(message: Message) -> list[tuple[str, str]]:
    """Return what stands above a message: how far it is, and what to mind before it goes out."""
    told: list[tuple[str, str]] = []
    is_open = message.state in (MessageState.HELD, MessageState.WAITING)
    session = Session.object_session(message)
    if is_open and session is not None:
        provider = provider_for(session, message.channel, message.branch_id)
        if provider is None or provider.kind is not ProviderKind.HTTP:
            told.append(("warn", held_because(provider)))
        told += [("info", said) for said in what_to_mind(session, message.customer)]
    elif message.provider is not None and message.provider.kind is ProviderKind.OUTBOX:
        told.append(("warn", held_because(message.provider)))
    if message.state is MessageState.UNSURE:
        told.append(("bad", _("Nobody knows whether she has it. Ask her or the provider before you try again.")))
    return told


# --- written by a person -----------------------------------------------------------------------------------------


class Writing(HouseForm):
    """A template or words of one's own, when, and whether one looks at the finished text first."""

    template_id = Pick(_l("Message template"), table="message_template")
    content = Words(
        _l("Text"),
        most=MOST_TEXT,
        multiline=True,
        description=Hint(MESSAGE_TEXT),
    )
    channel = Choose(_l("Sent as"), options=MessageChannel, description=_l("Empty: the template's, else text message."))
    is_marketing = Flag(_l("It is marketing"), description=_l("For a text of your own; a template knows by itself."))
    send_at = Instant(_l("Send at"), description=_l("Empty: as soon as the quiet hours allow."))
    look_first = Flag(
        _l("Hold it until I have looked at the finished text"),
        default=True,
        description=_l("It then waits under “Held” until it is released."),
    )

    def check(self) -> None:
        if (self.template_id.data is None) == (not self.content.data):
            self.refuse("content", _("A template or a text of your own, please: one of them."))


@act(
    Customer,
    "send_message",
    _l("Write a message"),
    form=Writing,
    icon="chat-dots",
    many=True,
    consequence=_l("Each customer gets her own text; who does not want messages gets none."),
)
def send_message(
    session: Session,
    customer: Customer,
    *,
    template_id: int | None = None,
    content: str | None = None,
    channel: MessageChannel | None = None,
    is_marketing: bool = False,
    send_at: datetime | None = None,
    look_first: bool = False,
    by: Actor,
    at: datetime,
) -> Outcome:
    """Write a message to a customer; it is held to be looked at, or sent as soon as it may be. R-2.22-6.

    Refuses closed files, who does not want it, marketing without consent, what cannot be filled in, no number.
    """
    template = session.get_one(MessageTemplate, template_id) if template_id is not None else None
    way = channel or (template.channel if template is not None else MessageChannel.SMS)
    marketing = template.is_marketing if template is not None else is_marketing
    _refuse_moment(send_at, at)
    _refuse_contact(session, customer, way, at, marketing=marketing)
    recipient = _recipient(customer, way)
    about = about_customer(session, customer, by, at)
    field = "content" if template is None else "template_id"
    words = finished(content or "" if template is None else template.content, about, field)
    provider = provider_for(session, way, customer.branch_id)
    message: Any = Message(
        customer_id=customer.id,
        branch_id=customer.branch_id,
        channel=way,
        recipient=recipient,
        content=words,
        is_marketing=marketing,
        template_id=template_id,
        provider_id=None if provider is None else provider.id,
        state=MessageState.HELD if look_first else MessageState.WAITING,
        due_at=not_before(session, max(send_at or at, at), customer.branch),
        message_key=uuid.uuid4().hex,
        sender_id=by.employee_id,
    )
    session.add(message)
    session.flush()
    said = held_because(provider) if provider is None or provider.kind is not ProviderKind.HTTP else None
    if look_first:
        said = " ".join(part for part in (_("Please look at the text and release it."), said) if part)
    return Outcome(result=message, notice=said or _("It goes out %(when)s.", when=_local(message.due_at, about.zone)))


def _local(moment: datetime, zone: ZoneInfo) -> str:
    return moment.astimezone(zone).strftime("%Y-%m-%d %H:%M")


def _refuse_moment(send_at: datetime | None, at: datetime) -> None:
    if send_at is not None and send_at < at - timedelta(minutes=5):
        raise InvalidInput({"send_at": [_("This time has passed.")]})
    if send_at is not None and send_at > at + FURTHEST:
        raise InvalidInput({"send_at": [_("This lies more than a year ahead.")]})


def _refuse_contact(
    session: Session, customer: Customer, channel: MessageChannel, at: datetime, *, marketing: bool
) -> None:
    way = ContactWay(channel.value)
    why = lasting_hindrances(session, [customer], way, at, marketing=marketing).get(customer.id)
    if why is not None:
        raise Refusal(why)


def _recipient(customer: Customer, channel: MessageChannel) -> str:
    found = recipient_of(customer, channel)
    if found is None:
        raise Refusal(_("There is no number or account to send it to."))
    return found


# --- decided by a person -----------------------------------------------------------------------------------------


@act(
    Message,
    "release",
    _l("Release"),
    moves={MessageState.HELD: MessageState.WAITING},
    icon="send-check",
    tone="accent",
    many=True,
    consequence=_l("It is sent within a minute, in quiet hours in the morning."),
)
def release(session: Session, message: Message, *, by: Actor, at: datetime) -> Outcome:
    """Let a held message go out. Refuses what nobody would send but a person, and who does not want it by now."""
    _refuse_contact(session, message.customer, message.channel, at, marketing=message.is_marketing)
    provider = provider_for(session, message.channel, message.branch_id)
    if provider is None or provider.kind is not ProviderKind.HTTP:
        raise Refusal(held_because(provider))
    message.due_at = not_before(session, max(message.due_at, at), message.branch)
    message.said = None
    return Outcome(notice=_("It goes out %(when)s.", when=_local(message.due_at, ZoneInfo(message.branch.zone))))


class NewText(HouseForm):
    """What it says instead."""

    content = Words(_l("Text"), required=True, most=MOST_TEXT, multiline=True, description=Hint(MESSAGE_TEXT))


@act(
    Message,
    "change_text",
    _l("Change the text"),
    form=NewText,
    moves={MessageState.HELD: MessageState.HELD},
    prefill=("content",),
    icon="pencil",
)
def change_text(session: Session, message: Message, *, content: str, by: Actor, at: datetime) -> None:
    """Change what a held message says; placeholders are filled in anew."""
    message.content = finished(content, about_customer(session, message.customer, by, at), "content")


class Sent(HouseForm):
    """How it was sent."""

    note = Words(_l("Note"), most=200)


@act(
    Message,
    "mark_sent",
    _l("Mark as sent"),
    form=Sent,
    moves={
        MessageState.HELD: MessageState.SENT,
        MessageState.UNSURE: MessageState.SENT,
        MessageState.FAILED: MessageState.SENT,
    },
    icon="check2",
    many=True,
    consequence=_l("You have sent it yourself, or know that she has it."),
)
def mark_sent(session: Session, message: Message, *, note: str | None = None, by: Actor, at: datetime) -> None:
    """Write down that a person sent a message, such as by WeChat; refuses who does not want it."""
    if message.sending_at is None:
        _refuse_contact(session, message.customer, message.channel, at, marketing=message.is_marketing)
    message.sent_at = message.sent_at or at
    message.said = note or _("Sent by hand.")


@act(
    Message,
    "retry",
    _l("Try again"),
    moves={MessageState.FAILED: MessageState.WAITING, MessageState.UNSURE: MessageState.WAITING},
    icon="arrow-repeat",
    consequence=_l("Of one that is perhaps sent, she may get it twice: ask her or the provider first."),
)
def retry(session: Session, message: Message, *, by: Actor, at: datetime) -> None:
    """Send again, by the same message key, what failed or what nobody knows of. Decided by a person."""
    _refuse_contact(session, message.customer, message.channel, at, marketing=message.is_marketing)
    message.recipient = _recipient(message.customer, message.channel)
    message.attempts, message.said = 0, None
    message.due_at = not_before(session, at, message.branch)


@act(
    Message,
    "cancel",
    _l("Cancel"),
    moves=dict.fromkeys(
        (MessageState.HELD, MessageState.WAITING, MessageState.FAILED, MessageState.UNSURE), MessageState.CANCELLED
    ),
    icon="x-circle",
    tone="danger",
    many=True,
)
def cancel(session: Session, message: Message, *, by: Actor, at: datetime) -> None:
    """Do not send a message; it stays on file."""


# --- written by a rule -------------------------------------------------------------------------------------------


class SendsMessages(Protocol):
    """What is asked of a rule: its number and the template of its messages."""

    id: int
    message_template_id: int | None


@dataclass(frozen=True)
class Queued:
    """What became of a rule's message: the message, or why there is none. ``is_new``: it was not there before."""

    message: Message | None
    why_not: str | None = None
    is_new: bool = False


def key_of_rule(rule: SendsMessages) -> str:
    """Return under which name a rule's messages are kept."""
    return f"rule:{rule.id}"


def queue_by_rule(
    session: Session,
    rule: SendsMessages,
    customer: Customer,
    occasion: str,
    at: datetime,
    *,
    about: About | None = None,
    followup_plan_id: int | None = None,
) -> Queued:
    """Put a rule's message about an occasion into the outbox, once however often it is said. R-2.22-1.

    ``at`` is when it should go out; in quiet hours it waits, and after that day it makes no sense any more. ``about``
    is what its placeholders tell. Who does not want it, has not agreed or has no number gets none; nor does anybody of
    whom something is not known that the text says.
    """
    template = session.get(MessageTemplate, rule.message_template_id) if rule.message_template_id is not None else None
    if template is None or template.state is not TemplateState.IN_USE:
        return Queued(None, _("The rule has no message template in use."))
    earlier = _of_occasion(session, rule, occasion)
    if earlier is not None:
        return Queued(earlier)
    why = lasting_hindrances(
        session, [customer], ContactWay(template.channel.value), at, marketing=template.is_marketing
    ).get(customer.id)
    recipient = recipient_of(customer, template.channel)
    if why is not None or recipient is None:
        return Queued(None, why or _("There is no number or account to send it to."))
    branch = customer.branch
    filled = fill(MESSAGE_TEXT, template.content, about or About(ZoneInfo(branch.zone), customer, branch, at=at))
    wrong = unfinished(filled)
    if wrong is not None:
        return Queued(None, wrong)
    due_at = not_before(session, at, branch)
    provider = provider_for(session, template.channel, branch.id)
    made = session.scalar(
        insert(Message)
        .values(
            customer_id=customer.id,
            branch_id=branch.id,
            channel=template.channel,
            recipient=recipient,
            content=filled.text,
            is_marketing=template.is_marketing,
            template_id=template.id,
            provider_id=None if provider is None else provider.id,
            followup_plan_id=followup_plan_id,
            rule=key_of_rule(rule),
            occasion=occasion[:120],
            state=MessageState.WAITING,
            due_at=due_at,
            not_after_at=_end_of_day(due_at, branch),
            message_key=uuid.uuid4().hex,
        )
        .on_conflict_do_nothing(index_elements=["rule", "occasion"], index_where=text("rule IS NOT NULL"))
        .returning(Message.id)
    )
    if made is None:
        return Queued(_of_occasion(session, rule, occasion))
    return Queued(session.get_one(Message, made), is_new=True)


def _of_occasion(session: Session, rule: SendsMessages, occasion: str) -> Message | None:
    statement = select(Message).where(Message.rule == key_of_rule(rule), Message.occasion == occasion[:120])
    return session.scalars(statement).one_or_none()


def _end_of_day(moment: datetime, branch: Branch) -> datetime:
    zone = ZoneInfo(branch.zone)
    return datetime.combine(moment.astimezone(zone).date() + timedelta(days=1), time.min, zone)


def withdraw_by_rule(session: Session, rule: SendsMessages, occasion: str) -> bool:
    """Cancel a rule's message whose occasion fell away, unless it is out already; say whether one was cancelled."""
    message = session.scalars(
        select(Message)
        .where(Message.rule == key_of_rule(rule), Message.occasion == occasion[:120])
        .with_for_update(of=Message)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if message is None or message.state not in (MessageState.HELD, MessageState.WAITING):
        return False
    message.become(MessageState.CANCELLED)
    message.said = _("What it is about has changed.")
    return True
