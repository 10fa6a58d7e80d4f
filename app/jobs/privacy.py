"""What personal data asks of the clock: exported files are removed when their time is over. White paper H.2."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from app.jobs.declared import Slot, every
from app.services.privacy.copies import drop_old_copies
from app.services.privacy.exports import expire
from app.words import _l


@every(
    "privacy.expire_exports", timedelta(hours=1), catch_up=timedelta(hours=1), label=_l("Exported files are removed")
)
def expire_exports(session: Session, _slot: Slot, at: datetime) -> str:
    """Remove exported files whose hours are over."""
    return str(expire(session, at=at) + drop_old_copies(session, at=at))
