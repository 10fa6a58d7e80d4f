"""Coming in: a name, a password and, where there is one, the second factor; the same on screen and over REST. H.2.

Known and unknown names are answered with the same sentence after the same work: one comparison of a hash each.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.models.base import METADATA
from app.models.doors import LoginAccount, Owes, SessionKind
from app.models.hr import Employee
from app.services.doors import factor, lockout, passwords, sessions
from app.services.trail import note
from app.unit import unit_of_work
from app.words import _


@dataclass(frozen=True)
class Entry:
    """How a try went. ``user_id``: whose password was right. ``begun``: the session, if she is in. ``needs_code``: the
    second factor is still to come. ``sentence``: why she is not in."""

    user_id: int | None = None
    begun: sessions.Begun | None = None
    needs_code: bool = False
    sentence: str = ""


@dataclass(frozen=True)
class Visitor:
    """From where somebody comes, and how."""

    address: str
    agent: str
    kind: SessionKind


def wrong_sentence() -> str:
    return _("Login name, password or code is wrong.")


def enter(
    session: Session,
    username: str,
    password: str,
    visitor: Visitor,
    at: datetime,
    *,
    code: str | None = None,
    act_as: Callable[[str], None] = lambda _name: None,
) -> Entry:
    """Try to come in with a password and, if it was sent along, the code of the second factor; commits what it did.

    Without a code that is needed nobody is in yet and nothing has failed. ``act_as`` is told under which name the trail
    keeps what follows.
    """
    name = _storable(username)
    act_as(lockout.actor_name(name, visitor.address))
    place = lockout.take_place(session, name, visitor.address, at)
    with unit_of_work(session):
        user_id = _owner(session, name, password)
        if not place.allowed:
            note(session, "login_failed", why="locked", way=visitor.kind.value)
            return Entry(sentence=lockout.locked_sentence(place))
        if user_id is None:
            return _failed(session, place, visitor, "password")
        return _with_factor(session, user_id, name, visitor, at, code, place)


def enter_with_code(
    session: Session,
    user_id: int,
    username: str,
    code: str,
    visitor: Visitor,
    at: datetime,
    *,
    act_as: Callable[[str], None] = lambda _name: None,
) -> Entry:
    """Come in with the second factor after the password was right; a wrong code counts like a wrong password."""
    act_as(lockout.actor_name(username, visitor.address))
    place = lockout.take_place(session, username, visitor.address, at)
    with unit_of_work(session):
        if not place.allowed:
            note(session, "login_failed", why="locked", way=visitor.kind.value)
            return Entry(sentence=lockout.locked_sentence(place))
        return _with_factor(session, user_id, username, visitor, at, code, place)


def try_password(
    session: Session,
    user_id: int,
    password: str,
    visitor: Visitor,
    at: datetime,
    *,
    why: str,
    code: str | None = None,
) -> str | None:
    """Ask somebody who is in for her own password again, and for a code of her second factor if one is given; return
    None if they are right, else why not. Counts like a login."""
    user = METADATA.tables["ab_user"]
    found = session.execute(select(user.c.username, user.c.password).where(user.c.id == user_id)).one()
    place = lockout.take_place(session, found.username, visitor.address, at)
    with unit_of_work(session):
        right = passwords.is_right(found.password, password)
        if not place.allowed:
            note(session, "login_failed", why="locked", way=why)
            return lockout.locked_sentence(place)
        if right and code is not None:
            right = factor.accept(session, passwords.account_of(session, user_id, at), code, at)
        if not right:
            said = _failed(session, place, visitor, why).sentence
            return said if place.locks else (_("The password is wrong.") if code is None else wrong_sentence())
        lockout.clear(session, place)
    return None


def _storable(text: str) -> str:
    """Return a name as the database can hold it; what it cannot hold is nobody's name."""
    plain = lockout.plain_name(text[: lockout.MOST_NAME])
    return "" if "\x00" in plain or any("\ud800" <= char <= "\udfff" for char in plain) else plain


def _owner(session: Session, name: str, password: str) -> int | None:
    """Return whose open login this is, if the password is right. One look and one comparison, found or not."""
    user = METADATA.tables["ab_user"]
    found = session.execute(
        select(user.c.id, user.c.password).where(user.c.username == name, user.c.active)
    ).one_or_none()
    right = passwords.is_right(found.password if found is not None else None, password)
    return found.id if found is not None and right else None


def _failed(session: Session, place: lockout.Place, visitor: Visitor, why: str) -> Entry:
    note(session, "login_failed", why=why, way=visitor.kind.value)
    if place.locks:
        note(session, "locked_out", minutes=place.minutes)
        return Entry(sentence=lockout.locked_sentence(place))
    return Entry(sentence=wrong_sentence())


def _wrong_code(
    session: Session, account: LoginAccount, name: str, visitor: Visitor, at: datetime, code: str, place: lockout.Place
) -> Entry | None:
    """Return why a code of the second factor does not open, or None. Counted for itself as well, so that who unlocks a
    login for its wrong passwords gives nobody further tries at its codes."""
    tried = lockout.take_place(session, name, visitor.address, at, lockout.FACTORS)
    if not tried.allowed:
        note(session, "login_failed", why="locked", way=visitor.kind.value)
        return Entry(sentence=lockout.locked_sentence(tried))
    if not factor.accept(session, account, code, at):
        return _failed(session, tried if tried.locks else place, visitor, "second_factor")
    lockout.clear(session, tried)
    return None


def _with_factor(
    session: Session, user_id: int, name: str, visitor: Visitor, at: datetime, code: str | None, place: lockout.Place
) -> Entry:
    account = passwords.account_of(session, user_id, at)
    has_factor = account.totp_seed is not None
    if has_factor and not code:
        lockout.give_back(session, place)
        return Entry(user_id=user_id, needs_code=True, sentence=_("The code of your second factor is needed as well."))
    if has_factor and (refused := _wrong_code(session, account, name, visitor, at, code or "", place)) is not None:
        return refused
    lockout.clear(session, place)
    owes = _owes(session, user_id, account, at)
    begun = sessions.begin(
        session,
        user_id,
        visitor.kind,
        address=visitor.address,
        agent=visitor.agent,
        at=at,
        second_factor=has_factor,
        owes=owes,
    )
    note(session, "login", begun.session, way=visitor.kind.value, second_factor=has_factor)
    return Entry(user_id=user_id, begun=begun)


def roles_of(session: Session, user_id: int) -> set[str]:
    """Return the names of a login's roles."""
    link, role = METADATA.tables["ab_user_role"], METADATA.tables["ab_role"]
    return set(
        session.scalars(select(role.c.name).join(link, link.c.role_id == role.c.id).where(link.c.user_id == user_id))
    )


def branch_of(session: Session, user_id: int) -> int | None:
    """Return the branch whose settings count for a login."""
    return session.scalar(select(Employee.branch_id).where(Employee.user_id == user_id))


def _owes(session: Session, user_id: int, account: Any, at: datetime) -> Owes | None:
    """Return what must be done before anything else: the password first, then the second factor."""
    branch_id = branch_of(session, user_id)
    if passwords.must_change(session, account, branch_id, at):
        return Owes.PASSWORD
    if account.totp_seed is None and factor.is_required(session, roles_of(session, user_id), branch_id, at):
        return Owes.SECOND_FACTOR
    return None


def owes_now(session: Session, user_id: int, at: datetime) -> Owes | None:
    """Return what a login still owes; asked again after each of it was done."""
    return _owes(session, user_id, passwords.account_of(session, user_id, at), at)
