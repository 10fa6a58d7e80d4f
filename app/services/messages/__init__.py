"""Messages to customers: texts, providers, the outbox, the sending. White paper 1.3, R-2.22-6; decision 0039."""

from app.services.messages import outbox, reports, rules, texts
from app.services.messages.outbox import Queued, message_banners, queue_by_rule, withdraw_by_rule
from app.services.messages.providers import provider_banners, provider_for
from app.services.messages.reference import add_first_messages, add_message_rules
from app.services.messages.sending import SEND, send_due, settle_interrupted

__all__ = [
    "SEND",
    "Queued",
    "add_first_messages",
    "add_message_rules",
    "message_banners",
    "outbox",
    "provider_banners",
    "provider_for",
    "queue_by_rule",
    "reports",
    "rules",
    "send_due",
    "settle_interrupted",
    "texts",
    "withdraw_by_rule",
]
