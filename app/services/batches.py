"""Acts on a large selection, in the background: a row is a step, what became of each stands with the task.

White paper 2.1.3. The effect of a row and the checkpoint behind it commit together, so a worker that dies leaves each
row done once or not at all. The task's row keeps who asked for what; an act that asks for anything secret or sensitive
is never written down there and stays with the person who waits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict

from app.actors import Actor
from app.acts import REGISTRY, Act
from app.errors import InvalidInput, NotPermitted, OutOfScope, Refusal
from app.fields import MAX_ID, has_secrets
from app.models.audit import ActRun
from app.models.base import models
from app.models.tasks import BackgroundTask
from app.services.guard import crossing
from app.services.many import MOST_AT_ONCE, RowResult, checked, key_of_row, sentence_of_input
from app.services.runner import RETRIES
from app.services.runner import run as run_act
from app.services.scope import in_scope
from app.services.settings import setting, value_of
from app.services.tasks import TaskRun, enqueue, task
from app.services.tasks.run import in_both
from app.unit import unit_of_work
from app.words import _, _l, _n, locale_in_force

BATCH = "acts.batch"
#: More rows than this are not taken, not even into the background.
MOST_QUEUED = 1000
AT_ONCE = setting(
    "acts.at_once",
    _l("Rows of a selection that are done while one waits"),
    "25",
    "whole",
    least=1,
    most=MOST_AT_ONCE,
    help=_l("An act on more rows than this is done in the background."),
    source="2.1.3",
)
UNSEEN = _l("There is nothing here, or it is not for you to see.")


def may_queue(act: Act) -> bool:
    """Say whether an act's inputs may be written down until a worker comes to it."""
    return act.many and not has_secrets(act.form)


def most_rows(act: Act) -> int:
    """Return on how many rows an act may be done in one go."""
    return MOST_QUEUED if may_queue(act) else MOST_AT_ONCE


def takes_long(session: Session, act: Act, count: int, *, by: Actor, at: datetime) -> bool:
    """Say whether an act on so many rows is for the background."""
    if act.at_once:
        return may_queue(act) and count > MOST_AT_ONCE
    return may_queue(act) and count > value_of(session, AT_ONCE, branch_id=by.branch_id, at=at)


def ask_many(
    session: Session,
    act: Act,
    ids: Sequence[int],
    *,
    inputs: Any,
    by: Actor,
    at: datetime,
    key: str,
    is_json: bool = False,
) -> BackgroundTask:
    """Ask for an act on a selection, in its order; the same key asks once.

    Raises what ``run_many`` raises for the whole, and KeyReused.
    """
    once = checked(session, act, ids, inputs=inputs, by=by, at=at, is_json=is_json, most=MOST_QUEUED)
    if not may_queue(act):
        raise Refusal(_("What “%(act)s” asks for is not kept; please choose fewer rows.", act=act.label))
    told = [[name, str(value)] for name, value in inputs.items(multi=True)]
    parameters = {"table": act.table, "act": act.name, "ids": once, "inputs": told, "is_json": is_json}
    with unit_of_work(session):
        return enqueue(session, BATCH, parameters, by=by, at=at, key=key, total=len(once))


def _named(parameters: Mapping[str, Any]) -> str:
    act = REGISTRY.find(parameters["table"], parameters["act"])
    label = parameters["act"] if act is None else act.label
    count = len(parameters["ids"])
    return _("%(act)s: %(count)s", act=label, count=_n("%(num)s row", "%(num)s rows", count))


@dataclass(frozen=True)
class _Counted:
    """How many rows were done and how many were not, to be said in any language."""

    done: int
    refused: int

    def __str__(self) -> str:
        said = _n("%(num)s done", "%(num)s done", self.done)
        return f"{said} · {_n('%(num)s not done', '%(num)s not done', self.refused)}" if self.refused else said


@task(BATCH, _l("Act on a selection"), steps=True, named=_named)
def run_batch(run: TaskRun) -> object:
    """Do an act on each row of a selection, as the person who asked may do it now; one row is one step."""
    act = REGISTRY.find(run.parameters["table"], run.parameters["act"])
    if act is None or not may_queue(act):
        raise Refusal(_("This version does not know this act."))
    if not run.by.may(act.table, act.permission):
        raise NotPermitted
    ids, key = run.parameters["ids"], run.task.request_key
    run.total = len(ids)
    for row_id in ids[run.done :]:
        _do_row(run, act, row_id, key_of_row(key, row_id))
    refused = len(run.checkpoint.get("refused", []))
    return _Counted(run.done - refused, refused)


def _do_row(run: TaskRun, act: Act, row_id: int, key: str) -> None:
    """Do one row with its checkpoint in one transaction, or note in one of its own why it was refused."""
    inputs = MultiDict((name, value) for name, value in run.parameters["inputs"])
    for attempt in range(1, RETRIES + 1):
        try:
            with run.step():
                if not 0 < row_id <= MAX_ID:
                    raise OutOfScope
                run_act(
                    run.session,
                    act,
                    by=run.by,
                    at=run.clock(),
                    record_id=row_id,
                    inputs=inputs,
                    key=key,
                    is_json=run.parameters["is_json"],
                )
            return
        except OperationalError as wrong:
            if attempt == RETRIES or getattr(wrong.orig, "sqlstate", "") not in ("40P01", "40001"):
                raise
        except OutOfScope:
            return _note(run, row_id, UNSEEN)
        except InvalidInput as wrong:
            return _note(run, row_id, sentence_of_input(wrong), errors=wrong.errors)
        except Refusal as said:
            return _note(run, row_id, said.sentence, said=said)


def _note(
    run: TaskRun,
    row_id: int,
    words: object,
    *,
    errors: Mapping[str, list[str]] | None = None,
    said: Refusal | None = None,
) -> None:
    """Note a refused row, with what must be kept although its act is undone."""
    with run.step() as checkpoint:
        if said is not None and said.aftermath is not None:
            said.aftermath(run.session)
        noted = {"id": row_id, "said": in_both(words)} | ({"errors": dict(errors)} if errors else {})
        checkpoint.setdefault("refused", []).append(noted)


# --- what became of each row -------------------------------------------------------------------------------------


def rows_of(session: Session, asked: BackgroundTask, by: Actor, *, most: int) -> list[RowResult]:
    """Return what became of the rows of a batch, what was refused first, as far as this person may know of it.

    Records are named to who may see them; why one was refused is told to who asked, and to who may see the record.
    """
    if asked.kind != BATCH:
        return []
    told, touched = asked.parameters, asked.parameters["ids"][: asked.done_count]
    noted = {each["id"]: each for each in (asked.checkpoint or {}).get("refused", [])}
    order = [*noted, *(row_id for row_id in touched if row_id not in noted), *told["ids"][asked.done_count :]][:most]
    names = _names(session, told["table"], order, by)
    runs = _runs(session, asked, [row_id for row_id in order if row_id not in noted])
    made = _made(session, runs, by)
    is_asker = asked.employee_id == by.employee_id
    left = set(told["ids"][asked.done_count :])
    rows = []
    for row_id in order:
        text = names.get(row_id, "")
        if row_id in noted:
            rows.append(_refused(noted[row_id], text, is_known=is_asker or bool(text)))
        elif row_id in left:
            rows.append(RowResult(row_id, text, False, waiting=True))
        else:
            entry = runs.get(row_id)
            notice = (entry.notice or "") if entry is not None and (is_asker or text) else ""
            rows.append(RowResult(row_id, text, True, notice, result=made.get(row_id)))
    return rows


def _refused(noted: Mapping[str, Any], text: str, *, is_known: bool) -> RowResult:
    if not is_known:
        return RowResult(noted["id"], "", False, str(UNSEEN))
    return RowResult(noted["id"], text, False, noted["said"].get(locale_in_force(), ""), noted.get("errors", {}))


def _names(session: Session, table: str, ids: Sequence[int], by: Actor) -> dict[int, str]:
    """Return what records are called that this person may see."""
    model = models().get(table)
    wanted = [row_id for row_id in ids if 0 < row_id <= MAX_ID]
    if model is None or not wanted:
        return {}
    return {record.id: str(record) for record in session.scalars(in_scope(model, by).where(model.id.in_(wanted)))}


def _runs(session: Session, asked: BackgroundTask, ids: Sequence[int]) -> dict[int, ActRun]:
    """Return the history entries of rows that were done."""
    keys = {key_of_row(asked.request_key, row_id): row_id for row_id in ids}
    with crossing("own_request"):
        found = session.scalars(
            select(ActRun).where(ActRun.actor == asked.actor, ActRun.request_key.in_(list(keys)))
        ).all()
    return {keys[entry.request_key]: entry for entry in found}


def _made(session: Session, runs: Mapping[int, ActRun], by: Actor) -> dict[int, tuple[str, int, str]]:
    """Return (table, id, text) of the records that the rows' acts made, as far as this person may see them."""
    wanted: dict[str, list[int]] = {}
    for entry in runs.values():
        if entry.result_table is not None and entry.result_id is not None:
            wanted.setdefault(entry.result_table, []).append(entry.result_id)
    names = {table: _names(session, table, ids, by) for table, ids in wanted.items()}
    return {
        row_id: (entry.result_table, entry.result_id, names[entry.result_table][entry.result_id])
        for row_id, entry in runs.items()
        if entry.result_table is not None and entry.result_id in names[entry.result_table]
    }
