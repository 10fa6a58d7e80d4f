"""Two people who import the same numbers at the same moment, each in a transaction that really commits. R-2.1.1-2."""

from __future__ import annotations

import io
import threading
from datetime import UTC, datetime

import pytest
from openpyxl import Workbook
from sqlalchemy import func, select

from app.models.customers import ContactKind, Customer, CustomerContact, contact_hash
from app.models.files import FilePurpose
from app.models.imports import ImportBatch, ImportOf, ImportRow, ImportState, RowAction
from app.models.tasks import BackgroundTask
from app.services.files import take_in
from app.services.tasks import perform
from app.unit import unit_of_work

pytestmark = pytest.mark.slow

NUMBERS = [str(13_811_110_000 + number) for number in range(450)]


def workbook(rows: list[list[str]]) -> bytes:
    book = Workbook(write_only=True)
    sheet = book.create_sheet("客户")
    for row in [["姓名", "手机"], *rows]:
        sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


class Importer:
    """A person with a file of her own, as far as ready to be carried out."""

    def __init__(self, world, who: str, rows: list[list[str]]) -> None:
        self.world, self.who = world, who
        with world.app.app_context():
            session = world.session()
            by = world.person(session, who)
            with unit_of_work(session):
                file = take_in(
                    session,
                    workbook(rows),
                    "客户.xlsx",
                    purpose=FilePurpose.IMPORT,
                    field="file_id",
                    by=by,
                    at=datetime.now(UTC),
                )
            upload = {"kind": ImportOf.CUSTOMERS, "file_id": file.id}
            self.batch_id = world.run(session, "import_batch.upload", by, None, upload).record.id
        self.ask("check")
        self.work()
        self.ask("carry_out")

    def ask(self, act: str) -> None:
        with self.world.app.app_context():
            session = self.world.session()
            by = self.world.person(session, self.who)
            self.world.run(session, f"import_batch.{act}", by, self.batch_id, {})

    def work(self, gate: threading.Barrier | None = None) -> None:
        with self.world.app.app_context():
            session = self.world.session()
            batch = session.get_one(ImportBatch, self.batch_id)
            task = session.get_one(BackgroundTask, batch.task_id)
            key, job = task.id, task.job_id
            session.rollback()
            if gate is not None:
                gate.wait(30)
            perform(session, key, job)

    def batch(self) -> ImportBatch:
        return self.world.session().get_one(ImportBatch, self.batch_id, populate_existing=True)


def test_two_who_import_the_same_numbers_at_once_make_each_customer_once(own_world):
    """Neither check knew of the other; one goes through the numbers upwards, the other downwards."""
    first = Importer(own_world, "it_manager", [[f"甲{n}", n] for n in NUMBERS])
    second = Importer(own_world, "web_supervisor", [[f"乙{n}", n] for n in reversed(NUMBERS)])
    gate = threading.Barrier(2)
    both = [threading.Thread(target=each.work, args=(gate,)) for each in (first, second)]
    for one in both:
        one.start()
    for one in both:
        one.join(120)
        assert not one.is_alive(), "they wait for each other"
    with own_world.app.app_context():
        session = own_world.session()
        one, other = first.batch(), second.batch()
        assert (one.state, other.state) == (ImportState.DONE, ImportState.DONE)
        assert (one.rows_refused, other.rows_refused, one.rows_duplicate, other.rows_duplicate) == (0, 0, 0, 0)
        assert one.rows_made + other.rows_made == len(NUMBERS)
        assert min(one.rows_made, other.rows_made) > 0, "they worked at the same time"
        assert one.rows_skipped + other.rows_skipped == len(NUMBERS)
        hashes = [contact_hash(ContactKind.PHONE, number) for number in NUMBERS]
        held = session.execute(
            select(CustomerContact.value_hash, func.count())
            .where(CustomerContact.value_hash.in_(hashes))
            .group_by(CustomerContact.value_hash)
        ).all()
        assert len(held) == len(NUMBERS)
        assert {count for _hash, count in held} == {1}
        both_batches = [first.batch_id, second.batch_id]
        told = session.execute(
            select(ImportRow.action, func.count())
            .where(ImportRow.batch_id.in_(both_batches))
            .group_by(ImportRow.action)
        ).all()
        assert {tuple(row) for row in told} == {(RowAction.MADE, len(NUMBERS)), (RowAction.SKIPPED, len(NUMBERS))}
        made = select(ImportRow.record_id).where(
            ImportRow.batch_id.in_(both_batches), ImportRow.action == RowAction.MADE
        )
        assert session.scalar(select(func.count()).select_from(Customer).where(Customer.id.in_(made))) == len(NUMBERS)
