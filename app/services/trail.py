"""Events of the trail that no trigger sees: logins, exports, looks, prints. White paper H, L14; H.2."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, String, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from app.models.base import Base
from app.words import _l


@dataclass(frozen=True)
class EventKind:
    """What happened, for people. ``with_record``: kept as long as the record that it tells of. White paper H.2."""

    label: object
    with_record: bool = False


#: What ``note`` may name. A kind that is not declared here is shown by its name.
KINDS: dict[str, EventKind] = {
    "insert": EventKind(_l("Added")),
    "update": EventKind(_l("Changed")),
    "delete": EventKind(_l("Deleted")),
    "truncate": EventKind(_l("Table emptied")),
    "login": EventKind(_l("Logged in")),
    "login_failed": EventKind(_l("Login failed")),
    "logout": EventKind(_l("Logged out")),
    "locked_out": EventKind(_l("Login locked")),
    "reveal": EventKind(_l("Looked at a masked value"), with_record=True),
    "file_opened": EventKind(_l("Opened a file"), with_record=True),
    "print": EventKind(_l("Printed")),
    "export": EventKind(_l("Exported")),
    "see_as": EventKind(_l("Looked as somebody else")),
    "see_as_begin": EventKind(_l("Began to look as somebody else")),
    "see_as_end": EventKind(_l("Ended looking as somebody else")),
    "look_up": EventKind(_l("Looked up across branches"), with_record=True),
    "lock": EventKind(_l("Screen locked")),
    "unlock": EventKind(_l("Screen unlocked")),
    "login_unlocked": EventKind(_l("Login unlocked")),
    "reset_code_handed_out": EventKind(_l("One-time code handed out")),
    "password_recovered": EventKind(_l("Password set by a one-time code")),
    "second_factor_set_up": EventKind(_l("Second factor set up")),
    "second_factor_taken_away": EventKind(_l("Second factor taken away")),
    "reveal_denied": EventKind(_l("Look at a masked value refused"), with_record=True),
    "export_asked": EventKind(_l("Export asked for")),
    "export_approved": EventKind(_l("Export approved")),
    "export_refused": EventKind(_l("Export refused")),
    "subject_approved": EventKind(_l("Request of a person approved"), with_record=True),
    "subject_done": EventKind(_l("Request of a person done"), with_record=True),
    "subject_refused": EventKind(_l("Request of a person refused"), with_record=True),
    "pseudonymised": EventKind(_l("Pseudonymised"), with_record=True),
    "keys_rotated": EventKind(_l("Encryption keys rotated")),
    "prune": EventKind(_l("Archived a part of the trail"), with_record=True),
}


def event_kind(name: str, label: object, *, with_record: bool = False) -> str:
    """Declare a kind of event by the name that ``note`` is told; return the name."""
    KINDS[name] = EventKind(label, with_record)
    return name


def kind_words(name: str) -> str:
    """Return what happened in the reader's language."""
    kind = KINDS.get(name)
    return name if kind is None else str(kind.label)


def kept_with_record() -> list[str]:
    """Return the kinds of events that are kept as long as the record."""
    return sorted(name for name, kind in KINDS.items() if kind.with_record)


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
