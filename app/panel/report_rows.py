"""The rows behind a figure of a report: the same measure, day, branch and groups, in the reader's own scope.

White paper G: "every figure drills to documents". The condition is the measure's own, so what opens is what was
counted. A rate opens its whole, and from there its part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import abort, request, url_for

from app.actors import Actor
from app.errors import InvalidInput
from app.extensions import db
from app.models.base import Base
from app.panel.describe import json_of
from app.panel.house_view import views
from app.panel.listing import MOST_PAGE, MOST_ROWS, SIZES, asked_of, url_with, whole_number
from app.panel.pages import Link, ListPage
from app.panel.person import now
from app.reports.base import Asked, Report
from app.reports.facts import Label
from app.reports.measures import Group, Mean, Measure, Rate, Window, written
from app.services.runner import form_context
from app.words import _, locale_in_force

Keys = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Opened:
    """What is asked to be opened: a measure or rate of a report, its day, and the keys of its groups."""

    report: Report
    named: Measure | Rate | Mean
    measure: Measure
    asked: Asked
    window: Window
    keys: Mapping[str, Any]

    @property
    def model(self) -> type[Base]:
        return self.measure.model

    def conditions(self) -> list[Any]:
        """Return the conditions of the rows: those under which they were counted."""
        grouped = [self.report.group(name).where(self.model, self.window, key) for name, key in self.keys.items()]
        return [self.measure.rows(self.window), *grouped]


def opened_from(report: Report, given: Mapping[str, str], asked: Asked, by: Actor) -> Opened:
    """Return what the query asks to open. Answers 404 to a measure that the report has not, 403 to one whose table
    the reader may not list, 422 to groups that do not divide it and to keys that cannot be."""
    try:
        named = report.measure(given.get("measure", ""))
    except KeyError:
        abort(404)
    measure = report.counted_by(named, part=isinstance(named, Rate) and _is_part(given))
    if not by.may(measure.model.__tablename__, "can_list"):
        abort(403)
    keys = {group.name: _key(group, measure, given[group.name]) for group in report.groups if group.name in given}
    return Opened(report, named, measure, asked, report.window(db.session(), asked, now()), keys)


def _is_part(given: Mapping[str, str]) -> bool:
    tab = given.get("tab", "whole")
    if tab not in ("whole", "part"):
        abort(400)
    return tab == "part"


def _key(group: Group, measure: Measure, text: str) -> Any:
    try:
        if measure.model not in group.columns:
            raise ValueError(text)
        return group.read(text)
    except ValueError:
        raise InvalidInput({group.name: [_("Not a valid choice.")]}) from None


def rows_url(report: Report, name: str, keys: Keys, kept: Mapping[str, str], by: Actor) -> str:
    """Return where a figure's rows open; empty if its table is not for this reader, or the figure counts nothing."""
    try:
        named = report.measure(name)
    except KeyError:
        return ""
    measure = report.counted_by(named)
    if not by.may(measure.model.__tablename__, "can_list"):
        return ""
    return url_for(f"{report.right}.rows", measure=name, **dict(keys), **kept)


def rows_page(opened: Opened, by: Actor) -> ListPage:
    """Return the rows as their table's own list shows them, under the words of what was asked for."""
    view = views()[opened.model.__tablename__]
    groups = {group.name for group in opened.report.groups}
    fields = opened.report.params(meta=_meta(by))._fields
    parameters = {"measure", *fields, *groups}
    asked = asked_of(
        parameters,
        set(view.order_columns),
        ["whole", "part"] if isinstance(opened.named, Rate) else [],
        default_order=view.default_order,
        descending=view.descending,
    )
    statement = view.datamodel.statement(by, opened.conditions())
    table, pager = view.table_of(by, asked, statement, empty=_("Nothing answers this."))
    kept = {name: request.args[name] for name in fields if name in request.args}
    back = url_for(f"{opened.report.right}.list", **kept)
    return ListPage(
        title=f"{opened.report.label} · {opened.named.label}",
        crumbs=[Link(_("Reports"), ""), Link(f"{opened.report.label} {opened.report.number}".strip(), back)],
        tabs=_tabs(opened),
        search=None,
        search_hint="",
        filters=[],
        keep=[],
        table=table,
        pager=pager,
        acts=[],
        intro=_words(opened, any_rows=bool(table.rows)),
        back=Link(_("Back to the report"), back, "arrow-left"),
    )


def _meta(by: Actor) -> dict[str, Any]:
    return {"context": form_context(db.session(), by, now=now())}


def _tabs(opened: Opened) -> list[Link]:
    """Return, for a rate, its whole and its part."""
    rate = opened.named
    if not isinstance(rate, Rate):
        return []
    return [
        Link(
            str(opened.report.measure(name).label),
            url_with({"tab": tab, "page": None}),
            active=opened.measure.name == name,
        )
        for tab, name in (("whole", rate.whole), ("part", rate.part))
    ]


def _words(opened: Opened, *, any_rows: bool) -> str:
    """Say what is shown: day, branch, groups. A key is called by its name only if rows of the reader bear it."""
    told = [opened.window.period[1], opened.window.branch.name]
    shown = {group.name: key for group, key in opened.window.only} | dict(opened.keys)
    for name, key in shown.items():
        group = opened.report.group(name)
        label = group.named(db.session(), [key]).get(key) if any_rows else None
        words = label.in_(locale_in_force()) if isinstance(label, Label) else label
        told.append(_("%(what)s: %(value)s", what=group.label, value=words or written(key)))
    return " · ".join(told)


def rows_json(opened: Opened, by: Actor) -> dict[str, Any]:
    """Return the rows for REST: the table's own JSON, masked, with the exact count."""
    view = views()[opened.model.__tablename__]
    statement = view.datamodel.statement(by, opened.conditions())
    session = db.session()
    page = whole_number(request.args.get("page", "0"), MOST_PAGE)
    size = max(1, min(whole_number(request.args.get("page_size", str(SIZES[0])), MOST_PAGE), MOST_ROWS))
    order = [view.model.id.desc()]
    records = view.datamodel.page(session, statement, order=order, page=page, size=size, eager=view.eager)
    return {
        "table": view.datamodel.table,
        "measure": opened.measure.name,
        "count": view.datamodel.count(session, statement, exact=True),
        "ids": [record.id for record in records],
        "result": [json_of(record, by) for record in records],
    }
