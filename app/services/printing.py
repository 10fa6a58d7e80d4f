"""The print log: which copy of a form a printing is, who made it and when. White paper 5.1.

A number is given under a lock on the record's log that is held until the commit, so that two people who print at once
get one after the other; the unique key of the table is the last guard.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from app.actors import Actor
from app.errors import KeyReused
from app.keyring import ring
from app.models.audit import ActRun
from app.models.printing import PrintJob
from app.services.guard import crossing
from app.services.trail import note
from app.words import _

_LOCK = text("select pg_advisory_xact_lock(hashtextextended(:key, 2))")


@dataclass(frozen=True)
class Form:
    """A form of a table, by their names."""

    table: str
    paper: str


def next_copies(session: Session, form: Form, record_ids: Iterable[int]) -> dict[int, int]:
    """Return the copy number that each record's next printing would have, without giving it."""
    wanted = list(record_ids)
    newest = (
        select(PrintJob.record_id, func.max(PrintJob.copy_no).label("last"))
        .where(PrintJob.table_name == form.table, PrintJob.paper == form.paper, PrintJob.record_id.in_(wanted))
        .group_by(PrintJob.record_id)
    )
    with crossing("printings"):
        printed = session.execute(newest).all()
    last = {row.record_id: row.last for row in printed}
    return {record_id: last.get(record_id, 0) + 1 for record_id in wanted}


def lock_logs(session: Session, form: Form, record_ids: Iterable[int]) -> dict[int, int]:
    """Lock the logs of records until the transaction ends, in the order of their ids; return their next copies."""
    wanted = sorted(record_ids)
    for record_id in wanted:
        session.execute(_LOCK, {"key": f"print {form.table} {record_id} {form.paper}"})
    return next_copies(session, form, wanted)


def printed_before(session: Session, form: Form, record_id: int, *, by: Actor, key: str) -> PrintJob | None:
    """Return what the same request printed before, waiting for it if it is under way; None if it did not.

    The key stands for one printing: for anything else it raises KeyReused.
    """
    session.execute(_LOCK, {"key": f"key {by.name} {key}"})
    with crossing("own_request"):
        same = (ActRun.actor == by.name, ActRun.request_key == key)
        earlier = session.scalars(select(ActRun).where(*same)).one_or_none()
        if earlier is None:
            return None
        if earlier.inputs_hash != _told(form, record_id):
            raise KeyReused(_("This request key was used before for something else. Please start again."))
        return session.scalars(
            select(PrintJob).where(
                PrintJob.table_name == form.table,
                PrintJob.record_id == record_id,
                PrintJob.paper == form.paper,
                PrintJob.copy_no == earlier.inputs["copy_no"],
            )
        ).one()


def enter(
    session: Session,
    form: Form,
    record: Any,
    *,
    copy_no: int,
    pages: int,
    locale: str,
    by: Actor,
    at: datetime,
    key: str,
    task_id: int | None = None,
) -> PrintJob:
    """Write a printing into the log and into its record's history, in the open transaction."""
    job = PrintJob(
        table_name=form.table,
        record_id=record.id,
        record_name=str(record)[:120],
        paper=form.paper,
        copy_no=copy_no,
        pages=pages,
        printed_at=at,
        actor=by.name,
        employee_id=by.employee_id,
        branch_id=getattr(record, "branch_id", None) or by.branch_id,
        department_id=getattr(record, "department_id", None),
        locale=locale,
        task_id=task_id,
    )
    entry = ActRun(
        actor=by.name,
        request_key=key,
        table_name=form.table,
        record_id=record.id,
        act="print",
        inputs={"paper": form.paper, "copy_no": copy_no},
        inputs_hash=_told(form, record.id),
        employee_id=by.employee_id,
        branch_id=job.branch_id,
        occurred_at=at,
    )
    session.add_all([job, entry])
    session.flush()
    note(session, "print", record, paper=form.paper, copy_no=copy_no, pages=pages)
    return job


def jobs_of(session: Session, table: str, record_id: int, *, most: int = 20) -> list[PrintJob]:
    """Return a record's newest printings."""
    of_record = select(PrintJob).where(PrintJob.table_name == table, PrintJob.record_id == record_id)
    with crossing("printings"):
        return list(session.scalars(of_record.order_by(PrintJob.id.desc()).limit(most)))


def _told(form: Form, record_id: int) -> str:
    return ring().digest("inputs", repr(["print", form.table, form.paper, record_id]))
