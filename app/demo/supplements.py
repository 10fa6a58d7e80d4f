"""The demo's supplementary slips: customers who came by arrangement and had no slip. White paper 2.1.3.3."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.demo.cast import CONSULTANTS, Visitor
from app.demo.stage import Stage
from app.models.appointments import Channel, EvidenceKind, Intention

if TYPE_CHECKING:
    from app.demo.script import Script

#: On which day each came; who asks the day after; how far the request has come.
STORIES: tuple[tuple[int, bool, tuple[str, ...]], ...] = (
    (-6, True, ("approve", "execute")),  # a colleague's customer: performance moves
    (-4, False, ("approve",)),
    (-2, False, ()),
)
#: The day of the first contact of those who are asked for.
FIRST_CONTACT = -9
DECIDERS = {"approve": "branch_head", "execute": "it_manager"}
REASONS = ("来电高峰时漏下预约单，客户已按约到院。", "客户当日改约到院，未来得及下单。", "节假日值班交接时漏下预约单。")


def slips_made(customers: int, slips: int) -> int:
    """Return how many of a branch's slips are supplementary ones."""
    return 1 if customers > slips > 1 else 0


class Supplement:
    """One request: asked for, and as far as its story goes decided and executed."""

    def __init__(self, script: Script, visitor: Visitor, place: int) -> None:
        self.script, self.visitor, self.place = script, visitor, place
        self.key = f"{visitor.key}:supplement"
        self.request_id = 0

    def write(self) -> None:
        """Tell the story of a request."""
        came, by_colleague, then = STORIES[self.place]
        asker = self.visitor.consultant
        if by_colleague:
            asker = next(login for login in CONSULTANTS[self.visitor.channel] if login != asker)
        self._ask(asker, came)
        for day, act in enumerate(then, start=came + 2):
            self._go_on(act, day)

    def _ask(self, login: str, came: int) -> None:
        at, actor = self.script.calendar.exactly(came + 1, 9 * 60 + 40), self.script.house.actors[login]
        is_chat = self.visitor.channel is Channel.WEB_CHAT
        values: dict[str, Any] = {
            "phone": None,
            "claimed_arrived_at": self.script.calendar.exactly(came, 15 * 60 + 10),
            "claimed_owner_id": None,
            "channel": self.visitor.channel,
            "intention": Intention.A,
            "need_text": self.visitor.wish.asked,
            "evidence_kinds": [EvidenceKind.CHAT_RECORD if is_chat else EvidenceKind.CALL_RECORD],
            "evidence_file_id": None,
            "reason": REASONS[self.place],
        }

        def ask(stage: Stage) -> None:
            given = values | {"customer_id": self.visitor.customer_id, "contact_record_id": self.visitor.record_id}
            name = "appointment_supplement_request.submit"
            self.request_id = stage.act(name, by=actor, at=at, key=self.key, values=given).record.id

        self.script.tell(at, ask)

    def _go_on(self, act: str, day: int) -> None:
        at, actor = self.script.calendar.exactly(day, 10 * 60 + 20), self.script.house.actors[DECIDERS[act]]
        values = {"decision_note": "来电记录属实，同意补单。"} if act == "approve" else {}

        def go_on(stage: Stage) -> None:
            name = f"appointment_supplement_request.{act}"
            stage.act(name, by=actor, at=at, key=self.key, record_id=self.request_id, values=values)

        self.script.tell(at, go_on)
