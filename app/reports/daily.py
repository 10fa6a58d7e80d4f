"""The daily reports of a branch, made in the background: long work that the clock asks for."""

from __future__ import annotations

from datetime import date

from app.reports.base import REPORTS, Asked
from app.reports.runs import make, make_scheduled
from app.services.jobs import MANUAL
from app.services.settings import setting
from app.services.tasks import TaskRun, task
from app.words import _l

DAILY_REPORTS = "reports.daily"
ONSITE_DAILY, TRIAGE_LOG = "reports.onsite_daily", "reports.triage_log"
#: S5, S6: the day's clerk leaves at half past five, the evening's at half past eight.
ONSITE_DAILY_AT = setting(
    "reports.onsite_daily_at",
    _l("Time of the on-site consulting daily"),
    "17:30",
    "clock",
    help=_l("Branch time. The duty clerk signs it before she leaves; what comes later stands in the triage log."),
    source="S5, RPT-03",
)
TRIAGE_LOG_AT = setting(
    "reports.triage_log_at",
    _l("Time of the triage log"),
    "20:30",
    "clock",
    help=_l("Branch time. The evening clerk signs it before she leaves."),
    source="S6, RPT-04",
)


def _make(run: TaskRun, job: str) -> str:
    """Make and keep every daily report of a job, for one branch and day; one that stands is left alone.

    Who asked for it by hand gets a fresh one beside the one that stands.
    """
    asked = Asked(day=date.fromisoformat(run.parameters["day"]), branch_id=run.parameters["branch_id"])
    reports = [report for report in REPORTS.values() if report.daily and (report.job or DAILY_REPORTS) == job]
    made = []
    for number, report in enumerate(reports):
        run.progress(number, len(reports))
        if make_scheduled(run.session, report, asked, job=job, by=run.by, at=run.at) is not None:
            made.append(report.name)
        elif run.task.request_key.startswith(MANUAL):
            key = f"task:{run.task.id}:{report.name}"
            make(run.session, report, asked, by=run.by, at=run.at, key=key)
            made.append(report.name)
    run.progress(len(reports))
    return ", ".join(made)


@task(DAILY_REPORTS, _l("Daily reports"))
def make_daily(run: TaskRun) -> str:
    """Make the reports of the day's end."""
    return _make(run, DAILY_REPORTS)


@task(ONSITE_DAILY, _l("On-site consulting daily"))
def make_onsite_daily(run: TaskRun) -> str:
    """Make the report that the duty clerk signs. RPT-03, S5."""
    return _make(run, ONSITE_DAILY)


@task(TRIAGE_LOG, _l("Triage log"))
def make_triage_log(run: TaskRun) -> str:
    """Make the log that the evening clerk signs. RPT-04, S6."""
    return _make(run, TRIAGE_LOG)
