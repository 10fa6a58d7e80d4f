"""Desks, visits, the form that a customer fills in, and where she was scanned. White paper 2.2, 2.2.6; SM-04."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, String, UniqueConstraint, func, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.appointments import AppointmentSlip
from app.models.base import (
    ALSO_OWN,
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
from app.models.customers import Customer, Sex, SourceChannel
from app.models.hr import Branch, Department, Employee
from app.models.settings import DictionaryItem
from app.words import _l, listed


class ServiceDesk(Recorded, Branched, Retirable, Base):
    """A desk at which customers are received and cards are scanned. White paper 2.2.1, 2.2.2."""

    __tablename__ = "service_desk"
    TITLE, TITLES = _l("Service desk"), _l("Service desks")
    SCOPE = Scope(branch="branch_id")
    __table_args__ = (
        UniqueConstraint("branch_id", "code"),
        CheckConstraint("code ~ '^[A-Z0-9-]{1,20}$'", name="code_plain"),
    )

    code: Mapped[str] = mapped_column(
        String(20), info=col(_l("Code"), _l("Capital letters, digits and hyphens."), search=True)
    )
    name: Mapped[str] = mapped_column(String(60), info=col(_l("Name"), search=True))
    floor: Mapped[str | None] = mapped_column(String(20), info=col(_l("Floor")))
    department_id: Mapped[int | None] = mapped_column(ForeignKey("department.id"), info=col(_l("Department")))
    printer: Mapped[str | None] = mapped_column(String(80), info=col(_l("Printer")))
    is_public: Mapped[bool] = mapped_column(
        default=True, server_default="true", info=col(_l("In public"), _l("Visitors can see its screen."))
    )

    @classmethod
    def offered(cls) -> Any:
        return cls.retired_at.is_(None)

    branch: Mapped[Branch] = relationship(lazy="select")
    department: Mapped[Department | None] = relationship(lazy="select")

    def __str__(self) -> str:
        return self.name


class VisitType(Labelled):
    """接诊类型. White paper 2.2.6, triage SOP S3; GL 46-50."""

    FIRST = "first"
    RETURN = "return"
    REPEAT_PURCHASE = "repeat_purchase"
    RECHECK = "recheck"
    DISPUTE = "dispute"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {
            cls.FIRST: _l("First visit"),
            cls.RETURN: _l("Return visit"),
            cls.REPEAT_PURCHASE: _l("Buys again"),
            cls.RECHECK: _l("Check after treatment"),
            cls.DISPUTE: _l("Complaint visit"),
        }


class VisitState(Labelled):
    """SM-04."""

    REGISTERED = "registered"
    TRIAGED = "triaged"
    IN_CONSULTATION = "in_consultation"
    DEAL = "deal"
    NO_DEAL = "no_deal"
    SERVED = "served"
    IN_SERVICE = "in_service"
    FINISHED = "finished"
    LEFT = "left"
    CANCELLED = "cancelled"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {
            cls.REGISTERED: _l("Registered"),
            cls.TRIAGED: _l("Assigned"),
            cls.IN_CONSULTATION: _l("In consultation"),
            cls.DEAL: _l("Deal"),
            cls.NO_DEAL: _l("No deal"),
            cls.SERVED: _l("Served"),
            cls.IN_SERVICE: _l("In treatment"),
            cls.FINISHED: _l("Finished"),
            cls.LEFT: _l("Has left"),
            cls.CANCELLED: _l("Cancelled"),
        }

    @classmethod
    def tones(cls) -> dict[Any, str]:
        return {
            cls.REGISTERED: "warn",
            cls.TRIAGED: "info",
            cls.IN_CONSULTATION: "info",
            cls.DEAL: "ok",
            cls.SERVED: "ok",
            cls.IN_SERVICE: "info",
        }


class Favour(Labelled):
    """Whether she is a friend of the hospital's leaders or staff, and who pays. Triage SOP S2, R-S2-3."""

    PAID = "paid"
    FREE = "free"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {cls.PAID: _l("Friend of the house, pays"), cls.FREE: _l("Friend of the house, free surgery")}


S = VisitState
_ENDS = {S.DEAL, S.NO_DEAL, S.SERVED}


class Visit(Stateful, Recorded, Branched, Base):
    """到院: one coming to the hospital, from the desk to the door. White paper 2.2.6, 2.23; SM-04.

    ``consultant_id`` is written when she accepts: before that no consultant sees the visit, nor what it is about
    (R-S2-9). ``designated_id``: the doctor whom a referred customer asks for (R-S2-2).
    """

    __tablename__ = "visit"
    TITLE, TITLES = _l("Visit"), _l("Visits")
    SCOPE = Scope(branch="branch_id", department="department_id", own=("consultant_id",))
    LOCK_FIRST = ("customer_id",)
    ALSO_TOLD = ("item_ids",)
    TOLD_ALONE = ("exit_checklist",)
    STATES = VisitState
    MOVES = {
        S.REGISTERED: {S.TRIAGED, S.CANCELLED, S.FINISHED},
        S.TRIAGED: {S.IN_CONSULTATION, S.SERVED, S.CANCELLED, S.REGISTERED, S.FINISHED},
        S.IN_CONSULTATION: _ENDS,
        S.DEAL: {S.IN_SERVICE, S.FINISHED},
        S.IN_SERVICE: {S.FINISHED},
        S.NO_DEAL: {S.FINISHED},
        S.SERVED: {S.FINISHED},
        S.FINISHED: {S.LEFT},
    }
    __table_args__ = (
        one_of("state", VisitState),
        one_of("visit_type", VisitType),
        one_of("favour", Favour),
        CheckConstraint("referrer_customer_id <> customer_id", name="no_own_referrer"),
        CheckConstraint("NOT (is_market AND referrer_customer_id IS NOT NULL)", name="market_has_no_referrer"),
        CheckConstraint("(state IN ('left', 'cancelled')) = (closed_at IS NOT NULL)", name="closed_recorded"),
        CheckConstraint("(state = 'left') = (left_at IS NOT NULL)", name="leaving_recorded"),
        CheckConstraint("state <> 'cancelled' OR cancel_reason IS NOT NULL", name="cancel_has_reason"),
        CheckConstraint("left_at IS NULL OR left_at >= arrived_at", name="left_after_arrival"),
        CheckConstraint("companion_count BETWEEN 0 AND 99", name="companions_bounds"),
        Index(
            "uq_visit_open_customer",
            "branch_id",
            "customer_id",
            unique=True,
            postgresql_where=text("closed_at IS NULL"),
        ),
        Index("ix_visit_branch_arrived", "branch_id", "arrived_at"),
        Index("ix_visit_consultant_arrived", "consultant_id", "arrived_at"),
        Index("ix_visit_department_arrived", "department_id", "arrived_at"),
        Index("ix_visit_open", "branch_id", "state", postgresql_where=text("closed_at IS NULL")),
    )

    visit_no: Mapped[str] = mapped_column(String(30), unique=True, info=col(_l("Visit number"), search=True))
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"), index=True, info=col(_l("Customer")))
    appointment_slip_id: Mapped[int | None] = mapped_column(
        ForeignKey("appointment_slip.id"), unique=True, info=col(_l("Appointment slip"))
    )
    visit_type: Mapped[VisitType] = mapped_column(Choice(VisitType), info=col(_l("Type of visit")))
    state: Mapped[VisitState] = mapped_column(Choice(VisitState), default=VisitState.REGISTERED, info=col(_l("State")))
    arrived_at: Mapped[datetime] = mapped_column(Instant, info=col(_l("Arrived at")))
    is_late: Mapped[bool] = mapped_column(default=False, server_default="false", info=col(_l("Came late")))
    received_by_id: Mapped[int | None] = mapped_column(ForeignKey("employee.id"), info=col(_l("Received by")))
    desk_id: Mapped[int | None] = mapped_column(ForeignKey("service_desk.id"), info=col(_l("Service desk")))
    source_channel_id: Mapped[int | None] = mapped_column(ForeignKey("source_channel.id"), info=col(_l("Source")))
    is_market: Mapped[bool] = mapped_column(
        default=False, server_default="false", info=col(_l("Placed by the market department"))
    )
    referrer_customer_id: Mapped[int | None] = mapped_column(
        ForeignKey("customer.id"), index=True, info=col(_l("Referred by"))
    )
    favour: Mapped[Favour | None] = mapped_column(Choice(Favour), info=col(_l("Friend of the house")))
    is_from_dental: Mapped[bool] = mapped_column(
        default=False, server_default="false", info=col(_l("Sent by the dental department"))
    )
    designated_id: Mapped[int | None] = mapped_column(ForeignKey("employee.id"), info=col(_l("Asks for")))
    companion_count: Mapped[int] = mapped_column(
        SmallInteger, default=0, server_default="0", info=col(_l("Companions"))
    )
    remark: Mapped[str | None] = mapped_column(Encrypted(500), info=col(_l("Remark"), multiline=True))

    consultant_id: Mapped[int | None] = mapped_column(ForeignKey("employee.id"), info=col(_l("Consultant")))
    department_id: Mapped[int | None] = mapped_column(ForeignKey("department.id"), info=col(_l("Department")))
    triaged_at: Mapped[datetime | None] = mapped_column(Instant, info=col(_l("Assigned at")))
    left_at: Mapped[datetime | None] = mapped_column(Instant, info=col(_l("Left at")))
    escort_id: Mapped[int | None] = mapped_column(ForeignKey("employee.id"), info=col(_l("Escorted by")))
    exit_checklist: Mapped[list[dict[str, Any]] | None] = mapped_column(JSONB)
    closed_at: Mapped[datetime | None] = mapped_column(Instant, info=col(_l("Closed at")))
    cancel_reason: Mapped[str | None] = mapped_column(String(500), info=col(_l("Reason for cancelling")))

    branch: Mapped[Branch] = relationship(lazy="select")
    customer: Mapped[Customer] = relationship(foreign_keys=[customer_id], lazy="select")
    referrer_customer: Mapped[Customer | None] = relationship(foreign_keys=[referrer_customer_id], lazy="select")
    appointment_slip: Mapped[AppointmentSlip | None] = relationship(lazy="select")
    source_channel: Mapped[SourceChannel | None] = relationship(lazy="select")
    desk: Mapped[ServiceDesk | None] = relationship(lazy="select")
    received_by: Mapped[Employee | None] = relationship(foreign_keys=[received_by_id], lazy="select")
    designated: Mapped[Employee | None] = relationship(foreign_keys=[designated_id], lazy="select")
    consultant: Mapped[Employee | None] = relationship(foreign_keys=[consultant_id], lazy="select")
    department: Mapped[Department | None] = relationship(lazy="select")
    escort: Mapped[Employee | None] = relationship(foreign_keys=[escort_id], lazy="select")
    item_links: Mapped[list[VisitItem]] = relationship(
        back_populates="visit", lazy="select", order_by="VisitItem.id", cascade="save-update, merge"
    )

    @property
    def item_ids(self) -> list[int]:
        return [link.item_id for link in self.item_links]

    @property
    def items_text(self) -> str:
        return listed([str(link.item) for link in self.item_links])

    @property
    def is_open(self) -> bool:
        return self.closed_at is None

    def __str__(self) -> str:
        return self.visit_no


class VisitItem(Base):
    """What a visit is about; several per visit."""

    __tablename__ = "visit_item"
    TITLE, TITLES = _l("Item of a visit"), _l("Items of visits")
    SCOPE = Scope(via="visit")
    __table_args__ = (UniqueConstraint("visit_id", "item_id"),)

    visit_id: Mapped[int] = mapped_column(ForeignKey("visit.id"), info=col(_l("Visit")))
    item_id: Mapped[int] = mapped_column(
        ForeignKey("dictionary_item.id"), info=col(_l("Item"), dictionary="appointment_item")
    )

    visit: Mapped[Visit] = relationship(back_populates="item_links", lazy="select")
    item: Mapped[DictionaryItem] = relationship(lazy="select")

    def __str__(self) -> str:
        return str(self.item)


class ReceptionForm(Recorded, Branched, Base):
    """接诊表/初诊表: what the customer wrote, as triage entered it. Triage SOP S1, white paper 2.2.6; GL 36.

    ``form_no`` is the barcode that is printed on the paper; it belongs to one visit for good (R-2.2.6-2).
    """

    __tablename__ = "reception_form"
    TITLE, TITLES = _l("Reception form"), _l("Reception forms")
    SCOPE = Scope(via="visit")
    __table_args__ = (
        one_of("sex", Sex),
        CheckConstraint("age BETWEEN 0 AND 120", name="age_bounds"),
        CheckConstraint("(referrer_name IS NULL) = (referrer_phone IS NULL)", name="referrer_whole"),
    )

    form_no: Mapped[str] = mapped_column(String(30), unique=True, info=col(_l("Form number"), search=True))
    visit_id: Mapped[int] = mapped_column(ForeignKey("visit.id"), unique=True, info=col(_l("Visit")))
    name: Mapped[str] = mapped_column(String(60), info=col(_l("Full name"), search=True))
    sex: Mapped[Sex] = mapped_column(Choice(Sex), info=col(_l("Sex")))
    age: Mapped[int] = mapped_column(SmallInteger, info=col(_l("Age")))
    phone: Mapped[str] = mapped_column(Encrypted, info=col(_l("Telephone"), sensitive=True))
    area_id: Mapped[int | None] = mapped_column(
        ForeignKey("dictionary_item.id"), info=col(_l("Area"), dictionary="area")
    )
    address: Mapped[str] = mapped_column(Encrypted(200), info=col(_l("Address")))
    occupation: Mapped[str | None] = mapped_column(String(60), info=col(_l("Occupation")))
    has_appointment: Mapped[bool] = mapped_column(info=col(_l("With an appointment")))
    source_channel_id: Mapped[int] = mapped_column(ForeignKey("source_channel.id"), info=col(_l("How she knows us")))
    referrer_name: Mapped[str | None] = mapped_column(String(60), info=col(_l("Referrer's name")))
    referrer_phone: Mapped[str | None] = mapped_column(Encrypted, info=col(_l("Referrer's telephone"), sensitive=True))
    expectation: Mapped[str | None] = mapped_column(Encrypted, info=col(_l("Expectations and worries"), multiline=True))
    health_note: Mapped[str | None] = mapped_column(
        Encrypted, info=col(_l("Allergies, medicines, pregnancy, surgery"), multiline=True, right="medical")
    )
    signed_at: Mapped[datetime | None] = mapped_column(Instant, info=col(_l("Signed at")))
    registered_at: Mapped[datetime] = mapped_column(Instant, info=col(_l("Entered at")))
    registered_by_id: Mapped[int | None] = mapped_column(ForeignKey("employee.id"), info=col(_l("Entered by")))

    branch: Mapped[Branch] = relationship(lazy="select")
    visit: Mapped[Visit] = relationship(lazy="select")
    area: Mapped[DictionaryItem | None] = relationship(lazy="select")
    source_channel: Mapped[SourceChannel] = relationship(lazy="select")
    registered_by: Mapped[Employee | None] = relationship(lazy="select")

    @property
    def customer(self) -> Customer:
        return self.visit.customer

    def __str__(self) -> str:
        return self.form_no


class VisitCheckpoint(Base):
    """Where a visit was scanned, and when; waiting times are read from it. White paper 2.2.2."""

    __tablename__ = "visit_checkpoint"
    TITLE, TITLES = _l("Checkpoint"), _l("Checkpoints")
    SCOPE = Scope(via="visit")
    APPEND_ONLY = True
    __table_args__ = (Index("ix_visit_checkpoint_visit", "visit_id", "scanned_at"),)

    visit_id: Mapped[int] = mapped_column(ForeignKey("visit.id"), info=col(_l("Visit")))
    desk_id: Mapped[int] = mapped_column(ForeignKey("service_desk.id"), index=True, info=col(_l("Service desk")))
    scanned_at: Mapped[datetime] = mapped_column(Instant, info=col(_l("Scanned at")))
    scanned_by_id: Mapped[int | None] = mapped_column(ForeignKey("employee.id"), info=col(_l("Scanned by")))
    created_at: Mapped[datetime] = mapped_column(Instant, server_default=func.now(), nullable=False)

    visit: Mapped[Visit] = relationship(lazy="select")
    desk: Mapped[ServiceDesk] = relationship(lazy="select")
    scanned_by: Mapped[Employee | None] = relationship(lazy="select")


def _customers_of_my_open_visits(model: Any, employee_id: int) -> Any:
    """A consultant who accepted a visit sees its customer, whoever developed or advises her. White paper 2.4."""
    return model.id.in_(select(Visit.customer_id).where(Visit.consultant_id == employee_id, Visit.closed_at.is_(None)))


ALSO_OWN.setdefault("customer", []).append(_customers_of_my_open_visits)
