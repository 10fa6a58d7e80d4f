"""系统 → 任务: every job by its words, how it went, run now; the schedulers; who may."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from app.models.audit import JobHeartbeat, JobRun
from app.services.jobs import JOBS

READERS = ["it_manager", "admin", "auditor"]


@pytest.fixture
def now():
    return datetime.now(UTC)


def put(session, now, **values):
    run = JobRun(**{"job": "appointments.expire", "slot": now.isoformat(), "started_at": now, "host": "here"} | values)
    session.add(run)
    session.commit()
    return run


@pytest.mark.parametrize("username", READERS)
def test_who_reads_the_page_sees_every_job_by_its_words(login, username):
    page = login(username).get("/job/list/")
    assert page.status_code == 200
    for name in JOBS:
        assert f'<div class="sub">{name}</div>' in page.text
    assert page.text.count('class="card-y job"') == len(JOBS)


@pytest.mark.parametrize("username", ["branch_head", "phone_supervisor", "hr", "cashier"])
def test_who_may_not(login, rest, username):
    client = login(username)
    assert client.get("/job/list/").status_code == 403
    form = {"job": "appointments.expire", "csrf_token": client.token}
    assert client.post("/job/run_now", data=form).status_code == 403
    assert rest(username)("GET", "job/").status_code == 403
    assert rest(username)("POST", "job_run/run_now", {"job": "appointments.expire"}).status_code == 403


def test_the_auditor_reads_and_does_not_run(login):
    client = login("auditor")
    assert "/job/run_now" not in client.get("/job/list/").text
    form = {"job": "appointments.expire", "csrf_token": client.token}
    assert client.post("/job/run_now", data=form).status_code == 403


def test_a_stranger_is_sent_to_log_in(app, session):
    client = app.test_client()
    assert client.get("/job/list/").status_code == 302
    assert client.get("/api/v1/job/").status_code == 401


def test_the_page_tells_duration_result_error_and_failures(session, login, now):
    began = now - timedelta(minutes=2)
    put(session, began, ended_at=began + timedelta(seconds=1.5), summary="7 lapsed")
    page = login("it_manager").get("/job/list/").text
    assert "1.5" in page
    assert "7 lapsed" in page
    put(session, now, attempts=3, error="RuntimeError: <no paper>")
    page = login("it_manager").get("/job/list/").text
    assert "RuntimeError: &lt;no paper&gt;" in page


def test_run_now_from_the_page_asks_once_however_often_it_is_sent(session, login):
    client = login("it_manager")
    page = client.get("/job/list/").text
    form = re.search(r'value="appointments.expire"><input type="hidden" name="request_key" value="(\w+)"', page)
    assert form is not None
    sent = {"job": "appointments.expire", "request_key": form.group(1), "csrf_token": client.token}
    assert [client.post("/job/run_now", data=sent).status_code for _ in range(2)] == [302, 302]
    assert session.scalar(select(func.count()).select_from(JobRun).where(JobRun.requested_at.is_not(None))) == 1
    assert session.scalars(select(JobRun.attempts)).all() == [0]
    assert client.get("/job/list/").status_code == 200
    assert client.get("/job_run/list/").status_code == 200


@pytest.mark.parametrize("job", ["", "no.such.job", "x" * 200, "appointments.expire\x00"])
def test_a_job_that_is_not_there(login, rest, job):
    client = login("it_manager")
    assert client.post("/job/run_now", data={"job": job, "csrf_token": client.token}).status_code == 422
    assert rest("it_manager")("POST", "job_run/run_now", {"job": job}).status_code == 422


def test_run_now_needs_the_forms_token(session, login):
    assert login("it_manager").post("/job/run_now", data={"job": "appointments.expire"}).status_code in (302, 400)
    assert session.scalar(select(func.count()).select_from(JobRun)) == 0


def test_jobs_over_rest(session, rest, now):
    put(session, now, attempts=2, error="RuntimeError: no paper")
    session.add(JobHeartbeat(host="here", pid=7, beat_at=now - timedelta(hours=1)))
    session.commit()
    call = rest("it_manager")
    told = call("GET", "job/").json
    by_name = {each["name"]: each for each in told["result"]}
    assert set(by_name) == set(JOBS)
    assert by_name["appointments.expire"]["last"]["error"] == "RuntimeError: no paper"
    assert by_name["appointments.expire"]["failures"] == 2
    assert by_name["appointments.expire"]["next_at"] > now.isoformat()
    assert told["schedulers"] == [
        {"host": "here", "pid": 7, "is_silent": True} | {"beat_at": told["schedulers"][0]["beat_at"]}
    ]
    made = call("POST", "job_run/run_now", {"job": "reports.daily"}, Idempotency_Key="k1")
    assert made.status_code == 201
    again = call("POST", "job_run/run_now", {"job": "reports.daily"}, Idempotency_Key="k1")
    assert (again.status_code, again.json["replayed"]) == (201, True)
    assert call("POST", "job_run/run_now", {"job": "reports.daily"}).status_code == 409
    assert {each["name"]: each["state"] for each in call("GET", "job/").json["result"]}["reports.daily"] == "asked"


def test_schedulers_run_or_are_silent(session, login, now):
    session.add(JobHeartbeat(host="lives-here", pid=7, beat_at=now))
    session.add(JobHeartbeat(host="fell-silent", pid=8, beat_at=now - timedelta(hours=1)))
    session.commit()
    page = login("auditor").get("/job/list/").text
    rows = dict(re.findall(r"<td class=\"first\">(lives-here|fell-silent)</td>.*?badge-s s-(\w+)", page, re.DOTALL))
    assert rows == {"lives-here": "ok", "fell-silent": "bad"}


def test_job_runs_are_told_by_their_words_and_filtered_by_job(session, login, now):
    put(session, now, ended_at=now, summary="7 lapsed")
    put(session, now, job="gone.away", slot="x", ended_at=now, summary="old")
    client = login("it_manager")
    page = client.get("/job_run/list/").text
    assert str(JOBS["appointments.expire"].label) in page
    assert "gone.away" in page
    narrowed = client.get("/job_run/list/?job=appointments.expire").text
    assert "7 lapsed" in narrowed
    assert "gone.away" not in narrowed
