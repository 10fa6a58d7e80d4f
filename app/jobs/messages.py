"""Messages that are due are handed to the workers. White paper 1.3, R-2.22-6."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.actors import house
from app.jobs.declared import Slot, daily, every
from app.models.hr import Branch
from app.models.tasks import BackgroundTask, TaskState
from app.services.messages import SEND, settle_interrupted
from app.services.messages.rules import FESTIVAL_WISHES, festival_rules
from app.services.messages.sending import count_due
from app.services.settings import WISHES_AT
from app.services.tasks import enqueue
from app.words import _l

MINUTE = timedelta(minutes=1)


@every("messages.send", MINUTE, catch_up=MINUTE, label=_l("Messages to customers"))
def send(session: Session, slot: Slot, at: datetime) -> str:
    """Settle what was interrupted, and ask the workers to send what is due, unless one is at it already."""
    settled, due = settle_interrupted(session, at), count_due(session, at)
    at_it = select(BackgroundTask.id).where(
        BackgroundTask.kind == SEND, BackgroundTask.state.in_([TaskState.QUEUED, TaskState.RUNNING])
    )
    if due and session.scalar(at_it.limit(1)) is None:
        enqueue(session, SEND, {}, by=house("job:messages.send"), at=at, key=slot.key, total=due)
    return f"{due} due, {settled} interrupted"


@daily("messages.festival", WISHES_AT, label=_l("Wishes at festivals"))
def wish(session: Session, slot: Slot, at: datetime) -> str:
    """Ask for the wishes of a branch's festival to be written, on days that are one and have a rule."""
    assert slot.branch_id is not None
    assert slot.day is not None
    branch = session.get_one(Branch, slot.branch_id)
    rules = festival_rules(session, branch.id, slot.day)
    if not rules:
        return "0"
    told = {"branch_id": branch.id, "day": slot.day.isoformat()}
    by = house("job:messages.festival", branch_id=branch.id, zone=branch.zone)
    return f"task {enqueue(session, FESTIVAL_WISHES, told, by=by, at=at, key=slot.key).id}"
