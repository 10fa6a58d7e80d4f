"""Where the data held on a person lies: every table that points to her, directly or by way of a parent. L13.

Found from the metadata. What is not hers although it points to her stands in ``NOT_HERS``, with the reason; a table
that is in neither fails a test.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import inspect, select, tuple_
from sqlalchemy.orm import Session

from app.models.base import Base, models
from app.models.customers import Customer
from app.models.telephone import CallEvent, PhoneCall

#: Columns that name a record of any table: table -> (column with the table's name, column with the record's id).
NAMING_RECORDS: dict[str, tuple[str, str]] = {
    "act_run": ("table_name", "record_id"),
    "notice": ("table_name", "record_id"),
    "print_job": ("table_name", "record_id"),
    "stored_file": ("subject_table", "subject_id"),
    "sensitive_view_log": ("table_name", "record_id"),
    "background_task": ("subject_table", "subject_id"),
    "import_row": ("table_name", "record_id"),
    "import_finding": ("match_table", "match_id"),
    "audit_log": ("table_name", "record_id"),
}

#: What points to a person and is not told to her, and why. ``table`` or ``table.column``.
NOT_HERS: Mapping[str, str] = {
    "call_event": "what a telephone system told, word for word; the call that follows from it is told",
    "customer.referrer_customer_id": "the file of another person, whom she recommended",
    "contact_record.referrer_customer_id": "a talk with another person, whom she recommended",
    "visit.referrer_customer_id": "a visit of another person, whom she recommended",
    "notice": "messages among employees; they repeat what the records say",
    "sensitive_view_log": "who of the staff looked at her data; the auditor answers for it",
    "background_task": "the house's own work",
    "import_row": "from which line of a file a record came; the record itself is told",
    "import_finding": "what a check said of a line of a file; the record itself is told",
    "audit_log": "the trail of changes; it repeats the records and is kept for the auditor",
}

#: What points to one of these records is part of it, and so is hers, whatever scope it has: table -> foreign key.
PARTS: Mapping[str, str] = {"visit": "visit_id"}

#: Columns of the machinery that say nothing of her.
UNTOLD = frozenset(
    {"search_terms", "value_hash", "id_hash", "caller_hash", "number_hash", "inputs_hash", "request_key", "file_key"}
)


@lru_cache(maxsize=1)
def pointing() -> dict[str, tuple[str, ...]]:
    """Return the tables with foreign keys to a customer that are hers: table -> columns."""
    found: dict[str, list[str]] = {}
    for name, model in sorted(models().items()):
        for column in inspect(model).columns:
            keys = {key.column.table.name for key in column.foreign_keys}
            if "customer" in keys and f"{name}.{column.key}" not in NOT_HERS:
                found.setdefault(name, []).append(column.key)
    return {name: tuple(columns) for name, columns in found.items()}


@lru_cache(maxsize=1)
def through() -> dict[str, tuple[str, str]]:
    """Return the tables that belong to a record of hers: table -> (foreign key, parent table), from ``SCOPE.via`` and
    ``PARTS``."""
    found: dict[str, tuple[str, str]] = {
        name: (column, parent)
        for parent, column in PARTS.items()
        for name, model in sorted(models().items())
        if column in inspect(model).columns and name not in pointing()
    }
    grown = True
    while grown:
        grown = False
        for name, model in sorted(models().items()):
            scope = model.SCOPE
            if scope is None or scope.via is None or name in found or name in pointing():
                continue
            relation = inspect(model).relationships[scope.via]
            parent = relation.mapper.class_.__tablename__
            if parent in pointing() or parent in found:
                found[name] = (next(iter(relation.local_columns)).key, parent)
                grown = True
    return found


def files_of(session: Session, customer: Customer) -> list[Customer]:
    """Return a person's file and those that were merged into it."""
    return [customer, *session.scalars(select(Customer).where(Customer.merged_into_id == customer.id))]


def ids_held(session: Session, customer: Customer) -> dict[str, list[int]]:
    """Return the ids of all records of a person, table by table; those that name any record come last."""
    own = [file.id for file in files_of(session, customer)]
    held: dict[str, list[int]] = {"customer": sorted(own)}
    for table, columns in pointing().items():
        model: Any = models()[table]
        ids = {key for column in columns for key in session.scalars(_where_in(model, column, own))}
        held[table] = sorted(ids | set(held.get(table, [])))
    for table, (column, parent) in through().items():
        held[table] = sorted(session.scalars(_where_in(models()[table], column, held[parent])))
    plain = dict(held)
    for table in NAMING_RECORDS:
        held[table] = _naming(session, models()[table], plain)
    return held


def _where_in(model: Any, column: str, ids: Sequence[int]) -> Any:
    return select(model.id).where(getattr(model, column).in_(list(ids)))


def _naming(session: Session, model: Any, held: Mapping[str, Sequence[int]]) -> list[int]:
    """Return the rows that name one of some records; history also by what an act made."""
    about, about_id = NAMING_RECORDS[model.__tablename__]
    pairs = [(table, key) for table, ids in held.items() for key in ids]
    ways = [(getattr(model, about), getattr(model, about_id))]
    if hasattr(model, "result_table"):
        ways.append((model.result_table, model.result_id))
    found: set[int] = set()
    for start in range(0, len(pairs), 1000):
        for way in ways:
            found |= set(session.scalars(select(model.id).where(tuple_(*way).in_(pairs[start : start + 1000]))))
    return sorted(found)


def events_of(session: Session, call_ids: Sequence[int]) -> list[int]:
    """Return the events of calls, which have no key to them: a call is found by its branch and identifier."""
    calls = select(PhoneCall.branch_id, PhoneCall.call_id).where(PhoneCall.id.in_(list(call_ids)))
    return sorted(
        session.scalars(select(CallEvent.id).where(tuple_(CallEvent.branch_id, CallEvent.call_id).in_(calls)))
    )


def told_tables() -> list[str]:
    """Return the tables that a copy of all that is held contains, in the order of their names."""
    named = {name for name in NAMING_RECORDS if name not in NOT_HERS}
    return sorted({"customer", *pointing(), *through(), *named})


def rows_of(session: Session, table: str, ids: Sequence[int]) -> list[Base]:
    """Return records by id, oldest first."""
    model = models()[table]
    return list(session.scalars(select(model).where(model.id.in_(list(ids))).order_by(model.id)))
