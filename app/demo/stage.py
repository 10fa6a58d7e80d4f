"""The stage: plays the demo's steps by running the house's acts, each under a key of its own.

A step that ran before is recognised by its key and answered from the history, so a load that was broken off is
simply played again from the start.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import event, select
from sqlalchemy.orm import ORMExecuteState, Session

from app.actors import Actor, house
from app.acts import REGISTRY
from app.demo.organisation import House
from app.models.audit import Notice
from app.models.customers import SourceChannel
from app.models.followup import CallMethod, FollowupCategory, FollowupPlan, FollowupRule, PlanState
from app.models.hr import Branch
from app.models.settings import Dictionary, DictionaryItem, NumberRule, Param
from app.reports.base import REPORTS, Asked
from app.reports.runs import make_scheduled
from app.services.notices import mark_all_read
from app.services.runner import Answer, run
from app.unit import unit_of_work

BATCH = 100
REMEMBERED = frozenset({Param, NumberRule, DictionaryItem, FollowupRule})


@dataclass(frozen=True)
class Step:
    """Something that happens at an instant; ``order`` decides between two of the same instant."""

    at: datetime
    order: int
    play: Callable[[Stage], None]


BEST = 5


@dataclass(frozen=True)
class Call:
    """What came of a call of the demo, and what the supervisor made of it."""

    feedback: str
    supervisor: Actor | None = None
    reached: bool = True
    satisfaction: int | None = None
    next_days: int | None = None
    end: str = "done"
    approved: bool = True
    score: int | None = None
    is_case: bool = False


class Stage:
    """A session with the directory at hand, so that steps name things by their codes."""

    def __init__(self, session: Session) -> None:
        self.session = session
        items = session.execute(select(Dictionary.code, DictionaryItem.code, DictionaryItem.id).join(Dictionary))
        self._items = {(dictionary, code): key for dictionary, code, key in items}
        self._categories = {one.code: one.id for one in session.scalars(select(FollowupCategory))}
        # Held so that the session's identity map finds them without a statement.
        self._kept = session.scalars(select(SourceChannel)).all()
        self._sources = {source.code: source.id for source in self._kept}

    def item(self, dictionary: str, code: str) -> int:
        return self._items[dictionary, code]

    def category(self, code: str) -> int:
        return self._categories[code]

    def source(self, code: str) -> int:
        return self._sources[code]

    def act(
        self,
        name: str,
        *,
        by: Actor,
        at: datetime,
        key: str,
        record_id: int | None = None,
        values: Mapping[str, Any] | None = None,
    ) -> Answer:
        """Run an act such as ``"appointment_slip.place"``; what stands under the same key is answered from there."""
        table, _dot, act_name = name.partition(".")
        act = REGISTRY.find(table, act_name)
        if act is None:
            raise LookupError(f"there is no act {name}")
        return run(
            self.session, act, by=by, at=at, record_id=record_id, values=values or {}, key=f"demo:{key}:{act_name}"
        )

    def follow_up(self, trigger: str, subject: str, call: Call, *, by: Actor, at: datetime, key: str) -> None:
        """Carry out the plan that a rule made, if it still stands, and what follows it."""
        plan_id = self.session.scalar(
            select(FollowupPlan.id).where(
                FollowupPlan.trigger == trigger,
                FollowupPlan.occasion == subject,
                FollowupPlan.state == PlanState.APPROVED,
            )
        )
        if plan_id is not None:
            self.carry_out(plan_id, call, by=by, at=at, key=key)

    def carry_out(self, plan_id: int, call: Call, *, by: Actor, at: datetime, key: str) -> None:
        """Carry out a plan; its supervisor decides on the next one and looks at what was said."""
        values: dict[str, Any] = {
            "method": CallMethod.PHONE, "reached": call.reached, "feedback": call.feedback,
            "satisfaction": call.satisfaction,
        }  # fmt: skip
        if call.next_days is None:
            values |= {"end_flag": True, "end_reason_id": self.item("followup_end_reason", call.end)}
        else:
            values |= {"next_planned_at": at + timedelta(days=call.next_days), "next_purpose": "继续跟进到院意向"}
        done = self.act("followup_plan.execute", by=by, at=at, key=key, record_id=plan_id, values=values)
        boss, later = call.supervisor, at + timedelta(minutes=40)
        if boss is None or boss.employee_id == by.employee_id:
            return
        if done.result is not None and call.approved:
            given = {"guidance": "先问恢复情况，再谈到院时间", "focus_flag": call.score == BEST}
            self.act(
                "followup_plan.approve", by=boss, at=later, key=f"{key}:next", record_id=done.result.id, values=given
            )
        if call.score is not None:
            given = {"quality_score": call.score, "is_case": call.score == BEST and call.is_case}
            seen = self.act(
                "followup_plan.review", by=boss, at=later, key=f"{key}:seen", record_id=plan_id, values=given
            )
            if seen.result is not None:
                self.act("followup_case.publish", by=boss, at=later, key=f"{key}:case", record_id=seen.result.id)

    def daily_reports(self, branch: Branch, day: date, at: datetime) -> None:
        """Store every daily report of a branch as the scheduler does in the evening."""
        job = "reports.daily"
        by = house(f"job:{job}", branch_id=branch.id, zone=branch.zone)
        for report in REPORTS.values():
            if report.daily:
                make_scheduled(self.session, report, Asked(day, branch.id), job=job, by=by, at=at)

    def read_notices(self, employee_ids: Collection[int], at: datetime) -> None:
        """Read what lies there, once: a load that is continued leaves what was told after this evening unread."""
        if self.session.scalar(
            select(Notice.id).where(Notice.employee_id.in_(employee_ids), Notice.read_at == at).limit(1)
        ):
            return
        for employee_id in employee_ids:
            mark_all_read(self.session, employee_id, at)

    def lapse(self, branch: House, slip_id: int, *, at: datetime, key: str) -> None:
        """Let a slip lapse as the job does."""
        by = house("job:appointments.expire", branch_id=branch.branch.id, zone=branch.branch.zone)
        self.act("appointment_slip.expire", by=by, at=at, key=key, record_id=slip_id)


def remember_reference_data(session: Session) -> None:
    """Let a session ask each question about settings, number rules and dictionaries once.

    Nobody changes them while the demo is loaded, and thousands of acts ask the same. Instants are no part of the
    question: the settings of a new house are in force from the beginning.
    """
    known: dict[Any, Any] = {}

    @event.listens_for(session, "do_orm_execute")
    def _answer(asked: ORMExecuteState) -> Any:
        mapper = asked.bind_mapper
        if not asked.is_select or mapper is None or mapper.class_ not in REMEMBERED:
            return None
        statement: Any = asked.statement
        told = statement._generate_cache_key()
        if told is None:
            return None
        values = tuple(repr(bound.value) for bound in told.bindparams if not isinstance(bound.value, datetime))
        question = (told.key, values)
        if question not in known:
            known[question] = asked.invoke_statement().freeze()
        return known[question]()


def play(stage: Stage, steps: Iterable[Step], say: Callable[[str], None]) -> None:
    """Play steps in the order of time, a hundred to a transaction."""
    ordered = sorted(steps, key=lambda step: (step.at, step.order))
    for begin in range(0, len(ordered), BATCH):
        with unit_of_work(stage.session):
            for step in ordered[begin : begin + BATCH]:
                step.play(stage)
        done = min(begin + BATCH, len(ordered))
        if done % 2000 == 0 or done == len(ordered):
            say(f"  {done} of {len(ordered)} steps")
