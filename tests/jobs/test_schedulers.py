"""The real thing: several schedulers, each a process, and one of them killed in the middle of a job.

Every slot from the first to the last ran exactly once. The last test takes the guards away and sees doubles, so that
the first two are known to be able to fail.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from queue import Queue
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from app.ops import doctor
from app.ops.doctor import Verdict
from tests.databases import fresh_database
from tests.jobs.telling import PATIENCE, TellingProcess
from tests.jobs.ticking_scheduler import CATCH_UP, JOB, PERIOD

pytestmark = pytest.mark.slow

BEFORE_KILL, AFTER_KILL = 2, 4  # seconds


class Scheduler(TellingProcess):
    """A scheduler's process; it tells the slots that it begins."""

    module = "tests.jobs.ticking_scheduler"


class Clockwork:
    """A database of its own with the table of ticks, and the schedulers that run on it."""

    def __init__(self, database: tuple[str, str]) -> None:
        self.database = database
        self.running: list[Scheduler] = []
        self.begun: Queue[tuple[Scheduler, str]] = Queue()
        self.engine = create_engine(database[1])
        with self.engine.begin() as connection:
            connection.execute(text("create table test_tick (id bigserial, slot text, pid int)"))

    def start(self, *words: str) -> Scheduler:
        scheduler = Scheduler(self.database, self.begun, *words)
        self.running.append(scheduler)
        return scheduler

    def wait_for_signs_of_life(self) -> None:
        """Wait until each of them has beaten its heart: it looks for slots from then on."""
        patience = time.monotonic() + PATIENCE
        while {scheduler.pid for scheduler in self.running} - {row.pid for row in self.beats()}:
            assert time.monotonic() < patience, [scheduler.said for scheduler in self.running]
            time.sleep(0.1)

    def beats(self) -> list[Any]:
        return self.rows("select pid, extract(epoch from clock_timestamp() - beat_at) as age from job_heartbeat")

    def next_begun(self) -> tuple[Scheduler, str]:
        """Wait until one of them begins a slot, from now on."""
        while not self.begun.empty():
            self.begun.get()
        return self.begun.get(timeout=PATIENCE)

    def kill(self, scheduler: Scheduler) -> None:
        scheduler.kill()
        self.running.remove(scheduler)

    def stop(self) -> list[int]:
        codes = [scheduler.stop() for scheduler in self.running]
        self.running.clear()
        return codes

    def rows(self, sql: str) -> list[Any]:
        with self.engine.connect() as connection:
            return list(connection.execute(text(sql)))

    def ticks(self) -> list[tuple[str, int]]:
        return [(row.slot, row.pid) for row in self.rows("select slot, pid from test_tick order by id")]


@pytest.fixture
def clockwork() -> Iterator[Clockwork]:
    with fresh_database("clockwork", copy=True) as database:
        made = Clockwork(database)
        try:
            yield made
        finally:
            for scheduler in made.running:
                scheduler.kill()
            made.engine.dispose()


@pytest.mark.parametrize("count", [pytest.param(2, marks=pytest.mark.nightly), 3])
def test_every_slot_runs_exactly_once_though_a_scheduler_is_killed_in_the_middle_of_a_job(clockwork, count):
    for _ in range(count):
        clockwork.start()
    clockwork.wait_for_signs_of_life()
    time.sleep(BEFORE_KILL)

    victim, broken_off = clockwork.next_begun()
    clockwork.kill(victim)
    clockwork.start()
    clockwork.wait_for_signs_of_life()
    time.sleep(AFTER_KILL)

    with clockwork.engine.connect() as connection:
        assert doctor.heartbeat(connection).verdict is Verdict.OK
    fresh = {row.pid for row in clockwork.beats() if row.age < 15}
    assert {scheduler.pid for scheduler in clockwork.running} <= fresh, "a sign of life from each that lives"

    assert clockwork.stop() == [0] * count
    ran = clockwork.ticks()
    slots = sorted(datetime.fromisoformat(slot) for slot, _pid in ran)
    assert [slot for slot, times in Counter(slots).items() if times != 1] == [], "no slot twice"
    missed = [each for each, following in pairwise(slots) if following - each != PERIOD]
    assert missed == [], "none missed between the first and the last"
    assert len(slots) >= CATCH_UP / PERIOD + BEFORE_KILL + AFTER_KILL

    assert (broken_off, victim.pid) not in ran, "what the killed one was at left no effect"
    assert broken_off in dict(ran), "and another did it"
    told = clockwork.rows(f"select slot, attempts, error, ended_at from job_run where job = '{JOB}'")
    assert {row.slot for row in told} == {slot for slot, _pid in ran}
    assert {(row.attempts, row.error) for row in told} == {(1, None)}
    assert all(row.ended_at for row in told)


def test_without_lock_and_row_slots_do_run_twice(clockwork):
    """The control: the same schedulers, careless. Both walk through the slots that are to be made up."""
    for _ in range(2):
        clockwork.start("careless")
    clockwork.wait_for_signs_of_life()
    time.sleep(3)
    clockwork.stop()
    times = Counter(slot for slot, _pid in clockwork.ticks())
    assert max(times.values()) > 1
