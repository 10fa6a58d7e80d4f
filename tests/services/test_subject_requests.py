"""What persons demand: a copy of all, correction, restriction, pseudonymisation. L06, L13; trust target 46."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import UTC, datetime

import pytest
from sqlalchemy import inspect, select

from app.errors import Refusal
from app.models.appointments import Channel
from app.models.audit import ReportRun
from app.models.base import METADATA, Encrypted, EncryptedJson, models
from app.models.customers import Customer, FileState
from app.models.privacy import AskedHow, SubjectKind, SubjectRequest, SubjectState
from app.models.telephone import PhoneCall
from app.models.trail import append_only
from app.services.files import content_of
from app.services.privacy.holdings import NAMING_RECORDS, NOT_HERS, ids_held, pointing, through, told_tables
from app.services.privacy.pseudonyms import RULES, WORDED, Keep, plan_of, worded
from app.services.telephone import read_events, take_events
from app.unit import acting_as
from tests.conftest import PASSWORD

CANARY = {"name": "金丝雀甲", "alias": "雀雀乙", "phone": "13955557777", "wechat": "canary_wx_31", "note": "雀鸟备忘丙"}
WORDS = ("雀鸣内容丁", "雀鸣结果戊", "雀鸟需求己", "雀鸟特征庚", "雀鸟地址辛", "雀鸟职业壬")


@pytest.fixture(autouse=True)
def somebody():
    with acting_as("house:test"):
        yield


@pytest.fixture
def canary(do, consultant, person, session, make_slip, item, at):
    """A customer of whom every table that there is holds something."""
    customer = do(
        "customer.register_temporary",
        consultant,
        name=CANARY["name"],
        alias=CANARY["alias"],
        phone=CANARY["phone"],
        wechat=CANARY["wechat"],
        followup_note=CANARY["note"],
    ).record
    customer.address, customer.occupation, customer.id_no, customer.birth_year = (
        WORDS[4],
        WORDS[5],
        "110101199003077758",
        1990,
    )
    session.commit()
    do(
        "contact_record.register_call",
        consultant,
        inputs={
            "business_category_id": str(item("business_category", "item_enquiry").id),
            "caller_no": CANARY["phone"],
            "customer_id": str(customer.id),
            "content": WORDS[0],
            "outcome": WORDS[1],
        },
    )
    make_slip(customer=customer, need_text=WORDS[2], channel=Channel.PHONE)
    do(
        "customer.add_trait",
        consultant,
        customer,
        inputs={"trait_type_id": str(item("trait_type", "hobby").id), "value": WORDS[3], "stage": "appointment"},
    )
    rang = {"call_id": "canary", "kind": "missed", "number": CANARY["phone"], "extension": "8001"}
    take_events(session, read_events(rang, at=at), by=person("telephone"), at=at)
    session.commit()
    return customer


def demand(do, by, customer, kind):
    return do(
        "subject_request.open",
        by,
        customer_id=customer.id,
        kind=kind,
        asked_how=AskedHow.IN_PERSON,
        identity_checked="身份证已核对",
    ).record


# --- completeness, by the metadata ---------------------------------------------------------------------------------


def test_every_table_that_points_to_a_person_is_told_or_declared_not_to_be(app):
    for table in METADATA.tables.values():
        if table.name not in models():
            continue
        for column in table.columns:
            if any(key.column.table.name == "customer" for key in column.foreign_keys):
                assert table.name in told_tables() or f"{table.name}.{column.name}" in NOT_HERS, column
        names = {column.name for column in table.columns}
        for about, about_id in {
            ("table_name", "record_id"),
            ("subject_table", "subject_id"),
            ("match_table", "match_id"),
        }:
            if {about, about_id} <= names:
                assert NAMING_RECORDS.get(table.name) == (about, about_id), table.name
                assert table.name in told_tables() or table.name in NOT_HERS
    for name, model in models().items():
        if model.SCOPE.via is not None:
            parent = inspect(model).relationships[model.SCOPE.via].mapper.class_.__tablename__
            if parent in told_tables() and parent not in NAMING_RECORDS:
                assert name in told_tables(), name


def test_every_column_that_holds_words_of_a_person_has_its_rule(app):
    for table in {"customer", "call_event", *pointing(), *through(), *NAMING_RECORDS}:
        assert set(RULES[table]) >= set(worded(models()[table])), table
        assert set(RULES[table]) <= {column.key for column in inspect(models()[table]).columns}, table


# --- the copy ------------------------------------------------------------------------------------------------------


def test_a_copy_holds_everything_and_is_for_who_carries_it_out(do, canary, person, session, work_off, login):
    request = demand(do, person("medical_affairs"), canary, SubjectKind.COPY)
    do("subject_request.carry_out", person("it_manager"), request, inputs={})
    [task] = work_off()
    assert task.error is None
    session.refresh(request)
    assert request.state is SubjectState.DONE
    with zipfile.ZipFile(io.BytesIO(content_of(request.file))) as archive:
        assert {"data.json", "copy.pdf"} <= set(archive.namelist())
        told = archive.read("data.json").decode()
        assert archive.read("copy.pdf").startswith(b"%PDF")
    for word in (*CANARY.values(), *WORDS, "110101199003077758"):
        assert word in told, word
    held = ids_held(session, canary)
    data = json.loads(told)
    assert {table: len(rows) for table, rows in data.items()}.items() >= {
        table: len(held[table]) for table in ("customer", "customer_contact", "contact_record", "appointment_slip")
    }.items()
    assert login("phone_consultant").get(f"/stored_file/{request.file_id}/content").status_code == 404


def test_who_may_do_what_and_until_when(do, canary, person, session, at, rest):
    request = demand(do, person("service_supervisor"), canary, SubjectKind.CORRECTION)
    assert (request.due_on - at.astimezone(person("it_manager").timezone).date()).days == 15
    with pytest.raises(Refusal):
        demand(do, person("medical_affairs"), canary, SubjectKind.CORRECTION)
    it = person("it_manager")
    with pytest.raises(Refusal):
        do("subject_request.carry_out", it, request, inputs={})
    do("subject_request.carry_out", it, request, inputs={"remark": "改正了姓名"})
    assert request.state is SubjectState.DONE
    again = demand(do, person("medical_affairs"), canary, SubjectKind.RESTRICTION)
    with pytest.raises(Refusal):
        do("subject_request.carry_out", it, again, inputs={})
    do("subject_request.refuse", it, again, reason="本人撤回请求")
    assert again.state is SubjectState.REFUSED
    assert rest("guide")("POST", "subject_request/open", {"customer_id": canary.id}).status_code == 403


# --- pseudonymisation ----------------------------------------------------------------------------------------------


def everywhere(session, words):
    """Return (table, column) of every text, list and JSON column of the database in which a word stands in clear."""
    found = set()
    for table in METADATA.sorted_tables:
        for column in table.columns:
            kind = column.type
            if kind.python_type not in WORDED:
                continue
            for (value,) in session.execute(select(column).where(column.is_not(None))):
                if any(word in str(value) for word in words):
                    found.add(f"{table.name}.{column.name}")
    return found


def test_after_pseudonymisation_no_canary_stands_outside_what_the_law_keeps(do, canary, person, session, consultant):
    words = [*CANARY.values(), *WORDS, "110101199003077758"]
    before = everywhere(session, words)
    assert {"customer.name", "customer.search_terms", "customer_contact.value", "contact_record.content"} <= before
    affairs, head, it = person("medical_affairs"), person("branch_head"), person("it_manager")
    request = demand(do, affairs, canary, SubjectKind.PSEUDONYMISATION)
    with pytest.raises(Refusal):
        do("subject_request.carry_out", it, request, inputs={})
    with pytest.raises(Refusal):
        do("subject_request.approve", affairs, request, reason="同意")
    do("subject_request.approve", head, request, reason="已核对")
    with pytest.raises(Refusal):
        do("subject_request.carry_out", it, request, inputs={})  # the file is not restricted yet
    slip = session.scalars(
        select(models()["appointment_slip"]).where(models()["appointment_slip"].customer_id == canary.id)
    ).one()
    do("appointment_slip.void", person("phone_supervisor"), slip, reason="客户要求删除")
    do("customer.ask_restriction", affairs, canary, reason="客户要求")
    do("customer.restrict", it, canary)
    planned = {(entry["table"], entry["column"]) for entry in plan_of(session, canary)}
    assert ("contact_record", "content") in planned
    told = [entry for entry in plan_of(session, canary) if entry["table"] == "call_event"]
    assert [(entry["column"], entry["rows"], entry["change"]) for entry in told] == [("payload", 1, "kept")]
    assert canary.name == CANARY["name"]  # a dry run changes nothing
    do("subject_request.carry_out", it, request, inputs={})
    session.commit()
    session.expire_all()
    kept = {
        f"{table}.{name}" for table, rules in RULES.items() for name, rule in rules.items() if isinstance(rule, Keep)
    }
    left = everywhere(session, words)
    assert left <= kept, left - kept
    proof = {"audit_log.before", "audit_log.after", "sensitive_view_log.reason", "act_run.inputs", "call_event.payload"}
    assert left <= proof
    assert "call_event.payload" in left, "the book of events is never rewritten, so the outcome lists it"
    assert ("call_event", "kept") in {(entry["table"], entry["change"]) for entry in request.outcome}
    call = session.scalars(select(PhoneCall).where(PhoneCall.customer_id == canary.id)).one()
    assert (call.number, call.number_hash, call.call_id) == (None, None, f"gone-{call.id}")
    assert "audit_log.after" in left, "the search finds what stands in JSON"
    done = session.get_one(Customer, canary.id)
    assert (done.name, done.state) == (f"P-{canary.id}", FileState.RESTRICTED)
    assert done.pseudonymised_at is not None
    assert not any(term.startswith(("f:", "l:", "x:")) for term in done.search_terms)
    assert any(entry["change"] == "kept" for entry in request.outcome) or request.outcome
    with pytest.raises(Refusal):
        do("subject_request.carry_out", it, request, inputs={})


def test_what_never_changes_is_kept_by_rule(app):
    """The triggers and grants of append-only tables let nothing else be done."""
    for table in append_only():
        assert all(isinstance(rule, Keep) for rule in RULES.get(table, {}).values()), table


@pytest.fixture
def real(own_world):
    """Call REST by a login name in a world in which everything really commits, with its triggers and roles."""
    clients = {}

    def call(username, method, path, body=None):
        if username not in clients:
            client = own_world.app.test_client()
            told = client.post(
                "/api/v1/security/login", json={"username": username, "password": PASSWORD, "provider": "db"}
            )
            clients[username] = client, {"Authorization": f"Bearer {told.json['access_token']}"}
        client, bearer = clients[username]
        answer = client.open(f"/api/v1/{path}", method=method, json=body, headers=bearer)
        assert answer.status_code < 300, (path, answer.text)
        return answer

    return call


def test_a_pseudonymisation_is_carried_out_by_the_real_roles_and_what_cannot_be_altered_stays(own_world, real):
    """Every step in a transaction of its own, so that no row is still its maker's; a printing and a report stand."""
    slip_id, _values = own_world.slip()
    with own_world.app.app_context():
        session = own_world.session()
        slip = session.get_one(models()["appointment_slip"], slip_id)
        customer_id, branch_id = slip.customer_id, slip.branch_id
        slip.customer.name = CANARY["name"]
        session.add(
            ReportRun(
                report="contact_daily",
                branch_id=branch_id,
                business_on=datetime.now(UTC).date(),
                parameters={},
                facts={"tables": [{"rows": [[CANARY["name"]]]}]},
                made_at=datetime.now(UTC),
                made_by="house:test",
            )
        )
        session.commit()
    real("phone_consultant", "POST", f"appointment_slip/{slip_id}/print/appointment_slip")
    real("phone_supervisor", "POST", f"appointment_slip/{slip_id}/void", {"reason": "客户要求删除"})
    real("medical_affairs", "POST", f"customer/{customer_id}/ask_restriction", {"reason": "客户要求"})
    real("it_manager", "POST", f"customer/{customer_id}/restrict", {})
    asked = {"customer_id": customer_id, "kind": "pseudonymisation", "asked_how": "in_person"}
    opened = real("medical_affairs", "POST", "subject_request/open", {**asked, "identity_checked": "身份证已核对"})
    request_id = opened.json["id"]
    real("branch_head", "POST", f"subject_request/{request_id}/approve", {"reason": "已核对"})
    real("it_manager", "POST", f"subject_request/{request_id}/carry_out", {})
    with own_world.app.app_context():
        session = own_world.session()
        request = session.get_one(SubjectRequest, request_id)
        assert request.state is SubjectState.DONE
        kept = {(line["table"], line["column"]) for line in request.outcome if line["why"] == "history"}
        assert kept >= {("act_run", "inputs"), ("print_job", "record_name"), ("report_run", "facts")}
        left = everywhere(session, [CANARY["name"]])
        assert left <= {"audit_log.before", "audit_log.after", "act_run.inputs", "report_run.facts"}
        assert "report_run.facts" in left


def test_who_has_a_restricted_file_may_still_demand_things(do, canary, person, rest, session):
    """L13: a restriction takes no right away; a merged file's person is named by the kept one."""
    canary.restriction_asked_by_id = person("medical_affairs").employee_id
    canary.become(FileState.RESTRICTED)
    session.commit()
    asked = {"customer_id": canary.id, "kind": "copy", "asked_how": "in_person", "identity_checked": "身份证已核对"}
    call = rest("medical_affairs")
    assert call("POST", "subject_request/open", asked).status_code == 201
    absent = {**asked, "customer_id": canary.id + 100_000}
    assert call("POST", "subject_request/open", absent).status_code == 422


def test_the_page_shows_the_dry_run(login, do, canary, person):
    request = demand(do, person("medical_affairs"), canary, SubjectKind.PSEUDONYMISATION)
    page = login("medical_affairs").get(f"/subject_request/show/{request.id}").text
    assert 'id="tab-plan"' in page
    assert login("medical_affairs").get(f"/customer/show/{canary.id}").status_code == 200


# --- at rest -------------------------------------------------------------------------------------------------------


def test_what_was_said_of_her_lies_encrypted(canary, session):
    connection = session.connection()
    for table, column in [("contact_record", "content"), ("contact_record", "outcome"),
                          ("appointment_slip", "need_text"), ("customer_trait", "value"), ("customer", "address"),
                          ("customer", "followup_note"), ("act_run", "inputs")]:  # fmt: skip
        stored = connection.exec_driver_sql(f"select {column} from {table} where {column} is not null").scalars().all()
        assert stored, (table, column)
        assert all(value.startswith("gAAAA") for value in stored), (table, column)
        assert not any(word in value for word in WORDS for value in stored)


def test_encrypted_columns_are_neither_filtered_nor_sorted_by(rest, canary):
    call = rest("phone_consultant")
    query = "(filters:!((col:content,opr:ct,value:x)))"
    assert call("GET", f"contact_record/?q={query}").status_code == 400
    for name, model in models().items():
        for column in inspect(model).columns:
            if isinstance(column.type, Encrypted | EncryptedJson):
                assert call("GET", f"{name}/?q=(order_column:{column.key})").status_code in (400, 403), (
                    name,
                    column.key,
                )
