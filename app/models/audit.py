"""What happened: acts that ran, sensitive values that were looked at, notices to people, jobs, stored reports."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, Choice, Encrypted, EncryptedJson, Instant, Labelled, Scope, col, one_of
from app.models.hr import Branch, Employee
from app.words import _l


class ActRun(Base):
    """One act that ran: the history entry of its record, and the answer to the same request key.

    ``occurred_at`` is the act's own clock, ``at`` the database's. Inputs of sensitive fields are stored masked;
    ``inputs_hash`` is keyed, so that numbers cannot be guessed from it.
    """

    __tablename__ = "act_run"
    TITLE, TITLES = _l("History entry"), _l("History")
    SCOPE = Scope(branch="branch_id")
    APPEND_ONLY = UNTIL_COMMIT = True
    __table_args__ = (
        UniqueConstraint("actor", "request_key"),
        Index("ix_act_run_record", "table_name", "record_id", "id"),
        Index("ix_act_run_result", "result_table", "result_id"),
        Index("ix_act_run_act_occurred", "table_name", "act", "occurred_at"),
    )

    actor: Mapped[str] = mapped_column(String(200), info=col(_l("By")))
    request_key: Mapped[str] = mapped_column(String(80))
    table_name: Mapped[str] = mapped_column(String(80), info=col(_l("Table")))
    record_id: Mapped[int | None] = mapped_column(BigInteger)
    act: Mapped[str] = mapped_column(String(80), info=col(_l("Act")))
    from_state: Mapped[str | None] = mapped_column(String(40))
    to_state: Mapped[str | None] = mapped_column(String(40))
    inputs: Mapped[dict[str, Any]] = mapped_column(EncryptedJson, default=dict)
    inputs_hash: Mapped[str] = mapped_column(String(64))
    result_table: Mapped[str | None] = mapped_column(String(80))
    result_id: Mapped[int | None] = mapped_column(BigInteger)
    notice: Mapped[str | None] = mapped_column(Encrypted)
    paper: Mapped[str | None] = mapped_column(String(80))
    employee_id: Mapped[int | None] = mapped_column(ForeignKey("employee.id"), info=col(_l("Employee")))
    branch_id: Mapped[int | None] = mapped_column(ForeignKey("branch.id"))
    occurred_at: Mapped[datetime] = mapped_column(Instant, info=col(_l("When")))
    at: Mapped[datetime] = mapped_column(Instant, server_default=func.clock_timestamp())

    employee: Mapped[Employee | None] = relationship(lazy="select")


class Way(Labelled):
    """How somebody came to see what is masked or kept apart."""

    REVEAL = "reveal"
    LOOK_UP = "look_up"
    FILE = "file"
    EXPORT = "export"
    DIAL = "dial"
    LISTEN = "listen"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {
            cls.REVEAL: _l("Shown in full"),
            cls.LOOK_UP: _l("Look-up by number"),
            cls.FILE: _l("Opened the file"),
            cls.EXPORT: _l("Export"),
            cls.DIAL: _l("Dialled"),
            cls.LISTEN: _l("Listened to a recording"),
        }


class SensitiveViewLog(Base):
    """Somebody looked at a masked value or opened a file, and why; or was denied it: then ``denied`` says by what.
    One row for each look. R-2.1.1-4, H.2."""

    __tablename__ = "sensitive_view_log"
    TITLE, TITLES = _l("Look at a masked value"), _l("Looks at masked values")
    SCOPE = Scope(branch="branch_id")
    APPEND_ONLY = True
    __table_args__ = (
        one_of("way", Way),
        Index("ix_sensitive_view_log_actor_at", "actor", "at"),
    )

    at: Mapped[datetime] = mapped_column(Instant, server_default=func.clock_timestamp(), info=col(_l("When")))
    actor: Mapped[str] = mapped_column(String(200), info=col(_l("By")))
    employee_id: Mapped[int | None] = mapped_column(ForeignKey("employee.id"), info=col(_l("Employee")))
    branch_id: Mapped[int | None] = mapped_column(ForeignKey("branch.id"), info=col(_l("Branch")))
    table_name: Mapped[str] = mapped_column(String(80), info=col(_l("Table")))
    record_id: Mapped[int] = mapped_column(BigInteger, info=col(_l("Record")))
    field: Mapped[str] = mapped_column(String(80), info=col(_l("Field")))
    reason: Mapped[str] = mapped_column(info=col(_l("Reason")))
    way: Mapped[Way | None] = mapped_column(Choice(Way), info=col(_l("Way")))
    denied: Mapped[str | None] = mapped_column(String(200), info=col(_l("Denied because")))

    employee: Mapped[Employee | None] = relationship(lazy="select")


class Notice(Base):
    """A message to an employee: its kind names the sentence, its facts fill it in the reader's language."""

    __tablename__ = "notice"
    TITLE, TITLES = _l("Notice"), _l("Notices")
    SCOPE = Scope(own=("employee_id",))
    __table_args__ = (
        Index("ix_notice_unread", "employee_id", postgresql_where=text("read_at IS NULL")),
        Index("ix_notice_employee_id_id", "employee_id", "id"),
    )

    employee_id: Mapped[int] = mapped_column(ForeignKey("employee.id"), info=col(_l("Employee")))
    kind: Mapped[str] = mapped_column(String(40))
    facts: Mapped[dict[str, Any]] = mapped_column(EncryptedJson, default=dict)
    table_name: Mapped[str | None] = mapped_column(String(80))
    record_id: Mapped[int | None] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(Instant, server_default=func.now(), info=col(_l("When")))
    read_at: Mapped[datetime | None] = mapped_column(Instant, info=col(_l("Read")))

    def __str__(self) -> str:
        told = (self.facts.get(name) for name in ("slip", "new", "kept", "request", "customer"))
        return str(next(filter(None, told), self.kind))


class JobRun(Base):
    """One slot of a job: done, failed so often, or asked for by hand and not begun (no attempt yet).

    The row of a finished slot and its effect commit together.
    """

    __tablename__ = "job_run"
    TITLE, TITLES = _l("Job run"), _l("Job runs")
    SCOPE = Scope(shared=True)
    __table_args__ = (
        UniqueConstraint("job", "slot"),
        CheckConstraint(
            "(ended_at IS NULL) = (error IS NOT NULL) OR (attempts = 0 AND ended_at IS NULL)", name="done_or_failed"
        ),
        CheckConstraint("attempts > 0 OR requested_at IS NOT NULL", name="begun_or_asked"),
        CheckConstraint("started_at IS NOT NULL OR attempts = 0", name="attempted_has_begun"),
        Index("ix_job_run_job_started", "job", "started_at"),
        Index("ix_job_run_asked", "job", postgresql_where=text("requested_at IS NOT NULL AND ended_at IS NULL")),
    )

    job: Mapped[str] = mapped_column(String(80), info=col(_l("Job"), search=True))
    slot: Mapped[str] = mapped_column(String(80), info=col(_l("Slot"), search=True))
    attempts: Mapped[int] = mapped_column(default=1, server_default="1", info=col(_l("Attempts")))
    started_at: Mapped[datetime | None] = mapped_column(Instant, info=col(_l("Started")))
    ended_at: Mapped[datetime | None] = mapped_column(Instant, info=col(_l("Ended at")))
    host: Mapped[str | None] = mapped_column(String(120), info=col(_l("Machine")))
    summary: Mapped[str | None] = mapped_column(info=col(_l("Result")))
    error: Mapped[str | None] = mapped_column(info=col(_l("Error")))
    requested_at: Mapped[datetime | None] = mapped_column(Instant, info=col(_l("Asked for at")))
    requested_by_id: Mapped[int | None] = mapped_column(ForeignKey("employee.id"), info=col(_l("Asked for by")))

    requested_by: Mapped[Employee | None] = relationship(lazy="select")

    def __str__(self) -> str:
        return f"{self.job} {self.slot}"


class JobHeartbeat(Base):
    """A scheduler's sign of life."""

    __tablename__ = "job_heartbeat"
    TITLE, TITLES = _l("Scheduler"), _l("Schedulers")
    SCOPE = Scope(shared=True)
    UNTRAILED = ("beat_at",)
    __table_args__ = (UniqueConstraint("host", "pid"),)

    host: Mapped[str] = mapped_column(String(120), info=col(_l("Machine")))
    pid: Mapped[int] = mapped_column(info=col(_l("Process")))
    started_at: Mapped[datetime] = mapped_column(Instant, server_default=func.now(), info=col(_l("Started")))
    beat_at: Mapped[datetime] = mapped_column(Instant, info=col(_l("Last sign of life")))


class ReportRun(Base):
    """A report as it was: parameters and facts, opened again unchanged."""

    __tablename__ = "report_run"
    TITLE, TITLES = _l("Stored report"), _l("Stored reports")
    SCOPE = Scope(branch="branch_id")
    APPEND_ONLY = True
    TOLD_ALONE = ("parameters", "facts")
    __table_args__ = (
        UniqueConstraint("made_by", "request_key"),
        Index("ix_report_run_report_branch_day", "report", "branch_id", "business_on"),
        Index(
            "uq_report_run_scheduled",
            "report",
            "branch_id",
            "business_on",
            unique=True,
            postgresql_where=text("made_by_job IS NOT NULL"),
        ),
    )

    report: Mapped[str] = mapped_column(String(80), info=col(_l("Report"), search=True))
    branch_id: Mapped[int] = mapped_column(ForeignKey("branch.id"), info=col(_l("Branch")))
    business_on: Mapped[date] = mapped_column(info=col(_l("Business day")))
    parameters: Mapped[dict[str, Any]] = mapped_column(JSONB)
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB)
    made_at: Mapped[datetime] = mapped_column(Instant, info=col(_l("Made")))
    made_by: Mapped[str] = mapped_column(String(200), info=col(_l("By")))
    employee_id: Mapped[int | None] = mapped_column(ForeignKey("employee.id"), info=col(_l("Made by")))
    made_by_job: Mapped[str | None] = mapped_column(String(80), info=col(_l("Job")))
    request_key: Mapped[str | None] = mapped_column(String(80))

    branch: Mapped[Branch] = relationship(lazy="select")
    employee: Mapped[Employee | None] = relationship(lazy="select")

    def __str__(self) -> str:
        return f"{self.report} {self.business_on.isoformat()}"


class ReportSignature(Base):
    """Who answers for a stored report, and since when: once, and for good. Triage SOP S5, S6; form foot 制表."""

    __tablename__ = "report_signature"
    TITLE, TITLES = _l("Signature under a report"), _l("Signatures under reports")
    SCOPE = Scope(branch="branch_id")
    APPEND_ONLY = True

    branch_id: Mapped[int] = mapped_column(ForeignKey("branch.id"), index=True, info=col(_l("Branch")))
    run_id: Mapped[int] = mapped_column(ForeignKey("report_run.id"), unique=True, info=col(_l("Stored report")))
    signed_at: Mapped[datetime] = mapped_column(Instant, info=col(_l("Signed at")))
    signed_by_id: Mapped[int] = mapped_column(ForeignKey("employee.id"), info=col(_l("Signed by")))
    remark: Mapped[str | None] = mapped_column(String(500), info=col(_l("Remark")))

    branch: Mapped[Branch] = relationship(lazy="select")
    run: Mapped[ReportRun] = relationship(lazy="select")
    signed_by: Mapped[Employee] = relationship(lazy="select")

    def __str__(self) -> str:
        return f"{self.run} · {self.signed_by}"


class DemoState(Base):
    """The demo's anchor day, so that loading it again, tomorrow too, changes nothing."""

    __tablename__ = "demo_state"
    TITLE, TITLES = _l("Demo data"), _l("Demo data")
    SCOPE = Scope(shared=True)

    anchor_on: Mapped[date] = mapped_column()
    finished_at: Mapped[datetime | None] = mapped_column(Instant)
