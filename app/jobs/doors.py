"""The books of the doors are kept tidy: sessions whose time is over, failures and counts that no longer matter. H.2."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete
from sqlalchemy.orm import Session

from app.jobs.declared import Slot, every
from app.models.doors import RATE_LIMIT
from app.services.doors import lockout, sessions
from app.words import _l


@every("doors.tidy", timedelta(hours=1), catch_up=timedelta(hours=1), label=_l("Sessions that are over are closed"))
def tidy(session: Session, _slot: Slot, at: datetime) -> str:
    """Close what is over and forget what no longer counts."""
    closed, forgotten = sessions.tidy(session, at), lockout.tidy(session, at)
    session.execute(delete(RATE_LIMIT).where(RATE_LIMIT.c.expires_at < at))
    return f"{closed} sessions closed, {forgotten} failures forgotten"
