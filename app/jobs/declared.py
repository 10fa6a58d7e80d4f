"""The declaration of jobs: a name, when its slots fall due, and a function."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.actors import house
from app.models.hr import Branch
from app.services.jobs import JOBS, Job, Slot, Work
from app.services.settings import Setting, value_of
from app.services.tasks import enqueue

__all__ = ["JOBS", "Job", "Slot", "Work", "daily", "every"]

NOON = time(12)


def every(
    name: str, period: timedelta, *, catch_up: timedelta, label: object = "", quiet: bool = False
) -> Callable[[Work], Work]:
    """Declare a job with a slot each period, on the clock's own marks; slots missed within ``catch_up`` are made up.

    ``quiet``: a slot in which nothing was due leaves no row; the work returns an empty line then.
    """
    seconds = int(period.total_seconds())

    def newest(now: datetime) -> int:
        return int(now.timestamp()) // seconds * seconds

    def slots(_session: Session, now: datetime) -> list[Slot]:
        count = max(1, int(catch_up.total_seconds()) // seconds)
        marks = [datetime.fromtimestamp(newest(now) - seconds * back, UTC) for back in reversed(range(count))]
        return [Slot(mark.isoformat(), mark) for mark in marks]

    def following(_session: Session, now: datetime) -> datetime:
        return datetime.fromtimestamp(newest(now) + seconds, UTC)

    def declare(work: Work) -> Work:
        JOBS[name] = Job(name, work, slots, min(period, timedelta(seconds=15)), label, following, quiet)
        return work

    return declare


def daily(
    name: str, at: Setting, *, days_back: int | Setting = 1, label: object = "", closes_day: bool = False
) -> Callable[[Work], Work]:
    """Declare a job with a slot per branch and day, at a time that the branch sets; missed days are made up.

    So many days back as ``days_back`` says, a number or a setting.
    ``closes_day``: the slot is about a day that ends. A time before noon then belongs to the day before: at 00:30
    the day that has ended is closed, not the one that has just begun.
    """

    def calendar(session: Session, now: datetime) -> Iterator[tuple[Branch, date, datetime]]:
        """Yield (branch, day, due at) of the days made up, of today and of tomorrow."""
        for branch in session.scalars(select(Branch).order_by(Branch.id)):
            zone = ZoneInfo(branch.zone)
            clock: time = value_of(session, at, branch_id=branch.id, at=now)
            later = timedelta(days=1) if closes_day and clock < NOON else timedelta()
            today = now.astimezone(zone).date()
            back: int = (
                days_back if isinstance(days_back, int) else value_of(session, days_back, branch_id=branch.id, at=now)
            )
            for ahead in range(-back, 2):
                on = today + timedelta(days=ahead)
                yield branch, on - later, datetime.combine(on, clock, zone).astimezone(UTC)

    def slots(session: Session, now: datetime) -> list[Slot]:
        return [
            Slot(f"{branch.code}:{day.isoformat()}", due_at, branch.id, day)
            for branch, day, due_at in calendar(session, now)
            if due_at <= now
        ]

    def following(session: Session, now: datetime) -> datetime | None:
        return min((due_at for _branch, _day, due_at in calendar(session, now) if due_at > now), default=None)

    def declare(work: Work) -> Work:
        JOBS[name] = Job(name, work, slots, timedelta(seconds=20), label, following)
        return work

    return declare


def queued(kind: str) -> Work:
    """Return the work of a daily job that asks for long work, in the slot's own transaction: once per slot.

    The task is told ``branch_id`` and ``day`` (ISO) and is done as the house, under the job's name.
    """

    def hand_over(session: Session, slot: Slot, at: datetime) -> str:
        assert slot.branch_id is not None
        assert slot.day is not None
        branch = session.get_one(Branch, slot.branch_id)
        by = house(f"job:{kind}", branch_id=branch.id, zone=branch.zone)
        told = {"branch_id": branch.id, "day": slot.day.isoformat()}
        return f"task {enqueue(session, kind, told, by=by, at=at, key=slot.key).id}"

    return hand_over
