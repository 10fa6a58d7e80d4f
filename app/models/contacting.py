"""What a customer does not want: by which way, what, since when. R-2.22-6, L13."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, Choice, Encrypted, Instant, Labelled, Recorded, Scope, col, one_of
from app.models.customers import Customer
from app.models.hr import Employee
from app.words import _l


class ContactWay(Labelled):
    """Ways by which a customer is contacted; ``all`` in what she does not want."""

    PHONE = "phone"
    SMS = "sms"
    WECHAT = "wechat"
    ALL = "all"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {
            cls.PHONE: _l("Telephone"),
            cls.SMS: _l("Text message"),
            cls.WECHAT: _l("WeChat"),
            cls.ALL: _l("Every way"),
        }


class OptOutKind(Labelled):
    """What she does not want: offers and wishes, or to be contacted at all."""

    MARKETING = "marketing"
    ALL = "all"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {cls.MARKETING: _l("Marketing only"), cls.ALL: _l("Anything")}


class ContactOptOut(Recorded, Base):
    """A customer does not want to be contacted one way, from when on and why; it ends, it is never deleted. L13."""

    __tablename__ = "contact_opt_out"
    TITLE, TITLES = _l("Opt-out"), _l("Opt-outs")
    SCOPE = Scope(via="customer")
    __table_args__ = (
        one_of("channel", ContactWay),
        one_of("kind", OptOutKind),
        CheckConstraint("ended_at IS NULL OR ended_at >= since_at", name="ends_after_since"),
        Index(
            "uq_contact_opt_out_open",
            "customer_id",
            "channel",
            "kind",
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
        ),
    )

    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"), index=True, info=col(_l("Customer")))
    channel: Mapped[ContactWay] = mapped_column(Choice(ContactWay), info=col(_l("Way")))
    kind: Mapped[OptOutKind] = mapped_column(Choice(OptOutKind), info=col(_l("Does not want")))
    since_at: Mapped[datetime] = mapped_column(Instant, info=col(_l("Since")))
    reason: Mapped[str | None] = mapped_column(Encrypted(500), info=col(_l("Reason"), multiline=True))
    taken_by_id: Mapped[int | None] = mapped_column(ForeignKey("employee.id"), info=col(_l("Written down by")))
    ended_at: Mapped[datetime | None] = mapped_column(Instant, info=col(_l("Ended at")))
    end_reason: Mapped[str | None] = mapped_column(Encrypted(500), info=col(_l("Why it ended")))
    ended_by_id: Mapped[int | None] = mapped_column(ForeignKey("employee.id"), info=col(_l("Ended by")))

    customer: Mapped[Customer] = relationship(lazy="select")
    taken_by: Mapped[Employee | None] = relationship(foreign_keys=[taken_by_id], lazy="select")
    ended_by: Mapped[Employee | None] = relationship(foreign_keys=[ended_by_id], lazy="select")

    def __str__(self) -> str:
        return f"{self.channel.label} · {self.kind.label}"
