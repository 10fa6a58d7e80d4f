"""Workers, each a process, on a database of their own: started, killed, frozen, asked to stop; and what they leave."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from queue import Queue
from typing import Any

from flask import Flask
from sqlalchemy import create_engine, select, text
from sqlalchemy.orm import Session

from app.actors import house
from app.acts import REGISTRY
from app.models.tasks import OPEN_STATES, BackgroundTask
from app.services.runner import run
from app.services.tasks import enqueue
from app.unit import unit_of_work
from tests.databases import fresh_database
from tests.jobs.slow_worker import PIECES
from tests.jobs.telling import PATIENCE, TellingProcess


class Worker(TellingProcess):
    """A worker's process; it tells the pieces that it begins."""

    module = "tests.jobs.slow_worker"


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

    def staff(self, count: int) -> None:
        """Have so many workers at hand, idle ones of before among them: to start one takes seconds."""
        while len(self.running) > count:
            self.kill(self.running[-1])
        while len(self.running) < count:
            self.start()
        while not self.begun.empty():
            self.begun.get()

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
        worker.kill()
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


@contextmanager
def workshop_on(app: Flask, label: str, *, people: bool = False) -> Iterator[Workshop]:
    """Open a workshop on a fresh database; its workers are ended afterwards."""
    with fresh_database(label, copy=True, people=people) as database, app.app_context():
        made = Workshop(database)
        try:
            yield made
        finally:
            for worker in made.running:
                worker.kill()
            made.engine.dispose()
