"""Scan anything: what a code, a number, a name or pinyin leads to, with the act that is next for who asks.

Codes come first: one that a number rule made belongs to one record and opens it. Anything else is asked of the codes
given by hand and of the customers' search together. All of it in the reader's scope: what she may not see is unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from flask import url_for
from sqlalchemy import func, literal, union_all
from sqlalchemy.orm import Session

from app.actors import Actor
from app.acts import REGISTRY, Act
from app.panel import acting
from app.panel.codes import Code, bare_of, cleaned, spellings
from app.panel.describe import acts_now, may_open, may_open_record
from app.panel.house_view import HouseView, views
from app.panel.listing import MAX_QUERY
from app.panel.pages import ActButton, Row
from app.services.customers import search_clause
from app.words import _

#: So many records of a kind are shown; a list shows the rest.
MOST = 8
LEAST_CODE = 2
#: What may be done with a text that nothing answers: functions (text, actor) to a button or None.
OFFERS: list[Callable[[str, Actor], ActButton | None]] = []


@dataclass(frozen=True)
class Group:
    """What was found of one kind; ``more_url`` leads to the list that holds all of it."""

    table: str
    label: str
    records: list[Any]
    more_url: str = ""


@dataclass(frozen=True)
class Found:
    """The answer to what was typed. ``text`` is what was understood, ``sentence`` says so where nothing answers."""

    text: str
    groups: list[Group] = field(default_factory=list)
    sentence: str = ""

    @property
    def records(self) -> list[Any]:
        return [record for group in self.groups for record in group.records]


def coded() -> list[tuple[HouseView, Code]]:
    """Return every code that a table bears, in the order of the menu."""
    return [(view, code) for view in views().values() for code in view.codes]


def find_anything(session: Session, text: str, by: Actor) -> Found:
    """Find records by what was typed or scanned, in the reader's scope."""
    words = cleaned(text)
    if not words:
        return Found("", sentence=_("Scan or type a number, a telephone number, a name or pinyin."))
    if len(words) > MAX_QUERY:
        return Found(words[:MAX_QUERY], sentence=_("This is too long for a number or a name."))
    keys = _by_codes(session, words, by)
    ruled = {table: ids for (table, is_ruled), ids in keys.items() if is_ruled}
    given = {table: ids for (table, is_ruled), ids in keys.items() if not is_ruled}
    groups = [*_groups(session, ruled or given, by)]
    if not ruled:
        groups += _customers(session, words, by)
    return Found(words, groups, "" if groups else _("Nothing that you may see answers to “%(text)s”.", text=words))


def _by_codes(session: Session, words: str, by: Actor) -> dict[tuple[str, bool], list[int]]:
    """Return the ids by table of what bears this code, those of number rules apart; one statement for all tables."""
    bare = bare_of(words)
    if len(bare) < LEAST_CODE:
        return {}
    asked = [
        view.datamodel.statement(by, [_condition(view, code, bare)])
        .with_only_columns(
            literal(view.datamodel.table).label("kind"), literal(code.ruled).label("ruled"), view.model.id.label("id")
        )
        .limit(MOST)
        for view, code in coded()
        if may_open(view.datamodel.table, by) and (code.check is None or code.check(bare))
    ]
    found: dict[tuple[str, bool], list[int]] = {}
    for kind, ruled, pk in session.execute(union_all(*asked)) if asked else ():
        found.setdefault((kind, ruled), []).append(pk)
    return found


def _condition(view: HouseView, code: Code, bare: str) -> Any:
    column = getattr(view.model, code.column)
    if code.ruled:
        return column.in_(spellings(bare))
    return func.upper(func.regexp_replace(column, r"[^0-9A-Za-z]", "", "g")) == bare


def _groups(session: Session, keys: dict[str, list[int]], by: Actor) -> Iterator[Group]:
    for table, ids in keys.items():
        view = views()[table]
        group = _group(session, view, [view.model.id.in_(ids)], by)
        if group.records:
            yield group


def _customers(session: Session, words: str, by: Actor) -> Iterator[Group]:
    view = views()["customer"]
    clauses = search_clause(words)
    if not by.may("customer", "can_list") or not clauses:
        return
    group = _group(session, view, clauses, by)
    if group.records:
        yield replace(group, more_url=url_for("customer.list", q=words))


def _group(session: Session, view: HouseView, conditions: Sequence[Any], by: Actor) -> Group:
    statement = view.datamodel.statement(by, conditions)
    records = view.datamodel.page(session, statement, order=[view.model.id.desc()], page=0, size=MOST, eager=view.eager)
    opened = [record for record in records if may_open_record(record, by)]
    return Group(view.datamodel.table, str(view.model.TITLES), opened)


# --- what is next ------------------------------------------------------------------------------------------------


def next_act(record: Any, by: Actor) -> tuple[Act, bool] | None:
    """Return the act that is next on a record for this person, and whether it starts from it to make another.

    Its declaration says what is next: an act of accent, the record's own before one that makes another from it, then
    the first that is not dangerous. Runs no SQL.
    """
    own = [(act, False) for act in acts_now(record, by)]
    making = [
        (act, True)
        for act in REGISTRY.starting_from(record.__tablename__)
        if by.may(act.table, act.permission) and not act.by_system
    ]
    ways = [*own, *making]
    for wanted in (
        lambda act: act.tone == "accent" and not act.prefill,
        lambda act: act.tone == "accent",
        lambda act: act.tone not in ("danger", "warn"),
    ):
        chosen = next((way for way in ways if wanted(way[0])), None)
        if chosen is not None:
            return chosen
    return None


def row_found(record: Any, by: Actor) -> Row:
    """Return a found record as a line, the next act for this person as its button."""
    view = views()[record.__tablename__]
    view.before_rows([record], by)
    row = view.row_of(record, by, tuple(view.list_columns[:5]))
    following = next_act(record, by)
    if following is None:
        return replace(row, title="", acts=[])
    act, makes = following
    button = acting.button(act, source=record) if makes else acting.button(act, record)
    return replace(row, title="", acts=[replace(button, tone="accent")])


def offers(text: str, by: Actor) -> list[ActButton]:
    """Return what this person may do with a text that nothing answers."""
    return [button for offer in OFFERS if (button := offer(text, by)) is not None]
