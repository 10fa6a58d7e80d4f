"""Who did what, on screen: the history of a record in words, the auditor's list, and the right actor on every way in.

White paper L05, L14, H.2; part D, R36. What was written is read back from the database.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from sqlalchemy import select, text, update

from app.jobs.clock import beat, look
from app.jobs.declared import Job, Slot
from app.models.appointments import AppointmentSlip
from app.models.base import METADATA
from app.models.customers import Customer
from app.models.trail import AuditLog, trailed
from app.panel.changes import changes_of, names_in
from app.panel.history import LINES, history_of, history_page
from app.services.settings import SETTINGS
from app.services.trail import KINDS, note

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def newest(session, **told):
    statement = select(AuditLog).filter_by(**told).order_by(AuditLog.id.desc()).limit(1)
    return session.scalars(statement.execution_options(populate_existing=True)).one()


# --- under whose name --------------------------------------------------------------------------------------------


def test_what_a_page_writes_bears_its_person_request_and_address(session, login, employee, make_slip):
    slip = make_slip()
    client = login("phone_supervisor")
    answer = client.post(
        f"/appointment_slip/{slip.id}/act/void",
        data={"csrf_token": client.token, "reason": "她改主意了"},
        environ_base={"REMOTE_ADDR": "10.1.2.3"},
    )
    assert answer.status_code == 302
    entry = newest(session, table_name="appointment_slip", record_id=slip.id, operation="update")
    assert entry.actor == f"user:{employee('phone_supervisor').user_id}"
    assert (entry.address, entry.request) == ("10.1.2.3", answer.headers["X-Request-Id"])
    assert (entry.before["state"], entry.after["state"]) == ("pending", "voided")


def test_what_rest_writes_bears_the_tokens_person(session, rest, employee, make_slip):
    slip = make_slip()
    assert rest("phone_supervisor")("POST", f"appointment_slip/{slip.id}/void", {"reason": "写错了"}).status_code == 200
    entry = newest(session, table_name="appointment_slip", record_id=slip.id, operation="update")
    assert entry.actor == f"user:{employee('phone_supervisor').user_id}"
    assert entry.request


def test_a_column_of_several_values_is_told_like_any_other(session, supervisor):
    entry = AuditLog(
        table_name="appointment_supplement_request",
        record_id=1,
        operation="update",
        before={"evidence_kinds": ["other"], "customer_id": 0},
        after={"evidence_kinds": ["other", "chat_record"], "customer_id": 0},
    )
    [change] = changes_of([entry], supervisor, names_in(session, [entry], supervisor))
    assert (change.before, change.after) == ("other", "other、chat_record")


def test_what_jobs_and_schedulers_write_bears_their_names(app, session):
    def work(session, _slot, _at):
        session.execute(update(Customer).where(Customer.id < 0).values(name="x"))
        return "done"

    job = Job("test.trail", work, lambda _session, _now: [Slot("noon", NOON)], None)
    assert look(app, job, lambda: NOON) == ["noon"]
    assert newest(session, table_name="job_run", operation="insert").actor == "house:job:test.trail"
    beat(app, lambda: NOON, NOON)
    seen = newest(session, table_name="job_heartbeat")
    assert seen.actor == "house:scheduler"
    beat(app, lambda: NOON + timedelta(seconds=10), NOON)
    assert newest(session, table_name="job_heartbeat").id == seen.id, "a sign of life alone writes nothing"


def test_what_a_worker_writes_bears_the_name_of_who_asked(session, rest, employee, work_off, make_slip):
    slips = [make_slip() for _ in range(2)]
    call = rest("phone_supervisor")
    told = call("POST", "appointment_slip/many/void", {"ids": [slip.id for slip in slips], "reason": "写错了"})
    work_off()
    if told.status_code in (200, 202):
        for slip in slips:
            entry = newest(session, table_name="appointment_slip", record_id=slip.id)
            assert entry.actor == f"user:{employee('phone_supervisor').user_id}"


def test_the_commands_wrote_under_their_names(session):
    names = set(session.scalars(select(AuditLog.actor).distinct()))
    assert {"house:sync-security", "house:demo"} <= names
    assert not {name for name in names if name.startswith("anonymous") or not name}


def test_a_second_synchronisation_writes_only_what_differs(app, session):
    from app.panel.security import sync_security

    last = session.scalar(select(AuditLog.id).order_by(AuditLog.id.desc()).limit(1))
    sync_security(app)
    again = session.scalars(select(AuditLog.table_name).where(AuditLog.id > last, AuditLog.actor != "house:test")).all()
    assert "ab_permission_view_role" not in again


def test_no_login_is_written_without_a_name(session, app):
    """The framework swallows a refused write, so the account itself is read back. tried.md, point 1."""
    user = METADATA.tables["ab_user"]
    before = session.execute(select(user.c.fail_login_count).where(user.c.username == "guide")).scalar_one()
    client = app.test_client()
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', client.get("/login/").text)
    client.post("/login/", data={"username": "guide", "password": "wrong", "csrf_token": token.group(1)})
    with_wrong = session.execute(select(user.c.fail_login_count).where(user.c.username == "guide")).scalar_one()
    assert (with_wrong or 0) >= (before or 0)
    last = session.scalar(select(AuditLog.id).order_by(AuditLog.id.desc()).limit(1))
    client.post("/login/", data={"username": "no such person", "password": "wrong", "csrf_token": token.group(1)})
    about = select(AuditLog).where(AuditLog.id > last, AuditLog.table_name == "ab_user")
    assert session.scalars(about).all() == [], "an unknown name writes nothing about somebody else"


# --- the history of a record -------------------------------------------------------------------------------------


def test_one_act_and_its_changes_are_one_entry_in_words(session, login, rest, make_slip):
    slip = make_slip()
    session.commit()
    assert (
        rest("phone_supervisor")("POST", f"appointment_slip/{slip.id}/void", {"reason": "她改主意了"}).status_code
        == 200
    )
    page = login("phone_supervisor").get(f"/appointment_slip/show/{slip.id}").text
    story = page[page.index('id="story"') :]
    assert re.search(r"<dt>状态</dt><dd><del>待到院</del>.*<ins>已作废</ins>", story), story
    assert "row_version" not in story


def test_a_change_that_no_act_made_stands_by_itself(session, make_slip, supervisor, app):
    slip = make_slip()
    session.execute(text("update appointment_slip set intention = 'C' where id = :id"), {"id": slip.id})
    session.commit()
    with app.test_request_context():
        lines = history_of(session, slip, supervisor)
    told = {(change.label, change.before, change.after) for line in lines for change in line.changes}
    assert any(after == str(AppointmentSlip.intention.type.options("C").label) for _label, _before, after in told)


def test_sensitive_values_are_masked_in_the_history_too(session, rest, login, make_customer, app, supervisor):
    customer = make_customer(name="林小雨", phone="13812341234")
    session.commit()
    with app.test_request_context():
        lines = history_of(session, customer, supervisor)
    said = " ".join(f"{change.before} {change.after}" for line in lines for change in line.changes)
    assert "13812341234" not in said
    assert "gAAAA" not in said, "no ciphertext either"
    page = login("phone_supervisor").get(f"/customer/show/{customer.id}").text
    assert "13812341234" not in page


def test_looks_are_told_to_those_who_may_read_the_log_of_looks(session, app, make_customer, person):
    customer = make_customer()
    note(session, "reveal", customer, field="phone")
    session.commit()
    words = str(KINDS["reveal"].label)
    people = {who: person(who) for who in ("phone_supervisor", "phone_consultant")}
    with app.test_request_context():
        for who, told in (("phone_supervisor", True), ("phone_consultant", False)):
            by = people[who]
            assert by.may("sensitive_view_log", "can_list") is told, who
            assert (words in [line.label for line in history_of(session, customer, by)]) is told, who


def test_the_history_is_paged_and_loses_nothing(session, app, make_customer, supervisor):
    customer = make_customer()
    for number in range(LINES + 5):
        note(session, "see_as", customer, count=number)
    session.execute(text("update customer set occupation = 'x' where id = :id"), {"id": customer.id})
    session.commit()
    # Everything of a test is one transaction: it is one group, shown whole.
    with app.test_request_context("/customer/show/1"):
        lines, older = history_page(session, customer, supervisor)
    assert lines
    assert older == ""


def test_a_page_that_cannot_be_read_is_the_first(login, make_slip):
    slip, client = make_slip(), login("phone_supervisor")
    for asked in ("x", "9" * 40, "2026-01-01", "0001-01-01T00:00:00+00:00", "2026-11-22T00:00:00+00:00"):
        assert client.get(f"/appointment_slip/show/{slip.id}", query_string={"before": asked}).status_code == 200


# --- the auditor -------------------------------------------------------------------------------------------------


def test_the_auditor_filters_the_trail_and_reads_an_entry_in_words(session, rest, login, make_slip, employee):
    slip = make_slip()
    assert rest("phone_supervisor")("POST", f"appointment_slip/{slip.id}/void", {"reason": "写错了"}).status_code == 200
    entry = newest(session, table_name="appointment_slip", record_id=slip.id, operation="update")
    client, who = login("auditor"), f"user:{employee('phone_supervisor').user_id}"
    asked = {"table_name": "appointment_slip", "record_id": slip.id, "operation": "update", "actor": who}
    page = client.get("/audit_log/list/", query_string={**asked, "at_from": "2020-01-01"})
    assert page.status_code == 200
    assert f"/audit_log/show/{entry.id}" in page.text
    assert employee("phone_supervisor").name in page.text
    shown = client.get(f"/audit_log/show/{entry.id}").text
    assert re.search(r"状态</td>.*?待到院</td>.*?已作废</td>", shown, re.S)
    assert f"/audit_log/show/{entry.id}" not in client.get("/audit_log/list/?operation=login").text
    assert client.get("/audit_log/list/?record_id=x").status_code == 400


def test_an_entry_of_a_right_names_role_and_right(session, login, app):
    grants = METADATA.tables["ab_permission_view_role"]
    key, role = session.execute(select(grants.c.id, grants.c.role_id).limit(1)).one()
    session.execute(grants.delete().where(grants.c.id == key))
    session.commit()
    entry = newest(session, table_name="ab_permission_view_role", record_id=key, operation="delete")
    name = session.scalar(select(METADATA.tables["ab_role"].c.name).where(METADATA.tables["ab_role"].c.id == role))
    page = login("auditor").get(f"/audit_log/show/{entry.id}").text
    assert name in page
    assert "can_" in page


def test_the_trail_is_the_auditors_alone(login, rest):
    for who in ("branch_head", "admin", "phone_supervisor", "it_manager", "hospital_director"):
        assert login(who).get("/audit_log/list/").status_code == 403, who
        assert rest(who)("GET", "audit_log/").status_code == 403, who
    auditor = login("auditor")
    for path in ("audit_log", "audit_seal", "audit_prune"):
        assert auditor.get(f"/{path}/list/").status_code == 200, path


def test_every_table_of_the_trail_has_a_name_in_words(app):
    from app.views.trail import table_words

    with app.test_request_context():
        assert [name for name in trailed() if table_words(name) == name] == []
        assert [name for name, kind in KINDS.items() if str(kind.label) == name] == []


def test_the_retention_is_a_setting_of_three_years_and_never_below_six_months():
    declared = SETTINGS["trail.keep_months"]
    assert (declared.default, declared.least) == ("36", 6)
