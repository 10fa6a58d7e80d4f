"""The worker's process: takes jobs of the queue (procrastinate) and does the tasks that they stand for.

Any number of workers may run, on any number of machines that share the database and the folder of files. Each also
looks whether another is gone, and puts back into the queue what that one had taken up.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import threading
import time
from datetime import UTC, datetime, timedelta

import procrastinate
from flask import Flask

from app.extensions import db
from app.services.tasks import perform, take_up_again
from app.services.tasks.queue import JOB_NAME, QUEUE_NAME
from app.services.tasks.rescue import BEAT_EVERY, SILENT_AFTER

log = logging.getLogger(__name__)

NAME = f"{socket.gethostname()[:100]}:{os.getpid()}"
GRACE = 5.0  # seconds that work in one transaction has to come to its end when the worker is to stop


class Worker:
    """A worker of this process. ``asked`` is set once somebody asked it to stop."""

    def __init__(self, flask_app: Flask, *, beat: timedelta, silent_after: timedelta) -> None:
        self.flask_app = flask_app
        self.beat = beat
        self.silent_after = silent_after
        self.asked = threading.Event()
        self.over = threading.Event()
        self._leave_by = 0.0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._working: asyncio.Task[None] | None = None

    def run(self) -> None:
        """Work until somebody asks to stop, or until the database stays away."""
        looking = threading.Thread(target=self._look_after, daemon=True)
        looking.start()
        try:
            asyncio.run(self._work())
        finally:
            self.over.set()
            looking.join(5)

    def is_due(self, in_steps: bool) -> bool:
        """Say whether work has to leave off: steps at once, since little is lost; the rest after its grace."""
        return self.asked.is_set() and (in_steps or time.monotonic() > self._leave_by)

    def stop(self) -> None:
        """Take up nothing more, and let what is at hand end or go back into the queue."""
        if not self.asked.is_set():
            self._leave_by = time.monotonic() + GRACE
            self.asked.set()
            self._end()

    def give_up(self) -> None:
        """End this process: only its end lets another worker see that something is not done. From any thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._end)

    def _end(self) -> None:
        """Cancel the library's worker, which is its way of being asked: it waits for what it is at."""
        if self._working is not None and not self.over.is_set():
            self.over.set()
            self._working.cancel()

    async def _work(self) -> None:
        self._loop, self._working = asyncio.get_running_loop(), asyncio.current_task()
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self.stop)
        queue = self._queue()
        with contextlib.suppress(asyncio.CancelledError):
            async with queue.open_async():
                await queue.run_worker_async(
                    queues=[QUEUE_NAME],
                    name=NAME,
                    concurrency=self.flask_app.config["WORKER_CONCURRENCY"],
                    delete_jobs="always",  # our own row keeps what is to be known
                    install_signal_handlers=False,
                    update_heartbeat_interval=self.beat.total_seconds(),
                    stalled_worker_timeout=self.silent_after.total_seconds(),
                )

    def _queue(self) -> procrastinate.App:
        """Return the queue as this process sees it, with the one kind of job that there is."""
        address = self.flask_app.config["SQLALCHEMY_DATABASE_URI"].replace("+psycopg", "", 1)
        queue = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=address, min_size=2, max_size=4))

        @queue.task(name=JOB_NAME, queue=QUEUE_NAME, pass_context=True)
        def background_task(context: procrastinate.JobContext, task_id: int) -> None:
            try:
                with self.flask_app.app_context():
                    perform(db.session(), task_id, context.job.id, shutting_down=self.is_due, worker=NAME)
            except Exception:
                log.exception("task %s: how it ended cannot be written down; this worker gives up", task_id)
                self.give_up()

        return queue

    def _look_after(self) -> None:
        """Look at each beat for tasks whose worker is gone."""
        while not self.over.wait(self.beat.total_seconds()):
            try:
                with self.flask_app.app_context():
                    take_up_again(db.session(), at=datetime.now(UTC), silent_after=self.silent_after)
            except Exception:
                log.exception("looking for abandoned tasks failed")


def serve(flask_app: Flask, *, beat: timedelta = BEAT_EVERY, silent_after: timedelta = SILENT_AFTER) -> bool:
    """Work until SIGTERM or SIGINT, then finish or hand back what is at hand; False if it ended unasked."""
    worker = Worker(flask_app, beat=beat, silent_after=silent_after)
    worker.run()
    return worker.asked.is_set()
