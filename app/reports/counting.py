"""Counts what a report declares, one statement for each table, and lays the numbers out as facts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, or_, select, tuple_
from sqlalchemy.orm import Session

from app.actors import Actor
from app.reports.facts import ChartFacts, Column, Figure, Kind, Label, Number, ReportFacts, Series, Table
from app.reports.measures import Breakdown, Drawn, Group, Mean, Measure, Rate, Window, of_branch, written
from app.services.guard import crossing
from app.services.scope import narrowed
from app.words import _, _l

if TYPE_CHECKING:
    from app.reports.base import Report

Names = tuple[str, ...]
#: Keys of the groups -> measure -> number of rows.
Cells = dict[tuple[Any, ...], dict[str, int]]


@dataclass(frozen=True)
class Counted:
    """The numbers of one report, per set of groups; the empty set holds the totals."""

    report: Report
    session: Session
    cells: Mapping[Names, Cells]

    def total(self) -> Mapping[str, int]:
        return self.cells[()].get((), {})

    def named(self, name: str, keys: Iterable[Any]) -> dict[Any, Label | str]:
        return self.report.group(name).named(self.session, keys)


def gather(report: Report, session: Session, window: Window, by: Actor, at: datetime) -> ReportFacts:
    """Return the facts of a report that is declared by measures."""
    counted = count(report, session, window, by)
    called, written_as = window.period
    return ReportFacts(
        report=report.name,
        title=Label.of(report.label),
        parameters=(
            (Label.of(called), Label.same(written_as)),
            (Label.of(_l("Branch")), Label.same(window.branch.name)),
            *((Label.of(group.label), _label(group.named(session, [key])[key])) for group, key in window.only),
        ),
        figures=tuple(_figure(report, name, counted.total()) for name in report.figures),
        tables=tuple(_table(counted, breakdown) for breakdown in report.tables),
        chart=None if report.chart is None else _chart(counted, report.chart),
        made_at=at,
        made_by=_("the system") if by.is_house else by.display_name,
        zone=window.zone,
    )


# --- counting ----------------------------------------------------------------------------------------------------


def count(report: Report, session: Session, window: Window, by: Actor) -> Counted:
    """Count every measure over the whole and over each set of groups that a table or the chart shows."""
    wanted: set[Names] = {(), *(each.groups for each in report.tables)}
    if report.chart is not None:
        wanted.add(_chart_groups(report.chart))
    cells: dict[Names, Cells] = {names: {} for names in wanted}
    for model in dict.fromkeys(measure.model for measure in report.measures):
        dividing = [names for names in sorted(wanted) if all(model in report.group(name).columns for name in names)]
        measures = [measure for measure in report.measures if measure.model is model]
        for names, keys, numbers in _counts(report, session, measures, dividing, window, by):
            cells[names].setdefault(keys, {}).update(numbers)
    return Counted(report, session, cells)


def along(
    report: Report, session: Session, window: Window, by: Actor, measures: Sequence[Measure], group: str
) -> dict[Any, dict[str, int]]:
    """Return some measures of one table along a group, by its keys, with their totals under ``()``: one statement."""
    told = _counts(report, session, list(measures), [(), (group,)], window, by)
    return {keys[0] if names else (): numbers for names, keys, numbers in told}


def _counts(
    report: Report, session: Session, measures: list[Measure], dividing: list[Names], window: Window, by: Actor
) -> Iterable[tuple[Names, tuple[Any, ...], dict[str, int]]]:
    """Yield (groups, keys, numbers) of measures of one table, all from one statement and so of one moment."""
    groups = list(dict.fromkeys(name for names in dividing for name in names))
    rows = _rows(report, measures, groups, window, by).subquery()
    means = [mean for mean in report.means if report.counted_by(mean) in measures]
    counts = [
        *(func.count().filter(rows.c[f"is_{measure.name}"]) for measure in measures),
        *(func.sum(rows.c[f"of_{mean.name}"]).filter(rows.c[f"is_{mean.of}"]) for mean in means),
    ]
    keys = [rows.c[f"by_{name}"] for name in groups]
    statement = select(func.grouping(*keys) if keys else 0, *keys, *counts)  # type: ignore[arg-type]
    if keys:
        sets = [tuple_(*(rows.c[f"by_{name}"] for name in names)) for names in dividing]
        statement = statement.group_by(func.grouping_sets(*sets))
    masks = {_mask(groups, names): names for names in dividing}
    with crossing("report"):
        counted = session.execute(statement).all()
    for mask, *values in counted:
        names = masks[mask]
        found = dict(zip(groups, values, strict=False))
        named = [each.name for each in (*measures, *means)]
        numbers = {name: number or 0 for name, number in zip(named, values[len(groups) :], strict=True)}
        yield names, tuple(found[name] for name in names), numbers


def _rows(report: Report, measures: list[Measure], groups: list[str], window: Window, by: Actor) -> Any:
    """Select a table's rows that any measure counts: their keys, and which measures count them."""
    model = measures[0].model
    conditions = {measure.name: measure.condition(window) for measure in measures}
    statement = select(
        *(report.group(name).key(model, window).label(f"by_{name}") for name in groups),
        *(condition.label(f"is_{name}") for name, condition in conditions.items()),
        *(mean.value.label(f"of_{mean.name}") for mean in report.means if mean.of in conditions),
    ).where(of_branch(model, window), or_(*conditions.values()))
    return narrowed(statement, model, by)


def _mask(groups: list[str], names: Names) -> int:
    """Return PostgreSQL's GROUPING() of a set: a bit for each group that is not in it, the first the highest."""
    return sum(1 << (len(groups) - 1 - index) for index, name in enumerate(groups) if name not in names)


# --- laying out --------------------------------------------------------------------------------------------------


def _value(report: Report, name: str, numbers: Mapping[str, int]) -> Number | None:
    asked = report.measure(name)
    if isinstance(asked, Measure):
        return numbers.get(name, 0)
    if isinstance(asked, Mean):
        rows = numbers.get(asked.of, 0)
        return None if rows == 0 else (Decimal(numbers.get(name, 0)) / Decimal(rows)).quantize(Decimal("0.01"))
    whole = numbers.get(asked.whole, 0)
    return None if whole == 0 else (Decimal(numbers.get(asked.part, 0)) / Decimal(whole)).quantize(Decimal("0.0001"))


def _figure(report: Report, name: str, numbers: Mapping[str, int]) -> Figure:
    asked = report.measure(name)
    value = _value(report, name, numbers)
    return Figure(name, Label.of(asked.label), value, _kind(asked))


def _kind(asked: Measure | Rate | Mean) -> Kind:
    return "rate" if isinstance(asked, Rate) else "mean" if isinstance(asked, Mean) else "count"


def _column(asked: Measure | Rate | Mean) -> Column:
    return Column(asked.name, Label.of(asked.label), _kind(asked))


def _divided(report: Report, names: Names) -> list[Measure | Rate | Mean]:
    """Return the columns of a table: the measures whose rows all its groups divide, their rates and means."""

    def divides(asked: Measure | Rate | Mean) -> bool:
        counted = {report.counted_by(asked), report.counted_by(asked, part=True)}
        return all(measure.model in report.group(name).columns for measure in counted for name in names)

    return [asked for asked in map(report.measure, report.columns) if divides(asked)]


def _table(counted: Counted, breakdown: Breakdown) -> Table:
    report, groups = counted.report, [counted.report.group(name) for name in breakdown.groups]
    shown = _divided(report, breakdown.groups)
    cells = counted.cells[breakdown.groups]
    words = [counted.named(name, (keys[index] for keys in cells)) for index, name in enumerate(breakdown.groups)]
    order = [{key: place for place, key in enumerate(labels)} for labels in words]
    standing = sorted(
        (keys for keys, numbers in cells.items() if any(numbers.values())),
        key=lambda keys: [places[key] for places, key in zip(order, keys, strict=True)],
    )
    blanks = [""] * (len(groups) - 1)
    total = counted.total()
    return Table(
        name=breakdown.name,
        title=Label.of(breakdown.title),
        columns=(*(Column(group.name, Label.of(group.label)) for group in groups), *map(_column, shown)),
        rows=tuple(
            (
                *(labels[key] for labels, key in zip(words, keys, strict=True)),
                *(_value(report, asked.name, cells[keys]) for asked in shown),
            )
            for keys in standing
        ),
        totals=(Label.of(_l("Total")), *blanks, *(_value(report, asked.name, total) for asked in shown)),
        keys=tuple(_addressed(groups, keys) for keys in standing),
    )


def _addressed(groups: list[Group], keys: tuple[Any, ...]) -> tuple[tuple[str, str], ...]:
    return tuple((group.name, written(key)) for group, key in zip(groups, keys, strict=True))


def _chart_groups(drawn: Drawn) -> Names:
    return (drawn.along, drawn.split) if drawn.split else (drawn.along,)


def _chart(counted: Counted, drawn: Drawn) -> ChartFacts:
    report, cells = counted.report, counted.cells[_chart_groups(drawn)]
    present = {keys: numbers for keys, numbers in cells.items() if any(numbers.get(name, 0) for name in drawn.measures)}
    along = report.group(drawn.along)
    axis = along.axis(counted.named(drawn.along, (keys[0] for keys in present)))
    labels = along.named(counted.session, axis)
    if drawn.split:
        (name,) = drawn.measures
        parts = counted.named(drawn.split, (keys[1] for keys in present))
        series = tuple(
            Series(_label(said), tuple(cells.get((key, part), {}).get(name, 0) for key in axis))
            for part, said in parts.items()
        )
    else:
        series = tuple(
            Series(Label.of(report.measure(name).label), tuple(cells.get((key,), {}).get(name, 0) for key in axis))
            for name in drawn.measures
        )
    return ChartFacts(drawn.kind, Label.of(drawn.title), tuple(_label(labels[key]) for key in axis), series)


def _label(words: Label | str) -> Label:
    return words if isinstance(words, Label) else Label.same(words)
