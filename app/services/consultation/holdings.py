"""What of reception, triage and consultations lies in a person's hands when she leaves. White paper 4.2.2, GL 45."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from app.models.consultation import Consultation, ConsultationState
from app.models.hr import Employee
from app.models.reception import Visit
from app.models.triage import EveningDuty, RotationSeat, SeatDuty, TriageAssignment
from app.services.hr import HandingOver, Holding, declare_holding, unseen
from app.services.triage.standing import LIVE
from app.words import _l


def _open_visits(employee: Employee) -> Any:
    """Select the visits of customers in the house whom she accepted."""
    return select(Visit.id).where(Visit.consultant_id == employee.id, Visit.closed_at.is_(None))


def _hand_over_visits(handing: HandingOver, ids: Sequence[int]) -> None:
    """Let the successor receive who is in the house now: visits, their live assignments and open consultations.

    No turn is given or taken by it; the trail says who had them. The customers are locked already.
    """
    assert handing.to is not None
    session, leaver, to = handing.session, handing.leaver, handing.to
    mine = (Visit.id.in_(ids), Visit.consultant_id == leaver.id)
    for visit in session.scalars(select(Visit).where(*mine).order_by(Visit.id).with_for_update(of=Visit)).all():
        visit.consultant_id, visit.department_id = to.id, to.department_id


def _live_assignments(employee: Employee) -> Any:
    return select(TriageAssignment.id).where(
        TriageAssignment.assignee_id == employee.id, TriageAssignment.state.in_(LIVE)
    )


def _hand_over_assignments(handing: HandingOver, ids: Sequence[int]) -> None:
    """Let the successor answer, or go on with, calls that still stand."""
    assert handing.to is not None
    statement = select(TriageAssignment).where(TriageAssignment.id.in_(ids), TriageAssignment.state.in_(LIVE))
    ordered = statement.order_by(TriageAssignment.id).with_for_update(of=TriageAssignment)
    for assignment in handing.session.scalars(ordered.execution_options(populate_existing=True)).all():
        assignment.assignee_id, assignment.department_id = handing.to.id, handing.to.department_id


def _open_consultations(employee: Employee) -> Any:
    return select(Consultation.id).where(
        Consultation.consultant_id == employee.id, Consultation.state == ConsultationState.OPEN
    )


def _customers_of_consultations(employee: Employee) -> Any:
    return select(Visit.customer_id).where(
        Visit.id.in_(
            select(Consultation.visit_id).where(
                Consultation.consultant_id == employee.id, Consultation.state == ConsultationState.OPEN
            )
        )
    )


def _hand_over_consultations(handing: HandingOver, ids: Sequence[int]) -> None:
    assert handing.to is not None
    open_ones = select(Consultation).where(Consultation.id.in_(ids), Consultation.state == ConsultationState.OPEN)
    ordered = open_ones.order_by(Consultation.id).with_for_update(of=Consultation)
    for consultation in handing.session.scalars(ordered.execution_options(populate_existing=True)).all():
        consultation.consultant_id, consultation.department_id = handing.to.id, handing.to.department_id


def _seats(employee: Employee) -> Any:
    return select(RotationSeat.id).where(RotationSeat.employee_id == employee.id, RotationSeat.retired_at.is_(None))


def _hand_over_seats(handing: HandingOver, ids: Sequence[int]) -> None:
    """Let the successor sit in the leaver's offices, off duty until she comes on; an office of a line in which she has
    a seat, or that nobody takes, ends, and evenings ahead with it. The office keeps its place and its turns."""
    session, to = handing.session, handing.to
    seats = select(RotationSeat).where(RotationSeat.id.in_(ids), RotationSeat.retired_at.is_(None))
    for seat in session.scalars(seats.order_by(RotationSeat.id).with_for_update(of=RotationSeat)).all():
        if seat.state is not SeatDuty.OFF:
            seat.become(SeatDuty.OFF)
            seat.state_since_at = handing.at
        has = None if to is None else session.scalar(_seats(to).where(RotationSeat.line_id == seat.line_id).limit(1))
        if to is not None and has is None:
            seat.employee_id = to.id
        else:
            _end_seat(handing, seat)


def _end_seat(handing: HandingOver, seat: RotationSeat) -> None:
    seat.retired_at = handing.at
    today = handing.at.astimezone(handing.by.timezone).date()
    ahead = select(EveningDuty).where(
        EveningDuty.seat_id == seat.id, EveningDuty.retired_at.is_(None), EveningDuty.duty_on > today
    )
    for duty in handing.session.scalars(ahead.with_for_update(of=EveningDuty)).all():
        duty.retired_at = handing.at


declare_holding(
    Holding(
        "open_visits",
        _l("Customers in the house whom she receives"),
        "visit",
        _open_visits,
        _hand_over_visits,
        refuses=unseen("visit", _l("Customers in the house whom she receives")),
        page="visit",
        query={"tab": "open", "consultant_id": "employee"},
        customers=lambda employee: select(Visit.customer_id).where(Visit.id.in_(_open_visits(employee))),
        rank=52,
    )
)
declare_holding(
    Holding(
        "live_assignments",
        _l("Calls and assignments that stand"),
        "triage_assignment",
        _live_assignments,
        _hand_over_assignments,
        refuses=unseen("triage_assignment", _l("Calls and assignments that stand")),
        page="triage_assignment",
        query={"tab": "open", "assignee_id": "employee"},
        customers=lambda employee: select(Visit.customer_id).where(
            Visit.id.in_(
                select(TriageAssignment.visit_id).where(
                    TriageAssignment.assignee_id == employee.id, TriageAssignment.state.in_(LIVE)
                )
            )
        ),
        rank=54,
    )
)
declare_holding(
    Holding(
        "open_consultations",
        _l("Open consultations"),
        "consultation",
        _open_consultations,
        _hand_over_consultations,
        refuses=unseen("consultation", _l("Open consultations")),
        page="consultation",
        query={"tab": "open", "consultant_id": "employee"},
        customers=_customers_of_consultations,
        rank=56,
    )
)
declare_holding(
    Holding(
        "rotation_seats",
        _l("Seats in rotation lines"),
        "rotation_seat",
        _seats,
        _hand_over_seats,
        needs_successor=False,
        page="rotation_seat",
        query={"employee_id": "employee"},
        rank=58,
    )
)
