"""When a job falls due: the clock's own marks, and a time of day that each branch sets."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import update

from app.jobs import declared
from app.jobs.declared import daily, every
from app.models.hr import Branch
from app.models.settings import Param
from app.services.settings import DAILY_REPORT_AT

CHINA = ZoneInfo("Asia/Shanghai")


@pytest.fixture(autouse=True)
def no_other_jobs(monkeypatch):
    """Keep what is declared here out of the real list of jobs."""
    monkeypatch.setattr(declared, "JOBS", {})


def nothing(_session, _slot, _at):
    return ""


def declare(declaration):
    declaration(nothing)
    (job,) = declared.JOBS.values()
    return job


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# --- every -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("period", "catch_up", "now", "expected"),
    [
        # minutes, seconds:      now, and the marks that are due, oldest first
        (5 * 60, 15 * 60, "2026-11-22T13:07:42", ["12:55:00", "13:00:00", "13:05:00"]),
        (5 * 60, 15 * 60, "2026-11-22T13:05:00", ["12:55:00", "13:00:00", "13:05:00"]),
        (5 * 60, 15 * 60, "2026-11-22T13:04:59.999999", ["12:50:00", "12:55:00", "13:00:00"]),
        (5 * 60, 5 * 60, "2026-11-22T13:07:42", ["13:05:00"]),
        (5 * 60, 0, "2026-11-22T13:07:42", ["13:05:00"]),  # the newest mark is always due
        (3600, 2 * 3600, "2026-11-22T00:10:00", ["23:00:00", "00:00:00"]),  # over midnight
        (1, 3, "2026-11-22T13:07:42.9", ["13:07:40", "13:07:41", "13:07:42"]),
    ],
)
def test_a_periodic_job_is_due_at_the_clocks_own_marks(period, catch_up, now, expected):
    job = declare(every("t.every", timedelta(seconds=period), catch_up=timedelta(seconds=catch_up)))
    slots = job.slots(None, utc(now))
    assert [slot.due_at.strftime("%H:%M:%S") for slot in slots] == expected
    assert [slot.key for slot in slots] == [slot.due_at.isoformat() for slot in slots]


def test_the_marks_of_a_new_year_follow_those_of_the_old():
    job = declare(every("t.every", timedelta(minutes=5), catch_up=timedelta(minutes=10)))
    assert [slot.key for slot in job.slots(None, utc("2027-01-01T00:04:00"))] == [
        "2026-12-31T23:55:00+00:00",
        "2027-01-01T00:00:00+00:00",
    ]


def test_all_schedulers_name_a_slot_alike_whenever_they_look():
    job = declare(every("t.every", timedelta(minutes=5), catch_up=timedelta(minutes=5)))
    looks = [utc("2026-11-22T13:05:00") + timedelta(seconds=seconds) for seconds in (0, 0.001, 17, 299.999)]
    assert {slot.key for now in looks for slot in job.slots(None, now)} == {"2026-11-22T13:05:00+00:00"}


@pytest.mark.parametrize(("period", "looks"), [(1, 1), (10, 10), (300, 15), (86400, 15)])
def test_a_periodic_job_is_looked_for_often_enough(period, looks):
    job = declare(every("t.every", timedelta(seconds=period), catch_up=timedelta()))
    assert job.look_every == timedelta(seconds=looks)


# --- daily -------------------------------------------------------------------------------------------------------


@pytest.fixture
def due(session):
    """Return the (branch code, day) that are due at an instant of China's clock."""
    job = declare(daily("t.daily", DAILY_REPORT_AT))

    def ask(local):
        now = datetime.fromisoformat(local).replace(tzinfo=CHINA)
        slots = job.slots(session, now)
        assert all(slot.due_at <= now for slot in slots)
        assert all(slot.key == f"{code_of(session, slot)}:{slot.day.isoformat()}" for slot in slots)
        return [(code_of(session, slot), slot.day.isoformat()) for slot in slots]

    return ask


def code_of(session, slot):
    return session.get_one(Branch, slot.branch_id).code


@pytest.fixture
def set_time(session):
    """Set the time of the daily reports, for a branch or the group, from an instant of China's clock on."""

    def put(value, since, branch=None):
        branch_id = None if branch is None else session.query(Branch.id).filter_by(code=branch).scalar()
        at = datetime.fromisoformat(since).replace(tzinfo=CHINA)
        session.add(Param(key=DAILY_REPORT_AT.key, branch_id=branch_id, value=value, effective_at=at))
        session.flush()

    return put


@pytest.fixture
def move(session):
    """Put a branch into another time zone."""

    def put(code, zone):
        session.execute(update(Branch).where(Branch.code == code).values(zone=zone))
        session.expire_all()

    return put


def of_branch(slots, code):
    return [day for of, day in slots if of == code]


@pytest.mark.parametrize(
    ("now", "days"),
    [
        ("2026-11-22T20:59:59", ["2026-11-21"]),  # not before the time; yesterday is made up
        ("2026-11-22T21:00:00", ["2026-11-21", "2026-11-22"]),
        ("2026-11-22T23:59:59", ["2026-11-21", "2026-11-22"]),
        ("2026-11-23T00:00:00", ["2026-11-22"]),  # a new day begins, the last one can still be made up
        ("2026-11-23T20:59:59", ["2026-11-22"]),
        ("2026-12-31T21:00:00", ["2026-12-30", "2026-12-31"]),
        ("2027-01-01T00:30:00", ["2026-12-31"]),
        ("2028-03-01T08:00:00", ["2028-02-29"]),
    ],
)
def test_a_daily_job_is_due_at_its_time_and_for_yesterday(due, now, days):
    assert due(now) == [(code, day) for code in ("01", "02") for day in days]


def test_a_branch_may_set_another_time_than_the_group(due, set_time):
    set_time("20:00", "2026-11-01T00:00:00")
    set_time("18:30", "2026-11-01T00:00:00", branch="02")
    assert due("2026-11-22T18:29:59") == [("01", "2026-11-21"), ("02", "2026-11-21")]
    assert due("2026-11-22T18:30:00") == [("01", "2026-11-21"), ("02", "2026-11-21"), ("02", "2026-11-22")]
    assert of_branch(due("2026-11-22T20:00:00"), "01") == ["2026-11-21", "2026-11-22"]


@pytest.mark.parametrize(
    ("value", "since", "now", "is_due"),
    [
        ("18:00", "2026-11-22T17:00:00", "2026-11-22T17:59:59", False),
        ("18:00", "2026-11-22T17:00:00", "2026-11-22T18:00:00", True),  # brought forward during the day
        ("18:00", "2026-11-22T19:30:00", "2026-11-22T19:29:59", False),
        ("18:00", "2026-11-22T19:30:00", "2026-11-22T19:30:00", True),  # brought forward into the past: due at once
        ("22:30", "2026-11-22T20:00:00", "2026-11-22T21:00:00", False),  # put off before it was due
        ("22:30", "2026-11-22T20:00:00", "2026-11-22T22:30:00", True),
        ("18:00", "2026-11-23T00:00:00", "2026-11-22T20:00:00", False),  # in force tomorrow only
        ("00:00", "2026-11-21T12:00:00", "2026-11-22T00:00:00", True),
        ("23:59", "2026-11-21T12:00:00", "2026-11-22T23:58:59", False),
        ("23:59", "2026-11-21T12:00:00", "2026-11-22T23:59:00", True),
    ],
)
def test_the_time_in_force_now_decides(due, set_time, value, since, now, is_due):
    set_time(value, since, branch="01")
    assert ("2026-11-22" in of_branch(due(now), "01")) is is_due


def test_a_time_that_is_changed_makes_no_second_slot_of_the_day(due, set_time):
    before = due("2026-11-22T21:10:00")
    set_time("21:30", "2026-11-22T21:20:00")
    assert due("2026-11-22T21:30:00") == before, "the same keys, so what ran does not run again"


def test_each_branch_goes_by_its_own_clock(due, move):
    move("02", "Asia/Urumqi")  # two hours behind
    assert due("2026-11-22T22:59:59") == [("01", "2026-11-21"), ("01", "2026-11-22"), ("02", "2026-11-21")]
    assert of_branch(due("2026-11-22T23:00:00"), "02") == ["2026-11-21", "2026-11-22"]
    assert of_branch(due("2026-11-23T01:00:00"), "02") == ["2026-11-21", "2026-11-22"], "the 22nd goes on over there"
    assert of_branch(due("2026-11-23T01:00:00"), "01") == ["2026-11-22"]


@pytest.mark.parametrize(
    ("zone", "day", "instant"),
    [
        ("Asia/Shanghai", date(2026, 7, 1), "2026-07-01T13:00:00"),  # no summer time: the same all the year
        ("Asia/Shanghai", date(2026, 12, 31), "2026-12-31T13:00:00"),
        ("Europe/Berlin", date(2026, 10, 24), "2026-10-24T19:00:00"),  # where there is one, the wall clock counts
        ("Europe/Berlin", date(2026, 10, 25), "2026-10-25T20:00:00"),
    ],
)
def test_a_time_of_day_is_the_branchs_wall_clock(session, move, zone, day, instant):
    move("01", zone)
    job = declare(daily("t.daily", DAILY_REPORT_AT, days_back=0))
    now = datetime.combine(day, time(21, 5), ZoneInfo(zone))
    first = job.slots(session, now)[0]
    assert (first.day, first.due_at) == (day, utc(instant))


def test_how_many_days_are_made_up_is_declared(session):
    job = declare(daily("t.daily", DAILY_REPORT_AT, days_back=3))
    days = [slot.day.day for slot in job.slots(session, datetime(2026, 11, 22, 21, 0, tzinfo=CHINA))]
    assert days == [19, 20, 21, 22] * 2


@pytest.mark.parametrize(
    ("value", "now", "days"),
    [
        ("00:00", "2026-11-22T00:00:00", [20, 21]),  # the 21st has just ended
        ("00:00", "2026-11-21T23:59:59", [19, 20]),
        ("11:59", "2026-11-22T11:58:59", [20]),  # the 21st is closed at 11:59 of the 22nd
        ("11:59", "2026-11-22T11:59:00", [20, 21]),
        ("12:00", "2026-11-22T12:00:00", [21, 22]),  # from noon on, the day itself
        ("12:00", "2026-11-22T11:59:59", [21]),
    ],
)
def test_a_job_that_closes_the_day_belongs_before_noon_to_the_day_before(session, set_time, value, now, days):
    job = declare(daily("t.daily", DAILY_REPORT_AT, closes_day=True))
    set_time(value, "2026-11-01T00:00:00")
    slots = job.slots(session, datetime.fromisoformat(now).replace(tzinfo=CHINA))
    assert [slot.day.day for slot in slots if slot.key.startswith("01:")] == days


def test_a_job_knows_when_it_is_due_next(session, set_time):
    periodic = declare(every("t.every", timedelta(minutes=5), catch_up=timedelta()))
    assert periodic.following(session, utc("2026-11-22T13:05:00")) == utc("2026-11-22T13:10:00")
    declared.JOBS.clear()
    evening = declare(daily("t.daily", DAILY_REPORT_AT))
    set_time("18:30", "2026-11-01T00:00:00", branch="02")
    told = [evening.following(session, datetime(2026, 11, 22, hour, 0, tzinfo=CHINA)) for hour in (18, 19, 21)]
    assert [each.astimezone(CHINA).strftime("%d %H:%M") for each in told] == ["22 18:30", "22 21:00", "23 18:30"]


def test_a_job_has_words_for_people(session):
    assert declare(every("t.every", timedelta(minutes=5), catch_up=timedelta(), label="Sweep")).label == "Sweep"
