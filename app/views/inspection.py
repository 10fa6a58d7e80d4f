"""服务工作站 → 接诊管理 → 检查接待: official visits. Triage SOP S4, SM-31."""

from __future__ import annotations

from typing import Any

from app.actors import Actor
from app.models.inspection import (
    InspectionDocument,
    InspectionState,
    InspectionTask,
    InspectionVisit,
    TaskState,
)
from app.panel.cards import Shows, card
from app.panel.codes import Code
from app.panel.house_view import HouseView, Related, Tab
from app.panel.interface import HouseInterface
from app.panel.registry import Registrar
from app.words import _, _l

CRUMBS = (_l("Service workstation"), _l("Reception"))


class InspectionVisitView(HouseView):
    """Who came on behalf of an authority, and what came of it."""

    datamodel = HouseInterface(InspectionVisit)
    codes = (Code("inspection_no"),)
    crumbs = CRUMBS
    list_columns = ("inspection_no", "agency", "purpose", "state", "arrived_at", "accompanied_by", "left_at")
    show_sections = (
        (
            _l("Official visit"),
            (
                "inspection_no", "agency", "officers", "certificate_no", "purpose", "desk", "arrived_at",
                "registered_by",
            ),
        ),
        (
            _l("Course"),
            (
                "notified_at", "accompanied_by", "accompanied_at", "documented_at", "signed_by", "signed_file",
                "left_at",
            ),
        ),
        (_l("What became of it"), ("result", "result_file", "closed_at", "closed_by", "close_note")),
    )  # fmt: skip
    order_columns = ("arrived_at", "inspection_no")
    default_order = "arrived_at"
    filters = ("state", "arrived_at")
    eager = ("accompanied_by",)
    record_eager = ("desk", "registered_by", "closed_by", "signed_file", "result_file")
    quick = (
        Tab("open", _l("Not closed"), lambda by, now: InspectionVisit.state != InspectionState.CLOSED),
        Tab("all", _l("All")),
    )
    related = (
        Related(
            "inspection_document", "inspection_id", _l("Documents asked for"),
            ("what", "handed", "pages", "remark", "handed_at", "handed_by"), ("handed_by", "inspection"),
        ),
        Related(
            "inspection_task", "inspection_id", _l("Tasks of inspections"),
            ("what", "responsible", "due_on", "state", "done_at", "done_note"), ("responsible", "inspection"),
        ),
    )  # fmt: skip
    empty = _l("No official visit is open.")

    def banners(self, record: Any, by: Actor) -> list[tuple[str, str]]:
        """Say how one behaves while officers are here. S4."""
        if record.state in (InspectionState.LEFT, InspectionState.RECTIFYING, InspectionState.CLOSED):
            return []
        said = _(
            "Work goes on as on any other day. Hand over what is asked for, through medical affairs and against the"
            " list; hide, delete, change and switch off nothing."
        )
        return [("info", said)]


class InspectionDocumentView(HouseView):
    """What was asked for; no menu entry, it shows on the official visit."""

    datamodel = HouseInterface(InspectionDocument)
    list_columns = ("inspection", "what", "handed", "pages", "remark", "handed_at", "handed_by")
    filters = ("handed",)
    order_columns = ("handed_at",)
    default_order = "handed_at"
    eager = ("inspection", "handed_by")


class InspectionTaskView(HouseView):
    """What inspections found, and who puts it right."""

    datamodel = HouseInterface(InspectionTask)
    crumbs = CRUMBS
    list_columns = ("what", "inspection", "responsible", "due_on", "state", "done_at")
    show_sections = (
        (_l("Task"), ("what", "inspection", "responsible", "due_on")),
        (_l("What became of it"), ("done_at", "done_by", "done_note")),
    )
    filters = ("state", "responsible_id", "due_on")
    order_columns = ("due_on",)
    default_order = "due_on"
    descending = False
    eager = ("inspection", "responsible")
    record_eager = ("done_by",)
    quick = (
        Tab("open", _l("To be put right"), lambda by, now: InspectionTask.state == TaskState.OPEN),
        Tab("all", _l("All")),
    )


card(
    "inspection_task",
    "open",
    _l("Tasks of inspections"),
    shows=Shows.ROWS,
    order=25,
    columns=("what", "responsible", "due_on"),
    menu=True,
)


def register(menu: Registrar) -> None:
    """Register this area's views."""
    menu.page(InspectionVisitView, group="reception", label=_l("Official visits"), icon="building-check")
    menu.page(InspectionTaskView, group="reception", label=_l("Tasks of inspections"), icon="tools")
    menu.page(InspectionDocumentView)
