"""The appointment desk: contacts are registered, slips are placed, redone, voided, arrive, lapse, are made up for.

White paper 2.1.1-2.1.3; SM-02, SM-33.
"""

from app.services.appointments import (
    contacts,
    dispatching,
    ending,
    holdings,
    placing,
    redoing,
    supplements,
    supplements_decided,
    undoing,
)
from app.services.appointments.dispatching import hand_over_slip
from app.services.appointments.ending import expire_due
from app.services.appointments.redoing import chain_of

__all__ = [
    "chain_of",
    "contacts",
    "dispatching",
    "ending",
    "expire_due",
    "hand_over_slip",
    "holdings",
    "placing",
    "redoing",
    "supplements",
    "supplements_decided",
    "undoing",
]
