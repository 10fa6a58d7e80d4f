"""Failures are counted and lock: H.2, L14. Five wrong passwords lock a name for fifteen minutes, and so with addresses.

A try takes its place in the count before its password is looked at, in one statement and committed at once; so however
many come at the same moment, no more than the setting says are looked at. Names that do not exist are counted alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import case, delete, func, literal, null, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.keyring import ring
from app.models.base import Instant
from app.models.doors import LoginAttempt
from app.services.doors.rules import ADDRESS_FAILURES, FAILURES, LOCK_MINUTES
from app.services.settings import value_of
from app.unit import unit_of_work
from app.words import _

#: What is counted, each for itself: passwords, codes for a new password, codes of second factors.
PASSWORDS, CODES, FACTORS = "password", "code", "factor"
MOST_NAME = 64


@dataclass(frozen=True)
class Place:
    """A try's place in the counts of its name and of its address.

    ``allowed``: it may be looked at. ``last``: of which of the two counts it is the last that may, so that if it fails
    that one stays locked. ``minutes``: how long.
    """

    keys: tuple[str, str]
    allowed: bool
    last: tuple[bool, bool]
    minutes: int

    @property
    def locks(self) -> bool:
        return self.allowed and any(self.last)


def plain_name(name: str) -> str:
    """Return a login name as it is counted and looked up: no blanks around it, no capitals."""
    return name.strip().casefold()


def actor_name(name: str, address: str) -> str:
    """Return under which name the trail keeps a try: what was typed, short and without what no screen shows."""
    shown = "".join(char for char in name[:MOST_NAME] if char.isprintable())
    return f"login:{shown}@{address}"


def keys_of(name: str, address: str, purpose: str = PASSWORDS) -> tuple[str, str]:
    """Return the keys under which a name and an address are counted; hashes, so that no list of names is kept."""
    hashed = ring().digest("login", plain_name(name))
    return f"{purpose}:name:{hashed}", f"{purpose}:address:{ring().digest('login address', address)}"


def take_place(session: Session, name: str, address: str, at: datetime, purpose: str = PASSWORDS) -> Place:
    """Count a try before it is looked at, and commit that. One statement per count, the name's first, so that tries
    from all sides wait for each other in one order."""
    minutes: int = value_of(session, LOCK_MINUTES, branch_id=None, at=at)
    limits = [value_of(session, limit, branch_id=None, at=at) for limit in (FAILURES, ADDRESS_FAILURES)]
    keys = keys_of(name, address, purpose)
    with unit_of_work(session):
        counts = [
            _count(session, key, limit, timedelta(minutes=minutes), at) for key, limit in zip(keys, limits, strict=True)
        ]
    allowed = all(count <= limit for count, limit in zip(counts, limits, strict=True))
    return Place(keys, allowed, (counts[0] == limits[0], counts[1] == limits[1]), minutes)


def _count(session: Session, key: str, limit: int, window: timedelta, at: datetime) -> int:
    """Add one to a count and return it. It begins anew once its lock or its window has passed; a locked one is
    counted on, so that it stays over the limit, but the lock is not made longer."""
    held = LoginAttempt
    is_locked = held.locked_until > at
    is_over = or_(held.locked_until <= at, held.locked_until.is_(None) & (held.last_at < at - window))
    counted = case((is_over, 1), else_=held.failures + 1)
    until = literal(at + window, Instant)
    statement = insert(held).values(key=key, failures=1, last_at=at, locked_until=at + window if limit <= 1 else None)
    return session.execute(
        statement.on_conflict_do_update(
            index_elements=["key"],
            set_={
                "failures": counted,
                "last_at": at,
                "locked_until": case((is_locked, held.locked_until), (counted >= limit, until), else_=null()),
            },
        ).returning(held.failures)
    ).scalar_one()


def give_back(session: Session, place: Place) -> None:
    """Take a try out of both counts that was not wrong, but is not yet one that has come in."""
    for key, was_last in zip(place.keys, place.last, strict=True):
        _take_out(session, key, was_last)


def clear(session: Session, place: Place) -> None:
    """Forget the failures of a name whose owner has come in; its address only forgets this try."""
    session.execute(delete(LoginAttempt).where(LoginAttempt.key == place.keys[0]))
    _take_out(session, place.keys[1], place.last[1])


def _take_out(session: Session, key: str, was_last: bool) -> None:
    """Take one off a count; a lock that this very try had set falls with it."""
    changed: dict[str, object] = {"failures": func.greatest(LoginAttempt.failures - 1, 0)}
    if was_last:
        changed["locked_until"] = None
    session.execute(update(LoginAttempt).where(LoginAttempt.key == key).values(changed))


def unlock(session: Session, name: str, purposes: Sequence[str] = (PASSWORDS,)) -> bool:
    """Forget the wrong passwords of a name, of one-time codes only if that is said; say whether there were any."""
    keys = [keys_of(name, "", purpose)[0] for purpose in purposes]
    gone = session.execute(delete(LoginAttempt).where(LoginAttempt.key.in_(keys)).returning(LoginAttempt.id))
    return gone.first() is not None


def is_locked(session: Session, name: str, at: datetime) -> bool:
    """Say whether a name is locked now."""
    key = keys_of(name, "")[0]
    return bool(session.scalar(select(LoginAttempt.id).where(LoginAttempt.key == key, LoginAttempt.locked_until > at)))


def tidy(session: Session, at: datetime) -> int:
    """Forget counts that are over; return how many."""
    long_ago = at - timedelta(days=2)
    gone = session.execute(
        delete(LoginAttempt)
        .where(
            LoginAttempt.last_at < long_ago, or_(LoginAttempt.locked_until.is_(None), LoginAttempt.locked_until < at)
        )
        .returning(LoginAttempt.id)
    )
    return len(gone.all())


def locked_sentence(place: Place) -> str:
    """Say that a name or an address is locked; the same whether the name exists or not."""
    return _(
        "Too many wrong attempts. Please try again in %(minutes)s minutes, or ask the information centre to unlock.",
        minutes=place.minutes,
    )
