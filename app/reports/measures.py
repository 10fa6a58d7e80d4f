"""What a report counts: measures, the groups that divide them, and the tables and charts made of both.

A measure states its table and the condition of the rows that it counts, once. Counting (``counting.py``) and opening
the rows behind a figure (``panel/report_rows.py``) both read that statement, so they cannot differ. White paper G:
"every figure drills to documents".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Integer, and_, cast, false, func, select
from sqlalchemy.orm import Session

from app.models.base import Base, Labelled
from app.models.hr import Branch
from app.reports.facts import ChartKind, Label
from app.services.settings import Setting, value_of
from app.words import _l

#: How a key that is absent, such as the source of a caller whom nobody knows, is written in an address.
NO_KEY = "none"
MOST_DIGITS = 18


@dataclass(frozen=True)
class Window:
    """Business days of a branch: from midnight of its clock until before that of ``until``, by default one day.

    ``at`` is the moment at which is counted, ``only`` the groups to which the reader narrows it. White paper G.
    """

    session: Session
    branch: Branch
    day: date
    until: date | None = None
    at: datetime | None = None
    only: tuple[tuple[Group, Any], ...] = ()

    @property
    def zone(self) -> str:
        return self.branch.zone

    @property
    def start(self) -> datetime:
        return datetime.combine(self.day, time.min, ZoneInfo(self.zone))

    @property
    def end(self) -> datetime:
        return datetime.combine(self.until or self.day + timedelta(days=1), time.min, ZoneInfo(self.zone))

    @property
    def period(self) -> tuple[object, str]:
        """Return what the time is called and how it is written: a day, a month by its year and number, or both ends."""
        if self.until is None or self.until == self.day + timedelta(days=1):
            return _l("Day"), self.day.isoformat()
        if self.day.day == 1 and self.until == (self.day + timedelta(days=31)).replace(day=1):
            return _l("Calendar month"), self.day.strftime("%Y-%m")
        return _l("Period"), f"{self.day.isoformat()} – {(self.until - timedelta(days=1)).isoformat()}"

    def holds(self, instant: Any) -> ColumnElement[bool]:
        """Return the condition that an instant lies in these days."""
        return and_(instant >= self.start, instant < self.end)

    def setting(self, declared: Setting) -> Any:
        """Return a setting's value as the day began with it: the same whenever the day is counted again."""
        return value_of(self.session, declared, branch_id=self.branch.id, at=self.start)


@dataclass(frozen=True)
class Measure:
    """A number of rows: of which table, under which condition (without branch and scope, which hold anyway)."""

    name: str
    label: object
    model: type[Base]
    condition: Callable[[Window], ColumnElement[bool]]

    def rows(self, window: Window) -> ColumnElement[bool]:
        """Return the condition of the rows that this measure counts on a day of a branch."""
        return and_(of_branch(self.model, window), self.condition(window))


def of_branch(model: Any, window: Window) -> ColumnElement[bool]:
    """Return the condition that a row belongs to the window's branch, and to the groups to which it is narrowed."""
    narrowed = [group.where(model, window, key) if model in group.columns else false() for group, key in window.only]
    whose = window.branch.id
    mine = getattr(model, model.SCOPE.via).has(branch_id=whose) if model.SCOPE.via else model.branch_id == whose
    return and_(mine, *narrowed)


@dataclass(frozen=True)
class Rate:
    """A share of one measure in another; opens the rows of the whole, and from there those of the part."""

    name: str
    label: object
    part: str
    whole: str


@dataclass(frozen=True)
class Mean:
    """The mean of a value over the rows of a measure, in each of which it stands; opens these rows."""

    name: str
    label: object
    of: str
    value: Any


@dataclass(frozen=True)
class Group:
    """A way to divide rows. ``columns`` says for each table what a row's key is; tables not named are not divided."""

    name: str
    label: object
    columns: Mapping[type[Base], Any]
    none: object = field(default=_l("Not stated"), kw_only=True)

    def key(self, model: type[Base], window: Window) -> Any:
        """Return the expression of a row's key."""
        return self.columns[model]

    def parse(self, text: str) -> Any:
        """Return the key written in an address; raises ``ValueError`` if it cannot be one."""
        raise NotImplementedError

    def labels(self, session: Session, keys: set[Any]) -> dict[Any, Label | str]:
        """Return what people call the keys, in the order in which they are shown."""
        raise NotImplementedError

    def axis(self, keys: Iterable[Any]) -> list[Any]:
        """Return the keys that stand along a chart, those present at least, in the order given."""
        return list(keys)

    def where(self, model: type[Base], window: Window, key: Any) -> ColumnElement[bool]:
        """Return the condition of the rows under a key."""
        column = self.key(model, window)
        condition: ColumnElement[bool] = column.is_(None) if key is None else column == key
        return condition

    def read(self, text: str) -> Any:
        """Return the key written in an address, None for the absent one; raises ``ValueError``."""
        return None if text == NO_KEY else self.parse(text)

    def named(self, session: Session, keys: Iterable[Any]) -> dict[Any, Label | str]:
        """Return the labels of keys in their order, the absent key last."""
        wanted = set(keys)
        found = self.labels(session, wanted - {None})
        return found | {None: Label.of(self.none)} if None in wanted else found


def written(key: Any) -> str:
    """Return a key as it stands in an address."""
    return NO_KEY if key is None else str(getattr(key, "value", key))


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > MOST_DIGITS:
        raise ValueError(text)
    return int(text)


@dataclass(frozen=True)
class ByChoice(Group):
    """Divided by an enumeration, in its own order."""

    options: type[Labelled]

    def parse(self, text: str) -> Any:
        return self.options(text)

    def labels(self, session: Session, keys: set[Any]) -> dict[Any, Label | str]:
        return {option: Label.of(option.label) for option in self.options if option in keys}


@dataclass(frozen=True)
class ByRecord(Group):
    """Divided by a record that rows point to: a person, a department, an item of a dictionary."""

    model: type[Base]
    order: tuple[Any, ...] = ()

    def parse(self, text: str) -> int:
        return _number(text)

    def labels(self, session: Session, keys: set[Any]) -> dict[Any, Label | str]:
        found = session.scalars(select(self.model).where(self.model.id.in_(keys)).order_by(*self.order, self.model.id))
        return {record.id: _name_of(record) for record in found}


def _name_of(record: Any) -> Label | str:
    english = getattr(record, "name_en", None)
    return str(record) if english is None else Label(zh=record.name, en=english)


@dataclass(frozen=True)
class ByHour(Group):
    """Divided by the hour of the branch's clock; ``columns`` name the instants."""

    def key(self, model: type[Base], window: Window) -> Any:
        return cast(func.date_part("hour", func.timezone(window.zone, self.columns[model])), Integer)

    def parse(self, text: str) -> int:
        hour = _number(text)
        if hour > 23:
            raise ValueError(text)
        return hour

    def labels(self, session: Session, keys: set[Any]) -> dict[Any, Label | str]:
        return {hour: f"{hour:02}:00" for hour in sorted(keys)}

    def axis(self, keys: Iterable[Any]) -> list[Any]:
        present = [hour for hour in keys if hour is not None]
        return list(range(min(present), max(present) + 1)) if present else []


@dataclass(frozen=True)
class Breakdown:
    """A table of a report: its measures divided by one group or several, with a line of totals."""

    name: str
    title: object
    groups: tuple[str, ...]


@dataclass(frozen=True)
class Drawn:
    """A chart of a report: measures along a group; ``split`` draws one measure as a series for each key."""

    kind: ChartKind
    title: object
    along: str
    measures: tuple[str, ...]
    split: str = ""
