"""What of the follow-up lies in a person's hands when she leaves. White paper 4.2.2."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import case, or_, select, update

from app.models.followup import FollowupPlan
from app.models.followup.plans import AHEAD
from app.models.hr import Employee
from app.services.hr import HandingOver, Holding, declare_holding, unseen
from app.words import _l


def _to_be_done_by(employee: Employee) -> Any:
    return select(FollowupPlan.id).where(
        or_(FollowupPlan.executor_id == employee.id, FollowupPlan.cover_id == employee.id),
        FollowupPlan.state.in_(AHEAD),
    )


def _hand_over_plans(handing: HandingOver, ids: Sequence[int]) -> None:
    """Give a leaver's open plans, and those that she covers, to the successor; those about her slips went with them."""
    assert handing.to is not None
    session = handing.session
    session.flush()
    still_hers = FollowupPlan.id.in_(_to_be_done_by(handing.leaver))
    ids = session.scalars(select(FollowupPlan.id).where(still_hers).order_by(FollowupPlan.id).with_for_update()).all()
    hers = FollowupPlan.executor_id == handing.leaver.id
    session.execute(
        update(FollowupPlan)
        .where(FollowupPlan.id.in_(ids))
        .values(
            executor_id=case((hers, handing.to.id), else_=FollowupPlan.executor_id),
            department_id=case((hers, handing.to.department_id), else_=FollowupPlan.department_id),
            cover_id=case((hers, None), (FollowupPlan.executor_id == handing.to.id, None), else_=handing.to.id),
            row_version=FollowupPlan.row_version + 1,
            updated_by_id=handing.by.user_id,
        ),
        execution_options={"synchronize_session": False},
    )
    for known in list(session.identity_map.values()):
        if isinstance(known, FollowupPlan):
            session.expire(known)


declare_holding(
    Holding(
        "followup_plans",
        _l("Follow-up plans to be done"),
        "followup_plan",
        _to_be_done_by,
        _hand_over_plans,
        refuses=unseen("followup_plan", _l("Follow-up plans to be done")),
        page="followup_plan",
        query={"tab": "open", "executor_id": "employee"},
        rank=70,
    )
)
