"""回访工作台: a person's calls, worked from top to bottom: the list, the customer, the act. White paper 2.22."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from flask import abort, render_template, request, url_for
from flask_appbuilder import BaseView, expose

from app.actors import Actor
from app.acts import REGISTRY
from app.errors import NotPermitted
from app.extensions import db
from app.models.followup import FollowupPlan
from app.panel import acting
from app.panel.describe import acts_now, label_of, local_time, may_open_record, record_url
from app.panel.keys import keys_of
from app.panel.listing import whole_number
from app.panel.pages import Cell, DeskLater, DeskPage, DeskPlan, DeskRow, Fact, Link
from app.panel.person import me, now
from app.panel.registry import Registrar
from app.services.contacting import MOST_CALLS, QUIET_FROM, QUIET_UNTIL
from app.services.followup.calling import why_not
from app.services.followup.working import Call, Calls, Clocks, Rank, call_of, calls_of, day_of, days_ahead
from app.services.settings import read_together
from app.views.followup_person import person_of
from app.words import _, _l, _n

#: So many rows at first, and so many more on request.
STEP = 50
MOST_ROWS = 2000
MAX_ID = 10**10
WHY: dict[Rank, tuple[object, str]] = {
    Rank.PROMISED: (_l("Promised for now"), "bad"),
    Rank.OVERDUE: (_l("Past its day"), "warn"),
    Rank.FOCUS: (_l("Focus"), "info"),
    Rank.TODAY: (_l("Today"), "mute"),
}
FACTS = ("purpose", "content", "guidance", "planned_at", "executor", "approver", "appointment_slip")
LONG = frozenset({"purpose", "content", "guidance"})
#: The acts on a plan that take it off the list: the next call opens after them.
AWAY = ("reschedule", "hand_over", "cancel")


class FollowupDesk(BaseView):
    """The working list."""

    default_view = "list"
    base_permissions = ["can_list"]
    page = "followup_desk"
    route_base = "/followup_desk"
    class_permission_name = "followup_desk"
    title = _l("Follow-up desk")
    crumbs = (_l("Service workstation"), _l("Follow-up"))

    def create_blueprint(self, appbuilder: Any, endpoint: str | None = None, static_folder: str | None = None) -> Any:
        return super().create_blueprint(appbuilder, endpoint or self.page, static_folder)

    @expose("/list/")
    def list(self) -> str:
        """Show the list and its open call; to the desk's own script what stands in the page, without its frame."""
        by = me()
        if not by.may(self.page, "can_list"):
            raise NotPermitted
        if set(request.args) - {"plan", "shown", "_l_"}:
            abort(400)
        wanted = whole_number(request.args.get("plan", "0"), MAX_ID)
        shown = min(max(STEP, whole_number(request.args.get("shown", str(STEP)), MAX_ID)), MOST_ROWS)
        page = _page(by, now(), wanted, shown)
        if request.headers.get("X-Place") == "desk":
            return render_template("pages/followup/_desk.html", page=replace(page, is_part=True))
        return render_template("pages/followup/desk.html", page=page, appbuilder=self.appbuilder)


def _url(plan_id: int | None, shown: int) -> str:
    asked = {"plan": plan_id, "shown": shown if shown > STEP else None}
    return url_for("followup_desk.list", **{name: value for name, value in asked.items() if value is not None})


def _page(by: Actor, at: datetime, wanted: int, shown: int) -> DeskPage:
    """Gather the list, and the call that was asked for; the first one if that does not wait any more."""
    with read_together(db.session(), (QUIET_FROM, QUIET_UNTIL, MOST_CALLS), branch_id=by.branch_id, at=at):
        listed = calls_of(db.session(), by, at, most=shown)
        plan = next((call.plan for call in listed.calls if call.plan.id == wanted), None)
        if plan is None and wanted:
            plan = call_of(db.session(), by, at, wanted)
        if plan is None and listed.calls:
            plan = listed.calls[0].plan
        return _laid_out(by, at, listed, plan, shown)


def _laid_out(by: Actor, at: datetime, listed: Calls, plan: FollowupPlan | None, shown: int) -> DeskPage:
    here, onwards = _url(plan.id if plan is not None else None, shown), _url(_next_id(listed, plan), shown)
    page = DeskPage(
        title=str(FollowupDesk.title),
        crumbs=[Link(str(crumb), "") for crumb in FollowupDesk.crumbs],
        url=here,
        total_text=_n("%(num)s call", "%(num)s calls", listed.total),
        due_at=_next_promise(listed, at),
        keys=keys_of("desk"),
    )
    if plan is None:
        return page
    clocks = Clocks(db.session(), plan.branch, at) if by.may("followup_plan", "can_reschedule") else None
    page = replace(
        page,
        rows=[_row(call, by, shown, clocks, plan) for call in listed.calls],
        more_url=_url(plan.id, shown + STEP) if listed.after is not None else "",
        plan=_plan(plan, by, at, here, onwards),
    )
    if clocks is None:
        return page
    return replace(
        page,
        later=_later(by, at, plan, clocks),
        put_url=_put_url(plan, onwards),
        put=[*acting.hidden_inputs(plan), *([("is_promised", "1")] if plan.is_promised else [])],
    )


def _next_id(listed: Calls, plan: FollowupPlan | None) -> int | None:
    """Return the call after the open one, before it if that is the last; None if there is no other."""
    ids = [call.plan.id for call in listed.calls] + ([listed.after] if listed.after is not None else [])
    if plan is None or plan.id not in ids:
        return ids[0] if ids else None
    at = ids.index(plan.id)
    return ids[at + 1] if at + 1 < len(ids) else (ids[0] if at else None)


def _next_promise(listed: Calls, at: datetime) -> str:
    ahead = [call.plan.planned_at for call in listed.calls if call.plan.is_promised and call.plan.planned_at > at]
    return min(ahead).isoformat() if ahead else ""


def _put_url(plan: FollowupPlan, onwards: str) -> str:
    return f"{url_for('followup_plan.act_on', pk=plan.id, name='reschedule')}?{urlencode({'back': onwards})}"


def _row(call: Call, by: Actor, shown: int, clocks: Clocks | None, open_plan: FollowupPlan) -> DeskRow:
    plan, (label, tone) = call.plan, WHY[call.rank]
    return DeskRow(
        plan.id,
        _url(plan.id, shown),
        str(plan.customer or plan.contact_record),
        " · ".join(part for part in (str(plan.category), plan.purpose) if part),
        _when(plan, by, now()),
        Cell(str(label), tone=tone),
        url_for("followup_plan.act_on", pk=plan.id, name="reschedule") if clocks is not None else "",
        f"{clocks.clock(plan):%H:%M}" if clocks is not None else "",
        plan.row_version,
        plan.is_promised,
        plan.id == open_plan.id,
    )


def _when(plan: FollowupPlan, by: Actor, at: datetime) -> str:
    """Return the hour of a call of today, the day of an earlier one."""
    local = plan.planned_at.astimezone(by.timezone)
    return f"{local:%H:%M}" if plan.planned_at >= day_of(by, at)[0] else f"{local:%m-%d}"


def _later(by: Actor, at: datetime, plan: FollowupPlan, clocks: Clocks) -> list[DeskLater]:
    return [
        DeskLater(str(number), str(later.label), day.isoformat(), clocks.written(plan, day))
        for number, (later, day) in enumerate(days_ahead(by, at), start=1)
    ]


def _plan(plan: FollowupPlan, by: Actor, at: datetime, here: str, onwards: str) -> DeskPlan:
    act = REGISTRY.find("followup_plan", "execute")
    assert act is not None
    is_hers = act in acts_now(plan, by)
    badges = [Cell(str(plan.category), tone="mute")]
    badges += [Cell(_("Promised"), tone="bad")] if plan.is_promised else []
    badges += [Cell(_("Focus"), tone="info")] if plan.focus_flag else []
    title = Link(plan.plan_no, record_url("followup_plan", plan.id) if may_open_record(plan, by) else "")
    return DeskPlan(
        key=plan.id,
        title=title,
        badges=badges,
        facts=[fact for name in FACTS if (fact := _fact(plan, name, by)).cell.text],
        notes=_notes(plan, by, at),
        acts=[
            replace(button, url=f"{button.url}?{urlencode({'back': onwards})}")
            for button in acting.buttons_of(plan, by)
            if button.name in AWAY
        ],
        form=acting.page_here(act, plan, onwards) if is_hers else None,
        person=person_of(plan, by, at, here) if plan.customer is not None else None,
    )


def _fact(plan: FollowupPlan, name: str, by: Actor) -> Fact:
    value = getattr(plan, name)
    text = "" if value is None else local_time(value, by) if isinstance(value, datetime) else str(value)
    if name == "executor" and plan.cover is not None:
        text = _("%(who)s, covered by %(cover)s", who=text, cover=plan.cover)
    url = record_url("appointment_slip", value.id) if name == "appointment_slip" and value else ""
    url = url if url and may_open_record(value, by) else ""
    return Fact(
        label_of(FollowupPlan, name if name in _COLUMNS else f"{name}_id"), Cell(text, url=url, wide=name in LONG)
    )


_COLUMNS = frozenset({"purpose", "content", "guidance", "planned_at"})


def _notes(plan: FollowupPlan, by: Actor, at: datetime) -> list[tuple[str, str]]:
    """Say what speaks against a call just now, and who called where nobody is known."""
    said = why_not(db.session(), plan, at)
    told = [("warn", said)] if said is not None else []
    if plan.customer is None and plan.contact_record is not None:
        told.append(("info", _("Nobody is known by this number yet: %(record)s.", record=plan.contact_record)))
    return told


def register(menu: Registrar) -> None:
    """Register this area's views."""
    menu.page(FollowupDesk, group="followups", icon="headset")
