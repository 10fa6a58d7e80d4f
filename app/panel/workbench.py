"""The workbench of a person: her cards, counted in one statement, the rows of those that show rows, and her funnels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from flask_babel import format_date
from sqlalchemy.orm import Session

from app.actors import Actor
from app.acts import REGISTRY
from app.panel import acting, cards
from app.panel.cards import Declared, Shows
from app.panel.funnels import funnels_of
from app.panel.interface import MOST_COUNTED
from app.panel.pages import Card, HomePage
from app.panel.registered import lists
from app.words import _

#: So many rows of a list, and so many lists: what does not fit is one click away.
ROWS = 5
MOST_LISTS = 4


def workbench(session: Session, by: Actor, at: datetime) -> HomePage:
    """Return a person's workbench."""
    mine = cards.cards_of(by)
    lists = [each for each in mine if each.shows is Shows.ROWS][:MOST_LISTS]
    shown = [each for each in mine if each.shows is not Shows.ROWS] + lists
    menu = [each for each in cards.for_menu(by) if each not in shown]
    counts = cards.counted(session, [*shown, *menu], by, at)
    cards.keep(by, {each: counts[each] for each in cards.for_menu(by)})
    return HomePage(
        title=_("Workbench"),
        greeting=_greeting(by, at),
        cards=[
            _number(each, counts[each])
            for each in shown
            if each.shows is not Shows.ROWS and (counts[each][0] or not each.quiet)
        ],
        lists=sorted((_rows(session, each, counts, by, at) for each in lists), key=lambda made: not made.rows),
        acts=[
            acting.button(act)
            for act in REGISTRY
            if act.creates and act.main and by.may(act.table, act.permission) and by.employee_id is not None
        ],
        day=format_date(at.astimezone(by.timezone).date(), "full"),
        funnels=funnels_of(session, by, at),
    )


def _greeting(by: Actor, at: datetime) -> str:
    hour = at.astimezone(by.timezone).hour
    if hour < 12:
        return _("Good morning, %(name)s", name=by.display_name)
    if hour < 18:
        return _("Good afternoon, %(name)s", name=by.display_name)
    return _("Good evening, %(name)s", name=by.display_name)


def _number(each: Declared, numbers: Sequence[int]) -> Card:
    """Return a number; a compared one says yesterday's and that of the same weekday, whole days both."""
    url = cards.url_of(each)
    if each.shows is not Shows.COMPARED or len(numbers) < cards.DAYS:
        return Card(str(each.label), _shown(numbers[0]), "", url, hot=each.hot and numbers[0] > 0)
    today, yesterday, week = numbers[0], numbers[1], numbers[7]
    note = _(
        "yesterday %(yesterday)s %(to_yesterday)s, a week ago %(week)s %(to_week)s",
        yesterday=yesterday,
        to_yesterday=_arrow(today, yesterday),
        week=week,
        to_week=_arrow(today, week),
    )
    note = note.replace(" ", "\u00a0").replace(",\u00a0", ", ")  # no arrow stands alone on a line of its own
    said = _("The last %(count)s days: %(numbers)s", count=cards.DAYS, numbers=", ".join(map(str, numbers[::-1])))
    return Card(str(each.label), _shown(today), note, url, trend=cards.points(numbers), trend_alt=said)


def _shown(number: int) -> str:
    return f"{MOST_COUNTED}+" if number > MOST_COUNTED else str(number)


def _arrow(now: int, then: int) -> str:
    return "↑" if now > then else "↓" if now < then else "="


def _rows(session: Session, each: Declared, counts: Mapping[Declared, Sequence[int]], by: Actor, at: datetime) -> Card:
    """Return the first rows of a list; one that is empty is not asked for."""
    number = counts[each][0]
    records = _first(session, each, by, at) if number else []
    view = lists()[each.page]
    return Card(
        str(each.label),
        _shown(number) if number else "",
        str(each.nothing),
        cards.url_of(each),
        [replace(view.row_of(record, by, each.columns), title="") for record in records],
        hot=each.hot,
    )


def _first(session: Session, each: Declared, by: Actor, at: datetime) -> list[Any]:
    view = lists()[each.page]
    order = getattr(view.model, each.sort).asc() if each.sort else view.model.id.desc()
    rows = cards.rows_of(each, by, at)
    found: list[Any] = view.datamodel.page(
        session, rows, order=[order, view.model.id.asc()], page=0, size=ROWS, eager=view.eager
    )
    view.before_rows(found, by)
    return found
