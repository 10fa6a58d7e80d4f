"""The daily reports of a branch, made in the background: long work that the clock asks for."""

from __future__ import annotations

from datetime import date

from app.reports.base import REPORTS, Asked
from app.reports.runs import make, make_scheduled
from app.services.jobs import MANUAL
from app.services.tasks import TaskRun, task
from app.words import _l

DAILY_REPORTS = "reports.daily"


@task(DAILY_REPORTS, _l("Daily reports"))
def make_daily(run: TaskRun) -> str:
    """Make and keep every report that is declared daily, for one branch and day; one that stands is left alone.

    Who asked for it by hand gets a fresh one beside the one that stands.
    """
    asked = Asked(day=date.fromisoformat(run.parameters["day"]), branch_id=run.parameters["branch_id"])
    reports = [report for report in REPORTS.values() if report.daily]
    made = []
    for number, report in enumerate(reports):
        run.progress(number, len(reports))
        if make_scheduled(run.session, report, asked, job=DAILY_REPORTS, by=run.by, at=run.at) is not None:
            made.append(report.name)
        elif run.task.request_key.startswith(MANUAL):
            key = f"task:{run.task.id}:{report.name}"
            make(run.session, report, asked, by=run.by, at=run.at, key=key)
            made.append(report.name)
    run.progress(len(reports))
    return ", ".join(made)
