"""Printing: a form of one record at once, of a selection in the background; each counted, none twice. White paper 5.1.

A sheet is set in type with its copy number first; log, history and, for a batch, its file come in one commit after
that. What fails to print leaves no trace, and what is not in the log is not handed out.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from app.actors import Actor
from app.errors import InvalidInput, NotPermitted, OutOfScope, Refusal
from app.keyring import ring
from app.models.base import models
from app.models.printing import PrintJob
from app.models.tasks import BackgroundTask
from app.reports.base import PAPERS, Paper
from app.reports.press import SetSheet, Sheet, bind, fill_in, join, printed, set_sheets
from app.services import printing as log
from app.services.scope import in_scope, loader
from app.services.tasks import TaskRun, enqueue, task
from app.unit import unit_of_work
from app.words import _, _l, _n, locale_in_force

#: More sheets than this are not bound into one file.
MOST_SHEETS = 500
MOST_NAMED = 30
PDF = "application/pdf"


@dataclass(frozen=True)
class Printing:
    """A printed form: its bytes, its entry in the log, what its record is called."""

    pdf: bytes
    job: PrintJob
    name: str


def print_record(
    session: Session, form: Paper, record_id: int, *, by: Actor, at: datetime, key: str, locale: str
) -> Printing:
    """Print a form of one record and count the copy; the same key again gives the same copy again.

    Raises NotPermitted, OutOfScope, KeyReused.
    """
    _require(form, by)
    known = log.Form(form.table, form.name)
    with unit_of_work(session):
        job = log.printed_before(session, known, record_id, by=by, key=key)
        record = _records(session, form, [record_id], by).get(record_id)
        if record is None:
            raise OutOfScope
        copy_no = job.copy_no if job else log.lock_logs(session, known, [record_id])[record_id]
        when, locale = (job.printed_at, job.locale) if job else (at, locale)
        filled = fill_in(form, _sheet(session, form, record, copy_no, by, when), locale)
        bound = bind(form, [filled], locale)
        if job is None:
            job = log.enter(
                session, known, record, copy_no=copy_no, pages=bound.pages[0], locale=locale, by=by, at=at, key=key
            )
        return Printing(bound.pdf, job, str(record))


def preview(session: Session, form: Paper, record: Any, *, by: Actor, at: datetime, locale: str) -> bytes:
    """Return a form as it would look, marked as a preview on every page; nothing is counted."""
    facts = form.previewed(form.gather(session, record, by, at))
    return printed(form, [Sheet(facts, str(record), None)], locale)


def ask_batch(
    session: Session, form: Paper, record_ids: Sequence[int], *, by: Actor, at: datetime, key: str | None = None
) -> BackgroundTask:
    """Ask for the forms of a selection in one file, in that order; the same key asks once.

    Raises NotPermitted, KeyReused, and InvalidInput for a selection of none or of too many.
    """
    _require(form, by)
    once = list(dict.fromkeys(record_ids))
    if not once:
        raise InvalidInput({"ids": [_("Please select rows first.")]})
    if len(once) > MOST_SHEETS:
        raise InvalidInput({"ids": [_n("At most %(num)s row at once.", "At most %(num)s rows at once.", MOST_SHEETS)]})
    parameters = {"table": form.table, "paper": form.name, "ids": once, "locale": locale_in_force()}
    with unit_of_work(session):
        return enqueue(session, BATCH, parameters, by=by, at=at, key=key, total=len(once))


BATCH = "printing.batch"


@dataclass
class _Batch:
    """What a batch has set so far, and what it leaves out and why."""

    written: dict[int, SetSheet] = field(default_factory=dict)
    versions: dict[int, Any] = field(default_factory=dict)
    left: dict[int, tuple[str, object]] = field(default_factory=dict)

    def leave_out(self, record_id: int, record: Any, why: object) -> None:
        self.written.pop(record_id, None)
        self.left[record_id] = ("" if record is None else str(record), why)

    def __str__(self) -> str:
        """Say in the language in force how many were printed and name those that were not."""
        said = _n("%(num)s printed", "%(num)s printed", len(self.written))
        if not self.left:
            return said
        named = [
            f"{name or _('Row %(number)s', number=key)} ({why})"
            for key, (name, why) in list(self.left.items())[:MOST_NAMED]
        ]
        if len(self.left) > MOST_NAMED:
            named.append("…")
        return _("%(said)s, %(count)s not: %(which)s", said=said, count=len(self.left), which="; ".join(named))


def _may_read_batch(session: Session, asked: Mapping[str, Any], by: Actor) -> bool:
    """Say whether a person could have printed a batch herself: the form's right, and every record in her scope."""
    form = PAPERS.get((asked["table"], asked["paper"]))
    if form is None or not by.may(form.table, form.permission):
        return False
    model, wanted = models()[form.table], set(asked["ids"])
    return set(session.scalars(in_scope(model, by).with_only_columns(model.id).where(model.id.in_(wanted)))) == wanted


@task(BATCH, _l("Print a selection"), result_for=_may_read_batch)
def print_batch(run: TaskRun) -> object:
    """Print the forms of a selection into one file. Everything is set before anything is locked; then those whose
    record or copy number changed meanwhile are set anew, and log, history and file come in one commit."""
    form = PAPERS.get((run.parameters["table"], run.parameters["paper"]))
    if form is None:
        raise Refusal(_("This version does not know this form."))
    _require(form, run.by)
    ids, locale = run.parameters["ids"], run.parameters["locale"]
    known, batch = log.Form(form.table, form.name), _Batch()
    _set_changed(run, form, batch, ids, log.next_copies(run.session, known, ids), locale, progress=True)
    run.progress(len(ids), len(ids), _l("Writing the file"))
    _set_changed(run, form, batch, ids, log.lock_logs(run.session, known, ids), locale)
    if not batch.written:
        raise Refusal(str(batch))
    pdf = join([batch.written[record_id] for record_id in ids if record_id in batch.written])
    run.result(_file_name(form, run, locale), PDF, pdf)
    records = _records(run.session, form, batch.written, run.by)
    for record_id, written in batch.written.items():
        log.enter(
            run.session,
            known,
            records[record_id],
            copy_no=written.sheet.copy_no or 1,
            pages=written.pages,
            locale=locale,
            by=run.by,
            at=run.at,
            key=ring().digest("print", f"{run.task.id} {record_id}"),
            task_id=run.task.id,
        )
    return batch


def _set_changed(
    run: TaskRun,
    form: Paper,
    batch: _Batch,
    ids: Sequence[int],
    copies: dict[int, int],
    locale: str,
    *,
    progress: bool = False,
) -> None:
    """Set every sheet that is not set as its record and its copy number now are; leave out what may not be."""
    records = _records(run.session, form, ids, run.by)
    changed: list[int] = []

    def sheets() -> Iterator[Sheet]:
        for record_id in ids:
            record = records.get(record_id)
            why = _l("There is nothing here, or it is not for you to see.") if record is None else form.left_out(record)
            if why is not None:
                batch.leave_out(record_id, record, why)
                continue
            standing = (getattr(record, "row_version", None), copies[record_id])
            if batch.versions.get(record_id) != standing:
                batch.versions[record_id] = standing
                batch.left.pop(record_id, None)
                changed.append(record_id)
                yield _sheet(run.session, form, record, copies[record_id], run.by, run.at)

    count = itertools.count(1)

    def laid() -> None:
        if progress:
            run.progress(next(count), len(ids), _l("Setting the pages"))

    for number, written in enumerate(set_sheets(form, sheets(), locale, laid=laid)):
        batch.written[changed[number]] = written


def _sheet(session: Session, form: Paper, record: Any, copy_no: int, by: Actor, at: datetime) -> Sheet:
    return Sheet(form.gather(session, record, by, at), str(record), copy_no)


def _records(session: Session, form: Paper, ids: Any, by: Actor) -> dict[int, Any]:
    """Return the records in scope as they are now, with what the form shows, by id."""
    model = models()[form.table]
    statement = in_scope(model, by).where(model.id.in_(list(ids))).execution_options(populate_existing=True)
    found = session.scalars(statement.options(*(loader(model, path) for path in form.eager))).unique()
    return {record.id: record for record in found}


def _require(form: Paper, by: Actor) -> None:
    if not by.may(form.table, form.permission):
        raise NotPermitted


def _file_name(form: Paper, run: TaskRun, locale: str) -> str:
    return f"{form.title_in(locale)}-{run.at.astimezone(run.by.timezone):%Y%m%d-%H%M}.pdf"
