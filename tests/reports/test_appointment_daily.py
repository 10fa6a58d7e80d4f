"""预约日报, RPT-02, counted by hand for one day; on screen, as files, over REST, and who may have it."""

from __future__ import annotations

import csv
import io
from datetime import date, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import openpyxl
import pypdfium2
import pytest
from sqlalchemy import update

from app.actors import house
from app.models.appointments import Intention
from app.models.hr import Branch, Employee
from app.reports.appointment_daily import MEASURES, AppointmentDaily
from app.reports.base import Asked
from app.reports.facts import from_json, to_json
from tests.reports.days import DAY, on
from tests.reports.exporting import exported

CHINA = ZoneInfo("Asia/Shanghai")
URL, REST = "/report/appointment_daily", "report/appointment_daily"
PHONE_DESK, WEB_DESK = "电话", "商务通"
NONE, ALL = Decimal("0.0000"), Decimal("1.0000")


@pytest.fixture
def gather(session, consultant):
    def ask(by=None, day=DAY, branch_id=None):
        by = by or house("test", branch_id=consultant.branch_id)
        asked = Asked(day=day, branch_id=branch_id or consultant.branch_id)
        return AppointmentDaily().gather(session, asked, by, on(21, 30))

    return ask


def table(facts, name):
    """Return a table's rows: first words -> values, without columns that are words."""
    (found,) = [each for each in facts.tables if each.name == name]
    words = 1 if name == "by_channel" else 2
    rows = {tuple(getattr(word, "zh", word) for word in row[:words]): row[words:] for row in found.rows}
    assert len(rows) == len(found.rows), "no two rows of one name"
    return rows, found.totals[words:]


# --- figures -----------------------------------------------------------------------------------------------------

#        placed redone supplemented voided expired arrived due of-these-arrived rate
TOTAL = (4, 1, 1, 1, 2, 2, 3, 2, Decimal("0.6667"))


def test_the_measures_stand_in_the_order_of_these_tables():
    assert MEASURES == (
        "placed", "redone", "supplemented", "voided", "expired", "arrived", "due", "due_arrived",
    )  # fmt: skip


def test_the_day_by_channel(a_day, gather):
    rows, total = table(gather(), "by_channel")
    assert rows == {(PHONE_DESK,): (3, 1, 0, 1, 1, 2, 2, 2, ALL), (WEB_DESK,): (1, 0, 1, 0, 1, 0, 1, 0, NONE)}
    assert total == TOTAL


def test_the_day_by_person(a_day, gather, consultant, colleague, writer):
    rows, total = table(gather(), "by_person")
    assert rows == {
        ("电话咨询组", consultant.display_name): (2, 0, 0, 0, 1, 2, 2, 2, ALL),
        ("电话咨询组", colleague.display_name): (1, 1, 0, 1, 0, 0, 0, 0, None),
        ("商务通(网络)咨询组", writer.display_name): (1, 0, 1, 0, 1, 0, 1, 0, NONE),
    }
    assert total == TOTAL


def test_the_figures_and_the_chart_say_the_same(a_day, gather):
    facts = gather()
    assert {figure.name: figure.value for figure in facts.figures} == {
        "placed": 4, "redone": 1, "voided": 1, "expired": 2, "arrived": 2, "rate": Decimal("0.6667"),
    }  # fmt: skip
    assert [label.en for label in facts.chart.labels] == ["Telephone", "Web chat"]
    assert {series.name.en: series.values for series in facts.chart.series} == {
        "Placed": (3, 1), "Redone": (1, 0), "Voided": (1, 0), "Lapsed": (1, 1), "Arrivals": (2, 0),
    }  # fmt: skip


def test_each_later_day_has_its_own_share(a_day, gather):
    """The slip for tomorrow is due tomorrow, the redone one the day after."""
    names = [*MEASURES, "rate"]
    for days in (1, 2):
        _rows, total = table(gather(day=DAY + timedelta(days=days)), "by_channel")
        assert dict(zip(names, total, strict=True)) == dict.fromkeys(names, 0) | {"due": 1, "rate": Decimal("0.0000")}
    _rows, before = table(gather(day=DAY - timedelta(days=1)), "by_channel")
    assert dict(zip(names, before, strict=True)) == dict.fromkeys(names, 0) | {"placed": 1, "voided": 1, "rate": None}


def test_an_empty_day_is_a_report_of_noughts(gather):
    facts = gather(day=date(2025, 1, 1))
    assert {figure.name: figure.value for figure in facts.figures} == dict.fromkeys(
        ("placed", "redone", "voided", "expired", "arrived"), 0
    ) | {"rate": None}
    assert [each.rows for each in facts.tables] == [(), ()]
    assert table(facts, "by_channel")[1] == (0,) * 8 + (None,)


@pytest.mark.parametrize(
    ("instant", "counts"),
    [
        (on(23, 59, 59, days=-1), False),
        (on(0), True),
        (on(23, 59, 59), True),
        (on(0, days=1), False),
    ],
)
def test_the_day_goes_from_midnight_to_midnight(promise, gather, consultant, instant, counts):
    promise(consultant, instant, on(12, days=5))
    assert gather().figures[0].value == int(counts)


def test_the_day_is_that_of_the_branchs_clock(session, promise, gather, consultant):
    promise(consultant, on(23), on(12, days=5))
    promise(consultant, on(1, days=1), on(12, days=5))
    session.execute(update(Branch).where(Branch.id == consultant.branch_id).values(zone="Asia/Urumqi"))
    session.expire_all()
    facts = gather()
    assert facts.zone == "Asia/Urumqi"
    assert facts.figures[0].value == 2, "one o'clock in Shanghai is eleven in the evening in Urumqi"


def test_two_people_of_one_name_are_two_rows(session, promise, gather, consultant, colleague):
    ids = [consultant.employee_id, colleague.employee_id]
    session.execute(update(Employee).where(Employee.id.in_(ids)).values(name="王芳"))
    session.expire_all()
    for by, count in ((consultant, 2), (colleague, 1)):
        for _ in range(count):
            promise(by, on(9), on(12, days=5))
    (people,) = [each for each in gather().tables if each.name == "by_person"]
    assert [row[:3] for row in people.rows] == [("电话咨询组", "王芳", 2), ("电话咨询组", "王芳", 1)]


def test_a_slip_that_changes_hands_counts_for_its_new_owner(promise, do, gather, consultant, colleague, supervisor):
    slip = promise(consultant, on(9, days=-1), on(12, days=5))
    again = {"appointed_at": on(11, days=5), "latest_arrival_at": on(12, days=5), "intention": Intention.B}
    do("appointment_slip.redo", supervisor, slip, when=on(10), owner_id=colleague.employee_id, **again)
    rows, _total = table(gather(), "by_person")
    assert {name: values[:2] for (_department, name), values in rows.items()} == {colleague.display_name: (0, 1)}


def test_facts_are_kept_as_json_and_read_back_alike(a_day, gather):
    facts = gather()
    assert from_json(to_json(facts)) == facts


def test_the_system_signs_in_the_readers_words(gather, supervisor):
    assert gather().made_by == "系统"
    assert gather(supervisor).made_by == supervisor.display_name


# --- whose slips -------------------------------------------------------------------------------------------------

PHONE = (3, 1, 0, 1, 1, 2, 2, 2, ALL)
WEB = (1, 0, 1, 0, 1, 0, 1, 0, NONE)


@pytest.mark.parametrize(
    ("username", "total"),
    [
        ("phone_supervisor", PHONE),
        ("web_supervisor", WEB),
        ("channel_supervisor", (0,) * 8 + (None,)),
        ("department_head", TOTAL),  # the desks stand under her department
        ("branch_head", TOTAL),
        ("hospital_director", TOTAL),
        ("operations", TOTAL),
        ("b2_branch_head", (0,) * 8 + (None,)),  # asked for a branch that is not hers: the panel refuses it earlier
    ],
)
def test_everybody_counts_the_slips_that_she_may_see(a_day, gather, person, username, total):
    assert table(gather(person(username)), "by_channel")[1] == total


def test_another_branch_has_its_own_day(a_day, gather, person):
    by = person("b2_branch_head")
    assert table(gather(by, branch_id=by.branch_id), "by_channel")[1] == (1, 0, 0, 0, 0, 0, 1, 0, Decimal("0.0000"))


# --- on screen ---------------------------------------------------------------------------------------------------

MAY = ["phone_supervisor", "web_supervisor", "channel_supervisor", "department_head", "branch_head",
       "hospital_director", "operations"]  # fmt: skip
MAY_NOT = ["phone_consultant", "guide", "triage", "cashier", "doctor", "finance_manager", "hr"]


def test_the_page_shows_figures_chart_and_tables(a_day, login, consultant):
    answer = login("branch_head").get(f"{URL}/?day={DAY}")
    assert answer.status_code == 200
    assert '<img src="data:image/svg+xml;base64,' in answer.text
    assert "66.7%" in answer.text
    assert consultant.display_name in answer.text
    for file_format in ("csv", "xlsx", "pdf"):
        assert f"{URL}/export/{file_format}?day={DAY}" in answer.text


def test_without_a_day_the_page_is_todays(login, at):
    today = at.astimezone(CHINA).date().isoformat()
    answer = login("branch_head").get(f"{URL}/")
    assert answer.status_code == 200
    assert f'value="{today}"' in answer.text


@pytest.mark.parametrize("username", MAY)
def test_who_has_the_right_reads_and_exports(login, username):
    client = login(username)
    assert client.get(f"{URL}/?day={DAY}").status_code == 200
    assert exported(client, f"{URL}/export/csv?day={DAY}").status_code == 200


@pytest.mark.parametrize("username", MAY_NOT)
def test_who_has_no_right_is_refused_everywhere(login, rest, username):
    client, call = login(username), rest(username)
    form = {"day": str(DAY), "csrf_token": client.token}
    answers = {
        "page": client.get(f"{URL}/?day={DAY}"),
        "file": exported(client, f"{URL}/export/csv?day={DAY}"),
        "run": client.post(f"{URL}/run", data=form),
        "stored": client.get(f"{URL}/stored/1"),
        "stored file": client.get(f"{URL}/stored/1/pdf"),
        "REST": call("GET", f"{REST}?day={DAY}"),
        "REST file": call("POST", f"{REST}/export", {"day": str(DAY), "format": "csv", "reason": "核对"}),
    }
    assert {what: answer.status_code for what, answer in answers.items()} == dict.fromkeys(answers, 403)


def test_a_stranger_is_sent_to_log_in_and_told_so_over_rest(app, session):
    client = app.test_client()
    page = client.get(f"{URL}/?day={DAY}")
    assert page.status_code == 302
    assert page.location.startswith("/login/")
    assert client.get(f"/api/v1/{REST}?day={DAY}").status_code == 401


BAD = [
    ("day=soon", 422),
    ("day=2026-02-30", 422),
    ("day=2999-01-01", 422),  # the future
    ("day=0001-01-01", 422),
    ("day=2026-03-10&branch_id=x", 422),
    ("day=2026-03-10&branch_id=999999", 422),
    ("day=2026-03-10&branch_id=99999999999999999999", 422),
]


@pytest.mark.parametrize(("query", "code"), BAD)
def test_malformed_parameters_are_answered_beside_their_field(login, rest, query, code):
    client = login("branch_head")
    for path in (f"{URL}/?{query}", f"{URL}/export/csv?{query}"):
        assert client.get(path).status_code == code, path
    answer = rest("branch_head")("GET", f"{REST}?{query}")
    assert answer.status_code == code
    field = "branch_id" if "branch_id" in query else "day"
    assert set(answer.json["errors"]) == {field}


def test_another_branchs_report_is_refused(login, rest, person):
    other = person("b2_branch_head").branch_id
    client = login("branch_head")
    form = {"day": str(DAY), "branch_id": str(other), "csrf_token": client.token}
    assert client.get(f"{URL}/?day={DAY}&branch_id={other}").status_code == 422
    assert exported(client, f"{URL}/export/csv?day={DAY}&branch_id={other}").status_code == 422
    assert client.post(f"{URL}/run", data=form).status_code == 422
    assert rest("branch_head")("GET", f"{REST}?day={DAY}&branch_id={other}").status_code == 422
    own = person("branch_head").branch_id
    assert rest("branch_head")("GET", f"{REST}?day={DAY}&branch_id={own}").status_code == 200


def test_rest_needs_a_day_an_export_a_known_format_a_report_a_known_name(login, rest):
    call = rest("branch_head")
    assert call("GET", REST).status_code == 422
    assert call("GET", f"{REST}?day={DAY}&format=doc").status_code == 400
    for wrong in ("doc", "json", 7, ["csv"], {}):
        assert call("POST", f"{REST}/export", {"day": str(DAY), "format": wrong, "reason": "核对"}).status_code == 400
    assert call("POST", f"{REST}/export", {"reason": "核对"}).status_code == 422
    assert call("POST", f"{REST}/export", {"day": str(DAY), "reason": "核对", "nonsense": 1}).status_code == 422
    assert login("branch_head").get(f"{URL}/export/doc?day={DAY}").status_code == 400
    assert call("GET", f"report/nothing?day={DAY}").status_code == 404


# --- as files ----------------------------------------------------------------------------------------------------

TYPES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "pdf": "application/pdf",
}


@pytest.fixture(params=["screen", "REST"])
def fetch(request, login, rest, a_day):
    """Fetch the day as a file, as the head of the branch, in either way."""

    def get(file_format):
        if request.param == "screen":
            answer = exported(login("branch_head"), f"{URL}/export/{file_format}?day={DAY}")
        else:
            asked = {"day": str(DAY), "format": file_format, "reason": "核对"}
            answer = rest("branch_head")("POST", f"{REST}/export", asked)
        assert answer.status_code == 200
        assert answer.content_type == TYPES[file_format]
        name = f"appointment_daily-{DAY}.{file_format}"
        assert answer.headers["Content-Disposition"].startswith(f'attachment; filename="{name}"')
        return answer.data

    return get


def test_the_day_as_csv(fetch, consultant):
    data = fetch("csv")
    assert data.startswith(b"\xef\xbb\xbf"), "Excel looks for the mark"
    lines = list(csv.reader(io.StringIO(data.decode("utf-8-sig"))))
    assert [PHONE_DESK, "3", "1", "0", "1", "1", "2", "2", "2", "1.0000"] in lines
    assert ["电话咨询组", consultant.display_name, "2", "0", "0", "0", "1", "2", "2", "2", "1.0000"] in lines
    assert ["合计", "4", "1", "1", "1", "2", "2", "3", "2", "0.6667"] in lines


def test_the_day_as_a_workbook_whose_numbers_are_numbers(fetch):
    book = openpyxl.load_workbook(io.BytesIO(fetch("xlsx")))
    rows = {sheet.title: list(sheet.values) for sheet in book}
    assert (PHONE_DESK, 3, 1, 0, 1, 1, 2, 2, 2, 1) in rows["按渠道"]
    total = next(row for row in rows["按渠道"] if row[0] == "合计")
    assert total == ("合计", 4, 1, 1, 1, 2, 2, 3, 2, 0.6667)
    assert not any(isinstance(value, str) for value in total[1:])
    assert book["按渠道"].cell(row=2, column=10).number_format == "0.0%"


def test_the_day_on_paper(fetch, consultant):
    with pypdfium2.PdfDocument(fetch("pdf")) as document:
        text = "".join(page.get_textpage().get_text_range() for page in document).replace(" ", "")
    for words in ("预约日报", str(DAY), "66.7%", consultant.display_name):
        assert words in text, words


def test_the_day_over_rest(rest, a_day):
    told = rest("branch_head")("GET", f"{REST}?day={DAY}")
    assert told.status_code == 200
    assert {figure["name"]: figure["value"] for figure in told.json["figures"]} == {
        "placed": 4, "redone": 1, "voided": 1, "expired": 2, "arrived": 2, "rate": "0.6667",
    }  # fmt: skip
    assert rest("phone_supervisor")("GET", f"{REST}?day={DAY}").json["figures"][0]["value"] == 3


def test_a_name_that_looks_like_a_formula_stays_a_text(session, login, a_day, consultant):
    name = "=1+1"
    session.execute(update(Employee).where(Employee.id == consultant.employee_id).values(name=name))
    session.commit()
    client = login("branch_head")
    lines = list(csv.reader(io.StringIO(exported(client, f"{URL}/export/csv?day={DAY}").data.decode("utf-8-sig"))))
    assert [line[1] for line in lines if len(line) == 11 and line[1].endswith(name)] == [f"'{name}"]
    book = openpyxl.load_workbook(io.BytesIO(exported(client, f"{URL}/export/xlsx?day={DAY}").data))
    (cell,) = [cell for row in book["按人员"].iter_rows() for cell in row if cell.value == name]
    assert cell.data_type == "s"
