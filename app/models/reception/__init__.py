"""Desks, cards, visits and the forms that customers fill in when they come. White paper 2.2; SM-04, SM-15; GL 32-36."""

from app.models.reception.cards import CardState, CardStock, CardType, CustomerCard, VisitCardIssue
from app.models.reception.closing import ClosingChecklist, ClosingLine
from app.models.reception.runs import MOST_FORMS, ReceptionFormRun
from app.models.reception.visits import (
    Favour,
    ReceptionForm,
    ServiceDesk,
    Visit,
    VisitCheckpoint,
    VisitItem,
    VisitState,
    VisitType,
)

__all__ = [
    "MOST_FORMS",
    "CardState",
    "CardStock",
    "CardType",
    "ClosingChecklist",
    "ClosingLine",
    "CustomerCard",
    "Favour",
    "ReceptionForm",
    "ReceptionFormRun",
    "ServiceDesk",
    "Visit",
    "VisitCardIssue",
    "VisitCheckpoint",
    "VisitItem",
    "VisitState",
    "VisitType",
]
