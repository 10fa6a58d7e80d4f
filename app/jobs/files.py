"""Files that nobody used are removed. White paper 2.1.3.3: what was sent with a form never completed."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from app.jobs.declared import Slot, every
from app.services.files import sweep
from app.words import _l


@every("files.sweep", timedelta(hours=6), catch_up=timedelta(hours=6), label=_l("Unused files are removed"))
def sweep_files(session: Session, _slot: Slot, at: datetime) -> str:
    """Drop files that were sent and never used, and what lies on disk without a row."""
    unused, orphans = sweep(session, at=at)
    return f"{unused} dropped, {orphans} removed"
