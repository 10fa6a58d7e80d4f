"""The triage board: who is called, who waits, whose turn it is; in whose reach, by HTTP and REST. White paper 2.3."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from app.jobs.declared import JOBS
from app.models.findable import initials_of
from app.models.triage import (
    AssignmentState,
    LineKind,
    RotationLine,
    RotationSeat,
    RotationTurn,
    RuleCode,
    SeatDuty,
    TriageAssignment,
    TriageRule,
)
from app.panel.person import now
from app.services.triage.reference import add_triage_rules

BOARD, ASSIGN = "/triage_board/list/", "/triage_assignment/act/assign"
WHO = ("onsite_consultant", "onsite_consultant_2", "doctor")
POLL = {"X-Board": "1", "X-Dialog": "1"}


@pytest.fixture
def line(session: Any, employee: Callable[..., Any]) -> RotationLine:
    supervisor = employee("consulting_supervisor")
    line = RotationLine(
        name="现场咨询", kind=LineKind.CONSULTANT, branch_id=supervisor.branch_id, supervisor_id=supervisor.id
    )
    session.add(line)
    session.flush()
    for place, who in enumerate(WHO, start=1):
        session.add(
            RotationSeat(
                line_id=line.id, branch_id=line.branch_id, employee_id=employee(who).id, office_order=place,
                state=SeatDuty.ON, office=f"20{place}",
            )
        )  # fmt: skip
    add_triage_rules(session)
    session.scalars(
        select(TriageRule).where(TriageRule.code == RuleCode.EVENING, TriageRule.branch_id == line.branch_id)
    ).one().is_on = False
    session.commit()
    return line


@pytest.fixture
def visit(do: Callable[..., Any], guide: Any, make_customer: Callable[..., Any], session: Any) -> Callable[..., Any]:
    def receive(name: str = "林小雨", **values: Any) -> Any:
        made = do("visit.receive", guide, customer_id=make_customer(name=name).id, **values).record
        session.commit()
        return made

    return receive


@pytest.fixture
def later(monkeypatch) -> Callable[[timedelta], None]:
    """Let the panel's clock go ahead of that of the acts."""

    def go(span: timedelta) -> None:
        moment = now() + span
        for module in ("app.panel.board.now", "app.panel.acting.now"):
            monkeypatch.setattr(module, lambda: moment)

    return go


def cards(answer: Any) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    return [card for lane in answer.json["lanes"] for card in lane["cards"]]


def of(answer: Any, table: str) -> list[dict[str, Any]]:
    return [card for card in cards(answer) if card["table"] == table]


def test_the_board_proposes_whom_the_next_act_calls_and_reading_it_writes_nothing(rest, visit, line, session, employee):
    first, second = visit(), visit(name="王芳")
    call = rest("triage")
    before = session.scalar(select(func.count(RotationTurn.id)))
    told = call("GET", "board/triage_board")
    assert session.scalar(select(func.count(RotationTurn.id))) == before
    assert [(card["id"], card["acts"][0]) for card in of(told, "visit")] == [
        (first.id, "assign"),
        (second.id, "assign"),
    ]
    assert [card["mark"] != "" for card in of(told, "rotation_seat")] == [True, False, False]
    assert told.json["lanes"][0]["count"] == 2
    sends = of(told, "visit")[0]["sends"]["assign"]
    assert sends["expected_id"] == str(employee(WHO[0]).id)
    made = call("POST", "triage_assignment/assign", {name: int(value) for name, value in sends.items()})
    assert made.status_code == 201, made.text
    after = call("GET", "board/triage_board")
    assert [card["id"] for card in of(after, "visit")] == [second.id]
    assert [card["mark"] != "" for card in of(after, "rotation_seat")] == [False, True, False]
    assert of(after, "rotation_seat")[0]["acts"] == ["accept", "skip", "leave_unseen", "pause", "go_off"]
    assert of(after, "rotation_seat")[0]["why"]
    # somebody else's board still shows the first seat: her proposal is refused, nothing is written
    stale = call("POST", "triage_assignment/assign", {**{n: int(v) for n, v in sends.items()}, "visit_id": second.id})
    assert (stale.status_code, session.scalar(select(func.count(TriageAssignment.id)))) == (409, 1)


def test_one_click_does_it_and_comes_back_to_the_board(login, visit, line, session):
    waiting = visit()
    client = login("triage")
    page = client.get(BOARD).text
    form = re.search(r'<form method="post" action="([^"]*/act/assign[^"]*)" data-quick>(.*?)</form>', page, re.S)
    assert form, page
    inputs = dict(re.findall(r'name="([a-z_]+)" value="([^"]*)"', form.group(2)))
    assert inputs["visit_id"] == str(waiting.id)
    done = client.post(form.group(1).replace("&amp;", "&"), data=inputs)
    assert (done.status_code, done.headers["Location"]) == (302, BOARD)
    wall = client.get(f"{BOARD}?wall=1").text.partition("<body")[2]
    assert line.seats[0].employee.name not in wall, "what was done is not told to whoever passes by"
    again = client.get(BOARD).text
    assert line.seats[0].employee.name in again.partition("<h1")[0], "it waits for a page of hers"
    assert "/act/accept" in again
    assert again.count("data-key=") >= 3
    assert "data-runs=" in again, "how long she has been called runs on"


def test_a_due_skip_is_shown_before_the_job_comes_by_and_stays_unwritten(
    do, person, rest, visit, line, later, session, at
):
    waiting, other = visit(), visit(name="王芳")
    done = do("triage_assignment.assign", person("triage"), visit_id=waiting.id, line_id=line.id).record
    session.commit()
    later(timedelta(minutes=5, seconds=1))
    told = rest("triage")("GET", "board/triage_board")
    seats = of(told, "rotation_seat")
    names = [seat.employee.name for seat in line.seats]
    assert names[1] in seats[0]["lines"][-1], "the turn passes on to the second office"
    assert seats[0]["acts"] == ["pause", "go_off"]
    assert [card["mark"] != "" for card in seats] == [False, False, True], "so the other waits for the third"
    session.expire_all()
    assert done.state is AssignmentState.CALLING
    late = at + timedelta(minutes=6)
    job = JOBS["triage.pass_on"]
    job.work(session, job.slots(session, late)[-1], late)
    passed = session.scalars(select(TriageAssignment).where(TriageAssignment.previous_id == done.id)).one()
    assert passed.assignee.name == names[1], "what was foreseen is what was written"
    following = do("triage_assignment.assign", person("triage"), visit_id=other.id, line_id=line.id, when=late).record
    assert following.assignee.name == names[2]


def test_nobody_on_duty_and_the_supervisor_next_are_said_and_no_wait_is_invented(rest, visit, line, session):
    waiting = visit()
    for seat in line.seats:
        seat.state = SeatDuty.OFF
    session.commit()
    told = rest("triage")("GET", "board/triage_board")
    card = of(told, "visit")[0]
    assert card["id"] == waiting.id
    assert "assign" not in card["acts"]
    assert len(card["why"]) >= 4, "each office is said to be off duty"
    assert not re.search(r"\d", card["lines"][1]), "no number that nobody knows"
    assert "/act/assign" not in rest("triage")("GET", "board/triage_board").text


def test_a_consultant_neither_sees_the_item_nor_touches_the_board_and_answers_her_own_call(
    do, person, rest, login, visit, line, item, session
):
    """R-S2-9, over HTTP and REST, before and after she accepts."""
    asked = item("appointment_item")
    waiting = visit(item_ids=[asked.id])
    assert asked.name in str(of(rest("triage")("GET", "board/triage_board"), "visit"))
    mine, others = rest(WHO[0]), rest(WHO[1])
    assert login(WHO[0]).get(BOARD).status_code == 403
    assert login(WHO[0]).get(f"{BOARD}?wall=1").status_code == 403
    assert mine("GET", "board/triage_board").status_code == 403
    call = do("triage_assignment.assign", person("triage"), visit_id=waiting.id, line_id=line.id).record
    session.commit()
    client = login(WHO[0])
    page = client.get("/triage_assignment/list/").text
    assert waiting.visit_no in page
    assert f"/triage_assignment/{call.id}/act/accept" in page, "her own list answers her call"
    for path in ("triage_assignment/", f"triage_assignment/{call.id}", "visit/", f"visit/{waiting.id}", "visit_item/"):
        assert asked.name not in mine("GET", path).text, path
    for path in (f"/triage_assignment/show/{call.id}", f"/visit/show/{waiting.id}", "/visit/list/"):
        assert asked.name not in client.get(path).text, path
    assert others("POST", f"triage_assignment/{call.id}/accept", {}).status_code == 404
    for act in ("skip", "bring_in", "reassign", "leave_unseen"):
        assert mine("POST", f"triage_assignment/{call.id}/{act}", {"reason": "不想接"}).status_code == 403, act
    seat = session.scalars(select(RotationSeat).where(RotationSeat.employee_id == call.assignee_id)).one()
    for act in ("pause", "go_off"):
        assert mine("POST", f"rotation_seat/{seat.id}/{act}", {}).status_code == 403, act
    assert mine("POST", f"triage_assignment/{call.id}/accept", {}).status_code == 200
    assert asked.name in client.get(f"/visit/show/{waiting.id}").text


def test_who_has_a_seat_does_not_see_the_board_whatever_her_roles(rest, login, line, session, employee):
    session.add(
        RotationSeat(
            line_id=line.id, branch_id=line.branch_id, employee_id=employee("triage").id, office_order=9,
            state=SeatDuty.OFF,
        )
    )  # fmt: skip
    session.commit()
    assert login("triage").get(BOARD).status_code == 403
    assert rest("triage")("GET", "board/triage_board").status_code == 403
    assert login("guide").get(BOARD).status_code == 200


def test_a_poll_costs_little_and_two_boards_agree(login, visit, line, statements, do, person, session):
    for _number in range(6):
        visit()
    client, other = login("triage"), login("guide_supervisor")
    page = client.get(BOARD)
    poll = {**POLL, "If-None-Match": page.headers["ETag"]}
    client.get(BOARD, headers=poll)
    with statements() as quiet:
        assert client.get(BOARD, headers=poll).status_code == 304
    with statements() as told:
        assert client.get(BOARD, headers=POLL).status_code == 200
    assert len(quiet) <= 8, quiet
    assert len(told) <= 24, told
    assert len(page.data) < 100_000
    seat = line.seats[0]
    do("rotation_seat.pause", person("triage"), seat)
    changed = client.get(BOARD, headers=poll)
    assert changed.status_code == 200
    assert "<html" not in changed.text
    lanes = re.compile(r'data-card="([a-z_]+-\d+)".*?<span class="how">(.*?)</span>', re.S)
    here, there = lanes.findall(changed.text), lanes.findall(other.get(BOARD, headers=POLL).text)
    assert len(here) == 9
    assert here == there, "two boards agree"


def test_on_the_wall_stand_numbers_and_initials_alone(do, person, login, visit, line, session):
    waiting, called = visit(name="林小雨"), visit(name="王芳")
    do("triage_assignment.assign", person("triage"), visit_id=called.id, line_id=line.id)
    session.commit()
    wall = login("triage").get(f"{BOARD}?wall=1").text.partition("<main")[2]
    assert initials_of("林小雨") in wall
    assert waiting.visit_no[-4:] in wall
    assert called.visit_no[-4:] in wall
    names = [seat.employee.name for seat in line.seats]
    for never in (
        "林小雨",
        "王芳",
        waiting.visit_no,
        *names,
        "data-act",
        "data-quick",
        "csrf_token",
        "<details",
        "/visit/",
    ):
        assert never not in wall, never
    assert len(wall) < 20_000, "a television reads it"


def test_lines_of_another_branch_are_not_there(rest, login, visit, line):
    visit()
    assert rest("b2_guide")("GET", "board/triage_board").json["lanes"] == []
    assert login("b2_guide").get(BOARD).status_code == 200
    assert rest("phone_consultant")("GET", "board/triage_board").status_code == 403
