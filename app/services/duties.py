"""Segregation of duties, held: on a record by its history, over people by the rights that their roles give together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from app.actors import Actor
from app.acts import REGISTRY, Act
from app.duties import SEPARATIONS, Separation, Step, barred_by
from app.errors import Refusal
from app.models.audit import ActRun
from app.words import _

Pair = tuple[str, str]


@dataclass(frozen=True)
class Broken:
    """A rule that one person's roles break: two steps, each with its right and the roles that give it."""

    rule: Separation
    first: Step
    first_right: Pair
    first_roles: tuple[str, ...]
    second: Step
    second_right: Pair
    second_roles: tuple[str, ...]


def refuse_second_duty(session: Session, act: Act, record_id: int, by: Actor) -> None:
    """Refuse an act on a record on which the same person, or a key of hers, did another duty of the rule. Part D."""
    barring = barred_by(act.key)
    if not barring or by.is_house:
        return
    acts = sorted({key for _rule, keys in barring for key in keys})
    on_it = or_(
        and_(ActRun.table_name == act.table, ActRun.record_id == record_id),
        and_(ActRun.result_table == act.table, ActRun.result_id == record_id),
    )
    called = ActRun.table_name + "." + ActRun.act
    hers = ActRun.actor == by.name if by.employee_id is None else ActRun.employee_id == by.employee_id
    done = session.scalars(select(called).where(on_it, called.in_(acts), hers).limit(1)).first()
    if done is None:
        return
    rule = next(rule for rule, keys in barring if done in keys)
    earlier = REGISTRY.find(*done.split("."))
    raise Refusal(
        _(
            "You did “%(done)s” here yourself; somebody else has to do “%(act)s”. %(rule)s.",
            done=earlier.label if earlier is not None else done,
            act=act.label,
            rule=rule.label,
        )
    )


def broken_by(rights: Mapping[str, Iterable[Pair]]) -> list[Broken]:
    """Return the rules that roles break together; ``rights`` are each role's (table, permission) pairs."""
    holders: dict[Pair, list[str]] = {}
    for role in sorted(rights):
        for pair in rights[role]:
            holders.setdefault(pair, []).append(role)
    found = []
    for rule in SEPARATIONS:
        held = [(step, right, tuple(holders[right])) for step in rule.steps if (right := _held(step, holders))]
        for (first, right, roles), (second, other, others) in combinations(held, 2):
            found.append(Broken(rule, first, right, roles, second, other, others))
    return found


def _held(step: Step, holders: Mapping[Pair, object]) -> Pair | None:
    """Return the first right by which a step can be done, if any is held."""
    for key in step.acts:
        act = REGISTRY.find(*key.split("."))
        if act is not None and (act.table, act.permission) in holders:
            return act.table, act.permission
    return None
