"""Who was called for whom, and what came of it. White paper 2.3, SM-05."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, String, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, Branched, Choice, Instant, Labelled, Recorded, Scope, Stateful, col, one_of
from app.models.hr import Branch, Department, Employee
from app.models.reception import Visit
from app.models.triage.lines import RotationLine, RotationSeat, TurnKind
from app.words import _l


class AssignmentState(Labelled):
    """SM-05; ``UNSEEN``: she left before anybody had seen her."""

    CALLING = "calling"
    ACCEPTED = "accepted"
    IN_ROOM = "in_room"
    DONE = "done"
    SKIPPED = "skipped"
    REASSIGNED = "reassigned"
    UNSEEN = "unseen"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {
            cls.CALLING: _l("Calling"),
            cls.ACCEPTED: _l("Accepted"),
            cls.IN_ROOM: _l("With the customer"),
            cls.DONE: _l("Done"),
            cls.SKIPPED: _l("Skipped"),
            cls.REASSIGNED: _l("Reassigned"),
            cls.UNSEEN: _l("Left unseen"),
        }

    @classmethod
    def tones(cls) -> dict[Any, str]:
        return {cls.CALLING: "warn", cls.ACCEPTED: "info", cls.IN_ROOM: "info", cls.DONE: "ok", cls.SKIPPED: "bad"}


A = AssignmentState


class TriageAssignment(Stateful, Recorded, Branched, Base):
    """分诊: a seat, or who stands in for it, is called for a visit. One that stands per visit and line. SM-05.

    ``why`` holds the chain of reasons as codes and facts; they become sentences when they are read.
    """

    __tablename__ = "triage_assignment"
    TITLE, TITLES = _l("Assignment"), _l("Assignments")
    SCOPE = Scope(branch="branch_id", department="department_id", own=("assignee_id",))
    LOCK_FIRST = ("line_id", "visit_id")
    TOLD_ALONE = ("why_told",)
    STATES = AssignmentState
    MOVES = {
        A.CALLING: {A.ACCEPTED, A.SKIPPED, A.REASSIGNED, A.UNSEEN},
        A.ACCEPTED: {A.IN_ROOM, A.REASSIGNED, A.UNSEEN},
        A.IN_ROOM: {A.DONE, A.REASSIGNED, A.UNSEEN},
    }
    __table_args__ = (
        one_of("state", AssignmentState),
        one_of("method", TurnKind),
        CheckConstraint("answer_by_at >= called_at", name="limit_after_call"),
        CheckConstraint("(state = 'skipped') = (skipped_at IS NOT NULL)", name="skip_recorded"),
        CheckConstraint(
            "skipped_at IS NULL OR skipped_at = answer_by_at"
            " OR (skip_reason IS NOT NULL AND skipped_at < answer_by_at)",
            name="skip_at_the_limit",
        ),
        CheckConstraint(
            "state NOT IN ('accepted', 'in_room', 'done') OR accepted_at IS NOT NULL", name="acceptance_recorded"
        ),
        CheckConstraint("state NOT IN ('in_room', 'done') OR entered_at IS NOT NULL", name="entry_recorded"),
        CheckConstraint(
            "(state IN ('done', 'skipped', 'reassigned', 'unseen')) = (ended_at IS NOT NULL)", name="end_recorded"
        ),
        CheckConstraint("state NOT IN ('reassigned', 'unseen') OR reason IS NOT NULL", name="reason_given"),
        CheckConstraint("previous_id <> id", name="follows_another"),
        Index(
            "uq_triage_assignment_visit_line",
            "visit_id",
            "line_id",
            unique=True,
            postgresql_where=text("state IN ('calling', 'accepted', 'in_room', 'done')"),
        ),
        Index("ix_triage_assignment_due", "answer_by_at", postgresql_where=text("state = 'calling'")),
        Index(
            "ix_triage_assignment_line_open",
            "line_id",
            postgresql_where=text("state IN ('calling', 'accepted', 'in_room')"),
        ),
        Index("ix_triage_assignment_branch_called", "branch_id", "called_at"),
        Index("ix_triage_assignment_assignee_called", "assignee_id", "called_at"),
        Index("ix_triage_assignment_department_called", "department_id", "called_at"),
    )

    visit_id: Mapped[int] = mapped_column(ForeignKey("visit.id"), index=True, info=col(_l("Visit")))
    line_id: Mapped[int] = mapped_column(ForeignKey("rotation_line.id"), info=col(_l("Rotation line")))
    seat_id: Mapped[int | None] = mapped_column(
        ForeignKey("rotation_seat.id"), index=True, info=col(_l("Seat of a line"))
    )
    assignee_id: Mapped[int] = mapped_column(ForeignKey("employee.id"), info=col(_l("Called")))
    department_id: Mapped[int | None] = mapped_column(ForeignKey("department.id"), info=col(_l("Department")))
    method: Mapped[TurnKind] = mapped_column(Choice(TurnKind), info=col(_l("Kind of turn")))
    state: Mapped[AssignmentState] = mapped_column(
        Choice(AssignmentState), default=AssignmentState.CALLING, info=col(_l("State"))
    )
    sequence_no: Mapped[int] = mapped_column(
        SmallInteger, default=1, server_default="1", info=col(_l("Call number"), _l("Of this visit in this line."))
    )
    called_at: Mapped[datetime] = mapped_column(Instant, info=col(_l("Called at")))
    answer_by_at: Mapped[datetime] = mapped_column(Instant, info=col(_l("Passes on at")))
    called_by_id: Mapped[int | None] = mapped_column(ForeignKey("employee.id"), info=col(_l("Called by")))
    accepted_at: Mapped[datetime | None] = mapped_column(Instant, info=col(_l("Accepted at")))
    entered_at: Mapped[datetime | None] = mapped_column(Instant, info=col(_l("Brought in at")))
    skipped_at: Mapped[datetime | None] = mapped_column(Instant, info=col(_l("Skipped at")))
    skip_reason: Mapped[str | None] = mapped_column(String(500), info=col(_l("Why skipped")))
    ended_at: Mapped[datetime | None] = mapped_column(Instant, info=col(_l("Ended at")))
    reason: Mapped[str | None] = mapped_column(String(500), info=col(_l("Reason")))
    complaint: Mapped[str | None] = mapped_column(String(500), info=col(_l("Note to the supervisor"), multiline=True))
    rule: Mapped[str] = mapped_column(String(20), info=col(_l("By the rule")))
    why: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, default=list, server_default=text("'[]'::jsonb"))
    previous_id: Mapped[int | None] = mapped_column(
        ForeignKey("triage_assignment.id"), unique=True, info=col(_l("Follows"))
    )

    branch: Mapped[Branch] = relationship(lazy="select")
    visit: Mapped[Visit] = relationship(lazy="select")
    line: Mapped[RotationLine] = relationship(lazy="select")
    seat: Mapped[RotationSeat | None] = relationship(lazy="select")
    assignee: Mapped[Employee] = relationship(foreign_keys=[assignee_id], lazy="select")
    department: Mapped[Department | None] = relationship(lazy="select")
    called_by: Mapped[Employee | None] = relationship(foreign_keys=[called_by_id], lazy="select")
    previous: Mapped[TriageAssignment | None] = relationship(remote_side="TriageAssignment.id", lazy="select")

    def __str__(self) -> str:
        return f"{self.visit} → {self.assignee}"
