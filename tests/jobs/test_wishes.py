"""Birthdays and anniversaries: the page and the calls. White paper 1.3 (祝贺生日), R-1.2-2."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import inspect, select

from app.jobs.clock import look
from app.jobs.declared import JOBS
from app.models.audit import JobRun
from app.models.customers import BirthCalendar, Customer, FileState, MergeProof, Stage
from app.models.followup import FollowupPlan, PlanState
from app.models.settings import Param
from app.services.customers.anniversaries import coming, day_in
from app.services.settings import WISHES_AHEAD_DAYS, WISHES_AT

CHINA = ZoneInfo("Asia/Shanghai")


def on(year, month, day, hour=9):
    return datetime(year, month, day, hour, tzinfo=CHINA)


@pytest.fixture
def run_job(app, session):
    def go(at):
        done = look(app, JOBS["customers.wishes"], lambda: at)
        assert session.execute(select(JobRun.slot, JobRun.error).where(JobRun.error.is_not(None))).all() == []
        return done

    return go


@pytest.fixture
def plans(session):
    def of(customer):
        (customer_id,) = inspect(customer).identity
        statement = select(FollowupPlan).where(FollowupPlan.customer_id == customer_id).order_by(FollowupPlan.id)
        return session.scalars(statement.execution_options(populate_existing=True)).all()

    return of


@pytest.fixture
def born(session, make_customer):
    """A customer with a birthday."""

    def make(day, **values):
        customer = make_customer(**values)
        customer.birth_on = day
        session.commit()
        return customer

    return make


@pytest.fixture
def married(do, consultant, make_customer, item):
    """A customer with a wedding day, and the trait."""

    def make(month, day):
        customer = make_customer()
        kind = item("trait_type", "anniversary").id
        given = {"trait_type_id": kind, "value": "结婚纪念日", "stage": Stage.WARD, "month": month, "month_day": day}
        return customer, do("customer.add_trait", consultant, customer, **given).result

    return make


def put(session, setting, value):
    session.add(Param(key=setting.key, branch_id=None, value=value, effective_at=on(2026, 1, 1)))
    session.commit()


def test_a_lunar_birthday_gets_its_call_on_the_day_of_the_lunar_calendar(session, run_job, plans, born):
    """八月十五 falls on 25 September 2026 and 15 September 2027; on the solar day of birth nothing happens."""
    customer = born(date(1990, 10, 3))
    customer.birth_calendar = BirthCalendar.LUNAR
    session.commit()
    for day in (on(2026, 9, 25), on(2026, 10, 3), on(2027, 9, 15), on(2027, 9, 15, 18)):
        run_job(day)
    assert [(plan.planned_on, plan.occasion) for plan in plans(customer)] == [
        (date(2026, 9, 25), f"customer:{customer.id}:lunar:2026"),
        (date(2027, 9, 15), f"customer:{customer.id}:lunar:2027"),
    ]


def test_a_year_may_hold_two_lunar_birthdays_and_a_change_of_the_calendar_makes_no_second_wish(
    session, run_job, plans, born
):
    """The first of the twelfth month: 11 January and 31 December 2024; none in 2025."""
    customer = born(date(1989, 12, 28))
    (customer_id,) = inspect(customer).identity
    run_job(on(2023, 12, 28))  # the solar one
    session.get(Customer, customer_id).birth_calendar = BirthCalendar.LUNAR
    session.commit()
    for day in (on(2024, 1, 11), on(2024, 12, 28), on(2024, 12, 31)):
        run_job(day)
    assert [plan.planned_on for plan in plans(customer)] == [date(2023, 12, 28), date(2024, 12, 31)]


def test_a_birthday_gets_one_call_a_year_on_the_day_approved_already(run_job, plans, born, consultant):
    """1.3: 顾客生日自动回访; exactly once per customer and year, however often the clock looks."""
    customer = born(date(1992, 3, 10))
    assert run_job(on(2026, 3, 10)) != []
    assert run_job(on(2026, 3, 10, 10)) == []
    run_job(on(2026, 3, 11))
    (plan,) = plans(customer)
    assert (plan.category.code, plan.state, plan.planned_on) == ("birthday", PlanState.APPROVED, date(2026, 3, 10))
    assert (plan.executor_id, plan.department_id) == (consultant.employee_id, consultant.department_id)
    run_job(on(2027, 3, 10))
    assert [one.planned_on.year for one in plans(customer)] == [2026, 2027]


def test_a_birthday_that_is_corrected_gets_no_second_call_in_the_year(session, run_job, plans, born):
    customer = born(date(1992, 3, 10))
    run_job(on(2026, 3, 10))
    customer.birth_on = date(1992, 3, 20)
    session.commit()
    run_job(on(2026, 3, 20))
    assert len(plans(customer)) == 1


@pytest.mark.parametrize(
    ("year", "day", "expected"), [(2026, 28, 1), (2027, 28, 1), (2028, 28, 0), (2028, 29, 1), (2026, 27, 0)]
)
def test_who_was_born_on_29_february_is_wished_well_every_year(run_job, plans, born, year, day, expected):
    """On the 28th where there is no 29th."""
    customer = born(date(1992, 2, 29))
    run_job(on(year, 2, day))
    assert len(plans(customer)) == expected


def test_a_leap_day_falls_on_the_last_of_february():
    assert (day_in(2026, 2, 29), day_in(2028, 2, 29)) == (date(2026, 2, 28), date(2028, 2, 29))


def test_an_anniversary_gets_its_call_with_what_it_is(run_job, plans, married):
    """R-1.2-2: 纪念日 feed reminders."""
    customer, _trait = married(3, 10)
    run_job(on(2026, 3, 10))
    (plan,) = plans(customer)
    assert (plan.category.code, plan.trigger, plan.purpose) == ("anniversary", "anniversary", "结婚纪念日")


def test_a_corrected_or_withdrawn_anniversary_is_not_called_twice_or_at_all(do, run_job, plans, married, consultant):
    """R-1.2-2."""
    customer, trait = married(3, 10)
    run_job(on(2026, 3, 10))
    inputs = {"value": "结婚十周年", "stage": "ward", "month": "3", "month_day": "10"}
    new = do("customer_trait.correct", consultant, trait, inputs=inputs).result
    run_job(on(2026, 3, 11))
    assert len(plans(customer)) == 1
    do("customer_trait.withdraw", consultant, new, reason="已离异")
    run_job(on(2027, 3, 10))
    assert len(plans(customer)) == 1


@pytest.mark.parametrize("state", [FileState.FROZEN, FileState.RESTRICTED])
def test_a_closed_file_gets_no_wishes(session, run_job, plans, born, supervisor, state):
    """SM-01."""
    customer = born(date(1992, 3, 10))
    customer.restriction_asked_by_id, customer.state = supervisor.employee_id, state
    session.commit()
    run_job(on(2026, 3, 10))
    assert plans(customer) == []


def test_two_files_that_were_merged_are_wished_well_once(do, run_job, plans, born, supervisor, person):
    """SM-01: of two plans for the same day one is withdrawn, and no third is made."""
    merged, kept = born(date(1992, 3, 10)), born(date(1992, 3, 10))
    run_job(on(2026, 3, 10))
    given = {"kept_id": kept.id, "proof": MergeProof.SAID, "reason": "同一位顾客"}
    log = do("customer.propose_merge", supervisor, merged, **given).result
    do("customer_merge_log.carry_out", person("it_manager"), log)
    run_job(on(2026, 3, 11))
    assert sorted(plan.state for plan in plans(kept)) == [PlanState.APPROVED, PlanState.CANCELLED]


def test_the_calls_appear_as_many_days_before_as_the_setting_says(session, run_job, plans, born):
    """The plan is for the day itself."""
    put(session, WISHES_AHEAD_DAYS, "3")
    customer = born(date(1992, 1, 2))
    run_job(on(2025, 12, 29))
    assert plans(customer) == []
    run_job(on(2026, 12, 30))
    assert [plan.planned_on for plan in plans(customer)] == [date(2027, 1, 2)]


def test_the_hour_is_a_setting_in_branch_time(session, run_job):
    put(session, WISHES_AT, "06:30")
    before = run_job(on(2026, 3, 10, 6))
    assert [slot for slot in before if slot.endswith("2026-03-10")] == []
    assert sorted(run_job(on(2026, 3, 10, 7))) == ["01:2026-03-10", "02:2026-03-10"]


def test_who_has_left_wishes_nobody_well(session, run_job, plans, born, employee):
    from app.models.hr import EmployeeState

    customer = born(date(1992, 3, 10))
    employee("phone_consultant").state = EmployeeState.LEFT
    session.commit()
    run_job(on(2026, 3, 10))
    assert plans(customer)[0].executor_id is None


def test_the_page_shows_those_in_scope_the_next_day_first(session, born, married, consultant, colleague, person):
    """R-1.2-2: who has a birthday or an anniversary in the next days."""
    later, sooner = born(date(1992, 3, 14)), married(3, 11)[0]
    born(date(1992, 3, 18))
    born(date(1992, 3, 12), by=person("b2_phone_consultant"))
    wishes = coming(session, consultant, first=date(2026, 3, 10), days=7)
    assert [(wish.day.day, wish.customer.id) for wish in wishes] == [(11, sooner.id), (14, later.id)]
    assert coming(session, colleague, first=date(2026, 3, 10), days=7) == []
