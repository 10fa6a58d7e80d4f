"""The scheduler's process: APScheduler looks for due slots; the database lets each run exactly once.

A slot's effect and the row that says it is done commit together, under an advisory lock: a scheduler killed in
the middle leaves neither, and another takes the slot up at its next look. Any number of schedulers may run; should
two ever be in one slot, the unique row lets only one of them commit.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import FrameType
from typing import Any

from apscheduler.schedulers.blocking import BlockingScheduler
from apscheduler.triggers.interval import IntervalTrigger
from flask import Flask
from sqlalchemy import delete, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

import app.jobs  # noqa: F401  (declares every job)
from app.errors import first_line
from app.extensions import db
from app.jobs.declared import JOBS, Job, Slot
from app.models.audit import JobHeartbeat, JobRun
from app.services.jobs import asked_slots
from app.services.tasks import take_up_again
from app.unit import acting_as, unit_of_work

log = logging.getLogger(__name__)

MOST_ATTEMPTS = 5
FIRST_PAUSE = timedelta(minutes=1)
BEAT_EVERY = timedelta(seconds=10)
FORGET_SILENT = timedelta(days=7)  # every restart leaves a heartbeat behind
HOST = socket.gethostname()[:100]
STOPPING = threading.Event()


def serve(flask_app: Flask, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
    """Run the scheduler until SIGTERM or SIGINT; a slot that is being run then is finished."""
    # No grace for misfires: a look that comes late on a busy machine is still wanted, and so is a late beat.
    defaults = {"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
    scheduler = BlockingScheduler(timezone=UTC, job_defaults=defaults)
    for job in JOBS.values():
        scheduler.add_job(
            look,
            IntervalTrigger(seconds=max(1, int(job.look_every.total_seconds()))),
            args=[flask_app, job, now],
            id=job.name,
            next_run_time=datetime.now(UTC),
        )
    scheduler.add_job(
        beat,
        IntervalTrigger(seconds=int(BEAT_EVERY.total_seconds())),
        args=[flask_app, now, now()],
        id="heartbeat",
        next_run_time=datetime.now(UTC),
    )
    scheduler.add_job(
        look_after_tasks,
        IntervalTrigger(seconds=int(BEAT_EVERY.total_seconds())),
        args=[flask_app, now],
        id="abandoned tasks",
    )

    def stop(_signal: int, _frame: FrameType | None) -> None:
        STOPPING.set()
        scheduler.shutdown(wait=False)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    scheduler.start()


def beat(flask_app: Flask, now: Callable[[], datetime], began: datetime) -> None:
    """Leave a sign of life, which the doctor looks for; forget schedulers that have long been silent."""
    with flask_app.app_context(), acting_as("house:scheduler"):
        at = now()
        times = {"started_at": began, "beat_at": at}
        with unit_of_work(db.session()) as session:
            session.execute(
                insert(JobHeartbeat)
                .values(host=HOST, pid=os.getpid(), **times)
                .on_conflict_do_update(index_elements=["host", "pid"], set_=times)
            )
            session.execute(delete(JobHeartbeat).where(JobHeartbeat.beat_at < at - FORGET_SILENT))


def look_after_tasks(flask_app: Flask, now: Callable[[], datetime]) -> None:
    """Put tasks whose worker is gone back into the queue, for the case that no other worker is there to look."""
    with flask_app.app_context():
        take_up_again(db.session(), at=now())


def look(flask_app: Flask, job: Job, now: Callable[[], datetime]) -> list[str]:
    """Run every slot of a job, due or asked for, that nobody has done; return the keys of those done here."""
    with flask_app.app_context(), acting_as(f"house:job:{job.name}"):
        session = db.session()
        due = job.slots(session, now())
        known = {slot.key for slot in due}
        due += [slot for slot in asked_slots(session, job, MOST_ATTEMPTS) if slot.key not in known]
        settled = _settled(session, job, due, now())
        session.rollback()
        done = []
        for slot in due:
            if STOPPING.is_set():
                break
            if slot.key not in settled and run_slot(session, job, slot, now()):
                done.append(slot.key)
        return done


def _settled(session: Session, job: Job, due: list[Slot], at: datetime) -> set[str]:
    """Return the slots that are done, given up, or failed so lately that they wait: 1, 2, 4, 8 minutes.

    One without an attempt was asked for by hand: it waits for nothing.
    """
    rows = session.execute(
        select(JobRun.slot, JobRun.ended_at, JobRun.attempts, JobRun.started_at).where(
            JobRun.job == job.name, JobRun.slot.in_([slot.key for slot in due])
        )
    )
    return {
        run.slot
        for run in rows
        if run.ended_at is not None
        or run.attempts >= MOST_ATTEMPTS
        or (run.attempts and run.started_at + FIRST_PAUSE * 2 ** (run.attempts - 1) > at)
    }


class _DoneElsewhere(Exception):
    """Another scheduler has committed this slot; what was done here is undone."""


def run_slot(session: Session, job: Job, slot: Slot, at: datetime) -> bool:
    """Run one slot unless somebody has or is; returns whether it was done here. A failure is kept and retried."""
    try:
        with unit_of_work(session):
            # Asked again under the lock: between the look and now another scheduler may have run the slot, or failed.
            if not _alone(session, job, slot) or _settled(session, job, [slot], at):
                return False
            summary = job.work(session, slot, at)
            if job.quiet and not summary and not _has_row(session, job, slot):
                return False
            if not _note(session, job, slot, at, ended_at=datetime.now(UTC), summary=summary, error=None):
                raise _DoneElsewhere
        return True
    except _DoneElsewhere:
        return False
    except Exception as wrong:
        log.exception("job %s slot %s failed", job.name, slot.key)
        with unit_of_work(session):
            _note(session, job, slot, at, ended_at=None, summary=None, error=first_line(wrong))
        return False


def _alone(session: Session, job: Job, slot: Slot) -> bool:
    """Take the slot's lock for this transaction, or learn that another scheduler is at it."""
    got: bool = session.execute(
        text("select pg_try_advisory_xact_lock(hashtextextended(:slot, 7))"), {"slot": f"{job.name} {slot.key}"}
    ).scalar_one()
    return got


def _has_row(session: Session, job: Job, slot: Slot) -> bool:
    """Say whether a slot failed before or was asked for by hand: then it is told that it is done, quiet or not."""
    same = select(JobRun.id).where(JobRun.job == job.name, JobRun.slot == slot.key)
    return session.execute(same).first() is not None


def _note(session: Session, job: Job, slot: Slot, at: datetime, **told: Any) -> bool:
    """Write how a slot went; returns False, and writes nothing, if it is done already."""
    values = {"job": job.name, "slot": slot.key, "started_at": at, "host": f"{HOST}:{os.getpid()}", **told}
    statement = insert(JobRun).values(**values)
    noted = session.execute(
        statement.on_conflict_do_update(
            index_elements=["job", "slot"],
            set_={**told, "started_at": at, "host": values["host"], "attempts": JobRun.attempts + 1},
            where=JobRun.ended_at.is_(None),
        ).returning(JobRun.id)
    )
    return noted.first() is not None
