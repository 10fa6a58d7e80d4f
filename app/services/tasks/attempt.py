"""The guard of one attempt at a task: what it commits holds only while no other attempt has taken the task up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.models.tasks import OPEN_STATES, BackgroundTask, TaskState
from app.services.guard import crossing


@dataclass(frozen=True)
class Attempt:
    """Which attempt at which task this is, as it was when it was taken up."""

    task_id: int
    number: int
    kind: str
    failures: int
    locale: str
    employee_id: int | None

    def mine(self) -> tuple[Any, ...]:
        """Return the conditions under which this attempt may still write."""
        return (
            BackgroundTask.id == self.task_id,
            BackgroundTask.attempts == self.number,
            BackgroundTask.state == TaskState.RUNNING,
        )

    def write(self, session: Session, *conditions: Any, **values: Any) -> bool:
        """Write to the task's row, last thing in a transaction; False, and nothing, if that is no longer ours to do."""
        statement = update(BackgroundTask).where(*self.mine(), *conditions).values(**values)
        with crossing("task"):
            written = session.execute(
                statement.returning(BackgroundTask.id).execution_options(synchronize_session=False)
            )
            return written.first() is not None

    def standing(self, session: Session) -> Any:
        """Return (attempts, state, cancel_requested_at) of the task's row as it stands now; None if it is gone."""
        columns = (BackgroundTask.attempts, BackgroundTask.state, BackgroundTask.cancel_requested_at)
        with crossing("task"):
            return session.execute(select(*columns).where(BackgroundTask.id == self.task_id)).one_or_none()

    def hold(self, session: Session) -> BackgroundTask | None:
        """Return the task locked, or None if another attempt has taken it up or it has ended."""
        return session.scalars(
            select(BackgroundTask).where(*self.mine()).with_for_update().execution_options(populate_existing=True)
        ).one_or_none()


def take_up(session: Session, task_id: int, job_id: int | None, *, at: datetime, worker: str) -> Attempt | None:
    """Count one more attempt, if the task still waits for this very job; None if it does not."""
    row = session.execute(
        update(BackgroundTask)
        .where(BackgroundTask.id == task_id, BackgroundTask.job_id == job_id, BackgroundTask.state.in_(OPEN_STATES))
        .values(state=TaskState.RUNNING, attempts=BackgroundTask.attempts + 1, started_at=at, worker=worker[:120])
        .returning(
            BackgroundTask.attempts,
            BackgroundTask.kind,
            BackgroundTask.failures,
            BackgroundTask.locale,
            BackgroundTask.employee_id,
        )
        .execution_options(synchronize_session=False)
    ).one_or_none()
    if row is None:
        return None
    return Attempt(task_id, row.attempts, row.kind, row.failures, row.locale, row.employee_id)
