"""The demo's days: counted from the anchor day, which is day 0; nothing is ever done later than now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

OPENING, CLOSING = 8 * 60 + 30, 20 * 60 + 30


@dataclass(frozen=True)
class Calendar:
    """Turns (day, minute of the day) into instants of the branches' zone."""

    anchor: date
    now: datetime
    zone: ZoneInfo

    def exactly(self, day: int, minute: float) -> datetime:
        """Return an instant; on the anchor day it may lie ahead."""
        midnight = datetime.combine(self.anchor + timedelta(days=day), time.min, self.zone)
        return midnight + timedelta(seconds=round(minute * 60))

    def done_at(self, day: int, minute: float) -> datetime:
        """Return an instant at which something was done: on the anchor day, the working day is squeezed into the
        part of it that is over, so that what the desk did today was done before now."""
        if day < 0:
            return self.exactly(day, minute)
        end = min(self.now, self.exactly(0, CLOSING))
        begin = self.exactly(0, OPENING if end > self.exactly(0, OPENING + 60) else 0)
        part = min(max((minute - OPENING) / (CLOSING - OPENING), 0.0), 1.0)
        return begin + timedelta(seconds=int((end - begin).total_seconds() * part))

    def weekend(self, day: int) -> bool:
        """Say whether a day is a Saturday or Sunday, when most customers come."""
        return (self.anchor + timedelta(days=day)).weekday() >= 5
