"""Stored runs: made once, opened again unchanged whatever happens to the slips, and only by those who may."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, select

from app.actors import house
from app.models.appointments import AppointmentSlip
from app.models.audit import ReportRun
from app.models.privacy import ExportRequest
from app.reports.base import REPORTS, Asked
from app.reports.runs import facts_of, make, make_scheduled, newest_runs

CHINA = ZoneInfo("Asia/Shanghai")
DAY = date(2026, 3, 10)
EVENING = datetime(2026, 3, 10, 21, 0, tzinfo=CHINA)
URL = "/report/appointment_daily"


@pytest.fixture
def report():
    return REPORTS["appointment_daily"]


@pytest.fixture
def asked(consultant):
    return Asked(day=DAY, branch_id=consultant.branch_id)


@pytest.fixture
def clock(consultant):
    return house("job:reports.daily", branch_id=consultant.branch_id)


@pytest.fixture
def promise(make_slip):
    def place(by=None):
        start = EVENING - timedelta(hours=3)
        return make_slip(by, when=EVENING - timedelta(hours=9), appointed_at=start, latest_arrival_at=start)

    return place


def count(session):
    return session.scalar(select(func.count()).select_from(ReportRun))


# --- kept --------------------------------------------------------------------------------------------------------


def test_a_run_is_kept_with_its_parameters_and_who_made_it(session, report, asked, supervisor, promise):
    promise()
    run = make(session, report, asked, by=supervisor, at=EVENING)
    assert (run.report, run.branch_id, run.business_on) == ("appointment_daily", asked.branch_id, DAY)
    assert run.parameters == {"day": "2026-03-10", "branch_id": asked.branch_id}
    assert (run.made_by, run.employee_id, run.made_by_job) == (supervisor.name, supervisor.employee_id, None)
    assert run.made_at == EVENING
    assert facts_of(run) == report.gather(session, asked, supervisor, EVENING)


def test_a_stored_run_opens_again_unchanged_after_the_slips_have_changed(
    session, report, asked, supervisor, promise, do
):
    slip = promise()
    run_id = make(session, report, asked, by=supervisor, at=EVENING).id
    before = facts_of(session.get_one(ReportRun, run_id))
    do("appointment_slip.void", supervisor, slip, when=EVENING, reason="客户取消")
    promise()
    session.expire_all()
    assert facts_of(session.get_one(ReportRun, run_id)) == before
    now = report.gather(session, asked, supervisor, EVENING)
    assert now.figures != before.figures, "the day itself has changed"


def test_a_run_of_an_unknown_shape_is_refused_and_not_misread(session, report, asked, supervisor):
    run = make(session, report, asked, by=supervisor, at=EVENING)
    run.facts = {**run.facts, "shape": 99}
    with pytest.raises(ValueError, match="unknown shape"):
        facts_of(run)


def test_the_newest_runs_of_a_branch_stand_first_and_no_others_with_them(session, report, asked, supervisor, person):
    other = person("b2_phone_supervisor")
    make(session, report, Asked(day=DAY, branch_id=other.branch_id), by=other, at=EVENING)
    runs = [make(session, report, asked, by=supervisor, at=EVENING).id for _ in range(4)]
    assert [run.id for run in newest_runs(session, report, asked.branch_id, most=3)] == runs[:0:-1]


# --- scheduled ---------------------------------------------------------------------------------------------------


def test_the_scheduler_makes_a_days_report_once(session, report, asked, clock):
    first = make_scheduled(session, report, asked, job="reports.daily", by=clock, at=EVENING)
    assert first is not None
    assert make_scheduled(session, report, asked, job="reports.daily", by=clock, at=EVENING) is None
    assert make_scheduled(session, report, asked, job="another.job", by=clock, at=EVENING) is None
    tomorrow = Asked(day=DAY + timedelta(days=1), branch_id=asked.branch_id)
    assert make_scheduled(session, report, tomorrow, job="reports.daily", by=clock, at=EVENING) is not None
    assert count(session) == 2


def test_the_first_scheduled_report_stays_as_it_was(session, report, asked, clock, promise):
    first = make_scheduled(session, report, asked, job="reports.daily", by=clock, at=EVENING)
    before = facts_of(session.get_one(ReportRun, first))
    promise()
    make_scheduled(session, report, asked, job="reports.daily", by=clock, at=EVENING)
    session.expire_all()
    assert facts_of(session.get_one(ReportRun, first)) == before


def test_people_make_as_many_as_they_like_before_and_after(session, report, asked, clock, supervisor):
    make(session, report, asked, by=supervisor, at=EVENING)
    assert make_scheduled(session, report, asked, job="reports.daily", by=clock, at=EVENING) is not None
    make(session, report, asked, by=supervisor, at=EVENING)
    make(session, report, asked, by=supervisor, at=EVENING)
    assert count(session) == 4


# --- over the web ------------------------------------------------------------------------------------------------


@pytest.fixture
def stored(session, report, asked, clock, promise):
    """The report of the evening, made by the scheduler; its id."""
    promise()
    run_id = make_scheduled(session, report, asked, job="reports.daily", by=clock, at=EVENING)
    session.commit()
    return run_id


def exported(session, client, address):
    """Export for a reason and return the file."""
    made = client.post(address, data={"csrf_token": client.token, "reason": "存档"})
    assert made.status_code == 302, made.text
    export = session.scalars(select(ExportRequest).order_by(ExportRequest.id.desc()).limit(1)).one()
    return client.get(f"/stored_file/{export.file_id}/content")


def without_mark(text):
    """Return a CSV without its last line, which says who took it out and when."""
    return "\n".join(line for line in text.splitlines() if not line.startswith("#"))


@pytest.mark.parametrize("username", ["branch_head", "hospital_director", "operations", "phone_supervisor"])
def test_the_scheduled_report_lies_in_the_list_and_opens_as_page_and_files(session, login, stored, username):
    client = login(username)
    assert f"/report_run/show/{stored}" in client.get("/report_run/list/").text
    assert client.get(f"/report_run/show/{stored}").location == f"{URL}/stored/{stored}"
    page = client.get(f"{URL}/stored/{stored}")
    assert page.status_code == 200
    assert "2026-03-10 21:00" in page.text
    for file_format, begins in (("pdf", b"%PDF-"), ("xlsx", b"PK"), ("csv", b"\xef\xbb\xbf")):
        assert f"{URL}/stored/{stored}/{file_format}" in page.text
        answer = exported(session, client, f"{URL}/stored/{stored}/{file_format}")
        assert answer.status_code == 200
        assert answer.data.startswith(begins)
        assert f"appointment_daily-2026-03-10.{file_format}" in answer.headers["Content-Disposition"]


@pytest.mark.parametrize("username", ["admin", "it_manager"])
def test_who_keeps_the_list_but_not_the_report_sees_none_of_its_runs(login, rest, stored, username):
    """A stored run is the report itself: its figures are for those who may open that."""
    client = login(username)
    listed = client.get("/report_run/list/")
    assert (listed.status_code, f"/report_run/show/{stored}" in listed.text) == (200, False)
    assert client.get(f"/report_run/show/{stored}").status_code == 404
    refused = [f"{URL}/", f"{URL}/stored/{stored}", f"{URL}/export/csv?day={DAY}", f"{URL}/stored/{stored}/pdf"]
    assert [client.get(path).status_code for path in refused] == [403] * 4
    call = rest(username)
    assert call("GET", "report_run/").json["result"] == []
    assert call("GET", f"report_run/{stored}").status_code == 404


def test_who_may_list_one_report_sees_no_runs_of_another(login, rest, session, stored, person, at):
    """The ledger of supplementary slips is the branch head's, not every supervisor's who keeps stored reports."""
    head = person("branch_head")
    ledger = REPORTS["supplement_ledger"]
    kept = make(session, ledger, Asked(day=DAY, branch_id=head.branch_id), by=head, at=EVENING).id
    session.commit()
    assert {row["id"] for row in rest("branch_head")("GET", "report_run/").json["result"]} == {stored, kept}
    call = rest("phone_supervisor")
    assert {row["id"] for row in call("GET", "report_run/").json["result"]} == {stored}
    assert call("GET", f"report_run/{kept}").status_code == 404
    assert "facts" in call("GET", f"report_run/{stored}").json["result"]
    assert login("phone_supervisor").get(f"/report/supplement_ledger/stored/{kept}").status_code == 403


def test_stored_files_are_of_the_stored_day_not_of_today(login, stored, session, do, supervisor):
    client = login("branch_head")
    before = exported(session, client, f"{URL}/stored/{stored}/csv").text
    assert session.get_one(ReportRun, stored).facts["figures"][0]["value"] == 1
    do("appointment_slip.void", supervisor, session.scalars(select(AppointmentSlip)).one(), reason="客户取消")
    after = exported(session, client, f"{URL}/stored/{stored}/csv").text
    assert without_mark(after) == without_mark(before) != ""


@pytest.mark.parametrize("username", ["phone_supervisor", "department_head", "branch_head"])
def test_who_makes_a_report_finds_it_where_she_is_sent(login, session, username, person):
    client = login(username)
    answer = client.post(f"{URL}/run", data={"day": "2026-03-10", "csrf_token": client.token})
    assert answer.status_code == 302
    assert client.get(answer.location).status_code == 200
    run = session.scalars(select(ReportRun)).one()
    assert (run.employee_id, run.made_by_job) == (person(username).employee_id, None)


def test_a_run_needs_a_token_of_the_form(login, session):
    assert login("branch_head").post(f"{URL}/run", data={"day": "2026-03-10"}).status_code in (302, 400)
    assert count(session) == 0


@pytest.mark.parametrize(("day", "code"), [("", 422), ("soon", 422), ("2999-01-01", 422), ("2026-02-30", 422)])
def test_a_run_of_no_day_is_refused_and_nothing_is_kept(login, session, day, code):
    client = login("branch_head")
    assert client.post(f"{URL}/run", data={"day": day, "csrf_token": client.token}).status_code == code
    assert count(session) == 0


@pytest.mark.parametrize("username", ["b2_branch_head", "b2_phone_supervisor"])
def test_another_branchs_run_is_not_there(login, stored, username):
    client = login(username)
    assert f"/report_run/show/{stored}" not in client.get("/report_run/list/").text
    paths = [f"/report_run/show/{stored}", f"{URL}/stored/{stored}", f"{URL}/stored/{stored}/pdf"]
    assert [client.get(path).status_code for path in paths] == [404] * 3


@pytest.mark.parametrize("path", ["stored/999999", "stored/0", "stored/99999999999999999999", "stored/x"])
def test_a_run_that_is_not_there_is_404(login, path):
    assert login("branch_head").get(f"{URL}/{path}").status_code == 404


def test_a_stored_run_in_an_unknown_format_is_400(login, stored):
    assert login("branch_head").get(f"{URL}/stored/{stored}/doc").status_code == 400
