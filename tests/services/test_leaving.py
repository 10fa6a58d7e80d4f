"""离职: the login is closed at once, everything she held changes hands, and it can be explained. White paper 4.2.2."""

from __future__ import annotations

import re
import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, insert, select, update

from app.errors import InvalidInput, NotPermitted, Refusal
from app.fields import MAX_ID
from app.models.appointments import AppointmentSlip, SlipState
from app.models.audit import Notice
from app.models.base import METADATA
from app.models.customers import (
    ChannelPartner,
    Customer,
    CustomerOwnerHistory,
    FileState,
    OwnerRole,
    OwnerRule,
)
from app.models.followup import FollowupPlan, FollowupRule, PlanOrigin, PlanState
from app.models.hr import Department, Employee, EmployeeState, HandoverBatch
from app.roles import RoleName
from app.services.hr import HOLDINGS, Holding, declare_holding, held_by


def table(name: str):
    return METADATA.tables[name]


@pytest.fixture
def hr(person):
    return person("hr")


@pytest.fixture
def leaver(employee):
    return employee("phone_consultant")


@pytest.fixture
def successor(employee):
    return employee("phone_consultant_2")


def is_open(session, who) -> bool:
    user = table("ab_user")
    return session.scalar(select(user.c.active).where(user.c.id == who.user_id))


def test_everything_she_held_goes_to_her_successor(do, session, hr, leaver, successor, make_slip, make_customer, at):
    """Customers in both roles, slips, wishes, plans, partners, headships, pointers; nothing lost, all remembered."""
    slips = [make_slip(), make_slip()]
    wished = make_slip(preferred_consultant_id=leaver.id, preferred_doctor_id=leaver.id)
    advised = make_customer()
    advised.owner_consultant_id = leaver.id
    partner = session.scalars(select(ChannelPartner).where(ChannelPartner.branch_id == leaver.branch_id).limit(1)).one()
    partner.manager_id = leaver.id
    led = session.get(Department, leaver.department_id)
    led.head_id = leaver.id
    session.flush()
    plans = session.scalars(select(FollowupPlan.id).where(FollowupPlan.executor_id == leaver.id)).all()
    assert plans, "the reminders of tomorrow's slips"
    before = held_by(session, leaver)
    batch = do(
        "employee.leave", hr, leaver, reason="回老家", successor_employee_id=successor.id, successor_heads=True
    ).result
    assert leaver.state is EmployeeState.LEFT
    assert leaver.left_at == at
    assert {name: ids for name, ids in held_by(session, leaver).items() if ids} == {}
    assert batch.items == {name: ids for name, ids in before.items() if ids}
    assert batch.counts == {name: len(ids) for name, ids in batch.items.items()}
    assert (batch.from_employee_id, batch.to_employee_id, batch.done_by_id) == (leaver.id, successor.id, hr.employee_id)
    assert led.head_id == successor.id
    assert partner.manager_id == successor.id
    for slip in (*slips, wished):
        session.refresh(slip)
        assert slip.state is SlipState.REPLACED
        new = session.scalars(select(AppointmentSlip).where(AppointmentSlip.supersedes_id == slip.id)).one()
        assert (new.owner_id, new.first_owner_id, new.state) == (successor.id, leaver.id, SlipState.PENDING)
        assert new.preferred_consultant_id == (successor.id if slip is wished else None)
    assert session.get(Customer, advised.id).owner_consultant_id == successor.id
    told = session.scalars(
        select(Notice).where(Notice.employee_id == successor.id, Notice.kind == "handover_received")
    ).one()
    assert (told.table_name, told.record_id) == ("handover_batch", batch.id)


def test_a_customer_keeps_the_history_of_whose_she_was(do, session, hr, leaver, successor, make_customer):
    """GL 45 接收医生: by the rule "taken over from a colleague who left", with the reason."""
    customer = make_customer()
    do("employee.leave", hr, leaver, reason="回老家", successor_employee_id=successor.id)
    session.refresh(customer)
    assert (customer.developer_id, customer.developer_rule) == (successor.id, OwnerRule.INHERITED)
    last = session.scalars(
        select(CustomerOwnerHistory)
        .where(CustomerOwnerHistory.customer_id == customer.id, CustomerOwnerHistory.role == OwnerRole.DEVELOPER)
        .order_by(CustomerOwnerHistory.id.desc())
    ).first()
    assert (last.from_employee_id, last.to_employee_id, last.reason) == (leaver.id, successor.id, "回老家")


def test_plans_without_a_slip_are_re_assigned(do, session, hr, leaver, successor, make_customer):
    rule = session.scalars(select(FollowupRule).where(FollowupRule.code == "missed_call")).one()
    plan = FollowupPlan(
        plan_no="HF-TEST",
        origin=PlanOrigin.AUTO_RULE,
        category_id=rule.category_id,
        rule_id=rule.id,
        trigger=rule.code,
        occasion="contact_record:0",
        customer_id=make_customer().id,
        branch_id=leaver.branch_id,
        department_id=leaver.department_id,
        executor_id=leaver.id,
        planned_at=datetime(2026, 1, 5, 2, tzinfo=UTC),
        state=PlanState.APPROVED,
    )
    session.add(plan)
    session.flush()
    do("employee.leave", hr, leaver, reason="回老家", successor_employee_id=successor.id)
    session.refresh(plan)
    assert (plan.executor_id, plan.state) == (successor.id, PlanState.APPROVED)


def test_partner_and_successor_point_to_the_new_one_and_never_to_oneself(do, session, hr, leaver, successor):
    """The seconds at the desks cover each other: the successor is left without a partner, not her own."""
    assert successor.partner_employee_id == leaver.id
    do("employee.leave", hr, leaver, reason="回老家", successor_employee_id=successor.id)
    session.refresh(successor)
    assert successor.partner_employee_id is None


def test_a_headship_stays_open_unless_the_successor_takes_it(do, session, hr, employee):
    boss, second = employee("phone_supervisor"), employee("phone_consultant")
    led = session.scalars(select(Department).where(Department.head_id == boss.id)).all()
    assert led
    do("employee.leave", hr, boss, reason="调离", successor_employee_id=second.id)
    for department in led:
        session.refresh(department)
        assert department.head_id is None


def test_a_headship_left_to_nobody_is_named_and_not_counted_as_gone_over(do, session, hr, employee, login):
    boss, second = employee("phone_supervisor"), employee("phone_consultant")
    held = held_by(session, boss)
    answer = do("employee.leave", hr, boss, reason="调离", successor_employee_id=second.id)
    batch = answer.result
    assert held["departments"]
    assert batch.items["departments"] == held["departments"]
    assert "departments" not in batch.counts
    assert batch.total == sum(len(ids) for name, ids in held.items() if name != "departments")
    count = len(held["departments"])
    assert f"（{count}）" in answer.notice or f"({count})" in answer.notice
    told = session.scalars(
        select(Notice).where(Notice.employee_id == second.id, Notice.kind == "handover_received")
    ).all()
    assert [notice.facts["count"] for notice in told] == ([str(batch.total)] if batch.total else [])
    session.commit()
    page = login("hr").get(f"/handover_batch/show/{batch.id}").text
    assert "note n-warn" in page


@pytest.mark.parametrize("case", ["closed login", "no login", "no right"])
def test_a_successor_who_could_not_see_what_she_gets_is_refused(do, session, hr, employee, leaver, make_slip, case):
    """4.2.2: nothing is lost; each thing that she cannot take is named beside the successor."""
    make_slip()
    to = employee("cashier" if case == "no right" else "phone_consultant_2")
    if case == "closed login":
        user = table("ab_user")
        session.execute(update(user).where(user.c.id == to.user_id).values(active=False))
    elif case == "no login":
        to.user_id = None
    session.flush()
    with pytest.raises(InvalidInput) as wrong:
        do("employee.leave", hr, leaver, reason="回老家", successor_employee_id=to.id)
    said = wrong.value.errors["successor_employee_id"]
    assert list(wrong.value.errors) == ["successor_employee_id"]
    labels = {holding.name: str(holding.label) for holding in HOLDINGS}
    for name in ("open_slips", "customers_developed", "followup_plans"):
        assert any(labels[name] in sentence for sentence in said), name
    session.refresh(leaver)
    assert leaver.state is EmployeeState.ACTIVE


@pytest.mark.parametrize("own", [False, True])
def test_customers_are_locked_before_slips_and_slips_before_numbers(
    do, session, hr, leaver, successor, colleague, make_slip, statements, own
):
    """The house's order: customer, then document, then number; so no two people wait for each other in a ring."""
    theirs = make_slip(colleague, preferred_consultant_id=leaver.id)
    if own:
        make_slip()
    session.flush()
    with statements() as told:
        do("employee.leave", hr, leaver, reason="回老家", successor_employee_id=successor.id)
    locked = [each.lower() for each in told]

    def first(table: str, condition: str) -> int:
        found = (
            at
            for at, one in enumerate(locked)
            if f"from {table}" in one and "for update" in one and condition in one.split(f"from {table}", 1)[1]
        )
        return next(found)

    wish = first("appointment_slip", "preferred_consultant_id")
    assert first("customer", "order by customer.id") < wish
    numbers = [at for at, one in enumerate(locked) if "number_counter" in one]
    assert bool(numbers) is own
    assert all(wish < at for at in numbers)
    session.refresh(theirs)
    assert theirs.preferred_consultant_id == successor.id


def test_the_default_successor_is_the_one_in_her_file(rest, session, leaver, make_customer):
    """By REST: POST /api/v1/employee/<id>/leave; the successor of her file takes over if none is named."""
    make_customer()
    session.commit()
    answer = rest("hr")("POST", f"employee/{leaver.id}/leave", {"reason": "回老家"})
    assert answer.status_code == 200, answer.text
    assert answer.json["state"] == "left"
    assert answer.json["result"]["to_employee_id"] == leaver.successor_employee_id


# --- closed at once ----------------------------------------------------------------------------------------------


def test_a_live_session_and_a_token_end_at_once(do, session, hr, leaver, successor, login, rest):
    """4.2.2: the account is disabled the same day: at her next request, in the browser and by token."""
    client, call = login("phone_consultant"), rest("phone_consultant")
    assert client.get("/").status_code == 200
    assert call("GET", "appointment_slip/").status_code == 200
    do("employee.leave", hr, leaver, reason="回老家", successor_employee_id=successor.id)
    session.commit()
    session.expire_all()  # each request has a session of its own; these share the test's
    assert not is_open(session, leaver)
    answer = client.get("/")
    assert (answer.status_code, "/login/" in answer.location) == (302, True)
    assert call("GET", "appointment_slip/").status_code == 401
    assert call("POST", "customer/register_temporary", {"name": "甲", "phone": "13912345678"}).status_code == 401


def test_who_has_left_cannot_act_even_while_her_actor_is_known(do, session, hr, leaver, successor, consultant, phone):
    """The runner holds the actor's file: an act that began before is refused after."""
    do("employee.leave", hr, leaver, reason="回老家", successor_employee_id=successor.id)
    with pytest.raises(NotPermitted):
        do("customer.register_temporary", consultant, name="甲", phone=phone())


@pytest.mark.slow
def test_what_she_does_while_she_is_let_leave_is_handed_over_or_refused(own_world):
    """A file opened at the same moment never stays with the leaver."""
    for _turn in range(3):
        _leave_and_open_at_once(own_world)


def _leave_and_open_at_once(world):
    gate, wrong = threading.Barrier(2), []

    def act(who, key, record_id, values):
        with world.app.app_context():
            session = world.session()
            by = world.person(session, who)
            session.commit()
            gate.wait()
            try:
                world.run(session, key, by, record_id, values)
            except (NotPermitted, Refusal) as said:
                wrong.append(said)

    with world.app.app_context():
        session = world.session()
        leaver = world.person(session, "web_consultant").employee_id
        successor = world.person(session, "web_consultant_2").employee_id
        number = str(13_700_000_000 + (session.scalar(select(func.max(Customer.id))) or 0))
        session.commit()
    leave = {"reason": "回老家", "successor_employee_id": successor}
    both = [
        threading.Thread(target=act, args=("hr", "employee.leave", leaver, leave)),
        threading.Thread(
            target=act, args=("web_consultant", "customer.register_temporary", None, {"name": "甲", "phone": number})
        ),
    ]
    for one in both:
        one.start()
    for one in both:
        one.join(30)
    assert world.count(Customer, Customer.developer_id == leaver) == 0
    with world.app.app_context():
        session = world.session()
        hr = world.person(session, "hr")
        place = session.get(Employee, leaver).department_id
        world.run(session, "employee.return_to_work", hr, leaver, {"department_id": place})
        user, user_id = table("ab_user"), session.get(Employee, leaver).user_id
        session.execute(update(user).where(user.c.id == user_id).values(active=True))
        session.commit()


# --- refusals ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "case",
    ["nobody", "has left", "oneself", "another branch", "absent", "tomorrow", "before hired"],
)
def test_a_leaving_that_would_lose_something_is_refused(do, session, hr, employee, leaver, make_customer, at, case):
    make_customer()
    gone = employee("web_consultant")
    gone.state = EmployeeState.LEFT
    session.flush()
    day = at.astimezone(hr.timezone).date()
    good = {"successor_employee_id": employee("phone_consultant_2").id}
    values, field = {
        "nobody": ({"successor_employee_id": None}, "successor_employee_id"),
        "has left": ({"successor_employee_id": gone.id}, "successor_employee_id"),
        "oneself": ({"successor_employee_id": leaver.id}, "successor_employee_id"),
        "another branch": ({"successor_employee_id": employee("b2_phone_consultant").id}, "successor_employee_id"),
        "absent": ({"successor_employee_id": MAX_ID}, "successor_employee_id"),
        "tomorrow": ({**good, "left_on": day + timedelta(days=1)}, "left_on"),
        "before hired": ({**good, "left_on": leaver.hired_on - timedelta(days=1)}, "left_on"),
    }[case]
    with pytest.raises(InvalidInput) as wrong:
        do("employee.leave", hr, leaver, reason="回老家", **values)
    assert list(wrong.value.errors) == [field]
    session.refresh(leaver)
    assert leaver.state is EmployeeState.ACTIVE
    assert is_open(session, leaver)


def test_who_holds_nothing_needs_no_successor(do, session, hr, employee):
    person = employee("archivist")
    batch = do("employee.leave", hr, person, reason="退休").result
    assert (batch.to_employee_id, batch.total) == (None, 0)
    assert not is_open(session, person)


def test_nobody_lets_herself_leave(do, hr, employee):
    with pytest.raises(Refusal):
        do("employee.leave", hr, employee("hr"), reason="辞职")


@pytest.mark.parametrize(("who", "allowed"), [("hr", True), ("admin", True), ("it_manager", False)])
def test_who_may_let_leave(do, person, employee, who, allowed):
    if allowed:
        do("employee.leave", person(who), employee("archivist"), reason="退休")
        return
    with pytest.raises(NotPermitted):
        do("employee.leave", person(who), employee("archivist"), reason="退休")


def test_the_last_administrator_stays(do, session, person, employee, statements):
    """Of two the first may go, the last may not, whoever asks; HR lets neither go."""
    one, two, stale = employee("admin"), employee("b2_admin"), person("b2_admin")
    with pytest.raises(Refusal):
        do("employee.leave", person("hr"), one, reason="辞职")
    user = table("ab_user")
    session.execute(update(user).where(user.c.id == two.user_id).values(active=False))
    session.commit()
    for key, values in (
        ("employee.leave", {"reason": "辞职"}),
        ("employee.close_login", {}),
        ("employee.give_roles", {"roles": [RoleName("guide")]}),
    ):
        with pytest.raises(Refusal):
            do(key, stale, one, **values)
    assert is_open(session, one)
    session.execute(update(user).where(user.c.id == two.user_id).values(active=True))
    with statements() as told:
        do("employee.give_roles", stale, one, roles=[RoleName("guide")])
    assert any("pg_advisory_xact_lock" in each and "'administrators'" in each for each in told)
    do("employee.give_roles", stale, one, roles=[RoleName("admin")])
    do("employee.leave", stale, one, reason="辞职")
    assert not is_open(session, one)


@pytest.fixture
def approvals():
    """A kind of record that another area may declare: approvals that wait for a person, and who may decide them."""
    given: list[tuple[int, int | None]] = []

    def refuses(_session, to, _ids):
        return None if to.employee_no.endswith("2") else f"{to.name}不能审批。"

    def hand_over(handing, ids):
        given.extend((one, handing.to.id) for one in ids)

    holding = declare_holding(
        Holding(
            "waiting",
            "等待审批",
            "employee",
            lambda who: select(Employee.id).where(Employee.id == who.id),
            hand_over,
            refuses,
        )
    )
    yield given
    HOLDINGS.remove(holding)


def test_she_does_not_leave_while_approvals_wait_unless_her_successor_may_decide(
    do, session, hr, leaver, successor, employee, approvals
):
    """The registry of holdings: one declaration serves dialog, refusal and hand-over."""
    for other in (None, employee("phone_supervisor")):
        with pytest.raises(InvalidInput) as wrong:
            do("employee.leave", hr, leaver, reason="回老家", successor_employee_id=other and other.id)
        assert list(wrong.value.errors) == ["successor_employee_id"]
    assert approvals == []
    successor.employee_no = "E-2"
    session.flush()
    batch = do("employee.leave", hr, leaver, reason="回老家", successor_employee_id=successor.id).result
    assert approvals == [(leaver.id, successor.id)]
    assert batch.counts["waiting"] == 1


def test_one_refused_hand_over_undoes_all(do, session, hr, leaver, successor, make_customer):
    """All of it or nothing: neither login nor customers change if one part cannot be handed over."""
    customer = make_customer()

    def cannot(_handing, _ids):
        raise Refusal("不能交接。")

    holding = declare_holding(
        Holding(
            "broken", "坏", "employee", lambda who: select(Employee.id).where(Employee.id == who.id), cannot, rank=999
        )
    )
    try:
        with pytest.raises(Refusal):
            do("employee.leave", hr, leaver, reason="回老家", successor_employee_id=successor.id)
    finally:
        HOLDINGS.remove(holding)
    session.expire_all()
    assert is_open(session, leaver)
    assert session.get(Customer, customer.id).developer_id == leaver.id
    assert session.scalar(select(func.count()).select_from(HandoverBatch)) == 0


def test_a_holding_is_declared_once():
    with pytest.raises(ValueError):
        declare_holding(HOLDINGS[0])


def test_a_merged_file_stays_where_it_was(do, session, hr, leaver, make_customer):
    kept, merged = make_customer(), make_customer()
    session.execute(
        update(Customer)
        .where(Customer.id == merged.id)
        .values(state=FileState.MERGED, merged_into_id=kept.id)
        .execution_options(synchronize_session=False)
    )
    assert held_by(session, leaver)["customers_developed"] == [kept.id]


# --- coming back -------------------------------------------------------------------------------------------------


def test_she_comes_back_under_her_number_with_her_login_closed(do, session, hr, leaver, successor):
    place = leaver.department_id
    do("employee.leave", hr, leaver, reason="回老家", successor_employee_id=successor.id)
    done = do("employee.return_to_work", hr, leaver, department_id=place, position_id=leaver.position_id)
    assert (leaver.state, leaver.left_at) == (EmployeeState.ACTIVE, None)
    assert done.notice
    assert not is_open(session, leaver)


def test_she_does_not_come_back_before_she_left(do, hr, leaver, successor, at):
    do("employee.leave", hr, leaver, reason="回老家", successor_employee_id=successor.id)
    day = at.astimezone(hr.timezone).date() - timedelta(days=1)
    with pytest.raises(InvalidInput) as wrong:
        do("employee.return_to_work", hr, leaver, department_id=leaver.department_id, hired_on=day)
    assert list(wrong.value.errors) == ["hired_on"]


# --- on screen ---------------------------------------------------------------------------------------------------


def test_the_dialog_tells_what_she_holds(session, login, leaver, make_slip):
    make_slip()
    session.commit()
    text = login("hr").get(f"/employee/{leaver.id}/act/leave", headers={"X-Dialog": "1"}).text
    told = dict(re.findall(r"<li[^>]*>(?:<a[^>]*>)?([^<]+?)(?:</a>)? <b>(\d+)</b></li>", text))
    assert list(told.values()).count("1") >= 3, "a customer, a slip, a reminder"
    assert "0" not in told.values(), "what she does not hold is not told"


def test_the_hand_over_has_a_page_for_hr_and_the_successor_only(do, session, hr, leaver, successor, make_slip, login):
    make_slip()
    batch = do("employee.leave", hr, leaver, reason="回老家", successor_employee_id=successor.id).result
    session.commit()
    page = f"/handover_batch/show/{batch.id}"
    for who, status in (("hr", 200), ("phone_consultant_2", 200), ("guide", 404), ("b2_hr", 404), ("admin", 200)):
        assert login(who).get(page).status_code == status, who
    mine = login("phone_consultant_2").get(page).text
    slip_no = session.scalars(select(AppointmentSlip.slip_no).where(AppointmentSlip.owner_id == successor.id)).first()
    assert "回老家" in mine
    assert slip_no


# --- many --------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_two_thousand_customers_change_hands_in_a_few_statements(do, session, hr, leaver, successor, statements):
    """Set by set and not row by row: their number does not grow with the customers'."""
    session.execute(
        insert(Customer),
        [
            {
                "branch_id": leaver.branch_id,
                "customer_no": f"T{number:06d}",
                "name": f"客户{number}",
                "state": FileState.TEMPORARY,
                "developer_id": leaver.id,
                "owner_consultant_id": leaver.id,
            }
            for number in range(2000)
        ],
    )
    session.flush()
    with statements() as told:
        batch = do("employee.leave", hr, leaver, reason="回老家", successor_employee_id=successor.id).result
    assert batch.counts["customers_developed"] == batch.counts["customers_advised"] == 2000
    mine = Customer.developer_id == successor.id, Customer.owner_consultant_id == successor.id
    assert session.scalar(select(func.count()).select_from(Customer).where(*mine)) == 2000
    assert len(told) < 200, len(told)
