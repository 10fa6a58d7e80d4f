"""A list's query string, checked: words, filters, tab, order, page. Junk is refused, sizes are clamped."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from flask import abort, request, url_for
from sqlalchemy import and_, inspect, or_, select
from sqlalchemy.orm import Session

from app.actors import Actor
from app.fields import clean_text
from app.models.base import Base, column_names, described, models
from app.models.customers import Customer
from app.models.hr import Employee
from app.panel.days import OFFERED, bounds_asked, days_words, period_words
from app.panel.describe import label_of
from app.panel.pages import FilterControl
from app.panel.person import now
from app.services.customers import search_clause
from app.services.fieldrights import seen
from app.services.scope import in_scope
from app.services.settings import items_in_use
from app.words import _

SIZES = (25, 50, 100, 200)
MOST_ROWS = 200
MOST_PAGE = 100_000
MAX_QUERY = 80
#: Returns (value, label) pairs.
Choices = Callable[[], list[tuple[str, str]]]
#: ``all`` says that the list is wanted as the house has it, not as a person lets it open.
RESERVED = {"q", "tab", "o", "d", "page", "size", "all", "_l_"}


@dataclass(frozen=True)
class Tab:
    """A quick filter: a name, a label, a condition made from actor and now."""

    name: str
    label: object
    condition: Callable[[Actor, datetime], Any] | None = None


@dataclass(frozen=True)
class Asked:
    """What the query string asks for."""

    words: str
    filters: Mapping[str, str]
    tab: str
    order: str
    descending: bool
    page: int
    size: int


def asked_of(
    names: set[str],
    orders: set[str],
    tabs: list[str],
    *,
    default_order: str,
    descending: bool,
    given: Mapping[str, str] | None = None,
) -> Asked:
    """Read a query string, this request's if none is given; answers 400 to unknown names, orders, tabs and to numbers
    that are none."""
    given = request.args if given is None else given
    for name in given:
        if name not in RESERVED and name not in names:
            abort(400)
    order = given.get("o", default_order)
    direction = given.get("d", "desc" if descending else "asc")
    tab = given.get("tab", tabs[0] if tabs else "")
    if order not in orders | {default_order} or direction not in ("asc", "desc") or (tab and tab not in tabs):
        abort(400)
    return Asked(
        words=_words(given.get("q", "")),
        filters={name: _words(given[name]) for name in given if name in names and given[name] != ""},
        tab=tab,
        order=order,
        descending=direction == "desc",
        page=whole_number(given.get("page", "0"), MOST_PAGE),
        size=max(1, min(whole_number(given.get("size", str(SIZES[0])), 10**9), MOST_ROWS)),
    )


def whole_number(text: str, most: int) -> int:
    """Return a number of the query string; answers 400 to what is none or too large."""
    if not text.isascii() or not text.isdigit() or len(text) > 10 or int(text) > most:
        abort(400)
    return int(text)


def _words(text: str) -> str:
    try:
        return clean_text(text)[:MAX_QUERY]
    except ValueError:
        abort(400)


# --- search words ------------------------------------------------------------------------------------------------


def search_conditions(model: type[Base], words: str, by: Actor, through: str = "") -> list[Any]:
    """Return conditions for what was typed in the search box.

    Customers are found by their terms; other tables by their columns with a search role, or, with ``through``,
    by the customer that they are about.
    """
    if not words:
        return []
    if model is Customer:
        return search_clause(words)
    ways = [getattr(model, name).icontains(words, autoescape=True) for name in seen(model, searched_columns(model), by)]
    if through:
        ways.append(getattr(model, through).has(and_(*search_clause(words))))
    return [or_(*ways)] if ways else []


def searched_columns(model: type[Base]) -> list[str]:
    """Return the names of the columns with a search role."""
    found = []
    for name in column_names(model):
        column = described(getattr(model, name))
        if column is not None and column.search:
            found.append(name)
    return found


# --- filters -----------------------------------------------------------------------------------------------------


def filter_names(model: type[Base], columns: list[str]) -> set[str]:
    """Return the query parameters of a list's filters: days have a from and a to beside their periods."""
    names = set(columns)
    for column in columns:
        names |= {f"{column}_from", f"{column}_to"} if is_time(model, column) else set()
    return names


def is_time(model: type[Base], column: str) -> bool:
    return inspect(model).columns[column].type.python_type in (datetime, date)


def filter_conditions(model: type[Base], columns: list[str], filters: Mapping[str, str], by: Actor) -> list[Any]:
    """Return the conditions of the filters that are set; answers 400 to values that cannot be."""
    found: list[Any] = []
    for column in columns:
        attribute = getattr(model, column)
        if is_time(model, column):
            found += _time_conditions(model, column, filters, by)
        elif column in filters:
            found.append(attribute == _value(model, column, filters[column]))
    return found


def _time_conditions(model: type[Base], column: str, filters: Mapping[str, str], by: Actor) -> list[Any]:
    attribute = getattr(model, column)
    is_instant = inspect(model).columns[column].type.python_type is datetime
    try:
        first, after = bounds_asked(column, filters, now().astimezone(by.timezone).date())
        edges = [
            None if day is None else datetime.combine(day, time.min, by.timezone) if is_instant else day
            for day in (first, after)
        ]
    except (ValueError, OverflowError):
        abort(400)
    found = [attribute >= edges[0]] if edges[0] is not None else []
    return [*found, attribute < edges[1]] if edges[1] is not None else found


def _value(model: type[Base], column: str, text: str) -> Any:
    kind = inspect(model).columns[column].type
    options = getattr(kind, "options", None)
    if options is not None:
        if text not in {member.value for member in options}:
            abort(400)
        return options(text)
    if kind.python_type is int:
        return whole_number(text, 10**10)
    if kind.python_type is bool:
        if text not in ("yes", "no"):
            abort(400)
        return text == "yes"
    return text


def filter_controls(
    session: Session,
    model: type[Base],
    columns: list[str],
    asked: Asked,
    by: Actor,
    labels: dict[str, object],
    choices: Mapping[str, Choices],
) -> list[FilterControl]:
    """Return the filter bar: one control per filter, with a chip in words for those that are set.

    ``choices`` says what a plain text column, whose values the schema does not know, may be set to.
    """
    controls = []
    for column in columns:
        label = label_of(model, column, labels)
        if is_time(model, column):
            controls.append(_days(asked, column, label))
        else:
            options = choices[column]() if column in choices else options_of(session, model, column, by)
            is_typed = not options and inspect(model).columns[column].type.python_type in (int, str)
            controls.append(_control(asked, column, label, "text" if is_typed else "choice", options))
    return controls


def options_of(session: Session, model: type[Base], column: str, by: Actor) -> list[tuple[str, str]]:
    """Return (value, label) of what a filter may be set to."""
    declared = described(getattr(model, column))
    kind = inspect(model).columns[column].type
    options = getattr(kind, "options", None)
    if options is not None:
        return [(member.value, str(member.label)) for member in options]
    if declared is not None and declared.dictionary:
        return [(str(key), text) for key, text in items_in_use(session, declared.dictionary)]
    if inspect(model).columns[column].foreign_keys:
        return _parents(session, model, column, by)
    if kind.python_type is bool:
        return [("yes", _("Yes")), ("no", _("No"))]
    return []


def _parents(session: Session, model: type[Base], column: str, by: Actor) -> list[tuple[str, str]]:
    target = models()[next(iter(inspect(model).columns[column].foreign_keys)).column.table.name]
    statement = in_scope(target, by)
    if target is Employee:
        statement = statement.where(Employee.id.in_(select(getattr(model, column))))
    return [(str(row.id), str(row)) for row in session.scalars(statement.order_by(target.id).limit(MOST_ROWS))]


def _control(asked: Asked, name: str, label: str, kind: str, options: list[tuple[str, str]]) -> FilterControl:
    value = asked.filters.get(name, "")
    shown = dict(options).get(value, value)
    return FilterControl(
        name,
        label,
        kind,
        value,
        options,
        chip=_("%(what)s: %(value)s", what=label, value=shown) if value else "",
        clear_url=url_with({name: None, "page": None}) if value else "",
    )


def _days(asked: Asked, column: str, label: str) -> FilterControl:
    """Return the control of a day: a period that goes on with the calendar, or a from and a to."""
    words = days_words(column, asked.filters)
    names = (f"{column}_from", f"{column}_to")
    span = (asked.filters.get(names[0], ""), asked.filters.get(names[1], ""))
    return FilterControl(
        column,
        label,
        "days",
        asked.filters.get(column, ""),
        [(period, period_words(period)) for period in OFFERED],
        chip=_("%(what)s: %(value)s", what=label, value=words) if words else "",
        clear_url=url_with(dict.fromkeys((column, *names, "page"))) if words else "",
        span=("", "") if column in asked.filters else span,
    )


def url_with(changes: Mapping[str, Any]) -> str:
    """Return this page's address with some query parameters changed, or taken away (None)."""
    kept = {name: value for name, value in request.args.items() if name not in changes}
    kept.update({name: value for name, value in changes.items() if value is not None})
    values: dict[str, Any] = {**(request.view_args or {}), **kept}
    return url_for(request.endpoint or "", **values)
