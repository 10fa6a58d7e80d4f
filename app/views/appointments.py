"""服务工作站 → 预约管理: the desks, the slips. White paper 2.1."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any

from app.actors import Actor
from app.extensions import db
from app.models.appointments import AppointmentSlip, AppointmentSlipItem, Channel, ContactRecord, SlipState
from app.panel.cards import Shows, card
from app.panel.codes import Code
from app.panel.house_view import HouseView, Related, Sub, Tab
from app.panel.interface import HouseInterface
from app.panel.pages import RelatedTab
from app.panel.recording import table_of
from app.panel.registry import Registrar
from app.services.appointments import chain_of
from app.views.arrivals import ArrivalsBoard
from app.words import _l

CRUMBS = (_l("Service workstation"), _l("Appointments"))
SLIP_COLUMNS = ("slip_no", "customer", "state", "appointed_at", "items_text", "intention", "channel", "owner")
SLIP_EAGER = ("customer.contacts", "owner", "item_links.item", "department")


def _day(by: Actor, now: datetime, days: int = 0) -> tuple[datetime, datetime]:
    """Return the bounds of a branch's day, so many days from today."""
    day = now.astimezone(by.timezone).date() + timedelta(days=days)
    start = datetime.combine(day, time.min, by.timezone)
    return start, datetime.combine(day + timedelta(days=1), time.min, by.timezone)


def _on(column: Any, days: int = 0) -> Any:
    def condition(by: Actor, now: datetime) -> Any:
        start, end = _day(by, now, days)
        return (column >= start) & (column < end)

    return condition


def _ordinary(column: Any) -> Any:
    """Return the condition of a day's slips by one of their times, without supplementary ones."""
    on = _on(column)
    return lambda by, now: on(by, now) & AppointmentSlip.is_supplement.is_(False)


def _awaited(_by: Actor, _now: datetime) -> Any:
    return AppointmentSlip.state == SlipState.PENDING


class ContactRecordView(HouseView):
    """Every contact; the desks show their channel."""

    barcode = "record_no"
    datamodel = HouseInterface(ContactRecord)
    codes = (Code("record_no"),)
    quick = (Tab("all", _l("All")), Tab("today", _l("Today"), _on(ContactRecord.contacted_at)))
    crumbs = CRUMBS
    list_columns = ("record_no", "contacted_at", "channel", "business_category", "customer", "consultant")
    show_sections = (
        (_l("Contact record"), ("channel", "contacted_at", "business_category", "consultant", "content", "outcome")),
        (_l("Call"), ("caller_masked", "ring_count", "answered_at", "missed_at")),
        (_l("Chat"), ("chat_id", "landing_page", "keyword", "lead_quality", "chat_text")),
        (_l("Customer"), ("customer", "channel_partner")),
    )
    labels = {"caller_masked": _l("Caller's number")}
    order_columns = ("record_no", "contacted_at")
    filters = ("channel", "business_category_id", "contacted_at")
    record_eager = ("lead_quality", "channel_partner")
    search_through = "customer"
    related = (
        Related(
            "appointment_slip",
            "contact_record_id",
            _l("Appointment slips"),
            ("slip_no", "state", "appointed_at", "owner"),
            SLIP_EAGER,
        ),
        Related(
            "followup_plan",
            "contact_record_id",
            _l("Follow-up plans"),
            ("category", "planned_at", "state", "executor"),
            ("category", "executor", "customer"),
        ),
    )


class _Desk(HouseView):
    """接待列表: a channel's contacts, one's own of today first."""

    datamodel = HouseInterface(ContactRecord)
    canonical = False
    crumbs = CRUMBS
    channel: Channel
    list_columns = (
        "record_no",
        "contacted_at",
        "caller_masked",
        "business_category",
        "customer",
        "outcome",
        "consultant",
    )
    labels = {"caller_masked": _l("Caller's number")}
    order_columns = ("contacted_at",)
    filters = ("business_category_id", "contacted_at")
    search_through = "customer"
    default_order = "contacted_at"
    quick = (
        Tab(
            "today",
            _l("Mine today"),
            lambda by, now: (ContactRecord.consultant_id == by.employee_id) & _on(ContactRecord.contacted_at)(by, now),
        ),
        Tab("mine", _l("All mine"), lambda by, now: ContactRecord.consultant_id == by.employee_id),
        Tab("all", _l("All that I may see")),
    )

    def conditions(self, by: Actor) -> list[Any]:
        return [ContactRecord.channel == self.channel]


class PhoneDeskView(_Desk):
    """电话预约, 2.1.1.1."""

    page = "phone_desk"
    title = _l("Phone appointments")
    channel = Channel.PHONE
    head_acts = ("contact_record.register_call", "customer.register_temporary", "appointment_slip.place")


class WebDeskView(_Desk):
    """网络预约, 2.1.1.2."""

    page = "web_desk"
    title = _l("Web appointments")
    channel = Channel.WEB_CHAT
    list_columns = ("record_no", "contacted_at", "business_category", "keyword", "customer", "outcome", "consultant")
    head_acts = ("contact_record.register_chat", "customer.register_temporary", "appointment_slip.place")


class PartnerDeskView(_Desk):
    """渠道预约, 2.1.1.3."""

    page = "partner_desk"
    title = _l("Partner appointments")
    channel = Channel.PARTNER
    list_columns = (
        "record_no",
        "contacted_at",
        "channel_partner",
        "business_category",
        "customer",
        "outcome",
        "consultant",
    )
    head_acts = ("contact_record.register_lead", "customer.register_temporary", "appointment_slip.place")


class _SlipList(HouseView):
    """What every list of slips shares."""

    datamodel = HouseInterface(AppointmentSlip)
    crumbs = CRUMBS
    list_columns = SLIP_COLUMNS
    labels = {"items_text": _l("Items")}
    subs = {
        "customer": Sub("customer.phone_masked"),
        "appointed_at": Sub("latest_arrival_at", _l("until %(value)s")),
        "owner": Sub("department"),
    }
    order_columns = ("slip_no", "appointed_at")
    filters = ("state", "channel", "intention", "owner_id", "appointed_at")
    eager = SLIP_EAGER
    search_through = "customer"
    quick = (
        Tab("all", _l("All")),
        Tab("awaited", _l("Awaited"), _awaited),
        Tab("today", _l("Today"), _on(AppointmentSlip.appointed_at)),
        Tab("tomorrow", _l("Tomorrow"), _on(AppointmentSlip.appointed_at, 1)),
    )


class AppointmentSlipView(_SlipList):
    """The slip itself, and every slip that one may see. Supplementary slips are counted apart. R-2.1.3-5."""

    codes = (Code("slip_no"),)
    quick = (
        *_SlipList.quick,
        Tab("due", _l("Awaited today"), lambda by, now: _awaited(by, now) & _on(AppointmentSlip.appointed_at)(by, now)),
        Tab("placed", _l("Placed today"), _ordinary(AppointmentSlip.ordered_at)),
        Tab("arrived", _l("Arrived today"), _ordinary(AppointmentSlip.arrived_at)),
    )

    barcode = "slip_no"
    record_eager = (
        "preferred_consultant",
        "preferred_doctor",
        "target_department",
        "first_owner",
        "placed_by",
        "guide",
        "contact_record",
        "supersedes",
        "replaced_by",
        "supplement_request",
        "branch",
    )
    show_sections = (
        (
            _l("Appointment"),
            (
                "appointed_at",
                "latest_arrival_at",
                "intention",
                "items_text",
                "channel",
                "companion_count",
                "target_department",
                "preferred_consultant",
                "preferred_doctor",
                "need_text",
                "quoted_text",
                "remark",
            ),
        ),
        (_l("Customer"), ("customer", "phone_masked", "contact_record")),
        (
            _l("Attribution"),
            (
                "owner",
                "department",
                "placed_by",
                "ordered_at",
                "first_owner",
                "first_ordered_at",
                "supersedes",
                "replaced_by",
                "supplement_request",
            ),
        ),
        (_l("What became of it"), ("arrived_at", "guide", "completed_at", "expired_at", "closed_at", "void_reason")),
    )
    labels = {
        "items_text": _l("Items"),
        "phone_masked": _l("Telephone"),
        "replaced_by": _l("Redone as"),
        "supplement_request": _l("Supplementary slip"),
    }

    def extra_tabs(self, record: Any, by: Actor) -> list[RelatedTab]:
        """单据链: every slip of the chain, the first one first. R-2.1.3-4."""
        slips = chain_of(db.session(), record)
        columns = ("slip_no", "state", "appointed_at", "ordered_at", "owner")
        return [RelatedTab("chain", str(_l("Chain of this slip")), table_of(self, slips, by, columns), len(slips))]

    def banners(self, record: Any, by: Actor) -> list[tuple[str, str]]:
        told = []
        if record.is_supplement:
            told.append(("info", str(_l("Supplementary slip: made after the arrival and counted apart."))))
        if record.is_late:
            told.append(("warn", str(_l("The customer came after the latest arrival agreed."))))
        return told

    related = (
        Related(
            "followup_plan",
            "appointment_slip_id",
            _l("Follow-up plans"),
            ("category", "planned_at", "state", "executor"),
            ("category", "executor", "customer"),
        ),
    )


class MySlipsView(_SlipList):
    """个人预约单查询."""

    canonical = False
    page = "my_slips"
    title = _l("My appointment slips")

    def conditions(self, by: Actor) -> list[Any]:
        return [
            (AppointmentSlip.owner_id == by.employee_id) | (AppointmentSlip.preferred_consultant_id == by.employee_id)
        ]


class DepartmentSlipsView(_SlipList):
    """部门预约单查询: those of one's departments, as far as one sees."""

    canonical = False
    page = "department_slips"
    title = _l("Department's appointment slips")


class RedoSlipsView(_SlipList):
    """重下预约单: the slips that can be redone."""

    canonical = False
    page = "redo_slips"
    title = _l("Redo appointment slips")
    intro = _l(
        "Slips that have not arrived. Redoing one voids it and places a new one; the time of the first placing is kept."
    )
    quick = (
        Tab("all", _l("All that can be redone")),
        Tab("lapsed", _l("Lapsed"), lambda by, now: AppointmentSlip.state == SlipState.EXPIRED),
    )
    filters = ("state", "channel", "intention", "appointed_at")

    def conditions(self, by: Actor) -> list[Any]:
        return [AppointmentSlip.state.in_([SlipState.PENDING, SlipState.EXPIRED])]


class AppointmentSlipItemView(HouseView):
    """The items of slips; no menu entry, they show on the slip."""

    datamodel = HouseInterface(AppointmentSlipItem)
    list_columns = ("slip", "item")
    show_sections = ((_l("Item"), ("slip", "item")),)


SLIP_LINE = ("slip_no", "customer", "appointed_at", "owner")
card("contact_record", "today", _l("Contacts today"), shows=Shows.COMPARED, order=10)
card("appointment_slip", "placed", _l("Slips placed today"), shows=Shows.COMPARED, order=20)
card("appointment_slip", "arrived", _l("Arrivals today"), shows=Shows.COMPARED, order=30)
card("appointment_slip", "due", _l("Still awaited today"), shows=Shows.NUMBER, order=40)
card(
    "appointment_slip",
    "due",
    _l("Next appointments"),
    shows=Shows.ROWS,
    order=40,
    columns=SLIP_LINE,
    sort="appointed_at",
    nothing=_l("Nobody is awaited any more today."),
)
card("redo_slips", "lapsed", _l("Lapsed, to be redone"), order=60, menu=True)


def register(menu: Registrar) -> None:
    """Register this area's views in the white paper's order."""
    menu.page(PhoneDeskView, group="appointments", icon="telephone")
    menu.page(WebDeskView, group="appointments", icon="chat-dots")
    menu.page(PartnerDeskView, group="appointments", icon="shop")
    menu.page(MySlipsView, group="appointments", icon="person-lines-fill")
    menu.page(DepartmentSlipsView, group="appointments", icon="people")
    menu.page(RedoSlipsView, group="appointments", icon="arrow-repeat")
    menu.page(ArrivalsBoard, group="appointments", icon="kanban")
    menu.page(ContactRecordView)
    menu.page(AppointmentSlipView)
    menu.page(AppointmentSlipItemView)
