"""One chain of slips in the demo's script: placed, redone, handed over, voided, arrived, completed, lapsed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import TYPE_CHECKING, Any

from app.demo import texts
from app.demo.cast import CONSULTANTS, SUPERVISORS, Visitor
from app.demo.slips import Chain, Leg
from app.demo.stage import Stage
from app.models.appointments import Intention, SlipState

if TYPE_CHECKING:
    from app.demo.script import Script

#: Appointments on the half hour, from half past nine.
FIRST_SLOT, LAST_SLOT = 19, 35
GRACE = 60
LATEST_MINUTE = 19 * 60 + 30
TODAY_WAITS_UNTIL = 20 * 60


@dataclass
class Booking:
    """Writes the steps of one chain; ``owner`` is the login that owns the slip that stands."""

    script: Script
    visitor: Visitor
    chain: Chain
    owner: str = ""
    key: str = ""

    def write(self) -> None:
        self.owner = self.visitor.consultant
        self.key = f"{self.visitor.key}:slip{self.chain.number}"
        asked = self._first_asked()
        for number, leg in enumerate(self.chain.legs):
            placed_minute = asked if number == 0 else self.random.uniform(9 * 60 + 30, 18 * 60)
            slot = 30 * self.random.randint(FIRST_SLOT, LAST_SLOT)
            if leg.appointed == leg.placed:
                slot = max(slot, 30 * math.ceil((placed_minute + 30) / 30))
            latest = min(slot + self.random.choice((30, 60, 60, 90, 120, 180)), max(LATEST_MINUTE, slot))
            if leg.appointed == 0:
                latest = max(latest, TODAY_WAITS_UNTIL)
            self._place(leg, number, placed_minute, slot, latest)
            self._remind(leg, number, placed_minute)
            if leg.lapses:
                self._lapse(leg, number, latest)
            if leg is self.chain.last:
                self._end(leg, slot, latest)

    @property
    def random(self) -> Random:
        return self.script.random

    def _first_asked(self) -> float:
        """Return the minute at which the first slip is placed: after her first contact, or after one more."""
        placed = self.chain.legs[0].placed
        if placed == self.visitor.day:
            return self.visitor.minute + self.random.randint(6, 12)
        minute = self.script.minute(end=18 * 60 + 50)
        self.script.contact_again(self.visitor, placed, minute, "booking", f"booking{self.chain.number}")
        return minute + self.random.randint(4, 9)

    def _wishes(self) -> dict[str, Any]:
        """Return what a slip says beside its times."""
        random, topic, wish = self.random, self.visitor.topic, self.visitor.wish
        intention = random.choices(list(Intention), [45, 32, 17, 6])[0]
        return {
            "intention": intention,
            "need_text": texts.need_text(random, wish),
            "quoted_text": texts.quoted_text(random, wish) if random.random() < 0.85 else None,
            "companion_count": random.choices((0, 1, 2, 3), (55, 32, 10, 3))[0],
            "remark": random.choice(texts.REMARKS) if random.random() < 0.15 else None,
            "preferred_consultant_id": self._preferred(),
            "preferred_doctor_id": self._employee(topic.doctor) if random.random() < 0.4 else None,
            "target_department_id": self.script.house.departments[topic.department],
        }

    def _preferred(self) -> int | None:
        login = self.random.choice(("onsite_consultant", "onsite_consultant_2"))
        return self._employee(login) if self.random.random() < 0.3 else None

    def _employee(self, login: str) -> int:
        return self.script.house.employee(login)

    def _items(self) -> list[str]:
        more = [topic.item for topic in texts.TOPICS if topic.item != self.visitor.topic.item]
        extra = [self.random.choice(more)] if self.random.random() < 0.18 else []
        return [self.visitor.topic.item, *extra]

    def _place(self, leg: Leg, number: int, minute: float, slot: int, latest: int) -> None:
        """Place the first slip, or redo the one before: by its owner, or by the supervisor who hands it over."""
        at = self.script.calendar.done_at(leg.placed, minute)
        values = self._wishes() | {
            "appointed_at": self.script.calendar.exactly(leg.appointed, slot),
            "latest_arrival_at": self.script.calendar.exactly(leg.appointed, latest),
        }
        items, by = self._items(), self.owner
        if number > 0:
            if self.random.random() < 0.5:
                category, key = "rebooking", f"rebooking{self.chain.number}.{number}"
                self.script.contact_again(self.visitor, leg.placed, minute - 5, category, key)
            if (self.chain.number + number) % 3 == 0:
                by, heirs = SUPERVISORS[self.visitor.channel], CONSULTANTS[self.visitor.channel]
                self.owner = self.random.choice([login for login in heirs if login != self.owner])
                values["owner_id"] = self._employee(self.owner)
        actor, visitor = self.script.house.actors[by], self.visitor

        def play(stage: Stage) -> None:
            given = values | {"item_ids": [stage.item("appointment_item", code) for code in items]}
            if number == 0:
                given |= {
                    "customer_id": visitor.customer_id,
                    "contact_record_id": visitor.record_id,
                    "channel": visitor.channel,
                }
                placed = stage.act("appointment_slip.place", by=actor, at=at, key=self.key, values=given)
                visitor.slip_id = placed.record.id
                return
            redone = stage.act(
                "appointment_slip.redo",
                by=actor,
                at=at,
                key=f"{self.key}:{number}",
                record_id=visitor.slip_id,
                values=given,
            )
            visitor.slip_id = redone.result.id

        self.script.tell(at, play)

    def _remind(self, leg: Leg, number: int, placed_minute: float) -> None:
        """The reminder of the day before is mostly carried out by the owner, if the slip still stands. R-2.1.2-4."""
        day = leg.appointed - 1
        later = self.chain.legs[number + 1].placed if leg is not self.chain.last else LATEST_MINUTE
        if not leg.placed <= day < min(later, 1) or self.random.random() < 0.45:
            return
        minute = self.script.minute(10 * 60, 17 * 60)
        if day == leg.placed:
            minute = max(minute, placed_minute + 40)
        self._follow_up("slip_due", self.script.calendar.done_at(day, minute), f"{self.key}:{number}:remind")

    def _follow_up(self, trigger: str, at: datetime, key: str) -> None:
        call = self.script.call(trigger, self.owner, ends=trigger == "slip_due")
        actor, visitor = self.script.house.actors[self.owner], self.visitor
        day = ":-1" if trigger == "slip_due" else ""  # as the rules name their days

        def play(stage: Stage) -> None:
            stage.follow_up(trigger, f"appointment_slip:{visitor.slip_id}{day}", call, by=actor, at=at, key=key)

        self.script.tell(at, play)

    def _lapse(self, leg: Leg, number: int, latest: int) -> None:
        """The job lets it lapse at its next round after the grace; who owns it calls the next morning. R-2.1.2-3."""
        minute = 5 * math.floor((latest + GRACE) / 5 + 1)
        at = self.script.calendar.exactly(leg.appointed, minute)
        key = f"{self.key}:{number}"
        house, visitor = self.script.house, self.visitor
        self.script.tell(at, lambda stage: stage.lapse(house, visitor.slip_id, at=at, key=key))
        if self.random.random() < 0.7:
            morning = self.script.calendar.done_at(leg.appointed + 1, self.random.uniform(8 * 60 + 35, 9 * 60 + 25))
            self._follow_up("slip_lapsed", morning, f"{key}:lapsed")

    def _end(self, leg: Leg, slot: int, latest: int) -> None:
        ending = self.chain.ending
        if ending is SlipState.VOIDED:
            self._void(leg)
        elif ending in (SlipState.ARRIVED, SlipState.COMPLETED):
            self._arrive(leg, slot, latest)

    def _void(self, leg: Leg) -> None:
        """The supervisor voids it with a reason, before it is due or after it lapsed. R-2.1.3-1."""
        last_day = min(max(leg.appointed, leg.placed + 1), 0)
        day = leg.appointed + 1 if leg.lapses else self.random.randint(leg.placed + 1, last_day)
        at = self.script.calendar.done_at(day, self.random.uniform(9 * 60 + 30, 11 * 60))
        self._on_slip("void", SUPERVISORS[self.visitor.channel], at, {"reason": self.random.choice(texts.VOID_REASONS)})

    def _arrive(self, leg: Leg, slot: int, latest: int) -> None:
        """She comes around her time, or the day after; what becomes of her visit is told there. R-2.2.4-1, -2."""
        day = leg.appointed + 1 if leg.lapses else leg.appointed
        came = min(max(slot + self.random.gauss(0, 18), 9 * 60), min(latest + 20, LATEST_MINUTE + 20))
        guide = self.random.choice(("guide", "guide", "guide", "guide_supervisor"))
        stays, is_seen = self.random.uniform(45, 200), self.chain.ending is SlipState.COMPLETED
        escort = self.random.choice(("triage", "triage", "guide_supervisor")) if is_seen else guide
        self.script.visit(self.visitor, self.key, day, came, (guide, escort), stays, is_seen=is_seen)

    def _on_slip(self, act: str, login: str, at: datetime, values: dict[str, Any]) -> None:
        actor, visitor = self.script.house.actors[login], self.visitor

        def play(stage: Stage) -> None:
            stage.act(
                f"appointment_slip.{act}", by=actor, at=at, key=self.key, record_id=visitor.slip_id, values=values
            )

        self.script.tell(at, play)
