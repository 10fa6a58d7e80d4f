"""One visit of the demo: received, assigned, seen, taken to the door; with skips and exceptions. 2.2-2.4.

Who is called is not written here: the rotation decides, as it does for everybody. What is told are the moments.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from random import Random
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from app.actors import Actor, house
from app.demo import texts
from app.demo.cast import Visitor
from app.demo.stage import Stage
from app.models.consultation import Consultation, ConsultationState
from app.models.reception import (
    CardState,
    CardType,
    CustomerCard,
    Favour,
    ReceptionForm,
    Visit,
    VisitCardIssue,
    VisitState,
    VisitType,
)
from app.models.triage import AssignmentState, LineKind, RuleCode, TriageAssignment
from app.services.triage.rules import sop

if TYPE_CHECKING:
    from app.demo.script import Script

#: After how long a turn passes on, as every branch of the demo has it.
LIMIT = timedelta(minutes=sop()[RuleCode.SKIP].minutes or 5)
#: Nobody is skipped later than this.
DAY_ENDS = time(17)
#: Of a hundred visits so many get a temporary card, a reception form, a surgeon too, nobody who answers in time.
CARDS, FORMS, SURGEONS, SKIPPED = 60, 40, 20, 13
OPERATING = frozenset({"D14", "D17"})
#: How many of those who came to buy do, and why the others do not.
DEALS = 0.62
REASONS = {
    "price": 30,
    "comparing": 18,
    "thinking": 22,
    "timing": 9,
    "family": 9,
    "health": 5,
    "dissuaded": 4,
    "other": 3,
}
UNSOLD = (VisitType.RECHECK, VisitType.DISPUTE)


class Ending(StrEnum):
    """How far a visit has come when the demo is loaded."""

    SEEN = "seen"
    WAITS = "waits"
    ACCEPTED = "accepted"
    IN_ROOM = "in_room"
    UNSEEN = "unseen"
    CANCELLED = "cancelled"


@dataclass
class Visiting:
    """Writes the steps of one visit; the slip, if she has one, is the visitor's that stands when she comes."""

    script: Script
    visitor: Visitor
    key: str
    came: datetime
    ending: Ending
    with_slip: bool = True
    visit_type: VisitType | None = None
    stays: float = 90
    staff: tuple[str, str] = ("guide", "guide")
    visit_id: int = field(default=0, init=False)

    def write(self) -> None:
        """Tell the visit from the desk to the door, as far as it comes."""
        self._receive()
        if self._draw() < CARDS / 100:
            self.tell(self._later(1), self._hand_out)
        if self._draw() < FORMS / 100:
            self._register_form()
        if self.ending is Ending.WAITS:
            return
        asked = self._later(self.random.uniform(4, 11))
        if self.ending is Ending.CANCELLED:
            self.on_visit("visit.cancel", "guide", asked, {"reason": "临时有事，改日再来"})
            return
        line = LineKind.CONSULTANT
        seen = self._assign(line, asked)
        if self.ending is Ending.UNSEEN:
            self.on_call(line, "leave_unseen", seen, {"reason": "等候时间较长，自行离开"}, {AssignmentState.CALLING})
            return
        self._accept(line, seen)
        if self.ending is Ending.ACCEPTED:
            return
        entered = seen + timedelta(minutes=self.random.uniform(1, 4))
        self.on_call(line, "bring_in", entered, {}, {AssignmentState.ACCEPTED}, by="guide")
        self._by_consultant("visit.start", entered + timedelta(minutes=1), lambda _stage: {})
        if self.ending is Ending.IN_ROOM:
            return
        treated_by = LineKind.DENTAL if self.visitor.topic.item == "dental" else LineKind.SURGEON
        if self.visitor.topic.department in OPERATING and self._draw() < SURGEONS / 100:
            self._see(treated_by, entered + timedelta(minutes=self.random.uniform(8, 12)))
        self._conclude(max(entered + timedelta(minutes=22), self._later(self.stays)))

    @property
    def random(self) -> Random:
        return self.script.chance

    def _draw(self) -> float:
        return self.random.random()

    def _later(self, minutes: float) -> datetime:
        return self.came + timedelta(minutes=minutes)

    def tell(self, at: datetime, play: Callable[[Stage], None]) -> None:
        """Add a step of this visit; once she is received only."""
        self.script.tell(at, lambda stage: play(stage) if self.visit_id else None)

    def actor(self, login: str) -> Actor:
        return self.script.house.actors[login]

    # --- reception ----------------------------------------------------------------------------------------------

    def _receive(self) -> None:
        """The guide receives her at the desk. R-2.2.4-1, R-2.2.6-1."""
        login, _escort = self.staff
        values: dict[str, Any] = {
            "visit_type": self.visit_type,
            "companion_count": self.random.choices((0, 1, 2, 3), (55, 32, 10, 3))[0],
            "desk_id": self.script.house.reception.desks["QT1"],
        }
        if self._draw() < 0.05:
            values["favour"] = Favour.PAID if self._draw() < 0.6 else Favour.FREE
        if self.visitor.topic.item == "dental" and self._draw() < 0.3:
            values["is_from_dental"] = True
        if self.visitor.referrer is not None and self._draw() < 0.5:
            values["designated_id"] = self.script.house.employee("onsite_consultant_2")

        def play(stage: Stage) -> None:
            if not self.visitor.customer_id or (self.with_slip and not self.visitor.slip_id):
                return
            if self.with_slip:
                given = values | {"appointment_slip_id": self.visitor.slip_id}
            else:
                items = [stage.item("appointment_item", self.visitor.topic.item)]
                given = values | {"customer_id": self.visitor.customer_id, "item_ids": items}
            answer = stage.act("visit.receive", by=self.actor(login), at=self.came, key=self.key, values=given)
            self.visit_id = (answer.result or answer.record).id

        self.script.tell(self.came, play)

    def on_visit(self, act: str, login: str, at: datetime, values: dict[str, Any]) -> None:
        def play(stage: Stage) -> None:
            stage.act(act, by=self.actor(login), at=at, key=self.key, record_id=self.visit_id, values=values)

        self.tell(at, play)

    def _hand_out(self, stage: Stage) -> None:
        """Give her a temporary card that is at the desk. 2.2.5."""
        session = stage.session
        session.flush()
        if session.scalar(select(VisitCardIssue.id).where(VisitCardIssue.visit_id == self.visit_id)) is not None:
            return
        free = session.scalar(
            select(CustomerCard.card_no)
            .where(CustomerCard.branch_id == self.script.house.branch.id, CustomerCard.card_type == CardType.VISIT)
            .where(CustomerCard.state.in_([CardState.IN_STOCK, CardState.ISSUED_TO_DESK]))
            .order_by(CustomerCard.id)
            .limit(1)
        )
        if free is not None:
            values = {"visit_id": self.visit_id, "card_no": free}
            at = self._later(1)
            stage.act("visit_card_issue.hand_out", by=self.actor("guide"), at=at, key=self.key, values=values)

    def _register_form(self) -> None:
        """Triage enters what she wrote. SOP S1."""
        visitor, at = self.visitor, self._later(4)
        if visitor.name is None or visitor.phone is None or visitor.age is None:
            return
        values = {
            "name": visitor.name,
            "sex": visitor.sex,
            "age": visitor.age,
            "phone": visitor.phone,
            "address": f"{self.random.choice(texts.ROADS)}{self.random.randint(8, 1990)}号",
            "has_appointment": self.with_slip,
            "occupation": self.random.choice(texts.OCCUPATIONS),
            "expectation": f"{visitor.wish.asked}；{self.random.choice(visitor.topic.worries)}",
        }

        def play(stage: Stage) -> None:
            stage.session.flush()
            if stage.session.scalar(select(ReceptionForm.id).where(ReceptionForm.visit_id == self.visit_id)) is None:
                told = values | {
                    "visit_id": self.visit_id,
                    "area_id": stage.item("area", visitor.area),
                    "source_channel_id": stage.source(visitor.source),
                }
                by = self.actor("triage")
                stage.act("reception_form.register", by=by, at=at, key=self.key, values=told)

        self.tell(at, play)

    # --- triage -------------------------------------------------------------------------------------------------

    def _call_of(self, stage: Stage, line: LineKind, states: set[AssignmentState]) -> TriageAssignment | None:
        """Return the visit's call in a line, if it stands so: who is called was decided when it was played."""
        stage.session.flush()
        return stage.session.scalars(
            select(TriageAssignment)
            .where(TriageAssignment.visit_id == self.visit_id)
            .where(TriageAssignment.line_id == self.script.house.reception.lines[line])
            .where(TriageAssignment.state.in_(states))
        ).one_or_none()

    def on_call(
        self,
        line: LineKind,
        act: str,
        at: datetime,
        values: dict[str, Any],
        states: set[AssignmentState],
        *,
        by: str = "triage",
    ) -> None:
        def play(stage: Stage) -> None:
            call = self._call_of(stage, line, states)
            if call is not None and values.get("employee_id") != call.assignee_id:
                key, actor = f"{self.key}:{line.value}:{call.sequence_no}", self.actor(by)
                stage.act(f"triage_assignment.{act}", by=actor, at=at, key=key, record_id=call.id, values=values)

        self.tell(at, play)

    def _call(self, line: LineKind, at: datetime) -> None:
        """Triage calls whose turn it is, once."""

        def play(stage: Stage) -> None:
            stage.session.flush()
            line_id = self.script.house.reception.lines[line]
            called = select(TriageAssignment.id).where(
                TriageAssignment.visit_id == self.visit_id, TriageAssignment.line_id == line_id
            )
            if stage.session.scalars(called.limit(1)).first() is None:
                values, key = {"visit_id": self.visit_id, "line_id": line_id}, f"{self.key}:{line.value}"
                stage.act("triage_assignment.assign", by=self.actor("triage"), at=at, key=key, values=values)

        self.tell(at, play)

    def _assign(self, line: LineKind, at: datetime) -> datetime:
        """Triage calls whose turn it is; return when who is called then answers. R-S2-10: the turn may pass on."""

        self._call(line, at)
        by_day = at.time() < DAY_ENDS  # in the evening there may be nobody else
        if self.ending is Ending.SEEN and self._draw() < SKIPPED / 100 and by_day:
            passed = at + LIMIT + timedelta(seconds=2)
            self.tell(passed, lambda stage: self._pass_on(stage, line, passed))
            at = passed
            self._complain(line, at + timedelta(minutes=40))
        elif self.ending is Ending.SEEN and self._draw() < 0.03 and by_day:
            at += timedelta(minutes=1.5)
            self.on_call(line, "skip", at, {"reason": "正在手术室，无法接待"}, {AssignmentState.CALLING})
        if self.ending is Ending.SEEN and self._draw() < 0.03:
            at += timedelta(minutes=1)
            values = {
                "employee_id": self.script.house.employee("consulting_supervisor"),
                "gives_back": True,
                "reason": "分诊选错顾客，改派主管并补还轮次",
            }
            self.on_call(line, "reassign", at, values, {AssignmentState.CALLING}, by="consulting_supervisor")
        return at + timedelta(minutes=self.random.uniform(0.5, 3.5))

    def _pass_on(self, stage: Stage, line: LineKind, at: datetime) -> None:
        branch = self.script.house.branch
        by = house("job:triage.pass_on", branch_id=branch.id, zone=branch.zone)
        line_id = self.script.house.reception.lines[line]
        stage.act("rotation_line.pass_on", by=by, at=at, key=self.key, record_id=line_id)

    def _complain(self, line: LineKind, at: datetime) -> None:
        """Now and then who was skipped says that she disagrees; it goes to the supervisor. R-S2-9."""
        if self._draw() >= 0.2:
            return

        def play(stage: Stage) -> None:
            stage.session.flush()
            skipped = stage.session.scalars(
                select(TriageAssignment)
                .where(TriageAssignment.visit_id == self.visit_id, TriageAssignment.complaint.is_(None))
                .where(TriageAssignment.state == AssignmentState.SKIPPED)
                .limit(1)
            ).first()
            actor = self.script.actor_of(skipped.assignee_id) if skipped is not None else None
            if skipped is not None and actor is not None:
                values = {"complaint": "当时在接听顾客电话，办公室座机占线，请核实"}
                stage.act(
                    "triage_assignment.complain", by=actor, at=at, key=self.key, record_id=skipped.id, values=values
                )

        self.tell(at, play)

    def _accept(self, line: LineKind, at: datetime) -> None:
        self.on_call(line, "accept", at, {}, {AssignmentState.CALLING})

    def _see(self, line: LineKind, asked: datetime) -> None:
        """A surgeon or dentist looks at her too, out of his own line. R-S2-1, R-S2-5."""
        self._call(line, asked)
        self._accept(line, asked + timedelta(minutes=2))
        self.on_call(line, "bring_in", asked + timedelta(minutes=4), {}, {AssignmentState.ACCEPTED}, by="guide")
        self.on_call(line, "finish", asked + timedelta(minutes=9), {}, {AssignmentState.IN_ROOM})

    # --- the consultation, and the way out ----------------------------------------------------------------------

    def _by_consultant(self, act: str, at: datetime, told: Callable[[Stage], dict[str, Any]]) -> None:
        """Let who has the visit do something with it, or with its consultation."""

        def play(stage: Stage) -> None:
            stage.session.flush()
            visit = stage.session.get_one(Visit, self.visit_id)
            actor = self.script.actor_of(visit.consultant_id)
            record_id = self.visit_id if act.startswith("visit.") else self._consultation(stage)
            if actor is not None and record_id is not None:
                stage.act(act, by=actor, at=at, key=self.key, record_id=record_id, values=told(stage))

        self.tell(at, play)

    def _consultation(self, stage: Stage) -> int | None:
        return stage.session.scalar(select(Consultation.id).where(Consultation.visit_id == self.visit_id))

    def _conclude(self, at: datetime) -> None:
        """It comes to a deal or not; she is taken to the door. White paper 2.4, 2.23."""
        draw, wish = self._draw(), self.visitor.wish
        outcome = ConsultationState.DEAL if draw < DEALS else ConsultationState.NO_DEAL
        if self.visit_type in UNSOLD:
            outcome = ConsultationState.SERVED
        reason = self.random.choices(list(REASONS), list(REASONS.values()))[0]
        values = {
            "outcome": outcome,
            "need_text": wish.asked,
            "budget": Decimal(self.random.randrange(20, 400) * 100) if self._draw() < 0.7 else None,
            "concern_text": wish.worry,
            "next_action": "预约治疗时间" if outcome is ConsultationState.DEAL else "一周后回访，发案例照片",
        }

        def told(stage: Stage) -> dict[str, Any]:
            said = values | {"item_ids": [stage.item("appointment_item", self.visitor.topic.item)]}
            if outcome is ConsultationState.NO_DEAL:
                said["failure_reason_id"] = stage.item("failure_reason", reason)
            return said

        self._by_consultant("consultation.conclude", at, told)
        self._leave(at + timedelta(minutes=self.random.uniform(3, 12)))

    def _leave(self, at: datetime) -> None:
        """The guide takes her card back and her to the door."""

        def play(stage: Stage) -> None:
            stage.session.flush()
            out = stage.session.scalar(
                select(VisitCardIssue.id).where(
                    VisitCardIssue.visit_id == self.visit_id, VisitCardIssue.ended_at.is_(None)
                )
            )
            by = self.actor(self.staff[1])
            if out is not None:
                stage.act("visit_card_issue.take_back", by=by, at=at, key=self.key, record_id=out)
            if stage.session.get_one(Visit, self.visit_id).state in (VisitState.REGISTERED, VisitState.TRIAGED):
                # Nobody on duty could be called for her, and she did not want to wait.
                values = {"reason": "当班咨询师均无法接待，改约"}
                stage.act("visit.cancel", by=by, at=at, key=self.key, record_id=self.visit_id, values=values)
                return
            values = {"is_instructed": True, "declines_next": True}
            stage.act("visit.escort_out", by=by, at=at, key=self.key, record_id=self.visit_id, values=values)

        self.tell(at, play)
