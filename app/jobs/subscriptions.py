"""Subscribed reports, each on its days. What nobody was there to make yesterday is made up for."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from app.jobs.declared import Slot, every
from app.reports.delivering import deliver_due
from app.words import _l


@every("reports.subscriptions", timedelta(minutes=5), catch_up=timedelta(minutes=5), label=_l("Subscribed reports"))
def deliver_subscriptions(session: Session, _slot: Slot, at: datetime) -> str:
    """Ask for the subscribed reports that are due."""
    asked, stopped = deliver_due(session, now=at)
    return f"{asked} asked for, {stopped} stopped"
