"""Messages that are due are handed to the workers. White paper 1.3, R-2.22-6."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.actors import house
from app.jobs.declared import Slot, every
from app.models.tasks import BackgroundTask, TaskState
from app.services.messages import SEND, settle_interrupted
from app.services.messages.sending import count_due
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
