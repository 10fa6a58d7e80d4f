"""Days on which a branch is closed, or opens otherwise than its settings say. White paper 2.1.2."""

from __future__ import annotations

from datetime import date, time

from sqlalchemy import CheckConstraint, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, Branched, Choice, Labelled, Recorded, Scope, col, one_of
from app.models.hr import Branch
from app.words import _l


class DayKind(Labelled):
    """Whether customers are received on a day."""

    OPEN = "open"
    CLOSED = "closed"

    @classmethod
    def labels(cls) -> dict[object, object]:
        return {cls.OPEN: _l("Open for customers"), cls.CLOSED: _l("Closed for customers")}


class BranchDay(Recorded, Branched, Base):
    """One day of one branch; it outweighs weekdays, public holidays and the usual hours."""

    __tablename__ = "branch_day"
    TITLE, TITLES = _l("Opening day"), _l("Opening days")
    SCOPE = Scope(branch="branch_id")
    __table_args__ = (
        UniqueConstraint("branch_id", "day_on"),
        one_of("kind", DayKind),
        CheckConstraint("opens_at < closes_at", name="opens_before_it_closes"),
        CheckConstraint("kind = 'open' OR (opens_at IS NULL AND closes_at IS NULL)", name="closed_has_no_hours"),
    )

    day_on: Mapped[date] = mapped_column(info=col(_l("Day")))
    kind: Mapped[DayKind] = mapped_column(Choice(DayKind), info=col(_l("Open or closed")))
    opens_at: Mapped[time | None] = mapped_column(info=col(_l("Opens at"), _l("Empty: as usual.")))
    closes_at: Mapped[time | None] = mapped_column(info=col(_l("Closes at"), _l("Empty: as usual.")))
    note: Mapped[str | None] = mapped_column(String(200), info=col(_l("Note"), search=True))

    branch: Mapped[Branch] = relationship(lazy="select")

    def __str__(self) -> str:
        return f"{self.day_on.isoformat()} {self.kind.label}"
