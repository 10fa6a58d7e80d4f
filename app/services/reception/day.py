"""The day of a branch, as boards and lists of reception count it."""

from __future__ import annotations

from datetime import datetime, time

from app.actors import Actor


def day_starts(by: Actor, at: datetime) -> datetime:
    """Return the midnight at which the reader's day began."""
    return datetime.combine(at.astimezone(by.timezone).date(), time.min, by.timezone)
