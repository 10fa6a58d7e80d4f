"""What a rule's message is about, and whether it still is: an appointment may be kept, moved or voided. REF-8."""

from __future__ import annotations

import re

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.models.appointments import AppointmentSlip, SlipState
from app.models.followup import FollowupRule
from app.models.messages import Message
from app.services.followup.triggers import SLIP_DUE
from app.words import _

OF_SLIP = re.compile(r"appointment_slip:(\d+)")


def fallen_away(session: Session, message: Message) -> str | None:
    """Return why a rule's message is about nothing any more: its appointment was kept, moved or voided. REF-8."""
    if message.rule is None or not message.rule.startswith("rule:"):
        return None
    rule = session.get(FollowupRule, int(message.rule.removeprefix("rule:")))
    found = OF_SLIP.match(message.occasion or "")
    if rule is None or rule.trigger != SLIP_DUE or found is None:
        return None
    slip = session.get(AppointmentSlip, int(found[1]))
    while slip is not None and slip.state is SlipState.REPLACED:  # in other hands it may be the same appointment still
        told_for = slip.appointed_at
        slip = session.scalars(select(AppointmentSlip).where(AppointmentSlip.supersedes_id == slip.id)).one_or_none()
        if slip is not None and slip.appointed_at != told_for:
            slip = None
    if slip is None or slip.state is not SlipState.PENDING:
        return _("What it is about has changed.")
    return None
