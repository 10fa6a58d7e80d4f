"""补预约单: who asks, who approves, who executes, and what it makes. White paper 2.1.3.3, R-2.1.3-5, SM-33."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from app.acts import REGISTRY
from app.errors import IllegalMove, InvalidInput, NotPermitted, OutOfScope, Refusal
from app.models.appointments import (
    AppointmentSlip,
    AppointmentSupplementRequest,
    Channel,
    EvidenceKind,
    Intention,
    SlipState,
    SupplementState,
)
from app.models.audit import Notice, SensitiveViewLog
from app.models.customers import ContactKind, CustomerOwnerHistory, FileState, OwnerRole, OwnerRule
from app.models.files import FilePurpose
from app.models.hr import EmployeeState
from app.services.appointments import expire_due
from app.services.customers import whose_number
from app.services.files import readable, take_in
from app.services.hr import holders_of
from tests.services.test_files import picture

CHINA = ZoneInfo("Asia/Shanghai")
TABLE = "appointment_supplement_request"


@pytest.fixture
def head(person):
    return person("branch_head")


@pytest.fixture
def it(person):
    return person("it_manager")


@pytest.fixture
def evidence(session, consultant, at):
    """Send a picture; return its number."""

    def send(by=None, purpose=FilePurpose.EVIDENCE, content=None):
        name, by = "聊天.png", by or consultant
        return take_in(session, content or picture(), name, purpose=purpose, field="evidence_file_id", by=by, at=at).id

    return send


@pytest.fixture
def at(at):
    """Now, but not within the first hours of the branch's day: who came two hours ago came on this day."""
    midnight = at.astimezone(CHINA).replace(hour=0, minute=0, second=0)
    return max(at, midnight + timedelta(hours=4))


@pytest.fixture
def ask(do, consultant, make_customer, evidence, at):
    """Ask for a supplementary slip for a customer who came two hours ago."""

    def make(by=None, customer=None, *, request_key=None, when=None, **values):
        by = by or consultant
        if "customer_id" not in values and "phone" not in values:
            values["customer_id"] = (customer or make_customer(by)).id
        if "evidence_file_id" not in values and values.get("contact_record_id") is None:
            values["evidence_file_id"] = evidence(by)
        said = {
            "customer_id": None, "phone": None, "claimed_arrived_at": (when or at) - timedelta(hours=2),
            "claimed_owner_id": None, "channel": Channel.PHONE, "intention": Intention.A, "need_text": "双眼皮",
            "evidence_kinds": [EvidenceKind.CALL_RECORD], "contact_record_id": None, "evidence_file_id": None,
            "reason": "忙时漏下",
        }  # fmt: skip
        return do(f"{TABLE}.submit", by, request_key=request_key, when=when, **said | values).record

    return make


@pytest.fixture
def approved(ask, do, head):
    def make(*args, **values):
        request = ask(*args, **values)
        do(f"{TABLE}.approve", head, request, decision_note=None)
        return request

    return make


def kinds_told(session, employee_id):
    return set(session.scalars(select(Notice.kind).where(Notice.employee_id == employee_id)))


# --- from the asking to the slip ---------------------------------------------------------------------------------


def test_one_asks_one_approves_one_executes_and_the_slip_is_made(ask, do, head, it, consultant, session, at):
    """2.1.3.3, SM-33: the slip is marked, belongs to the claimed owner and arrived when the customer came."""
    request = ask()
    assert (request.state, request.request_no[:4]) == (SupplementState.SUBMITTED, "BD01")
    do(f"{TABLE}.approve", head, request, decision_note="情况属实", when=at + timedelta(hours=1))
    done = do(f"{TABLE}.execute", it, request, when=at + timedelta(hours=3))
    slip = done.result
    assert request.resulting_slip is slip
    assert (slip.is_supplement, slip.state, slip.slip_no[:4]) == (True, SlipState.ARRIVED, "YY01")
    assert slip.arrived_at == slip.appointed_at == slip.latest_arrival_at == at - timedelta(hours=2)
    assert (slip.ordered_at, slip.first_ordered_at) == (at + timedelta(hours=3), at + timedelta(hours=1))
    assert (slip.owner_id, slip.first_owner_id, slip.placed_by_id) == (
        consultant.employee_id, consultant.employee_id, it.employee_id,
    )  # fmt: skip
    assert (slip.need_text, slip.channel, slip.intention) == ("双眼皮", Channel.PHONE, Intention.A)
    people = {request.requested_by_id, request.approver_id, request.executed_by_id}
    assert people == {consultant.employee_id, head.employee_id, it.employee_id}
    do(f"{TABLE}.close", head, request)
    assert (request.state, request.closed_by_id) == (SupplementState.CLOSED, head.employee_id)


def test_each_next_person_is_told_and_the_asker_hears_what_became_of_it(
    ask, do, head, it, supervisor, consultant, session
):
    request = ask(supervisor, claimed_owner_id=consultant.employee_id)
    assert kinds_told(session, head.employee_id) == {"supplement_waits"}
    assert kinds_told(session, it.employee_id) == set()
    do(f"{TABLE}.approve", head, request, decision_note=None)
    assert kinds_told(session, it.employee_id) == {"supplement_approved"}
    assert "supplement_approved" in kinds_told(session, supervisor.employee_id)
    assert "supplement_approved" in kinds_told(session, consultant.employee_id)
    do(f"{TABLE}.execute", it, request)
    for one in (supervisor, consultant, head):
        assert "supplement_executed" in kinds_told(session, one.employee_id)
    assert kinds_told(session, it.employee_id) == {"supplement_approved"}, "nobody is told what she did herself"


def test_a_rejected_request_makes_no_slip_and_says_why(ask, do, head, it, consultant, session):
    request = ask()
    with pytest.raises(InvalidInput) as refused:
        do(f"{TABLE}.reject", head, request, inputs={"decision_note": " "})
    assert [*refused.value.errors] == ["decision_note"]
    do(f"{TABLE}.reject", head, request, decision_note="没有预约记录")
    assert (request.state, request.decision_note) == (SupplementState.REJECTED, "没有预约记录")
    assert kinds_told(session, consultant.employee_id) == {"supplement_rejected"}
    with pytest.raises(IllegalMove):
        do(f"{TABLE}.execute", it, request)
    assert session.scalar(select(func.count()).where(AppointmentSlip.customer_id == request.customer_id)) == 0


def test_an_approval_is_taken_back_as_long_as_no_slip_is_made(ask, approved, do, head, it, at):
    request = ask()
    do(f"{TABLE}.approve", head, request, decision_note="情况属实")
    approval = (request.approver_id, request.decided_at, request.decision_note)
    do(f"{TABLE}.reject", head, request, decision_note="客户另有预约单", when=at + timedelta(hours=1))
    assert request.state is SupplementState.REJECTED
    assert (request.approver_id, request.decided_at, request.decision_note) == approval, "what was approved stays"
    assert (request.rejected_by_id, request.rejected_at, request.rejection_note) == (
        head.employee_id, at + timedelta(hours=1), "客户另有预约单",
    )  # fmt: skip
    other = approved()
    do(f"{TABLE}.execute", it, other)
    with pytest.raises(IllegalMove):
        do(f"{TABLE}.reject", head, other, decision_note="太晚")


def test_only_the_asker_takes_her_request_back_and_only_before_it_is_decided(ask, do, supervisor, consultant, head):
    request = ask()
    with pytest.raises(Refusal):
        do(f"{TABLE}.withdraw", supervisor, request)
    do(f"{TABLE}.withdraw", consultant, request)
    assert (request.state, request.withdrawn_at is not None) == (SupplementState.WITHDRAWN, True)
    other = ask()
    do(f"{TABLE}.approve", head, other, decision_note=None)
    with pytest.raises(IllegalMove):
        do(f"{TABLE}.withdraw", consultant, other)


#: SM-33: from which state each act starts, and where it leads.
TRANSITIONS = {
    "approve": {"submitted": "approved"},
    "reject": {"submitted": "rejected", "approved": "rejected"},
    "withdraw": {"submitted": "withdrawn"},
    "execute": {"approved": "executed"},
    "close": {"executed": "closed"},
}


def test_the_acts_move_as_the_table_of_states_says():
    """SM-33, and the two ways out that are ours: taken back by the asker, or by the branch head before execution."""
    declared = {
        act.name: {start.value: end.value for start, end in act.moves.items()}
        for act in REGISTRY.of(TABLE)
        if not act.creates
    }
    assert declared == TRANSITIONS
    allowed = {(start.value, end.value) for start, ends in AppointmentSupplementRequest.MOVES.items() for end in ends}
    assert allowed == {(start, end) for moves in TRANSITIONS.values() for start, end in moves.items()}


@pytest.mark.parametrize("state", [*SupplementState])
@pytest.mark.parametrize("act", [*TRANSITIONS])
def test_every_act_in_every_state(act, state, ask, do, head, it, consultant, session):
    """SM-33 as a decision table."""
    request = ask()
    way = {
        SupplementState.SUBMITTED: [], SupplementState.APPROVED: ["approve"], SupplementState.REJECTED: ["reject"],
        SupplementState.WITHDRAWN: ["withdraw"], SupplementState.EXECUTED: ["approve", "execute"],
        SupplementState.CLOSED: ["approve", "execute", "close"],
    }[state]  # fmt: skip
    who = {"approve": head, "reject": head, "withdraw": consultant, "execute": it, "close": head}
    values = {"approve": {"decision_note": None}, "reject": {"decision_note": "不符"}}
    for step in way:
        do(f"{TABLE}.{step}", who[step], request, **values.get(step, {}))
    assert request.state is state
    leads_to = TRANSITIONS[act].get(state.value)
    if leads_to is None:
        with pytest.raises(IllegalMove):
            do(f"{TABLE}.{act}", who[act], request, **values.get(act, {}))
    else:
        do(f"{TABLE}.{act}", who[act], request, **values.get(act, {}))
        assert request.state.value == leads_to


# --- R-2.1.3-5: three people -------------------------------------------------------------------------------------


def with_rights_of(actor, *others):
    """The same person, holding the roles of others too."""
    rights = frozenset().union(actor.rights, *(other.rights for other in others))
    reaches = dict(actor.reaches)
    for other in others:
        for table, reach in other.reaches.items():
            reaches[table] = max(reaches.get(table, reach), reach)
    return replace(actor, rights=rights, reaches=reaches)


@pytest.mark.parametrize(
    ("asks", "owns", "approves", "executes", "refused_at"),
    [
        ("consultant", "consultant", "head", "it", None),
        ("supervisor", "consultant", "head", "it", None),
        ("consultant", "consultant", "consultant", "it", "approve"),
        ("supervisor", "consultant", "supervisor", "it", "approve"),
        ("supervisor", "consultant", "consultant", "it", "approve"),
        ("consultant", "consultant", "head", "consultant", "execute"),
        ("consultant", "consultant", "head", "head", "execute"),
        ("supervisor", "consultant", "head", "supervisor", "execute"),
        ("supervisor", "consultant", "head", "consultant", "execute"),
        ("head", "consultant", "head", "it", "approve"),
        ("it", "consultant", "head", "it", "execute"),
    ],
)
def test_the_three_are_three_people_whatever_roles_each_holds(
    asks, owns, approves, executes, refused_at, ask, do, consultant, supervisor, head, it, make_customer
):
    """R-2.1.3-5 by person: everybody here holds every role of the three, and is refused all the same."""
    people = {"consultant": consultant, "supervisor": supervisor, "head": head, "it": it}
    all_powerful = {name: with_rights_of(one, *people.values()) for name, one in people.items()}
    request = ask(all_powerful[asks], make_customer(), claimed_owner_id=people[owns].employee_id)
    if refused_at == "approve":
        with pytest.raises(Refusal):
            do(f"{TABLE}.approve", all_powerful[approves], request, decision_note=None)
        with pytest.raises(Refusal):
            do(f"{TABLE}.reject", all_powerful[approves], request, decision_note="不符")
        return
    do(f"{TABLE}.approve", all_powerful[approves], request, decision_note=None)
    if refused_at == "execute":
        with pytest.raises(Refusal):
            do(f"{TABLE}.execute", all_powerful[executes], request)
        assert request.state is SupplementState.APPROVED
    else:
        do(f"{TABLE}.execute", all_powerful[executes], request)
        assert request.state is SupplementState.EXECUTED


@pytest.mark.parametrize(
    ("act", "username"),
    [
        ("submit", "guide"), ("submit", "it_manager"), ("submit", "branch_head"), ("submit", "onsite_consultant"),
        ("approve", "phone_consultant"), ("approve", "phone_supervisor"), ("approve", "it_manager"),
        ("approve", "department_head"), ("approve", "hospital_director"), ("approve", "admin"),
        ("reject", "it_manager"), ("execute", "branch_head"), ("execute", "phone_supervisor"), ("execute", "admin"),
        ("close", "it_manager"),
    ],
)  # fmt: skip
def test_who_has_no_part_in_it_is_refused(act, username, ask, do, person):
    """Part D: R01-R04 and R10 ask, R33 approves, R32 executes; IT has no approval rights."""
    by = person(username)
    request = None if act == "submit" else ask()
    values = {"decision_note": "x"} if act in ("approve", "reject") else {}
    with pytest.raises((NotPermitted, OutOfScope)):
        do(f"{TABLE}.{act}", by, request, **values)


def test_the_branch_head_of_another_branch_knows_nothing_of_it(ask, do, person):
    with pytest.raises(OutOfScope):
        do(f"{TABLE}.approve", person("b2_branch_head"), ask(), decision_note=None)


@pytest.mark.parametrize("column", ["approver_id", "executed_by_id"])
def test_the_schema_itself_refuses_two_parts_for_one_person(column, approved, do, it, session):
    """R-2.1.3-5: the last guard."""
    request = approved()
    do(f"{TABLE}.execute", it, request)
    table = AppointmentSupplementRequest.__table__
    both = table.update().where(table.c.id == request.id).values({column: request.requested_by_id})
    with pytest.raises(IntegrityError, match=r"another|gains"), session.begin_nested():
        session.execute(both)


SCHEMA_REFUSES = {
    "no evidence": {"evidence_file_id": None, "contact_record_id": None},
    "no kind of evidence": {"evidence_kinds": []},
    "an unknown kind of evidence": {"evidence_kinds": ["rumour"]},
    "executed without a slip": {"state": "executed"},
    "approved by nobody": {"state": "approved"},
    "rejected without a reason": {"state": "rejected"},
    "an arrival after the request": {"claimed_arrived_at": datetime(2099, 1, 1, tzinfo=UTC)},
}


@pytest.mark.parametrize("wrong", SCHEMA_REFUSES)
def test_the_schema_refuses(wrong, ask, session):
    request = ask()
    values = SCHEMA_REFUSES[wrong]
    table = AppointmentSupplementRequest.__table__
    with pytest.raises(IntegrityError), session.begin_nested():
        session.execute(table.update().where(table.c.id == request.id).values(**values))


# --- what a request must say -------------------------------------------------------------------------------------


def refusal_of(ask, *args, **values):
    with pytest.raises((InvalidInput, Refusal)) as refused:
        ask(*args, **values)
    said = refused.value
    return [*said.errors] if isinstance(said, InvalidInput) else [said.field]


def test_an_arrival_ahead_or_too_long_ago_is_refused(ask, do, admin, at):
    """2.1.3.3: how long after the arrival one may ask is a setting."""
    assert refusal_of(ask, claimed_arrived_at=at + timedelta(minutes=1)) == ["claimed_arrived_at"]
    assert refusal_of(ask, claimed_arrived_at=at - timedelta(days=7, minutes=1)) == ["claimed_arrived_at"]
    ask(claimed_arrived_at=at - timedelta(days=7))
    set_to = {"key": "appointments.supplement_days", "branch_id": None, "effective_at": None, "reason": None}
    do("param.set_value", admin, value="1", **set_to)
    assert refusal_of(ask, claimed_arrived_at=at - timedelta(days=2)) == ["claimed_arrived_at"]


def test_a_customer_whose_arrival_stands_on_a_slip_already_is_refused_and_the_slip_named(
    ask, do, guide, make_slip, consultant, at
):
    slip = make_slip()
    do("appointment_slip.arrive", guide, slip, when=at - timedelta(hours=1))
    with pytest.raises(Refusal, match=slip.slip_no) as refused:
        ask(customer=slip.customer)
    assert refused.value.field == "claimed_arrived_at"
    ask(customer=slip.customer, claimed_arrived_at=at - timedelta(days=2))


def test_an_awaited_slip_of_another_day_does_not_stand_in_the_way(ask, make_slip, at):
    slip = make_slip(appointed_at=at + timedelta(days=3))
    assert ask(customer=slip.customer).state is SupplementState.SUBMITTED


def test_a_second_open_request_for_the_same_customer_and_day_is_refused_and_the_first_named(
    ask, do, consultant, head, make_customer, at, session
):
    customer = make_customer()
    first = ask(customer=customer)
    with pytest.raises(Refusal, match=first.request_no):
        ask(customer=customer, claimed_arrived_at=at - timedelta(hours=2, minutes=1))
    do(f"{TABLE}.reject", head, first, decision_note="证据不足")
    second = ask(customer=customer)
    table = AppointmentSupplementRequest.__table__
    with pytest.raises(IntegrityError, match="uq_appointment_supplement_request_open"), session.begin_nested():
        session.execute(
            table.update().where(table.c.id == first.id).values(state="submitted", approver_id=None, decided_at=None)
        )
    assert second.request_no != first.request_no


def test_an_owner_who_has_left_or_works_elsewhere_cannot_be_claimed_for(ask, supervisor, employee, session):
    gone = employee("phone_consultant_2")
    gone.state = EmployeeState.LEFT
    session.flush()
    assert refusal_of(ask, supervisor, claimed_owner_id=gone.id) == ["claimed_owner_id"]
    other = employee("b2_phone_consultant")
    assert refusal_of(ask, supervisor, claimed_owner_id=other.id) == ["claimed_owner_id"]


def test_a_consultant_asks_for_herself_and_a_supervisor_for_her_department(
    ask, consultant, colleague, supervisor, employee, make_customer
):
    assert refusal_of(ask, consultant, claimed_owner_id=colleague.employee_id) == ["claimed_owner_id"]
    assert ask(consultant).claimed_owner_id == consultant.employee_id
    assert ask(supervisor, claimed_owner_id=colleague.employee_id).claimed_owner_id == colleague.employee_id
    web = employee("web_consultant")
    assert refusal_of(ask, supervisor, claimed_owner_id=web.id) == ["claimed_owner_id"]


FORM = {
    "claimed_arrived_at": "2026-01-05T10:00:00+08:00", "intention": "A", "channel": "phone", "reason": "漏下",
    "evidence_kinds": "call_record",
}  # fmt: skip


@pytest.mark.parametrize(
    ("without", "field"),
    [("claimed_arrived_at", "claimed_arrived_at"), ("intention", "intention"), ("reason", "reason"),
     ("evidence_kinds", "evidence_kinds")],
)  # fmt: skip
def test_what_must_be_filled(without, field, do, consultant, make_customer, evidence):
    inputs = {**FORM, "customer_id": str(make_customer().id), "evidence_file_id": str(evidence())}
    del inputs[without]
    with pytest.raises(InvalidInput) as refused:
        do(f"{TABLE}.submit", consultant, inputs=inputs, is_json=True)
    assert [*refused.value.errors] == [field]


def test_evidence_must_be_attached_as_a_file_or_a_record(do, consultant, make_customer, ask, item):
    inputs = {**FORM, "customer_id": str(make_customer().id)}
    with pytest.raises(InvalidInput) as refused:
        do(f"{TABLE}.submit", consultant, inputs=inputs, is_json=True)
    assert [*refused.value.errors] == ["evidence_file_id"]
    customer = make_customer()
    call = {"caller_no": None, "business_category_id": item("business_category").id, "customer_id": customer.id}
    record = do("contact_record.register_call", consultant, **call).record
    request = ask(customer=customer, contact_record_id=record.id, channel=None)
    assert (request.channel, request.evidence_file_id) == (Channel.PHONE, None)


def test_a_contact_record_about_another_customer_is_no_evidence(ask, do, consultant, make_customer, item):
    call = {"caller_no": None, "business_category_id": item("business_category").id}
    record = do("contact_record.register_call", consultant, customer_id=make_customer().id, **call).record
    assert refusal_of(ask, contact_record_id=record.id) == ["contact_record_id"]


def test_without_a_record_the_channel_is_asked_for(ask):
    assert refusal_of(ask, channel=None) == ["channel"]


def test_the_customer_is_named_once(do, consultant, make_customer, evidence, phone):
    for given in ({}, {"customer_id": str(make_customer().id), "phone": phone()}):
        with pytest.raises(InvalidInput) as refused:
            do(
                f"{TABLE}.submit",
                consultant,
                is_json=True,
                inputs={**FORM, "evidence_file_id": str(evidence()), **given},
            )
        assert [*refused.value.errors] == ["customer_id"]


def test_a_customer_of_a_colleague_is_named_by_her_whole_number_and_the_look_up_is_logged(
    ask, do, consultant, colleague, make_customer, session, phone
):
    number = phone()
    customer = make_customer(colleague, phone=number)
    with pytest.raises(InvalidInput):
        do(f"{TABLE}.submit", consultant, inputs={**FORM, "customer_id": str(customer.id)}, is_json=True)
    assert ask(phone=number).customer_id == customer.id
    looked = session.scalars(select(SensitiveViewLog).where(SensitiveViewLog.record_id == customer.id)).all()
    assert [look.employee_id for look in looked] == [consultant.employee_id]
    assert refusal_of(ask, phone=phone()) == ["phone"]


def test_a_customer_of_another_branch_is_refused(ask, person, make_customer, phone):
    number = phone()
    make_customer(person("b2_phone_consultant"), phone=number)
    assert refusal_of(ask, phone=number) == ["phone"]


@pytest.mark.parametrize("why", ["arrived", "another's request", "closed", "another branch", "no channel"])
def test_by_number_no_more_is_told_of_a_colleagues_customer_than_whose_she_is_and_that_is_logged(
    why, ask, do, person, guide, consultant, colleague, make_customer, make_slip, phone, session, at
):
    """R-2.1.1-2: neither name nor slip, day or state of the file; the look-up is kept though nothing else is."""
    number, owner = phone(), person("b2_phone_consultant") if why == "another branch" else colleague
    customer = make_customer(owner, phone=number, name="白牡丹")
    hidden = ["白牡丹"]
    if why == "arrived":
        slip = make_slip(colleague, customer)
        do("appointment_slip.arrive", guide, slip, when=at - timedelta(hours=1))
        hidden.append(slip.slip_no)
    elif why == "another's request":
        hidden.append(ask(colleague, customer).request_no)
    elif why == "closed":
        customer.state = FileState.FROZEN
        session.flush()
        hidden.append(FileState.FROZEN.label)
    channel = None if why == "no channel" else Channel.PHONE
    with pytest.raises((Refusal, InvalidInput)) as refused:
        ask(phone=number, channel=channel)
    said = str(refused.value)
    assert not [word for word in hidden if str(word) in said], said
    if why != "no channel":
        known = whose_number(session, ContactKind.PHONE, number)
        assert (refused.value.field, said.startswith(known.sentence(consultant))) == ("phone", True), said
    looked = session.scalars(select(SensitiveViewLog).where(SensitiveViewLog.record_id == customer.id)).all()
    assert [look.employee_id for look in looked] == [consultant.employee_id]


def test_ones_own_open_request_by_number_is_named(ask, colleague, make_customer, phone):
    number = phone()
    make_customer(colleague, phone=number)
    first = ask(phone=number)
    with pytest.raises(Refusal, match=first.request_no):
        ask(phone=number)


# --- the file ----------------------------------------------------------------------------------------------------


def test_only_ones_own_unused_picture_or_pdf_is_evidence(do, consultant, colleague, make_customer, evidence, ask):
    used = ask().evidence_file_id
    table = evidence(purpose=FilePurpose.IMPORT, content=b"a,b\n1,2\n")
    for wrong in (used, table, evidence(colleague), 10**15):
        inputs = {**FORM, "customer_id": str(make_customer().id), "evidence_file_id": str(wrong)}
        with pytest.raises(InvalidInput) as refused:
            do(f"{TABLE}.submit", consultant, inputs=inputs, is_json=True)
        assert [*refused.value.errors] == ["evidence_file_id"], wrong


def test_the_evidence_is_read_by_those_who_see_the_request(
    ask, session, consultant, colleague, supervisor, head, it, person
):
    file_id = ask().evidence_file_id
    assert all(readable(session, file_id, by) is not None for by in (consultant, supervisor, head, it))
    for by in (colleague, person("guide"), person("b2_branch_head"), person("auditor")):
        assert readable(session, file_id, by) is None


# --- whose performance it is -------------------------------------------------------------------------------------


def test_performance_moves_from_the_approval_and_not_before(
    ask, do, head, it, consultant, colleague, phone, make_customer, session, at
):
    """R-2.1.3-5: the customer changes hands when the slip is made, with effect from the approval, and it is written."""
    number = phone()
    customer = make_customer(colleague, phone=number)
    request = ask(phone=number)
    do(f"{TABLE}.approve", head, request, decision_note=None, when=at + timedelta(hours=1))
    assert customer.developer_id == colleague.employee_id
    do(f"{TABLE}.execute", it, request, when=at + timedelta(hours=5))
    assert (customer.developer_id, customer.developed_at) == (consultant.employee_id, at + timedelta(hours=1))
    assert (request.attribution_from_id, request.attribution_moved_at) == (colleague.employee_id, request.decided_at)
    entry = session.scalars(select(CustomerOwnerHistory).where(CustomerOwnerHistory.customer_id == customer.id)).all()[
        -1
    ]
    assert (entry.role, entry.rule, entry.from_employee_id, entry.to_employee_id) == (
        OwnerRole.DEVELOPER, OwnerRule.SUPPLEMENT, colleague.employee_id, consultant.employee_id,
    )  # fmt: skip
    assert (entry.given_at, entry.reason) == (request.decided_at, request.request_no)
    assert "supplement_took" in kinds_told(session, colleague.employee_id), "who loses a customer is told"


def test_nothing_moves_if_she_is_the_owners_already(approved, do, it, session, consultant):
    request = approved()
    do(f"{TABLE}.execute", it, request)
    assert (request.attribution_from_id, request.attribution_moved_at) == (None, None)
    assert request.customer.developer_id == consultant.employee_id


def test_a_decision_taken_after_the_approval_stands(
    approved, do, it, employee, colleague, make_customer, phone, session, at
):
    number = phone()
    customer = make_customer(colleague, phone=number)
    request = approved(phone=number)
    third = employee("web_consultant")
    customer.developer_id, customer.developed_at = third.id, at + timedelta(hours=2)
    session.flush()
    do(f"{TABLE}.execute", it, request, when=at + timedelta(hours=3))
    assert (customer.developer_id, request.attribution_moved_at) == (third.id, None)
    assert request.resulting_slip is not None


def test_an_owner_who_left_meanwhile_gets_neither_slip_nor_customer(
    approved, do, it, employee, colleague, make_customer, phone, session
):
    number = phone()
    customer = make_customer(colleague, phone=number)
    request = approved(phone=number)
    employee("phone_consultant").state = EmployeeState.LEFT
    session.flush()
    with pytest.raises(Refusal):
        do(f"{TABLE}.execute", it, request)
    assert (customer.developer_id, request.resulting_slip) == (colleague.employee_id, None)


@pytest.mark.parametrize("state", [FileState.FROZEN])
def test_a_file_closed_meanwhile_stops_approval_and_execution(state, ask, approved, do, head, it, session):
    """SM-01: a frozen file takes no new slip."""
    asked, agreed = ask(), approved()
    for request in (asked, agreed):
        request.customer.state = state
    session.commit()
    with pytest.raises(Refusal, match=str(state.label)):
        do(f"{TABLE}.approve", head, asked, decision_note=None)
    with pytest.raises(Refusal, match=str(state.label)):
        do(f"{TABLE}.execute", it, agreed)


@pytest.mark.parametrize("lapsed", [False, True])
def test_who_had_a_slip_for_the_day_gets_no_supplementary_one(lapsed, ask, approved, do, head, it, session, make_slip):
    """2.1.3.3 is for arrivals without a slip: asked, approved, executed; the slip is named."""
    asked, agreed = ask(), approved()
    slips = []
    for request in (asked, agreed):
        slip = make_slip(customer=request.customer)
        slip.appointed_at = slip.latest_arrival_at = request.claimed_arrived_at
        session.flush()
        if lapsed:
            expire_due(session, at=request.claimed_arrived_at + timedelta(days=1))
        slips.append(slip)
    session.commit()
    with pytest.raises(Refusal, match=slips[0].slip_no):
        do(f"{TABLE}.approve", head, asked, decision_note=None)
    with pytest.raises(Refusal, match=f"{slips[1].slip_no}|another slip|另一张预约单"):
        do(f"{TABLE}.execute", it, agreed)
    do(f"{TABLE}.reject", head, asked, decision_note="已有预约单")
    with pytest.raises(Refusal, match=slips[0].slip_no) as refused:
        ask(customer=asked.customer)
    assert refused.value.field == "claimed_arrived_at"


def test_a_slip_is_not_received_on_the_day_of_a_supplementary_one(approved, do, it, guide, make_slip, at):
    """2.1.3.3: one arrival is one slip; the next day she is received."""
    request = approved(claimed_arrived_at=at - timedelta(minutes=1))
    slip = make_slip(customer=request.customer, appointed_at=at + timedelta(days=2))
    made = do(f"{TABLE}.execute", it, request).result
    with pytest.raises(Refusal, match=made.slip_no):
        do("appointment_slip.arrive", guide, slip, when=request.claimed_arrived_at)
    do("appointment_slip.arrive", guide, slip, when=at + timedelta(days=1))


def test_an_owner_who_left_meanwhile_is_not_approved(ask, do, head, employee, session):
    request = ask()
    employee("phone_consultant").state = EmployeeState.LEFT
    session.flush()
    with pytest.raises(Refusal):
        do(f"{TABLE}.approve", head, request, decision_note=None)


def test_an_arrival_written_meanwhile_stops_approval_and_execution(ask, do, head, it, guide, make_slip, at):
    slip, came = make_slip(), at - timedelta(minutes=5)
    first = ask(customer=slip.customer, claimed_arrived_at=came)
    second = ask(claimed_arrived_at=came)
    other = make_slip(customer=second.customer)
    do(f"{TABLE}.approve", head, second, decision_note=None)
    for arrived in (slip, other):
        do("appointment_slip.arrive", guide, arrived, when=came)
    with pytest.raises(Refusal, match=slip.slip_no):
        do(f"{TABLE}.approve", head, first, decision_note=None)
    with pytest.raises(Refusal, match=other.slip_no):
        do(f"{TABLE}.execute", it, second)
    do(f"{TABLE}.reject", head, second, decision_note="已有预约单")


def test_the_first_and_last_visit_are_kept_right(approved, do, it, session, at):
    request = approved()
    customer = request.customer
    customer.first_visit_at = customer.last_visit_at = at - timedelta(minutes=30)
    session.flush()
    do(f"{TABLE}.execute", it, request)
    assert (customer.first_visit_at, customer.last_visit_at) == (request.claimed_arrived_at, at - timedelta(minutes=30))


def test_the_arrival_of_a_supplementary_slip_is_not_taken_back(approved, do, it, person):
    """It was never awaited; what was approved stands."""
    slip = do(f"{TABLE}.execute", it, approved()).result
    with pytest.raises(Refusal):
        do("appointment_slip.undo_arrival", person("guide_supervisor"), slip, reason="误操作")
    assert slip.state is SlipState.ARRIVED


def test_whose_turn_it_is_are_the_holders_of_the_right_in_the_branch(session, head, it, employee):
    assert holders_of(session, TABLE, "can_approve", branch_id=head.branch_id) == [head.employee_id]
    assert holders_of(session, TABLE, "can_execute", branch_id=it.branch_id) == [it.employee_id]
    employee("branch_head").state = EmployeeState.LEFT
    session.flush()
    assert holders_of(session, TABLE, "can_approve", branch_id=head.branch_id) == []


# --- who leaves --------------------------------------------------------------------------------------------------


def test_open_requests_go_to_the_successor(ask, approved, do, head, it, person, employee, session):
    """4.2.2: asked and claimed alike, submitted and approved; they go on from there."""
    requests = [ask(), approved()]
    to = employee("phone_consultant_2")
    do("employee.leave", person("hr"), employee("phone_consultant"), reason="离职", successor_employee_id=to.id)
    for request in requests:
        session.refresh(request)
        assert (request.requested_by_id, request.claimed_owner_id) == (to.id, to.id)
    do(f"{TABLE}.execute", it, requests[1])
    assert requests[1].resulting_slip.owner_id == to.id


def test_who_approved_a_request_does_not_take_it_over(approved, do, head, person, employee):
    """R-2.1.3-5."""
    request, leaver = approved(), employee("phone_consultant")
    with pytest.raises(InvalidInput, match=request.request_no) as refused:
        do("employee.leave", person("hr"), leaver, reason="离职", successor_employee_id=head.employee_id)
    assert [*refused.value.errors] == ["successor_employee_id"]


@pytest.mark.parametrize(("username", "made"), [("branch_head", "asked"), ("it_manager", "approved")])
def test_nobody_leaves_while_requests_wait_for_her_alone(username, made, ask, approved, do, person, employee):
    """R-2.1.3-5: else nobody could decide them; the sentence says how many."""
    for _each in range(2):
        ask() if made == "asked" else approved()
    to = employee("phone_consultant_2").id
    with pytest.raises(Refusal, match="2"):
        do("employee.leave", person("hr"), employee(username), reason="离职", successor_employee_id=to)


# --- once, however often it is asked -----------------------------------------------------------------------------


def test_a_second_click_on_execute_makes_one_slip(approved, do, it, session):
    request = approved()
    first = do(f"{TABLE}.execute", it, request, request_key="one-click")
    again = do(f"{TABLE}.execute", it, request, request_key="one-click")
    assert again.replayed
    assert again.result.id == first.result.id
    with pytest.raises(IllegalMove):
        do(f"{TABLE}.execute", it, request)
    slips = select(func.count()).where(AppointmentSlip.customer_id == request.customer_id)
    assert session.scalar(slips) == 1


def test_the_same_request_sent_twice_with_the_same_file_is_one_request(
    do, consultant, make_customer, evidence, session
):
    """A second click brings the file a second time, under another number."""
    base = {**FORM, "claimed_arrived_at": (datetime.now(UTC) - timedelta(hours=1)).isoformat(),
            "customer_id": str(make_customer().id)}  # fmt: skip
    made = [
        do(f"{TABLE}.submit", consultant, inputs={**base, "evidence_file_id": str(evidence())}, is_json=True,
           request_key="sent-twice").record.id
        for _click in range(2)
    ]  # fmt: skip
    assert made[0] == made[1]


@pytest.mark.slow
@pytest.mark.parametrize("act", ["approve", "execute"])
def test_two_at_once_leave_one_decision_and_one_slip(act, own_world):
    """Under concurrency the customer and the request are locked: one wins, the other reads why."""
    from app.extensions import db

    with own_world.app.app_context():
        session = own_world.session()
        customer_id, _slip = own_world.customer()
        by = own_world.person(session, "phone_consultant")
        now = datetime.now(UTC)
        content, name = picture(), "a.png"
        file = take_in(session, content, name, purpose=FilePurpose.EVIDENCE, field="f", by=by, at=now)
        session.commit()
        said = {
            "customer_id": customer_id, "phone": None, "claimed_arrived_at": now - timedelta(hours=1),
            "claimed_owner_id": None, "channel": Channel.PHONE, "intention": Intention.A, "need_text": None,
            "evidence_kinds": [EvidenceKind.OTHER], "contact_record_id": None, "evidence_file_id": file.id,
            "reason": "漏下",
        }  # fmt: skip
        request_id = own_world.run(session, f"{TABLE}.submit", by, None, said).record.id
        if act == "execute":
            head = own_world.person(session, "branch_head")
            own_world.run(session, f"{TABLE}.approve", head, request_id, {"decision_note": None})
        db.session.remove()
    told, ready = [], threading.Barrier(2)

    def go():
        with own_world.app.app_context():
            session = own_world.session()
            by = own_world.person(session, "branch_head" if act == "approve" else "it_manager")
            ready.wait()
            try:
                values = {"decision_note": None} if act == "approve" else {}
                own_world.run(session, f"{TABLE}.{act}", by, request_id, values)
                told.append("done")
            except IllegalMove:
                told.append("refused")
            finally:
                db.session.remove()

    threads = [threading.Thread(target=go) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(told) == ["done", "refused"]
    with own_world.app.app_context():
        slips = select(func.count()).where(AppointmentSlip.customer_id == customer_id)
        assert own_world.session().scalar(slips) == (1 if act == "execute" else 0)
        db.session.remove()
