"""A record's page: facts in sections, acts possible now, papers, related rows, history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import url_for

from app.actors import Actor
from app.extensions import db
from app.panel import acting, printing
from app.panel.defaults import loaded_with
from app.panel.describe import NONE, label_of
from app.panel.history import asked_before, history_page
from app.panel.pages import (
    Barcode,
    Cell,
    ColumnHead,
    Fact,
    Link,
    RecordPage,
    RelatedTab,
    Section,
    TableView,
)
from app.reports.barcodes import code128_image
from app.services.fieldrights import seen
from app.words import _

if TYPE_CHECKING:
    from app.panel.house_view import HouseView, Related

RELATED_ROWS = 10


def record_page(view: HouseView, record: Any, by: Actor) -> RecordPage:
    """Gather everything that a record's page shows."""
    table = view.datamodel.table
    state = getattr(record, "state", None)
    lines, older = history_page(db.session(), record, by, asked_before())
    return RecordPage(
        title=str(record),
        crumbs=[*(Link(str(crumb), "") for crumb in view.crumbs), Link(view.heading, url_for(".list"))],
        subtitle=_subtitle(record),
        state=None if state is None else Cell(str(state.label), tone=state.tone),
        acts=acting.buttons_of(record, by),
        papers=printing.paper_buttons(record, by),
        sections=_sections(view, record, by),
        tabs=[*view.extra_tabs(record, by), *_related_tabs(view, record, by), *printing.printed_tab(record, by)],
        history=lines,
        older_url=older,
        edit_url=url_for(".edit", pk=record.id) if view.form_columns and by.may(table, "can_edit") else "",
        banners=view.banners(record, by),
        barcode=_barcode(view, record),
    )


def _barcode(view: HouseView, record: Any) -> Barcode | None:
    """Return the bars of a document's number; none where its table has no such number, or bars cannot say it."""
    text = getattr(record, view.barcode) if view.barcode else None
    try:
        return Barcode(text, *code128_image(text)) if text else None
    except ValueError:  # a number that came from elsewhere, in signs of its own
        return None


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
