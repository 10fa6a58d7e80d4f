"""Keeping the headings: written down where absent; what nobody changed follows the text that the house delivers."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from app.actors import Actor
from app.errors import InvalidInput
from app.models.processes import ProcessGuide, ProcessStep
from app.services.plain import checks
from app.services.processes.texts import Heading, headings
from app.words import _

SHAPE = re.compile(r"\d+(\.\d+)*|S\d?")


def ensure_processes(session: Session) -> int:
    """Add the headings and steps that are absent, and return how many rows that were.

    A row that no person ever wrote to follows the delivered text; what somebody changed stays as it is. A delivered
    step that is no more is retired.
    """
    standing = {
        guide.heading_no: guide
        for guide in session.scalars(select(ProcessGuide).options(selectinload(ProcessGuide.steps)))
    }
    added = 0
    for place, heading in enumerate(headings(), start=1):
        guide = standing.get(heading.no)
        if guide is None:
            guide = ProcessGuide(heading_no=heading.no)
            session.add(guide)
            added += 1
        if _is_ours(guide):
            _put(guide, _columns(heading, place * 10))
        added += _keep_steps(guide, heading)
    session.flush()
    return added


def _is_ours(row: Any) -> bool:
    """Say whether no person wrote to a row: the house leaves who wrote it empty."""
    return row.created_by_id is None and row.updated_by_id is None


def _put(row: Any, values: dict[str, Any]) -> None:
    for name, value in values.items():
        if getattr(row, name) != value:
            setattr(row, name, value)


def _columns(heading: Heading, position: int) -> dict[str, Any]:
    return {
        "position": position,
        "title": heading.title,
        "title_en": heading.en,
        "involved_groups": heading.groups or None,
        "executor": heading.executor or None,
        "manager": heading.manager or None,
        "supervisor": heading.supervisor or None,
        "prev_step": heading.previous or None,
        "explains": " ".join(heading.explains) or None,
        "is_stated": heading.stated,
        "remark": heading.remark or None,
    }


def _keep_steps(guide: ProcessGuide, heading: Heading) -> int:
    """Write a heading's steps down at the places 10, 20, …; return how many were added."""
    standing = {step.position: step for step in guide.steps}
    added = 0
    for index, (step, explanation, module) in enumerate(heading.steps, start=1):
        told = {"step": step, "explanation": explanation or None, "module": module or None}
        row = standing.pop(index * 10, None)
        if row is None:
            guide.steps.append(ProcessStep(position=index * 10, **told))
            added += 1
        elif _is_ours(row):
            _put(row, told)
    for row in standing.values():
        if _is_ours(row) and row.retired_at is None:
            row.retired_at = datetime.now(UTC)
    return added


@checks(ProcessGuide)
def _guide(session: Session, guide: ProcessGuide, _by: Actor) -> None:
    """A heading is numbered as the white paper numbers; what comes before it are other headings that there are."""
    if not SHAPE.fullmatch(guide.heading_no or ""):
        raise InvalidInput({"heading_no": [_("A heading is a number such as 2.1.3.1, or S1 to S9 of the triage SOP.")]})
    if not guide.prev_step:
        return
    named = guide.prev_step.split()
    known = set(session.scalars(select(ProcessGuide.heading_no).where(ProcessGuide.heading_no.in_(named))))
    unknown = [number for number in named if number not in known or number == guide.heading_no]
    if unknown:
        raise InvalidInput({"prev_step": [_("No other heading has this number: %(number)s.", number=unknown[0])]})
