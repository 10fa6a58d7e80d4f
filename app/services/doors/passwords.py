"""Passwords: what they must be, which ones were, how old they may grow. H.2, L14; one check for every door."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session
from werkzeug.security import check_password_hash, generate_password_hash

from app.errors import InvalidInput
from app.models.base import METADATA
from app.models.doors import LoginAccount, PasswordHistory
from app.services.doors.rules import CHANGE_FIRST, CLASSES, DAYS, HISTORY, LENGTH, NOTICE_DAYS, UNCOMMON
from app.services.settings import value_of
from app.words import _

MOST_CHARACTERS = 128
#: A comparison hashes what was sent; nobody's password is longer.
MOST_HASHED = 1024
#: What a foreign list does not know: the house's own name, and what people here like.
HOUSE_WORDS = frozenset({"yimei", "meirong", "zhengxing", "hospital", "woaini", "welcome", "password", "admin"})
#: Signs that stand for letters in passwords which think themselves clever.
LEET = str.maketrans("@$!0134578", "asioleastb")
KINDS = (r"[A-Z]", r"[a-z]", r"[0-9]", r"[^A-Za-z0-9]")


def account_table() -> Any:
    return METADATA.tables["ab_user"]


def common_words() -> dict[str, int]:
    """Return the list of common passwords: word to rank."""
    from zxcvbn.frequency_lists import FREQUENCY_LISTS  # 12 MB, for whoever sets a password

    ranked: dict[str, int] = FREQUENCY_LISTS["passwords"]
    return ranked


def is_common(password: str) -> bool:
    """Say whether a password is a common one, or a common word dressed up: capitals, signs for letters, digits and
    signs before and behind it."""
    known = common_words()
    bare = password.casefold()
    shapes = {bare, bare.translate(LEET)}
    cores = {re.sub(r"^[\W\d_]+|[\W\d_]+$", "", shape) for shape in shapes}
    cores.add(re.sub(r"^[\W\d_]+|[\W\d_]+$", "", bare).translate(LEET))
    return any(shape in known for shape in shapes) or any(
        core in HOUSE_WORDS or (len(core) >= 4 and core in known) for core in cores
    )


def check_password(
    session: Session,
    password: str,
    *,
    username: str,
    at: datetime,
    branch_id: int | None = None,
    user_id: int | None = None,
    field: str = "password",
) -> None:
    """Refuse a password that the settings do not allow, with every reason at once. H.2: length, kinds, the last ones,
    common ones; and none that holds the login name. ``user_id``: whose earlier ones count."""
    said = _faults(session, password, username, branch_id, at)
    if not said and user_id is not None and _was_used(session, password, user_id, branch_id, at):
        said = [_("This is one of the last passwords. Please choose another one.")]
    if said:
        raise InvalidInput({field: said})


def _faults(session: Session, password: str, username: str, branch_id: int | None, at: datetime) -> list[str]:
    least: int = value_of(session, LENGTH, branch_id=branch_id, at=at)
    kinds: int = value_of(session, CLASSES, branch_id=branch_id, at=at)
    said = []
    if not least <= len(password) <= MOST_CHARACTERS or not password.strip():
        said.append(_("%(least)s to %(most)s characters, please.", least=least, most=MOST_CHARACTERS))
    if sum(bool(re.search(kind, password)) for kind in KINDS) < kinds:
        said.append(
            _(
                "At least %(kinds)s of four kinds, please: capital letters, small letters, digits, other signs.",
                kinds=kinds,
            )
        )
    if len(username) >= 3 and username.casefold() in password.casefold():
        said.append(_("The login name may not stand in the password."))
    if value_of(session, UNCOMMON, branch_id=branch_id, at=at) and is_common(password):
        said.append(_("Too many people use this one. Please choose one that nobody guesses."))
    return said


def _was_used(session: Session, password: str, user_id: int, branch_id: int | None, at: datetime) -> bool:
    """Compare with the one in force and with as many before it as the settings say."""
    most: int = value_of(session, HISTORY, branch_id=branch_id, at=at)
    if not most:
        return False
    before = session.scalars(
        select(PasswordHistory.password_hash)
        .where(PasswordHistory.user_id == user_id)
        .order_by(PasswordHistory.id.desc())
        .limit(most)
    ).all()
    user = account_table()
    hashes = {session.scalar(select(user.c.password).where(user.c.id == user_id)) or "", *before} - {""}
    return any(check_password_hash(each, password) for each in hashes)


@lru_cache(maxsize=1)
def nobodys_hash() -> str:
    """Return the hash that a password is compared with where no login of that name is open: the same work."""
    return generate_password_hash("nobody has this password")


def is_right(password_hash: str | None, password: str) -> bool:
    """Compare a password with a hash, or with nobody's; exactly one comparison either way."""
    sent = password[:MOST_HASHED].encode("utf-8", "replace").decode()
    right = check_password_hash(password_hash or nobodys_hash(), sent)
    return right and bool(password_hash)


def account_of(session: Session, user_id: int, at: datetime) -> LoginAccount:
    """Return what we keep of a login, making it if it is new to us."""
    session.execute(
        upsert(LoginAccount)
        .values(user_id=user_id, password_changed_at=at)
        .on_conflict_do_nothing(index_elements=["user_id"])
    )
    return session.scalars(
        select(LoginAccount).where(LoginAccount.user_id == user_id).execution_options(populate_existing=True)
    ).one()


def remember(
    session: Session, user_id: int, password_hash: str, *, at: datetime, by_others: bool, branch_id: int | None = None
) -> None:
    """Keep a password that a login has from now on among its earlier ones, and whether its owner must replace it."""
    account = account_of(session, user_id, at)
    account.password_changed_at = at
    demanded = by_others and value_of(session, CHANGE_FIRST, branch_id=branch_id, at=at)
    account.change_demanded_at = at if demanded else None
    session.execute(insert(PasswordHistory).values(user_id=user_id, password_hash=password_hash, set_at=at))
    session.flush()


def set_password(
    session: Session, user_id: int, password: str, *, at: datetime, by_others: bool, branch_id: int | None = None
) -> None:
    """Give a login a password that was checked; the sessions are for the caller to end."""
    hashed = generate_password_hash(password)
    user = account_table()
    session.execute(update(user).where(user.c.id == user_id).values(password=hashed))
    remember(session, user_id, hashed, at=at, by_others=by_others, branch_id=branch_id)


def must_change(session: Session, account: LoginAccount, branch_id: int | None, at: datetime) -> bool:
    """Say whether a password must be replaced first: given by somebody else, or too old."""
    if account.change_demanded_at is not None:
        return True
    left = days_left(session, account, branch_id, at)
    return left is not None and left <= 0


def days_left(session: Session, account: LoginAccount, branch_id: int | None, at: datetime) -> int | None:
    """Return for how many more days a password is good, rounded up; None: for good."""
    days: int = value_of(session, DAYS, branch_id=branch_id, at=at)
    if not days:
        return None
    left = account.password_changed_at + timedelta(days=days) - at
    return -(-left // timedelta(days=1)) if left > timedelta() else 0


def notice(session: Session, account: LoginAccount, branch_id: int | None, at: datetime) -> str | None:
    """Return what to tell at login of a password that soon runs out."""
    left = days_left(session, account, branch_id, at)
    if left is None or not 0 < left <= value_of(session, NOTICE_DAYS, branch_id=branch_id, at=at):
        return None
    return _("Your password is good for %(days)s more days. You can change it now.", days=left)
