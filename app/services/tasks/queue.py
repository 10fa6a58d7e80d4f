"""Asking for long work, cancelling it, asking again. The job of the queue is written in the act's own transaction."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import procrastinate
from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.actors import Actor
from app.acts import act
from app.errors import KeyReused
from app.models.tasks import BackgroundTask, TaskState
from app.services.guard import crossing
from app.services.tasks.declared import TASKS, followed
from app.words import _, _l, locale_in_force

#: The one task that workers know; what it is about stands in our own row.
JOB_NAME = "yimei.background_task"
QUEUE_NAME = "yimei"
MAX_KEY = 80

#: Writes jobs over connections that it is given; it opens none of its own.
_queue = procrastinate.App(connector=procrastinate.SyncPsycopgConnector())


def enqueue(
    session: Session,
    kind: str,
    parameters: Mapping[str, Any],
    *,
    by: Actor,
    at: datetime,
    key: str | None = None,
    subject: tuple[str, int] | None = None,
    total: int | None = None,
) -> BackgroundTask:
    """Ask for long work in the open transaction: its commit brings task and job, its rollback takes both away.

    ``parameters`` are plain JSON. The same ``key`` of the same actor asks once, however often it is said; for other
    work it raises KeyReused. ``subject`` is (table, id) of the record that it is about.
    """
    if kind not in TASKS:
        raise ValueError(f"unknown task {kind}")
    about, about_id = subject or (None, None)
    told = dict(parameters)
    request_key = (key or uuid.uuid4().hex)[:MAX_KEY]
    made: int | None = session.execute(
        insert(BackgroundTask)
        .values(
            kind=kind,
            state=TaskState.QUEUED,
            parameters=told,
            actor=by.name,
            request_key=request_key,
            employee_id=by.employee_id,
            branch_id=by.branch_id,
            locale=locale_in_force(),
            subject_table=about,
            subject_id=about_id,
            total_count=total,
            queued_at=at,
            created_by_id=by.user_id,
            updated_by_id=by.user_id,
        )
        .on_conflict_do_nothing(index_elements=["actor", "request_key"])
        .returning(BackgroundTask.id)
    ).scalar_one_or_none()
    if made is None:
        return _asked_before(session, by, request_key, kind, told)
    with crossing("own_request"):
        task = session.get_one(BackgroundTask, made)
    task.job_id = defer(session, made)
    session.flush()
    return task


def _asked_before(session: Session, by: Actor, key: str, kind: str, told: Mapping[str, Any]) -> BackgroundTask:
    with crossing("own_request"):
        task = session.scalars(
            select(BackgroundTask).where(BackgroundTask.actor == by.name, BackgroundTask.request_key == key)
        ).one()
    if task.kind != kind or task.parameters != told:
        raise KeyReused(_("This request key was used before for something else. Please start again."))
    return task


def defer(session: Session, task_id: int, *, not_before: datetime | None = None) -> int:
    """Write a job for a task into the open transaction and return its id; whoever holds it may take the task up."""
    job = _queue.configure_task(
        JOB_NAME, queue=QUEUE_NAME, schedule_at=not_before, connection=_driver_connection(session.connection())
    )
    return job.defer(task_id=task_id)


def withdraw(session: Session, job_id: int) -> None:
    """Take a job that nobody holds yet out of the queue, in the open transaction."""
    _queue.job_manager.cancel_job_by_id(job_id, delete_job=True, connection=_driver_connection(session.connection()))


def _driver_connection(connection: Connection) -> Any:
    return connection.connection.driver_connection


# --- acts --------------------------------------------------------------------------------------------------------


def _cancelling(task: BackgroundTask, by: Actor) -> object | None:
    return _("Cancelling was asked for already.") if task.cancel_requested_at is not None else None


@act(
    BackgroundTask,
    "cancel",
    _l("Cancel the task"),
    moves={TaskState.QUEUED: TaskState.CANCELLED, TaskState.RUNNING: None},
    guard=_cancelling,
    icon="x-octagon",
    tone="danger",
    consequence=_l("What runs stops at its next step; what it has finished by then stays."),
)
def cancel(session: Session, task: BackgroundTask, *, by: Actor, at: datetime) -> None:
    """Cancel a waiting task at once; ask a running one to stop at its next step."""
    task.cancel_requested_at = at
    if task.state is TaskState.CANCELLED:
        task.ended_at = at
        if task.job_id is not None:
            withdraw(session, task.job_id)
        followed(session, task)


@act(
    BackgroundTask,
    "retry",
    _l("Try again"),
    moves={TaskState.FAILED: TaskState.QUEUED},
    icon="arrow-clockwise",
)
def retry(session: Session, task: BackgroundTask, *, by: Actor, at: datetime) -> None:
    """Put a failed task into the queue again; work in steps goes on where it stopped."""
    task.error = task.ended_at = task.cancel_requested_at = None
    task.failures = 0
    task.queued_at = at
    task.job_id = defer(session, task.id)
    followed(session, task)
