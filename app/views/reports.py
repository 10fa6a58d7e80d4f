"""Every declared report, and the list of stored runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import abort, has_request_context, redirect, url_for
from flask_appbuilder import expose
from sqlalchemy import Select

from app.actors import Actor
from app.models.audit import ReportRun, ReportSignature
from app.panel.cards import Shows, card
from app.panel.describe import OPENS
from app.panel.funnels import Funnel, funnel
from app.panel.house_view import HouseView, Tab
from app.panel.interface import HouseInterface
from app.panel.person import current_actor
from app.panel.registry import Registrar
from app.panel.report_api import ReportApi
from app.panel.report_view import view_for
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


def may_list(by: Actor) -> list[str]:
    """Return the names of the reports that a person may list: of no other she sees what was stored."""
    return [name for name, report in REPORTS.items() if by.may(report.right, "can_list")]


OPENS["report_run"] = lambda run, by: run.report in may_list(by)


class RunInterface(HouseInterface):
    """Stored runs, as far as a person may list their reports: pages, lists and REST alike."""

    def _scoped(self, query: Any) -> Any:
        actor = current_actor() if has_request_context() else None
        scoped = super()._scoped(query)
        return scoped if actor is None else scoped.filter(ReportRun.report.in_(may_list(actor)))

    def statement(self, by: Actor, conditions: Sequence[Any] = ()) -> Select[Any]:
        """Return the scoped select of the runs of reports that one may list."""
        return super().statement(by, [ReportRun.report.in_(may_list(by)), *conditions])


class ReportRunView(HouseView):
    """报表清单: what the scheduler and people made."""

    datamodel = RunInterface(ReportRun)
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


class ReportSignatureView(HouseView):
    """Who signed which stored report."""

    datamodel = HouseInterface(ReportSignature)
    list_columns = ("report_words", "business_on", "signed_by", "signed_at", "remark")
    labels = {"report_words": _l("Report"), "business_on": _l("Business day")}
    computed = {
        "report_words": lambda signature: _report_words(signature.run),
        "business_on": lambda signature: signature.run.business_on,
    }
    show_sections = ((_l("Signature under a report"), ("run", "signed_by", "signed_at", "remark", "branch")),)
    order_columns = ("signed_at",)
    default_order = "signed_at"
    filters = ("signed_by_id", "signed_at")
    eager = ("run", "signed_by")
    record_eager = ("branch",)


card(
    "report_run",
    "all",
    _l("Stored reports"),
    shows=Shows.ROWS,
    order=85,
    columns=("report_words", "business_on", "branch", "made_at"),
    nothing=_l("No report has been stored yet."),
)

#: 1.1, 2.1: from the first contact to the deal. A consultation will count the deals of the contacts that led to it.
funnel(
    Funnel(
        "contact_daily",
        _l("From the contact to the deal"),
        ("contacts", "with_slip", "arrived"),
        by="channel",
        later=("deal",),
    )
)


def register(menu: Registrar) -> None:
    """Register this area's views."""
    for report in sorted(REPORTS.values(), key=lambda each: each.number):
        menu.page(view_for(report), group="reports", icon="bar-chart")
    menu.page(ReportRunView, group="reports", label=_l("Stored reports"), icon="file-earmark-spreadsheet")
    menu.page(ReportSignatureView, group="reports", label=_l("Signatures under reports"), icon="pen")
    menu.appbuilder.add_api(ReportApi)
