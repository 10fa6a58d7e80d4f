"""Run now: a person asks, a scheduler runs; once, under the same lock, and the row says who asked."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from app.errors import InvalidInput, NotPermitted, Refusal
from app.jobs import clock
from app.jobs.clock import MOST_ATTEMPTS, look, run_slot
from app.models.audit import ActRun, JobRun
from app.models.settings import Param
from app.services import jobs
from app.services.jobs import Job, JobState, Slot, job_label, standing_of

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
NAME = "test.now"


class Worker:
    """A job with a slot each hour whose effect is a row."""

    def __init__(self) -> None:
        self.calls: list[Slot] = []
        self.fails = False

    def __call__(self, session, slot, at):
        self.calls.append(slot)
        session.add(Param(key=f"test.effect.{len(self.calls)}", value=slot.key, effective_at=at))
        session.flush()
        if self.fails:
            raise RuntimeError("no paper")
        return "done"


def hours(_session, now):
    """The last full hour, and the one before it."""
    last = now.replace(minute=0, second=0, microsecond=0)
    return [Slot(f"{due:%H}", due) for due in (last - timedelta(hours=1), last)]


@pytest.fixture
def work():
    return Worker()


@pytest.fixture
def job(work, monkeypatch):
    made = Job(NAME, work, hours, timedelta(seconds=15), "Sweeping", lambda _s, now: now + timedelta(hours=1))
    monkeypatch.setitem(jobs.JOBS, NAME, made)
    return made


@pytest.fixture
def manager(person):
    return person("it_manager")


@pytest.fixture
def ask(do, manager):
    return lambda at, by=None, **more: do("job_run.run_now", by or manager, when=at, job=NAME, **more)


def rows(session):
    statement = select(JobRun.slot, JobRun.attempts, JobRun.summary, JobRun.error).where(JobRun.job == NAME)
    return [tuple(row) for row in session.execute(statement.order_by(JobRun.id))]


def at(minutes):
    return NOON + timedelta(minutes=minutes)


def test_a_slot_that_nobody_has_run_is_run_at_the_next_look_with_the_name_of_who_asked(
    app, session, job, work, ask, manager
):
    told = ask(at(5))
    assert work.calls == [], "not inside the request"
    assert told.notice
    assert rows(session) == [("12", 0, None, None)]
    assert look(app, job, lambda: at(6)) == ["11", "12"]
    run = session.scalars(select(JobRun).where(JobRun.job == NAME, JobRun.slot == "12")).one()
    assert (run.requested_by_id, run.requested_at) == (manager.employee_id, at(5))
    assert (run.attempts, run.summary, run.started_at) == (1, "done", at(6))
    assert look(app, job, lambda: at(7)) == []


def test_a_slot_that_is_done_is_not_done_again_but_gets_one_of_its_own(app, session, job, work, ask):
    look(app, job, lambda: at(1))
    ask(at(5))
    (manual,) = look(app, job, lambda: at(6))
    assert manual.startswith("manual:2026-11-22T12:05:00")
    assert manual.endswith(" 12")
    assert [slot.key for slot in work.calls] == ["11", "12", manual]
    assert work.calls[-1].due_at == NOON, "it repeats the newest slot: its time, branch and day"
    ask(at(7))
    assert len(look(app, job, lambda: at(8))) == 1, "and once more, if somebody wants"


def test_a_slot_that_was_given_up_gets_all_its_attempts_again(app, session, job, work, ask):
    work.fails = True
    for minutes in range(59):
        look(app, job, lambda minutes=minutes: at(minutes))
    assert {row[0]: row[1] for row in rows(session)}["12"] == MOST_ATTEMPTS
    calls = len(work.calls)
    look(app, job, lambda: at(59))
    assert len(work.calls) == calls, "given up"
    ask(at(59))
    work.fails = False
    assert look(app, job, lambda: at(59)) == ["12"], "at once, whatever pause the failures had earned"
    assert rows(session)[-1][1:] == (1, "done", None)


def test_a_manual_run_that_fails_is_tried_again_like_any_other(app, session, job, work, ask):
    look(app, job, lambda: at(1))
    ask(at(2))
    work.fails = True
    look(app, job, lambda: at(2))
    assert rows(session)[-1][1:] == (1, None, "RuntimeError: no paper")
    work.fails = False
    assert look(app, job, lambda: at(2.5)) == [], "after a minute"
    assert len(look(app, job, lambda: at(3))) == 1


def test_what_was_asked_for_is_run_however_late_a_scheduler_comes(app, session, job, work, ask):
    ask(at(5))
    look(app, job, lambda: at(60 * 9))
    assert "12" in {slot.key for slot in work.calls}
    assert next(slot for slot in work.calls if slot.key == "12").due_at == NOON


def test_asking_twice_is_refused_while_it_waits(session, job, ask, person):
    ask(at(1))
    with pytest.raises(Refusal):
        ask(at(2), person("admin"))
    assert len(rows(session)) == 1


def test_a_manual_run_that_waits_is_not_doubled_either(app, session, job, ask, person):
    look(app, job, lambda: at(1))
    ask(at(2))
    with pytest.raises(Refusal):
        ask(at(3), person("admin"))


def test_the_same_key_asks_once(app, session, job, ask):
    first = ask(at(1), request_key="one click").record.id
    assert ask(at(1), request_key="one click").replayed
    look(app, job, lambda: at(2))
    assert ask(at(3), request_key="one click").record.id == first
    assert look(app, job, lambda: at(4)) == []


def test_an_unknown_job_and_a_job_of_which_nothing_is_due_are_refused(session, do, manager, monkeypatch, work):
    with pytest.raises(InvalidInput):
        do("job_run.run_now", manager, job="no.such.job")
    monkeypatch.setitem(jobs.JOBS, NAME, Job(NAME, work, lambda _session, _now: [], timedelta(seconds=15)))
    with pytest.raises(Refusal):
        do("job_run.run_now", manager, job=NAME)


@pytest.mark.parametrize("username", ["auditor", "branch_head", "phone_supervisor", "hr"])
def test_who_may_not_run_jobs(job, ask, person, username):
    with pytest.raises(NotPermitted):
        ask(at(1), person(username))


def test_it_is_in_the_history(session, job, ask, manager):
    made = ask(at(1)).record
    entry = session.scalars(select(ActRun).where(ActRun.table_name == "job_run", ActRun.act == "run_now")).one()
    assert (entry.employee_id, entry.record_id, entry.inputs) == (manager.employee_id, made.id, {"job": NAME})


def test_a_job_per_branch_is_run_for_ones_own_branch_and_by_the_group_for_all(
    session, do, manager, person, work, monkeypatch
):
    def slots(_session, now):
        own, other = manager.branch_id, person("b2_branch_head").branch_id
        return [Slot("01:d", now, own, NOON.date()), Slot("02:d", now, other, NOON.date())]

    monkeypatch.setitem(jobs.JOBS, NAME, Job(NAME, work, slots, timedelta(seconds=15)))
    do("job_run.run_now", manager, when=at(1), job=NAME)
    assert [row[0] for row in rows(session)] == ["01:d"]
    do("job_run.run_now", person("admin"), when=at(2), job=NAME)
    assert [row[0] for row in rows(session)] == ["01:d", "02:d"], "the one that waits is left waiting"


# --- how it stands -----------------------------------------------------------------------------------------------


def test_how_a_job_stands(app, session, job, work, ask):
    assert standing_of(session, job, at(2)).state is JobState.DUE
    assert standing_of(session, job, at(4)).state is JobState.OVERDUE
    ask(at(4))
    assert standing_of(session, job, at(4)).state is JobState.ASKED
    work.fails = True
    look(app, job, lambda: at(5))
    standing = standing_of(session, job, at(5))
    assert (standing.state, standing.failures, standing.next_at) == (JobState.FAILING, 2, at(65))
    work.fails = False
    look(app, job, lambda: at(8))
    session.expire_all()
    standing = standing_of(session, job, at(8))
    assert (standing.state, standing.failures) == (JobState.OK, 2), "each slot failed once before it was done"
    assert standing.last.summary == "done"
    assert standing_of(session, job, at(60 * 26)).failures == 0


def test_a_job_is_called_by_its_words_and_a_forgotten_one_by_its_name(job):
    assert job_label(NAME) == "Sweeping"
    assert job_label("gone.away") == "gone.away"


def test_every_job_of_the_house_has_words():
    ours = {name: job for name, job in jobs.JOBS.items() if job.work.__module__.startswith("app.")}
    assert ours
    assert {name for name, job in ours.items() if not job.label} == set()


# --- at once -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_asking_while_schedulers_look_has_one_effect(own_world, monkeypatch):
    """Two people ask for a slot that two schedulers have begun: it is run once, and nobody waits for another."""
    begun = threading.Event()

    def work(session, slot, at):
        session.add(Param(key=f"test.effect.{time.monotonic_ns()}", value=slot.key, effective_at=at))
        session.flush()
        begun.set()
        time.sleep(0.5)
        return "done"

    job = Job(NAME, work, lambda _session, _now: [Slot("one", NOON)], timedelta(seconds=15))
    monkeypatch.setitem(jobs.JOBS, NAME, job)
    said = []

    def scheduler():
        look(own_world.app, job, lambda: NOON)

    def person(name):
        with own_world.app.app_context():
            session = own_world.session()
            try:
                own_world.run(session, "job_run.run_now", own_world.person(session, name), None, {"job": NAME})
                said.append("asked")
            except Refusal:
                said.append("refused")

    threads = [threading.Thread(target=scheduler) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert begun.wait(10)
    askers = [threading.Thread(target=person, args=(name,)) for name in ("it_manager", "admin")]
    for thread in askers:
        thread.start()
    for thread in [*threads, *askers]:
        thread.join(20)
    scheduler()
    assert sorted(said) == ["asked", "refused"]
    assert own_world.count(Param, Param.key.startswith("test.effect")) == 1
    assert own_world.count(JobRun, JobRun.job == NAME, JobRun.ended_at.is_not(None)) == 1


def test_a_look_and_a_manual_slot_obey_the_same_lock(session, job, work, ask, monkeypatch):
    ask(at(1))
    monkeypatch.setattr(clock, "_alone", lambda *_: False)
    assert run_slot(session, job, Slot("12", NOON), at(2)) is False
    assert work.calls == []
