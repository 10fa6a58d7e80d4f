"""The day that the daily reports are counted for by hand."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

CHINA = ZoneInfo("Asia/Shanghai")
DAY = date(2026, 3, 10)


def on(hour, minute=0, second=0, days=0):
    return datetime(2026, 3, 10, hour, minute, second, tzinfo=CHINA) + timedelta(days=days)
