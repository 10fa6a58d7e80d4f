"""服务工作站 → 接诊管理: visits, cards, desks. White paper 2.2."""

from __future__ import annotations

from app.models.reception import (
    CardState,
    CardStock,
    CustomerCard,
    ReceptionForm,
    ReceptionFormRun,
    ServiceDesk,
    Visit,
    VisitCardIssue,
    VisitCheckpoint,
    VisitItem,
    VisitState,
)
from app.panel.cards import Shows, card
from app.panel.codes import Code
from app.panel.house_view import HouseView, Related, Sub, Tab
from app.panel.interface import HouseInterface
from app.panel.registry import Registrar
from app.services.reception.day import day_starts
from app.services.reception.leaving import EXIT_LINES
from app.words import _l, listed

CRUMBS = (_l("Service workstation"), _l("Reception"))


def exit_text(visit: Visit) -> object:
    """Return the exit checklist that was kept with a visit, as words."""
    labels = {line.code: line for line in EXIT_LINES}
    told = [labels[kept["line"]] for kept in visit.exit_checklist or () if kept["line"] in labels]
    return listed([str(line.label) for line in told]) or "—"


class VisitView(HouseView):
    """接诊信息查询: who is in the house, and who came."""

    datamodel = HouseInterface(Visit)
    codes = (Code("visit_no"),)
    crumbs = CRUMBS
    list_columns = ("visit_no", "customer", "visit_type", "state", "arrived_at", "consultant", "appointment_slip")
    show_sections = (
        (
            _l("Visit"),
            (
                "visit_no", "customer", "visit_type", "arrived_at", "is_late", "appointment_slip", "items_text",
                "companion_count", "desk", "received_by", "remark",
            ),
        ),
        (
            _l("How she came"),
            ("source_channel", "is_market", "referrer_customer", "designated", "favour", "is_from_dental"),
        ),
        (
            _l("Course"),
            ("consultant", "triaged_at", "left_at", "escort", "exit_text", "closed_at", "cancel_reason"),
        ),
    )  # fmt: skip
    labels = {"items_text": _l("Items"), "exit_text": _l("Exit checklist")}
    computed = {"exit_text": exit_text}
    subs = {"customer": Sub("customer.phone_masked")}
    head_acts = ("visit.receive",)
    order_columns = ("arrived_at", "visit_no")
    default_order = "arrived_at"
    filters = ("state", "visit_type", "arrived_at", "consultant_id", "customer_id", "is_market")
    eager = ("customer.contacts", "consultant", "appointment_slip")
    record_eager = (
        "item_links.item", "desk", "received_by", "source_channel", "referrer_customer", "designated", "escort",
    )  # fmt: skip
    search_through = "customer"
    quick = (
        Tab("waiting", _l("Waiting to be assigned"), lambda by, now: Visit.state == VisitState.REGISTERED),
        Tab("open", _l("In the house"), lambda by, now: Visit.closed_at.is_(None)),
        Tab("today", _l("Came today"), lambda by, now: Visit.arrived_at >= day_starts(by, now)),
        Tab("all", _l("All")),
    )
    related = (
        Related(
            "triage_assignment",
            "visit_id",
            _l("Assignments"),
            ("line", "assignee", "method", "state", "called_at", "accepted_at", "skipped_at"),
            ("line", "assignee", "visit"),
        ),
        Related(
            "reception_form", "visit_id", _l("Reception forms"), ("form_no", "name", "registered_at", "registered_by"),
            ("visit", "registered_by"),
        ),
        Related(
            "visit_checkpoint", "visit_id", _l("Checkpoints"), ("scanned_at", "desk", "scanned_by"),
            ("desk", "scanned_by", "visit"),
        ),
        Related(
            "visit_card_issue", "visit_id", _l("Temporary cards"), ("card", "issued_at", "returned_at", "ended_at"),
            ("card", "visit"),
        ),
        Related(
            "consultation", "visit_id", _l("Consultations"), ("consultant", "state", "started_at", "ended_at"),
            ("consultant", "visit"),
        ),
    )  # fmt: skip
    empty = _l("Nobody is here. Scan a card, or choose “Receive a customer”.")


card(
    "visit",
    "waiting",
    _l("Waiting to be assigned"),
    shows=Shows.ROWS,
    columns=("customer", "visit_type", "arrived_at"),
    sort="arrived_at",
    order=12,
    menu=True,
    hot=True,
    needs=(("triage_assignment", "can_assign"),),
    nothing=_l("Nobody waits to be assigned."),
)


class VisitItemView(HouseView):
    """The items of visits; no menu entry, they show on the visit."""

    datamodel = HouseInterface(VisitItem)
    list_columns = ("item", "visit", "customer", "visit_type", "state", "arrived_at")
    labels = {
        "customer": _l("Customer"),
        "visit_type": _l("Type of visit"),
        "state": _l("State"),
        "arrived_at": _l("Arrived at"),
    }
    computed = {
        name: (lambda link, name=name: getattr(link.visit, name))
        for name in ("customer", "visit_type", "state", "arrived_at")
    }
    show_sections = ((_l("Item"), ("visit", "item")),)
    eager = ("item", "visit.customer")


class ReceptionFormView(HouseView):
    """接诊表."""

    datamodel = HouseInterface(ReceptionForm)
    codes = (Code("form_no"),)
    crumbs = CRUMBS
    list_columns = ("form_no", "visit", "name", "sex", "age", "source_channel", "registered_at")
    show_sections = (
        (
            _l("Reception form"),
            (
                "form_no", "visit", "name", "sex", "age", "phone", "area", "address", "occupation", "has_appointment",
                "source_channel", "referrer_name", "referrer_phone",
            ),
        ),
        (_l("In her words"), ("expectation", "health_note", "signed_at")),
        (_l("Entered"), ("registered_at", "registered_by")),
    )  # fmt: skip
    order_columns = ("registered_at", "form_no")
    default_order = "registered_at"
    filters = ("registered_at", "source_channel_id")
    eager = ("visit", "source_channel")
    record_eager = ("area", "registered_by")


class ReceptionFormRunView(HouseView):
    """接诊表条形码: numbers that were taken for blank forms."""

    datamodel = HouseInterface(ReceptionFormRun)
    crumbs = CRUMBS
    list_columns = ("first_no", "last_no", "count", "taken_at", "taken_by", "note")
    show_sections = ((_l("Run of blank forms"), ("first_no", "last_no", "count", "taken_at", "taken_by", "note")),)
    order_columns = ("taken_at", "first_no")
    default_order = "taken_at"
    filters = ("taken_at",)
    eager = ("taken_by",)
    empty = _l("No numbers have been taken. Take some, then print the blank forms.")


class VisitCheckpointView(HouseView):
    """Where visits were scanned; no menu entry, they show on the visit."""

    datamodel = HouseInterface(VisitCheckpoint)
    list_columns = ("visit", "desk", "scanned_at", "scanned_by")
    order_columns = ("scanned_at",)
    default_order = "scanned_at"
    filters = ("desk_id", "scanned_at")
    eager = ("visit", "desk", "scanned_by")


class CustomerCardView(HouseView):
    """Cards with a barcode."""

    datamodel = HouseInterface(CustomerCard)
    codes = (Code("card_no"),)
    crumbs = CRUMBS
    list_columns = ("card_no", "card_type", "state", "customer", "desk", "issued_at")
    show_sections = (
        (_l("Card"), ("card_no", "card_type", "state", "stock", "desk")),
        (_l("Use"), ("customer", "issued_at", "issued_by", "ended_at", "end_reason", "replaced_by")),
    )
    order_columns = ("card_no", "issued_at")
    default_order = "card_no"
    descending = False
    filters = ("card_type", "state", "desk_id", "customer_id", "issued_at")
    eager = ("customer", "desk")
    record_eager = ("stock", "issued_by", "replaced_by")
    quick = (
        Tab("active", _l("In use (card)"), lambda by, now: CustomerCard.state == CardState.ACTIVE),
        Tab(
            "stock",
            _l("In stock"),
            lambda by, now: CustomerCard.state.in_([CardState.IN_STOCK, CardState.ISSUED_TO_DESK]),
        ),
        Tab(
            "gone",
            _l("Lost or damaged"),
            lambda by, now: CustomerCard.state.in_([CardState.LOST, CardState.DAMAGED]),
        ),
        Tab("all", _l("All")),
    )
    related = (
        Related(
            "visit_card_issue", "card_id", _l("Handed out"), ("visit", "issued_at", "returned_at", "ended_at"),
            ("visit", "card"),
        ),
    )  # fmt: skip


class VisitCardIssueView(HouseView):
    """Temporary cards that are out, and those that came back."""

    datamodel = HouseInterface(VisitCardIssue)
    crumbs = CRUMBS
    list_columns = ("card", "visit", "issued_at", "issued_by", "returned_at", "ended_at")
    order_columns = ("issued_at",)
    default_order = "issued_at"
    filters = ("issued_at", "returned_at")
    eager = ("card", "visit", "issued_by")
    record_eager = ("ended_by",)
    quick = (
        Tab("out", _l("Not given back"), lambda by, now: VisitCardIssue.ended_at.is_(None)),
        Tab("all", _l("All")),
    )
    empty = _l("No temporary card is out.")


class CardStockView(HouseView):
    """Deliveries of printed cards."""

    datamodel = HouseInterface(CardStock)
    crumbs = CRUMBS
    list_columns = ("card_type", "count", "first_no", "last_no", "taken_in_at", "taken_in_by", "note")
    order_columns = ("taken_in_at",)
    default_order = "taken_in_at"
    filters = ("card_type", "taken_in_at")
    eager = ("taken_in_by",)
    related = (
        Related(
            "customer_card", "stock_id", _l("Cards"), ("card_no", "state", "customer", "desk"), ("customer", "desk"),
        ),
    )  # fmt: skip


class ServiceDeskView(HouseView):
    """Desks at which cards are scanned."""

    datamodel = HouseInterface(ServiceDesk)
    crumbs = CRUMBS
    list_columns = ("code", "name", "floor", "department", "printer", "is_public", "retired_at")
    form_columns = ("branch_id", "code", "name", "floor", "department_id", "printer", "is_public", "retired_at")
    order_columns = ("code", "name")
    default_order = "code"
    descending = False
    filters = ("is_public", "department_id")
    eager = ("department",)


def register(menu: Registrar) -> None:
    """Register this area's views in the white paper's order."""
    menu.page(VisitView, group="reception", label=_l("Visits"), icon="door-open")
    menu.page(ReceptionFormView, group="reception", label=_l("Reception forms"), icon="file-earmark-person")
    menu.page(ReceptionFormRunView, group="reception", label=_l("Runs of blank forms"), icon="journal-plus")
    menu.page(CustomerCardView, group="reception", label=_l("Cards"), icon="credit-card-2-front")
    menu.page(VisitCardIssueView, group="reception", label=_l("Temporary cards"), icon="credit-card")
    menu.page(CardStockView, group="reception", label=_l("Card deliveries"), icon="box-seam")
    menu.page(ServiceDeskView, group="reception", label=_l("Service desks"), icon="upc-scan")
    menu.page(VisitItemView)
    menu.page(VisitCheckpointView)
