"""Exports on screen and over REST: the form that asks why, the file or the request, and how a list becomes a file."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlencode

from flask import Response, abort, current_app, flash, g, jsonify, redirect, render_template, request, url_for
from sqlalchemy.orm import Session

from app.actors import Actor
from app.errors import InvalidInput, NotPermitted, Refusal
from app.extensions import db
from app.fields import Choose, HouseForm, Reason
from app.models.audit import Way
from app.models.base import Labelled
from app.models.privacy import ExportRequest, ExportState, FileFormat
from app.panel import acting
from app.panel.days import fixed_days
from app.panel.describe import NONE, record_url
from app.panel.listing import is_time
from app.panel.pages import FormPage, Link
from app.panel.person import me, now
from app.panel.preferences import offered_columns, shown_columns
from app.panel.registered import lists
from app.reports.facts import Column, Label, ReportFacts, Row, Table
from app.reports.streams import write_rows
from app.services.files import parts_of
from app.services.looks import NO_RIGHT, log_look
from app.services.privacy.exports import MEDIA, SOURCES, Made, Making, Source, Wanted, ask, refuse_too_many
from app.services.runner import form_context
from app.unit import unit_of_work
from app.words import _, _l, force_locale, in_locale, locale_in_force

if TYPE_CHECKING:
    from app.panel.house_view import HouseView


class SheetFormat(Labelled):
    """As what a list leaves the house."""

    XLSX = "xlsx"
    CSV = "csv"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {member: FileFormat(member.value).label for member in cls}


class ListExport(HouseForm):
    """A list as a file: as what, and why."""

    file_format = Choose(_l("File format"), options=SheetFormat, required=True)
    reason = Reason.reason


class ReportExport(HouseForm):
    """A report as a file: why. The format stands in the address."""

    reason = Reason.reason


# --- asking ------------------------------------------------------------------------------------------------------


def may_export(right: str, by: Actor) -> bool:
    return by.may(right, "can_export")


def require(right: str, table: str, by: Actor) -> None:
    """Answer 403 to who may not export this; that it was tried is kept."""
    if may_export(right, by):
        return
    if request.method == "POST" or request.path.startswith("/api/"):
        session = db.session()
        with unit_of_work(session):
            log_look(session, Way.EXPORT, table, 0, right, "", by, denied=NO_RIGHT)
    abort(403)


def answer(form_class: type[HouseForm], wanted: Any, *, title: str, back: str) -> Any:
    """Show the form that asks why, or ask for the export and lead to it. ``wanted`` makes a ``Wanted`` of a form."""
    by = me()
    form = form_class(
        request.form if request.method == "POST" else None,
        meta={"context": form_context(db.session(), by, now=now())},
    )
    refusal = ""
    if request.method == "POST" and form.validate():
        try:
            made = ask(
                db.session(), wanted(form), by=by, at=now(), key=acting.request_key_sent(), locale=locale_in_force()
            )
            return _lead_to(made)
        except Refusal as said:
            refusal = said.sentence
        except NotPermitted:
            abort(403)
    code = 200 if request.method == "GET" else (409 if refusal else 422)
    return _show(form, title, back, refusal), code


def _lead_to(made: ExportRequest) -> Any:
    if made.state is ExportState.WAITING:
        flash(_("These are many rows: somebody else has to approve it. You will be told."), "info")
    elif made.state is ExportState.READY:
        flash(_("The file is ready."), "success")
    onwards = record_url("export_request", made.id)
    return jsonify(redirect=onwards, open=None, shown_html=None) if acting.is_dialog() else redirect(onwards)


def _show(form: HouseForm, title: str, back: str, refusal: str) -> str:
    page = FormPage(
        title=_("Export: %(what)s", what=title),
        crumbs=[Link(title, back)],
        form=form,
        action=request.full_path.rstrip("?"),
        submit=_("Export"),
        cancel_url=back,
        refusal=refusal,
        consequence=_("What is exported, by whom, when and why is kept; your name and the time stand on the file."),
        hidden=acting.hidden_inputs(None),
    )
    return render_template("panel/dialog.html" if acting.is_dialog() else "panel/form.html", page=page)


def reason_of_rest(body: Mapping[str, Any]) -> str:
    """Return why rows are asked for over REST: ``reason`` or the header ``X-Reason`` (percent-encoded), else 422."""
    said = body.get("reason") or unquote(request.headers.get("X-Reason", ""))
    if not isinstance(said, str) or not 2 <= len(said.strip()) <= 500 or "\x00" in said:
        raise InvalidInput({"reason": [_("Why is it exported? 2 to 500 characters, please.")]})
    return said.strip()


def answer_rest(wanted: Wanted, key: str) -> Any:
    """Answer an export over REST: the file, or 202 with the request that waits or is being made."""
    made = ask(db.session(), wanted, by=me(), at=now(), key=key, locale=locale_in_force())
    if made.state is not ExportState.READY or made.file is None:
        return jsonify(export_request_id=made.id, state=made.state.value, task_id=made.task_id), 202
    plain = made.file.name if made.file.name.isascii() else f"{made.source}-{made.id}.{made.file_format.value}"
    disposition = f'attachment; filename="{plain}"'
    return Response(
        parts_of(made.file),
        content_type=MEDIA[made.file_format],
        headers={
            "Content-Length": str(made.file.size_bytes),
            "Content-Disposition": disposition,
            "X-Export-Request": str(made.id),
        },
    )


# --- a list ------------------------------------------------------------------------------------------------------

LIST = "list"
#: How many rows of a list are held in memory at once, and how many of their numbers are read at once.
AT_A_TIME = 250
NUMBERS_AT_A_TIME = 10_000


def list_wanted(view: HouseView, query: str, file_format: str, reason: str) -> Wanted:
    """Return the export of a list under a query string, with the columns that its reader sees there. A relative day
    is that of the asking, whenever the file is made."""
    by = me()
    names = [name for name in view.filters if is_time(view.model, name)]
    asked = fixed_days(dict(parse_qsl(query)), names, now().astimezone(by.timezone).date())
    return Wanted(
        LIST,
        view.class_permission_name,
        view.title or view.model.TITLES,
        {"page": view.endpoint, "query": urlencode(asked), "columns": shown_columns(view, by)},
        FileFormat(file_format),
        reason,
    )


@contextmanager
def _list_asked(parameters: Mapping[str, Any], by: Actor, at: datetime) -> Iterator[tuple[HouseView, Any, Any]]:
    """Read a list's query string as its page would, for whoever exports it; yields (view, what is asked, statement)."""
    view = lists().get(parameters["page"])
    if view is None:
        raise Refusal(_("This version does not know this list."))
    standing, info = dict(g.__dict__), db.session().info
    held = dict(info)
    try:
        with current_app.test_request_context(f"{view.route_base}/list/", query_string=parameters["query"]):
            g.__dict__.clear()
            g.actor, g.now, g.acting_name = by, at, by.name
            asked = view._asked()
            yield view, asked, view.rows_asked(by, asked)
    finally:
        g.__dict__.clear()
        g.__dict__.update(standing)
        info.update(held)  # the end of a request forgets them, and this was none


def _count(session: Session, parameters: Mapping[str, Any], by: Actor, at: datetime) -> int:
    with _list_asked(parameters, by, at) as (view, _asked, statement):
        return view.datamodel.count(session, statement, exact=True)


def _make(session: Session, making: Making) -> Made:
    locale, by = locale_in_force(), making.by
    with _list_asked(making.parameters, by, making.at) as (view, asked, statement), force_locale(locale):
        offered = offered_columns(view, by)
        names = [name for name in making.parameters.get("columns") or view.list_columns if name in offered]
        facts = _head(view, asked, names, by, making.at)
        rows = _rows(session, view, asked, statement, names, making)
        count = write_rows(making.out, facts, rows, making.file_format.value, locale, making.mark)
    name = f"{in_locale(view.title or view.model.TITLES, locale)}-{making.at.astimezone(by.timezone):%Y%m%d-%H%M}"
    return Made(count, name)


def _head(view: HouseView, asked: Any, names: list[str], by: Actor, at: datetime) -> ReportFacts:
    """Return what a list's file says above its rows: the columns, the filters, who made it."""
    columns = tuple(Column(name, Label.same(view.label(name))) for name in names)
    return ReportFacts(
        report=view.endpoint,
        title=Label.same(view.heading),
        parameters=tuple((Label.same(name), Label.same(text)) for name, text in asked.filters.items()),
        figures=(),
        tables=(Table("rows", Label.same(view.heading), columns, ()),),
        chart=None,
        made_at=at,
        made_by=by.display_name,
        zone=by.zone,
    )


def _rows(
    session: Session, view: HouseView, asked: Any, statement: Any, names: list[str], making: Making
) -> Iterator[Row]:
    """Yield a list's rows as they are shown, all its pages, masked, in the reader's words.

    One statement says which rows there are and in which order, so that none is missed or told twice while others
    write; they are then read a few hundred at a time, in scope again, and let go of.
    """
    order = view._order(asked)
    wanted = statement.with_only_columns(view.model.id).order_by(*order).limit(making.most + 1)
    # A cursor of the server's and eight bytes a row: as objects, 200,000 numbers would be tens of megabytes.
    ids = array("q", session.scalars(wanted.execution_options(yield_per=NUMBERS_AT_A_TIME)))
    refuse_too_many(len(ids), making.most)
    for start in range(0, len(ids), AT_A_TIME):
        making.progress(start, len(ids))
        part = ids[start : start + AT_A_TIME]
        scoped = view.datamodel.statement(making.by, [view.model.id.in_(part)])
        found = view.datamodel.page(session, scoped, order=(), page=0, size=AT_A_TIME, eager=view.loads(names))
        records = {record.id: record for record in found}
        view.before_rows(found, making.by)
        for pk in part:
            if pk in records:
                yield tuple(_text(view.cell_shown(records[pk], name, making.by, plain=True)) for name in names)


def _text(cell: Any) -> str:
    shown = "" if cell.text == NONE else cell.text
    return f"{shown} {cell.sub}".strip() if cell.sub else shown


SOURCES[LIST] = Source(_count, _make)


def list_link(view: HouseView, by: Actor) -> list[Link]:
    """Return the link that exports a list under its present filters; none without the right."""
    if not may_export(view.class_permission_name, by):
        return []
    query = request.query_string.decode("ascii", "replace")
    return [Link(_("Export this list"), url_for(".export") + (f"?{query}" if query else ""), "file-earmark-arrow-down")]
