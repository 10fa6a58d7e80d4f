"""Lists: how much they cost, what they refuse, whom they show what."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.models.appointments import SlipState

MOST_STATEMENTS = 12
MOST_BYTES = 100_000

LISTS = {
    "phone_consultant": [
        "phone_desk",
        "my_slips",
        "department_slips",
        "redo_slips",
        "customer",
        "my_followups",
        "notice",
    ],
    "phone_supervisor": ["phone_desk", "department_slips", "department_followups", "customer", "report_run"],
    "guide": ["phone_desk", "web_desk", "partner_desk", "my_slips", "department_slips", "customer"],
    "admin": [
        "param",
        "dictionary",
        "dictionary_item",
        "number_rule",
        "role_override",
        "branch",
        "department",
        "position",
        "employee",
        "source_channel",
        "channel_partner",
        "act_run",
        "job_run",
    ],
}


@pytest.fixture
def thirty_slips(make_slip, do, consultant, item):
    items = [item("appointment_item").id]
    return [make_slip(item_ids=items, need_text="担心恢复期") for _ in range(30)]


def test_a_list_of_25_rows_takes_at_most_12_statements_and_100_kb(login, thirty_slips, statements):
    client = login("phone_consultant")
    for page in ("my_slips", "department_slips", "redo_slips", "customer", "my_followups"):
        client.get(f"/{page}/list/")
        with statements() as told:
            answer = client.get(f"/{page}/list/?tab=all" if page != "redo_slips" else f"/{page}/list/")
        assert answer.text.count("data-row") >= 25 or answer.text.count("<tr") >= 26, page
        assert len(told) <= MOST_STATEMENTS, (page, len(told), told)
        assert len(answer.data) < MOST_BYTES, page


@pytest.mark.parametrize(("username", "pages"), LISTS.items())
def test_every_list_of_a_role_opens(login, username, pages):
    client = login(username)
    for page in pages:
        answer = client.get(f"/{page}/list/")
        assert answer.status_code == 200, (page, answer.text[:500])


@pytest.mark.parametrize(
    "query",
    [
        "page=abc",
        "page=-1",
        "page=99999999999999999999",
        "page=1.5",
        "page=%00",
        "page=１",
        "o=name;drop",
        "o=id_no",
        "o=search_terms",
        "d=sideways",
        "size=abc",
        "size=-5",
        "tab=nothing",
        "unknown=1",
        "_flt_0_name=x",
        "_oc_CustomerView=name",
        "psize_CustomerView=100000",
        "state=nothing",
        "developer_id=1 or 1=1",
        "developed_at_from=2026-13-01",
        "developed_at_to=x",
        "q=%00",
    ],
)
def test_a_junk_query_string_is_answered_400(login, query):
    assert login("phone_consultant").get(f"/customer/list/?{query}").status_code == 400


def test_a_day_filter_shows_that_day_in_the_branch_s_zone(login, make_slip, at, consultant):
    early, late = make_slip(), make_slip()
    late.appointed_at = late.appointed_at + timedelta(days=5)
    late.latest_arrival_at = late.appointed_at
    day = early.appointed_at.astimezone(consultant.timezone).date().isoformat()
    client = login("phone_consultant")
    text = client.get(f"/my_slips/list/?appointed_at_from={day}&appointed_at_to={day}").text
    assert early.slip_no in text
    assert late.slip_no not in text
    assert client.get(f"/my_slips/list/?appointed_at={day}").status_code == 400, "there is no such filter"


def test_the_page_size_is_clamped(login, thirty_slips):
    answer = login("phone_consultant").get("/my_slips/list/?size=100000&tab=all")
    assert answer.status_code == 200
    assert answer.text.count("/appointment_slip/show/") < 3 * 200


def test_filters_of_one_request_never_show_in_another(login, make_slip, do, supervisor):
    """The framework kept one filter object per view, shared by threads; ours live in the request."""
    kept, voided = make_slip(), make_slip()
    do("appointment_slip.void", supervisor, voided, reason="客户取消")
    client = login("phone_consultant")
    assert kept.slip_no not in client.get("/my_slips/list/?state=voided").text
    both = client.get("/my_slips/list/").text
    assert kept.slip_no in both
    assert voided.slip_no in both


@pytest.mark.parametrize(
    "words", ["林小雨", "小雨", "lxy", "linxiaoyu", "LinXiao", "8821", "139 0000 8821", "+8613900008821"]
)
def test_customers_are_found_by_name_pinyin_initials_number_and_its_tail(login, make_customer, words):
    customer = make_customer(name="林小雨", phone="13900008821")
    other = make_customer(name="王芳")
    text = login("phone_consultant").get("/customer/list/", query_string={"q": words}).text
    assert customer.customer_no in text
    assert other.customer_no not in text


@pytest.mark.parametrize("words", ["8822", "13900008822", "zfy", "林大雨", "390000", "' or 1=1 --", "%", "_"])
def test_customers_are_not_found_by_what_is_not_theirs(login, make_customer, words):
    customer = make_customer(name="林小雨", phone="13900008821")
    assert customer.customer_no not in login("phone_consultant").get("/customer/list/", query_string={"q": words}).text


def test_the_file_number_finds_its_customer_as_printed_and_as_scanned(login, make_customer):
    customer = make_customer()
    client = login("phone_consultant")
    for words in (customer.customer_no, customer.customer_no.replace("-", "")):
        assert client.get("/search", query_string={"q": words}).location == f"/customer/show/{customer.id}"


def test_a_scanned_slip_number_opens_the_slip(login, make_slip):
    slip = make_slip()
    client = login("phone_consultant")
    for words in (slip.slip_no, slip.slip_no.replace("-", ""), slip.slip_no.lower()):
        assert client.get("/search", query_string={"q": words}).location == f"/appointment_slip/show/{slip.id}"


def test_a_consultant_sees_her_own_slips_a_supervisor_her_departments_another_branch_none(login, make_slip, colleague):
    mine, hers = make_slip(), make_slip(colleague)
    seen = {name: login(name).get("/department_slips/list/").text for name in ("phone_consultant", "phone_supervisor")}
    assert mine.slip_no in seen["phone_consultant"]
    assert hers.slip_no not in seen["phone_consultant"]
    assert mine.slip_no in seen["phone_supervisor"]
    assert hers.slip_no in seen["phone_supervisor"]
    for stranger in ("web_supervisor", "b2_phone_supervisor", "b2_guide"):
        text = login(stranger).get("/department_slips/list/").text
        assert mine.slip_no not in text, stranger
        assert hers.slip_no not in text, stranger


def test_buttons_follow_state_right_and_guard(login, make_slip, do, guide):
    slip = make_slip()
    url = f"/appointment_slip/show/{slip.id}"

    def buttons(username):
        text = login(username).get(url).text
        return {name for name in ("redo", "void", "arrive", "complete") if f"/{slip.id}/act/{name}" in text}

    assert buttons("phone_consultant") == {"redo"}
    assert buttons("phone_supervisor") == {"redo", "void"}
    assert buttons("guide") == {"arrive"}
    do("appointment_slip.arrive", guide, slip)
    assert buttons("phone_supervisor") == set()
    assert buttons("triage") == {"complete"}
    assert slip.state is SlipState.ARRIVED


def test_a_related_tab_needs_the_right_to_its_list(login, make_slip):
    slip = make_slip()
    page = f"/appointment_slip/show/{slip.id}"
    assert "/followup_plan/show/" in login("phone_consultant").get(page).text
    assert "/followup_plan/show/" not in login("guide").get(page).text
