"""Funnels on the workbench: how many of what began came how far; each step is a measure of a report and opens its rows.

A funnel names a report and steps among its measures, divided by one of its groups. A step that the report has not yet
(a deal, before there are consultations) is left out until an area counts it: ``Report.count_also``. Every number is
that of the report for the same days, in the reader's scope; all of a funnel is one statement.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask import url_for
from sqlalchemy.orm import Session

from app.actors import Actor
from app.panel.pages import Cell, ColumnHead, FunnelCard, Row, TableView
from app.panel.report_rows import rows_url
from app.reports.base import REPORTS, Asked, Report
from app.reports.counting import along
from app.reports.facts import Label
from app.reports.measures import Measure, written
from app.words import _, locale_in_force

#: A funnel is of so many days, today included: a customer who calls today comes some days later.
DAYS = 30


@dataclass(frozen=True)
class Funnel:
    """Steps of a report, each a part of the one before, divided by a group; ``later`` may be missing yet."""

    report: str
    label: object
    steps: tuple[str, ...]
    by: str
    later: tuple[str, ...] = ()

    def measures(self) -> list[Measure]:
        """Return the steps that the report counts by now."""
        known = {measure.name: measure for measure in REPORTS[self.report].measures}
        return [known[name] for name in (*self.steps, *self.later) if name in known]


FUNNELS: list[Funnel] = []


def funnel(declared: Funnel) -> None:
    """Declare a funnel; refuses a step that its report does not count, unless it may come later."""
    counted = {measure.name for measure in REPORTS[declared.report].measures}
    if absent := set(declared.steps) - counted:
        raise ValueError(f"funnel of {declared.report}: {sorted(absent)} are not counted")
    FUNNELS.append(declared)


def funnels_of(session: Session, by: Actor, at: datetime) -> list[FunnelCard]:
    """Return a person's funnels: of the reports that she may read, as far as there is anything in them."""
    mine = [each for each in FUNNELS if by.branch_id is not None and by.may(REPORTS[each.report].right, "can_list")]
    drawn = (_drawn(session, each, by, at) for each in mine)
    return [card for card in drawn if card is not None]


def _drawn(session: Session, each: Funnel, by: Actor, at: datetime) -> FunnelCard | None:
    report, steps = REPORTS[each.report], each.measures()
    last = at.astimezone(by.timezone).date()
    asked = Asked(last - timedelta(days=DAYS - 1), by.branch_id or 0, last)
    numbers = along(report, session, report.window(session, asked, at), by, steps, each.by)
    if not any(told.get(steps[0].name) for told in numbers.values()):
        return None
    given = {"day": asked.day.isoformat(), "until_on": last.isoformat()}
    named = report.group(each.by).named(session, [key for key in numbers if key != ()])
    rows = [
        _row(index, _words(label), report, steps, numbers[key], by, given, ((each.by, written(key)),))
        for index, (key, label) in enumerate(named.items())
    ]
    total = _row(len(rows), _("Total"), report, steps, numbers[()], by, given, ())
    heads = [ColumnHead(each.by, str(report.group(each.by).label))]
    heads += [ColumnHead(step.name, str(step.label)) for step in steps]
    note = _("The last %(days)s days", days=DAYS)
    return FunnelCard(str(each.label), note, url_for(f"{report.right}.list", **given), TableView(heads, [*rows, total]))


def _row(
    index: int,
    label: str,
    report: Report,
    steps: list[Measure],
    told: Mapping[str, int],
    by: Actor,
    given: Mapping[str, str],
    keys: tuple[tuple[str, str], ...],
) -> Row:
    """Return a line: each step's number, and its share in the step before."""
    cells = [Cell(label)]
    before = 0
    for step in steps:
        number = told.get(step.name, 0)
        url = rows_url(report, step.name, keys, given, by) if number else ""
        cells.append(Cell(f"{number:,}", url, sub=f"{number / before:.0%}" if before else "", number=True))
        before = number
    return Row(index, "", cells, title=label)


def _words(label: Any) -> str:
    return label.in_(locale_in_force()) if isinstance(label, Label) else str(label)
