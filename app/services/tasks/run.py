"""What long work is told, and by which it tells how far it is, steps, stops and leaves a file."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Any

from sqlalchemy.orm import Session

from app.actors import Actor
from app.models.files import FilePurpose
from app.models.tasks import BackgroundTask, TaskState
from app.services.files import keep
from app.services.guard import crossing
from app.services.tasks.attempt import Attempt
from app.services.tasks.declared import Task
from app.services.tasks.results import kept_until
from app.unit import unit_of_work
from app.words import LOCALES, in_locale

LEAST_BETWEEN = 0.5  # seconds between two writings of the progress


class Why(Enum):
    """Why work stops before its end."""

    CANCELLED = auto()
    SHUTDOWN = auto()
    LOST = auto()  # another attempt has taken the task up


class Stopped(BaseException):
    """Work that is to end here; it passes by every ``except Exception``, so that no row's own fault swallows it."""

    def __init__(self, why: Why) -> None:
        super().__init__(why.name)
        self.why = why


@dataclass(frozen=True)
class _ResultFile:
    name: str
    media_type: str
    content: bytes


class TaskRun:
    """One attempt at a task. ``by`` is the person who asked, with the rights that she has now; ``at`` this attempt's
    clock; ``parameters`` what was asked; ``checkpoint`` where steps left off; ``done`` how many are done.

    Every transaction that it commits holds only while the attempt is the task's newest.
    """

    def __init__(
        self,
        session: Session,
        attempt: Attempt,
        declared: Task,
        *,
        by: Actor,
        clock: Callable[[], datetime],
        shutting_down: Callable[[bool], bool],
    ) -> None:
        with crossing("task"):
            task = session.get_one(BackgroundTask, attempt.task_id, populate_existing=True)
        self.session = session
        self.task = task
        self.by = by
        self.at = clock()
        self.clock = clock
        self.parameters: dict[str, Any] = copy.deepcopy(task.parameters)
        self.done = task.done_count if declared.steps else 0
        self.total = task.total_count
        self._attempt = attempt
        self._declared = declared
        self._checkpoint: dict[str, Any] = copy.deepcopy(task.checkpoint or {})
        self._shutting_down = shutting_down
        self._said: object | None = None
        self._result: _ResultFile | None = None
        self._written_at = 0.0

    @property
    def checkpoint(self) -> dict[str, Any]:
        """Return a copy of what the last step left; empty before the first."""
        return copy.deepcopy(self._checkpoint)

    def progress(self, done: int | None = None, total: int | None = None, said: object | None = None) -> None:
        """Tell how far the work is, on a connection of its own, at most twice a second; others see it at once.

        ``said`` is a sentence, best a lazy one, which is then kept in both languages. Ends the work (``Stopped``) if
        somebody cancelled it, if another attempt has taken it up, or if the worker has to go.
        """
        self.done = self.done if done is None else done
        self.total = self.total if total is None else total
        self._said = self._said if said is None else said
        if time.monotonic() - self._written_at >= LEAST_BETWEEN:
            self._stop_for(self._write_progress())

    @property
    def failures(self) -> int:
        """Return how many attempts in a row were broken off before this one."""
        return self._attempt.failures

    def stopping(self) -> bool:
        """Say whether the work should end soon: it was cancelled, lost, or the worker is being shut down."""
        with self._apart() as session:
            return self._why(self._attempt.standing(session)) is not None

    @contextmanager
    def step(self, advance: int = 1) -> Iterator[dict[str, Any]]:
        """Do one step of work in steps: one transaction, which also moves ``checkpoint`` and ``done`` forward.

        Yields the checkpoint to write into; an exception undoes the step and leaves it as it was. What was written
        outside a step is undone. Ends the work (``Stopped``) as ``progress`` does, before anything is done.
        """
        if not self._declared.steps:
            raise RuntimeError(f"task {self._declared.kind} is not declared with steps=True")
        self.session.rollback()
        draft = copy.deepcopy(self._checkpoint)
        with unit_of_work(self.session):
            self._stop_for(self._why(self._attempt.standing(self.session)))
            yield draft
            self.session.flush()
            self.fence(checkpoint=draft, done_count=self.done + advance, **self._counts())
        self._checkpoint = draft
        self.done += advance
        self._written_at = time.monotonic()

    def result(self, name: str, media_type: str, content: bytes) -> None:
        """Leave a file as the task's result; it is kept in the transaction that says that the task is done."""
        self._result = _ResultFile(name, media_type, content)

    # --- for the runner ------------------------------------------------------------------------------------------

    def finish(self, said: object | None) -> None:
        """Say in the open transaction that all is done; ``Stopped`` if that is no longer this attempt's to say."""
        self._said = self._said if said is None else said
        self.session.flush()
        file = self._keep_result()
        conditions = [] if self._declared.steps else [BackgroundTask.cancel_requested_at.is_(None)]
        self.fence(
            *conditions,
            state=TaskState.DONE,
            ended_at=self.clock(),
            done_count=self.done,
            result_file_id=file,
            failures=0,
            **self._counts(),
        )

    def fence(self, *conditions: Any, **values: Any) -> None:
        """Write to the task's row, last thing in a transaction, only as its newest attempt; else ``Stopped``."""
        if not self._attempt.write(self.session, *conditions, **values):
            raise Stopped(self._why(self._attempt.standing(self.session)) or Why.LOST)

    def _keep_result(self) -> int | None:
        if self._result is None:
            return None
        made = self._result
        subject = (BackgroundTask.__tablename__, self._attempt.task_id)
        return keep(
            self.session,
            made.content,
            made.name,
            made.media_type,
            purpose=FilePurpose.RESULT,
            by=self.by,
            at=self.at,
            subject=subject,
            expires_at=kept_until(self.session, at=self.at),
        ).id

    def _counts(self) -> dict[str, Any]:
        told: dict[str, Any] = {"total_count": self.total}
        if self._said is not None:
            told["said"] = in_both(self._said)
        return told

    def _write_progress(self) -> Why | None:
        self._written_at = time.monotonic()
        with self._apart() as session, unit_of_work(session):
            self._attempt.write(session, done_count=self.done, **self._counts())
            return self._why(self._attempt.standing(session))

    def _apart(self) -> Session:
        """Return a session on a connection of its own, whose commits the work's rollback does not touch."""
        return Session(self.session.get_bind(), join_transaction_mode="create_savepoint")

    def _why(self, row: Any) -> Why | None:
        if row is None or row.attempts != self._attempt.number or row.state is not TaskState.RUNNING:
            return Why.LOST
        if row.cancel_requested_at is not None:
            return Why.CANCELLED
        return Why.SHUTDOWN if self._shutting_down(self._declared.steps) else None

    def _stop_for(self, why: Why | None) -> None:
        if why is not None:
            raise Stopped(why)


def in_both(words: object) -> dict[str, str]:
    """Return a sentence in both languages; one that is not lazy reads the same in both."""
    return {locale: in_locale(words, locale) for locale in LOCALES}
