"""What would be decided now, and nothing written: due skips as they will stand, and whom the next visit gets.

Pure, like ``rules.py``: what ``calling.pass_on_due`` writes under the lock of a line is foreseen from plain values, so
that a board tells the truth between two looks of the job. White paper 2.3; R-S2-10; decision 0041.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from app.models.triage import RuleCode, TurnKind
from app.services.triage.facts import Case, Choice, Line, NoOne, Presence, Row, Rule, Seat, VisitFacts
from app.services.triage.rules import decide


@dataclass(frozen=True)
class OpenCall:
    """A call that nobody has answered yet. ``waits``: its visit can still be assigned to somebody else."""

    id: int
    visit: VisitFacts
    person_id: int
    answer_by: datetime
    seat: Seat | None = None
    waits: bool = True
    #: She is called or occupied by something else as well.
    is_busy_besides: bool = False


@dataclass(frozen=True)
class PassedOn:
    """A call whose limit is over: who gets its visit; None if nobody needs to."""

    call: OpenCall
    to: Choice | NoOne | None


def foreseen(
    line: Line, calls: Iterable[OpenCall], rules: Mapping[RuleCode, Rule], moment: datetime
) -> tuple[Line, list[PassedOn]]:
    """Return a line as it stands once every due skip is written, and what becomes of each, in their order."""
    passed: list[PassedOn] = []
    for call in sorted(calls, key=lambda call: (call.answer_by, call.id)):
        if call.answer_by > moment:
            continue
        day = call.answer_by.astimezone(moment.tzinfo).date()
        row = Row(0, TurnKind.SKIPPED, call.visit.id, call.person_id, day, *_place(call.seat), rule=RuleCode.SKIP.value)
        line = _busy(_with_row(line, row), call.person_id, is_busy=call.is_busy_besides)
        chosen = decide(Case(call.visit, line, rules, moment)) if call.waits else None
        if isinstance(chosen, Choice):
            line = after(line, call.visit, chosen, moment)
        passed.append(PassedOn(call, chosen))
    return line, passed


def after(line: Line, visit: VisitFacts, chosen: Choice, moment: datetime) -> Line:
    """Return a line as it stands once a visit is given to whom was chosen."""
    for seat in chosen.passed:
        row = Row(0, TurnKind.SKIPPED, visit.id, seat.person_id, moment.date(), *_place(seat))
        line = _with_row(line, replace(row, rule=RuleCode.OFFICE_ORDER.value))
    row = Row(0, chosen.kind, visit.id, chosen.person_id, moment.date(), *_place(chosen.seat), rule=chosen.rule.value)
    return _busy(_with_row(line, row), chosen.person_id, is_busy=True)


def _place(seat: Seat | None) -> tuple[int | None, int | None]:
    return (seat.id, seat.order) if seat is not None else (None, None)


def _with_row(line: Line, row: Row) -> Line:
    number = max((each.number for each in line.ledger), default=0) + 1
    return replace(line, ledger=(*line.ledger, replace(row, number=number)))


def _busy(line: Line, person_id: int, *, is_busy: bool) -> Line:
    person = line.people.get(person_id)
    if person is None:
        return line
    return replace(line, people={**line.people, person_id: replace(person, is_busy=is_busy)})


def expected_wait(median: timedelta | None, before: int, line: Line) -> timedelta | None:
    """Return how long who has so many people before her will still wait in a line; None if nothing can be said.

    ``median``: how long a seat of the line was lately occupied by one visit, from the call to the end. A free seat
    takes her at once; else each person before her who finds none free, and she herself, waits for one of the seats on
    duty to become free, which happens every ``median / seats`` on the average. White paper 2.3 names no formula [J].
    """
    people = [line.people[seat.person_id] for seat in line.seats]
    here = [person for person in people if person.presence is Presence.HERE]
    free = sum(not person.is_busy for person in here)
    if here and before < free:
        return timedelta()
    if not here or median is None:
        return None
    return median * (before - free + 1) / len(here)
