"""What becomes of calls by itself: missed ones are registered, recordings fetched, old recordings removed."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from app.jobs.declared import Slot, daily, every
from app.services.due import carry_out_due
from app.services.telephone.fetching import ask_for_recordings
from app.services.telephone.house import DROP_AT
from app.services.telephone.recordings import drop_old
from app.services.telephone.registering import settled_misses
from app.words import _l

MISSED, FETCHED, DROPPED = "telephone.missed", "telephone.recordings", "telephone.drop_recordings"


@every(MISSED, timedelta(minutes=1), catch_up=timedelta(minutes=1), label=_l("Missed calls are registered"))
def register_missed(session: Session, _slot: Slot, at: datetime) -> str:
    """Register each missed call that nobody registered, and plan its return. R-2.1.1-1, R-2.1.1-3."""
    return str(carry_out_due(session, "phone_call.register_missed", settled_misses(session, at), job=MISSED, at=at))


@every(FETCHED, timedelta(minutes=1), catch_up=timedelta(minutes=1), label=_l("Recordings are fetched"))
def fetch_recordings(session: Session, _slot: Slot, at: datetime) -> str:
    """Ask the worker for each recording that is to be fetched, once."""
    return str(ask_for_recordings(session, at))


@daily(DROPPED, DROP_AT, label=_l("Old recordings are removed"))
def drop_recordings(session: Session, slot: Slot, at: datetime) -> str:
    """Remove a branch's recordings whose time is over. R-2.22-7."""
    assert slot.branch_id is not None
    return str(drop_old(session, slot.branch_id, at=at))
