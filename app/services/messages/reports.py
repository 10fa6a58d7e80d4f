"""What a provider tells afterwards: delivered, or not. ``POST /api/v1/message/delivered``, by a key with that right."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from app.actors import Actor
from app.acts import act
from app.errors import InvalidInput
from app.fields import Choose, HouseForm, Instant, Words
from app.models.base import Labelled
from app.models.messages import Message, MessageState
from app.services.scope import in_scope
from app.words import _, _l


class Report(Labelled):
    """What became of a message on its way."""

    DELIVERED = "delivered"
    FAILED = "failed"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {cls.DELIVERED: _l("Delivered"), cls.FAILED: _l("Not delivered")}


class DeliveryReport(HouseForm):
    """Of which message, what, when."""

    message_key = Words(_l("Message key"), most=32)
    provider_ref = Words(_l("Provider's number"), most=120, description=_l("Instead of the message key."))
    status = Choose(_l("What became of it"), options=Report, required=True)
    reported_at = Instant(_l("When"), description=_l("Empty: now."))
    said = Words(_l("What the provider says"), most=300)

    def check(self) -> None:
        if not (self.message_key.data or self.provider_ref.data):
            self.refuse("message_key", _("The message key or the provider's number, please."))


@act(Message, "delivered", _l("Note a delivery report"), form=DeliveryReport, creates=True, icon="check2-all")
def delivered(
    session: Session,
    *,
    status: Report,
    message_key: str | None = None,
    provider_ref: str | None = None,
    reported_at: datetime | None = None,
    said: str | None = None,
    by: Actor,
    at: datetime,
) -> Message:
    """Write down what a provider says of a message on its way. Twice or out of order it is the same: what was delivered
    stays delivered, and what nobody knew of is known. Refuses an unknown message and a moment in the future."""
    message = _message(session, by, message_key, provider_ref)
    if reported_at is not None and reported_at > at:
        raise InvalidInput({"reported_at": [_("This lies in the future.")]})
    happened_at = reported_at or at
    goes_to = MessageState.DELIVERED if status is Report.DELIVERED else MessageState.FAILED
    was_out = {MessageState.SENDING, MessageState.SENT, MessageState.UNSURE}
    if status is Report.DELIVERED:  # one that was to be asked for again, or was given up, has arrived all the same
        was_out |= {MessageState.WAITING, MessageState.FAILED}
    if message.sending_at is None and message.sent_at is None:
        raise InvalidInput({"message_key": [_("This message has not been sent.")]})
    if message.state in was_out:
        message.become(goes_to)
        message.said = said or message.said
        if status is Report.DELIVERED:
            message.delivered_at = happened_at
            message.sent_at = message.sent_at or message.sending_at
    return message


def _message(session: Session, by: Actor, message_key: str | None, provider_ref: str | None) -> Message:
    """Return the message that is meant, locked, of those in scope; refuses none and several."""
    statement = in_scope(Message, by)
    if message_key:
        statement = statement.where(Message.message_key == message_key)
    else:
        statement = statement.where(Message.provider_ref == provider_ref)
    found = session.scalars(
        statement.limit(2).with_for_update(of=Message).execution_options(populate_existing=True)
    ).all()
    field = "message_key" if message_key else "provider_ref"
    if not found:
        raise InvalidInput({field: [_("There is no such message.")]})
    if len(found) > 1:
        raise InvalidInput({field: [_("Two providers gave this number; please name the message key.")]})
    return found[0]
