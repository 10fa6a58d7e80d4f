"""The stage: plays the demo's steps by running the house's acts, each under a key of its own.

A step that ran before is recognised by its key and answered from the history, so a load that was broken off is
simply played again from the start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import event, select
from sqlalchemy.orm import ORMExecuteState, Session

from app.actors import Actor, house
from app.acts import REGISTRY
from app.demo.organisation import House
from app.models.customers import SourceChannel
from app.models.followup import FollowupPlan, PlanState
from app.models.hr import Branch
from app.models.settings import Dictionary, DictionaryItem, NumberRule, Param
from app.reports.base import REPORTS, Asked
from app.reports.runs import make_scheduled
from app.services.notices import mark_all_read
from app.services.runner import Answer, run
from app.unit import unit_of_work

BATCH = 100
REMEMBERED = frozenset({Param, NumberRule, DictionaryItem})


@dataclass(frozen=True)
class Step:
    """Something that happens at an instant; ``order`` decides between two of the same instant."""

    at: datetime
    order: int
    play: Callable[[Stage], None]


class Stage:
    """A session with the directory at hand, so that steps name things by their codes."""

    def __init__(self, session: Session) -> None:
        self.session = session
        items = session.execute(select(Dictionary.code, DictionaryItem.code, DictionaryItem.id).join(Dictionary))
        self._items = {(dictionary, code): key for dictionary, code, key in items}
        # Held so that the session's identity map finds them without a statement.
        self._kept = session.scalars(select(SourceChannel)).all()
        self._sources = {source.code: source.id for source in self._kept}

    def item(self, dictionary: str, code: str) -> int:
        return self._items[dictionary, code]

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

    def follow_up(self, rule: str, occasion: str, *, by: Actor, at: datetime, key: str, feedback: str) -> None:
        """Carry out the plan that a rule made, if it still stands."""
        plan_id = self.session.scalar(
            select(FollowupPlan.id).where(
                FollowupPlan.rule == rule, FollowupPlan.occasion == occasion, FollowupPlan.state == PlanState.APPROVED
            )
        )
        if plan_id is not None:
            self.act("followup_plan.execute", by=by, at=at, key=key, record_id=plan_id, values={"feedback": feedback})

    def daily_reports(self, branch: Branch, day: date, at: datetime) -> None:
        """Store every daily report of a branch as the scheduler does in the evening."""
        job = "reports.daily"
        by = house(f"job:{job}", branch_id=branch.id, zone=branch.zone)
        for report in REPORTS.values():
            if report.daily:
                make_scheduled(self.session, report, Asked(day, branch.id), job=job, by=by, at=at)

    def read_notices(self, employee_ids: Iterable[int], at: datetime) -> None:
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
        values = tuple(
            tuple(bound.value) if isinstance(bound.value, list) else bound.value
            for bound in told.bindparams
            if not isinstance(bound.value, datetime)
        )
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
