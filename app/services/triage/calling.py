"""Calls under the lock of their line: a turn is given, written into the ledger, passed on. SM-05; R-S2-7, R-S2-10."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.actors import Actor
from app.models.hr import Branch, Employee
from app.models.reception import Visit, VisitState
from app.models.triage import (
    AssignmentState,
    LineKind,
    RotationLine,
    RotationSeat,
    RotationTurn,
    RuleCode,
    TriageAssignment,
    TurnKind,
)
from app.services.notices import KINDS, tell
from app.services.triage.facts import Case, Choice, NoOne, Rule
from app.services.triage.rules import answer_by, decide, needs_consent
from app.services.triage.sentences import kept
from app.services.triage.standing import case_of
from app.words import _l

KINDS["triage_calls"] = _l("You are called for the visit %(visit)s (%(line)s). Please answer until %(time)s.")
KINDS["triage_skipped"] = _l("You were skipped for the visit %(visit)s (%(line)s). The assignment says why.")

#: Visits in these states can still be assigned in a line.
ASSIGNABLE = (VisitState.REGISTERED, VisitState.TRIAGED, VisitState.IN_CONSULTATION)


def write_turn(
    session: Session,
    assignment: TriageAssignment,
    kind: TurnKind,
    *,
    rule: str,
    by: Actor,
    at: datetime,
    seat_id: int | None,
    office_order: int | None,
    employee_id: int,
    reason: str | None = None,
) -> RotationTurn:
    """Add a row to a line's ledger; its number follows the last, because the caller holds the line's lock."""
    last = session.scalar(select(func.max(RotationTurn.number)).where(RotationTurn.line_id == assignment.line_id))
    zone = ZoneInfo(session.get_one(Branch, assignment.branch_id).zone)
    turn = RotationTurn(
        branch_id=assignment.branch_id,
        line_id=assignment.line_id,
        number=(last or 0) + 1,
        day_on=at.astimezone(zone).date(),
        occurred_at=at,
        visit_id=assignment.visit_id,
        assignment_id=assignment.id,
        seat_id=seat_id,
        office_order=office_order,
        employee_id=employee_id,
        kind=kind,
        consumes=kind is TurnKind.NORMAL,
        rule=rule,
        reason=reason,
        by_id=by.employee_id,
    )
    session.add(turn)
    session.flush()
    return turn


def turn_of(session: Session, assignment: TriageAssignment, kind: TurnKind, **more: object) -> RotationTurn:
    """Add a row about the seat, or the person, that an assignment names."""
    seat = session.get(RotationSeat, assignment.seat_id) if assignment.seat_id is not None else None
    order = seat.office_order if seat is not None else None
    return write_turn(
        session, assignment, kind, seat_id=assignment.seat_id, office_order=order,
        employee_id=assignment.assignee_id, **more,  # type: ignore[arg-type]
    )  # fmt: skip


def call_next(
    session: Session,
    line: RotationLine,
    visit: Visit,
    *,
    by: Actor,
    at: datetime,
    previous: TriageAssignment | None = None,
    expected_id: int | None = None,
) -> TriageAssignment | NoOne | Choice:
    """Give a visit to whom the rules choose, under the line's lock; ``NoOne`` and why if nobody can be called.

    Who was told another name before (``expected_id``) gets the choice back, and nothing is written.
    """
    case = case_of(session, line, visit, at)
    chosen = decide(case)
    if isinstance(chosen, NoOne) or (expected_id is not None and chosen.person_id != expected_id):
        return chosen
    return open_call(session, line, visit, chosen, case, by=by, at=at, previous=previous)


def open_call(
    session: Session,
    line: RotationLine,
    visit: Visit,
    chosen: Choice,
    case: Case,
    *,
    by: Actor,
    at: datetime,
    previous: TriageAssignment | None = None,
    reason: str | None = None,
) -> TriageAssignment:
    """Write a call and its rows of the ledger; who need not be asked has accepted already. R-S2-7, R-S2-3."""
    person = session.get_one(Employee, chosen.person_id)
    asks = needs_consent(case, chosen)
    assignment = TriageAssignment(
        branch_id=line.branch_id,
        visit_id=visit.id,
        line_id=line.id,
        seat_id=chosen.seat.id if chosen.seat else None,
        assignee_id=person.id,
        department_id=person.department_id,
        method=chosen.kind,
        state=AssignmentState.CALLING if asks else AssignmentState.ACCEPTED,
        sequence_no=previous.sequence_no + 1 if previous is not None else 1,
        called_at=at,
        answer_by_at=answer_by(case.rules, at),
        accepted_at=None if asks else at,
        called_by_id=by.employee_id,
        rule=chosen.rule.value,
        why=kept(chosen.why),
        previous_id=previous.id if previous is not None else None,
    )
    session.add(assignment)
    session.flush()
    for seat in chosen.passed:
        write_turn(
            session, assignment, TurnKind.SKIPPED, rule=RuleCode.OFFICE_ORDER.value, by=by, at=at, seat_id=seat.id,
            office_order=seat.order, employee_id=seat.person_id,
        )  # fmt: skip
    turn_of(session, assignment, chosen.kind, rule=chosen.rule.value, by=by, at=at, reason=reason)
    if asks:
        zone = ZoneInfo(session.get_one(Branch, line.branch_id).zone)
        tell(
            session, person.id, "triage_calls", assignment, visit=visit.visit_no, line=line.name,
            time=assignment.answer_by_at.astimezone(zone).strftime("%H:%M"),
        )  # fmt: skip
    else:
        take_visit(session, assignment, line, visit, at)
    return assignment


def take_visit(session: Session, assignment: TriageAssignment, line: RotationLine, visit: Visit, at: datetime) -> None:
    """Let a visit be known to who accepted it: from now on she sees it, and what it is about. R-S2-9."""
    if visit.state is VisitState.REGISTERED:
        visit.become(VisitState.TRIAGED)
        visit.triaged_at = at
    if line.kind is LineKind.CONSULTANT or visit.consultant_id is None:
        visit.consultant_id = assignment.assignee_id
        visit.department_id = assignment.department_id


def lock_visit(session: Session, visit_id: int) -> Visit:
    """Lock a visit; after the line, before its assignments."""
    statement = select(Visit).where(Visit.id == visit_id).with_for_update(of=Visit)
    return session.scalars(statement.execution_options(populate_existing=True)).one()


def end_as_skipped(
    session: Session, assignment: TriageAssignment, *, when: datetime, by: Actor, reason: str | None = None
) -> None:
    """Write down that a call was skipped, at its limit or, with a reason, before it. R-S2-10."""
    assignment.skipped_at = assignment.ended_at = when
    assignment.skip_reason = reason
    assignment.become(AssignmentState.SKIPPED)
    session.flush()
    turn_of(session, assignment, TurnKind.SKIPPED, rule=RuleCode.SKIP.value, by=by, at=when, reason=reason)
    tell(
        session, assignment.assignee_id, "triage_skipped", assignment, visit=assignment.visit.visit_no,
        line=assignment.line.name,
    )  # fmt: skip


def pass_on_due(session: Session, line: RotationLine, *, by: Actor, at: datetime) -> int:
    """Skip every call of a locked line whose limit has passed, each exactly at its limit, and call the next for its
    visit; return how many were skipped. The next is called from now: nobody answers before she was called."""
    due = session.scalars(
        select(TriageAssignment)
        .where(
            TriageAssignment.line_id == line.id,
            TriageAssignment.state == AssignmentState.CALLING,
            TriageAssignment.answer_by_at <= at,
        )
        .order_by(TriageAssignment.answer_by_at, TriageAssignment.id)
        .with_for_update(of=TriageAssignment)
        .execution_options(populate_existing=True)
    ).all()
    for assignment in due:
        visit = lock_visit(session, assignment.visit_id)
        end_as_skipped(session, assignment, when=assignment.answer_by_at, by=by)
        if visit.state in ASSIGNABLE:
            call_next(session, line, visit, by=by, at=at, previous=assignment)
    return len(due)


def limit_of(rules: Mapping[RuleCode, Rule]) -> timedelta | None:
    """Return after how long a turn passes on; None where it never does. R-S2-10."""
    rule = rules[RuleCode.SKIP]
    return timedelta(minutes=rule.minutes) if rule.is_on and rule.minutes is not None else None
