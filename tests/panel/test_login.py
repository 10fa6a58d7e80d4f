"""Coming in: the page and the token login, what the trail is told, and the limits that all workers share."""

from __future__ import annotations

import re

from sqlalchemy import delete, select

from app.models.doors import Ended, LoginAttempt, LoginSession
from app.models.trail import AuditLog
from tests.conftest import PASSWORD


def events(session, *kinds):
    """Return (operation, actor, what is told) of the events in the trail, the newest last."""
    rows = session.scalars(select(AuditLog).where(AuditLog.operation.in_(kinds)).order_by(AuditLog.id))
    return [(row.operation, row.actor, row.after) for row in rows]


def page_token(client, path="/login/"):
    return re.search(r'name="csrf_token"[^>]*value="([^"]+)"', client.get(path).text).group(1)


def test_logins_failures_and_logouts_are_events_of_the_trail(app, session, login):
    client = login("guide")
    body = {"username": "guide", "password": "wrong", "provider": "db"}
    assert app.test_client().post("/api/v1/security/login", json=body).status_code == 401
    client.post("/logout/", data={"csrf_token": client.token})
    told = events(session, "login", "login_failed", "logout")
    assert [(kind, actor) for kind, actor, _after in told[:2]] == [
        ("login", "login:guide@127.0.0.1"),
        ("login_failed", "login:guide@127.0.0.1"),
    ]
    assert told[2][0] == "logout"
    assert told[2][1].startswith("user:")
    assert (told[0][2]["way"], told[1][2]["way"], told[1][2]["why"]) == ("web", "api", "password")


def test_both_logins_are_limited_by_one_count_of_two_workers(database):
    """60 a minute as configured; here three, so that the fourth shows it: on the page, over REST, in another worker."""
    from app import create_app
    from app.extensions import db

    settings = {
        "SQLALCHEMY_DATABASE_URI": database[0],
        "AUTH_RATE_LIMITED": True,
        "RATELIMIT_ENABLED": True,
        "AUTH_RATE_LIMIT": "3 per 1 minute",
    }
    one, other = create_app(**settings), create_app(**settings)
    # A name of this test's own: these tries are really counted, and stay counted for other tests over this database.
    body = {"username": "limited", "password": "wrong", "provider": "db"}
    with one.app_context():
        one.appbuilder.sm.limiter.limiter.storage.reset()
    codes = [made.test_client().post("/api/v1/security/login", json=body).status_code for made in (one, other, one)]
    assert codes == [401, 401, 401]
    client = other.test_client()
    form = {"username": "limited", "password": "wrong", "csrf_token": page_token(client)}
    answers = [client.post("/login/", data=form), one.test_client().post("/api/v1/security/login", json=body)]
    assert [answer.status_code for answer in answers] == [429, 429]
    assert all(1 <= int(answer.headers["Retry-After"]) <= 60 for answer in answers)
    assert "请" in answers[1].json["message"], "a sentence"
    for made in (one, other):
        with made.app_context():
            made.appbuilder.sm.limiter.limiter.storage.reset()
            db.session.execute(delete(LoginAttempt))
            db.session.commit()
            db.session.remove()
            db.engine.dispose()


def test_logging_out_needs_a_form_and_ends_the_session_on_the_server(login, session):
    client = login("guide")
    with client.session_transaction() as cookie:
        kept = dict(cookie)
    assert client.get("/logout/").status_code == 405
    assert client.post("/logout/", data={"csrf_token": client.token}).status_code == 302
    assert client.get("/customer/list/").status_code == 302
    with client.session_transaction() as cookie:
        cookie.update(kept)
    assert client.get("/customer/list/").status_code == 302, "a copy of the cookie opens nothing any more"
    assert session.scalars(select(LoginSession).order_by(LoginSession.id.desc())).first().ended_why is Ended.LOGGED_OUT


def test_a_session_begins_with_a_new_key_and_a_new_secret_for_forms(app, session, login):
    """Session fixation: nothing that a stranger could have put into the cookie is there after logging in."""
    client = app.test_client()
    token = page_token(client)
    with client.session_transaction() as cookie:
        cookie["sid"], cookie["planted"] = "planted", "planted"
        before = cookie["csrf_token"]
    client.post("/login/", data={"username": "guide", "password": PASSWORD, "csrf_token": token})
    with client.session_transaction() as cookie:
        assert "planted" not in dict(cookie).values()
        assert cookie["csrf_token"] != before
    assert client.post("/logout/", data={"csrf_token": token}).status_code == 400, "the form of before is too old"


def test_one_s_own_password_is_changed_on_its_page(login, app):
    client, other = login("guide"), login("guide")
    page = client.get("/my-login/password")
    assert page.status_code == 200
    new = "Another-2026-x"

    def send(current, password, again):
        sent = {"current": current, "password": password, "again": again, "csrf_token": client.token}
        return client.post("/my-login/password", data=sent)

    assert send(PASSWORD, "shortone", "shortone").status_code == 422, "a weak one is refused on its form"
    assert send("wrong", new, new).status_code == 422
    assert send(PASSWORD, new, new + "x").status_code == 422
    with client.session_transaction() as cookie:
        key = cookie["sid"]
    assert send(PASSWORD, new, new).status_code == 302
    with client.session_transaction() as cookie:
        assert cookie["sid"] != key
    assert client.get("/").status_code == 200, "this session goes on, under a new key"
    assert other.get("/").status_code == 302, "the others have ended"
    body = {"username": "guide", "password": new, "provider": "db"}
    assert app.test_client().post("/api/v1/security/login", json=body).status_code == 200
    body["password"] = PASSWORD
    assert app.test_client().post("/api/v1/security/login", json=body).status_code == 401


def test_a_login_never_leads_to_another_site(app, session):
    client = app.test_client()
    form = {"username": "guide", "password": PASSWORD, "csrf_token": page_token(client)}
    answer = client.post("/login/?next=https://evil.example/", data=form)
    assert answer.status_code == 302
    assert "evil" not in answer.location


def test_every_page_carries_the_headers_that_guard_it(login):
    answer = login("guide").get("/")
    assert "script-src 'self' 'nonce-" in answer.headers["Content-Security-Policy"]
    assert "unsafe-inline" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Request-Id"]
