"""A person's own lists: saved views, chosen columns, relative days, what an empty list says. Decision 0033."""

from __future__ import annotations

from datetime import date, timedelta
from urllib.parse import parse_qsl

import pytest

from app.models.lists import ListColumns, SavedFilter
from app.panel.days import fixed_days, period_bounds
from app.panel.house_view import views
from app.panel.preferences import offered_columns

SUNDAY = date(2026, 11, 22)


@pytest.mark.parametrize(
    ("period", "first", "days"),
    [
        ("today", SUNDAY, 1),
        ("yesterday", date(2026, 11, 21), 1),
        ("tomorrow", date(2026, 11, 23), 1),
        ("week", date(2026, 11, 16), 7),
        ("month", date(2026, 11, 1), 30),
        ("-7d", date(2026, 11, 16), 7),
        ("7d", SUNDAY, 7),
        ("-1d", SUNDAY, 1),
    ],
)
def test_a_period_has_its_days(period, first, days):
    assert period_bounds(period, SUNDAY) == (first, first + timedelta(days=days))


def test_an_export_keeps_the_days_of_its_asking():
    asked = {"appointed_at": "week", "state": "pending", "ordered_at": "never"}
    assert fixed_days(asked, ["appointed_at", "ordered_at"], SUNDAY) == {
        "appointed_at_from": "2026-11-16",
        "appointed_at_to": "2026-11-22",
        "state": "pending",
        "ordered_at": "never",
    }


def save(call, **more):
    told = {"name": "今日待到", "page": "my_slips", "query": "state=pending&appointed_at=today&page=3", **more}
    return call("POST", "saved_filter/save", told)


def test_a_saved_view_is_a_tab_opens_the_list_and_is_nobody_else_s(login, rest, make_slip, session):
    slip, later = make_slip(), make_slip()
    later.appointed_at = later.latest_arrival_at = later.appointed_at + timedelta(days=9)
    session.commit()
    call, client = rest("phone_consultant"), login("phone_consultant")
    day = slip.appointed_at
    made = save(call, query=f"appointed_at_from={day:%Y-%m-%d}&appointed_at_to={day:%Y-%m-%d}&tab=all")
    assert made.status_code == 201, made.json
    key, query = made.json["id"], made.json["query"]
    assert "bi-" not in query
    assert dict(parse_qsl(query)) == dict(
        parse_qsl(f"appointed_at_from={day:%Y-%m-%d}&appointed_at_to={day:%Y-%m-%d}&tab=all")
    )
    text = client.get(f"/my_slips/list/?{query}").text
    assert "今日待到" in text
    assert later.slip_no not in text
    assert 'href="/saved_filter/list/"' in client.get("/").text, "all of them, from the person's menu of any page"
    # It opens with the list; the house's own list stays one click away.
    assert client.get("/my_slips/list/").status_code == 200
    assert call("POST", f"saved_filter/{key}/make_default", {}).status_code == 200
    assert client.get("/my_slips/list/").location == f"/my_slips/list/?{query}"
    assert client.get("/my_slips/list/?tab=all").status_code == 200
    # Another person has neither the tab nor the row.
    other = rest("web_consultant")
    assert other("GET", f"saved_filter/{key}").status_code == 404
    assert other("POST", f"saved_filter/{key}/retire", {}).status_code == 404
    assert "今日待到" not in login("web_consultant").get("/my_slips/list/?tab=all").text
    assert call("POST", f"saved_filter/{key}/retire", {}).status_code == 200
    assert "今日待到" not in client.get("/my_slips/list/").text, "removed, and the list opens as the house has it"
    assert call("POST", f"saved_filter/{key}/rename", {"name": "旧"}).status_code == 409


def test_what_cannot_be_kept_is_refused_beside_its_input(rest):
    call = rest("phone_consultant")
    assert save(call).status_code == 201
    cases = {
        "name": [{}],
        "query": [
            {"query": "state=nothing"},
            {"query": "unknown=1"},
            {"query": "page=2"},
            {"query": "appointed_at=2026"},
        ],
        "page": [{"page": "param"}, {"page": "no_such"}, {"page": "../x"}],
    }
    for field, inputs in cases.items():
        for given in inputs:
            answer = save(call, name="另一个" if field != "name" else "今日待到", **given)
            assert (answer.status_code, [*answer.json["errors"]]) == (422, [field]), given
    assert [save(call, name=f"第{n}个").status_code for n in range(20)][-1] == 409, "twenty of one list"


def test_a_view_that_no_longer_fits_says_so(app, session, login, employee):
    """The filter that it asks for was there when it was kept: its tab leads to a page that says so, never to a 400."""
    her = employee("phone_consultant")
    session.add(SavedFilter(name="旧视图", page="my_slips", query="gone=1", is_default=True, employee_id=her.id))
    session.commit()
    client = login("phone_consultant")
    page = client.get("/my_slips/list/")
    assert page.status_code == 200
    key = session.query(SavedFilter.id).scalar()
    assert f"/saved_filter/show/{key}" in page.text
    assert "?gone=1" not in page.text
    assert "n-warn" in client.get(f"/saved_filter/show/{key}").text


def test_chosen_columns_stand_in_their_order_in_list_and_file(login, rest, make_slip, session):
    slip = make_slip(companion_count=3)
    call, client = rest("phone_supervisor"), login("phone_supervisor")
    page = "department_slips"
    chosen = call("POST", "list_columns/choose", {"page": page, "columns": ["companion_count", "state"]})
    assert chosen.status_code == 201, chosen.json
    assert chosen.json["columns"] == ["slip_no", "companion_count", "state"], "the first one stays"
    head = client.get(f"/{page}/list/").text.partition("<thead>")[2].partition("</thead>")[0]
    assert head.count('scope="col"') - head.count('"sel"') == 3
    made = call("POST", "appointment_slip/export", {"format": "csv", "reason": "核对"})
    assert made.status_code == 200, "the export of another list of the table has columns of its own"
    # Without script the places are numbers, and one button takes the choice back.
    form = client.get(f"/list_columns/act/choose?page={page}").text
    assert 'name="columns-place-state"' in form
    sent = {
        "page": page,
        "columns": ["slip_no", "state", "owner"],
        "columns-place-owner": "2",
        "columns-place-state": "3",
    }
    post = {"csrf_token": client.token, "back": f"/{page}/list/", **sent, "columns-place-slip_no": "1"}
    assert client.post("/list_columns/act/choose", data=post).location == f"/{page}/list/"
    session.expire_all()
    assert session.query(ListColumns).one().columns == ["slip_no", "owner", "state"]
    assert client.post("/list_columns/act/choose", data={**post, "columns-none": "1"}).status_code == 302
    session.expire_all()
    assert session.query(ListColumns).one().columns == []
    for wrong in (["need_text", "nothing"], ["phone_masked"], [1], [["a"]]):
        assert call("POST", "list_columns/choose", {"page": page, "columns": wrong}).status_code in (400, 422), wrong
    assert slip.slip_no in client.get(f"/{page}/list/").text


@pytest.mark.parametrize(
    ("username", "page"), [("phone_supervisor", "department_slips"), ("phone_consultant", "customer")]
)
def test_all_columns_at_once_still_take_twelve_statements(
    app, login, rest, person, make_slip, item, statements, username, page
):
    for _n in range(26):
        make_slip(item_ids=[item("appointment_item").id])
    by = person(username)
    with app.test_request_context():
        view = next(v for v in app.appbuilder.baseviews if getattr(v, "endpoint", "") == page)
        names = offered_columns(view, by)
    assert len(names) > len(view.list_columns) + 5
    assert rest(username)("POST", "list_columns/choose", {"page": page, "columns": names}).status_code == 201
    client = login(username)
    client.get(f"/{page}/list/")
    with statements() as told:
        answer = client.get(f"/{page}/list/?size=25")
    assert answer.status_code == 200
    assert len(told) <= 12, (len(told), told)


def test_a_column_with_a_right_of_its_own_is_not_offered(app, consultant, guide):
    with app.test_request_context():
        view = views()["contact_record"]
        assert "chat_text" in offered_columns(view, consultant)
        assert "chat_text" not in offered_columns(view, guide)


def test_an_empty_list_says_why_and_leads_on(login):
    client = login("phone_consultant")
    hidden = client.get("/my_slips/list/?state=voided&tab=today").text
    assert 'href="/my_slips/list/?tab=today"' in hidden, "all filters can be cleared, the tab stays"
    quiet = client.get("/my_slips/list/?tab=today").text
    assert "tab=all" in quiet.partition('class="empty"')[2]
    new = client.get("/my_slips/list/").text.partition('class="empty"')[2]
    assert "/appointment_slip/act/place" in new, "the first act stands where the rows would"
