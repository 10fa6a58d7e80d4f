"""Stored runs of reports: facts with their parameters, opened again unchanged."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.actors import Actor
from app.errors import KeyReused
from app.models.audit import ReportRun
from app.reports.base import Asked, Report
from app.reports.facts import ReportFacts, from_json, to_json
from app.services.guard import crossing
from app.words import _

__all__ = ["facts_of", "make", "make_scheduled", "newest_runs"]


def make(
    session: Session, report: Report, asked: Asked, *, by: Actor, at: datetime, key: str | None = None
) -> ReportRun:
    """Run a report now and keep it; the same request key keeps it once. Refuses a key used for another report."""
    earlier = _made_with(session, by, key)
    if earlier is None:
        values = _values(report, report.gather(session, asked, by, at), asked, by=by, at=at) | {"request_key": key}
        made = session.scalar(
            insert(ReportRun)
            .values(**values)
            .on_conflict_do_nothing(index_elements=["made_by", "request_key"])
            .returning(ReportRun)
        )
        # A second click at the same moment waited for the first, and finds what that one made.
        earlier = made or _made_with(session, by, key)
        assert earlier is not None
    if (earlier.report, earlier.parameters) != (report.name, asked.parameters()):
        raise KeyReused(_("This request key was used before for something else. Please start again."))
    return earlier


def _made_with(session: Session, by: Actor, key: str | None) -> ReportRun | None:
    if key is None:
        return None
    same = (ReportRun.made_by == by.name, ReportRun.request_key == key)
    with crossing("own_request"):
        return session.scalars(select(ReportRun).where(*same)).one_or_none()


def make_scheduled(session: Session, report: Report, asked: Asked, *, job: str, by: Actor, at: datetime) -> int | None:
    """Make a day's report for the scheduler, once per report, branch and day; None if it stands already."""
    values = _values(report, report.gather(session, asked, by, at), asked, by=by, at=at) | {"made_by_job": job}
    made: int | None = session.execute(
        insert(ReportRun)
        .values(**values)
        .on_conflict_do_nothing(
            index_elements=["report", "branch_id", "business_on"], index_where=ReportRun.made_by_job.is_not(None)
        )
        .returning(ReportRun.id)
    ).scalar_one_or_none()
    return made


def _values(report: Report, facts: ReportFacts, asked: Asked, *, by: Actor, at: datetime) -> dict[str, object]:
    return {
        "report": report.name,
        "branch_id": asked.branch_id,
        "business_on": asked.day,
        "parameters": asked.parameters(),
        "facts": to_json(facts),
        "made_at": at,
        "made_by": by.name,
        "employee_id": by.employee_id,
    }


def facts_of(run: ReportRun) -> ReportFacts:
    """Return a stored run's facts, unchanged."""
    return from_json(run.facts)


def newest_runs(session: Session, report: Report, branch_id: int, *, most: int = 12) -> list[ReportRun]:
    """Return a branch's newest runs of a report."""
    return list(
        session.scalars(
            select(ReportRun)
            .where(ReportRun.report == report.name, ReportRun.branch_id == branch_id)
            .order_by(ReportRun.id.desc())
            .limit(most)
        )
    )
