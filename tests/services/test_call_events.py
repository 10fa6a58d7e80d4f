"""Events of calls: each once, in any order, by whoever may post them and nobody else. 2.1.1.1, R-2.1.1-1 to -3."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from app.errors import InvalidInput
from app.jobs.declared import JOBS
from app.models.appointments import ContactRecord
from app.models.followup import FollowupPlan
from app.models.telephone import CallEvent, CallState, Direction, EventKind, PhoneCall, RecordingState
from app.services.telephone import read_events, take_events
from app.services.telephone.folding import Told, fold

BEGAN = datetime.fromisoformat("2026-11-22T10:00:00+08:00")
WHOLE = {
    EventKind.RINGING: Told(EventKind.RINGING, "c", BEGAN, Direction.IN, "13800000001", "8001"),
    EventKind.ANSWERED: Told(EventKind.ANSWERED, "c", BEGAN + timedelta(seconds=4), extension="8002"),
    EventKind.MISSED: Told(EventKind.MISSED, "c", BEGAN + timedelta(seconds=20), extension="8001"),
    EventKind.ENDED: Told(EventKind.ENDED, "c", BEGAN + timedelta(seconds=90)),
    EventKind.RECORDING: Told(EventKind.RECORDING, "c", BEGAN + timedelta(seconds=95), recording_url="https://r/1"),
}


@pytest.mark.parametrize(
    ("kinds", "state", "rings", "in_time"),
    [
        ("ringing", CallState.RINGING, None, None),
        ("ringing answered", CallState.TALKING, 1, True),
        ("ringing answered ended", CallState.ENDED, 1, True),
        ("ringing missed", CallState.MISSED, 5, None),
        ("ringing missed ended", CallState.MISSED, 5, None),
        ("ringing ended", CallState.MISSED, 19, None),
        ("ringing missed answered ended", CallState.ENDED, 1, True),
        ("ended", CallState.MISSED, None, None),
        ("answered", CallState.TALKING, None, None),
        ("recording", CallState.RINGING, None, None),
    ],
)
def test_what_events_say_together(kinds, state, rings, in_time):
    facts = fold([WHOLE[EventKind(kind)] for kind in kinds.split()], ring_seconds=5)
    assert (facts.state, facts.ring_count, facts.is_in_time) == (state, rings, in_time)


@pytest.mark.parametrize(("seconds", "rings"), [(-3, 1), (0, 1), (4.9, 1), (5, 2), (9.9, 2), (3600, 99)])
def test_rings_are_counted_by_the_clock(seconds, rings):
    told = [WHOLE[EventKind.RINGING], Told(EventKind.ANSWERED, "c", BEGAN + timedelta(seconds=seconds))]
    facts = fold(told, ring_seconds=5)
    assert (facts.ring_count, facts.is_in_time) == (rings, rings == 1)


def test_what_the_system_counts_goes_before_the_clock():
    answered = Told(EventKind.ANSWERED, "c", BEGAN + timedelta(seconds=30), rings=1)
    assert fold([WHOLE[EventKind.RINGING], answered], ring_seconds=5).is_in_time is True


@settings(max_examples=60, deadline=None)
@given(st.permutations(list(WHOLE.values())), st.integers(1, 5))
def test_the_order_of_arrival_changes_nothing(order, most):
    chosen = order[:most]
    whole = fold(sorted(chosen, key=lambda event: event.kind), ring_seconds=5)
    assert fold(chosen, ring_seconds=5) == whole


# --- taken in ----------------------------------------------------------------------------------------------------


@pytest.fixture
def post(session, person, at):
    by = person("telephone")

    def go(*events, when=None):
        return take_events(session, read_events({"events": list(events)}, at=when or at), by=by, at=when or at)

    return go


@pytest.fixture
def call_of(session):
    return lambda call_id: session.scalars(select(PhoneCall).where(PhoneCall.call_id == call_id)).one()


def told(kind, call_id, when, **more):
    return {"kind": kind, "call_id": call_id, "at": when.isoformat(), **more}


def day(call_id, at, number="13811112222"):
    return [
        told("ringing", call_id, at, number=number, extension="8001"),
        told("answered", call_id, at + timedelta(seconds=3), extension="8001"),
        told("ended", call_id, at + timedelta(seconds=60)),
        told("recording", call_id, at + timedelta(seconds=61), recording_url="https://rec.example.com/1.wav"),
    ]


def test_every_order_leaves_the_same_row(post, call_of, session, at, employee):
    rows = set()
    start = at - timedelta(minutes=5)
    for number, order in enumerate(itertools.permutations(range(4))):
        events = day(f"c{number}", start)
        for place in order:
            post(events[place])
        call = call_of(f"c{number}")
        rows.add(
            (
                call.state,
                call.number,
                call.employee_id,
                call.began_at,
                call.answered_at,
                call.ended_at,
                call.ring_count,
                call.is_in_time,
                call.recording_url,
                call.recording_state,
            )
        )
    assert len(rows) == 1
    (row,) = rows
    assert row[:3] == (CallState.ENDED, "13811112222", employee("phone_consultant").id)
    assert row[6:] == (1, True, "https://rec.example.com/1.wav", RecordingState.WAITING)


def test_an_event_counts_once(post, session, at):
    events = day("once", at - timedelta(minutes=2))
    first, second = post(*events), post(*events)
    assert [each.is_new for each in first] == [True] * 4
    assert [each.is_new for each in second] == [False] * 4
    assert session.scalar(select(func.count()).where(CallEvent.call_id == "once")) == 4
    named = told("ringing", "named", at, event_id="e-1")
    assert post(named)[0].is_new
    assert not post({**named, "call_id": "another"})[0].is_new, "the identifier of the event is known"


def test_whose_call_it_is(post, call_of, make_customer, person, employee, at, session):
    mine = make_customer(person("phone_consultant"), phone="13811110001")
    make_customer(person("phone_consultant_2"), phone="13811110002")
    post(
        told("ringing", "mine", at, number="13811110001", extension="8001"),
        told("ringing", "hers", at, number="+86 138-1111-0002", extension="8001"),
        told("ringing", "hidden", at, number="anonymous", extension="8001"),
        told("ringing", "nobody", at, number="95588", extension="9999"),
    )
    assert call_of("mine").customer_id == mine.id
    assert call_of("hers").customer_id is None, "a colleague's customer is not told with the call"
    assert call_of("hidden").number is None
    desk = call_of("nobody")
    assert (desk.employee_id, desk.department_id) == (None, employee("phone_consultant").department_id)
    assert (desk.number, desk.number_masked) == ("95588", "95***8")


def test_a_missed_call_is_registered_and_its_return_planned_once(post, call_of, session, at):
    job = JOBS["telephone.missed"]
    post(told("ringing", "m", at, number="13811113333", extension="8001"), told("missed", "m", at))
    later = at + timedelta(seconds=90)
    assert job.work(session, job.slots(session, at)[-1], at) == "0", "late events are waited for"
    assert job.work(session, job.slots(session, later)[-1], later) == "1"
    assert job.work(session, job.slots(session, later)[-1], later) == "0"
    call = call_of("m")
    record = session.get_one(ContactRecord, call.contact_record_id)
    assert (record.call_id, record.missed_at, record.consultant_id) == ("m", at, call.employee_id)
    plans = session.scalars(select(FollowupPlan).where(FollowupPlan.contact_record_id == record.id)).all()
    assert len(plans) == 1


def test_a_person_registers_a_call(post, call_of, session, at, do, item, consultant):
    start = at - timedelta(minutes=5)
    post(*day("r", start)[:2])
    category = item("business_category", "price_enquiry").id
    said = {"customer_id": None, "business_category_id": category, "content": "问价格", "outcome": None}
    record = do("phone_call.register", consultant, call_of("r"), **said).result
    assert (record.call_id, record.ring_count, record.answered_at) == ("r", 1, start + timedelta(seconds=3))
    assert (record.caller_no, record.consultant_id) == ("13811112222", consultant.employee_id)


def test_a_temporary_file_takes_the_number_of_the_call(post, call_of, at, do, consultant):
    post(told("ringing", "new", at, number="13811114444", extension="8001"))
    call = call_of("new")
    made = do("customer.register_temporary", consultant, inputs={"name": "白露", "phone_call_id": str(call.id)}).record
    assert [contact.value for contact in made.contacts] == ["13811114444"]
    assert call.customer_id == made.id


HOSTILE = [
    {"call_id": "", "kind": "ringing"},
    {"call_id": "x" * 81, "kind": "ringing"},
    {"call_id": "a b", "kind": "ringing"},
    {"call_id": "a\x00", "kind": "ringing"},
    {"call_id": 7, "kind": "ringing"},
    {"call_id": "a", "kind": "exploded"},
    {"call_id": "a", "kind": ["ringing"]},
    {"call_id": "a", "kind": "ringing", "at": "2026-11-22T10:00:00"},
    {"call_id": "a", "kind": "ringing", "at": "9999-12-31T23:59:59+00:00"},
    {"call_id": "a", "kind": "ringing", "at": "1970-01-01T00:00:00+00:00"},
    {"call_id": "a", "kind": "ringing", "at": 1e308},
    {"call_id": "a", "kind": "ringing", "number": "<script>"},
    {"call_id": "a", "kind": "ringing", "number": "1" * 41},
    {"call_id": "a", "kind": "ringing", "extension": "80 01'"},
    {"call_id": "a", "kind": "ringing", "rings": -1},
    {"call_id": "a", "kind": "ringing", "rings": True},
    {"call_id": "a", "kind": "ringing", "rings": 10**30},
    {"call_id": "a", "kind": "recording"},
    {"call_id": "a", "kind": "recording", "recording_url": "file:///etc/passwd"},
    {"call_id": "a", "kind": "recording", "recording_url": "https://[::1"},
    {"call_id": "a", "kind": "ringing", "key": "../../x"},
    {"call_id": "a", "kind": "ringing", "colour": "red"},
    {"events": []},
    {"events": "ringing"},
    {"events": [{"call_id": "a", "kind": "ringing"}, 5]},
    {"events": [{"call_id": "a", "kind": "ringing"}], "kind": "ringing"},
    {},
]


@pytest.mark.parametrize("body", HOSTILE)
def test_hostile_bodies_are_refused_with_a_sentence(body, at):
    with pytest.raises(InvalidInput) as said:
        read_events(body, at=at)
    assert said.value.errors
