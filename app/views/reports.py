"""Every declared report, and the list of stored runs."""

from __future__ import annotations

from typing import Any

from flask import abort, redirect, url_for
from flask_appbuilder import expose

import app.reports.appointment_daily
import app.reports.appointment_slip
import app.reports.supplement_ledger  # noqa: F401  (declares a report)
from app.models.audit import ReportRun
from app.panel.house_view import HouseView
from app.panel.interface import HouseInterface
from app.panel.registry import Registrar
from app.panel.report_view import ReportApi, view_for
from app.reports.base import REPORTS
from app.words import _l


class ReportRunView(HouseView):
    """报表清单: what the scheduler and people made."""

    datamodel = HouseInterface(ReportRun)
    list_columns = ("report_label", "business_on", "branch", "made_at", "employee")
    labels = {"report_label": _l("Report")}
    computed = {"report_label": lambda run: REPORTS[run.report].label if run.report in REPORTS else run.report}
    show_sections = ((_l("Stored report"), ("report_label", "business_on", "branch", "made_at", "employee")),)
    filters = ("business_on",)
    order_columns = ("business_on", "made_at")
    eager = ("branch", "employee")

    @expose("/show/<int:pk>")
    def show(self, pk: int) -> Any:
        """Open the report itself, as it was."""
        run = self.record_in_scope(self._require("can_show"), pk)
        if run.report not in REPORTS:
            abort(404)
        return redirect(url_for(f"{REPORTS[run.report].right}.stored", pk=pk))


def register(menu: Registrar) -> None:
    """Register this area's views."""
    for report in REPORTS.values():
        menu.page(view_for(report), group="reports", icon="bar-chart")
    menu.page(ReportRunView, group="reports", label=_l("Stored reports"), icon="file-earmark-spreadsheet")
    menu.appbuilder.add_api(ReportApi)
