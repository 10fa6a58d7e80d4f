"""A session that ends in the middle of a form: what was typed stands there for the same person, nobody else."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from sqlalchemy import select

from app.models.audit import ActRun
from app.models.customers import Customer
from app.models.doors import Ended
from app.panel.doors import again
from app.services.doors import sessions
from tests.conftest import PASSWORD, token_of

OURS = {"Sec-Fetch-Site": "same-origin"}
REGISTER = "/customer/act/register_temporary"


def hidden(html, name):
    found = re.search(rf'name="{name}"[^>]*value="([^"]*)"', html)
    return found.group(1) if found else ""


def form_of(client, path=REGISTER):
    """Return what a form's hidden inputs hold."""
    page = client.get(path).text
    main = page[page.index("<main") :]
    return {name: hidden(main, name) for name in ("csrf_token", "whose", "request_key")}


@pytest.fixture
def typed(login, phone):
    """Somebody with a form filled in: her client and what she is about to send."""
    client = login("phone_consultant")
    return client, {**form_of(client), "name": "林小雨", "phone": phone(), "nonsense": "x"}


def end(session, client, at, why=Ended.BY_OTHERS):
    with client.session_transaction() as cookie:
        user_id = int(cookie["_user_id"])
    sessions.end_all(session, user_id, why, at)
    session.flush()


def log_in(app, client, html, username="phone_consultant"):
    action = re.search(r'<form class="card-y login" method="post" action="([^"]*)"', html).group(1)
    given = {"username": username, "password": PASSWORD, "kept": hidden(html, "kept")}
    return client.post(action.replace("&amp;", "&"), data={**given, "csrf_token": token_of(app, client)})


def customers(session, name="林小雨"):
    return session.scalars(select(Customer).where(Customer.name == name)).all()


def go_on(client, html):
    action = re.search(r'<form class="card-y login" action="([^"]*)"', html).group(1)
    return client.post(action, data={"csrf_token": hidden(html, "csrf_token"), "kept": hidden(html, "kept")})


def test_a_session_ended_by_an_administrator_loses_nothing_and_sends_once(app, session, typed, at):
    client, given = typed
    before = len(customers(session))
    end(session, client, at)
    asked = client.post(REGISTER, data=given, headers=OURS)
    assert asked.status_code == 401
    assert given["phone"] not in asked.text, "what is carried is sealed"
    wrong = client.post(
        "/login/",
        data={"username": "phone_consultant", "password": "wrong", "kept": hidden(asked.text, "kept")}
        | {"csrf_token": token_of(app, client)},
    )
    assert hidden(wrong.text, "kept"), "a slip of the finger at the password loses nothing either"
    entered = log_in(app, client, wrong.text)
    assert entered.status_code == 200
    filled = go_on(client, entered.text)
    assert filled.status_code == 200
    assert hidden(filled.text, "phone") == given["phone"]
    assert hidden(filled.text, "request_key") == given["request_key"]
    assert len(customers(session)) == before, "nothing was carried out on the way"
    again_sent = {**given, "csrf_token": hidden(filled.text[filled.text.index("<main") :], "csrf_token")}
    assert client.post(REGISTER, data=again_sent, headers=OURS).status_code == 302
    assert client.post(REGISTER, data=again_sent, headers=OURS).status_code == 302, "and once more: the first answer"
    assert len(customers(session)) == before + 1


def test_another_person_sees_nothing_of_it(app, session, typed, at):
    client, given = typed
    end(session, client, at)
    asked = client.post(REGISTER, data=given, headers=OURS).text
    entered = log_in(app, client, asked, "guide")
    assert (entered.status_code, entered.location) == (302, "/"), "she is led to her own workbench"
    stolen = {"csrf_token": token_of(app, client), "kept": hidden(asked, "kept")}
    answer = client.post(REGISTER, data=stolen, headers=OURS)
    assert given["phone"] not in answer.text
    assert answer.status_code in (302, 403)


def test_what_is_carried_is_bounded_in_time_and_cannot_be_forged(app, session, typed, at, monkeypatch):
    client, given = typed
    end(session, client, at)
    asked = client.post(REGISTER, data=given, headers=OURS).text
    kept = hidden(asked, "kept")
    with app.test_request_context():
        assert again.opened(kept[:60] + ("A" if kept[60] != "A" else "B") + kept[61:]) is None
        assert again.opened("") is None
        later = again.now() + again.GOOD_FOR + timedelta(seconds=1)
        monkeypatch.setattr(again, "now", lambda: later)
        assert again.opened(kept) is None
    entered = log_in(app, client, asked)
    assert entered.location == "/", "too late: one is logged in, no more"


def test_a_form_from_another_site_or_of_nobody_is_not_kept(session, typed, at):
    client, given = typed
    end(session, client, at)
    for sent, headers in (
        (given, {"Sec-Fetch-Site": "cross-site"}),
        (given, {}),
        (given | {"whose": ""}, OURS),
    ):
        answer = client.post(REGISTER, data=sent, headers=headers)
        assert answer.status_code == 302
        assert "/login/" in answer.location


def test_passwords_and_files_do_not_travel(app, session, login, at):
    client = login("admin")
    with app.test_request_context(
        "/customer/act/register_temporary",
        method="POST",
        data={"whose": "w", "name": "x", "password": PASSWORD, "csrf_token": "t"},
        headers=OURS,
    ):
        kept = again.opened(again.keep())
    assert kept is not None
    assert kept.fields == [("name", "x")]
    assert client.get("/").status_code == 200


def test_the_dialog_is_told_401_and_logs_in_by_json(app, session, typed, at):
    client, given = typed
    dialog = {**OURS, "X-Dialog": "1", "Accept": "application/json, text/html"}
    end(session, client, at)
    assert client.post(REGISTER, data=given, headers=dialog).status_code == 401
    who = client.get("/again/who", headers=dialog).json
    assert who["whose"] == ""
    said = {"username": "phone_consultant", "password": "wrong", "csrf_token": who["csrf_token"]}
    assert client.post("/login/", data=said, headers=dialog).status_code == 422
    told = client.post("/login/", data=said | {"password": PASSWORD}, headers=dialog)
    assert told.json["whose"] == given["whose"]
    given["csrf_token"] = told.json["csrf_token"]
    assert client.post(REGISTER, data=given, headers=dialog).json["redirect"]
    assert client.get(f"/again/sent/{given['request_key']}").json["done"] is True
    assert client.get("/again/sent/other").json == {"done": False}


def test_logged_in_again_elsewhere_the_form_of_before_is_shown_filled_and_not_sent(app, session, typed):
    """Another tab logged out and in again: the token of this one is too old."""
    client, given = typed
    before = len(customers(session))
    with client.session_transaction() as cookie:
        cookie["csrf_token"] = "another"
    answer = client.post(REGISTER, data=given, headers=OURS)
    assert hidden(answer.text, "phone") == given["phone"]
    assert len(customers(session)) == before
    assert client.post(REGISTER, data=given).status_code == 400, "from elsewhere it is just refused"
    given["csrf_token"] = token_of(app, client)
    assert client.post(REGISTER, data=given, headers=OURS).status_code == 302


def test_a_locked_screen_gives_back_the_form(app, session, typed):
    client, given = typed
    assert client.post("/lock", data={"csrf_token": given["csrf_token"]}).status_code == 302
    locked = client.post(REGISTER, data=given, headers=OURS)
    assert locked.status_code == 423
    sent = {"csrf_token": given["csrf_token"], "password": PASSWORD, "kept": hidden(locked.text, "kept")}
    filled = go_on(client, client.post("/unlock", data=sent).text)
    assert hidden(filled.text, "phone") == given["phone"]


def test_a_plain_form_is_kept_too_and_save_and_new_goes_on(app, session, login, at):
    client = login("admin")
    path = "/holiday/add" if "/holiday/add" in str(app.url_map) else "/position/add"
    given = {**form_of(client, path), "name": "前台领班"}
    end(session, client, at)
    asked = client.post(path, data=given, headers=OURS)
    filled = go_on(client, log_in(app, client, asked.text, "admin").text)
    assert hidden(filled.text, "name") == "前台领班"
    assert 'name="then" value="new"' in filled.text


def test_after_the_login_one_lands_where_one_wanted(app, session):
    client = app.test_client()
    asked = client.get("/customer/list/?q=x")
    page = client.get(asked.location)
    assert log_in(app, client, page.text).location.rstrip("?").endswith("/customer/list/?q=x")


def test_a_key_used_for_something_else_leads_to_what_it_made(session, typed, phone):
    client, given = typed
    first = client.post(REGISTER, data=given)
    second = client.post(REGISTER, data=given | {"phone": phone()})
    assert second.status_code == 409
    assert first.location in second.text
    assert session.scalars(select(ActRun).where(ActRun.request_key == given["request_key"])).one()


def test_a_second_factor_is_asked_for_on_the_way_and_what_was_typed_goes_along(app, session, typed, at):
    """On the page with the form carried, and in the dialog by JSON."""
    from tests.panel.test_doors import later, set_up

    client, given = typed
    device, _codes = set_up(client, session, "phone_consultant")
    given["csrf_token"] = token_of(app, client)
    end(session, client, at)
    asked = client.post(REGISTER, data=given, headers=OURS).text
    second = log_in(app, client, asked)
    assert hidden(second.text, "kept")
    assert 'name="code"' in second.text
    later(session, "phone_consultant")
    sent = {"csrf_token": token_of(app, client), "kept": hidden(second.text, "kept")}
    slip = client.post("/login/second", data={**sent, "code": "000000"})
    assert hidden(slip.text, "kept")
    entered = client.post("/login/second", data={**sent, "code": device.now()})
    assert hidden(go_on(client, entered.text).text, "phone") == given["phone"]

    end(session, client, at)
    dialog = {**OURS, "X-Dialog": "1", "Accept": "application/json"}
    token = client.get("/again/who", headers=dialog).json["csrf_token"]
    said = {"username": "phone_consultant", "password": PASSWORD, "csrf_token": token}
    assert client.post("/login/", data=said, headers=dialog).json == {"code_needed": True}
    later(session, "phone_consultant")
    wrong = client.post("/login/second", data={"code": "000000", "csrf_token": token}, headers=dialog)
    assert (wrong.status_code, bool(wrong.json["message"])) == (422, True)
    told = client.post("/login/second", data={"code": device.now(), "csrf_token": token}, headers=dialog)
    assert told.json["whose"] == given["whose"]
