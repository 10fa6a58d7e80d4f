"""A call that is overdue by a day reaches the supervisor; a cover ends with its last day. R-2.22-5."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.models.followup import FollowupCover, FollowupPlan, PlanState
from app.models.hr import Branch
from app.services.due import carry_out_due
from app.services.followup.drawing_up import supervisors_of
from app.services.notices import KINDS, tell
from app.services.settings import setting
from app.words import _l

PROMISE_MINUTES = setting(
    "followup.promise_minutes",
    _l("Minutes within which a promised call is on time"),
    "15",
    "whole",
    least=0,
    most=240,
    help=_l("A call promised for a minute counts as on time up to so many minutes after it."),
    source="2.22",
)

KINDS["followup_overdue"] = _l(
    "%(count)s follow-up calls are overdue by more than a day, such as %(plan)s of %(customer)s."
)


def escalate(session: Session, *, at: datetime) -> int:
    """Tell who answers for calls that are overdue by more than a day, once for each; return how many calls."""
    told = 0
    for branch in session.scalars(select(Branch).order_by(Branch.id)).all():
        today = datetime.combine(at.astimezone(ZoneInfo(branch.zone)).date(), time.min, ZoneInfo(branch.zone))
        late = session.scalars(
            select(FollowupPlan)
            .where(FollowupPlan.branch_id == branch.id, FollowupPlan.state == PlanState.APPROVED)
            .where(FollowupPlan.planned_at < today - timedelta(days=1), FollowupPlan.escalated_at.is_(None))
            .order_by(FollowupPlan.planned_at, FollowupPlan.id)
            .with_for_update(skip_locked=True)
        ).all()
        by_department: dict[int | None, list[FollowupPlan]] = defaultdict(list)
        for plan in late:
            by_department[plan.department_id].append(plan)
        for plans in by_department.values():
            first = plans[0]
            facts = {
                "count": str(len(plans)),
                "plan": first.plan_no,
                "customer": str(first.customer or first.contact_record),
            }
            for employee_id in supervisors_of(session, first, "can_approve"):
                tell(session, employee_id, "followup_overdue", first, **facts)
        if late:
            ids = [plan.id for plan in late]
            session.execute(
                update(FollowupPlan)
                .where(FollowupPlan.id.in_(ids))
                .values(escalated_at=at, row_version=FollowupPlan.row_version + 1)
            )
        told += len(late)
    return told


def end_covers(session: Session, *, at: datetime) -> int:
    """End the covers whose last day has passed at their branch; return how many."""

    def over(branch: Branch) -> object:
        today = at.astimezone(ZoneInfo(branch.zone)).date()
        return (FollowupCover.ended_at.is_(None)) & (FollowupCover.until_on < today)

    return carry_out_due(session, "followup_cover.end", over, job="followup.covers", at=at)  # type: ignore[arg-type]
