"""A supervisor reviews what was done: passes it, or has it done again. White paper 2.1.4, 2.22.4; SM-03, R-2.22-3."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from app.actors import Actor
from app.acts import Outcome, Told, act
from app.errors import Refusal
from app.fields import Flag, HouseForm, Whole, Words
from app.models.followup import FollowupPlan, FollowupReview, PlanState
from app.models.followup.plans import AHEAD
from app.services.followup.cases import make_case
from app.services.followup.drawing_up import tell_of_plan
from app.services.followup.hearing import Heard, Hearing, hearing_of
from app.services.followup.planning import cancel_plan
from app.services.notices import KINDS
from app.services.settings import setting, value_of
from app.words import _, _l

KINDS["followup_rework"] = _l("%(by)s wants the follow-up %(plan)s of %(customer)s done again: %(reason)s")
MUST_HEAR = setting(
    "followup.must_hear",
    _l("A call is reviewed only when its recording was heard"),
    "no",
    "switch",
    help=_l("Who passes a call has listened to its recording before, where there is one."),
    source="R-2.22-3",
)
#: The line of the dialog that has the player, and beside which a review is refused.
RECORDING = "recording"


class Reviewing(HouseForm):
    """审核回访反馈."""

    quality_score = Whole(_l("Quality"), required=True, least=1, most=5, description=_l("1 to 5"))
    is_case = Flag(_l("Make it a case"), description=_l("Without whose it was; you read it over before others see it."))
    comment = Words(_l("Comment"), most=1000, multiline=True)


class Reworking(HouseForm):
    """What was wrong."""

    quality_score = Whole(_l("Quality"), least=1, most=5, description=_l("1 to 5"))
    comment = Words(_l("What is to be done better"), required=True, least=2, most=1000, multiline=True)


def _not_her_own_call(plan: FollowupPlan, by: Actor) -> object | None:
    if by.employee_id is not None and by.employee_id in (plan.executor_id, plan.cover_id):
        return _("You carried this plan out yourself; somebody else reviews it.")
    return None


def told_of_call(session: Session, plan: FollowupPlan, by: Actor) -> list[Told]:
    """Return what the dialog tells: the feedback to be read, what follows, the recording to be heard. 2.22.4."""
    if plan.state is not PlanState.EXECUTED:
        return []
    hearing = hearing_of(session, plan, by)
    ends = plan.end_reason or plan.end_note or _("Ended")
    return [
        Told(_l("Feedback"), value=hearing.execution.feedback),
        Told(_l("What follows"), value=plan.next_plan or _("No further call: %(reason)s", reason=ends)),
        Told(_l("Recording"), name=RECORDING, value=hearing.heard, sound=hearing.call, then=Heard.HEARD),
    ]


def _refuse_unheard(session: Session, plan: FollowupPlan, hearing: Hearing, at: datetime) -> None:
    """Refuse to pass what has a recording that was not heard, where the house demands that. R-2.22-3 [J]."""
    sentences = {
        Heard.NOT_YET: _("Please listen to the recording before you pass the call."),
        Heard.KEPT_FROM: _("There is a recording that you may not hear; somebody who may hear it passes the call."),
    }
    sentence = sentences.get(hearing.heard)
    if sentence is not None and value_of(session, MUST_HEAR, branch_id=plan.branch_id, at=at):
        raise Refusal(sentence, field=RECORDING)


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
    tells=told_of_call,
)
def review(
    session: Session,
    plan: FollowupPlan,
    *,
    quality_score: int,
    is_case: bool = False,
    comment: str | None = None,
    by: Actor,
    at: datetime,
) -> Outcome:
    """Pass what was done: feedback read, recording heard, the next plan there. White paper 2.1.4, 2.22.4.

    Whether she heard the recording is what the book of looks says. Refuses a recording that was not heard, where the
    house demands that it is.
    """
    hearing = hearing_of(session, plan, by)
    _refuse_unheard(session, plan, hearing, at)
    execution = hearing.execution
    made = FollowupReview(
        plan_id=plan.id,
        execution_id=execution.id,
        reviewer_id=by.employee_id,
        reviewed_at=at,
        passed=True,
        listened_recording=hearing.heard is Heard.HEARD,
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
    tells=told_of_call,
    consequence=_l("It stands in the list again; the next plan that came of it is cancelled unless it is done."),
)
def rework(
    session: Session,
    plan: FollowupPlan,
    *,
    comment: str,
    quality_score: int | None = None,
    by: Actor,
    at: datetime,
) -> None:
    """Have a call made again, with what was wrong; what it led to and is not done falls away. SM-03."""
    hearing = hearing_of(session, plan, by)
    session.add(
        FollowupReview(
            plan_id=plan.id,
            execution_id=hearing.execution.id,
            reviewer_id=by.employee_id,
            reviewed_at=at,
            passed=False,
            listened_recording=hearing.heard is Heard.HEARD,
            quality_score=quality_score,
            comment=comment,
        )
    )
    following = plan.next_plan
    if following is not None and following.state in AHEAD:
        cancel_plan(following, comment)
    plan.next_plan_id, plan.end_flag, plan.end_reason_id, plan.end_note = None, False, None, None
    plan.executed_at, plan.escalated_at = None, None
    plan.phone_call_id = None  # the call that is to be made again is another, with a recording of its own
    for employee_id in {plan.executor_id, plan.cover_id}:
        tell_of_plan(session, plan, employee_id, "followup_rework", by, reason=comment)
