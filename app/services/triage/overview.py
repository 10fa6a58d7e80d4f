"""The lines of a branch as they stand now, for whoever watches them: seats, calls, who waits, whose turn it is.

Reads and writes nothing: due skips are foreseen (``foreseeing.py``) and stay for the job to write. White paper 2.3.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from app.actors import Actor
from app.models.reception import Visit, VisitState, VisitType
from app.models.triage import AssignmentState, LineKind, RotationLine, RotationSeat, RuleCode, TriageAssignment
from app.services.guard import crossing
from app.services.scope import in_scope, loader
from app.services.triage.calling import ASSIGNABLE
from app.services.triage.facts import Case, Choice, Line, NoOne, Rule, VisitFacts
from app.services.triage.foreseeing import OpenCall, PassedOn, expected_wait, foreseen
from app.services.triage.rules import decide, takes_part
from app.services.triage.standing import LIVE, facts_of, lines_of, moment_of, rules_of

#: Waiting times are expected from the visits of so many days, if there were so many of them.
RECENT, FEWEST = timedelta(days=28), 5
#: For so many of those who wait in a line it is said who gets them.
MOST_FORESEEN = 60
EAGER = ("customer", "item_links.item")
CALLS = ("visit.customer", "visit.item_links", "assignee")


@dataclass(frozen=True)
class SeatNow:
    """A seat with what it has in hand. ``is_next``: the first who waits would be given to it."""

    seat: RotationSeat
    calls: Sequence[TriageAssignment]
    is_next: bool


@dataclass(frozen=True)
class Waiting:
    """Who waits in a line: to whom she would go now and why, how long that takes yet, whom was called in vain."""

    visit: Visit
    to: Choice | NoOne
    wait: timedelta | None
    in_vain: int


@dataclass(frozen=True)
class LineNow:
    """A line. ``besides``: calls of people without a seat in it; ``passed``: due skips that nobody has written yet, by
    the call; ``to``: who is called for the first who waits, or, if nobody does, for a first visit that comes now."""

    line: RotationLine
    seats: Sequence[SeatNow]
    besides: Sequence[TriageAssignment]
    waiting: Sequence[Waiting]
    passed: Mapping[int, PassedOn]
    to: Choice | NoOne
    names: Mapping[int, str]


def lines_now(session: Session, by: Actor, at: datetime) -> list[LineNow]:
    """Return the open lines in a person's reach as they stand now."""
    statement = in_scope(RotationLine, by).where(RotationLine.retired_at.is_(None))
    found = session.scalars(statement.order_by(RotationLine.branch_id, RotationLine.position, RotationLine.id)).all()
    by_branch: defaultdict[int, list[RotationLine]] = defaultdict(list)
    for line in found:
        by_branch[line.branch_id].append(line)
    return [now for branch_id, lines in by_branch.items() for now in _branch_now(session, branch_id, lines, by, at)]


def _branch_now(
    session: Session, branch_id: int, lines: Sequence[RotationLine], by: Actor, at: datetime
) -> list[LineNow]:
    with crossing("triage"):
        return _as_it_stands(session, branch_id, lines, by, at)


def _as_it_stands(
    session: Session, branch_id: int, lines: Sequence[RotationLine], by: Actor, at: datetime
) -> list[LineNow]:
    rules, moment = rules_of(session, branch_id), moment_of(session, branch_id, at)
    visits = _open_visits(session, branch_id, by)
    calls = _calls(session, [line.id for line in lines], [visit.id for visit in visits])
    facts = facts_of(session, list({visit.id: visit for visit in (*visits, *(call.visit for call in calls))}.values()))
    stands = lines_of(session, lines, facts.values(), rules, moment)
    seats = _seats(session, [line.id for line in lines])
    medians = _medians(session, [line.id for line in lines], at)
    kinds = {line.id: line.kind for line in lines}
    return [
        _line_now(line, stands[line.id], seats[line.id], visits, calls, kinds, facts, rules, moment, medians)
        for line in lines
    ]


def _line_now(
    line: RotationLine,
    stands: Line,
    seats: Sequence[RotationSeat],
    visits: Sequence[Visit],
    calls: Sequence[TriageAssignment],
    kinds: Mapping[int, LineKind],
    facts: Mapping[int, VisitFacts],
    rules: Mapping[RuleCode, Rule],
    moment: datetime,
    medians: Mapping[int, timedelta],
) -> LineNow:
    own = [call for call in calls if call.line_id == line.id and call.state in LIVE]
    later, passed = foreseen(stands, _open_calls(own, calls, stands, facts), rules, moment)
    waiting = [
        Waiting(
            visit,
            decide(Case(facts[visit.id], later, rules, moment)) if place < MOST_FORESEEN else NoOne(),
            expected_wait(medians.get(line.id), place, later),
            len(Case(facts[visit.id], later, rules, moment).unanswered),
        )
        for place, visit in enumerate(waiting_in(line, stands, visits, calls, kinds))
    ]
    to = waiting[0].to if waiting else decide(Case(VisitFacts(0), later, rules, moment))
    next_seat = to.seat.id if isinstance(to, Choice) and to.seat is not None else None
    return LineNow(
        line,
        [SeatNow(seat, [call for call in own if call.seat_id == seat.id], seat.id == next_seat) for seat in seats],
        [call for call in own if call.seat_id not in {seat.id for seat in seats}],
        waiting,
        {each.call.id: each for each in passed},
        to,
        {person.id: person.name for person in stands.people.values()},
    )


def waiting_in(
    line: RotationLine,
    stands: Line,
    visits: Iterable[Visit],
    calls: Iterable[TriageAssignment],
    kinds: Mapping[int, LineKind],
) -> list[Visit]:
    """Return who waits in a line, the first comer first. R-S2-1, R-S2-5.

    Everybody needs somebody of a line of consultants or of oral surgery: of oral surgery whoever asks for an item that
    its seats name, or anything if they name none. A first visit needs a surgeon too, if there is such a line.
    """
    is_surgery = line.kind is LineKind.SURGEON
    had = {
        call.visit_id
        for call in calls
        if call.state in (*LIVE, AssignmentState.DONE) and (kinds[call.line_id] is LineKind.SURGEON) == is_surgery
    }
    named = frozenset[int]().union(*(seat.scope for seat in stands.seats))
    return [
        visit
        for visit in sorted(visits, key=lambda visit: (visit.arrived_at, visit.id))
        if visit.id not in had and _belongs(line.kind, visit, named)
    ]


def _belongs(kind: LineKind, visit: Visit, named: frozenset[int]) -> bool:
    if kind is LineKind.SURGEON:
        return visit.visit_type is VisitType.FIRST
    if visit.state is VisitState.IN_CONSULTATION:
        return False
    return kind is LineKind.CONSULTANT or not named or not named.isdisjoint(visit.item_ids)


def _open_calls(
    own: Iterable[TriageAssignment],
    calls: Sequence[TriageAssignment],
    stands: Line,
    facts: Mapping[int, VisitFacts],
) -> list[OpenCall]:
    seats = {seat.id: seat for seat in stands.seats}
    return [
        OpenCall(
            call.id,
            facts[call.visit_id],
            call.assignee_id,
            call.answer_by_at,
            seats.get(call.seat_id) if call.seat_id is not None else None,
            call.visit.state in ASSIGNABLE,
            any(
                other.id != call.id and other.assignee_id == call.assignee_id and other.state in LIVE for other in calls
            ),
        )
        for call in own
        if call.state is AssignmentState.CALLING
    ]


def _open_visits(session: Session, branch_id: int, by: Actor) -> Sequence[Visit]:
    statement = in_scope(Visit, by).where(
        Visit.branch_id == branch_id, Visit.closed_at.is_(None), Visit.state.in_(ASSIGNABLE)
    )
    return session.scalars(statement.options(*(loader(Visit, path) for path in EAGER))).all()


def _calls(session: Session, line_ids: Collection[int], visit_ids: Collection[int]) -> Sequence[TriageAssignment]:
    """Return the calls that stand in the lines, and those that ended well of who is still in the house."""
    call = TriageAssignment
    statement = (
        select(call)
        .where(call.line_id.in_(line_ids))
        .where(or_(call.state.in_(LIVE), (call.state == AssignmentState.DONE) & call.visit_id.in_(visit_ids)))
        .options(*(loader(call, path) for path in CALLS))
        .order_by(call.called_at, call.id)
    )
    return session.scalars(statement).all()


def _seats(session: Session, line_ids: Collection[int]) -> Mapping[int, list[RotationSeat]]:
    found: defaultdict[int, list[RotationSeat]] = defaultdict(list)
    statement = select(RotationSeat).where(RotationSeat.line_id.in_(line_ids), RotationSeat.retired_at.is_(None))
    options = [loader(RotationSeat, path) for path in ("employee", "line")]
    for seat in session.scalars(statement.options(*options).order_by(RotationSeat.office_order)):
        found[seat.line_id].append(seat)
    return found


def _medians(session: Session, line_ids: Collection[int], at: datetime) -> Mapping[int, timedelta]:
    """Return how long a visit lately occupied a seat of each line, where enough visits tell."""
    call = TriageAssignment
    spent = func.percentile_cont(0.5).within_group(call.ended_at - call.called_at).label("spent")
    statement = (
        select(call.line_id, spent)
        .where(call.line_id.in_(line_ids), call.state == AssignmentState.DONE, call.called_at >= at - RECENT)
        .group_by(call.line_id)
        .having(func.count() >= FEWEST)
    )
    return {row.line_id: row.spent for row in session.execute(statement)}


def is_seated(session: Session, by: Actor) -> bool:
    """R-S2-9: say whether a person sits in a line of her branch, and so neither sees nor works the triage's board."""
    if by.branch_id is None:
        return False
    seat = RotationSeat
    with crossing("triage"):
        rules = rules_of(session, by.branch_id)
        here = (seat.branch_id == by.branch_id, seat.retired_at.is_(None))
        seated = session.scalars(select(seat.employee_id).where(*here))
        return rules[RuleCode.NO_MEDDLING].is_on and takes_part(seated, by.employee_id)
