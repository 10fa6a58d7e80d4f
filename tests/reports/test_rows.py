"""Every figure of every report opens the rows that it counts (white paper G), and nothing that is not one's own."""

from __future__ import annotations

import re
from decimal import Decimal
from html import unescape

import pytest

from app.reports.base import REPORTS
from app.reports.measures import Mean, Rate
from app.roles import rights_of
from tests.reports.days import DAY

READERS = ["branch_head", "department_head", "phone_supervisor", "web_supervisor", "channel_supervisor"]
COUNTED = [name for name, report in REPORTS.items() if report.measures]

#: The desk's day has no visits; tests/reports/test_visit_reports.py counts a day that has.
OF_VISITS = {"onsite_daily", "triage_log", "rotation_sheet", "waiting_times", "consulting_success"}


@pytest.fixture
def told(rest):
    """Return a report and its rows as a person is told them over REST."""

    def ask(username, name):
        call = rest(username)
        facts = call("GET", f"report/{name}?day={DAY}").json

        def count(measure, keys, tab=""):
            query = {"measure": measure, "day": str(DAY), **keys} | ({"tab": tab} if tab else {})
            answer = call("GET", f"report/{name}/rows?" + "&".join(f"{key}={text}" for key, text in query.items()))
            assert answer.status_code == 200, answer.text
            assert len(answer.json["ids"]) == answer.json["count"]
            return answer.json["count"]

        return facts, count

    return ask


def numbers(facts):
    """Return (measure, keys, value) of every figure, cell and total."""
    found = [(figure["name"], {}, figure["value"]) for figure in facts["figures"]]
    for table in facts["tables"]:
        lines = [*zip(table.get("keys") or (), table["rows"], strict=bool(table.get("keys")))]
        lines += [({}, table["totals"])] if table["totals"] is not None else []
        for keys, values in lines:
            pairs = zip(table["columns"], values, strict=True)
            found += [(column["name"], keys, value) for column, value in pairs if column["kind"] != "text"]
    return found


@pytest.mark.parametrize(
    ("name", "username"),
    [
        (name, username)
        for name in COUNTED
        for username in READERS
        if (f"report_{name}", "can_list") in rights_of(username)
    ],
)
def test_every_figure_counts_what_it_opens(a_day, a_day_of_contacts, told, name, username):
    facts, count = told(username, name)
    report, seen = REPORTS[name], 0
    for measure, keys, value in numbers(facts):
        if isinstance(report.measure(measure), Rate):
            whole, part = count(measure, keys), count(measure, keys, "part")
            rate = None if value is None else Decimal(value)
            assert rate == (None if whole == 0 else round(Decimal(part) / whole, 4)), (measure, keys)
        elif isinstance(report.measure(measure), Mean):
            assert (value is None) == (count(measure, keys) == 0), (measure, keys)
        else:
            assert count(measure, keys) == value, (measure, keys)
        seen += bool(value)
    if report.daily and name not in OF_VISITS and username in ("branch_head", "department_head", "phone_supervisor"):
        # Of follow-up the day has what rules made; tests/reports/test_followup_stats.py counts the rest.
        assert seen > (3 if name == "followup_stats" else 20), "the day has something to count"


@pytest.mark.parametrize("name", COUNTED)
def test_on_screen_every_figure_is_a_link_to_as_many_rows(a_day, a_day_of_contacts, login, told, name):
    client = login("branch_head")
    page = client.get(f"/report/{name}/?day={DAY}").text
    links = [(int(text), unescape(url)) for url, text in re.findall(r'<a href="([^"]*/rows[^"]*)">(\d+)</a>', page)]
    rates = re.findall(r'<a href="([^"]*/rows[^"]*)">[\d.]+%</a>', page)
    facts, _count = told("branch_head", name)
    values = [value for _measure, _keys, value in numbers(facts)]
    assert len(links) == sum(1 for value in values if isinstance(value, int) and value)
    assert len(rates) == sum(1 for value in values if isinstance(value, str) and Decimal(value))
    for value, url in links:
        answer = client.get(url)
        assert answer.status_code == 200, url
        assert re.search(rf'class="total">[^<]*\b{value}\b', answer.text), url
        assert f'href="/report/{name}/?day={DAY}"' in answer.text, "the way back"
    for url in rates:
        assert 'aria-current="page"' in client.get(unescape(url)).text


def test_a_stored_run_shows_its_figures_without_links_and_the_way_to_the_day_as_it_is_now(a_day, login):
    """What is stored may count what has changed since, and in another's scope: its figures open nothing."""
    client = login("branch_head")
    made = client.post("/report/appointment_daily/run", data={"day": str(DAY), "csrf_token": client.token})
    page = client.get(made.location).text
    assert "/rows?" not in page
    assert re.search(rf'href="/report/appointment_daily/\?day={DAY}&amp;branch_id=\d+"', page)


def test_the_rows_are_those_of_the_tables_own_list(a_day, login):
    page = login("phone_supervisor").get(f"/report/appointment_daily/rows?measure=placed&day={DAY}&channel=phone").text
    assert "预约单号" in page
    assert 'data-act="void"' in page, "the acts of the rows"
    assert f"{DAY} · " in page
    assert "渠道：电话" in page


def test_rows_are_paged_and_ordered(a_day, login):
    client = login("branch_head")
    url = f"/report/appointment_daily/rows?measure=due&day={DAY}&size=2"
    first = client.get(url).text
    assert first.count("<tr>") == 3
    assert "page=1" in first
    assert client.get(f"{url}&page=1").text.count("<tr>") == 2
    assert client.get(f"{url}&o=appointed_at&d=asc").status_code == 200


BAD = [
    ("measure=nothing", 404),
    ("", 404),
    ("measure=rows", 404),
    ("measure=placed&channel=smoke", 422),
    ("measure=placed&owner=x", 422),
    ("measure=placed&owner=-1", 422),
    ("measure=placed&owner=99999999999999999999", 422),
    ("measure=placed&owner=1;drop", 422),
    ("measure=placed&channel=", 422),
    ("measure=rate&tab=half", 400),
    ("measure=placed&day=soon", 422),
]


@pytest.mark.parametrize(("query", "code"), BAD)
def test_rows_of_what_is_not_there(a_day, login, rest, query, code):
    query = query if "day=" in query else f"{query}&day={DAY}"
    assert login("branch_head").get(f"/report/appointment_daily/rows?{query}").status_code == code
    assert rest("branch_head")("GET", f"report/appointment_daily/rows?{query}").status_code == code


@pytest.mark.parametrize("query", ["page=-1", "page=x", "size=ten", "o=owner_secret", "d=up", "colour=red", "tab=part"])
def test_junk_in_the_address_of_rows(a_day, login, query):
    url = f"/report/appointment_daily/rows?measure=placed&day={DAY}&{query}"
    assert login("branch_head").get(url).status_code == 400


def test_a_key_that_names_nobody_in_scope_opens_nothing_and_tells_no_name(a_day, login, rest, person):
    other = person("b2_phone_consultant")
    query = f"measure=placed&day={DAY}&owner={other.employee_id}"
    page = login("branch_head").get(f"/report/appointment_daily/rows?{query}")
    assert page.status_code == 200
    assert other.display_name not in page.text
    assert rest("branch_head")("GET", f"report/appointment_daily/rows?{query}").json["count"] == 0
    nobody = login("branch_head").get(f"/report/appointment_daily/rows?measure=placed&day={DAY}&owner=987654321")
    assert nobody.status_code == 200


def test_another_branchs_rows_are_refused(a_day, login, rest, person):
    query = f"measure=placed&day={DAY}&branch_id={person('b2_branch_head').branch_id}"
    assert login("branch_head").get(f"/report/appointment_daily/rows?{query}").status_code == 422
    assert rest("branch_head")("GET", f"report/appointment_daily/rows?{query}").status_code == 422


@pytest.mark.parametrize("username", ["phone_consultant", "cashier", "hr", "it_manager", "admin"])
def test_rows_are_for_readers_of_the_report(a_day, login, rest, username):
    query = f"measure=placed&day={DAY}"
    assert login(username).get(f"/report/appointment_daily/rows?{query}").status_code == 403
    assert rest(username)("GET", f"report/appointment_daily/rows?{query}").status_code == 403


def test_who_may_not_list_slips_reads_figures_that_are_no_links(a_day, login, rest):
    """Operations count slips and see no customer behind them."""
    client = login("operations")
    page = client.get(f"/report/appointment_daily/?day={DAY}")
    assert page.status_code == 200
    assert "/rows?" not in page.text
    assert client.get(f"/report/appointment_daily/rows?measure=placed&day={DAY}").status_code == 403
    assert rest("operations")("GET", f"report/appointment_daily/rows?measure=placed&day={DAY}").status_code == 403


def test_a_stranger_opens_no_rows(app, session):
    client = app.test_client()
    assert client.get(f"/report/appointment_daily/rows?measure=placed&day={DAY}").status_code == 302
    assert client.get(f"/api/v1/report/appointment_daily/rows?measure=placed&day={DAY}").status_code == 401
