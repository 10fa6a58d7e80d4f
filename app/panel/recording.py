"""A record's page: facts in sections, acts possible now, papers, related rows, history."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from flask import url_for
from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session, joinedload

from app.actors import Actor
from app.acts import REGISTRY
from app.extensions import db
from app.models.audit import ActRun
from app.models.base import models
from app.models.files import StoredFile
from app.panel import acting, printing
from app.panel.defaults import loaded_with
from app.panel.describe import NONE, input_texts, label_of, local_time, may_open, picked_table, record_url
from app.panel.pages import (
    Cell,
    ColumnHead,
    Fact,
    HistoryLine,
    Link,
    RecordPage,
    RelatedTab,
    Section,
    TableView,
)
from app.services.fieldrights import seen
from app.services.guard import crossing
from app.services.scope import in_scope
from app.words import _

if TYPE_CHECKING:
    from app.panel.house_view import HouseView, Related

RELATED_ROWS = 10
HISTORY_LINES = 30
#: What an import writes into the history of each record.
IMPORTED = ("import", "import_fill")


def record_page(view: HouseView, record: Any, by: Actor) -> RecordPage:
    """Gather everything that a record's page shows."""
    table = view.datamodel.table
    state = getattr(record, "state", None)
    return RecordPage(
        title=str(record),
        crumbs=[*(Link(str(crumb), "") for crumb in view.crumbs), Link(view.heading, url_for(".list"))],
        subtitle=_subtitle(record),
        state=None if state is None else Cell(str(state.label), tone=state.tone),
        acts=acting.buttons_of(record, by),
        papers=printing.paper_buttons(record, by),
        sections=_sections(view, record, by),
        tabs=[*view.extra_tabs(record, by), *_related_tabs(view, record, by), *printing.printed_tab(record, by)],
        history=history_of(db.session(), record, by),
        edit_url=url_for(".edit", pk=record.id) if view.form_columns and by.may(table, "can_edit") else "",
        banners=view.banners(record, by),
    )


def _sections(view: HouseView, record: Any, by: Actor) -> list[Section]:
    """Return the sections that have something to say; the first one always stands."""
    sections = [
        Section(
            str(title),
            [
                Fact(label_of(view.model, name, view.labels), view.cell(record, name, by))
                for name in seen(view.model, names, by)
            ],
        )
        for title, names in view.show_sections
    ]
    return [
        section
        for index, section in enumerate(sections)
        if index == 0 or any(fact.cell.text != NONE for fact in section.facts)
    ]


def _subtitle(record: Any) -> str:
    customer = getattr(record, "customer", None)
    return "" if customer is None else str(customer)


def _related_tabs(view: HouseView, record: Any, by: Actor) -> list[RelatedTab]:
    """Return the tabs of rows that point here, only those whose list this person may see."""
    return [related_tab(tab, record, by) for tab in view.related if by.may(tab.table, "can_list")]


def related_tab(tab: Related, record: Any, by: Actor) -> RelatedTab:
    """Return one tab: the newest rows in scope."""
    from app.panel.house_view import views

    view = views()[tab.table]
    model = view.model
    statement = view.datamodel.statement(by, [getattr(model, tab.foreign_key) == record.id])
    session = db.session()
    rows = view.datamodel.page(
        session,
        statement,
        order=[model.id.desc()],
        page=0,
        size=RELATED_ROWS + 1,
        eager=loaded_with(model, tab.columns, tab.eager),
    )
    count = len(rows) if len(rows) <= RELATED_ROWS else view.datamodel.count(session, statement)
    return RelatedTab(
        tab.table,
        str(tab.label),
        table_of(view, rows[:RELATED_ROWS], by, tab.columns),
        count,
    )


def table_of(view: HouseView, records: list[Any], by: Actor, columns: tuple[str, ...]) -> TableView:
    """Return records as a bare table."""
    heads = [ColumnHead(name, label_of(view.model, name, view.labels)) for name in seen(view.model, columns, by)]
    view.before_rows(records, by)
    return TableView(heads, [view.row_of(record, by, columns) for record in records], empty=_("Nothing here yet."))


# --- history -----------------------------------------------------------------------------------------------------


def history_of(session: Session, record: Any, by: Actor) -> list[HistoryLine]:
    """Return what was done to a record, newest first: the act, who, when, with which inputs."""
    table = record.__tablename__
    about = (
        select(ActRun)
        .options(joinedload(ActRun.employee))
        .where(
            or_(
                and_(ActRun.table_name == table, ActRun.record_id == record.id),
                and_(
                    ActRun.result_table == table,
                    ActRun.result_id == record.id,
                    ActRun.act.not_in(IMPORTED),  # thousands of rows would bury what was done to the import itself
                ),
            )
        )
        .order_by(ActRun.id.desc())
        .limit(HISTORY_LINES)
    )
    with crossing("history"):
        entries = session.scalars(about).all()
    names = _names_of(session, record, entries, by)
    return [_line(entry, record, by, names) for entry in entries]


def act_words(entry: ActRun) -> str:
    """Return what an entry's act is called."""
    act = REGISTRY.find(entry.table_name, entry.act)
    plain = {"add": _("Added"), "edit": _("Changed"), "print": _("Printed")}
    plain |= {"import": _("Imported"), "import_fill": _("Filled in by an import")}
    return str(act.label) if act is not None else plain.get(entry.act, entry.act)


def _line(entry: ActRun, record: Any, by: Actor, names: dict[tuple[str, int], str]) -> HistoryLine:
    who = entry.employee.name if entry.employee is not None else _("the system")
    return HistoryLine(
        act_words(entry),
        who,
        local_time(entry.occurred_at, by),
        input_texts(entry, by, names),
        _other(entry, record, by),
    )


def _other(entry: ActRun, record: Any, by: Actor) -> Link | None:
    """Return the link to the other record of an entry: the new slip of a redo, or the old one."""
    for table, key in ((entry.result_table, entry.result_id), (entry.table_name, entry.record_id)):
        if table is None or key is None or (table == record.__tablename__ and key == record.id):
            continue
        if entry.result_id is not None and may_open(table, by):
            words = _("see the import") if entry.act in IMPORTED else _("see the other record")
            return Link(words, record_url(table, key))
    return None


def _names_of(session: Session, record: Any, entries: Any, by: Actor) -> dict[tuple[str, int], str]:
    """Return the names of the records that history inputs point to, one statement per table, in scope."""
    wanted: dict[str, set[int]] = {}
    for entry in entries:
        act = REGISTRY.find(entry.table_name, entry.act)
        for name, value in entry.inputs.items():
            field = getattr(act.form, name, None) if act is not None else None
            table = picked_table(field) if field is not None else ""
            if table:
                keys = value if isinstance(value, list) else [value]
                wanted.setdefault(table, set()).update(key for key in keys if isinstance(key, int))
    found: dict[tuple[str, int], str] = {}
    for table, keys in wanted.items():
        model = models()[table]
        with crossing("file") if model is StoredFile else nullcontext():
            rows = session.scalars(_nameable(model, record, by).where(model.id.in_(sorted(keys)))).all()
        found |= {(table, row.id): str(row) for row in rows}
    return found


def _nameable(model: Any, record: Any, by: Actor) -> Any:
    """Return the rows whose names a history may tell: those in scope, and the files of the record itself."""
    if model is StoredFile:
        return select(model).where(model.subject_table == record.__tablename__, model.subject_id == record.id)
    return in_scope(model, by)
