"""What of triage and consultation holds a customer who wants to go. White paper 2.23."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.models.consultation import Consultation, ConsultationState
from app.models.reception import Visit, VisitState
from app.models.triage import TriageAssignment
from app.services.reception.leaving import ExitLine, Held, declare_exit_line
from app.services.triage.standing import LIVE
from app.words import _, _l


def _consultation(session: Session, visit: Visit, _said: Mapping[str, Any]) -> Held | None:
    """She was seen, and what came of it is written down."""
    mine = select(Consultation).where(Consultation.visit_id == visit.id, Consultation.state == ConsultationState.OPEN)
    open_one = session.scalars(mine).first()
    if open_one is not None:
        return Held(
            _("The consultation of %(name)s is not concluded: conclude it.", name=open_one.consultant.name),
            "consultation",
            "open",
        )
    if visit.state in (VisitState.REGISTERED, VisitState.TRIAGED):
        return Held(_("Nobody has seen her: begin her consultation, or cancel the visit."))
    return None


def _assignment(session: Session, visit: Visit, _said: Mapping[str, Any]) -> Held | None:
    """Nobody is called for her, or waits for her, in any line."""
    live = select(TriageAssignment).where(TriageAssignment.visit_id == visit.id, TriageAssignment.state.in_(LIVE))
    stands = session.scalars(live.order_by(TriageAssignment.id)).first()
    if stands is None:
        return None
    return Held(
        _(
            "%(name)s still has her in the line %(line)s: finish that, or mark it as left unseen.",
            name=stands.assignee.name,
            line=stands.line.name,
        ),
        "triage_assignment",
        "open",
    )


def _instructions(session: Session, visit: Visit, said: Mapping[str, Any]) -> Held | None:
    """Who bought takes the instructions along, signed; who escorts her answers for it."""
    deals = select(Consultation.id).where(
        Consultation.visit_id == visit.id, Consultation.state == ConsultationState.DEAL
    )
    if said.get("is_instructed") or session.scalar(deals.limit(1)) is None:
        return None
    return Held(_("Please give her the instructions, let her sign, and tick it."))


declare_exit_line(ExitLine("consultation", _l("Consultation concluded"), _consultation, rank=10, is_work=True))
declare_exit_line(ExitLine("assignment", _l("Nobody is called for her"), _assignment, rank=20, is_work=True))
declare_exit_line(
    ExitLine("instructions", _l("Instructions given and signed"), _instructions, rank=80, tick="is_instructed")
)
