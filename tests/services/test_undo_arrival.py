"""An arrival by mistake is taken back on its day. SM-02, R07, R-2.1.2-2."""

from __future__ import annotations

from datetime import datetime, time, timedelta

import pytest
from sqlalchemy import select

from app.errors import IllegalMove, InvalidInput, NotPermitted, Refusal
from app.models.appointments import SlipState
from app.models.audit import ActRun, Notice
from app.models.followup import FollowupPlan, PlanState
from app.services.appointments import expire_due


@pytest.fixture
def boss(person):
    return person("guide_supervisor")


@pytest.fixture
def noon(at, consultant):
    """Today at twelve by the branch's clock."""
    return datetime.combine(at.astimezone(consultant.timezone).date(), time(12), consultant.timezone)


@pytest.fixture
def arrived(do, guide, make_slip, noon):
    """A slip for the day after tomorrow that was marked as arrived today by mistake."""
    start = noon + timedelta(days=2)
    slip = make_slip(when_placed=noon, appointed_at=start, latest_arrival_at=start + timedelta(hours=1))
    do("appointment_slip.arrive", guide, slip, when=noon)
    return slip


@pytest.fixture
def make_slip(do, consultant, make_customer, noon):
    """As everywhere, placed at noon."""

    def make(by=None, customer=None, when_placed=None, **values):
        values.setdefault("appointed_at", noon + timedelta(hours=1))
        values.setdefault("latest_arrival_at", values["appointed_at"] + timedelta(hours=1))
        values.update(customer_id=(customer or make_customer()).id, intention="A", channel="phone")
        return do("appointment_slip.place", by or consultant, when=when_placed or noon, **values).record

    return make


def undo(do, boss, slip, when, reason="点错了客户"):
    do("appointment_slip.undo_arrival", boss, slip, when=when, reason=reason)


def test_the_slip_is_awaited_again_and_everything_that_followed_is_taken_back(do, boss, arrived, session, noon):
    undo(do, boss, arrived, noon + timedelta(minutes=5))
    session.expire_all()
    assert (arrived.state, arrived.arrived_at, arrived.guide_id) == (SlipState.PENDING, None, None)
    assert (arrived.customer.first_visit_at, arrived.customer.last_visit_at) == (None, None)
    plan = session.scalars(select(FollowupPlan).where(FollowupPlan.appointment_slip_id == arrived.id)).one()
    assert (plan.trigger, plan.state) == ("slip_due", PlanState.APPROVED), "tomorrow's reminder is asked for again"


def test_the_arrival_stays_in_the_history_and_the_owner_is_told(do, boss, arrived, session, noon):
    undo(do, boss, arrived, noon + timedelta(minutes=5))
    runs = session.scalars(select(ActRun).where(ActRun.record_id == arrived.id).order_by(ActRun.id)).all()
    assert [(run.act, run.from_state, run.to_state) for run in runs[-2:]] == [
        ("arrive", "pending", "arrived"),
        ("undo_arrival", "arrived", "pending"),
    ]
    assert runs[-1].inputs == {"reason": "点错了客户"}
    told = session.scalars(select(Notice).where(Notice.kind == "arrival_undone")).one()
    assert (told.employee_id, told.facts["slip"]) == (arrived.owner_id, arrived.slip_no)


def test_it_arrives_again_when_she_really_comes(do, boss, guide, arrived, noon):
    undo(do, boss, arrived, noon + timedelta(minutes=5))
    do("appointment_slip.arrive", guide, arrived, when=noon + timedelta(days=2))
    assert arrived.customer.first_visit_at == noon + timedelta(days=2)


def test_a_slip_that_had_lapsed_is_lapsed_again_with_its_follow_up(do, boss, guide, make_slip, session, noon):
    """It lapsed once; lapsing anew would count it twice (RPT-02) and find its follow-up made already."""
    slip = make_slip()
    late = noon + timedelta(hours=4)
    expire_due(session, at=late)
    assert slip.state is SlipState.EXPIRED
    do("appointment_slip.arrive", guide, slip, when=late + timedelta(minutes=30))
    undo(do, boss, slip, late + timedelta(minutes=40))
    session.expire_all()
    assert (slip.state, slip.arrived_at, slip.expired_at) == (SlipState.EXPIRED, None, late)
    plans = session.scalars(select(FollowupPlan).where(FollowupPlan.appointment_slip_id == slip.id)).all()
    assert {(plan.trigger, plan.state) for plan in plans} == {("slip_lapsed", PlanState.APPROVED)}


def test_only_on_the_same_day_of_the_branch(do, boss, arrived, noon):
    """Until midnight by the branch's clock, not by UTC's."""
    midnight = noon + timedelta(hours=12)
    with pytest.raises(Refusal):
        undo(do, boss, arrived, midnight)
    assert arrived.state is SlipState.ARRIVED
    undo(do, boss, arrived, midnight - timedelta(minutes=1))
    assert arrived.state is SlipState.PENDING


def test_not_while_the_customer_has_another_awaited_slip(do, boss, arrived, make_slip, supervisor, noon):
    """R-2.1.2-2."""
    other = make_slip(customer=arrived.customer)
    with pytest.raises(Refusal) as said:
        undo(do, boss, arrived, noon + timedelta(minutes=5))
    assert other.slip_no in said.value.sentence
    do("appointment_slip.void", supervisor, other, reason="下错了")
    undo(do, boss, arrived, noon + timedelta(minutes=6))
    assert arrived.state is SlipState.PENDING


def test_a_completed_visit_stays(do, boss, arrived, noon):
    do("appointment_slip.complete", boss, arrived, when=noon)
    with pytest.raises(IllegalMove):
        undo(do, boss, arrived, noon + timedelta(minutes=5))


def test_an_earlier_arrival_stays_the_customers_first_visit(do, boss, guide, arrived, make_slip, noon):
    second = make_slip(customer=arrived.customer)
    do("appointment_slip.arrive", guide, second, when=noon + timedelta(hours=1))
    undo(do, boss, second, noon + timedelta(hours=2))
    assert (second.customer.first_visit_at, second.customer.last_visit_at) == (noon, noon)


def test_the_guides_supervisor_gives_a_reason(do, boss, guide, supervisor, arrived, noon):
    """R07; nobody else."""
    for other in (guide, supervisor):
        with pytest.raises(NotPermitted):
            undo(do, other, arrived, noon)
    with pytest.raises(InvalidInput) as said:
        do("appointment_slip.undo_arrival", boss, arrived, when=noon, inputs={})
    assert set(said.value.errors) == {"reason"}
