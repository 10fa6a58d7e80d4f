"""The demo's calls: what the telephone system told of the last two days, some missed, some with a recording. 2.1.1.1.

They belong to the contacts that the story registered, so that no figure changes; two of today wait to be registered.
"""

from __future__ import annotations

import io
import math
import wave
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.actors import house
from app.demo.calendar import Calendar
from app.demo.organisation import EXTENSIONS, House
from app.demo.stage import Stage
from app.models.appointments import Channel, ContactRecord
from app.models.files import FilePurpose
from app.models.followup import CallMethod, FollowupExecution, FollowupPlan, PlanState
from app.models.telephone import Direction, EventKind, PhoneCall, RecordingState
from app.services.files import keep
from app.services.telephone.folding import Told
from app.services.telephone.planned import number_of
from app.services.telephone.recordings import kept_until
from app.services.telephone.taking import take_events

MOST_CALLS, RECORDED, DIALLED = 40, 4, 6
#: Minutes before now at which the calls of nobody yet began, and who took them.
WAITING = ((14, "8001"), (31, "8002"))
RATE = 8000


def play_calls(stage: Stage, place: House, calendar: Calendar) -> None:
    """Tell of the calls behind the telephone contacts of yesterday and today, and of two that nobody registered."""
    session = stage.session
    session.flush()
    told = select(PhoneCall.id).where(PhoneCall.branch_id == place.branch.id).limit(1)
    if session.scalar(told) is not None:
        return  # they are told in one piece, so a load that was broken off before has told them all or none
    since = calendar.exactly(-1, 0)
    extensions = {place.employee(login): extension for extension, login in EXTENSIONS.items()}
    records = session.scalars(
        select(ContactRecord)
        .where(ContactRecord.branch_id == place.branch.id, ContactRecord.channel == Channel.PHONE)
        .where(ContactRecord.contacted_at >= since, ContactRecord.consultant_id.in_(extensions))
        .order_by(ContactRecord.contacted_at.desc(), ContactRecord.id)
        .limit(MOST_CALLS)
    ).all()
    for record in records:
        assert record.consultant_id is not None
        call = _told(session, place, list(_events(record, extensions[record.consultant_id])))
        if call is not None:
            call.contact_record_id, call.customer_id = record.id, record.customer_id
    waiting = [_told(session, place, _unregistered(calendar.now, *each)) for each in WAITING]
    session.flush()
    answered = [call for call in waiting if call is not None]
    answered += session.scalars(
        select(PhoneCall)
        .where(PhoneCall.branch_id == place.branch.id, PhoneCall.answered_at.is_not(None))
        .order_by(PhoneCall.id)
        .limit(RECORDED)
    ).all()
    for count, call in enumerate(answered):
        _record(session, place, call, 2 + count)
    _play_reviewed(session, place, extensions)


def _play_reviewed(session: Session, place: House, extensions: Mapping[int, str]) -> None:
    """Dial and record the follow-ups that wait for their review, so that their supervisors hear them. R-2.22-3."""
    done = session.scalars(
        select(FollowupExecution)
        .join(FollowupExecution.plan)
        .where(FollowupPlan.branch_id == place.branch.id, FollowupPlan.state == PlanState.EXECUTED)
        .where(FollowupExecution.executor_id.in_(extensions), FollowupExecution.method == CallMethod.PHONE)
        .order_by(FollowupExecution.id.desc())
        .limit(DIALLED)
    ).all()
    for count, execution in enumerate(done):
        assert execution.executor_id is not None
        call = _told(session, place, list(_dialled(execution, extensions[execution.executor_id])))
        if call is not None:
            call.customer_id = execution.plan.customer_id
            execution.phone_call_id = execution.plan.phone_call_id = call.id
            _record(session, place, call, 4 + count)


def _told(session: Session, place: House, events: list[Told]) -> PhoneCall | None:
    """Take the events of a call in; its row, or None if it was told before."""
    taken = take_events(session, events, by=place.actors["telephone"], at=events[-1].happened_at)
    return session.get(PhoneCall, taken[0].call) if taken[0].is_new else None


def _events(record: ContactRecord, extension: str) -> Iterator[Told]:
    at, rings = record.contacted_at, record.ring_count or 1
    over = at + timedelta(seconds=rings * 5 - 2)
    call_id = f"demo-{record.record_no}"
    yield Told(EventKind.RINGING, call_id, at, Direction.IN, record.caller_no, extension)
    if record.missed_at is not None:
        yield Told(EventKind.MISSED, call_id, over, extension=extension, rings=rings)
        return
    yield Told(EventKind.ANSWERED, call_id, over, extension=extension, rings=rings)
    yield Told(EventKind.ENDED, call_id, over + timedelta(seconds=40 + record.id % 200))


def _dialled(execution: FollowupExecution, extension: str) -> Iterator[Told]:
    at, number = execution.executed_at - timedelta(minutes=4), number_of(execution.plan)
    call_id = f"demo-{execution.plan.plan_no}-{execution.id}"
    yield Told(EventKind.RINGING, call_id, at, Direction.OUT, number, extension)
    yield Told(EventKind.ANSWERED, call_id, at + timedelta(seconds=8), extension=extension, rings=2)
    yield Told(EventKind.ENDED, call_id, at + timedelta(seconds=150 + execution.id % 60))


def _unregistered(now: datetime, minutes: int, extension: str) -> list[Told]:
    call_id, at = f"demo-waiting-{extension}", now - timedelta(minutes=minutes)
    return [
        Told(EventKind.RINGING, call_id, at, Direction.IN, f"1330000{extension}", extension),
        Told(EventKind.ANSWERED, call_id, at + timedelta(seconds=3)),
        Told(EventKind.ENDED, call_id, at + timedelta(seconds=95)),
    ]


def _record(session: Session, place: House, call: PhoneCall, seconds: int) -> None:
    """Give a call a recording: a tone of some seconds, once."""
    if call.recording_file_id is not None:
        return
    file = keep(
        session,
        tone(seconds),
        f"{call.call_id}.wav",
        "audio/wav",
        purpose=FilePurpose.RECORDING,
        by=house("demo", branch_id=place.branch.id),
        at=call.began_at,
        subject=("phone_call", call.id),
        expires_at=kept_until(session, call, call.began_at),
    )
    call.recording_file_id, call.recording_state = file.id, RecordingState.STORED
    session.flush()


def tone(seconds: int) -> bytes:
    """Return a soft tone that swells and fades (WAV, 8 kHz, 8 bit): 8 KB a second."""
    out = io.BytesIO()
    with wave.open(out, "wb") as made:
        made.setnchannels(1)
        made.setsampwidth(1)
        made.setframerate(RATE)
        made.writeframes(
            bytes(
                128 + round(24 * math.sin(place / RATE * math.tau * 440) * math.sin(place / RATE * math.pi / seconds))
                for place in range(RATE * seconds)
            )
        )
    return out.getvalue()
