"""成交: when a visit is a deal. Until bills exist a consultation says so; billing replaces this one function. GL 53."""

from __future__ import annotations

from sqlalchemy import ColumnElement, select

from app.models.consultation import Consultation, ConsultationState
from app.models.reception import Visit


def deal_of() -> ColumnElement[bool]:
    """Return the condition that a visit is a deal: a consultation of it ended as one. RPT-03, RPT-06."""
    return (
        select(Consultation.id)
        .where(Consultation.visit_id == Visit.id, Consultation.state == ConsultationState.DEAL)
        .correlate(Visit)
        .exists()
    )
