"""Every declared report, and the list of stored runs."""

from __future__ import annotations

from typing import Any

from flask import abort, redirect, url_for
from flask_appbuilder import expose

from app.models.audit import ReportRun
from app.panel.house_view import HouseView, Tab
from app.panel.interface import HouseInterface
from app.panel.registry import Registrar
from app.panel.report_view import ReportApi, view_for
from app.reports.base import REPORTS
from app.services.jobs import job_label
from app.words import _, _l, _n


def _report_words(run: ReportRun) -> object:
    report = REPORTS.get(run.report)
    return report.label if report is not None else run.report


def _maker(run: ReportRun) -> str:
    """Say who made a run: a person, or a job by what people call it."""
    return job_label(run.made_by_job) if run.made_by_job else str(run.employee or _("the system"))


def _size(run: ReportRun) -> str:
    """Say how much a run holds: the lines of its tables."""
    lines = sum(len(table["rows"]) for table in run.facts.get("tables", ()))
    return _n("%(num)s line", "%(num)s lines", lines)


class ReportRunView(HouseView):
    """报表清单: what the scheduler and people made."""

    datamodel = HouseInterface(ReportRun)
    list_columns = ("report_words", "business_on", "branch", "made_at", "maker", "size")
    labels = {"report_words": _l("Report"), "maker": _l("Made by"), "size": _l("Size"), "report": _l("Report")}
    computed = {"report_words": _report_words, "maker": _maker, "size": _size}
    show_sections = ((_l("Stored report"), ("report_words", "business_on", "branch", "made_at", "maker")),)
    filters = ("report", "branch_id", "business_on")
    choices = {"report": lambda: [(name, str(report.label)) for name, report in REPORTS.items()]}
    order_columns = ("business_on", "made_at")
    eager = ("branch", "employee")
    quick = (
        Tab("all", _l("All")),
        Tab("job", _l("Made by the scheduler"), lambda _by, _now: ReportRun.made_by_job.is_not(None)),
        Tab("mine", _l("Made by me"), lambda by, _now: ReportRun.made_by == by.name),
    )

    @expose("/show/<int:pk>")
    def show(self, pk: int) -> Any:
        """Open the report itself, as it was."""
        run = self.record_in_scope(self._require("can_show"), pk)
        if run.report not in REPORTS:
            abort(404)
        return redirect(url_for(f"{REPORTS[run.report].right}.stored", pk=pk))


def register(menu: Registrar) -> None:
    """Register this area's views."""
    for report in sorted(REPORTS.values(), key=lambda each: each.number):
        menu.page(view_for(report), group="reports", icon="bar-chart")
    menu.page(ReportRunView, group="reports", label=_l("Stored reports"), icon="file-earmark-spreadsheet")
    menu.appbuilder.add_api(ReportApi)
