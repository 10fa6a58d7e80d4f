"""Plain data: added and edited on screen and over REST, checked, kept with its history, never deleted."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import func, select

from app.models.audit import ActRun, Notice
from app.models.base import METADATA
from app.models.customers import ContactKind
from app.models.hr import Branch, Department, DepartmentKind, Employee
from app.models.settings import ItemState, Param, ReachChoice, RoleReach
from app.services.hr.people import SHARED_BY
from app.services.notices import sentence
from app.services.settings import SETTINGS, items_in_use, next_number, value_of


def test_an_administrator_without_an_employee_file_founds_the_organisation(app, session, rest, monkeypatch):
    """create-admin makes an account only; branch, department, employee and login follow from it."""
    user = METADATA.tables["ab_user"]
    admin_id = session.scalar(select(user.c.id).where(user.c.username == "admin"))
    session.scalars(select(Employee).where(Employee.user_id == admin_id)).one().user_id = None
    session.commit()
    call = rest("admin")
    branch = call("POST", "branch/", {"code": "77", "name": "苏州分院"})
    assert branch.status_code == 201, branch.text
    department = call(
        "POST", "department/", {"branch_id": branch.json["id"], "code": "D08", "name": "电话咨询组", "kind": "business"}
    )
    assert department.status_code == 201, department.text
    employee = call(
        "POST",
        "employee/",
        {
            "branch_id": branch.json["id"],
            "employee_no": "S001",
            "name": "苏敏",
            "department_id": department.json["id"],
        },
    )
    assert employee.status_code == 201, employee.text
    opened = call(
        "POST",
        f"employee/{employee.json['id']}/open_login",
        {"username": "sumin", "password": "Suzhou-2026-x", "roles": ["phone_consultant"]},
    )
    assert opened.status_code == 200, opened.text
    assert opened.json["acts"] == [
        "give_roles",
        "reset_password",
        "close_login",
        "reopen_login",
        "leave",
        "change_post",
        "unlock_login",
        "hand_out_code",
        "reset_second_factor",
        "end_sessions",
    ]
    told = session.scalars(select(Notice).where(Notice.employee_id == employee.json["id"])).all()
    assert [notice.kind for notice in told] == ["login_opened"]
    client = app.test_client()
    login = {"username": "sumin", "password": "Suzhou-2026-x", "provider": "db"}
    assert client.post("/api/v1/security/login", json=login).status_code == 200


def test_a_password_never_stands_in_the_history(session, rest, employee):
    person = employee("cashier")
    call = rest("it_manager")
    assert call("POST", f"employee/{person.id}/reset_password", {"password": "Brand-new-2026"}).status_code == 200
    entry = session.scalars(select(ActRun).where(ActRun.act == "reset_password")).one()
    assert "Brand-new" not in str(entry.inputs)


@pytest.mark.parametrize("password", ["short1", "onlyletters", "1234567890123"])
def test_a_weak_password_is_refused(rest, employee, password):
    answer = rest("it_manager")("POST", f"employee/{employee('cashier').id}/reset_password", {"password": password})
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["password"])


def test_only_an_administrator_makes_administrators(rest, employee):
    person = employee("cashier")
    answer = rest("it_manager")("POST", f"employee/{person.id}/give_roles", {"roles": ["admin"]})
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["roles"])
    assert rest("admin")("POST", f"employee/{person.id}/give_roles", {"roles": ["admin"]}).status_code == 200
    assert (
        rest("it_manager")("POST", f"employee/{person.id}/reset_password", {"password": "Brand-new-2026"}).status_code
        == 409
    )


def test_a_closed_login_can_neither_enter_nor_go_on(app, session, rest, employee):
    call = rest("cashier")
    assert call("GET", "notice/").status_code == 200
    assert rest("it_manager")("POST", f"employee/{employee('cashier').id}/close_login", {}).status_code == 200
    assert call("GET", "notice/").status_code == 401
    body = {"username": "cashier", "password": "Yimei-demo-2026", "provider": "db"}
    assert app.test_client().post("/api/v1/security/login", json=body).status_code == 401


def test_nobody_closes_her_own_login(rest, employee):
    assert rest("it_manager")("POST", f"employee/{employee('it_manager').id}/close_login", {}).status_code == 409


def test_hr_adds_to_her_own_branch_only(session, rest, employee):
    call, mine = rest("hr"), employee("hr")
    other = session.scalars(select(Branch.id).where(Branch.id != mine.branch_id)).first()
    body = {"code": "D99", "name": "新部门", "kind": "function"}
    made = call("POST", "department/", body)
    assert (made.status_code, made.json["result"]["branch_id"]) == (201, mine.branch_id)
    refused = call("POST", "department/", {**body, "code": "D98", "branch_id": other})
    assert (refused.status_code, list(refused.json["errors"])) == (422, ["branch_id"])


def test_the_department_tree_has_no_cycle(session, rest, employee):
    branch_id = employee("hr").branch_id
    above = Department(branch_id=branch_id, code="X1", name="上", kind=DepartmentKind.FUNCTION)
    session.add(above)
    session.flush()
    below = Department(branch_id=branch_id, code="X2", name="下", kind=DepartmentKind.FUNCTION, parent_id=above.id)
    session.add(below)
    session.commit()
    for parent in (below.id, above.id):
        answer = rest("hr")("PUT", f"department/{above.id}", {"parent_id": parent})
        assert answer.status_code == 422, parent
        assert list(answer.json["errors"]) == ["parent_id"]


def test_inputs_that_are_absent_stay_and_unknown_ones_are_refused(rest, make_customer):
    customer, call = make_customer(name="林小雨"), rest("phone_consultant")
    answer = call("PUT", f"customer/{customer.id}", {"occupation": "教师"})
    assert (answer.json["result"]["name"], answer.json["result"]["occupation"]) == ("林小雨", "教师")
    for field in ("state", "developer_id", "search_terms", "id", "customer_no"):
        refused = call("PUT", f"customer/{customer.id}", {field: 1})
        assert (refused.status_code, list(refused.json["errors"])) == (422, [field])


def test_a_stale_edit_is_refused(rest, make_customer):
    customer, call = make_customer(), rest("phone_consultant")
    seen = customer.row_version
    assert call("PUT", f"customer/{customer.id}", {"occupation": "教师", "row_version": seen}).status_code == 200
    late = call("PUT", f"customer/{customer.id}", {"occupation": "护士", "row_version": seen})
    assert late.status_code == 409


def test_a_sensitive_value_is_written_encrypted_shown_masked_and_kept_when_left_empty(
    session, rest, login, make_customer
):
    customer, call = make_customer(), rest("phone_supervisor")
    answer = call("PUT", f"customer/{customer.id}", {"id_no": "310101199001011234"})
    assert answer.json["result"]["id_no"] == "310****1234"
    raw = session.connection().exec_driver_sql("select id_no from customer where id = %s", (customer.id,)).scalar()
    assert "310101199001011234" not in raw
    client = login("phone_supervisor")
    page = client.get(f"/customer/edit/{customer.id}").text
    assert "310101199001011234" not in page
    version = re.search(r'name="row_version" value="(\d+)"', page).group(1)
    sent = {"name": "林小雨", "id_no": "", "row_version": version, "csrf_token": client.token}
    assert client.post(f"/customer/edit/{customer.id}", data=sent).status_code == 302
    assert customer.id_no == "310101199001011234"


def test_a_refused_form_keeps_what_was_typed(login, session):
    client = login("admin")
    before = session.scalar(select(func.count()).select_from(Branch))
    sent = {
        "code": "abc",
        "name": "错误分院",
        "address": "某路一号",
        "zone": "Asia/Shanghai",
        "csrf_token": client.token,
    }
    answer = client.post("/branch/add", data=sent)
    assert answer.status_code in (409, 422)
    assert "某路一号" in answer.text
    sent = {
        "code": "01",
        "name": "重复编号",
        "address": "某路二号",
        "surgical_level_max": "1",
        "zone": "Asia/Shanghai",
        "csrf_token": client.token,
    }
    answer = client.post("/branch/add", data=sent)
    assert answer.status_code == 409, "the schema's refusal is a sentence too"
    assert "某路二号" in answer.text
    assert "psycopg" not in answer.text
    assert session.scalar(select(func.count()).select_from(Branch)) == before


def test_a_dictionary_item_is_retired_and_no_longer_offered_but_stands_where_it_was_used(
    do, admin, session, make_slip, item
):
    used = item("appointment_item")
    slip = make_slip(item_ids=[used.id])
    do("dictionary_item.retire", admin, used)
    assert used.state is ItemState.RETIRED
    assert used.id not in {key for key, _text in items_in_use(session, "appointment_item")}
    assert slip.items_text
    do("dictionary_item.restore", admin, used)
    assert used.id in {key for key, _text in items_in_use(session, "appointment_item")}


@pytest.mark.parametrize(("key", "value", "field"), [
    ("appointments.grace_minutes", "-1", "value"),
    ("appointments.grace_minutes", "9999", "value"),
    ("appointments.grace_minutes", "many", "value"),
    ("appointments.one_open_slip", "perhaps", "value"),
    ("reports.daily_at", "25:00", "value"),
    ("nothing.here", "1", "key"),
])  # fmt: skip
def test_a_setting_refuses_what_is_out_of_its_range(rest, key, value, field):
    answer = rest("admin")("POST", "param/set_value", {"key": key, "value": value})
    assert (answer.status_code, list(answer.json["errors"])) == (422, [field])


def test_every_setting_stands_on_screen_with_range_help_and_history(session, login, rest):
    keys = set(session.scalars(select(Param.key)))
    assert keys == set(SETTINGS)
    call = rest("admin")
    assert call("POST", "param/set_value", {"key": "appointments.grace_minutes", "value": "30"}).status_code == 201
    text = login("admin").get("/param/list/?tab=all&q=grace").text
    assert text.count("/param/show/") >= 2, "the old value stays beside the new one"


def test_a_number_has_prefix_branch_date_and_counter_and_is_used_once(session, at, consultant):
    branch = session.get_one(Branch, consultant.branch_id)
    numbers = [
        next_number(session, "appointment_slip", branch=branch, at=at, zone=consultant.timezone) for _ in range(3)
    ]
    day = at.astimezone(consultant.timezone).strftime("%Y%m%d")
    assert all(re.fullmatch(rf"YY{branch.code}-{day}-\d{{4}}", number) for number in numbers)
    assert len(set(numbers)) == 3


def test_a_void_slip_s_number_is_not_given_again(do, supervisor, make_slip):
    first = make_slip()
    do("appointment_slip.void", supervisor, first, reason="客户取消")
    assert make_slip().slip_no > first.slip_no


def test_nothing_is_deleted_by_rest(rest, make_customer):
    assert rest("phone_consultant")("DELETE", f"customer/{make_customer().id}").status_code == 405


def test_who_may_not_add_is_refused(rest):
    assert rest("guide")("POST", "dictionary/", {"code": "x", "name": "x", "name_en": "x"}).status_code == 403
    assert rest("phone_consultant")("POST", "customer/", {"name": "x"}).status_code == 403, (
        "a file is opened by its act"
    )


def test_a_branch_s_clock_must_exist_and_another_branch_keeps_its_own_file(session, rest, employee):
    mine = employee("it_manager").branch_id
    other = session.scalars(select(Branch.id).where(Branch.id != mine)).first()
    call = rest("it_manager")
    answer = call("PUT", f"branch/{mine}", {"zone": "Mars/Phobos"})
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["zone"])
    assert call("PUT", f"branch/{other}", {"name": "别人的"}).status_code == 409
    assert call("PUT", f"branch/{mine}", {"phone": "021-1234"}).status_code == 200


def test_a_branch_s_it_sets_values_for_her_branch_only(session, rest, employee):
    mine = employee("it_manager").branch_id
    other = session.scalars(select(Branch.id).where(Branch.id != mine)).first()
    call = rest("it_manager")
    for branch in (other, None):
        answer = call(
            "POST", "param/set_value", {"key": "appointments.grace_minutes", "value": "5", "branch_id": branch}
        )
        assert (answer.status_code, list(answer.json["errors"])) == (422, ["branch_id"])
    answer = call("POST", "param/set_value", {"key": "appointments.grace_minutes", "value": "5", "branch_id": mine})
    assert answer.status_code == 201


def guards():
    """The settings that guard: those of customers, logins, passwords, exports, looks, keys and the trail."""
    named = {
        "customers.shared_by",
        "exports.most_rows",
        "exports.most_in_file",
        "privacy.reveals_told",
        "privacy.reveals_most",
    }
    return named | {key for key in SETTINGS if key.startswith(("login.", "password.", "api_keys.", "trail."))}


def test_what_guards_is_set_for_the_whole_group_by_its_administrator_only(session, rest, employee, at):
    mine, default = employee("it_manager").branch_id, {key: SETTINGS[key].default for key in guards()}
    assert {key for key, declared in SETTINGS.items() if declared.group_only} == guards()
    for call, branch in ((rest("it_manager"), mine), (rest("admin"), mine), (rest("it_manager"), None)):
        for key, value in default.items():
            answer = call("POST", "param/set_value", {"key": key, "value": value, "branch_id": branch})
            assert (answer.status_code, list(answer.json["errors"])) == (422, ["branch_id"]), key
    assert rest("admin")("POST", "param/set_value", {"key": SHARED_BY.key, "value": "branch"}).status_code == 201
    session.add(Param(key=SHARED_BY.key, branch_id=mine, value="group", effective_at=at))
    session.flush()
    assert value_of(session, SHARED_BY, branch_id=mine, at=at) == "branch", "an older value of a branch opens nothing"


def test_an_administrator_is_changed_by_administrators_only_and_a_closed_login_can_be_reopened(rest, employee):
    call, boss = rest("it_manager"), employee("admin")
    assert call("POST", f"employee/{boss.id}/close_login", {}).status_code == 409
    assert call("POST", f"employee/{employee('it_manager').id}/give_roles", {"roles": ["guide"]}).status_code == 409
    assert (
        call("POST", f"employee/{employee('cashier').id}/give_roles", {"roles": ["finance_manager"]}).status_code == 422
    )
    assert call("POST", f"employee/{employee('cashier').id}/close_login", {}).status_code == 200
    assert call("POST", f"employee/{employee('cashier').id}/reopen_login", {}).status_code == 200


APPROVERS = ("branch_head", "hospital_director")


@pytest.mark.parametrize("approver", APPROVERS)
def test_who_keeps_the_logins_takes_no_approvers_login_and_makes_none(rest, employee, approver):
    """R-2.1.3-5: who asks, who approves and who carries out are three; IT alone does not become the second."""
    call, head, other = rest("it_manager"), employee(approver), employee("cashier")
    new = {"password": "Brand-new-2026"}
    assert call("POST", f"employee/{head.id}/reset_password", new).status_code == 409
    assert call("POST", f"employee/{head.id}/give_roles", {"roles": ["guide"]}).status_code == 409
    refused = call("POST", f"employee/{other.id}/give_roles", {"roles": ["cashier", approver]})
    assert (refused.status_code, list(refused.json["errors"])) == (422, ["roles"])
    for act, told in (("close_login", {}), ("unlock_login", {"reason": "来电"}), ("end_sessions", {"reason": "丢失"})):
        assert call("POST", f"employee/{head.id}/{act}", told).status_code == 409, act
        assert call("POST", f"employee/{other.id}/{act}", told).status_code == 200, act
    assert rest("admin")("POST", f"employee/{head.id}/close_login", {}).status_code == 200
    assert call("POST", f"employee/{head.id}/reopen_login", {}).status_code == 409
    boss = rest("admin")
    assert boss("POST", f"employee/{head.id}/reset_password", new).status_code == 200
    assert boss("POST", f"employee/{other.id}/give_roles", {"roles": ["cashier", approver]}).status_code == 200
    assert call("POST", f"employee/{other.id}/reset_password", new).status_code == 409


def test_a_role_that_was_made_to_reach_the_whole_group_is_an_administrators_to_give(session, rest, employee, at):
    call, holder, other = rest("it_manager"), employee("cashier"), employee("guide")
    set_to = RoleReach(role="cashier", table_name="customer", reach=ReachChoice.GROUP)
    session.add(set_to)
    session.commit()
    refused = call("POST", f"employee/{other.id}/give_roles", {"roles": ["guide", "cashier"]})
    assert (refused.status_code, list(refused.json["errors"])) == (422, ["roles"])
    assert call("POST", f"employee/{holder.id}/reset_password", {"password": "Brand-new-2026"}).status_code == 409
    set_to.retired_at = at
    session.commit()
    assert call("POST", f"employee/{other.id}/give_roles", {"roles": ["guide", "cashier"]}).status_code == 200
    assert call("POST", f"employee/{holder.id}/reset_password", {"password": "Brand-new-2026"}).status_code == 200


def test_nobody_sets_her_own_password_without_the_present_one(rest, employee):
    for name in ("it_manager", "admin"):
        path = f"employee/{employee(name).id}/reset_password"
        assert rest(name)("POST", path, {"password": "Brand-new-2026"}).status_code == 409


def test_a_new_password_and_new_roles_are_told_to_whose_they_are(rest, employee, session):
    call, other = rest("it_manager"), employee("cashier")
    assert call("POST", f"employee/{other.id}/give_roles", {"roles": ["cashier", "triage"]}).status_code == 200
    assert call("POST", f"employee/{other.id}/reset_password", {"password": "Brand-new-2026"}).status_code == 200
    told = session.scalars(select(Notice).where(Notice.employee_id == other.id).order_by(Notice.id)).all()
    assert [notice.kind for notice in told] == ["roles_changed", "password_reset"]
    assert {notice.facts["by"] for notice in told} == {employee("it_manager").name}
    assert all(sentence(notice) for notice in told)


def test_a_second_role_widens_nothing_that_it_has_no_right_on(
    session, do, admin, employee, person, make_customer, colleague
):
    """A consultant who also sits at the till sees her own customers, not the whole branch's."""
    from app.services.accounts import RoleName
    from app.services.scope import find

    hers = make_customer(colleague)
    do(
        "employee.give_roles",
        admin,
        employee("phone_consultant"),
        roles=[RoleName("phone_consultant"), RoleName("cashier")],
    )
    assert find(session, "customer", hers.id, person("phone_consultant")) is None


def test_a_standing_reference_out_of_scope_does_not_hinder_an_edit(session, rest, make_customer, colleague):
    customer, hers = make_customer(), make_customer(colleague)
    customer.referrer_customer_id = hers.id
    session.commit()
    answer = rest("phone_consultant")("PUT", f"customer/{customer.id}", {"occupation": "教师"})
    assert answer.status_code == 200, answer.text
    assert answer.json["result"]["referrer_customer_id"] == hers.id
    new = rest("phone_consultant")("PUT", f"customer/{make_customer().id}", {"referrer_customer_id": hers.id})
    assert new.status_code == 422, "but it cannot be chosen anew"


def test_who_has_left_is_no_choice_any_more(session, rest, make_customer, employee, at):
    from datetime import timedelta

    doctor = employee("doctor")
    doctor.state = type(doctor.state)("left")
    session.commit()
    start = (at + timedelta(days=1)).isoformat()
    body = {
        "customer_id": make_customer().id,
        "appointed_at": start,
        "latest_arrival_at": start,
        "intention": "A",
        "preferred_doctor_id": doctor.id,
    }
    answer = rest("phone_consultant")("POST", "appointment_slip/place", body)
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["preferred_doctor_id"])


def test_an_account_is_masked_as_an_account(rest, do, consultant, make_customer):
    customer = make_customer()
    do("customer.add_contact", consultant, customer, kind=ContactKind.QQ, value="12345", relation=None)
    told = rest("phone_consultant")("GET", "customer_contact/").json["result"]
    qq = next(row for row in told if row["kind"] == "qq")
    assert qq["value"] == "12***5"
    assert "value_tail" not in qq


def test_after_a_stale_form_the_next_try_starts_from_what_stands(login, session, make_slip, do, supervisor):
    slip = make_slip()
    client = login("phone_supervisor")
    sent = {
        "reason": "客户取消",
        "row_version": str(slip.row_version + 7),
        "request_key": "k",
        "csrf_token": client.token,
    }
    answer = client.post(f"/appointment_slip/{slip.id}/act/void", data=sent, headers={"X-Dialog": "1"})
    assert answer.status_code == 409
    assert "客户取消" in answer.text
    assert f'name="row_version" value="{slip.row_version}"' in answer.text
