"""A copy of all that is held on a person: a ZIP with what a person reads, what a machine reads, and the files. L13."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import NotPermitted
from app.filestore import FileMissing
from app.models.base import column_names, described, models
from app.models.customers import Customer
from app.models.files import FilePurpose
from app.models.privacy import SubjectRequest
from app.services.files import content_of, keep
from app.services.guard import crossing
from app.services.privacy.exports import KEPT_HOURS
from app.services.privacy.holdings import UNTOLD, ids_held, rows_of, told_tables
from app.services.privacy.requests import COPY_TASK, settle
from app.services.settings import value_of
from app.services.tasks import TaskRun, task
from app.services.trail import note
from app.words import _l

#: Sets the readable copy; installed by the floor that knows paper: (customer, sections, at, zone) to PDF.
Setter = Callable[[Customer, list[tuple[str, list[list[tuple[str, str]]]]], datetime, str], bytes]
_setter: list[Setter] = []


def set_with(setter: Setter) -> None:
    """Install what sets the readable copy."""
    _setter[:] = [setter]


def plain(value: Any) -> Any:
    """Return a stored value as JSON holds it."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value


def everything(session: Session, customer: Customer) -> dict[str, list[dict[str, Any]]]:
    """Return all that is held on a person, in clear: table -> rows -> column -> value."""
    held = ids_held(session, customer)
    return {
        table: [
            {name: plain(getattr(row, name)) for name in column_names(type(row)) if name not in UNTOLD}
            for row in rows_of(session, table, held.get(table, []))
        ]
        for table in told_tables()
    }


def readable(told: dict[str, list[dict[str, Any]]]) -> list[tuple[str, list[list[tuple[str, str]]]]]:
    """Return the same under the words that people use: only columns with a label, only what stands."""
    sections = []
    for table, rows in told.items():
        model = models()[table]
        labels = {name: described(getattr(model, name)) for name in column_names(model)}
        lines = [
            [(str(column.label), str(row[name])) for name, column in labels.items() if column and row.get(name)]
            for row in rows
        ]
        if lines:
            sections.append((str(model.TITLES), lines))
    return sections


def copy_of(session: Session, customer: Customer, at: datetime, zone: str) -> bytes:
    """Return the ZIP: ``copy.pdf``, ``data.json``, ``files/``; files that are gone from the store are named."""
    told = everything(session, customer)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data.json", json.dumps(told, ensure_ascii=False, indent=1))
        if _setter:
            archive.writestr("copy.pdf", _setter[0](customer, readable(told), at, zone))
        for file in rows_of(session, "stored_file", ids_held(session, customer)["stored_file"]):
            kept: Any = file
            if kept.dropped_at is None and kept.subject_table != "subject_request":
                try:
                    archive.writestr(f"files/{kept.id}-{kept.name}", content_of(kept))
                except FileMissing:
                    archive.writestr(f"files/{kept.id}-missing.txt", kept.name)
    return out.getvalue()


@task(COPY_TASK, _l("A copy of all that is held on a person"))
def make_copy(run: TaskRun) -> object:
    """Make the copy that a person demanded, as who carries the request out."""
    session, by = run.session, run.by
    if not by.may("subject_request", "can_carry_out"):
        raise NotPermitted
    request = session.get_one(SubjectRequest, run.parameters["request_id"], with_for_update=True)
    with crossing("subject_copy"):  # the act that asked for it was decided, and is in the trail
        content = copy_of(session, request.customer, run.at, by.zone)
    name = f"{request.customer.customer_no}-{run.at.astimezone(by.timezone):%Y%m%d}.zip"
    kept = keep(
        session,
        content,
        name,
        "application/zip",
        purpose=FilePurpose.RESULT,
        by=by,
        at=run.at,
        subject=("subject_request", request.id),
    )
    request.file_id = kept.id
    note(session, "export", request, format="zip", source="subject_request", rows=1, reason=request.kind.value)
    settle(session, request, by, run.at)
    return _l("The copy is ready: see the request.")


def drop_old_copies(session: Session, *, at: datetime) -> int:
    """Remove copies whose time is over, as with exports; that they were made stays on record."""
    dropped = 0
    for request in session.scalars(
        select(SubjectRequest).where(SubjectRequest.file_id.is_not(None), SubjectRequest.ended_at.is_not(None))
    ):
        hours = value_of(session, KEPT_HOURS, branch_id=request.branch_id, at=at)
        file = request.file
        if file is not None and file.dropped_at is None and request.ended_at + timedelta(hours=hours) <= at:  # type: ignore[operator]
            file.dropped_at = at
            dropped += 1
    return dropped
