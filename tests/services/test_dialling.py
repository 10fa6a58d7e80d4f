"""Click to dial, and recordings: what is sent, what is refused, what is kept. 2.1.4, R-2.1.1-4, R-2.22-3, R-2.22-7."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select, update
from werkzeug.datastructures import MultiDict

from app.acts import REGISTRY
from app.errors import InvalidInput, NotPermitted, Refusal, Warned
from app.jobs.declared import JOBS
from app.models.audit import SensitiveViewLog, Way
from app.models.contacting import ContactWay, OptOutKind
from app.models.files import FilePurpose, StoredFile
from app.models.followup import (
    CallMethod,
    FollowupCategory,
    FollowupExecution,
    FollowupPlan,
    PlanOrigin,
    PlanState,
)
from app.models.tasks import TaskState
from app.models.telephone import CallState, Direction, PhoneCall, PhoneSystem, RecordingState, SystemState
from app.services import contacting
from app.services.contacting import day_bounds
from app.services.files import content_of, readable, take_in
from app.services.followup.triggers import ABNORMAL, MISSED_CALL
from app.services.placeholders import wrong_in
from app.services.plain import save
from app.services.runner import run
from app.services.telephone import fetching, read_events, take_events
from app.services.telephone.template import REQUEST
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
    ("text", "wrong"),
    [
        ("{{ number }}", []),
        ("a={{ number }}&b={{extension}}&c={{ call_key }}", []),
        ("one\n{{ numbre }}", [(2, "numbre")]),
        ("one\n\n{{ number", [(3, "{{ number")]),
        ("{{ number.__class__ }}", [(1, "{{ number.__class__ }}")]),
        ("{{ 'a' * 999999999 }}", [(1, "{{ 'a' * 999999999 }}")]),
        ("{{ config }}", [(1, "config")]),
        ('{"a": {"b": "{% for x in y %}"}}', []),  # braces of its own are text, sent as they stand
    ],
)
def test_only_declared_placeholders(text, wrong):
    found = wrong_in(REQUEST, text)
    assert [(each.line, each.name) for each in found] == wrong
    offered = "{{ number }}, {{ extension }}, {{ call_key }}"
    assert all(offered in each.sentence for each in found if each.name in ("numbre", "config")), (
        "as one would type them"
    )


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


# --- whom one may call now ---------------------------------------------------------------------------------------

NOON = datetime(2026, 11, 24, 12, tzinfo=ZoneInfo("Asia/Shanghai"))
NIGHT = NOON.replace(hour=22)


@pytest.fixture
def dialled(session, consultant, system):
    """Dial as a person does, at an hour; tells "dialled", "warned" and dialled after reading, or "refused"."""

    def go(called, record, at):
        act, inputs = REGISTRY.find(called, "dial"), MultiDict({})
        try:
            run(session, act, by=consultant, at=at, record_id=record.id, inputs=inputs)
        except Warned as said:
            run(session, act, by=consultant, at=at, record_id=record.id, inputs=inputs, warned=said.token)
            return "warned"
        except Refusal:
            return "refused"
        return "dialled"

    return go


@pytest.fixture
def plan_of(session, consultant, supervisor, employee):
    """An approved plan of the consultant's for a customer."""
    her = employee("phone_consultant")

    def make(customer, category, **values):
        kind = session.scalars(select(FollowupCategory).where(FollowupCategory.code == category)).one()
        plan = FollowupPlan(
            plan_no=f"T-{customer.id}-{category}", origin=PlanOrigin.MANUAL, state=PlanState.APPROVED,
            branch_id=consultant.branch_id, customer_id=customer.id, category_id=kind.id, purpose="问候",
            planned_at=NOON, executor_id=her.id, department_id=her.department_id, submitter_id=her.id,
            approver_id=supervisor.employee_id, submitted_at=NOON, approved_at=NOON, **values,
        )  # fmt: skip
        session.add(plan)
        session.commit()
        return plan

    return make


PROMISED = {"is_promised": True}
MISSED = {"trigger": MISSED_CALL}
UNWELL = {"trigger": ABNORMAL}
NO_CALLS, NO_OFFERS = OptOutKind.ALL, OptOutKind.MARKETING


@pytest.mark.usefixtures("nights")
@pytest.mark.parametrize(
    ("category", "plan", "opted", "at", "answer"),
    [
        ("satisfaction", {}, None, NOON, "dialled"),
        ("satisfaction", {}, None, NIGHT, "refused"),
        ("satisfaction", {}, NO_OFFERS, NOON, "dialled"),
        ("satisfaction", {}, NO_CALLS, NOON, "refused"),
        ("event", {}, None, NOON, "refused"),  # marketing without her consent
        ("event", PROMISED, None, NOON, "dialled"),  # she asked for it
        ("event", PROMISED, NO_OFFERS, NOON, "dialled"),
        ("satisfaction", PROMISED, None, NIGHT, "warned"),
        ("satisfaction", PROMISED, NO_CALLS, NIGHT, "refused"),
        ("missed_call", MISSED, None, NIGHT, "warned"),
        ("missed_call", MISSED, NO_CALLS, NOON, "refused"),
        ("abnormal", UNWELL, None, NIGHT, "warned"),
        ("abnormal", UNWELL, NO_OFFERS, NIGHT, "warned"),
    ],
)
def test_whom_a_plan_may_dial_now(
    make_customer, plan_of, dialled, do, consultant, pbx, category, plan, opted, at, answer
):
    """R-2.22-6: quiet hours, what she does not want, consent; what she asked for is no marketing."""
    customer = make_customer()
    made = plan_of(customer, category, **plan)
    if opted is not None:
        do(
            "customer.opt_out",
            consultant,
            customer,
            channel=ContactWay.PHONE,
            kind=opted,
            when=NOON - timedelta(days=1),
        )
    assert dialled("followup_plan", made, at) == answer
    assert len(pbx.asked) == (answer != "refused")


@pytest.mark.usefixtures("nights")
@pytest.mark.parametrize(
    ("before", "at", "answer"),
    [
        ("nothing", NOON, "dialled"),
        ("nothing", NIGHT, "refused"),
        ("she called today", NIGHT, "warned"),
        ("she called yesterday", NIGHT, "refused"),
        ("abnormal", NIGHT, "warned"),
        ("abnormal, done", NIGHT, "refused"),
    ],
)
def test_whom_one_may_dial_without_a_plan(
    session, make_customer, plan_of, dialled, do, consultant, person, pbx, before, at, answer
):
    customer = make_customer()
    contact, by = customer.contacts[0], person("telephone")
    if before.startswith("she called"):
        rang = NIGHT - timedelta(minutes=5, days=before.endswith("yesterday"))
        missed = {"call_id": "hers", "kind": "missed", "number": contact.value, "at": rang.isoformat()}
        take_events(session, read_events(missed, at=NIGHT), by=by, at=NIGHT)
    if before.startswith("abnormal"):
        plan = plan_of(customer, "abnormal", **UNWELL)
        if before.endswith("done"):
            plan.state, plan.cancel_reason = PlanState.CANCELLED, "已处理"
            session.commit()
    assert dialled("customer_contact", contact, at) == answer
    assert len(pbx.asked) == (answer != "refused")


@pytest.mark.usefixtures("nights")
def test_without_a_system_the_number_is_not_shown_for_a_call_at_night(do, consultant, contact):
    with pytest.raises(Refusal):
        do("customer_contact.dial", consultant, contact, when=NIGHT)
    assert do("customer_contact.dial", consultant, contact, when=NOON).shown is not None


#: What was done to a customer today, and how many calls that is; "p" a plan dialled, "e" written down without dialling,
#: "d" dialled without a plan, "pe" dialled and then written down, "f" a dialling that failed, "y" dialled yesterday.
@pytest.mark.parametrize(
    ("done", "count"),
    [
        ("", 0),
        ("e", 1),
        ("d", 1),
        ("p", 1),
        ("pe", 1),
        ("ppe", 2),
        ("de", 2),  # a dialling that no execution names is a call of its own
        ("pee", 2),
        ("pef", 1),
        ("fe", 1),
        ("f", 0),
        ("y", 0),
        ("ye", 1),
        ("dpe", 2),
        ("j", 1),
    ],
)
def test_each_call_counts_once_towards_the_day_s_limit(session, make_customer, plan_of, consultant, done, count):
    """Decision 0038: a call dialled and the execution that names it are one; what was written down alone is one."""
    customer, of_plan = make_customer(), None
    plan = plan_of(customer, "satisfaction")

    def call(state=CallState.ENDED, at=NOON):
        row = PhoneCall(
            branch_id=consultant.branch_id, call_id=f"c{len(session.scalars(select(PhoneCall.id)).all())}",
            direction=Direction.OUT, state=state, customer_id=customer.id, began_at=at, told_at=at, dialled_at=at,
        )  # fmt: skip
        session.add(row)
        session.flush()
        return row

    for what in done:
        if what == "e":
            session.add(FollowupExecution(
                plan_id=plan.id, executor_id=consultant.employee_id, executed_at=NOON, method=CallMethod.PHONE,
                reached=True, feedback="好", phone_call_id=of_plan.id if of_plan is not None else None,
            ))  # fmt: skip
            of_plan = None
        elif what == "j":
            call(CallState.JOINED)
            call()
        else:
            made = call(CallState.FAILED if what == "f" else CallState.ENDED, NOON - timedelta(days=what == "y"))
            of_plan = made if what in "pf" else of_plan
    session.flush()
    assert contacting._count_calls(session, [customer.id], *day_bounds(NOON.date(), NOON.tzinfo)) == (
        {customer.id: count} if count else {}
    )


@pytest.mark.parametrize("asked_for", [False, True])
def test_over_the_day_s_limit_only_what_she_asked_for_is_dialled(
    session, make_customer, plan_of, dialled, asked_for, consultant
):
    customer = make_customer()
    plan = plan_of(customer, "satisfaction", is_promised=asked_for)
    for number in range(3):  # MOST_CALLS
        assert dialled("customer_contact", customer.contacts[0], NOON + timedelta(minutes=number)) == "dialled"
    assert dialled("followup_plan", plan, NOON + timedelta(hours=1)) == ("warned" if asked_for else "refused")


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
