"""How a person likes her lists: filters that she keeps under a name, the columns that she chose. ui.md, "List"."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, Recorded, Retirable, Scope, col
from app.models.hr import Employee
from app.words import _l

MOST_QUERY = 1000


class SavedFilter(Recorded, Retirable, Base):
    """A list's query string under a name: words, filters, tab, order, size; never the page."""

    __tablename__ = "saved_filter"
    TITLE, TITLES = _l("Saved view"), _l("Saved views")
    SCOPE = Scope(own=("employee_id",))
    __table_args__ = (
        Index(
            "uq_saved_filter_name",
            "employee_id",
            "page",
            "name",
            unique=True,
            postgresql_where=text("retired_at IS NULL"),
        ),
        Index(
            "uq_saved_filter_default",
            "employee_id",
            "page",
            unique=True,
            postgresql_where=text("is_default AND retired_at IS NULL"),
        ),
        CheckConstraint("query <> ''", name="query_asks_something"),
    )

    name: Mapped[str] = mapped_column(String(40), info=col(_l("Name"), search=True))
    page: Mapped[str] = mapped_column(String(80), info=col(_l("List")))
    query: Mapped[str] = mapped_column(String(MOST_QUERY), info=col(_l("What it asks for")))
    is_default: Mapped[bool] = mapped_column(default=False, server_default="false", info=col(_l("Opens with the list")))
    employee_id: Mapped[int] = mapped_column(ForeignKey("employee.id"), info=col(_l("Whose")))

    employee: Mapped[Employee] = relationship(lazy="select")

    def __str__(self) -> str:
        return self.name


class ListColumns(Recorded, Base):
    """The columns of one list as one person wants them, in her order; none: as the house has them."""

    __tablename__ = "list_columns"
    TITLE, TITLES = _l("Chosen columns"), _l("Chosen columns")
    SCOPE = Scope(own=("employee_id",))
    __table_args__ = (UniqueConstraint("employee_id", "page"),)

    page: Mapped[str] = mapped_column(String(80), info=col(_l("List")))
    columns: Mapped[list[str]] = mapped_column(
        ARRAY(String(80)), default=list, server_default="{}", info=col(_l("Columns"))
    )
    employee_id: Mapped[int] = mapped_column(ForeignKey("employee.id"), info=col(_l("Whose")))

    employee: Mapped[Employee] = relationship(lazy="select")

    def __str__(self) -> str:
        return self.page
