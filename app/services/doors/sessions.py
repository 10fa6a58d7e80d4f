"""Sessions, kept on the server: begun, seen, locked, ended at once by whatever takes the right to them. H.2, L14."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.models.doors import Ended, LoginSession, Owes, SessionKind
from app.models.hr import Department, Employee, EmployeeState
from app.services.doors.rules import IDLE, LONGEST, PUBLIC_IDLE, PUBLIC_SCREEN_LOCK, SCREEN_LOCK
from app.services.settings import value_of
from app.services.trail import note

#: A sign of life is written at most this often.
SEEN_EVERY = timedelta(minutes=1)


@dataclass(frozen=True)
class Begun:
    """A session that began, and its key: shown to nobody but its owner's browser or program."""

    session: LoginSession
    token: str


def hashed(token: str) -> str:
    """Return what is kept of a session's key. It is random and long, so a plain hash hides it."""
    return hashlib.sha256(token.encode()).hexdigest()


def begin(
    session: Session,
    user_id: int,
    kind: SessionKind,
    *,
    address: str,
    agent: str,
    at: datetime,
    second_factor: bool = False,
    owes: Owes | None = None,
) -> Begun:
    """Begin a session with a key of its own and with the times of its person's branch and desk."""
    token = secrets.token_urlsafe(32)
    employee = session.execute(
        select(Employee.id, Employee.branch_id, Department.public_desk)
        .join(Department, Department.id == Employee.department_id)
        .where(Employee.user_id == user_id, Employee.state == EmployeeState.ACTIVE)
    ).one_or_none()
    branch_id = employee.branch_id if employee is not None else None
    public = employee is not None and employee.public_desk
    lock: int = value_of(session, PUBLIC_SCREEN_LOCK if public else SCREEN_LOCK, branch_id=branch_id, at=at)
    idle: int = value_of(session, PUBLIC_IDLE if public else IDLE, branch_id=branch_id, at=at)
    longest: int = value_of(session, LONGEST, branch_id=branch_id, at=at)
    made = LoginSession(
        user_id=user_id,
        employee_id=employee.id if employee is not None else None,
        branch_id=branch_id,
        token_hash=hashed(token),
        kind=kind,
        begun_at=at,
        last_seen_at=at,
        address=address[:80],
        agent=agent[:200],
        second_factor=second_factor,
        owes=owes,
        lock_after=lock * 60,
        idle_after=idle * 60,
        ends_at=at + timedelta(hours=longest),
    )
    session.add(made)
    session.flush()
    return Begun(made, token)


def open_session(found: LoginSession, at: datetime) -> bool:
    """Say whether a session is open at a moment: not ended, and neither its time nor its idle time over."""
    if found.ended_at is not None or at >= found.ends_at:
        return False
    return found.kind is SessionKind.API or at - found.last_seen_at < timedelta(seconds=found.idle_after)


def is_locked(found: LoginSession, at: datetime) -> bool:
    """Say whether a screen is locked: by its key, or because nobody was there for the time of its desk."""
    if found.kind is SessionKind.API:
        return False
    return found.locked_at is not None or at - found.last_seen_at >= timedelta(seconds=found.lock_after)


def seen(session: Session, found: LoginSession, at: datetime) -> bool:
    """Write a sign of life, once a minute at most; say whether one was written. One statement."""
    if at - found.last_seen_at < SEEN_EVERY:
        return False
    session.execute(
        update(LoginSession)
        .where(LoginSession.id == found.id, LoginSession.last_seen_at < at)
        .values(last_seen_at=at)
        .execution_options(synchronize_session=False)
    )
    return True


def lock(session: Session, found: LoginSession, at: datetime) -> None:
    """Lock a screen; a locked one stays as it is."""
    if found.locked_at is None:
        found.locked_at = at
        note(session, "lock", found)


def unlock(session: Session, found: LoginSession, at: datetime) -> None:
    """Unlock a screen whose owner has shown her password."""
    found.locked_at, found.last_seen_at = None, at
    note(session, "unlock", found)


def end(session: Session, found: LoginSession, why: Ended, at: datetime) -> None:
    """End one session."""
    if found.ended_at is None:
        found.ended_at, found.ended_why = at, why


def end_all(session: Session, user_id: int, why: Ended, at: datetime, *, but: int | None = None) -> int:
    """End every session of a login, screens and tokens, but one's own if it is named; return how many."""
    ended = session.scalars(
        update(LoginSession)
        .where(LoginSession.user_id == user_id, LoginSession.ended_at.is_(None), LoginSession.id != (but or 0))
        .values(ended_at=at, ended_why=why)
        .returning(LoginSession.id)
    )
    return len(ended.all())


def of_user(session: Session, user_id: int, at: datetime) -> Sequence[LoginSession]:
    """Return the open sessions of a login, the one that was seen last first."""
    rows = session.scalars(
        select(LoginSession)
        .where(LoginSession.user_id == user_id, LoginSession.ended_at.is_(None), LoginSession.ends_at > at)
        .order_by(LoginSession.last_seen_at.desc(), LoginSession.id.desc())
    )
    return [found for found in rows if open_session(found, at)]


def tidy(session: Session, at: datetime) -> int:
    """Close the books on sessions whose time is over, so that lists say so; return how many."""
    over = session.scalars(
        update(LoginSession)
        .where(LoginSession.ended_at.is_(None), LoginSession.ends_at <= at)
        .values(ended_at=LoginSession.ends_at, ended_why=Ended.TIME)
        .returning(LoginSession.id)
    )
    return len(over.all())
