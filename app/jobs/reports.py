"""The daily reports of each branch, at the time that it sets; yesterday's too if they were missed.

A time from noon on reports the day itself, an earlier one the day that has ended.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from app.actors import house
from app.jobs.declared import Slot, daily
from app.models.hr import Branch
from app.reports import appointment_daily, contact_daily  # noqa: F401  (declare themselves)
from app.reports.base import REPORTS, Asked
from app.reports.runs import make_scheduled
from app.services.settings import DAILY_REPORT_AT
from app.words import _l


@daily("reports.daily", DAILY_REPORT_AT, label=_l("Daily reports"), closes_day=True)
def make_daily(session: Session, slot: Slot, at: datetime) -> str:
    """Make and keep every report that is declared daily, for one branch and day."""
    assert slot.branch_id is not None
    assert slot.day is not None
    branch = session.get_one(Branch, slot.branch_id)
    by = house("job:reports.daily", branch_id=branch.id, zone=branch.zone)
    asked = Asked(day=slot.day, branch_id=branch.id)
    made = [
        report.name
        for report in REPORTS.values()
        if report.daily and make_scheduled(session, report, asked, job="reports.daily", by=by, at=at) is not None
    ]
    return ", ".join(made)
