"""API keys: issued once, narrowed, used, revoked. White paper H, L14; trust targets 24 and 27.

A key acts as an employee with a login; a program that should have a name of its own gets an employee file and a login
of its own. What it may is what she may now, cut down to the roles and rights that the key names.
"""

from __future__ import annotations

import dataclasses
import re
import secrets
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import Select, bindparam, select, update
from sqlalchemy.orm import Session

from app.actors import Actor
from app.acts import REGISTRY, Outcome, act
from app.errors import InvalidInput
from app.fields import ChooseMany, Day, HouseForm, Pick, Words
from app.keyring import ring
from app.models.api_keys import ApiKey
from app.models.base import METADATA, models
from app.models.hr import Branch, Employee, EmployeeState
from app.roles import RoleName, rights_of
from app.services.accounts import account_to_lend
from app.services.duties import Pair
from app.services.hr import actor_for_user, holds_right
from app.services.settings import setting, value_of
from app.services.trail import note
from app.words import _, _l

MARK = "yk_"
SHAPE = re.compile(r"yk_[A-Za-z0-9]{8}_[A-Za-z0-9_-]{43}")
RIGHT = re.compile(r"([a-z_]+)\.([a-z_]+)")
#: How exact "last used" is: one write a minute at most.
USED_EVERY = timedelta(minutes=1)
#: Keys make no keys and change neither rights nor reaches, whatever they are given.
NEVER = frozenset({"api_key", "role_override", "role_reach"})
#: Nor do they do anything to logins: every act of these modules on the employee.
ACCOUNT_ACTS = frozenset({"app.services.accounts", "app.services.logins"})

LONGEST_DAYS = setting(
    "api_keys.longest_days",
    _l("Longest life of an API key (days)"),
    "365",
    "whole",
    least=1,
    most=730,
    help=_l("A key expires after at most so many days; then a new one is issued."),
    source="L14",
    group_only=True,
)


class Issuing(HouseForm):
    """Whose rights, which of them, until when."""

    name = Words(_l("Name"), required=True, most=60)
    employee_id = Pick(_l("Acts as"), table="employee", required=True)
    roles = ChooseMany(_l("Only what these roles may"), options=RoleName)
    rights = Words(
        _l("Only these rights"),
        most=2000,
        multiline=True,
        description=_l("Such as appointment_slip.list appointment_slip.place, separated by blanks."),
    )
    expires_on = Day(_l("Expires on"), required=True)


def _is_revoked(key: ApiKey, by: Actor) -> object | None:
    return _("This key is revoked already.") if key.revoked_at is not None else None


@act(
    ApiKey,
    "issue",
    _l("Issue an API key"),
    form=Issuing,
    creates=True,
    main=True,
    icon="key",
    starts_from={"employee": {"employee_id": "id"}},
    consequence=_l("The key is shown once; nobody can read it again."),
)
def issue(
    session: Session,
    *,
    name: str,
    employee_id: int,
    roles: Sequence[str],
    rights: str | None,
    expires_on: date,
    by: Actor,
    at: datetime,
) -> Outcome:
    """Issue a key for an employee with a login; it works until the end of a day.

    Refuses a key without roles and rights, rights that do not exist, too long a life, and an employee whose login
    one may not change: with a key one acts in her name.
    """
    employee = session.get_one(Employee, employee_id)
    account_to_lend(session, employee, by)
    named = _named_rights(rights or "")
    if not roles and not named:
        raise InvalidInput({"roles": [_("Please name the roles or the rights that the key is for.")]})
    expires_at = datetime.combine(expires_on + timedelta(days=1), time.min, by.timezone)
    longest = int(value_of(session, LONGEST_DAYS, branch_id=employee.branch_id, at=at))
    if not at < expires_at <= at + timedelta(days=longest + 1):
        raise InvalidInput({"expires_on": [_("At most %(num)s days from today.", num=longest)]})
    prefix = MARK + "".join(secrets.choice("abcdefghijkmnpqrstuvwxyz23456789") for _place in range(8))
    token = f"{prefix}_{secrets.token_urlsafe(32)}"
    made = ApiKey(
        name=name,
        prefix=prefix,
        key_hash=_hash(token),
        employee_id=employee.id,
        roles=[str(role) for role in roles],
        rights=named,
        issued_at=at,
        issued_by_id=by.user_id,
        expires_at=expires_at,
    )
    session.add(made)
    session.flush()
    return Outcome(result=made, shown=token, notice=_("Copy this key now; it is not shown again."))


@act(
    ApiKey,
    "revoke",
    _l("Revoke"),
    guard=_is_revoked,
    icon="x-circle",
    tone="danger",
    many=True,
    consequence=_l("Programs that use this key are refused at once."),
)
def revoke(session: Session, key: ApiKey, *, by: Actor, at: datetime) -> None:
    """End a key at once; it stays on file."""
    key.revoked_at = at


def _named_rights(text: str) -> list[str]:
    found = []
    for word in text.split():
        match = RIGHT.fullmatch(word)
        if match is None or (match[1] not in models() and not match[1].startswith("report_")):
            raise InvalidInput({"rights": [_("There is no right “%(word)s”.", word=word[:80])]})
        found.append(word)
    return sorted(set(found))


def _hash(token: str) -> str:
    return ring().digest("api_key", token)


def looks_like_key(token: str) -> bool:
    """Say whether a bearer's token is one of these keys, and no JWT."""
    return token.startswith(MARK)


def actor_for_key(
    session: Session, token: str, *, at: datetime, right: Pair | None = None
) -> tuple[Actor, ApiKey] | None:
    """Return who calls with a key and with which rights, or None if it opens nothing (any more).

    Asked at each call: a closed login, an employee who left, an end or a revocation counts at once. With a ``right``
    nothing but this (table, permission) is asked for, in one statement: the actor has it or none, and reaches no rows.
    """
    if not SHAPE.fullmatch(token):
        return None
    if right is not None:
        return _actor_with(session, token, right, at)
    user = METADATA.tables["ab_user"]
    found = session.execute(_holders(_hash(token), ApiKey, user.c.id)).one_or_none()
    if found is None:
        return None
    key, user_id = found
    if user_id is None or not key.is_open(at):
        return None
    return narrowed(actor_for_user(session, user_id), key), key


def _holders(key_hash: Any, *told: Any) -> Select[Any]:
    """Return the statement of a key whose holder works here and may log in."""
    user = METADATA.tables["ab_user"]
    return (
        select(*told)
        .join(Employee, Employee.id == ApiKey.employee_id)
        .join(user, user.c.id == Employee.user_id)
        .where(ApiKey.key_hash == key_hash, Employee.state == EmployeeState.ACTIVE, user.c.active)
    )


@lru_cache(maxsize=1)
def _with_right() -> Select[Any]:
    """Return the statement of a key, its holder and whether she has one right; made once, since it is often sent."""
    user = METADATA.tables["ab_user"]
    has_it = holds_right(user.c.id, bindparam("table"), bindparam("permission"))
    told = _holders(bindparam("key_hash"), ApiKey, Employee, Branch.zone, Branch.name, has_it)
    return told.join(Branch, Branch.id == Employee.branch_id)


def _actor_with(session: Session, token: str, right: Pair, at: datetime) -> tuple[Actor, ApiKey] | None:
    asked = {"key_hash": _hash(token), "table": right[0], "permission": right[1]}
    found = session.execute(_with_right(), asked).one_or_none()
    if found is None or not found[0].is_open(at):
        return None
    key, holder, zone, branch_name, has_it = found
    return Actor(
        name=_name_with(f"user:{holder.user_id}", key),
        user_id=holder.user_id,
        employee_id=holder.id,
        branch_id=holder.branch_id,
        department_id=holder.department_id,
        zone=zone,
        branch_name=branch_name,
        display_name=holder.name,
        rights=frozenset({right}) & _wanted(key) if has_it else frozenset(),
        key_id=key.id,
    ), key


def _name_with(holder: str, key: ApiKey) -> str:
    return f"{holder} key:{key.id}"


def _wanted(key: ApiKey) -> set[Pair]:
    """Return the rights that a key names, itself or by its roles; those that no key has are left out."""
    wanted = {pair for role in key.roles for pair in rights_of(role)}
    wanted |= {(table, f"can_{name}") for table, _dot, name in (right.partition(".") for right in key.rights)}
    return {pair for pair in wanted if pair[0] not in NEVER} - never_acts()


def narrowed(holder: Actor, key: ApiKey) -> Actor:
    """Return the holder with what of her rights the key names; her rows stay hers, she never gets more."""
    return dataclasses.replace(
        holder,
        name=_name_with(holder.name, key),
        roles=holder.roles & frozenset(key.roles),
        rights=holder.rights & _wanted(key),
        key_id=key.id,
    )


def never_acts() -> set[tuple[str, str]]:
    """Return the rights on acts that keep logins; no key has any of them, a new one neither."""
    return {(act.table, act.permission) for act in REGISTRY.of("employee") if act.function.__module__ in ACCOUNT_ACTS}


def mark_used(session: Session, key: ApiKey, *, at: datetime) -> bool:
    """Note that a key was used, once a minute at most; say whether there is something to commit."""
    if key.last_used_at is not None and at - key.last_used_at < USED_EVERY:
        return False
    session.execute(
        update(ApiKey).where(ApiKey.id == key.id).values(last_used_at=at).execution_options(synchronize_session=False)
    )
    return True


def note_refused(session: Session, token: str) -> None:
    """Write into the trail that a key was refused: what it began with, never the key."""
    prefix = token[: len(MARK) + 8] if SHAPE.fullmatch(token) else MARK
    key_id = session.scalar(select(ApiKey.id).where(ApiKey.prefix == prefix))
    note(session, "api_key_refused", table="api_key", record_id=key_id, prefix=prefix)
