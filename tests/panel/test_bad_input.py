"""Bad input: a clear sentence beside the field (422) or a refusal (409); nothing half-saved, nothing typed lost,
nothing a 500. The same table through the screens and through REST."""

from __future__ import annotations

from datetime import timedelta

import pytest
from markupsafe import escape
from sqlalchemy import func, select

from app.models.appointments import AppointmentSlip, ContactRecord
from app.models.audit import ActRun
from app.models.customers import Customer

XSS = "<script>alert(1)</script>"
FORMULA = "=1+1"


@pytest.fixture
def slip_inputs(make_customer, at):
    start = at + timedelta(days=1)
    return {
        "customer_id": str(make_customer().id),
        "appointed_at": start.isoformat(),
        "latest_arrival_at": (start + timedelta(hours=1)).isoformat(),
        "intention": "A",
    }


def counts(session):
    return [
        session.scalar(select(func.count()).select_from(t)) for t in (AppointmentSlip, ContactRecord, Customer, ActRun)
    ]


BAD_SLIPS = [
    ("appointed_at", ""),
    ("appointed_at", "tomorrow"),
    ("appointed_at", "2026-02-30T10:00:00+08:00"),
    ("appointed_at", "0001-01-01T00:00:00+00:00"),
    ("appointed_at", "9999-12-31T23:59:59+00:00"),
    ("latest_arrival_at", "2020-01-01T00:00:00+08:00"),
    ("intention", "E"),
    ("intention", ""),
    ("customer_id", ""),
    ("customer_id", "abc"),
    ("customer_id", "-1"),
    ("customer_id", "0"),
    ("customer_id", "99999999999999999999"),
    ("customer_id", "1 or 1=1"),
    ("item_ids", "999999"),
    ("item_ids", "x"),
    ("preferred_doctor_id", "999999"),
    ("companion_count", "-1"),
    ("companion_count", "100"),
    ("companion_count", "1.5"),
    ("companion_count", "many"),
    ("need_text", "x" * 5001),
    ("need_text", "x" * 10_000_000),
    ("need_text", "with a \x00 in it"),
    ("need_text", "with a \x1b in it"),
    ("remark", "y" * 501),
    ("channel", "pigeon"),
]


@pytest.mark.parametrize(("field", "value"), BAD_SLIPS, ids=lambda part: repr(part)[:30])
def test_a_bad_input_of_a_slip_is_answered_beside_its_field_by_rest(rest, session, slip_inputs, field, value):
    before = counts(session)
    answer = rest("phone_consultant")("POST", "appointment_slip/place", {**slip_inputs, field: value})
    assert answer.status_code == 422, answer.text[:300]
    assert field in answer.json["errors"]
    assert all(isinstance(sentence, str) and sentence for sentence in answer.json["errors"][field])
    assert counts(session) == before


@pytest.mark.parametrize(("field", "value"), BAD_SLIPS, ids=lambda part: repr(part)[:30])
def test_and_on_the_screen_with_nothing_typed_lost(login, session, slip_inputs, field, value):
    before = counts(session)
    client = login("phone_consultant")
    given = {**slip_inputs, "quoted_text": "七千八百元起", field: value, "csrf_token": client.token}
    answer = client.post("/appointment_slip/act/place", data=given, headers={"X-Dialog": "1"})
    assert answer.status_code == 422, answer.text[:300]
    assert "七千八百元起" in answer.text or field == "quoted_text"
    if len(value) < 1000 and value.isprintable() and field in ("need_text", "remark"):
        assert value in answer.text
    assert 'aria-invalid="true"' in answer.text or ' bad" id=' in answer.text, "the field itself is marked"
    assert counts(session) == before


BAD_CALLERS = ["12", "not a number", "1234567890123456", "+", "139-1234-48x1", FORMULA, XSS]


@pytest.mark.parametrize("caller", BAD_CALLERS)
def test_a_telephone_number_that_is_none_is_refused(rest, session, item, caller):
    before = counts(session)
    body = {"caller_no": caller, "business_category_id": item("business_category").id}
    answer = rest("phone_consultant")("POST", "contact_record/register_call", body)
    assert answer.status_code == 422
    assert list(answer.json["errors"]) == ["caller_no"]
    assert counts(session) == before


@pytest.mark.parametrize("caller", ["10086", "95533", "62345678", "", "1391234"])
def test_a_short_or_withheld_number_is_a_call_all_the_same(rest, item, caller):
    """R-2.1.1-1: every call is registered."""
    body = {"caller_no": caller, "business_category_id": item("business_category").id}
    assert rest("phone_consultant")("POST", "contact_record/register_call", body).status_code == 201


@pytest.mark.parametrize("phone", ["12345", "1391234", "not a number", "139123448211", "10086", FORMULA, XSS])
def test_a_customer_s_number_must_be_a_whole_one(rest, session, phone):
    before = counts(session)
    answer = rest("phone_consultant")("POST", "customer/register_temporary", {"name": "王芳", "phone": phone})
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["phone"])
    assert counts(session) == before


@pytest.mark.parametrize(
    ("written", "bare"),
    [
        ("13912344821", "139****4821"),
        ("139 1234 4821", "139****4821"),
        ("+86 139-1234-4821", "139****4821"),
        ("１３９１２３４４８２１", "139****4821"),
        ("021-6000 0000", "021****0000"),
        ("400-800-1234", "400****1234"),
        ("+852 9123 4567", "+85****4567"),
        ("0086 13912344821", "139****4821"),
    ],
)
def test_a_telephone_number_is_read_however_it_is_written(rest, item, written, bare):
    body = {"caller_no": written, "business_category_id": item("business_category").id}
    answer = rest("phone_consultant")("POST", "contact_record/register_call", body)
    assert answer.status_code == 201, answer.text
    assert answer.json["caller_no"] == bare


@pytest.mark.parametrize("text", [XSS, FORMULA, "😀 表情", "{{ 7*7 }}", "' or '1'='1", "a\nb\r\nc", "‮reversed"])
def test_odd_but_harmless_text_is_kept_as_it_is_and_shown_as_text(rest, login, slip_inputs, text):
    made = rest("phone_consultant")("POST", "appointment_slip/place", {**slip_inputs, "need_text": text})
    assert made.status_code == 201, made.text
    assert made.json["need_text"] == text.replace("\r\n", "\n")
    page = login("phone_consultant").get(f"/appointment_slip/show/{made.json['id']}").text
    assert XSS not in page
    assert str(escape(text.replace("\r\n", "\n"))) in page


@pytest.mark.parametrize("body", ["", "{", "[]", "3", '"x"', "null", "[1,2]", '{"a":'])
def test_a_body_that_is_no_json_object_is_malformed(app, session, body):
    """An empty body asks for nothing, so the required inputs are missing."""
    client = app.test_client()
    login = {"username": "phone_consultant", "password": "Yimei-demo-2026", "provider": "db"}
    bearer = client.post("/api/v1/security/login", json=login).json["access_token"]
    headers = {"Authorization": f"Bearer {bearer}", "Content-Type": "application/json"}
    answer = client.post("/api/v1/appointment_slip/place", data=body, headers=headers)
    assert answer.status_code == (422 if body == "" else 400)


@pytest.mark.parametrize("value", [{"a": 1}, [["x"]], [{"a": 1}]])
def test_nested_values_where_a_plain_one_is_asked_for_are_refused(rest, slip_inputs, value):
    answer = rest("phone_consultant")("POST", "appointment_slip/place", {**slip_inputs, "need_text": value})
    assert answer.status_code == 422


def test_unknown_inputs_are_named(rest, slip_inputs):
    answer = rest("phone_consultant")(
        "POST", "appointment_slip/place", {**slip_inputs, "state": "arrived", "owner_id": 1}
    )
    assert answer.status_code == 422
    assert set(answer.json["errors"]) == {"state", "owner_id"}


def test_a_time_without_its_zone_is_refused_by_rest(rest, slip_inputs):
    answer = rest("phone_consultant")(
        "POST", "appointment_slip/place", {**slip_inputs, "appointed_at": "2030-01-01T10:00"}
    )
    assert list(answer.json["errors"]) == ["appointed_at"]


def test_an_unknown_owner_a_void_without_reason_and_a_void_after_arrival(rest, make_slip, do, guide, slip_times):
    slip, call = make_slip(), rest("phone_supervisor")
    times = {
        "appointed_at": slip_times["appointed_at"].isoformat(),
        "latest_arrival_at": slip_times["latest_arrival_at"].isoformat(),
    }
    answer = call("POST", f"appointment_slip/{slip.id}/redo", {**times, "owner_id": 999999})
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["owner_id"])
    answer = call("POST", f"appointment_slip/{slip.id}/void", {})
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["reason"])
    do("appointment_slip.arrive", guide, slip)
    answer = call("POST", f"appointment_slip/{slip.id}/void", {"reason": "写错了"})
    assert answer.status_code == 409
    assert slip.slip_no in answer.json["message"]


def test_a_second_open_slip_is_refused_with_the_first_one_s_number(rest, slip_inputs):
    call = rest("phone_consultant")
    first = call("POST", "appointment_slip/place", slip_inputs).json
    answer = call("POST", "appointment_slip/place", slip_inputs)
    assert answer.status_code == 409
    assert first["slip_no"] in answer.json["message"]


def test_a_foreign_key_of_another_branch_is_no_valid_choice(rest, slip_inputs, make_customer, person):
    stranger = make_customer(person("b2_phone_consultant"))
    answer = rest("phone_consultant")("POST", "appointment_slip/place", {**slip_inputs, "customer_id": stranger.id})
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["customer_id"])


def test_a_refusal_on_the_screen_keeps_what_was_typed(login, make_slip, make_customer, at):
    customer = make_customer()
    make_slip(customer=customer)
    client = login("phone_consultant")
    start = (at + timedelta(days=1)).astimezone().strftime("%Y-%m-%dT%H:%M")
    given = {
        "customer_id": str(customer.id),
        "appointed_at": start,
        "latest_arrival_at": start,
        "intention": "B",
        "need_text": "午休不接电话",
        "csrf_token": client.token,
    }
    answer = client.post("/appointment_slip/act/place", data=given, headers={"X-Dialog": "1"})
    assert answer.status_code == 409
    assert "午休不接电话" in answer.text


def test_the_same_form_sent_twice_has_one_effect(login, session, make_customer, at):
    """A double click, a retry, the back button."""
    client = login("phone_consultant")
    start = (at + timedelta(days=1)).isoformat()
    given = {
        "customer_id": str(make_customer().id),
        "appointed_at": start,
        "latest_arrival_at": start,
        "intention": "B",
        "request_key": "once",
        "csrf_token": client.token,
    }
    answers = [client.post("/appointment_slip/act/place", data=given) for _ in range(3)]
    assert {answer.status_code for answer in answers} == {302}
    assert len({answer.location for answer in answers}) == 1


def test_a_form_without_its_token_is_refused_and_changes_nothing(login, session, make_slip):
    slip = make_slip()
    client = login("phone_supervisor")
    answer = client.post(f"/appointment_slip/{slip.id}/act/void", data={"reason": "客户取消"})
    assert answer.status_code == 400
    assert slip.void_reason is None


def test_an_out_of_scope_record_is_absent_everywhere(login, rest, make_slip):
    slip = make_slip()
    client, call = login("b2_phone_supervisor"), rest("b2_phone_supervisor")
    for path in (
        f"/appointment_slip/show/{slip.id}",
        f"/appointment_slip/{slip.id}/act/void",
        f"/appointment_slip/{slip.id}/print/appointment_slip",
        f"/customer/show/{slip.customer_id}",
        f"/customer/edit/{slip.customer_id}",
        f"/appointment_slip/act/place?source=customer:{slip.customer_id}",
    ):
        assert client.get(path).status_code in (403, 404), path
    assert (
        client.post(
            f"/appointment_slip/{slip.id}/act/void", data={"reason": "xx", "csrf_token": client.token}
        ).status_code
        == 404
    )
    for path in (f"appointment_slip/{slip.id}", f"appointment_slip/{slip.id}/print/appointment_slip"):
        assert call("GET", path).status_code == 404
    assert call("POST", f"appointment_slip/{slip.id}/void", {"reason": "客户取消"}).status_code == 404


def test_strangers_are_asked_to_log_in_and_rest_answers_401(app, session):
    client = app.test_client()
    for path in ("/", "/customer/list/", "/appointment_slip/show/1", "/report/appointment_daily/"):
        answer = client.get(path)
        assert (answer.status_code, answer.location.partition("?")[0]) == (302, "/login/")
    for path in ("customer/", "appointment_slip/1", "acts", "report/appointment_daily?day=2026-01-01"):
        answer = client.get(f"/api/v1/{path}")
        assert answer.status_code == 401
        assert answer.json["message"]


def test_a_cookie_does_not_open_rest(login):
    assert login("phone_consultant").get("/api/v1/customer/").status_code == 401


@pytest.mark.parametrize(
    "path",
    [
        "/appointment_slip/show/99999999999999999999",
        "/appointment_slip/show/abc",
        "/appointment_slip/show/-1",
        "/nothing",
        "/appointment_slip/1/act/nothing",
        "/appointment_slip/act/void",
        "/appointment_slip/1/print/nothing",
        "/lang/xx",
        "/language/xx",
        "/report/appointment_daily/stored/99999999999999999999",
        "/appointment_slip/act/expire",
    ],
)
def test_an_address_that_is_none_is_404_in_the_reader_s_language(login, path):
    answer = login("phone_supervisor").get(path)
    assert answer.status_code == 404


@pytest.mark.parametrize(
    "q",
    [
        "((",
        "!",
        "(page:-1)",
        "(page:x)",
        "(page_size:!t)",
        "(filters:x)",
        "(filters:!((col:id_no,opr:eq,value:x)))",
        "(filters:!((col:state,opr:like,value:x)))",
        "(filters:!((col:state,opr:eq,value:zz)))",
        "(order_column:search_terms)",
        "(order_column:name,order_direction:up)",
        "(nothing:1)",
        "[]",
        "(filters:!((col:developed_at,opr:gt,value:'2026')))",
    ],
)
def test_a_junk_rison_query_is_400(rest, q):
    assert rest("phone_consultant")("GET", f"customer/?q={q}").status_code == 400


def test_a_page_of_rest_is_clamped_and_filtered(rest, make_slip, do, supervisor):
    slips = [make_slip() for _ in range(3)]
    do("appointment_slip.void", supervisor, slips[0], reason="客户取消")
    call = rest("phone_consultant")
    told = call("GET", "appointment_slip/?q=(filters:!((col:state,opr:eq,value:voided)),page_size:100000)").json
    assert (told["count"], told["ids"]) == (1, [slips[0].id])
    told = call("GET", "appointment_slip/?q=(order_column:id,order_direction:asc,page_size:2,page:1)").json
    assert told["ids"] == [slips[2].id]


def test_rest_filters_instants_by_time(rest, make_slip, at):
    slip, call = make_slip(), rest("phone_consultant")
    for operator, found in (("gt", [slip.id]), ("lt", [])):
        q = f"(filters:!((col:appointed_at,opr:{operator},value:'{at.isoformat()}')))".replace("+", "%2B")
        assert call("GET", f"appointment_slip/?q={q}").json["ids"] == found, operator


def test_a_no_of_a_plain_row_is_a_no(rest, session):
    from app.models.hr import Department

    department = session.scalars(select(Department).where(Department.settles.is_(True)).limit(1)).one()
    answer = rest("admin")("PUT", f"department/{department.id}", {"settles": False})
    assert answer.json["result"]["settles"] is False


def test_options_tell_what_a_person_may_choose_from_and_no_more(rest, make_customer):
    customer = make_customer(name="林小雨")
    call = rest("phone_consultant")
    told = call("GET", "options/customer?q=lxy").json
    assert [row["id"] for row in told["results"]] == [customer.id]
    assert set(told["results"][0]) == {"id", "text"}
    assert call("GET", "options/dictionary/business_category").json["results"]
    assert call("GET", "options/param").status_code == 403
    assert call("GET", "options/nothing").status_code == 404
    assert rest("b2_phone_consultant")("GET", "options/customer?q=lxy").json["results"] == []


def test_a_used_idempotency_key_with_other_inputs_is_409(rest, slip_inputs):
    call = rest("phone_consultant")
    first = call("POST", "appointment_slip/place", slip_inputs, Idempotency_Key="k1")
    again = call("POST", "appointment_slip/place", slip_inputs, Idempotency_Key="k1")
    other = call("POST", "appointment_slip/place", {**slip_inputs, "intention": "B"}, Idempotency_Key="k1")
    assert (first.status_code, again.status_code, other.status_code) == (201, 201, 409)
    assert again.json["id"] == first.json["id"]


@pytest.mark.parametrize("key", ["x" * 81, "with blank", ""])
def test_an_idempotency_key_that_is_none_is_400(app, rest, slip_inputs, key):
    assert (
        rest("phone_consultant")("POST", "appointment_slip/place", slip_inputs, Idempotency_Key=key).status_code == 400
    )


def test_no_answer_holds_sql_or_a_stack(rest, login, slip_inputs):
    call = rest("phone_consultant")
    texts = [
        call("POST", "appointment_slip/place", {**slip_inputs, "customer_id": 10**18}).text,
        call("GET", "customer/?q=((").text,
        login("phone_consultant").get("/customer/list/?o=1").text,
    ]
    for text in texts:
        for word in ("Traceback", "SELECT ", "sqlalchemy", "psycopg", "INSERT "):
            assert word not in text


@pytest.mark.parametrize("body", [{"name": "\ud800", "phone": "13912344821"}, {"name": "x", "phone": "\udfff"}])
def test_a_lone_surrogate_is_refused_beside_its_field(rest, body):
    assert rest("phone_consultant")("POST", "customer/register_temporary", body).status_code == 422


def test_a_login_with_what_no_database_can_hold_is_just_wrong(app, session):
    for username in ("\ud800", "a\x00b"):
        body = {"username": username, "password": "x", "provider": "db"}
        assert app.test_client().post("/api/v1/security/login", json=body).status_code == 401


def test_a_body_nested_beyond_reason_is_malformed(app, session, rest):
    client = app.test_client()
    login = {"username": "phone_consultant", "password": "Yimei-demo-2026", "provider": "db"}
    bearer = client.post("/api/v1/security/login", json=login).json["access_token"]
    headers = {"Authorization": f"Bearer {bearer}", "Content-Type": "application/json"}
    answer = client.post("/api/v1/appointment_slip/place", data="[" * 100_000, headers=headers)
    assert answer.status_code == 400


@pytest.mark.parametrize(
    "q",
    [
        "(filters:!((col:id,opr:!(a),value:1)))",
        "(filters:!((col:!(a),opr:eq,value:1)))",
        "(filters:!((col:state,opr:ct,value:tempo)))",
        "(order_column:!(a))",
        "(order_column:(a:1))",
    ],
)
def test_rison_of_the_wrong_shape_is_400(rest, q):
    assert rest("phone_consultant")("GET", f"customer/?q={q}").status_code == 400
