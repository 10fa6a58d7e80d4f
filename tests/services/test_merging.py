"""Two files of one person become one. SM-01; R-2.1.1-2, R-2.1.2-2, R-2.1.1-5."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from app.errors import IllegalMove, InvalidInput, NotPermitted, Refusal
from app.models.appointments import AppointmentSlip
from app.models.audit import Notice
from app.models.customers import (
    ContactKind,
    Customer,
    CustomerContact,
    CustomerMergeLog,
    CustomerOwnerHistory,
    CustomerTrait,
    FileState,
    MergeProof,
    MergeState,
    Stage,
    contact_hash,
)
from app.models.followup import FollowupPlan
from app.services.customers import search, whose_number
from app.services.customers.files import new_contact
from app.services.customers.merging import MERGED_BY, pointing_at_customer
from app.services.settings import ONE_OPEN_SLIP


def propose(do, by, merged, kept, **more):
    given = {"kept_id": kept.id, "proof": MergeProof.SEEN, "reason": "同一位顾客两次建档", **more}
    return do("customer.propose_merge", by, merged, **given).result


@pytest.fixture
def it(person):
    return person("it_manager")


@pytest.fixture
def merge(do, supervisor, it):
    def go(merged, kept):
        log = propose(do, supervisor, merged, kept)
        do("customer_merge_log.carry_out", it, log)
        return log

    return go


def test_every_column_that_points_at_a_customer_says_what_a_merge_does_with_it():
    """SM-01. A new foreign key to customer is entered in ``MERGED_BY`` of app/services/customers/merging.py."""
    assert pointing_at_customer() == set(MERGED_BY)


def test_the_kept_file_takes_everything(session, do, consultant, make_customer, make_slip, item, merge, phone):
    """SM-01: contacts, records, slips, plans, traits, owners, referrals, unread notices."""
    number = phone()
    merged, kept = make_customer(phone=number, followup_note="午休勿扰"), make_customer(name="林雨")
    record = do(
        "contact_record.register_call",
        consultant,
        caller_no=number,
        business_category_id=item("business_category").id,
    ).record
    slip = make_slip(customer=merged)
    trait = do(
        "customer.add_trait",
        consultant,
        merged,
        trait_type_id=item("trait_type", "hobby").id,
        value="瑜伽",
        stage=Stage.APPOINTMENT,
    ).result
    friend = make_customer(referrer_customer_id=merged.id)
    log = merge(merged, kept)
    for row in (record, slip, trait):
        session.refresh(row)
        assert row.customer_id == kept.id
    session.refresh(friend)
    assert friend.referrer_customer_id == kept.id
    assert (merged.state, merged.merged_into_id) == (FileState.MERGED, kept.id)
    assert kept.followup_note == "午休勿扰"
    assert number in {one.value for one in kept.contacts}
    assert log.counts["appointment_slip.customer_id"] == 1
    assert log.moved["appointment_slip.customer_id"] == [slip.id]
    assert log.moved["customer.referrer_customer_id"] == [friend.id]
    assert log.moved["customer_owner_history.customer_id"]
    plans = session.scalars(select(FollowupPlan.customer_id).where(FollowupPlan.appointment_slip_id == slip.id)).all()
    assert set(plans) == {kept.id}
    for model in (CustomerTrait, CustomerOwnerHistory, AppointmentSlip, CustomerContact):
        assert session.scalars(select(model.id).where(model.customer_id == merged.id)).all() == []


def test_a_contact_that_both_have_is_not_doubled(session, make_customer, merge, phone):
    """SM-01, R-2.1.1-2: the number afterwards belongs to the kept file alone."""
    number = phone()
    merged, kept = make_customer(phone=number), make_customer()
    kept.contacts.append(new_contact(ContactKind.PHONE, number))
    session.flush()
    merge(merged, kept)
    same = [one for one in kept.contacts if one.value_hash == contact_hash(ContactKind.PHONE, number)]
    assert len(same) == 1
    assert whose_number(session, ContactKind.PHONE, number).customer_id == kept.id


def test_the_old_number_and_the_old_name_find_the_kept_file(session, supervisor, make_customer, merge, phone):
    """SM-01."""
    number = phone()
    merged, kept = make_customer(name="欧阳旧名", phone=number), make_customer(name="欧阳新名")
    merge(merged, kept)
    for words in (number, merged.customer_no, "旧名"):
        assert [found.id for found in search(session, words, supervisor)] == [kept.id], words


def test_what_the_kept_file_does_not_know_it_takes(session, make_customer, merge, item):
    merged = make_customer(age=30, area_id=item("area", "xuhui").id, name="林小雨")
    kept = make_customer(name=None, alias="林小姐", age=31)
    born = kept.birth_year
    merge(merged, kept)
    assert (kept.name, kept.alias, kept.area_id, kept.birth_year) == ("林小雨", "林小姐", merged.area_id, born)


def test_nobody_ends_up_recommending_herself(session, make_customer, merge):
    """R-2.1.1-5."""
    merged = make_customer()
    kept = make_customer(referrer_customer_id=merged.id)
    merge(merged, kept)
    assert kept.referrer_customer_id is None


def test_a_file_into_which_others_were_merged_can_be_merged_on(session, make_customer, merge, supervisor):
    """SM-01: the chain stays short and every old number leads to the last file."""
    first, second, third = make_customer(name="甲一"), make_customer(name="甲二"), make_customer(name="甲三")
    merge(first, second)
    merge(second, third)
    session.refresh(first)
    assert first.merged_into_id == third.id
    assert [one.id for one in search(session, first.customer_no, supervisor)] == [third.id]


def test_it_carries_out_what_a_supervisor_proposed_and_all_are_told(
    session, do, make_customer, supervisor, consultant, merge
):
    """SM-01: 主管+信息中心."""
    merged, kept = make_customer(), make_customer()
    log = merge(merged, kept)
    assert (log.state, log.proposed_by_id) == (MergeState.DONE, supervisor.employee_id)
    told = session.scalars(select(Notice.employee_id).where(Notice.kind == "customer_merged")).all()
    assert set(told) == {supervisor.employee_id, consultant.employee_id}


def test_who_proposed_does_not_carry_out(session, do, make_customer, supervisor, it):
    """SM-01: two people, by the act and by the schema."""
    log = propose(do, supervisor, make_customer(), make_customer())
    with pytest.raises(NotPermitted):
        do("customer_merge_log.carry_out", supervisor, log)
    log.proposed_by_id = it.employee_id
    session.flush()
    with pytest.raises(Refusal):
        do("customer_merge_log.carry_out", it, log)
    log.decided_by_id = log.proposed_by_id
    with pytest.raises(IntegrityError):
        session.flush()


def test_a_rejected_merge_changes_nothing_and_can_be_proposed_again(session, do, make_customer, supervisor, it):
    merged, kept = make_customer(), make_customer()
    log = propose(do, supervisor, merged, kept)
    with pytest.raises(Refusal):
        propose(do, supervisor, merged, kept)
    do("customer_merge_log.reject", it, log, reason="不是同一人")
    assert (log.state, merged.state, log.moved) == (MergeState.REJECTED, FileState.TEMPORARY, {})
    assert session.scalars(select(Notice.employee_id).where(Notice.kind == "merge_rejected")).all() == [
        log.proposed_by_id
    ]
    assert propose(do, supervisor, merged, kept).id != log.id


# --- what is refused ----------------------------------------------------------------------------------------------


def test_a_file_is_not_merged_into_itself(session, do, make_customer, supervisor):
    """SM-01, bad input: by the act and by the schema."""
    customer = make_customer()
    with pytest.raises(InvalidInput) as said:
        propose(do, supervisor, customer, customer)
    assert "kept_id" in said.value.errors
    log = propose(do, supervisor, customer, make_customer())
    log.kept_id = customer.id
    with pytest.raises(IntegrityError):
        session.flush()


def test_two_files_with_an_awaited_slip_each_are_not_merged(session, do, make_slip, supervisor, it):
    """R-2.1.2-2: the sentence names both slips; with one of them void it goes."""
    one, other = make_slip(), make_slip()
    with pytest.raises(InvalidInput) as said:
        propose(do, supervisor, one.customer, other.customer)
    sentence = said.value.errors["kept_id"][0]
    assert one.slip_no in sentence
    assert other.slip_no in sentence
    do("appointment_slip.void", supervisor, one, reason="重复")
    log = propose(do, supervisor, one.customer, other.customer)
    do("customer_merge_log.carry_out", it, log)
    assert log.state is MergeState.DONE


def test_a_slip_placed_between_proposal_and_merge_stops_it(do, make_customer, make_slip, supervisor, it):
    """R-2.1.2-2 is asked again when the merge is carried out."""
    merged, kept = make_customer(), make_customer()
    log = propose(do, supervisor, merged, kept)
    slips = [make_slip(customer=merged), make_slip(customer=kept)]
    with pytest.raises(Refusal) as said:
        do("customer_merge_log.carry_out", it, log)
    assert all(slip.slip_no in said.value.sentence for slip in slips)
    assert merged.state is FileState.TEMPORARY


def test_two_open_slips_are_no_obstacle_where_the_setting_allows_them(do, admin, make_slip, merge):
    """R-2.1.2-2 is a setting."""
    do("param.set_value", admin, key=ONE_OPEN_SLIP.key, branch_id=None, value="no", effective_at=None, reason=None)
    one, other = make_slip(), make_slip()
    assert merge(one.customer, other.customer).counts["appointment_slip.customer_id"] == 1


def test_a_merged_file_is_neither_merged_nor_a_target_again(do, make_customer, supervisor, it, merge):
    """SM-01: no cycles."""
    first, second, third = make_customer(), make_customer(), make_customer()
    crosswise = propose(do, supervisor, second, first)
    merge(first, second)
    with pytest.raises(IllegalMove):
        propose(do, supervisor, first, third)
    with pytest.raises(InvalidInput):
        propose(do, supervisor, third, first)
    with pytest.raises(Refusal) as said:
        do("customer_merge_log.carry_out", it, crosswise)
    assert second.customer_no in said.value.sentence


@pytest.mark.parametrize("state", [FileState.FROZEN, FileState.RESTRICTED])
def test_a_closed_file_is_not_merged(session, do, make_customer, supervisor, state):
    """SM-01."""
    merged, kept = make_customer(), make_customer()
    kept.restriction_asked_by_id = supervisor.employee_id
    kept.state = state
    session.flush()
    with pytest.raises(InvalidInput):
        propose(do, supervisor, merged, kept)


def test_the_schema_lets_nothing_point_at_a_merged_file(session, make_customer, make_slip, merge):
    """SM-01: however it is written."""
    merged, kept = make_customer(), make_customer()
    slip = make_slip(customer=kept)
    merge(merged, kept)
    moving = {"to": merged.id, "slip": slip.id}
    with pytest.raises(IntegrityError) as said, session.begin_nested():
        session.execute(text("update appointment_slip set customer_id = :to where id = :slip"), moving)
    assert "merged" in str(said.value.orig)


def test_a_merged_file_takes_no_slip_contact_or_trait(do, make_customer, make_slip, merge, consultant):
    merged, kept = make_customer(), make_customer()
    merge(merged, kept)
    with pytest.raises(InvalidInput):
        make_slip(customer=merged)
    with pytest.raises(IllegalMove):
        do("customer.add_contact", consultant, merged, kind=ContactKind.QQ, value="12345678", relation=None)


# --- several at once ----------------------------------------------------------------------------------------------


def proposed(world, merged_id, kept_id):
    """Return the id of a merge that the supervisor proposed."""
    with world.app.app_context():
        session = world.session()
        values = {"kept_id": kept_id, "proof": MergeProof.SEEN, "reason": "同一位顾客"}
        by = world.person(session, "phone_supervisor")
        return world.run(session, "customer.propose_merge", by, merged_id, values).result.id


def together(world, *calls):
    """Run (act, login, record, values) each in a thread of its own; return what each gave, or its refusal."""
    outcomes: list[object] = [None] * len(calls)
    ready = threading.Barrier(len(calls))

    def attempt(place, key, login, record_id, values):
        with world.app.app_context():
            session = world.session()
            by = world.person(session, login)
            session.rollback()
            ready.wait(30)
            try:
                outcomes[place] = world.run(session, key, by, record_id, values).record.id
            except (Refusal, InvalidInput) as said:
                outcomes[place] = said

    threads = [threading.Thread(target=attempt, args=(place, *call)) for place, call in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return outcomes


@pytest.mark.slow
def test_two_merges_crosswise_at_once_leave_one(own_world):
    """SM-01: both files are locked in the order of their ids, so one wins and the other reads why."""
    for _round in range(3):
        one, other = own_world.customer()[0], own_world.customer()[0]
        logs = [proposed(own_world, one, other), proposed(own_world, other, one)]
        outcomes = together(own_world, *(("customer_merge_log.carry_out", "it_manager", log, {}) for log in logs))
        assert sum(isinstance(outcome, int) for outcome in outcomes) == 1
        assert sum(isinstance(outcome, Refusal) for outcome in outcomes) == 1
        assert own_world.count(Customer, Customer.id.in_([one, other]), Customer.state == FileState.MERGED) == 1
        assert own_world.count(CustomerMergeLog, CustomerMergeLog.id.in_(logs), CustomerMergeLog.state == "done") == 1


@pytest.mark.slow
def test_a_merge_while_a_slip_is_placed_leaves_no_slip_with_the_merged_file(own_world):
    """SM-01, R-2.1.2-2: the slip goes over, or is refused; it never stays behind."""
    for _round in range(3):
        (merged, slip), (kept, _slip) = own_world.customer(), own_world.customer()
        log = proposed(own_world, merged, kept)
        outcomes = together(
            own_world,
            ("customer_merge_log.carry_out", "it_manager", log, {}),
            ("appointment_slip.place", "phone_consultant", None, slip),
        )
        assert isinstance(outcomes[0], int)
        assert own_world.count(AppointmentSlip, AppointmentSlip.customer_id == merged) == 0
        placed = own_world.count(AppointmentSlip, AppointmentSlip.customer_id == kept)
        assert placed == int(isinstance(outcomes[1], int))
