"""Follow-up plans that the desk's rules make: missed calls, lapsed slips, reminders. White paper 1.3, 2.1.4.

Each is made once per rule and occasion, approved already, and withdrawn when its occasion falls away.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import Select, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.actors import Actor
from app.acts import act
from app.fields import HouseForm, Words
from app.models.appointments import AppointmentSlip, ContactRecord
from app.models.customers import Customer
from app.models.followup import FollowupPlan, PlanState
from app.models.hr import Employee
from app.services.hr import HandingOver, Holding, declare_holding, unseen
from app.services.settings import item_by_code
from app.words import _l

MISSED_CALL, SLIP_LAPSED, SLIP_REMINDER = "missed_call", "slip_lapsed", "slip_reminder"
BIRTHDAY, ANNIVERSARY = "birthday", "anniversary"


def plan_return_call(session: Session, record: ContactRecord, *, day: date) -> None:
    """Plan the 来电回复 to a missed call, the same day. R-2.1.1-3."""
    _plan(
        session,
        rule=MISSED_CALL,
        occasion=f"contact_record:{record.id}",
        category="missed_call",
        day=day,
        branch_id=record.branch_id,
        department_id=record.department_id,
        executor_id=record.consultant_id,
        customer_id=record.customer_id,
        contact_record_id=record.id,
    )


def plan_after_lapse(session: Session, slip: AppointmentSlip, *, day: date) -> None:
    """Plan the 预约客户 follow-up of a slip that lapsed, the same day. R-2.1.2-3."""
    _plan_for_slip(session, slip, rule=SLIP_LAPSED, category="lapsed_slip", day=day)


def plan_reminder(session: Session, slip: AppointmentSlip, *, day: date) -> None:
    """Plan the 预约提醒 before an appointment. R-2.1.2-4."""
    _plan_for_slip(session, slip, rule=SLIP_REMINDER, category="reminder", day=day)


def _plan_for_slip(session: Session, slip: AppointmentSlip, *, rule: str, category: str, day: date) -> None:
    _plan(
        session,
        rule=rule,
        occasion=f"appointment_slip:{slip.id}",
        category=category,
        day=day,
        branch_id=slip.branch_id,
        department_id=slip.department_id,
        executor_id=slip.owner_id,
        customer_id=slip.customer_id,
        appointment_slip_id=slip.id,
    )


def plan_wishes(
    session: Session,
    customer: Customer,
    *,
    rule: str,
    occasion: str,
    category: str,
    day: date,
    executor: Employee | None,
    purpose: str | None = None,
) -> None:
    """Plan the call on a birthday or an anniversary, once per occasion. White paper 1.3, R-1.2-2."""
    _plan(
        session,
        rule=rule,
        occasion=occasion,
        category=category,
        day=day,
        branch_id=customer.branch_id,
        department_id=executor.department_id if executor is not None else None,
        executor_id=executor.id if executor is not None else None,
        customer_id=customer.id,
        purpose=purpose,
    )


def _plan(session: Session, *, rule: str, occasion: str, category: str, day: date, **about: Any) -> None:
    session.flush()
    item = item_by_code(session, "followup_category", category)
    session.execute(
        insert(FollowupPlan)
        .values(
            rule=rule, occasion=occasion, category_id=item.id, planned_on=day, state=PlanState.APPROVED.value, **about
        )
        .on_conflict_do_nothing(index_elements=["rule", "occasion"])
    )


def withdraw_plans(session: Session, slip: AppointmentSlip, *, rule: str | None = None) -> None:
    """Withdraw what is still to be done about a slip whose occasion fell away."""
    plans = select(FollowupPlan).where(FollowupPlan.appointment_slip_id == slip.id)
    if rule is not None:
        plans = plans.where(FollowupPlan.rule == rule)
    _withdraw(session, plans)


def withdraw_plans_of(session: Session, customer: Customer) -> None:
    """Withdraw every call that is still to be made to a customer."""
    _withdraw(session, select(FollowupPlan).where(FollowupPlan.customer_id == customer.id))


def _withdraw(session: Session, plans: Select[Any]) -> None:
    plans = plans.where(FollowupPlan.state == PlanState.APPROVED)
    # Locked and read anew: its executor may be closing one this very moment.
    for plan in session.scalars(plans.with_for_update().execution_options(populate_existing=True)):
        plan.become(PlanState.WITHDRAWN)


def revive_plan(session: Session, slip: AppointmentSlip, *, rule: str, from_day: date) -> None:
    """Ask again for what an arrival withdrew, now that it is taken back, unless its day has passed."""
    plans = select(FollowupPlan).where(
        FollowupPlan.appointment_slip_id == slip.id,
        FollowupPlan.rule == rule,
        FollowupPlan.state == PlanState.WITHDRAWN,
        FollowupPlan.planned_on >= from_day,
    )
    for plan in session.scalars(plans.with_for_update().execution_options(populate_existing=True)):
        plan.become(PlanState.APPROVED)


def move_plans(session: Session, old: AppointmentSlip, new: AppointmentSlip) -> None:
    """Hand what is still to be done about a slip to the one that took its place: same rule, category and day.

    What was done already is not asked for again.
    """
    plans = session.scalars(
        select(FollowupPlan)
        .where(FollowupPlan.appointment_slip_id == old.id, FollowupPlan.state == PlanState.APPROVED)
        .order_by(FollowupPlan.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    for plan in plans:
        plan.become(PlanState.WITHDRAWN)
        _plan_for_slip(session, new, rule=plan.rule, category=plan.category.code, day=plan.planned_on)


class Feedback(HouseForm):
    """What the customer said."""

    feedback = Words(_l("Feedback"), required=True, least=2, most=2000, multiline=True)


@act(
    FollowupPlan,
    "execute",
    _l("Carry out"),
    form=Feedback,
    moves={PlanState.APPROVED: PlanState.EXECUTED},
    icon="telephone-outbound",
    tone="accent",
    main=True,
)
def execute(session: Session, plan: FollowupPlan, *, feedback: str, by: Actor, at: datetime) -> None:
    """Close a plan with what the customer said. White paper 2.1.4."""
    plan.feedback = feedback
    plan.executed_at = at


def _to_be_done_by(employee: Employee) -> Any:
    return select(FollowupPlan.id).where(
        FollowupPlan.executor_id == employee.id, FollowupPlan.state == PlanState.APPROVED
    )


def _hand_over_plans(handing: HandingOver, ids: Sequence[int]) -> None:
    """Give a leaver's open plans to the successor; those about her slips went along with them. White paper 4.2.2."""
    assert handing.to is not None
    session = handing.session
    session.flush()
    still_hers = FollowupPlan.id.in_(_to_be_done_by(handing.leaver))
    ids = session.scalars(select(FollowupPlan.id).where(still_hers).order_by(FollowupPlan.id).with_for_update()).all()
    session.execute(
        update(FollowupPlan)
        .where(FollowupPlan.id.in_(ids))
        .values(
            executor_id=handing.to.id,
            department_id=handing.to.department_id,
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
