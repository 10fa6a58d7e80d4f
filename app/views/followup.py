"""服务工作站 → 回访管理. White paper 1.3, 2.1.4, 2.22."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any

from flask import g
from sqlalchemy import and_, or_

from app.actors import Actor
from app.extensions import db
from app.models.followup import (
    CaseState,
    FollowupCase,
    FollowupCategory,
    FollowupCover,
    FollowupExecution,
    FollowupPlan,
    FollowupReview,
    FollowupRule,
    PlanState,
)
from app.models.privacy import ConsentPurpose
from app.panel.cards import Shows, card
from app.panel.codes import Code
from app.panel.describe import NONE, TELLS, cell_of
from app.panel.house_view import HouseView, Related, Sub, Tab
from app.panel.interface import HouseInterface
from app.panel.pages import Cell
from app.panel.person import now
from app.panel.registry import Registrar
from app.panel.telling import told_cell
from app.roles import ROLES
from app.services.followup import ANNIVERSARY, BIRTHDAY, TRIGGERS
from app.services.followup.hearing import Heard, Hearing, hearing_of, hearings_of
from app.services.lunar import FESTIVALS
from app.services.privacy.consents import consented
from app.views import followup_desk
from app.views.telephone import sound_cell
from app.words import _, _l

Plan = FollowupPlan


def _today_ends(by: Actor, at: datetime) -> datetime:
    day = at.astimezone(by.timezone).date() + timedelta(days=1)
    return datetime.combine(day, time.min, by.timezone)


def due(by: Actor, at: datetime) -> Any:
    """Return the condition of the calls of today and of those overdue."""
    return and_(Plan.state == PlanState.APPROVED, Plan.planned_at < _today_ends(by, at))


def overdue(by: Actor, at: datetime) -> Any:
    """Return the condition of the calls whose day has passed, or whose promised minute."""
    return and_(
        Plan.state == PlanState.APPROVED,
        or_(
            Plan.planned_at < _today_ends(by, at) - timedelta(days=1),
            and_(Plan.is_promised, Plan.planned_at < at),
        ),
    )


def done_today(by: Actor, at: datetime) -> Any:
    """Return the condition of the calls that were carried out on a day."""
    until = _today_ends(by, at)
    return and_(
        Plan.state.in_([PlanState.EXECUTED, PlanState.CLOSED]),
        Plan.executed_at >= until - timedelta(days=1),
        Plan.executed_at < until,
    )


def _in(*states: PlanState) -> Any:
    return lambda by, now: Plan.state.in_(states)


def recording_cell(hearing: Hearing, by: Actor) -> Cell:
    """Return the recording of what was carried out: to who reviews, with whether she heard it. R-2.22-3."""
    if hearing.heard is Heard.HEARD or by.may("followup_plan", "can_review"):
        return told_cell(hearing.heard, by, hearing.call, Heard.HEARD)
    return sound_cell(hearing.call or hearing.execution.phone_call, by)


def told_heard(plan: FollowupPlan, by: Actor) -> Heard | None:
    """Return for REST whether this person heard what a plan was carried out with; None before it was."""
    return hearing_of(db.session(), plan, by).heard if plan.executed_at is not None else None


TELLS[FollowupPlan.__tablename__, "recording_heard"] = told_heard


class FollowupPlanView(HouseView):
    """Calls to be made."""

    datamodel = HouseInterface(FollowupPlan)
    codes = (Code("plan_no"),)
    crumbs = (_l("Service workstation"), _l("Follow-up"))
    list_columns = ("category", "planned_at", "state", "customer", "purpose", "executor", "appointment_slip")
    show_sections = (
        (
            _l("Plan"),
            (
                "plan_no", "category", "planned_at", "is_promised", "focus_flag", "executor", "cover", "purpose",
                "content", "customer", "appointment_slip", "contact_record", "origin", "rule",
            ),
        ),
        (
            _l("Approval"),
            ("submitter", "submitted_at", "approver", "approved_at", "guidance", "send_back_reason"),
        ),
        (
            _l("What became of it"),
            (
                "executed_at", "phone_call", "recording", "next_plan", "end_flag", "end_reason", "end_note",
                "cancel_reason", "escalated_at",
            ),
        ),
    )  # fmt: skip
    labels = {"rule": _l("Made by the rule"), "recording": _l("Recording"), "feedback": _l("Feedback")}
    subs = {"customer": Sub("customer.phone_masked"), "executor": Sub("cover", _l("covered by %(value)s"))}
    order_columns = ("planned_at", "plan_no")
    default_order = "planned_at"
    descending = False
    filters = (
        "state", "category_id", "executor_id", "department_id", "planned_at", "origin", "is_promised", "focus_flag",
        "customer_id",
    )  # fmt: skip
    eager = ("category", "customer.contacts", "appointment_slip", "executor", "cover")
    record_eager = ("rule", "submitter", "approver", "next_plan", "end_reason", "phone_call")
    search_through = "customer"
    look_columns = ("customer", "category", "purpose", "content", "planned_at", "executor")
    looks = {"review": ("customer", "purpose", "feedback", "next_plan", "recording", "executor")}
    quick = (
        Tab("due", _l("Due"), due),
        Tab("overdue", _l("Overdue calls"), overdue),
        Tab("open", _l("To be done"), _in(PlanState.APPROVED)),
        Tab("drafts", _l("Drafts and submitted"), _in(PlanState.DRAFT, PlanState.SUBMITTED)),
        Tab("done_today", _l("Done today"), done_today),
        Tab("done", _l("Done"), _in(PlanState.EXECUTED, PlanState.CLOSED)),
        Tab("all", _l("All")),
    )
    related = (
        Related(
            "followup_execution",
            "plan_id",
            _l("Calls carried out"),
            ("executed_at", "method", "reached", "feedback", "satisfaction", "abnormal_flag", "executor", "phone_call"),
            ("executor", "plan", "phone_call"),
        ),
        Related(
            "followup_review",
            "plan_id",
            _l("Reviews"),
            ("reviewed_at", "passed", "quality_score", "listened_recording", "comment", "reviewer"),
            ("reviewer", "plan"),
        ),
    )
    empty = _l("Nobody is to be called here. Plans come from rules, or from “Plan a follow-up”.")

    def cell(self, record: Any, name: str, by: Actor, *, plain: bool = False) -> Cell:
        """Show what the customer said, and the recording of the call to who may listen. R-2.22-3."""
        if name not in ("recording", "feedback"):
            return super().cell(record, name, by, plain=plain)
        if record.executed_at is None:
            return sound_cell(record.phone_call, by) if name == "recording" else Cell(NONE)
        known = g.get("followup_hearings", {})
        hearing = known.get(record.id) or hearing_of(db.session(), record, by)
        return recording_cell(hearing, by) if name == "recording" else cell_of(hearing.execution, "feedback", by)

    def before_look(self, records: Any, by: Actor) -> None:
        """Load at once what was said, and which recordings were heard."""
        done = [record for record in records if record.executed_at is not None]
        g.followup_hearings = hearings_of(db.session(), done, by)

    def banners(self, record: Any, by: Actor) -> list[tuple[str, str]]:
        """Say what to mind when calling her, and of a wish that she has not agreed to marketing. 1.2, L13."""
        told = []
        customer = record.customer
        if record.state is PlanState.APPROVED and customer is not None and customer.followup_note:
            told.append(("info", _("Mind when calling: %(note)s", note=customer.followup_note)))
        if record.state is PlanState.DRAFT and record.send_back_reason:
            told.append(("warn", _("Sent back: %(reason)s", reason=record.send_back_reason)))
        wishes = record.trigger in (BIRTHDAY, ANNIVERSARY) and customer is not None
        if wishes and not consented(db.session(), customer.id, ConsentPurpose.MARKETING, now()):
            told.append(("warn", _("She has not agreed to marketing: wish her well, and offer nothing.")))
        return told


class MyFollowupsView(FollowupPlanView):
    """临时计划回访: mine, and those that I cover."""

    canonical = False
    page = "my_followups"
    title = _l("My follow-up plans")
    head_acts = ("followup_plan.draft",)
    filters = ("state", "category_id", "planned_at", "origin", "is_promised", "focus_flag")

    def conditions(self, by: Actor) -> list[Any]:
        mine = (Plan.executor_id, Plan.cover_id, Plan.submitter_id)
        return [or_(*(column == by.employee_id for column in mine))]


class DepartmentFollowupsView(FollowupPlanView):
    """部门临时计划回访: my department's, to be approved and reviewed."""

    canonical = False
    page = "department_followups"
    title = _l("Department's follow-up plans")
    quick = (
        Tab("approval", _l("To be approved"), _in(PlanState.SUBMITTED)),
        Tab("review", _l("To be reviewed"), _in(PlanState.EXECUTED)),
        *FollowupPlanView.quick,
    )


class FollowupExecutionView(HouseView):
    """Calls carried out, each of a plan."""

    datamodel = HouseInterface(FollowupExecution)
    list_columns = ("plan", "executed_at", "method", "reached", "satisfaction", "abnormal_flag", "executor")
    filters = ("method", "executed_at", "abnormal_flag", "executor_id")
    order_columns = ("executed_at",)
    default_order = "executed_at"
    eager = ("plan.category", "executor")
    record_eager = ("doctor_plan", "appointment_slip", "phone_call")


class FollowupReviewView(HouseView):
    """Reviews of calls."""

    datamodel = HouseInterface(FollowupReview)
    list_columns = ("plan", "reviewed_at", "passed", "quality_score", "listened_recording", "is_case", "reviewer")
    filters = ("reviewed_at", "passed", "reviewer_id")
    order_columns = ("reviewed_at",)
    default_order = "reviewed_at"
    eager = ("plan.category", "reviewer")


class FollowupCaseView(HouseView):
    """案例: follow-ups to learn from, without whose they were. R-2.22-8."""

    datamodel = HouseInterface(FollowupCase)
    crumbs = (_l("Service workstation"), _l("Follow-up"))
    list_columns = ("title", "category", "about", "quality_score", "state")
    filters = ("category_id", "state", "quality_score")
    order_columns = ("title", "quality_score")
    show_sections = (
        (_l("Case"), ("title", "category", "about", "quality_score", "state")),
        (_l("What was done"), ("purpose", "guidance", "feedback", "lesson")),
    )
    eager = ("category",)
    quick = (
        Tab("published", _l("Published"), lambda by, now: FollowupCase.state == CaseState.PUBLISHED),
        Tab("drafts", _l("Drafts"), lambda by, now: FollowupCase.state == CaseState.DRAFT),
        Tab("all", _l("All")),
    )
    empty = _l("No cases yet. A supervisor makes one of a good call when she reviews it.")

    def conditions(self, by: Actor) -> list[Any]:
        """Who publishes cases sees drafts; everybody else those that were published."""
        if by.may("followup_case", "can_publish"):
            return []
        return [FollowupCase.state == CaseState.PUBLISHED]


class FollowupCategoryView(HouseView):
    """回访类别."""

    datamodel = HouseInterface(FollowupCategory)
    group, icon = "followups", "tags"
    list_columns = ("name", "name_en", "category_group", "supports", "is_marketing", "retired_at")
    form_columns = ("code", "name", "name_en", "category_group", "supports", "is_marketing", "position")
    add_only = ("code",)
    filters = ("category_group", "is_marketing")
    order_columns = ("position", "name")
    default_order = "position"
    descending = False
    quick = (
        Tab("in_use", _l("In use"), lambda by, now: FollowupCategory.retired_at.is_(None)),
        Tab("all", _l("All")),
    )


class FollowupRuleView(HouseView):
    """Rules that make plans by themselves. REF-8."""

    datamodel = HouseInterface(FollowupRule)
    group, icon = "system", "magic"
    list_columns = (
        "name",
        "name_en",
        "trigger",
        "days_text",
        "makes",
        "category",
        "executor_kind",
        "branch",
        "retired_at",
    )
    labels = {"days_text": _l("Days from the trigger")}
    computed = {"days_text": lambda rule: ", ".join(f"{days:+d}" if days else "0" for days in rule.offset_days)}
    choices = {
        "trigger": lambda: [(each.code, each.label) for each in TRIGGERS.values()],
        "festival": lambda: [(each.code, each.label) for each in FESTIVALS.values()],
        "executor_role": lambda: [(code, role.label) for code, role in ROLES.items()],
    }
    filters = ("trigger", "category_id", "branch_id")
    order_columns = ("name",)
    show_sections = (
        (_l("Rule"), ("code", "name", "name_en", "trigger", "days_text", "branch", "retired_at")),
        (_l("Plan"), ("category", "executor_kind", "executor_role", "purpose_template", "content_template")),
        (_l("Message"), ("makes", "message_template", "festival")),
    )
    eager = ("category", "branch")
    record_eager = ("message_template",)
    quick = (
        Tab("in_force", _l("In force"), lambda by, now: FollowupRule.retired_at.is_(None)),
        Tab("all", _l("All")),
    )


class FollowupCoverView(HouseView):
    """Who stands in for whom."""

    datamodel = HouseInterface(FollowupCover)
    crumbs = (_l("Service workstation"), _l("Follow-up"))
    list_columns = ("absent", "cover", "from_on", "until_on", "reason", "ended_at")
    filters = ("absent_id", "cover_id", "from_on")
    order_columns = ("from_on",)
    default_order = "from_on"
    eager = ("absent", "cover")
    quick = (
        Tab("open", _l("Now and to come"), lambda by, now: FollowupCover.ended_at.is_(None)),
        Tab("all", _l("All")),
    )


card(
    "my_followups",
    "due",
    _l("Calls due"),
    shows=Shows.ROWS,
    order=50,
    columns=("category", "customer", "planned_at"),
    sort="planned_at",
    menu=True,
)
card("my_followups", "overdue", _l("Overdue calls"), order=52, quiet=True, hot=True)
card("my_followups", "done_today", _l("Calls done today"), shows=Shows.COMPARED, order=54)
card(
    "department_followups",
    "approval",
    _l("Plans to be approved"),
    order=66,
    menu=True,
    needs=(("followup_plan", "can_approve"),),
)
card("department_followups", "review", _l("Calls to be reviewed"), order=68, needs=(("followup_plan", "can_review"),))
card("department_followups", "due", _l("Department's calls due"), order=70)
card("department_followups", "done_today", _l("Department's calls done today"), shows=Shows.COMPARED, order=74)
card("department_followups", "overdue", _l("Department's overdue calls"), order=72, quiet=True, hot=True)


def register(menu: Registrar) -> None:
    """Register this area's views."""
    menu.page(MyFollowupsView, group="followups", icon="telephone-outbound")
    menu.page(DepartmentFollowupsView, group="followups", icon="clipboard-check")
    followup_desk.register(menu)
    menu.page(FollowupCoverView, group="followups", icon="people")
    menu.page(FollowupCaseView, group="followups", icon="mortarboard")
    menu.page(FollowupPlanView)
    menu.page(FollowupExecutionView)
    menu.page(FollowupReviewView)
