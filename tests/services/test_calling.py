"""Whom a plan may call now, and what stands where in the working list. R-2.22-6, 2.22."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select
from werkzeug.datastructures import MultiDict

from app.acts import REGISTRY
from app.errors import Refusal, Warned
from app.models.contacting import ContactWay, OptOutKind
from app.models.followup import FollowupCategory, FollowupPlan, PlanOrigin, PlanState
from app.services.followup.calling import why_not
from app.services.followup.working import Clocks, Rank, calls_of
from app.services.runner import run
from app.services.scope import in_scope

CHINA = ZoneInfo("Asia/Shanghai")
NOON = datetime(2026, 11, 24, 12, tzinfo=CHINA)
ENDS = {"reached": "1", "feedback": "恢复良好", "end_flag": "1"}

pytestmark = pytest.mark.usefixtures("nights")


@pytest.fixture
def plan_of(session, consultant, supervisor, employee):
    """An approved plan for an hour, past ones too."""
    numbers = iter(range(10_000))
    her = employee("phone_consultant")

    def make(customer, planned_at: datetime, category: str = "satisfaction", **values: Any) -> FollowupPlan:
        kind = session.scalars(select(FollowupCategory).where(FollowupCategory.code == category)).one()
        given = {
            "state": PlanState.APPROVED, "executor_id": her.id, "submitter_id": her.id,
            "approver_id": supervisor.employee_id, "submitted_at": NOON, "approved_at": NOON,
            "department_id": her.department_id,
        }  # fmt: skip
        plan = FollowupPlan(
            plan_no=f"T{next(numbers):05d}", origin=PlanOrigin.MANUAL,
            branch_id=consultant.branch_id, customer_id=customer.id, category_id=kind.id, purpose="问候",
            planned_at=planned_at, **given | values,
        )  # fmt: skip
        session.add(plan)
        session.commit()
        return plan

    return make


@pytest.fixture
def write_down(session, consultant, item):
    """Write a call down as a person does, who is warned; ``anyway``: once she has read what speaks against it."""

    def go(plan, method, at, *, anyway=False):
        inputs = MultiDict(ENDS | {"method": method, "end_reason_id": str(item("followup_end_reason").id)})
        act = REGISTRY.find("followup_plan", "execute")
        asked = {"by": consultant, "at": at, "record_id": plan.id, "inputs": inputs}
        if anyway:
            with pytest.raises(Warned) as said:
                run(session, act, **asked)
            asked["warned"] = said.value.token
        return run(session, act, **asked)

    return go


@pytest.mark.parametrize(
    ("asked_for", "hour", "minute", "method", "answer"),
    [
        (False, 12, 0, "phone", "done"),
        (False, 21, 20, "phone", "warned"),  # ended before nine, written down now
        (False, 22, 0, "phone", "refused"),
        (False, 22, 0, "sms", "refused"),
        (False, 22, 0, "face", "done"),
        (True, 22, 0, "phone", "warned"),
        (True, 22, 0, "wechat", "warned"),
    ],
)
def test_at_night_only_a_call_that_she_asked_for_is_written_down_once_it_was_thought_over(
    make_customer, plan_of, write_down, asked_for, hour, minute, method, answer
):
    at = NOON.replace(hour=hour, minute=minute)
    plan = plan_of(make_customer(), at - timedelta(minutes=5), is_promised=asked_for)
    if answer == "refused":
        with pytest.raises(Refusal) as said:
            write_down(plan, method, at)
        assert (said.value.field, "21:00" in said.value.sentence) == ("method", True)
        assert plan.state is PlanState.APPROVED
        return
    write_down(plan, method, at, anyway=answer == "warned")
    assert plan.state is PlanState.EXECUTED


@pytest.mark.parametrize(
    ("channel", "kind", "category", "promised", "method", "refused"),
    [
        (ContactWay.PHONE, OptOutKind.ALL, "satisfaction", True, "phone", True),
        (ContactWay.PHONE, OptOutKind.ALL, "satisfaction", True, "wechat", False),
        (ContactWay.ALL, OptOutKind.ALL, "satisfaction", True, "wechat", True),
        (ContactWay.ALL, OptOutKind.ALL, "satisfaction", True, "face", False),
        (ContactWay.PHONE, OptOutKind.MARKETING, "satisfaction", True, "phone", False),
        (ContactWay.PHONE, OptOutKind.MARKETING, "event", False, "phone", True),
        (ContactWay.PHONE, OptOutKind.MARKETING, "event", True, "phone", False),  # she asked to be told
    ],
)
def test_a_way_that_she_does_not_want_is_refused_even_for_a_promised_call(
    do, consultant, make_customer, plan_of, write_down, channel, kind, category, promised, method, refused
):
    customer = make_customer()
    plan = plan_of(customer, NOON, category, is_promised=promised)
    do("customer.opt_out", consultant, customer, channel=channel, kind=kind, when=NOON)
    if refused:
        with pytest.raises(Refusal) as said:
            write_down(plan, method, NOON)
        assert said.value.field == "method"
    else:
        write_down(plan, method, NOON)
    assert (plan.state is PlanState.APPROVED) is refused


def test_the_page_says_why_she_may_not_be_called_now(session, do, consultant, make_customer, plan_of):
    customer = make_customer()
    plan = plan_of(customer, NOON)
    assert why_not(session, plan, NOON) is None
    assert "21:00" in why_not(session, plan, NOON.replace(hour=23))
    with session.no_autoflush:
        plan.customer = None  # a number that nobody has yet
        assert "21:00" in why_not(session, plan, NOON.replace(hour=23))
        plan.customer = customer
    do("customer.opt_out", consultant, customer, channel=ContactWay.PHONE, kind=OptOutKind.ALL, when=NOON)
    assert why_not(session, plan, NOON) is not None
    assert why_not(session, plan, NOON, ContactWay.SMS) is None


def test_promised_at_its_minute_then_overdue_then_focus_then_by_the_hour(session, consultant, make_customer, plan_of):
    """2.22: a call-back time promised to the customer goes to the top of the list at its minute."""
    her = make_customer()
    late = plan_of(her, NOON + timedelta(hours=3))
    focus = plan_of(her, NOON + timedelta(hours=5), focus_flag=True)
    yesterday = plan_of(her, NOON - timedelta(days=1))
    promised = plan_of(her, NOON + timedelta(minutes=30), is_promised=True)
    soon = plan_of(her, NOON + timedelta(hours=1))
    plan_of(her, NOON + timedelta(days=1))
    plan_of(her, NOON, state=PlanState.SUBMITTED)

    def order(at):
        return [(call.plan.id, call.rank) for call in calls_of(session, consultant, at, most=50).calls]

    rest = [(yesterday.id, Rank.OVERDUE), (focus.id, Rank.FOCUS)]
    today = [(promised.id, Rank.TODAY), (soon.id, Rank.TODAY), (late.id, Rank.TODAY)]
    assert order(NOON) == [*rest, *today]
    assert order(promised.planned_at) == [(promised.id, Rank.PROMISED), *rest, *today[1:]]
    first = calls_of(session, consultant, NOON, most=2)
    assert ([call.plan.id for call in first.calls], first.total, first.after) == (
        [yesterday.id, focus.id], 5, promised.id,
    )  # fmt: skip


def test_a_call_put_off_keeps_its_hour_outside_the_quiet_hours(session, consultant, make_customer, plan_of):
    night, day = plan_of(make_customer(), NOON.replace(hour=22)), plan_of(make_customer(), NOON.replace(minute=40))
    clocks = Clocks(session, day.branch, NOON)
    assert [clocks.written(each, NOON.date()) for each in (night, day)] == ["2026-11-24T09:00", "2026-11-24T12:40"]


def test_whom_one_calls_for_a_colleague_one_can_look_at_until_it_is_done(
    session, do, consultant, person, make_customer, plan_of
):
    from app.models.customers import Customer

    customer, other = make_customer(), person("web_consultant")
    plan = plan_of(customer, NOON)
    seen = in_scope(Customer, other).where(Customer.id == customer.id)
    assert session.scalars(seen).all() == []
    plan.cover_id = other.employee_id
    session.flush()
    assert session.scalars(seen).all() == [customer]
    plan.state, plan.cancel_reason = PlanState.CANCELLED, "不再需要"
    session.flush()
    assert session.scalars(seen).all() == []
