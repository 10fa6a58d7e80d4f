"""When a branch receives customers: its hours, its weekdays, the public holidays, and the days that differ.

White paper 2.1.2 leaves this to the branch [J]; an appointment at another time warns and is not refused. Holidays and
make-up working days come from ``chinesecalendar``, which knows the years that the state has announced.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

import chinese_calendar
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.actors import Actor
from app.errors import InvalidInput
from app.models.calendar import BranchDay, DayKind
from app.models.hr import Branch
from app.services.plain import checks
from app.services.settings import CLOSED_WEEKDAYS, CLOSES_AT, HOLIDAYS, OPENS_AT, value_of
from app.words import _, _l

SPRING_FESTIVAL = chinese_calendar.Holiday.spring_festival.value
#: Between these days of a year every Spring Festival lies, with its days off (month, day).
SPRING = ((1, 20), (3, 1))
NAMES = {
    "New Year's Day": _l("New Year's Day"),
    "Spring Festival": _l("Spring Festival"),
    "Tomb-sweeping Day": _l("Tomb-sweeping Day"),
    "Labour Day": _l("Labour Day"),
    "Dragon Boat Festival": _l("Dragon Boat Festival"),
    "National Day": _l("National Day"),
    "Mid-autumn Festival": _l("Mid-autumn Festival"),
}


@dataclass(frozen=True)
class Opening:
    """A branch's day. ``closed_for`` says why it is closed, empty if it is open; ``is_announced`` is False where a
    public holiday might close it that the state has not announced yet."""

    day: date
    opens_at: time
    closes_at: time
    closed_for: str = ""
    is_announced: bool = True

    @property
    def is_open(self) -> bool:
        return not self.closed_for

    def covers(self, moment: time) -> bool:
        """Say whether a time of this day lies within the hours; the closing time itself does not."""
        if not self.is_open:
            return False
        if self.opens_at < self.closes_at:
            return self.opens_at <= moment < self.closes_at
        return self.opens_at == self.closes_at or moment >= self.opens_at or moment < self.closes_at


def opening(session: Session, branch: Branch, day: date, at: datetime) -> Opening:
    """Return when a branch receives customers on a day, as the settings in force at ``at`` say.

    A row of ``branch_day`` outweighs all else. Hours that end before they begin reach past midnight; the same time
    twice is all day.
    """
    opens, closes = (value_of(session, hour, branch_id=branch.id, at=at) for hour in (OPENS_AT, CLOSES_AT))
    own = session.scalars(select(BranchDay).where(BranchDay.branch_id == branch.id, BranchDay.day_on == day)).first()
    if own is not None:
        closed_for = "" if own.kind is DayKind.OPEN else own.note or _("it is entered as closed")
        return Opening(day, own.opens_at or opens, own.closes_at or closes, closed_for)
    wanted: str = value_of(session, HOLIDAYS, branch_id=branch.id, at=at)
    closed_weekdays = value_of(session, CLOSED_WEEKDAYS, branch_id=branch.id, at=at)
    closed_for = _holiday(day, wanted)
    if not closed_for and day.isoweekday() in closed_weekdays and not _is_made_up(day):
        closed_for = _("it is closed on this day of the week")
    return Opening(day, opens, closes, closed_for, _is_announced(day, wanted))


def _is_known(day: date) -> bool:
    """Say whether the state's calendar of a day's year is known."""
    try:
        chinese_calendar.is_holiday(day)
    except NotImplementedError:
        return False
    return True


def _holiday(day: date, wanted: str) -> str:
    """Return the name of the public holiday that closes a branch on a day, or nothing."""
    if wanted == "none" or not _is_known(day):
        return ""
    is_off, name = chinese_calendar.get_holiday_detail(day)
    if not is_off or name is None or (wanted == "spring_festival" and name != SPRING_FESTIVAL):
        return ""
    return str(NAMES.get(name, name))


def _is_made_up(day: date) -> bool:
    """Say whether a Saturday or Sunday is a working day by announcement (调休)."""
    return day.isoweekday() > 5 and _is_known(day) and chinese_calendar.is_workday(day)


def _is_announced(day: date, wanted: str) -> bool:
    """Say whether it is known that no public holiday closes a branch on a day; else weekdays alone count."""
    if wanted == "none" or _is_known(day):
        return True
    first, last = SPRING
    return wanted == "spring_festival" and not first <= (day.month, day.day) <= last


def hours_warnings(session: Session, branch: Branch, appointed_at: datetime, at: datetime) -> list[str]:
    """Return what speaks against receiving a customer at a time: a closed day, other hours, an unknown holiday."""
    local = appointed_at.astimezone(ZoneInfo(branch.zone))
    told = opening(session, branch, local.date(), at)
    day = local.date().isoformat()
    said = []
    if not told.is_open:
        said.append(_("The branch is closed on %(day)s: %(why)s.", day=day, why=told.closed_for))
    elif not told.covers(local.time()):
        hours = f"{told.opens_at:%H:%M}-{told.closes_at:%H:%M}"
        said.append(_("On %(day)s the branch is open %(hours)s.", day=day, hours=hours))
    if not told.is_announced:
        said.append(
            _("The public holidays of %(year)s are not announced yet; %(day)s may be one.", year=local.year, day=day)
        )
    return said


@checks(BranchDay)
def _branch_day(session: Session, day: BranchDay, by: Actor) -> None:
    """A closed day has no hours; an open one opens before it closes."""
    if day.kind is DayKind.CLOSED and (day.opens_at or day.closes_at):
        raise InvalidInput({"kind": [_("A closed day has no opening hours.")]})
    if day.opens_at and day.closes_at and day.closes_at <= day.opens_at:
        raise InvalidInput({"closes_at": [_("The end cannot lie before the beginning.")]})
