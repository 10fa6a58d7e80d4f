"""Lunar birthdays and festivals. White paper 1.3 (祝贺生日); decision 0039."""

from __future__ import annotations

from datetime import date, timedelta

import chinese_calendar
import pytest

from app.services.lunar import FESTIVALS, LunarDay, birthdays, day_of, festivals_on, lunar_of

#: A second source: days as printed in almanacs and computed by the independent library lunar-python 1.4.8.
KNOWN = [
    ("1900-01-31", 1900, 1, 1, False),
    ("1976-10-08", 1976, 8, 15, True),
    ("1984-11-23", 1984, 10, 1, True),
    ("1995-09-24", 1995, 8, 30, False),
    ("2000-02-05", 2000, 1, 1, False),
    ("2020-05-23", 2020, 4, 1, True),
    ("2023-03-22", 2023, 2, 1, True),
    ("2024-12-31", 2024, 12, 1, False),
    ("2025-01-28", 2024, 12, 29, False),
    ("2025-07-25", 2025, 6, 1, True),
    ("2026-02-16", 2025, 12, 29, False),
    ("2026-02-17", 2026, 1, 1, False),
    ("2026-08-19", 2026, 7, 7, False),
    ("2026-09-25", 2026, 8, 15, False),
    ("2033-12-22", 2033, 11, 1, True),
    ("2057-09-29", 2057, 9, 1, False),
    ("2100-02-08", 2099, 12, 30, False),
]


@pytest.mark.parametrize(("solar", "year", "month", "day", "leap"), KNOWN)
def test_days_agree_with_a_second_source(solar, year, month, day, leap):
    on = date.fromisoformat(solar)
    assert lunar_of(on) == LunarDay(year, month, day, leap)
    if not leap:
        assert day_of(year, month, day) == on


def test_outside_of_the_known_years_there_is_none():
    assert lunar_of(date(1900, 1, 30)) is None
    assert lunar_of(date(2101, 1, 1)) is None
    assert day_of(1899, 1, 1) is None
    assert list(birthdays(date(1890, 5, 5), date(2026, 1, 1), date(2026, 12, 31))) == []
    assert FESTIVALS["mid_autumn"].day_in(2101) is None


@pytest.mark.parametrize(
    ("born", "first", "last", "days"),
    [
        # 八月十五
        ("1990-10-03", "2026-01-01", "2026-12-31", ["2026-09-25"]),
        # born in the leap eighth month of 1976: celebrated in the ordinary one, also in a year that has it twice
        ("1976-10-08", "2026-01-01", "2026-12-31", ["2026-09-25"]),
        ("1976-10-08", "1995-01-01", "1995-12-31", ["1995-09-09"]),
        # born in an ordinary sixth month: once in 2025, which has two
        ("1990-07-22", "2025-01-01", "2025-12-31", ["2025-06-25"]),
        # the 30th of the twelfth month: the 29th where the month is short
        ("1985-02-19", "2025-01-01", "2026-12-31", ["2025-01-28", "2026-02-16"]),
        # the first of the twelfth month: a solar year holds two of them, the next one none
        ("1990-12-17", "2024-01-01", "2024-12-31", []),
        ("1989-12-28", "2024-01-01", "2024-12-31", ["2024-01-11", "2024-12-31"]),
        ("1989-12-28", "2025-01-01", "2025-12-31", []),
        # the day of birth is no birthday yet
        ("2026-09-25", "2026-01-01", "2027-12-31", ["2027-09-15"]),
    ],
)
def test_on_which_days_a_lunar_birthday_falls(born, first, last, days):
    if born == "1990-12-17":
        assert lunar_of(date.fromisoformat(born)) == LunarDay(1990, 11, 1)
        days = [day_of(2023, 11, 1).isoformat(), day_of(2024, 11, 1).isoformat()]
        days = [each for each in days if each.startswith("2024")]
    found = birthdays(date.fromisoformat(born), date.fromisoformat(first), date.fromisoformat(last))
    assert [day.isoformat() for day, _lunar_year in found] == days


def test_each_lunar_year_has_one_birthday_whatever_day_one_was_born():
    for offset in range(0, 4000, 97):
        born = date(1980, 1, 1) + timedelta(days=offset)
        found = list(birthdays(born, date(2000, 1, 1), date(2060, 1, 1)))
        years = [year for _day, year in found]
        assert years == list(range(years[0], years[0] + len(years)))
        assert len(set(found)) in (59, 60, 61)


@pytest.mark.parametrize(
    ("code", "holiday"),
    [
        ("new_year", chinese_calendar.Holiday.new_years_day),
        ("spring_festival", chinese_calendar.Holiday.spring_festival),
        ("qingming", chinese_calendar.Holiday.tomb_sweeping_day),
        ("labour_day", chinese_calendar.Holiday.labour_day),
        ("dragon_boat", chinese_calendar.Holiday.dragon_boat_festival),
        ("national_day", chinese_calendar.Holiday.national_day),
        ("mid_autumn", chinese_calendar.Holiday.mid_autumn_festival),
    ],
)
def test_festivals_agree_with_what_the_state_announced(code, holiday):
    """A third source: the days off as announced. Where two holidays meet, the day bears the other's name."""
    together = {("mid_autumn", 2020), ("mid_autumn", 2025), ("national_day", 2020)}
    for year in range(2014, 2027):
        day = FESTIVALS[code].day_in(year)
        is_off, name = chinese_calendar.get_holiday_detail(day)
        assert is_off, (code, year)
        assert name == holiday.value or (code, year) in together, (code, year, name)


def test_the_festivals_of_a_year():
    days = {code: festival.day_in(2026).isoformat()[5:] for code, festival in FESTIVALS.items()}
    assert days["new_years_eve"] == "02-16"
    assert days["lantern_festival"] == "03-03"
    assert days["mothers_day"] == "05-10"
    assert days["qixi"] == "08-19"
    assert days["double_ninth"] == "10-18"
    assert [each.code for each in festivals_on(date(2020, 10, 1))] == ["mid_autumn", "national_day"]
    assert festivals_on(date(2026, 11, 24)) == []
    assert all(festival.name and festival.name_en for festival in FESTIVALS.values())
