"""Tasks whose worker is gone: back into the queue, each under a new job, so that the old one can do nothing more.

Workers and schedulers look again and again. A worker's sign of life is the queue's own (``procrastinate_workers``).
The library's own way (ask for stalled jobs, then put each back) is two steps between which another may act; here
both are one transaction under a lock on the task, and a task whose job vanished is found as well.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import DateTime, Float, String, cast, column, delete, func, or_, select, table
from sqlalchemy.orm import Session

from app.filestore import store
from app.models.tasks import OPEN_STATES, BackgroundTask, TaskState
from app.services.tasks.declared import followed
from app.services.tasks.queue import JOB_NAME, defer
from app.services.tasks.running import MOST_FAILURES, tell_failed
from app.unit import acting_as, unit_of_work
from app.words import _, force_locale

log = logging.getLogger(__name__)

BEAT_EVERY = timedelta(seconds=10)
SILENT_AFTER = timedelta(seconds=30)  # what the library takes a worker's death to be

_JOBS = table("procrastinate_jobs", column("id"), column("status", String), column("worker_id"), column("task_name"))
_WORKERS = table("procrastinate_workers", column("id"), column("last_heartbeat", DateTime(timezone=True)))


def take_up_again(session: Session, *, at: datetime, silent_after: timedelta = SILENT_AFTER) -> int:
    """Put every task whose worker is gone, or whose job vanished, back into the queue; return how many.

    One that was to be cancelled is cancelled; one that has lost its worker too often has failed.
    """
    with acting_as("house:worker"), unit_of_work(session):
        tasks = session.scalars(_abandoned(silent_after)).all()
        for task in tasks:
            _put_back(session, task, at)
        if tasks:
            store().drop_abandoned()  # what their workers were writing when they were lost
        session.execute(delete(_JOBS).where(_JOBS.c.task_name == JOB_NAME, _JOBS.c.id.in_(_stalled(silent_after))))
    return len(tasks)


def newest_sign_of_life(session: Session) -> float | None:
    """Return how many seconds ago a worker last gave a sign of life; None if none ever runs here."""
    age: float | None = session.scalar(
        select(cast(func.extract("epoch", func.clock_timestamp() - func.max(_WORKERS.c.last_heartbeat)), Float))
    )
    return age


def _stalled(silent_after: timedelta) -> Any:
    """Select the jobs that a worker took up of which nothing is heard any more."""
    status = cast(_JOBS.c.status, String)
    silent = _WORKERS.c.last_heartbeat < func.now() - silent_after
    return (
        select(_JOBS.c.id)
        .outerjoin(_WORKERS, _WORKERS.c.id == _JOBS.c.worker_id)
        .where(status == "doing", or_(_WORKERS.c.id.is_(None), silent))
    )


def _abandoned(silent_after: timedelta) -> Any:
    """Select, locked, the open tasks that no job and no living worker will bring to an end."""
    alive = select(_JOBS.c.id).where(
        _JOBS.c.id == BackgroundTask.job_id, cast(_JOBS.c.status, String).in_(("todo", "doing"))
    )
    return (
        select(BackgroundTask)
        .where(BackgroundTask.state.in_(OPEN_STATES))
        .where(or_(~alive.exists(), BackgroundTask.job_id.in_(_stalled(silent_after))))
        .order_by(BackgroundTask.id)
        .with_for_update(of=BackgroundTask, skip_locked=True)
        .execution_options(populate_existing=True)
    )


def _put_back(session: Session, task: BackgroundTask, at: datetime) -> None:
    task.failures += task.state is TaskState.RUNNING
    if task.cancel_requested_at is not None:
        task.become(TaskState.CANCELLED)
        task.ended_at = at
        followed(session, task)
    elif task.failures >= MOST_FAILURES:
        with force_locale(task.locale):
            task.error = _("The worker was lost %(count)s times while it was at this.", count=task.failures)
        task.become(TaskState.FAILED)
        task.ended_at = at
        followed(session, task)
        tell_failed(session, task)
    else:
        task.become(TaskState.QUEUED)
        task.job_id = defer(session, task.id)
    log.warning("task %s (%s): its worker is gone; it is %s now", task.id, task.kind, task.state.value)
