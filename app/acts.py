"""The registry of acts: what a person may do to a record, in which state, with which inputs, to which state.

One declaration on a service function is all; the button, the dialog, the REST call, the permission, the
history entry, the catalogue and the generated tests read it from here.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from wtforms import Form

if TYPE_CHECKING:
    from app.actors import Actor

#: Says, from the record and the actor alone (no SQL), why an act may not be done now; None if it may.
Guard = Callable[[Any, "Actor"], object | None]


@dataclass(frozen=True)
class Told:
    """A line that an act's form tells before it is done: what of it and how many (``page`` and ``query`` name the list
    that shows them), or a ``value``: a text, a record, a state.

    ``sound``: a record whose recording the form plays; once it was played, ``then`` stands for the value. A refusal
    whose field is the line's ``name`` stands beside it.
    """

    label: object
    count: int | None = None
    page: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    name: str = ""
    value: Any = None
    sound: Any = None
    then: Any = None


class Nothing(Form):
    """The form of an act that asks nothing."""


@dataclass(frozen=True)
class Outcome:
    """What an act made beside changing its record.

    ``result``: another record that it made (the new slip of a redo). ``shown``: a value shown once and never
    stored, such as a revealed number. ``notice``: a sentence to tell. ``paper``: the form to print next; ``paper_of``:
    the record whose form it is, if not the act's own.
    ``after``: what is done once the act stands, such as a request to another system: told the session, outside any
    transaction, once per request key; it returns the sentence to tell instead of the notice.
    """

    result: Any = None
    shown: str | None = None
    notice: object | None = None
    paper: str | None = None
    paper_of: Any = None
    after: Callable[[Any], object | None] | None = None

    @property
    def prints(self) -> str | None:
        """Return the form to print next as history keeps it: its name, for another record with that table and id."""
        of = self.paper_of
        return self.paper if of is None or self.paper is None else f"{of.__tablename__}/{of.id}/{self.paper}"


@dataclass(frozen=True)
class Computed:
    """What the server computes of lines that are being typed: for each row its computed columns, and the sums below
    as (label, value). Money is ``Decimal``."""

    rows: Sequence[Mapping[str, Any]] = ()
    sums: Sequence[tuple[object, Any]] = ()


@dataclass(frozen=True)
class Act:
    """One act of one table. ``moves`` maps each state it may start from to the state it leads to.

    ``moves`` is None for documents without states. ``creates`` acts make a record and start from none;
    ``starts_from`` maps other tables to {input: column}, so that their pages offer the act prefilled; ``prefill``
    names the inputs that begin as the record has them. ``by_system`` acts are the house's alone. ``main`` acts
    that make a record stand at the head of lists and of the workbench. ``many`` acts may be done on a selection of
    rows with one set of inputs, so they cannot begin as each record has them; ``at_once``: while one waits, even for as
    many rows as that allows, because each is soon done. ``from_address`` names inputs that the
    form's address may fill in beforehand; ``tells`` is a function (session, record, by) to lines for the form's head.
    ``recompute`` is a function (session, record, inputs, by, at) to what a form with lines shows beside them; it
    changes nothing, inputs that are wrong or missing so far are None, and the act computes again.
    ``denied`` keeps that somebody was refused the act: a function (session, table, record id, by, what was raised).
    """

    table: str
    name: str
    label: object
    function: Callable[..., Any]
    form: type[Form] = Nothing
    moves: Mapping[Any, Any] | None = None
    creates: bool = False
    guard: Guard | None = None
    icon: str = "lightning"
    tone: str = "quiet"
    consequence: object = ""
    starts_from: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    permission_name: str = ""
    by_system: bool = False
    main: bool = False
    prefill: tuple[str, ...] = ()
    many: bool = False
    at_once: bool = False
    from_address: tuple[str, ...] = ()
    tells: Callable[[Any, Any, Actor], Sequence[Told]] | None = None
    denied: Callable[[Any, str, int, Actor, Exception], None] | None = None
    recompute: Callable[[Any, Any, Mapping[str, Any], Actor, Any], Computed] | None = None

    @property
    def permission(self) -> str:
        return f"can_{self.permission_name or self.name}"

    @property
    def key(self) -> str:
        return f"{self.table}.{self.name}"

    def starts_in(self, state: Any) -> bool:
        """Say whether the state allows the act; documents without states always do."""
        return self.moves is None or state in self.moves


class Registry:
    """Acts by table and name, in the order of their declaration."""

    def __init__(self) -> None:
        self._acts: dict[str, dict[str, Act]] = {}

    def add(self, act: Act) -> None:
        """Register an act; refuses a second one of the same name and a signature that its form does not fill."""
        of_table = self._acts.setdefault(act.table, {})
        if act.name in of_table:
            raise ValueError(f"act {act.key} is declared twice")
        _check_signature(act)
        if act.many and (act.creates or act.by_system or act.prefill):
            raise ValueError(f"act {act.key}: a selection of rows shares its inputs and has records to be done on")
        of_table[act.name] = act

    def remove(self, table: str) -> None:
        """Forget the acts of a table; for throw-away documents of tests."""
        self._acts.pop(table, None)

    def of(self, table: str) -> tuple[Act, ...]:
        return tuple(self._acts.get(table, {}).values())

    def many(self, table: str) -> tuple[Act, ...]:
        """Return the acts of a table that may be done on a selection of rows."""
        return tuple(act for act in self.of(table) if act.many)

    def find(self, table: str, name: str) -> Act | None:
        return self._acts.get(table, {}).get(name)

    def starting_from(self, table: str) -> tuple[Act, ...]:
        """Return the creating acts that the records of a table offer, prefilled."""
        return tuple(act for act in self if table in act.starts_from)

    def __iter__(self) -> Iterator[Act]:
        for acts in list(self._acts.values()):
            yield from acts.values()


REGISTRY = Registry()


def act(model: Any, name: str, label: object, **declared: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare a service function as an act of ``model``.

    The function is told ``(session, record, *, <inputs>, by, at)``, a creating act ``(session, *, <inputs>,
    by, at)``; the inputs are the form's fields by name (``**said`` takes those that it hands on). The machinery
    has locked the record, checked scope, right, state and guard, and moved the state before it is called; what it
    raises undoes all of that.
    """

    def declare(function: Callable[..., Any]) -> Callable[..., Any]:
        REGISTRY.add(Act(table=model.__tablename__, name=name, label=label, function=function, **declared))
        return function

    return declare


def _check_signature(act: Act) -> None:
    parameters = inspect.signature(act.function).parameters
    named = {p.name for p in parameters.values() if p.kind is p.KEYWORD_ONLY} - {"by", "at"}
    takes_rest = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    fields = {name for name, _ in getattr(act.form, "_unbound_fields", None) or _declared_fields(act.form)}
    if not (named <= fields if takes_rest else named == fields):
        raise ValueError(f"act {act.key}: the form asks {sorted(fields)}, the function takes {sorted(named)}")
    positional = [p.name for p in parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
    expected = 1 if act.creates else 2
    if len(positional) != expected or not {"by", "at"} <= set(parameters):
        raise ValueError(f"act {act.key}: the signature is (session{'' if act.creates else ', record'}, *, …, by, at)")


def _declared_fields(form: type[Form]) -> list[tuple[str, Any]]:
    return [(name, getattr(form, name)) for name in dir(form) if hasattr(getattr(form, name), "_formfield")]
