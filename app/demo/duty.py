"""The demo's days at the desk: cards are taken in, seats come on duty and go, the evenings have their list. SOP S7."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from app.demo.desks import SEATS
from app.demo.stage import Stage
from app.models.reception import CardType
from app.models.triage import EveningDuty, LineKind
from app.services.plain import save

if TYPE_CHECKING:
    from app.demo.script import Script

CARDS_TAKEN_IN: Mapping[CardType, int] = {CardType.VISIT: 40, CardType.DESIGN: 60}
#: For so many days back the seats come and go each day and the evening has its list; and for so many ahead.
DAILY, AHEAD = 4, 7
COME, GO, GO_LATE = 8 * 60 + 32, 17 * 60 + 34, 20 * 60 + 36
#: Today somebody has been on a break for so many minutes.
BREAK = 7


def write_duty(script: Script) -> None:
    """Cards are taken in, seats come on duty and go, the evenings have their list, somebody is on a break today."""
    first = script.calendar.exactly(-62, 8 * 60)
    clerk = script.house.actors["guide_supervisor"]

    def take_in(stage: Stage) -> None:
        for card_type, count in CARDS_TAKEN_IN.items():
            key = f"{script.house.branch.code}:cards:{card_type.value}"
            values = {"card_type": card_type, "count": count, "note": "首批"}
            stage.act("card_stock.take_in", by=clerk, at=first, key=key, values=values)

    script.tell(first, take_in)
    everybody = list(script.house.reception.seats)
    for day in (-62, *range(1 - DAILY, 1)):
        _move_at(script, everybody, day, COME, "come_on")
    for day in range(-DAILY, 0):
        late = [login for _kind, login, _position in _listed(day)]
        _move_at(script, [login for login in everybody if login not in late], day, GO, "go_off")
        _move_at(script, late, day, GO_LATE, "go_off")
    for day in range(-DAILY, AHEAD + 1):
        _evening(script, day)
    pause = script.calendar.now - timedelta(minutes=BREAK)
    script.tell(pause, lambda stage: _move(script, stage, "onsite_consultant_3", "pause", pause, "today"))


def _move_at(script: Script, logins: Sequence[str], day: int, minute: float, act: str) -> None:
    at = script.calendar.done_at(day, minute)

    def play(stage: Stage) -> None:
        for login in logins:
            _move(script, stage, login, act, at, str(day))

    script.tell(at, play)


def _move(script: Script, stage: Stage, login: str, act: str, at: datetime, key: str) -> None:
    told = f"{script.house.branch.code}:{login}:{key}"
    by, seat_id = script.house.actors["triage"], script.house.reception.seats[login]
    stage.act(f"rotation_seat.{act}", by=by, at=at, key=told, record_id=seat_id)


def _listed(day: int) -> list[tuple[LineKind, str, int]]:
    """Return who has an evening, by turns: two of the consultants, one surgeon."""
    consultants = [login for kind, login, *_rest in SEATS if kind is LineKind.CONSULTANT]
    surgeons = [login for kind, login, *_rest in SEATS if kind is LineKind.SURGEON]
    return [
        (LineKind.CONSULTANT, consultants[day % len(consultants)], 1),
        (LineKind.CONSULTANT, consultants[(day + 1) % len(consultants)], 2),
        (LineKind.SURGEON, surgeons[day % len(surgeons)], 1),
    ]


def _evening(script: Script, day: int) -> None:
    """Enter who has an evening."""
    seats, listed = script.house.reception.seats, _listed(day)
    at = min(script.calendar.exactly(day, 8 * 60), script.calendar.now)
    on = script.calendar.exactly(day, 0).date()
    by = script.house.actors["consulting_supervisor"]

    def play(stage: Stage) -> None:
        for kind, login, position in listed:
            values = {
                "line_id": script.house.reception.lines[kind], "seat_id": seats[login], "duty_on": on,
                "position": position,
            }  # fmt: skip
            key = f"demo:{script.house.branch.code}:evening:{on}:{login}"
            save(stage.session, EveningDuty, values, by=by, at=at, key=key)

    script.tell(at, play)
