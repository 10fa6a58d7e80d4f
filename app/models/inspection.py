"""检查接待: official visits, from the door to the last task. Triage SOP S4 as it is lawful; SM-31, L24.

Nothing else in the house asks whether an inspection is here: no act, right, list or lock depends on these tables.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, Branched, Choice, Instant, Labelled, Recorded, Scope, Stateful, col, one_of
from app.models.files import StoredFile
from app.models.hr import Branch, Employee
from app.models.reception import ServiceDesk
from app.words import _l


class InspectionState(Labelled):
    """SM-31."""

    ARRIVED = "arrived"
    NOTIFIED = "notified"
    ACCOMPANIED = "accompanied"
    DOCUMENTED = "documented"
    LEFT = "left"
    RECTIFYING = "rectifying"
    CLOSED = "closed"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {
            cls.ARRIVED: _l("Officers are here"),
            cls.NOTIFIED: _l("Managers told"),
            cls.ACCOMPANIED: _l("Accompanied"),
            cls.DOCUMENTED: _l("Hand-over list signed"),
            cls.LEFT: _l("Officers have left"),
            cls.RECTIFYING: _l("Being put right"),
            cls.CLOSED: _l("Closed (inspection)"),
        }

    @classmethod
    def tones(cls) -> dict[Any, str]:
        return {
            cls.ARRIVED: "warn",
            cls.NOTIFIED: "info",
            cls.ACCOMPANIED: "info",
            cls.DOCUMENTED: "info",
            cls.RECTIFYING: "warn",
            cls.CLOSED: "ok",
        }


I = InspectionState  # noqa: E741 (stands for the states, many times below)


class InspectionVisit(Stateful, Recorded, Branched, Base):
    """A visit of an authority: who came, with which certificate, what for, and what came of it. SM-31."""

    __tablename__ = "inspection_visit"
    TITLE, TITLES = _l("Official visit"), _l("Official visits")
    SCOPE = Scope(branch="branch_id")
    STATES = InspectionState
    MOVES = {
        I.ARRIVED: {I.NOTIFIED},
        I.NOTIFIED: {I.ACCOMPANIED},
        I.ACCOMPANIED: {I.DOCUMENTED},
        I.DOCUMENTED: {I.LEFT},
        I.LEFT: {I.RECTIFYING, I.CLOSED},
        I.RECTIFYING: {I.CLOSED},
    }
    __table_args__ = (
        one_of("state", InspectionState),
        CheckConstraint("state = 'arrived' OR notified_at IS NOT NULL", name="notice_recorded"),
        CheckConstraint(
            "state IN ('arrived', 'notified') OR (accompanied_at IS NOT NULL AND accompanied_by_id IS NOT NULL)",
            name="company_recorded",
        ),
        CheckConstraint(
            "state IN ('arrived', 'notified', 'accompanied') OR (documented_at IS NOT NULL AND signed_by IS NOT NULL)",
            name="signature_recorded",
        ),
        CheckConstraint(
            "(state IN ('left', 'rectifying', 'closed')) = (left_at IS NOT NULL AND result IS NOT NULL)",
            name="leaving_recorded",
        ),
        CheckConstraint("(state = 'closed') = (closed_at IS NOT NULL)", name="closing_recorded"),
        CheckConstraint("left_at >= arrived_at", name="left_after_arrival"),
        Index("ix_inspection_visit_branch_arrived", "branch_id", "arrived_at"),
    )

    inspection_no: Mapped[str] = mapped_column(String(30), unique=True, info=col(_l("Inspection number"), search=True))
    state: Mapped[InspectionState] = mapped_column(
        Choice(InspectionState), default=InspectionState.ARRIVED, info=col(_l("State"))
    )
    agency: Mapped[str] = mapped_column(String(120), info=col(_l("Authority"), search=True))
    officers: Mapped[str] = mapped_column(String(300), info=col(_l("Officers"), _l("Their names.")))
    certificate_no: Mapped[str] = mapped_column(String(120), info=col(_l("Certificate number"), search=True))
    purpose: Mapped[str] = mapped_column(String(1000), info=col(_l("Purpose of the visit"), multiline=True))
    desk_id: Mapped[int | None] = mapped_column(ForeignKey("service_desk.id"), info=col(_l("Service desk")))
    arrived_at: Mapped[datetime] = mapped_column(Instant, info=col(_l("Arrived at")))
    registered_by_id: Mapped[int | None] = mapped_column(ForeignKey("employee.id"), info=col(_l("Registered by")))
    notified_at: Mapped[datetime | None] = mapped_column(Instant, info=col(_l("Managers told at")))
    accompanied_at: Mapped[datetime | None] = mapped_column(Instant, info=col(_l("Accompanied since")))
    accompanied_by_id: Mapped[int | None] = mapped_column(ForeignKey("employee.id"), info=col(_l("Accompanied by")))
    documented_at: Mapped[datetime | None] = mapped_column(Instant, info=col(_l("List signed at")))
    signed_by: Mapped[str | None] = mapped_column(String(120), info=col(_l("Signed by")))
    signed_file_id: Mapped[int | None] = mapped_column(
        ForeignKey("stored_file.id"), unique=True, info=col(_l("Signed list"))
    )
    left_at: Mapped[datetime | None] = mapped_column(Instant, info=col(_l("Left at")))
    result: Mapped[str | None] = mapped_column(String(2000), info=col(_l("Result"), multiline=True))
    result_file_id: Mapped[int | None] = mapped_column(
        ForeignKey("stored_file.id"), unique=True, info=col(_l("Record of the authority"))
    )
    closed_at: Mapped[datetime | None] = mapped_column(Instant, info=col(_l("Closed at")))
    closed_by_id: Mapped[int | None] = mapped_column(ForeignKey("employee.id"), info=col(_l("Closed by")))
    close_note: Mapped[str | None] = mapped_column(String(1000), info=col(_l("Closing note"), multiline=True))

    branch: Mapped[Branch] = relationship(lazy="select")
    desk: Mapped[ServiceDesk | None] = relationship(lazy="select")
    registered_by: Mapped[Employee | None] = relationship(foreign_keys=[registered_by_id], lazy="select")
    accompanied_by: Mapped[Employee | None] = relationship(foreign_keys=[accompanied_by_id], lazy="select")
    closed_by: Mapped[Employee | None] = relationship(foreign_keys=[closed_by_id], lazy="select")
    signed_file: Mapped[StoredFile | None] = relationship(foreign_keys=[signed_file_id], lazy="select")
    result_file: Mapped[StoredFile | None] = relationship(foreign_keys=[result_file_id], lazy="select")

    def __str__(self) -> str:
        return self.inspection_no


class HandedHow(Labelled):
    """How a document was given: to look at, as a copy, the original."""

    VIEWED = "viewed"
    COPY = "copy"
    ORIGINAL = "original"
    NOT_GIVEN = "not_given"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {
            cls.VIEWED: _l("Looked at here"),
            cls.COPY: _l("A copy"),
            cls.ORIGINAL: _l("The original"),
            cls.NOT_GIVEN: _l("Not handed over"),
        }

    @classmethod
    def tones(cls) -> dict[Any, str]:
        return {cls.ORIGINAL: "warn", cls.NOT_GIVEN: "warn"}


class InspectionDocument(Base):
    """A document that was asked for, and what was handed over of it. Rows are only added: it is a receipt. SM-31."""

    __tablename__ = "inspection_document"
    TITLE, TITLES = _l("Document asked for"), _l("Documents asked for")
    SCOPE = Scope(via="inspection")
    APPEND_ONLY = True
    __table_args__ = (
        one_of("handed", HandedHow),
        CheckConstraint("pages BETWEEN 1 AND 9999", name="pages_bounds"),
        CheckConstraint("handed <> 'not_given' OR remark IS NOT NULL", name="withheld_has_reason"),
    )

    inspection_id: Mapped[int] = mapped_column(
        ForeignKey("inspection_visit.id"), index=True, info=col(_l("Official visit"))
    )
    what: Mapped[str] = mapped_column(String(300), info=col(_l("What was asked for")))
    handed: Mapped[HandedHow] = mapped_column(Choice(HandedHow), info=col(_l("Handed over")))
    pages: Mapped[int | None] = mapped_column(SmallInteger, info=col(_l("Number of pages")))
    remark: Mapped[str | None] = mapped_column(String(300), info=col(_l("Remark")))
    handed_at: Mapped[datetime] = mapped_column(Instant, info=col(_l("When")))
    handed_by_id: Mapped[int | None] = mapped_column(ForeignKey("employee.id"), info=col(_l("By whom")))

    inspection: Mapped[InspectionVisit] = relationship(lazy="select")
    handed_by: Mapped[Employee | None] = relationship(lazy="select")

    def __str__(self) -> str:
        return self.what


class TaskState(Labelled):
    """Whether something that an inspection found is put right."""

    OPEN = "open"
    DONE = "done"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {cls.OPEN: _l("To be put right"), cls.DONE: _l("Put right")}

    @classmethod
    def tones(cls) -> dict[Any, str]:
        return {cls.OPEN: "warn", cls.DONE: "ok"}


class InspectionTask(Stateful, Recorded, Branched, Base):
    """整改: something that an inspection found, who puts it right, until when. SM-31."""

    __tablename__ = "inspection_task"
    TITLE, TITLES = _l("Task of an inspection"), _l("Tasks of inspections")
    SCOPE = Scope(branch="branch_id", own=("responsible_id",))
    LOCK_FIRST = ("inspection_id",)
    STATES = TaskState
    MOVES = {TaskState.OPEN: {TaskState.DONE}}
    __table_args__ = (
        one_of("state", TaskState),
        CheckConstraint("(state = 'done') = (done_at IS NOT NULL AND done_note IS NOT NULL)", name="done_recorded"),
        Index("ix_inspection_task_responsible", "responsible_id", "state"),
    )

    inspection_id: Mapped[int] = mapped_column(
        ForeignKey("inspection_visit.id"), index=True, info=col(_l("Official visit"))
    )
    what: Mapped[str] = mapped_column(String(1000), info=col(_l("What is to be put right"), multiline=True))
    state: Mapped[TaskState] = mapped_column(Choice(TaskState), default=TaskState.OPEN, info=col(_l("State")))
    responsible_id: Mapped[int] = mapped_column(ForeignKey("employee.id"), info=col(_l("Responsible")))
    due_on: Mapped[date] = mapped_column(info=col(_l("Until")))
    done_at: Mapped[datetime | None] = mapped_column(Instant, info=col(_l("Done at")))
    done_note: Mapped[str | None] = mapped_column(String(1000), info=col(_l("How it was put right"), multiline=True))
    done_by_id: Mapped[int | None] = mapped_column(ForeignKey("employee.id"), info=col(_l("Done by")))

    branch: Mapped[Branch] = relationship(lazy="select")
    inspection: Mapped[InspectionVisit] = relationship(lazy="select")
    responsible: Mapped[Employee] = relationship(foreign_keys=[responsible_id], lazy="select")
    done_by: Mapped[Employee | None] = relationship(foreign_keys=[done_by_id], lazy="select")

    def __str__(self) -> str:
        return self.what
