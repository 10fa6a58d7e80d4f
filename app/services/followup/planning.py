"""Plans that rules make: once per rule and occasion, approved already, withdrawn when the occasion falls away.

White paper 1.3, 2.1.4; R-2.22-1, REF-8.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.models.appointments import AppointmentSlip, ContactRecord
from app.models.base import METADATA
from app.models.customers import Customer
from app.models.followup import (
    ExecutorKind,
    FollowupCover,
    FollowupPlan,
    FollowupRule,
    PlanOrigin,
    PlanState,
    RuleMakes,
)
from app.models.followup.plans import AHEAD
from app.models.hr import Branch, Employee, EmployeeState
from app.services.followup.triggers import MISSED_CALL, SLIP_DUE, SLIP_LAPSED, TRIGGERS, Occasion
from app.services.placeholders import PLAN_TEXT, About, fill
from app.services.settings import next_number, setting, value_of
from app.words import _l, in_locale

PLAN_HOUR = setting(
    "followup.plan_hour",
    _l("Hour for which rules plan a call"),
    "10:00",
    "clock",
    help=_l("Branch time. What is due the same day stands in the list from the morning on."),
    source="2.22",
)


def moment_of(session: Session, branch: Branch, day: date, at: datetime) -> datetime:
    """Return the instant for which a call of a day is planned; it is due at once if day and hour have passed."""
    hour: time = value_of(session, PLAN_HOUR, branch_id=branch.id, at=at)
    planned = datetime.combine(day, hour, ZoneInfo(branch.zone))
    return max(planned, at)


#: Told the session, the rule, the occasion, its key and the moment for which it is: how many were made.
Maker = Callable[[Session, FollowupRule, Occasion, str, datetime], int]
_MAKERS: dict[RuleMakes, Maker] = {}


def makes(what: RuleMakes) -> Callable[[Maker], Maker]:
    """Declare the function that makes what rules make beside plans; an area declares its own."""

    def declare(maker: Maker) -> Maker:
        _MAKERS[what] = maker
        return maker

    return declare


def occur(session: Session, occasion: Occasion, *, at: datetime) -> int:
    """Let every rule in force for a trigger make its plans; return how many were made. REF-8.

    Safe to repeat: a rule makes one plan per occasion and day offset, however often it is told.
    """
    assert occasion.trigger in TRIGGERS, occasion.trigger
    session.flush()
    made, today = 0, at.astimezone(ZoneInfo(occasion.branch.zone)).date()
    for rule in rules_of(session, occasion.trigger, occasion.branch.id):
        for days in rule.offset_days:
            day = occasion.day + timedelta(days=days)
            if not (occasion.first or day) <= day <= (occasion.last or day):
                continue
            if rule.makes is RuleMakes.PLAN:
                made += _make(session, rule, occasion, days, at)
            elif day >= today:  # a call is made up for a day that was missed, a message is not
                key = _key(occasion.subject, days)
                made += _MAKERS[rule.makes](session, rule, occasion, key, moment_of(session, occasion.branch, day, at))
    return made


def plans_of(session: Session, occasion: Occasion) -> list[FollowupPlan]:
    """Return the plans that rules have made of an occasion, the first made first."""
    made = or_(
        FollowupPlan.occasion == occasion.subject,
        FollowupPlan.occasion.startswith(f"{occasion.subject}:", autoescape=True),
    )
    statement = select(FollowupPlan).where(FollowupPlan.trigger == occasion.trigger, made).order_by(FollowupPlan.id)
    return list(session.scalars(statement))


def rules_of(session: Session, code: str, branch_id: int) -> list[FollowupRule]:
    """Return the rules in force for a trigger at a branch."""
    return list(
        session.scalars(
            select(FollowupRule)
            .where(FollowupRule.trigger == code, FollowupRule.retired_at.is_(None))
            .where(or_(FollowupRule.branch_id.is_(None), FollowupRule.branch_id == branch_id))
            .order_by(FollowupRule.id)
        )
    )


def _key(subject: str, days: int) -> str:
    """Return how a plan keeps its occasion: the same for a day of the rule, whatever other days the rule has."""
    return f"{subject}:{days:+d}" if days else subject


def _is_made(session: Session, rule: FollowupRule, occasion: Occasion, days: int) -> bool:
    """Say whether a rule has made its plan of an occasion, for this customer or for one merged into her."""
    known: ColumnElement[bool] = FollowupPlan.occasion == _key(occasion.subject, days)
    if occasion.again and occasion.customer is not None:
        hers = FollowupPlan.customer_id == occasion.customer.id
        known = or_(known, and_(hers, FollowupPlan.occasion.endswith(_key(f":{occasion.again}", days))))
    standing = select(FollowupPlan.id).where(FollowupPlan.rule_id == rule.id, known)
    return session.scalar(standing.limit(1)) is not None


def _make(session: Session, rule: FollowupRule, occasion: Occasion, days: int, at: datetime) -> int:
    if _is_made(session, rule, occasion, days):
        return 0
    key, day = _key(occasion.subject, days), occasion.day + timedelta(days=days)
    hands = hands_of(session, rule, occasion, day)
    zone = ZoneInfo(occasion.branch.zone)
    about = about_occasion(session, occasion, at, executor_id=hands.executor_id)
    values = {
        "plan_no": next_number(session, "followup_plan", branch=occasion.branch, at=at, zone=zone),
        "state": PlanState.APPROVED.value,
        "origin": PlanOrigin.AUTO_RULE.value,
        "rule_id": rule.id,
        "trigger": occasion.trigger,
        "occasion": key,
        "category_id": rule.category_id,
        "branch_id": occasion.branch.id,
        "customer_id": occasion.customer.id if occasion.customer is not None else None,
        "contact_record_id": occasion.contact_record_id,
        "appointment_slip_id": occasion.appointment_slip_id,
        "purpose": occasion.purpose or worded(rule.purpose_template, about),
        "content": worded(rule.content_template, about),
        "planned_at": moment_of(session, occasion.branch, day, at),
        "approved_at": at,
        "executor_id": hands.executor_id,
        "cover_id": hands.cover_id,
        "department_id": hands.department_id,
    }
    # Another scheduler may make the same one this very moment.
    made = session.execute(
        insert(FollowupPlan)
        .values(**values)
        .on_conflict_do_nothing(index_elements=["rule_id", "occasion"])
        .returning(FollowupPlan.id)
    )
    return len(made.all())


def worded(template: str | None, about: About) -> str | None:
    """Return a rule's text with its placeholders filled in; what is not known stays empty."""
    return fill(PLAN_TEXT, template, about).text if template else None


def about_occasion(session: Session, occasion: Occasion, at: datetime, *, executor_id: int | None = None) -> About:
    """Return what the texts of a rule may tell of an occasion."""
    slip_id = occasion.appointment_slip_id
    return About(
        ZoneInfo(occasion.branch.zone),
        occasion.customer,
        occasion.branch,
        session.get(AppointmentSlip, slip_id) if slip_id is not None else None,
        session.get(Employee, executor_id) if executor_id is not None else occasion.person,
        occasion.day,
        at,
    )


# --- whose it is -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Hands:
    """Who makes a call: the executor if anybody is still there, who covers for her, and whose department sees it."""

    executor_id: int | None
    cover_id: int | None
    department_id: int | None


def hands_of(session: Session, rule: FollowupRule, occasion: Occasion, day: date) -> Hands:
    """Return into whose hands the plan of a rule goes.

    Somebody who left makes no call; then the next one who knows the customer does, and her department sees it anyway.
    """
    known = [person for person in _candidates(session, rule, occasion) if person is not None]
    executor = next((person for person in known if person.state is EmployeeState.ACTIVE), None)
    if executor is None:
        return Hands(None, None, known[0].department_id if known else None)
    return Hands(executor.id, cover_of(session, executor.id, day), executor.department_id)


def _candidates(session: Session, rule: FollowupRule, occasion: Occasion) -> Iterator[Employee | None]:
    customer = occasion.customer
    developer = customer.developer if customer is not None else None
    consultant = customer.owner_consultant if customer is not None else None
    if rule.executor_kind is ExecutorKind.ROLE:
        yield _in_turn(session, rule.executor_role or "", occasion.branch.id)
    if rule.executor_kind is ExecutorKind.CONSULTANT:
        yield consultant
    if rule.executor_kind is ExecutorKind.OCCASION:
        yield occasion.person
    yield developer
    yield consultant
    yield occasion.person


def _in_turn(session: Session, role: str, branch_id: int) -> Employee | None:
    """Return who of a role at a branch has least to do."""
    user_role, roles = METADATA.tables["ab_user_role"], METADATA.tables["ab_role"]
    holding = select(user_role.c.user_id).join(roles, roles.c.id == user_role.c.role_id).where(roles.c.name == role)
    waiting = (
        select(func.count())
        .where(FollowupPlan.executor_id == Employee.id, FollowupPlan.state == PlanState.APPROVED)
        .correlate(Employee)
        .scalar_subquery()
    )
    return session.scalars(
        select(Employee)
        .where(Employee.branch_id == branch_id, Employee.state == EmployeeState.ACTIVE)
        .where(Employee.user_id.in_(holding))
        .order_by(waiting, Employee.id)
        .limit(1)
    ).first()


def cover_of(session: Session, employee_id: int, day: date) -> int | None:
    """Return who stands in for somebody on a day, if anybody does."""
    return session.scalar(
        select(FollowupCover.cover_id)
        .join(Employee, Employee.id == FollowupCover.cover_id)
        .where(FollowupCover.absent_id == employee_id, FollowupCover.ended_at.is_(None))
        .where(FollowupCover.from_on <= day, FollowupCover.until_on >= day)
        .where(Employee.state == EmployeeState.ACTIVE)
        .order_by(FollowupCover.id.desc())
        .limit(1)
    )


# --- the desk's occasions ----------------------------------------------------------------------------------------


def plan_return_call(session: Session, record: ContactRecord, *, day: date, at: datetime) -> None:
    """Plan the 来电回复 to a missed call, the same day. R-2.1.1-3."""
    session.flush()
    customer = session.get(Customer, record.customer_id) if record.customer_id is not None else None
    occur(
        session,
        Occasion(
            trigger=MISSED_CALL,
            subject=f"contact_record:{record.id}",
            day=day,
            branch=session.get_one(Branch, record.branch_id),
            customer=customer,
            contact_record_id=record.id,
            person=session.get(Employee, record.consultant_id) if record.consultant_id is not None else None,
        ),
        at=at,
    )


def plan_after_lapse(session: Session, slip: AppointmentSlip, *, day: date, at: datetime) -> None:
    """Plan the 预约客户 follow-ups of a slip that lapsed, from the same day on. R-2.1.2-3."""
    occur(session, _of_slip(session, slip, SLIP_LAPSED, day), at=at)


def plan_reminder(session: Session, slip: AppointmentSlip, *, day: date, first: date, at: datetime) -> None:
    """Plan the 预约提醒 before an appointment on a day, unless its own day has passed. R-2.1.2-4."""
    occur(session, _of_slip(session, slip, SLIP_DUE, day, first=first), at=at)


def _of_slip(session: Session, slip: AppointmentSlip, code: str, day: date, first: date | None = None) -> Occasion:
    session.flush()
    return Occasion(
        trigger=code,
        subject=f"appointment_slip:{slip.id}",
        day=day,
        branch=session.get_one(Branch, slip.branch_id),
        customer=session.get_one(Customer, slip.customer_id),
        appointment_slip_id=slip.id,
        person=session.get_one(Employee, slip.owner_id),
        first=first,
    )


# --- the occasion falls away, or moves ---------------------------------------------------------------------------

SLIP_ENDED = _l("The appointment was kept, moved or voided.")
FILE_CLOSED = _l("The customer's file was closed.")
SLIP_ANEW = _l("She has a new appointment.")
SLIP_MOVED = _l("The slip changed hands.")


def withdraw_plans(session: Session, slip: AppointmentSlip, *, trigger: str | None = None) -> None:
    """Withdraw what rules still want about a slip whose occasion fell away; what people drew up stays."""
    plans = select(FollowupPlan).where(
        FollowupPlan.appointment_slip_id == slip.id, FollowupPlan.origin == PlanOrigin.AUTO_RULE
    )
    if trigger is not None:
        plans = plans.where(FollowupPlan.trigger == trigger)
    _withdraw(session, plans, str(SLIP_ENDED))


def withdraw_plans_after_lapse(session: Session, customer: Customer) -> None:
    """Withdraw the calls about slips of hers that lapsed, now that she has a new one."""
    plans = select(FollowupPlan).where(FollowupPlan.customer_id == customer.id, FollowupPlan.trigger == SLIP_LAPSED)
    _withdraw(session, plans, str(SLIP_ANEW))


def withdraw_plans_of(session: Session, customer: Customer) -> None:
    """Withdraw every call that is still to be made to a customer."""
    _withdraw(session, select(FollowupPlan).where(FollowupPlan.customer_id == customer.id), str(FILE_CLOSED))


def _withdraw(session: Session, plans: Select[Any], reason: str) -> None:
    plans = plans.where(FollowupPlan.state.in_(AHEAD))
    # Locked and read anew: its executor may be closing one this very moment.
    for plan in session.scalars(plans.with_for_update().execution_options(populate_existing=True)):
        cancel_plan(plan, reason)


def cancel_plan(plan: FollowupPlan, reason: str) -> None:
    """Cancel a plan that is not done yet."""
    plan.become(PlanState.CANCELLED)
    plan.cancel_reason = reason


def revive_plan(session: Session, slip: AppointmentSlip, *, trigger: str, from_day: date) -> None:
    """Ask again for what an arrival withdrew, now that it is taken back, unless its day has passed."""
    zone = ZoneInfo(session.get_one(Branch, slip.branch_id).zone)
    plans = select(FollowupPlan).where(
        FollowupPlan.appointment_slip_id == slip.id,
        FollowupPlan.trigger == trigger,
        FollowupPlan.state == PlanState.CANCELLED,
        FollowupPlan.planned_at >= datetime.combine(from_day, time.min, zone),
    )
    for plan in session.scalars(plans.with_for_update().execution_options(populate_existing=True)):
        # What a person cancelled stays so: the customer may not wish to be called.
        if plan.cancel_reason in (in_locale(SLIP_ENDED, "zh"), in_locale(SLIP_ENDED, "en")):
            plan.become(PlanState.APPROVED)
            plan.cancel_reason = None


def move_plans(session: Session, old: AppointmentSlip, new: AppointmentSlip, *, at: datetime) -> None:
    """Hand what is still to be done about a slip to the one that took its place: same rule, category and moment.

    What was done already is not asked for again; what people drew up goes along as it is.
    """
    session.flush()
    plans = session.scalars(
        select(FollowupPlan)
        .where(FollowupPlan.appointment_slip_id == old.id, FollowupPlan.state.in_(AHEAD))
        .order_by(FollowupPlan.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    for plan in plans:
        if plan.origin is PlanOrigin.MANUAL:
            plan.appointment_slip_id = new.id
            continue
        cancel_plan(plan, str(SLIP_MOVED))
        _remake(session, plan, old, new, at)


def _remake(session: Session, plan: FollowupPlan, old: AppointmentSlip, new: AppointmentSlip, at: datetime) -> None:
    """Make a rule's plan anew for the slip that took the place of its own, in the new owner's hands."""
    branch, owner = session.get_one(Branch, new.branch_id), session.get_one(Employee, new.owner_id)
    zone = ZoneInfo(branch.zone)
    assert plan.occasion is not None
    key = plan.occasion.replace(f"appointment_slip:{old.id}", f"appointment_slip:{new.id}", 1)
    kept = ("rule_id", "trigger", "category_id", "purpose", "content", "planned_at", "customer_id", "approved_at")
    session.execute(
        insert(FollowupPlan)
        .values(
            plan_no=next_number(session, "followup_plan", branch=branch, at=at, zone=zone),
            state=PlanState.APPROVED.value,
            origin=PlanOrigin.AUTO_RULE.value,
            occasion=key,
            branch_id=branch.id,
            appointment_slip_id=new.id,
            executor_id=owner.id,
            cover_id=cover_of(session, owner.id, plan.planned_at.astimezone(zone).date()),
            department_id=owner.department_id,
            **{name: getattr(plan, name) for name in kept},
        )
        .on_conflict_do_nothing(index_elements=["rule_id", "occasion"])
    )
