"""等待时间, RPT-26: from the arrival to the triage, the consultation and the leaving; medians and tails. White paper G.

A visit is counted in the stages of which it has both ends. Payment and treatment are stages of later areas: they are
left out and the report says so. Times are in minutes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Float, and_, cast, func, select
from sqlalchemy.orm import Session

from app.actors import Actor
from app.models.consultation import Consultation
from app.models.reception import Visit, VisitType
from app.reports import counting
from app.reports.base import Asked, PeriodAndBranch, Report
from app.reports.facts import Column, Figure, Label, ReportFacts, Table
from app.reports.measures import ByHour, Group, Mean, Measure, Window, of_branch, written
from app.reports.onsite_daily import VISIT_TYPE, arrived
from app.services.guard import crossing
from app.services.scope import narrowed
from app.services.settings import setting
from app.words import _l

LONG_WAIT = setting(
    "reports.long_wait_minutes",
    _l("A wait for triage counts as long from, minutes"),
    "15",
    "whole",
    least=1,
    most=480,
    help=_l("Visits that waited at least so long are counted by themselves and can be opened."),
    source="RPT-26",
)


def _talk(column: Any) -> Any:
    """Return the beginning of a visit's first consultation, or the end of its last."""
    return select(column).where(Consultation.visit_id == Visit.id).correlate(Visit).scalar_subquery()


@dataclass(frozen=True)
class Stage:
    """A part of a visit, from one instant to another."""

    label: object
    begins: Any
    ends: Any

    @property
    def minutes(self) -> ColumnElement[Any]:
        return cast(func.extract("epoch", self.ends - self.begins) / 60, Float)

    @property
    def is_over(self) -> ColumnElement[bool]:
        return and_(self.begins.is_not(None), self.ends.is_not(None))


STAGES: dict[str, Stage] = {
    "triage": Stage(_l("Arrival to triage"), Visit.arrived_at, Visit.triaged_at),
    "consultation": Stage(_l("Triage to consultation"), Visit.triaged_at, _talk(func.min(Consultation.started_at))),
    "talk": Stage(
        _l("In the consultation"), _talk(func.min(Consultation.started_at)), _talk(func.max(Consultation.ended_at))
    ),
    "whole": Stage(_l("Arrival to leaving"), Visit.arrived_at, Visit.left_at),
}
TRIAGE = STAGES["triage"]


@dataclass(frozen=True)
class ByStage(Group):
    """The stages that a visit went through; it is under several keys, so it divides no counting, only opens rows."""

    def parse(self, text: str) -> str:
        if text not in STAGES:
            raise ValueError(text)
        return text

    def labels(self, session: Session, keys: set[Any]) -> dict[Any, Label | str]:
        return {key: Label.of(stage.label) for key, stage in STAGES.items() if key in keys}

    def where(self, model: Any, window: Window, key: Any) -> ColumnElement[bool]:
        return STAGES[key].is_over if key in STAGES else Visit.id.is_(None)


HOUR = ByHour("hour", _l("Hour"), {Visit: Visit.arrived_at})


def _triaged(days: Window) -> Any:
    return and_(arrived(days), TRIAGE.is_over)


def _long(days: Window) -> Any:
    return and_(_triaged(days), TRIAGE.minutes >= days.setting(LONG_WAIT))


def _spreads(prefix: str, of: str) -> tuple[Mean, ...]:
    """Declare a median and its tails: each opens the visits of which it tells; they are not means of the database."""
    words = (("median", _l("Median, minutes")), ("nine_in_ten", _l("Nine in ten within")), ("longest", _l("Longest")))
    return tuple(Mean(f"{prefix}{name}", label, of, TRIAGE.minutes) for name, label in words)


class WaitingTimes(Report):
    """RPT-26."""

    name = "waiting_times"
    number = "RPT-26"
    label = _l("Waiting times")
    params = PeriodAndBranch
    measures = (
        Measure("visits", _l("Visits"), Visit, arrived),
        Measure("triaged", _l("Visits assigned"), Visit, _triaged),
        Measure("long_waits", _l("Long waits for triage"), Visit, _long),
    )
    means = (*_spreads("", "visits"), *_spreads("triage_", "triaged"))
    groups = (ByStage("stage", _l("Stage of the visit"), {Visit: Visit.id}), HOUR, VISIT_TYPE)
    figures = ("visits", "triaged", "long_waits")

    def gather(self, session: Session, asked: Asked, by: Actor, at: datetime) -> ReportFacts:
        facts = counting.gather(self, session, self.window(session, asked, at), by, at)
        waits = _waits(session, self.window(session, asked, at), by)
        first = [wait.minutes["triage"] for wait in waits if wait.minutes["triage"] is not None]
        told = (
            Figure("triage_median", Label.of(_l("Arrival to triage, median")), _share(first, 0.5), "mean"),
            Figure(
                "triage_nine_in_ten", Label.of(_l("Arrival to triage, nine in ten within")), _share(first, 0.9), "mean"
            ),
        )
        missing = (Label.of(_l("Not measured yet")), Label.of(_l("payment and treatment")))
        return replace(
            facts,
            parameters=(*facts.parameters, missing),
            figures=(*facts.figures, *told),
            tables=(
                _by_stage(waits),
                _by("by_hour", _l("By hour of arrival"), HOUR, waits, lambda wait: wait.hour, session),
                _by("by_type", _l("By type of visit"), VISIT_TYPE, waits, lambda wait: wait.visit_type, session),
            ),
        )


@dataclass(frozen=True)
class _Wait:
    """One visit: its hour and type, and its minutes in each stage, None where it has not both ends."""

    hour: int
    visit_type: VisitType
    minutes: dict[str, float | None]


def _waits(session: Session, days: Window, by: Actor) -> list[_Wait]:
    columns = [stage.minutes.label(name) for name, stage in STAGES.items()]
    statement = select(HOUR.key(Visit, days), Visit.visit_type, *columns).where(of_branch(Visit, days), arrived(days))
    with crossing("report"):
        rows = session.execute(narrowed(statement, Visit, by)).all()
    return [_Wait(hour, kind, dict(zip(STAGES, minutes, strict=True))) for hour, kind, *minutes in rows]


def _share(minutes: Sequence[float], share: float) -> Decimal | None:
    """Return the shortest wait within which at least this share of the visits lies; None of no visit."""
    if not minutes:
        return None
    place = max(1, math.ceil(share * len(minutes) - 1e-9))
    return Decimal(str(sorted(minutes)[place - 1])).quantize(Decimal("0.1"))


def _columns(prefix: str = "") -> tuple[Column, ...]:
    means = WaitingTimes.means[3:] if prefix else WaitingTimes.means[:3]
    return tuple(Column(each.name, Label.of(each.label), "mean") for each in means)


def _spread_of(minutes: Iterable[float | None]) -> tuple[Decimal | None, ...]:
    known = [each for each in minutes if each is not None]
    return _share(known, 0.5), _share(known, 0.9), _share(known, 1)


def _by_stage(waits: Sequence[_Wait]) -> Table:
    rows = []
    for name, stage in STAGES.items():
        minutes = [wait.minutes[name] for wait in waits]
        count = sum(each is not None for each in minutes)
        rows.append((Label.of(stage.label), count, *_spread_of(minutes)))
    return Table(
        name="by_stage",
        title=Label.of(_l("By stage")),
        columns=(
            Column("stage", Label.of(_l("Stage of the visit"))),
            Column("visits", Label.of(_l("Visits")), "count"),
            *_columns(),
        ),
        rows=tuple(rows),
        keys=tuple((("stage", name),) for name in STAGES),
    )


def _by(
    name: str, title: object, group: Group, waits: Sequence[_Wait], key_of: Callable[[_Wait], Any], session: Session
) -> Table:
    """Return the waits for triage divided by a group."""
    known = [wait for wait in waits if wait.minutes["triage"] is not None]
    labels = group.named(session, {key_of(wait) for wait in known})
    parts = {key: [wait for wait in known if key_of(wait) == key] for key in labels}
    return Table(
        name=name,
        title=Label.of(title),
        columns=(
            Column(group.name, Label.of(group.label)),
            Column("triaged", Label.of(_l("Visits assigned")), "count"),
            *_columns("triage_"),
        ),
        rows=tuple(
            (labels[key], len(part), *_spread_of(wait.minutes["triage"] for wait in part))
            for key, part in parts.items()
        ),
        keys=tuple(((group.name, written(key)),) for key in parts),
    )
