"""重下预约单: an update before arrival, or a hand-over by a supervisor. White paper 2.1.3.2, R-2.1.3-3 and -4."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.actors import Actor, Reach
from app.acts import Outcome, act
from app.errors import InvalidInput
from app.fields import HouseForm, Pick
from app.models.appointments import AppointmentSlip, SlipState
from app.models.hr import Branch, Employee
from app.services.appointments.placing import (
    SAID,
    SlipForm,
    check_times,
    plan_slip_reminder,
    refuse_second_open,
    write_slip,
)
from app.services.appointments.warnings import warn_of_slip
from app.services.followup import withdraw_plans, withdraw_plans_after_lapse
from app.services.hr import working
from app.services.notices import tell
from app.words import _, _l


class _HandingOver(HouseForm):
    """Whose the slip becomes."""

    owner_id = Pick(_l("Hand over to"), table="employee", description=_l("Empty: stays with its owner."))


class Redoing(_HandingOver, SlipForm):
    """重下预约单: what changes, and to whom it goes."""


def chosen_owner(session: Session, slip: AppointmentSlip, owner_id: int | None, by: Actor) -> Employee:
    """Return who owns the new slip; only a supervisor hands it to another, within her departments."""
    if owner_id is None or owner_id == slip.owner_id:
        return working(session, slip.owner_id, slip.branch_id, "owner_id")
    if by.reach("appointment_slip") < Reach.DEPARTMENT:
        raise InvalidInput({"owner_id": [_("Only a supervisor can hand a slip to another.")]})
    owner = working(session, owner_id, slip.branch_id, "owner_id")
    if by.reach("appointment_slip") is Reach.DEPARTMENT and owner.department_id not in by.department_ids:
        raise InvalidInput({"owner_id": [_("This colleague is not in your department.")]})
    return owner


def _only_ones_own(slip: AppointmentSlip, by: Actor) -> object | None:
    """A consultant redoes her own slips; supervisors those of their departments. U24."""
    if by.is_house or by.reach("appointment_slip") >= Reach.DEPARTMENT or slip.owner_id == by.employee_id:
        return None
    return _("Only its owner or a supervisor can redo this slip.")


@act(
    AppointmentSlip,
    "redo",
    _l("Redo"),
    form=Redoing,
    moves={SlipState.PENDING: SlipState.REPLACED, SlipState.EXPIRED: SlipState.REPLACED},
    guard=_only_ones_own,
    icon="arrow-repeat",
    prefill=SAID,
    consequence=_l("This slip becomes void and a new one takes its place; the time of the first placing is kept."),
)
def redo(
    session: Session, slip: AppointmentSlip, *, owner_id: int | None = None, by: Actor, at: datetime, **said: Any
) -> Outcome:
    """Replace a slip that has not arrived by a new one: an update, or a hand-over by a supervisor.

    The first placing's time and owner are kept (R-2.1.3-3); the old slip is void, not deleted (R-2.1.3-4); a slip
    is redone once; who loses a slip is told. White paper 2.1.3.2.
    """
    check_times(session, said, by, at)
    owner = chosen_owner(session, slip, owner_id, by)
    session.flush()  # the old row leaves the open slips before the new one enters them
    refuse_second_open(session, slip.customer, by, at)
    warn_of_slip(session, said, session.get_one(Branch, slip.branch_id), by=by, at=at)
    withdraw_plans(session, slip)
    withdraw_plans_after_lapse(session, slip.customer)
    new = replace_slip(session, slip, owner, said, by=by, at=at)
    plan_slip_reminder(session, new, by, at)
    return Outcome(result=new)


def replace_slip(
    session: Session,
    slip: AppointmentSlip,
    owner: Employee,
    said: Mapping[str, Any],
    *,
    by: Actor,
    at: datetime,
    **given: Any,
) -> AppointmentSlip:
    """Write the slip that takes the place of one that has moved to ``replaced``; who loses or gets a slip is told.

    ``said`` is what the new one says. What the chain keeps goes over: customer, contact, channel, the first placing's
    time and owner, the root (R-2.1.3-3). Plans stay the caller's business.
    """
    slip.closed_at = at
    session.flush()  # what a unique index or a rule counts as open is up to date before the new one enters
    new = write_slip(
        session,
        said,
        session.get_one(Branch, slip.branch_id),
        by=by,
        at=at,
        customer_id=slip.customer_id,
        contact_record_id=slip.contact_record_id,
        channel=slip.channel,
        owner_id=owner.id,
        department_id=owner.department_id,
        first_owner_id=slip.first_owner_id,
        placed_by_id=by.employee_id or slip.placed_by_id,
        first_ordered_at=slip.first_ordered_at,
        supersedes_id=slip.id,
        root_slip_id=slip.root_slip_id or slip.id,
        **given,
    )
    _tell_of_hand_over(session, slip, new, by)
    return new


def _tell_of_hand_over(session: Session, slip: AppointmentSlip, new: AppointmentSlip, by: Actor) -> None:
    if new.owner_id == slip.owner_id:
        return
    facts = {
        "by": by.display_name,
        "old": slip.slip_no,
        "new": new.slip_no,
        "customer": str(slip.customer),
        "owner": str(session.get_one(Employee, new.owner_id)),
    }
    tell(session, slip.owner_id, "slip_handed_over", slip, **facts)
    tell(session, new.owner_id, "slip_received", new, **facts)


def chain_of(session: Session, slip: AppointmentSlip) -> list[AppointmentSlip]:
    """Return every slip of a chain, the first one first. R-2.1.3-4."""
    root = slip.root_slip_id or slip.id
    return list(
        session.scalars(
            select(AppointmentSlip)
            .where((AppointmentSlip.id == root) | (AppointmentSlip.root_slip_id == root))
            .order_by(AppointmentSlip.id)
        )
    )
