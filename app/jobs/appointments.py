"""Slips lapse by themselves. R-2.1.2-3."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from app.jobs.declared import Slot, every
from app.services.appointments import expire_due
from app.words import _l


@every("appointments.expire", timedelta(minutes=5), catch_up=timedelta(minutes=15), label=_l("Slips lapse"))
def expire(session: Session, _slot: Slot, at: datetime) -> str:
    """Let every slip lapse that is past its latest arrival plus grace."""
    return str(expire_due(session, at=at))
