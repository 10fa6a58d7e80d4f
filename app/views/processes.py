"""帮助 → 作业流程: the white paper's headings, the flow chart of the customer's way, and what a branch adds."""

from __future__ import annotations

from typing import Any

from flask import Response, render_template, url_for
from flask_appbuilder import expose

from app.actors import Actor
from app.extensions import db
from app.models.processes import ProcessGuide, ProcessRemark, ProcessStep
from app.panel.describe import record_url
from app.panel.house_view import HouseView, Related, Tab, views
from app.panel.interface import HouseInterface
from app.panel.pages import Link, RelatedTab
from app.panel.recording import table_of
from app.panel.registry import Registrar
from app.reports.flowchart import FlowBox, flow_svg, placed, size_of
from app.services.processes import coming_headings, flow, with_neighbours
from app.words import _, _l


class ProcessGuideView(HouseView):
    """作业流程: every heading, in the white paper's order."""

    datamodel = HouseInterface(ProcessGuide)
    crumbs = (_l("Guide and help"),)
    list_columns = ("heading_no", "name", "executor", "manager", "supervisor")
    labels = {"name": _l("Name")}
    computed = {"name": lambda guide: guide.name}
    show_sections = (
        (
            _l("Process of work"),
            ("involved_groups", "executor", "manager", "supervisor", "prev_step", "is_stated", "remark"),
        ),
        (_l("Kept for the help"), ("title", "title_en", "explains", "position")),
    )
    form_columns = (
        "heading_no",
        "title",
        "title_en",
        "involved_groups",
        "executor",
        "manager",
        "supervisor",
        "prev_step",
        "is_stated",
        "remark",
        "explains",
        "position",
    )
    add_only = ("heading_no",)
    order_columns = ("position", "heading_no")
    default_order = "position"
    descending = False
    filters = ("is_stated",)
    quick = (
        Tab("all", _l("All")),
        *(
            Tab(
                f"chapter_{chapter}",
                label,
                lambda _by, _now, chapter=chapter: ProcessGuide.heading_no.like(f"{chapter}%"),
            )
            for chapter, label in (
                ("2", _l("Customer service")),
                ("3", _l("Departments")),
                ("4", _l("Offices")),
                ("5", _l("Printing and filing")),
                ("S", _l("Triage SOP")),
            )
        ),
    )
    related = (
        Related("process_remark", "guide_id", _l("Remarks of branches"), ("branch", "remark"), ("guide", "branch")),
    )
    intro = _l(
        "What the white paper says of each heading. The help of every screen shows the heading that it belongs to."
    )

    def downloads(self, by: Actor) -> list[Link]:
        """Lead to the flow chart from above the list."""
        return [Link(_("Flow chart"), url_for(".chart"), "diagram-3")]

    def extra_tabs(self, record: Any, by: Actor) -> list[RelatedTab]:
        """The steps in their order, then what comes before and after."""
        told = with_neighbours(db.session(), record, by)
        tabs = []
        if by.may("process_step", "can_list"):
            shown = table_of(views()["process_step"], told.steps, by, ("step", "explanation", "module"))
            more = url_for("process_step.list", guide_id=record.id)
            tabs.append(RelatedTab("steps", str(_l("Steps")), shown, len(told.steps), more))
        for key, label, near in (
            ("before", _l("Previous steps"), told.before),
            ("after", _l("Next steps"), told.after),
        ):
            if near:
                columns = ("heading_no", "name", "executor", "manager")
                tabs.append(RelatedTab(key, str(label), table_of(self, near, by, columns), len(near)))
        return tabs

    def banners(self, record: Any, by: Actor) -> list[tuple[str, str]]:
        """Say so where a heading's software is still to come."""
        if record.heading_no in coming_headings(db.session(), by):
            return [("info", _("The screens of this step are still to come; its text stands here already."))]
        return []

    @expose("/flow")
    def chart(self) -> str:
        """Show 1.1, the customer's way; each box leads to its heading."""
        boxes = self._boxes(self._require("can_list"))
        width, height = size_of(len(boxes))
        page = {
            "title": _("The customer's way through the house"),
            "boxes": placed(boxes),
            "width": width,
            "height": height,
        }
        crumbs = [Link(_("Guide and help"), ""), Link(self.heading, url_for(".list"))]
        return render_template("pages/processes/flow.html", page=page, crumbs=crumbs, appbuilder=self.appbuilder)

    @expose("/flow.svg")
    def picture(self) -> Response:
        """Answer the flow chart as a picture, in the reader's language."""
        return Response(flow_svg(self._boxes(self._require("can_list"))), mimetype="image/svg+xml")

    def _boxes(self, by: Actor) -> list[FlowBox]:
        return [
            FlowBox(guide.heading_no, guide.name, record_url("process_guide", guide.id), is_pale=is_coming)
            for guide, is_coming in flow(db.session(), by)
        ]


class ProcessStepView(HouseView):
    """The steps of headings; no menu entry, they show on their heading."""

    datamodel = HouseInterface(ProcessStep)
    crumbs = (_l("Guide and help"),)
    list_columns = ("step", "guide", "explanation", "module", "position", "retired_at")
    form_columns = ("guide_id", "position", "step", "explanation", "module", "retired_at")
    add_only = ("guide_id",)
    order_columns = ("position",)
    filters = ("guide_id",)


class ProcessRemarkView(HouseView):
    """What branches add; no menu entry, it shows on the heading."""

    datamodel = HouseInterface(ProcessRemark)
    crumbs = (_l("Guide and help"),)
    list_columns = ("guide", "branch", "remark", "retired_at")
    form_columns = ("branch_id", "guide_id", "remark", "retired_at")
    add_only = ("guide_id",)
    filters = ("branch_id", "guide_id")


def register(menu: Registrar) -> None:
    """Register this area's views."""
    menu.page(ProcessGuideView, group="help", icon="diagram-3")
    menu.page(ProcessStepView)
    menu.page(ProcessRemarkView)
