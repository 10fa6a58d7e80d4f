"""Exports: a right, a reason, a limit beyond which somebody else decides, a mark, an entry. H.2, decision 0028."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import timedelta

import openpyxl
import pypdfium2
import pytest
from sqlalchemy import select, text

from app.errors import IllegalMove, Refusal
from app.filestore import store
from app.models.audit import Notice, SensitiveViewLog, Way
from app.models.privacy import ExportRequest, ExportState
from app.models.settings import Param
from app.models.tasks import BackgroundTask, TaskState
from app.models.trail import AuditLog
from app.services.files import content_of, sweep
from app.services.privacy.exports import AT_ONCE_ROWS, MOST_ROWS, SOURCES, expire
from app.services.tasks import take_up_again
from app.services.tasks.running import MOST_FAILURES
from app.unit import acting_as

DAY = "2026-11-20"


@pytest.fixture(autouse=True)
def somebody():
    with acting_as("house:test"):
        yield


def ask(client, url, **more):
    return client.post(url, data={"csrf_token": client.token, "reason": "月度核对", **more})


def newest(session):
    session.expire_all()
    return session.scalars(select(ExportRequest).order_by(ExportRequest.id.desc()).limit(1)).one()


def events(session, name="export"):
    return session.scalars(select(AuditLog).where(AuditLog.operation == name).order_by(AuditLog.id)).all()


def limit(session, at, setting, value):
    session.add(Param(key=setting.key, value=str(value), effective_at=at - timedelta(days=1)))
    session.commit()


def test_a_list_is_exported_as_it_is_shown_masked_filtered_and_marked(login, make_customer, session):
    made = [make_customer(name=name) for name in ("林甲", "=SUM(A1)", "林丙")]
    number = made[0].contacts[0].value
    client = login("phone_supervisor")
    assert "/customer/export" in client.get("/customer/list/").text
    form = client.get("/customer/export?state=temporary")
    assert form.status_code == 200
    answer = ask(client, "/customer/export?state=temporary", file_format="csv")
    assert answer.status_code == 302
    request = newest(session)
    assert (request.state, request.row_count, request.reason) == (ExportState.READY, 3, "月度核对")
    page = client.get(answer.headers["Location"])
    assert f"/stored_file/{request.file_id}" in page.text
    content = client.get(f"/stored_file/{request.file_id}/content").data
    lines = list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))
    assert len(lines) == 5
    assert [line[1] for line in lines[1:4]] == ["林丙", "'=SUM(A1)", "林甲"]
    assert number not in content.decode("utf-8-sig")
    assert f"{number[:3]}****{number[-4:]}" in content.decode("utf-8-sig")
    assert lines[4][0].startswith("# ")
    assert request.asked_by.name in lines[4][0]
    [event] = events(session)
    assert (event.table_name, event.record_id) == ("export_request", request.id)
    assert event.after == {"rows": 3, "format": "csv", "source": "customer", "reason": "月度核对"}
    assert client.get("/customer/list/?state=formal").status_code == 200
    answer = ask(client, "/customer/export?state=formal", file_format="xlsx")
    assert answer.status_code == 302, answer.text
    assert newest(session).row_count == 0


def test_a_workbook_says_who_exported_it_on_its_first_sheet_and_at_each_foot(login, make_customer, session):
    make_customer()
    client = login("phone_supervisor")
    ask(client, "/customer/export", file_format="xlsx")
    request = newest(session)
    book = openpyxl.load_workbook(io.BytesIO(content_of(request.file)))
    first = [cell.value for row in book.worksheets[0].iter_rows() for cell in row if cell.value]
    assert any(request.asked_by.name in str(text) for text in first)
    assert "月度核对" in first
    assert all(request.asked_by.name in sheet.oddFooter.center.text for sheet in book.worksheets)


@pytest.mark.parametrize(("username", "status"), [("phone_consultant", 403), ("guide", 403), ("it_manager", 403)])
def test_who_has_not_the_right_exports_nothing_and_the_attempt_is_kept(login, session, username, status):
    client = login(username)
    assert client.get("/customer/export").status_code == status
    assert ask(client, "/customer/export", file_format="csv").status_code == status
    assert "/customer/export" not in client.get("/customer/list/").text
    denied = session.scalars(select(SensitiveViewLog).where(SensitiveViewLog.way == Way.EXPORT)).all()
    assert [look.denied for look in denied] == ["no_right"]


def test_the_book_of_looks_opens_with_a_look_at_what_is_no_column(login):
    """A denied export is filed under the list's right, an opened file under its kind: neither is a column's name."""
    consultant = login("phone_consultant")
    consultant.post("/customer/export", data={"csrf_token": consultant.token, "reason": "想看看", "file_format": "csv"})
    book = login("phone_supervisor").get("/sensitive_view_log/list/")
    assert book.status_code == 200
    assert 'class="empty' not in book.text


def test_without_a_reason_nothing_leaves(login, rest, session):
    client = login("phone_supervisor")
    assert client.post("/customer/export", data={"csrf_token": client.token, "file_format": "csv"}).status_code == 422
    assert client.post("/customer/export?nonsense=1", data={"csrf_token": client.token}).status_code == 400
    call = rest("branch_head")
    assert call("POST", "report/contact_daily/export", {"day": str(DAY), "format": "csv"}).status_code == 422
    assert call("POST", "customer/export", {"format": "csv"}).status_code == 422
    assert call("POST", "customer/export", {"format": "doc", "reason": "核对"}).status_code == 400
    assert session.scalars(select(ExportRequest)).all() == []


@pytest.mark.parametrize("file_format", ["csv", "xlsx", "pdf"])
def test_reading_makes_no_file(rest, session, file_format):
    """GET changes nothing: no request, no stored file; the answer says how one is made."""
    answer = rest("branch_head")("GET", f"report/contact_daily?day={DAY}&format={file_format}&reason=xx")
    assert answer.status_code == 405
    assert "POST" in answer.json["message"]
    assert answer.headers["Allow"] == "GET"
    assert session.scalars(select(ExportRequest)).all() == []


def test_a_list_over_rest(rest, make_customer, session):
    make_customer(name="林小雨")
    call = rest("phone_supervisor")
    body = {"format": "csv", "reason": "核对", "query": {"q": "林小雨"}}
    answer = call("POST", "customer/export", body, Idempotency_Key="one")
    assert answer.status_code == 200
    assert "林小雨" in answer.data.decode("utf-8-sig")
    again = call("POST", "customer/export", body, Idempotency_Key="one")
    assert again.data == answer.data
    assert len(session.scalars(select(ExportRequest)).all()) == 1
    other = call("POST", "customer/export", {**body, "format": "xlsx"}, Idempotency_Key="one")
    assert other.status_code == 409
    assert "林小雨" not in newest(session).__table__.name
    stored = session.connection().exec_driver_sql("select parameters from export_request").scalar_one()
    assert "林小雨" not in stored


def test_a_report_as_pdf_carries_name_and_time_on_every_page(rest, session, employee):
    asked = {"day": str(DAY), "format": "pdf", "reason": "核对"}
    answer = rest("branch_head")("POST", "report/contact_daily/export", asked)
    assert answer.status_code == 200
    name = employee("branch_head").name
    with pypdfium2.PdfDocument(answer.data) as document:
        texts = [page.get_textpage().get_text_range() for page in document]
    assert all(text.count(name) >= 5 for text in texts)
    assert events(session)[0].after["source"] == "report_contact_daily"


def test_beyond_the_limit_another_person_decides_and_the_asker_s_rows_are_made(
    login, do, person, make_customer, session, at, work_off
):
    limit(session, at, MOST_ROWS, 1)
    for name in ("林甲", "林乙"):
        make_customer(name=name)
    client = login("phone_supervisor")
    ask(client, "/customer/export", file_format="csv")
    request = newest(session)
    assert (request.state, request.file_id) == (ExportState.WAITING, None)
    head = person("branch_head")
    assert session.scalars(
        select(Notice).where(Notice.employee_id == head.employee_id, Notice.kind == "export_waits")
    ).one()
    with pytest.raises(Exception):  # noqa: B017 - who asked has no right to decide
        do("export_request.approve", person("phone_supervisor"), request)
    do("export_request.approve", head, request, inputs={})
    assert work_off()[0].error is None
    request = newest(session)
    assert (request.state, request.row_count) == (ExportState.READY, 2)
    assert "林甲" in content_of(request.file).decode("utf-8-sig")
    assert client.get(f"/stored_file/{request.file_id}/content").status_code == 200
    assert login("branch_head").get(f"/stored_file/{request.file_id}/content").status_code == 404
    assert [event.after["rows"] for event in events(session, "export_asked")] == [2]
    with pytest.raises(IllegalMove):
        do("export_request.refuse", head, request, reason="太多")


def test_nobody_decides_on_her_own_export(login, do, person, make_customer, session, at):
    limit(session, at, MOST_ROWS, 0)
    make_customer()
    client = login("branch_head")
    ask(client, "/customer/export", file_format="csv")
    with pytest.raises(Refusal):
        do("export_request.approve", person("branch_head"), newest(session), inputs={})
    do("export_request.refuse", person("hospital_director"), newest(session), reason="用不着")
    assert newest(session).state is ExportState.REFUSED


def test_a_large_one_is_made_in_the_background_and_goes_with_its_time(login, make_customer, session, at, work_off):
    limit(session, at, AT_ONCE_ROWS, 0)
    make_customer()
    client = login("phone_supervisor")
    ask(client, "/customer/export", file_format="csv")
    assert newest(session).state is ExportState.MAKING
    work_off()
    request = newest(session)
    assert request.state is ExportState.READY
    key = request.file.file_key
    assert expire(session, at=request.expires_at - timedelta(seconds=1)) == 0
    assert expire(session, at=request.expires_at) == 1
    session.commit()
    assert client.get(f"/stored_file/{request.file_id}/content").status_code == 404
    sweep(session, at=request.expires_at + timedelta(days=2))
    assert not (store().root / key[:2] / key).exists()


def test_an_export_says_what_became_of_its_task(login, make_customer, session, at, do, person, work_off, monkeypatch):
    limit(session, at, AT_ONCE_ROWS, 0)
    make_customer()
    client, supervisor = login("phone_supervisor"), person("phone_supervisor")

    def task_of(request):
        return session.get_one(BackgroundTask, request.task_id)

    ask(client, "/customer/export", file_format="csv")
    do("background_task.cancel", supervisor, task_of(newest(session)))
    assert newest(session).state is ExportState.CANCELLED
    assert "已取消" in client.get(f"/export_request/show/{newest(session).id}").text

    ask(client, "/customer/export", file_format="csv")
    session.get_one(BackgroundTask, newest(session).task_id).cancel_requested_at = at  # while it runs
    work_off()
    assert (newest(session).state, task_of(newest(session)).state) == (ExportState.CANCELLED, TaskState.CANCELLED)

    ask(client, "/customer/export", file_format="csv")
    with monkeypatch.context() as broken:
        broken.setitem(SOURCES, "list", replace(SOURCES["list"], make=lambda _session, _making: 1 / 0))
        work_off()
    assert (newest(session).state, newest(session).file_id) == (ExportState.FAILED, None)
    assert "division by zero" in client.get(f"/export_request/show/{newest(session).id}").text
    do("background_task.retry", supervisor, task_of(newest(session)))
    assert newest(session).state is ExportState.MAKING
    work_off()
    assert newest(session).state is ExportState.READY

    ask(client, "/customer/export", file_format="csv")
    lost = task_of(newest(session))
    lost.become(TaskState.RUNNING)
    lost.failures = MOST_FAILURES - 1
    session.execute(text("delete from procrastinate_jobs where id = :id"), {"id": lost.job_id})
    session.commit()
    assert take_up_again(session, at=at) == 1
    assert newest(session).state is ExportState.FAILED
