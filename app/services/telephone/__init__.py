"""The telephone: events taken in and folded, calls registered, dialled, recorded. Decision 0038."""

from app.services.telephone import dialling, fetching, house, planned, recordings, registering
from app.services.telephone.reading import BODY_SCHEMA, MOST_EVENTS, read_events
from app.services.telephone.ringing import shown_calls
from app.services.telephone.taking import Taken, take_events

__all__ = [
    "BODY_SCHEMA",
    "MOST_EVENTS",
    "Taken",
    "dialling",
    "fetching",
    "house",
    "planned",
    "read_events",
    "recordings",
    "registering",
    "shown_calls",
    "take_events",
]
