"""Forms of which one record takes many sheets: set in the background, one file, counted once. White paper 5.1."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from app.actors import Actor
from app.errors import NotPermitted, OutOfScope, Refusal
from app.keyring import ring
from app.reports.base import SHEETS_PAPERS, SheetsPaper
from app.reports.press import SetSheet, Sheet, join, set_sheets
from app.reports.printing import PDF
from app.services import printing as log
from app.services.reception.runs import PRINT_RUN
from app.services.scope import find
from app.services.tasks import TaskRun, task
from app.words import _, _l, _n


def _may_read(session: Session, asked: Mapping[str, Any], by: Actor) -> bool:
    """Say whether a person could have printed it herself."""
    form = SHEETS_PAPERS.get((asked["table"], asked["paper"]))
    allowed = form is not None and by.may(form.table, form.permission)
    return allowed and find(session, asked["table"], asked["id"], by) is not None


def _named(asked: Mapping[str, Any]) -> str:
    form = SHEETS_PAPERS.get((asked["table"], asked["paper"]))
    return asked["paper"] if form is None else str(form.label)


@task(PRINT_RUN, _l("Print many sheets"), named=_named, result_for=_may_read)
def print_run(run: TaskRun) -> object:
    """Print all sheets of a record into one file; the log keeps them as one printing, its copy number on each sheet.

    The sheets are set before the log is locked, and anew if somebody printed the same meanwhile.
    """
    asked = run.parameters
    form = SHEETS_PAPERS.get((asked["table"], asked["paper"]))
    if form is None:
        raise Refusal(_("This version does not know this form."))
    if not run.by.may(form.table, form.permission):
        raise NotPermitted
    record = find(run.session, asked["table"], asked["id"], run.by)
    if record is None:
        raise OutOfScope
    known, ids, locale = log.Form(form.table, form.name), [record.id], asked["locale"]
    copy_no, written = log.next_copies(run.session, known, ids)[record.id], []
    while not written:
        written = _set(run, form, record, copy_no)
        standing = log.lock_logs(run.session, known, ids)[record.id]
        if standing != copy_no:
            copy_no, written = standing, []
    name = f"{form.title_in(locale)}-{record}.pdf".replace(" ", "")
    run.result(name, PDF, join(written))
    pages = sum(each.pages for each in written)
    log.enter(
        run.session, known, record, copy_no=copy_no, pages=pages, locale=locale, by=run.by, at=run.at,
        key=ring().digest("print", f"{run.task.id} {record.id}"), task_id=run.task.id,
    )  # fmt: skip
    return _n("%(num)s page", "%(num)s pages", pages)


def _set(run: TaskRun, form: SheetsPaper, record: Any, copy_no: int) -> list[SetSheet]:
    """Set every sheet of a record, telling how far it is."""
    asked = run.parameters
    facts = form.gather(run.session, record, run.by, run.at, asked["first"], asked["count"])
    sheets = [Sheet(each, str(record), copy_no) for each in facts]
    count = itertools.count(1)

    def laid() -> None:
        run.progress(next(count), len(sheets), _l("Setting the pages"))

    return list(set_sheets(form, sheets, asked["locale"], laid=laid))
