"""The appointment desk: contacts are registered, slips are placed, redone, voided, arrive, lapse, are made up for.

White paper 2.1.1-2.1.3; SM-02, SM-33.
"""

from app.services.appointments import contacts, ending, placing, redoing, supplements, supplements_decided
from app.services.appointments.ending import expire_due
from app.services.appointments.redoing import chain_of

__all__ = ["chain_of", "contacts", "ending", "expire_due", "placing", "redoing", "supplements", "supplements_decided"]
