"""Events of the trail that no trigger sees: logins, exports, looks, prints. White paper H, L14; H.2."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, String, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from app.models.base import Base

_EVENT = text("select audit_event(:happened, :about, :about_id, :told)").bindparams(
    bindparam("happened", type_=String),
    bindparam("about", type_=String),
    bindparam("about_id", type_=BigInteger),
    bindparam("told", type_=JSONB),
)


def note(
    session: Session,
    happened: str,
    record: Base | None = None,
    *,
    table: str | None = None,
    record_id: int | None = None,
    **told: Any,
) -> int:
    """Write an event into the trail, in the transaction of what it tells of; return the entry's id.

    ``happened`` names it (``login``, ``export``, ``reveal``); ``record``, or ``table`` and ``record_id``, say about
    what; ``told`` is JSON beside it and never holds a clear sensitive value. The database knows who acts, from where
    and at what time; it refuses an event without an actor.
    """
    if record is not None:
        table, record_id = record.__tablename__, record.id
    made: int = session.execute(
        _EVENT, {"happened": happened, "about": table, "about_id": record_id, "told": told}
    ).scalar_one()
    return made
