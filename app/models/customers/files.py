"""Customers, how to reach them, and where they come from. White paper 1.2, 2.1.1; SM-01; GL 1-13."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, String, Text, UniqueConstraint, event
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from app.keyring import ring
from app.models.base import (
    Base,
    Branched,
    Choice,
    Encrypted,
    Instant,
    Labelled,
    Recorded,
    Retirable,
    Scope,
    Stateful,
    col,
    one_of,
)
from app.models.findable import phone_terms, terms_of_name, terms_of_number
from app.models.hr import Branch, Employee
from app.models.settings import DictionaryItem
from app.words import _l, locale_in_force


class SourceChannel(Recorded, Retirable, Base):
    """How customers come to know the hospital; a tree. REF-2."""

    __tablename__ = "source_channel"
    TITLE, TITLES = _l("Source channel"), _l("Source channels")
    SCOPE = Scope(shared=True)
    __table_args__ = (CheckConstraint("parent_id <> id", name="no_own_parent"),)

    code: Mapped[str] = mapped_column(String(40), unique=True, info=col(_l("Code"), search=True))
    name: Mapped[str] = mapped_column(String(60), info=col(_l("Chinese name"), search=True))
    name_en: Mapped[str] = mapped_column(String(60), info=col(_l("English name"), search=True))
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("source_channel.id"), index=True, info=col(_l("Part of")))
    is_referral: Mapped[bool] = mapped_column(
        default=False, server_default="false", info=col(_l("By referral"), _l("An old customer recommended us."))
    )
    is_partner: Mapped[bool] = mapped_column(
        default=False, server_default="false", info=col(_l("By a partner"), _l("Such customers name the partner."))
    )
    is_market: Mapped[bool] = mapped_column(
        default=False, server_default="false", info=col(_l("Market or partner"), _l("Such customers have no referrer."))
    )

    @classmethod
    def offered(cls) -> Any:
        return cls.retired_at.is_(None)

    parent: Mapped[SourceChannel | None] = relationship(remote_side="SourceChannel.id", lazy="select")

    def __str__(self) -> str:
        return self.name_en if locale_in_force() == "en" else self.name


class PartnerState(Labelled):
    """Whether a partner's customers are taken."""

    ACTIVE = "active"
    ENDED = "ended"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {cls.ACTIVE: _l("Active"), cls.ENDED: _l("Ended")}

    @classmethod
    def tones(cls) -> dict[Any, str]:
        return {cls.ACTIVE: "ok", cls.ENDED: "mute"}


class ChannelPartner(Stateful, Recorded, Branched, Base):
    """An outside partner that sends customers. GL 12."""

    __tablename__ = "channel_partner"
    TITLE, TITLES = _l("Channel partner"), _l("Channel partners")
    SCOPE = Scope(branch="branch_id", own=("manager_id",))
    STATES = PartnerState
    MOVES = {PartnerState.ACTIVE: {PartnerState.ENDED}, PartnerState.ENDED: {PartnerState.ACTIVE}}
    __table_args__ = (UniqueConstraint("branch_id", "name"), one_of("state", PartnerState))

    name: Mapped[str] = mapped_column(String(80), info=col(_l("Name"), search=True))
    contract_no: Mapped[str | None] = mapped_column(String(60), info=col(_l("Contract number"), search=True))
    manager_id: Mapped[int | None] = mapped_column(ForeignKey("employee.id"), info=col(_l("Looked after by")))
    state: Mapped[PartnerState] = mapped_column(
        Choice(PartnerState), default=PartnerState.ACTIVE, info=col(_l("State"))
    )

    @classmethod
    def offered(cls) -> Any:
        return cls.state == PartnerState.ACTIVE

    branch: Mapped[Branch] = relationship(lazy="select")
    manager: Mapped[Employee | None] = relationship(lazy="select")

    def __str__(self) -> str:
        return self.name


class FileState(Labelled):
    """SM-01."""

    TEMPORARY = "temporary"
    FORMAL = "formal"
    MERGED = "merged"
    FROZEN = "frozen"
    RESTRICTED = "restricted"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {
            cls.TEMPORARY: _l("Temporary file"),
            cls.FORMAL: _l("Formal file"),
            cls.MERGED: _l("Merged"),
            cls.FROZEN: _l("Frozen"),
            cls.RESTRICTED: _l("Restricted"),
        }

    @classmethod
    def tones(cls) -> dict[Any, str]:
        return {cls.TEMPORARY: "info", cls.FORMAL: "ok", cls.FROZEN: "warn", cls.RESTRICTED: "bad"}


class Sex(Labelled):
    """As the customer says."""

    FEMALE = "female"
    MALE = "male"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {cls.FEMALE: _l("Female"), cls.MALE: _l("Male")}


class BirthCalendar(Labelled):
    """By which calendar a birthday is celebrated; the date of birth itself is solar, as on the ID card."""

    SOLAR = "solar"
    LUNAR = "lunar"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {cls.SOLAR: _l("Solar birthday"), cls.LUNAR: _l("Lunar birthday")}


class OwnerRule(Labelled):
    """By what rule a customer belongs to the consultant who developed her (the answer to 撞单)."""

    FIRST_REGISTERED = "first_registered"
    DISPATCHED = "dispatched"
    TRANSFERRED = "transferred"
    INHERITED = "inherited"
    MERGED = "merged"
    SUPPLEMENT = "supplement"
    IMPORTED = "imported"
    RECEIVED = "received"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {
            cls.FIRST_REGISTERED: _l("First registered by"),
            cls.DISPATCHED: _l("Dispatched by a supervisor"),
            cls.TRANSFERRED: _l("Handed over by a supervisor"),
            cls.INHERITED: _l("Taken over from a colleague who left"),
            cls.MERGED: _l("Came with a merged file"),
            cls.SUPPLEMENT: _l("Awarded by a supplementary slip"),
            cls.IMPORTED: _l("Imported from a list"),
            cls.RECEIVED: _l("Received her first"),
        }


class Customer(Stateful, Recorded, Branched, Base):
    """A person, one row for life; the file grows from temporary to formal. SM-01, R-1.2-1."""

    __tablename__ = "customer"
    TITLE, TITLES = _l("Customer"), _l("Customers")
    SCOPE = Scope(branch="branch_id", own=("developer_id", "owner_consultant_id"))
    UNTRAILED = ("id_hash", "search_terms")
    STATES = FileState
    MOVES = {
        FileState.TEMPORARY: {FileState.FORMAL, FileState.MERGED, FileState.RESTRICTED},
        FileState.FORMAL: {FileState.MERGED, FileState.FROZEN, FileState.RESTRICTED},
        FileState.FROZEN: {FileState.FORMAL, FileState.RESTRICTED},
        FileState.MERGED: {FileState.RESTRICTED},
    }
    __table_args__ = (
        one_of("state", FileState),
        one_of("sex", Sex),
        one_of("birth_calendar", BirthCalendar),
        one_of("developer_rule", OwnerRule),
        CheckConstraint("name IS NOT NULL OR alias IS NOT NULL", name="name_or_alias"),
        CheckConstraint("referrer_customer_id <> id", name="no_own_referrer"),
        CheckConstraint(
            "channel_partner_id IS NULL OR referrer_customer_id IS NULL", name="partner_customer_has_no_referrer"
        ),
        CheckConstraint("merged_into_id <> id", name="not_merged_into_itself"),
        CheckConstraint("state <> 'merged' OR merged_into_id IS NOT NULL", name="merged_names_the_kept"),
        CheckConstraint("merged_into_id IS NULL OR state IN ('merged', 'restricted')", name="only_merged_names_a_kept"),
        CheckConstraint("state <> 'restricted' OR restriction_asked_by_id IS NOT NULL", name="restriction_was_asked"),
        Index("ix_customer_search_terms", "search_terms", postgresql_using="gin"),
        Index("ix_customer_developer_id_id", "developer_id", "id"),
        Index("ix_customer_branch_id_id", "branch_id", "id"),
    )

    customer_no: Mapped[str] = mapped_column(String(30), unique=True, info=col(_l("File number"), search=True))
    name: Mapped[str | None] = mapped_column(String(60), info=col(_l("Full name"), search=True))
    alias: Mapped[str | None] = mapped_column(
        String(60), info=col(_l("Alias"), _l("How she calls herself, while the name is not known."), search=True)
    )
    sex: Mapped[Sex | None] = mapped_column(Choice(Sex), info=col(_l("Sex")))
    birth_on: Mapped[date | None] = mapped_column(info=col(_l("Date of birth")))
    birth_year: Mapped[int | None] = mapped_column(SmallInteger, info=col(_l("Year of birth")))
    birth_calendar: Mapped[BirthCalendar | None] = mapped_column(
        Choice(BirthCalendar),
        info=col(_l("Birthday celebrated"), _l("Empty: solar. The lunar day follows from the date of birth.")),
    )
    id_no: Mapped[str | None] = mapped_column(Encrypted, info=col(_l("ID number"), sensitive=True, right="id_no"))
    id_hash: Mapped[str | None] = mapped_column(String(64), index=True)
    occupation: Mapped[str | None] = mapped_column(String(60), info=col(_l("Occupation")))
    area_id: Mapped[int | None] = mapped_column(
        ForeignKey("dictionary_item.id"), info=col(_l("Area"), dictionary="area")
    )
    address: Mapped[str | None] = mapped_column(Encrypted(200), info=col(_l("Address")))
    state: Mapped[FileState] = mapped_column(Choice(FileState), default=FileState.TEMPORARY, info=col(_l("File")))
    source_channel_id: Mapped[int | None] = mapped_column(
        ForeignKey("source_channel.id"), index=True, info=col(_l("Source channel"))
    )
    channel_partner_id: Mapped[int | None] = mapped_column(
        ForeignKey("channel_partner.id"), index=True, info=col(_l("Channel partner"))
    )
    referrer_customer_id: Mapped[int | None] = mapped_column(
        ForeignKey("customer.id"), index=True, info=col(_l("Referred by"))
    )
    developer_id: Mapped[int | None] = mapped_column(
        ForeignKey("employee.id"), info=col(_l("Developed by"), _l("Whose customer she is, by the rule named."))
    )
    developed_at: Mapped[datetime | None] = mapped_column(Instant, info=col(_l("Developed since")))
    developer_rule: Mapped[OwnerRule | None] = mapped_column(Choice(OwnerRule), info=col(_l("By the rule")))
    owner_consultant_id: Mapped[int | None] = mapped_column(
        ForeignKey("employee.id"), index=True, info=col(_l("On-site consultant"))
    )
    first_visit_at: Mapped[datetime | None] = mapped_column(Instant, info=col(_l("First visit")))
    last_visit_at: Mapped[datetime | None] = mapped_column(Instant, info=col(_l("Last visit")))
    followup_note: Mapped[str | None] = mapped_column(
        Encrypted(500), info=col(_l("Mind when calling"), _l("Such as: no calls between 12 and 14."), multiline=True)
    )
    merged_into_id: Mapped[int | None] = mapped_column(
        ForeignKey("customer.id"), index=True, info=col(_l("Merged into"))
    )
    restriction_asked_at: Mapped[datetime | None] = mapped_column(Instant, info=col(_l("Restriction asked for at")))
    restriction_asked_by_id: Mapped[int | None] = mapped_column(
        ForeignKey("employee.id"), info=col(_l("Restriction asked for by"))
    )
    restriction_reason: Mapped[str | None] = mapped_column(Encrypted(500), info=col(_l("Reason for the restriction")))
    pseudonymised_at: Mapped[datetime | None] = mapped_column(Instant, info=col(_l("Pseudonymised at")))
    search_terms: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list, server_default="{}")

    branch: Mapped[Branch] = relationship(lazy="select")
    area: Mapped[DictionaryItem | None] = relationship(lazy="select")
    source_channel: Mapped[SourceChannel | None] = relationship(lazy="select")
    channel_partner: Mapped[ChannelPartner | None] = relationship(lazy="select")
    referrer: Mapped[Customer | None] = relationship(
        foreign_keys=[referrer_customer_id], remote_side="Customer.id", lazy="select"
    )
    merged_into: Mapped[Customer | None] = relationship(
        foreign_keys=[merged_into_id], remote_side="Customer.id", lazy="select"
    )
    restriction_asked_by: Mapped[Employee | None] = relationship(foreign_keys=[restriction_asked_by_id], lazy="select")
    developer: Mapped[Employee | None] = relationship(foreign_keys=[developer_id], lazy="select")
    owner_consultant: Mapped[Employee | None] = relationship(foreign_keys=[owner_consultant_id], lazy="select")
    merged_from: Mapped[list[Customer]] = relationship(
        foreign_keys=[merged_into_id], order_by="Customer.id", viewonly=True, lazy="select"
    )
    contacts: Mapped[list[CustomerContact]] = relationship(
        back_populates="customer", order_by="CustomerContact.id", lazy="select"
    )

    def __str__(self) -> str:
        return self.name or self.alias or self.customer_no

    @classmethod
    def offered(cls) -> Any:
        return cls.state.in_([FileState.TEMPORARY, FileState.FORMAL])

    @property
    def display_name(self) -> str:
        return str(self)

    @property
    def option_hint(self) -> str:
        return f"{self.customer_no} {self.phone_masked}".strip()

    def age_in(self, year: int) -> int | None:
        """Return the age reached in a year, as far as a birth date or year is known."""
        born = self.birth_on.year if self.birth_on else self.birth_year
        return None if born is None else year - born

    @property
    def phone_masked(self) -> str:
        """The first telephone number as shown on screens: ``139****4821``."""
        for contact in self.contacts:
            if contact.kind is ContactKind.PHONE:
                return contact.masked
        return ""


class ContactKind(Labelled):
    """Ways to reach a customer."""

    PHONE = "phone"
    WECHAT = "wechat"
    QQ = "qq"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {cls.PHONE: _l("Telephone"), cls.WECHAT: _l("WeChat"), cls.QQ: _l("QQ")}


class CustomerContact(Recorded, Base):
    """A way to reach a customer: encrypted, shown masked, found by keyed hashes. R-2.1.1-2, R-2.1.1-4."""

    __tablename__ = "customer_contact"
    TITLE, TITLES = _l("Contact"), _l("Contacts")
    SCOPE = Scope(via="customer")
    UNTRAILED = ("value_hash",)
    __table_args__ = (
        UniqueConstraint("customer_id", "kind", "value_hash"),
        Index("ix_customer_contact_kind_hash", "kind", "value_hash"),
        one_of("kind", ContactKind),
    )

    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"), index=True, info=col(_l("Customer")))
    kind: Mapped[ContactKind] = mapped_column(Choice(ContactKind), info=col(_l("Kind")))
    value: Mapped[str] = mapped_column(Encrypted, info=col(_l("Number or account"), sensitive=True))
    value_hash: Mapped[str] = mapped_column(String(64))
    value_tail: Mapped[str] = mapped_column(String(8))
    relation: Mapped[str | None] = mapped_column(
        String(40), info=col(_l("Whose"), _l("Herself, unless said otherwise."))
    )

    customer: Mapped[Customer] = relationship(back_populates="contacts", lazy="select")

    @property
    def masked(self) -> str:
        return mask(self.kind, self.value)

    def __str__(self) -> str:
        return self.masked


def contact_hash(kind: ContactKind, value: str) -> str:
    """Return the keyed hash by which a whole number or account is found again."""
    return ring().digest(f"contact:{kind.value}", value.lower())


def id_hash(number: str) -> str:
    """Return the keyed hash by which an ID number is found again."""
    return ring().digest("id", number.upper())


#: A number long enough to keep its ends: a telephone, an ID number.
LONG_NUMBER = re.compile(r"\+?\d{7,17}[\dXx]")


def mask(kind: ContactKind | None, value: str | None) -> str:
    """Return ``139****4821`` for telephones and ID numbers, the first two and last characters for accounts.

    Without a kind the look of the value decides; R-2.1.1-4.
    """
    if not value:
        return ""
    if kind in (ContactKind.PHONE, None) and LONG_NUMBER.fullmatch(value):
        return f"{value[:3]}****{value[-4:]}"
    return f"{value[:2]}***{value[-1:]}" if len(value) > 3 else "***"


@event.listens_for(Session, "before_flush")
def _keep_search_terms(session: Session, _context: Any, _instances: Any) -> None:
    """Recompute what a customer is found by whenever her names, numbers or contacts change."""
    touched: dict[int, Customer] = {}
    for found in (*session.new, *session.dirty):
        customer = found.customer if isinstance(found, CustomerContact) else found
        if isinstance(customer, Customer) and (found in session.new or session.is_modified(found)):
            touched[id(customer)] = customer
    for customer in touched.values():
        terms = search_terms_of(customer)
        if sorted(customer.search_terms or []) != terms:
            customer.search_terms = terms
        digest = id_hash(customer.id_no) if customer.id_no else None
        if customer.id_hash != digest:
            customer.id_hash = digest


def search_terms_of(customer: Customer) -> list[str]:
    """Return the sorted terms: numbers and names with their pinyin in clear, telephones as keyed hashes.

    What a merged file was found by finds the kept one, and the merged one no more.
    """
    if customer.state is FileState.MERGED:
        return []
    terms: set[str] = set()
    for file in (customer, *customer.merged_from):
        terms |= terms_of_number(file.customer_no)
        for name in (file.name, file.alias):
            terms |= terms_of_name(name or "")
    for contact in customer.contacts if customer.pseudonymised_at is None else ():
        if contact.kind is ContactKind.PHONE:
            terms |= phone_terms(contact.value)
        else:
            terms.add("x:" + contact_hash(contact.kind, contact.value))
    return sorted(terms)
