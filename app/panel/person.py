"""Who asks: the actor behind this request, found once, and the name that the database is told."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, NoReturn

from flask import g, has_request_context, request, session
from flask_login import current_user

from app.actors import Actor
from app.errors import NotPermitted
from app.extensions import db
from app.services.guard import crossing
from app.services.hr import actor_for_user
from app.unit import MAX_NAME, tell_actor

#: In the session of who sees as another: {her own user id: that login's}.
SEEN = "see_as"
SEE_AS = ("employee", "can_see_as")


def user_of_request() -> Any | None:
    """Return the login behind this request: a token's user before a cookie's; None if nobody is known."""
    token_user = g.get("token_user")
    if token_user is not None:
        return token_user
    return current_user if current_user.is_authenticated else None


def current_actor() -> Actor | None:
    """Return the actor behind this request, or None for a stranger. Two statements, once per request."""
    if "actor" not in g:
        with crossing("actor"):
            user = user_of_request()
            g.actor = (
                None
                if user is None
                else actor_for_user(db.session(), user.id, f"{user.first_name} {user.last_name}".strip())
            )
            if g.actor is not None and SEEN in session and g.get("token_user") is None:
                g.actor = _seen_by(g.actor)
    found: Actor | None = g.actor
    return found


def me() -> Actor:
    """Return the actor behind this request; raises ``NotPermitted`` for a stranger."""
    actor = current_actor()
    return actor if actor is not None else _nobody()


def _nobody() -> NoReturn:
    raise NotPermitted


def _seen_by(own: Actor) -> Actor:
    """Return as whom this person looks, if she began to and still may; what is noted is noted under her own name."""
    user_id = session[SEEN].get(str(own.user_id)) if isinstance(session[SEEN], dict) else None
    if user_id is None or request.path.startswith("/api/") or not own.may(*SEE_AS):
        return own
    seen = actor_for_user(db.session(), user_id)
    if seen.employee_id is None:
        return own
    g.watcher = own
    return replace(seen, name=own.name, user_id=own.user_id, watcher_id=own.employee_id or 0)


def watcher() -> Actor | None:
    """Return who sees as another in this request; None if nobody does."""
    current_actor()
    found: Actor | None = g.get("watcher")
    return found


def reader_of_request() -> tuple[Actor | None] | None:
    """Return whose scope holds for what is read now: this request's actor, or a stranger; None outside requests."""
    return (current_actor(),) if has_request_context() else None


def now() -> datetime:
    """Return the clock of this request, the same instant however often it is asked."""
    if has_request_context():
        if "now" not in g:
            g.now = datetime.now(UTC)
        instant: datetime = g.now
        return instant
    return datetime.now(UTC)


def act_as(name: str) -> None:
    """Name the actor of this request, for what is written from here on, the open transaction included."""
    g.acting_name = name[:MAX_NAME]
    opened = db.session()
    if opened.in_transaction():
        tell_actor(opened.connection())


def name_for_database() -> tuple[str, str, str]:
    """Return (actor, request id, address) for a transaction that opens now. Runs no SQL and loads nobody."""
    if not has_request_context():
        return "", "", ""
    named = g.get("acting_name")
    if named is None:
        user_id = session.get("_user_id")
        named = f"user:{user_id}" if user_id else f"anonymous@{request.remote_addr}"
    return named, g.get("request_id", ""), request.remote_addr or ""
