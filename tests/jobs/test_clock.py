"""A slot runs once, with its row or not at all; a failure is told, waits, and is tried again."""

from __future__ import annotations

import itertools
import os
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, text

from app.errors import LONGEST_LINE
from app.jobs import clock
from app.jobs.clock import HOST, MOST_ATTEMPTS, beat, look, run_slot
from app.jobs.declared import JOBS, Job, Slot
from app.models.audit import JobHeartbeat, JobRun
from app.models.settings import Param
from app.ops import doctor
from app.ops.doctor import Verdict

EFFECT = "test.effect"
_running_number = itertools.count()

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SLOT = Slot("noon", NOON)


def leave_effect(session, slot, at):
    """Write a row; each run of a slot writes one more, so that doubles can be counted."""
    session.add(Param(key=f"{EFFECT}.{next(_running_number)}", value=slot.key, effective_at=at))
    session.flush()


class Worker:
    """A job whose effect is a row; told to fail, it fails after the effect."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, datetime]] = []
        self.fails: BaseException | None = None

    def __call__(self, session, slot, at):
        self.calls.append((slot.key, at))
        leave_effect(session, slot, at)
        if self.fails is not None:
            raise self.fails
        return f"did {slot.key}"


@pytest.fixture
def work():
    return Worker()


@pytest.fixture
def job(work):
    return job_of(work)


def job_of(work, *slots):
    return Job("test.job", work, lambda _session, now: [slot for slot in slots or (SLOT,) if slot.due_at <= now], None)


def effects(session):
    return session.scalars(select(Param.value).where(Param.key.startswith(EFFECT)).order_by(Param.id)).all()


def row(session):
    return session.execute(select(JobRun.__table__).where(JobRun.job == "test.job")).one_or_none()


# --- once --------------------------------------------------------------------------------------------------------


def test_a_slot_runs_once_and_its_row_says_how_it_went(session, job, work):
    assert run_slot(session, job, SLOT, NOON) is True
    assert run_slot(session, job, SLOT, NOON + timedelta(hours=1)) is False
    assert work.calls == [("noon", NOON)]
    assert effects(session) == ["noon"]
    run = row(session)
    assert (run.slot, run.attempts, run.summary, run.error) == ("noon", 1, "did noon", None)
    assert run.started_at == NOON
    assert run.ended_at is not None
    assert run.host == f"{HOST}:{os.getpid()}"


def test_a_look_runs_what_is_due_and_not_done_oldest_first(app, session, work):
    first, second, third = (Slot(name, NOON + timedelta(minutes=n)) for n, name in enumerate("abc"))
    job = job_of(work, first, second, third)
    assert look(app, job, lambda: NOON + timedelta(minutes=1)) == ["a", "b"]
    assert look(app, job, lambda: NOON + timedelta(minutes=1)) == []
    assert look(app, job, lambda: NOON + timedelta(minutes=2)) == ["c"]
    assert effects(session) == ["a", "b", "c"]


def test_the_same_slot_of_another_job_is_another(session, job, work):
    other = Job("test.other", work, job.slots, job.look_every)
    assert run_slot(session, job, SLOT, NOON)
    assert run_slot(session, other, SLOT, NOON)
    assert effects(session) == ["noon", "noon"]


def test_a_look_names_its_job_to_the_database(app, session):
    told = []

    def ask(session, _slot, _at):
        told.append(session.execute(text("select current_setting('app.actor')")).scalar_one())
        return ""

    assert look(app, job_of(ask), lambda: NOON) == ["noon"]
    assert told == ["house:job:test.job"]


def test_one_slot_that_fails_does_not_hold_up_the_others(app, session):
    def work(session, slot, at):
        if slot.key == "a":
            raise RuntimeError("no paper")
        leave_effect(session, slot, at)
        return ""

    slots = [Slot(name, NOON) for name in "abc"]
    assert look(app, job_of(work, *slots), lambda: NOON) == ["b", "c"]
    assert effects(session) == ["b", "c"]


def test_a_scheduler_that_is_asked_to_stop_finishes_its_slot_and_begins_no_other(app, session, monkeypatch):
    monkeypatch.setattr(clock, "STOPPING", threading.Event())

    def work(session, slot, at):
        clock.STOPPING.set()
        leave_effect(session, slot, at)
        return ""

    assert look(app, job_of(work, Slot("a", NOON), Slot("b", NOON)), lambda: NOON) == ["a"]
    assert effects(session) == ["a"]


# --- failures ----------------------------------------------------------------------------------------------------


def test_a_failure_leaves_no_effect_and_tells_its_first_line(session, job, work):
    work.fails = ValueError("the printer is on fire\nDETAIL: secrets of the second line")
    assert run_slot(session, job, SLOT, NOON) is False
    assert effects(session) == []
    run = row(session)
    assert (run.attempts, run.error, run.ended_at, run.summary) == (1, "ValueError: the printer is on fire", None, None)


def test_a_failure_without_words_is_told_by_its_kind(session, job, work):
    work.fails = ValueError()
    run_slot(session, job, SLOT, NOON)
    assert row(session).error == "ValueError: "


def test_a_failure_of_the_database_is_told_without_the_row(session):
    def work(session, _slot, at):
        session.add(JobRun(job="confidential", slot="13800001234", started_at=at, host="x", ended_at=None, error=None))
        return "not flushed yet: fails when the unit of work ends"

    assert run_slot(session, job_of(work), SLOT, NOON) is False
    error = row(session).error
    assert "done_or_failed" in error
    assert "13800001234" not in error


def test_a_long_failure_is_cut(session, job, work):
    work.fails = ValueError("x" * 100_000)
    run_slot(session, job, SLOT, NOON)
    assert len(row(session).error) == LONGEST_LINE


# Tried, failed, and how long until it is tried again.
PAUSES = [(1, 1), (2, 2), (3, 4), (4, 8)]


def test_a_failure_is_tried_again_after_growing_pauses_and_given_up_after_five(session, job, work):
    work.fails = RuntimeError("not yet")
    at = NOON
    run_slot(session, job, SLOT, at)
    for attempt, minutes in PAUSES:
        assert (len(work.calls), row(session).attempts) == (attempt, attempt)
        run_slot(session, job, SLOT, at + timedelta(minutes=minutes, microseconds=-1))
        assert len(work.calls) == attempt, "too early"
        at += timedelta(minutes=minutes)
        run_slot(session, job, SLOT, at)
    assert len(work.calls) == MOST_ATTEMPTS
    run_slot(session, job, SLOT, at + timedelta(days=1))
    assert len(work.calls) == MOST_ATTEMPTS, "given up"
    assert effects(session) == []
    assert row(session).attempts == MOST_ATTEMPTS


def test_a_look_waits_as_long(app, session, job, work):
    work.fails = RuntimeError("not yet")
    for seconds, calls in [(0, 1), (59, 1), (60, 2), (179, 2), (180, 3)]:
        look(app, job, lambda at=NOON + timedelta(seconds=seconds): at)
        assert len(work.calls) == calls, seconds


def test_a_slot_that_works_at_last_is_done_and_its_error_gone(session, job, work):
    work.fails = RuntimeError("not yet")
    run_slot(session, job, SLOT, NOON)
    work.fails = None
    assert run_slot(session, job, SLOT, NOON + timedelta(minutes=1)) is True
    run = row(session)
    assert (run.attempts, run.error, run.summary) == (2, None, "did noon")
    assert run.ended_at is not None
    assert effects(session) == ["noon"]


@pytest.mark.parametrize("end", [KeyboardInterrupt(), SystemExit(1)])
def test_a_scheduler_stopped_in_the_middle_leaves_neither_effect_nor_row(session, job, work, end):
    work.fails = end
    with pytest.raises(type(end)):
        run_slot(session, job, SLOT, NOON)
    assert effects(session) == []
    assert row(session) is None
    work.fails = None
    assert run_slot(session, job, SLOT, NOON) is True, "and another takes the slot up at once"


def test_a_late_failure_does_not_undo_what_another_scheduler_has_done(session, job):
    """A failed, B took the slot up and committed before A could note its failure."""
    assert run_slot(session, job, SLOT, NOON)
    assert clock._note(session, job, SLOT, NOON, ended_at=None, summary=None, error="RuntimeError: A") is False
    run = row(session)
    assert (run.error, run.summary, run.attempts) == (None, "did noon", 1)


# --- several schedulers ------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("locked", [True, False], ids=["with the lock", "by the row alone"])
def test_schedulers_in_one_slot_at_once_have_one_effect(own_world, monkeypatch, locked):
    """The lock keeps the others away; if it did not, the unique row would let only one commit."""
    if not locked:
        monkeypatch.setattr(clock, "_alone", lambda *_: True)
    inside = threading.Barrier(3, timeout=10)
    entered = []

    def work(session, slot, at):
        entered.append(threading.get_ident())
        leave_effect(session, slot, at)
        if locked:
            time.sleep(0.4)  # long enough for the others to knock
        else:
            inside.wait()
        return str(threading.get_ident())

    job, done = job_of(work), []

    def scheduler():
        with own_world.app.app_context():
            done.append(run_slot(own_world.session(), job, SLOT, NOON))

    threads = [threading.Thread(target=scheduler) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == [False, False, True]
    assert len(entered) == (1 if locked else 3)
    assert own_world.count(Param, Param.key.startswith(EFFECT)) == 1
    assert own_world.count(JobRun, JobRun.job == "test.job", JobRun.ended_at.is_not(None)) == 1


# --- signs of life -----------------------------------------------------------------------------------------------


def beats(session):
    return session.execute(
        select(JobHeartbeat.host, JobHeartbeat.pid, JobHeartbeat.started_at, JobHeartbeat.beat_at)
    ).all()


def test_a_scheduler_leaves_one_sign_of_life_and_renews_it(app, session):
    for seconds in (0, 10, 20):
        beat(app, lambda at=NOON + timedelta(seconds=seconds): at, NOON)
    assert beats(session) == [(HOST, os.getpid(), NOON, NOON + timedelta(seconds=20))]


def test_a_process_of_the_same_number_begins_anew(app, session):
    beat(app, lambda: NOON, NOON)
    later = NOON + timedelta(days=1)
    beat(app, lambda: later, later)
    assert beats(session) == [(HOST, os.getpid(), later, later)]


def test_schedulers_that_have_long_been_silent_are_forgotten(app, session):
    for days, host in [(8, "long gone"), (6, "lately gone")]:
        session.add(JobHeartbeat(host=host, pid=1, beat_at=NOON - timedelta(days=days)))
    session.commit()
    beat(app, lambda: NOON, NOON)
    assert sorted(host for host, *_ in beats(session)) == sorted([HOST, "lately gone"])


@pytest.mark.parametrize(
    ("ages", "verdict"),
    [
        ([], Verdict.WARN),  # has never run here
        ([5], Verdict.OK),
        ([170], Verdict.OK),
        ([190], Verdict.BAD),
        ([100_000, 5], Verdict.OK),  # a dead one beside one that lives
    ],
)
def test_the_doctor_listens_for_the_heart(app, session, ages, verdict):
    for pid, age in enumerate(ages):
        session.add(JobHeartbeat(host="here", pid=pid, beat_at=datetime.now(UTC) - timedelta(seconds=age)))
    session.flush()
    assert doctor.heartbeat(session.connection()).verdict is verdict


def test_the_doctor_hears_what_a_scheduler_leaves(app, session):
    beat(app, lambda: datetime.now(UTC), datetime.now(UTC))
    assert doctor.heartbeat(session.connection()).verdict is Verdict.OK


def test_the_houses_jobs_are_declared():
    assert {"appointments.expire", "reports.daily"} <= set(JOBS)
    assert JOBS["appointments.expire"].look_every <= timedelta(minutes=1)
    assert JOBS["reports.daily"].look_every <= timedelta(minutes=1)


def test_nothing_is_left_of_these_tests(session):
    assert session.scalar(select(func.count()).select_from(JobRun).where(JobRun.job.like("test.%"))) == 0


# --- quiet jobs --------------------------------------------------------------------------------------------------


def test_a_quiet_job_leaves_a_row_only_when_something_was_due_failed_or_was_asked_for(session):
    told = {"summary": ""}
    calls = []

    def work(session, slot, at):
        calls.append(slot.key)
        if isinstance(told["summary"], Exception):
            raise told["summary"]
        return told["summary"]

    job = Job("test.job", work, lambda _session, now: [SLOT], timedelta(seconds=5), quiet=True)
    assert run_slot(session, job, SLOT, NOON) is False
    assert row(session) is None, "nothing was due, nothing is written"
    assert run_slot(session, job, SLOT, NOON) is False
    assert calls == ["noon", "noon"], "a scheduler that starts again just looks again"
    told["summary"] = RuntimeError("broken")
    run_slot(session, job, SLOT, NOON)
    assert row(session).error
    told["summary"] = ""
    assert run_slot(session, job, SLOT, NOON + timedelta(hours=1)) is True
    assert (row(session).ended_at is not None, row(session).error) == (True, None), "who failed is told that it is done"
    told["summary"] = "2"
    other = Slot("one", NOON)
    assert run_slot(session, job, other, NOON) is True
    assert run_slot(session, job, other, NOON) is False, "once"
    assert session.scalar(select(func.count(JobRun.id)).where(JobRun.job == "test.job")) == 2


def test_turns_pass_on_quietly():
    assert [job.name for job in JOBS.values() if job.quiet] == ["triage.pass_on"]
