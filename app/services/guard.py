"""The second lock on rows: what a statement reads while somebody asks is what she sees, even if its writer forgot.

Every statement that a session runs for a reader passes ``_guard``. What it selects from is narrowed to the reader's
scope (``with_loader_criteria``), unless ``in_scope`` has done so already; ``UPDATE`` and ``DELETE`` of scoped tables
are refused in requests. Nobody known: no rows. What must cross scopes does so inside ``crossing``, by a purpose that
stands in ``PURPOSES``. Rows that a row in hand points to, or holds, are told with it: relationship loads are left
alone. Decision 0018.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

from sqlalchemy import FromClause, Select, Table, TextClause, event, false
from sqlalchemy.orm import ORMExecuteState, Session, with_loader_criteria
from sqlalchemy.sql.selectable import CompoundSelect, Exists, ScalarSelect

from app.actors import Actor
from app.models.base import Base, models
from app.services.scope import IN_SCOPE, scope_clause

#: Why a read may cross scopes: name -> what it is for. A purpose answers no more than it says.
PURPOSES: Mapping[str, str] = {
    "actor": "who asks: her file, departments and branch, before anything is known of her",
    "doors": "one's own login: the account behind a name, its sessions, factors and codes, before anybody is known",
    "act": "inside an act or a checked save, whose record and choices were found in scope: locks, uniqueness, counters",
    "history": "what was done to a record that the reader has open",
    "printings": "how often a record that the reader has open was printed",
    "file": "the file of a record that the reader has open",
    "care": "the earlier visits, slips and calls of a customer whom the reader is receiving: when, by whom, how (2.4)",
    "closing": "what is still open at a branch whose desk the reader closes: counts (S8)",
    "exit": "what holds a customer whom the reader escorts out: whether anything of her visit is open (2.23)",
    "own_looks": "when a person herself last looked at what she has open, such as the recording that she reviews",
    "own_request": "the answer to the same request of the same person",
    "holdings": "how much a person holds who is about to leave: counts by kind, no rows (4.2.2)",
    "task": "the work that a worker has in hand and what waits for it: how far it is, whether it goes on, how it ended",
    "subject_copy": "the copy of all that is held on a person, which an act decided and the trail has (L13)",
    "subject_plan": "what a pseudonymisation would change and keep of a file that the reader sees: counts (L13)",
    "report": "counting rows that are in the reader's scope by what stands elsewhere, such as the act that made them",
    "import": "checking and carrying out a file of rows: numbers and names are compared with those of all branches",
    "telephone": "an event of a call on its way into the call's row: the extension, the call, whose number it is",
    "contacted": "how often a customer was contacted today, by whomever: counts, for the day's limit (R-2.22-6)",
    "whose_number": "whose customer a telephone number or account is: owner, since when, by what rule (R-2.1.1-2)",
    "triage": "whose turn it is: seats, partners and successors, whose customer waits, the ledger and the rules (2.3)",
    "duplicate": "another file with the same ID number: its number, branch and owner (SM-01)",
}


class OutOfReach(RuntimeError):
    """A statement would read or change rows without anybody's scope; a mistake of ours, never a person's."""


_purpose: ContextVar[str | None] = ContextVar("purpose", default=None)
_reading: ContextVar[tuple[Actor | None] | None] = ContextVar("reading", default=None)
_provider: Callable[[], tuple[Actor | None] | None] | None = None


def provide_reader(provider: Callable[[], tuple[Actor | None] | None]) -> None:
    """Install the function that names the reader: ``(actor,)``, ``(None,)`` for a stranger, None outside requests."""
    global _provider
    _provider = provider


@contextmanager
def reading_as(by: Actor) -> Iterator[None]:
    """Read as a person outside a request, as a worker does for who asked."""
    token = _reading.set((by,))
    try:
        yield
    finally:
        _reading.reset(token)


@contextmanager
def crossing(purpose: str) -> Iterator[None]:
    """Let the reads inside cross scopes, for a purpose that is declared. Raises ``LookupError`` for another."""
    if purpose not in PURPOSES:
        raise LookupError(purpose)
    token = _purpose.set(purpose)
    try:
        yield
    finally:
        _purpose.reset(token)


@contextmanager
def not_crossing() -> Iterator[None]:
    """Guard the reads inside although those around them cross: a form that is filled in within an act."""
    token = _purpose.set(None)
    try:
        yield
    finally:
        _purpose.reset(token)


def reader() -> tuple[Actor | None] | None:
    """Return who reads now, in a tuple; None where nobody does: jobs, commands, migrations."""
    named = _reading.get()
    return named if named is not None else (_provider() if _provider is not None else None)


@event.listens_for(Session, "do_orm_execute")
def _guard(state: ORMExecuteState) -> None:
    if _purpose.get() is not None or state.is_relationship_load or state.is_column_load:
        return
    if (state.is_insert and state.is_orm_statement) or (by := reader()) is None:
        return
    if by[0] is not None and by[0].is_house:
        return
    if isinstance(state.statement, TextClause):
        _refuse_text(state.statement.text)
    elif state.is_update or state.is_delete:
        if _reading.get() is None:  # a task writes for who asked, as an act does; what it reads is guarded
            _refuse_write(state.statement)
    elif state.is_select:
        _narrow(state, by[0])


def _narrow(state: ORMExecuteState, by: Actor | None) -> None:
    clauses = {model: _clause(model, by) for model in read_by(state.statement)}
    limits = {model: clause for model, clause in clauses.items() if clause is not None}
    if not limits:
        return
    if not state.is_orm_statement:
        raise OutOfReach(f"a statement reads {_names(limits)} past the models and past any scope")
    state.statement = state.statement.options(
        *(
            with_loader_criteria(model, clause, include_aliases=True, propagate_to_loaders=False)
            for model, clause in limits.items()
        )
    )


def _clause(model: type[Base], by: Actor | None) -> Any:
    """Return what narrows a table for a reader; None: nothing. A stranger sees shared tables alone: settings."""
    if by is None:
        return None if model.SCOPE is not None and model.SCOPE.shared else false()
    return scope_clause(model, by)


def read_by(statement: Any) -> set[type[Base]]:
    """Return the tables of ours whose rows a statement selects and that ``in_scope`` has not narrowed.

    Subqueries of conditions are not looked into: what only decides is not told.
    """
    found: set[type[Base]] = set()
    for part in _selects(statement):
        covered = part.get_execution_options().get(IN_SCOPE, frozenset())
        found |= {model for model in _selected(part) if model.__tablename__ not in covered}
    return found


def _selects(statement: Any) -> Iterator[Select[Any]]:
    if isinstance(statement, CompoundSelect):
        for part in statement.selects:
            yield from _selects(part)
    elif isinstance(statement, Select):
        yield statement


def _sources(statement: Select[Any]) -> Iterator[Any]:
    yield from statement._raw_columns
    yield from statement._from_obj
    for target, _on, left, _flags in statement._setup_joins:
        yield from (each for each in (target, left) if each is not None)


def _selected(statement: Select[Any]) -> set[type[Base]]:
    """Return the tables of ours in the columns and sources of one select, through its subqueries; and those that its
    conditions name themselves, which are sources too."""
    known, found = _by_table(), set()
    for source in _sources(statement):
        element = source.__clause_element__() if hasattr(source, "__clause_element__") else source
        for part in _parts(element):
            if isinstance(part, Table):
                found |= {known[part.name]} if part.name in known else set()
            else:
                found |= read_by(part)
    for condition in statement._where_criteria:
        found |= {known[part.name] for part in _parts(condition) if isinstance(part, Table) and part.name in known}
    return found


def _parts(element: Any) -> Iterator[Any]:
    """Yield the tables below a column or source, and the selects of its subqueries, to be looked at by themselves."""
    waiting = [element]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Exists):
            continue
        if isinstance(part, Select | CompoundSelect):
            yield part
        elif isinstance(part, ScalarSelect):
            yield part.element
        elif isinstance(part, Table):
            yield part
        else:
            table = getattr(part, "table", None)
            if isinstance(table, FromClause):
                waiting.append(table)
            else:
                waiting.extend(part.get_children())


def _by_table() -> Mapping[str, type[Base]]:
    return _models_of(len(Base.registry.mappers))


@lru_cache(maxsize=2)
def _models_of(_count: int) -> Mapping[str, type[Base]]:
    """Return the tables of ours by name; found again when one has been declared since."""
    return models()


def _refuse_write(statement: Any) -> None:
    model = _by_table().get(getattr(statement.table, "name", ""))
    if model is not None and not (model.SCOPE is not None and model.SCOPE.shared):
        raise OutOfReach(f"a statement changes rows of {model.__tablename__} at large, outside an act")


def _refuse_text(text: str) -> None:
    named = [name for name in _by_table() if re.search(rf"\b{name}\b", text) and not _is_shared(name)]
    if named:
        raise OutOfReach(f"a written statement names {', '.join(named)}")


def _is_shared(name: str) -> bool:
    scope = _by_table()[name].SCOPE
    return scope is not None and scope.shared


def _names(limits: Mapping[type[Base], Any]) -> str:
    return ", ".join(sorted(model.__tablename__ for model in limits))
