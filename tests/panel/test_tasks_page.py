"""The pages of background tasks and their REST: whose they are, how far, why they failed, where the result lies."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from app.errors import Refusal
from app.models.tasks import TaskState
from app.services.tasks import TASKS, enqueue, task
from app.unit import unit_of_work

KIND = "test.page"


@pytest.fixture
def asked(session, consultant, at):
    """A task of the consultant's; its work may be changed by the test."""
    works = [lambda run: run.result("名单.csv", "text/csv", b"a")]
    task(KIND, "Test work")(lambda run: works[-1](run))
    with unit_of_work(session):
        made = enqueue(session, KIND, {}, by=consultant, at=at, total=40, subject=("employee", consultant.employee_id))
    made.works = works
    yield made
    del TASKS[KIND]


def test_a_waiting_task_says_that_nobody_works(login, asked):
    page = login("phone_consultant").get(f"/background_task/show/{asked.id}").text
    assert f'data-progress="/background_task/{asked.id}/state"' in page
    assert "data-refresh" in page, "a way to look again without script"
    assert '<progress class="done-bar" max="40" value="0"' in page
    assert "note n-warn" in page


def test_with_a_worker_there_it_does_not(login, session, asked):
    session.execute(text("insert into procrastinate_workers default values"))
    assert "note n-warn" not in login("phone_consultant").get(f"/background_task/show/{asked.id}").text


def test_a_finished_task_leads_to_its_file_and_asks_no_more(login, session, work_off, asked):
    (done,) = work_off()
    client = login("phone_consultant")
    for address in (f"/background_task/show/{asked.id}", "/background_task/list/"):
        assert f'href="/stored_file/{done.result_file_id}/content"' in client.get(address).text
    page = client.get(f"/background_task/show/{asked.id}").text
    assert "data-progress" not in page
    notice = client.get("/notice/list/").text
    assert '<a href="/my_files/list/">名单.csv</a>' in notice, "the bell leads to the file"
    session.execute(text("update stored_file set dropped_at = now()"))
    session.expire_all()
    notice = client.get("/notice/list/").text
    assert f'href="/background_task/show/{asked.id}"' in notice, "to the work, once its file has gone"


def test_a_failed_task_says_why_and_can_be_tried_again(login, work_off, asked):
    def refuse(_run):
        raise Refusal("第 12 行：电话 <号码> 不正确。")

    asked.works.append(refuse)
    work_off()
    page = login("phone_consultant").get(f"/background_task/show/{asked.id}").text
    assert "第 12 行：电话 &lt;号码&gt; 不正确。" in page
    assert f"/background_task/{asked.id}/act/retry" in page


def test_how_far_it_is_is_told_as_json(login, session, asked):
    client = login("phone_consultant")
    session.execute(
        text("update background_task set state = 'running', done_count = 12, said = :said where id = :id"),
        {"said": '{"zh": "第 12 行", "en": "Row 12"}', "id": asked.id},
    )
    session.expire_all()
    told = client.get(f"/background_task/{asked.id}/state").json
    assert told | {"label": ""} == {
        "state": "running", "label": "", "done": 12, "total": 40, "count": "12 / 40", "said": "第 12 行",
        "ended": False,
    }  # fmt: skip


def test_rest_tells_it_too_and_runs_its_acts(rest, work_off, asked):
    call = rest("phone_consultant")
    told = call("GET", f"background_task/{asked.id}").json["result"]
    assert (told["state"], told["done_count"], told["total_count"], told["result_file_id"], told["acts"]) == (
        "queued", 0, 40, None, ["cancel"],
    )  # fmt: skip
    assert "parameters" not in told
    (done,) = work_off()
    told = call("GET", f"background_task/{asked.id}").json["result"]
    assert (told["state"], told["result_file_id"], told["acts"]) == ("done", done.result_file_id, [])
    assert call("POST", f"background_task/{asked.id}/cancel", {}).status_code == 409


def test_a_waiting_task_is_cancelled_over_rest(rest, session, asked):
    assert rest("phone_consultant")("POST", f"background_task/{asked.id}/cancel", {}).json["state"] == "cancelled"
    assert asked.state is TaskState.CANCELLED


@pytest.mark.parametrize(
    ("who", "code"),
    [("phone_consultant", 200), ("it_manager", 200), ("admin", 200), ("phone_consultant_2", 404), ("guide", 404),
     ("phone_supervisor", 404), ("b2_it_manager", 404)],
)  # fmt: skip
def test_it_is_shown_to_whom_it_belongs(login, asked, who, code):
    client = login(who)
    for address in (f"/background_task/show/{asked.id}", f"/background_task/{asked.id}/state"):
        assert client.get(address).status_code == code
    assert client.get("/background_task/list/").status_code == 200
    assert (f"/background_task/show/{asked.id}" in client.get("/background_task/list/").text) is (code == 200)


@pytest.mark.parametrize("address", ["/background_task/0/state", f"/background_task/{2**70}/state"])
def test_what_is_not_there_is_not_found(login, address):
    assert login("phone_consultant").get(address).status_code == 404
