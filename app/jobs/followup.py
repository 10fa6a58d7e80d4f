"""Follow-ups overdue by a day reach the supervisor; covers end by themselves. R-2.22-5."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from app.jobs.declared import Slot, every
from app.services.followup.overdue import end_covers, escalate
from app.words import _l


@every("followup.escalate", timedelta(minutes=30), catch_up=timedelta(hours=1), label=_l("Overdue follow-ups are told"))
def tell_of_overdue(session: Session, _slot: Slot, at: datetime) -> str:
    """Tell the supervisors of calls that are overdue by a day, each once."""
    return str(escalate(session, at=at))


@every("followup.covers", timedelta(minutes=30), catch_up=timedelta(hours=1), label=_l("Covers end"))
def end_over(session: Session, _slot: Slot, at: datetime) -> str:
    """End the covers whose last day has passed."""
    return str(end_covers(session, at=at))
