"""分诊表/轮排表, RPT-05: every turn, skip and exception of a day in the ledger's order, with its rule and why.

White paper G, R-S2-8. The sheet is read from the ledger alone, whose rows never change; printed, it bears the three
signatures of a controlled document.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import and_
from sqlalchemy.orm import Session, joinedload

from app.actors import Actor
from app.models.hr import Employee
from app.models.triage import RotationLine, RotationTurn, RuleCode, TriageAssignment, TurnKind
from app.reports.base import Asked, Report
from app.reports.facts import Column, Label, ReportFacts, Row, Table
from app.reports.measures import Breakdown, ByChoice, ByRecord, Measure, Window, of_branch
from app.services.scope import in_scope
from app.services.triage.sentences import RULES, told
from app.words import _l, force_locale

Turn = RotationTurn
#: Kinds that are neither a turn by rotation nor what became of one: R-S2-2, R-S2-3, R-S2-6, S3, S7.
EXCEPTIONS = tuple(
    kind
    for kind in TurnKind
    if kind not in (TurnKind.NORMAL, TurnKind.MAKEUP, TurnKind.SKIPPED, TurnKind.RETURNED)
)  # fmt: skip


def _of_day(day: Window) -> Any:
    return and_(Turn.day_on >= day.day, Turn.day_on < day.end.date())


def _turns(name: str, label: object, *kinds: TurnKind) -> Measure:
    return Measure(name, label, Turn, lambda day: and_(_of_day(day), Turn.kind.in_(kinds)))


class RotationSheet(Report):
    """RPT-05."""

    name = "rotation_sheet"
    number = "RPT-05"
    label = _l("Triage sheet")
    daily = True
    signed = True
    measures = (
        _turns("normal", _l("Normal turns"), TurnKind.NORMAL, TurnKind.MAKEUP),
        _turns("skipped", _l("Skips"), TurnKind.SKIPPED),
        _turns("returned", _l("Turns given back"), TurnKind.RETURNED),
        _turns("exceptions", _l("Outside the rotation"), *EXCEPTIONS),
    )
    groups = (
        ByRecord("line", _l("Rotation line"), {Turn: Turn.line_id}, RotationLine, (RotationLine.position,)),
        ByRecord("employee", _l("Employee"), {Turn: Turn.employee_id}, Employee),
        ByChoice("kind", _l("Kind of turn"), {Turn: Turn.kind}, TurnKind),
    )
    figures = ("normal", "skipped", "returned", "exceptions")
    tables = (Breakdown("by_person", _l("By person"), ("line", "employee")),)

    def gather(self, session: Session, asked: Asked, by: Actor, at: datetime) -> ReportFacts:
        facts = super().gather(session, asked, by, at)
        turns = _read(session, self.window(session, asked, at), by)
        return replace(facts, tables=(*_sheets(turns, facts.zone), *facts.tables))


def _read(session: Session, day: Window, by: Actor) -> list[RotationTurn]:
    eager = ("line", "employee", "visit", "seat", "assignment", "by")
    statement = (
        in_scope(Turn, by)
        .where(of_branch(Turn, day), _of_day(day))
        .options(*(joinedload(getattr(Turn, name)) for name in eager))
        .order_by(Turn.line_id, Turn.number)
    )
    return list(session.scalars(statement))


def _sheets(turns: Sequence[RotationTurn], zone: str) -> list[Table]:
    """Return a table for each line, in the order of the lines; one that says so if nobody was assigned."""
    lines = {turn.line_id: turn.line for turn in turns}
    order = sorted(lines.values(), key=lambda line: (line.position, line.id))
    if not order:
        return [_sheet("turns", Label.of(_l("Turns")), [], zone)]
    return [
        _sheet(f"turns_{line.id}", Label.same(line.name), [turn for turn in turns if turn.line_id == line.id], zone)
        for line in order
    ]


def _sheet(name: str, title: Label, turns: Sequence[RotationTurn], zone: str) -> Table:
    return Table(
        name=name,
        title=title,
        columns=(
            Column("number", Label.of(_l("Turn number"))),
            Column("time", Label.of(_l("Time"))),
            Column("visit", Label.of(_l("Visit"))),
            Column("visit_type", Label.of(_l("Type of visit"))),
            Column("office", Label.of(_l("Office"))),
            Column("who", Label.of(_l("Employee"))),
            Column("kind_of_turn", Label.of(_l("Kind of turn"))),
            Column("answer", Label.of(_l("Accepted"))),
            Column("rule", Label.of(_l("Rule and reasons"))),
            Column("by", Label.of(_l("By whom"))),
        ),
        rows=tuple(_row(turn, zone) for turn in turns),
    )


def _clock(when: datetime | None, zone: str) -> str:
    return "" if when is None else f"{when.astimezone(ZoneInfo(zone)):%H:%M:%S}"


def _row(turn: RotationTurn, zone: str) -> Row:
    return (
        str(turn.number),
        _clock(turn.occurred_at, zone),
        turn.visit.visit_no,
        Label.of(turn.visit.visit_type.label),
        "" if turn.office_order is None else _office(turn),
        turn.employee.name,
        Label.of(turn.kind.label),
        _clock(turn.assignment.accepted_at, zone) if turn.kind is not TurnKind.SKIPPED else "",
        _why(turn),
        Label.of(_l("by itself")) if turn.by is None else turn.by.name,
    )


def _office(turn: RotationTurn) -> str:
    name = turn.seat.office if turn.seat is not None else None
    return f"{turn.office_order} {name}" if name else str(turn.office_order)


def _why(turn: RotationTurn) -> Label:
    """Return the rule by its number and sentence, then what it found in this case, in both languages."""
    return Label(zh=_said(turn, turn.assignment, "zh"), en=_said(turn, turn.assignment, "en"))


def _said(turn: RotationTurn, assignment: TriageAssignment, locale: str) -> str:
    with force_locale(locale):
        try:
            sentence = str(RULES[RuleCode(turn.rule)])
        except (ValueError, KeyError):
            sentence = ""
        # A skip or a turn given back has its own reason; the chain is that of the call.
        chain = [] if turn.kind in (TurnKind.SKIPPED, TurnKind.RETURNED) else told(assignment.why)
        parts = [f"{turn.rule} {sentence}".strip(), *chain, *([turn.reason] if turn.reason else [])]
    return ("" if locale == "zh" else " ").join(parts)
