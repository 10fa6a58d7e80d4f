"""Days as filters say them: one day, from and to, or a period that goes on with the calendar, such as ``today``.

A relative period stays relative wherever it is kept: ``today``, ``tomorrow``, ``yesterday``, ``week``, ``month``,
``-7d`` (the last seven days, today among them), ``7d`` (the next seven).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date, timedelta

from app.words import _, _n

COUNTED = re.compile(r"(-?)([1-9][0-9]{0,2})d")
#: What the filter bar offers; others may stand in an address.
OFFERED = ("yesterday", "today", "tomorrow", "week", "month", "-7d", "7d")


def period_words(text: str) -> str:
    """Return a relative period in the reader's language; empty for what is none."""
    named = {
        "today": _("today"),
        "yesterday": _("yesterday"),
        "tomorrow": _("tomorrow"),
        "week": _("this week"),
        "month": _("this month"),
    }
    counted = COUNTED.fullmatch(text)
    if counted is None:
        return named.get(text, "")
    count = int(counted[2])
    if counted[1]:
        return _n("the last day", "the last %(num)s days", count)
    return _n("the next day", "the next %(num)s days", count)


def period_bounds(text: str, today: date) -> tuple[date, date]:
    """Return the first day of a relative period and the day after its last; raises ``ValueError`` for what is none.

    Weeks begin on Monday (GB/T 7408).
    """
    one = timedelta(days=1)
    if (counted := COUNTED.fullmatch(text)) is not None:
        count = timedelta(days=int(counted[2]))
        return (today + one - count, today + one) if counted[1] else (today, today + count)
    if text == "week":
        monday = today - timedelta(days=today.weekday())
        return monday, monday + timedelta(days=7)
    if text == "month":
        return today.replace(day=1), (today.replace(day=28) + timedelta(days=4)).replace(day=1)
    day = {"today": today, "yesterday": today - one, "tomorrow": today + one}.get(text)
    if day is None:
        raise ValueError(text)
    return day, day + one


def bounds_asked(column: str, filters: Mapping[str, str], today: date) -> tuple[date | None, date | None]:
    """Return from which day and before which one rows are asked for; a period goes before a from and a to."""
    if column in filters:
        return period_bounds(filters[column], today)
    first, last = (filters.get(f"{column}_{side}") for side in ("from", "to"))
    return (
        date.fromisoformat(first) if first else None,
        date.fromisoformat(last) + timedelta(days=1) if last else None,
    )


def days_words(column: str, filters: Mapping[str, str]) -> str:
    """Return what is asked of a day, for its chip; empty if nothing is."""
    if column in filters:
        return period_words(filters[column])
    first, last = filters.get(f"{column}_from", ""), filters.get(f"{column}_to", "")
    if first and last:
        return first if first == last else _("%(first)s to %(last)s", first=first, last=last)
    if first:
        return _("from %(day)s", day=first)
    return _("until %(day)s", day=last) if last else ""


def fixed_days(filters: Mapping[str, str], columns: Iterable[str], today: date) -> dict[str, str]:
    """Return filters with relative periods as the days that they are today; what is none stays, to be refused."""
    told = dict(filters)
    for column in columns:
        try:
            first, after = period_bounds(told.get(column, ""), today)
        except ValueError:
            continue
        del told[column]
        told |= {f"{column}_from": first.isoformat(), f"{column}_to": (after - timedelta(days=1)).isoformat()}
    return told
