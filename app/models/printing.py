"""What was printed: every printing of a form, which copy it was, by whom and when. White paper 5.1, E.3."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, Instant, Scope, col
from app.models.hr import Branch, Department, Employee
from app.models.tasks import BackgroundTask
from app.words import _l


class PrintJob(Base):
    """One printing of a form of one record. ``copy_no`` 1 is the original (正本), 2 the first duplicate (副本 1).

    Branch and department are the record's, as they were. The application may add rows and read them, nothing else
    (``RESTRICTED_TABLES`` in ``app/ops/schema.py``). ``task_id`` is the batch in which it was printed.
    """

    __tablename__ = "print_job"
    TITLE, TITLES = _l("Printing"), _l("Print log")
    SCOPE = Scope(branch="branch_id", department="department_id", own=("employee_id",))
    APPEND_ONLY = True
    __table_args__ = (
        UniqueConstraint("table_name", "record_id", "paper", "copy_no"),
        CheckConstraint("copy_no >= 1", name="copy_counts_from_one"),
        CheckConstraint("pages >= 1", name="pages_positive"),
        Index("ix_print_job_branch_id_printed_at", "branch_id", "printed_at"),
    )

    table_name: Mapped[str] = mapped_column(String(80), info=col(_l("Table")))
    record_id: Mapped[int] = mapped_column(BigInteger, info=col(_l("Record")))
    record_name: Mapped[str] = mapped_column(String(120), info=col(_l("Document"), search=True))
    paper: Mapped[str] = mapped_column(String(80), info=col(_l("Form")))
    copy_no: Mapped[int] = mapped_column(Integer, info=col(_l("Printing no.")))
    pages: Mapped[int] = mapped_column(Integer, info=col(_l("Number of pages")))
    printed_at: Mapped[datetime] = mapped_column(Instant, index=True, info=col(_l("Printed at")))
    actor: Mapped[str] = mapped_column(String(200), info=col(_l("By")))
    employee_id: Mapped[int | None] = mapped_column(ForeignKey("employee.id"), index=True, info=col(_l("Printed by")))
    branch_id: Mapped[int | None] = mapped_column(ForeignKey("branch.id"), info=col(_l("Branch")))
    department_id: Mapped[int | None] = mapped_column(ForeignKey("department.id"), info=col(_l("Department")))
    locale: Mapped[str] = mapped_column(String(8), info=col(_l("Language")))
    task_id: Mapped[int | None] = mapped_column(
        ForeignKey("background_task.id"), index=True, info=col(_l("Printed in the batch"))
    )

    employee: Mapped[Employee | None] = relationship(lazy="select")
    branch: Mapped[Branch | None] = relationship(lazy="select")
    department: Mapped[Department | None] = relationship(lazy="select")
    task: Mapped[BackgroundTask | None] = relationship(lazy="select")

    def __str__(self) -> str:
        return f"{self.record_name} · {self.copy_no}"
