"""The two long works of an import: the check, all in one transaction, and the carrying out, step by step."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum, auto

from sqlalchemy.orm import Session

from app.actors import Actor
from app.models.imports import ImportBatch, ImportFinding, ImportState, Weight
from app.services.guard import crossing
from app.services.imports.batches import CARRY, CHECK, fingerprint_of
from app.services.imports.carrying import carry_links, carry_rows
from app.services.imports.checking import Examination, check_file, examine
from app.services.imports.kinds import kind_of
from app.services.imports.table import Unreadable
from app.services.runner import hold_actor
from app.services.settings import MOST_IMPORT_ROWS, value_of
from app.services.tasks import TaskRun, task, who_asked
from app.words import _l


class Over(Enum):
    """How an import came to its end."""

    DONE = auto()
    CANCELLED = auto()


def locked(session: Session, batch_id: int) -> ImportBatch:
    """Return a batch locked for update, as it is now."""
    return session.get_one(ImportBatch, batch_id, with_for_update=True, populate_existing=True)


def _most_rows(run: TaskRun, by: Actor) -> int:
    most: int = value_of(run.session, MOST_IMPORT_ROWS, branch_id=by.branch_id, at=run.at)
    return most


@task(CHECK, _l("Check of an import"))
@crossing("import")
def check_in_background(run: TaskRun) -> object | None:
    """Check a batch; a file that cannot be read leaves one finding that says why."""
    batch = run.session.get_one(ImportBatch, run.parameters["batch_id"], populate_existing=True)
    if _is_over(batch, run, ImportState.CHECKING):
        return _l("The import was cancelled meanwhile.")
    kind_of(batch.kind, run.by)
    try:
        check_file(
            run.session,
            batch,
            by=run.by,
            at=run.at,
            most=_most_rows(run, run.by),
            progress=lambda done, total: run.progress(done, total or None),
        )
        state = ImportState.CHECKED
    except Unreadable as wrong:
        run.session.add(
            ImportFinding(
                batch_id=batch.id,
                round=batch.round,
                weight=Weight.REFUSED,
                row_no=0,
                rule="unreadable",
                facts=wrong.facts,
            )
        )
        state = ImportState.FAILED
    return _settle(run, batch, state)


def _settle(run: TaskRun, batch: ImportBatch, state: ImportState) -> object | None:
    """Move a batch on, unless it was cancelled while it was being checked."""
    counts = {name: getattr(batch, name) for name in ("rows_total", "rows_refused", "rows_duplicate", "checked_at")}
    with run.session.no_autoflush:
        run.session.refresh(batch, ["state", "round", "row_version"], with_for_update=True)
    if _is_over(batch, run, ImportState.CHECKING):
        return _l("The import was cancelled meanwhile.")
    for name, value in counts.items():
        setattr(batch, name, value)
    batch.become(state)
    batch.fingerprint = fingerprint_of(batch) if state is ImportState.CHECKED else None
    run.session.flush()
    run.done = run.total = batch.rows_total
    if state is ImportState.FAILED:
        return _l("The file cannot be read.")
    return _l(
        "%(rows)s rows: %(refused)s refused, %(duplicate)s stand already.",
        rows=batch.rows_total,
        refused=batch.rows_refused,
        duplicate=batch.rows_duplicate,
    )


def _is_over(batch: ImportBatch, run: TaskRun, state: ImportState) -> bool:
    return batch.state is not state or batch.round != run.parameters["round"]


@contextmanager
def left_alone() -> Iterator[None]:
    """Keep the collector away from what lives by now, such as the rows of a whole file: each step leaves so many
    cycles behind that it would walk through all of them again and again, a third of the time of a large import."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@task(CARRY, _l("Import of a file"), steps=True)
@crossing("import")
def carry_out_in_background(run: TaskRun) -> object | None:
    """Carry a batch out from where it stands; each step is one transaction, each row is written once."""
    session, batch_id = run.session, run.parameters["batch_id"]
    batch = session.get_one(ImportBatch, batch_id, populate_existing=True)
    kind_of(batch.kind, run.by)
    exam = examine(session, batch, by=run.by, at=run.at, most=_most_rows(run, run.by))
    run.total = len(exam.rows)
    with left_alone():
        while not (over := _next_step(run, batch_id, exam)):
            pass
    if over is Over.CANCELLED:
        return _l("The import was cancelled meanwhile.")
    session.refresh(batch)
    return _l(
        "%(made)s made, %(updated)s filled in, %(skipped)s skipped, %(left)s left out.",
        made=batch.rows_made,
        updated=batch.rows_updated,
        skipped=batch.rows_skipped,
        left=batch.rows_left_out,
    )


def _next_step(run: TaskRun, batch_id: int, exam: Examination) -> Over | None:
    """Do one transaction's worth of rows, then of references; say so when the import is over."""
    with run.step(0):
        _hold_importer(run, exam)
        batch = locked(run.session, batch_id)
        if _is_over(batch, run, ImportState.IMPORTING):
            return Over.CANCELLED
        done = carry_rows(run.session, batch, exam, by=run.by, at=run.at)
        run.done = batch.rows_done
        if done or carry_links(run.session, batch, exam, by=run.by, at=run.at):
            return None
        batch.become(ImportState.DONE)
        batch.finished_at = run.at
    return Over.DONE


def _hold_importer(run: TaskRun, exam: Examination) -> None:
    """Keep the importer as she is until the step ends, as an act does; refuses one who left, whose login is closed or
    who may no longer import this, so that what was not written by then is not written."""
    hold_actor(run.session, run.by)
    kind_of(exam.kind.name, who_asked(run.session, run.task))
