"""The real thing: two workers, each a process, and one of them killed, stopped or frozen in the middle of its work.

Whatever happens, the work has one effect. The last test takes the guard away and sees two, so that the others are
known to be able to fail. The tests share one database, and the workers that the one before has left whole.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import text

from app.models.tasks import TaskState
from app.ops import doctor
from app.ops.doctor import Verdict
from app.unit import acting_as, tell_actor
from tests.jobs.slow_worker import PIECES, STEPS, TAKES, WHOLE
from tests.jobs.telling import PATIENCE
from tests.jobs.workshop import Workshop, workshop_on

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def workshop(app: Flask) -> Iterator[Workshop]:
    with workshop_on(app, "workshop") as made:
        yield made


def test_the_doctor_knows_whether_somebody_works(workshop):
    def judged():
        with workshop.engine.connect() as connection:
            return doctor.worker(connection)

    assert judged().verdict is Verdict.WARN, "none has run here"
    waiting = workshop.ask(WHOLE)
    with workshop.engine.begin() as connection:
        with acting_as("house:test"):
            tell_actor(connection)
        connection.execute(text("update background_task set queued_at = now() - interval '10 minutes'"))
    assert judged().verdict is Verdict.BAD
    assert "1 task" in judged().what
    workshop.start()
    workshop.wait(waiting)
    assert judged().verdict is Verdict.OK


def test_progress_is_seen_while_nothing_is_committed(workshop):
    workshop.staff(1)
    asked = workshop.ask(WHOLE, tells=True)
    seen = workshop.wait(asked, until=lambda task: 0 < task.done_count < PIECES)
    assert (seen.state, seen.total_count, workshop.pieces(asked)) == (TaskState.RUNNING, PIECES, [])
    assert workshop.wait(asked).done_count == PIECES


@pytest.mark.parametrize("kind", [WHOLE, STEPS])
def test_running_work_is_cancelled_at_its_next_step(workshop, kind):
    workshop.staff(1)
    asked = workshop.ask(kind, tells=True)
    workshop.next_begun("a 2")
    workshop.act(asked, "cancel")
    over = workshop.wait(asked)
    assert over.state is TaskState.CANCELLED
    assert workshop.pieces(asked) == ([] if kind == WHOLE else list(range(over.done_count)))
    assert over.done_count < PIECES


def test_a_waiting_task_is_cancelled_at_once_and_never_begun(workshop):
    workshop.staff(0)
    asked = workshop.ask(WHOLE)
    assert workshop.act(asked, "cancel").state is TaskState.CANCELLED
    workshop.start()
    after = workshop.ask(WHOLE, "after")
    workshop.wait(after)
    assert workshop.pieces(asked) == []
    assert workshop.task(asked).attempts == 0


@pytest.mark.parametrize("kind", [WHOLE, STEPS])
def test_work_has_one_effect_though_its_worker_is_killed_in_the_middle(workshop, kind):
    workshop.staff(2)
    asked = workshop.ask(kind)
    victim = workshop.next_begun("a 3")
    workshop.kill(victim)
    done = workshop.wait(asked)
    assert (done.state, done.attempts, done.said) == (TaskState.DONE, 2, {"zh": kind[5:], "en": kind[5:]})
    assert workshop.pieces(asked) == list(range(PIECES)), "each piece once"
    by_whom = [row.pid for row in workshop.rows(f"select pid from test_work where task_id = {asked}")]
    kept = by_whom.count(victim.pid)
    assert kept == (0 if kind == WHOLE else 3), "steps that were finished stay, the rest leaves nothing"
    patience = time.monotonic() + PATIENCE
    while workshop.rows("select 1 from procrastinate_jobs"):
        assert time.monotonic() < patience, "the queue keeps a job whose task is done"
        time.sleep(0.05)


@pytest.mark.parametrize("kind", [WHOLE, STEPS])
def test_a_worker_that_slept_too_long_cannot_commit_what_another_has_taken_up(workshop, kind):
    """It is frozen, not dead: when it wakes it still believes to own the task."""
    workshop.staff(1)
    asked = workshop.ask(kind)
    sleeper = workshop.next_begun("a 3")
    sleeper.send(signal.SIGSTOP)
    workshop.start()
    assert workshop.wait(asked).state is TaskState.DONE
    sleeper.send(signal.SIGCONT)
    time.sleep(TAKES * PIECES + 1)
    assert workshop.pieces(asked) == list(range(PIECES))
    assert (workshop.task(asked).state, workshop.task(asked).attempts) == (TaskState.DONE, 2)
    workshop.kill(sleeper)  # the queue has forgotten it meanwhile


def test_a_worker_that_is_asked_to_stop_finishes_short_work_and_hands_back_steps(workshop):
    workshop.staff(1)
    [first] = workshop.running
    whole, steps = workshop.ask(WHOLE), workshop.ask(STEPS, "b")
    workshop.next_begun("a 0", "b 1")
    first.send(signal.SIGTERM)
    assert first.end() == 0
    workshop.running.clear()
    assert workshop.task(whole).state is TaskState.DONE
    handed = workshop.task(steps)
    assert (handed.state, handed.failures) == (TaskState.QUEUED, 0)
    assert 1 <= handed.done_count == len(workshop.pieces(steps)) < PIECES
    workshop.start()
    assert workshop.wait(steps).state is TaskState.DONE
    assert workshop.pieces(steps) == list(range(PIECES))


def test_without_the_guard_a_sleeper_does_leave_a_second_effect(workshop):
    """The control: the same two workers, careless."""
    workshop.staff(0)
    workshop.start("careless")
    asked = workshop.ask(WHOLE)
    sleeper = workshop.next_begun("a 3")
    sleeper.send(signal.SIGSTOP)
    workshop.start("careless")
    workshop.next_begun(f"a {PIECES - 1}")
    sleeper.send(signal.SIGCONT)
    time.sleep(TAKES * PIECES + 3)
    assert len(workshop.pieces(asked)) > PIECES
