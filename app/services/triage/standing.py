"""A line as it stands now, read under its lock: seats, people, ledger and rules become a case. Decision 0041."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import and_, func, or_, select
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
    moment = at.astimezone(ZoneInfo(session.get_one(Branch, line.branch_id).zone))
    seats = session.scalars(
        select(RotationSeat)
        .where(RotationSeat.line_id == line.id, RotationSeat.retired_at.is_(None))
        .options(selectinload(RotationSeat.item_links))
        .order_by(RotationSeat.office_order)
        .execution_options(populate_existing=True)
    ).all()
    owner_id = session.scalar(select(Customer.owner_consultant_id).where(Customer.id == visit.customer_id))
    duty = {seat.employee_id: PRESENCE[seat.state] for seat in seats}
    rules = rules_of(session, line.branch_id)
    people = _people(session, line, [line.supervisor_id, visit.designated_id, owner_id, *duty], duty)
    stands = Line(
        line.kind,
        tuple(
            Seat(seat.id, seat.employee_id, seat.office_order, frozenset(seat.item_ids), seat.is_designated)
            for seat in seats
        ),
        people,
        tuple(_ledger(session, line, visit, moment, with_skips=not rules[RuleCode.NO_MAKEUP].is_on)),
        line.supervisor_id,
        _evening(session, line, moment),
    )
    return Case(_facts(visit, owner_id), stands, rules, moment)


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


def _people(
    session: Session, line: RotationLine, asked: Iterable[int | None], duty: Mapping[int, Presence]
) -> dict[int, Person]:
    """Return everybody whom a rule may name: seats, supervisor, owner, their partners and successors."""
    wanted, known = {key for key in asked if key is not None}, dict[int, Employee]()
    for _round in range(MOST_HEIRS):
        missing = wanted - set(known)
        if not missing:
            break
        for one in session.scalars(select(Employee).where(Employee.id.in_(missing))):
            known[one.id] = one
            wanted |= {key for key in (one.partner_employee_id, one.successor_employee_id) if key is not None}
    busy = set(
        session.scalars(
            select(TriageAssignment.assignee_id).where(
                TriageAssignment.branch_id == line.branch_id,
                TriageAssignment.state.in_(LIVE),
                TriageAssignment.assignee_id.in_(known),
            )
        )
    )
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


def _ledger(session: Session, line: RotationLine, visit: Visit, moment: datetime, *, with_skips: bool) -> Iterable[Row]:
    """Return the rows that bear on a decision: each seat's last normal turn, this visit's, debts, duty of today."""
    turn = RotationTurn
    last = select(func.max(turn.number)).where(turn.line_id == line.id, turn.consumes).group_by(turn.seat_id)
    kinds = [TurnKind.RETURNED, TurnKind.MAKEUP, *([TurnKind.SKIPPED] if with_skips else [])]
    rows = session.scalars(
        select(turn)
        .where(turn.line_id == line.id)
        .where(
            or_(
                turn.number.in_(last),
                turn.visit_id == visit.id,
                turn.kind.in_(kinds),
                and_(turn.kind == TurnKind.DUTY, turn.day_on == moment.date()),
            )
        )
        .order_by(turn.number)
    )
    for row in rows:
        yield Row(
            row.number, row.kind, row.visit_id, row.employee_id, row.day_on, row.seat_id, row.office_order, row.rule
        )


def _evening(session: Session, line: RotationLine, moment: datetime) -> tuple[int, ...]:
    listed = session.scalars(
        select(EveningDuty.seat_id)
        .where(EveningDuty.line_id == line.id, EveningDuty.duty_on == moment.date(), EveningDuty.retired_at.is_(None))
        .order_by(EveningDuty.position)
    )
    return tuple(listed)
