"""The history of a record: what was done to it and what changed by that, newest first.

An act (``act_run``) and the row changes of its transaction (``audit_log``) read as one entry. A change that no act made
stands by itself, and so does an event about the record, for those who may read the log of such events.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from flask import request
from sqlalchemy import Select, and_, inspect, or_, select
from sqlalchemy.orm import Session, joinedload

from app.actors import Actor
from app.acts import REGISTRY
from app.models.audit import ActRun
from app.models.base import Base, models
from app.models.files import StoredFile
from app.models.trail import AuditLog
from app.panel.changes import CHANGES, Names, actor_names, changes_of, names_in
from app.panel.describe import input_texts, local_time, may_open, picked_table, pointed_table, record_url
from app.panel.listing import url_with
from app.panel.pages import HistoryLine, Link
from app.services.guard import crossing
from app.services.scope import in_scope
from app.services.trail import KINDS, kind_words
from app.words import _

LINES = 30
#: Entries of the trail that one page looks at; a transaction may write several of one record and its lines.
MOST_ENTRIES = 200
#: What an import writes into the history of each record.
IMPORTED = ("import", "import_fill")
#: Events that the history tells by an act already.
TOLD_BY_ACTS = ("print",)
BEFORE = "before"


@dataclass
class _Group:
    """What one transaction did: acts, changed rows, events."""

    acts: list[ActRun] = field(default_factory=list)
    rows: list[AuditLog] = field(default_factory=list)
    events: list[AuditLog] = field(default_factory=list)

    @property
    def times(self) -> list[datetime]:
        return [each.at for each in (*self.acts, *self.rows, *self.events)]


def history_of(session: Session, record: Any, by: Actor, before: datetime | None = None) -> list[HistoryLine]:
    """Return one page of what was done to a record, newest first."""
    return history_page(session, record, by, before)[0]


def history_page(
    session: Session, record: Any, by: Actor, before: datetime | None = None
) -> tuple[list[HistoryLine], str]:
    """Return the newest lines before an instant, and the address of the older ones, if there are any.

    An entry of the history has none of its own: it is never changed.
    """
    if isinstance(record, ActRun):
        return [], ""
    with crossing("history"):
        acts = _acts(session, record, before)
        entries = _entries(session, record, by, before)
        groups = _grouped(session, acts, entries)
    shown = groups[:LINES]
    if len(entries) == MOST_ENTRIES and len(shown) == len(groups) > 1:
        shown = shown[:-1]  # the oldest transaction may have more entries than were looked at
    rows = [row for group in shown for row in group.rows]
    names = {**names_in(session, rows, by), **_names_of(session, record, [a for g in shown for a in g.acts], by)}
    who = actor_names(session, {each.actor for group in shown for each in (*group.rows, *group.events)})
    lines = [line for group in shown for line in _lines(group, record, by, names, who)]
    more = len(shown) < len(groups) or len(acts) > LINES or len(entries) == MOST_ENTRIES
    older = min(shown[-1].times).isoformat() if more and shown else ""
    return lines, url_with({BEFORE: older}) + "#story" if older else ""


def asked_before() -> datetime | None:
    """Return where the page of history asked for begins; none where it was not asked or cannot be read."""
    try:
        asked = datetime.fromisoformat(request.args.get(BEFORE, ""))
    except ValueError:
        return None
    return asked if asked.tzinfo is not None and 1 < asked.year < 9999 else None


def _acts(session: Session, record: Any, before: datetime | None) -> Sequence[ActRun]:
    table = record.__tablename__
    statement = select(ActRun).options(joinedload(ActRun.employee))
    statement = statement.where(
        or_(
            and_(ActRun.table_name == table, ActRun.record_id == record.id),
            and_(
                ActRun.result_table == table,
                ActRun.result_id == record.id,
                ActRun.act.not_in(IMPORTED),  # thousands of rows would bury what was done to the import itself
            ),
        )
    )
    if before is not None:
        statement = statement.where(ActRun.at < before)
    return session.scalars(statement.order_by(ActRun.id.desc()).limit(LINES + 1)).all()


def _entries(session: Session, record: Any, by: Actor, before: datetime | None) -> Sequence[AuditLog]:
    """Return the newest entries of the trail about a record and its lines that this person may read."""
    own = and_(AuditLog.table_name == record.__tablename__, AuditLog.record_id == record.id)
    ways = [
        own,
        *(
            and_(AuditLog.table_name == part.__tablename__, AuditLog.record_id.in_(ids))
            for part, ids in _parts(record, by)
        ),
    ]
    operations = [*CHANGES, *_events_for(by)]
    newest: list[AuditLog] = []
    for way in ways:  # each by the index of its own
        statement = select(AuditLog).where(way, AuditLog.operation.in_(operations))
        if before is not None:
            statement = statement.where(AuditLog.at < before)
        newest += session.scalars(statement.order_by(AuditLog.id.desc()).limit(MOST_ENTRIES))
    return sorted(newest, key=lambda entry: -entry.id)[:MOST_ENTRIES]


def _events_for(by: Actor) -> list[str]:
    """Return the kinds of events that a person may know of: looks with the log of looks, all with the trail."""
    if by.may("audit_log", "can_list"):
        return [name for name in KINDS if name not in TOLD_BY_ACTS]
    if by.may("sensitive_view_log", "can_list"):
        return [name for name, kind in KINDS.items() if kind.with_record and name not in TOLD_BY_ACTS]
    return []


def _parts(record: Any, by: Actor) -> list[tuple[type[Base], Select[Any]]]:
    """Return the tables whose rows are lines of a record, with a statement of those lines' ids."""
    found = []
    for model in models().values():
        via = model.SCOPE.via if model.SCOPE is not None else None
        if via is None or not (by.may(model.__tablename__, "can_list") or by.may(model.__tablename__, "can_show")):
            continue
        relation = inspect(model).relationships[via]
        if relation.mapper.class_ is type(record):
            column = next(iter(relation.local_columns))
            found.append((model, select(model.id).where(column == record.id)))
    return found


def _grouped(session: Session, acts: Sequence[ActRun], entries: Sequence[AuditLog]) -> list[_Group]:
    """Put acts and entries of one transaction together, newest first."""
    numbers = _transactions_of(session, acts)
    groups: dict[Any, _Group] = {}
    for act in acts:
        groups.setdefault(numbers.get(act.id, f"act {act.id}"), _Group()).acts.append(act)
    for entry in entries:
        group = groups.setdefault(entry.transaction_id or f"entry {entry.id}", _Group())
        (group.rows if entry.operation in CHANGES else group.events).append(entry)
    return sorted(groups.values(), key=lambda group: max(group.times), reverse=True)


def _transactions_of(session: Session, acts: Sequence[ActRun]) -> dict[int, int]:
    """Return in which transaction each act ran: the trail says when its entry was made."""
    rows = session.execute(
        select(AuditLog.record_id, AuditLog.transaction_id).where(
            AuditLog.table_name == "act_run",
            AuditLog.record_id.in_([act.id for act in acts]),
            AuditLog.operation == "insert",
            AuditLog.transaction_id > 0,
        )
    )
    return {key: number for key, number in rows if key is not None}


# --- lines -------------------------------------------------------------------------------------------------------


def _lines(group: _Group, record: Any, by: Actor, names: Names, who: dict[str, str]) -> list[HistoryLine]:
    """Return the lines of one transaction: its acts, the last with what changed; else the change; then events."""
    lines = []
    changed = group.rows[::-1]
    mixed = any(entry.table_name != record.__tablename__ for entry in changed)
    changes = changes_of(changed, by, names, mixed=mixed)
    for index, act in enumerate(group.acts):
        lines.append(_act_line(act, record, by, names, changes if index == 0 else []))
    if not group.acts and changes:
        first = next((entry for entry in changed if entry.table_name == record.__tablename__), changed[0])
        lines.append(
            HistoryLine(kind_words(first.operation), who[first.actor], local_time(first.at, by), changes=changes)
        )
    lines += [
        HistoryLine(kind_words(event.operation), who[event.actor], local_time(event.at, by)) for event in group.events
    ]
    return lines


def act_words(entry: ActRun) -> str:
    """Return what an entry's act is called."""
    act = REGISTRY.find(entry.table_name, entry.act)
    plain = {"add": _("Added"), "edit": _("Changed"), "print": _("Printed")}
    plain |= {"import": _("Imported"), "import_fill": _("Filled in by an import")}
    return str(act.label) if act is not None else plain.get(entry.act, entry.act)


def _act_line(entry: ActRun, record: Any, by: Actor, names: Names, changes: list[Any]) -> HistoryLine:
    who = entry.employee.name if entry.employee is not None else _("the system")
    return HistoryLine(
        act_words(entry),
        who,
        local_time(entry.occurred_at, by),
        input_texts(entry, by, names),
        _other(entry, record, by),
        changes,
    )


def _other(entry: ActRun, record: Any, by: Actor) -> Link | None:
    """Return the link to the other record of an entry: the new slip of a redo, or the old one."""
    for table, key in ((entry.result_table, entry.result_id), (entry.table_name, entry.record_id)):
        if table is None or key is None or (table == record.__tablename__ and key == record.id):
            continue
        if entry.result_id is not None and may_open(table, by):
            words = _("see the import") if entry.act in IMPORTED else _("see the other record")
            return Link(words, record_url(table, key))
    return None


def _names_of(session: Session, record: Any, entries: Any, by: Actor) -> Names:
    """Return the names of the records that history inputs point to, one statement per table, in scope."""
    wanted: dict[str, set[int]] = {}
    for entry in entries:
        act = REGISTRY.find(entry.table_name, entry.act)
        model = models().get(entry.table_name)
        for name, value in entry.inputs.items():
            field_ = getattr(act.form, name, None) if act is not None else None
            pointed = [*_picked(field_, value)] if field_ is not None else []
            if act is None and model is not None:
                pointed = [(pointed_table(model, name), value)]
            for table, given in pointed:
                keys = given if isinstance(given, list) else [given]
                if table:
                    wanted.setdefault(table, set()).update(key for key in keys if isinstance(key, int))
    found: Names = {}
    for table, keys in wanted.items():
        model = models()[table]
        with crossing("file") if model is StoredFile else nullcontext():
            rows = session.scalars(_nameable(model, record, by).where(model.id.in_(sorted(keys)))).all()
        found |= {(table, row.id): str(row) for row in rows}
    return found


def _picked(field_: Any, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield what an input points to, as (table, ids); the cells of lines each by their own."""
    row = field_.kwargs.get("row")
    if row is None:
        yield picked_table(field_), value
        return
    for line in value:
        for name, part in line.items():
            yield from _picked(getattr(row, name), part)


def _nameable(model: Any, record: Any, by: Actor) -> Any:
    """Return the rows whose names a history may tell: those in scope, and the files of the record itself."""
    if model is StoredFile:
        return select(model).where(model.subject_table == record.__tablename__, model.subject_id == record.id)
    return in_scope(model, by)
