"""服务工作站 → 回访管理. White paper 2.1.4."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from app.actors import Actor
from app.extensions import db
from app.models.followup import FollowupPlan, PlanState
from app.models.privacy import ConsentPurpose
from app.panel.cards import Shows, card
from app.panel.house_view import HouseView, Sub, Tab
from app.panel.interface import HouseInterface
from app.panel.person import now
from app.panel.registry import Registrar
from app.services.followup import ANNIVERSARY, BIRTHDAY
from app.services.privacy.consents import consented
from app.words import _, _l


def _due(by: Actor, at: datetime) -> Any:
    today = at.astimezone(by.timezone).date()
    return (FollowupPlan.state == PlanState.APPROVED) & (FollowupPlan.planned_on <= today)


class FollowupPlanView(HouseView):
    """Calls to be made."""

    datamodel = HouseInterface(FollowupPlan)
    crumbs = (_l("Service workstation"), _l("Follow-up"))
    list_columns = ("category", "planned_on", "state", "customer", "appointment_slip", "executor")
    show_sections = (
        (
            _l("Plan"),
            ("category", "planned_on", "executor", "purpose", "customer", "appointment_slip", "contact_record"),
        ),
        (_l("What became of it"), ("executed_at", "feedback")),
    )
    subs = {"customer": Sub("customer.phone_masked")}
    order_columns = ("planned_on",)
    default_order = "planned_on"
    descending = False
    filters = ("state", "category_id", "executor_id", "planned_on")
    eager = ("category", "customer.contacts", "appointment_slip", "executor")
    record_eager = ("contact_record",)
    search_through = "customer"
    quick = (
        Tab("due", _l("Due"), _due),
        Tab("open", _l("To be done"), lambda by, now: FollowupPlan.state == PlanState.APPROVED),
        Tab("all", _l("All")),
    )

    def banners(self, record: Any, by: Actor) -> list[tuple[str, str]]:
        """Say of a wish that she has not agreed to marketing: then no offer goes with it. L13."""
        if record.rule not in (BIRTHDAY, ANNIVERSARY) or record.customer_id is None:
            return []
        if consented(db.session(), record.customer_id, ConsentPurpose.MARKETING, now()):
            return []
        return [("warn", _("She has not agreed to marketing: wish her well, and offer nothing."))]


class MyFollowupsView(FollowupPlanView):
    """临时计划回访: mine."""

    canonical = False
    page = "my_followups"
    title = _l("My follow-up plans")

    def conditions(self, by: Actor) -> list[Any]:
        return [FollowupPlan.executor_id == by.employee_id]


class DepartmentFollowupsView(FollowupPlanView):
    """部门临时计划回访: my department's."""

    canonical = False
    page = "department_followups"
    title = _l("Department's follow-up plans")


card(
    "my_followups",
    "due",
    _l("Calls due"),
    shows=Shows.ROWS,
    order=50,
    columns=("category", "customer", "planned_on"),
    sort="planned_on",
    menu=True,
)
card("department_followups", "due", _l("Department's calls due"), order=70, menu=True)


def register(menu: Registrar) -> None:
    """Register this area's views."""
    menu.page(MyFollowupsView, group="followups", icon="telephone-outbound")
    menu.page(DepartmentFollowupsView, group="followups", icon="clipboard-check")
    menu.page(FollowupPlanView)
