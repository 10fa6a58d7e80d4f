"""Bad input and bad luck of the follow-up: said beside its field, over REST and on screen; and clocks. 2.22."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, select

from app.errors import IllegalMove, InvalidInput
from app.models.followup import (
    CallMethod,
    FollowupCategory,
    FollowupExecution,
    FollowupPlan,
    FollowupRule,
    PlanState,
)
from app.models.hr import EmployeeState
from app.services.followup import MISSED_CALL, SLIP_LAPSED, Occasion, occur, plans_of
from app.services.followup.overdue import escalate
from app.views.followup import due, overdue

CHINA = ZoneInfo("Asia/Shanghai")
ENDS = {"method": CallMethod.PHONE, "reached": True, "feedback": "恢复良好", "end_flag": True, "end_note": "已恢复"}


@pytest.fixture
def category(session):
    return session.scalars(select(FollowupCategory).where(FollowupCategory.code == "product_advice")).one().id


@pytest.fixture
def approved(do, consultant, supervisor, make_customer, category, at):
    def make(when=None, **values):
        when = when or at
        given = {"category_id": category, "purpose": "跟进意向", "planned_at": when + timedelta(days=1)} | values
        customer = make_customer(consultant, when=when)
        plan = do(
            "followup_plan.draft", consultant, when=when, customer_id=customer.id, submit_now=True, **given
        ).record
        do("followup_plan.approve", supervisor, plan, when=when)
        return plan

    return make


# --- one table of what is refused --------------------------------------------------------------------------------

RULE = {
    "code": "mine", "name": "我的规则", "name_en": "Mine", "trigger": MISSED_CALL, "offset_days": "0",
    "executor_kind": "occasion",
}  # fmt: skip
REFUSED = [
    ("followup_plan", "draft", {"planned_at": "2020-01-01T10:00:00+08:00"}, "planned_at"),
    ("followup_plan", "draft", {"planned_at": "2999-01-01T10:00:00+08:00"}, "planned_at"),
    ("followup_plan", "draft", {"planned_at": "2027-02-30T10:00:00+08:00"}, "planned_at"),
    ("followup_plan", "draft", {"planned_at": "10000-01-01T10:00:00Z"}, "planned_at"),
    ("followup_plan", "draft", {"planned_at": ""}, "planned_at"),
    ("followup_plan", "draft", {"planned_at": {"at": "noon"}}, "planned_at"),
    ("followup_plan", "draft", {"category_id": 10**20}, "category_id"),
    ("followup_plan", "draft", {"executor_id": -1}, "executor_id"),
    ("followup_plan", "draft", {"purpose": "x" * 401}, "purpose"),
    ("followup_plan", "draft", {"purpose": " "}, "purpose"),
    ("followup_rule", "write", {"offset_days": "-61"}, "offset_days"),
    ("followup_rule", "write", {"offset_days": "1101"}, "offset_days"),
    ("followup_rule", "write", {"offset_days": "0.5"}, "offset_days"),
    ("followup_rule", "write", {"offset_days": "eins"}, "offset_days"),
    ("followup_rule", "write", {"offset_days": ""}, "offset_days"),
    ("followup_rule", "write", {"offset_days": "9" * 40}, "offset_days"),
    ("followup_rule", "write", {"offset_days": ",".join(map(str, range(21)))}, "offset_days"),
    ("followup_rule", "write", {"trigger": "full_moon"}, "trigger"),
    ("followup_rule", "write", {"code": "birthday"}, "code"),
    ("followup_rule", "write", {"code": "../etc"}, "code"),
    ("followup_rule", "write", {"executor_kind": "role"}, "executor_role"),
    ("followup_rule", "write", {"executor_role": "guide"}, "executor_role"),
    ("followup_rule", "write", {"executor_kind": "role", "executor_role": "emperor"}, "executor_role"),
]


def test_what_cannot_be_is_said_beside_its_field_over_rest_and_on_screen(
    rest, login, session, make_customer, category, at
):
    """Every line of the table twice, and nothing is kept of any."""
    calls = {"followup_plan": rest("phone_consultant"), "followup_rule": rest("it_manager")}
    clients = {"followup_plan": login("phone_consultant"), "followup_rule": login("it_manager")}
    whole = {
        "followup_plan": {
            "customer_id": make_customer().id, "category_id": category, "purpose": "跟进意向",
            "planned_at": (at + timedelta(days=1)).isoformat(),
        },
        "followup_rule": RULE | {"category_id": category},
    }  # fmt: skip
    session.commit()
    before = [session.scalar(select(func.count()).select_from(table)) for table in (FollowupPlan, FollowupRule)]
    for table, act, wrong, field in REFUSED:
        body = whole[table] | wrong
        answer = calls[table]("POST", f"{table}/{act}", body)
        assert answer.status_code == 422, (wrong, answer.status_code, answer.text[:200])
        assert field in answer.json["errors"], (wrong, answer.json)
        client = clients[table]
        typed = {name: str(value) for name, value in body.items()}
        page = client.post(f"/{table}/act/{act}", data=typed | {"csrf_token": client.token})
        assert page.status_code == 422, (wrong, page.status_code)
    after = [session.scalar(select(func.count()).select_from(table)) for table in (FollowupPlan, FollowupRule)]
    assert after == before


def test_a_rule_keeps_its_trigger_once_it_has_made_plans(do, session, person, consultant, make_slip, at):
    """Else an occasion of the new trigger could be taken for one of the old: both are slips."""
    slip, by = make_slip(), person("it_manager")
    reminder = session.scalars(select(FollowupRule).where(FollowupRule.code == "slip_due")).one()
    said = {name: getattr(reminder, name) for name in ("name", "name_en", "category_id", "executor_kind")}
    with pytest.raises(InvalidInput) as refused:
        do("followup_rule.change", by, reminder, trigger=SLIP_LAPSED, offset_days=[0], **said)
    assert "trigger" in refused.value.errors
    do("followup_rule.change", by, reminder, trigger=reminder.trigger, offset_days=[-1, 0], **said)
    assert slip.id


def test_a_rule_whose_days_are_edited_makes_no_second_plan_of_an_old_day(session, consultant, at):
    """An occasion is told twice, and the rule has more days the second time: only the new day gets a plan."""
    rule = session.scalars(select(FollowupRule).where(FollowupRule.code == "missed_call")).one()
    from app.models.customers import Customer
    from app.models.hr import Branch

    customer = Customer(name="林小雨", branch_id=consultant.branch_id, customer_no="K-1")
    session.add(customer)
    session.flush()
    occasion = Occasion(
        trigger=MISSED_CALL, subject="contact_record:7", day=at.date(), customer=customer,
        branch=session.get_one(Branch, consultant.branch_id),
    )  # fmt: skip
    assert occur(session, occasion, at=at) == 1
    rule.offset_days = [0, 1]
    session.flush()
    assert occur(session, occasion, at=at) == 1
    assert occur(session, occasion, at=at) == 0
    assert [plan.occasion for plan in plans_of(session, occasion)] == ["contact_record:7", "contact_record:7:+1"]


# --- twice, at once, too late ------------------------------------------------------------------------------------


def test_a_double_click_carries_a_call_out_once_and_a_colleague_reads_why_not(
    do, session, approved, consultant, colleague
):
    plan = approved()
    plan.cover_id = colleague.employee_id
    session.flush()
    first = do("followup_plan.execute", consultant, plan, request_key="twice", **ENDS)
    again = do("followup_plan.execute", consultant, plan, request_key="twice", **ENDS)
    assert first.record.id == again.record.id
    with pytest.raises(IllegalMove) as said:
        do("followup_plan.execute", colleague, plan, **ENDS)
    assert consultant.display_name in str(said.value)
    assert session.scalar(select(func.count()).select_from(FollowupExecution)) == 1


def test_who_left_meanwhile_is_named_when_her_plan_is_approved_and_another_takes_it(
    do, session, consultant, colleague, supervisor, make_customer, category, employee, at
):
    given = {"category_id": category, "purpose": "跟进意向", "planned_at": at + timedelta(days=1), "submit_now": True}
    given["executor_id"] = colleague.employee_id
    plan = do("followup_plan.draft", consultant, customer_id=make_customer().id, **given).record
    employee("phone_consultant_2").state = EmployeeState.LEFT
    session.flush()
    with pytest.raises(InvalidInput) as said:
        do("followup_plan.approve", supervisor, plan)
    assert "executor_id" in said.value.errors
    do("followup_plan.approve", supervisor, plan, executor_id=consultant.employee_id)
    assert (plan.state, plan.executor_id) == (PlanState.APPROVED, consultant.employee_id)


def test_the_next_call_of_who_left_is_made_by_who_carried_this_one_out(
    do, session, approved, consultant, colleague, employee, at
):
    plan = approved()
    plan.cover_id = colleague.employee_id
    employee("phone_consultant").state = EmployeeState.LEFT
    session.flush()
    goes_on = ENDS | {"end_flag": False, "end_note": None, "next_planned_at": at + timedelta(days=3)}
    following = do("followup_plan.execute", colleague, plan, **goes_on).result
    assert following.executor_id == colleague.employee_id


def test_nobody_covers_who_is_away_herself(do, consultant, colleague, supervisor, at):
    today = at.astimezone(CHINA).date()
    days = {"from_on": today, "until_on": today + timedelta(days=3)}
    do("followup_cover.arrange", colleague, cover_id=supervisor.employee_id, **days)
    with pytest.raises(InvalidInput) as said:
        do("followup_cover.arrange", consultant, cover_id=colleague.employee_id, **days)
    assert "cover_id" in said.value.errors


# --- clocks ------------------------------------------------------------------------------------------------------

EVE = datetime(2026, 12, 31, 23, 59, 30, tzinfo=CHINA)
#: Promised or not, when one looks, and in which lists it stands: due, overdue.
CLOCKS = [
    (False, datetime(2026, 12, 31, 0, 0, tzinfo=CHINA), True, False),
    (False, datetime(2026, 12, 31, 0, 0, tzinfo=UTC), True, False),  # UTC's midnight is eight in the morning
    (False, datetime(2026, 12, 30, 23, 59, 59, tzinfo=CHINA), False, False),
    (False, datetime(2026, 12, 31, 23, 59, 59, tzinfo=CHINA), True, False),
    (False, datetime(2027, 1, 1, 0, 0, tzinfo=CHINA), True, True),
    (True, datetime(2026, 12, 31, 23, 59, 30, tzinfo=CHINA), True, False),
    (True, datetime(2026, 12, 31, 23, 59, 31, tzinfo=CHINA), True, True),
    (True, datetime(2027, 1, 1, 0, 0, tzinfo=CHINA), True, True),
]


def test_a_call_is_due_and_overdue_by_the_branchs_midnight_and_by_its_promised_minute(session, approved, consultant):
    plan = approved(when=datetime(2026, 12, 29, 10, tzinfo=CHINA), planned_at=EVE)
    for promised, moment, is_due, is_overdue in CLOCKS:
        plan.is_promised = promised
        session.flush()
        found = [
            session.scalar(select(FollowupPlan.id).where(FollowupPlan.id == plan.id, condition(consultant, moment)))
            for condition in (due, overdue)
        ]
        assert [each is not None for each in found] == [is_due, is_overdue], (promised, moment)


def test_a_day_overdue_is_a_day_of_the_branch_over_the_end_of_the_year(session, approved):
    """R-2.22-5: told when the day after its day has ended."""
    approved(when=datetime(2026, 12, 29, 10, tzinfo=CHINA), planned_at=EVE)
    assert escalate(session, at=datetime(2027, 1, 1, 23, 59, 59, tzinfo=CHINA)) == 0
    assert escalate(session, at=datetime(2027, 1, 2, 0, 0, tzinfo=CHINA)) == 1
