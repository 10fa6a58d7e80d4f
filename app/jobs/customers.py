"""Birthdays and anniversaries get their calls. White paper 1.3, R-1.2-2."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from app.jobs.declared import Slot, daily
from app.models.hr import Branch
from app.services.customers.anniversaries import plan_all
from app.services.settings import WISHES_AHEAD_DAYS, WISHES_AT, WISHES_BACK_DAYS, value_of
from app.words import _l


@daily("customers.wishes", WISHES_AT, days_back=WISHES_BACK_DAYS, label=_l("Birthday and anniversary calls"))
def plan_wishes(session: Session, slot: Slot, at: datetime) -> str:
    """Plan the birthday and anniversary calls of one branch, for the day and the days ahead."""
    assert slot.branch_id is not None
    assert slot.day is not None
    branch = session.get_one(Branch, slot.branch_id)
    days = value_of(session, WISHES_AHEAD_DAYS, branch_id=branch.id, at=at)
    return str(plan_all(session, branch, first=slot.day, days=days, at=at))
