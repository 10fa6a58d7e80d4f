"""The sending: what is due goes out once, whoever sends at the same time and whatever is killed in the middle.

That a message is being sent is committed before a word is told to the provider. Who finds it so after an interruption
does not send it again, unless the provider promised to send once what bears the same key. Decision 0039.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.models.contacting import ContactWay
from app.models.messages import Message, MessageProvider, MessageState, ProviderKind
from app.services.contacting import day_bounds, lasting_hindrances, not_before, over_limit, tomorrow
from app.services.mail import Unsent, Unsure
from app.services.messages.occasions import fallen_away
from app.services.messages.providers import Accepted, Request, ask, provider_for, request_for
from app.services.tasks import TaskRun, task
from app.unit import unit_of_work
from app.words import _, _l

SEND = "messages.send"
#: Pauses before another try: after the first attempt, the second, …
PAUSES = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 20, 60, 180))
MOST_ATTEMPTS = len(PAUSES) + 1
#: A message that has been "being sent" for longer than any request may take was interrupted.
INTERRUPTED_AFTER = timedelta(minutes=5)
#: Messages that one task sends; what is left is for the next minute's.
MOST_AT_ONCE = 300

Step = Callable[[], AbstractContextManager[Any]]
Outcome = Accepted | Unsent | Unsure


@dataclass(frozen=True)
class Claimed:
    """A message that this sender has in hand: to be asked for, or settled without asking (``request`` is None)."""

    message_id: int
    request: Request | None


@task(SEND, _l("Messages to customers"), steps=True, tells_done=False)
def send_messages(run: TaskRun) -> object:
    """Send what is due, one message after the other; two transactions for each, with the request between them."""
    # What was asked is written down even if the worker has to go just then: no step, which would end the work first.
    count = send_due(run.session, run.step, run.clock, settling=lambda: unit_of_work(run.session))
    return _l("Messages sent: %(count)s.", count=count)


def send_due(
    session: Session,
    step: Step,
    clock: Callable[[], datetime],
    *,
    settling: Step | None = None,
    most: int = MOST_AT_ONCE,
) -> int:
    """Send what is due, each message in two steps with the request between them; return how many were asked for.

    ``step`` gives a transaction that commits at its end, ``settling`` that in which an answer is written down.
    """
    count = 0
    for _number in range(most):
        with step():
            claimed = _claim(session, clock())
        if claimed is None:
            break
        if claimed.request is None:
            continue
        outcome = _asked(claimed.request)
        count += 1
        with (settling or step)():
            _settle(session, claimed.message_id, outcome, clock())
    return count


def _asked(request: Request) -> Outcome:
    try:
        return ask(request)
    except (Unsent, Unsure) as said:
        return said


# --- taken up ----------------------------------------------------------------------------------------------------


def _claim(session: Session, at: datetime) -> Claimed | None:
    """Take up the next message that is due, or None; two senders never take up the same."""
    message = session.scalars(
        select(Message)
        .where(Message.state == MessageState.WAITING, Message.due_at <= at)
        .order_by(Message.due_at, Message.id)
        .limit(1)
        .with_for_update(skip_locked=True, of=Message)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if message is None:
        return None
    return Claimed(message.id, None if _kept_back(session, message, at) else _begin(session, message, at))


def _kept_back(session: Session, message: Message, at: datetime) -> bool:
    """Say whether a message does not go out now: never (cancelled, failed), or later (quiet hours, the day's limit)."""
    zone, way = ZoneInfo(message.branch.zone), ContactWay(message.channel.value)
    if message.not_after_at is not None and message.not_after_at < at:
        return _end(message, MessageState.CANCELLED, _("It could not be sent in time."))
    changed = fallen_away(session, message)
    if changed is not None:
        return _end(message, MessageState.CANCELLED, changed)
    customer = message.customer
    why = lasting_hindrances(session, [customer], way, at, marketing=message.is_marketing).get(customer.id)
    if why is not None:
        return _end(message, MessageState.CANCELLED, why)
    if not message.recipient:
        return _end(message, MessageState.FAILED, _("There is no number or account to send it to."))
    morning = not_before(session, at, message.branch)
    if morning > at:
        return _later(message, morning, _("Quiet hours: it is sent in the morning."))
    limit = over_limit(session, [customer], way, at, zone=zone).get(customer.id)
    if limit is not None:
        return _later(message, tomorrow(session, at, message.branch), limit)
    return False


def _begin(session: Session, message: Message, at: datetime) -> Request | None:
    """Write down that a message is being sent, and return the request for it; None if a person has to send it."""
    provider = provider_for(session, message.channel, message.branch_id)
    if provider is None or provider.kind is not ProviderKind.HTTP:
        message.provider = provider
        _end(message, MessageState.HELD, held_because(provider))
        return None
    # Locked, so that senders count one after the other what the provider took today.
    session.scalars(select(MessageProvider.id).where(MessageProvider.id == provider.id).with_for_update()).one()
    if provider.daily_cap is not None and _sent_today(session, provider, message, at) >= provider.daily_cap:
        _later(message, tomorrow(session, at, message.branch), _("The provider's daily limit is reached."))
        return None
    message.provider, message.sending_at, message.said = provider, at, None
    message.attempts += 1
    message.become(MessageState.SENDING)
    return request_for(provider, message)


def held_because(provider: MessageProvider | None) -> str:
    """Return why a message is held: by a provider that keeps it, by one who is a person, for want of any."""
    if provider is None:
        return _("No provider is active for this channel: nothing is sent.")
    if provider.kind is ProviderKind.BY_HAND:
        return _("A person sends it and marks it as sent.")
    return _("The provider “%(name)s” keeps messages in the outbox: nothing is sent.", name=provider.name)


def _sent_today(session: Session, provider: MessageProvider, message: Message, at: datetime) -> int:
    zone = ZoneInfo(message.branch.zone)
    first, last = day_bounds(at.astimezone(zone).date(), zone)
    return (
        session.scalar(
            select(func.count()).where(
                Message.provider_id == provider.id,
                Message.sending_at >= first,
                Message.sending_at < last,
                Message.state.not_in([MessageState.HELD, MessageState.CANCELLED, MessageState.WAITING]),
            )
        )
        or 0
    )


def _end(message: Message, state: MessageState, said: str) -> bool:
    message.become(state)
    message.said = said[:500]
    return True


def _later(message: Message, due_at: datetime, said: str) -> bool:
    message.due_at, message.said = due_at, said[:500]
    return True


# --- settled -----------------------------------------------------------------------------------------------------


def _settle(session: Session, message_id: int, outcome: Outcome, at: datetime) -> None:
    """Write down what became of a message. A report of its delivery that came first stands."""
    message = session.get_one(Message, message_id, with_for_update={"of": Message}, populate_existing=True)
    said = outcome.said if isinstance(outcome, Accepted | Unsent) else str(outcome)
    if isinstance(outcome, Accepted):
        message.sent_at = message.sent_at or at
        message.provider_ref = message.provider_ref or _free_ref(session, message, outcome.ref)
    if message.state not in (MessageState.SENDING, MessageState.UNSURE):
        return
    message.said = said[:500] or None
    if isinstance(outcome, Accepted):
        message.become(MessageState.SENT)
    elif isinstance(outcome, Unsent) and not outcome.later:
        message.become(MessageState.FAILED)
    elif _may_try_again(message, outcome):
        pause = PAUSES[min(message.attempts, len(PAUSES)) - 1]
        message.due_at = not_before(session, at + pause, message.branch)
        message.become(MessageState.WAITING)
    else:
        message.become(MessageState.FAILED if isinstance(outcome, Unsent) else MessageState.UNSURE)


def _may_try_again(message: Message, outcome: Outcome) -> bool:
    """Say whether a message is asked for again: certainly not taken, or the provider sends once what bears its key."""
    is_safe = isinstance(outcome, Unsent) or (message.provider is not None and message.provider.is_idempotent)
    return is_safe and message.attempts < MOST_ATTEMPTS


def _free_ref(session: Session, message: Message, ref: str | None) -> str | None:
    """Return the provider's number for a message, unless it gave the same to another one already."""
    taken = select(Message.id).where(
        Message.provider_id == message.provider_id, Message.provider_ref == ref, Message.id != message.id
    )
    return ref if ref and session.scalar(taken.limit(1)) is None else None


def settle_interrupted(session: Session, at: datetime) -> int:
    """Settle what was being sent when its sender was killed: unsure, or asked for again by its key where that is safe.

    Called by a job, in its transaction.
    """
    stuck = session.scalars(
        select(Message)
        .where(Message.state == MessageState.SENDING, Message.sending_at < at - INTERRUPTED_AFTER)
        .order_by(Message.id)
        .with_for_update(skip_locked=True, of=Message)
        .execution_options(populate_existing=True)
    ).all()
    for message in stuck:
        interrupted = Unsure(_("The sending was interrupted; nobody knows whether it went out."))
        _settle(session, message.id, interrupted, at)
    return len(stuck)


def count_due(session: Session, at: datetime) -> int:
    """Return how many messages are due."""
    due = select(func.count()).where(Message.state == MessageState.WAITING, Message.due_at <= at)
    return session.scalar(due) or 0
