"""How long the file of a finished task is kept."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import or_, update
from sqlalchemy.orm import Session

from app.models.files import FilePurpose, StoredFile
from app.services.settings import setting, value_of
from app.words import _l

RESULT_DAYS = setting(
    "tasks.result_days",
    _l("How long the file of a finished task is kept, days"),
    "30",
    "whole",
    least=1,
    most=3650,
    help=_l("Such as a batch of printed slips. After that it is removed; the log of what was printed stays."),
    source="5.1",
)


def kept_until(session: Session, *, at: datetime) -> datetime:
    """Return until when the file of a task that ends now is kept."""
    days = value_of(session, RESULT_DAYS, branch_id=None, at=at)
    return at + timedelta(days=days)


def drop_old_results(session: Session, *, at: datetime) -> int:
    """Mark the result files whose time is over as removed, return how many; the sweep of files removes the bytes.

    Results alone: evidence and what was handed in to be imported have the retention of their records.
    """
    days = value_of(session, RESULT_DAYS, branch_id=None, at=at)
    over = or_(
        StoredFile.expires_at <= at,
        StoredFile.expires_at.is_(None) & (StoredFile.created_at < at - timedelta(days=days)),
    )
    dropped = session.execute(
        update(StoredFile)
        .where(StoredFile.purpose == FilePurpose.RESULT, StoredFile.dropped_at.is_(None), over)
        .values(dropped_at=at)
        .returning(StoredFile.id)
    )
    return len(dropped.all())
