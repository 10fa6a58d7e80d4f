"""A line as it stands now, read under its lock: seats, people, ledger and rules become a case. Decision 0041."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import and_, func, or_, select, tuple_
from sqlalchemy.orm import Session, selectinload

from app.models.customers import Customer
from app.models.hr import Branch, Employee, EmployeeState
from app.models.reception import Visit
from app.models.triage import (
    AssignmentState,
    EveningDuty,
    RotationLine,
    RotationSeat,
    RotationTurn,
    RuleCode,
    SeatDuty,
    TriageAssignment,
    TriageRule,
    TurnKind,
)
from app.services.triage.facts import Case, Line, Person, Presence, Row, Rule, Seat, VisitFacts
from app.services.triage.rules import sop

#: An assignment in one of these occupies whom it names.
LIVE = (AssignmentState.CALLING, AssignmentState.ACCEPTED, AssignmentState.IN_ROOM)
PRESENCE = {SeatDuty.ON: Presence.HERE, SeatDuty.BREAK: Presence.BREAK, SeatDuty.OFF: Presence.OFF}
#: So many hand-overs from leaver to leaver are followed.
MOST_HEIRS = 5


def lock_line(session: Session, line_id: int) -> RotationLine:
    """Lock a line: until the transaction ends nobody else gives a turn of it."""
    statement = select(RotationLine).where(RotationLine.id == line_id).with_for_update()
    return session.scalars(statement.execution_options(populate_existing=True)).one()


def rules_of(session: Session, branch_id: int) -> dict[RuleCode, Rule]:
    """Return the rules of a branch: its rows, and the SOP's defaults where it has none."""
    rules = sop()
    for row in session.scalars(select(TriageRule).where(TriageRule.branch_id == branch_id)):
        rules[row.code] = Rule(row.code, row.is_on, row.position, row.minutes, row.day_ends_at)
    return rules


def case_of(session: Session, line: RotationLine, visit: Visit, at: datetime) -> Case:
    """Return what the rotation is decided from; the caller holds the line's lock."""
    session.flush()
    rules = rules_of(session, line.branch_id)
    moment = moment_of(session, line.branch_id, at)
    facts = facts_of(session, [visit])
    stands = lines_of(session, [line], facts.values(), rules, moment)
    return Case(facts[visit.id], stands[line.id], rules, moment)


def moment_of(session: Session, branch_id: int, at: datetime) -> datetime:
    """Return a moment by the clock of a branch."""
    return at.astimezone(ZoneInfo(session.get_one(Branch, branch_id).zone))


def facts_of(session: Session, visits: Sequence[Visit]) -> dict[int, VisitFacts]:
    """Return what of each visit bears on who receives it."""
    customers = {visit.customer_id for visit in visits}
    rows = session.execute(select(Customer.id, Customer.owner_consultant_id).where(Customer.id.in_(customers)))
    owners = {row.id: row.owner_consultant_id for row in rows}
    return {visit.id: _facts(visit, owners[visit.customer_id]) for visit in visits}


def lines_of(
    session: Session,
    lines: Sequence[RotationLine],
    visits: Collection[VisitFacts],
    rules: Mapping[RuleCode, Rule],
    moment: datetime,
) -> dict[int, Line]:
    """Return lines of one branch as they stand for these visits, by their ids; each is read in one go for all."""
    ids = [line.id for line in lines]
    seats = _by_line(
        session.scalars(
            select(RotationSeat)
            .where(RotationSeat.line_id.in_(ids), RotationSeat.retired_at.is_(None))
            .options(selectinload(RotationSeat.item_links))
            .order_by(RotationSeat.office_order)
            .execution_options(populate_existing=True)
        )
    )
    asked = {line.supervisor_id for line in lines} | {seat.employee_id for each in seats.values() for seat in each}
    asked |= {visit.asks_for_id for visit in visits} | {visit.owner_id for visit in visits}
    known = _known(session, asked)
    busy = _busy(session, [line.branch_id for line in lines], known)
    rows = _ledger(session, ids, [visit.id for visit in visits], moment, with_skips=not rules[RuleCode.NO_MAKEUP].is_on)
    evening = _evening(session, ids, moment)
    return {
        line.id: Line(
            line.kind,
            tuple(
                Seat(seat.id, seat.employee_id, seat.office_order, frozenset(seat.item_ids), seat.is_designated)
                for seat in seats[line.id]
            ),
            _people(known, {seat.employee_id: PRESENCE[seat.state] for seat in seats[line.id]}, busy),
            tuple(rows[line.id]),
            line.supervisor_id,
            tuple(evening[line.id]),
        )
        for line in lines
    }


def _by_line(seats: Iterable[RotationSeat]) -> Mapping[int, list[RotationSeat]]:
    found: defaultdict[int, list[RotationSeat]] = defaultdict(list)
    for seat in seats:
        found[seat.line_id].append(seat)
    return found


def _facts(visit: Visit, owner_id: int | None) -> VisitFacts:
    return VisitFacts(
        visit.id,
        visit.visit_type,
        frozenset(visit.item_ids),
        visit.is_market,
        visit.referrer_customer_id is not None,
        visit.designated_id,
        visit.favour,
        visit.is_from_dental,
        owner_id,
    )


def _known(session: Session, asked: Iterable[int | None]) -> dict[int, Employee]:
    """Return everybody whom a rule may name: seats, supervisor, owner, their partners and successors."""
    wanted, known = {key for key in asked if key is not None}, dict[int, Employee]()
    for _round in range(MOST_HEIRS):
        missing = wanted - set(known)
        if not missing:
            break
        for one in session.scalars(select(Employee).where(Employee.id.in_(missing))):
            known[one.id] = one
            wanted |= {key for key in (one.partner_employee_id, one.successor_employee_id) if key is not None}
    return known


def _busy(session: Session, branch_ids: Collection[int], known: Collection[int]) -> set[int]:
    """Return those who are being called or are with a customer, in whichever line of the branch."""
    return set(
        session.scalars(
            select(TriageAssignment.assignee_id).where(
                TriageAssignment.branch_id.in_(branch_ids),
                TriageAssignment.state.in_(LIVE),
                TriageAssignment.assignee_id.in_(known),
            )
        )
    )


def _people(known: Mapping[int, Employee], duty: Mapping[int, Presence], busy: Collection[int]) -> Mapping[int, Person]:
    return {
        one.id: Person(
            one.id,
            one.name,
            Presence.GONE if one.state is EmployeeState.LEFT else duty.get(one.id, Presence.HERE),
            one.id in busy,
            one.partner_employee_id,
            one.successor_employee_id,
        )
        for one in known.values()
    }


def _ledger(
    session: Session, line_ids: Sequence[int], visit_ids: Sequence[int], moment: datetime, *, with_skips: bool
) -> Mapping[int, list[Row]]:
    """Return by line the rows that bear on a decision: each seat's last normal turn, the visits', debts, duty of
    today."""
    turn = RotationTurn
    last = (
        select(turn.line_id, func.max(turn.number))
        .where(turn.line_id.in_(line_ids), turn.consumes)
        .group_by(turn.line_id, turn.seat_id)
    )
    kinds = [TurnKind.RETURNED, TurnKind.MAKEUP, *([TurnKind.SKIPPED] if with_skips else [])]
    rows = session.scalars(
        select(turn)
        .where(turn.line_id.in_(line_ids))
        .where(
            or_(
                tuple_(turn.line_id, turn.number).in_(last),
                turn.visit_id.in_(visit_ids),
                turn.kind.in_(kinds),
                and_(turn.kind == TurnKind.DUTY, turn.day_on == moment.date()),
            )
        )
        .order_by(turn.line_id, turn.number)
    )
    found: defaultdict[int, list[Row]] = defaultdict(list)
    for row in rows:
        found[row.line_id].append(row_of(row))
    return found


def row_of(turn: RotationTurn) -> Row:
    """Return a row of the ledger as a plain value."""
    return Row(
        turn.number, turn.kind, turn.visit_id, turn.employee_id, turn.day_on, turn.seat_id, turn.office_order, turn.rule
    )


def _evening(session: Session, line_ids: Sequence[int], moment: datetime) -> Mapping[int, list[int]]:
    found: defaultdict[int, list[int]] = defaultdict(list)
    listed = session.execute(
        select(EveningDuty.line_id, EveningDuty.seat_id)
        .where(
            EveningDuty.line_id.in_(line_ids),
            EveningDuty.duty_on == moment.date(),
            EveningDuty.retired_at.is_(None),
        )
        .order_by(EveningDuty.position)
    )
    for line_id, seat_id in listed:
        found[line_id].append(seat_id)
    return found
