"""Contacts by telephone, web chat and partner, the appointment slips made of them, and requests for such as were
never written. White paper 2.1.1-2.1.3; SM-02, SM-33; GL 14-26.
"""

from app.models.appointments.slips import (
    Answered,
    AppointmentSlip,
    AppointmentSlipItem,
    Channel,
    ContactRecord,
    Intention,
    SlipState,
)
from app.models.appointments.supplements import AppointmentSupplementRequest, EvidenceKind, SupplementState

__all__ = [
    "Answered",
    "AppointmentSlip",
    "AppointmentSlipItem",
    "AppointmentSupplementRequest",
    "Channel",
    "ContactRecord",
    "EvidenceKind",
    "Intention",
    "SlipState",
    "SupplementState",
]
