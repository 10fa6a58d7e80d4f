"""来电/网络/渠道日统计, RPT-01, counted by hand for one day; on screen, as files, over REST, and who may have it."""

from __future__ import annotations

import csv
import io
from datetime import date, timedelta
from decimal import Decimal

import openpyxl
import pypdfium2
import pytest
from sqlalchemy import select, update

from app.actors import house
from app.jobs.declared import JOBS
from app.models.appointments import AppointmentSlip
from app.models.audit import ReportRun
from app.models.customers import Customer
from app.models.settings import Param
from app.reports.base import Asked
from app.reports.contact_daily import ContactDaily
from app.reports.facts import from_json, to_json
from app.services.settings import ANSWERED_BEFORE_RING
from app.words import in_locale
from tests.reports.days import DAY, on
from tests.reports.exporting import exported

URL, REST = "/report/contact_daily", "report/contact_daily"
QUARTER, HALF, THIRD = Decimal("0.2500"), Decimal("0.5000"), Decimal("0.3333")
ALL, NOUGHT = Decimal("1.0000"), Decimal("0.0000")


@pytest.fixture
def gather(session, consultant):
    def ask(by=None, day=DAY):
        by = by or house("test", branch_id=consultant.branch_id)
        return ContactDaily().gather(session, Asked(day=day, branch_id=consultant.branch_id), by, on(21, 30))

    return ask


def table(facts, name):
    """Return a table's rows by their Chinese name, and its totals."""
    (found,) = [each for each in facts.tables if each.name == name]
    rows = {getattr(row[0], "zh", row[0]): row[1:] for row in found.rows}
    assert len(rows) == len(found.rows)
    return rows, found.totals[1:]


def figures(facts):
    return {figure.name: figure.value for figure in facts.figures}


#        contacts answered missed in-time valid new-files slips share arrived share
TOTAL = (7, 3, 1, QUARTER, 1, 3, 2, Decimal("0.2857"), 1, HALF)


def test_the_day_in_figures(a_day_of_contacts, gather):
    assert tuple(figures(gather()).values()) == TOTAL


def test_a_supplementary_slip_is_no_success_of_the_contact(a_day_of_contacts, gather, session):
    """R-2.1.3-5: it was made after the visit and is counted apart."""
    arrived = update(AppointmentSlip).where(AppointmentSlip.arrived_at.is_not(None)).values(is_supplement=True)
    session.execute(arrived)
    seen = figures(gather())
    assert (seen["with_slip"], seen["arrived"], seen["arrival_rate"]) == (1, 0, NOUGHT)
    assert seen["slip_rate"] == Decimal("0.1429")


def test_the_day_by_channel(a_day_of_contacts, gather):
    """A file has no channel, so none is counted here. 2.1.1.1-2.1.1.3."""
    rows, total = table(gather(), "by_channel")
    assert rows == {
        "电话": (4, 3, 1, QUARTER, 0, 1, QUARTER, 1, ALL),
        "商务通": (2, 0, 0, None, 1, 1, HALF, 0, NOUGHT),
        "渠道": (1, 0, 0, None, 0, 0, NOUGHT, 0, None),
    }
    assert total == (*TOTAL[:5], *TOTAL[6:])


def test_the_day_by_the_hour_of_the_branch(a_day_of_contacts, gather):
    rows, _total = table(gather(), "by_hour")
    assert {hour: values[0] for hour, values in rows.items()} == {"09:00": 2, "10:00": 2, "11:00": 2, "23:00": 1}
    assert list(rows) == sorted(rows)


def test_the_day_by_category_in_the_dictionarys_order(a_day_of_contacts, gather):
    rows, _total = table(gather(), "by_category")
    assert {name: values[0] for name, values in rows.items()} == {
        "项目咨询": 2, "价格咨询": 1, "预约到院": 2, "误拨": 1, "无声": 1,
    }  # fmt: skip
    assert list(rows) == ["项目咨询", "价格咨询", "预约到院", "误拨", "无声"]


def test_the_day_by_the_customers_source_and_who_named_none(a_day_of_contacts, gather):
    rows, _total = table(gather(), "by_source")
    assert {name: (values[0], values[5]) for name, values in rows.items()} == {
        "搜索竞价": (2, 1),
        str(in_locale(ContactDaily().group("source").none, "zh")): (5, 2),
    }


def test_the_day_by_person_with_the_files_that_she_opened(a_day_of_contacts, gather, consultant, colleague, writer):
    rows, total = table(gather(), "by_person")
    told = {name: (values[0], values[5], values[6], values[8]) for name, values in rows.items()}
    assert told[consultant.display_name] == (2, 2, 1, 1)
    assert told[colleague.display_name] == (2, 0, 0, 0)
    assert told[writer.display_name] == (2, 1, 1, 0)
    assert total == TOTAL


def test_the_chart_stacks_channels_over_the_hours_without_a_gap(a_day_of_contacts, gather):
    chart = gather().chart
    assert chart.kind == "stacked"
    assert [label.zh for label in chart.labels] == [f"{hour:02}:00" for hour in range(9, 24)]
    sums = {series.name.zh: sum(series.values) for series in chart.series}
    assert sums == {"电话": 4, "商务通": 2, "渠道": 1}
    assert chart.series[0].values[:3] == (2, 2, 0)


# Rings before the answer, the setting, and whether that was in time: 2.1.1.1 "answer before the second ring".
RINGS = [(0, None, True), (1, None, True), (2, None, False), (None, None, False), (2, "3", True), (1, "1", False)]


@pytest.mark.parametrize(("rings", "value", "in_time"), RINGS)
def test_a_call_is_in_time_if_it_rang_less_often_than_set(session, contacts, gather, consultant, rings, value, in_time):
    if value:
        session.add(Param(key=ANSWERED_BEFORE_RING.key, value=value, effective_at=on(0)))
        session.flush()
    contacts.call(consultant, on(9), **({} if rings is None else {"ring_count": rings}))
    assert figures(gather())["in_time_rate"] == (ALL if in_time else NOUGHT)


def test_a_day_is_counted_by_the_setting_that_it_began_with(session, contacts, gather, consultant):
    contacts.call(consultant, on(9), ring_count=2)
    session.add(Param(key=ANSWERED_BEFORE_RING.key, value="5", effective_at=on(12)))
    session.flush()
    assert figures(gather())["in_time_rate"] == NOUGHT, "however late it is counted"


@pytest.mark.parametrize(
    ("lead", "valid"),
    [("strong", 1), ("fair", 1), ("weak", 1), ("no_contact", 0), ("repeated", 0), ("invalid", 0), (None, 0)],
)
def test_which_leads_are_valid(contacts, gather, lead, valid):
    contacts.chat(on(9), lead=lead)
    assert figures(gather())["valid_leads"] == valid


def test_a_file_counts_for_who_opened_it(session, make_customer, gather, consultant, writer):
    made = make_customer(consultant, when=on(9))
    session.get_one(Customer, made.id).developer_id = writer.employee_id
    session.flush()
    rows, _total = table(gather(), "by_person")
    assert {name: values[5] for name, values in rows.items()} == {consultant.display_name: 1}


def test_an_empty_day_is_a_report_of_noughts(gather):
    facts = gather(day=date(2025, 1, 1))
    assert set(figures(facts).values()) == {0, None}
    assert [each.rows for each in facts.tables] == [()] * 5
    assert facts.chart.series == ()


def test_facts_are_kept_as_json_and_read_back_alike(a_day_of_contacts, gather):
    facts = gather()
    assert from_json(to_json(facts)) == facts


@pytest.mark.parametrize(
    ("username", "number"),
    [
        ("phone_supervisor", 4),
        ("web_supervisor", 2),
        ("channel_supervisor", 1),
        ("department_head", 7),
        ("branch_head", 7),
        ("operations", 7),
    ],
)
def test_everybody_counts_the_contacts_that_she_may_see(a_day_of_contacts, gather, person, username, number):
    assert figures(gather(person(username)))["contacts"] == number


@pytest.mark.parametrize(
    "username", ["phone_consultant", "guide", "triage", "cashier", "doctor", "finance_manager", "hr", "it_manager"]
)
def test_who_has_no_right_is_refused_everywhere(login, rest, username):
    client, call = login(username), rest(username)
    answers = [
        client.get(f"{URL}/?day={DAY}"),
        client.get(f"{URL}/rows?measure=contacts&day={DAY}"),
        exported(client, f"{URL}/export/csv?day={DAY}"),
        client.post(f"{URL}/run", data={"day": str(DAY), "csrf_token": client.token}),
        call("GET", f"{REST}?day={DAY}"),
        call("POST", f"{REST}/run", {"day": str(DAY)}),
    ]
    assert [answer.status_code for answer in answers] == [403] * 6


def test_screen_files_and_rest_say_the_same(a_day_of_contacts, login, rest, consultant):
    client = login("branch_head")
    assert consultant.display_name in client.get(f"{URL}/?day={DAY}").text
    lines = list(csv.reader(io.StringIO(exported(client, f"{URL}/export/csv?day={DAY}").data.decode("utf-8-sig"))))
    assert ["电话", "4", "3", "1", "0.2500", "0", "1", "0.2500", "1", "1.0000"] in lines
    book = openpyxl.load_workbook(io.BytesIO(exported(client, f"{URL}/export/xlsx?day={DAY}").data))
    assert ("电话", 4, 3, 1, 0.25, 0, 1, 0.25, 1, 1) in list(book["按渠道"].values)
    with pypdfium2.PdfDocument(exported(client, f"{URL}/export/pdf?day={DAY}").data) as document:
        text = "".join(page.get_textpage().get_text_range() for page in document).replace(" ", "")
    assert consultant.display_name in text
    told = rest("branch_head")("GET", f"{REST}?day={DAY}").json
    assert told["figures"][0] == told["figures"][0] | {"name": "contacts", "value": 7}


def test_rest_is_told_the_keys_that_open_a_row(a_day_of_contacts, rest):
    call = rest("branch_head")
    tables = {each["name"]: each for each in call("GET", f"{REST}?day={DAY}").json["tables"]}
    assert tables["by_channel"]["keys"][0] == {"channel": "phone"}
    assert tables["by_source"]["keys"][-1] == {"source": "none"}
    opened = call("GET", f"{REST}/rows?measure=contacts&day={DAY}&source=none&channel=partner").json
    assert (opened["table"], opened["count"]) == ("contact_record", 1)


@pytest.mark.parametrize(
    "query",
    [
        "measure=new_files&channel=phone",
        "measure=contacts&hour=24",
        "measure=contacts&hour=nine",
        "measure=calls&hour=",
    ],
)
def test_groups_that_do_not_divide_a_measure_are_refused(login, query):
    assert login("branch_head").get(f"{URL}/rows?{query}&day={DAY}").status_code == 422


def test_the_report_is_made_each_evening_with_the_other(session, consultant, a_day_of_contacts, work_off):
    job = JOBS["reports.daily"]
    slots = [
        slot for slot in job.slots(session, on(21, 0)) if slot.day == DAY and slot.branch_id == consultant.branch_id
    ]
    job.work(session, slots[0], on(21, 0))
    work_off(on(21, 0))
    made = select(ReportRun.report).where(ReportRun.made_by_job == "reports.daily", ReportRun.business_on == DAY)
    assert sorted(session.scalars(made)) == ["appointment_daily", "contact_daily", "followup_stats", "rotation_sheet"]


def test_the_days_before_and_after_have_their_own(a_day_of_contacts, gather):
    assert figures(gather(day=DAY + timedelta(days=1)))["contacts"] == 1
    assert figures(gather(day=DAY - timedelta(days=1)))["contacts"] == 1
