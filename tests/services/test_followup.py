"""SM-03: plans by people, from draft to closed. White paper 1.3, 2.1.4, 2.22; R-2.22-1 to -5 and -8."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from app.errors import IllegalMove, InvalidInput, NotPermitted, OutOfScope, Refusal
from app.models.audit import Notice
from app.models.followup import (
    CallMethod,
    CaseState,
    FollowupCategory,
    FollowupExecution,
    FollowupPlan,
    FollowupReview,
    PlanOrigin,
    PlanState,
)
from app.models.hr import EmployeeState
from app.services.followup.cases import HIDDEN, without_identity
from app.services.followup.overdue import escalate
from app.services.scope import in_scope

D, S, A, E, C, X = PlanState
ENDS = {"method": CallMethod.PHONE, "reached": True, "feedback": "恢复良好", "end_flag": True, "end_note": "已恢复"}


@pytest.fixture
def category(session):
    return lambda code: session.scalars(select(FollowupCategory).where(FollowupCategory.code == code)).one()


@pytest.fixture
def draft(do, consultant, make_customer, category, at):
    """A plan of the consultant's for tomorrow; a draft unless it is submitted at once."""

    def make(by=None, customer=None, **values: Any) -> FollowupPlan:
        by = by or consultant
        given = {
            "customer_id": (customer or make_customer(by)).id,
            "category_id": category("product_advice").id,
            "purpose": "跟进双眼皮意向",
            "planned_at": at + timedelta(days=1),
        }
        return do("followup_plan.draft", by, **given | values).record

    return make


@pytest.fixture
def stand(do, draft, supervisor, consultant):
    """A plan in a state, brought there by the acts that lead to it."""

    def bring(state: PlanState, **values: Any) -> FollowupPlan:
        plan = draft(submit_now=state is not D, **values)
        if state in (A, E, C):
            do("followup_plan.approve", supervisor, plan)
        if state in (E, C):
            do("followup_plan.execute", consultant, plan, **ENDS)
        if state is C:
            do("followup_plan.review", supervisor, plan, quality_score=4)
        if state is X:
            do("followup_plan.cancel", consultant, plan, reason="顾客不愿再被联系")
        return plan

    return bring


# --- the decision table of SM-03 ---------------------------------------------------------------------------------

INPUTS: dict[str, dict[str, Any]] = {
    "submit": {},
    "approve": {},
    "send_back": {"reason": "目的不清楚"},
    "execute": ENDS,
    "review": {"quality_score": 4},
    "rework": {"comment": "没有问恢复情况"},
    "cancel": {"reason": "重复了"},
}
TABLE = {
    "submit": {D: S},
    "approve": {S: A},
    "send_back": {S: D},
    "execute": {A: E},
    "review": {E: C},
    "rework": {E: A},
    "cancel": {D: X, S: X, A: X},
}


@pytest.mark.parametrize("act", TABLE)
@pytest.mark.parametrize("state", list(PlanState))
def test_each_act_starts_from_its_states_alone(do, stand, consultant, supervisor, act, state):
    """SM-03; R-2.22-1: only an approved plan is carried out; executed twice is refused."""
    plan = stand(state)
    by = supervisor if act in ("approve", "send_back", "review", "rework") else consultant
    if state in TABLE[act]:
        do(f"followup_plan.{act}", by, plan, **INPUTS[act])
        assert plan.state is TABLE[act][state]
    else:
        with pytest.raises((Refusal, IllegalMove)):
            do(f"followup_plan.{act}", by, plan, **INPUTS[act])
        assert plan.state is state


def test_a_plan_that_nobody_approved_is_not_carried_out_even_by_hand(session, stand):
    """R-2.22-1: the guard below the act."""
    plan = stand(S)
    plan.state = A
    with pytest.raises(IntegrityError, match="approved_by_somebody"):
        session.flush()


# --- drawing up --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("planned_at", timedelta(hours=-1)),
        ("planned_at", timedelta(days=-400)),
        ("planned_at", timedelta(days=4000)),
    ],
)
def test_a_plan_is_for_a_moment_ahead_and_not_too_far(draft, at, field, value):
    with pytest.raises(InvalidInput) as said:
        draft(**{field: at + value})
    assert field in said.value.errors


def test_who_left_is_given_no_plan(session, draft, employee):
    gone = employee("phone_consultant_2")
    gone.state = EmployeeState.LEFT
    session.flush()
    with pytest.raises(InvalidInput) as said:
        draft(executor_id=gone.id)
    assert gone.name in str(said.value.errors["executor_id"])


def test_nobody_approves_what_she_submitted_herself(do, draft, supervisor):
    """R-2.22-1, and the schema says so too."""
    plan = draft(by=supervisor, submit_now=True)
    with pytest.raises(Refusal) as said:
        do("followup_plan.approve", supervisor, plan)
    assert "somebody else" in str(said.value.sentence) or "他人" in str(said.value.sentence)
    assert plan.state is S


def test_the_supervisor_is_told_completes_the_plan_and_marks_it(do, session, draft, supervisor, colleague, consultant):
    """1.3: 指导意见, 关注标记; 2.1.4: she may complete its content; another carries it out."""
    plan = draft(submit_now=True)
    told = session.scalars(select(Notice).where(Notice.kind == "followup_waits", Notice.record_id == plan.id)).all()
    assert supervisor.employee_id in {notice.employee_id for notice in told}
    given = {"guidance": "先问恢复", "focus_flag": True, "content": "介绍恢复期", "executor_id": colleague.employee_id}
    do("followup_plan.approve", supervisor, plan, **given)
    assert (plan.guidance, plan.focus_flag, plan.content, plan.purpose) == (
        "先问恢复",
        True,
        "介绍恢复期",
        "跟进双眼皮意向",
    )
    assert (plan.executor_id, plan.approver_id) == (colleague.employee_id, supervisor.employee_id)
    kinds = {(notice.kind, notice.employee_id) for notice in session.scalars(select(Notice))}
    assert ("followup_given", colleague.employee_id) in kinds
    assert ("followup_approved", consultant.employee_id) in kinds


def test_a_plan_sent_back_says_why_and_is_changed_and_submitted_anew(do, stand, supervisor, consultant, category, at):
    plan = stand(S)
    do("followup_plan.send_back", supervisor, plan, reason="目的不清楚")
    assert plan.send_back_reason == "目的不清楚"
    given = {"category_id": category("answering").id, "purpose": "答复疼痛疑问", "planned_at": at + timedelta(days=2)}
    do("followup_plan.revise", consultant, plan, **given)
    do("followup_plan.submit", consultant, plan)
    assert (plan.state, plan.purpose, plan.send_back_reason) == (S, "答复疼痛疑问", None)


def test_nobody_changes_a_colleagues_draft_and_consultants_approve_nothing(do, stand, colleague, consultant):
    plan = stand(D)
    with pytest.raises(OutOfScope):
        do("followup_plan.submit", colleague, plan)
    with pytest.raises(NotPermitted):
        do("followup_plan.approve", consultant, plan)


# --- carrying out ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("following", "field"),
    [
        ({}, "next_planned_at"),
        ({"end_flag": "1"}, "end_reason_id"),
        ({"end_flag": "1", "next_planned_at": "AHEAD", "end_reason_id": "ITEM"}, "end_flag"),
        ({"next_planned_at": "AHEAD", "abnormal_flag": "1"}, "doctor_id"),
        ({"next_planned_at": "BEFORE"}, "next_planned_at"),
        ({"next_planned_at": "AHEAD", "satisfaction": "6"}, "satisfaction"),
    ],
)
def test_a_call_closes_with_the_next_plan_or_the_end_mark_alone(do, stand, consultant, item, at, following, field):
    """R-2.22-2: neither, both, or half of one is refused beside its field, and nothing is kept."""
    words = {
        "AHEAD": (at + timedelta(days=3)).isoformat(),
        "BEFORE": (at - timedelta(days=1)).isoformat(),
        "ITEM": str(item("followup_end_reason").id),
    }
    inputs = {"method": "phone", "reached": "1", "feedback": "说下周再联系"}
    inputs |= {name: words.get(value, value) for name, value in following.items()}
    plan = stand(A)
    with pytest.raises(InvalidInput) as said:
        do("followup_plan.execute", consultant, plan, inputs=inputs)
    assert field in said.value.errors
    assert plan.state is A


def test_the_schema_lets_no_call_close_without_a_next_plan_or_an_end(session, stand, at):
    """R-2.22-2: the guard below the act."""
    plan = stand(A)
    plan.state, plan.executed_at = E, at
    with pytest.raises(IntegrityError, match="next_or_end"):
        session.flush()


def test_the_next_plan_is_submitted_in_the_same_step_and_waits_for_approval(do, session, stand, consultant, at):
    """2.1.4: after a follow-up the next plan must be submitted."""
    plan = stand(A)
    given = {**ENDS, "end_flag": False, "end_note": None, "next_planned_at": at + timedelta(days=3)}
    following = do("followup_plan.execute", consultant, plan, **given).result
    assert (plan.state, plan.next_plan_id, plan.end_flag) == (E, following.id, False)
    assert (following.state, following.origin, following.submitter_id) == (S, PlanOrigin.MANUAL, consultant.employee_id)
    assert (following.customer_id, following.category_id) == (plan.customer_id, plan.category_id)
    with pytest.raises((Refusal, IllegalMove)):
        do("followup_plan.execute", consultant, following, **ENDS)
    done = session.scalars(select(FollowupExecution).where(FollowupExecution.plan_id == plan.id)).one()
    assert (done.feedback, done.method, done.reached, done.executor_id) == (
        "恢复良好",
        CallMethod.PHONE,
        True,
        consultant.employee_id,
    )


def test_something_abnormal_is_the_doctors_task_the_same_day(do, session, stand, consultant, person, at):
    """R-2.22-4."""
    doctor = person("doctor")
    plan = stand(A)
    given = ENDS | {"feedback": "伤口红肿发热", "abnormal_flag": True, "doctor_id": doctor.employee_id}
    do("followup_plan.execute", consultant, plan, **given)
    task = session.scalars(select(FollowupPlan).where(FollowupPlan.executor_id == doctor.employee_id)).one()
    assert (task.state, task.focus_flag, task.content, task.customer_id) == (A, True, "伤口红肿发热", plan.customer_id)
    assert task.planned_on == at.astimezone(consultant.timezone).date()
    told = session.scalars(select(Notice).where(Notice.kind == "followup_abnormal")).one()
    assert (told.employee_id, told.record_id) == (doctor.employee_id, task.id)
    do("followup_plan.execute", doctor, task, **ENDS)
    assert task.state is E


def test_a_slip_of_another_customer_did_not_come_of_the_call(do, stand, consultant, make_slip):
    plan, other = stand(A), make_slip()
    with pytest.raises(InvalidInput) as said:
        do("followup_plan.execute", consultant, plan, **ENDS, appointment_slip_id=other.id)
    assert "appointment_slip_id" in said.value.errors


def test_a_plan_is_carried_out_by_its_executor_or_cover_alone(do, stand, supervisor):
    plan = stand(A)
    with pytest.raises(Refusal):
        do("followup_plan.execute", supervisor, plan, **ENDS)


# --- reviewing ---------------------------------------------------------------------------------------------------


def test_a_review_grades_the_call_and_nobody_reviews_her_own(do, session, stand, supervisor, draft, person):
    """R-2.22-3, 2.1.4."""
    plan = stand(E)
    do("followup_plan.review", supervisor, plan, quality_score=5, comment="开场好")
    seen = session.scalars(select(FollowupReview)).one()
    assert (seen.plan_id, seen.passed, seen.quality_score) == (plan.id, True, 5)
    hers = draft(by=supervisor, submit_now=True)
    do("followup_plan.approve", person("department_head"), hers)
    do("followup_plan.execute", supervisor, hers, **ENDS)
    with pytest.raises(Refusal):
        do("followup_plan.review", supervisor, hers, quality_score=5)


def test_a_call_done_again_loses_its_next_plan_and_is_carried_out_a_second_time(
    do, session, stand, supervisor, consultant, at
):
    """SM-03: executed, 审核不合格, approved."""
    plan = stand(A)
    given = {**ENDS, "end_flag": False, "end_note": None, "next_planned_at": at + timedelta(days=3)}
    following = do("followup_plan.execute", consultant, plan, **given).result
    do("followup_plan.rework", supervisor, plan, comment="没有问恢复情况")
    assert (plan.state, plan.next_plan_id, plan.executed_at, following.state) == (A, None, None, X)
    told = session.scalars(select(Notice).where(Notice.kind == "followup_rework")).one()
    assert told.employee_id == consultant.employee_id
    do("followup_plan.execute", consultant, plan, **ENDS)
    do("followup_plan.review", supervisor, plan, quality_score=3)
    assert [seen.passed for seen in session.scalars(select(FollowupReview).order_by(FollowupReview.id))] == [
        False,
        True,
    ]


# --- cases -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("林小雨说恢复良好", f"{HIDDEN}说恢复良好"),
        ("小雨明天来", f"{HIDDEN}明天来"),
        ("林女士很满意，林姐还介绍了朋友", f"{HIDDEN}很满意，{HIDDEN}还介绍了朋友"),
        ("电话 138 1234 5678 或 13812345678", f"电话 {HIDDEN} 或 {HIDDEN}"),
        ("身份证31010119900307561X", f"身份证{HIDDEN}"),
        ("邮箱 lin@example.com", f"邮箱 {HIDDEN}"),
        ("微信 xiaoyu_77", f"微信 {HIDDEN}"),
        ("术后第 3 天，价格 7800 元", "术后第 3 天，价格 7800 元"),
        ("树林里", "树林里"),
    ],
)
def test_a_case_names_nobody(make_customer, text, left):
    """R-2.22-8, 设为案例: names and what they become, numbers and accounts go; the rest stays."""
    assert without_identity(text, make_customer(), ("xiaoyu_77",)) == left


def test_a_case_is_read_over_before_others_see_it(do, session, stand, supervisor, consultant):
    """R-2.22-8."""
    plan = stand(A)
    do("followup_plan.execute", consultant, plan, **ENDS | {"feedback": "林小雨恢复良好"})
    case = do("followup_plan.review", supervisor, plan, quality_score=5, is_case=True, comment="称呼林姐很亲切").result
    assert (case.state, case.feedback, case.lesson) == (CaseState.DRAFT, f"{HIDDEN}恢复良好", f"称呼{HIDDEN}很亲切")
    words = {"title": "恢复期回访", "category_id": case.category_id, "feedback": "打 13812345678 联系"}
    with pytest.raises(InvalidInput) as said:
        do("followup_case.revise", supervisor, case, inputs={name: str(value) for name, value in words.items()})
    assert "feedback" in said.value.errors
    with pytest.raises(NotPermitted):
        do("followup_case.publish", consultant, case)
    do("followup_case.publish", supervisor, case)
    assert case.state is CaseState.PUBLISHED
    assert "customer" not in {column.name for column in case.__table__.columns}


# --- nobody is forgotten -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("days", "told"), [(0, 0), (1, 0), (2, 1), (30, 1)])
def test_what_is_overdue_by_a_day_reaches_the_supervisor_once(session, stand, supervisor, at, days, told):
    """R-2.22-5: planned for tomorrow; a day late the day after the next."""
    noon = (at + timedelta(days=1)).astimezone(supervisor.timezone).replace(hour=12)
    plan = stand(A, planned_at=noon)
    later = noon + timedelta(days=days)
    first = escalate(session, at=later)
    assert first == told
    assert escalate(session, at=later + timedelta(hours=1)) == 0
    notices = session.scalars(select(Notice).where(Notice.kind == "followup_overdue")).all()
    assert [notice.employee_id for notice in notices].count(supervisor.employee_id) == told
    assert (plan.escalated_at is not None) is bool(told)


def test_a_cover_sees_and_does_the_plans_of_these_days_and_then_no_more(
    do, session, stand, consultant, colleague, supervisor, at, category
):
    """2.22: cover for an absence, from a day to a day; plans made meanwhile go along."""
    inside, outside = stand(A), stand(A, planned_at=at + timedelta(days=9))
    today = at.astimezone(consultant.timezone).date()
    days = {"from_on": today, "until_on": today + timedelta(days=2)}
    assert session.scalars(in_scope(FollowupPlan, colleague)).all() == []
    cover = do("followup_cover.arrange", consultant, cover_id=colleague.employee_id, **days).record
    later = stand(A)
    seen = {plan.id for plan in session.scalars(in_scope(FollowupPlan, colleague))}
    assert seen == {inside.id, later.id}
    do("followup_plan.execute", colleague, inside, **ENDS)
    assert inside.state is E
    with pytest.raises(InvalidInput):
        do("followup_cover.arrange", consultant, cover_id=supervisor.employee_id, **days)
    do("followup_cover.end", consultant, cover)
    assert (later.cover_id, outside.cover_id) == (None, None)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"cover_id": "SELF"}, "cover_id"),
        ({"until_on": -1, "from_on": -3}, "until_on"),
        ({"cover_id": "CASHIER"}, "cover_id"),
    ],
)
def test_a_cover_is_somebody_else_who_sees_plans_on_days_ahead(do, consultant, colleague, person, at, change, field):
    people = {"SELF": consultant.employee_id, "CASHIER": person("cashier").employee_id}
    today = at.astimezone(consultant.timezone).date()
    given: dict[str, Any] = {"cover_id": colleague.employee_id, "from_on": 0, "until_on": 2} | change
    given["cover_id"] = people.get(given["cover_id"], given["cover_id"])
    given |= {name: today + timedelta(days=given[name]) for name in ("from_on", "until_on")}
    with pytest.raises(InvalidInput) as said:
        do("followup_cover.arrange", consultant, **given)
    assert field in said.value.errors


def test_plans_are_handed_over_and_put_off(do, session, stand, supervisor, colleague, consultant, at):
    plan = stand(A)
    do("followup_plan.hand_over", supervisor, plan, executor_id=colleague.employee_id, reason="休假")
    assert (plan.executor_id, plan.state) == (colleague.employee_id, A)
    do("followup_plan.reschedule", colleague, plan, planned_at=at + timedelta(hours=2), is_promised=True)
    assert (plan.planned_at, plan.is_promised, plan.state) == (at + timedelta(hours=2), True, A)
    with pytest.raises(InvalidInput):
        do("followup_plan.reschedule", colleague, plan, planned_at=at - timedelta(hours=2))
