"""改派: a slip changes hands and nothing else. White paper 2.1.3.2 use b, R-2.1.3-3 and -4, R04."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.actors import Actor, Reach
from app.acts import Outcome, act
from app.errors import InvalidInput, Refusal
from app.fields import HouseForm, Pick, Words
from app.models.appointments import AppointmentSlip, SlipState
from app.models.customers import Customer
from app.models.hr import Employee, EmployeeState
from app.services.appointments.placing import SAID
from app.services.appointments.redoing import chosen_owner, replace_slip
from app.services.followup import move_plans
from app.words import _, _l

OPEN = (SlipState.PENDING, SlipState.EXPIRED)


class Dispatching(HouseForm):
    """To whom, and why."""

    owner_id = Pick(_l("Hand over to"), table="employee", required=True)
    reason = Words(_l("Reason"), most=500, multiline=True)


def _only_within_departments(slip: AppointmentSlip, by: Actor) -> object | None:
    """Supervisors dispatch their departments' slips; who merely is wished for on a slip does not. R04."""
    reach = Reach.GROUP if by.is_house else by.reach("appointment_slip")
    if reach > Reach.DEPARTMENT or (reach is Reach.DEPARTMENT and slip.department_id in by.department_ids):
        return None
    return _("Only a supervisor of its department can hand this slip over.")


@act(
    AppointmentSlip,
    "dispatch",
    _l("Hand over"),
    form=Dispatching,
    moves={SlipState.PENDING: SlipState.REPLACED, SlipState.EXPIRED: SlipState.REPLACED},
    guard=_only_within_departments,
    icon="person-up",
    many=True,
    consequence=_l(
        "This slip becomes void and a colleague gets one that says the same; the time of the first placing is kept."
    ),
)
def dispatch(
    session: Session,
    slip: AppointmentSlip,
    *,
    owner_id: int,
    reason: str | None = None,
    by: Actor,
    at: datetime,
) -> Outcome:
    """Hand a slip to a colleague as it is, awaited or lapsed. White paper 2.1.3.2 b.

    Refuses who has it already, and who is not an active employee of the supervisor's departments. The reason stays
    in the history.
    """
    owner = chosen_owner(session, slip, owner_id, by)
    if owner.id == slip.owner_id:
        raise InvalidInput({"owner_id": [_("This slip is hers already.")]})
    return Outcome(result=_hand_over(session, slip, owner, by=by, at=at))


def hand_over_slip(
    session: Session, slip: AppointmentSlip, owner: Employee, *, by: Actor, at: datetime
) -> AppointmentSlip:
    """Replace an open slip by one of another owner that says the same; for acts that hand over more than a slip.

    Locks customer and slip; the caller answers for the right to do it. A slip that was awaited stays awaited, a lapsed
    one lapsed; its open plans move along; both owners are told. Refuses a slip that is no longer open, and an owner who
    has left or belongs to another branch. The slip of a closed file goes over, too. White paper 2.1.3.2 b.
    """
    session.flush()
    session.execute(select(Customer.id).where(Customer.id == slip.customer_id).with_for_update())
    session.refresh(slip, with_for_update=True)
    if slip.state not in OPEN:
        raise Refusal(_("The slip %(slip)s is: %(state)s.", slip=slip.slip_no, state=slip.state.label))
    if owner.state is not EmployeeState.ACTIVE or owner.branch_id != slip.branch_id:
        raise Refusal(_("%(owner)s cannot take over slips of this branch.", owner=owner.name))
    slip.become(SlipState.REPLACED)
    return _hand_over(session, slip, owner, even_closed=True, by=by, at=at)


def _hand_over(
    session: Session,
    slip: AppointmentSlip,
    owner: Employee,
    *,
    even_closed: bool = False,
    by: Actor,
    at: datetime,
) -> AppointmentSlip:
    """Write the new owner's slip. Its times are not checked anew: nothing about them changes."""
    said: dict[str, Any] = {name: getattr(slip, name) for name in SAID}
    lapsed = slip.expired_at is not None
    state = SlipState.EXPIRED if lapsed else SlipState.PENDING
    kept: dict[str, Any] = {"state": state, "expired_at": slip.expired_at, "even_closed": even_closed}
    new = replace_slip(session, slip, owner, said, by=by, at=at, **kept)
    move_plans(session, slip, new, at=at)
    return new
