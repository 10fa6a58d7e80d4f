"""The declarations of printed forms and of reports, and their registries.

A paper belongs to a table: from a record, ``gather`` makes frozen facts; ``press`` prints them through a template. A
report has parameters, gathers ``ReportFacts`` and is rendered by the machinery on screen, as CSV, XLSX and PDF. What it
counts it declares as measures (``measures.py``), so that every figure opens its rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, ClassVar

from sqlalchemy.orm import Session

from app.actors import Actor
from app.fields import Day, HouseForm, Month, Pick
from app.models.hr import Branch
from app.models.subscriptions import REPORT_LABELS
from app.reports import counting
from app.reports.facts import ReportFacts
from app.reports.measures import Breakdown, Drawn, Group, Mean, Measure, Rate, Window
from app.services.signing import SIGNED
from app.words import _, _l, in_locale

#: A report is of so many days at the most.
MOST_DAYS = 366


@dataclass(frozen=True, eq=False)
class Paper:
    """A printed form: facts and a template; the machinery prints one or many, counts the copies and marks them.

    ``gather(session, record, by, at)`` returns a frozen dataclass with at least ``zone``, the branch's IANA zone. The
    template is ``templates/print/<folder>/page.html`` with ``style.css`` beside it; ``folder`` is the name unless said.
    ``copies`` names the parts of a form of one page that is printed several times over, such as 分诊联 and 归档联;
    ``constants`` are further values for the template. ``left_out(record)`` says why a batch passes a record by.
    ``ground(facts)`` returns what a sheet shares with others, as hashable facts: ``ground.html`` is then laid out once
    for all that are alike and printed under ``page.html``, which holds the rest on as many pages.
    ``previewed(facts)`` takes out what a preview, which nobody counts, must not show.
    """

    table: str
    name: str
    label: object
    title: object
    gather: Callable[..., Any]
    copies: tuple[object, ...] = ()
    constants: Mapping[str, Any] = field(default_factory=dict)
    eager: tuple[str, ...] = ()
    left_out: Callable[[Any], object | None] = lambda _record: None
    previewed: Callable[[Any], Any] = lambda facts: facts
    ground: Callable[[Any], Any] | None = None
    icon: str = "printer"
    folder: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", self.folder or self.name)

    def title_in(self, locale: str) -> str:
        """Return what the form is called in a language."""
        return in_locale(self.title, locale)

    def copies_in(self, locale: str) -> tuple[str, ...]:
        """Return the names of the form's parts in a language."""
        return tuple(in_locale(copy, locale) for copy in self.copies)

    @property
    def permission(self) -> str:
        return f"can_print_{self.name}"


@dataclass(frozen=True, eq=False)
class SheetsPaper(Paper):
    """A form of which one record takes many sheets, such as a run of blank forms: printed in the background by the
    record's act of this name (``print_<name>``), counted once for all sheets.

    ``gather(session, record, by, at, first, count)`` returns the facts of every sheet, from the first-th thing on.
    """


PAPERS: dict[tuple[str, str], Paper] = {}
#: Those that an act prints; the machinery has no button for them.
SHEETS_PAPERS: dict[tuple[str, str], SheetsPaper] = {}


def paper(declared: Paper) -> Paper:
    """Register a printed form."""
    known: dict[tuple[str, str], Any] = SHEETS_PAPERS if isinstance(declared, SheetsPaper) else PAPERS
    known[declared.table, declared.name] = declared
    return declared


def paper_named(table: str, name: str) -> Paper | None:
    """Return a form of a table by its name, whichever way it is printed."""
    return PAPERS.get((table, name)) or SHEETS_PAPERS.get((table, name))


def is_printed(table: str) -> bool:
    """Say whether a table has any form."""
    return any(of_table == table for of_table, _name in (*PAPERS, *SHEETS_PAPERS))


def papers_of(table: str) -> list[Paper]:
    """Return the printed forms of a table."""
    return [paper for (of_table, _name), paper in PAPERS.items() if of_table == table]


class DayAndBranch(HouseForm):
    """A business day of a branch."""

    day = Day(_l("Day"), required=True, past=True)
    branch_id = Pick(_l("Branch"), table="branch")

    @staticmethod
    def until(day: date) -> date:
        """Return the first day that is not counted any more."""
        return day + timedelta(days=1)


class MonthAndBranch(HouseForm):
    """A calendar month of a branch; ``day`` is its first day, so that it is asked for and kept like a day."""

    day = Month(_l("Calendar month"), required=True, past=True)
    branch_id = Pick(_l("Branch"), table="branch")

    @staticmethod
    def until(day: date) -> date:
        """Return the first day of the next month."""
        return (day.replace(day=1) + timedelta(days=31)).replace(day=1)


class PeriodAndBranch(HouseForm):
    """Days of a branch, the last one included; a day alone unless a last one is said."""

    day = Day(_l("First day"), required=True, past=True)
    until_on = Day(_l("Last day"), past=True, description=_l("Empty: that one day."))
    branch_id = Pick(_l("Branch"), table="branch")

    def check(self) -> None:
        """The last day is not before the first, and no more than a year after it."""
        first, last = self.day.data, self.until_on.data
        if last is not None and last < first:
            self.refuse("until_on", _("The last day is before the first."))
        if last is not None and last > first + timedelta(days=MOST_DAYS):
            self.refuse("until_on", _("At most %(days)s days, please.", days=MOST_DAYS))

    @staticmethod
    def until(day: date) -> date:
        """Return the first day that is not counted any more, if no last one is said."""
        return day + timedelta(days=1)


@dataclass(frozen=True)
class Asked:
    """A report's parameters, checked. ``day`` is the first one that is counted, ``until_on`` the last if it is said.

    ``narrowed`` are the report's filters that are set: (parameter, key).
    """

    day: date
    branch_id: int
    until_on: date | None = None
    narrowed: tuple[tuple[str, Any], ...] = ()

    def parameters(self) -> dict[str, Any]:
        """Return what is asked for as a stored run keeps it."""
        until = {} if self.until_on is None else {"until_on": self.until_on.isoformat()}
        return {"day": self.day.isoformat(), "branch_id": self.branch_id, **until, **dict(self.narrowed)}


class Report:
    """A report: subclass it, name it, declare what it counts; registration follows.

    ``measures``, ``rates`` and ``means`` are what it counts, ``groups`` what divides them. ``figures`` stand above,
    ``columns`` (by default all measures, rates and means) in each of the ``tables``. ``filters`` name the inputs of
    ``params`` that narrow it to one key of a group. A report that is no count writes ``gather``. ``daily`` reports are
    kept each day by the common job, or by the one that ``job`` names; ``signed`` ones are signed by who answers for
    them, and bear the three signatures of a controlled document on paper. ``more_rights`` are rights besides to list,
    run and export.
    """

    name: ClassVar[str]
    number: ClassVar[str]
    label: ClassVar[object]
    category: ClassVar[str] = "reports"
    params: ClassVar[type[DayAndBranch] | type[MonthAndBranch] | type[PeriodAndBranch]] = DayAndBranch
    filters: ClassVar[Mapping[str, str]] = {}
    daily: ClassVar[bool] = False
    job: ClassVar[str] = ""
    signed: ClassVar[bool] = False
    more_rights: ClassVar[tuple[str, ...]] = ()
    measures: ClassVar[tuple[Measure, ...]] = ()
    rates: ClassVar[tuple[Rate, ...]] = ()
    means: ClassVar[tuple[Mean, ...]] = ()
    groups: ClassVar[tuple[Group, ...]] = ()
    figures: ClassVar[tuple[str, ...]] = ()
    columns: ClassVar[tuple[str, ...]] = ()
    tables: ClassVar[tuple[Breakdown, ...]] = ()
    chart: ClassVar[Drawn | None] = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.columns = cls.columns or tuple(each.name for each in (*cls.measures, *cls.rates, *cls.means))
        REPORTS[cls.name] = cls()
        REPORT_LABELS[cls.name] = cls.label
        if cls.signed:
            SIGNED.add(cls.name)

    @property
    def right(self) -> str:
        """The view name of this report's rights: can_list, can_run, can_export."""
        return f"report_{self.name}"

    @classmethod
    def count_also(cls, measure: Measure) -> None:
        """Let a later area count one thing more, such as the deals of consultations; its figure stands in no table."""
        cls.measures = (*cls.measures, measure)

    def measure(self, name: str) -> Measure | Rate | Mean:
        """Return a measure, rate or mean by name; raises ``KeyError``."""
        known: tuple[Measure | Rate | Mean, ...] = (*self.measures, *self.rates, *self.means)
        return {each.name: each for each in known}[name]

    def counted_by(self, named: Measure | Rate | Mean, *, part: bool = False) -> Measure:
        """Return the measure whose rows stand behind a figure: of a rate its whole, or its part."""
        if isinstance(named, Measure):
            return named
        found = self.measure(named.of if isinstance(named, Mean) else named.part if part else named.whole)
        assert isinstance(found, Measure), named.name
        return found

    def group(self, name: str) -> Group:
        """Return a group by name; raises ``KeyError``."""
        return {each.name: each for each in self.groups}[name]

    def asked(self, said: Mapping[str, Any], branch_id: int) -> Asked:
        """Return what a checked form asks for."""
        narrowed = tuple((name, said[name]) for name in self.filters if said.get(name) is not None)
        return Asked(said["day"], branch_id, said.get("until_on"), narrowed)

    def window(self, session: Session, asked: Asked, at: datetime) -> Window:
        """Return the days of the branch that are asked for, as they are counted now."""
        branch = session.get_one(Branch, asked.branch_id)
        last = asked.until_on
        until = self.params.until(asked.day) if last is None else last + timedelta(days=1)
        only = tuple((self.group(self.filters[name]), key) for name, key in asked.narrowed)
        return Window(session, branch, asked.day, until, at, only)

    def gather(self, session: Session, asked: Asked, by: Actor, at: datetime) -> ReportFacts:
        """Return the facts; nothing is rounded, formatted or translated yet."""
        return counting.gather(self, session, self.window(session, asked, at), by, at)

    def exported(self, session: Session, asked: Asked, by: Actor, at: datetime) -> ReportFacts:
        """Return the facts of an export, for which a reason is given and kept: what else is masked may stand in it."""
        return self.gather(session, asked, by, at)


REPORTS: dict[str, Report] = {}
