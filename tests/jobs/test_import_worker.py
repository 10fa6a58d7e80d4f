"""A worker's process is killed in the middle of an import; another goes on, and every row is written exactly once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
from sqlalchemy import func, select

from app.models.customers import Customer, CustomerContact
from app.models.imports import ImportBatch, ImportRow, ImportState, RowAction
from app.models.tasks import BackgroundTask, TaskState
from tests.databases import ROOT
from tests.services.test_imports_at_once import Importer

pytestmark = pytest.mark.slow

PATIENCE = 180  # seconds; the machine may be busy
ROWS = 1200


@pytest.fixture
def start(own_world):
    """Start a worker that takes silence for death soon; all of them are ended afterwards."""
    config = own_world.app.config
    environment = os.environ | {
        "DATABASE_URL": config["SQLALCHEMY_DATABASE_URI"],
        "DATABASE_OWNER_URL": config["DATABASE_OWNER_URL"],
    }
    running: list[subprocess.Popen[bytes]] = []

    def started() -> subprocess.Popen[bytes]:
        command = [sys.executable, "-W", "ignore", "-m", "tests.jobs.slow_worker"]
        running.append(subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.DEVNULL))
        return running[-1]

    yield started
    for process in running:
        process.kill()
        process.wait(30)


def wait_for(world, batch_id: int, until) -> ImportBatch:
    patience = time.monotonic() + PATIENCE
    while True:
        with world.app.app_context():
            found = world.session().get_one(ImportBatch, batch_id)
            if until(found):
                return found
            told = (found.state, found.rows_done)
        assert time.monotonic() < patience, told
        time.sleep(0.02)


def test_a_worker_killed_in_the_middle_of_an_import_leaves_each_row_written_once(own_world, start):
    numbers = [str(13_822_220_000 + number) for number in range(ROWS)]
    asked = Importer(own_world, "it_manager", [[f"丙{number}", number] for number in numbers])
    first = start()
    broken = wait_for(own_world, asked.batch_id, lambda batch: batch.rows_done > 0)
    first.send_signal(signal.SIGKILL)
    first.wait(30)
    assert 0 < broken.rows_done < ROWS, "it was in the middle"
    start()
    done = wait_for(own_world, asked.batch_id, lambda batch: batch.state is ImportState.DONE)
    assert (done.rows_done, done.rows_made, done.rows_left_out, done.rows_skipped) == (ROWS, ROWS, 0, 0)
    with own_world.app.app_context():
        session = own_world.session()
        task = session.get_one(BackgroundTask, done.task_id)
        assert task.attempts == 2
        made = select(ImportRow.record_id).where(
            ImportRow.batch_id == done.id, ImportRow.action == RowAction.MADE, ImportRow.record_id.is_not(None)
        )
        assert session.scalar(select(func.count()).select_from(made.distinct().subquery())) == ROWS
        assert session.scalar(select(func.count()).select_from(Customer).where(Customer.name.like("丙138%"))) == ROWS
        hashes = select(CustomerContact.value_hash).where(CustomerContact.customer_id.in_(made))
        assert len(set(session.scalars(hashes))) == ROWS
    with own_world.app.app_context():
        patience = time.monotonic() + PATIENCE
        while own_world.session().get_one(BackgroundTask, done.task_id).state is not TaskState.DONE:
            assert time.monotonic() < patience
            own_world.session().rollback()
            own_world.session().expire_all()
            time.sleep(0.1)
