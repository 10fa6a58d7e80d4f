"""Headers, cookies, hosts and redirects: what a browser is told, and that it is never led away. Targets 23, 28, 29."""

from __future__ import annotations

import re
from itertools import product
from urllib.parse import urljoin, urlsplit

import pytest
from sqlalchemy import text

import config
from tests.ops.test_config import settings

PAGES = ["/login/", "/", "/customer/list/", "/nothing-here", "/static/css/app.css", "/api/v1/acts"]


def test_every_answer_carries_its_headers(login):
    client = login("phone_consultant")
    for path in PAGES:
        answer = client.get(path)
        policy = answer.headers["Content-Security-Policy"]
        assert "unsafe-inline" not in policy, path
        assert "unsafe-eval" not in policy, path
        assert "frame-ancestors 'none'" in policy, path
        assert "style-src 'self'" in policy, path
        assert answer.headers["X-Content-Type-Options"] == "nosniff", path
        assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin", path
        assert answer.headers["Referrer-Policy"] == "same-origin", path
        assert "camera=()" in answer.headers["Permissions-Policy"], path
        assert "Strict-Transport-Security" not in answer.headers, "plain http promises no TLS"
        if not path.startswith("/static"):
            assert "no-store" in answer.headers["Cache-Control"], path
        if answer.mimetype == "text/html":
            nonce = re.search(r"'nonce-([^']+)'", policy)
            assert nonce is not None
            tags = re.findall(r"<script\b[^>]*>", answer.text)
            assert all(f'nonce="{nonce.group(1)}"' in tag or "src=" in tag for tag in tags), path
            assert not re.search(r"<[^>]+\s(on[a-z]+|style)\s*=", answer.text), path
            assert "<style" not in answer.text, path
        answer.close()


def test_a_nonce_is_used_once(login):
    client = login("guide")
    one, two = (client.get("/").headers["Content-Security-Policy"] for _time in range(2))
    assert one != two


def test_a_page_that_is_refused_before_it_begins_has_its_nonce_and_number_too(app, session):
    client = app.test_client()
    answer = client.post("/login/", data={"username": "x"})  # no token: refused by the extension
    assert answer.status_code == 400
    assert "'nonce-'" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Request-Id"]


def test_over_tls_the_cookie_is_bound_to_the_host(tmp_path):
    made = settings(tmp_path, YIMEI_PUBLIC_URL="https://panel.example.com")
    assert made["SESSION_COOKIE_NAME"] == "__Host-yimei"
    assert made["SESSION_COOKIE_SECURE"] is True
    assert (made["SESSION_COOKIE_HTTPONLY"], made["SESSION_COOKIE_SAMESITE"]) == (True, "Lax")
    assert not made.get("SESSION_COOKIE_DOMAIN")
    assert "panel.example.com" in made["KNOWN_HOSTS"]
    plain = settings(tmp_path, YIMEI_PUBLIC_URL="http://127.0.0.1:8080")
    assert "SESSION_COOKIE_NAME" not in plain


def test_over_tls_the_browser_is_told_to_stay_there(app, login, monkeypatch):
    client = login("guide")
    monkeypatch.setitem(app.config, "SESSION_COOKIE_SECURE", True)
    assert client.get("/login/").headers["Strict-Transport-Security"].startswith("max-age=31536000")


@pytest.mark.parametrize("given", ["https://x", "a b", "x:80", "*", "a/b"])
def test_a_malformed_host_is_refused_at_start(tmp_path, given):
    with pytest.raises(config.SettingsRefused):
        settings(tmp_path, YIMEI_ALLOWED_HOSTS=given)


@pytest.mark.parametrize(("given", "ok"), [("14", False), ("61", False), ("x", False), ("15", True), ("60", True)])
def test_a_token_lives_a_quarter_to_a_whole_hour(tmp_path, given, ok):
    if ok:
        assert settings(tmp_path, YIMEI_TOKEN_MINUTES=given)["JWT_ACCESS_TOKEN_EXPIRES"].seconds == int(given) * 60
    else:
        with pytest.raises(config.SettingsRefused):
            settings(tmp_path, YIMEI_TOKEN_MINUTES=given)


EVIL = ["evil.example", "evil.example:80", "localhost.evil.example", "localhost@evil.example", "evil.example#localhost"]
STARTS = [
    "http://", "https://", "//", "///", "////", "/\\", "\\\\", "\\/", "http:", "https:/", "http:///", "javascript://",
    "data:text/html,", " //", "\t//", "/\t/", "\n//", "%2f%2f", "//%2f", "/%09/", "ftp://", "//user:pw@", "http:\\\\",
    "/./\\", "/..//", ";//", ".", "http://localhost@", "https:localhost@", "//localhost\\@",
]  # fmt: skip


def leads_to(location: str) -> str:
    """Return the host that a browser goes to: it takes backslashes for slashes and drops tabs and line ends."""
    seen = re.sub(r"[\t\r\n]", "", location).strip().replace("\\", "/")
    target = urlsplit(urljoin("http://localhost/login/", re.sub(r"^/{3,}", "//", seen)))
    assert target.scheme in ("http", "https"), location
    return target.hostname or "localhost"


def test_two_hundred_hostile_targets_stay_on_site(app, session, login):
    """Target 29: 150 values of ``next`` after a real login, and 60 of the request's own host."""
    from tests.conftest import PASSWORD

    client, asked = login("guide"), 0
    for start, host in product(STARTS, EVIL):
        answer = client.get("/login/", query_string={"next": start + host})
        assert answer.status_code < 500
        if "Location" in answer.headers:
            assert leads_to(answer.headers["Location"]) == "localhost", (start + host, answer.headers["Location"])
        asked += 1
    for start in STARTS:
        fresh = app.test_client()
        token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', fresh.get("/login/").text)
        assert token is not None
        given = {"username": "guide", "password": PASSWORD, "csrf_token": token.group(1)}
        answer = fresh.post("/login/", query_string={"next": f"{start}evil.example/x"}, data=given)
        assert answer.status_code == 302
        assert leads_to(answer.headers["Location"]) == "localhost", (start, answer.headers["Location"])
        asked += 1
    for host in [*EVIL, "evil", "", "localhost\\.evil.example", "[::2]", "169.254.169.254", "127.0.0.1.evil.example"]:
        answer = client.get("/", headers={"Host": host})
        assert answer.status_code in (400, 302, 200), host
        if host:
            assert answer.status_code == 400, host
        assert "evil" not in answer.text
        asked += 1
    for name in ("X-Forwarded-Host", "X-Forwarded-Server", "X-Original-Url", "X-Rewrite-Url", "Forwarded", "X-Host"):
        for host in EVIL:
            answer = client.get("/customer/list/", headers={name: host})
            assert "evil" not in answer.text, name
            assert "evil" not in answer.headers.get("Location", ""), name
            asked += 1
    assert asked >= 200


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8080", "[::1]:8080", "[::1]"])
def test_loopback_is_known(app, host):
    assert app.test_client().get("/login/", headers={"Host": host}).status_code == 200


def test_odd_methods_are_answered_calmly(login):
    client = login("guide")
    for method, path in product(("TRACE", "CONNECT", "PROPFIND", "DELETE", "PATCH", "FOO"), ("/", "/api/v1/acts")):
        assert client.open(path, method=method).status_code in (400, 404, 405), (method, path)


def test_no_form_is_taken_without_its_token(app, login):
    """Target 23: each address that takes a POST from a browser refuses one without a token, but for REST."""
    client, tried = login("admin"), 0
    for rule in app.url_map.iter_rules():
        if "POST" not in (rule.methods or ()) or rule.rule.startswith("/api/"):
            continue
        path = re.sub(r"<[^>]*>", "1", rule.rule)
        answer = client.post(path, data={})
        assert answer.status_code in (400, 404, 405), (rule, answer.status_code)
        tried += answer.status_code == 400
    assert tried > 20


def test_get_changes_nothing(app, session, login):
    """Target 23: every page that a role's own links name is opened; no row of any table changes or comes."""
    seen_rows = text(
        "select string_agg(t, ' ' order by t) from (select relname || ':' || n_tup_ins || ':' || n_tup_upd || ':' ||"
        " n_tup_del as t from pg_stat_xact_user_tables) as counted"
    )
    before = session.scalar(seen_rows)
    session.execute(text("update employee set name = name where id = (select min(id) from employee)"))
    assert session.scalar(seen_rows) != before, "a change would be seen"
    for username in ("phone_consultant", "admin"):
        client = login(username)
        client.get("/")
        before = session.scalar(seen_rows)
        for path in links_of(client):
            answer = client.get(path)
            assert answer.status_code < 500, path
            after = session.scalar(seen_rows)
            assert after == before, (username, path)


def links_of(client, most=70):
    """Return the addresses on our site that the pages name, breadth first."""
    known, waiting = {"/"}, ["/"]
    while waiting and len(known) < most:
        answer = client.get(waiting.pop(0))
        if answer.mimetype != "text/html":
            continue
        for path in re.findall(r'href="(/[^"#]*)"', answer.text):
            path = path.replace("&amp;", "&")
            if path not in known and not path.startswith(("/static", "/bootstrap", "/lang")):
                known.add(path)
                waiting.append(path)
    return sorted(known)
