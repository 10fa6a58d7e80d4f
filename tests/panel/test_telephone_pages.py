"""The telephone on pages and over REST: who may post events, who is shown who calls, and what stays masked. 2.1.1.1."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from app.models.audit import SensitiveViewLog, Way
from app.models.telephone import CallEvent, PhoneCall

WHO, MARK = "/phone_call/ringing", "/phone_call/mark"


@pytest.fixture
def post(app, session, do, person, employee, at):
    """Post as a telephone system, with a key that may do nothing else."""
    done = do(
        "api_key.issue",
        person("admin"),
        name="电话系统",
        employee_id=employee("telephone").id,
        roles=[],
        rights="call_event.post",
        expires_on=(at + timedelta(days=30)).date(),
    )
    client = app.test_client()

    def go(body, path="call_event", method="POST"):
        bearer = {"Authorization": f"Bearer {done.shown}"}
        return client.open(f"/api/v1/{path}", method=method, json=body, headers=bearer)

    return go


def ringing(call_id, number="13811110001", extension="8001"):
    return {"call_id": call_id, "kind": "ringing", "number": number, "extension": extension}


def test_the_key_of_a_telephone_system_posts_events_and_does_nothing_else(post, rest, session):
    told = post(ringing("k"))
    assert (told.status_code, told.json["taken"]) == (200, 1)
    assert post(ringing("k")).json["result"][0]["status"] == "known"
    assert post({"events": [ringing("k2"), ringing("k3")]}, "call_event/").json["taken"] == 2
    wrong = post({"events": [ringing("k4"), {"call_id": "k5", "kind": "boom"}]})
    assert (wrong.status_code, list(wrong.json["errors"])) == (422, ["events.1.kind"])
    assert session.scalar(select(func.count()).where(CallEvent.call_id.in_(["k4", "k5"]))) == 0
    for method, path in (
        ("GET", "phone_call/"),
        ("GET", "call_event/"),
        ("GET", "customer/"),
        ("POST", "phone_call/1/dial"),
    ):
        assert post(None if method == "GET" else {}, path, method).status_code == 403, path
    assert rest("phone_consultant")("POST", "call_event", ringing("x")).status_code == 403
    assert rest("it_manager")("GET", "call_event/").json["count"] == 3


def test_an_event_is_cheap_and_its_call_is_locked_before_its_events_are_read(post, statements):
    """Decision 0038: of two events told at once the second waits for the call and then sees the first."""
    post(ringing("warm"))
    post(ringing("warm again"))
    for body, most in ((ringing("c"), 9), ({"call_id": "c", "kind": "answered", "extension": "8001"}, 6)):
        with statements() as told:
            assert post(body).json["taken"] == 1
        sent = [each for each in told if "set_config" not in each and "rate_limit" not in each]
        assert len(sent) <= most, sent
        locked = next(n for n, each in enumerate(sent) if "FOR UPDATE" in each or "INSERT INTO phone_call" in each)
        made = [n for n, each in enumerate(sent) if "INSERT INTO phone_call" in each]
        read = next(n for n, each in enumerate(sent) if "FROM call_event" in each)
        assert max([locked, *made]) < read, sent


def test_who_calls_is_shown_on_her_pages_alone(post, login, make_customer, person, session, statements):
    mine = make_customer(person("phone_consultant"), phone="13811110001", name="林小雨", followup_note="下午再打")
    make_customer(person("phone_consultant_2"), phone="13811110002", name="何其多")
    hers = login("phone_consultant")
    assert f'data-ringing="{WHO}"' in hers.get("/customer/list/").text
    assert "data-ringing" not in login("cashier").get("/").text, "who has no extension asks nothing"
    quiet = hers.get(WHO)
    assert "data-call" not in quiet.text
    tag = {"If-None-Match": quiet.headers["ETag"]}
    with statements() as sent:
        assert hers.get(WHO, headers=tag).status_code == 304
    assert len(sent) <= 6, sent
    post(ringing("known"))
    shown = hers.get(WHO, headers=tag)
    assert shown.status_code == 200
    assert "林小雨" in shown.text
    assert "下午再打" in shown.text
    assert "138****0001" in shown.text
    assert "13811110001" not in shown.text
    assert f"/customer/show/{mine.id}" in shown.text
    assert "data-call" not in login("phone_consultant_2").get(WHO).text, "another's extension rings"

    post(ringing("other", "13811110002"))
    told = hers.get(WHO).text
    assert "何其多" not in told
    assert person("phone_consultant_2").display_name in told
    hers.get(WHO)
    looks = select(func.count()).where(SensitiveViewLog.way == Way.LOOK_UP)
    assert session.scalar(looks) == 1, "that she learned whose number it is is kept once"

    post(ringing("new", "13811119999"))
    way = re.search(
        r'href="(/customer/act/register_temporary\?source=phone_call:\d+)"', hers.get(WHO).text.replace("%3A", ":")
    )
    assert way is not None
    form = hers.get(way[1]).text
    assert "138****9999" in form
    assert "13811119999" not in form


def test_the_list_of_incoming_calls(post, login, statements, session):
    browser = login("phone_consultant")
    before = browser.get(MARK).headers["ETag"]
    for number in range(30):
        post(
            {"events": [ringing(f"c{number}"), {"call_id": f"c{number}", "kind": "answered", "rings": 1 + number % 2}]}
        )
    assert browser.get(MARK).headers["ETag"] != before
    browser.get("/incoming_calls/list/")
    with statements() as sent:
        page = browser.get("/incoming_calls/list/")
    assert page.status_code == 200
    assert len(sent) <= 12, sent
    assert "138****0001" in page.text
    assert "13811110001" not in page.text
    assert 'data-live="/phone_call/mark"' in page.text
    call = session.scalars(select(PhoneCall).order_by(PhoneCall.id).limit(1)).one()
    assert login("b2_phone_supervisor").get(f"/phone_call/show/{call.id}").status_code == 404
    assert login("phone_consultant_2").get(f"/phone_call/show/{call.id}").status_code == 404
    assert login("phone_supervisor").get(f"/phone_call/show/{call.id}").status_code == 200
