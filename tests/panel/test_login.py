"""Coming in: the page and the token login, their limits and what the database is told."""

from __future__ import annotations

import re

from sqlalchemy import select

from app.models.base import METADATA
from tests.conftest import PASSWORD


def _counters(session, username):
    user = METADATA.tables["ab_user"]
    return session.execute(select(user.c.login_count, user.c.fail_login_count).where(user.c.username == username)).one()


def test_logins_and_failures_are_counted_in_the_database(app, session, login):
    """The framework swallows refused writes, so the counters are read back."""
    before = _counters(session, "guide")
    login("guide")
    client = app.test_client()
    body = {"username": "guide", "password": "wrong", "provider": "db"}
    assert client.post("/api/v1/security/login", json=body).status_code == 401
    after = _counters(session, "guide")
    assert after.login_count == (before.login_count or 0) + 1
    assert after.fail_login_count == 1


def test_both_logins_are_limited(database):
    """60 a minute as configured; here three, so that the fourth shows it on the page and over REST alike."""
    from app import create_app
    from app.extensions import db

    made = create_app(
        SQLALCHEMY_DATABASE_URI=database[0],
        AUTH_RATE_LIMITED=True,
        RATELIMIT_ENABLED=True,
        AUTH_RATE_LIMIT="3 per 1 minute",
    )
    client = made.test_client()
    body = {"username": "nobody", "password": "wrong", "provider": "db"}
    assert [client.post("/api/v1/security/login", json=body).status_code for _ in range(4)] == [401, 401, 401, 429]
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', client.get("/login/").text).group(1)
    form = {"username": "nobody", "password": "wrong", "csrf_token": token}
    assert client.post("/login/", data=form).status_code != 429
    assert [client.post("/login/", data=form).status_code for _ in range(3)][-1] == 429
    with made.app_context():
        db.engine.dispose()


def test_logging_out_needs_a_form_and_ends_the_session(login):
    client = login("guide")
    assert client.get("/logout/").status_code == 405
    assert client.post("/logout/", data={"csrf_token": client.token}).status_code == 302
    assert client.get("/customer/list/").status_code == 302


def test_one_s_own_password_is_changed_on_its_page(login, app):
    client = login("guide")
    page = client.get("/resetmypassword/form")
    assert page.status_code == 200
    weak = {"password": "shortone", "conf_password": "shortone", "csrf_token": client.token}
    assert client.post("/resetmypassword/form", data=weak).status_code == 200, "a weak one is refused on its form"
    new = "Another-2026-x"
    sent = {"password": new, "conf_password": new, "csrf_token": client.token}
    assert client.post("/resetmypassword/form", data=sent).status_code == 302
    body = {"username": "guide", "password": new, "provider": "db"}
    assert app.test_client().post("/api/v1/security/login", json=body).status_code == 200
    body["password"] = PASSWORD
    assert app.test_client().post("/api/v1/security/login", json=body).status_code == 401


def test_a_login_never_leads_to_another_site(app, session):
    client = app.test_client()
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', client.get("/login/").text).group(1)
    form = {"username": "guide", "password": PASSWORD, "csrf_token": token}
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
