"""What a person holds, and how it changes hands when she leaves. White paper 4.2.2 (`handover_batch`), GL 45.

Each area declares what of its records can lie in a person's hands, once, beside its services: a label, whose rows they
are, how they go over. The act ``leave`` and its dialog read nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from app.actors import Actor
from app.acts import Told
from app.models.hr import Employee
from app.services.guard import crossing
from app.services.hr.people import may_take
from app.words import _


@dataclass(frozen=True)
class HandingOver:
    """A hand-over under way. ``to`` is None if nobody takes over; ``heads``: the successor becomes head, too."""

    session: Session
    leaver: Employee
    to: Employee | None
    reason: str
    heads: bool
    by: Actor
    at: datetime


@dataclass(frozen=True)
class Holding:
    """One kind of record that a person may hold.

    ``name`` is its key in ``handover_batch``, ``table`` the table of its records. ``ids`` selects the ids of those that
    an employee holds; ``hand_over`` gives them (ids, ascending) to the successor, under locks in the house's order,
    and raises a refusal if it cannot. ``refuses`` says why a successor may not take them, as a sentence; for approvals,
    who may decide. ``needs_successor`` records cannot be left to nobody. ``page`` and ``query`` name the list that
    shows them; the value ``employee`` in the query stands for the leaver's id.
    """

    name: str
    label: object
    table: str
    ids: Callable[[Employee], Select[Any]]
    hand_over: Callable[[HandingOver, Sequence[int]], None]
    refuses: Callable[[Session, Employee, Sequence[int]], str | None] = lambda _session, _to, _ids: None
    needs_successor: bool = True
    page: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    #: Selects the customers about whom these records are: all are locked first, in the order of their ids.
    customers: Callable[[Employee], Select[Any]] | None = None
    #: Goes to the successor only if she becomes head, too.
    heads_only: bool = False
    #: Those of lower rank go first: what moves along with another record goes after it.
    rank: int = 100


def unseen(table: str, label: object) -> Callable[[Session, Employee, Sequence[int]], str | None]:
    """Return the refusal of a successor who could not see what she is given: it would be lost. White paper 4.2.2."""

    def refuses(session: Session, to: Employee, _ids: Sequence[int]) -> str | None:
        if may_take(session, to, table):
            return None
        return _("%(name)s cannot take over %(what)s: she has no open login that sees them.", name=to.name, what=label)

    return refuses


#: What a person can hold, in the order of hand-over.
HOLDINGS: list[Holding] = []


def declare_holding(holding: Holding) -> Holding:
    """Add a kind of record to what a leaver hands over; refuses a name that is taken."""
    if any(other.name == holding.name for other in HOLDINGS):
        raise ValueError(f"holding {holding.name} is declared twice")
    HOLDINGS.append(holding)
    HOLDINGS.sort(key=lambda known: known.rank)
    return holding


#: What may stand against her leaving though nobody can take it over: each a sentence, or None.
HINDRANCES: list[Callable[[Session, Employee], str | None]] = []


def declare_hindrance(hindrance: Callable[[Session, Employee], str | None]) -> None:
    """Add what is asked before anybody leaves: whether work would wait for her alone."""
    HINDRANCES.append(hindrance)


def held_by(session: Session, employee: Employee) -> dict[str, list[int]]:
    """Return the ids of what an employee holds, by the name of the holding; one statement each."""
    return {holding.name: sorted(session.scalars(holding.ids(employee))) for holding in HOLDINGS}


def told_of(session: Session, employee: Employee, by: Actor) -> list[Told]:
    """Return what the dialog of leaving tells: how much she holds of what. Counts cross scopes; rows do not."""
    lines = []
    for holding in HOLDINGS:
        with crossing("holdings"):
            count = session.scalar(select(func.count()).select_from(holding.ids(employee).subquery())) or 0
        query = {name: str(employee.id) if value == "employee" else value for name, value in holding.query.items()}
        if count:
            lines.append(Told(holding.label, count, holding.page, query))
    return lines
