"""The declaration of jobs: a name, when its slots fall due, and a function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.actors import house
from app.models.hr import Branch
from app.services.settings import Setting, value_of
from app.services.tasks import enqueue


@dataclass(frozen=True)
class Slot:
    """One due run of a job. ``key`` names it for good; ``branch_id`` and ``day`` where it has them."""

    key: str
    due_at: datetime
    branch_id: int | None = None
    day: date | None = None


#: Told the session, the slot and the time; returns a line for the page of runs. Commits nothing itself.
Work = Callable[[Session, Slot, datetime], str]


@dataclass(frozen=True)
class Job:
    """A job: which slots are due now, and what is done in one of them."""

    name: str
    work: Work
    slots: Callable[[Session, datetime], list[Slot]]
    look_every: timedelta


JOBS: dict[str, Job] = {}


def every(name: str, period: timedelta, *, catch_up: timedelta) -> Callable[[Work], Work]:
    """Declare a job with a slot each period, on the clock's own marks; slots missed within ``catch_up`` are made up."""

    def slots(_session: Session, now: datetime) -> list[Slot]:
        seconds = int(period.total_seconds())
        newest = int(now.timestamp()) // seconds * seconds
        count = max(1, int(catch_up.total_seconds()) // seconds)
        marks = [datetime.fromtimestamp(newest - seconds * back, UTC) for back in reversed(range(count))]
        return [Slot(mark.isoformat(), mark) for mark in marks]

    def declare(work: Work) -> Work:
        JOBS[name] = Job(name, work, slots, min(period, timedelta(seconds=15)))
        return work

    return declare


def daily(name: str, at: Setting, *, days_back: int = 1) -> Callable[[Work], Work]:
    """Declare a job with a slot per branch and day, at a time that the branch sets; missed days are made up."""

    def slots(session: Session, now: datetime) -> list[Slot]:
        due = []
        for branch in session.scalars(select(Branch).order_by(Branch.id)):
            zone = ZoneInfo(branch.zone)
            clock: time = value_of(session, at, branch_id=branch.id, at=now)
            today = now.astimezone(zone).date()
            for back in range(days_back, -1, -1):
                day = today - timedelta(days=back)
                due_at = datetime.combine(day, clock, zone).astimezone(UTC)
                if due_at <= now:
                    due.append(Slot(f"{branch.code}:{day.isoformat()}", due_at, branch.id, day))
        return due

    def declare(work: Work) -> Work:
        JOBS[name] = Job(name, work, slots, timedelta(seconds=20))
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
