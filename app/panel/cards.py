"""Cards: what waits, and today's numbers. A card is a list, by its page and tab, counted; its link opens that list.

Because a card asks what its list asks (scope, the page's own condition, the tab's), a number and the rows behind it are
the same by construction. Cards stand on the workbench of whoever may open the list; those that say ``menu`` also put
their count beside the page in the menu. All counts of a person are one statement. docs/develop/add-a-card.md.
"""

from __future__ import annotations

import time as clock
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from flask import current_app, g, url_for
from sqlalchemy import func, or_, select
from sqlalchemy.dialects.postgresql import array
from sqlalchemy.orm import Session

from app.actors import Actor
from app.panel.house_view import Tab
from app.panel.interface import MOST_COUNTED
from app.panel.registered import lists

#: A compared number is shown with so many days: today, and back to the same weekday a week ago.
DAYS = 8
#: The menu's counts are asked anew after so many seconds, and at once after a person has sent something herself.
KEPT_SECONDS = 15.0
MOST_KEPT = 2000


class Shows(Enum):
    """What a card shows: a number, today's number beside those of a week, or the first rows."""

    NUMBER = "number"
    COMPARED = "compared"
    ROWS = "rows"


@dataclass(frozen=True)
class Declared:
    """A card as its area declares it. ``needs`` are rights beyond the one to the list: (table, permission); a ``quiet``
    number stands there only while it is not nought."""

    page: str
    tab: str
    label: object
    shows: Shows = Shows.NUMBER
    order: int = 50
    columns: tuple[str, ...] = ()
    sort: str = ""
    needs: tuple[tuple[str, str], ...] = ()
    menu: bool = False
    hot: bool = False
    quiet: bool = False
    nothing: object = ""

    def is_for(self, by: Actor) -> bool:
        """Say whether a person may open the list and has every further right."""
        return by.may(self.page, "can_list") and all(by.may(*right) for right in self.needs)


CARDS: dict[tuple[str, str, Shows], Declared] = {}


def card(page: str, tab: str, label: object, **declared: Any) -> None:
    """Declare a card of a page's tab; refuses a second one of the same kind, and a second count beside one page."""
    made = Declared(page, tab, label, **declared)
    key = (page, tab, made.shows)
    if key in CARDS or (made.menu and any(other.menu and other.page == page for other in CARDS.values())):
        raise ValueError(f"card of {page}, {tab or 'whole list'}, is declared twice")
    CARDS[key] = made


def cards_of(by: Actor) -> list[Declared]:
    """Return a person's cards in their order."""
    return sorted((each for each in CARDS.values() if each.is_for(by)), key=lambda each: each.order)


def misdeclared() -> list[str]:
    """Return the cards whose page or tab there is not; starting is refused with any."""
    return [
        f"{each.page}:{each.tab}"
        for each in CARDS.values()
        if each.page not in lists() or (each.tab and each.tab not in [tab.name for tab in lists()[each.page].quick])
    ]


def tab_of(each: Declared) -> Tab | None:
    return next((tab for tab in lists()[each.page].quick if tab.name == each.tab), None)


def url_of(each: Declared) -> str:
    """Return the address of the rows that a card counts."""
    return url_for(f"{each.page}.list", **({"tab": each.tab} if each.tab else {}))


def rows_of(each: Declared, by: Actor, at: datetime) -> Any:
    """Return the scoped statement of the rows that a card counts, as its list shows them."""
    view, tab = lists()[each.page], tab_of(each)
    conditions = [*view.conditions(by)]
    if tab is not None and tab.condition is not None:
        conditions.append(tab.condition(by, at))
    return view.datamodel.statement(by, conditions)


# --- counting ----------------------------------------------------------------------------------------------------


def counted(session: Session, wanted: Sequence[Declared], by: Actor, at: datetime) -> dict[Declared, list[int]]:
    """Return the count of each card, today's first and for compared ones those of the days before: one statement.

    No count goes beyond ``MOST_COUNTED`` + 1; a list says "more than" then, and so does a card.
    """
    if not wanted:
        return {}
    row = session.execute(select(*(_column(each, by, at) for each in wanted))).one()
    return {
        each: list(value) if isinstance(value, list) else [value or 0] for each, value in zip(wanted, row, strict=True)
    }


def _column(each: Declared, by: Actor, at: datetime) -> Any:
    view, tab = lists()[each.page], tab_of(each)
    if each.shows is not Shows.COMPARED or tab is None or tab.condition is None:
        rows = rows_of(each, by, at).with_only_columns(view.model.id).limit(MOST_COUNTED + 1).subquery()
        return select(func.count()).select_from(rows).scalar_subquery()
    days = [tab.condition(by, at - timedelta(days=back)) for back in range(DAYS)]
    statement = view.datamodel.statement(by, [*view.conditions(by), or_(*days)])
    return statement.with_only_columns(array([func.count().filter(day) for day in days])).scalar_subquery()


# --- what waits, beside the pages of the menu --------------------------------------------------------------------


def waiting(session: Session, by: Actor, at: datetime) -> Mapping[str, tuple[int, bool]]:
    """Return what waits on each page of the menu: page -> (count, whether it presses). Kept for some seconds."""
    kept, key = _kept(), _key(by)
    known = kept.get(key)
    if known is not None and known[0] > clock.monotonic():
        return known[1]
    return keep(by, counted(session, for_menu(by), by, at))


def for_menu(by: Actor) -> list[Declared]:
    return [each for each in cards_of(by) if each.menu and by.may(each.page, "menu_access")]


def keep(by: Actor, counts: Mapping[Declared, Sequence[int]]) -> Mapping[str, tuple[int, bool]]:
    """Keep what was counted for a person's menu, and return it."""
    kept = _kept()
    if len(kept) >= MOST_KEPT:
        kept.clear()
    found = {each.page: (numbers[0], each.hot) for each, numbers in counts.items() if each.menu}
    kept[_key(by)] = (clock.monotonic() + KEPT_SECONDS, found)
    return found


def forget(by: Actor | None) -> None:
    """Ask anew at the next page: this person has changed something."""
    if by is not None:
        _kept().pop(_key(by), None)


def forget_of_request() -> None:
    """Forget what was counted for who sent this request; asks nobody who is not known yet."""
    forget(g.get("actor"))


def _kept() -> dict[Any, tuple[float, Mapping[str, tuple[int, bool]]]]:
    kept: dict[Any, tuple[float, Mapping[str, tuple[int, bool]]]] = current_app.extensions.setdefault(
        "house.waiting", {}
    )
    return kept


def _key(by: Actor) -> tuple[Any, ...]:
    return by.user_id, by.employee_id, by.watcher_id, by.branch_id, by.rights


def points(numbers: Iterable[int]) -> str:
    """Return the days of a compared number as points of a line, the oldest first, 100 wide and 24 high."""
    days = [*numbers][::-1]
    most = max([*days, 1])
    step = 100 / max(len(days) - 1, 1)
    return " ".join(f"{index * step:.1f},{22 - 20 * number / most:.1f}" for index, number in enumerate(days))
