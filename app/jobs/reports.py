"""The daily reports of each branch, at the time that it sets; yesterday's too if they were missed."""

from __future__ import annotations

from app.jobs.declared import daily, queued
from app.reports.daily import DAILY_REPORTS
from app.services.settings import DAILY_REPORT_AT

daily(DAILY_REPORTS, DAILY_REPORT_AT)(queued(DAILY_REPORTS))
