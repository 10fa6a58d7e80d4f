"""补预约单台账, RPT-28, counted by hand for one month; on screen, as files, over REST, and who may have it."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy import select

from app.actors import house
from app.models.appointments import Channel, EvidenceKind, Intention
from app.models.audit import ReportRun
from app.models.files import FilePurpose
from app.reports.appointment_daily import AppointmentDaily
from app.reports.base import Asked, MonthAndBranch
from app.reports.facts import from_json, to_json
from app.reports.supplement_ledger import SupplementLedger
from app.services.files import take_in
from tests.reports.days import on
from tests.reports.exporting import exported
from tests.services.test_files import picture

TABLE = "appointment_supplement_request"
URL = "/report/supplement_ledger"
MONTH = date(2026, 3, 1)


@pytest.fixture
def ask(session, do, make_customer, item):
    """Ask for a supplementary slip at an instant, for an arrival two hours before it."""

    def make(by, when, *, owner=None, phone=None, record=None):
        content, name = picture(), "a.png"
        file_id = None
        if record is None:
            file_id = take_in(session, content, name, purpose=FilePurpose.EVIDENCE, field="f", by=by, at=when).id
        customer_id = None if phone else (record.customer_id if record else make_customer(by).id)
        values = {
            "customer_id": customer_id, "phone": phone, "claimed_arrived_at": when - timedelta(hours=2),
            "claimed_owner_id": owner, "channel": Channel.PHONE, "intention": Intention.A, "need_text": None,
            "evidence_kinds": [EvidenceKind.CHAT_RECORD, EvidenceKind.OTHER],
            "contact_record_id": record.id if record else None, "evidence_file_id": file_id, "reason": "漏下",
        }  # fmt: skip
        return do(f"{TABLE}.submit", by, when=when, **values).record

    return make


@pytest.fixture
def a_month(ask, do, consultant, colleague, supervisor, person, make_customer, phone, item):
    """What happened in March, request by request."""
    head, it, writer = person("branch_head"), person("it_manager"), person("web_consultant")
    number = phone()
    make_customer(colleague, phone=number, when=on(9, days=-30))
    # Asked, approved, executed in March; the customer was a colleague's: performance moves.
    moved = ask(consultant, on(10), phone=number)
    do(f"{TABLE}.approve", head, moved, when=on(11), decision_note=None)
    do(f"{TABLE}.execute", it, moved, when=on(12))
    # Asked by the supervisor for a consultant, approved, executed; she was the consultant's already.
    hers = make_customer(consultant, when=on(9, days=-30))
    call = {"caller_no": None, "business_category_id": item("business_category").id, "customer_id": hers.id}
    record = do("contact_record.register_call", consultant, when=on(9), **call).record
    kept = ask(supervisor, on(13), owner=consultant.employee_id, record=record)
    do(f"{TABLE}.approve", head, kept, when=on(14), decision_note=None)
    do(f"{TABLE}.execute", it, kept, when=on(15))
    # Asked and rejected; asked and withdrawn; asked and waiting.
    do(f"{TABLE}.reject", head, ask(colleague, on(10)), when=on(16), decision_note="证据不足")
    do(f"{TABLE}.withdraw", colleague, ask(colleague, on(11)), when=on(12))
    ask(writer, on(12))
    # Asked and approved in February, executed in March.
    february = ask(writer, on(10, days=-20))
    do(f"{TABLE}.approve", head, february, when=on(11, days=-20), decision_note=None)
    do(f"{TABLE}.execute", it, february, when=on(9, days=2))
    # Asked in April: nothing here.
    ask(writer, on(9, days=25))
    # Another branch: nothing here.
    ask(person("b2_phone_consultant"), on(10))
    return moved, kept


@pytest.fixture
def gather(session, consultant):
    def ask_for(by=None, day=MONTH, branch_id=None):
        by = by or house("test", branch_id=consultant.branch_id)
        asked = Asked(day=day, branch_id=branch_id or consultant.branch_id)
        return SupplementLedger().gather(session, asked, by, on(21, 30, days=60))

    return ask_for


def table(facts, name):
    (found,) = [each for each in facts.tables if each.name == name]
    return found


#       requested with-file with-record approved rejected withdrawn executed open moved
TOTAL = (5, 4, 1, 2, 1, 1, 3, 1, 1)


def test_the_month_by_person(a_month, gather, consultant, colleague, person):
    rows = {row[1]: row[2:] for row in table(gather(), "by_person").rows}
    assert rows == {
        consultant.display_name: (2, 1, 1, 2, 0, 0, 2, 0, 1),
        colleague.display_name: (2, 2, 0, 0, 1, 1, 0, 0, 0),
        person("web_consultant").display_name: (1, 1, 0, 0, 0, 0, 1, 1, 0),
    }
    assert table(gather(), "by_person").totals[2:] == TOTAL


def test_the_month_by_requester(a_month, gather, supervisor):
    rows = {row[0]: row[1:] for row in table(gather(), "by_requester").rows}
    assert rows[supervisor.display_name] == (1, 0, 1, 1, 0, 0, 1, 0, 0)
    assert len(rows) == 4


def test_the_figures(a_month, gather):
    facts = gather()
    assert {figure.name: figure.value for figure in facts.figures} == {
        "requested": 5, "approved": 2, "rejected": 1, "executed": 3, "open": 1, "moved": 1,
    }  # fmt: skip
    assert facts.parameters[0][1].zh == "2026-03"


def test_from_whom_to_whom_performance_moved(a_month, gather, consultant, colleague):
    moved, _kept = a_month
    (row,) = table(gather(), "moves").rows
    assert row[0] == moved.request_no
    assert row[2:] == (colleague.display_name, consultant.display_name, on(11))


def test_the_ledger_has_a_line_for_each_request_of_the_month(a_month, gather):
    rows = table(gather(), "ledger").rows
    assert len(rows) == 6, "five asked for in March and one executed in it"
    moved, _kept = a_month
    line = next(row for row in rows if row[0] == moved.request_no)
    assert line[6].zh == "聊天记录、其他证据"
    assert line[-1] == moved.resulting_slip.slip_no


def test_a_month_ends_where_the_next_begins(a_month, gather):
    assert [figure.value for figure in gather(day=date(2026, 2, 1)).figures] == [1, 1, 0, 0, 0, 0]
    assert [figure.value for figure in gather(day=date(2026, 4, 1)).figures] == [1, 0, 0, 0, 1, 0]
    assert MonthAndBranch.until(date(2026, 12, 1)) == date(2027, 1, 1)
    assert MonthAndBranch.until(date(2026, 2, 28)) == date(2026, 3, 1)


def test_supplementary_slips_are_counted_apart_in_the_daily_report(a_month, session, consultant):
    """R-2.1.3-5, RPT-02: on the day on which the slip is made, and as no arrival of the day on which she came."""
    by = house("test", branch_id=consultant.branch_id)
    facts = AppointmentDaily().gather(session, Asked(date(2026, 3, 10), consultant.branch_id), by, on(21))
    total = dict(zip((column.name for column in table(facts, "by_channel").columns), table(facts, "by_channel").totals,
                     strict=True))  # fmt: skip
    assert (total["supplemented"], total["placed"], total["arrived"], total["due"]) == (2, 0, 0, 0)


def test_a_supervisor_sees_her_department_and_a_consultant_has_no_ledger(a_month, gather, supervisor, person, login):
    assert table(gather(supervisor), "by_person").totals[2:] == (4, 3, 1, 2, 1, 1, 2, 0, 1)
    assert len(table(gather(supervisor), "ledger").rows) == 4
    for username, status in (("branch_head", 200), ("phone_supervisor", 403), ("it_manager", 403), ("guide", 403)):
        assert login(username).get(f"{URL}/?day=2026-03").status_code == status


def test_the_facts_survive_being_stored(a_month, gather):
    facts = gather()
    assert from_json(to_json(facts)) == facts


def test_the_page_asks_for_a_month_and_every_figure_opens_its_rows(a_month, login):
    client = login("branch_head")
    page = client.get(f"{URL}/?day=2026-03").text
    assert 'type="month"' in page
    assert 'value="2026-03"' in page
    moved, kept = a_month
    assert moved.request_no in page
    rows = client.get(f"{URL}/rows?day=2026-03&measure=moved").text
    assert moved.request_no in rows
    assert kept.request_no not in rows
    assert client.get(f"{URL}/").status_code == 200, "without a month it is this one"


@pytest.mark.parametrize(
    "month", ["2026-13", "2026-00", "März", "2026-3", "9999-01", "0000-01", "2026-03-41", "2199-01"]
)
def test_what_is_no_month_is_said_beside_the_field(month, login, rest):
    assert login("branch_head").get(f"{URL}/?day={month}").status_code == 422
    answer = rest("branch_head")("GET", f"report/supplement_ledger?day={month}")
    assert (answer.status_code, [*answer.json["errors"]]) == (422, ["day"])


def test_a_day_is_taken_for_its_month(a_month, rest):
    by_day = rest("branch_head")("GET", "report/supplement_ledger?day=2026-03-17").json
    by_month = rest("branch_head")("GET", "report/supplement_ledger?day=2026-03").json
    assert by_day["tables"] == by_month["tables"]


@pytest.mark.parametrize("file_format", ["csv", "xlsx", "pdf"])
def test_the_ledger_as_a_file(file_format, a_month, login):
    answer = exported(login("branch_head"), f"{URL}/export/{file_format}?day=2026-03")
    assert answer.status_code == 200
    assert len(answer.data) > 500


def test_a_month_is_kept_and_opened_again_unchanged(a_month, login, session):
    client = login("branch_head")
    data = {"day": "2026-03", "csrf_token": client.token, "request_key": "keep-march"}
    kept = client.post(f"{URL}/run", data=data)
    assert kept.status_code == 302, kept.text
    run = session.scalars(select(ReportRun).where(ReportRun.report == "supplement_ledger")).one()
    assert run.business_on == MONTH
    page = client.get(kept.location).text
    assert 'value="2026-03"' in page


def test_an_approval_taken_back_counts_in_its_month_and_its_rejection_in_its_own(ask, do, consultant, person, gather):
    """SM-33: two decisions, each in the month in which it was taken."""
    head = person("branch_head")
    request = ask(consultant, on(10))
    do(f"{TABLE}.approve", head, request, when=on(11), decision_note=None)
    do(f"{TABLE}.reject", head, request, when=on(9, days=25), decision_note="客户另有预约单")

    def counted(day):
        seen = {figure.name: figure.value for figure in gather(day=day).figures}
        return seen["approved"], seen["rejected"]

    assert counted(MONTH) == (1, 0)
    assert counted(on(9, days=25).date().replace(day=1)) == (0, 1)
