"""Printed forms on screen and over REST: the preview, the printing that counts, the batch in the background."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from flask import abort, flash, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response
from wtforms import Form

from app.actors import Actor
from app.errors import InvalidInput
from app.extensions import db
from app.models.printing import PrintJob
from app.panel import acting
from app.panel.describe import local_time, may_open, record_url
from app.panel.files import PDF
from app.panel.pages import ActButton, Cell, ColumnHead, FormPage, Link, PaperButton, RelatedTab, Row, TableView
from app.panel.person import me, now
from app.reports.base import PAPERS, Paper, is_printed, paper_named, papers_of
from app.reports.press import copy_words
from app.reports.printing import MOST_SHEETS, ask_batch, preview, print_record
from app.services.printing import jobs_of
from app.words import _, _n, locale_in_force

if TYPE_CHECKING:
    from app.panel.house_view import HouseView

TASK = "background_task"


def declared(view: HouseView, name: str, by: Actor) -> Paper:
    """Return a form of a view's table that this person may print; 404 and 403 else."""
    form = PAPERS.get((view.datamodel.table, name))
    if form is None:
        abort(404)
    if not by.may(form.table, form.permission):
        abort(403)
    return form


def paper_buttons(record: Any, by: Actor) -> list[PaperButton]:
    """Return the buttons that print a record's forms, each with a request key of its own."""
    return [
        PaperButton(str(form.label), paper_url(form, record.id), form.icon, uuid.uuid4().hex)
        for form in papers_of(record.__tablename__)
        if by.may(form.table, form.permission)
    ]


def paper_url(form: Paper, record_id: int) -> str:
    """Return the address of a form of a record: GET shows the preview, POST prints."""
    return url_for(f"{form.table}.print_paper", pk=record_id, name=form.name)


# --- one record --------------------------------------------------------------------------------------------------


def preview_answer(view: HouseView, pk: int, name: str) -> Response:
    """Answer a form as it would look, marked as a preview; nothing is counted."""
    by = me()
    form = declared(view, name, by)
    record = view.record_in_scope(by, pk, form.eager)
    pdf = preview(db.session(), form, record, by=by, at=now(), locale=locale_in_force())
    return pdf_answer(pdf, f"{name}-{record}-preview")


def print_answer(view: HouseView, pk: int, name: str, key: str) -> Response:
    """Print a form of a record, count the copy and answer it; the same key again answers the same copy."""
    by = me()
    form = declared(view, name, by)
    view.record_in_scope(by, pk)
    made = print_record(db.session(), form, pk, by=by, at=now(), key=key, locale=locale_in_force())
    answer = pdf_answer(made.pdf, f"{name}-{made.name}")
    answer.headers["X-Copy-Number"] = str(made.job.copy_no)
    return answer


def pdf_answer(pdf: bytes, name: str) -> Response:
    """Answer a PDF under a plain file name; to look at, or to save with ``?download=1``."""
    shown = "attachment" if request.args.get("download") == "1" else "inline"
    filename = f"{name}.pdf".encode("ascii", "replace").decode()
    return Response(pdf, mimetype=PDF, headers={"Content-Disposition": f'{shown}; filename="{filename}"'})


def printed_tab(record: Any, by: Actor) -> list[RelatedTab]:
    """Return the tab of a record's printings, newest first; none for a table without forms."""
    if not is_printed(record.__tablename__):
        return []
    jobs = jobs_of(db.session(), record.__tablename__, record.id)
    heads = [ColumnHead(name, label) for name, label in _HEADS()]
    rows = [Row(job.id, "", _cells(job, by), title=copy_words(job.copy_no)) for job in jobs]
    return [RelatedTab("printed", _("Printed"), TableView(heads, rows, _("Not printed yet.")), len(rows))]


def _HEADS() -> list[tuple[str, str]]:  # noqa: N802 - a constant in the reader's language
    return [("copy", _("Copy")), ("paper", _("Form")), ("printed_at", _("Printed at")), ("by", _("Printed by"))]


def _cells(job: PrintJob, by: Actor) -> list[Cell]:
    task_url = record_url(TASK, job.task_id) if job.task_id is not None and may_open(TASK, by) else ""
    who = job.employee.name if job.employee is not None else job.actor
    return [
        Cell(copy_words(job.copy_no)),
        Cell(form_words(job)),
        Cell(local_time(job.printed_at, by), url=task_url, number=True),
        Cell(who),
    ]


def form_words(job: PrintJob) -> str:
    """Return what a printed form is called."""
    form = paper_named(job.table_name, job.paper)
    return job.paper if form is None else str(form.title)


# --- a selection -------------------------------------------------------------------------------------------------


def list_buttons(view: HouseView, by: Actor) -> list[ActButton]:
    """Return the buttons that print all that a list shows, with the list's own filters in the address."""
    query = request.query_string.decode("ascii", "replace")
    return [
        ActButton(
            f"print_shown_{form.name}",
            _("%(act)s: all in this list", act=form.label),
            url_for(".print_shown", name=form.name) + (f"?{query}" if query else ""),
            form.icon,
        )
        for form in papers_of(view.datamodel.table)
        if by.may(form.table, form.permission)
    ]


def selection_buttons(table: str, by: Actor) -> list[ActButton]:
    """Return the buttons that print the selected rows of a list."""
    return [
        ActButton(f"print_{form.name}", str(form.label), url_for(f"{table}.print_many", name=form.name), form.icon)
        for form in papers_of(table)
        if by.may(table, form.permission)
    ]


def batch_answer(form: Paper, ids: list[int], *, back: str, hidden: list[tuple[str, str]]) -> Any:
    """Ask whether to print so many sheets, or put them into the queue and go to the page of the task."""
    by = me()
    refusal = "" if ids else _("Please select rows first.")
    if len(ids) > MOST_SHEETS:
        refusal = _n("At most %(num)s row at once.", "At most %(num)s rows at once.", MOST_SHEETS)
    if request.method == "GET" or refusal:
        return _show(form, len(ids), back, hidden, refusal), 422 if refusal else 200
    task = ask_batch(db.session(), form, ids, by=by, at=now(), key=acting.request_key_sent())
    flash(_n("%(num)s sheet is being printed.", "%(num)s sheets are being printed.", len(ids)), "success")
    onwards = record_url(TASK, task.id) if may_open(TASK, by) else back
    return jsonify(redirect=onwards, open=None, shown_html=None) if acting.is_dialog() else redirect(onwards)


def _show(form: Paper, count: int, back: str, hidden: list[tuple[str, str]], refusal: str) -> str:
    title = _("%(act)s: %(count)s", act=form.label, count=_n("%(num)s row", "%(num)s rows", count))
    page = FormPage(
        title=title,
        crumbs=[Link(_("Back to the list"), back)],
        form=Form(),
        action=request.full_path if request.args and not hidden else request.path,
        submit=str(form.label),
        cancel_url=back,
        refusal=refusal,
        consequence=_(
            "All sheets go into one file, in the order of the list, each with its own copy number. It is made in the"
            " background; what no longer counts by then is left out and named."
        ),
        hidden=[*acting.hidden_inputs(None), *hidden],
    )
    return render_template("panel/dialog.html" if acting.is_dialog() else "panel/form.html", page=page)


# --- REST --------------------------------------------------------------------------------------------------------


def batch_by_rest(form: Paper, body: dict[str, Any], key: str | None) -> tuple[Response, int]:
    """Put the forms of ``{"ids": [...]}`` into the queue: 202 with the task's number."""
    ids = body.pop("ids", None)
    if body:
        raise InvalidInput({name: [_("There is no input of this name.")] for name in body})
    if not isinstance(ids, list) or any(
        isinstance(one, bool) or not isinstance(one, int) or not 0 < one < 2**63 for one in ids
    ):
        raise InvalidInput({"ids": [_("A list of record numbers, please.")]})
    task = ask_batch(db.session(), form, ids, by=me(), at=now(), key=key)
    return jsonify(task_id=task.id, state=task.state.value), 202
