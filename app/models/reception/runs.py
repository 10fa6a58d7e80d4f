"""Blank forms with their numbers printed on them: a run of numbers that was taken. White paper 5.1.3; GL 36."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, Branched, Instant, Recorded, Scope, col
from app.models.hr import Branch, Employee
from app.words import _l

#: A run is printed as one file, two pages to a form.
MOST_FORMS = 200


class ReceptionFormRun(Recorded, Branched, Base):
    """接诊表条形码: numbers of blank reception forms, one after the other; each is bound once, to one visit.

    A number that lies in no run of the branch is nobody's: forms with it are refused (R-2.2.6-2).
    """

    __tablename__ = "reception_form_run"
    TITLE, TITLES = _l("Run of blank forms"), _l("Runs of blank forms")
    SCOPE = Scope(branch="branch_id")
    __table_args__ = (
        CheckConstraint(f"count BETWEEN 1 AND {MOST_FORMS}", name="count_bounds"),
        CheckConstraint("first_no <= last_no AND length(first_no) = length(last_no)", name="range_whole"),
    )

    count: Mapped[int] = mapped_column(info=col(_l("How many")))
    first_no: Mapped[str] = mapped_column(String(30), unique=True, info=col(_l("First form number"), search=True))
    last_no: Mapped[str] = mapped_column(String(30), unique=True, info=col(_l("Last form number"), search=True))
    taken_at: Mapped[datetime] = mapped_column(Instant, info=col(_l("Numbers taken at")))
    taken_by_id: Mapped[int | None] = mapped_column(ForeignKey("employee.id"), info=col(_l("Numbers taken by")))
    note: Mapped[str | None] = mapped_column(String(200), info=col(_l("Note")))

    branch: Mapped[Branch] = relationship(lazy="select")
    taken_by: Mapped[Employee | None] = relationship(lazy="select")

    def __str__(self) -> str:
        return f"{self.first_no} – {self.last_no}"
