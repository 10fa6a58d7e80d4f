"""A forgotten password: the information centre hands out a code, its owner sets a new password with it. L14.

A code is good for half an hour, for one use and for five tries; names without one are answered alike.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import case, select, update
from sqlalchemy.orm import Session

from app.errors import InvalidInput, Refusal
from app.models.base import METADATA
from app.models.doors import CodeKind, Ended, OneTimeCode
from app.services.doors import factor, lockout, passwords, sessions
from app.services.doors.entering import Visitor, branch_of
from app.services.doors.rules import CODE_TRIES, RESET_MINUTES
from app.services.settings import value_of
from app.services.trail import note
from app.unit import unit_of_work
from app.words import _


def hand_out(session: Session, user_id: int, branch_id: int | None, at: datetime) -> str:
    """Return a code for a new password in place of any earlier one; only its hash is kept."""
    minutes: int = value_of(session, RESET_MINUTES, branch_id=branch_id, at=at)
    factor.withdraw(session, user_id, CodeKind.PASSWORD, at)
    code = factor.new_code()
    session.add(
        OneTimeCode(
            user_id=user_id,
            kind=CodeKind.PASSWORD,
            code_hash=factor.code_hash(CodeKind.PASSWORD, user_id, code),
            made_at=at,
            expires_at=at + timedelta(minutes=minutes),
        )
    )
    session.flush()
    return code


def redeem(
    session: Session,
    username: str,
    code: str,
    password: str,
    visitor: Visitor,
    at: datetime,
    *,
    act_as: Callable[[str], None] = lambda _name: None,
) -> None:
    """Set a new password with a code, end all sessions and forget the failures of the name.

    Refuses a wrong, spent or old code and a name without one with the same sentence, and too many tries of any name; a
    password that is not allowed leaves the code as it is.
    """
    name = lockout.plain_name(username)
    act_as(lockout.actor_name(name, visitor.address))
    _refuse_alike(session, name, password, at)
    place = lockout.take_place(session, name, visitor.address, at, lockout.CODES)
    if not place.allowed:
        raise Refusal(lockout.locked_sentence(place))
    with unit_of_work(session):
        user_id = _owner_of(session, name, code, at)
        if user_id is None:
            note(session, "login_failed", why="reset_code", way=visitor.kind.value)
            if place.locks:
                note(session, "locked_out", minutes=place.minutes)
    if user_id is None:
        raise Refusal(_("Login name or code is wrong, or the code is no longer good. Ask the information centre."))
    _give(session, user_id, name, code, password, at)


def _refuse_alike(session: Session, name: str, password: str, at: datetime) -> None:
    """Refuse what is no password for anybody, before anything is said of the name."""
    if "\x00" in name or any("\ud800" <= char <= "\udfff" for char in name + password):
        raise InvalidInput(
            {"username": [_("This text contains characters that cannot be stored. Please remove them.")]}
        )
    passwords.check_password(session, password, username=name, at=at)


def _owner_of(session: Session, name: str, code: str, at: datetime) -> int | None:
    """Return whose open code this is; a wrong one costs a try. One statement, so no two tries count as one."""
    user = METADATA.tables["ab_user"]
    user_id = session.scalar(select(user.c.id).where(user.c.username == name, user.c.active))
    wanted = factor.code_hash(CodeKind.PASSWORD, user_id or 0, code)
    tried = session.execute(
        update(OneTimeCode)
        .where(OneTimeCode.user_id == (user_id or 0), OneTimeCode.kind == CodeKind.PASSWORD)
        .where(OneTimeCode.spent_at.is_(None), OneTimeCode.expires_at > at, OneTimeCode.tries < CODE_TRIES)
        .values(tries=case((OneTimeCode.code_hash == wanted, OneTimeCode.tries), else_=OneTimeCode.tries + 1))
        .returning(OneTimeCode.code_hash)
    ).scalars()
    return user_id if user_id is not None and wanted in set(tried) else None


def _give(session: Session, user_id: int, name: str, code: str, password: str, at: datetime) -> None:
    """Spend the code and set the password, or nothing of it."""
    with unit_of_work(session):
        branch_id = branch_of(session, user_id)
        passwords.check_password(session, password, username=name, at=at, branch_id=branch_id, user_id=user_id)
        spent = session.execute(
            update(OneTimeCode)
            .where(OneTimeCode.user_id == user_id, OneTimeCode.kind == CodeKind.PASSWORD)
            .where(OneTimeCode.code_hash == factor.code_hash(CodeKind.PASSWORD, user_id, code))
            .where(OneTimeCode.spent_at.is_(None), OneTimeCode.expires_at > at)
            .values(spent_at=at)
            .returning(OneTimeCode.id)
        )
        if spent.first() is None:
            raise Refusal(_("Login name or code is wrong, or the code is no longer good. Ask the information centre."))
        passwords.set_password(session, user_id, password, at=at, by_others=False, branch_id=branch_id)
        sessions.end_all(session, user_id, Ended.PASSWORD, at)
        lockout.unlock(session, name, (lockout.PASSWORDS, lockout.CODES))
        note(session, "password_recovered", table="ab_user", record_id=user_id)
