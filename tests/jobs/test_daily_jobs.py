"""The house's own jobs: slips lapse, and each branch's daily report is made once a day, by the queue."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, select, update

from app.actors import house
from app.jobs.clock import look
from app.jobs.declared import JOBS
from app.models.appointments import AppointmentSlip, SlipState
from app.models.audit import ActRun, JobRun, Notice, ReportRun
from app.models.followup import FollowupPlan
from app.models.hr import Branch
from app.models.settings import Param
from app.models.tasks import BackgroundTask, TaskState
from app.reports.appointment_daily import AppointmentDaily
from app.reports.base import REPORTS, Asked
from app.reports.runs import facts_of, make
from app.services.followup import SLIP_LAPSED
from app.services.settings import DAILY_REPORT_AT, GRACE_MINUTES, ONE_OPEN_SLIP

CHINA = ZoneInfo("Asia/Shanghai")
DAY = date(2026, 3, 10)


def on(hour, minute=0, second=0, days=0):
    return datetime(2026, 3, 10, hour, minute, second, tzinfo=CHINA) + timedelta(days=days)


@pytest.fixture
def run_job(app, session, work_off):
    """Look for a job's slots at an instant and do what they asked the queue for; return the keys of those run."""

    def go(name, at):
        done = look(app, JOBS[name], lambda: at)
        failed = session.execute(select(JobRun.slot, JobRun.error).where(JobRun.error.is_not(None))).all()
        assert failed == []
        assert {task.state for task in work_off(at)} <= {TaskState.DONE}
        return done

    return go


@pytest.fixture
def branch_ids(session):
    return {branch.code: branch.id for branch in session.scalars(select(Branch))}


@pytest.fixture
def set_value(session, branch_ids):
    def put(setting, value, branch=None, since=None):
        branch_id = branch_ids[branch] if branch else None
        since = since or on(0, days=-30)
        session.add(Param(key=setting.key, branch_id=branch_id, value=value, effective_at=since))
        session.commit()  # a look begins with a clean session

    return put


@pytest.fixture
def promise(make_slip, consultant):
    """Place a slip in the morning of the day, for a latest arrival; returns its id."""

    def place(latest, by=consultant):
        return make_slip(by, when=on(8), appointed_at=on(8, 30), latest_arrival_at=latest).id

    return place


def state(session, slip_id):
    found = session.execute(
        select(AppointmentSlip.state, AppointmentSlip.expired_at).where(AppointmentSlip.id == slip_id)
    )
    return tuple(found.one())


# --- appointments.expire: R-2.1.2-3 ------------------------------------------------------------------------------


def test_slips_lapse_after_latest_arrival_and_grace_in_both_branches(session, run_job, promise, person):
    other = person("b2_phone_consultant")
    due = [promise(on(10)), promise(on(9), other)]
    waiting = [promise(on(11)), promise(on(11), other)]
    run_job("appointments.expire", on(11, 0, 1))  # the grace is an hour
    assert [state(session, slip) for slip in due] == [(SlipState.EXPIRED, on(11, 0, 1))] * 2
    assert [state(session, slip) for slip in waiting] == [(SlipState.PENDING, None)] * 2


@pytest.mark.parametrize(
    ("grace", "minutes", "lapses"),
    [("60", 59, False), ("60", 60, False), ("60", 61, True), ("0", 0, False), ("0", 1, True), ("1440", 1439, False)],
)
def test_grace_is_a_setting(session, run_job, promise, set_value, grace, minutes, lapses):
    set_value(GRACE_MINUTES, grace)
    slip = promise(on(10))
    run_job("appointments.expire", on(10) + timedelta(minutes=minutes))
    assert state(session, slip)[0] is (SlipState.EXPIRED if lapses else SlipState.PENDING)


def test_each_branch_has_its_own_grace(session, run_job, promise, person, set_value):
    set_value(GRACE_MINUTES, "0", branch="02")
    here, there = promise(on(10)), promise(on(10), person("b2_phone_consultant"))
    run_job("appointments.expire", on(10, 1))
    assert [state(session, slip)[0] for slip in (here, there)] == [SlipState.PENDING, SlipState.EXPIRED]


def test_only_awaited_slips_lapse(session, run_job, promise, do, supervisor, guide, slip_times, set_value):
    set_value(ONE_OPEN_SLIP, "no")
    arrived, voided, redone = (session.get_one(AppointmentSlip, promise(on(10))) for _ in range(3))
    do("appointment_slip.arrive", guide, arrived, when=on(9))
    do("appointment_slip.void", supervisor, voided, when=on(9), reason="客户取消")
    do("appointment_slip.redo", supervisor, redone, when=on(9), **slip_times)
    ids = [slip.id for slip in (arrived, voided, redone)]
    run_job("appointments.expire", on(23))
    assert [state(session, slip)[0] for slip in ids] == [SlipState.ARRIVED, SlipState.VOIDED, SlipState.REPLACED]


def test_a_lapse_is_in_the_history_tells_the_owner_and_plans_a_follow_up(session, run_job, promise, consultant):
    slip = promise(on(10))
    run_job("appointments.expire", on(11, 5))
    acts = session.execute(
        select(ActRun.act, ActRun.actor, ActRun.occurred_at).where(
            ActRun.table_name == "appointment_slip", ActRun.record_id == slip, ActRun.act != "place"
        )
    ).all()
    assert acts == [("expire", "house:job:appointments.expire", on(11, 5))]
    notice = session.scalars(select(Notice).where(Notice.record_id == slip, Notice.kind == "slip_expired")).one()
    assert notice.employee_id == consultant.employee_id
    plans = session.scalars(select(FollowupPlan).where(FollowupPlan.appointment_slip_id == slip)).all()
    days = [DAY, DAY + timedelta(days=3), DAY + timedelta(days=7)]
    assert [(plan.trigger, plan.planned_on) for plan in plans] == [(SLIP_LAPSED, day) for day in days], "REF-8"


def test_missed_looks_are_made_up_and_a_second_scheduler_finds_nothing(session, run_job, promise):
    promise(on(10))
    assert run_job("appointments.expire", on(12, 2)) == [
        on(hour, minute).astimezone(ZoneInfo("UTC")).isoformat() for hour, minute in ((11, 50), (11, 55), (12, 0))
    ]
    assert run_job("appointments.expire", on(12, 3)) == []
    summaries = session.scalars(select(JobRun.summary).where(JobRun.job == "appointments.expire").order_by(JobRun.slot))
    assert list(summaries) == ["1", "0", "0"], "the first one lapsed it, the others found nothing"


# --- reports.daily: RPT-02 ---------------------------------------------------------------------------------------


def scheduled(session, branch_id=None, report="appointment_daily"):
    statement = select(ReportRun).where(ReportRun.made_by_job == "reports.daily", ReportRun.report == report)
    if branch_id is not None:
        statement = statement.where(ReportRun.branch_id == branch_id)
    return session.scalars(statement.order_by(ReportRun.branch_id, ReportRun.business_on)).all()


def test_each_branch_gets_one_report_a_day_and_yesterdays_if_it_was_missed(session, run_job, branch_ids):
    expected = [f"{code}:2026-03-{day:02d}" for code in ("01", "02") for day in (9, 10)]
    assert run_job("reports.daily", on(21)) == expected
    assert run_job("reports.daily", on(21, 0, 20)) == []
    assert run_job("reports.daily", on(20, 59, days=1)) == []
    runs = scheduled(session)
    assert [(run.report, run.branch_id, run.business_on) for run in runs] == [
        ("appointment_daily", branch_ids[code], date(2026, 3, day)) for code in ("01", "02") for day in (9, 10)
    ]
    assert {(run.made_at, run.made_by, run.employee_id) for run in runs} == {(on(21), "house:job:reports.daily", None)}
    assert len(scheduled(session, report="contact_daily")) == 4, "RPT-01 beside it"
    assert run_job("reports.daily", on(21, days=1)) == ["01:2026-03-11", "02:2026-03-11"]


def test_nothing_is_made_before_its_time(session, run_job):
    run_job("reports.daily", on(20, 59, 59))
    assert {run.business_on for run in scheduled(session)} == {date(2026, 3, 9)}


def test_each_branch_is_served_at_the_time_that_it_sets(session, run_job, branch_ids, set_value):
    set_value(DAILY_REPORT_AT, "18:00", branch="02")
    assert "02:2026-03-10" in run_job("reports.daily", on(18))
    assert [run.business_on.day for run in scheduled(session, branch_ids["01"])] == [9]
    assert [run.business_on.day for run in scheduled(session, branch_ids["02"])] == [9, 10]


def test_a_time_before_noon_reports_the_day_that_has_ended(session, run_job, branch_ids, set_value):
    """At midnight a report of the day that begins would be empty. RPT-01, RPT-02."""
    set_value(DAILY_REPORT_AT, "00:00", branch="01")
    set_value(DAILY_REPORT_AT, "12:00", branch="02")
    assert run_job("reports.daily", on(12)) == ["01:2026-03-08", "01:2026-03-09", "02:2026-03-09", "02:2026-03-10"]
    assert run_job("reports.daily", on(23, 59, 59)) == []
    assert run_job("reports.daily", on(0, days=1)) == ["01:2026-03-10"]


def test_a_time_that_is_changed_after_the_report_was_made_makes_no_second_one(session, run_job, set_value):
    run_job("reports.daily", on(21))
    before = [(run.id, run.facts) for run in scheduled(session)]
    set_value(DAILY_REPORT_AT, "22:00", since=on(21, 30))
    assert run_job("reports.daily", on(22)) == []
    assert [(run.id, run.facts) for run in scheduled(session)] == before


def test_a_branch_in_another_zone_is_served_by_its_own_clock(session, run_job, branch_ids):
    session.execute(update(Branch).where(Branch.code == "02").values(zone="Asia/Urumqi"))
    session.commit()
    assert "02:2026-03-10" not in run_job("reports.daily", on(22, 59))
    assert "02:2026-03-10" in run_job("reports.daily", on(23))
    assert scheduled(session, branch_ids["02"])[-1].facts["zone"] == "Asia/Urumqi"


def test_the_scheduled_report_holds_the_branchs_day(session, run_job, promise, person, branch_ids):
    """All departments of the branch, and nobody else's."""
    promise(on(10))
    promise(on(10), person("web_consultant"))
    promise(on(10), person("b2_phone_consultant"))
    run_job("reports.daily", on(21))
    facts = {run.branch_id: facts_of(run) for run in scheduled(session) if run.business_on == DAY}
    placed = {branch: facts[branch].figures[0] for branch in facts}
    assert {figure.name for figure in placed.values()} == {"placed"}
    assert {branch: figure.value for branch, figure in placed.items()} == {branch_ids["01"]: 2, branch_ids["02"]: 1}
    by = house("job:reports.daily", branch_id=branch_ids["01"])
    asked = Asked(day=DAY, branch_id=branch_ids["01"])
    assert facts[branch_ids["01"]] == AppointmentDaily().gather(session, asked, by, on(21))


def test_reports_by_hand_stand_beside_the_scheduled_one(session, run_job, supervisor, branch_ids):
    report, asked = REPORTS["appointment_daily"], Asked(day=DAY, branch_id=branch_ids["01"])
    before = make(session, report, asked, by=supervisor, at=on(20)).id
    session.commit()
    run_job("reports.daily", on(21))
    (by_clock,) = [run.id for run in scheduled(session, branch_ids["01"]) if run.business_on == DAY]
    after = [make(session, report, asked, by=supervisor, at=on(21, minute)).id for minute in (5, 6)]
    assert run_job("reports.daily", on(21, 10)) == []
    kept = session.execute(
        select(ReportRun.id, ReportRun.made_by_job)
        .where(ReportRun.branch_id == branch_ids["01"], ReportRun.business_on == DAY, ReportRun.report == report.name)
        .order_by(ReportRun.id)
    ).all()
    assert kept == [(before, None), (by_clock, "reports.daily"), *((run, None) for run in after)]


def test_a_slot_asks_the_queue_once(app, session, work_off):
    look(app, JOBS["reports.daily"], lambda: on(21))
    assert scheduled(session) == [], "the clock only asks"
    asked = session.scalars(select(BackgroundTask).order_by(BackgroundTask.id)).all()
    assert [(task.request_key, task.kind, task.actor) for task in asked] == [
        (f"{code}:2026-03-{day:02d}", "reports.daily", "house:job:reports.daily")
        for code in ("01", "02")
        for day in (9, 10)
    ]
    session.query(JobRun).delete()  # the slots' rows were lost (a restored backup, a hand in the table)
    session.commit()
    assert len(look(app, JOBS["reports.daily"], lambda: on(21, 5))) == 4
    assert session.scalar(select(func.count(BackgroundTask.id))) == 4
    assert [task.state for task in work_off(on(21, 6))] == [TaskState.DONE] * 4
    assert len(scheduled(session)) == 4


def test_a_report_that_stands_already_is_not_made_again(session, run_job):
    """Slots and tasks were lost: the report itself says that it is made."""
    run_job("reports.daily", on(21))
    session.query(JobRun).delete()
    session.query(BackgroundTask).delete()
    session.commit()
    assert len(run_job("reports.daily", on(21, 5))) == 4
    assert len(scheduled(session)) == 4
    assert {task.said["en"] for task in session.scalars(select(BackgroundTask))} == {""}


def test_run_now_makes_a_fresh_report_beside_the_scheduled_one_that_stands(session, run_job, do, person):
    run_job("reports.daily", on(21))
    before = session.scalar(select(func.count(ReportRun.id)))
    clocked = len(scheduled(session))
    do("job_run.run_now", person("it_manager"), when=on(21, 5), job="reports.daily")
    assert len(run_job("reports.daily", on(21, 6))) == 1
    of_this_job = [report for report in REPORTS.values() if report.daily and report.job in ("", "reports.daily")]
    assert session.scalar(select(func.count(ReportRun.id))) == before + len(of_this_job)
    assert len(scheduled(session)) == clocked, "one a day stays the scheduler's"
    newest = session.scalars(select(BackgroundTask).order_by(BackgroundTask.id.desc())).first()
    assert newest.said["en"] != ""


def test_a_job_whose_task_failed_is_failing_and_is_told_until_it_is_done(
    session, app, work_off, do, person, monkeypatch
):
    """What is handed to the queue went as its task did; who may run jobs hears of it, and so does the doctor."""
    from app.ops import doctor
    from app.reports import daily
    from app.services.jobs import JobState, standing_of

    job, manager = JOBS["reports.daily"], person("it_manager")

    def broken(*_given, **_named):
        raise RuntimeError("no figures")

    assert doctor.house_tasks(session.connection()).verdict is doctor.Verdict.OK
    look(app, job, lambda: on(21))
    with monkeypatch.context() as patch:
        patch.setattr(daily, "make_scheduled", broken)
        work_off(on(21, 1))
    standing = standing_of(session, job, on(21, 2))
    assert standing.state is JobState.FAILING
    assert "no figures" in standing.task.error
    told = session.scalars(select(Notice).where(Notice.employee_id == manager.employee_id)).all()
    assert {notice.kind for notice in told} == {"task_failed"}
    session.execute(update(BackgroundTask).values(ended_at=func.now()))
    found = doctor.house_tasks(session.connection())
    assert found.verdict is doctor.Verdict.WARN
    assert "reports.daily" in found.what
    session.commit()
    do("job_run.run_now", person("admin"), when=on(21, 5), job="reports.daily")
    look(app, job, lambda: on(21, 6))
    work_off(on(21, 7))
    assert standing_of(session, job, on(21, 8)).state is JobState.OK
