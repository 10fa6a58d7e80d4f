"""Twenty triage clients at once, over HTTP: each visit is given once in each line, in the order of the ledger. 2.3."""

from __future__ import annotations

import http.client
import json
import logging
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest
from sqlalchemy import select
from werkzeug.serving import make_server

from app.models.base import METADATA
from app.models.hr import Employee
from app.models.reception import Visit
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
    TurnKind,
)
from app.services.triage.facts import Case, Choice, Line, Person, Seat
from app.services.triage.reference import add_triage_rules
from app.services.triage.rules import decide
from app.services.triage.standing import facts_of, moment_of, row_of, rules_of
from app.unit import acting_as, unit_of_work
from tests.conftest import PASSWORD

CLIENTS = 20
LINES = {
    "现场咨询": (LineKind.CONSULTANT, ("onsite_consultant", "onsite_consultant_2", "onsite_consultant_3")),
    "外科医生": (LineKind.SURGEON, ("doctor", "dentist", "anaesthetist", "doctor_assistant")),
}


@dataclass(frozen=True)
class House:
    """A served house: where it listens, its lines, those who sit there, who waits."""

    world: Any
    port: int
    lines: list[int]
    seated: list[int]


@pytest.fixture
def house(own_world) -> Iterator[House]:
    own_world.app.config["RATE_LIMITS"] = dict.fromkeys(own_world.app.config["RATE_LIMITS"], "1000000 per 1 minute")
    with own_world.app.app_context(), acting_as("house:test"), unit_of_work(own_world.session()) as session:
        lines, seated = _lines(session)
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = make_server("127.0.0.1", 0, own_world.app, threaded=True)
    server.daemon_threads = False
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield House(own_world, server.server_port, lines, seated)
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()


def _lines(session: Any) -> tuple[list[int], list[int]]:
    user, made, seated = METADATA.tables["ab_user"], [], []
    for name, (kind, who) in LINES.items():
        found = session.scalars(
            select(Employee).join(user, user.c.id == Employee.user_id).where(user.c.username.in_(who))
        ).all()
        line = RotationLine(name=name, kind=kind, branch_id=found[0].branch_id)
        session.add(line)
        session.flush()
        for place, one in enumerate(found, start=1):
            session.add(
                RotationSeat(
                    line_id=line.id, branch_id=line.branch_id, employee_id=one.id, office_order=place, state=SeatDuty.ON
                )
            )
        made.append(line.id)
        seated += [one.id for one in found]
    add_triage_rules(session)
    for rule in session.scalars(select(TriageRule).where(TriageRule.code.in_([RuleCode.EVENING, RuleCode.SKIP]))):
        rule.is_on = False  # whatever the hour is, and however slow the machine
    return made, seated


def _arrive(world: Any, count: int) -> list[int]:
    with world.app.app_context(), acting_as("house:test"):
        session = world.session()
        guide = world.person(session, "guide")
        return [
            world.run(session, "visit.receive", guide, None, {"name": "林小雨", "phone": f"138{number:08}"}).record.id
            for number in range(count)
        ]


class Client:
    """A triage desk: one connection, kept open, under its own login."""

    def __init__(self, port: int, token: str = "") -> None:
        self.connection, self.token = http.client.HTTPConnection("127.0.0.1", port, timeout=120), token

    def post(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        headers = {"Content-Type": "application/json"} | (
            {"Authorization": f"Bearer {self.token}"} if self.token else {}
        )
        self.connection.request("POST", f"/api/v1/{path}", json.dumps(body), headers)
        answer = self.connection.getresponse()
        return answer.status, json.loads(answer.read())


def _work(house: House, visits: list[int], number: int, token: str) -> list[tuple[int, str]]:
    """Assign one's share of the visits, which another desk has too, in every line and in an order of one's own; one in
    four as it was proposed to somebody, which is asked again without that if the turn has moved on."""
    client, chance, said = Client(house.port, token), Random(number), []
    share = [visit for place, visit in enumerate(visits) if number % (CLIENTS // 2) == place % (CLIENTS // 2)]
    work = [(visit, line) for visit in share for line in house.lines]
    for visit, line in chance.sample(work, len(work)):
        asked = {"visit_id": visit, "line_id": line}
        if chance.random() < 0.25:
            answer = client.post("triage_assignment/assign", {**asked, "expected_id": chance.choice(house.seated)})
            said.append((answer[0], str(answer[1])))
        answer = client.post("triage_assignment/assign", asked)
        said.append((answer[0], str(answer[1])))
    return said


@pytest.mark.slow
@pytest.mark.parametrize("count", [40, pytest.param(400, marks=pytest.mark.nightly)])
def test_twenty_desks_assign_at_once_and_nothing_is_given_twice_or_lost(house, count):
    """Done when 2 of reception: R-S2-1, R-S2-7, S7; decision 0041."""
    visits = _arrive(house.world, count)
    login = {"username": "triage", "password": PASSWORD, "provider": "db"}
    tokens = [Client(house.port).post("security/login", login)[1]["access_token"] for _client in range(4)]
    began = datetime.now(UTC)
    with ThreadPoolExecutor(CLIENTS) as threads:
        works = [threads.submit(_work, house, visits, number, tokens[number % 4]) for number in range(CLIENTS)]
        said = [answer for work in works for answer in work.result()]
    took = (datetime.now(UTC) - began).total_seconds()
    counted = Counter(status for status, _body in said)
    print(f"{count} visits, {len(said)} requests, {took:.1f} s, {dict(counted)}")
    assert set(counted) == {201, 409}, [body for status, body in said if status not in (201, 409)][:3]
    assert counted[201] == count * len(house.lines)
    with house.world.app.app_context():
        session = house.world.session()
        given = Counter(
            tuple(row) for row in session.execute(select(TriageAssignment.visit_id, TriageAssignment.line_id))
        )
        assert set(given.values()) == {1}
        assert len(given) == count * len(house.lines)
        for line_id in house.lines:
            _replay(session, line_id, count)


def _replay(session: Any, line_id: int, count: int) -> None:
    """Let the pure core decide each row again from the rows before it alone: it comes to the same seat."""
    line = session.get_one(RotationLine, line_id)
    turns = session.scalars(
        select(RotationTurn).where(RotationTurn.line_id == line_id).order_by(RotationTurn.number)
    ).all()
    assert [turn.number for turn in turns] == list(range(1, count + 1)), "numbers follow each other"
    seats = tuple(Seat(seat.id, seat.employee_id, seat.office_order) for seat in line.seats)
    people = {seat.employee_id: Person(seat.employee_id, seat.employee.name) for seat in line.seats}
    rules, rows = rules_of(session, line.branch_id), [row_of(turn) for turn in turns]
    facts = facts_of(session, session.scalars(select(Visit)).all())
    for place, turn in enumerate(turns):
        stood = Line(line.kind, seats, people, tuple(rows[:place]))
        moment = moment_of(session, line.branch_id, turn.occurred_at)
        chosen = decide(Case(facts[turn.visit_id], stood, rules, moment))
        assert isinstance(chosen, Choice)
        assert (chosen.kind, chosen.seat and chosen.seat.id) == (TurnKind.NORMAL, turn.seat_id), place
    assert {call.state for call in session.scalars(select(TriageAssignment))} == {AssignmentState.CALLING}
