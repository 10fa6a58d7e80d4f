"""The real thing: two workers, each a process, and one of them killed, stopped or frozen in the middle of its work.

Whatever happens, the work has one effect. The last test takes the guard away and sees two, so that the others are
known to be able to fail.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from queue import Queue
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import create_engine, select, text
from sqlalchemy.orm import Session

from app.actors import house
from app.acts import REGISTRY
from app.models.tasks import OPEN_STATES, BackgroundTask, TaskState
from app.ops import doctor
from app.ops.doctor import Verdict
from app.services.runner import run
from app.services.tasks import enqueue
from app.unit import acting_as, tell_actor, unit_of_work
from tests.databases import ROOT, fresh_database
from tests.jobs.slow_worker import PIECES, STEPS, TAKES, WHOLE

pytestmark = pytest.mark.slow

PATIENCE = 90  # seconds; the machine may be busy


class Worker:
    """A worker's process; it tells the pieces that it begins."""

    def __init__(self, database: tuple[str, str], begun: Queue[tuple[Worker, str]], *words: str) -> None:
        environment = os.environ | {"DATABASE_URL": database[0], "DATABASE_OWNER_URL": database[1]}
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "tests.jobs.slow_worker", *words],
            env=environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        self.pid = self.process.pid
        self.begun = begun
        self.said: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line)
            if line.startswith("began "):
                self.begun.put((self, line.removeprefix("began ").strip()))

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    def end(self) -> int:
        code = self.process.wait(timeout=PATIENCE)
        self._reader.join()
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


class Workshop:
    """A database of its own with the table of pieces, and the workers that run on it."""

    def __init__(self, database: tuple[str, str]) -> None:
        self.database = database
        self.engine = create_engine(database[0])
        self.running: list[Worker] = []
        self.begun: Queue[tuple[Worker, str]] = Queue()
        owner = create_engine(database[1])
        with owner.begin() as connection:
            connection.execute(text("create table test_work (id bigserial, task_id bigint, piece int, pid int)"))
        owner.dispose()

    def start(self, *words: str) -> Worker:
        self.running.append(Worker(self.database, self.begun, *words))
        return self.running[-1]

    def ask(self, kind: str, name: str = "a", **told: Any) -> int:
        with Session(self.engine) as session, unit_of_work(session):
            by = house("test")
            return enqueue(session, kind, {"name": name, **told}, by=by, at=datetime.now(UTC), total=PIECES).id

    def act(self, task_id: int, name: str) -> BackgroundTask:
        """Cancel or retry, as a person would."""
        act = REGISTRY.find("background_task", name)
        assert act is not None
        with Session(self.engine, expire_on_commit=False) as session:
            by = house("test")
            return run(session, act, by=by, at=datetime.now(UTC), record_id=task_id, values={}).record

    def task(self, task_id: int) -> BackgroundTask:
        with Session(self.engine) as session:
            return session.scalars(select(BackgroundTask).where(BackgroundTask.id == task_id)).one()

    def wait(self, task_id: int, until: Callable[[BackgroundTask], bool] | None = None) -> BackgroundTask:
        """Wait until a task is over, or as told; return it."""
        patience = time.monotonic() + PATIENCE
        while True:
            found = self.task(task_id)
            if until(found) if until is not None else found.state not in OPEN_STATES:
                return found
            assert time.monotonic() < patience, [found.state, [worker.said for worker in self.running]]
            time.sleep(0.05)

    def next_begun(self, *pieces: str) -> Worker:
        """Wait until each of these pieces, such as "a 2", was begun, in whatever order; return who began the last."""
        awaited = set(pieces)
        while True:
            worker, began = self.begun.get(timeout=PATIENCE)
            awaited.discard(began)
            if not awaited:
                return worker

    def kill(self, worker: Worker) -> None:
        worker.send(signal.SIGKILL)
        worker.end()
        self.running.remove(worker)

    def stop(self) -> list[int]:
        for worker in self.running:
            worker.send(signal.SIGTERM)
        codes = [worker.end() for worker in self.running]
        self.running.clear()
        return codes

    def rows(self, sql: str) -> list[Any]:
        with self.engine.connect() as connection:
            return list(connection.execute(text(sql)))

    def pieces(self, task_id: int) -> list[int]:
        """Return the pieces that have an effect, in the order of their making."""
        return [row.piece for row in self.rows(f"select piece from test_work where task_id = {task_id} order by id")]


@pytest.fixture
def workshop(app: Flask) -> Iterator[Workshop]:
    with fresh_database("workshop", copy=True) as database, app.app_context():
        made = Workshop(database)
        try:
            yield made
        finally:
            for worker in made.running:
                worker.send(signal.SIGKILL)
                worker.end()
            made.engine.dispose()


@pytest.mark.parametrize("kind", [WHOLE, STEPS])
def test_work_has_one_effect_though_its_worker_is_killed_in_the_middle(workshop, kind):
    workshop.start()
    workshop.start()
    asked = workshop.ask(kind)
    victim = workshop.next_begun("a 3")
    workshop.kill(victim)
    done = workshop.wait(asked)
    assert (done.state, done.attempts, done.said) == (TaskState.DONE, 2, {"zh": kind[5:], "en": kind[5:]})
    assert workshop.pieces(asked) == list(range(PIECES)), "each piece once"
    by_whom = [row.pid for row in workshop.rows("select pid from test_work order by id")]
    kept = by_whom.count(victim.pid)
    assert kept == (0 if kind == WHOLE else 3), "steps that were finished stay, the rest leaves nothing"
    assert workshop.stop() == [0]
    assert workshop.rows("select 1 from procrastinate_jobs") == []


@pytest.mark.parametrize("kind", [WHOLE, STEPS])
def test_a_worker_that_slept_too_long_cannot_commit_what_another_has_taken_up(workshop, kind):
    """It is frozen, not dead: when it wakes it still believes to own the task."""
    workshop.start()
    asked = workshop.ask(kind)
    sleeper = workshop.next_begun("a 3")
    sleeper.send(signal.SIGSTOP)
    workshop.start()
    assert workshop.wait(asked).state is TaskState.DONE
    sleeper.send(signal.SIGCONT)
    time.sleep(TAKES * PIECES + 1)
    assert workshop.pieces(asked) == list(range(PIECES))
    assert (workshop.task(asked).state, workshop.task(asked).attempts) == (TaskState.DONE, 2)


def test_without_the_guard_a_sleeper_does_leave_a_second_effect(workshop):
    """The control: the same two workers, careless."""
    workshop.start("careless")
    asked = workshop.ask(WHOLE)
    sleeper = workshop.next_begun("a 3")
    sleeper.send(signal.SIGSTOP)
    workshop.start("careless")
    workshop.next_begun(f"a {PIECES - 1}")
    sleeper.send(signal.SIGCONT)
    time.sleep(TAKES * PIECES + 3)
    assert len(workshop.pieces(asked)) > PIECES


def test_a_worker_that_is_asked_to_stop_finishes_short_work_and_hands_back_steps(workshop):
    first = workshop.start()
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


@pytest.mark.parametrize("kind", [WHOLE, STEPS])
def test_running_work_is_cancelled_at_its_next_step(workshop, kind):
    workshop.start()
    asked = workshop.ask(kind, tells=True)
    workshop.next_begun("a 2")
    workshop.act(asked, "cancel")
    over = workshop.wait(asked)
    assert over.state is TaskState.CANCELLED
    assert workshop.pieces(asked) == ([] if kind == WHOLE else list(range(over.done_count)))
    assert over.done_count < PIECES


def test_progress_is_seen_while_nothing_is_committed(workshop):
    workshop.start()
    asked = workshop.ask(WHOLE, tells=True)
    seen = workshop.wait(asked, until=lambda task: 0 < task.done_count < PIECES)
    assert (seen.state, seen.total_count, workshop.pieces(asked)) == (TaskState.RUNNING, PIECES, [])
    assert workshop.wait(asked).done_count == PIECES


def test_a_waiting_task_is_cancelled_at_once_and_never_begun(workshop):
    asked = workshop.ask(WHOLE)
    assert workshop.act(asked, "cancel").state is TaskState.CANCELLED
    workshop.start()
    after = workshop.ask(WHOLE, "after")
    workshop.wait(after)
    assert workshop.pieces(asked) == []
    assert workshop.task(asked).attempts == 0


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
