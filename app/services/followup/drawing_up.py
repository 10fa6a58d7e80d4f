"""Plans that people draw up: drafted, submitted, approved or sent back, put off, cancelled. 2.1.4; SM-03."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.actors import Actor
from app.acts import act
from app.errors import InvalidInput, Refusal
from app.fields import Flag, HouseForm, Instant, Pick, Reason, Words
from app.models.followup import FollowupPlan, PlanOrigin, PlanState
from app.models.followup.plans import AHEAD
from app.models.hr import Branch, Department, Employee
from app.services.followup.planning import cancel_plan, cover_of
from app.services.hr import holders_of, own_branch, working
from app.services.notices import KINDS, tell
from app.services.settings import next_number, setting, value_of
from app.words import _, _l

FURTHEST = setting(
    "followup.furthest_days",
    _l("Furthest day of a follow-up plan, days ahead"),
    "400",
    "whole",
    least=30,
    most=2000,
    help=_l("A plan is for a day from today to this many days ahead."),
    source="2.22",
)
#: What a person types may lie so far back: she filled the form in before she sent it.
LATE = timedelta(minutes=5)

KINDS["followup_waits"] = _l("%(by)s submitted the follow-up plan %(plan)s of %(customer)s. Please decide.")
KINDS["followup_approved"] = _l("%(by)s approved your follow-up plan %(plan)s of %(customer)s.")
KINDS["followup_sent_back"] = _l("%(by)s sent the follow-up plan %(plan)s of %(customer)s back: %(reason)s")
KINDS["followup_given"] = _l("%(by)s gave you the follow-up plan %(plan)s of %(customer)s.")


class _About(HouseForm):
    """What a plan is for and when."""

    category_id = Pick(_l("Category"), table="followup_category", required=True)
    purpose = Words(_l("Purpose"), required=True, least=2, most=400)
    content = Words(_l("Content"), most=2000, multiline=True, description=_l("What is to be said or asked."))
    planned_at = Instant(_l("Planned for"), required=True)
    is_promised = Flag(_l("Promised to the customer at this minute"))
    executor_id = Pick(_l("Carried out by"), table="employee", description=_l("Empty: yourself."))


class Drafting(_About):
    """拟制: a new plan."""

    customer_id = Pick(_l("Customer"), table="customer", required=True)
    appointment_slip_id = Pick(_l("Appointment slip"), table="appointment_slip")
    contact_record_id = Pick(_l("Contact record"), table="contact_record")
    submit_now = Flag(_l("Submit at once"), description=_l("Else it stays a draft, which nobody approves."))


def check_moment(session: Session, planned_at: datetime, branch: Branch, at: datetime, field: str) -> None:
    """Refuse a moment that has passed, or one too far ahead (a setting)."""
    if planned_at < at - LATE:
        raise InvalidInput({field: [_("This time has passed.")]})
    days = value_of(session, FURTHEST, branch_id=branch.id, at=at)
    if planned_at > at + timedelta(days=days):
        raise InvalidInput({field: [_("At most %(days)s days ahead, please.", days=days)]})


def executor_of(session: Session, executor_id: int | None, branch_id: int, by: Actor) -> Employee:
    """Return who is to make a call: the one named, else who asks; refuses who left or is of another branch."""
    key = executor_id if executor_id is not None else by.employee_id
    if key is None:
        raise InvalidInput({"executor_id": [_("Please say who is to do it.")]})
    return working(session, key, branch_id, "executor_id")


def write_plan(
    session: Session,
    *,
    branch: Branch,
    executor: Employee,
    said: Mapping[str, Any],
    by: Actor,
    at: datetime,
    **given: Any,
) -> FollowupPlan:
    """Write a person's plan of what a form said; a draft, unless it is given a state."""
    zone = ZoneInfo(branch.zone)
    plan = FollowupPlan(
        plan_no=next_number(session, "followup_plan", branch=branch, at=at, zone=zone),
        origin=PlanOrigin.MANUAL,
        branch_id=branch.id,
        executor_id=executor.id,
        cover_id=cover_of(session, executor.id, said["planned_at"].astimezone(zone).date()),
        department_id=executor.department_id,
        submitter_id=by.employee_id,
        **said,
        **{"state": PlanState.DRAFT} | given,
    )
    session.add(plan)
    session.flush()
    return plan


@act(
    FollowupPlan,
    "draft",
    _l("Plan a follow-up"),
    form=Drafting,
    creates=True,
    main=True,
    icon="telephone-plus",
    starts_from={
        "customer": {"customer_id": "id"},
        "appointment_slip": {"customer_id": "customer_id", "appointment_slip_id": "id"},
        "contact_record": {"customer_id": "customer_id", "contact_record_id": "id"},
    },
    consequence=_l("Your supervisor approves it; then it stands in the list of who carries it out."),
)
def draft(
    session: Session,
    *,
    executor_id: int | None = None,
    submit_now: bool = False,
    by: Actor,
    at: datetime,
    **said: Any,
) -> FollowupPlan:
    """Draw a plan up, and submit it at once if so said. White paper 2.1.4, 2.22.1."""
    branch = own_branch(session, by)
    check_moment(session, said["planned_at"], branch, at, "planned_at")
    executor = executor_of(session, executor_id, branch.id, by)
    plan = write_plan(session, branch=branch, executor=executor, said=said, by=by, at=at)
    if submit_now:
        plan.become(PlanState.SUBMITTED)
        hand_in(session, plan, by, at)
    return plan


def hand_in(session: Session, plan: FollowupPlan, by: Actor, at: datetime) -> None:
    """Note that a plan was submitted, and tell who decides."""
    plan.submitted_at, plan.submitter_id, plan.send_back_reason = at, by.employee_id, None
    session.flush()
    for employee_id in supervisors_of(session, plan, "can_approve", but=by.employee_id):
        _tell(session, plan, employee_id, "followup_waits", by)


def supervisors_of(session: Session, plan: FollowupPlan, permission: str, *, but: int | None = None) -> list[int]:
    """Return who answers for a plan: holders of a right in its department, else in the nearest above it, else all of
    the branch. Who acts herself (``but``) is not meant: her own plan is another's to approve."""
    holders = [key for key in holders_of(session, "followup_plan", permission, branch_id=plan.branch_id) if key != but]
    seated = session.execute(select(Employee.id, Employee.department_id).where(Employee.id.in_(holders)))
    where = {employee_id: department_id for employee_id, department_id in seated}  # noqa: C416 (rows are no pairs to mypy)
    department = session.get(Department, plan.department_id) if plan.department_id is not None else None
    while department is not None:
        near = [employee_id for employee_id in holders if where[employee_id] == department.id]
        if near:
            return near
        department = department.parent
    return holders


def _tell(session: Session, plan: FollowupPlan, employee_id: int | None, kind: str, by: Actor, **facts: str) -> None:
    about = {"plan": plan.plan_no, "customer": str(plan.customer or plan.contact_record), "by": by.display_name}
    tell(session, employee_id, kind, plan, **about, **facts)


def tell_of_plan(
    session: Session, plan: FollowupPlan, employee_id: int | None, kind: str, by: Actor, **facts: str
) -> None:
    """Leave a notice about a plan for somebody else than who acts."""
    if employee_id != by.employee_id:
        _tell(session, plan, employee_id, kind, by, **facts)


def _hers(plan: FollowupPlan, by: Actor) -> object | None:
    if by.is_house or by.employee_id in (plan.submitter_id, plan.executor_id, plan.cover_id):
        return None
    return _("Only who drew the plan up or carries it out may do this.")


@act(
    FollowupPlan,
    "revise",
    _l("Change"),
    form=_About,
    moves={PlanState.DRAFT: PlanState.DRAFT},
    guard=_hers,
    icon="pencil",
    prefill=("category_id", "purpose", "content", "planned_at", "is_promised", "executor_id"),
)
def revise(
    session: Session, plan: FollowupPlan, *, executor_id: int | None = None, by: Actor, at: datetime, **said: Any
) -> None:
    """Change a draft. SM-03."""
    branch = session.get_one(Branch, plan.branch_id)
    check_moment(session, said["planned_at"], branch, at, "planned_at")
    give_to(session, plan, executor_of(session, executor_id, plan.branch_id, by))
    for name, value in said.items():
        setattr(plan, name, value)


def give_to(session: Session, plan: FollowupPlan, executor: Employee) -> None:
    """Put a plan into somebody's hands, and her cover's if she is away on its day."""
    day = plan.planned_at.astimezone(ZoneInfo(session.get_one(Branch, plan.branch_id).zone)).date()
    plan.executor_id, plan.department_id = executor.id, executor.department_id
    plan.cover_id = cover_of(session, executor.id, day)


@act(
    FollowupPlan,
    "submit",
    _l("Submit"),
    moves={PlanState.DRAFT: PlanState.SUBMITTED},
    guard=_hers,
    icon="send",
    tone="accent",
    many=True,
)
def submit(session: Session, plan: FollowupPlan, *, by: Actor, at: datetime) -> None:
    """Hand a draft in for approval; its time must not have passed meanwhile. White paper 2.1.4, 2.22.1."""
    if plan.planned_at < at - LATE:
        raise Refusal(_("The time of this plan has passed; please change it first."))
    hand_in(session, plan, by, at)


class Approving(HouseForm):
    """审批回访计划: guidance, a mark, and what the supervisor completes; empty: as submitted."""

    guidance = Words(_l("Guidance"), most=1000, multiline=True)
    focus_flag = Flag(_l("Focus"), description=_l("Stands before the others in the list."))
    purpose = Words(_l("Purpose"), most=400, description=_l("Empty: as submitted."))
    content = Words(_l("Content"), most=2000, multiline=True, description=_l("Empty: as submitted."))
    executor_id = Pick(_l("Carried out by"), table="employee", description=_l("Empty: as submitted."))


def _not_her_own(plan: FollowupPlan, by: Actor) -> object | None:
    if plan.submitter_id is not None and plan.submitter_id == by.employee_id:
        return _("You submitted this plan yourself; somebody else approves it.")
    return None


@act(
    FollowupPlan,
    "approve",
    _l("Approve"),
    form=Approving,
    moves={PlanState.SUBMITTED: PlanState.APPROVED},
    guard=_not_her_own,
    icon="check2-circle",
    tone="accent",
    many=True,
    at_once=True,
)
def approve(
    session: Session,
    plan: FollowupPlan,
    *,
    guidance: str | None = None,
    focus_flag: bool = False,
    purpose: str | None = None,
    content: str | None = None,
    executor_id: int | None = None,
    by: Actor,
    at: datetime,
) -> None:
    """Approve a plan, completed where the supervisor wants it; only then can it be carried out. R-2.22-1, 2.22.2."""
    plan.approver_id, plan.approved_at = by.employee_id, at
    plan.guidance = guidance if guidance is not None else plan.guidance
    plan.focus_flag = focus_flag or plan.focus_flag
    plan.purpose, plan.content = purpose or plan.purpose, content or plan.content
    if executor_id is not None and executor_id != plan.executor_id:
        give_to(session, plan, executor_of(session, executor_id, plan.branch_id, by))
        tell_of_plan(session, plan, plan.executor_id, "followup_given", by)
    elif plan.executor_id is not None:
        executor_of(session, plan.executor_id, plan.branch_id, by)
    if plan.submitter_id != plan.executor_id:
        tell_of_plan(session, plan, plan.submitter_id, "followup_approved", by)


@act(
    FollowupPlan,
    "send_back",
    _l("Send back"),
    form=Reason,
    moves={PlanState.SUBMITTED: PlanState.DRAFT},
    guard=_not_her_own,
    icon="arrow-return-left",
    many=True,
    consequence=_l("It becomes a draft again, and who submitted it is told why."),
)
def send_back(session: Session, plan: FollowupPlan, *, reason: str, by: Actor, at: datetime) -> None:
    """Send a plan back to who submitted it, with the reason. SM-03."""
    plan.send_back_reason = reason
    tell_of_plan(session, plan, plan.submitter_id, "followup_sent_back", by, reason=reason)


class Putting(HouseForm):
    """When instead."""

    planned_at = Instant(_l("Planned for"), required=True)
    is_promised = Flag(_l("Promised to the customer at this minute"))


@act(
    FollowupPlan,
    "reschedule",
    _l("Put off"),
    form=Putting,
    moves={PlanState.SUBMITTED: PlanState.SUBMITTED, PlanState.APPROVED: PlanState.APPROVED},
    icon="calendar2-event",
    many=True,
)
def reschedule(
    session: Session, plan: FollowupPlan, *, planned_at: datetime, is_promised: bool = False, by: Actor, at: datetime
) -> None:
    """Put a plan at another time ahead; a call promised to the customer keeps its minute. 2.22."""
    branch = session.get_one(Branch, plan.branch_id)
    check_moment(session, planned_at, branch, at, "planned_at")
    plan.planned_at, plan.is_promised, plan.escalated_at = planned_at, is_promised, None
    if plan.executor_id is not None:
        plan.cover_id = cover_of(session, plan.executor_id, planned_at.astimezone(ZoneInfo(branch.zone)).date())


@act(
    FollowupPlan,
    "cancel",
    _l("Cancel the plan"),
    form=Reason,
    moves=dict.fromkeys(AHEAD, PlanState.CANCELLED),
    icon="x-circle",
    many=True,
    consequence=_l("Nobody calls the customer about this any more."),
)
def cancel(session: Session, plan: FollowupPlan, *, reason: str, by: Actor, at: datetime) -> None:
    """Cancel a plan that is not done: the customer opted out, died, or it was made by mistake. SM-03."""
    cancel_plan(plan, reason)


class HandingOn(HouseForm):
    """To whom, and why."""

    executor_id = Pick(_l("To whom"), table="employee", required=True)
    reason = Words(_l("Reason"), required=True, least=2, most=500)


@act(
    FollowupPlan,
    "hand_over",
    _l("Hand over"),
    form=HandingOn,
    moves={state: state for state in AHEAD},
    icon="person-lines-fill",
    many=True,
)
def hand_over(session: Session, plan: FollowupPlan, *, executor_id: int, reason: str, by: Actor, at: datetime) -> None:
    """Give a plan to a colleague for good; for some days there is a cover. 2.22; white paper 4.2.2."""
    give_to(session, plan, executor_of(session, executor_id, plan.branch_id, by))
    tell_of_plan(session, plan, plan.executor_id, "followup_given", by)
