"""The declarations of printed forms and of reports, and their registries.

A paper belongs to a table: from a record, ``gather`` makes frozen facts and ``render`` makes the PDF. A report
has parameters, gathers ``ReportFacts`` and is rendered by the machinery on screen, as CSV, XLSX and PDF.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, ClassVar

from sqlalchemy.orm import Session

from app.actors import Actor
from app.fields import Day, HouseForm, Pick
from app.reports.facts import ReportFacts
from app.words import _l


@dataclass(frozen=True)
class Paper:
    """A printed form. ``gather(session, record, by, at)`` returns facts, ``render(facts, locale)`` the PDF."""

    table: str
    name: str
    label: object
    gather: Callable[[Session, Any, Actor, datetime], Any]
    render: Callable[[Any, str], bytes]
    eager: tuple[str, ...] = ()
    icon: str = "printer"

    @property
    def permission(self) -> str:
        return f"can_print_{self.name}"


PAPERS: dict[tuple[str, str], Paper] = {}


def paper(declared: Paper) -> Paper:
    """Register a printed form."""
    PAPERS[declared.table, declared.name] = declared
    return declared


def papers_of(table: str) -> list[Paper]:
    """Return the printed forms of a table."""
    return [paper for (of_table, _name), paper in PAPERS.items() if of_table == table]


class DayAndBranch(HouseForm):
    """A business day of a branch."""

    day = Day(_l("Day"), required=True, past=True)
    branch_id = Pick(_l("Branch"), table="branch")


@dataclass(frozen=True)
class Asked:
    """A report's parameters, checked."""

    day: date
    branch_id: int


class Report:
    """A report: subclass it, name it, write ``gather``; registration follows."""

    name: ClassVar[str]
    number: ClassVar[str]
    label: ClassVar[object]
    category: ClassVar[str] = "reports"
    params: ClassVar[type[HouseForm]] = DayAndBranch
    daily: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        REPORTS[cls.name] = cls()

    @property
    def right(self) -> str:
        """The view name of this report's rights: can_list, can_run, can_export."""
        return f"report_{self.name}"

    def gather(self, session: Session, asked: Asked, by: Actor, at: datetime) -> ReportFacts:
        """Return the facts; nothing is rounded, formatted or translated yet."""
        raise NotImplementedError


REPORTS: dict[str, Report] = {}
