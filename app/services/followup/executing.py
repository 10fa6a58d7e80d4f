"""Calls carried out: what the customer said, and in the same step the next plan or the end mark. 2.1.4; R-2.22-2."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.actors import Actor
from app.acts import Outcome, act
from app.errors import InvalidInput, Refusal
from app.fields import Choose, Flag, HouseForm, Instant, Item, Pick, Whole, Words
from app.models.appointments import AppointmentSlip
from app.models.followup import CallMethod, FollowupExecution, FollowupPlan, PlanState
from app.models.hr import Branch, Employee, EmployeeState
from app.services.followup.calling import mind
from app.services.followup.drawing_up import check_moment, executor_of, hand_in, tell_of_plan, write_plan
from app.services.followup.planning import occur, plans_of
from app.services.followup.triggers import ABNORMAL, Occasion
from app.services.hr import working
from app.services.notices import KINDS
from app.words import _, _l

KINDS["followup_abnormal"] = _l("%(by)s reports something abnormal of %(customer)s (%(plan)s). Please see to it today.")


class _Said(HouseForm):
    """What was done, and what the customer said."""

    method = Choose(_l("Method"), options=CallMethod, required=True, default=CallMethod.PHONE)
    reached = Flag(_l("Reached"), default=True)
    feedback = Words(_l("Feedback"), required=True, least=2, most=2000, multiline=True)
    satisfaction = Whole(_l("Satisfaction"), least=1, most=5, description=_l("1 to 5, if she said so."))
    appointment_slip_id = Pick(
        _l("Slip that came of it"), table="appointment_slip", description=_l("If she has agreed to come.")
    )


class _Abnormal(HouseForm):
    """Something that a doctor must see to."""

    abnormal_flag = Flag(_l("Abnormal"), description=_l("A symptom or complaint that a doctor must see to today."))
    doctor_id = Pick(_l("Doctor who sees to it"), table="employee", description=_l("Only if something is abnormal."))


class Executing(_Said, _Abnormal):
    """执行回访: feedback, and the next plan or the end mark: there is no state between. R-2.22-2."""

    GROUPS = (
        (_l("What she said"), ("method", "reached", "feedback", "satisfaction", "appointment_slip_id")),
        (
            _l("The next call"),
            ("next_planned_at", "next_is_promised", "next_category_id", "next_purpose", "next_content"),
        ),
        (_l("Or the end"), ("end_flag", "end_reason_id", "end_note")),
        (_l("For a doctor"), ("abnormal_flag", "doctor_id")),
    )
    next_planned_at = Instant(_l("Next call"), description=_l("Either the next plan, or the end mark below."))
    next_is_promised = Flag(_l("Promised to the customer at this minute"))
    next_category_id = Pick(
        _l("Category of the next call"), table="followup_category", description=_l("Empty: the same.")
    )
    next_purpose = Words(_l("Purpose of the next call"), most=400, description=_l("Empty: the same."))
    next_content = Words(_l("Content of the next call"), most=2000, multiline=True)
    end_flag = Flag(_l("End the follow-up"))
    end_reason_id = Item(_l("Why it ends"), dictionary="followup_end_reason")
    end_note = Words(_l("Note on the end"), most=500)

    def check(self) -> None:
        """One of next plan and end mark, each whole; an abnormal call names its doctor."""
        if self.end_flag.data and self.next_planned_at.data is not None:
            self.refuse("end_flag", _("Either a next plan or the end mark, not both."))
        elif not self.end_flag.data and self.next_planned_at.data is None:
            self.refuse("next_planned_at", _("Please say when the next call is, or end the follow-up."))
        elif self.end_flag.data and self.end_reason_id.data is None:
            self.refuse("end_reason_id", _("Please say why the follow-up ends."))
        if self.abnormal_flag.data and self.doctor_id.data is None:
            self.refuse("doctor_id", _("Please name the doctor who sees to it today."))
        if self.doctor_id.data is not None and not self.abnormal_flag.data:
            self.refuse("abnormal_flag", _("A doctor is told only of something abnormal."))


def _in_charge(plan: FollowupPlan, by: Actor) -> object | None:
    if by.is_house or by.employee_id in (plan.executor_id, plan.cover_id) or plan.executor_id is None:
        return None
    return _("%(name)s carries this plan out; it can be handed over.", name=plan.executor or "—")


@act(
    FollowupPlan,
    "execute",
    _l("Carry out"),
    form=Executing,
    moves={PlanState.APPROVED: PlanState.EXECUTED},
    guard=_in_charge,
    icon="telephone-outbound",
    tone="accent",
    main=True,
)
def execute(
    session: Session,
    plan: FollowupPlan,
    *,
    method: CallMethod,
    reached: bool,
    feedback: str,
    satisfaction: int | None = None,
    appointment_slip_id: int | None = None,
    abnormal_flag: bool = False,
    doctor_id: int | None = None,
    by: Actor,
    at: datetime,
    **onwards: Any,
) -> Outcome:
    """Write down what the customer said, and what follows: the next plan, submitted, or the end. White paper 2.1.4.

    Refuses a slip of another customer, and a way that she does not want; warns at night (R-2.22-6). Something abnormal
    becomes a task of the doctor's for today (R-2.22-4).
    """
    # The schema lets no executed plan stand without what follows, so it becomes one when that is written. R-2.22-2
    plan.state = PlanState.APPROVED
    _refuse_foreign_slip(session, plan, appointment_slip_id)
    mind(session, plan, method, at)
    doctors = _doctors_task(session, plan, doctor_id, feedback, by, at) if abnormal_flag else None
    session.add(
        FollowupExecution(
            plan_id=plan.id,
            executor_id=by.employee_id,
            executed_at=at,
            method=method,
            reached=reached,
            feedback=feedback,
            satisfaction=satisfaction,
            abnormal_flag=abnormal_flag,
            doctor_plan_id=doctors.id if doctors is not None else None,
            appointment_slip_id=appointment_slip_id,
            phone_call_id=plan.phone_call_id if method is CallMethod.PHONE else None,
        )
    )
    following = _go_on(session, plan, by, at, **onwards)
    plan.executed_at = at
    plan.become(PlanState.EXECUTED)
    return Outcome(result=following)


def _go_on(
    session: Session,
    plan: FollowupPlan,
    by: Actor,
    at: datetime,
    *,
    next_planned_at: datetime | None = None,
    next_is_promised: bool = False,
    next_category_id: int | None = None,
    next_purpose: str | None = None,
    next_content: str | None = None,
    end_flag: bool = False,
    end_reason_id: int | None = None,
    end_note: str | None = None,
) -> FollowupPlan | None:
    """Write the next plan and submit it, or set the end mark; refuses neither and both. R-2.22-2."""
    if end_flag:
        plan.end_flag, plan.end_reason_id, plan.end_note = True, end_reason_id, end_note
        return None
    if next_planned_at is None:
        raise InvalidInput({"next_planned_at": [_("Please say when the next call is, or end the follow-up.")]})
    branch = session.get_one(Branch, plan.branch_id)
    check_moment(session, next_planned_at, branch, at, "next_planned_at")
    following = write_plan(
        session,
        branch=branch,
        executor=_who_goes_on(session, plan, by),
        said={
            "customer_id": plan.customer_id,
            "contact_record_id": plan.contact_record_id,
            "appointment_slip_id": plan.appointment_slip_id,
            "category_id": next_category_id or plan.category_id,
            "purpose": next_purpose or plan.purpose or str(plan.category),
            "content": next_content,
            "planned_at": next_planned_at,
            "is_promised": next_is_promised,
        },
        by=by,
        at=at,
        state=PlanState.SUBMITTED,
        submitted_at=at,
    )
    hand_in(session, following, by, at)
    plan.next_plan_id = following.id
    return following


def _who_goes_on(session: Session, plan: FollowupPlan, by: Actor) -> Employee:
    """Return who makes the next call: whose plan it was, or who carried it out if she has left meanwhile."""
    before = session.get(Employee, plan.executor_id) if plan.executor_id is not None else None
    stays = before is not None and before.state is EmployeeState.ACTIVE
    return executor_of(session, plan.executor_id if stays else None, plan.branch_id, by)


def _refuse_foreign_slip(session: Session, plan: FollowupPlan, slip_id: int | None) -> None:
    slip = session.get(AppointmentSlip, slip_id) if slip_id is not None else None
    if slip is not None and plan.customer_id is not None and slip.customer_id != plan.customer_id:
        raise InvalidInput({"appointment_slip_id": [_("This slip is of another customer.")]})


def _doctors_task(
    session: Session, plan: FollowupPlan, doctor_id: int | None, feedback: str, by: Actor, at: datetime
) -> FollowupPlan:
    """Make the doctor's task of the same day by the rule for it: approved already, in focus. R-2.22-4 [J]."""
    if doctor_id is None:
        raise InvalidInput({"doctor_id": [_("Please name the doctor who sees to it today.")]})
    branch = session.get_one(Branch, plan.branch_id)
    doctor = working(session, doctor_id, branch.id, "doctor_id")
    done_before = session.scalar(
        select(func.count()).select_from(FollowupExecution).where(FollowupExecution.plan_id == plan.id)
    )
    occasion = Occasion(
        trigger=ABNORMAL,
        subject=f"followup_plan:{plan.id}:{done_before}",
        day=at.astimezone(ZoneInfo(branch.zone)).date(),
        branch=branch,
        customer=plan.customer,
        contact_record_id=plan.contact_record_id,
        person=doctor,
    )
    occur(session, occasion, at=at)
    task = next(iter(plans_of(session, occasion)), None)
    if task is None:
        raise Refusal(_("The rule for abnormal reports is not in force. Please ask the administrator."))
    task.content, task.focus_flag = feedback, True
    tell_of_plan(session, task, doctor.id, "followup_abnormal", by)
    return task
