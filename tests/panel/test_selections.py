"""Acts on a selection: on screen without script, in the dialog, over REST; and warnings in forms and over REST."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta

import pytest

from app.models.appointments import SlipState
from app.services.batches import AT_ONCE, MOST_QUEUED
from app.services.settings import CLOSES_AT, OPENS_AT


@pytest.fixture
def slips(make_slip):
    return [make_slip() for _ in range(3)]


def chosen(slips):
    return "&".join(f"id={slip.id}" for slip in slips)


def form_of(text):
    """Return the hidden inputs of the page's form."""
    body = re.search(r"<form[^>]*data-once.*?</form>", text, re.DOTALL)
    assert body is not None, text
    pairs = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', body.group(0))
    return {name: [value for key, value in pairs if key == name] for name, _value in pairs}


def test_only_what_one_may_do_is_offered_for_a_selection(do, login, supervisor, guide, slips):
    do("appointment_slip.arrive", guide, slips[0])
    text = login("phone_supervisor").get("/department_slips/list/").text
    assert set(re.findall(r'form="many" name="id" value="(\d+)"', text)) == {str(slip.id) for slip in slips}
    assert set(re.findall(r'formaction="/appointment_slip/many/(\w+)"', text)) == {"void", "dispatch"}
    text = login("phone_consultant").get("/my_slips/list/").text
    assert "/appointment_slip/many/" not in text, "she may do no act to several"
    assert set(re.findall(r'formaction="/appointment_slip/([\w-]+)/', text)) == {"print-many"}, "but print them"


def test_without_script_a_selection_is_a_page_a_form_and_an_answer_per_row(do, login, supervisor, session, slips):
    client = login("phone_supervisor")
    page = client.get(f"/appointment_slip/many/void?{chosen(slips)}&back=/department_slips/list/?tab=all")
    assert page.status_code == 200
    assert all(slip.slip_no in page.text for slip in slips)
    sent = form_of(page.text)
    assert sent["id"] == [str(slip.id) for slip in slips]
    refused = client.post("/appointment_slip/many/void", data=sent)
    assert refused.status_code == 422
    assert form_of(refused.text)["request_key"] == sent["request_key"], "nothing is lost"
    do("appointment_slip.void", supervisor, slips[1], reason="已单独作废")
    done = client.post("/appointment_slip/many/void", data={**sent, "reason": "活动取消"})
    assert done.status_code == 200
    session.expire_all()
    assert [slip.void_reason for slip in slips] == ["活动取消", "已单独作废", "活动取消"]
    rows = re.findall(r'<li class="(ok|bad)">', done.text)
    assert rows == ["bad", "ok", "ok"], "what was refused stands first"
    assert 'href="/department_slips/list/?tab=all"' in done.text
    again = client.post("/appointment_slip/many/void", data={**sent, "reason": "活动取消"})
    assert re.findall(r'<li class="(ok|bad)">', again.text) == ["bad", "ok", "ok"], (
        "a second click answers as the first"
    )


def test_the_dialog_gets_the_answer_as_json(login, slips):
    client = login("phone_supervisor")
    page = client.get(f"/appointment_slip/many/void?{chosen(slips)}", headers={"X-Dialog": "1"})
    assert "<html" not in page.text
    data = {**form_of(page.text), "reason": "活动取消"}
    told = client.post("/appointment_slip/many/void", data=data, headers={"X-Dialog": "1"}).json
    assert told["redirect"] == "/appointment_slip/list/"
    assert told["shown_html"].count('<li class="ok">') == 3


@pytest.mark.parametrize(
    ("username", "query", "code"),
    [
        ("phone_supervisor", "", 422),
        ("phone_supervisor", "id=x", 400),
        ("phone_supervisor", "id=-1", 400),
        ("phone_supervisor", "id=" + "9" * 30, 400),
        ("phone_supervisor", "&".join(f"id={number}" for number in range(1, MOST_QUEUED + 2)), 422),
        ("phone_consultant", "id=1", 403),
    ],
)
def test_a_selection_that_is_none_is_refused(login, username, query, code):
    assert login(username).get(f"/appointment_slip/many/void?{query}").status_code == code


@pytest.mark.parametrize("name", ["redo", "place", "expire", "undo_arrival", "nothing"])
def test_other_acts_are_not_for_selections(login, rest, name):
    assert login("phone_supervisor").get(f"/appointment_slip/many/{name}?id=1").status_code == 404
    assert rest("phone_supervisor")("POST", f"appointment_slip/batch/{name}", {"ids": [1]}).status_code == 404


@pytest.mark.parametrize(
    "back", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", ""]
)
def test_the_way_back_stays_in_the_house(login, slips, back):
    client = login("phone_supervisor")
    sent = form_of(client.get("/appointment_slip/many/void", query_string={"id": slips[0].id, "back": back}).text)
    assert sent["back"] == ["/appointment_slip/list/"]


def test_rows_out_of_scope_are_not_found_and_not_named(login, person, make_slip, slips):
    foreign = make_slip(person("b2_phone_consultant"))
    client = login("phone_supervisor")
    page = client.get(f"/appointment_slip/many/void?{chosen([foreign, slips[0]])}")
    assert foreign.slip_no not in page.text
    done = client.post("/appointment_slip/many/void", data={**form_of(page.text), "reason": "活动取消"})
    assert re.findall(r'<li class="(ok|bad)">', done.text) == ["bad", "ok"]
    assert foreign.slip_no not in done.text
    assert foreign.state is SlipState.PENDING


# --- in the background --------------------------------------------------------------------------------------------


@pytest.fixture
def soon(do, admin):
    """More than two rows are done in the background."""
    do("param.set_value", admin, key=AT_ONCE.key, branch_id=None, value="2", effective_at=None, reason=None)


def test_a_large_selection_leads_to_the_page_of_a_task_that_says_what_became_of_each(
    do, login, soon, work_off, supervisor, session, slips
):
    client = login("phone_supervisor")
    client.get("/language/en")
    page = client.get(f"/appointment_slip/many/void?{chosen(slips)}")
    assert "in the background" in page.text
    data = {**form_of(page.text), "reason": "活动取消"}
    missing = client.post("/appointment_slip/many/void", data={**data, "reason": ""})
    assert missing.status_code == 422, "wrong inputs are said at once"
    told = client.post("/appointment_slip/many/void", data=data, headers={"X-Dialog": "1"}).json
    again = client.post("/appointment_slip/many/void", data=data)
    assert again.status_code == 302
    assert again.location == told["redirect"], "a second click asks once"
    do("appointment_slip.void", supervisor, slips[1], reason="已单独作废")
    waiting = client.get(told["redirect"]).text
    assert waiting.count("Not touched") == 3
    work_off()
    done = client.get(told["redirect"]).text
    assert "Void: 3 rows" in done
    assert "2 done · 1 not done" in done
    table = done[done.index('id="tab-rows"') :]
    assert all(f'href="/appointment_slip/show/{slip.id}"' in table for slip in slips)
    assert table.index(slips[1].slip_no) < table.index(slips[0].slip_no), "what was refused stands first"
    session.expire_all()
    assert [slip.void_reason for slip in slips] == ["活动取消", "已单独作废", "活动取消"]
    other = client.post("/appointment_slip/many/void", data={**data, "reason": "别的原因"})
    assert other.status_code == 409, "the key stands for other inputs"


def test_rest_answers_a_large_selection_with_its_task(rest, do, soon, work_off, supervisor, slips):
    call = rest("phone_supervisor")
    body = {"ids": [slip.id for slip in slips], "reason": "活动取消"}
    told = call("POST", "appointment_slip/batch/void", body, Idempotency_Key="b-1")
    assert told.status_code == 202, told.text
    assert told.json["state"] == "queued"
    task_id = told.json["task_id"]
    assert call("POST", "appointment_slip/batch/void", body, Idempotency_Key="b-1").json["task_id"] == task_id
    other = call("POST", "appointment_slip/batch/void", {**body, "reason": "别的"}, Idempotency_Key="b-1")
    assert other.status_code == 409
    do("appointment_slip.void", supervisor, slips[2], reason="客户取消")
    waiting = call("GET", f"background_task/{task_id}/rows").json
    assert (waiting["done"], waiting["refused"]) == (0, 0)
    assert all(row["waiting"] for row in waiting["result"])
    work_off()
    rows = call("GET", f"background_task/{task_id}/rows").json
    assert (rows["done"], rows["refused"]) == (2, 1)
    refused, *done = rows["result"]
    assert (refused["id"], refused["ok"], bool(refused["message"])) == (slips[2].id, False, True)
    assert [row["text"] for row in done] == [slips[0].slip_no, slips[1].slip_no]
    assert rest("phone_consultant")("GET", f"background_task/{task_id}/rows").status_code == 404, "not hers"


# --- REST --------------------------------------------------------------------------------------------------------


def test_a_batch_over_rest_answers_per_row(rest, do, supervisor, colleague, slips):
    call = rest("phone_supervisor")
    do("appointment_slip.void", supervisor, slips[1], reason="客户取消")
    ids = [slip.id for slip in slips]
    body = {"ids": [*ids, ids[0]], "owner_id": colleague.employee_id}
    told = call("POST", "appointment_slip/batch/dispatch", body, Idempotency_Key="b-1")
    assert told.status_code == 200, told.text
    assert (told.json["done"], told.json["refused"]) == (2, 1)
    first, refused, last = told.json["result"]
    assert (first["id"], first["ok"], first["state"]) == (ids[0], True, "replaced")
    assert isinstance(first["result_id"], int)
    assert (refused["ok"], refused["text"]) == (False, slips[1].slip_no)
    assert refused["message"]
    assert last["ok"]
    again = call("POST", "appointment_slip/batch/dispatch", body, Idempotency_Key="b-1").json
    assert [row.get("replayed", False) for row in again["result"]] == [True, False, True]
    assert again["result"][0]["result_id"] == first["result_id"]


@pytest.mark.parametrize(
    ("body", "code", "fields"),
    [
        ({"reason": "活动取消"}, 422, {"ids"}),
        ({"ids": [], "reason": "活动取消"}, 422, {"ids"}),
        ({"ids": "1,2", "reason": "活动取消"}, 422, {"ids"}),
        ({"ids": ["1"], "reason": "活动取消"}, 422, {"ids"}),
        ({"ids": [True], "reason": "活动取消"}, 422, {"ids"}),
        ({"ids": [1.5], "reason": "活动取消"}, 422, {"ids"}),
        ({"ids": [[1]], "reason": "活动取消"}, 422, {"ids"}),
        ({"ids": list(range(1, MOST_QUEUED + 2)), "reason": "活动取消"}, 422, {"ids"}),
        ({"ids": [1]}, 422, {"reason"}),
        ({"ids": [1], "reason": "活动取消", "other": 1}, 422, {"other"}),
        ([1], 400, None),
    ],
)
def test_a_bad_batch_is_refused_as_a_whole(rest, body, code, fields):
    told = rest("phone_supervisor")("POST", "appointment_slip/batch/void", body)
    assert told.status_code == code, told.text
    if fields is not None:
        assert set(told.json["errors"]) == fields


def test_ids_that_cannot_be_are_not_found(rest):
    told = rest("phone_supervisor")(
        "POST", "appointment_slip/batch/void", {"ids": [0, -1, 2**70], "reason": "活动取消"}
    )
    assert told.status_code == 200, told.text
    assert (told.json["done"], told.json["refused"]) == (0, 3)


def test_a_batch_needs_token_and_right(app, rest):
    assert app.test_client().post("/api/v1/appointment_slip/batch/void", json={"ids": [1]}).status_code == 401
    told = rest("phone_consultant")("POST", "appointment_slip/batch/void", {"ids": [1], "reason": "活动取消"})
    assert told.status_code == 403


def test_the_catalogue_says_which_acts_are_for_selections(rest):
    acts = {
        (told["table"], told["act"]): told["many"] for told in rest("phone_consultant")("GET", "acts").json["result"]
    }
    assert acts["appointment_slip", "void"]
    assert acts["appointment_slip", "dispatch"]
    assert acts["notice", "mark_read"]
    assert not any(acts[key] for key in [("appointment_slip", "redo"), ("customer_contact", "reveal")])


# --- warnings ----------------------------------------------------------------------------------------------------


@pytest.fixture
def late_slip(do, admin, make_customer, at, consultant):
    """The inputs of a slip after closing time."""
    for declared, value in ((OPENS_AT, "09:00"), (CLOSES_AT, "20:00")):
        do("param.set_value", admin, key=declared.key, branch_id=None, value=value, effective_at=None, reason=None)
    day = at.astimezone(consultant.timezone).date() + timedelta(days=2)
    start = datetime.combine(day, time(21), consultant.timezone)
    return {
        "customer_id": make_customer().id,
        "appointed_at": start.isoformat(),
        "latest_arrival_at": start.isoformat(),
        "intention": "A",
        "need_text": "只有晚上有空",
    }


@pytest.mark.parametrize("way", ["header", "input"])
def test_rest_answers_a_warning_with_a_token_that_confirms_it(rest, late_slip, way):
    call = rest("phone_consultant")
    said = call("POST", "appointment_slip/place", late_slip, Idempotency_Key="w-1")
    assert said.status_code == 409
    assert said.json["message"]
    assert said.json["warnings"]
    assert said.json["warned"]
    token = said.json["warned"]
    wrong = call("POST", "appointment_slip/place", {**late_slip, "warned": "x"}, Idempotency_Key="w-1")
    assert (wrong.status_code, wrong.json["warned"]) == (409, token)
    if way == "header":
        done = call("POST", "appointment_slip/place", late_slip, Warned=token, Idempotency_Key="w-1")
    else:
        done = call("POST", "appointment_slip/place", {**late_slip, "warned": token}, Idempotency_Key="w-1")
    assert done.status_code == 201, done.text
    again = call("POST", "appointment_slip/place", late_slip, Idempotency_Key="w-1")
    assert (again.status_code, again.json["id"]) == (201, done.json["id"]), "a retry needs no token any more"


def test_a_token_that_is_no_text_is_malformed(rest, late_slip):
    answer = rest("phone_consultant")("POST", "appointment_slip/place", {**late_slip, "warned": {"x": 1}})
    assert answer.status_code == 400


def test_the_form_comes_back_with_the_warning_and_a_button_that_places_anyway(login, late_slip, session):
    client = login("phone_consultant")
    typed = {**late_slip, "csrf_token": client.token, "request_key": "form-1"}
    said = client.post("/appointment_slip/act/place", data=typed)
    assert said.status_code == 409
    assert "只有晚上有空" in said.text, "nothing is lost"
    assert "09:00-20:00" in said.text
    hidden = form_of(said.text)
    assert hidden["request_key"] == ["form-1"]
    done = client.post("/appointment_slip/act/place", data={**typed, "warned": hidden["warned"][0]})
    assert done.status_code == 302
    page = client.get(done.location).text
    assert "09:00-20:00" in page, "the history says what was read"


# --- opening days ------------------------------------------------------------------------------------------------


def test_operations_enter_opening_days_on_screen_and_over_rest(login, rest):
    client = login("operations")
    sent = {
        "csrf_token": client.token,
        "day_on": "2027-02-06",
        "kind": "open",
        "opens_at": "10:00",
        "closes_at": "16:00",
    }
    assert client.post("/branch_day/add", data=sent).status_code == 302
    text = client.get("/branch_day/list/").text
    assert "2027-02-06" in text
    assert "10:00" in text
    assert "16:00" in text
    call = rest("operations")
    told = call("POST", "branch_day/", {"day_on": "2027-02-07", "kind": "open", "opens_at": "09:30"})
    assert told.status_code == 201, told.text
    assert (told.json["result"]["opens_at"], told.json["result"]["closes_at"]) == ("09:30", None)
    for wrong in ("25:00", "9:30", "noon", 930):
        answer = call("POST", "branch_day/", {"day_on": "2027-02-08", "kind": "open", "opens_at": wrong})
        assert (answer.status_code, list(answer.json["errors"])) == (422, ["opens_at"]), wrong
    assert call("POST", "branch_day/", {"day_on": "2027-02-07", "kind": "closed"}).status_code == 409
    assert rest("phone_consultant")("POST", "branch_day/", {}).status_code == 403
