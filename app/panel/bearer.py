"""Who calls the API: the bearer of a token of the login, or of a key."""

from __future__ import annotations

from functools import lru_cache

from flask import abort, current_app, g, request
from flask_jwt_extended import verify_jwt_in_request
from limits import parse
from limits.storage import storage_from_string
from limits.strategies import FixedWindowRateLimiter

from app.extensions import db
from app.panel.person import act_as, now
from app.services.api_keys import actor_for_key, looks_like_key, mark_used, note_refused

BEARER = "Bearer "
#: Calls with one key, and refused keys from one address; counted where the other limits are.
CALLS, REFUSED = parse("600 per 1 minute"), parse("30 per 1 minute")


@lru_cache(maxsize=8)
def limiter_at(uri: str) -> FixedWindowRateLimiter:
    """Return the counter that lives at an address, such as ``memory://``."""
    return FixedWindowRateLimiter(storage_from_string(uri))


def demand_token() -> None:
    """Demand a valid token or key; a cookie does not count here, so no other site can act in one's name."""
    header = request.headers.get("Authorization", "")
    if header.startswith(BEARER) and looks_like_key(token := header[len(BEARER) :].strip()):
        _enter_with_key(token)
    else:
        verify_jwt_in_request()


def _enter_with_key(token: str) -> None:
    """Become the actor of a key for this request; 401 with a line in the trail, 429 for too many."""
    session, address = db.session(), request.remote_addr or ""
    limiter = limiter_at(current_app.config["RATELIMIT_STORAGE_URI"])
    if not limiter.test(REFUSED, "api_key", address):
        abort(429)
    act_as(f"api_key@{address}")
    found = actor_for_key(session, token, at=now())
    if found is None:
        limiter.hit(REFUSED, "api_key", address)
        note_refused(session, token)
        session.commit()
        abort(401)
    actor, key = found
    if not limiter.hit(CALLS, "api_key", str(key.id)):
        abort(429)
    g.actor = actor
    act_as(actor.name)
    if mark_used(session, key, at=now()):
        session.commit()
