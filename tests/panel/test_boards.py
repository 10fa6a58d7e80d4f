"""Boards: lanes, the mark of change, polls, the wall, REST; on the arrivals board. White paper 2.1.2, 2.2; ui.md."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from app.models.doors import LoginSession
from app.models.findable import initials_of
from app.panel.person import now

BOARD = "/arrivals_board/list/"
CHINA = ZoneInfo("Asia/Shanghai")
LANES = ("late", "soon", "later", "here")


@pytest.fixture
def place(make_slip, session, monkeypatch):
    """Make a slip that is awaited so many minutes from now, at the latest two hours later; noon stands still."""
    noon = now().astimezone(CHINA).replace(hour=12, minute=0, second=30, microsecond=0)
    for module in ("app.panel.board.now", "app.panel.acting.now"):
        monkeypatch.setattr(module, lambda: noon)

    def make(minutes, latest=120):
        slip = make_slip()
        slip.appointed_at = noon + timedelta(minutes=minutes)
        slip.latest_arrival_at = slip.appointed_at + timedelta(minutes=latest)
        session.commit()
        return slip

    return make


def lanes_of(answer):
    return {lane["name"]: [card["id"] for card in lane["cards"]] for lane in answer.json["lanes"]}


def test_each_slip_of_today_stands_in_its_lane(place, rest, do, guide, session):
    slips = {"late": place(-180), "soon": place(45), "later": place(61), "here": place(-10)}
    due = place(-30)
    place(24 * 60 + 60)
    do("appointment_slip.arrive", guide, slips["here"])
    call = rest("guide")
    told = call("GET", "board/arrivals_board")
    assert lanes_of(told) == {
        "late": [slips["late"].id],
        "soon": [due.id, slips["soon"].id],
        "later": [slips["later"].id],
        "here": [slips["here"].id],
    }
    assert [lane["cards"][0]["acts"] for lane in told.json["lanes"]] == [["arrive"], ["arrive"], ["arrive"], []]
    supervisor = rest("guide_supervisor")("GET", "board/arrivals_board").json
    assert supervisor["lanes"][3]["cards"][0]["acts"] == ["undo_arrival"]


def test_rows_of_another_branch_are_not_there_and_rights_hold(place, rest, login):
    slip = place(45)
    assert lanes_of(rest("b2_guide")("GET", "board/arrivals_board")) == {name: [] for name in LANES}
    assert slip.slip_no in login("phone_supervisor").get(BOARD).text
    assert slip.slip_no not in login("web_supervisor").get(BOARD).text, "another department's"
    assert login("phone_consultant").get(BOARD).status_code == 403
    assert rest("phone_consultant")("GET", "board/arrivals_board").status_code == 403
    assert rest("guide")("GET", "board/none").status_code == 404
    client = login("guide")
    for query in ("wall=2", "wall=", "x=1", "page=1"):
        assert client.get(f"{BOARD}?{query}").status_code == 400, query


def test_a_poll_is_answered_304_until_something_changed(place, login, do, guide, statements):
    slip = place(45)
    client, other = login("guide"), login("guide_supervisor")
    page = client.get(BOARD)
    tag = page.headers["ETag"]
    poll = {"X-Board": "1", "X-Dialog": "1", "If-None-Match": tag}
    client.get(BOARD, headers=poll)
    with statements() as quiet:
        answer = client.get(BOARD, headers=poll)
    assert (answer.status_code, answer.data) == (304, b"")
    assert answer.headers["X-As-Of"]
    assert sum("appointment_slip" in statement.partition("WHERE")[0] for statement in quiet) == 1, quiet
    do("appointment_slip.arrive", guide, slip)
    with statements() as told:
        changed = client.get(BOARD, headers=poll)
    assert len(told) <= 12, told
    assert changed.status_code == 200
    assert "<html" not in changed.text, "the lanes alone"
    assert changed.headers["ETag"] != tag
    assert slip.slip_no in other.get(BOARD).text.rpartition('id="lane-here"')[2], "two boards agree"


def test_on_a_wall_stand_initials_and_numbers_alone_and_stay_when_the_screen_is_locked(place, login, session):
    slip = place(45)
    name = str(slip.customer)
    client = login("guide")
    wall = client.get(f"{BOARD}?wall=1").text.partition("<main")[2]
    assert initials_of(name) in wall
    assert slip.slip_no[-4:] in wall
    for never in (name, slip.slip_no, "data-act", "/appointment_slip/", str(slip.owner)):
        assert never not in wall, never
    client.post("/lock", data={"csrf_token": client.token})
    assert client.get(BOARD).status_code == 423
    poll = {"X-Board": "1", "X-Dialog": "1"}
    assert client.get(BOARD, headers=poll).status_code == 423
    again = client.get(f"{BOARD}?wall=1", headers=poll)
    assert (again.status_code, name in again.text) == (200, False)
    assert client.post(f"{BOARD}?wall=1", headers=poll).status_code in (405, 423)


def test_a_page_that_asks_by_itself_is_no_sign_of_life(place, login, session):
    client = login("guide")
    found = session.query(LoginSession).order_by(LoginSession.id.desc()).first()
    found.last_seen_at = before = found.last_seen_at - timedelta(minutes=3)
    session.commit()
    client.get(BOARD, headers={"X-Board": "1"})
    session.expire_all()
    assert found.last_seen_at == before
    client.get(BOARD)
    session.expire_all()
    assert found.last_seen_at > before


@pytest.mark.parametrize(
    ("name", "initials"),
    [
        ("林小雨", "LXY"),
        ("欧阳 Anna", "OYA"),
        ("Mary Jones", "MJ"),
        ("YY01-20261120-0005", ""),
        ("", ""),
        ("👩 x", "X"),
    ],
)
def test_the_initials_of_a_name(name, initials):
    assert initials_of(name) == initials


def test_a_record_shows_the_bars_of_its_number(place, login):
    text = login("guide").get(f"/appointment_slip/show/{place(45).id}").text
    assert text.count('src="data:image/svg+xml,') == 2, "small in the head, and large for a scanner"
