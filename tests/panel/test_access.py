"""Rights on screen: columns that need one, the matrix, what a person may do, seeing as another. Part D."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from app.models.privacy import ExportRequest, ExportState
from app.models.settings import Effect, RoleOverride
from app.models.subscriptions import Period, ReportSubscription
from app.models.trail import AuditLog
from app.panel.security import sync_security
from app.services.fieldrights import field_rights
from app.unit import acting_as, unit_of_work

WOMAN = "11010519491231002X"


def test_field_rights_are_declared_and_somebodys(app):
    from app.roles import ROLES, rights_of

    assert {
        ("customer", "can_see_id_no"),
        ("employee", "can_see_id_no"),
        ("employee", "can_see_phone"),
    } <= field_rights()
    for pair in field_rights():
        assert any(pair in rights_of(role) for role in ROLES), pair


def test_a_column_without_its_right_is_nowhere(session, make_customer, login, rest):
    """customer.id_no: a supervisor sees it, masked; to her consultant it does not exist."""
    customer = make_customer()
    customer.id_no = WOMAN
    session.commit()
    seeing, blind = login("phone_supervisor"), login("phone_consultant")
    url = f"/customer/show/{customer.id}"
    masked = "****"
    assert "身份证" in seeing.get(url).text
    assert masked in seeing.get(url).text
    assert "身份证" not in blind.get(url).text
    form = f"/customer/edit/{customer.id}"
    assert 'name="id_no"' in seeing.get(form).text
    assert 'name="id_no"' not in blind.get(form).text
    call, open_call = rest("phone_consultant"), rest("phone_supervisor")
    assert "id_no" not in call("GET", f"customer/{customer.id}").json["result"]
    assert "id_no" not in call("GET", "customer/").json["result"][0]
    assert "id_no" in open_call("GET", f"customer/{customer.id}").json["result"]
    refused = call("PUT", f"customer/{customer.id}", {"id_no": WOMAN})
    assert refused.status_code == 422
    assert list(refused.json["errors"]) == ["id_no"]
    for asked in ("(order_column:id_no)", "(filters:!((col:id_no,opr:eq,value:x)))"):
        assert call("GET", f"customer/?q={asked}").status_code == 400
    assert open_call("PUT", f"customer/{customer.id}", {"id_no": WOMAN}).status_code == 200
    assert "身份证" in seeing.get(url).text.partition('id="history"')[0]
    assert "***" not in re.sub(r"\d\*{4}\d{4}", "", blind.get(url).text), "the history does not tell of it either"
    blind.post(form, data={"csrf_token": blind.token, "id_no": "x", "name": "林小雨"})
    session.refresh(customer)
    assert customer.id_no == WOMAN


def test_the_pages_of_rights(session, employee, login):
    client, pk = login("auditor"), employee("phone_consultant").id
    for path in ("/rights/matrix/", "/rights/matrix/?area=customers", "/rights/matrix/?role=guide", "/rights/people/"):
        answer = client.get(path)
        assert answer.status_code == 200, path
        assert answer.text.count("<tr") > 5, path
    assert "*" not in client.get("/rights/matrix/?role=guide").text.partition("<tbody")[2].partition("</tbody")[0]
    session.add(RoleOverride(role="guide", table_name="customer", permission="can_list", effect=Effect.WITHDRAW))
    session.commit()
    assert client.get("/rights/matrix/?role=nobody").status_code == 400
    told = client.get(f"/rights/people/{pk}").text
    assert "电话咨询师" in told
    assert client.get("/rights/people/999999999").status_code == 404
    for path in ("/rights/matrix/export/xlsx", "/rights/conflicts/export/xlsx", "/rights/conflicts/export/csv"):
        assert client.get(path).status_code == 200, path
    made = post(client, "/rights/matrix/export/xlsx", reason="年度检查")
    assert made.status_code == 302
    assert session.scalars(select(ExportRequest).order_by(ExportRequest.id.desc())).first().state is ExportState.READY
    assert client.get("/rights/matrix/export/exe").status_code == 404
    assert client.get("/rights/conflicts/").status_code == 200
    for path in ("/rights/matrix/", "/rights/people/", "/rights/conflicts/", f"/rights/people/{pk}"):
        assert login("phone_consultant").get(path).status_code == 403


def test_a_right_taken_on_screen_is_marked_in_the_matrix(app, session, login):
    session.add(RoleOverride(role="guide", table_name="customer", permission="can_list", effect=Effect.WITHDRAW))
    session.commit()
    sync_security(app)
    assert "*" in login("auditor").get("/rights/matrix/?role=guide").text.partition("<tbody")[2].partition("</tbody")[0]


# --- see as ------------------------------------------------------------------------------------------------------


def post(client, path, **data):
    return client.post(path, data={"csrf_token": client.token, **data})


def events(session, name):
    return session.scalars(select(AuditLog).where(AuditLog.operation == name)).all()


def test_an_auditor_sees_as_another_and_changes_nothing(session, make_customer, make_slip, employee, login, rest):
    slip, other, hers = make_slip(), make_customer(), employee("phone_consultant")
    client, auditor = login("auditor"), employee("auditor")
    assert client.get(f"/appointment_slip/show/{slip.id}").status_code == 403
    session.commit()  # the next transaction begins in the request, so the trail is told who acts
    assert post(client, f"/see-as/{hers.id}").status_code == 302
    page = client.get(f"/appointment_slip/show/{slip.id}")
    assert page.status_code == 200
    assert hers.name in page.text
    assert "/see-as/stop" in page.text
    for path in (f"/appointment_slip/{slip.id}/act/redo", "/customer/act/register_temporary", "/customer/whose"):
        assert post(client, path, name="甲", phone="13900001111").status_code == 403, path
    assert post(client, f"/customer/edit/{other.id}", name="乙").status_code == 403
    assert post(client, f"/see-as/{auditor.id}").status_code == 403
    assert post(client, "/see-as/stop").status_code == 302
    assert client.get(f"/appointment_slip/show/{slip.id}").status_code == 403
    (begun,), (ended,) = events(session, "see_as_begin"), events(session, "see_as_end")
    assert (begun.record_id, ended.record_id) == (hers.id, hers.id)
    assert {begun.actor, ended.actor} == {f"user:{auditor.user_id}"}
    session.refresh(other)
    assert other.name != "乙"


def test_one_s_own_address_begins_one_s_own_form_and_nobody_else_s(session, employee, login, at):
    hers, today = employee("phone_supervisor"), at.date()
    with acting_as("house:test"), unit_of_work(session):
        wanted = ReportSubscription(
            employee_id=hers.id, branch_id=hers.branch_id, report="contact_daily", period=Period.YESTERDAY,
            weekdays=["1"], active_from=today, wanted_since=at, mail_to="her.own@example.org",
        )  # fmt: skip
        session.add(wanted)
    change = f"/report_subscription/{wanted.id}/act/change"
    client, auditor = login("phone_supervisor"), login("auditor")
    assert 'value="her.own@example.org"' in client.get(change).text
    assert "her.own@example.org" not in client.get(f"/report_subscription/show/{wanted.id}").text
    assert post(auditor, f"/see-as/{hers.id}").status_code == 302
    page = auditor.get(change)
    assert page.status_code == 200
    assert "her.own@example.org" not in page.text


@pytest.mark.parametrize("name", ["admin", "it_manager", "branch_head", "phone_consultant"])
def test_seeing_as_another_is_the_auditors_alone(employee, login, name):
    client = login(name)
    assert post(client, f"/see-as/{employee('phone_consultant_2').id}").status_code == 403


def test_rest_and_a_withdrawn_right_know_nothing_of_it(app, session, make_slip, employee, login, rest):
    slip, hers = make_slip(), employee("phone_consultant")
    client, call = login("auditor"), rest("auditor")
    post(client, f"/see-as/{hers.id}")
    assert call("GET", f"appointment_slip/{slip.id}").status_code == 403
    session.add(RoleOverride(role="auditor", table_name="employee", permission="can_see_as", effect=Effect.WITHDRAW))
    session.commit()
    sync_security(app)
    assert client.get(f"/appointment_slip/show/{slip.id}").status_code == 403
    post(client, "/see-as/stop")


def test_logging_out_ends_it(session, employee, login):
    client = login("auditor")
    post(client, f"/see-as/{employee('phone_consultant').id}")
    post(client, "/logout/")
    assert len(events(session, "see_as_end")) == 1
