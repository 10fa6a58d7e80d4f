"""Messages to customers: who sends them, their texts, the outbox. White paper 1.3 (生日短信), R-2.22-6.

A message is one row for life: it waits, is sent once, and keeps what became of it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, Branched, Choice, Encrypted, Instant, Labelled, Recorded, Scope, Stateful, col, one_of
from app.models.customers import Customer, mask
from app.models.followup import FollowupPlan
from app.models.hr import Branch, Employee
from app.words import _l


class MessageChannel(Labelled):
    """What a message is."""

    SMS = "sms"
    WECHAT = "wechat"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {cls.SMS: _l("Text message"), cls.WECHAT: _l("WeChat")}


class ProviderKind(Labelled):
    """How a provider sends."""

    OUTBOX = "outbox"
    HTTP = "http"
    BY_HAND = "by_hand"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {
            cls.OUTBOX: _l("Outbox only: nothing is sent"),
            cls.HTTP: _l("By a request over HTTP"),
            cls.BY_HAND: _l("By hand: a person sends it"),
        }


class ProviderState(Labelled):
    """Whether messages go out by it."""

    ACTIVE = "active"
    OFF = "off"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {cls.ACTIVE: _l("In service"), cls.OFF: _l("Switched off")}

    @classmethod
    def tones(cls) -> dict[Any, str]:
        return {cls.ACTIVE: "ok"}


class HttpMethod(Labelled):
    """How a request is made."""

    POST = "POST"
    GET = "GET"
    PUT = "PUT"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {cls.POST: "POST", cls.GET: "GET", cls.PUT: "PUT"}


class BodyKind(Labelled):
    """What a request's body is, so that what is filled in fits."""

    JSON = "json"
    FORM = "form"
    NONE = "none"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {cls.JSON: "JSON", cls.FORM: _l("Form (a=1&b=2)"), cls.NONE: _l("No body")}


class MessageProvider(Stateful, Recorded, Base):
    """Who sends the messages of one channel, for a branch or for the group. Decision 0039.

    ``accepted_path`` and ``accepted_value``: where the answer says that it took the message, and how; ``id_path``:
    where its own number stands. ``is_idempotent``: it sends once what bears the same key, so that an unsure message may
    be asked for again.
    """

    __tablename__ = "message_provider"
    TITLE, TITLES = _l("Message provider"), _l("Message providers")
    SCOPE = Scope(shared=True)
    UNTRAILED = ("headers",)
    STATES = ProviderState
    MOVES = {ProviderState.ACTIVE: {ProviderState.OFF}, ProviderState.OFF: {ProviderState.ACTIVE}}
    __table_args__ = (
        one_of("channel", MessageChannel),
        one_of("kind", ProviderKind),
        one_of("state", ProviderState),
        one_of("method", HttpMethod),
        one_of("body_kind", BodyKind),
        CheckConstraint("kind <> 'http' OR address IS NOT NULL", name="http_has_address"),
        CheckConstraint("daily_cap IS NULL OR daily_cap > 0", name="cap_positive"),
        CheckConstraint("accepted_value IS NULL OR accepted_path IS NOT NULL", name="value_at_a_place"),
        Index(
            "uq_message_provider_active",
            "channel",
            "branch_id",
            unique=True,
            postgresql_where=text("state = 'active'"),
            postgresql_nulls_not_distinct=True,
        ),
    )

    name: Mapped[str] = mapped_column(String(60), unique=True, info=col(_l("Name"), search=True))
    branch_id: Mapped[int | None] = mapped_column(
        ForeignKey("branch.id"), index=True, info=col(_l("Branch"), _l("Empty: the whole group."))
    )
    channel: Mapped[MessageChannel] = mapped_column(Choice(MessageChannel), info=col(_l("Sent as")))
    kind: Mapped[ProviderKind] = mapped_column(
        Choice(ProviderKind), default=ProviderKind.OUTBOX, info=col(_l("How it sends"))
    )
    state: Mapped[ProviderState] = mapped_column(
        Choice(ProviderState), default=ProviderState.OFF, info=col(_l("State"))
    )
    daily_cap: Mapped[int | None] = mapped_column(
        info=col(_l("Most messages a day"), _l("Empty: no limit. What is over waits for the next day."))
    )
    method: Mapped[HttpMethod | None] = mapped_column(
        Choice(HttpMethod),
        info=col(_l("Request method"), _l("Empty: POST. From here on: for requests over HTTP only.")),
    )
    address: Mapped[str | None] = mapped_column(
        String(500), info=col(_l("Address"), _l("Placeholders in {{ }}; secrets belong in the headers."))
    )
    headers: Mapped[str | None] = mapped_column(
        Encrypted(2000), info=col(_l("Headers"), sensitive=True, multiline=True)
    )
    body_kind: Mapped[BodyKind | None] = mapped_column(
        Choice(BodyKind), info=col(_l("Kind of body"), _l("Empty: JSON, or none with GET."))
    )
    body: Mapped[str | None] = mapped_column(
        Text,
        info=col(
            _l("Body"),
            _l("{{ number }}, {{ text }}, {{ key }}, {{ template }} and {{ branch }} are filled in."),
            multiline=True,
        ),
    )
    accepted_path: Mapped[str | None] = mapped_column(
        String(80),
        info=col(_l("Accepted: place in the answer"), _l("Such as result.code; empty: every answer of 200 to 299.")),
    )
    accepted_value: Mapped[str | None] = mapped_column(
        String(80), info=col(_l("Accepted: value there"), _l("Such as 0 or OK; empty: anything but nothing."))
    )
    id_path: Mapped[str | None] = mapped_column(
        String(80), info=col(_l("Provider's number: place in the answer"), _l("Such as result.sid."))
    )
    key_header: Mapped[str | None] = mapped_column(
        String(60), info=col(_l("Header for the message key"), _l("Empty: Idempotency-Key."))
    )
    is_idempotent: Mapped[bool] = mapped_column(
        default=False,
        server_default="false",
        info=col(
            _l("Sends once what bears the same key"),
            _l("Only if the provider says so in writing: then a message that is unsure is asked for again by itself."),
        ),
    )

    branch: Mapped[Branch | None] = relationship(lazy="select")

    @classmethod
    def offered(cls) -> Any:
        return cls.state == ProviderState.ACTIVE

    @property
    def kind_text(self) -> str:
        return str(self.kind.label)

    def __str__(self) -> str:
        return self.name


class MessageCategory(Labelled):
    """What a message is for."""

    CARE = "care"
    REMINDER = "reminder"
    AFTERCARE = "aftercare"
    EVENT = "event"
    NOTICE = "notice"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {
            cls.CARE: _l("Wishes"),
            cls.REMINDER: _l("Reminder"),
            cls.AFTERCARE: _l("After treatment"),
            cls.EVENT: _l("Event or offer"),
            cls.NOTICE: _l("Notice"),
        }


class TemplateState(Labelled):
    """Whether it is offered."""

    IN_USE = "in_use"
    RETIRED = "retired"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {cls.IN_USE: _l("In use"), cls.RETIRED: _l("Retired")}

    @classmethod
    def tones(cls) -> dict[Any, str]:
        return {cls.IN_USE: "ok"}


class MessageTemplate(Stateful, Recorded, Base):
    """A text for many customers, with placeholders. 1.3 生日短信."""

    __tablename__ = "message_template"
    TITLE, TITLES = _l("Message template"), _l("Message templates")
    SCOPE = Scope(shared=True)
    STATES = TemplateState
    MOVES = {TemplateState.IN_USE: {TemplateState.RETIRED}, TemplateState.RETIRED: {TemplateState.IN_USE}}
    __table_args__ = (
        one_of("channel", MessageChannel),
        one_of("category", MessageCategory),
        one_of("state", TemplateState),
        CheckConstraint("code ~ '^[a-z][a-z0-9_]*$'", name="code_shape"),
    )

    code: Mapped[str] = mapped_column(
        String(40), unique=True, info=col(_l("Code"), _l("Small letters, digits and _."), search=True)
    )
    name: Mapped[str] = mapped_column(String(60), info=col(_l("Name"), search=True))
    channel: Mapped[MessageChannel] = mapped_column(Choice(MessageChannel), info=col(_l("Sent as")))
    category: Mapped[MessageCategory] = mapped_column(Choice(MessageCategory), info=col(_l("Kind of message")))
    is_marketing: Mapped[bool] = mapped_column(
        default=True,
        server_default="true",
        info=col(_l("Marketing"), _l("Goes to those alone who agreed to marketing.")),
    )
    content: Mapped[str] = mapped_column(String(500), info=col(_l("Text"), multiline=True))
    provider_code: Mapped[str | None] = mapped_column(
        String(60), info=col(_l("Template's number with the provider"), _l("Where the provider asks for one."))
    )
    state: Mapped[TemplateState] = mapped_column(
        Choice(TemplateState), default=TemplateState.IN_USE, info=col(_l("State"))
    )

    @classmethod
    def offered(cls) -> Any:
        return cls.state == TemplateState.IN_USE

    @property
    def option_hint(self) -> str:
        return str(self.channel.label)

    def __str__(self) -> str:
        return self.name


class MessageState(Labelled):
    """How far a message is. ``held`` waits for a person; of an ``unsure`` one nobody knows whether it went out."""

    HELD = "held"
    WAITING = "waiting"
    SENDING = "sending"
    SENT = "sent"
    DELIVERED = "delivered"
    FAILED = "failed"
    UNSURE = "unsure"
    CANCELLED = "cancelled"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {
            cls.HELD: _l("Held: a person decides"),
            cls.WAITING: _l("Waiting to be sent"),
            cls.SENDING: _l("Being sent"),
            cls.SENT: _l("Sent"),
            cls.DELIVERED: _l("Delivered"),
            cls.FAILED: _l("Not sent"),
            cls.UNSURE: _l("Perhaps sent"),
            cls.CANCELLED: _l("Cancelled"),
        }

    @classmethod
    def tones(cls) -> dict[Any, str]:
        return {
            cls.HELD: "warn",
            cls.WAITING: "info",
            cls.SENDING: "info",
            cls.SENT: "ok",
            cls.DELIVERED: "ok",
            cls.FAILED: "bad",
            cls.UNSURE: "bad",
        }


#: A message in one of these has not left the house.
UNSENT_STATES = (MessageState.HELD, MessageState.WAITING)
#: One in these has, or may have.
OUT_STATES = (MessageState.SENDING, MessageState.SENT, MessageState.DELIVERED, MessageState.UNSURE)
_S = MessageState
SHORT = 40


class Message(Stateful, Recorded, Branched, Base):
    """A message to one customer: the outbox. Of one rule and occasion there is one.

    ``due_at`` is the moment before which it is not sent (quiet hours, the pause before another try), ``not_after_at``
    the one after which it makes no sense. ``message_key`` names it to the provider for good.
    """

    __tablename__ = "message"
    TITLE, TITLES = _l("Message"), _l("Messages")
    SCOPE = Scope(via="customer")
    STATES = MessageState
    MOVES = {
        _S.HELD: {_S.WAITING, _S.SENT, _S.CANCELLED},
        _S.WAITING: {_S.SENDING, _S.HELD, _S.DELIVERED, _S.FAILED, _S.CANCELLED},
        _S.SENDING: {_S.SENT, _S.DELIVERED, _S.FAILED, _S.UNSURE, _S.WAITING},
        _S.SENT: {_S.DELIVERED, _S.FAILED},
        _S.FAILED: {_S.WAITING, _S.SENT, _S.DELIVERED, _S.CANCELLED},
        _S.UNSURE: {_S.WAITING, _S.SENT, _S.DELIVERED, _S.FAILED, _S.CANCELLED},
    }
    __table_args__ = (
        one_of("channel", MessageChannel),
        one_of("state", MessageState),
        CheckConstraint("(rule IS NULL) = (occasion IS NULL)", name="rule_has_occasion"),
        CheckConstraint("state <> 'sending' OR sending_at IS NOT NULL", name="sending_since"),
        Index("uq_message_occasion", "rule", "occasion", unique=True, postgresql_where=text("rule IS NOT NULL")),
        Index(
            "uq_message_provider_ref",
            "provider_id",
            "provider_ref",
            unique=True,
            postgresql_where=text("provider_ref IS NOT NULL"),
        ),
        Index("ix_message_due", "due_at", "id", postgresql_where=text("state IN ('waiting', 'sending')")),
        Index("ix_message_provider_sending", "provider_id", "sending_at"),
        Index("ix_message_customer_id_id", "customer_id", "id"),
    )

    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"), info=col(_l("Customer")))
    channel: Mapped[MessageChannel] = mapped_column(Choice(MessageChannel), info=col(_l("Sent as")))
    recipient: Mapped[str | None] = mapped_column(Encrypted(200), info=col(_l("Recipient"), sensitive=True))
    content: Mapped[str] = mapped_column(Encrypted(500), info=col(_l("Text"), multiline=True))
    is_marketing: Mapped[bool] = mapped_column(default=False, server_default="false", info=col(_l("Marketing")))
    template_id: Mapped[int | None] = mapped_column(
        ForeignKey("message_template.id"), index=True, info=col(_l("Message template"))
    )
    provider_id: Mapped[int | None] = mapped_column(ForeignKey("message_provider.id"), info=col(_l("Provider")))
    followup_plan_id: Mapped[int | None] = mapped_column(
        ForeignKey("followup_plan.id"), index=True, info=col(_l("Follow-up plan"))
    )
    rule: Mapped[str | None] = mapped_column(String(40), info=col(_l("Made by the rule")))
    occasion: Mapped[str | None] = mapped_column(String(120))
    state: Mapped[MessageState] = mapped_column(Choice(MessageState), info=col(_l("State")))
    due_at: Mapped[datetime] = mapped_column(Instant, info=col(_l("Not before")))
    not_after_at: Mapped[datetime | None] = mapped_column(Instant, info=col(_l("Not after")))
    attempts: Mapped[int] = mapped_column(default=0, server_default="0", info=col(_l("Attempts")))
    message_key: Mapped[str] = mapped_column(String(32), unique=True, info=col(_l("Message key")))
    provider_ref: Mapped[str | None] = mapped_column(String(120), info=col(_l("Provider's number")))
    sending_at: Mapped[datetime | None] = mapped_column(Instant)
    sent_at: Mapped[datetime | None] = mapped_column(Instant, info=col(_l("Sent at")))
    delivered_at: Mapped[datetime | None] = mapped_column(Instant, info=col(_l("Delivered at")))
    said: Mapped[str | None] = mapped_column(String(500), info=col(_l("Note on the sending")))
    sender_id: Mapped[int | None] = mapped_column(ForeignKey("employee.id"), info=col(_l("Written by")))

    branch: Mapped[Branch] = relationship(lazy="select")
    customer: Mapped[Customer] = relationship(lazy="select")
    template: Mapped[MessageTemplate | None] = relationship(lazy="select")
    provider: Mapped[MessageProvider | None] = relationship(lazy="select")
    followup_plan: Mapped[FollowupPlan | None] = relationship(lazy="select")
    sender: Mapped[Employee | None] = relationship(lazy="select")

    @property
    def recipient_masked(self) -> str:
        return mask(None, self.recipient)

    @property
    def content_short(self) -> str:
        """The beginning of what it says, for lists."""
        return self.content if len(self.content) <= SHORT else f"{self.content[:SHORT]}…"

    @property
    def provider_says(self) -> str:
        """How its provider sends, wherever the message is shown."""
        return "" if self.provider is None else self.provider.kind_text

    def __str__(self) -> str:
        return f"{self.channel.label} {self.id}"
