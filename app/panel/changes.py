"""Row changes of the trail in words: which column, from what, to what, in the reader's language and scope.

Sensitive values are masked here as everywhere; a column that needs a right of its own is left out without it; what a
foreign key points to is named only within the reader's scope.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Boolean, Date, Numeric, inspect, select
from sqlalchemy.orm import Session

from app.actors import Actor
from app.models.base import METADATA, Base, Column, Encrypted, Instant, described, models
from app.models.customers import CustomerContact, mask
from app.models.hr import Employee
from app.models.trail import AuditLog
from app.panel.describe import NONE, text_of
from app.panel.pages import Change
from app.services.guard import crossing
from app.services.jobs import JOBS, job_label
from app.services.scope import in_scope
from app.words import _, _l, listed

#: Operations that are changes of a row; the others are events.
CHANGES = ("insert", "update", "delete")
Names = dict[tuple[str, int], str]
#: What the house's own commands are called, which write without a person.
HOUSE = {
    "create-admin": _l("first administrator"),
    "demo": _l("demo data"),
    "migrate": _l("new version"),
    "prune-trail": _l("archiving of the trail"),
    "rotate-keys": _l("change of keys"),
    "scheduler": _l("scheduler"),
    "sync-security": _l("basic settings"),
    "worker": _l("background work"),
}


def changes_of(entries: Iterable[AuditLog], by: Actor, names: Names, *, mixed: bool = False) -> list[Change]:
    """Return the changed columns of entries that have a label, as (label, before, after).

    ``mixed``: the entries are of several tables, so that each label says of which.
    """
    told = []
    for entry in entries:
        model = models().get(entry.table_name or "")
        if model is None:
            continue
        title = f"{model.TITLE} · " if mixed else ""
        for name, column in _columns(model, entry, by):
            before, after = (_shown(model, name, column, row, by, names) for row in (entry.before, entry.after))
            if before != after:
                told.append(Change(title + str(column.label), before, after))
    return told


def _columns(model: type[Base], entry: AuditLog, by: Actor) -> Iterator[tuple[str, Column]]:
    """Yield the columns of an entry that the reader may know of, in the model's order."""
    held = {**(entry.before or {}), **(entry.after or {})}
    for attribute in inspect(model).column_attrs:
        column = described(attribute.class_attribute)
        if column is None or attribute.columns[0].name not in held:
            continue
        right = getattr(column, "right", "")
        if not right or by.may(model.__tablename__, f"can_see_{right}"):
            yield attribute.key, column


def _shown(model: type[Base], name: str, column: Column, row: dict[str, Any] | None, by: Actor, names: Names) -> str:
    stored = inspect(model).columns[name]
    value = (row or {}).get(stored.name)
    if value is None or value == "":
        return NONE
    if isinstance(stored.type, Encrypted) or column.sensitive:
        return _masked(model, stored.type, value, row or {})
    target = _target(stored)
    if target:
        return names.get((target, value), _("(not for you to see)")) if isinstance(value, int) else str(value)
    options = getattr(stored.type, "options", None) or column.options
    if options is not None:
        labels = {member.value: str(member.label) for member in options}
        chosen = value if isinstance(value, list) else [value]
        return listed(labels.get(each, str(each)) for each in chosen)
    return text_of(typed(stored.type, value), by)


def _masked(model: type[Base], kind: Any, value: Any, row: dict[str, Any]) -> str:
    """Return a sensitive value as it may be shown; the trail holds an encrypted one as it is stored."""
    clear = kind.process_result_value(value, None) if isinstance(kind, Encrypted) else str(value)
    return "***" if model is CustomerContact and "kind" not in row else mask(None, clear or "")


def typed(kind: Any, value: Any) -> Any:
    """Return a value of the trail's JSON as what its column holds."""
    try:
        if isinstance(kind, Instant):
            return datetime.fromisoformat(value)
        if isinstance(kind, Date):
            return date.fromisoformat(value)
        if isinstance(kind, Numeric) and not isinstance(value, str):
            return Decimal(str(value))
        if isinstance(kind, Boolean):
            return bool(value)
    except (TypeError, ValueError, ArithmeticError):
        return value
    return "…" if isinstance(value, dict) else value


def _target(stored: Any) -> str:
    """Return the table that a column points to, or an empty string."""
    return next((key.column.table.name for key in stored.foreign_keys), "")


def names_in(session: Session, entries: Iterable[AuditLog], by: Actor) -> Names:
    """Return the names of all that the entries' columns point to, as far as the reader sees it; one look per table."""
    wanted: dict[str, set[int]] = {}
    for entry in entries:
        model = models().get(entry.table_name or "")
        if model is None:
            continue
        for name, _column in _columns(model, entry, by):
            stored = inspect(model).columns[name]
            target = _target(stored)
            keys = [(row or {}).get(stored.name) for row in (entry.before, entry.after)]  # a list may stand among them
            if target in models():
                wanted.setdefault(target, set()).update(key for key in keys if isinstance(key, int))
    found: Names = {}
    for table, ids in wanted.items():
        model = models()[table]
        if ids:
            for row in session.scalars(in_scope(model, by).where(model.id.in_(sorted(ids)))).unique():
                found[table, row.id] = str(row)
    return found


# --- who ---------------------------------------------------------------------------------------------------------


def actor_names(session: Session, actors: Iterable[str]) -> dict[str, str]:
    """Return what people call those whom the database was told of: ``user:7`` by name; one look."""
    ids = {int(name[5:]) for name in actors if name.startswith("user:") and name[5:].isdecimal()}
    user = METADATA.tables["ab_user"]
    statement = (
        select(user.c.id, user.c.username, Employee.name)
        .outerjoin(Employee, Employee.user_id == user.c.id)
        .where(user.c.id.in_(sorted(ids)))
    )
    with crossing("history"):
        rows = session.execute(statement).all() if ids else ()
    known = {f"user:{key}": name or username for key, username, name in rows}
    return {name: known.get(name) or actor_words(name) for name in actors}


def actor_words(name: str) -> str:
    """Return an actor without an account in words: the house, a login form, a stranger."""
    kind, _colon, rest = name.partition(":")
    if kind == "house":
        job = rest.removeprefix("job:")
        return _("the system: %(task)s", task=job_label(job) if job in JOBS else HOUSE.get(rest, rest))
    if kind == "login":
        return _("at the login: %(who)s", who=rest)
    if name.startswith("anonymous@"):
        return _("a stranger from %(address)s", address=name.partition("@")[2])
    return name
