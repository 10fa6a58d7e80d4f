"""What the rotation is decided from and what it decides: plain values, no database. Triage SOP; decision 0041."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from enum import StrEnum
from typing import final

from app.models.reception import Favour, VisitType
from app.models.triage import LineKind, RuleCode, TurnKind


class Presence(StrEnum):
    """Whether a person can be called: here, on a break, off duty or on leave, no longer with the house."""

    HERE = "here"
    BREAK = "break"
    OFF = "off"
    GONE = "gone"


@dataclass(frozen=True)
class Person:
    """Somebody who receives. ``is_busy``: she is being called or is with a customer."""

    id: int
    name: str
    presence: Presence = Presence.HERE
    is_busy: bool = False
    partner_id: int | None = None
    successor_id: int | None = None


@dataclass(frozen=True)
class Seat:
    """A place in the line. ``scope``: the items that it receives; none named: all."""

    id: int
    person_id: int
    order: int
    scope: frozenset[int] = frozenset()
    is_designated: bool = False


@dataclass(frozen=True)
class Row:
    """A row of the ledger. ``order`` is the seat's office order when it was written."""

    number: int
    kind: TurnKind
    visit_id: int
    person_id: int
    day: date
    seat_id: int | None = None
    order: int | None = None
    rule: str = ""

    @property
    def consumes(self) -> bool:
        return self.kind is TurnKind.NORMAL


@dataclass(frozen=True)
class VisitFacts:
    """What of a visit bears on who receives it."""

    id: int
    visit_type: VisitType = VisitType.FIRST
    items: frozenset[int] = frozenset()
    is_market: bool = False
    is_referred: bool = False
    asks_for_id: int | None = None
    favour: Favour | None = None
    is_from_dental: bool = False
    owner_id: int | None = None


@dataclass(frozen=True)
class Rule:
    """How a branch applies a rule."""

    code: RuleCode
    is_on: bool = True
    position: int = 0
    minutes: int | None = None
    day_ends_at: time | None = None


@dataclass(frozen=True)
class Line:
    """A line as it stands. ``ledger`` holds, by number, at least: the last normal turn, every row of the visit in
    hand, turns given back and made up (and those skipped where they are made up), and the duty turns of the day."""

    kind: LineKind = LineKind.CONSULTANT
    seats: tuple[Seat, ...] = ()
    people: Mapping[int, Person] = field(default_factory=dict)
    ledger: tuple[Row, ...] = ()
    supervisor_id: int | None = None
    #: Seat ids in the order of this evening's duty list.
    evening: tuple[int, ...] = ()


@dataclass(frozen=True)
class Case:
    """A visit before a line at a moment of the branch's clock."""

    visit: VisitFacts
    line: Line
    rules: Mapping[RuleCode, Rule]
    moment: datetime

    def is_on(self, code: RuleCode) -> bool:
        rule = self.rules.get(code)
        return rule is not None and rule.is_on

    def person(self, person_id: int | None) -> Person | None:
        return self.line.people.get(person_id) if person_id is not None else None

    def seat_of(self, person_id: int) -> Seat | None:
        return next((seat for seat in self.line.seats if seat.person_id == person_id), None)

    @property
    def unanswered(self) -> frozenset[int]:
        """Who was called for this visit in this line and did not answer."""
        rows = self.line.ledger
        return frozenset(
            row.person_id for row in rows if row.visit_id == self.visit.id and row.kind is TurnKind.SKIPPED
        )


@dataclass(frozen=True)
class Reason:
    """A link of the chain: which rule, what it found (a key of ``SENTENCES``), of whom."""

    rule: RuleCode
    said: str
    facts: Mapping[str, str] = field(default_factory=dict)


@final
@dataclass(frozen=True)
class Choice:
    """Who is called. ``passed``: seats whose turn passes in this very step, because they did not answer for this
    visit before. ``is_settled``: entered directly, nobody is asked (R-S2-3)."""

    person_id: int
    kind: TurnKind
    rule: RuleCode
    seat: Seat | None = None
    passed: tuple[Seat, ...] = ()
    is_settled: bool = False
    why: tuple[Reason, ...] = ()


@final
@dataclass(frozen=True)
class NoOne:
    """Nobody can be called, and why."""

    why: tuple[Reason, ...] = ()
