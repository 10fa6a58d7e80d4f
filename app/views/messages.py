"""短信与微信: the outbox, the texts, the providers, and whom not to contact. White paper 1.3, R-2.22-6."""

from __future__ import annotations

from typing import Any

from app.actors import Actor
from app.models.contacting import ContactOptOut
from app.models.messages import Message, MessageProvider, MessageState, MessageTemplate, ProviderState, TemplateState
from app.panel.cards import card
from app.panel.house_view import HouseView, Related, Sub, Tab
from app.panel.interface import HouseInterface
from app.panel.registry import Registrar
from app.services.messages import message_banners, provider_banners
from app.services.placeholders import MESSAGE_TEXT
from app.words import _l


class MessageView(HouseView):
    """发件箱: what was sent to customers, what waits, what failed."""

    datamodel = HouseInterface(Message)
    title = _l("Messages: outbox")
    crumbs = (_l("Service workstation"), _l("Follow-up"))
    list_columns = ("customer", "channel", "content_short", "state", "provider", "due_at", "sent_at", "sender", "said")
    labels = {"content_short": _l("Text")}
    computed = {"content_short": lambda message: message.content_short}
    subs = {"customer": Sub("recipient_masked"), "provider": Sub("provider_says")}
    show_sections = (
        (_l("Message"), ("customer", "channel", "recipient", "content", "is_marketing", "template", "followup_plan")),
        (
            _l("What became of it"),
            (
                "provider", "due_at", "not_after_at", "attempts", "sent_at", "delivered_at", "said", "provider_ref",
                "message_key", "sender",
            ),
        ),
    )  # fmt: skip
    order_columns = ("due_at", "sent_at")
    filters = ("state", "channel", "template_id", "provider_id", "due_at")
    eager = ("customer", "provider", "sender")
    record_eager = ("template", "followup_plan")
    search_through = "customer"
    quick = (
        Tab("all", _l("All")),
        Tab("held", _l("Held: a person decides"), lambda by, now: Message.state == MessageState.HELD),
        Tab("waiting", _l("Waiting to be sent"), lambda by, now: Message.state == MessageState.WAITING),
        Tab(
            "wrong",
            _l("Failed or unsure"),
            lambda by, now: Message.state.in_([MessageState.FAILED, MessageState.UNSURE]),
        ),
    )
    empty = _l("Nothing has been written to a customer yet. A message begins on the customer's page or in her list.")

    def banners(self, record: Any, by: Actor) -> list[tuple[str, str]]:
        """Say when it goes out, or that it does not."""
        return message_banners(record)


class MessageTemplateView(HouseView):
    """消息模板: texts with placeholders."""

    datamodel = HouseInterface(MessageTemplate)
    crumbs = (_l("Service workstation"), _l("Follow-up"))
    list_columns = ("name", "code", "channel", "category", "is_marketing", "state", "content")
    form_columns = ("code", "name", "channel", "category", "is_marketing", "content", "provider_code")
    add_only = ("code",)
    order_columns = ("name", "code")
    filters = ("channel", "category", "state")
    quick = (
        Tab("used", _l("In use"), lambda by, now: MessageTemplate.state == TemplateState.IN_USE),
        Tab("all", _l("All")),
    )

    def banners(self, record: Any, by: Actor) -> list[tuple[str, str]]:
        """List the placeholders that its text may hold."""
        return [("info", MESSAGE_TEXT.hint())]


class MessageProviderView(HouseView):
    """消息通道: who sends text messages and WeChat."""

    datamodel = HouseInterface(MessageProvider)
    group = "system"
    icon = "broadcast"
    list_columns = ("name", "channel", "kind", "state", "branch", "daily_cap", "is_idempotent")
    form_columns = (
        "branch_id", "name", "channel", "kind", "daily_cap", "method", "address", "headers", "body_kind", "body",
        "accepted_path", "accepted_value", "id_path", "key_header", "is_idempotent",
    )  # fmt: skip
    add_only = ("branch_id", "channel")
    show_sections = (
        (_l("Message provider"), ("name", "branch", "channel", "kind", "daily_cap")),
        (
            _l("By a request over HTTP"),
            (
                "method", "address", "headers", "body_kind", "body", "accepted_path", "accepted_value", "id_path",
                "key_header", "is_idempotent",
            ),
        ),
    )  # fmt: skip
    filters = ("channel", "kind", "state")
    quick = (
        Tab("active", _l("In service"), lambda by, now: MessageProvider.state == ProviderState.ACTIVE),
        Tab("all", _l("All")),
    )

    def banners(self, record: Any, by: Actor) -> list[tuple[str, str]]:
        return provider_banners(record)


class ContactOptOutView(HouseView):
    """免打扰: who does not want to be contacted."""

    datamodel = HouseInterface(ContactOptOut)
    group = "customers"
    icon = "bell-slash"
    list_columns = ("customer", "channel", "kind", "since_at", "reason", "taken_by", "ended_at")
    show_sections = (
        (_l("Opt-out"), ("customer", "channel", "kind", "since_at", "reason", "taken_by")),
        (_l("What became of it"), ("ended_at", "end_reason", "ended_by")),
    )
    filters = ("channel", "kind", "since_at")
    order_columns = ("since_at",)
    record_eager = ("ended_by",)
    search_through = "customer"
    quick = (
        Tab("open", _l("Holds"), lambda by, now: ContactOptOut.ended_at.is_(None)),
        Tab("all", _l("All")),
    )


#: The tabs of a customer's page.
CUSTOMER_TABS = (
    Related(
        "message",
        "customer_id",
        _l("Messages"),
        ("channel", "content", "state", "due_at", "sent_at", "sender"),
        ("sender", "customer"),
    ),
    Related(
        "contact_opt_out",
        "customer_id",
        _l("Opt-outs"),
        ("channel", "kind", "since_at", "reason", "ended_at"),
        ("customer",),
    ),
)

card("message", "held", _l("Messages held"), order=62, needs=(("message", "can_release"),), menu=True)
card("message", "wrong", _l("Messages failed or unsure"), order=64, needs=(("message", "can_retry"),))


def register(menu: Registrar) -> None:
    """Register the pages that stand beside the follow-up plans."""
    menu.page(MessageView, group="followups", icon="chat-dots")
    menu.page(MessageTemplateView, group="followups", icon="chat-left-text")
