"""Printing on screen and over REST: preview and printing, the tab, the log, a selection and a whole list."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from sqlalchemy import func, select

from app.actors import Reach
from app.models.audit import SensitiveViewLog
from app.models.printing import PrintJob
from app.models.tasks import BackgroundTask, TaskState
from app.services.files import log_reading, readable
from tests.reports.test_paper import pages_of, squeezed

FORM = "print/appointment_slip"


def counted(session):
    return session.scalar(select(func.count(PrintJob.id)))


def test_looking_counts_nothing_and_printing_counts_once_per_key(login, session, make_slip):
    client, slip = login("phone_consultant"), make_slip()
    path = f"/appointment_slip/{slip.id}/{FORM}"
    shown = client.get(path)
    assert (shown.status_code, shown.mimetype, counted(session)) == (200, "application/pdf", 0)
    assert "预览" in squeezed(pages_of(shown.data)[0])
    sent = {"csrf_token": client.token, "request_key": "once"}
    for _click in range(2):
        made = client.post(path, data=sent)
        assert (made.status_code, made.mimetype, made.headers["X-Copy-Number"]) == (200, "application/pdf", "1")
        assert "预览" not in squeezed(pages_of(made.data)[0])
    assert counted(session) == 1
    assert client.post(path, data={**sent, "request_key": "next"}).headers["X-Copy-Number"] == "2"


def test_a_printing_needs_its_form_token(login, session, make_slip, app, monkeypatch):
    monkeypatch.setitem(app.config, "WTF_CSRF_ENABLED", True)
    client, slip = login("phone_consultant"), make_slip()
    assert client.post(f"/appointment_slip/{slip.id}/{FORM}", data={"request_key": "once"}).status_code == 400
    assert counted(session) == 0


def test_a_records_page_has_a_print_button_and_tells_its_printings(login, make_slip):
    client, slip = login("phone_consultant"), make_slip()
    page = client.get(f"/appointment_slip/show/{slip.id}").text
    form = re.search(r'<form class="print".*?</form>', page, re.DOTALL)
    assert form is not None
    assert 'method="post"' in form.group(0)
    assert 'target="_blank"' in form.group(0)
    assert "尚未打印" in page or "Not printed yet." in page
    for key in ("a", "b"):
        client.post(f"/appointment_slip/{slip.id}/{FORM}", data={"csrf_token": client.token, "request_key": key})
    page = client.get(f"/appointment_slip/show/{slip.id}?_l_=en").text
    tab = page[page.index('id="tab-printed"') :]
    assert tab.index("Copy 1") < tab.index("Original")


def test_arriving_tells_the_browser_what_to_print_and_with_which_key(login, session, make_slip):
    """R-2.1-1: the paper comes in one go with the arrival; a second answer to the same click prints the same copy."""
    client, slip = login("guide"), make_slip()
    sent = {"csrf_token": client.token, "request_key": "arrive-1"}
    path = f"/appointment_slip/{slip.id}/act/arrive"
    told = [client.post(path, data=sent, headers={"X-Dialog": "1"}).json for _click in range(2)]
    assert told[0]["open"] == f"/appointment_slip/{slip.id}/{FORM}"
    assert told[0]["open_key"] == told[1]["open_key"]
    for answer in told:
        printed = client.post(answer["open"], data={"csrf_token": client.token, "request_key": answer["open_key"]})
        assert printed.headers["X-Copy-Number"] == "1"


def test_a_selection_is_printed_in_the_background(login, session, work_off, make_slip):
    client, slips = login("phone_supervisor"), [make_slip() for _ in range(2)]
    page = client.get("/department_slips/list/").text
    assert 'formaction="/appointment_slip/print-many/appointment_slip"' in page
    chosen = "&".join(f"id={slip.id}" for slip in slips)
    asked = client.get(f"/appointment_slip/print-many/appointment_slip?{chosen}&back=/department_slips/list/")
    assert asked.status_code == 200
    sent = {
        "csrf_token": client.token,
        "request_key": re.search(r'name="request_key" value="([^"]+)"', asked.text).group(1),
        "id": [str(slip.id) for slip in slips],
        "back": "/department_slips/list/",
    }
    answers = [client.post("/appointment_slip/print-many/appointment_slip", data=sent) for _click in range(2)]
    task = session.scalars(select(BackgroundTask)).one()
    assert {answer.headers["Location"] for answer in answers} == {f"/background_task/show/{task.id}"}
    work_off()
    assert session.get_one(BackgroundTask, task.id).state is TaskState.DONE
    assert "appointment" not in client.get(f"/background_task/show/{task.id}").text or counted(session) == 2
    assert counted(session) == 2


def test_a_printed_batch_is_read_by_who_could_have_printed_it_and_by_nobody_else(
    login, rest, session, work_off, make_slip, person
):
    """Who looks after the house sees the task; the slips in its file are for those who may print them, and logged."""
    slips = [make_slip() for _ in range(2)]
    rest("phone_consultant")(
        "POST", "appointment_slip/batch-print/appointment_slip", {"ids": [slip.id for slip in slips]}
    )
    (done,) = work_off()
    content = f"/stored_file/{done.result_file_id}/content"
    for who in ("it_manager", "admin"):
        client = login(who)
        for page in (f"/background_task/show/{done.id}", "/background_task/list/"):
            answer = client.get(page)
            assert (answer.status_code, content in answer.text) == (200, False), (who, page)
        assert client.get(content).status_code == 404, who
        assert rest(who)("GET", f"stored_file/{done.result_file_id}/content").status_code == 404, who
    asker = login("phone_consultant")
    assert content in asker.get(f"/background_task/show/{done.id}").text
    assert asker.get(content).status_code == 200
    looks = select(SensitiveViewLog.denied).where(SensitiveViewLog.field == "result_file")
    assert session.scalars(looks).all() == ["not_in_scope"] * 4, "the asker's own leaves none, each denied one does"


@pytest.mark.parametrize(("rights", "reach", "reads"), [
    ({("appointment_slip", "can_print_appointment_slip")}, Reach.BRANCH, True),
    ({("appointment_slip", "can_print_appointment_slip")}, Reach.OWN, False),
    ({("appointment_slip", "can_list"), ("appointment_slip", "can_show")}, Reach.BRANCH, False),
])  # fmt: skip
def test_the_right_and_the_reach_over_every_slip_open_anothers_batch_and_it_is_logged(
    rest, session, work_off, make_slip, person, at, rights, reach, reads
):
    rest("phone_consultant")("POST", "appointment_slip/batch-print/appointment_slip", {"ids": [make_slip().id]})
    (done,) = work_off()
    manager = person("it_manager")
    reader = replace(manager, rights=manager.rights | rights, reaches={**manager.reaches, "appointment_slip": reach})
    file = readable(session, done.result_file_id, reader)
    assert (file is not None) is reads
    if file is not None:
        log_reading(session, file, by=reader, at=at)
        session.flush()
        look = session.scalars(select(SensitiveViewLog).where(SensitiveViewLog.field == "result_file")).one()
        assert (look.employee_id, look.table_name, look.record_id) == (
            reader.employee_id, "background_task", done.id,
        )  # fmt: skip


def test_all_that_a_list_shows_is_printed_in_its_order(login, session, make_slip):
    client, slips = login("phone_supervisor"), [make_slip() for _ in range(3)]
    page = client.get("/department_slips/list/?o=slip_no&d=asc").text
    assert "/department_slips/print-shown/appointment_slip?o=slip_no&amp;d=asc" in page
    path = "/department_slips/print-shown/appointment_slip"
    assert client.get(f"{path}?o=slip_no&d=asc").status_code == 200
    client.post(f"{path}?o=slip_no&d=asc", data={"csrf_token": client.token, "request_key": "k"})
    task = session.scalars(select(BackgroundTask)).one()
    assert task.parameters["ids"] == [slip.id for slip in slips]
    nothing = client.post(f"{path}?q=nobody", data={"csrf_token": client.token, "request_key": "l"})
    assert nothing.status_code == 422


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/appointment_slip/print-many/nothing", 404),
        ("/appointment_slip/print-many/appointment_slip", 422),
        ("/appointment_slip/print-many/appointment_slip?id=x", 400),
        ("/appointment_slip/print-many/appointment_slip?id=" + "9" * 30, 400),
        ("/my_slips/print-shown/appointment_slip?o=phone", 400),
        ("/customer/print-shown/appointment_slip", 404),
    ],
)
def test_what_cannot_be_printed_is_said_and_never_breaks(login, path, code):
    assert login("phone_consultant").get(path).status_code == code


def test_who_may_not_print_is_refused(login, rest, make_slip):
    slip = make_slip()
    assert login("hr").get(f"/appointment_slip/{slip.id}/{FORM}").status_code == 403
    assert login("b2_phone_consultant").get(f"/appointment_slip/{slip.id}/{FORM}").status_code == 404
    assert rest("hr")("POST", f"appointment_slip/{slip.id}/{FORM}").status_code == 403
    assert rest("b2_phone_consultant")("GET", f"appointment_slip/{slip.id}/{FORM}").status_code == 404
    assert rest("hr")("POST", "appointment_slip/batch-print/appointment_slip", {"ids": [slip.id]}).status_code == 403


def test_the_print_log_is_for_those_who_answer_for_it_within_their_scope(login, make_slip, person):
    slip, foreign = make_slip(), make_slip(person("b2_phone_consultant"))
    for name, one in (("phone_consultant", slip), ("b2_phone_consultant", foreign)):
        client = login(name)
        client.post(f"/appointment_slip/{one.id}/{FORM}", data={"csrf_token": client.token, "request_key": "k"})
    for name in ("phone_supervisor", "it_manager", "branch_head"):
        page = login(name).get("/print_job/list/").text
        assert slip.slip_no in page, name
        assert foreign.slip_no not in page, name
    assert slip.slip_no not in login("web_supervisor").get("/print_job/list/").text
    assert login("phone_consultant").get("/print_job/list/").status_code == 403


# --- REST --------------------------------------------------------------------------------------------------------


def test_over_rest_a_printing_is_counted_once_per_idempotency_key(rest, session, make_slip):
    call, path = rest("phone_consultant"), f"appointment_slip/{make_slip().id}/{FORM}"
    assert call("GET", f"{path}?preview=1").status_code == 200
    assert counted(session) == 0
    numbers = [call(method, path, Idempotency_Key="k1").headers["X-Copy-Number"] for method in ("GET", "POST")]
    assert numbers == ["1", "1"]
    assert call("GET", path).headers["X-Copy-Number"] == "2"
    assert counted(session) == 2


def test_over_rest_a_batch_is_a_task(rest, session, work_off, make_slip):
    call, slips = rest("phone_supervisor"), [make_slip() for _ in range(2)]
    path, body = "appointment_slip/batch-print/appointment_slip", {"ids": [slip.id for slip in slips]}
    asked = [call("POST", path, body, Idempotency_Key="k1") for _ in range(2)]
    assert [answer.status_code for answer in asked] == [202, 202]
    assert asked[0].json["task_id"] == asked[1].json["task_id"]
    work_off()
    task = call("GET", f"background_task/{asked[0].json['task_id']}").json["result"]
    assert task["state"] == "done"
    assert task["result_file_id"]
    assert counted(session) == 2


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, 422),
        ({"ids": []}, 422),
        ({"ids": "1"}, 422),
        ({"ids": [True]}, 422),
        ({"ids": [0]}, 422),
        ({"ids": [2**70]}, 422),
        ({"ids": [1], "more": 1}, 422),
        ({"ids": list(range(1, 502))}, 422),
        ([1], 400),
    ],
)
def test_a_selection_that_is_none_is_refused(rest, session, body, code):
    assert rest("phone_supervisor")("POST", "appointment_slip/batch-print/appointment_slip", body).status_code == code
    assert session.scalar(select(func.count(BackgroundTask.id))) == 0
