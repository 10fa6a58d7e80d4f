"""A report on screen, as files and over REST; made from the declaration alone."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from flask import abort, redirect, render_template, request, url_for
from flask_appbuilder import BaseView, expose
from sqlalchemy.orm import Session, joinedload
from werkzeug.datastructures import MultiDict

from app.actors import Actor, Reach
from app.acts import REGISTRY
from app.errors import InvalidInput, OutOfScope, Refusal
from app.extensions import db
from app.models.audit import ReportRun
from app.models.privacy import FileFormat
from app.panel import exporting
from app.panel.acting import request_key_sent
from app.panel.describe import local_time
from app.panel.pages import ActButton, Cell, ColumnHead, Link, ReportPage, Row, TableView
from app.panel.person import me, now
from app.panel.report_rows import Keys, opened_from, rows_page, rows_url
from app.reports.base import REPORTS, Asked, Report
from app.reports.charts import alt_text, chart_svg, data_uri
from app.reports.facts import Label, ReportFacts, Table
from app.reports.runs import facts_of, make, newest_runs
from app.reports.sheets import file_bytes, shown
from app.reports.subscribing import fitting
from app.services.privacy.exports import SOURCES, Made, Making, Source, Wanted
from app.services.runner import form_context
from app.services.scope import in_scope
from app.services.signing import SIGNED, signature_of
from app.unit import unit_of_work
from app.words import _, locale_in_force

FORMATS = tuple(each.value for each in (FileFormat.CSV, FileFormat.XLSX, FileFormat.PDF))
NEW, STORED = "report", "stored_report"

#: Where the rows behind a figure open, by its name and keys; empty if nowhere.
Opens = Callable[[str, Keys], str]


def asked_from(report: Report, given: Any, by: Actor, *, is_json: bool = False) -> Asked:
    """Return a report's checked parameters; the branch is one's own unless one sees the group."""
    form = report.params(given, meta={"context": form_context(db.session(), by, now=now(), is_json=is_json)})
    if not form.validate():
        raise InvalidInput(form.errors)
    branch_id = form.data.get("branch_id") or by.branch_id
    if branch_id is None:
        raise InvalidInput({"branch_id": [_("Please choose a branch.")]})
    if branch_id != by.branch_id and by.reach("report_run") < Reach.GROUP:
        raise InvalidInput({"branch_id": [_("Not a valid choice.")]})
    return report.asked(form.data, branch_id)


def _facts_asked(session: Session, parameters: Mapping[str, Any], by: Actor, at: datetime) -> tuple[ReportFacts, str]:
    """Return the facts of a report as it is now, and what its file is called."""
    report = REPORTS.get(parameters["report"])
    if report is None:
        raise Refusal(_("This version does not know this report."))
    asked = asked_from(report, MultiDict(parameters["given"]), by)
    return report.exported(session, asked, by, at), f"{report.name}-{asked.day.isoformat()}"


def _facts_stored(session: Session, parameters: Mapping[str, Any], by: Actor, _at: datetime) -> tuple[ReportFacts, str]:
    """Return the facts of a stored run in scope, and what its file is called."""
    statement = in_scope(ReportRun, by).where(ReportRun.id == parameters["run_id"])
    run = session.scalars(statement).one_or_none()
    if run is None:
        raise OutOfScope
    return facts_of(run), f"{run.report}-{run.business_on.isoformat()}"


def _lines(facts: ReportFacts) -> int:
    return sum(len(table.rows) for table in facts.tables)


def source_of(gather: Any) -> Source:
    """Return where exported facts come from; ``gather`` is told (session, parameters, by, at) and returns the facts and
    what their file is called."""

    def made(session: Session, making: Making) -> Made:
        facts, name = gather(session, making.parameters, making.by, making.at)
        making.out.write(file_bytes(facts, making.file_format.value, locale_in_force(), making.mark))
        return Made(_lines(facts), name)

    return Source(lambda *asked: _lines(gather(*asked)[0]), made)


SOURCES[NEW] = source_of(_facts_asked)
SOURCES[STORED] = source_of(_facts_stored)


def wanted_of(report: Report, source: str, parameters: Mapping[str, Any], file_format: str, reason: str) -> Wanted:
    """Return the export of a report, new or stored."""
    return Wanted(source, report.right, report.label, parameters, FileFormat(file_format), reason)


class ReportView(BaseView):
    """One report's pages. Made by ``view_for``."""

    report: Report
    default_view = "list"

    def __init__(self) -> None:
        self.class_permission_name = self.report.right
        self.route_base = f"/report/{self.report.name}"
        self.base_permissions = ["can_list", "can_run", "can_export", *self.report.more_rights]
        super().__init__()

    def create_blueprint(self, appbuilder: Any, endpoint: str | None = None, static_folder: str | None = None) -> Any:
        return super().create_blueprint(appbuilder, endpoint or self.report.right, static_folder)

    def _require(self, permission: str) -> Actor:
        by = me()
        if not by.may(self.report.right, permission):
            abort(403)
        return by

    @expose("/")
    def list(self) -> Any:
        """Show the report for the parameters asked for; without any, for today."""
        by = self._require("can_list")
        form, facts = self._asked(by)
        code = 200 if not form.errors else 422
        return render_template(
            "panel/report.html", page=self._page(by, form, facts, None), appbuilder=self.appbuilder
        ), code

    def _asked(self, by: Actor) -> tuple[Any, ReportFacts | None]:
        given = request.args.copy()
        given.pop("_l_", None)
        if not given.get("day"):
            given["day"] = now().astimezone(by.timezone).date().isoformat()
        form = self.report.params(MultiDict(given), meta={"context": form_context(db.session(), by, now=now())})
        form.validate()
        try:
            asked = asked_from(self.report, MultiDict(given), by)
        except InvalidInput as wrong:
            for name, sentences in wrong.errors.items():
                form[name].errors = sentences
            return form, None
        return form, self.report.gather(db.session(), asked, by, now())

    @expose("/rows")
    def rows(self) -> str:
        """Open the rows behind a figure."""
        by = self._require("can_list")
        opened = opened_from(self.report, request.args, asked_from(self.report, request.args, by), by)
        return render_template("panel/list.html", page=rows_page(opened, by), appbuilder=self.appbuilder)

    @expose("/run", methods=["POST"])
    def run(self) -> Any:
        """Make the report now and keep it; a second click finds what the first one made."""
        by = self._require("can_run")
        asked = asked_from(self.report, request.form, by)
        session = db.session()
        with unit_of_work(session):
            made = make(session, self.report, asked, by=by, at=now(), key=request_key_sent())
        return redirect(url_for(".stored", pk=made.id))

    @expose("/stored/<int:pk>")
    def stored(self, pk: int) -> str:
        """Open a stored run, unchanged."""
        by = self._require("can_list")
        run = self._run(by, pk)
        form = self.report.params(
            MultiDict({name: str(value) for name, value in run.parameters.items()}),
            meta={"context": form_context(db.session(), by, now=now())},
        )
        return render_template(
            "panel/report.html", page=self._page(by, form, facts_of(run), run), appbuilder=self.appbuilder
        )

    @expose("/export/<string:file_format>", methods=["GET", "POST"])
    def export(self, file_format: str) -> Any:
        """Ask why, then make a file of the report asked for."""
        by = self._may_export(file_format)
        asked_from(self.report, request.args, by)
        given = {name: value for name, value in request.args.items() if name != "_l_"}
        return self._export(NEW, {"report": self.report.name, "given": given}, file_format, url_for(".list", **given))

    @expose("/stored/<int:pk>/<string:file_format>", methods=["GET", "POST"])
    def export_stored(self, pk: int, file_format: str) -> Any:
        """Ask why, then make a file of a stored run."""
        run = self._run(self._may_export(file_format), pk)
        return self._export(STORED, {"run_id": run.id}, file_format, url_for(".stored", pk=pk))

    def _may_export(self, file_format: str) -> Actor:
        by = me()
        exporting.require(self.report.right, self.report.right, by)
        if file_format not in FORMATS:
            abort(400)
        return by

    def _export(self, source: str, parameters: Mapping[str, Any], file_format: str, back: str) -> Any:
        return exporting.answer(
            exporting.ReportExport,
            lambda form: wanted_of(self.report, source, parameters, file_format, form.reason.data),
            title=f"{self.report.label} {file_format.upper()}",
            back=back,
        )

    def _run(self, by: Actor, pk: int) -> ReportRun:
        if not 0 < pk < 2**63:
            abort(404)
        statement = in_scope(ReportRun, by).where(ReportRun.id == pk, ReportRun.report == self.report.name)
        run = db.session().scalars(statement.options(joinedload(ReportRun.employee))).one_or_none()
        if run is None:
            abort(404)
        return run

    def _page(self, by: Actor, form: Any, facts: ReportFacts | None, run: ReportRun | None) -> ReportPage:
        locale = locale_in_force()
        # Stored figures are no links: what they counted may have changed since, and another may have counted them.
        opens = self._opens(by, form) if run is None else _shut
        return ReportPage(
            title=f"{self.report.label} {self.report.number}",
            crumbs=[Link(_("Reports"), "")],
            form=form,
            action=url_for(".list"),
            figures=[]
            if facts is None
            else [
                Cell(
                    shown(figure.value, locale, facts.zone, figure.kind),
                    opens(figure.name, ()) if figure.value else "",
                    sub=figure.label.in_(locale),
                )
                for figure in facts.figures
            ],
            chart_uri="" if facts is None or facts.chart is None else data_uri(chart_svg(facts.chart, locale)),
            chart_alt="" if facts is None or facts.chart is None else alt_text(facts.chart, locale),
            tables=[]
            if facts is None
            else [(table.title.in_(locale), _table(table, facts.zone, opens)) for table in facts.tables],
            keep_url=url_for(".run")
            if facts is not None and run is None and by.may(self.report.right, "can_run")
            else "",
            keep_inputs=[*_given(form), ("request_key", uuid.uuid4().hex)],
            exports=self._exports(by, form, run) if facts is not None else [],
            acts=[*self._subscribing(by), *self._signing(by, run)],
            runs=self._runs(by),
            stored="" if run is None else _stored_words(run, by),
            now_url=url_for(".list", **dict(_given(form))) if run is not None else "",
        )

    def _opens(self, by: Actor, form: Any) -> Opens:
        kept = dict(_given(form))
        return lambda name, keys: rows_url(self.report, name, keys, kept, by)

    def _exports(self, by: Actor, form: Any, run: ReportRun | None) -> Any:
        if not by.may(self.report.right, "can_export"):
            return []
        kept = dict(_given(form))
        return [
            Link(
                name.upper(),
                url_for(".export_stored", pk=run.id, file_format=name)
                if run is not None
                else url_for(".export", file_format=name, **kept),
                "download",
            )
            for name in FORMATS
        ]

    def _subscribing(self, by: Actor) -> Any:
        """Return the button by which the report comes by itself from now on."""
        act = REGISTRY.find("report_subscription", "subscribe")
        if act is None or by.employee_id is None or not by.may(act.table, act.permission):
            return []
        period = fitting(self.report)[0].value
        url = url_for(f"{act.table}.act_making", name=act.name, report=self.report.name, period=period)
        return [ActButton(act.name, str(act.label), url, act.icon, act.tone)]

    def _signing(self, by: Actor, run: ReportRun | None) -> Any:
        """Return the button by which who answers for a stored report signs it, until somebody has."""
        act = REGISTRY.find("report_signature", "sign")
        if act is None or run is None or run.report not in SIGNED or not by.may(act.table, act.permission):
            return []
        if signature_of(db.session(), run.id) is not None:
            return []
        url = url_for(
            f"{act.table}.act_making", name=act.name, source=f"report_run:{run.id}", back=url_for(".stored", pk=run.id)
        )
        return [ActButton(act.name, str(act.label), url, act.icon, act.tone)]

    def _runs(self, by: Actor) -> Any:
        if by.branch_id is None:
            return []
        return [
            Row(
                run.id,
                url_for(".stored", pk=run.id),
                [
                    Cell(run.business_on.isoformat(), url_for(".stored", pk=run.id)),
                    Cell(local_time(run.made_at, by)),
                    Cell(_who(run)),
                ],
                title=f"{self.report.label} {run.business_on.isoformat()}",
            )
            for run in newest_runs(db.session(), self.report, by.branch_id)
        ]


def _given(form: Any) -> list[tuple[str, str]]:
    """Return the parameters that are set, as a query or a form sends them."""
    return [(name, field._value()) for name, field in form._fields.items() if field.data is not None]


def _who(run: ReportRun) -> str:
    return run.employee.name if run.employee is not None else _("the system")


def _stored_words(run: ReportRun, by: Actor) -> str:
    """Say when a run was kept, who made it and who signed it."""
    said = _("Kept as it was on %(when)s, made by %(who)s.", when=local_time(run.made_at, by), who=_who(run))
    signature = signature_of(db.session(), run.id) if run.report in SIGNED else None
    if signature is None:
        return said
    when = local_time(signature.signed_at, by)
    return said + " " + _("Signed by %(who)s on %(when)s.", who=signature.signed_by.name, when=when)


def _shut(_name: str, _keys: Keys) -> str:
    return ""


def _table(table: Table, zone: str, opens: Opens) -> TableView:
    """Return a table whose cells open the rows that they count; what counts nothing opens nothing."""
    locale = locale_in_force()
    keys: list[Keys | None] = [*(table.keys or [None] * len(table.rows)), *([()] if table.totals is not None else [])]
    lines = [*table.rows, *([table.totals] if table.totals is not None else [])]
    rows = [
        Row(
            index,
            "",
            [
                Cell(
                    _shown(value, column.kind, locale, zone),
                    opens(column.name, key) if value and key is not None and column.kind != "text" else "",
                    number=column.kind != "text",
                )
                for value, column in zip(line, table.columns, strict=True)
            ],
        )
        for index, (line, key) in enumerate(zip(lines, keys, strict=True))
    ]
    heads = [ColumnHead(column.name, column.label.in_(locale)) for column in table.columns]
    return TableView(heads, rows, empty=_("Nothing happened on this day."))


def _shown(value: Any, kind: Any, locale: str, zone: str) -> str:
    if isinstance(value, Label):
        return value.in_(locale)
    return value if isinstance(value, str) else shown(value, locale, zone, kind)


def view_for(report: Report) -> type[ReportView]:
    """Return the view class of a report."""
    return type(f"{type(report).__name__}View", (ReportView,), {"report": report, "title": report.label})
