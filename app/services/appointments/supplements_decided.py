"""补预约单, decided: the branch head approves, the IT manager executes; three people. R-2.1.3-5, SM-33."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from app.actors import Actor
from app.acts import Outcome, act
from app.errors import InvalidInput, Refusal
from app.fields import HouseForm, Words
from app.models.appointments import AppointmentSlip, AppointmentSupplementRequest, SlipState, SupplementState
from app.models.customers import Customer, OwnerRole, OwnerRule
from app.models.hr import Branch
from app.services.appointments.placing import refuse_closed, write_slip
from app.services.appointments.supplements import (
    refuse_arrived,
    refuse_covered,
    tell_askers,
    tell_holders,
    tell_one,
)
from app.services.customers import give_customer
from app.services.hr import working
from app.words import _, _l


class Approving(HouseForm):
    """A word that goes with an approval."""

    decision_note = Words(_l("Note on the decision"), most=500, multiline=True)


class Rejecting(HouseForm):
    """Why a request is refused."""

    decision_note = Words(_l("Reason"), required=True, least=2, most=500, multiline=True)


# --- deciding ----------------------------------------------------------------------------------------------------


def _may_decide(request: AppointmentSupplementRequest, by: Actor) -> object | None:
    """R-2.1.3-5, by person and not by role: whoever asked or would gain decides nothing."""
    if by.employee_id is None:
        return _("Only an employee can do this.")
    if by.employee_id == request.requested_by_id:
        return _("You asked for this yourself; somebody else has to decide.")
    if by.employee_id == request.claimed_owner_id:
        return _("The slip would be yours; somebody else has to decide.")
    return None


@act(
    AppointmentSupplementRequest,
    "approve",
    _l("Approve"),
    form=Approving,
    moves={SupplementState.SUBMITTED: SupplementState.APPROVED},
    guard=_may_decide,
    icon="check2-circle",
    tone="accent",
    consequence=_l("The IT manager then makes the slip; performance moves from this moment."),
)
def approve(
    session: Session, request: AppointmentSupplementRequest, *, decision_note: str | None, by: Actor, at: datetime
) -> None:
    """Approve a request. 分公司负责人, SM-33. Refuses the asker and the claimed owner.

    Also a closed file, an arrival or a slip known meanwhile, and an owner who has left.
    """
    _decide(request, decision_note, by, at)
    _refuse_hindered(session, request, by)
    tell_holders(session, request, "can_execute", "supplement_approved", by)
    tell_askers(session, request, "supplement_approved", by)


@act(
    AppointmentSupplementRequest,
    "reject",
    _l("Reject"),
    form=Rejecting,
    moves={
        SupplementState.SUBMITTED: SupplementState.REJECTED,
        SupplementState.APPROVED: SupplementState.REJECTED,
    },
    guard=_may_decide,
    icon="x-circle",
    tone="danger",
)
def reject(
    session: Session, request: AppointmentSupplementRequest, *, decision_note: str, by: Actor, at: datetime
) -> None:
    """Reject a request with a reason; an approval too, as long as no slip has been made. SM-33.

    Who approved it, when and why stays; who took that back stands beside it.
    """
    if request.approver_id is None:
        _decide(request, decision_note, by, at)
    else:
        request.rejected_by_id, request.rejected_at, request.rejection_note = by.employee_id, at, decision_note
    tell_askers(session, request, "supplement_rejected", by, reason=decision_note)


def _refuse_hindered(session: Session, request: AppointmentSupplementRequest, by: Actor) -> None:
    """Refuse what became known since the asking: a closed file, an arrival, a slip, an owner who left."""
    refuse_closed(request.customer)
    refuse_arrived(session, request.customer, request.claimed_on, by, field=None)
    refuse_covered(session, request.customer, request.claimed_on, by, field=None)
    try:
        working(session, request.claimed_owner_id, request.branch_id, "claimed_owner_id")
    except InvalidInput as wrong:  # neither act asks for the owner
        raise Refusal(wrong.errors["claimed_owner_id"][0]) from wrong


def _decide(request: AppointmentSupplementRequest, note: str | None, by: Actor, at: datetime) -> None:
    request.approver_id, request.decided_at, request.decision_note = by.employee_id, at, note


# --- executing ---------------------------------------------------------------------------------------------------


def _may_execute(request: AppointmentSupplementRequest, by: Actor) -> object | None:
    """R-2.1.3-5: the executor is a third person."""
    if by.employee_id is None:
        return _("Only an employee can do this.")
    if by.employee_id == request.requested_by_id:
        return _("You asked for this yourself; somebody else has to execute it.")
    if by.employee_id == request.approver_id:
        return _("You approved this yourself; somebody else has to execute it.")
    if by.employee_id == request.claimed_owner_id:
        return _("The slip would be yours; somebody else has to execute it.")
    return None


@act(
    AppointmentSupplementRequest,
    "execute",
    _l("Make the slip"),
    moves={SupplementState.APPROVED: SupplementState.EXECUTED},
    guard=_may_execute,
    icon="calendar2-check",
    tone="accent",
    consequence=_l("A slip marked as supplementary is made, as arrived; the customer becomes the claimed owner's."),
)
def execute(session: Session, request: AppointmentSupplementRequest, *, by: Actor, at: datetime) -> Outcome:
    """Make the slip that was approved, once. 分公司IT经理, SM-33.

    It is marked, counted apart and arrived when the customer came; performance moves from the approval (R-2.1.3-5).
    """
    request.executed_by_id, request.executed_at = by.employee_id, at
    with session.no_autoflush:  # the slip and its request are written together, or the schema refuses
        _refuse_hindered(session, request, by)
        slip = _supplementary_slip(session, request, by=by, at=at)
    customer = request.customer
    _note_visit(customer, request.claimed_arrived_at)
    _move_performance(session, request, by)
    assert request.approver_id is not None
    for employee_id in sorted({request.requested_by_id, request.claimed_owner_id, request.approver_id}):
        tell_one(session, employee_id, request, "supplement_executed", by, slip=slip.slip_no)
    return Outcome(result=slip)


def _supplementary_slip(
    session: Session, request: AppointmentSupplementRequest, *, by: Actor, at: datetime
) -> AppointmentSlip:
    """Write the slip of a request: the claimed owner's, arrived when it says, marked."""
    arrived_at, owner_id = request.claimed_arrived_at, request.claimed_owner_id
    return write_slip(
        session,
        {
            "appointed_at": arrived_at,
            "latest_arrival_at": arrived_at,
            "intention": request.intention,
            "need_text": request.need_text,
        },
        session.get_one(Branch, request.branch_id),
        by=by,
        at=at,
        customer_id=request.customer_id,
        contact_record_id=request.contact_record_id,
        channel=request.channel,
        owner_id=owner_id,
        department_id=request.department_id,
        first_owner_id=owner_id,
        placed_by_id=by.employee_id,
        first_ordered_at=request.decided_at,
        is_supplement=True,
        state=SlipState.ARRIVED,
        arrived_at=arrived_at,
        supplement_request=request,
    )


def _note_visit(customer: Customer, arrived_at: datetime) -> None:
    """Keep the first and the last visit right, though this one is told late."""
    known = [when for when in (customer.first_visit_at, customer.last_visit_at) if when is not None]
    customer.first_visit_at, customer.last_visit_at = min([*known, arrived_at]), max([*known, arrived_at])


def _move_performance(session: Session, request: AppointmentSupplementRequest, by: Actor) -> None:
    """Give the customer to the claimed owner from the approval on (R-2.1.3-5).

    Nothing moves if she is his already, or if somebody gave her away after the approval: the later decision stands.
    """
    customer, owner, since = request.customer, request.claimed_owner, request.decided_at
    assert since is not None
    given_later = customer.developed_at is not None and customer.developed_at > since
    if customer.developer_id == owner.id or given_later:
        return
    before_id = customer.developer_id
    give_customer(
        session,
        customer,
        role=OwnerRole.DEVELOPER,
        to=owner,
        rule=OwnerRule.SUPPLEMENT,
        reason=request.request_no,
        by=by,
        at=since,
    )
    request.attribution_from_id, request.attribution_moved_at = before_id, since
    if before_id is not None:
        tell_one(session, before_id, request, "supplement_took", by, owner=owner.name)


def _is_checker(request: AppointmentSupplementRequest, by: Actor) -> object | None:
    if by.employee_id is None:
        return _("Only an employee can do this.")
    if by.employee_id in (request.executed_by_id, request.requested_by_id, request.claimed_owner_id):
        return _("Somebody else has to check this.")
    return None


@act(
    AppointmentSupplementRequest,
    "close",
    _l("Check and close"),
    moves={SupplementState.EXECUTED: SupplementState.CLOSED},
    guard=_is_checker,
    icon="clipboard-check",
    consequence=_l("You have seen that the slip and the performance are as approved."),
)
def close(session: Session, request: AppointmentSupplementRequest, *, by: Actor, at: datetime) -> None:
    """复核: close a request whose slip was made as approved. SM-33."""
    request.closed_by_id, request.closed_at = by.employee_id, at
