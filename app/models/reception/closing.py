"""下班整理: what a desk leaves behind at the end of its day. Triage SOP S8."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import ForeignKey, String, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, Branched, Instant, Recorded, Scope, col
from app.models.hr import Branch, Employee
from app.models.reception.visits import ServiceDesk
from app.models.settings import DictionaryItem
from app.words import _l, listed


class ClosingChecklist(Recorded, Branched, Base):
    """What was tidied at a desk on a day, by whom, and what was still open then. ``left_open``: codes with counts.

    Rows are only added: what was signed in the evening is not mended in the morning.
    """

    __tablename__ = "closing_checklist"
    TITLE, TITLES = _l("Closing checklist"), _l("Closing checklists")
    SCOPE = Scope(branch="branch_id")
    TOLD_ALONE = ("lines_text", "undone_text", "left_open")
    APPEND_ONLY = True
    __table_args__ = (UniqueConstraint("desk_id", "closed_on"),)

    desk_id: Mapped[int] = mapped_column(ForeignKey("service_desk.id"), info=col(_l("Service desk")))
    closed_on: Mapped[date] = mapped_column(index=True, info=col(_l("Day")))
    done_at: Mapped[datetime] = mapped_column(Instant, info=col(_l("Done at")))
    done_by_id: Mapped[int] = mapped_column(ForeignKey("employee.id"), info=col(_l("Done by")))
    note: Mapped[str | None] = mapped_column(String(500), info=col(_l("Note"), multiline=True))
    left_open: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict, server_default=text("'{}'::jsonb"))

    branch: Mapped[Branch] = relationship(lazy="select")
    desk: Mapped[ServiceDesk] = relationship(lazy="select")
    done_by: Mapped[Employee] = relationship(lazy="select")
    lines: Mapped[list[ClosingLine]] = relationship(
        back_populates="checklist", lazy="select", order_by="ClosingLine.id", cascade="save-update, merge"
    )

    @property
    def lines_text(self) -> str:
        return listed([str(line.item) for line in self.lines if line.is_done])

    @property
    def undone_text(self) -> str:
        return listed([str(line.item) for line in self.lines if not line.is_done]) or "—"

    def __str__(self) -> str:
        return f"{self.desk} {self.closed_on.isoformat()}"


class ClosingLine(Base):
    """A line of a closing checklist, done or not; the lines are a dictionary of the house."""

    __tablename__ = "closing_line"
    TITLE, TITLES = _l("Line of a closing checklist"), _l("Lines of closing checklists")
    SCOPE = Scope(via="checklist")
    APPEND_ONLY = True
    __table_args__ = (UniqueConstraint("checklist_id", "item_id"),)

    checklist_id: Mapped[int] = mapped_column(ForeignKey("closing_checklist.id"), info=col(_l("Closing checklist")))
    item_id: Mapped[int] = mapped_column(
        ForeignKey("dictionary_item.id"), info=col(_l("Line"), dictionary="closing_line")
    )
    is_done: Mapped[bool] = mapped_column(info=col(_l("Done (line)")))

    checklist: Mapped[ClosingChecklist] = relationship(back_populates="lines", lazy="select")
    item: Mapped[DictionaryItem] = relationship(lazy="select")

    def __str__(self) -> str:
        return str(self.item)
