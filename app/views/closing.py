"""服务工作站 → 接诊管理 → 下班整理: closing checklists of desks. Triage SOP S8."""

from __future__ import annotations

from typing import Any

from app.models.reception import ClosingChecklist, ClosingLine
from app.panel.house_view import HouseView
from app.panel.interface import HouseInterface
from app.panel.registry import Registrar
from app.services.reception.closing import CLOSING_CHECKS
from app.words import _, _l


def _left_open(record: Any) -> object:
    """Return what was still open when a desk was closed, in the reader's words."""
    labels = {check.code: check for check in CLOSING_CHECKS}
    told = [labels[code].sentence(count) for code, count in record.left_open.items() if code in labels]
    return " ".join(told) or _("Nothing")


class ClosingChecklistView(HouseView):
    """What was done at each desk in the evening, and what was still open."""

    datamodel = HouseInterface(ClosingChecklist)
    crumbs = (_l("Service workstation"), _l("Reception"))
    list_columns = ("desk", "closed_on", "done_by", "done_at", "open_text", "note")
    show_sections = (
        (_l("Closing checklist"), ("desk", "closed_on", "done_by", "done_at")),
        (_l("Lines"), ("lines_text", "undone_text", "open_text", "note")),
    )
    labels = {"lines_text": _l("Done (line)"), "undone_text": _l("Not done"), "open_text": _l("Still open then")}
    computed = {"open_text": _left_open}
    order_columns = ("closed_on", "done_at")
    default_order = "closed_on"
    filters = ("closed_on", "desk_id", "done_by_id")
    eager = ("desk", "done_by")
    record_eager = ("lines.item",)
    empty = _l("No desk was closed yet. Open a service desk and choose “Close the desk for today”.")


class ClosingLineView(HouseView):
    """The lines of closing checklists; no menu entry, they show on the checklist."""

    datamodel = HouseInterface(ClosingLine)
    list_columns = ("checklist", "item", "is_done")
    eager = ("checklist.desk", "item")


def register(menu: Registrar) -> None:
    """Register this area's views."""
    menu.page(ClosingChecklistView, group="reception", label=_l("Closing checklists"), icon="moon-stars")
    menu.page(ClosingLineView)
