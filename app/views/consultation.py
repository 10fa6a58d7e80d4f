"""服务工作站 → 接诊管理 → 接诊: consultations, and whom a consultant is to see. White paper 2.4."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from app.actors import Actor
from app.extensions import db
from app.models.base import models
from app.models.consultation import Consultation, ConsultationItem, ConsultationState
from app.models.customers import Customer
from app.models.reception import Visit, VisitState
from app.panel.cards import Shows, card
from app.panel.describe import TELLS, local_time, may_open, record_url
from app.panel.house_view import HouseView, Tab, views
from app.panel.interface import HouseInterface
from app.panel.pages import Cell, ColumnHead, RelatedTab, Row, TableView
from app.panel.recording import table_of
from app.panel.registry import Registrar
from app.services.consultation.history import OF_A_KIND, Past, history_of
from app.services.reception.day import day_starts
from app.services.scope import find_several
from app.views.reception import VisitView
from app.words import _, _l

CRUMBS = (_l("Service workstation"), _l("Reception"))


class MyVisitsView(VisitView):
    """The customers whom a consultant accepted: to be received, with her, seen today."""

    canonical = False
    page = "my_visits"
    title = _l("My customers to see")
    head_acts = ()
    row_act = "start"
    list_columns = ("customer", "items_text", "visit_type", "state", "arrived_at", "triaged_at", "visit_no")
    filters = ("state", "visit_type", "arrived_at")
    eager = ("customer.contacts", "item_links.item")
    descending = False
    quick = (
        Tab("to_see", _l("Waiting for me"), lambda by, now: Visit.state == VisitState.TRIAGED),
        Tab("open", _l("With me"), lambda by, now: Visit.state == VisitState.IN_CONSULTATION),
        Tab("today", _l("Came today"), lambda by, now: Visit.arrived_at >= day_starts(by, now)),
        Tab("all", _l("All")),
    )
    empty = _l("Nobody waits for you. Who is assigned to you and accepted stands here.")

    def conditions(self, by: Actor) -> list[Any]:
        return [Visit.consultant_id == by.employee_id]


class ConsultationView(HouseView):
    """What was spoken of, and whether it came to a deal; beside it what was with her before."""

    datamodel = HouseInterface(Consultation)
    crumbs = CRUMBS
    list_columns = (
        "visit", "customer", "consultant", "items_text", "state", "started_at", "ended_at", "failure_reason",
    )  # fmt: skip
    show_sections = (
        (
            _l("Consultation"),
            ("customer", "visit", "consultant", "items_text", "need_text", "budget", "concern_text", "started_at"),
        ),
        (_l("What became of it"), ("ended_at", "failure_reason", "next_action", "assignment")),
    )
    labels = {"items_text": _l("Items"), "customer": _l("Customer")}
    order_columns = ("started_at", "ended_at")
    default_order = "started_at"
    filters = ("state", "consultant_id", "started_at", "failure_reason_id")
    eager = ("visit.customer", "consultant", "item_links.item", "failure_reason")
    record_eager = ("assignment.visit", "assignment.assignee")
    quick = (
        Tab("open", _l("In consultation"), lambda by, now: Consultation.state == ConsultationState.OPEN),
        Tab("today", _l("Today"), lambda by, now: Consultation.started_at >= day_starts(by, now)),
        Tab("all", _l("All")),
    )
    empty = _l("No consultation is open. Begin one from “My customers to see”.")

    def extra_tabs(self, record: Any, by: Actor) -> list[RelatedTab]:
        """Tell her earlier visits, slips and calls, whoever looked after her then. White paper 2.4."""
        told = history_of(db.session(), record)
        return [_tab(table, lines, by) for table, lines in told.items() if lines]


def _tab(table: str, lines: list[Past], by: Actor) -> RelatedTab:
    """Return what was before as a tab; a number leads on where the reader may open the record herself."""
    heads = [
        ColumnHead("number", _("Number")),
        ColumnHead("at", _("When")),
        ColumnHead("state", _("State")),
        ColumnHead("who", _("Looked after by")),
        ColumnHead("what", _("What")),
    ]
    mine = find_several(db.session(), table, [line.id for line in lines], by) if may_open(table, by) else {}
    rows = []
    for line in lines:
        url = record_url(table, line.id) if line.id in mine else ""
        cells = [
            Cell(line.number, url=url),
            Cell(local_time(line.at, by)),
            Cell(str(line.state.label), tone=line.state.tone),
            Cell(line.who),
            Cell(line.what or "—"),
        ]
        rows.append(Row(line.id, url, cells, [], line.number))
    return RelatedTab(f"past_{table}", str(models()[table].TITLES), TableView(heads, rows), len(rows))


def _told_history(consultation: Consultation, by: Actor) -> Any:
    """Return for REST what the tabs show."""
    return [
        {
            "table": line.table, "id": line.id, "number": line.number, "at": line.at.isoformat(),
            "state": line.state.value, "who": line.who, "what": line.what,
        }
        for lines in history_of(db.session(), consultation).values()
        for line in lines
    ]  # fmt: skip


def consultation_tabs(customer: Customer, by: Actor) -> list[RelatedTab]:
    """Return the tab of a customer's consultations, as far as one sees them."""
    if not by.may("consultation", "can_list"):
        return []
    view, session = views()["consultation"], db.session()
    hers = Consultation.visit_id.in_(select(Visit.id).where(Visit.customer_id == customer.id))
    statement = view.datamodel.statement(by, [hers])
    rows = view.datamodel.page(
        session, statement, order=[Consultation.id.desc()], page=0, size=OF_A_KIND, eager=view.eager
    )
    if not rows:
        return []
    columns = ("visit", "consultant", "items_text", "state", "started_at", "failure_reason")
    return [RelatedTab("consultation", _("Consultations"), table_of(view, rows, by, columns), len(rows))]


TELLS[Consultation.__tablename__, "history"] = _told_history


class ConsultationItemView(HouseView):
    """The items of consultations; no menu entry, they show on the consultation."""

    datamodel = HouseInterface(ConsultationItem)
    list_columns = ("consultation", "item")
    show_sections = ((_l("Item"), ("consultation", "item")),)
    eager = ("consultation.visit", "consultation.consultant", "item")


card(
    "my_visits",
    "to_see",
    _l("Waiting for me"),
    shows=Shows.ROWS,
    order=5,
    columns=("customer", "items_text", "visit_type", "arrived_at"),
    menu=True,
    hot=True,
    nothing=_l("Nobody waits for you."),
)


def register(menu: Registrar) -> None:
    """Register this area's views."""
    menu.page(MyVisitsView, group="reception", icon="person-check")
    menu.page(ConsultationView, group="reception", label=_l("Consultations"), icon="chat-square-text")
    menu.page(ConsultationItemView)
