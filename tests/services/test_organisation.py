"""The tree of departments, posts, hiring and changes of post. White paper 4.2.1, 4.2.2, REF-1."""

from __future__ import annotations

import threading
from datetime import date, timedelta

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.exc import IntegrityError

from app.errors import InvalidInput, NotPermitted, Refusal, Stale
from app.models.audit import ActRun
from app.models.base import METADATA
from app.models.hr import (
    Branch,
    Department,
    DepartmentKind,
    DepartmentMove,
    Employee,
    EmployeeState,
    Position,
    PositionDepartment,
    PostChange,
)
from app.services.hr import departments_below, tree_of
from app.services.plain import save


@pytest.fixture
def hr(person):
    return person("hr")


@pytest.fixture
def department(session, hr):
    """A department of HR's branch by its code; made if there is none."""

    def find(code: str, parent: Department | None = None) -> Department:
        found = session.scalars(
            select(Department).where(Department.branch_id == hr.branch_id, Department.code == code)
        ).one_or_none()
        if found is None:
            found = Department(branch_id=hr.branch_id, code=code, name=f"部门{code}", kind=DepartmentKind.FUNCTION)
            found.parent_id = None if parent is None else parent.id
            session.add(found)
            session.flush()
        return found

    return find


def position(session, code: str) -> Position:
    return session.scalars(select(Position).where(Position.code == code)).one()


def today(at, hr) -> date:
    return at.astimezone(hr.timezone).date()


# --- the tree ----------------------------------------------------------------------------------------------------


def test_a_department_is_moved_and_where_it_was_is_kept(do, session, hr, department, at):
    """4.2.1: move keeps history; the tree decides data scope."""
    above, below = department("D11"), department("D22")
    do("department.move", hr, below, parent_id=above.id, reason="合并办公")
    assert below.parent_id == above.id
    assert below.id in departments_below(session, above.id)
    past = session.scalars(select(DepartmentMove).where(DepartmentMove.department_id == below.id)).one()
    assert (past.from_parent_id, past.to_parent_id, past.moved_on) == (None, above.id, today(at, hr))


def test_a_department_can_stand_alone_again(do, hr, department):
    below = department("D08")
    assert below.parent_id is not None
    do("department.move", hr, below, parent_id=None)
    assert below.parent_id is None


@pytest.mark.parametrize(
    ("case", "field"),
    [
        ("itself", "parent_id"),
        ("its part", "parent_id"),
        ("its part's part", "parent_id"),
        ("closed", "parent_id"),
        ("another branch", "parent_id"),
        ("the same", "parent_id"),
        ("tomorrow", "moved_on"),
        ("before", "moved_on"),
    ],
)
def test_a_move_is_refused(do, session, hr, department, at, case, field):
    one = department("X1")
    two = department("X2", one)
    three = department("X3", two)
    other = department("X4")
    foreign = session.scalars(select(Department).where(Department.branch_id != hr.branch_id).limit(1)).one()
    closed = department("X5")
    closed.retired_at = at
    session.flush()
    if case == "before":
        do("department.move", hr, one, parent_id=other.id)
    values = {
        "itself": {"parent_id": one.id},
        "its part": {"parent_id": two.id},
        "its part's part": {"parent_id": three.id},
        "closed": {"parent_id": closed.id},
        "another branch": {"parent_id": foreign.id},
        "the same": {"parent_id": None},
        "tomorrow": {"parent_id": other.id, "moved_on": today(at, hr) + timedelta(days=1)},
        "before": {"parent_id": None, "moved_on": today(at, hr) - timedelta(days=1)},
    }[case]
    with pytest.raises(InvalidInput) as wrong:
        do("department.move", hr, one, **values)
    assert list(wrong.value.errors) == [field]


def test_the_schema_itself_refuses_a_cycle_and_another_branch(session, hr, department):
    one = department("X1")
    two = department("X2", one)
    foreign = session.scalars(select(Department.id).where(Department.branch_id != hr.branch_id).limit(1)).one()
    for parent, name in ((two.id, "ck_department_no_cycle"), (foreign, "ck_department_parent_of_branch")):
        with pytest.raises(IntegrityError) as wrong, session.begin_nested():
            session.execute(update(Department).where(Department.id == one.id).values(parent_id=parent))
        assert wrong.value.orig.diag.constraint_name == name


@pytest.mark.slow
def test_two_people_who_move_crosswise_at_once_make_no_cycle(own_world):
    """A under B and B under A at the same moment: one stands, the other is refused."""
    with own_world.app.app_context():
        session = own_world.session()
        by = own_world.person(session, "hr")
        ids = [
            save(
                session,
                Department,
                {"code": code, "name": code, "kind": DepartmentKind.FUNCTION},
                by=by,
                at=_now(),
            ).id
            for code in ("XA", "XB")
        ]
    gate, said = threading.Barrier(2), []

    def try_move(mover: str, here: int, there: int) -> None:
        with own_world.app.app_context():
            session = own_world.session()
            by = own_world.person(session, mover)
            session.commit()
            gate.wait()
            try:
                own_world.run(session, "department.move", by, here, {"parent_id": there})
                said.append("moved")
            except (Refusal, InvalidInput) as refused:
                said.append(type(refused).__name__)

    movers = [
        threading.Thread(target=try_move, args=("hr", ids[0], ids[1])),
        threading.Thread(target=try_move, args=("admin", ids[1], ids[0])),
    ]
    for mover in movers:
        mover.start()
    for mover in movers:
        mover.join(30)
    assert sorted(said) == ["InvalidInput", "moved"]
    assert own_world.count(Department, Department.id.in_(ids), Department.parent_id.is_(None)) == 1


def _now():
    from datetime import UTC, datetime

    return datetime.now(UTC)


def test_the_tree_as_of_a_day_shows_what_stood_then(do, session, hr, department, at):
    day = today(at, hr)
    old, new, part = department("D11"), department("D12"), department("X1")
    do("department.move", hr, part, parent_id=old.id, moved_on=day - timedelta(days=20))
    do("department.move", hr, part, parent_id=new.id, moved_on=day - timedelta(days=5))

    def above(on: date) -> str | None:
        return _parent_in(tree_of(session, hr.branch_id, day=on, today=day, zone=hr.timezone), "X1")

    assert [above(day - timedelta(days=back)) for back in (30, 10, 1, 0)] == [None, "D11", "D12", "D12"]


def test_a_closed_department_is_shown_on_demand_and_on_its_days(do, session, hr, department, at):
    day, part = today(at, hr), department("X1")
    do("department.close_department", hr, part, valid_to=day - timedelta(days=3), reason="撤销")

    def codes(on: date, *, with_closed: bool = False) -> set[str]:
        found = tree_of(session, hr.branch_id, day=on, today=day, zone=hr.timezone, with_closed=with_closed)
        return {node.department.code for node in _flat(found)}

    assert "X1" not in codes(day)
    assert "X1" in codes(day, with_closed=True)
    assert "X1" in codes(day - timedelta(days=3))
    assert "X1" not in codes(day - timedelta(days=2))


def test_the_tree_counts_people_where_they_worked(do, session, hr, employee, department, at):
    day, person = today(at, hr), employee("phone_consultant")
    person.hired_on = day - timedelta(days=100)
    session.flush()
    target = department("X1", department("D12"))
    do("employee.change_post", hr, person, department_id=target.id, position_id=person.position_id)

    def people(on: date, code: str) -> tuple[int, int]:
        found = tree_of(session, hr.branch_id, day=on, today=day, zone=hr.timezone)
        node = next(node for node in _flat(found) if node.department.code == code)
        return node.people, node.people_below

    assert people(day, "X1") == (1, 1)
    assert people(day - timedelta(days=1), "X1") == (0, 0)
    assert people(day, "D12")[1] == people(day - timedelta(days=1), "D12")[1] + 1


def test_moves_dated_back_never_lose_a_department(do, session, hr, department, at):
    """A circle on a past day, which no day ever had: every department is still shown once."""
    day = today(at, hr)
    one = department("X1")
    two = department("X2", one)
    do("department.move", hr, two, parent_id=None, moved_on=day)
    do("department.move", hr, one, parent_id=two.id, moved_on=day - timedelta(days=10))
    found = tree_of(session, hr.branch_id, day=day - timedelta(days=5), today=day, zone=hr.timezone)
    codes = [node.department.code for node in _flat(found)]
    assert codes.count("X1") == codes.count("X2") == 1


def _flat(nodes):
    return [found for node in nodes for found in (node, *_flat(node.parts))]


def _parent_in(nodes, code, above=None):
    for node in nodes:
        if node.department.code == code:
            return above
        found = _parent_in(node.parts, code, node.department.code)
        if found is not None:
            return found
    return None


# --- head, closing -----------------------------------------------------------------------------------------------


def test_a_head_works_in_the_branch(do, session, hr, employee, department):
    part = department("X1")
    do("department.name_head", hr, part, head_id=employee("guide").id)
    assert part.head_id == employee("guide").id
    left = employee("cashier")
    left.state = EmployeeState.LEFT
    session.flush()
    for nobody in (left.id, employee("b2_guide").id, 10**9):
        with pytest.raises(InvalidInput) as wrong:
            do("department.name_head", hr, part, head_id=nobody)
        assert list(wrong.value.errors) == ["head_id"]
    do("department.name_head", hr, part, head_id=None)
    assert part.head_id is None


def test_a_department_is_not_closed_while_people_or_parts_remain(do, session, hr, department, employee):
    """4.2.1: no deletion if used; the refusal names how many."""
    with pytest.raises(Refusal) as said:
        do("department.close_department", hr, department("D12"), reason="撤销")
    people = session.scalars(
        select(Employee.id).where(Employee.department_id == department("D12").id, Employee.state == "active")
    ).all()
    parts = session.scalars(select(Department.id).where(Department.parent_id == department("D12").id)).all()
    assert str(len(people)) in said.value.sentence
    assert str(len(parts)) in said.value.sentence
    assert len(parts) == 4


def test_a_closed_department_takes_nobody_until_it_is_open_again(do, hr, department, employee):
    above = department("X1")
    part = department("X2", above)
    do("department.close_department", hr, part, reason="撤销")
    do("department.close_department", hr, above, reason="撤销")
    assert part.retired_at is not None
    assert part.valid_to is not None
    with pytest.raises(InvalidInput):
        do("employee.hire", hr, name="新人", department_id=part.id)
    with pytest.raises(Refusal):
        do("department.reopen", hr, part)
    do("department.reopen", hr, above)
    do("department.reopen", hr, part)
    assert (part.retired_at, part.valid_to) == (None, None)
    assert do("employee.hire", hr, name="新人", department_id=part.id).record.department_id == part.id


# --- posts -------------------------------------------------------------------------------------------------------


def test_a_department_has_posts_with_a_headcount(do, session, hr, department):
    part, post = department("D08"), position(session, "phone_consultant")
    made = do("department.add_post", hr, part, position_id=post.id, headcount=2).result
    session.refresh(made)
    assert (made.headcount, made.holders) == (2, 2)
    with pytest.raises(InvalidInput):
        do("department.add_post", hr, part, position_id=post.id)
    with pytest.raises(Refusal):
        do("position_department.end_post", hr, made)
    other = do("department.add_post", hr, part, position_id=position(session, "guide").id).result
    do("position_department.end_post", hr, other)
    assert other.retired_at is not None
    again = do("department.add_post", hr, part, position_id=position(session, "guide").id, headcount=1).result
    assert (again.id, again.retired_at) == (other.id, None)


def test_who_is_hired_beyond_the_plan_is_said(do, session, hr, department):
    part, post = department("D08"), position(session, "phone_consultant")
    do("department.add_post", hr, part, position_id=post.id, headcount=2)
    said = do("employee.hire", hr, name="第三位", department_id=part.id, position_id=post.id)
    assert "3" in (said.notice or "")
    other = do("employee.hire", hr, name="别岗", department_id=part.id, position_id=position(session, "guide").id)
    assert other.notice
    assert session.scalars(select(PositionDepartment)).one().headcount == 2


# --- hiring ------------------------------------------------------------------------------------------------------


def test_hr_hires_without_a_login(do, session, hr, department, at):
    done = do("employee.hire", hr, is_json=True, inputs={"name": "新同事", "department_id": str(department("D12").id)})
    made = done.record
    assert made.employee_no == "YG01-00001"
    assert (made.branch_id, made.user_id, made.state) == (hr.branch_id, None, EmployeeState.ACTIVE)
    assert made.hired_on == today(at, hr)


def test_a_number_that_somebody_has_is_passed_over_or_refused(do, hr, department):
    part = department("D12")
    do("employee.hire", hr, name="甲", department_id=part.id, employee_no="YG01-00001")
    assert do("employee.hire", hr, name="乙", department_id=part.id).record.employee_no == "YG01-00002"
    with pytest.raises(InvalidInput) as wrong:
        do("employee.hire", hr, name="丙", department_id=part.id, employee_no="YG01-00002")
    assert list(wrong.value.errors) == ["employee_no"]


LOGIN = {"username": "new.person", "password": "First-pass-2026"}


def _roles(session, user_id):
    link, role = METADATA.tables["ab_user_role"], METADATA.tables["ab_role"]
    held = select(link.c.role_id).where(link.c.user_id == user_id)
    return set(session.scalars(select(role.c.name).where(role.c.id.in_(held))))


def test_the_login_gets_the_positions_role_unless_others_are_chosen(do, session, admin, department):
    """R25 and R32: who keeps logins hires with one, in one transaction; the default is the position's role."""
    inputs = {"department_id": str(department("D12-2").id), "position_id": str(position(session, "guide").id)}
    made = do("employee.hire", admin, is_json=True, inputs={"name": "甲", **inputs, **LOGIN}).record
    assert _roles(session, made.user_id) == {"guide"}
    chosen = {**LOGIN, "username": "other.person", "roles": "triage"}
    other = do("employee.hire", admin, is_json=True, inputs={"name": "乙", **inputs, **chosen}).record
    assert _roles(session, other.user_id) == {"triage"}
    entry = session.scalars(select(ActRun).where(ActRun.act == "hire", ActRun.record_id == made.id)).one()
    assert entry.inputs["password"] == "***"


@pytest.mark.parametrize("sent", [["username"], ["password"], ["roles"], ["username", "password", "roles"]])
def test_hr_does_not_open_logins(do, hr, department, sent):
    login = {name: value for name, value in {**LOGIN, "roles": "guide"}.items() if name in sent}
    with pytest.raises(InvalidInput) as wrong:
        do(
            "employee.hire",
            hr,
            is_json=True,
            inputs={"name": "甲", "department_id": str(department("D12").id), **login},
        )
    assert sorted(wrong.value.errors) == sorted(sent)


@pytest.mark.parametrize(
    ("login", "field"),
    [
        ({"username": "new.person"}, "password"),
        ({"password": "First-pass-2026"}, "username"),
        ({"roles": "guide"}, "username"),
        ({**LOGIN, "password": "short1"}, "password"),
        ({**LOGIN, "password": "onlylettersonly"}, "password"),
        ({**LOGIN, "username": "Not A Name"}, "username"),
        ({**LOGIN, "username": "guide", "roles": "guide"}, "username"),
        (LOGIN, "roles"),
    ],
)
def test_a_half_login_hires_nobody(do, session, admin, department, login, field):
    before = session.query(Employee).count()
    with pytest.raises(InvalidInput) as wrong:
        do(
            "employee.hire",
            admin,
            is_json=True,
            inputs={"name": "甲", "department_id": str(department("D12").id), **login},
        )
    assert list(wrong.value.errors) == [field]
    assert session.query(Employee).count() == before


def test_a_double_click_hires_one_person(do, session, hr, department):
    inputs = {"name": "双击", "department_id": str(department("D12").id)}
    first = do("employee.hire", hr, request_key="twice", is_json=True, inputs=inputs)
    second = do("employee.hire", hr, request_key="twice", is_json=True, inputs=inputs)
    assert (second.replayed, second.record.id) == (True, first.record.id)
    assert len(session.scalars(select(Employee).where(Employee.name == "双击")).all()) == 1


def test_nobody_is_hired_into_another_branch_by_a_branchs_hr(do, session, hr, consultant):
    foreign = session.scalars(select(Department).where(Department.branch_id != hr.branch_id).limit(1)).one()
    with pytest.raises(InvalidInput) as wrong:
        do("employee.hire", hr, is_json=True, inputs={"name": "甲", "department_id": str(foreign.id)})
    assert list(wrong.value.errors) == ["department_id"]
    with pytest.raises(NotPermitted):
        do("employee.hire", consultant, name="甲", department_id=foreign.id)


def test_a_position_gives_its_role_by_a_list(session, rest):
    """The role is chosen, not typed; what is no role is refused."""
    call = rest("hr")
    made = call("POST", "position/", {"code": "p1", "name": "岗", "default_role": "guide"})
    assert (made.status_code, made.json["result"]["default_role"]) == (201, "guide")
    assert session.get(Position, made.json["id"]).default_role == "guide"
    refused = call("POST", "position/", {"code": "p2", "name": "岗", "default_role": "emperor"})
    assert (refused.status_code, list(refused.json["errors"])) == (422, ["default_role"])


def test_a_role_of_an_administrators_own_stands_as_it_is(session, login, at):
    own = Position(code="p9", name="特岗", default_role="her_own_role")
    session.add(own)
    session.commit()
    client = login("hr")
    assert "her_own_role" in client.get(f"/position/show/{own.id}").text
    assert client.get(f"/position/edit/{own.id}").status_code == 200


# --- changes of post ---------------------------------------------------------------------------------------------


def test_a_change_of_post_keeps_where_she_was(do, session, hr, employee, department, at):
    person, there = employee("guide"), department("D12-3")
    before = (person.department_id, person.position_id)
    triage = position(session, "triage")
    done = do("employee.change_post", hr, person, department_id=there.id, position_id=triage.id, reason="轮岗")
    assert (person.department_id, person.position_id) == (there.id, triage.id)
    assert done.notice, "her login keeps its roles, and HR reads so"
    past = session.scalars(select(PostChange).where(PostChange.employee_id == person.id)).one()
    assert (past.from_department_id, past.from_position_id, past.changed_on) == (*before, today(at, hr))


@pytest.mark.parametrize("case", ["nothing", "tomorrow", "before hired", "before last", "another branch", "closed"])
def test_a_change_of_post_is_refused(do, session, hr, employee, department, at, case):
    person, day = employee("guide"), today(at, hr)
    person.hired_on = day - timedelta(days=50)
    closed = department("X1")
    closed.retired_at = at
    foreign = session.scalars(select(Department.id).where(Department.branch_id != hr.branch_id).limit(1)).one()
    session.flush()
    if case == "before last":
        do("employee.change_post", hr, person, department_id=department("D12").id)
    there = {"department_id": department("D12-3").id}
    values = {
        "nothing": {"department_id": person.department_id, "position_id": person.position_id},
        "tomorrow": {**there, "changed_on": day + timedelta(days=1)},
        "before hired": {**there, "changed_on": day - timedelta(days=51)},
        "before last": {**there, "changed_on": day - timedelta(days=1)},
        "another branch": {"department_id": foreign},
        "closed": {"department_id": closed.id},
    }[case]
    with pytest.raises(InvalidInput):
        do("employee.change_post", hr, person, **values)


def test_an_old_form_of_a_department_is_refused(do, hr, department):
    part = department("X1")
    with pytest.raises(Stale):
        do("department.move", hr, part, row_version=99, parent_id=department("D12").id)


def test_a_form_edits_no_place_in_the_tree(rest, employee):
    person = employee("guide")
    refused = rest("hr")("PUT", f"employee/{person.id}", {"department_id": 1})
    assert (refused.status_code, list(refused.json["errors"])) == (422, ["department_id"])
    refused = rest("hr")("PUT", f"department/{person.department_id}", {"valid_to": "2020-01-01"})
    assert (refused.status_code, list(refused.json["errors"])) == (422, ["valid_to"])


def test_every_branch_has_a_tree_without_cycles(session):
    assert session.execute(text("select count(*) from department where parent_id = id")).scalar() == 0
    assert session.scalars(select(Branch)).all()
