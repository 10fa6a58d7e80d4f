"""Turns pass on by themselves."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.jobs.declared import Slot, every
from app.models.triage import AssignmentState, RotationLine, TriageAssignment
from app.services.due import carry_out_due
from app.words import _l


@every(
    "triage.pass_on",
    timedelta(seconds=5),
    catch_up=timedelta(seconds=5),
    label=_l("Turns pass on at their limit"),
    quiet=True,
)
def pass_on(session: Session, _slot: Slot, at: datetime) -> str:
    """Skip every call that nobody answered in time; R-S2-10. Its time is the limit, whenever this job comes by."""
    due = (
        select(TriageAssignment.id)
        .where(
            TriageAssignment.line_id == RotationLine.id,
            TriageAssignment.state == AssignmentState.CALLING,
            TriageAssignment.answer_by_at <= at,
        )
        .exists()
    )
    done = carry_out_due(session, "rotation_line.pass_on", due, job="triage.pass_on", at=at)
    return str(done) if done else ""
