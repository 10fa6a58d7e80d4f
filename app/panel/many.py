"""An act on a selection of rows: the bar of a list, the one dialog for the inputs, the answer per row."""

from __future__ import annotations

from typing import Any

from flask import abort, flash, jsonify, redirect, render_template, request, url_for

from app.actors import Actor
from app.acts import REGISTRY, Act
from app.errors import InvalidInput, KeyReused
from app.extensions import db
from app.fields import MAX_ID
from app.models.base import models
from app.models.tasks import BackgroundTask
from app.panel import printing
from app.panel.acting import back_sent, hidden_inputs, ids_sent, is_dialog, own_inputs, put_errors, request_key_sent
from app.panel.describe import NONE, json_value, may_open, record_url
from app.panel.doors import again
from app.panel.pages import (
    ActButton,
    Cell,
    ColumnHead,
    FormPage,
    Link,
    ManyPage,
    ManyRow,
    RelatedTab,
    Row,
    Selection,
    TableView,
)
from app.panel.person import me, now
from app.services.batches import BATCH, ask_many, most_rows, rows_of, takes_long
from app.services.fieldrights import seen
from app.services.many import MOST_AT_ONCE, RowResult, chosen, run_many
from app.services.runner import form_context
from app.services.scope import in_scope
from app.words import _, _n

#: Beyond this many, the dialog counts the selected records instead of naming them.
MOST_NAMED = 8
#: Of a batch's page: so many rows at first, all on request.
ROWS_SHOWN = 200
TASK = "background_task"


def selection_of(table: str, by: Actor) -> Selection | None:
    """Return what this person may do on selected rows of a table; None if nothing."""
    buttons = [
        ActButton(act.name, str(act.label), url_for(f"{table}.act_on_many", name=act.name), act.icon, act.tone)
        for act in REGISTRY.many(table)
        if by.may(table, act.permission)
    ]
    papers = printing.selection_buttons(table, by)
    return Selection(buttons, request.full_path.rstrip("?"), papers) if buttons or papers else None


def answer(act: Act) -> Any:
    """Show the form for a selection, or run the act on it; the same address serves the dialog and the plain page."""
    by = me()
    if not by.may(act.table, act.permission):
        abort(403)
    sent = request.form if request.method == "POST" else None
    context = form_context(db.session(), by, now=now())
    form = act.form(sent, meta={"context": context})
    try:
        ids = chosen(ids_sent(), most=most_rows(act))
    except InvalidInput as wrong:
        return _show(act, by, form, [], " ".join(wrong.errors["ids"])), 422
    if sent is None or again.sentence():
        return _show(act, by, form, ids)
    inputs = own_inputs(sent)
    asked = {"inputs": inputs, "by": by, "at": now(), "key": request_key_sent()}
    try:
        if takes_long(db.session(), act, len(ids), by=by, at=now()):
            return _queued(act, by, ask_many(db.session(), act, ids, **asked))
        return _told(act, by, run_many(db.session(), act, ids, **asked))
    except InvalidInput as wrong:
        put_errors(form, wrong)
        return _show(act, by, form, ids), 422
    except KeyReused as said:
        return _show(act, by, form, ids, said.sentence, anew=True), 409


def _queued(act: Act, by: Actor, task: BackgroundTask) -> Any:
    """Lead to the page of the task that does what was asked."""
    flash(_("%(act)s is done in the background.", act=act.label), "success")
    onwards = record_url(TASK, task.id) if may_open(TASK, by) else _back(act, by)
    return jsonify(redirect=onwards, open=None, shown_html=None) if is_dialog() else redirect(onwards)


def _back(act: Act, by: Actor) -> str:
    """Return the list where the rows were selected: an address of ours, else the table's own list."""
    return back_sent(url_for(f"{act.table}.list") if by.may(act.table, "can_list") else url_for("HomeView.index"))


def _show(act: Act, by: Actor, form: Any, ids: list[int], refusal: str = "", *, anew: bool = False) -> str:
    model = models()[act.table]
    back = _back(act, by)
    count = _n("%(num)s row", "%(num)s rows", len(ids))
    later = ""
    if takes_long(db.session(), act, len(ids), by=by, at=now()):
        later = _("So many rows are done in the background; a page shows what became of each.")
    look = _look(act, ids, by)
    shown = {row.key for row in look.rows} if look is not None else set()
    hidden = [*hidden_inputs(None, anew=anew), ("back", back)]
    hidden += [("looked", str(row_id)) for row_id in shown] + [("id", str(one)) for one in ids if one not in shown]
    page = FormPage(
        title=_("%(act)s: %(count)s", act=act.label, count=count),
        crumbs=[Link(str(model.TITLES), back)],
        form=form,
        action=request.path,
        submit=str(act.label),
        cancel_url=back,
        tone="danger" if act.tone == "danger" else "accent",
        consequence=" · ".join(
            part for part in ("" if look is not None else _named(model, ids, by), str(act.consequence), later) if part
        ),
        refusal=refusal,
        hidden=hidden,
        again=again.sentence(),
        look=look,
    )
    return render_template("panel/dialog.html" if is_dialog() else "panel/form.html", page=page, act=act)


def _look(act: Act, ids: list[int], by: Actor) -> TableView | None:
    """Return the chosen rows to be looked at one by one, where their view says what of; a row that was left out of a
    form that comes back stands there still, not ticked. Rows beyond those that are done while one waits are named."""
    from app.panel.house_view import views

    view = views()[act.table]
    all_ids = [*dict.fromkeys([*ids, *ids_sent("looked")])]
    look_columns = view.looks.get(act.name, view.look_columns)
    if not look_columns or not all_ids or len(all_ids) > MOST_AT_ONCE:
        return None
    columns = tuple(seen(view.model, look_columns, by))
    statement = view.datamodel.statement(by, [view.model.id.in_([one for one in all_ids if one <= MAX_ID])])
    eager = view.loads(columns)
    records = view.datamodel.page(
        db.session(), statement, order=[view.model.id], page=0, size=MOST_AT_ONCE, eager=eager
    )
    records.sort(key=lambda record: all_ids.index(record.id))
    view.before_look(records, by)
    heads = [ColumnHead(name, view.label(name)) for name in columns]
    ticked = set(ids)
    rows = [
        Row(
            record.id,
            record_url(act.table, record.id) if may_open(act.table, by) else "",
            _look_cells(view, record, columns, by),
            title=str(record),
            selectable=record.id in ticked,
        )
        for record in records
    ]
    return TableView(heads, rows)


def _look_cells(view: Any, record: Any, columns: tuple[str, ...], by: Actor) -> list[Cell]:
    """Return what is looked at of a row; one whose first column is empty goes by its own name."""
    first, *rest = (view.cell_shown(record, name, by, plain=at == 0) for at, name in enumerate(columns))
    return [first if first.text != NONE else Cell(str(record)), *rest]


def _named(model: Any, ids: list[int], by: Actor) -> str:
    """Return the names of the selected records, the first few of them, as far as they may be known."""
    statement = in_scope(model, by).where(model.id.in_(ids[:MOST_NAMED])).order_by(model.id)
    names = ", ".join(str(record) for record in db.session().scalars(statement))
    if not names or len(ids) <= MOST_NAMED:
        return names
    return _("%(names)s and %(count)s more", names=names, count=len(ids) - MOST_NAMED)


def _told(act: Act, by: Actor, rows: list[RowResult]) -> Any:
    """Say per row what became of it; what was refused stands first."""
    done = sum(row.ok for row in rows)
    refused = len(rows) - done
    page = ManyPage(
        title=str(act.label),
        done_text=_n("%(num)s done", "%(num)s done", done),
        refused_text=_n("%(num)s not done", "%(num)s not done", refused) if refused else "",
        rows=[_row(act, by, row) for row in sorted(rows, key=lambda row: row.ok)],
        back_url=_back(act, by),
    )
    if is_dialog():
        html = render_template("panel/many_done_dialog.html", page=page)
        return jsonify(redirect=page.back_url, open=None, shown_html=html)
    return render_template("panel/many_done.html", page=page)


def _row(act: Act, by: Actor, row: RowResult) -> ManyRow:
    url = record_url(act.table, row.id) if row.text and may_open(act.table, by) else ""
    made = None
    if row.result is not None and may_open(row.result[0], by):
        made = Link(row.result[2], record_url(row.result[0], row.result[1]))
    sentence = row.sentence or (_("Done before; nothing happened this time.") if row.replayed else "")
    return ManyRow(Link(row.text or _("Row %(number)s", number=row.id), url), row.ok, sentence, made)


# --- in the background --------------------------------------------------------------------------------------------


def outcomes_tab(task: BackgroundTask, by: Actor) -> list[RelatedTab]:
    """Return the tab of a batch's rows, what was refused first; none for other work."""
    if task.kind != BATCH:
        return []
    count, act = len(task.parameters["ids"]), REGISTRY.find(task.parameters["table"], task.parameters["act"])
    if act is None:
        return []
    most = count if request.args.get("rows") == "all" else ROWS_SHOWN
    rows = [_outcome(act, by, row) for row in rows_of(db.session(), task, by, most=most)]
    heads = [ColumnHead("record", _("Record")), ColumnHead("outcome", _("Outcome")), ColumnHead("why", _("Note"))]
    more = url_for("background_task.show", pk=task.id, rows="all") if count > most else ""
    return [RelatedTab("rows", _("Row by row"), TableView(heads, rows), count, more)]


def _outcome(act: Act, by: Actor, row: RowResult) -> Row:
    told = _row(act, by, row)
    if row.waiting:
        outcome = Cell(_("Not touched"), tone="mute")
    else:
        outcome = Cell(_("Succeeded"), tone="ok") if row.ok else Cell(_("Not done"), tone="bad")
    made = Cell(NONE) if told.made is None else Cell(told.made.label, url=told.made.url)
    note = Cell(row.sentence, wide=True) if row.sentence else made
    return Row(row.id, told.record.url, [Cell(told.record.label, url=told.record.url), outcome, note])


# --- REST --------------------------------------------------------------------------------------------------------


def ids_in_json(value: Any) -> list[int]:
    """Return the selection of a batch; anything but a list of whole numbers is 422."""
    if not isinstance(value, list) or any(isinstance(one, bool) or not isinstance(one, int) for one in value):
        raise InvalidInput({"ids": [_("A list of record numbers, please.")]})
    return value


def by_rest(act: Act, ids: list[int], *, inputs: Any, by: Actor, key: str) -> Any:
    """Run an act on a selection: 200 with what became of each row, or 202 with the task that does it."""
    asked = {"inputs": inputs, "by": by, "at": now(), "key": key, "is_json": True}
    chosen(ids, most=most_rows(act))
    if takes_long(db.session(), act, len(set(ids)), by=by, at=now()):
        task = ask_many(db.session(), act, ids, **asked)
        return jsonify(task_id=task.id, state=task.state.value), 202
    return rows_in_json(run_many(db.session(), act, ids, **asked))


def rows_in_json(rows: list[RowResult]) -> Any:
    """Answer what became of the rows of a batch."""
    done, waiting = sum(row.ok for row in rows), sum(row.waiting for row in rows)
    return jsonify(done=done, refused=len(rows) - done - waiting, result=[row_in_json(row) for row in rows])


def row_in_json(row: RowResult) -> dict[str, Any]:
    """Return what became of a row of a batch, for REST."""
    told: dict[str, Any] = {"id": row.id, "ok": row.ok}
    if row.text:
        told["text"] = row.text
    if row.sentence:
        told["message"] = row.sentence
    if row.errors:
        told["errors"] = row.errors
    if row.state is not None:
        told["state"] = json_value(row.state)
    if row.result is not None:
        told["result_id"] = row.result[1]
    if row.replayed:
        told["replayed"] = True
    if row.waiting:
        told["waiting"] = True
    return told
