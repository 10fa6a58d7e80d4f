"""The book of looks: who saw what is masked or kept apart, or was denied it. One row for each. R-2.1.1-4, H.2."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.actors import Actor
from app.models.audit import SensitiveViewLog, Way
from app.services.guard import crossing

#: What a denied look is filed under where the rule has no sentence of its own.
NO_RIGHT, NOT_IN_SCOPE = "no_right", "not_in_scope"
MOST_SAID = 200


def log_look(
    session: Session,
    way: Way,
    table: str,
    record_id: int,
    field: str,
    reason: str,
    by: Actor,
    *,
    at: datetime | None = None,
    denied: str | None = None,
) -> SensitiveViewLog:
    """Write one look, granted or denied, into the book. ``reason`` is what the person said, never a value."""
    look = SensitiveViewLog(
        actor=by.name,
        employee_id=by.looker_id,
        branch_id=by.branch_id,
        table_name=table,
        record_id=record_id,
        field=field,
        reason=reason,
        way=way,
        denied=None if denied is None else denied[:MOST_SAID],
    )
    if at is not None:
        look.at = at
    session.add(look)
    return look


def last_looks(session: Session, way: Way, table: str, ids: Collection[int], by: Actor) -> dict[int, datetime]:
    """Return when this person herself last looked at each of these records in a way; denied looks are none."""
    if not ids:
        return {}
    look = SensitiveViewLog
    found = (
        select(look.record_id, func.max(look.at))
        .where(look.actor == by.own_name, look.way == way, look.denied.is_(None))
        .where(look.table_name == table, look.record_id.in_(sorted(ids)))
        .group_by(look.record_id)
    )
    with crossing("own_looks"):
        return dict(session.execute(found).all())
