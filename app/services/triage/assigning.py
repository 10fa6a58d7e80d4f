"""分诊: the acts of triage, each under the lock of its line. White paper 2.3, SM-05; triage SOP S2, S3, S7."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.actors import Actor
from app.acts import Outcome, act
from app.errors import Refusal
from app.fields import Flag, HouseForm, Pick, Reason, Words
from app.models.hr import Employee, EmployeeState
from app.models.reception import Visit, VisitState
from app.models.triage import (
    AssignmentState,
    RotationLine,
    RotationSeat,
    RotationTurn,
    RuleCode,
    SeatDuty,
    TriageAssignment,
    TurnKind,
)
from app.services.notices import KINDS, tell
from app.services.triage.calling import (
    ASSIGNABLE,
    call_next,
    end_as_skipped,
    lock_visit,
    open_call,
    pass_on_due,
    take_visit,
    turn_of,
)
from app.services.triage.facts import Choice, NoOne
from app.services.triage.facts import Reason as Link
from app.services.triage.rules import takes_part
from app.services.triage.sentences import kept, told
from app.services.triage.standing import LIVE, case_of, lock_line, rules_of
from app.words import _, _l

KINDS["turn_complaint"] = _l("%(by)s complains about the turn of the visit %(visit)s: %(note)s")
A = AssignmentState
#: Nobody has seen her yet: such a visit ends as cancelled.
OPEN = (VisitState.REGISTERED, VisitState.TRIAGED)


def _because(why: Iterable[Any]) -> str:
    """Return the reasons of a decision that was not written down, as sentences."""
    return " ".join(told(kept(why)))


class Assigning(HouseForm):
    """Which visit in which line. ``expected_id``: who was proposed; a turn that moved on is not given unseen."""

    visit_id = Pick(_l("Visit"), table="visit", required=True)
    line_id = Pick(_l("Rotation line"), table="rotation_line", required=True)
    expected_id = Pick(
        _l("Proposed"), table="employee", description=_l("Empty: whoever's turn it is. Else only if it is still hers.")
    )


@act(
    TriageAssignment,
    "assign",
    _l("Assign a visit"),
    form=Assigning,
    creates=True,
    icon="signpost-split",
    tone="accent",
    main=True,
    starts_from={"visit": {"visit_id": "id"}},
)
def assign(
    session: Session, *, visit_id: int, line_id: int, expected_id: int | None = None, by: Actor, at: datetime
) -> Outcome:
    """Call whose turn it is for a visit; due skips are applied first. R-S2-1 to -7, S3, S7.

    Refuses who sits in a line herself (R-S2-9), a visit that is assigned or closed, a turn that has moved on since it
    was proposed, and a line in which nobody can be called, with the reasons.
    """
    line = lock_line(session, line_id)
    _refuse_meddling(session, line, by)
    pass_on_due(session, line, by=by, at=at)
    visit = lock_visit(session, visit_id)
    _refuse_unassignable(session, line, visit)
    made = call_next(session, line, visit, by=by, at=at, expected_id=expected_id)
    if isinstance(made, NoOne):
        raise Refusal(_("Nobody can be called. %(why)s", why=_because(made.why)), field="line_id")
    if isinstance(made, Choice):
        name = session.get_one(Employee, made.person_id).name
        raise Refusal(
            _("The turn has moved on: now it is %(name)s. %(why)s", name=name, why=_because(made.why)),
            field="expected_id",
        )
    return Outcome(result=made, notice=" ".join(told(made.why)))


def _refuse_meddling(session: Session, line: RotationLine, by: Actor) -> None:
    """R-S2-9: who has a seat does not work the triage."""
    if not rules_of(session, line.branch_id)[RuleCode.NO_MEDDLING].is_on:
        return
    seated = session.scalars(
        select(RotationSeat.employee_id).where(
            RotationSeat.branch_id == line.branch_id, RotationSeat.retired_at.is_(None)
        )
    )
    if takes_part(seated, by.employee_id):
        raise Refusal(_("Who has a seat in a rotation line does not take part in the triage."))


def _refuse_unassignable(session: Session, line: RotationLine, visit: Visit) -> None:
    if visit.branch_id != line.branch_id or line.retired_at is not None:
        raise Refusal(_("This line is not open for the visit's branch."), field="line_id")
    if visit.state not in ASSIGNABLE:
        raise Refusal(_("The visit is %(state)s; it is not assigned any more.", state=visit.state.label))
    stands = session.scalars(
        select(TriageAssignment).where(
            TriageAssignment.visit_id == visit.id,
            TriageAssignment.line_id == line.id,
            TriageAssignment.state.in_([*LIVE, A.DONE]),
        )
    ).first()
    if stands is not None:
        raise Refusal(
            _(
                "The visit is assigned to %(name)s in this line already (%(state)s).",
                name=stands.assignee.name,
                state=stands.state.label,
            )
        )


@act(
    TriageAssignment,
    "accept",
    _l("Accepted"),
    moves={A.CALLING: A.ACCEPTED},
    icon="telephone-inbound",
    tone="accent",
    consequence=_l("She receives the customer; the reception form goes to her office."),
)
def accept(session: Session, assignment: TriageAssignment, *, by: Actor, at: datetime) -> None:
    """Note that who was called receives the customer. R-S2-7. Refuses after the limit: the turn has passed on."""
    assignment.accepted_at = at  # first of all: the schema wants it of every call that was accepted
    if at >= assignment.answer_by_at:
        line_id, name, visit = assignment.line_id, assignment.assignee.name, assignment.visit.visit_no
        when = assignment.answer_by_at.astimezone(by.timezone).strftime("%H:%M:%S")

        def pass_on(again: Session) -> None:
            pass_on_due(again, lock_line(again, line_id), by=by, at=at)

        raise Refusal(
            _(
                "%(name)s did not answer for the visit %(visit)s until %(time)s; the turn has passed on.",
                name=name,
                visit=visit,
                time=when,
            ),
            aftermath=pass_on,
        )
    take_visit(session, assignment, assignment.line, assignment.visit, at)


@act(
    TriageAssignment,
    "skip",
    _l("Skip"),
    form=Reason,
    moves={A.CALLING: None},
    icon="skip-forward",
    consequence=_l("The turn passes on now. A skipped turn is not made up."),
)
def skip(session: Session, assignment: TriageAssignment, *, reason: str, by: Actor, at: datetime) -> Outcome:
    """Skip who declines before the limit; after it she was skipped at the limit. The next is called. R-S2-10."""
    line, visit = lock_line(session, assignment.line_id), lock_visit(session, assignment.visit_id)
    if at >= assignment.answer_by_at:
        end_as_skipped(session, assignment, when=assignment.answer_by_at, by=by)
    else:
        end_as_skipped(session, assignment, when=at, by=by, reason=reason)
    made = call_next(session, line, visit, by=by, at=at, previous=assignment)
    if isinstance(made, TriageAssignment):
        return Outcome(result=made, notice=" ".join(told(made.why)))
    return Outcome(notice=_because(made.why))


@act(
    TriageAssignment,
    "bring_in",
    _l("Bring in"),
    moves={A.ACCEPTED: A.IN_ROOM},
    icon="door-open",
    tone="accent",
)
def bring_in(session: Session, assignment: TriageAssignment, *, by: Actor, at: datetime) -> None:
    """Note that the guide brought the customer in, at the doctor's word. R-S2-7."""
    assignment.entered_at = at


@act(TriageAssignment, "finish", _l("Finish"), moves={A.IN_ROOM: A.DONE}, icon="check2-circle")
def finish(session: Session, assignment: TriageAssignment, *, by: Actor, at: datetime) -> None:
    """Note that the customer was seen. SM-05."""
    assignment.ended_at = at


class Reassigning(HouseForm):
    """To whom, and why."""

    employee_id = Pick(_l("To whom"), table="employee", required=True)
    gives_back = Flag(
        _l("Give the turn back"), description=_l("A slip of the hand: who had the turn comes first the next time.")
    )
    reason = Words(_l("Reason"), required=True, least=2, most=500, multiline=True)


@act(
    TriageAssignment,
    "reassign",
    _l("Reassign"),
    form=Reassigning,
    moves={A.CALLING: A.REASSIGNED, A.ACCEPTED: A.REASSIGNED, A.IN_ROOM: A.REASSIGNED},
    icon="arrow-left-right",
)
def reassign(
    session: Session,
    assignment: TriageAssignment,
    *,
    employee_id: int,
    gives_back: bool,
    reason: str,
    by: Actor,
    at: datetime,
) -> Outcome:
    """Give a visit to somebody else by a supervisor's word: no turn is taken. SM-05.

    Refuses the same person and one who has left.
    """
    assignment.reason, assignment.ended_at = reason, at
    line, visit = assignment.line, assignment.visit
    person = session.get_one(Employee, employee_id)
    if person.id == assignment.assignee_id:
        raise Refusal(_("%(name)s has this visit already.", name=person.name), field="employee_id")
    if person.state is EmployeeState.LEFT or person.branch_id != line.branch_id:
        raise Refusal(_("%(name)s does not work here.", name=person.name), field="employee_id")
    session.flush()
    if gives_back and assignment.seat_id is not None and assignment.method in (TurnKind.NORMAL, TurnKind.MAKEUP):
        _give_back(session, assignment, reason, by, at)
    _let_go(assignment, visit)
    case = case_of(session, line, visit, at)
    said = Link(RuleCode.CONSENT, "supervisor", {"name": by.display_name})
    chosen = Choice(person.id, TurnKind.SUPERVISOR, RuleCode.CONSENT, case.seat_of(person.id), why=(said,))
    made = open_call(session, line, visit, chosen, case, by=by, at=at, previous=assignment, reason=reason)
    return Outcome(result=made)


def _give_back(session: Session, assignment: TriageAssignment, reason: str, by: Actor, at: datetime) -> RotationTurn:
    """Owe a seat the turn that it lost without its doing: it comes first the next time."""
    return turn_of(session, assignment, TurnKind.RETURNED, rule=RuleCode.CONSENT.value, by=by, at=at, reason=reason)


def _let_go(assignment: TriageAssignment, visit: Visit) -> None:
    """Take a visit out of the hands that it was in, unless its consultation has begun."""
    if visit.consultant_id == assignment.assignee_id and visit.state is VisitState.TRIAGED:
        visit.become(VisitState.REGISTERED)
        visit.consultant_id = visit.department_id = visit.triaged_at = None


@act(
    TriageAssignment,
    "leave_unseen",
    _l("Left unseen"),
    form=Reason,
    moves={A.CALLING: A.UNSEEN, A.ACCEPTED: A.UNSEEN},
    icon="door-closed",
    tone="danger",
    consequence=_l("The visit ends; whose turn it was is owed it."),
)
def leave_unseen(session: Session, assignment: TriageAssignment, *, reason: str, by: Actor, at: datetime) -> None:
    """Note that the customer left before this line had seen her: the turn is given back; the visit ends, unless another
    line has her or has seen her."""
    assignment.reason, assignment.ended_at = reason, at
    session.flush()
    if assignment.method in (TurnKind.NORMAL, TurnKind.MAKEUP):
        _give_back(session, assignment, reason, by, at)
    visit = assignment.visit
    others = select(TriageAssignment).where(
        TriageAssignment.visit_id == visit.id,
        TriageAssignment.id != assignment.id,
        TriageAssignment.state.in_(LIVE),
    )
    if visit.state not in OPEN or session.scalars(others).first() is not None:
        return  # somebody of another line has her still, or has seen her
    visit.cancel_reason, visit.closed_at = reason, at
    visit.become(VisitState.CANCELLED)


class Complaint(HouseForm):
    """What was not right."""

    complaint = Words(_l("Note to the supervisor"), required=True, least=2, most=500, multiline=True)


@act(TriageAssignment, "complain", _l("Note to the supervisor"), form=Complaint, icon="chat-left-text")
def complain(session: Session, assignment: TriageAssignment, *, complaint: str, by: Actor, at: datetime) -> None:
    """Leave a note on a turn for the supervisor, never at the desk. R-S2-9."""
    assignment.complaint = complaint
    tell(
        session, assignment.line.supervisor_id, "turn_complaint", assignment, by=by.display_name,
        visit=assignment.visit.visit_no, note=complaint,
    )  # fmt: skip


@act(RotationLine, "pass_on", _l("Pass due turns on"), by_system=True, icon="skip-forward")
def pass_on(session: Session, line: RotationLine, *, by: Actor, at: datetime) -> None:
    """Persist the skips that are due in a line. R-S2-10."""
    pass_on_due(session, line, by=by, at=at)


# --- seats ----------------------------------------------------------------------------------------------------------


@act(
    RotationSeat,
    "come_on",
    _l("On duty"),
    moves={SeatDuty.OFF: SeatDuty.ON, SeatDuty.BREAK: SeatDuty.ON},
    icon="play",
    tone="accent",
    many=True,
)
def come_on(session: Session, seat: RotationSeat, *, by: Actor, at: datetime) -> None:
    """Let a seat take turns."""
    seat.state_since_at = at


@act(RotationSeat, "pause", _l("On a break"), moves={SeatDuty.ON: SeatDuty.BREAK}, icon="cup-hot", many=True)
def pause(session: Session, seat: RotationSeat, *, by: Actor, at: datetime) -> None:
    """Let turns pass a seat over for a while; a call that runs goes on to its limit."""
    seat.state_since_at = at


@act(
    RotationSeat,
    "go_off",
    _l("Off duty"),
    moves={SeatDuty.ON: SeatDuty.OFF, SeatDuty.BREAK: SeatDuty.OFF},
    icon="stop",
    many=True,
)
def go_off(session: Session, seat: RotationSeat, *, by: Actor, at: datetime) -> None:
    """Take a seat out of the rotation; a call that runs goes on to its limit."""
    seat.state_since_at = at
