"""Acts on a selection of rows: each row in its own transaction, with its own answer. White paper 2.1.3."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.actors import Actor
from app.acts import Act
from app.errors import InvalidInput, NotPermitted, OutOfScope, Refusal
from app.fields import MAX_ID
from app.keyring import ring
from app.services.runner import form_context, run
from app.services.scope import find
from app.words import _, _n

#: More rows than this are not done while somebody waits.
MOST_AT_ONCE = 200


@dataclass(frozen=True)
class RowResult:
    """What became of one row. ``text`` names its record, if it may be known of; ``sentence`` says why not, ``errors``
    which inputs did not fit it; ``result`` is (table, id, text) of the record that the act made. A row that is
    ``waiting`` was not touched yet."""

    id: int
    text: str
    ok: bool
    sentence: str = ""
    errors: Mapping[str, list[str]] = field(default_factory=dict)
    replayed: bool = False
    state: Any = None
    result: tuple[str, int, str] | None = None
    waiting: bool = False


def chosen(ids: Sequence[int], *, most: int = MOST_AT_ONCE) -> list[int]:
    """Return the ids of a selection, each once, in their order; refuses none and too many."""
    once = list(dict.fromkeys(ids))
    if not once:
        raise InvalidInput({"ids": [_("Please select rows first.")]})
    if len(once) > most:
        raise InvalidInput({"ids": [_n("At most %(num)s row at once.", "At most %(num)s rows at once.", most)]})
    return once


def run_many(
    session: Session,
    act: Act,
    ids: Sequence[int],
    *,
    inputs: Any,
    by: Actor,
    at: datetime,
    key: str,
    is_json: bool = False,
    most: int = MOST_AT_ONCE,
    progress: Callable[[int, int], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> list[RowResult]:
    """Run an act on each row of a selection with the same inputs; return one result per row, in their order.

    Each row has its own transaction and a request key made of ``key`` and its id, so that a batch that is sent again
    has one effect. What one row refuses does not stop the others. ``progress(done, total)`` is told after each row;
    when ``stop()`` says so, the rows that are left are not touched and have no result. What ends the whole on its way
    (the actor is let leave, the database stays away) is the answer of its row, and the rows after it are not done any
    more: those before it stand, and keep their answers.
    Raises NotPermitted, and InvalidInput for the selection and for inputs that no row could take; then nothing is done.
    """
    once = checked(session, act, ids, inputs=inputs, by=by, at=at, is_json=is_json, most=most)
    results: list[RowResult] = []
    for row_id in once:
        if stop is not None and stop():
            break
        try:
            results.append(_row(session, act, row_id, inputs=inputs, by=by, at=at, key=key, is_json=is_json))
        except (NotPermitted, OperationalError) as wrong:
            results.append(RowResult(row_id, "", False, _ending(wrong)))
            rest = once[len(results) :]
            return [*results, *(RowResult(left, "", False, _("Not done any more.")) for left in rest)]
        if progress is not None:
            progress(len(results), len(once))
    return results


def checked(
    session: Session, act: Act, ids: Sequence[int], *, inputs: Any, by: Actor, at: datetime, is_json: bool, most: int
) -> list[int]:
    """Return the rows on which an act is to be done; raises what forbids it for all of them, as ``run_many`` says."""
    if not by.may(act.table, act.permission):
        raise NotPermitted
    if not act.many:
        raise Refusal(_("“%(act)s” is done on one record at a time.", act=act.label))
    once = chosen(ids, most=most)
    form = act.form(inputs, meta={"context": form_context(session, by, now=at, is_json=is_json)})
    if not form.validate():
        raise InvalidInput(form.errors)
    return once


def key_of_row(key: str, row_id: int) -> str:
    """Return the request key of one row of a batch, so that a batch that is sent again has one effect."""
    return ring().digest("many", f"{key} {row_id}")


def sentence_of_input(wrong: InvalidInput) -> str:
    """Return in one line what inputs did not fit."""
    return " ".join(sentence for sentences in wrong.errors.values() for sentence in sentences)


def _ending(wrong: NotPermitted | OperationalError) -> str:
    """Return what is said of the row at which the whole ended."""
    if isinstance(wrong, NotPermitted):
        return _("You may not do this any more.")
    return _("The database could not do this just now. Please try again.")


def _row(session: Session, act: Act, row_id: int, *, by: Actor, key: str, **asked: Any) -> RowResult:
    """Run the act on one row; whatever it says is the row's answer."""
    row_key = key_of_row(key, row_id)
    try:
        if not 0 < row_id <= MAX_ID:
            raise OutOfScope
        done = run(session, act, by=by, record_id=row_id, key=row_key, **asked)
    except OutOfScope:
        return RowResult(row_id, "", False, _("There is nothing here, or it is not for you to see."))
    except InvalidInput as wrong:
        return RowResult(row_id, _name(session, act, row_id, by), False, sentence_of_input(wrong), wrong.errors)
    except Refusal as said:
        return RowResult(row_id, _name(session, act, row_id, by), False, said.sentence)
    made = None if done.result is None else (done.result.__tablename__, done.result.id, str(done.result))
    state = getattr(done.record, "state", None)
    return RowResult(
        row_id, str(done.record), True, done.notice or "", replayed=done.replayed, state=state, result=made
    )


def _name(session: Session, act: Act, row_id: int, by: Actor) -> str:
    record = find(session, act.table, row_id, by)
    return "" if record is None else str(record)
