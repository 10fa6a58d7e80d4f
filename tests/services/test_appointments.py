"""The appointment desk, rule by rule. White paper 2.1.1-2.1.3, SM-02."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from app.actors import house
from app.errors import IllegalMove, InvalidInput, NotPermitted, OutOfScope, Refusal
from app.models.appointments import Answered, AppointmentSlip, Channel, ContactRecord, Intention, SlipState
from app.models.audit import ActRun, Notice, SensitiveViewLog
from app.models.customers import ChannelPartner, Customer, SourceChannel
from app.models.followup import FollowupPlan, FollowupRule, PlanState
from app.services.appointments import chain_of, expire_due
from app.services.settings import (
    FURTHEST_DAYS,
    GRACE_MINUTES,
    NUMBER_UNIQUE,
    ONE_OPEN_SLIP,
    PRINT_ON_ARRIVAL,
)

# --- 2.1.1: every contact is registered ---------------------------------------------------------------------------


@pytest.mark.parametrize("category", ["项目咨询", "误拨", "应聘"])
def test_every_call_is_registered_also_the_wrong_number(do, consultant, item, phone, session, category):
    """R-2.1.1-1."""
    from app.models.settings import DictionaryItem

    reason = session.scalars(select(DictionaryItem).where(DictionaryItem.name == category)).one()
    record = do(
        "contact_record.register_call", consultant, caller_no=phone(), business_category_id=reason.id, content="……"
    ).record
    assert record.customer_id is None
    assert record.consultant_id == consultant.employee_id
    assert record.answered_at is not None
    assert record.missed_at is None


def test_a_call_from_a_known_number_is_matched_to_its_customer(do, consultant, item, make_customer):
    """R-2.1.1-2."""
    customer = make_customer(phone="13911112222")
    done = do(
        "contact_record.register_call",
        consultant,
        caller_no="13911112222",
        business_category_id=item("business_category").id,
    )
    assert done.record.customer_id == customer.id
    assert consultant.display_name in done.notice


def test_a_known_number_is_never_doubled_silently_but_names_owner_since_and_rule(
    do, make_customer, colleague, consultant, at
):
    """R-2.1.1-2: the 撞单 question is answered with owner, since when and by what rule, not with the customer."""
    make_customer(phone="13911113333", name="林小雨")
    with pytest.raises(Refusal) as said:
        do("customer.register_temporary", colleague, inputs={"name": "王芳", "phone": "+86 139-1111-3333"})
    assert said.value.field == "phone"
    assert consultant.display_name in said.value.sentence
    assert at.astimezone(consultant.timezone).strftime("%Y-%m-%d") in said.value.sentence
    assert "林小雨" not in said.value.sentence


def test_a_number_of_another_branch_is_found_too(make_customer, person):
    """R-2.1.1-2 crosses branches."""
    make_customer(phone="13911114444")
    with pytest.raises(Refusal):
        make_customer(person("b2_phone_consultant"), phone="13911114444")


def test_families_may_share_a_number_where_the_setting_allows_it(do, admin, make_customer):
    """R-2.1.1-2 is a setting."""
    do("param.set_value", admin, key=NUMBER_UNIQUE.key, branch_id=None, value="no", effective_at=None, reason=None)
    first, second = make_customer(phone="13911115555"), make_customer(phone="13911115555")
    assert first.id != second.id


def test_a_missed_call_gets_its_return_call_planned_the_same_day(do, consultant, item, phone, session, at):
    """R-2.1.1-3."""
    record = do(
        "contact_record.register_call",
        consultant,
        caller_no=phone(),
        business_category_id=item("business_category").id,
        missed=Answered.MISSED,
    ).record
    plan = session.scalars(select(FollowupPlan).where(FollowupPlan.contact_record_id == record.id)).one()
    assert plan.category.code == "missed_call"
    assert plan.planned_on == at.astimezone(consultant.timezone).date()
    assert plan.executor_id == consultant.employee_id
    assert plan.state is PlanState.APPROVED


def test_a_number_is_masked_and_each_full_view_is_logged_with_its_reason(do, consultant, make_customer, session):
    """R-2.1.1-4."""
    contact = make_customer(phone="13911116666").contacts[0]
    assert contact.masked == "139****6666"
    done = do("customer_contact.reveal", consultant, contact, reason="确认到院时间")
    assert done.shown == "13911116666"
    seen = session.scalars(select(SensitiveViewLog).where(SensitiveViewLog.record_id == contact.id)).one()
    assert (seen.employee_id, seen.reason) == (consultant.employee_id, "确认到院时间")


def test_a_number_is_not_revealed_without_the_permission(do, guide, make_customer, session):
    """R-2.1.1-4."""
    contact = make_customer(phone="13911117777").contacts[0]
    with pytest.raises(NotPermitted):
        do("customer_contact.reveal", guide, contact, reason="想看")
    shown = select(func.count()).select_from(SensitiveViewLog).where(SensitiveViewLog.denied.is_(None))
    assert session.scalar(shown) == 0


def test_the_history_keeps_a_sensitive_input_masked(make_customer, session):
    """R-2.1.1-4."""
    customer = make_customer(phone="13911118888")
    entry = session.scalars(
        select(ActRun).where(ActRun.table_name == "customer", ActRun.record_id == customer.id)
    ).one()
    assert entry.inputs["phone"] == "139****8888"
    assert "13911118888" not in str(entry.inputs)


@pytest.fixture
def partner(session, employee):
    specialist = employee("channel_specialist")
    made = ChannelPartner(branch_id=specialist.branch_id, name="丽人美容院", manager_id=specialist.id)
    session.add(made)
    session.commit()
    return made


def test_a_channel_contact_names_its_partner(do, person, item, partner):
    """R-2.1.1-5."""
    specialist = person("channel_specialist")
    category = item("business_category").id
    with pytest.raises(InvalidInput) as said:
        do("contact_record.register_lead", specialist, inputs={"business_category_id": category})
    assert "channel_partner_id" in said.value.errors
    record = do(
        "contact_record.register_lead", specialist, channel_partner_id=partner.id, business_category_id=category
    ).record
    assert record.channel is Channel.PARTNER


def test_a_partners_customer_has_no_old_customer_as_referrer(do, person, partner, make_customer):
    """R-2.1.1-5, SOP: 市场部顾客不存在老顾客介绍."""
    specialist = person("channel_specialist")
    referrer = make_customer(specialist)
    with pytest.raises(InvalidInput) as said:
        make_customer(specialist, channel_partner_id=partner.id, referrer_customer_id=referrer.id)
    assert "referrer_customer_id" in said.value.errors


@pytest.mark.parametrize(
    ("source", "with_partner", "with_referrer", "field"),
    [
        ("is_referral", True, False, "source_channel_id"),
        ("is_market", False, True, "referrer_customer_id"),
        ("is_referral", False, True, None),
        ("is_market", True, False, None),
        ("is_partner", False, False, "channel_partner_id"),
        ("is_partner", True, False, None),
    ],
)
def test_source_partner_and_referrer_must_agree(
    session, person, partner, make_customer, source, with_partner, with_referrer, field
):
    """R-2.1.1-5 as a table."""
    specialist = person("channel_specialist")
    channel = session.scalars(
        select(SourceChannel)
        .where(getattr(SourceChannel, source), SourceChannel.is_partner.is_(source == "is_partner"))
        .limit(1)
    ).one()
    values = {
        "source_channel_id": channel.id,
        "channel_partner_id": partner.id if with_partner else None,
        "referrer_customer_id": make_customer(specialist).id if with_referrer else None,
    }
    if field is None:
        assert make_customer(specialist, **values).source_channel_id == channel.id
    else:
        with pytest.raises(InvalidInput) as said:
            make_customer(specialist, **values)
        assert field in said.value.errors


def test_the_schema_itself_refuses_a_partners_customer_with_a_referrer(session, make_customer, partner):
    """R-2.1.1-5, the last guard."""
    from sqlalchemy.exc import IntegrityError

    customer, referrer = make_customer(), make_customer()
    customer.channel_partner_id, customer.referrer_customer_id = partner.id, referrer.id
    with pytest.raises(IntegrityError, match="partner_customer_has_no_referrer"), session.begin_nested():
        session.flush()


# --- 2.1.2: placing -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("minutes", [-1, -60 * 24])
def test_the_latest_arrival_cannot_lie_before_the_appointment(make_slip, at, minutes):
    """R-2.1.2-1."""
    start = at + timedelta(days=1)
    with pytest.raises(InvalidInput) as said:
        make_slip(appointed_at=start, latest_arrival_at=start + timedelta(minutes=minutes))
    assert "latest_arrival_at" in said.value.errors


def test_the_latest_arrival_may_be_the_appointment_itself(make_slip, at):
    """R-2.1.2-1: ≥."""
    start = at + timedelta(days=1)
    assert make_slip(appointed_at=start, latest_arrival_at=start).state is SlipState.PENDING


def test_the_schema_refuses_a_latest_arrival_before_the_appointment(session, make_slip):
    """R-2.1.2-1, the last guard."""
    from sqlalchemy.exc import IntegrityError

    slip = make_slip()
    slip.latest_arrival_at = slip.appointed_at - timedelta(minutes=1)
    with pytest.raises(IntegrityError, match="latest_after_appointed"), session.begin_nested():
        session.flush()


@pytest.mark.parametrize("required", ["appointed_at", "latest_arrival_at", "intention", "customer_id"])
def test_appointment_latest_arrival_intention_and_customer_must_be_filled(do, consultant, make_customer, at, required):
    """2.1.2: 预约时间, 最晚到场时间, 客户意向度."""
    given = {
        "customer_id": str(make_customer().id),
        "appointed_at": (at + timedelta(days=1)).isoformat(),
        "latest_arrival_at": (at + timedelta(days=1, hours=1)).isoformat(),
        "intention": "A",
    }
    del given[required]
    with pytest.raises(InvalidInput) as said:
        do("appointment_slip.place", consultant, inputs=given)
    assert set(said.value.errors) == {required}


def test_a_customer_has_one_open_slip(make_slip, make_customer):
    """R-2.1.2-2."""
    customer = make_customer()
    first = make_slip(customer=customer)
    with pytest.raises(Refusal) as said:
        make_slip(customer=customer)
    assert said.value.field == "customer_id"
    assert first.slip_no in said.value.sentence


def test_a_second_open_slip_is_allowed_where_the_setting_says_so(do, admin, make_slip, make_customer):
    """R-2.1.2-2 is a setting."""
    do("param.set_value", admin, key=ONE_OPEN_SLIP.key, branch_id=None, value="no", effective_at=None, reason=None)
    customer = make_customer()
    assert make_slip(customer=customer).id != make_slip(customer=customer).id


@pytest.mark.parametrize(("minutes_past_latest", "lapses"), [(-10, False), (59, False), (61, True), (600, True)])
def test_a_slip_lapses_after_latest_arrival_plus_grace(session, make_slip, at, minutes_past_latest, lapses):
    """R-2.1.2-3; the grace is 60 minutes unless a branch sets another."""
    slip = make_slip()
    expire_due(session, at=slip.latest_arrival_at + timedelta(minutes=minutes_past_latest))
    assert (slip.state is SlipState.EXPIRED) is lapses


def test_a_branch_sets_its_own_grace(do, admin, session, make_slip, consultant):
    """R-2.1.2-3."""
    do(
        "param.set_value",
        admin,
        key=GRACE_MINUTES.key,
        branch_id=consultant.branch_id,
        value="5",
        effective_at=None,
        reason="午后来客多",
    )
    slip = make_slip()
    expire_due(session, at=slip.latest_arrival_at + timedelta(minutes=6))
    assert slip.state is SlipState.EXPIRED


def test_a_lapsed_slip_gets_its_follow_up_the_same_day_and_its_owner_is_told(session, make_slip, consultant):
    """R-2.1.2-3."""
    slip = make_slip()
    lapse = slip.latest_arrival_at + timedelta(hours=2)
    assert expire_due(session, at=lapse) >= 1
    plan = session.scalars(
        select(FollowupPlan)
        .where(FollowupPlan.appointment_slip_id == slip.id, FollowupPlan.trigger == "slip_lapsed")
        .order_by(FollowupPlan.planned_at)
    ).first()
    assert plan.category.code == "lapsed_slip"
    assert plan.planned_on == lapse.astimezone(consultant.timezone).date()
    told = session.scalars(select(Notice).where(Notice.record_id == slip.id, Notice.kind == "slip_expired")).one()
    assert told.employee_id == slip.owner_id


def test_a_reminder_is_planned_for_the_day_before(session, make_slip, at, consultant):
    """R-2.1.2-4."""
    start = at + timedelta(days=5)
    slip = make_slip(appointed_at=start, latest_arrival_at=start + timedelta(hours=1))
    plan = session.scalars(select(FollowupPlan).where(FollowupPlan.appointment_slip_id == slip.id)).one()
    assert plan.category.code == "reminder"
    assert plan.planned_on == (start - timedelta(days=1)).astimezone(consultant.timezone).date()


def test_the_reminders_days_are_the_rules(do, admin, session, make_slip, at, consultant):
    """R-2.1.2-4, REF-8: an administrator edits the rule; one of a branch adds to those of the group."""
    rule = session.scalars(select(FollowupRule).where(FollowupRule.code == "slip_due")).one()
    rule.offset_days = [-3, -1]
    session.flush()
    start = at + timedelta(days=5)
    slip = make_slip(appointed_at=start, latest_arrival_at=start)
    plans = session.scalars(
        select(FollowupPlan).where(FollowupPlan.appointment_slip_id == slip.id).order_by(FollowupPlan.planned_at)
    ).all()
    day = start.astimezone(consultant.timezone).date()
    assert [plan.planned_on for plan in plans] == [day - timedelta(days=3), day - timedelta(days=1)]
    rule.retired_at = at
    session.flush()
    other = make_slip(appointed_at=start, latest_arrival_at=start)
    assert session.scalars(select(FollowupPlan).where(FollowupPlan.appointment_slip_id == other.id)).all() == []


@pytest.mark.parametrize("act", ["void", "arrive", "redo"])
def test_a_reminder_is_withdrawn_when_its_slip_is_void_redone_or_arrived(
    do, supervisor, guide, session, make_slip, slip_times, act
):
    """R-2.1.2-4."""
    slip = make_slip()
    reminders = select(FollowupPlan).where(FollowupPlan.appointment_slip_id == slip.id)
    plan = session.scalars(reminders).one_or_none()
    if plan is None:  # the day before has begun already in the branch's zone
        pytest.fail("a slip for tomorrow has its reminder today")
    if act == "void":
        do("appointment_slip.void", supervisor, slip, reason="客户取消")
    elif act == "arrive":
        do("appointment_slip.arrive", guide, slip)
    else:
        do("appointment_slip.redo", supervisor, slip, **slip_times)
    assert plan.state is PlanState.CANCELLED


def test_an_appointment_cannot_lie_in_the_past_or_beyond_the_furthest_day(make_slip, at):
    """2.1.2, settings."""
    with pytest.raises(InvalidInput) as said:
        make_slip(appointed_at=at - timedelta(hours=1), latest_arrival_at=at)
    assert "appointed_at" in said.value.errors
    far = at + timedelta(days=int(FURTHEST_DAYS.default) + 2)
    with pytest.raises(InvalidInput):
        make_slip(appointed_at=far, latest_arrival_at=far)


# --- 2.1.3: voiding and redoing -----------------------------------------------------------------------------------


def test_a_slip_that_arrived_cannot_be_voided(do, supervisor, guide, make_slip):
    """R-2.1.3-1."""
    slip = make_slip()
    do("appointment_slip.arrive", guide, slip)
    with pytest.raises(IllegalMove) as said:
        do("appointment_slip.void", supervisor, slip, reason="写错了")
    assert slip.state is SlipState.ARRIVED
    assert guide.display_name in said.value.sentence


def test_a_void_slip_is_not_deleted_and_keeps_its_reason(do, supervisor, session, make_slip, at):
    """R-2.1.3-2."""
    slip = make_slip()
    do("appointment_slip.void", supervisor, slip, reason="客户改主意")
    kept = session.get_one(AppointmentSlip, slip.id)
    assert (kept.state, kept.void_reason, kept.closed_at) == (SlipState.VOIDED, "客户改主意", at)


@pytest.mark.parametrize("reason", ["", "   ", "x"])
def test_a_slip_is_not_voided_without_a_reason(do, supervisor, make_slip, reason):
    """2.1.3.1: a reason is required."""
    slip = make_slip()
    with pytest.raises(InvalidInput) as said:
        do("appointment_slip.void", supervisor, slip, inputs={"reason": reason})
    assert "reason" in said.value.errors
    assert slip.state is SlipState.PENDING


def test_a_consultant_cannot_void(do, consultant, make_slip):
    """2.1.3.1: 主管以上."""
    with pytest.raises(NotPermitted):
        do("appointment_slip.void", consultant, make_slip(), reason="客户取消")


def test_the_supervisor_of_another_desk_or_branch_does_not_know_the_slip(do, person, make_slip):
    """2.1.3: within the department."""
    slip = make_slip()
    for stranger in ("web_supervisor", "b2_phone_supervisor"):
        with pytest.raises(OutOfScope):
            do("appointment_slip.void", person(stranger), slip, reason="客户取消")


def test_redoing_keeps_the_time_and_owner_of_the_first_placing(do, consultant, make_slip, slip_times, at):
    """R-2.1.3-3, twice over."""
    slip = make_slip()
    first = slip.first_ordered_at
    new = do("appointment_slip.redo", consultant, slip, when=at + timedelta(hours=1), **slip_times).result
    newest = do("appointment_slip.redo", consultant, new, when=at + timedelta(hours=2), **slip_times).result
    for later in (new, newest):
        assert later.first_ordered_at == first
        assert later.first_owner_id == consultant.employee_id
        assert later.root_slip_id == slip.id
    assert newest.ordered_at == at + timedelta(hours=2)


def test_a_redone_slip_becomes_void_and_is_not_deleted(do, consultant, session, make_slip, slip_times):
    """R-2.1.3-4."""
    slip = make_slip()
    new = do("appointment_slip.redo", consultant, slip, **slip_times).result
    session.expire_all()
    assert slip.state is SlipState.REPLACED
    assert slip.replaced_by.id == new.id
    assert (new.supersedes_id, new.state) == (slip.id, SlipState.PENDING)
    assert [link.id for link in chain_of(session, new)] == [slip.id, new.id]


def test_a_slip_is_redone_once(do, consultant, make_slip, slip_times):
    """2.1.3.2: a slip can be redone once; the new one is redone next."""
    slip = make_slip()
    do("appointment_slip.redo", consultant, slip, **slip_times)
    with pytest.raises(IllegalMove):
        do("appointment_slip.redo", consultant, slip, **slip_times)


def test_only_the_owner_or_a_supervisor_redoes_a_slip(do, colleague, supervisor, person, make_slip, slip_times):
    """R-2.1.3-3: the person who placed it; U24: supervisors those of their team."""
    slip = make_slip(preferred_consultant_id=colleague.employee_id)
    with pytest.raises(Refusal):
        do("appointment_slip.redo", colleague, slip, **slip_times)
    assert do("appointment_slip.redo", supervisor, slip, **slip_times).result.owner_id == slip.owner_id


def test_a_supervisor_hands_a_slip_to_a_colleague_and_both_are_told(
    do, supervisor, colleague, session, make_slip, slip_times
):
    """2.1.3.2 b: dispatching."""
    slip = make_slip()
    new = do("appointment_slip.redo", supervisor, slip, owner_id=colleague.employee_id, **slip_times).result
    assert new.owner_id == colleague.employee_id
    assert new.first_owner_id == slip.owner_id
    told = {notice.employee_id: notice.kind for notice in session.scalars(select(Notice))}
    assert told == {slip.owner_id: "slip_handed_over", colleague.employee_id: "slip_received"}


def test_a_consultant_cannot_hand_a_slip_to_another(do, consultant, colleague, make_slip, slip_times):
    """2.1.3.2: only supervisors dispatch."""
    with pytest.raises(InvalidInput) as said:
        do("appointment_slip.redo", consultant, make_slip(), owner_id=colleague.employee_id, **slip_times)
    assert "owner_id" in said.value.errors


def test_a_supervisor_hands_over_within_her_department_only(do, supervisor, person, make_slip, slip_times):
    """2.1.3: dispatch team members."""
    for stranger in ("web_consultant", "b2_phone_consultant"):
        with pytest.raises(InvalidInput) as said:
            do("appointment_slip.redo", supervisor, make_slip(), owner_id=person(stranger).employee_id, **slip_times)
        assert "owner_id" in said.value.errors


def test_the_colleague_who_receives_a_slip_sees_its_customer(do, supervisor, colleague, session, make_slip, slip_times):
    from app.services.scope import find

    slip = make_slip()
    assert find(session, "customer", slip.customer_id, colleague) is None
    do("appointment_slip.redo", supervisor, slip, owner_id=colleague.employee_id, **slip_times)
    assert find(session, "customer", slip.customer_id, colleague) is not None


@pytest.mark.parametrize("act", ["redo", "arrive", "void"])
def test_a_lapsed_slip_can_still_be_redone_arrive_late_or_be_voided(
    do, supervisor, guide, session, make_slip, slip_times, act
):
    """SM-02; U26."""
    slip = make_slip()
    expire_due(session, at=slip.latest_arrival_at + timedelta(hours=2))
    if act == "redo":
        do("appointment_slip.redo", supervisor, slip, **slip_times)
    elif act == "arrive":
        do("appointment_slip.arrive", guide, slip, when=slip.latest_arrival_at + timedelta(hours=3))
        assert slip.is_late
    else:
        do("appointment_slip.void", supervisor, slip, reason="联系不上")
    assert slip.state is {"redo": SlipState.REPLACED, "arrive": SlipState.ARRIVED, "void": SlipState.VOIDED}[act]


@pytest.mark.parametrize(("value", "paper"), [("yes", "appointment_slip"), ("no", None)])
def test_the_slip_is_printed_on_arrival_if_the_setting_says_so(do, admin, guide, make_slip, value, paper):
    """R-2.1-1."""
    do("param.set_value", admin, key=PRINT_ON_ARRIVAL.key, branch_id=None, value=value, effective_at=None, reason=None)
    assert do("appointment_slip.arrive", guide, make_slip()).paper == paper


def test_a_slip_arrives_once_and_its_owner_is_told(do, guide, session, make_slip):
    """R-2.2.4-1, -3."""
    slip = make_slip()
    do("appointment_slip.arrive", guide, slip)
    with pytest.raises(IllegalMove):
        do("appointment_slip.arrive", guide, slip)
    assert session.scalar(select(func.count()).where(Notice.kind == "slip_arrived", Notice.record_id == slip.id)) == 1


def test_an_arrived_slip_is_completed_and_then_at_its_end(do, guide, person, make_slip):
    """SM-02."""
    slip = make_slip()
    do("appointment_slip.arrive", guide, slip)
    do("appointment_slip.complete", person("triage"), slip)
    assert slip.state is SlipState.COMPLETED
    assert not AppointmentSlip.MOVES.get(SlipState.COMPLETED)


def test_only_the_house_lets_a_slip_lapse(do, supervisor, make_slip):
    """SM-02: system."""
    slip = make_slip()
    with pytest.raises(NotPermitted):
        do("appointment_slip.expire", supervisor, slip)
    do("appointment_slip.expire", house("job:test", branch_id=slip.branch_id), slip)
    assert slip.state is SlipState.EXPIRED


def test_a_slip_is_not_placed_for_a_customer_out_of_scope(do, colleague, person, make_customer, at):
    """A foreign key of another branch or owner is no valid choice."""
    customer = make_customer()
    given = {
        "customer_id": str(customer.id),
        "appointed_at": (at + timedelta(days=1)).isoformat(),
        "latest_arrival_at": (at + timedelta(days=1)).isoformat(),
        "intention": "A",
    }
    for stranger in (colleague, person("b2_phone_consultant")):
        with pytest.raises(InvalidInput) as said:
            do("appointment_slip.place", stranger, inputs=given)
        assert "customer_id" in said.value.errors


def test_counts_of_nothing_half_saved_after_a_refusal(session, do, consultant, make_slip, make_customer):
    """A refused placing leaves no slip, no plan, no number used, no history."""
    customer = make_customer()
    make_slip(customer=customer)
    before = [
        session.scalar(select(func.count()).select_from(table))
        for table in (AppointmentSlip, FollowupPlan, ActRun, ContactRecord, Customer)
    ]
    with pytest.raises(Refusal):
        make_slip(customer=customer, intention=Intention.C)
    after = [
        session.scalar(select(func.count()).select_from(table))
        for table in (AppointmentSlip, FollowupPlan, ActRun, ContactRecord, Customer)
    ]
    assert after == before
