"""Cards with a barcode: design cards of customers, reusable cards for one visit. White paper 2.2.3, 2.2.5; SM-15."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, Branched, Choice, Instant, Labelled, Recorded, Scope, Stateful, col, one_of
from app.models.customers import Customer
from app.models.hr import Branch, Employee
from app.models.reception.visits import ServiceDesk, Visit
from app.words import _l


class CardType(Labelled):
    """GL 32, 34. Member cards come with membership."""

    DESIGN = "design"
    VISIT = "visit"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {cls.DESIGN: _l("Image-design card"), cls.VISIT: _l("Temporary reception card")}


class CardStock(Recorded, Branched, Base):
    """A delivery of printed cards: a range of numbers, each a card of its own from then on. White paper 5.1.1."""

    __tablename__ = "card_stock"
    TITLE, TITLES = _l("Card delivery"), _l("Card deliveries")
    SCOPE = Scope(branch="branch_id")
    __table_args__ = (
        one_of("card_type", CardType),
        CheckConstraint("count BETWEEN 1 AND 5000", name="count_bounds"),
        CheckConstraint("first_no <= last_no", name="range_whole"),
    )

    card_type: Mapped[CardType] = mapped_column(Choice(CardType), info=col(_l("Kind of card")))
    count: Mapped[int] = mapped_column(info=col(_l("How many")))
    first_no: Mapped[str] = mapped_column(String(30), unique=True, info=col(_l("First number"), search=True))
    last_no: Mapped[str] = mapped_column(String(30), unique=True, info=col(_l("Last number"), search=True))
    taken_in_at: Mapped[datetime] = mapped_column(Instant, info=col(_l("Taken in at")))
    taken_in_by_id: Mapped[int | None] = mapped_column(ForeignKey("employee.id"), info=col(_l("Taken in by")))
    note: Mapped[str | None] = mapped_column(String(200), info=col(_l("Note")))

    branch: Mapped[Branch] = relationship(lazy="select")
    taken_in_by: Mapped[Employee | None] = relationship(lazy="select")

    def __str__(self) -> str:
        return f"{self.first_no} – {self.last_no}"


class CardState(Labelled):
    """SM-15."""

    IN_STOCK = "in_stock"
    ISSUED_TO_DESK = "issued_to_desk"
    ACTIVE = "active"
    LOST = "lost"
    DAMAGED = "damaged"
    REPLACED = "replaced"
    WITHDRAWN = "withdrawn"
    CANCELLED = "cancelled"
    SPOILED = "spoiled"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {
            cls.IN_STOCK: _l("In stock"),
            cls.ISSUED_TO_DESK: _l("At a desk"),
            cls.ACTIVE: _l("In use (card)"),
            cls.LOST: _l("Lost"),
            cls.DAMAGED: _l("Damaged"),
            cls.REPLACED: _l("Replaced"),
            cls.WITHDRAWN: _l("Taken back for good"),
            cls.CANCELLED: _l("Cancelled"),
            cls.SPOILED: _l("Spoiled"),
        }

    @classmethod
    def tones(cls) -> dict[Any, str]:
        return {cls.ACTIVE: "ok", cls.ISSUED_TO_DESK: "info", cls.LOST: "bad", cls.DAMAGED: "warn"}


C = CardState


class CustomerCard(Stateful, Recorded, Branched, Base):
    """One card with its barcode, from the stock to its end. White paper 2.2.3, 2.2.5, SM-15; GL 32-35.

    A design card belongs to one customer (R-2.2.3-1, -5); a temporary card to nobody: who has it stands in
    ``visit_card_issue``.
    """

    __tablename__ = "customer_card"
    TITLE, TITLES = _l("Card"), _l("Cards")
    SCOPE = Scope(branch="branch_id")
    LOCK_FIRST = ("customer_id",)
    STATES = CardState
    MOVES = {
        C.IN_STOCK: {C.ISSUED_TO_DESK, C.ACTIVE, C.SPOILED},
        C.ISSUED_TO_DESK: {C.ACTIVE, C.SPOILED, C.LOST, C.DAMAGED},
        C.ACTIVE: {C.LOST, C.DAMAGED, C.WITHDRAWN, C.CANCELLED, C.ISSUED_TO_DESK},
        C.LOST: {C.REPLACED, C.ISSUED_TO_DESK},
        C.DAMAGED: {C.REPLACED},
    }
    __table_args__ = (
        one_of("state", CardState),
        one_of("card_type", CardType),
        CheckConstraint("card_type <> 'visit' OR customer_id IS NULL", name="visit_card_is_nobodys"),
        CheckConstraint(
            "card_type <> 'design' OR state NOT IN ('active', 'replaced', 'withdrawn', 'cancelled')"
            " OR (customer_id IS NOT NULL AND issued_at IS NOT NULL)",
            name="design_card_has_owner",
        ),
        CheckConstraint("(state = 'replaced') = (replaced_by_id IS NOT NULL)", name="replacement_named"),
        CheckConstraint("replaced_by_id <> id", name="replaced_by_another"),
        CheckConstraint("state NOT IN ('lost', 'damaged', 'spoiled') OR end_reason IS NOT NULL", name="end_has_reason"),
        Index(
            "uq_customer_card_active",
            "customer_id",
            "card_type",
            unique=True,
            postgresql_where=text("state = 'active' AND customer_id IS NOT NULL"),
        ),
        Index("ix_customer_card_stock_state", "stock_id", "state"),
        Index("ix_customer_card_branch_state", "branch_id", "card_type", "state"),
    )

    card_no: Mapped[str] = mapped_column(String(30), unique=True, info=col(_l("Card number"), search=True))
    card_type: Mapped[CardType] = mapped_column(Choice(CardType), info=col(_l("Kind of card")))
    state: Mapped[CardState] = mapped_column(Choice(CardState), default=CardState.IN_STOCK, info=col(_l("State")))
    stock_id: Mapped[int] = mapped_column(ForeignKey("card_stock.id"), info=col(_l("Card delivery")))
    desk_id: Mapped[int | None] = mapped_column(ForeignKey("service_desk.id"), index=True, info=col(_l("Service desk")))
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customer.id"), index=True, info=col(_l("Customer")))
    issued_at: Mapped[datetime | None] = mapped_column(Instant, info=col(_l("Issued at")))
    issued_by_id: Mapped[int | None] = mapped_column(ForeignKey("employee.id"), info=col(_l("Issued by")))
    ended_at: Mapped[datetime | None] = mapped_column(Instant, info=col(_l("Out of use since")))
    end_reason: Mapped[str | None] = mapped_column(String(500), info=col(_l("Why out of use")))
    replaced_by_id: Mapped[int | None] = mapped_column(
        ForeignKey("customer_card.id"), unique=True, info=col(_l("Replaced by"))
    )

    @classmethod
    def offered(cls) -> Any:
        return cls.state.in_([CardState.IN_STOCK, CardState.ISSUED_TO_DESK])

    branch: Mapped[Branch] = relationship(lazy="select")
    stock: Mapped[CardStock] = relationship(lazy="select")
    desk: Mapped[ServiceDesk | None] = relationship(lazy="select")
    customer: Mapped[Customer | None] = relationship(lazy="select")
    issued_by: Mapped[Employee | None] = relationship(lazy="select")
    replaced_by: Mapped[CustomerCard | None] = relationship(remote_side="CustomerCard.id", lazy="select")

    @property
    def option_hint(self) -> str:
        return str(self.card_type.label)

    def __str__(self) -> str:
        return self.card_no


class VisitCardIssue(Recorded, Branched, Base):
    """Which visit has a reusable card: one card, one open visit. White paper 2.2.5; GL 34."""

    __tablename__ = "visit_card_issue"
    TITLE, TITLES = _l("Temporary card handed out"), _l("Temporary cards handed out")
    SCOPE = Scope(branch="branch_id")
    __table_args__ = (
        CheckConstraint("ended_at IS NULL OR ended_at >= issued_at", name="ended_after_issue"),
        CheckConstraint("returned_at IS NULL OR returned_at = ended_at", name="returned_is_end"),
        Index("uq_visit_card_issue_card", "card_id", unique=True, postgresql_where=text("ended_at IS NULL")),
        Index("uq_visit_card_issue_visit", "visit_id", unique=True, postgresql_where=text("ended_at IS NULL")),
        Index("ix_visit_card_issue_branch", "branch_id", "issued_at"),
    )

    card_id: Mapped[int] = mapped_column(ForeignKey("customer_card.id"), info=col(_l("Card")))
    visit_id: Mapped[int] = mapped_column(ForeignKey("visit.id"), info=col(_l("Visit")))
    issued_at: Mapped[datetime] = mapped_column(Instant, info=col(_l("Handed out at")))
    issued_by_id: Mapped[int | None] = mapped_column(ForeignKey("employee.id"), info=col(_l("Handed out by")))
    returned_at: Mapped[datetime | None] = mapped_column(Instant, info=col(_l("Given back at")))
    ended_at: Mapped[datetime | None] = mapped_column(
        Instant, info=col(_l("Ended at"), _l("Given back, or reported lost."))
    )
    ended_by_id: Mapped[int | None] = mapped_column(ForeignKey("employee.id"), info=col(_l("Ended by")))

    branch: Mapped[Branch] = relationship(lazy="select")
    card: Mapped[CustomerCard] = relationship(lazy="select")
    visit: Mapped[Visit] = relationship(lazy="select")
    issued_by: Mapped[Employee | None] = relationship(foreign_keys=[issued_by_id], lazy="select")
    ended_by: Mapped[Employee | None] = relationship(foreign_keys=[ended_by_id], lazy="select")

    def __str__(self) -> str:
        return str(self.card)
