"""A planned call, dialled from its plan: the call that comes back is tied to it, and its review hears it. 2.1.4."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from app.actors import Actor
from app.acts import Outcome, act
from app.errors import Refusal
from app.models.customers import ContactKind
from app.models.followup import FollowupPlan, PlanState
from app.services.telephone.dialling import dial
from app.words import _, _l


def number_of(plan: FollowupPlan) -> str | None:
    """Return the number to call: her first telephone, else the one that a contact record of nobody's shows."""
    contacts = plan.customer.contacts if plan.customer is not None else []
    phones = (contact.value for contact in contacts if contact.kind is ContactKind.PHONE)
    record = plan.contact_record
    return next(phones, record.caller_no if record is not None and plan.customer is None else None)


def _not_to_dial(plan: FollowupPlan, by: Actor) -> object | None:
    if plan.state is not PlanState.APPROVED:
        return _("Only an approved plan is carried out.")
    if by.employee_id not in (plan.executor_id, plan.cover_id) and plan.executor_id is not None:
        return _("%(name)s carries this plan out; it can be handed over.", name=plan.executor or "—")
    return None if number_of(plan) is not None else _("There is no telephone number on file.")


@act(FollowupPlan, "dial", _l("Dial"), guard=_not_to_dial, icon="telephone", tone="quiet")
def dial_plan(session: Session, plan: FollowupPlan, *, by: Actor, at: datetime) -> Outcome:
    """Dial the customer of a plan without showing her number. White paper 2.1.4, R-2.22-1."""
    number = number_of(plan)
    if number is None:
        raise Refusal(_("There is no telephone number on file."))
    return dial(session, number, about=plan, field="phone", customer_id=plan.customer_id, by=by, at=at, plan=plan)
