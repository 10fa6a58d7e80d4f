"""The daily reports of each branch, at the time that it sets; those of a day that was missed too."""

from __future__ import annotations

from app.jobs.declared import daily, queued
from app.reports.daily import DAILY_REPORTS, ONSITE_DAILY, ONSITE_DAILY_AT, TRIAGE_LOG, TRIAGE_LOG_AT
from app.services.settings import DAILY_REPORT_AT
from app.words import _l

# The task makes them; its slot only asks for it, in one transaction.
daily(DAILY_REPORTS, DAILY_REPORT_AT, label=_l("Daily reports"), closes_day=True)(queued(DAILY_REPORTS))
daily(ONSITE_DAILY, ONSITE_DAILY_AT, label=_l("On-site consulting daily"), closes_day=True)(queued(ONSITE_DAILY))
daily(TRIAGE_LOG, TRIAGE_LOG_AT, label=_l("Triage log"), closes_day=True)(queued(TRIAGE_LOG))
