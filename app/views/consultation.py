"""服务工作站 → 接诊管理 → 接诊: consultations. White paper 2.4."""

from __future__ import annotations

from app.models.consultation import Consultation, ConsultationItem, ConsultationState
from app.panel.house_view import HouseView, Tab
from app.panel.interface import HouseInterface
from app.panel.registry import Registrar
from app.services.reception.day import day_starts
from app.words import _l


class ConsultationView(HouseView):
    """What was spoken of, and whether it came to a deal."""

    datamodel = HouseInterface(Consultation)
    crumbs = (_l("Service workstation"), _l("Reception"))
    list_columns = ("visit", "consultant", "items_text", "state", "started_at", "ended_at", "failure_reason")
    show_sections = (
        (
            _l("Consultation"),
            ("visit", "consultant", "items_text", "need_text", "budget", "concern_text", "started_at"),
        ),
        (_l("What became of it"), ("ended_at", "failure_reason", "next_action", "assignment")),
    )
    labels = {"items_text": _l("Items")}
    order_columns = ("started_at", "ended_at")
    default_order = "started_at"
    filters = ("state", "consultant_id", "started_at", "failure_reason_id")
    eager = ("visit", "consultant", "item_links.item", "failure_reason")
    record_eager = ("assignment.visit", "assignment.assignee")
    quick = (
        Tab("open", _l("In consultation"), lambda by, now: Consultation.state == ConsultationState.OPEN),
        Tab("today", _l("Today"), lambda by, now: Consultation.started_at >= day_starts(by, now)),
        Tab("all", _l("All")),
    )


class ConsultationItemView(HouseView):
    """The items of consultations; no menu entry, they show on the consultation."""

    datamodel = HouseInterface(ConsultationItem)
    list_columns = ("consultation", "item")
    show_sections = ((_l("Item"), ("consultation", "item")),)
    eager = ("consultation.visit", "consultation.consultant", "item")


def register(menu: Registrar) -> None:
    """Register this area's views."""
    menu.page(ConsultationView, group="reception", label=_l("Consultations"), icon="chat-square-text")
    menu.page(ConsultationItemView)
