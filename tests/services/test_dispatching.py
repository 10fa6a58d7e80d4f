"""改派: a slip changes hands and nothing else. White paper 2.1.3.2 b, R-2.1.3-3 and -4, R04."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from app.errors import InvalidInput, NotPermitted, OutOfScope, Refusal
from app.models.appointments import AppointmentSlip, SlipState
from app.models.audit import Notice
from app.models.customers import FileState
from app.models.followup import FollowupPlan, PlanState
from app.models.hr import EmployeeState
from app.services.appointments import chain_of, expire_due, hand_over_slip
from app.services.appointments.placing import SAID


@pytest.fixture
def rich_slip(make_slip, item, at):
    """A slip that says something in every field, for the day after tomorrow, so that its reminder is still to come."""
    day = at + timedelta(days=2)
    return make_slip(
        appointed_at=day,
        latest_arrival_at=day + timedelta(hours=1),
        item_ids=[item("appointment_item").id],
        need_text="想做双眼皮",
        quoted_text="面诊免费",
        companion_count=2,
        remark="下午联系",
    )


DONE = {"method": "phone", "reached": True, "end_flag": True, "end_note": "会到"}


def plans_of(session, slip):
    rows = session.scalars(select(FollowupPlan).where(FollowupPlan.appointment_slip_id == slip.id))
    return [(plan.trigger, plan.state, plan.executor_id, plan.planned_on) for plan in rows]


def test_a_slip_changes_hands_and_keeps_what_it_says(do, supervisor, colleague, session, rich_slip, at):
    """R-2.1.3-3, R-2.1.3-4: words, items, times, first placing; the old one is void and not deleted."""
    said = {name: getattr(rich_slip, name) for name in SAID}
    new = do("appointment_slip.dispatch", supervisor, rich_slip, owner_id=colleague.employee_id).result
    session.expire_all()
    assert {name: getattr(new, name) for name in SAID} == said
    assert (new.state, rich_slip.state) == (SlipState.PENDING, SlipState.REPLACED)
    assert (new.owner_id, new.department_id) == (colleague.employee_id, colleague.department_id)
    assert (new.first_owner_id, new.first_ordered_at) == (rich_slip.first_owner_id, rich_slip.first_ordered_at)
    assert (new.customer_id, new.channel, new.contact_record_id) == (
        rich_slip.customer_id,
        rich_slip.channel,
        rich_slip.contact_record_id,
    )
    assert [link.id for link in chain_of(session, new)] == [rich_slip.id, new.id]
    assert rich_slip.closed_at == at


def test_its_reminder_moves_and_both_owners_are_told(do, supervisor, colleague, session, rich_slip):
    """R-2.1.2-4 goes along; 2.1.3.2 b."""
    (_rule, _state, _who, day) = plans_of(session, rich_slip)[0]
    new = do("appointment_slip.dispatch", supervisor, rich_slip, owner_id=colleague.employee_id).result
    assert [plan[1] for plan in plans_of(session, rich_slip)] == [PlanState.CANCELLED]
    assert plans_of(session, new) == [("slip_due", PlanState.APPROVED, colleague.employee_id, day)]
    told = {notice.employee_id: notice.kind for notice in session.scalars(select(Notice))}
    assert told == {rich_slip.owner_id: "slip_handed_over", colleague.employee_id: "slip_received"}


def test_a_reminder_that_was_made_is_not_asked_for_again(do, consultant, supervisor, colleague, session, rich_slip):
    plan = session.scalars(select(FollowupPlan).where(FollowupPlan.appointment_slip_id == rich_slip.id)).one()
    do("followup_plan.execute", consultant, plan, feedback="会准时到", **DONE)
    new = do("appointment_slip.dispatch", supervisor, rich_slip, owner_id=colleague.employee_id).result
    assert plans_of(session, new) == []


def test_a_lapsed_slip_stays_lapsed_in_other_hands(do, supervisor, colleague, session, make_slip):
    """SM-02: a hand-over is no new promise; the follow-up of the lapse moves along (R-2.1.2-3)."""
    slip = make_slip()
    late = slip.latest_arrival_at + timedelta(hours=2)
    expire_due(session, at=late)
    new = do(
        "appointment_slip.dispatch",
        supervisor,
        slip,
        when=late + timedelta(hours=1),
        owner_id=colleague.employee_id,
        reason="休产假",
    ).result
    assert (new.state, new.expired_at) == (SlipState.EXPIRED, late)
    open_plans = [plan for plan in plans_of(session, new) if plan[1] is PlanState.APPROVED]
    assert [(plan[0], plan[2]) for plan in open_plans] == [("slip_lapsed", colleague.employee_id)] * 3


def test_an_appointment_of_this_morning_is_handed_over_although_its_time_has_passed(
    do, supervisor, colleague, make_slip
):
    slip = make_slip()
    new = do(
        "appointment_slip.dispatch",
        supervisor,
        slip,
        when=slip.latest_arrival_at + timedelta(minutes=1),
        owner_id=colleague.employee_id,
    ).result
    assert (new.state, new.appointed_at) == (SlipState.PENDING, slip.appointed_at)


def test_who_may_dispatch_and_to_whom(do, consultant, colleague, supervisor, person, make_slip):
    """R04: supervisors, their departments; the decision table."""
    with pytest.raises(NotPermitted):
        do("appointment_slip.dispatch", consultant, make_slip(), owner_id=colleague.employee_id)
    with pytest.raises(OutOfScope):
        do("appointment_slip.dispatch", person("web_supervisor"), make_slip(), owner_id=colleague.employee_id)
    slip = make_slip(preferred_consultant_id=person("web_supervisor").employee_id)
    with pytest.raises(Refusal):
        do("appointment_slip.dispatch", person("web_supervisor"), slip, owner_id=person("web_consultant").employee_id)
    for wrong in ("web_consultant", "b2_phone_consultant", "phone_consultant"):
        with pytest.raises(InvalidInput) as said:
            do("appointment_slip.dispatch", supervisor, make_slip(), owner_id=person(wrong).employee_id)
        assert set(said.value.errors) == {"owner_id"}


def test_hand_over_slip_serves_other_acts(session, hr_actor, employee, make_slip, at):
    """It asks for no right, moves the slip itself, and refuses what is closed, another branch and who has left."""
    slip, owner = make_slip(), employee("phone_consultant_2")
    new = hand_over_slip(session, slip, owner, by=hr_actor, at=at)
    assert (slip.state, new.state, new.owner_id) == (SlipState.REPLACED, SlipState.PENDING, owner.id)
    with pytest.raises(Refusal):
        hand_over_slip(session, slip, owner, by=hr_actor, at=at)
    with pytest.raises(Refusal):
        hand_over_slip(session, new, employee("b2_phone_consultant"), by=hr_actor, at=at)
    owner.state = EmployeeState.LEFT
    with pytest.raises(Refusal):
        hand_over_slip(session, make_slip(), owner, by=hr_actor, at=at)


@pytest.fixture
def hr_actor(person):
    return person("hr")


def test_a_frozen_file_takes_no_slip_and_its_customer_is_not_received(
    do, supervisor, consultant, colleague, guide, session, make_slip, slip_times
):
    """SM-01: freezing promises no new slips; neither redone, handed over nor received."""
    slip = make_slip()
    slip.customer.state = FileState.FROZEN
    session.commit()
    for act, by, values in (
        ("redo", consultant, slip_times),
        ("dispatch", supervisor, {"owner_id": colleague.employee_id}),
        ("arrive", guide, {}),
    ):
        with pytest.raises(Refusal, match=str(FileState.FROZEN.label)):
            do(f"appointment_slip.{act}", by, slip, **values)
    assert slip.state is SlipState.PENDING


def test_the_slip_of_a_frozen_file_goes_over_when_its_owner_leaves(do, person, employee, session, make_slip):
    """4.2.2: nothing is lost."""
    slip, to = make_slip(), employee("phone_consultant_2")
    slip.customer.state = FileState.FROZEN
    session.flush()
    do("employee.leave", person("hr"), employee("phone_consultant"), reason="离职", successor_employee_id=to.id)
    new = session.scalars(select(AppointmentSlip).where(AppointmentSlip.supersedes_id == slip.id)).one()
    assert (new.owner_id, new.state) == (to.id, SlipState.PENDING)


def test_a_slip_whose_owner_has_left_is_not_redone_for_her(do, supervisor, employee, session, make_slip, slip_times):
    """Nobody receives a slip after she has left."""
    slip = make_slip()
    employee("phone_consultant").state = EmployeeState.LEFT
    session.flush()
    with pytest.raises(InvalidInput) as said:
        do("appointment_slip.redo", supervisor, slip, **slip_times)
    assert set(said.value.errors) == {"owner_id"}
