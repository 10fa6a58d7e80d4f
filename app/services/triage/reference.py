"""The rules of triage that every branch starts with: the SOP's. Decision 0041."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.models.hr import Branch
from app.models.triage import TriageRule
from app.services.triage.rules import DEFAULTS


def add_triage_rules(session: Session) -> int:
    """Add the rules that each branch lacks, as the SOP has them; return how many were added."""
    standing = {(branch_id, code) for branch_id, code in session.execute(select(TriageRule.branch_id, TriageRule.code))}
    absent = [
        TriageRule(
            branch_id=branch_id,
            code=rule.code,
            is_on=rule.is_on,
            position=rule.position,
            minutes=rule.minutes,
            day_ends_at=rule.day_ends_at,
        )
        for branch_id in session.scalars(select(Branch.id))
        for rule in DEFAULTS
        if (branch_id, rule.code) not in standing
    ]
    session.add_all(absent)
    session.flush()
    return len(absent)
