"""The runner of acts: one act, one transaction, one effect however often it is asked for.

Order: right; then inside one unit of work the request key, the locks (customer, then document), scope,
``row_version``, state, guard, inputs, the move, the act itself, the history entry, the commit.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import Any

from sqlalchemy import inspect, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DataError, IntegrityError, OperationalError
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError
from wtforms import Form

from app.actors import Actor
from app.acts import Act, Outcome
from app.errors import IllegalMove, InvalidInput, KeyReused, NotPermitted, OutOfScope, Refusal, Stale, Warned
from app.fields import FormContext, is_secret, is_sensitive, uploads_of
from app.keyring import ring
from app.models.audit import ActRun
from app.models.base import Base, models
from app.models.customers import mask
from app.models.hr import Employee, EmployeeState
from app.services.constraints import sentence_for
from app.services.duties import refuse_second_duty
from app.services.files import digests_of, largest_file, sent_file
from app.services.guard import crossing, not_crossing
from app.services.scope import find, find_several, in_scope
from app.services.settings import items_in_use
from app.services.warning import hearing, token_of
from app.unit import unit_of_work
from app.words import _

RETRIES = 3
MAX_KEY = 80
#: Under this name the history keeps the warnings that were read before the act was done.
WARNED = "warned"


@dataclass(frozen=True)
class Answer:
    """What a run leaves: the act's record, and what else the act made or says. ``replayed``: the same key had
    run before, so nothing happened this time. ``after`` is left to whoever commits, inside another unit of work."""

    record: Any
    result: Any = None
    shown: str | None = None
    notice: str | None = None
    paper: str | None = None
    replayed: bool = False
    after: Callable[[Session], object | None] | None = None


def form_context(
    session: Session, by: Actor, *, now: datetime, is_json: bool = False, record: Any = None
) -> FormContext:
    """Return what forms of this actor may know."""
    return FormContext(
        zone=by.timezone,
        now=now,
        find=lambda table, key: find(session, table, key, by),
        choose=lambda table, key: find(session, table, key, by, offered=True),
        items=lambda dictionary: items_in_use(session, dictionary),
        is_json=is_json,
        record=record,
        actor=by,
        sent_file=lambda key: sent_file(session, key, by),
        largest_file=lambda: largest_file(session, by, now),
        several=lambda table, ids, offered: find_several(session, table, ids, by, offered=offered),
    )


def prefilled(act: Act, record: Any) -> dict[str, Any]:
    """Return the inputs that begin as the record has them."""
    return {name: getattr(record, name) for name in act.prefill} if record is not None else {}


def run(
    session: Session,
    act: Act,
    *,
    by: Actor,
    at: datetime,
    record_id: int | None = None,
    inputs: Any = None,
    values: Mapping[str, Any] | None = None,
    key: str | None = None,
    row_version: int | None = None,
    is_json: bool = False,
    warned: str | None = None,
) -> Answer:
    """Run an act on a record, or one that makes a record.

    ``inputs`` is a MultiDict that the act's form validates; ``values`` are typed values of house code instead,
    which is not warned; ``warned`` is the token of the warnings that were read. Raises NotPermitted, OutOfScope,
    InvalidInput, Refusal, IllegalMove, KeyReused, Stale, Warned; then nothing is saved.
    """
    try:
        if not by.may(act.table, act.permission) or (act.by_system and not by.is_house):
            raise NotPermitted
        return _run(session, act, by, at, record_id, inputs, values, key, row_version, is_json, warned)
    except (NotPermitted, OutOfScope, Refusal) as wrong:
        keep_denial(session, act, record_id, by, wrong)
        raise


def keep_denial(session: Session, act: Act, record_id: int | None, by: Actor, wrong: Exception) -> None:
    """Keep, where the act wants it kept, that it was denied to somebody. A stale page or a key used twice is none."""
    if act.denied is None or record_id is None or isinstance(wrong, Stale | KeyReused | Warned):
        return
    with unit_of_work(session):
        act.denied(session, act.table, record_id, by, wrong)


def _run(
    session: Session,
    act: Act,
    by: Actor,
    at: datetime,
    record_id: int | None,
    inputs: Any,
    values: Mapping[str, Any] | None,
    key: str | None,
    row_version: int | None,
    is_json: bool,
    warned: str | None,
) -> Answer:
    key = (key or uuid.uuid4().hex)[:MAX_KEY]
    call = _Call(act, by, at, record_id, inputs, values, key, row_version, is_json, warned)
    nested = bool(session.info.get("in_unit"))
    for attempt in range(1, RETRIES + 1):
        try:
            done = _run_once(session, call)
            return done if nested or done.after is None else _followed(session, done, done.after)
        except (Refusal, InvalidInput) as said:
            if said.aftermath is not None and not nested:
                with unit_of_work(session), crossing("act"):
                    said.aftermath(session)
            raise
        except OperationalError as wrong:
            if nested or attempt == RETRIES or getattr(wrong.orig, "sqlstate", "") not in ("40P01", "40001"):
                raise
        except IntegrityError as wrong:
            raise Refusal(sentence_for(wrong)) from wrong
        except StaleDataError as wrong:
            raise Stale(_("Somebody changed this record in the meantime. Please look at it again.")) from wrong
        except DataError as wrong:
            raise Refusal(_("A value does not fit. Please check what you typed.")) from wrong
    raise AssertionError("unreachable")


def _followed(session: Session, done: Answer, after: Callable[[Session], object | None]) -> Answer:
    """Do what follows an act that stands: a request to another system, which no undoing could take back."""
    said = after(session)
    return replace(done, after=None, notice=done.notice if said is None else str(said))


@dataclass(frozen=True)
class _Call:
    act: Act
    by: Actor
    at: datetime
    record_id: int | None
    inputs: Any
    values: Mapping[str, Any] | None
    key: str
    row_version: int | None
    is_json: bool
    warned: str | None


def _run_once(session: Session, call: _Call) -> Answer:
    session.info["user_id"] = call.by.user_id
    with unit_of_work(session), crossing("act"):
        hold_actor(session, call.by)
        told = _inputs_hash(session, call)
        run_id = _claim_key(session, call, told)
        if run_id is None:
            return _replay(session, call, told)
        record = None if call.act.creates else _lock(session, call)
        form = _checked(session, call, record)
        from_state = getattr(record, "state", None)
        with hearing(session, is_heard=call.inputs is not None and not call.by.is_house) as warnings:
            outcome = _perform(session, call, record, form)
            session.flush()
        _refuse_unread(call, warnings)
        made = outcome.result if call.act.creates else record
        entry = _write_history(session, run_id, call, form, made, outcome, from_state)
        if warnings:
            entry.inputs = {**entry.inputs, WARNED: warnings}
        return Answer(
            made,
            None if call.act.creates else outcome.result,
            outcome.shown,
            None if outcome.notice is None else str(outcome.notice),
            outcome.prints,
            after=outcome.after,
        )


def hold_actor(session: Session, by: Actor) -> None:
    """Keep the actor's file as it is until the end: who is let leave this very moment either acted before that, and
    what she made is handed over, or is refused. White paper 4.2.2: nothing is lost."""
    if by.employee_id is None or by.is_house:
        return
    statement = select(Employee.state).where(Employee.id == by.employee_id)
    state = session.scalar(statement.with_for_update(read=True, key_share=True))
    if state is not EmployeeState.ACTIVE:
        raise NotPermitted


def _inputs_hash(session: Session, call: _Call) -> str:
    """Return a keyed hash of what was asked: act, record, inputs. The same key must stand for the same.

    A file counts by its content: a second click on "send" brings it a second time, under another number.
    """
    if call.inputs is not None:
        told: dict[str, Any] = {name: sorted(map(str, call.inputs.getlist(name))) for name in call.inputs}
    else:
        told = {name: stored(value) for name, value in (call.values or {}).items()}
    for name in uploads_of(call.act.form):
        if told.get(name):
            given = told[name] if isinstance(told[name], list) else [told[name]]
            told[name] = digests_of(session, map(str, given))
    return ring().digest("inputs", json.dumps([call.act.key, call.record_id, sorted(told.items())], default=str))


def _claim_key(session: Session, call: _Call, told: str) -> int | None:
    """Insert the run's row; a second run with the same key waits for the first here, then finds it. None: taken."""
    statement = insert(ActRun).values(
        actor=call.by.name,
        request_key=call.key,
        table_name=call.act.table,
        record_id=call.record_id,
        act=call.act.name,
        inputs={},
        inputs_hash=told,
        employee_id=call.by.employee_id,
        branch_id=call.by.branch_id,
        occurred_at=call.at,
    )
    found: int | None = session.execute(
        statement.on_conflict_do_nothing(index_elements=["actor", "request_key"]).returning(ActRun.id)
    ).scalar_one_or_none()
    return found


def _replay(session: Session, call: _Call, told: str) -> Answer:
    earlier = session.scalars(select(ActRun).where(ActRun.actor == call.by.name, ActRun.request_key == call.key)).one()
    if earlier.inputs_hash != told:
        raise KeyReused(_("This request key was used before for something else. Please start again."))
    record = _known(session, earlier.table_name, earlier.record_id)
    result = _known(session, earlier.result_table, earlier.result_id)
    return Answer(record, result, None, earlier.notice, earlier.paper, replayed=True)


def _known(session: Session, table: str | None, record_id: int | None) -> Any | None:
    model = models().get(table or "")
    return None if model is None or record_id is None else session.get(model, record_id)


def _lock(session: Session, call: _Call) -> Any:
    """Return the record locked for update, in scope; first the rows that the house locks before it."""
    model = models()[call.act.table]
    if call.record_id is None:
        raise OutOfScope
    _lock_parents(session, model, call.record_id)
    record = session.scalars(
        in_scope(model, call.by)
        .where(model.id == call.record_id)
        .with_for_update(of=model)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if record is None:
        raise OutOfScope
    return record


def _lock_parents(session: Session, model: type[Base], record_id: int) -> None:
    """Lock what a record hangs on, in the house's order; two rows of one table in the order of their ids."""
    if not model.LOCK_FIRST:
        return
    columns, paths = [], set()
    for name in model.LOCK_FIRST:  # "visit.customer_id": a column of the parent behind this relationship
        path, _dot, own = name.rpartition(".")
        owner = inspect(model).relationships[path].mapper if path else inspect(model)
        columns.append(owner.columns[own])
        paths |= {path} - {""}
    statement = select(*columns).select_from(model).where(model.id == record_id)
    for path in sorted(paths):
        statement = statement.outerjoin(getattr(model, path))
    keys = session.execute(statement).first()
    wanted: dict[Any, set[int]] = {}
    for column, key in zip(columns, keys or (), strict=False):
        parent = next(iter(column.foreign_keys)).column
        wanted.setdefault(parent, set()).update({key} - {None})
    for parent, ids in wanted.items():
        if ids:
            session.execute(select(parent).where(parent.in_(sorted(ids))).order_by(parent).with_for_update())


def _checked(session: Session, call: _Call, record: Any) -> Form | None:
    """Check version, state, guard and inputs, in this order; return the bound form if there is one."""
    if record is not None:
        if call.row_version is not None and call.row_version != getattr(record, "row_version", call.row_version):
            _refuse_if_state_forbids(session, call, record)
            raise Stale(_("Somebody changed this record in the meantime. Please look at it again."))
        _refuse_if_state_forbids(session, call, record)
        said = call.act.guard(record, call.by) if call.act.guard is not None else None
        if said is not None:
            raise Refusal(said)
        refuse_second_duty(session, call.act, record.id, call.by)
    if call.values is not None:
        return None
    context = form_context(session, call.by, now=call.at, is_json=call.is_json, record=record)
    form = call.act.form(call.inputs, data=prefilled(call.act, record), meta={"context": context})
    with session.no_autoflush, not_crossing():
        if not form.validate():
            raise InvalidInput(form.errors)
    return form


def _refuse_if_state_forbids(session: Session, call: _Call, record: Any) -> None:
    if call.act.starts_in(getattr(record, "state", None)):
        return
    last = session.scalars(
        select(ActRun)
        .where(ActRun.table_name == call.act.table, ActRun.record_id == record.id, ActRun.to_state.is_not(None))
        .order_by(ActRun.id.desc())
        .limit(1)
    ).one_or_none()
    now = str(record.state.label)
    if last is None:
        raise IllegalMove(
            _(
                "%(record)s is: %(state)s. “%(act)s” is no longer possible.",
                record=record,
                state=now,
                act=call.act.label,
            )
        )
    raise IllegalMove(
        _(
            "%(record)s is: %(state)s (%(who)s, %(when)s). “%(act)s” is no longer possible.",
            record=record,
            state=now,
            who=last.employee.name if last.employee else _("the system"),
            when=last.occurred_at.astimezone(call.by.timezone).strftime("%m-%d %H:%M"),
            act=call.act.label,
        )
    )


def _perform(session: Session, call: _Call, record: Any, form: Form | None) -> Outcome:
    inputs = dict(form.data) if form is not None else dict(call.values or {})
    if call.act.creates:
        made = call.act.function(session, **inputs, by=call.by, at=call.at)
        outcome = made if isinstance(made, Outcome) else Outcome(result=made)
    else:
        if call.act.moves is not None:
            to_state = call.act.moves[record.state]
            if to_state is not None:
                record.become(to_state)
        made = call.act.function(session, record, **inputs, by=call.by, at=call.at)
        outcome = made if isinstance(made, Outcome) else Outcome(result=made)
    return outcome


def _refuse_unread(call: _Call, warnings: list[str]) -> None:
    """Undo an act that warns of what its doer has not read yet."""
    if not warnings:
        return
    token = token_of(f"{call.act.key} {call.record_id}", warnings)
    if call.warned != token:
        raise Warned(warnings, token)


def _write_history(
    session: Session, run_id: int, call: _Call, form: Form | None, made: Any, outcome: Outcome, from_state: Any
) -> ActRun:
    entry = session.get_one(ActRun, run_id)
    to_state = getattr(made, "state", None)
    entry.record_id = made.id if made is not None else call.record_id
    entry.from_state = None if call.act.creates or from_state is None else str(from_state.value)
    entry.to_state = None if to_state is None or to_state == from_state else str(to_state.value)
    entry.inputs = _history_inputs(call, form)
    entry.notice = None if outcome.notice is None else str(outcome.notice)
    entry.paper = outcome.prints
    if getattr(made, "branch_id", None) is not None:
        entry.branch_id = made.branch_id
    other = None if call.act.creates else outcome.result
    if other is not None:
        entry.result_table, entry.result_id = other.__tablename__, other.id
    return entry


def _history_inputs(call: _Call, form: Form | None) -> dict[str, Any]:
    """Return the inputs as the history keeps them: typed, sensitive ones masked, empty ones left out."""
    given = dict(form.data) if form is not None else dict(call.values or {})
    fields = _fields(call.act)
    kept: dict[str, Any] = {}
    for name, value in given.items():
        if value in (None, "", [], False):
            continue
        kept[name] = _kept_as(fields[name], value) if name in fields else stored(value)
    return kept


def _kept_as(field: Any, value: Any) -> Any:
    """Return an input as the history keeps it: secrets not at all, sensitive ones masked, the rest as it is."""
    if is_secret(field):
        return "***"
    if is_sensitive(field):
        return mask(None, str(value))
    if "row" in field.kwargs:
        row = field.kwargs["row"]
        return [
            {
                name: _kept_as(getattr(row, name), part)
                for name, part in line.items()
                if part not in (None, "", [], False)
            }
            for line in value
        ]
    return stored(value)


def _fields(act: Act) -> dict[str, Any]:
    return {name: getattr(act.form, name) for name in dir(act.form) if hasattr(getattr(act.form, name), "field_class")}


def stored(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, list | tuple):
        return [stored(part) for part in value]
    if isinstance(value, Mapping):
        return {name: stored(part) for name, part in value.items()}
    return value
