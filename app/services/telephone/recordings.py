"""Recordings of calls: handed in by hand, listened to by who may, kept as long as they must be. R-2.22-3, R-2.22-7."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.actors import Actor
from app.acts import act
from app.fields import HouseForm, Upload
from app.models.audit import SensitiveViewLog, Way
from app.models.files import StoredFile
from app.models.telephone import PhoneCall, RecordingState
from app.services.files import CONTENT_RIGHTS, attach
from app.services.guard import crossing
from app.services.looks import NOT_IN_SCOPE, log_look
from app.services.settings import value_of
from app.services.telephone.house import RECORDING_MONTHS
from app.services.trail import event_kind, note
from app.words import _, _l

LISTENED = event_kind("listened", _l("Listened to a recording"), with_record=True)
#: A player asks for a recording in pieces: those of one person within this time are one listening.
ONE_LISTENING = timedelta(minutes=30)
FIELD = "recording"

CONTENT_RIGHTS["phone_call"] = lambda _session, _call, by: by.may("phone_call", "can_listen")


class NewRecording(HouseForm):
    """The recording of a call, as a file."""

    file = Upload(_l("Recording"), purpose="recording", required=True)


def _has_recording(call: PhoneCall, by: Actor) -> object | None:
    return _("This call has its recording already.") if call.recording_state is RecordingState.STORED else None


@act(PhoneCall, "add_recording", _l("Add the recording"), form=NewRecording, guard=_has_recording, icon="mic")
def add_recording(session: Session, call: PhoneCall, *, file: int, by: Actor, at: datetime) -> None:
    """Give a call its recording by hand: WAV, MP3, OGG or M4A, whatever the file's name says."""
    kept = attach(session, file, "phone_call", call.id, field="file", by=by)
    kept.expires_at = kept_until(session, call, at)
    call.recording_file_id, call.recording_state, call.recording_said = kept.id, RecordingState.STORED, None


def kept_until(session: Session, call: PhoneCall, at: datetime) -> datetime:
    """Return until when a call's recording is kept at least, by the setting of this moment."""
    months: int = value_of(session, RECORDING_MONTHS, branch_id=call.branch_id, at=at)
    return call.began_at + timedelta(days=31 * months)


def log_listening(session: Session, call: PhoneCall, *, by: Actor, at: datetime, is_start: bool) -> None:
    """Write down that somebody listens: each time from the beginning, and once for what she asks for in pieces."""
    if not is_start and _listens_already(session, call, by, at):
        return
    log_look(session, Way.LISTEN, "phone_call", call.id, FIELD, "", by, at=at)
    note(session, LISTENED, call)


def _listens_already(session: Session, call: PhoneCall, by: Actor, at: datetime) -> bool:
    with crossing("telephone"):
        found = session.scalar(
            select(SensitiveViewLog.id)
            .where(
                SensitiveViewLog.actor == by.name,
                SensitiveViewLog.way == Way.LISTEN,
                SensitiveViewLog.denied.is_(None),
                SensitiveViewLog.table_name == "phone_call",
                SensitiveViewLog.record_id == call.id,
                SensitiveViewLog.at > at - ONE_LISTENING,
            )
            .limit(1)
        )
    return found is not None


def log_not_heard(session: Session, call_id: int, *, by: Actor, at: datetime) -> None:
    """Write down that somebody asked for a recording that is not for her."""
    if session.get(PhoneCall, call_id) is not None:
        log_look(session, Way.LISTEN, "phone_call", call_id, FIELD, "", by, at=at, denied=NOT_IN_SCOPE)


def drop_old(session: Session, branch_id: int, *, at: datetime) -> int:
    """Remove the recordings of a branch whose time is over; the calls stay. Returns how many. R-2.22-7.

    The setting of today counts, so that a longer time saves what is still there; the time told with the file is the
    least that was promised, and is kept too.
    """
    months: int = value_of(session, RECORDING_MONTHS, branch_id=branch_id, at=at)
    old = session.scalars(
        select(PhoneCall)
        .join(StoredFile, StoredFile.id == PhoneCall.recording_file_id)
        .where(
            PhoneCall.branch_id == branch_id,
            PhoneCall.recording_state == RecordingState.STORED,
            PhoneCall.began_at < at - timedelta(days=31 * months),
            StoredFile.expires_at < at,
        )
        .order_by(PhoneCall.id)
        .with_for_update(of=PhoneCall)
    ).all()
    for call in old:
        assert call.recording_file is not None
        call.recording_file.dropped_at = at
        call.recording_state, call.recording_url = RecordingState.DROPPED, None
    return len(old)
