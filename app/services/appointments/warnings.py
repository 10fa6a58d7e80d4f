"""What speaks against an appointment without forbidding it: hours, closed days, overlaps. White paper 2.1.2 [J]."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.actors import Actor
from app.models.appointments import AppointmentSlip, SlipState
from app.models.hr import Branch, Employee
from app.services.calendar import hours_warnings
from app.services.scope import find
from app.services.settings import OVERLAP_MINUTES, value_of
from app.services.warning import is_heard, warn
from app.words import _

WISHES = ("preferred_doctor_id", "preferred_consultant_id")
#: More overlaps of one person than this tell nothing new.
MOST_TOLD = 3


def warn_of_slip(session: Session, said: Mapping[str, Any], branch: Branch, *, by: Actor, at: datetime) -> None:
    """Warn of an appointment outside the branch's hours, and of others close to it with the person wished for.

    Another customer's slip is named only to who may see it.
    """
    if not is_heard(session):
        return
    warn(session, *hours_warnings(session, branch, said["appointed_at"], at))
    minutes = value_of(session, OVERLAP_MINUTES, branch_id=branch.id, at=at)
    people = dict.fromkeys((wish, said[wish]) for wish in WISHES if said.get(wish) is not None)
    for wish, person_id in people if minutes else ():
        warn(
            session, *_overlaps(session, said["appointed_at"], branch, wish, person_id, timedelta(minutes=minutes), by)
        )


def _overlaps(
    session: Session, start: datetime, branch: Branch, wish: str, person_id: int, apart: timedelta, by: Actor
) -> list[str]:
    """Return a sentence for each awaited slip that wishes for the same person too close to the same time."""
    slip = AppointmentSlip
    found = session.execute(
        select(slip.id, slip.slip_no, slip.appointed_at)
        .where(slip.branch_id == branch.id, slip.state == SlipState.PENDING, getattr(slip, wish) == person_id)
        .where(slip.appointed_at > start - apart, slip.appointed_at < start + apart)
        .order_by(slip.appointed_at, slip.id)
        .limit(MOST_TOLD)
    ).all()
    person = session.get_one(Employee, person_id).name
    told = []
    for other in found:
        when = other.appointed_at.astimezone(by.timezone).strftime("%Y-%m-%d %H:%M")
        seen = find(session, "appointment_slip", other.id, by) is not None
        whose = _("slip %(slip)s", slip=other.slip_no) if seen else _("another customer")
        told.append(
            _("%(person)s is wished for at %(when)s already: %(whose)s.", person=person, when=when, whose=whose)
        )
    return told
