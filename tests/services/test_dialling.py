"""Click to dial, and recordings: what is sent, what is refused, what is kept. 2.1.4, R-2.1.1-4, R-2.22-3, R-2.22-7."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from app.errors import InvalidInput, NotPermitted, Refusal
from app.jobs.declared import JOBS
from app.models.audit import SensitiveViewLog, Way
from app.models.files import FilePurpose, StoredFile
from app.models.followup import CallMethod, FollowupExecution, FollowupPlan
from app.models.tasks import TaskState
from app.models.telephone import CallState, PhoneCall, PhoneSystem, RecordingState, SystemState
from app.services.files import content_of, readable, take_in
from app.services.plain import save
from app.services.telephone import fetching, read_events, take_events
from app.services.telephone.template import wrong_in
from tests.telephone_system import telephone_system, tone


@pytest.fixture
def pbx():
    with telephone_system() as listening:
        yield listening


@pytest.fixture
def system(session, pbx, consultant):
    """The telephone system of the branch, as the IT manager would connect it."""
    row = session.scalars(select(PhoneSystem).where(PhoneSystem.branch_id == consultant.branch_id)).one()
    row.address = f"{pbx.address}/dial?to={{{{ number }}}}&from={{{{ extension }}}}"
    row.body = '{"key": "{{ call_key }}"}'
    row.headers = "Authorization: Bearer secret\nX-House: 01"
    row.timeout_seconds = 1
    row.recording_hosts, row.is_plain_allowed, row.is_private_allowed = f"127.0.0.1:{pbx.port}", True, True
    session.flush()
    return row


@pytest.fixture
def contact(make_customer):
    return make_customer().contacts[0]


def looks(session, way):
    return session.scalars(select(SensitiveViewLog).where(SensitiveViewLog.way == way)).all()


def test_a_number_is_dialled_once_and_the_call_comes_back_as_it(
    do, consultant, contact, system, pbx, session, at, person
):
    done = do("customer_contact.dial", consultant, contact, request_key="k1")
    again = do("customer_contact.dial", consultant, contact, request_key="k1")
    assert again.replayed
    ((method, path, headers, body),) = pbx.asked
    assert (method, path) == ("POST", f"/dial?to={contact.value}&from=8001")
    assert headers["Authorization"] == "Bearer secret"
    assert headers["Content-Type"] == "application/json"
    call = done.result
    assert body == f'{{"key": "{call.dial_key}"}}'.encode()
    assert done.shown is None
    assert contact.value not in done.notice
    assert call.state is CallState.DIALLED
    assert [(look.table_name, look.record_id) for look in looks(session, Way.DIAL)] == [
        ("customer_contact", contact.id)
    ]
    with pytest.raises(Refusal):
        do("customer_contact.dial", consultant, contact)  # a second click is no second call
    assert len(pbx.asked) == 1
    began = {"call_id": "pbx-7", "direction": "out", "extension": "8001", "key": call.dial_key}
    events = [
        {**began, "kind": "ringing", "at": at.isoformat()},
        {"call_id": "pbx-7", "kind": "answered", "at": (at + timedelta(seconds=9)).isoformat()},
    ]
    take_events(session, read_events({"events": events}, at=at), by=person("telephone"), at=at)
    assert (call.call_id, call.state, call.customer_id) == ("pbx-7", CallState.TALKING, contact.customer_id)
    assert call.is_in_time is None, "that is asked of incoming calls"


def test_a_key_that_comes_late_ties_the_call_to_its_dialling(do, consultant, contact, system, session, at, person):
    dialled = do("customer_contact.dial", consultant, contact).result
    key, by = dialled.dial_key, person("telephone")
    take_events(session, read_events({"call_id": "late", "kind": "answered", "direction": "out"}, at=at), by=by, at=at)
    told = {"call_id": "late", "kind": "ringing", "direction": "out", "key": key}
    take_events(session, read_events(told, at=at), by=by, at=at)
    call = session.scalars(select(PhoneCall).where(PhoneCall.dial_key == key)).one()
    assert (call.call_id, call.customer_id, call.employee_id) == ("late", contact.customer_id, consultant.employee_id)
    assert dialled.state is CallState.JOINED


@pytest.mark.parametrize(
    ("status", "state"), [(500, CallState.FAILED), (302, CallState.FAILED), (None, CallState.DIALLED)]
)
def test_a_system_that_fails_is_said_and_asked_once(do, consultant, contact, system, pbx, status, state, session):
    pbx.status, pbx.headers = status, {"Location": "http://127.0.0.1:9/"}
    done = do("customer_contact.dial", consultant, contact)
    session.refresh(done.result)
    assert len(pbx.asked) == 1
    assert done.result.state is state
    assert done.notice == done.result.dial_said


def test_a_system_that_is_not_there(do, consultant, contact, system, session):
    system.address = "http://127.0.0.1:9/dial?to={{ number }}"
    session.flush()
    done = do("customer_contact.dial", consultant, contact)
    session.refresh(done.result)
    assert done.result.state is CallState.FAILED


def test_without_a_system_the_device_dials_if_one_may_see_the_number(do, consultant, contact, person, session):
    done = do("customer_contact.dial", consultant, contact)
    assert done.shown == f"tel:{contact.value}"
    assert looks(session, Way.REVEAL)
    with pytest.raises(NotPermitted):
        do("customer_contact.dial", person("guide"), contact)


def test_who_has_no_extension_is_told_so(do, person, contact, system, make_customer):
    other = make_customer(person("web_consultant")).contacts[0]
    do("customer_contact.dial", person("web_consultant"), other)
    with pytest.raises(Refusal):
        do("customer_contact.dial", person("department_head"), contact)


@pytest.mark.parametrize(
    ("text", "is_fine"),
    [
        ("{{ number }}", True),
        ("a={{ number }}&b={{extension}}&c={{ call_key }}", True),
        ("{{ numbre }}", False),
        ("{{ number", False),
        ("{% for x in y %}{% endfor %}", False),
        ("{{ number.__class__ }}", False),
        ("{{ 'a' * 999999999 }}", False),
        ("{{ config }}", False),
    ],
)
def test_only_declared_placeholders(text, is_fine):
    assert (wrong_in(text) is None) is is_fine


@pytest.mark.parametrize(
    "given",
    [
        {"address": "pbx.example.com/dial"},
        {"address": "ftp://pbx.example.com"},
        {"address": "https://{{ number }}/dial"},
        {"address": "https://user:pass@pbx.example.com"},
        {"address": "https://pbx.example.com/{{ nunber }}"},
        {"body": "one\n{{ two }}"},
        {"headers": "Authorization"},
        {"headers": "X-A: b\nBad Name: c"},
        {"timeout_seconds": 99},
        {"recording_hosts": "rec.example.com https://x"},
    ],
)
def test_a_system_that_would_not_work_is_refused_when_it_is_saved(session, person, at, given):
    by = person("it_manager")
    system = session.scalars(select(PhoneSystem).where(PhoneSystem.branch_id == by.branch_id)).one()
    with pytest.raises(InvalidInput) as said:
        save(session, PhoneSystem, given, by=by, at=at, record_id=system.id)
    assert set(said.value.errors) == set(given)
    if "body" in given:
        assert "2" in said.value.errors["body"][0], "the line is named"


def test_a_branch_has_one_system_in_use(session, do, person, at):
    by = person("it_manager")
    first = session.scalars(select(PhoneSystem).where(PhoneSystem.branch_id == by.branch_id)).one()
    with pytest.raises(Refusal), session.begin_nested():
        save(session, PhoneSystem, {"name": "second"}, by=by, at=at)
    do("phone_system.retire", by, first)
    assert first.state is SystemState.RETIRED
    save(session, PhoneSystem, {"name": "second"}, by=by, at=at)
    with pytest.raises(Refusal):
        do("phone_system.use_again", by, first)


# --- recordings --------------------------------------------------------------------------------------------------


@pytest.fixture
def call(session, person, at):
    """An answered call of the consultant with the address of a recording."""

    def make(url, call_id="rec"):
        start = at - timedelta(minutes=3)
        events = [
            {
                "call_id": call_id,
                "kind": "ringing",
                "at": start.isoformat(),
                "number": "13800001111",
                "extension": "8001",
            },
            {"call_id": call_id, "kind": "answered", "at": (start + timedelta(seconds=2)).isoformat()},
            {"call_id": call_id, "kind": "recording", "recording_url": url},
        ]
        take_events(session, read_events({"events": events}, at=at), by=person("telephone"), at=at)
        return session.scalars(select(PhoneCall).where(PhoneCall.call_id == call_id)).one()

    return make


def fetched(session, at, work_off):
    job = JOBS["telephone.recordings"]
    for _twice in range(2):
        job.work(session, job.slots(session, at)[-1], at)
    return [task for task in work_off() if task.kind == fetching.FETCH]


def test_a_recording_is_fetched_once_into_the_store(call, system, pbx, session, at, work_off):
    pbx.body = tone()
    made = call(f"{pbx.address}/1.wav")
    (task,) = fetched(session, at, work_off)
    assert task.state is TaskState.DONE
    assert len(pbx.asked) == 1
    file = session.get_one(StoredFile, made.recording_file_id)
    assert content_of(file) == tone()
    assert (made.recording_state, file.media_type) == (RecordingState.STORED, "audio/wav")
    assert (file.purpose, file.subject_id) == (FilePurpose.RECORDING, made.id)


def _redirect(pbx, _system):
    pbx.status, pbx.headers = 302, {"Location": "http://localhost:1/x.wav"}


def _loop(pbx, _system):
    pbx.status, pbx.headers = 302, {"Location": "/again.wav"}


def _too_large(pbx, _system):
    pbx.headers = {"Content-Length": str(2 * 1024**3)}


def _no_sound(pbx, _system):
    pbx.body = b"<html>log in</html>" * 20


def _gone(pbx, _system):
    pbx.status = 404


def _not_named(_pbx, system):
    system.recording_hosts = "rec.example.com"


def _private(_pbx, system):
    system.is_private_allowed = False


def _plain(_pbx, system):
    system.is_plain_allowed = False


@pytest.mark.parametrize("spoil", [_redirect, _loop, _too_large, _no_sound, _gone, _not_named, _private, _plain])
def test_what_is_not_fetched_is_said_on_the_call(call, system, pbx, session, at, work_off, spoil):
    pbx.body = tone()
    spoil(pbx, system)
    made = call(f"{pbx.address}/1.wav")
    fetched(session, at, work_off)
    assert made.recording_state is RecordingState.REFUSED
    assert made.recording_said
    assert made.recording_file_id is None


def test_the_metadata_of_a_cloud_is_never_asked(system, monkeypatch):
    system.recording_hosts = "inside.example.com"
    for address in ("169.254.169.254", "0.0.0.0", "::ffff:169.254.169.254", "224.0.0.1"):
        found = [(0, 0, 0, "", (address, 80))]
        monkeypatch.setattr(fetching.socket, "getaddrinfo", lambda *_a, found=found, **_k: found)
        with pytest.raises(fetching.NotFetched):
            fetching.judged("http://inside.example.com/1.wav", system)


def test_a_recording_is_handed_in_heard_and_dropped_when_its_time_is_over(
    call, do, supervisor, consultant, person, session, at, login
):
    made = call("https://rec.example.com/1.wav", "hand")
    with pytest.raises(InvalidInput):
        take_in(
            session, b"RIFFxxxxAVI LIST", "a.wav", purpose=FilePurpose.RECORDING, field="file", by=consultant, at=at
        )
    file = take_in(session, tone(), "a.mp3", purpose=FilePurpose.RECORDING, field="file", by=consultant, at=at)
    assert file.name == "a.mp3.wav"
    do("phone_call.add_recording", consultant, made, file=file.id)
    assert readable(session, file.id, supervisor) is not None
    assert readable(session, file.id, person("branch_head")) is None, "she sees the call and does not listen"

    browser = login("phone_supervisor")
    address = f"/phone_call/{made.id}/recording"
    assert "<audio" in browser.get(f"/phone_call/show/{made.id}").text
    whole = browser.get(address)
    assert (whole.status_code, whole.data) == (200, tone())
    part = browser.get(address, headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.data) == (206, tone()[10:20])
    assert part.headers["Content-Range"] == f"bytes 10-19/{len(tone())}"
    assert browser.get(address, headers={"Range": "bytes=-4"}).data == tone()[-4:]
    assert browser.get(address, headers={"Range": "bytes=99999-"}).status_code == 416
    assert len(looks(session, Way.LISTEN)) == 1, "what is asked in pieces is one listening"
    assert login("branch_head").get(address).status_code == 403
    assert login("b2_phone_supervisor").get(address).status_code == 404
    assert [look.denied for look in looks(session, Way.LISTEN)] == [None, "not_in_scope"]

    job = JOBS["telephone.drop_recordings"]
    slot = next(each for each in job.slots(session, at) if each.branch_id == made.branch_id)
    assert job.work(session, slot, at + timedelta(days=5 * 31)) == "0", "six months at least"
    session.execute(update(StoredFile).where(StoredFile.id == file.id).values(expires_at=at + timedelta(days=180)))
    assert job.work(session, slot, at + timedelta(days=190)) == "1"
    assert (made.recording_state, file.dropped_at is not None) == (RecordingState.DROPPED, True)
    assert browser.get(address).status_code == 404


def test_a_plan_dials_and_keeps_its_call(do, consultant, person, system, pbx, session, at, make_customer):
    customer = make_customer(consultant)
    take_events(
        session,
        read_events(
            {"call_id": "p", "kind": "missed", "number": customer.contacts[0].value, "extension": "8001"}, at=at
        ),
        by=person("telephone"),
        at=at,
    )
    later, job = at + timedelta(seconds=90), JOBS["telephone.missed"]
    assert job.work(session, job.slots(session, later)[-1], later) == "1"
    plan = session.scalars(select(FollowupPlan).where(FollowupPlan.customer_id == customer.id)).one()
    with pytest.raises(Refusal):
        do("followup_plan.dial", person("phone_supervisor"), plan)  # it is carried out by another
    call = do("followup_plan.dial", consultant, plan).result
    assert plan.phone_call_id == call.id
    said = {"method": CallMethod.PHONE, "reached": True, "feedback": "已约", "end_flag": True, "end_note": "不再联系"}
    do("followup_plan.execute", consultant, plan, **said)
    execution = session.scalars(select(FollowupExecution).where(FollowupExecution.plan_id == plan.id)).one()
    assert execution.phone_call_id == call.id

    # The telephone system names the key only now: the call is the same, and so is what was carried out by it.
    key = call.dial_key
    for told in ({"kind": "answered"}, {"kind": "ended", "key": key}):
        event = {"call_id": "after", "direction": "out", "at": later.isoformat(), **told}
        take_events(session, read_events(event, at=later), by=person("telephone"), at=later)
    joined = session.scalars(select(PhoneCall).where(PhoneCall.call_id == "after")).one()
    session.refresh(execution)
    assert joined.id != call.id
    assert (execution.phone_call_id, plan.phone_call_id) == (joined.id, joined.id)
