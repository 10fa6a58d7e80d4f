"""A supervisor reviews what was done: passes it, or has it done again. White paper 2.1.4, 2.22.4; SM-03, R-2.22-3."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.actors import Actor
from app.acts import Outcome, act
from app.fields import Flag, HouseForm, Whole, Words
from app.models.followup import FollowupExecution, FollowupPlan, FollowupReview, PlanState
from app.models.followup.plans import AHEAD
from app.services.followup.cases import make_case
from app.services.followup.drawing_up import tell_of_plan
from app.services.followup.planning import cancel_plan
from app.services.notices import KINDS
from app.words import _, _l

KINDS["followup_rework"] = _l("%(by)s wants the follow-up %(plan)s of %(customer)s done again: %(reason)s")


class Reviewing(HouseForm):
    """审核回访反馈."""

    quality_score = Whole(_l("Quality"), required=True, least=1, most=5, description=_l("1 to 5"))
    listened_recording = Flag(_l("Recording heard"))
    is_case = Flag(_l("Make it a case"), description=_l("Without whose it was; you read it over before others see it."))
    comment = Words(_l("Comment"), most=1000, multiline=True)


class Reworking(HouseForm):
    """What was wrong."""

    quality_score = Whole(_l("Quality"), least=1, most=5, description=_l("1 to 5"))
    listened_recording = Flag(_l("Recording heard"))
    comment = Words(_l("What is to be done better"), required=True, least=2, most=1000, multiline=True)


def _not_her_own_call(plan: FollowupPlan, by: Actor) -> object | None:
    if by.employee_id is not None and by.employee_id in (plan.executor_id, plan.cover_id):
        return _("You carried this plan out yourself; somebody else reviews it.")
    return None


def last_execution(session: Session, plan: FollowupPlan) -> FollowupExecution:
    """Return the newest carrying out of a plan."""
    return session.scalars(
        select(FollowupExecution)
        .where(FollowupExecution.plan_id == plan.id)
        .order_by(FollowupExecution.id.desc())
        .limit(1)
    ).one()


@act(
    FollowupPlan,
    "review",
    _l("Review: passed"),
    form=Reviewing,
    moves={PlanState.EXECUTED: PlanState.CLOSED},
    guard=_not_her_own_call,
    icon="clipboard-check",
    tone="accent",
    many=True,
)
def review(
    session: Session,
    plan: FollowupPlan,
    *,
    quality_score: int,
    listened_recording: bool = False,
    is_case: bool = False,
    comment: str | None = None,
    by: Actor,
    at: datetime,
) -> Outcome:
    """Pass what was done: feedback read, recording heard, the next plan there. White paper 2.1.4, 2.22.4."""
    execution = last_execution(session, plan)
    made = FollowupReview(
        plan_id=plan.id,
        execution_id=execution.id,
        reviewer_id=by.employee_id,
        reviewed_at=at,
        passed=True,
        listened_recording=listened_recording,
        quality_score=quality_score,
        is_case=is_case,
        comment=comment,
    )
    session.add(made)
    session.flush()
    return Outcome(result=make_case(session, plan, execution, made) if is_case else None)


@act(
    FollowupPlan,
    "rework",
    _l("Review: do it again"),
    form=Reworking,
    moves={PlanState.EXECUTED: PlanState.APPROVED},
    guard=_not_her_own_call,
    icon="arrow-repeat",
    consequence=_l("It stands in the list again; the next plan that came of it is cancelled unless it is done."),
)
def rework(
    session: Session,
    plan: FollowupPlan,
    *,
    comment: str,
    quality_score: int | None = None,
    listened_recording: bool = False,
    by: Actor,
    at: datetime,
) -> None:
    """Have a call made again, with what was wrong; what it led to and is not done falls away. SM-03."""
    execution = last_execution(session, plan)
    session.add(
        FollowupReview(
            plan_id=plan.id,
            execution_id=execution.id,
            reviewer_id=by.employee_id,
            reviewed_at=at,
            passed=False,
            listened_recording=listened_recording,
            quality_score=quality_score,
            comment=comment,
        )
    )
    following = plan.next_plan
    if following is not None and following.state in AHEAD:
        cancel_plan(following, comment)
    plan.next_plan_id, plan.end_flag, plan.end_reason_id, plan.end_note = None, False, None, None
    plan.executed_at, plan.escalated_at = None, None
    for employee_id in {plan.executor_id, plan.cover_id}:
        tell_of_plan(session, plan, employee_id, "followup_rework", by, reason=comment)
