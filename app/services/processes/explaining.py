"""Which heading explains a screen, what comes before and after it, and whether its software is built."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from sqlalchemy import func, or_
from sqlalchemy.orm import Session, selectinload

from app.actors import Actor
from app.acts import REGISTRY
from app.models.base import models
from app.models.processes import ProcessGuide, ProcessRemark, ProcessStep
from app.services.access import PAGES
from app.services.scope import in_scope

#: 1.1: the way of a customer through the house, in the order of chapters 2 and 3; its picture was lost.
FLOW = (
    *("2.1", "2.2", "2.2.6", "2.3", "2.4", "2.5", "2.6", "2.7", "2.8", "2.14", "2.15", "2.18"),
    *("3.2.2", "3.2.4", "3.2.7", "2.20", "2.23", "2.22", "2.21"),
)


@dataclass(frozen=True)
class Explained:
    """A heading with its steps in force, its neighbours, and what the reader's branch adds."""

    guide: ProcessGuide
    steps: list[ProcessStep] = field(default_factory=list)
    before: list[ProcessGuide] = field(default_factory=list)
    after: list[ProcessGuide] = field(default_factory=list)
    remarks: list[ProcessRemark] = field(default_factory=list)
    is_coming: bool = False


def known_names() -> set[str]:
    """Return what a heading can explain: tables, pages of the menu, acts."""
    return {*models(), *PAGES, *(f"{act.table}.{act.name}" for act in REGISTRY)}


def explained(session: Session, names: Iterable[str], by: Actor) -> Explained | None:
    """Return the heading that explains the first of these names that any explains, or None."""
    for name in names:
        told = func.concat(" ", ProcessGuide.explains, " ")
        found = session.scalars(
            in_scope(ProcessGuide, by)
            .where(told.contains(f" {name} ", autoescape=True))
            .order_by(ProcessGuide.position)
            .options(selectinload(ProcessGuide.steps))
            .limit(1)
        ).first()
        if found is not None:
            return with_neighbours(session, found, by)
    return None


def with_neighbours(session: Session, guide: ProcessGuide, by: Actor) -> Explained:
    """Return a heading with what stands around it."""
    numbers = (guide.prev_step or "").split()
    before_or_after = session.scalars(
        in_scope(ProcessGuide, by)
        .where(
            or_(
                ProcessGuide.heading_no.in_(numbers),
                func.concat(" ", ProcessGuide.prev_step, " ").contains(f" {guide.heading_no} ", autoescape=True),
            )
        )
        .order_by(ProcessGuide.position)
    ).all()
    remarks = session.scalars(
        in_scope(ProcessRemark, by).where(ProcessRemark.guide_id == guide.id, ProcessRemark.retired_at.is_(None))
    )
    return Explained(
        guide,
        [step for step in guide.steps if step.retired_at is None],
        [near for near in before_or_after if near.heading_no in numbers],
        [near for near in before_or_after if guide.heading_no in (near.prev_step or "").split()],
        [*remarks],
        guide.heading_no in coming_headings(session, by),
    )


def coming_headings(session: Session, by: Actor) -> set[str]:
    """Return the headings whose software is still to come: they explain something, and nothing of it is there.

    A heading that only groups others is coming if all of them are.
    """
    known = known_names()
    rows = session.execute(
        in_scope(ProcessGuide, by).with_only_columns(ProcessGuide.heading_no, ProcessGuide.explains)
    ).all()
    built, named = set(), set()
    for number, explains in rows:
        names = (explains or "").split()
        above = (
            {number}
            | {number[:at] for at, mark in enumerate(number) if mark == "."}
            | ({"S"} if number[0] == "S" else set())
        )
        named |= above if names else set()
        built |= above if known.intersection(names) else set()
    return named - built


def flow(session: Session, by: Actor) -> list[tuple[ProcessGuide, bool]]:
    """Return the headings of the customer's way in its order, each with whether its software is still to come."""
    found = {
        guide.heading_no: guide
        for guide in session.scalars(in_scope(ProcessGuide, by).where(ProcessGuide.heading_no.in_(FLOW)))
    }
    coming = coming_headings(session, by)
    return [(found[number], number in coming) for number in FLOW if number in found]


__all__ = ["FLOW", "Explained", "coming_headings", "explained", "flow", "known_names", "with_neighbours"]
