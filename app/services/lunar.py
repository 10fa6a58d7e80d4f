"""The lunar calendar: on which day a lunar birthday and a festival fall. White paper 1.3; decision 0039.

The days are those of ``borax``, which knows 1900 to 2100; outside of these years there is none. Who was born in a
leap month celebrates in the month of the same number. The 30th of a month that has 29 days falls on the 29th.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

from borax.calendars.lunardate import LCalendars, LunarDate, TermUtils

from app.words import locale_in_force

FIRST, LAST = date(1900, 1, 31), date(2100, 12, 31)


@dataclass(frozen=True)
class LunarDay:
    """A day of the lunar calendar; ``is_leap``: it lies in the month that its year has twice, the second time."""

    year: int
    month: int
    day: int
    is_leap: bool = False

    def __str__(self) -> str:
        """Return it as people write it: 八月十五, 闰六月初一."""
        return LunarDate(self.year, self.month, self.day, int(self.is_leap)).strftime("%L%M月%D")


@lru_cache(maxsize=40_000)
def lunar_of(day: date) -> LunarDay | None:
    """Return the lunar day of a solar one; None outside of the years that are known."""
    if not FIRST <= day <= LAST:
        return None
    found = LunarDate.from_solar(day)
    return LunarDay(found.year, found.month, found.day, bool(found.leap))


def day_of(lunar_year: int, month: int, day: int) -> date | None:
    """Return the solar day of a lunar day in an ordinary month; the last of a shorter month instead of the 30th."""
    if not FIRST.year <= lunar_year <= LAST.year:
        return None
    last: int = LCalendars.ndays(lunar_year, month)
    found: date = LunarDate(lunar_year, month, min(day, last)).to_solar_date()
    return found


def birthdays(born: date, first: date, last: date) -> Iterator[tuple[date, int]]:
    """Yield the days from ``first`` to ``last`` on which a lunar birthday falls, each with its lunar year.

    A solar year may hold none or two of them. ``born`` is the solar date of birth; the day of birth itself is none.
    """
    was, begin, end = lunar_of(born), lunar_of(first), lunar_of(last)
    if was is None or begin is None or end is None:
        return
    for year in range(max(begin.year, was.year + 1), end.year + 1):
        day = day_of(year, was.month, was.day)
        if day is not None and first <= day <= last:
            yield day, year


# --- festivals ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Festival:
    """A festival: its code, its two names, and its day in a solar year (None outside of the years that are known)."""

    code: str
    name: str
    name_en: str
    day_in: Callable[[int], date | None]

    @property
    def label(self) -> str:
        return self.name_en if locale_in_force() == "en" else self.name

    def __str__(self) -> str:
        return self.label


def _solar(month: int, day: int) -> Callable[[int], date | None]:
    return lambda year: date(year, month, day)


def _lunar(month: int, day: int) -> Callable[[int], date | None]:
    """Return the day of a festival in the first ten months, which lie in the solar year of the same number."""
    return lambda year: day_of(year, month, day)


def _eve(year: int) -> date | None:
    spring = day_of(year, 1, 1)
    return None if spring is None else spring - timedelta(days=1)


def _qingming(year: int) -> date | None:
    if not FIRST.year < year <= LAST.year:
        return None
    found: date = TermUtils.nth_term_day(year, term_name="清明")
    return found


def _sunday(month: int, nth: int) -> Callable[[int], date | None]:
    def find(year: int) -> date:
        first = date(year, month, 1)
        return first + timedelta(days=6 - first.weekday() + 7 * (nth - 1))

    return find


#: In the order of the year. The winter solstice and what the state does not keep are left out on purpose.
FESTIVALS: dict[str, Festival] = {
    each.code: each
    for each in (
        Festival("new_year", "元旦", "New Year's Day", _solar(1, 1)),
        Festival("new_years_eve", "除夕", "Lunar New Year's Eve", _eve),
        Festival("spring_festival", "春节", "Spring Festival", _lunar(1, 1)),
        Festival("valentines_day", "情人节", "Valentine's Day", _solar(2, 14)),
        Festival("lantern_festival", "元宵节", "Lantern Festival", _lunar(1, 15)),
        Festival("womens_day", "妇女节", "Women's Day", _solar(3, 8)),
        Festival("qingming", "清明节", "Tomb-sweeping Day", _qingming),
        Festival("labour_day", "劳动节", "Labour Day", _solar(5, 1)),
        Festival("mothers_day", "母亲节", "Mother's Day", _sunday(5, 2)),
        Festival("childrens_day", "儿童节", "Children's Day", _solar(6, 1)),
        Festival("dragon_boat", "端午节", "Dragon Boat Festival", _lunar(5, 5)),
        Festival("fathers_day", "父亲节", "Father's Day", _sunday(6, 3)),
        Festival("qixi", "七夕节", "Double Seventh Festival", _lunar(7, 7)),
        Festival("teachers_day", "教师节", "Teachers' Day", _solar(9, 10)),
        Festival("mid_autumn", "中秋节", "Mid-Autumn Festival", _lunar(8, 15)),
        Festival("national_day", "国庆节", "National Day", _solar(10, 1)),
        Festival("double_ninth", "重阳节", "Double Ninth Festival", _lunar(9, 9)),
        Festival("christmas", "圣诞节", "Christmas", _solar(12, 25)),
    )
}


def festivals_on(day: date) -> list[Festival]:
    """Return the festivals of a day, in the order of the year."""
    return [each for each in FESTIVALS.values() if each.day_in(day.year) == day]
