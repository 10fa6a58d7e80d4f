"""What was with a customer before: her visits, slips and calls, told beside her consultation. White paper 2.4."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, selectinload

from app.models.appointments import AppointmentSlip, AppointmentSlipItem
from app.models.base import Labelled
from app.models.consultation import Consultation
from app.models.followup import FollowupPlan
from app.models.reception import Visit, VisitItem
from app.services.guard import crossing
from app.words import _

#: Of each kind, the newest so many.
OF_A_KIND = 10


@dataclass(frozen=True)
class Past:
    """One thing of before: of which record, when, how it stands, whose it was, what it was about. Nothing medical, and
    no word that anybody wrote down."""

    table: str
    id: int
    number: str
    at: datetime
    state: Labelled
    who: str
    what: str


def history_of(session: Session, consultation: Consultation) -> dict[str, list[Past]]:
    """Return what was with the customer of a consultation that the reader has open, by table, the newest first.

    Whoever looked after her then: who receives a customer knows how often she came and what was agreed with her.
    """
    customer_id, here = consultation.visit.customer_id, consultation.visit_id
    with crossing("care"):
        visits = _newest(session, Visit, Visit.arrived_at, Visit.customer_id == customer_id, Visit.id != here)
        slips = _newest(
            session, AppointmentSlip, AppointmentSlip.appointed_at, AppointmentSlip.customer_id == customer_id
        )
        plans = _newest(session, FollowupPlan, FollowupPlan.planned_at, FollowupPlan.customer_id == customer_id)
        return {
            "visit": [_visit(visit) for visit in visits],
            "appointment_slip": [_slip(slip) for slip in slips],
            "followup_plan": [_plan(plan) for plan in plans],
        }


def _newest(session: Session, model: Any, when: Any, *conditions: Any) -> list[Any]:
    eager = {
        Visit: (joinedload(Visit.consultant), selectinload(Visit.item_links).joinedload(VisitItem.item)),
        AppointmentSlip: (
            joinedload(AppointmentSlip.owner),
            selectinload(AppointmentSlip.item_links).joinedload(AppointmentSlipItem.item),
        ),
        FollowupPlan: (joinedload(FollowupPlan.executor), joinedload(FollowupPlan.category)),
    }[model]
    statement = select(model).where(*conditions).options(*eager)
    return list(session.scalars(statement.order_by(when.desc(), model.id.desc()).limit(OF_A_KIND)))


def _visit(visit: Visit) -> Past:
    what = _("%(type)s · %(items)s", type=visit.visit_type.label, items=visit.items_text or "—")
    return Past("visit", visit.id, visit.visit_no, visit.arrived_at, visit.state, _name(visit.consultant), what)


def _slip(slip: AppointmentSlip) -> Past:
    return Past(
        "appointment_slip", slip.id, slip.slip_no, slip.appointed_at, slip.state, _name(slip.owner), slip.items_text
    )


def _plan(plan: FollowupPlan) -> Past:
    return Past(
        "followup_plan", plan.id, plan.plan_no, plan.planned_at, plan.state, _name(plan.executor), str(plan.category)
    )


def _name(person: Any) -> str:
    return "—" if person is None else str(person)
