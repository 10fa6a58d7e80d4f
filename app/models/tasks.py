"""Long work that the house does in the background: what was asked, how far it is, how it ended."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer, String, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, Choice, EncryptedJson, Instant, Labelled, Recorded, Scope, Stateful, col, one_of
from app.models.files import StoredFile
from app.models.hr import Branch, Employee
from app.words import _l


class TaskState(Labelled):
    """Where a task is. A task that failed can be asked for again; done and cancelled are final."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {
            cls.QUEUED: _l("Waiting in the queue"),
            cls.RUNNING: _l("Running"),
            cls.DONE: _l("Finished"),
            cls.FAILED: _l("Failed"),
            cls.CANCELLED: _l("Cancelled"),
        }

    @classmethod
    def tones(cls) -> dict[Any, str]:
        return {cls.QUEUED: "info", cls.RUNNING: "warn", cls.DONE: "ok", cls.FAILED: "bad", cls.CANCELLED: "mute"}


#: The states in which a task still has something before it.
OPEN_STATES = (TaskState.QUEUED, TaskState.RUNNING)


class BackgroundTask(Stateful, Recorded, Base):
    """A piece of long work: asked for in an act's own transaction, done by a worker, with exactly one effect.

    ``attempts`` counts who took it up; every transaction of an attempt commits only while the count is still its own.
    ``job_id`` is the one job of the queue that may take it up next. ``failures`` counts the attempts in a row that the
    database or a worker's end broke off. ``checkpoint`` is from where work in steps goes on. ``said`` holds the last
    sentence in both languages; ``locale`` is the language of the person who asked.
    """

    __tablename__ = "background_task"
    TITLE, TITLES = _l("Background task"), _l("Background tasks")
    SCOPE = Scope(branch="branch_id", own=("employee_id",))
    UNTRAILED = ("done_count", "said", "checkpoint")
    STATES = TaskState
    MOVES = {
        TaskState.QUEUED: {TaskState.RUNNING, TaskState.CANCELLED, TaskState.FAILED},
        TaskState.RUNNING: {TaskState.DONE, TaskState.FAILED, TaskState.CANCELLED, TaskState.QUEUED},
        TaskState.FAILED: {TaskState.QUEUED},
    }
    __table_args__ = (
        UniqueConstraint("actor", "request_key"),
        one_of("state", TaskState),
        CheckConstraint("(ended_at IS NULL) = (state IN ('queued', 'running'))", name="ended_when_over"),
        CheckConstraint("(error IS NOT NULL) = (state = 'failed')", name="error_when_failed"),
        CheckConstraint("(subject_table IS NULL) = (subject_id IS NULL)", name="subject_whole"),
        CheckConstraint("done_count >= 0 AND (total_count IS NULL OR total_count >= 0)", name="counts_not_negative"),
        Index("ix_background_task_employee_id_id", "employee_id", "id"),
        Index("ix_background_task_branch_id_id", "branch_id", "id"),
        Index("ix_background_task_subject", "subject_table", "subject_id"),
        Index("ix_background_task_open", "id", postgresql_where=text("state IN ('queued', 'running')")),
    )

    kind: Mapped[str] = mapped_column(String(80), info=col(_l("Kind"), search=True))
    state: Mapped[TaskState] = mapped_column(Choice(TaskState), default=TaskState.QUEUED, info=col(_l("State")))
    parameters: Mapped[dict[str, Any]] = mapped_column(EncryptedJson, default=dict)
    actor: Mapped[str] = mapped_column(String(200), info=col(_l("By")))
    request_key: Mapped[str] = mapped_column(String(80))
    employee_id: Mapped[int | None] = mapped_column(ForeignKey("employee.id"), info=col(_l("Asked by")))
    branch_id: Mapped[int | None] = mapped_column(ForeignKey("branch.id"), info=col(_l("Branch")))
    locale: Mapped[str] = mapped_column(String(8), default="zh", server_default="zh")
    subject_table: Mapped[str | None] = mapped_column(String(80))
    subject_id: Mapped[int | None] = mapped_column(BigInteger)

    done_count: Mapped[int] = mapped_column(Integer, default=0, server_default="0", info=col(_l("Done so far")))
    total_count: Mapped[int | None] = mapped_column(Integer, info=col(_l("Of")))
    said: Mapped[dict[str, str] | None] = mapped_column(JSONB(none_as_null=True))
    error: Mapped[str | None] = mapped_column(info=col(_l("Why it failed")))
    checkpoint: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    result_file_id: Mapped[int | None] = mapped_column(ForeignKey("stored_file.id"), info=col(_l("Result file")))

    queued_at: Mapped[datetime] = mapped_column(Instant, info=col(_l("Asked for at")))
    started_at: Mapped[datetime | None] = mapped_column(Instant, info=col(_l("Started")))
    ended_at: Mapped[datetime | None] = mapped_column(Instant, info=col(_l("Ended at")))
    cancel_requested_at: Mapped[datetime | None] = mapped_column(Instant, info=col(_l("Cancelling asked for at")))
    attempts: Mapped[int] = mapped_column(Integer, default=0, server_default="0", info=col(_l("Attempts")))
    failures: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    job_id: Mapped[int | None] = mapped_column(BigInteger)
    worker: Mapped[str | None] = mapped_column(String(120), info=col(_l("Machine")))

    employee: Mapped[Employee | None] = relationship(lazy="select")
    branch: Mapped[Branch | None] = relationship(lazy="select")
    result_file: Mapped[StoredFile | None] = relationship(lazy="select")
