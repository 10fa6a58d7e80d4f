"""Files that tasks left are removed when their time is over."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from app.jobs.declared import Slot, every
from app.services.tasks.results import drop_old_results
from app.words import _l


@every("tasks.drop_results", timedelta(hours=6), catch_up=timedelta(hours=6), label=_l("Old result files are removed"))
def drop_results(session: Session, _slot: Slot, at: datetime) -> str:
    """Remove the result files whose days are over."""
    return str(drop_old_results(session, at=at))
