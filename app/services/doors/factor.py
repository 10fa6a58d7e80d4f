"""The second factor: codes of an authenticator (TOTP, RFC 6238), and recovery codes in their stead. H.2.

A code is good for its half minute and the ones before and after it, and only once: the step of the last code taken is
kept, and taking one moves it on in a single statement. The seed is encrypted with the key ring.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Iterable
from datetime import datetime

import pyotp
from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from app.errors import InvalidInput, Refusal
from app.keyring import ring
from app.models.doors import CodeKind, LoginAccount, OneTimeCode
from app.services.doors.passwords import account_of
from app.services.doors.rules import NAMED_ROLES, SECOND_FACTOR
from app.services.settings import value_of
from app.services.trail import note
from app.words import _

STEP = 30
SKEW = 1
RECOVERY_CODES = 10
#: Without what is mistaken for something else on paper: 32 signs, five bits each.
ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
DIGITS = re.compile(r"[0-9]{6}")


def is_required(session: Session, roles: Iterable[str], branch_id: int | None, at: datetime) -> bool:
    """Say whether somebody of these roles must have a second factor."""
    who: str = value_of(session, SECOND_FACTOR, branch_id=branch_id, at=at)
    return who == "everybody" or (who == "named" and not NAMED_ROLES.isdisjoint(roles))


def new_code(length: int = 10) -> str:
    """Return a random code in groups of five, such as ``7QKMP-3XW9A``; ten signs are almost fifty bits."""
    signs = "".join(secrets.choice(ALPHABET) for _sign in range(length))
    return "-".join(signs[start : start + 5] for start in range(0, length, 5))


def code_hash(kind: CodeKind, user_id: int, code: str) -> str:
    """Return the keyed hash of a code, however it was typed: blanks, hyphens and small letters do not matter."""
    bare = re.sub(r"[\s\-]", "", code).upper()
    return ring().digest(f"code {kind.value} {user_id}", bare)


def begin_setup(session: Session, user_id: int, at: datetime) -> str:
    """Return the seed that waits to be confirmed, making one if none does; refuses who has a second factor."""
    account = account_of(session, user_id, at)
    if account.totp_seed is not None:
        raise Refusal(_("You have a second factor already. Take it away first to set up another one."))
    if account.totp_pending is None:
        account.totp_pending = pyotp.random_base32()
        session.flush()
    return account.totp_pending


def address_of(seed: str, username: str, house: str) -> str:
    """Return what an authenticator reads from the picture: ``otpauth://totp/…``."""
    return pyotp.TOTP(seed).provisioning_uri(name=username, issuer_name=house)


def confirm_setup(session: Session, user_id: int, code: str, at: datetime) -> list[str]:
    """Take the second factor into use once a code of it was right; return the recovery codes, shown this once."""
    account = account_of(session, user_id, at)
    if account.totp_pending is None or account.totp_seed is not None:
        raise Refusal(_("There is nothing to confirm. Please begin again."))
    step = _step_of(account.totp_pending, code, at)
    if step is None:
        raise InvalidInput({"code": [_("This code is not right. Does the clock of your device agree?")]})
    account.totp_seed, account.totp_pending = account.totp_pending, None
    account.totp_since, account.totp_last_step = at, step
    session.flush()
    note(session, "second_factor_set_up", table="login_account", record_id=account.id)
    return new_recovery_codes(session, user_id, at)


def new_recovery_codes(session: Session, user_id: int, at: datetime) -> list[str]:
    """Make ten recovery codes in place of all earlier ones; only their hashes are kept."""
    withdraw(session, user_id, CodeKind.RECOVERY, at)
    codes = [new_code() for _each in range(RECOVERY_CODES)]
    session.add_all(
        OneTimeCode(
            user_id=user_id,
            kind=CodeKind.RECOVERY,
            code_hash=code_hash(CodeKind.RECOVERY, user_id, code),
            made_at=at,
        )
        for code in codes
    )
    session.flush()
    return codes


def withdraw(session: Session, user_id: int, kind: CodeKind, at: datetime) -> None:
    """Make codes useless that were not used."""
    session.execute(
        update(OneTimeCode)
        .where(OneTimeCode.user_id == user_id, OneTimeCode.kind == kind, OneTimeCode.spent_at.is_(None))
        .values(spent_at=at)
    )


def recovery_codes_left(session: Session, user_id: int) -> int:
    """Return how many recovery codes are unused."""
    return (
        session.scalar(
            select(func.count()).where(
                OneTimeCode.user_id == user_id, OneTimeCode.kind == CodeKind.RECOVERY, OneTimeCode.spent_at.is_(None)
            )
        )
        or 0
    )


def accept(session: Session, account: LoginAccount, code: str, at: datetime) -> bool:
    """Take a code of the authenticator or a recovery code, once; say whether it was right.

    Both are taken by one UPDATE that tells whether it changed anything, so of two who send the same code one comes in.
    """
    if account.totp_seed is None:
        return False
    bare = re.sub(r"\s", "", code)
    return (
        _take_step(session, account, bare, at) if DIGITS.fullmatch(bare) else _take_recovery(session, account, code, at)
    )


def _take_step(session: Session, account: LoginAccount, code: str, at: datetime) -> bool:
    step = _step_of(account.totp_seed or "", code, at)
    if step is None:
        return False
    taken = session.execute(
        update(LoginAccount)
        .where(LoginAccount.id == account.id)
        .where(or_(LoginAccount.totp_last_step.is_(None), LoginAccount.totp_last_step < step))
        .values(totp_last_step=step)
        .returning(LoginAccount.id)
    )
    return taken.first() is not None


def _take_recovery(session: Session, account: LoginAccount, code: str, at: datetime) -> bool:
    taken = session.execute(
        update(OneTimeCode)
        .where(OneTimeCode.user_id == account.user_id, OneTimeCode.kind == CodeKind.RECOVERY)
        .where(OneTimeCode.code_hash == code_hash(CodeKind.RECOVERY, account.user_id, code))
        .where(OneTimeCode.spent_at.is_(None))
        .values(spent_at=at)
        .returning(OneTimeCode.id)
    )
    return taken.first() is not None


def _step_of(seed: str, code: str, at: datetime) -> int | None:
    """Return the step whose code this is: the present one, or the one before or after it; all three are compared."""
    now = int(at.timestamp()) // STEP
    clock = pyotp.TOTP(seed, interval=STEP)
    found = None
    for step in range(now - SKEW, now + SKEW + 1):
        if hmac.compare_digest(clock.generate_otp(step).encode(), re.sub(r"\s", "", code).encode()):
            found = step
    return found


def take_away(session: Session, user_id: int, at: datetime) -> bool:
    """Take a login's second factor and its recovery codes away; say whether there was one."""
    account = account_of(session, user_id, at)
    had = account.totp_seed is not None
    account.totp_seed = account.totp_pending = account.totp_since = None
    withdraw(session, user_id, CodeKind.RECOVERY, at)
    session.flush()
    if had:
        note(session, "second_factor_taken_away", table="login_account", record_id=account.id)
    return had
