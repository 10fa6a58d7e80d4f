"""Files that are closed: frozen in a dispute, restricted at the customer's wish (PIPL). SM-01."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.actors import Actor
from app.acts import act
from app.errors import Refusal
from app.fields import Reason
from app.models.appointments import AppointmentSlip, SlipState
from app.models.customers import Customer, CustomerTrait, FileState, TraitState
from app.services.followup.planning import withdraw_plans_of
from app.words import _, _l


@act(
    Customer,
    "freeze",
    _l("Freeze"),
    form=Reason,
    moves={FileState.FORMAL: FileState.FROZEN},
    icon="snow",
    consequence=_l("A dispute or fraud: no new slips, traits or merges until the file is unfrozen."),
)
def freeze(session: Session, customer: Customer, *, reason: str, by: Actor, at: datetime) -> None:
    """Freeze a formal file in a dispute or for fraud; nothing new is done with it. SM-01."""


@act(Customer, "unfreeze", _l("Unfreeze"), form=Reason, moves={FileState.FROZEN: FileState.FORMAL}, icon="sun")
def unfreeze(session: Session, customer: Customer, *, reason: str, by: Actor, at: datetime) -> None:
    """Go on with a frozen file. SM-01."""


def _asked_once(customer: Any, by: Actor) -> object | None:
    if customer.restriction_asked_by_id is not None:
        return _("The restriction of this file has been asked for already.")
    return None


@act(
    Customer,
    "ask_restriction",
    _l("Ask for restriction"),
    form=Reason,
    moves=dict.fromkeys((FileState.TEMPORARY, FileState.FORMAL, FileState.FROZEN, FileState.MERGED)),
    guard=_asked_once,
    icon="shield-exclamation",
    consequence=_l(
        "The customer wishes her data deleted. The information centre carries it out; medical records stay."
    ),
)
def ask_restriction(session: Session, customer: Customer, *, reason: str, by: Actor, at: datetime) -> None:
    """Ask that a file be restricted; medical affairs do, the information centre carries it out. SM-01."""
    if by.employee_id is None:
        raise Refusal(_("Only an employee of a branch can do this."))
    customer.restriction_asked_at = at
    customer.restriction_asked_by_id = by.employee_id
    customer.restriction_reason = reason


def _asked_by_another(customer: Any, by: Actor) -> object | None:
    if customer.restriction_asked_by_id is None:
        return _("Medical affairs have not asked for it.")
    if customer.restriction_asked_by_id == by.employee_id:
        return _("Who asked for the restriction cannot carry it out.")
    return None


@act(
    Customer,
    "restrict",
    _l("Restrict"),
    moves=dict.fromkeys(
        (FileState.TEMPORARY, FileState.FORMAL, FileState.FROZEN, FileState.MERGED), FileState.RESTRICTED
    ),
    guard=_asked_by_another,
    icon="shield-lock",
    tone="danger",
    consequence=_l("Traits and calls to be made are withdrawn, numbers are no longer shown. There is no way back."),
)
def restrict(session: Session, customer: Customer, *, by: Actor, at: datetime) -> None:
    """Restrict a file at the customer's wish (PIPL): records stay, use ends. SM-01.

    Refuses while a slip is awaited. Traits and open follow-up plans are withdrawn.
    """
    slip = awaited_slip(session, customer.id)
    if slip is not None:
        raise Refusal(_("This customer has the awaited slip %(slip)s. Please void it first.", slip=slip.slip_no))
    withdraw_plans_of(session, customer)
    traits = select(CustomerTrait).where(
        CustomerTrait.customer_id == customer.id, CustomerTrait.state == TraitState.CURRENT
    )
    for trait in session.scalars(traits):
        trait.become(TraitState.WITHDRAWN)
        trait.withdrawn_reason = customer.restriction_reason


def awaited_slip(session: Session, customer_id: int) -> AppointmentSlip | None:
    """Return a slip for which a customer is awaited, if there is one."""
    return session.scalars(
        select(AppointmentSlip)
        .where(AppointmentSlip.customer_id == customer_id, AppointmentSlip.state == SlipState.PENDING)
        .order_by(AppointmentSlip.id)
        .limit(1)
    ).first()
