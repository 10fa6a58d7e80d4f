"""Who calls the API: the bearer of a token of the login, or of a key."""

from __future__ import annotations

from flask import abort, g, request
from flask_jwt_extended import verify_jwt_in_request

from app.extensions import db
from app.panel.doors.rates import hold
from app.panel.doors.visit import limit_writes
from app.panel.person import act_as, now
from app.services.api_keys import actor_for_key, looks_like_key, mark_used, note_refused
from app.services.duties import Pair
from app.services.guard import crossing

BEARER = "Bearer "


def demand_token(counted: str = "", *, right: Pair | None = None) -> None:
    """Demand a valid token or key; a cookie does not count here, so no other site can act in one's name.

    ``counted`` names the limit that a key's calls count under where it is another than that of all calls; ``right`` is
    the one thing that its actor can be asked for then.
    """
    header = request.headers.get("Authorization", "")
    if header.startswith(BEARER) and looks_like_key(token := header[len(BEARER) :].strip()):
        _enter_with_key(token, counted, right)
    else:
        verify_jwt_in_request()


def _enter_with_key(token: str, counted: str, right: Pair | None) -> None:
    """Become the actor of a key for this request; 401 with a line in the trail, 429 for too many."""
    session, address = db.session(), request.remote_addr or ""
    act_as(f"api_key@{address}")
    with crossing("doors"):
        found = actor_for_key(session, token, at=now(), right=right)
    if found is None:
        note_refused(session, token)
        session.commit()
        hold("api_key_refused", address)
        abort(401)
    actor, key = found
    hold(counted or "api_key", str(key.id))
    g.actor = actor
    act_as(actor.name)
    if not counted:
        limit_writes(f"user:{actor.user_id}")
    with crossing("doors"):
        is_marked = mark_used(session, key, at=now())
    if is_marked:
        session.commit()
