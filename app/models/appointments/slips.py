"""Contact records and appointment slips. White paper 2.1.1-2.1.3; SM-02; GL 14-26."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, String, or_, select, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import (
    ALSO_OWN,
    Base,
    Branched,
    Choice,
    Encrypted,
    Instant,
    Labelled,
    Recorded,
    Scope,
    Stateful,
    col,
    one_of,
)
from app.models.customers import ChannelPartner, ContactKind, Customer, mask
from app.models.hr import Branch, Department, Employee
from app.models.settings import DictionaryItem
from app.words import _l, listed

if TYPE_CHECKING:
    from app.models.appointments.supplements import AppointmentSupplementRequest


class Channel(Labelled):
    """The ways in which a contact comes about, each with its desk. White paper 2.1."""

    PHONE = "phone"
    WEB_CHAT = "web_chat"
    PARTNER = "partner"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {cls.PHONE: _l("Telephone"), cls.WEB_CHAT: _l("Web chat"), cls.PARTNER: _l("Partner")}


class Answered(Labelled):
    """What became of the ringing."""

    ANSWERED = "answered"
    MISSED = "missed"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {cls.ANSWERED: _l("Answered"), cls.MISSED: _l("Missed call")}


class ContactRecord(Recorded, Branched, Base):
    """A call, a chat or a partner's lead: every one is registered, also the wrong number. R-2.1.1-1."""

    __tablename__ = "contact_record"
    TITLE, TITLES = _l("Contact record"), _l("Contact records")
    SCOPE = Scope(branch="branch_id", department="department_id", own=("consultant_id",))
    UNTRAILED = ("caller_hash",)
    __table_args__ = (
        one_of("channel", Channel),
        CheckConstraint("(channel = 'partner') = (channel_partner_id IS NOT NULL)", name="partner_named"),
        CheckConstraint(
            "channel_partner_id IS NULL OR referrer_customer_id IS NULL", name="partner_contact_has_no_referrer"
        ),
        CheckConstraint("answered_at IS NULL OR missed_at IS NULL", name="answered_or_missed"),
        Index("ix_contact_record_consultant_contacted", "consultant_id", "contacted_at"),
        Index("ix_contact_record_branch_contacted", "branch_id", "channel", "contacted_at"),
    )

    record_no: Mapped[str] = mapped_column(String(30), unique=True, info=col(_l("Record number"), search=True))
    channel: Mapped[Channel] = mapped_column(Choice(Channel), info=col(_l("Channel")))
    contacted_at: Mapped[datetime] = mapped_column(Instant, info=col(_l("When")))
    business_category_id: Mapped[int] = mapped_column(
        ForeignKey("dictionary_item.id"), info=col(_l("Business category"), dictionary="business_category")
    )
    content: Mapped[str | None] = mapped_column(Encrypted, info=col(_l("Content"), multiline=True))
    outcome: Mapped[str | None] = mapped_column(Encrypted, info=col(_l("Result"), multiline=True))
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customer.id"), index=True, info=col(_l("Customer")))
    consultant_id: Mapped[int | None] = mapped_column(ForeignKey("employee.id"), info=col(_l("Consultant")))
    department_id: Mapped[int | None] = mapped_column(
        ForeignKey("department.id"), index=True, info=col(_l("Department"))
    )

    caller_no: Mapped[str | None] = mapped_column(Encrypted, info=col(_l("Caller's number"), sensitive=True))
    caller_hash: Mapped[str | None] = mapped_column(String(64), index=True)
    call_id: Mapped[str | None] = mapped_column(String(80), info=col(_l("Call identifier")))
    ring_count: Mapped[int | None] = mapped_column(SmallInteger, info=col(_l("Rings before the answer")))
    answered_at: Mapped[datetime | None] = mapped_column(Instant, info=col(_l("Answered at")))
    missed_at: Mapped[datetime | None] = mapped_column(Instant, info=col(_l("Missed at")))
    recording_url: Mapped[str | None] = mapped_column(String(400), info=col(_l("Recording")))

    chat_id: Mapped[str | None] = mapped_column(String(80), info=col(_l("Chat identifier")))
    landing_page: Mapped[str | None] = mapped_column(String(400), info=col(_l("Landing page")))
    keyword: Mapped[str | None] = mapped_column(String(120), info=col(_l("Keyword")))
    chat_text: Mapped[str | None] = mapped_column(Encrypted, info=col(_l("Chat"), multiline=True, right="medical"))
    lead_quality_id: Mapped[int | None] = mapped_column(
        ForeignKey("dictionary_item.id"), info=col(_l("Quality of the lead"), dictionary="lead_quality")
    )

    channel_partner_id: Mapped[int | None] = mapped_column(
        ForeignKey("channel_partner.id"), index=True, info=col(_l("Channel partner"))
    )
    referrer_customer_id: Mapped[int | None] = mapped_column(ForeignKey("customer.id"), info=col(_l("Referred by")))

    branch: Mapped[Branch] = relationship(lazy="select")
    business_category: Mapped[DictionaryItem] = relationship(foreign_keys=[business_category_id], lazy="select")
    lead_quality: Mapped[DictionaryItem | None] = relationship(foreign_keys=[lead_quality_id], lazy="select")
    customer: Mapped[Customer | None] = relationship(foreign_keys=[customer_id], lazy="select")
    referrer: Mapped[Customer | None] = relationship(foreign_keys=[referrer_customer_id], lazy="select")
    consultant: Mapped[Employee | None] = relationship(lazy="select")
    department: Mapped[Department | None] = relationship(lazy="select")
    channel_partner: Mapped[ChannelPartner | None] = relationship(lazy="select")

    @property
    def caller_masked(self) -> str:
        return mask(ContactKind.PHONE, self.caller_no)

    def __str__(self) -> str:
        return self.record_no


class SlipState(Labelled):
    """SM-02. A replaced slip is shown as void: the law of the house calls it 作废 (R-2.1.3-4)."""

    PENDING = "pending"
    ARRIVED = "arrived"
    COMPLETED = "completed"
    VOIDED = "voided"
    REPLACED = "replaced"
    EXPIRED = "expired"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {
            cls.PENDING: _l("Awaited"),
            cls.ARRIVED: _l("Arrived"),
            cls.COMPLETED: _l("Completed"),
            cls.VOIDED: _l("Voided"),
            cls.REPLACED: _l("Void (redone)"),
            cls.EXPIRED: _l("Lapsed"),
        }

    @classmethod
    def tones(cls) -> dict[Any, str]:
        return {cls.PENDING: "info", cls.ARRIVED: "ok", cls.COMPLETED: "ok", cls.EXPIRED: "warn"}


class Intention(Labelled):
    """客户意向度, REF-2."""

    A = "A"
    B = "B"
    C = "C"
    D = "D"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {
            cls.A: _l("A: will come within a week"),
            cls.B: _l("B: within a month"),
            cls.C: _l("C: comparing"),
            cls.D: _l("D: only asking"),
        }


class AppointmentSlipItem(Base):
    """What a slip is about; several per slip."""

    __tablename__ = "appointment_slip_item"
    TITLE, TITLES = _l("Item of a slip"), _l("Items of slips")
    SCOPE = Scope(via="slip")
    __table_args__ = (Index("uq_appointment_slip_item", "slip_id", "item_id", unique=True),)

    slip_id: Mapped[int] = mapped_column(ForeignKey("appointment_slip.id"), info=col(_l("Appointment slip")))
    item_id: Mapped[int] = mapped_column(
        ForeignKey("dictionary_item.id"), info=col(_l("Item"), dictionary="appointment_item")
    )

    slip: Mapped[AppointmentSlip] = relationship(back_populates="item_links", lazy="select")
    item: Mapped[DictionaryItem] = relationship(lazy="select")

    def __str__(self) -> str:
        return str(self.item)


class AppointmentSlip(Stateful, Recorded, Branched, Base):
    """A promise that a customer will come, and whose customer she is. White paper 2.1.2-2.1.3, SM-02."""

    __tablename__ = "appointment_slip"
    TITLE, TITLES = _l("Appointment slip"), _l("Appointment slips")
    SCOPE = Scope(branch="branch_id", department="department_id", own=("owner_id", "preferred_consultant_id"))
    LOCK_FIRST = ("customer_id",)
    ALSO_TOLD = ("item_ids",)
    STATES = SlipState
    MOVES = {
        SlipState.PENDING: {SlipState.ARRIVED, SlipState.VOIDED, SlipState.REPLACED, SlipState.EXPIRED},
        SlipState.EXPIRED: {SlipState.ARRIVED, SlipState.VOIDED, SlipState.REPLACED},
        SlipState.ARRIVED: {SlipState.COMPLETED, SlipState.PENDING},
    }
    __table_args__ = (
        one_of("state", SlipState),
        one_of("channel", Channel),
        one_of("intention", Intention),
        CheckConstraint("latest_arrival_at >= appointed_at", name="latest_after_appointed"),
        CheckConstraint("supersedes_id <> id", name="supersedes_another"),
        CheckConstraint("(state IN ('arrived', 'completed')) = (arrived_at IS NOT NULL)", name="arrival_recorded"),
        CheckConstraint("state <> 'voided' OR void_reason IS NOT NULL", name="void_has_reason"),
        CheckConstraint("companion_count BETWEEN 0 AND 99", name="companions_bounds"),
        Index("ix_appointment_slip_owner_id_id", "owner_id", "id"),
        Index("ix_appointment_slip_department_id_id", "department_id", "id"),
        Index("ix_appointment_slip_branch_appointed", "branch_id", "appointed_at"),
        Index("ix_appointment_slip_branch_ordered", "branch_id", "ordered_at"),
        Index("ix_appointment_slip_open_latest", "latest_arrival_at", postgresql_where=text("state = 'pending'")),
        Index("ix_appointment_slip_open_customer", "customer_id", postgresql_where=text("state = 'pending'")),
    )

    slip_no: Mapped[str] = mapped_column(String(30), unique=True, info=col(_l("Slip number"), search=True))
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"), index=True, info=col(_l("Customer")))
    contact_record_id: Mapped[int | None] = mapped_column(
        ForeignKey("contact_record.id"), index=True, info=col(_l("Contact record"))
    )
    channel: Mapped[Channel] = mapped_column(Choice(Channel), info=col(_l("Channel")))
    state: Mapped[SlipState] = mapped_column(Choice(SlipState), default=SlipState.PENDING, info=col(_l("State")))
    appointed_at: Mapped[datetime] = mapped_column(Instant, info=col(_l("Appointed for")))
    latest_arrival_at: Mapped[datetime] = mapped_column(Instant, info=col(_l("Latest arrival")))
    intention: Mapped[Intention] = mapped_column(Choice(Intention), info=col(_l("Intention")))
    target_department_id: Mapped[int | None] = mapped_column(
        ForeignKey("department.id"), info=col(_l("For the department"))
    )
    preferred_consultant_id: Mapped[int | None] = mapped_column(
        ForeignKey("employee.id"), index=True, info=col(_l("Wished consultant"))
    )
    preferred_doctor_id: Mapped[int | None] = mapped_column(ForeignKey("employee.id"), info=col(_l("Wished doctor")))
    need_text: Mapped[str | None] = mapped_column(Encrypted, info=col(_l("Needs and what was said"), multiline=True))
    quoted_text: Mapped[str | None] = mapped_column(Encrypted, info=col(_l("Promises and prices"), multiline=True))
    companion_count: Mapped[int] = mapped_column(
        SmallInteger, default=0, server_default="0", info=col(_l("Companions"))
    )
    remark: Mapped[str | None] = mapped_column(Encrypted(500), info=col(_l("Remark")))

    owner_id: Mapped[int] = mapped_column(ForeignKey("employee.id"), info=col(_l("Owner")))
    department_id: Mapped[int] = mapped_column(ForeignKey("department.id"), info=col(_l("Owner's department")))
    first_owner_id: Mapped[int] = mapped_column(ForeignKey("employee.id"), info=col(_l("First owner")))
    placed_by_id: Mapped[int] = mapped_column(ForeignKey("employee.id"), info=col(_l("Placed by")))
    ordered_at: Mapped[datetime] = mapped_column(Instant, info=col(_l("Placed at")))
    first_ordered_at: Mapped[datetime] = mapped_column(
        Instant, info=col(_l("First placed"), _l("Kept when a slip is redone."))
    )
    supersedes_id: Mapped[int | None] = mapped_column(
        ForeignKey("appointment_slip.id"), unique=True, info=col(_l("Redone from"))
    )
    root_slip_id: Mapped[int | None] = mapped_column(
        ForeignKey("appointment_slip.id"), index=True, info=col(_l("First slip of the chain"))
    )
    is_supplement: Mapped[bool] = mapped_column(default=False, server_default="false", info=col(_l("Supplementary")))

    arrived_at: Mapped[datetime | None] = mapped_column(Instant, index=True, info=col(_l("Arrived at")))
    guide_id: Mapped[int | None] = mapped_column(ForeignKey("employee.id"), info=col(_l("Received by")))
    completed_at: Mapped[datetime | None] = mapped_column(Instant, info=col(_l("Completed at")))
    expired_at: Mapped[datetime | None] = mapped_column(Instant, index=True, info=col(_l("Lapsed at")))
    closed_at: Mapped[datetime | None] = mapped_column(Instant, index=True, info=col(_l("Void since")))
    void_reason: Mapped[str | None] = mapped_column(info=col(_l("Reason for voiding")))

    branch: Mapped[Branch] = relationship(lazy="select")
    customer: Mapped[Customer] = relationship(lazy="select")
    contact_record: Mapped[ContactRecord | None] = relationship(lazy="select")
    owner: Mapped[Employee] = relationship(foreign_keys=[owner_id], lazy="select")
    first_owner: Mapped[Employee] = relationship(foreign_keys=[first_owner_id], lazy="select")
    placed_by: Mapped[Employee] = relationship(foreign_keys=[placed_by_id], lazy="select")
    guide: Mapped[Employee | None] = relationship(foreign_keys=[guide_id], lazy="select")
    preferred_consultant: Mapped[Employee | None] = relationship(foreign_keys=[preferred_consultant_id], lazy="select")
    preferred_doctor: Mapped[Employee | None] = relationship(foreign_keys=[preferred_doctor_id], lazy="select")
    department: Mapped[Department] = relationship(foreign_keys=[department_id], lazy="select")
    target_department: Mapped[Department | None] = relationship(foreign_keys=[target_department_id], lazy="select")
    supersedes: Mapped[AppointmentSlip | None] = relationship(
        foreign_keys=[supersedes_id], remote_side="AppointmentSlip.id", back_populates="replaced_by", lazy="select"
    )
    replaced_by: Mapped[AppointmentSlip | None] = relationship(
        foreign_keys=[supersedes_id], back_populates="supersedes", uselist=False, lazy="select"
    )
    root_slip: Mapped[AppointmentSlip | None] = relationship(
        foreign_keys=[root_slip_id], remote_side="AppointmentSlip.id", lazy="select"
    )
    supplement_request: Mapped[AppointmentSupplementRequest | None] = relationship(
        back_populates="resulting_slip", uselist=False, lazy="select"
    )
    item_links: Mapped[list[AppointmentSlipItem]] = relationship(
        back_populates="slip", order_by="AppointmentSlipItem.id", lazy="select"
    )

    @property
    def phone_masked(self) -> str:
        return self.customer.phone_masked

    @property
    def item_ids(self) -> list[int]:
        return [link.item_id for link in self.item_links]

    @property
    def items_text(self) -> str:
        return listed(link.item for link in self.item_links)

    @property
    def is_late(self) -> bool:
        """Arrived after the latest arrival that was agreed."""
        return self.arrived_at is not None and self.arrived_at > self.latest_arrival_at

    def __str__(self) -> str:
        return self.slip_no


def _customers_of_my_open_slips(model: Any, employee_id: int) -> Any:
    """A consultant to whom a slip was handed sees its customer, though another developed her."""
    mine = (
        select(AppointmentSlip.customer_id)
        .where(AppointmentSlip.state.in_([SlipState.PENDING, SlipState.EXPIRED, SlipState.ARRIVED]))
        .where(or_(AppointmentSlip.owner_id == employee_id, AppointmentSlip.preferred_consultant_id == employee_id))
    )
    return model.id.in_(mine)


ALSO_OWN.setdefault("customer", []).append(_customers_of_my_open_slips)
