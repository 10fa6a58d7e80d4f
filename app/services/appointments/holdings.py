"""What of the appointment desk lies in a person's hands when she leaves. White paper 4.2.2, 2.1.3.2 b, GL 45."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import and_, exists, func, or_, select
from sqlalchemy.orm import Session, selectinload

from app.errors import Refusal
from app.models.appointments import AppointmentSlip, AppointmentSupplementRequest, SlipState, SupplementState
from app.models.customers import Customer
from app.models.followup import FollowupPlan
from app.models.followup.plans import AHEAD
from app.models.hr import Employee
from app.services.appointments.dispatching import OPEN, hand_over_slip
from app.services.hr import HandingOver, Holding, declare_hindrance, declare_holding, holders_of, unseen
from app.words import _, _l, _n


def _open_slips(employee: Employee) -> Any:
    """Select her awaited slips, and those lapsed ones about which a call is still to be made.

    A slip that lapsed and was dealt with stays where it lapsed: its customer goes over, and a new slip is hers who
    places it.
    """
    plan_open = exists().where(FollowupPlan.appointment_slip_id == AppointmentSlip.id, FollowupPlan.state.in_(AHEAD))
    return select(AppointmentSlip.id).where(
        AppointmentSlip.owner_id == employee.id,
        or_(AppointmentSlip.state == SlipState.PENDING, and_(AppointmentSlip.state == SlipState.EXPIRED, plan_open)),
    )


def _customers_of(slips: Callable[[Employee], Any]) -> Callable[[Employee], Any]:
    """Return the select of the customers of slips: locked before any slip is, as by everybody who writes slips."""
    return lambda employee: select(AppointmentSlip.customer_id).where(AppointmentSlip.id.in_(slips(employee)))


def _hand_over_slips(handing: HandingOver, ids: Sequence[int]) -> None:
    """Replace each slip by one of the successor's; its customer was locked before it, with all the others."""
    assert handing.to is not None
    session = handing.session
    mine = AppointmentSlip.id.in_(ids)
    slips = session.scalars(
        select(AppointmentSlip)
        .where(mine)
        .options(selectinload(AppointmentSlip.item_links))
        .order_by(AppointmentSlip.id)
        .execution_options(populate_existing=True)
    ).all()
    for slip in slips:
        if slip.state in OPEN and slip.owner_id == handing.leaver.id:
            hand_over_slip(session, slip, handing.to, by=handing.by, at=handing.at)


def _wished(column: str) -> Any:
    """Return the select of the awaited slips on which somebody is wished for."""

    def wished(employee: Employee) -> Any:
        return select(AppointmentSlip.id).where(
            getattr(AppointmentSlip, column) == employee.id, AppointmentSlip.state == SlipState.PENDING
        )

    return wished


def _hand_over_wish(column: str) -> Any:
    """Return the hand-over of a wish: the successor receives the customer, 接收医生."""

    def hand_over(handing: HandingOver, _ids: Sequence[int]) -> None:
        session = handing.session
        slips = select(AppointmentSlip).where(AppointmentSlip.id.in_(_wished(column)(handing.leaver)))
        for slip in session.scalars(slips.order_by(AppointmentSlip.id).with_for_update(of=AppointmentSlip)):
            setattr(slip, column, None if handing.to is None else handing.to.id)

    return hand_over


declare_holding(
    Holding(
        "open_slips",
        _l("Open slips"),
        "appointment_slip",
        _open_slips,
        _hand_over_slips,
        refuses=unseen("appointment_slip", _l("Open slips")),
        page="appointment_slip",
        query={"owner_id": "employee"},
        customers=_customers_of(_open_slips),
        # After the wishes: who waits for a number must not hold what another needs before it.
        rank=60,
    )
)
# --- requests for supplementary slips ------------------------------------------------------------------------------

Request = AppointmentSupplementRequest
#: Whose turn it is in a state: the right that the next act asks for.
TURNS = {SupplementState.SUBMITTED: "can_approve", SupplementState.APPROVED: "can_execute"}


def _requests_of(employee: Employee) -> Any:
    """Select the open requests that she made or whose slip would be hers."""
    return select(Request.id).where(
        Request.state.in_(list(TURNS)),
        or_(Request.requested_by_id == employee.id, Request.claimed_owner_id == employee.id),
    )


def _approved_by_her(session: Session, to: Employee, ids: Sequence[int]) -> str | None:
    """R-2.1.3-5: who approved a request neither made it nor gains by it."""
    number = session.scalar(
        select(Request.request_no).where(Request.id.in_(ids), Request.approver_id == to.id).order_by(Request.id)
    )
    if number is None:
        return None
    return _("%(name)s approved the request %(request)s and cannot take it over.", name=to.name, request=number)


def _hand_over_requests(handing: HandingOver, ids: Sequence[int]) -> None:
    """Make the successor asker and claimed owner where the leaver was; the customers are locked first."""
    assert handing.to is not None
    session, leaver, to = handing.session, handing.leaver, handing.to
    customers = select(Request.customer_id).where(Request.id.in_(ids))
    session.execute(select(Customer.id).where(Customer.id.in_(customers)).order_by(Customer.id).with_for_update())
    requests = select(Request).where(Request.id.in_(ids)).order_by(Request.id).with_for_update(of=Request)
    for request in session.scalars(requests.execution_options(populate_existing=True)).all():
        if request.state not in TURNS:
            continue
        if request.approver_id == to.id:  # approved since the leaving was checked
            raise Refusal(str(_approved_by_her(session, to, [request.id])))
        if request.requested_by_id == leaver.id:
            request.requested_by_id = to.id
        if request.claimed_owner_id == leaver.id:
            request.claimed_owner_id, request.department_id = to.id, to.department_id
    session.flush()


def _waiting_for(session: Session, employee: Employee) -> str | None:
    """Say how many requests nobody could decide or execute without her, or None. R-2.1.3-5."""
    for state, permission in TURNS.items():
        holders = holders_of(session, Request.__tablename__, permission, branch_id=employee.branch_id, login=True)
        if holders != [employee.id]:
            continue
        waiting = select(func.count()).where(Request.branch_id == employee.branch_id, Request.state == state)
        count = session.scalar(waiting) or 0
        if count:
            return _n(
                "%(num)s request for a supplementary slip waits for %(name)s and for nobody else.",
                "%(num)s requests for supplementary slips wait for %(name)s and for nobody else.",
                count,
                name=employee.name,
            )
    return None


declare_hindrance(_waiting_for)
declare_holding(
    Holding(
        "supplement_requests",
        _l("Open requests for supplementary slips"),
        "appointment_supplement_request",
        _requests_of,
        _hand_over_requests,
        refuses=_approved_by_her,
        page="appointment_supplement_request",
        rank=45,
    )
)
declare_holding(
    Holding(
        "wished_consultant",
        _l("Awaited slips that wish for her as consultant"),
        "appointment_slip",
        _wished("preferred_consultant_id"),
        _hand_over_wish("preferred_consultant_id"),
        customers=_customers_of(_wished("preferred_consultant_id")),
        rank=40,
    )
)
declare_holding(
    Holding(
        "wished_doctor",
        _l("Awaited slips that wish for her as doctor"),
        "appointment_slip",
        _wished("preferred_doctor_id"),
        _hand_over_wish("preferred_doctor_id"),
        customers=_customers_of(_wished("preferred_doctor_id")),
        rank=50,
    )
)
