"""Fair rotation: lines, seats, the ledger of turns, who was called for whom, the rules. White paper 2.3; SM-05."""

from app.models.triage.assignments import AssignmentState, TriageAssignment
from app.models.triage.handover import HandoverState, ShiftHandover, ShiftHandoverVisit
from app.models.triage.lines import (
    EveningDuty,
    LineKind,
    RotationLine,
    RotationSeat,
    RotationSeatItem,
    RotationTurn,
    RuleCode,
    SeatDuty,
    TriageRule,
    TurnKind,
)

__all__ = [
    "AssignmentState",
    "EveningDuty",
    "HandoverState",
    "LineKind",
    "RotationLine",
    "RotationSeat",
    "RotationSeatItem",
    "RotationTurn",
    "RuleCode",
    "SeatDuty",
    "ShiftHandover",
    "ShiftHandoverVisit",
    "TriageAssignment",
    "TriageRule",
    "TurnKind",
]
