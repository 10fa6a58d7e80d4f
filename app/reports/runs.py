"""Stored runs of reports: facts with their parameters, opened again unchanged."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.actors import Actor
from app.models.audit import ReportRun
from app.reports.base import Asked, Report
from app.reports.facts import ReportFacts, from_json, to_json

__all__ = ["facts_of", "make", "make_scheduled", "newest_runs"]


def make(session: Session, report: Report, asked: Asked, *, by: Actor, at: datetime) -> ReportRun:
    """Run a report now and keep it."""
    run = ReportRun(**_values(report, report.gather(session, asked, by, at), asked, by=by, at=at))
    session.add(run)
    session.flush()
    return run


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
        "parameters": {"day": asked.day.isoformat(), "branch_id": asked.branch_id},
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
