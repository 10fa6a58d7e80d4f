"""System → Imports: files handed in, what was found in them, what became of each row."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from flask import Response, abort, g, render_template, request, url_for
from flask_appbuilder import expose
from flask_appbuilder.api import expose as expose_api
from sqlalchemy import and_, exists, func, select

from app.actors import Actor
from app.extensions import db
from app.models.audit import Way
from app.models.imports import (
    ImportBatch,
    ImportFinding,
    ImportMapping,
    ImportOf,
    ImportRow,
    ImportState,
    OnDuplicate,
    RowAction,
    Weight,
)
from app.models.tasks import OPEN_STATES, TaskState
from app.panel import recording
from app.panel.cards import card
from app.panel.describe import TELLS, may_open, record_url
from app.panel.house_view import HouseView, Tab, views
from app.panel.interface import HouseInterface
from app.panel.pages import Cell, Link, Progress, RelatedTab
from app.panel.person import me, now
from app.panel.registry import Registrar
from app.panel.rest import HouseApi
from app.reports.import_sheets import refused_sheet, template_sheet
from app.services.files import log_opened, may_read_content
from app.services.imports import KINDS, told_columns
from app.services.looks import NO_RIGHT, log_look
from app.services.scope import in_scope, models
from app.unit import unit_of_work
from app.views.tasks import progress_of
from app.words import _, _l, locale_in_force

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
SHOWN = 20
BUSY = (ImportState.CHECKING, ImportState.IMPORTING)
CARRIED_OUT = (ImportState.IMPORTING, ImportState.DONE, ImportState.CANCELLED)


def sheet_answer(content: bytes, name: str) -> Response:
    """Answer a workbook to be saved."""
    return Response(content, mimetype=XLSX, headers={"Content-Disposition": f'attachment; filename="{name}.xlsx"'})


def template_answer(by: Actor, kind: str) -> Response:
    """Answer the template of a kind that this person may import."""
    if kind not in {each.value for each in ImportOf} or not by.may(*KINDS[ImportOf(kind)].right):
        abort(404)
    return sheet_answer(template_sheet(KINDS[ImportOf(kind)], locale_in_force()), f"import-{kind}")


def refused_answer(batch: ImportBatch, by: Actor) -> Response:
    """Answer the rows of a batch that were refused, with the reasons beside them, to be corrected.

    They are what the file holds: 404 for who may not read that; the reading of another's is logged, and so is being
    denied it.
    """
    session = db.session()
    if not may_read_content(session, batch, by):
        with unit_of_work(session):
            log_look(session, Way.FILE, "import_batch", batch.id, "import_file", "", by, at=now(), denied=NO_RIGHT)
        abort(404)
    name = f"refused-{batch.id}"
    content = refused_sheet(session, batch, locale_in_force())
    if batch.employee_id != by.employee_id:
        with unit_of_work(session):
            log_opened(session, "import_batch", batch.id, "import_file", f"{name}.xlsx", by=by, at=now())
    return sheet_answer(content, name)


TELLS[ImportBatch.__tablename__, "columns"] = told_columns


class ImportBatchApi(HouseApi):
    """Imports over REST; files besides: the template of a kind, the refused rows of a batch."""

    @expose_api("/template/<string:kind>", methods=["GET"])
    def template(self, kind: str) -> Response:
        """Answer a kind's template as XLSX."""
        return template_answer(self._require("can_upload"), kind)

    @expose_api("/<int:pk>/refused", methods=["GET"])
    def refused(self, pk: int) -> Response:
        """Answer the refused rows of a batch as XLSX."""
        by = self._require("can_show")
        return refused_answer(self.view.record_in_scope(by, pk), by)


GOING_ON = (ImportState.UPLOADED, ImportState.CHECKING, ImportState.CHECKED, ImportState.IMPORTING, ImportState.FAILED)
card("import_batch", "open", _l("Imports to go on with"), order=68, menu=True)


class ImportBatchView(HouseView):
    """导入."""

    datamodel = HouseInterface(ImportBatch)
    api = ImportBatchApi
    list_columns = ("file_name", "kind", "state", "rows_total", "rows_refused", "rows_made", "employee", "created_at")
    labels = {"created_at": _l("When")}
    show_sections = (
        (
            _l("File to import"),
            ("kind", "file_name", "sheet", "encoding", "header_row", "employee", "created_at", "branch"),
        ),
        (_l("How"), ("on_duplicate", "all_or_nothing")),
        (_l("Check"), ("checked_at", "rows_total", "rows_refused", "rows_duplicate")),
        (
            _l("Result"),
            ("finished_at", "rows_done", "rows_made", "rows_updated", "rows_skipped", "rows_left_out"),
        ),
    )
    order_columns = ("created_at",)
    filters = ("kind", "state")
    quick = (
        Tab("all", _l("All")),
        Tab("open", _l("To go on with"), lambda by, now: ImportBatch.state.in_(GOING_ON)),
    )
    eager = ("employee", "branch", "task")

    def downloads(self, by: Actor) -> Any:
        """Offer the templates of the kinds that this person may import."""
        return templates_for(by)

    @expose("/template/<string:kind>")
    def template(self, kind: str) -> Response:
        """Answer a kind's template as XLSX."""
        return template_answer(self._require("can_upload"), kind)

    @expose("/<int:pk>/refused")
    def refused(self, pk: int) -> Response:
        """Answer the refused rows of a batch as XLSX."""
        by = self._require("can_show")
        return refused_answer(self.record_in_scope(by, pk), by)

    @expose("/show/<int:pk>")
    def show(self, pk: int) -> Any:
        """Show a batch; while it is being worked on, how far the work is."""
        by = self._require("can_show")
        batch = self.record_in_scope(by, pk)
        page = recording.record_page(self, batch, by)
        if batch.state not in CARRIED_OUT:
            page = replace(page, sections=[each for each in page.sections if each.title != _("Result")])
        if batch.state in BUSY and batch.task is not None and batch.task.state in OPEN_STATES:
            page = replace(page, progress=progress_of(batch.task, by))
        elif (batch.rows_refused or batch.rows_left_out) and may_read_content(db.session(), batch, by):
            page = replace(page, progress=_refused_file(batch))
        return render_template(
            "panel/import_batch.html", page=page, columns=self._columns(batch, by), appbuilder=self.appbuilder
        )

    @expose("/<int:pk>/act/<string:name>", methods=["GET", "POST"])
    def act_on(self, pk: int, name: str) -> Any:
        """As for every table; but the columns are mapped on a page of their own, which is too wide for a dialog."""
        if name == "map" and request.method == "GET" and request.headers.get("X-Dialog") == "1":
            return "<!doctype html>"
        return super().act_on(pk, name)

    def _columns(self, batch: ImportBatch, by: Actor) -> Any:
        """Return what each column of the file was taken for: (header, examples, field)."""
        kind = KINDS[batch.kind]
        return [
            (
                line["head"],
                " · ".join(example for example in line["examples"] if example),
                str(kind.column(line["field"]).label) if line["field"] else "",
            )
            for line in told_columns(batch, by)
        ]

    def banners(self, record: Any, by: Actor) -> Any:
        """Say what comes next."""
        told = {
            ImportState.UPLOADED: (
                "info",
                _("Nothing is changed yet. Look at the columns below, then check the file."),
            ),
            ImportState.CHECKING: ("info", _("The file is being checked; nothing is changed.")),
            ImportState.IMPORTING: ("info", _("The rows are being imported.")),
            ImportState.FAILED: ("bad", _unreadable(record)),
        }
        found = [told[record.state]] if record.state in told else []
        if record.state is ImportState.CHECKED:
            found.append(_after_check(record))
        if record.state in BUSY and record.task is not None and record.task.state is TaskState.FAILED:
            found.append(("bad", _("The work broke off: %(why)s", why=record.task.error or "")))
        return found

    def extra_tabs(self, record: Any, by: Actor) -> Any:
        """The findings of the newest check by weight, then what became of the rows."""
        if not by.may("import_finding", "can_list"):
            return []
        tabs = [_finding_tab(record, weight, by) for weight in Weight]
        return [tab for tab in (*tabs, _row_tab(record, by)) if tab.count]


def _refused_file(batch: ImportBatch) -> Progress:
    """Return the link to the refused rows, where a task's result stands."""
    link = Link(f"refused-{batch.id}.xlsx", url_for("import_batch.refused", pk=batch.id), "download")
    said = _("The refused rows with their reasons, to be corrected and imported as a file of their own.")
    return Progress(state="", bar=None, count="", said=said, result=link)


def _after_check(batch: ImportBatch) -> tuple[str, str]:
    if batch.rows_refused:
        return "warn", _(
            "%(good)s of %(rows)s rows can be imported. Download the refused rows, correct them, import them again.",
            good=batch.rows_total - batch.rows_refused,
            rows=batch.rows_total,
        )
    return "ok", _("All %(rows)s rows can be imported.", rows=batch.rows_total)


def _unreadable(batch: ImportBatch) -> str:
    finding = (
        db.session()
        .scalars(
            select(ImportFinding).where(
                ImportFinding.batch_id == batch.id,
                ImportFinding.round == batch.round,
                ImportFinding.rule == "unreadable",
            )
        )
        .first()
    )
    return finding.sentence if finding is not None else ""


def _of_weight(batch: ImportBatch, weight: Weight) -> Any:
    return and_(ImportFinding.batch_id == batch.id, ImportFinding.round == batch.round, ImportFinding.weight == weight)


def _finding_tab(batch: ImportBatch, weight: Weight, by: Actor) -> RelatedTab:
    session, view = db.session(), views()["import_finding"]
    condition = _of_weight(batch, weight)
    rows = session.scalars(
        select(ImportFinding).where(condition).order_by(ImportFinding.row_no, ImportFinding.id).limit(SHOWN)
    ).all()
    count = session.scalar(select(func.count()).select_from(ImportFinding).where(condition)) or 0
    more = url_for("import_finding.list", batch_id=batch.id, weight=weight.value) if count > SHOWN else ""
    columns = DUPLICATE_COLUMNS if weight is Weight.DUPLICATE else ("cell", "heading", "value", "sentence")
    table = recording.table_of(view, [*rows], by, columns)
    return RelatedTab(f"finding-{weight.value}", str(weight.label), table, count, more)


def _row_tab(batch: ImportBatch, by: Actor) -> RelatedTab:
    session = db.session()
    of_batch = ImportRow.batch_id == batch.id
    rows = session.scalars(select(ImportRow).where(of_batch).order_by(ImportRow.row_no).limit(SHOWN)).all()
    count = session.scalar(select(func.count()).select_from(ImportRow).where(of_batch)) or 0
    more = url_for("import_row.list", batch_id=batch.id) if count > SHOWN else ""
    table = recording.table_of(views()["import_row"], [*rows], by, ("row_no", "action", "record"))
    return RelatedTab("import_row", _("Rows"), table, count, more)


def _know(pairs: Iterable[tuple[str | None, int | None]], by: Actor) -> None:
    """Load the records that rows point to, one statement for each table, as far as this person may see them."""
    wanted: dict[str, set[int]] = {}
    for table, key in pairs:
        if table in models() and key is not None:
            wanted.setdefault(str(table), set()).add(key)
    seen = g.setdefault("import_seen", {})
    for table, keys in wanted.items():
        model: Any = models()[table]
        found = db.session().scalars(in_scope(model, by).where(model.id.in_(sorted(keys))))
        seen.update({(table, key): None for key in keys} | {(table, record.id): record for record in found})


def _seen(table: str | None, key: int | None) -> Any:
    """Return a record that a row points to, or None if there is none to be seen."""
    seen = g.setdefault("import_seen", {})
    if (table, key) not in seen:
        _know([(table, key)], me())
    return seen.get((table, key))


DUPLICATE_COLUMNS = ("cell", "here", "stands", "choice_made")


def _stands(finding: Any) -> str:
    """Return what stands already, as far as the reader may see it."""
    if finding.weight is not Weight.DUPLICATE:
        return "—"
    if finding.match_table and _seen(finding.match_table, finding.match_id) is None:
        return _("outside of what you see")
    record = finding.facts.get("record")
    return str(record) if record else finding.sentence


def _chosen(finding: Any) -> str:
    chosen: OnDuplicate | None = finding.choice
    return str(chosen.label) if chosen is not None else _("as chosen for the whole import")


class ImportFindingView(HouseView):
    """What the newest check of a file found."""

    datamodel = HouseInterface(ImportFinding)
    list_columns = ("cell", "weight", "heading", "value", "sentence", "here", "stands", "batch")
    labels = {
        "sentence": _l("What is wrong"),
        "here": _l("In the file"),
        "stands": _l("On file"),
        "choice_made": _l("What to do"),
    }
    computed = {
        "sentence": lambda finding: finding.sentence,
        "here": lambda finding: finding.facts.get("here") or "—",
        "stands": _stands,
        "choice_made": _chosen,
    }
    show_sections = (
        (
            _l("Finding"),
            ("batch", "cell", "row_no", "heading", "value", "weight", "sentence", "here", "stands", "choice_made"),
        ),
    )
    order_columns = ("row_no",)
    default_order = "row_no"
    descending = False
    filters = ("weight", "batch_id")
    quick = (
        Tab("all", _l("All")),
        Tab("refused", _l("Row refused"), lambda by, now: ImportFinding.weight == Weight.REFUSED),
        Tab("duplicate", _l("Stands already"), lambda by, now: ImportFinding.weight == Weight.DUPLICATE),
    )

    def cell(self, record: Any, name: str, by: Actor, *, plain: bool = False) -> Cell:
        """A sentence is read to its end."""
        cell = super().cell(record, name, by, plain=plain)
        return replace(cell, wide=True) if name in ("sentence", "stands") else cell

    def before_rows(self, records: Any, by: Actor) -> None:
        _know(((finding.match_table, finding.match_id) for finding in records), by)

    def conditions(self, by: Actor) -> Any:
        """Findings of an earlier check are on file, and no longer shown."""
        newest = exists().where(ImportBatch.id == ImportFinding.batch_id, ImportBatch.round == ImportFinding.round)
        return [newest]


def _record(row: Any) -> str:
    if row.table_name is None or row.record_id is None:
        return "—"
    found = _seen(row.table_name, row.record_id)
    return "—" if found is None else str(found)


class ImportRowView(HouseView):
    """What became of each row."""

    datamodel = HouseInterface(ImportRow)
    list_columns = ("row_no", "action", "record", "batch")
    labels = {"record": _l("Record")}
    computed = {"record": _record}
    order_columns = ("row_no",)
    default_order = "row_no"
    descending = False
    filters = ("action", "batch_id")

    def before_rows(self, records: Any, by: Actor) -> None:
        _know(((row.table_name, row.record_id) for row in records), by)

    def cell(self, record: Any, name: str, by: Actor, *, plain: bool = False) -> Cell:
        """A row leads to the record that it became."""
        cell = super().cell(record, name, by, plain=plain)
        if name == "record" and cell.text != "—" and may_open(record.table_name, by):
            return Cell(cell.text, url=record_url(record.table_name, record.record_id))
        return Cell(cell.text, tone="bad") if name == "action" and record.action is RowAction.REFUSED else cell


class ImportMappingView(HouseView):
    """Headers that a branch's earlier files had."""

    datamodel = HouseInterface(ImportMapping)
    list_columns = ("kind", "employee", "used_at", "branch")
    order_columns = ("used_at",)


def templates_for(by: Actor) -> Any:
    """Return links to the templates of the kinds that this person may import."""
    return [
        Link(_("Template: %(what)s", what=name.label), url_for("import_batch.template", kind=name.value), "download")
        for name, kind in KINDS.items()
        if by.may(*kind.right)
    ]


def register(menu: Registrar) -> None:
    """Register this area's views."""
    menu.page(ImportBatchView, group="system", label=_l("Imports"), icon="file-earmark-arrow-up")
    menu.page(ImportFindingView)
    menu.page(ImportRowView)
    menu.page(ImportMappingView)
