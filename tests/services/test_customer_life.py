"""What befalls a customer's file, rule by rule. White paper 1.2 (R-1.2-1 to -3), SM-01, part B."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from app.errors import IllegalMove, InvalidInput, NotPermitted, OutOfScope, Refusal
from app.models.audit import Notice
from app.models.customers import (
    CollectedField,
    ContactKind,
    Customer,
    CustomerOwnerHistory,
    CustomerTrait,
    FieldRequirement,
    FileState,
    OwnerRole,
    OwnerRule,
    Sex,
    Stage,
    TraitState,
)
from app.models.followup import PlanState
from app.services.customers import give_customer, missing_by_stage, missing_fields
from app.services.customers.idcard import read_id_number
from app.services.customers.traits import TRAIT_TYPES, NewTrait
from app.services.plain import save

# --- R-1.2-1: what each stage must know ---------------------------------------------------------------------------


def test_a_temporary_file_needs_no_more_than_a_name_and_a_telephone(session, make_customer):
    """R-1.2-1."""
    assert missing_fields(session, make_customer(name="林小雨"), Stage.APPOINTMENT) == []


def test_each_stage_says_what_it_still_misses(session, make_customer):
    """R-1.2-1."""
    missing = missing_by_stage(session, make_customer(sex=Sex.FEMALE))
    assert missing[Stage.RECEPTION] == [CollectedField.AGE, CollectedField.AREA]
    assert CollectedField.CALLING in missing[Stage.MEMBER]
    assert Stage.APPOINTMENT not in missing


def test_a_trait_fills_what_a_stage_demands(session, do, consultant, make_customer, item):
    """R-1.2-1 and R-1.2-2 together; a withdrawn trait counts no more."""
    customer = make_customer()
    trait = add_trait(do, consultant, customer, item, "calling", "下午三点后来电")
    assert CollectedField.CALLING not in missing_by_stage(session, customer)[Stage.MEMBER]
    do("customer_trait.withdraw", consultant, trait, reason="说错了")
    assert CollectedField.CALLING in missing_by_stage(session, customer)[Stage.MEMBER]


def test_a_branch_demands_more_or_less_than_the_group(session, at, person, make_customer):
    """R-1.2-1: the set is kept on screen, per branch."""
    operations, customer = person("operations"), make_customer()
    for field, required in ((CollectedField.AREA, False), (CollectedField.OCCUPATION, True)):
        values = {"stage": Stage.RECEPTION, "field": field, "required": required, "branch_id": operations.branch_id}
        save(session, FieldRequirement, values, by=operations, at=at)
    missing = missing_by_stage(session, customer)[Stage.RECEPTION]
    assert CollectedField.AREA not in missing
    assert CollectedField.OCCUPATION in missing
    other = make_customer(person("b2_phone_consultant"))
    assert CollectedField.AREA in missing_by_stage(session, other)[Stage.RECEPTION]


def test_the_groups_set_is_its_administrators(session, at, person):
    operations = person("operations")
    group = session.scalars(select(FieldRequirement).where(FieldRequirement.branch_id.is_(None)).limit(1)).one()
    with pytest.raises(InvalidInput):
        save(session, FieldRequirement, {"required": False}, by=operations, at=at, record_id=group.id)
    save(session, FieldRequirement, {"required": not group.required}, by=person("admin"), at=at, record_id=group.id)


# --- R-1.2-2, R-1.2-3: traits -------------------------------------------------------------------------------------


def add_trait(do, by, customer, item, code, value, **more):
    more.setdefault("stage", Stage.APPOINTMENT)
    kind = item("trait_type", code)
    return do("customer.add_trait", by, customer, trait_type_id=kind.id, value=value, **more).result


def test_a_trait_is_kept_with_stage_collector_and_time(session, do, guide, make_customer, item, at):
    """R-1.2-2."""
    trait = add_trait(do, guide, make_customer(), item, "temper", "急性子", stage=Stage.RECEPTION)
    assert (trait.stage, trait.collected_by_id, trait.collected_at) == (Stage.RECEPTION, guide.employee_id, at)


def test_a_correction_is_a_new_row_and_the_old_one_stays(session, do, consultant, guide, make_customer, item):
    """R-1.2-2."""
    old = add_trait(do, consultant, make_customer(), item, "hobby", "瑜珈")
    done = do("customer_trait.correct", guide, old, inputs={"value": "瑜伽", "stage": "reception"})
    assert (old.state, old.value) == (TraitState.SUPERSEDED, "瑜珈")
    assert (done.result.supersedes_id, done.result.value) == (old.id, "瑜伽")
    assert done.result.collected_by_id == guide.employee_id
    with pytest.raises(IllegalMove):
        do("customer_trait.correct", guide, old, inputs={"value": "跑步", "stage": "reception"})


def test_the_kinds_of_traits_are_those_of_the_white_paper(session, item):
    """R-1.2-2: 爱好, 性格, 作息, 纪念日, 希望参加的活动, 回访注意事项 and what else 1.2 names."""
    names = {name for _code, name, _english in TRAIT_TYPES}
    assert {"兴趣爱好", "性格脾气", "作息时间", "纪念日", "希望参加的活动", "回访注意事项", "习惯"} <= names
    assert {"个性化需求", "其他联系方式", "职业"} <= names
    assert item("trait_type", "hobby").name == "兴趣爱好"


def test_the_form_says_that_medical_facts_are_no_traits():
    """R-1.2-3: they are sensitive and belong in the medical record; no type of trait offers them."""
    assert "medical record" in str(NewTrait.trait_type_id.kwargs["description"]._args[0])
    assert not {code for code, _name, _english in TRAIT_TYPES} & {"history", "allergy", "diagnosis", "photo"}


@pytest.mark.parametrize(
    ("day", "field"),
    [
        ({"month": "2", "month_day": "30"}, "month_day"),
        ({"month": "4", "month_day": "31"}, "month_day"),
        ({"month": "5"}, "month_day"),
        ({"month_day": "5"}, "month"),
        ({}, "month"),
        ({"month": "13", "month_day": "1"}, "month"),
    ],
)
def test_an_anniversary_has_a_day_that_exists(do, consultant, make_customer, item, day, field):
    """R-1.2-2: 纪念日 feed reminders."""
    given = {"trait_type_id": item("trait_type", "anniversary").id, "value": "结婚", "stage": "ward", **day}
    with pytest.raises(InvalidInput) as said:
        do("customer.add_trait", consultant, make_customer(), inputs=given)
    assert field in said.value.errors


def test_the_schema_knows_no_thirtieth_of_february(session, do, consultant, make_customer, item):
    trait = add_trait(do, consultant, make_customer(), item, "anniversary", "结婚", month=2, month_day=29)
    trait.month_day = 30
    with pytest.raises(IntegrityError):
        session.flush()


def test_traits_are_seen_with_their_customer_only(do, consultant, colleague, make_customer, item):
    trait = add_trait(do, consultant, make_customer(), item, "hobby", "瑜伽")
    with pytest.raises(OutOfScope):
        do("customer_trait.withdraw", colleague, trait, reason="看不见")


# --- whose she is -------------------------------------------------------------------------------------------------


def history(session, customer):
    rows = session.scalars(
        select(CustomerOwnerHistory)
        .where(CustomerOwnerHistory.customer_id == customer.id)
        .order_by(CustomerOwnerHistory.id)
    )
    return [(row.role, row.from_employee_id, row.to_employee_id, row.rule) for row in rows]


def test_a_temporary_file_begins_the_history_of_its_owner(session, make_customer, consultant):
    """SM-01, part B: customer_owner_history."""
    expected = (OwnerRole.DEVELOPER, None, consultant.employee_id, OwnerRule.FIRST_REGISTERED)
    assert history(session, make_customer()) == [expected]


def test_a_supervisor_hands_a_customer_over_and_both_are_told(
    session, do, make_customer, supervisor, consultant, colleague
):
    """Part D, R04."""
    customer = make_customer()
    do(
        "customer.transfer_owner",
        supervisor,
        customer,
        inputs={"role": "developer", "to_id": str(colleague.employee_id), "reason": "顾客要求换人"},
    )
    assert (customer.developer_id, customer.developer_rule) == (colleague.employee_id, OwnerRule.TRANSFERRED)
    expected = (OwnerRole.DEVELOPER, consultant.employee_id, colleague.employee_id, OwnerRule.TRANSFERRED)
    assert history(session, customer)[-1] == expected
    told = session.scalars(select(Notice).where(Notice.table_name == "customer", Notice.record_id == customer.id)).all()
    assert {(one.employee_id, one.kind) for one in told} == {
        (consultant.employee_id, "customer_given_away"),
        (colleague.employee_id, "customer_received"),
    }


def test_the_on_site_consultant_is_a_role_of_its_own(session, do, make_customer, person):
    customer, onsite = make_customer(), person("onsite_consultant")
    developer = customer.developer_id
    do(
        "customer.transfer_owner",
        person("branch_head"),
        customer,
        role=OwnerRole.CONSULTANT,
        to_id=onsite.employee_id,
        reason="到院分配",
    )
    assert (customer.developer_id, customer.owner_consultant_id) == (developer, onsite.employee_id)


@pytest.mark.parametrize("to", ["web_consultant", "b2_phone_consultant", "phone_consultant"])
def test_a_supervisor_hands_over_within_her_departments_to_somebody_else(do, make_customer, supervisor, person, to):
    """Another department, another branch, and who has her already are refused beside the field."""
    given = {"role": OwnerRole.DEVELOPER, "to_id": person(to).employee_id, "reason": "换人"}
    with pytest.raises(InvalidInput) as said:
        do("customer.transfer_owner", supervisor, make_customer(), **given)
    assert "to_id" in said.value.errors


def test_a_supervisor_does_not_take_another_departments_customer(
    session, do, make_customer, supervisor, colleague, person, at, employee
):
    """She sees the customer through the on-site consultant of her own department, and still may not."""
    customer = make_customer(person("web_consultant"))
    house_of_two = {"role": OwnerRole.CONSULTANT, "rule": OwnerRule.DISPATCHED, "reason": None}
    give_customer(session, customer, to=employee("phone_consultant_2"), by=supervisor, at=at, **house_of_two)
    with pytest.raises(Refusal) as said:
        do(
            "customer.transfer_owner",
            supervisor,
            customer,
            role=OwnerRole.DEVELOPER,
            to_id=colleague.employee_id,
            reason="换人",
        )
    assert person("web_consultant").display_name in said.value.sentence


def test_a_consultant_hands_nobody_over(do, make_customer, consultant, colleague):
    given = {"role": OwnerRole.DEVELOPER, "to_id": colleague.employee_id, "reason": "换人"}
    with pytest.raises(NotPermitted):
        do("customer.transfer_owner", consultant, make_customer(), **given)


# --- SM-01: temporary -> formal -----------------------------------------------------------------------------------

WOMAN = "11010519491231002X"


@pytest.mark.parametrize(
    ("text", "born", "sex"),
    [
        (WOMAN, date(1949, 12, 31), Sex.FEMALE),
        ("110105 19491231-002x", date(1949, 12, 31), Sex.FEMALE),
        ("1101051949123100２X", date(1949, 12, 31), Sex.FEMALE),
        ("440524188001010014", date(1880, 1, 1), Sex.MALE),
        ("E12345678", None, None),
    ],
)
def test_an_id_number_tells_birth_date_and_sex(text, born, sex):
    """SM-01; GB 11643."""
    read = read_id_number(text)
    assert read is not None
    assert (read.birth_on, read.sex) == (born, sex)


@pytest.mark.parametrize(
    "text", ["110105194912310021", "11010519491331002X", "1101051949123100", "", "0" * 18, "abc", "110105195002300024"]
)
def test_what_is_no_id_number_is_refused(text):
    assert read_id_number(text) is None


@pytest.fixture
def identity(item):
    """What reception tells of a customer, whole."""
    return {
        "name": "林小雨",
        "sex": "female",
        "birth_on": "1992-04-05",
        "area_id": str(item("area", "xuhui").id),
        "occupation": "教师",
    }


def test_reception_confirms_the_identity_and_the_file_becomes_formal(do, guide, make_customer, identity):
    """SM-01."""
    customer = make_customer()
    do("customer.confirm_identity", guide, customer, inputs=identity)
    assert (customer.state, customer.birth_on, customer.birth_year) == (FileState.FORMAL, date(1992, 4, 5), 1992)
    with pytest.raises(IllegalMove):
        do("customer.confirm_identity", guide, customer, inputs=identity)


@pytest.mark.parametrize(
    ("left_out", "field"), [("name", "name"), ("sex", "sex"), ("birth_on", "birth_on"), ("area_id", "area_id")]
)
def test_what_reception_needs_and_nobody_knows_is_named_beside_its_field(
    do, guide, make_customer, identity, left_out, field
):
    """SM-01: the required set of stage 接待, R-1.2-1."""
    customer = make_customer(name=None, alias="林小姐")
    with pytest.raises(InvalidInput) as said:
        do("customer.confirm_identity", guide, customer, inputs=identity | {left_out: ""})
    assert set(said.value.errors) == {field}
    assert customer.state is FileState.TEMPORARY


def test_what_the_file_knows_need_not_be_told_again_over_rest(do, guide, make_customer, item):
    """SM-01: the form is prefilled."""
    customer = make_customer(sex=Sex.FEMALE, age=30, area_id=item("area", "xuhui").id)
    do("customer.confirm_identity", guide, customer, inputs={}, is_json=True)
    assert customer.state is FileState.FORMAL


def test_an_id_number_fills_birth_date_and_sex_and_is_stored_encrypted(session, do, guide, make_customer, identity):
    """SM-01."""
    from sqlalchemy import text

    customer = make_customer()
    told = identity | {"sex": "", "birth_on": "", "id_no": WOMAN.lower()}
    do("customer.confirm_identity", guide, customer, inputs=told)
    assert (customer.id_no, customer.sex, customer.birth_on) == (WOMAN, Sex.FEMALE, date(1949, 12, 31))
    raw = session.scalar(text("select id_no from customer where id = :id"), {"id": customer.id})
    assert WOMAN[:10] not in raw
    assert WOMAN not in str(
        session.execute(text("select inputs from act_run where record_id = :id"), {"id": customer.id}).all()
    )


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"id_no": "110105194912310021"}, "id_no"),
        ({"id_no": WOMAN, "birth_on": "1949-12-30"}, "birth_on"),
        ({"id_no": WOMAN, "birth_on": "", "sex": "male"}, "sex"),
        ({"birth_on": "2190-01-01"}, "birth_on"),
        ({"birth_on": "", "birth_year": "2150"}, "birth_year"),
    ],
)
def test_an_id_number_that_is_wrong_or_disagrees_is_refused_beside_its_field(
    do, guide, make_customer, identity, wrong, field
):
    """SM-01."""
    with pytest.raises(InvalidInput) as said:
        do("customer.confirm_identity", guide, make_customer(), inputs=identity | wrong)
    assert field in said.value.errors


def test_another_file_with_the_same_id_number_is_named_without_giving_her_away(
    do, guide, make_customer, identity, person
):
    """SM-01: a probable duplicate; file number, branch and owner, not the name."""
    told = identity | {"birth_on": "", "id_no": WOMAN}
    first = make_customer(person("b2_phone_consultant"), name="王某某")
    do("customer.confirm_identity", person("b2_guide"), first, inputs=told | {"name": "王某某"})
    done = do("customer.confirm_identity", guide, make_customer(), inputs=told)
    assert first.customer_no in done.notice
    assert "王某某" not in done.notice


def test_another_customers_telephone_is_refused_at_reception_too(do, guide, make_customer, identity, phone):
    """R-2.1.1-2 holds here as well."""
    number = phone()
    make_customer(phone=number)
    with pytest.raises(Refusal) as said:
        do(
            "customer.confirm_identity",
            guide,
            make_customer(phone=None, wechat="lin_xy"),
            inputs=identity | {"phone": number},
        )
    assert said.value.field == "phone"


def test_a_telephone_that_is_new_is_added(do, guide, make_customer, identity, phone):
    customer, number = make_customer(phone=None, wechat="lin_xy_2"), phone()
    do("customer.confirm_identity", guide, customer, inputs=identity | {"phone": number})
    assert [one.value for one in customer.contacts if one.kind is ContactKind.PHONE] == [number]


def test_a_consultant_does_not_confirm_an_identity(do, consultant, make_customer, identity):
    """SM-01: 导诊/分诊."""
    with pytest.raises(NotPermitted):
        do("customer.confirm_identity", consultant, make_customer(), inputs=identity)


def test_a_wrong_id_number_is_refused_on_the_edit_form_too(session, at, supervisor, make_customer):
    customer = make_customer()
    with pytest.raises(InvalidInput) as said:
        save(session, Customer, {"id_no": "110105194912310021"}, by=supervisor, at=at, record_id=customer.id)
    assert "18" in said.value.errors["id_no"][0]


# --- SM-01: frozen and restricted ---------------------------------------------------------------------------------


@pytest.fixture
def formal(do, guide, make_customer, identity):
    def make(**values):
        customer = make_customer(**values)
        do("customer.confirm_identity", guide, customer, inputs=identity)
        return customer

    return make


def test_a_frozen_file_takes_nothing_new_until_it_is_unfrozen(
    session, at, do, person, formal, consultant, make_slip, item
):
    """SM-01: 部门负责人, dispute or fraud."""
    head, customer = person("department_head"), formal()
    customer.developer_id = head.employee_id
    session.commit()
    do("customer.freeze", head, customer, reason="纠纷处理中")
    customer.developer_id = consultant.employee_id
    session.commit()
    with pytest.raises(InvalidInput):
        make_slip(customer=customer)
    with pytest.raises(IllegalMove):
        add_trait(do, consultant, customer, item, "hobby", "瑜伽")
    with pytest.raises(Refusal):
        save(session, Customer, {"occupation": "律师"}, by=consultant, at=at, record_id=customer.id)
    customer.developer_id = head.employee_id
    session.commit()
    do("customer.unfreeze", head, customer, reason="已和解")
    assert customer.state is FileState.FORMAL


def test_a_temporary_file_is_not_frozen(session, do, person, make_customer):
    head, customer = person("department_head"), make_customer()
    customer.developer_id = head.employee_id
    session.flush()
    with pytest.raises(IllegalMove):
        do("customer.freeze", head, customer, reason="纠纷处理中")


def test_a_restriction_is_asked_for_by_medical_affairs_and_carried_out_by_it(
    session, do, person, consultant, formal, make_slip, item
):
    """SM-01, PIPL: 医务科+信息中心; records stay, traits and calls are withdrawn, numbers are shown no more."""
    customer = formal()
    trait = add_trait(do, consultant, customer, item, "hobby", "瑜伽")
    slip = make_slip(customer=customer)
    with pytest.raises(Refusal):
        do("customer.restrict", person("it_manager"), customer)
    do("customer.ask_restriction", person("medical_affairs"), customer, reason="顾客要求删除个人信息")
    with pytest.raises(Refusal) as said:
        do("customer.restrict", person("it_manager"), customer)
    assert slip.slip_no in said.value.sentence
    do("appointment_slip.void", person("phone_supervisor"), slip, reason="顾客要求")
    do("customer.restrict", person("it_manager"), customer)
    assert (customer.state, trait.state) == (FileState.RESTRICTED, TraitState.WITHDRAWN)
    with pytest.raises(Refusal):
        do("customer_contact.reveal", consultant, customer.contacts[0], reason="想看")
    assert session.scalar(select(func.count()).select_from(CustomerTrait)) == 1
    from app.models.followup import FollowupPlan

    open_plans = select(func.count()).where(
        FollowupPlan.customer_id == customer.id, FollowupPlan.state == PlanState.APPROVED
    )
    assert session.scalar(open_plans) == 0


def test_the_schema_restricts_no_file_that_nobody_asked_for(session, make_customer):
    """SM-01: the guard below the act."""
    make_customer().state = FileState.RESTRICTED
    with pytest.raises(IntegrityError):
        session.flush()


def test_numbers_that_stood_before_are_found_again_after_the_filling_in(session, make_customer, monkeypatch):
    """Files with an ID number from before its hash: filled in by pieces, their version untouched, and only once."""
    from sqlalchemy import update

    from app.models.customers import id_hash
    from app.services.customers import fill_id_hashes, identity

    customers = [make_customer() for _number in range(3)]
    for customer in customers:
        customer.id_no = WOMAN
    session.flush()
    keys, versions = [customer.id for customer in customers], [customer.row_version for customer in customers]
    session.execute(update(Customer).where(Customer.id.in_(keys)).values(id_hash=None))
    monkeypatch.setattr(identity, "PIECE", 2)
    assert fill_id_hashes(session) >= 3
    session.expire_all()
    assert [customer.id_hash for customer in customers] == [id_hash(WOMAN)] * 3
    assert [customer.row_version for customer in customers] == versions
    assert fill_id_hashes(session) == 0
