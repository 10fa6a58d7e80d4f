"""预约日报, RPT-02: slips placed, redone, void, lapsed, supplementary; arrivals and their rate, by channel and person.

White paper G. Figures count slips by instants that never change once written: placed and redone by
``ordered_at``, arrived by ``arrived_at``, void by ``closed_at``, lapsed by ``expired_at``. Due are the slips whose
appointment fell on the day and that are neither void nor redone as far as is known when the report is made (which
is why runs are stored); the arrival rate is the share of these whose customer came.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import and_, case, func, or_, select
from sqlalchemy.orm import Session

from app.actors import Actor
from app.models.appointments import AppointmentSlip, Channel, SlipState
from app.models.hr import Branch, Department, Employee
from app.reports.base import Asked, Report
from app.reports.facts import ChartFacts, Column, Figure, Label, ReportFacts, Series, Table
from app.services.scope import scope_clause
from app.words import _, _l, in_locale

MEASURES = ("placed", "redone", "supplemented", "voided", "expired", "arrived", "due", "due_arrived")
LABELS: dict[str, object] = {
    "placed": _l("Placed"),
    "redone": _l("Redone"),
    "supplemented": _l("Supplementary"),
    "voided": _l("Voided"),
    "expired": _l("Lapsed"),
    "arrived": _l("Arrivals"),
    "due": _l("Due to come"),
    "due_arrived": _l("Of these arrived"),
    "rate": _l("Arrival rate"),
}


def _both(words: object) -> Label:
    return Label(zh=in_locale(words, "zh"), en=in_locale(words, "en"))


@dataclass(frozen=True)
class Counts:
    """The measures of one channel or person on one day."""

    values: dict[str, int]

    @property
    def rate(self) -> Decimal | None:
        """Return arrived ÷ due, or None when nothing was due."""
        due = self.values["due"]
        return None if due == 0 else (Decimal(self.values["due_arrived"]) / Decimal(due)).quantize(Decimal("0.0001"))

    def cells(self) -> tuple[Any, ...]:
        return (*(self.values[name] for name in MEASURES), self.rate)


def _sum(counts: list[Counts]) -> Counts:
    return Counts({name: sum(count.values[name] for count in counts) for name in MEASURES})


class AppointmentDaily(Report):
    """RPT-02."""

    name = "appointment_daily"
    number = "RPT-02"
    label = _l("Appointment daily")
    daily = True

    def gather(self, session: Session, asked: Asked, by: Actor, at: datetime) -> ReportFacts:
        branch = session.get_one(Branch, asked.branch_id)
        zone = ZoneInfo(branch.zone)
        start = datetime.combine(asked.day, time.min, zone)
        end = datetime.combine(asked.day + timedelta(days=1), time.min, zone)
        rows = _rows(session, asked.branch_id, start, end, by)
        channels = _grouped(rows, lambda row: row.channel)
        people = _grouped(rows, lambda row: (row.department_id, row.owner_id, row.department, row.owner))
        total = _sum([counts for _key, counts in rows_counts(rows)])
        return ReportFacts(
            report=self.name,
            title=_both(self.label),
            parameters=(
                (_both(_l("Day")), Label.same(asked.day.isoformat())),
                (_both(_l("Branch")), Label.same(branch.name)),
            ),
            figures=_figures(total),
            tables=(_channel_table(channels, total), _people_table(people, total)),
            chart=_chart(channels),
            made_at=at,
            made_by=_("the system") if by.is_house else by.display_name,
            zone=branch.zone,
        )


def _rows(session: Session, branch_id: int, start: datetime, end: datetime, by: Actor) -> list[Any]:
    slip = AppointmentSlip
    within = {
        name: and_(getattr(slip, name) >= start, getattr(slip, name) < end)
        for name in ("ordered_at", "closed_at", "expired_at", "arrived_at", "appointed_at")
    }
    is_first = and_(slip.supersedes_id.is_(None), slip.is_supplement.is_(False))
    due = and_(within["appointed_at"], slip.state.not_in([SlipState.VOIDED, SlipState.REPLACED]))
    measures = {
        "placed": and_(within["ordered_at"], is_first),
        "redone": and_(within["ordered_at"], slip.supersedes_id.is_not(None)),
        "supplemented": and_(within["ordered_at"], slip.is_supplement.is_(True)),
        "voided": and_(within["closed_at"], slip.state == SlipState.VOIDED),
        # A slip handed over after it had lapsed lapsed in its former owner's hands, and once.
        "expired": and_(within["expired_at"], slip.expired_at >= slip.ordered_at),
        "arrived": within["arrived_at"],
        "due": due,
        "due_arrived": and_(due, slip.arrived_at.is_not(None)),
    }
    statement = (
        select(
            slip.channel.label("channel"),
            Department.id.label("department_id"),
            Department.name.label("department"),
            Employee.id.label("owner_id"),  # two people may bear one name
            Employee.name.label("owner"),
            *(func.count(case((condition, 1))).label(name) for name, condition in measures.items()),
        )
        .join(Employee, Employee.id == slip.owner_id)
        .join(Department, Department.id == slip.department_id)
        .where(slip.branch_id == branch_id, or_(*measures.values()))
        .group_by(slip.channel, Department.id, Department.name, Employee.id, Employee.name)
        .order_by(Department.id, Employee.id, slip.channel)
    )
    clause = scope_clause(slip, by)
    return list(session.execute(statement if clause is None else statement.where(clause)))


def rows_counts(rows: list[Any]) -> list[tuple[Any, Counts]]:
    """Return each row with its measures."""
    return [(row, Counts({name: getattr(row, name) for name in MEASURES})) for row in rows]


def _grouped(rows: list[Any], key: Callable[[Any], Any]) -> dict[Any, Counts]:
    grouped: dict[Any, list[Counts]] = {}
    for row, counts in rows_counts(rows):
        grouped.setdefault(key(row), []).append(counts)
    return {name: _sum(counts) for name, counts in grouped.items()}


def _figures(total: Counts) -> tuple[Figure, ...]:
    shown = ("placed", "redone", "voided", "expired", "arrived")
    counted = tuple(Figure(name, _both(LABELS[name]), total.values[name], "count") for name in shown)
    return (*counted, Figure("rate", _both(LABELS["rate"]), total.rate, "rate"))


def _measure_columns() -> tuple[Column, ...]:
    counted = tuple(Column(name, _both(LABELS[name]), "count") for name in MEASURES)
    return (*counted, Column("rate", _both(LABELS["rate"]), "rate"))


def _channel_table(channels: dict[Any, Counts], total: Counts) -> Table:
    return Table(
        name="by_channel",
        title=_both(_l("By channel")),
        columns=(Column("channel", _both(_l("Channel")), "text"), *_measure_columns()),
        rows=tuple((_both(channel.label), *channels[channel].cells()) for channel in Channel if channel in channels),
        totals=(_both(_l("Total")), *total.cells()),
    )


def _people_table(people: dict[Any, Counts], total: Counts) -> Table:
    return Table(
        name="by_person",
        title=_both(_l("By person")),
        columns=(
            Column("department", _both(_l("Department")), "text"),
            Column("owner", _both(_l("Owner")), "text"),
            *_measure_columns(),
        ),
        rows=tuple((department, owner, *counts.cells()) for (_d, _o, department, owner), counts in people.items()),
        totals=(_both(_l("Total")), "", *total.cells()),
    )


def _chart(channels: dict[Any, Counts]) -> ChartFacts:
    present = [channel for channel in Channel if channel in channels]
    shown = ("placed", "redone", "voided", "expired", "arrived")
    return ChartFacts(
        kind="grouped",
        title=_both(_l("Slips by channel")),
        labels=tuple(_both(channel.label) for channel in present),
        series=tuple(
            Series(_both(LABELS[name]), tuple(channels[channel].values[name] for channel in present)) for name in shown
        ),
    )
