"""The session behind a request: found once, guarded before every page, begun and ended. H.2, L14.

The cookie and the token hold a key that means nothing by itself; what it opens, until when, whether the screen is
locked and what is owed first stands in ``login_session`` on the server.
"""

from __future__ import annotations

import secrets
from typing import Any

from flask import current_app, flash, g, jsonify, redirect, render_template, request, session, url_for
from flask_appbuilder.security.forms import LoginForm_db
from flask_login import login_user
from sqlalchemy import select

from app.extensions import db
from app.models.doors import Ended, LoginSession, Owes, SessionKind
from app.panel.doors import again
from app.panel.doors.rates import hold
from app.panel.person import current_actor, now
from app.services.doors import sessions
from app.services.doors.entering import Visitor
from app.services.guard import crossing
from app.unit import unit_of_work
from app.words import _

#: Where the cookie keeps the key of its session; in a token it is the claim ``sid``.
KEY = "sid"
SAFE = {"GET", "HEAD", "OPTIONS"}
#: What a locked screen may still do.
WHEN_LOCKED = {"DoorsView.lock", "DoorsView.unlock", "HouseAuthView.logout"}
#: What one may do who owes something first.
WHEN_OWING: dict[Owes, set[str]] = {
    Owes.PASSWORD: {"DoorsView.password"},
    Owes.SECOND_FACTOR: {"DoorsView.second_factor", "DoorsView.begin_second_factor"},
}
LOCKED = 423
#: Pages that, with ``?wall=1``, show initials and numbers alone: they stand while the screen is locked.
WALLS: set[str] = set()


def visitor(kind: SessionKind = SessionKind.WEB) -> Visitor:
    """Return from where this request comes."""
    return Visitor(request.remote_addr or "", request.headers.get("User-Agent", ""), kind)


@crossing("doors")
def user_behind(user_id: Any, key: Any, kind: SessionKind) -> Any | None:
    """Return the login of an open session, and keep that session for the request; None if it is over. One statement."""
    if not isinstance(key, str) or not str(user_id).isdigit():
        return None
    user = current_app.appbuilder.sm.user_model  # type: ignore[attr-defined]
    row = (
        db.session()
        .execute(
            select(LoginSession, user)
            .join(user, user.id == LoginSession.user_id)
            .where(LoginSession.token_hash == sessions.hashed(key), LoginSession.kind == kind)
            .execution_options(populate_existing=True)
        )
        .one_or_none()
    )
    if row is None or row[0].user_id != int(user_id) or not row[1].is_active:
        return None
    if not sessions.open_session(row[0], now()):
        g.session_over = row[0].ended_why or Ended.TIME
        return None
    g.login_session = row[0]
    return row[1]


def load_cookie_user(user_id: str) -> Any | None:
    """Return the login behind the cookie; a cookie whose session is over forgets whose it was."""
    found = user_behind(user_id, session.get(KEY), SessionKind.WEB)
    if found is None:
        session.pop("_user_id", None)
        session.pop(KEY, None)
    return found


def session_in_force() -> LoginSession | None:
    """Return the session behind this request."""
    found: LoginSession | None = g.get("login_session")
    return found


def begin(begun: sessions.Begun, user: Any) -> None:
    """Make this browser's cookie one of the session that began: a new key, nothing of what the cookie held before."""
    language = session.get("locale")
    session.clear()
    if language:
        session["locale"] = language
    g.login_session = begun.session
    login_user(user, remember=False)
    carry(begun.token)


def carry(token: str) -> None:
    """Put a new key into the cookie, and with it a new secret for the forms."""
    session[KEY] = token
    session["csrf_token"] = secrets.token_hex(20)
    g.pop("csrf_token", None)  # what was written for the old one in this very request


def renew(found: LoginSession) -> None:
    """Give a session a new key; the old one opens nothing any more."""
    token = secrets.token_urlsafe(32)
    found.token_hash = sessions.hashed(token)
    carry(token)


def guard() -> Any:
    """Before every page: the lock of the screen, what is owed first, the sign of life, the limit on POSTs."""
    if current_actor() is None or (found := session_in_force()) is None:
        return None
    limit_writes(f"user:{found.user_id}")
    if request.endpoint in WHEN_LOCKED:
        return None
    if sessions.is_locked(found, now()):
        return None if is_wall() else locked_answer()
    if found.owes is not None and request.endpoint not in WHEN_OWING[found.owes] | {"HouseAuthView.logout"}:
        return _owing_answer(found.owes)
    if "X-Board" not in request.headers:  # a page that asks by itself is no sign that somebody is there
        mark_seen(found)
    return None


def is_wall() -> bool:
    """Say whether a board is asked for as it hangs on a wall."""
    return request.endpoint in WALLS and request.method == "GET" and request.args.get("wall") == "1"


def mark_seen(found: LoginSession) -> None:
    """Write that somebody is there, in a transaction of its own, once a minute at most."""
    at = now()
    if at - found.last_seen_at >= sessions.SEEN_EVERY:
        with crossing("doors"), unit_of_work(db.session()) as opened:
            sessions.seen(opened, found, at)


def limit_writes(who: str) -> None:
    """Hold a person's POSTs, and her looks at masked values more narrowly."""
    if request.method in SAFE:
        return
    hold("post", who)
    if request.path.endswith("/reveal"):
        hold("reveal", who)


def is_fetched() -> bool:
    """Say whether a script asks, which wants a sentence and no page."""
    return request.headers.get("X-Dialog") == "1" or "text/html" not in request.headers.get("Accept", "text/html")


def locked_answer(wrong: str = "", back: str = "", code: int = LOCKED) -> Any:
    """Answer in place of whatever was asked while the screen is locked: nothing of a customer, only the way back."""
    if is_fetched():
        return jsonify(message=wrong or _("The screen is locked."), locked=True), code
    by = current_actor()
    back = back or (again.way_back() or "/").rstrip("?")
    kept = request.form.get(again.KEPT, "") or again.keep()
    page = {"person": by.display_name if by is not None else "", "back": back, "wrong": wrong, "kept": kept}
    return render_template("pages/doors/lock.html", page=page), code


def login_page(kept: str = "", back: str | None = None, form: Any = None) -> str:
    """Return the login page; ``kept`` is what was sent when the session was over, ``back`` where one wanted to go."""
    return render_template(
        "appbuilder/general/security/login_db.html",
        title=_("Log in"),
        form=form or LoginForm_db(None),
        kept=kept,
        action=again.login_address(back),
    )


def go_on_page(kept: str, path: str) -> str:
    """Return the page that leads on, by a form of its own, to what was sent when the session was over."""
    page = {"title": _("You are logged in again"), "kept": kept, "path": path, "leave": url_for("HomeView.index")}
    return render_template("pages/doors/again.html", page=page)


def _owing_answer(owes: Owes) -> Any:
    said = {
        Owes.PASSWORD: _("Please choose a new password first."),
        Owes.SECOND_FACTOR: _("Your roles need a second factor. Please set it up first."),
    }[owes]
    if is_fetched():
        return jsonify(message=said), 403
    to = {Owes.PASSWORD: "DoorsView.password", Owes.SECOND_FACTOR: "DoorsView.second_factor"}[owes]
    if request.endpoint != "HomeView.index":
        flash(said, "warning")
    return redirect(url_for(to))


def over_sentence() -> str:
    """Say why somebody who was logged in has to log in again."""
    why: Ended | None = g.get("session_over")
    if why is None:
        return _("Please log in.")
    return _("Your session has ended: %(why)s. Please log in.", why=why.label)
