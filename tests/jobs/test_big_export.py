"""A large list as a file: a worker killed in the middle leaves one file all the same; the memory stays small."""

from __future__ import annotations

import csv
import io
import zipfile

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import create_app
from app.extensions import db
from app.filestore import store
from app.models.audit import Notice
from app.models.files import FilePurpose, StoredFile
from app.models.privacy import ExportRequest, ExportState
from app.models.tasks import TaskState
from app.services.files import content_of
from bench.big_export import MOST_MEGABYTES, ask_for, fill, measure
from tests.jobs.workshop import workshop_on

pytestmark = pytest.mark.slow


@pytest.fixture
def workshop(app):
    """Workers on a database that has people."""
    with workshop_on(app, "exports", people=True) as made:
        yield made


@pytest.fixture
def house(workshop):
    """The application on the workshop's database."""
    made = create_app(SQLALCHEMY_DATABASE_URI=workshop.database[0], DATABASE_OWNER_URL=workshop.database[1])
    yield made
    with made.app_context():
        db.engine.dispose()


def half_written() -> list[str]:
    return [path.name for path in store().root.glob("??/*") if path.suffix]


def test_an_export_whose_worker_is_killed_is_made_once(workshop, house):
    with Session(workshop.engine) as session:
        fill(session, 6)
    workshop.start("dawdling")
    with house.app_context():
        task_id = ask_for(house, "csv")
    victim = workshop.next_begun("row 3")
    assert len(half_written()) == 1
    workshop.kill(victim)
    workshop.start("dawdling")
    done = workshop.wait(task_id)
    assert (done.state, done.attempts, done.done_count, done.total_count) == (TaskState.DONE, 2, 6, 6)
    with Session(workshop.engine) as session:
        [request] = session.scalars(select(ExportRequest)).all()
        assert (request.state, request.row_count) == (ExportState.READY, 6)
        results = session.scalars(select(StoredFile).where(StoredFile.purpose == FilePurpose.RESULT)).all()
        assert [file.id for file in results] == [request.file_id]
        told = select(func.count()).where(Notice.kind == "task_done", Notice.record_id == task_id)
        assert session.scalar(told) == 1
        lines = list(csv.reader(io.StringIO(content_of(request.file).decode("utf-8-sig"))))
    assert {line[0] for line in lines[1:-1]} == {f"BIG{number}" for number in range(1, 7)}
    assert half_written() == []


@pytest.mark.nightly
@pytest.mark.parametrize("formats", [("xlsx",), ("csv",), ("xlsx", "xlsx")], ids=" ".join)
def test_200000_rows_are_exported_whole_and_the_worker_stays_small(workshop, house, monkeypatch, formats):
    """Also while one worker makes two at once, as many as it does."""
    monkeypatch.setenv("DATABASE_URL", workshop.database[0])
    rows = 200_000 - 1
    with Session(workshop.engine) as session:
        fill(session, rows)
    for found in measure(house, *formats):
        print(found)
        assert found.rows == rows
        assert found.megabytes < MOST_MEGABYTES
    with Session(workshop.engine) as session:
        for request in session.scalars(select(ExportRequest)).all():
            are_whole(request.file_format.value, content_of(request.file), rows)
    assert half_written() == []


def are_whole(file_format: str, content: bytes, rows: int) -> None:
    """Say that a file holds a line or a row of the sheet for each, beside its head and its mark."""
    if file_format == "csv":
        assert content.count(b"\r\n") == rows + 2
    else:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            assert archive.testzip() is None
            assert archive.read("xl/worksheets/sheet2.xml").count(b"<row ") == rows + 1
