"""A large list as a file, made by a worker: rows a second, the worker's peak of memory, the size of the file.

Run it as `python3 -m bench.big_export --rows 200000` in the environment of `run.py`, with DATABASE_URL and
DATABASE_OWNER_URL of a server on which the owner may create a database. Limit: 300 MB of the worker's memory.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flask import Flask, g
from sqlalchemy import pool, select, text
from sqlalchemy.orm import Session

MOST_MEGABYTES = 300
WHO = "phone_supervisor"
#: Ask for another's rows and they are hers: so the new ones are of the same department.
FILL = """
insert into customer
  (customer_no, name, sex, state, branch_id, developer_id, search_terms, created_at, updated_at, row_version)
select 'BIG' || n, '林小' || n, 'female', 'temporary', :branch, :employee, '{}', now(), now(), 1
from generate_series(1, :rows) n
"""


@dataclass(frozen=True)
class Measured:
    """What one export cost."""

    file_format: str
    rows: int
    seconds: float
    megabytes: float
    file_bytes: int

    def __str__(self) -> str:
        return (
            f"{self.file_format}: {self.rows:,} rows in {self.seconds:.0f} s ({self.rows / self.seconds:,.0f} rows/s), "
            f"worker's peak {self.megabytes:.0f} MB, file {self.file_bytes / 1e6:.1f} MB"
        )


def fill(session: Session, rows: int) -> None:
    """Add so many customers of the supervisor's department, and let her export them without a second person."""
    from app.models.hr import Employee
    from app.unit import acting_as, unit_of_work

    with acting_as("house:bench"), unit_of_work(session):
        who = session.scalars(select(Employee).where(Employee.user_id == _user_id(session))).one()
        values = {"branch": who.branch_id, "employee": who.id, "rows": rows}
        session.execute(text(FILL), values)
        session.execute(
            text(
                "insert into param (key, value, effective_at, reason) values"
                " ('exports.most_rows', '1000000', now() - interval '1 day', 'bench'),"
                " ('exports.at_once_rows', '0', now() - interval '1 day', 'bench')"
            )
        )


def _user_id(session: Session) -> int:
    found: int = session.execute(text("select id from ab_user where username = :name"), {"name": WHO}).scalar_one()
    return found


def ask_for(app: Flask, file_format: str) -> int:
    """Ask for the list of customers as a file; return the number of its task."""
    from app.extensions import db
    from app.models.privacy import FileFormat
    from app.panel.exporting import LIST
    from app.services.hr import actor_for_user
    from app.services.privacy.exports import Wanted, ask

    with app.app_context():  # outside a request nobody asks yet, and a person can be looked up
        by = actor_for_user(db.session(), _user_id(db.session()))
        db.session.remove()
    with app.test_request_context("/"):
        session = db.session()
        g.actor, g.now, g.acting_name = by, datetime.now(UTC), by.name
        wanted = Wanted(
            LIST, "customer", "Customers", {"page": "customer", "query": ""}, FileFormat(file_format), "bench"
        )
        made = ask(session, wanted, by=by, at=datetime.now(UTC), key=os.urandom(8).hex(), locale="zh")
        assert made.task_id is not None
        return made.task_id


@contextmanager
def worker() -> Iterator[subprocess.Popen[bytes]]:
    """Run a worker as a process of its own."""
    code = "from app import create_app; from app.jobs import worker; worker.serve(create_app())"
    with tempfile.TemporaryFile() as said, subprocess.Popen([sys.executable, "-c", code], stderr=said) as process:
        try:
            yield process
        finally:
            process.terminate()


def peak_megabytes(pid: int) -> float:
    """Return the most memory that a process has held, as the kernel counts it."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise ProcessLookupError(pid)


def wait_for(session: Session, task_id: int, patience: float = 3600) -> Any:
    """Wait until a task is over and return it."""
    from app.models.tasks import OPEN_STATES, BackgroundTask

    until = time.monotonic() + patience
    while time.monotonic() < until:
        session.rollback()
        task = session.get_one(BackgroundTask, task_id, populate_existing=True)
        if task.state not in OPEN_STATES:
            return task
        time.sleep(0.25)
    raise TimeoutError(f"task {task_id} does not end")


def measure(app: Flask, *file_formats: str) -> list[Measured]:
    """Export the whole list with a fresh worker, once as each of these formats, all at the same time."""
    from app.extensions import db

    with worker() as process, app.app_context():
        asked = [(file_format, ask_for(app, file_format)) for file_format in file_formats]
        ended = [(file_format, wait_for(db.session(), task_id)) for file_format, task_id in asked]
        peak = peak_megabytes(process.pid)
        return [_measured(db.session(), file_format, task, peak) for file_format, task in ended]


def _measured(session: Session, file_format: str, task: Any, peak: float) -> Measured:
    from app.models.privacy import ExportRequest

    if task.error:
        raise RuntimeError(task.error)
    made = session.scalars(select(ExportRequest).where(ExportRequest.task_id == task.id)).one()
    assert made.file is not None
    seconds = (task.ended_at - task.started_at).total_seconds()
    return Measured(file_format, made.row_count, seconds, peak, made.file.size_bytes)


def main() -> int:
    """Measure each format by itself, then all at once; return 1 if the worker held too much."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--formats", nargs="*", default=["xlsx", "csv"])
    arguments = parser.parse_args()
    from app import create_app
    from app.demo import load
    from app.extensions import db
    from app.ops import schema, testing
    from app.panel import security
    from config import home_of

    with testing.scratch_database(home_of(), print):
        app = create_app(SQLALCHEMY_ENGINE_OPTIONS={"poolclass": pool.NullPool})
        schema.migrate(app)
        security.sync_security(app)
        load(app, say=lambda _line: None, share=0.03)
        with app.app_context():
            fill(db.session(), arguments.rows)
        alone = [each for file_format in arguments.formats for each in measure(app, file_format)]
        together = measure(app, *arguments.formats)
        with app.app_context():
            db.engine.dispose()
    for how, found in (("alone", alone), ("at once", together)):
        for each in found:
            print(f"{how}: {each}")
    return int(any(each.megabytes > MOST_MEGABYTES for each in [*alone, *together]))


if __name__ == "__main__":
    sys.exit(main())
