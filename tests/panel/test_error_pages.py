"""Every refusal as a page of ours: in the reader's language, with its number and a way on, by a real request each; also
where the database is gone or the house is maintained."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sqlalchemy import create_engine, event, text

from app.extensions import db
from app.panel.doors import visit
from app.views import home
from tests.conftest import token_of


def broken(*_args, **_named):
    raise RuntimeError("SELECT secret FROM vault")


def asked(code, login, app, monkeypatch, employee):
    """Ask for a page that is answered with this code."""
    client = login("admin" if code in (409, 422) else "guide")
    token = {"csrf_token": client.token}
    if code == 409:
        client = login("auditor")
        return client.post(f"/see-as/{employee('auditor').id}", data={"csrf_token": client.token})
    if code == 423:
        client.post("/lock", data=token)
        return client.get("/customer/list/")
    if code == 429:
        monkeypatch.setattr(visit, "hold", lambda *_a: __import__("flask").abort(429))
        return client.post("/logout/", data=token)
    if code == 500:
        monkeypatch.setattr(home, "workbench", broken)
        return client.get("/")
    if code == 413:
        return client.post("/customer/act/register_temporary", data={**token, "name": "x" * 17_000_000})
    if code == 422:
        return client.post("/job/run_now", data=token)
    paths = {400: "/department_slips/list/?junk=1", 403: "/param/list/", 404: "/nothing/here", 405: "/logout/"}
    return client.get(paths[code], headers={"Referer": "http://localhost/customer/list/?q=x"})


@pytest.mark.parametrize("code", [400, 403, 404, 405, 409, 413, 422, 423, 429, 500])
def test_a_refusal_is_a_page_with_a_sentence_a_number_and_a_way_on(code, login, app, monkeypatch, employee):
    answer = asked(code, login, app, monkeypatch, employee)
    assert answer.status_code == code
    page = answer.text
    assert '<html lang="zh-Hans"' in page
    assert answer.headers["X-Request-Id"]
    assert "Traceback" not in page
    assert "vault" not in page
    if code == 423:
        assert 'name="password"' in page
        return
    assert answer.headers["X-Request-Id"] in page
    assert re.search(r"data-sentence>[^<]*[一-鿿]", page), "a sentence in the reader's language"
    assert 'class="btn btn-accent" href="/' in page
    if code in (400, 403, 404, 405):
        assert 'href="/customer/list/?q=x"' in page, "and back to where one came from"
    if code == 429:
        assert answer.headers["Retry-After"]


def test_a_script_is_answered_with_the_sentence_alone_and_english_stays_english(login, app):
    client = login("guide")
    fetched = client.get("/nothing", headers={"X-Dialog": "1"})
    assert (fetched.status_code, fetched.is_json) == (404, True)
    assert fetched.json["request_id"] == fetched.headers["X-Request-Id"]
    client.get("/language/en")
    assert '<html lang="en"' in client.get("/nothing").text
    stale = client.post("/logout/", data={"csrf_token": "old"})
    assert stale.status_code == 400
    assert stale.headers["X-Request-Id"] in stale.text, "a form that is too old is told with a number too"


def test_without_a_database_the_page_is_still_ours():
    """The database is gone: 503 in the reader's language for who was logged in, for a stranger and over REST."""
    from app import create_app

    made = create_app(SQLALCHEMY_DATABASE_URI="postgresql+psycopg://nobody:x@127.0.0.1:1/none")
    client = made.test_client()
    assert client.get("/login/").status_code == 200, "what asks nothing is served"
    with client.session_transaction() as cookie:
        cookie["_user_id"], cookie["sid"], cookie["locale"] = "1", "x", "en"
    for path in ("/", "/customer/list/", "/appointment_slip/show/1"):
        answer = client.get(path)
        assert answer.status_code == 503, path
        assert '<html lang="en"' in answer.text
        assert answer.headers["X-Request-Id"] in answer.text
        assert f'href="{path}"' in answer.text, "try again"
        assert answer.headers["Retry-After"]
        assert "127.0.0.1:1" not in answer.text
    assert client.get("/alive").status_code == 503
    body = {"username": "x", "password": "x", "provider": "db"}
    told = made.test_client().post("/api/v1/security/login", json=body)
    assert (told.status_code, told.is_json) == (503, True)
    with made.app_context():
        db.engine.dispose()


def test_a_lost_connection_is_503_and_any_other_fault_500(database):
    """What PostgreSQL says when it is stopped, and what it says of a mistake of ours."""
    from app.panel.web import _is_out_of_reach

    engine = create_engine(database[0])
    raised = {}

    @event.listens_for(engine, "handle_error")
    def keep(context):
        raised["last"] = context.sqlalchemy_exception

    with engine.connect() as connection, pytest.raises(Exception, match="nothing_there"):
        connection.execute(text("select * from nothing_there"))
    assert not _is_out_of_reach(raised["last"])
    with engine.connect() as connection, pytest.raises(Exception, match="terminat"):
        connection.execute(text("select pg_terminate_backend(pg_backend_pid())"))
    assert _is_out_of_reach(raised["last"])
    engine.dispose()


def test_while_the_house_is_maintained_every_page_says_so_without_the_database(tmp_path):
    from app import create_app

    made = create_app(
        SQLALCHEMY_DATABASE_URI="postgresql+psycopg://nobody:x@127.0.0.1:1/none", YIMEI_HOME=str(tmp_path)
    )
    client = made.test_client()
    (Path(tmp_path) / "maintenance").write_text("今晚 22:00 至 23:00 升级。<b>", encoding="utf-8")
    answer = client.get("/customer/list/")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "60")
    assert "今晚 22:00 至 23:00 升级。&lt;b&gt;" in answer.text
    sheet = client.get("/static/css/app.css")
    assert sheet.status_code == 200
    sheet.close()
    assert client.get("/api/v1/acts").json["message"].startswith("今晚")
    (Path(tmp_path) / "maintenance").unlink()
    assert client.get("/login/").status_code == 200
    assert token_of(made, client)
