"""The workbench, the search box, the language, and the sign of life."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

from flask import abort, current_app, jsonify, make_response, redirect, render_template, request, session, url_for
from flask_appbuilder import expose
from flask_appbuilder.views import IndexView
from flask_babel import refresh
from sqlalchemy import func, or_, select
from sqlalchemy.exc import DBAPIError
from werkzeug.wrappers import Response

from app.actors import Actor
from app.acts import REGISTRY
from app.extensions import db
from app.models.appointments import AppointmentSlip, ContactRecord, SlipState
from app.models.followup import FollowupPlan, PlanState
from app.panel import acting
from app.panel.describe import record_url
from app.panel.house_view import views
from app.panel.listing import MAX_QUERY
from app.panel.pages import Card, HomePage
from app.panel.person import me, now
from app.panel.theme import THEMES, keep_theme
from app.services.customers import search
from app.services.scope import in_scope
from app.views.supplements import Request as SupplementRequest
from app.views.supplements import waiting_for
from app.words import _

ROWS = 8


class HomeView(IndexView):
    """What waits for me now, and today's numbers beside yesterday's."""

    route_base = ""
    default_view = "index"

    @expose("/")
    def index(self) -> str:
        by = me()
        page = HomePage(
            title=_("Workbench"),
            greeting=_("Hello, %(name)s", name=by.display_name),
            cards=_cards(by),
            lists=_lists(by),
            acts=[
                acting.button(act)
                for act in REGISTRY
                if act.creates and act.main and by.may(act.table, act.permission) and by.employee_id is not None
            ],
        )
        return render_template("panel/home.html", page=page, appbuilder=self.appbuilder)

    @expose("/search")
    def search(self) -> Any:
        """Open what was typed or scanned: one slip or customer at once, several as a list."""
        by = me()
        words = request.args.get("q", "").strip()
        if len(words) > MAX_QUERY or any(ord(char) < 32 for char in words):
            abort(400)
        slip = _slip_by_number(words, by) if by.may("appointment_slip", "can_show") else None
        if slip is not None:
            return redirect(record_url("appointment_slip", slip.id))
        if not by.may("customer", "can_list"):
            abort(404)
        found = search(db.session(), words, by, most=2) if words else []
        if len(found) == 1:
            return redirect(record_url("customer", found[0].id))
        return redirect(url_for("customer.list", q=words))

    @expose("/language/<string:locale>")
    def language(self, locale: str) -> Response:
        """Switch this session's language and go back to where one was."""
        if locale not in current_app.config["LANGUAGES"]:
            abort(404)
        session["locale"] = locale
        refresh()
        return _back()

    @expose("/theme", methods=["POST"])
    def theme(self) -> Response:
        """Keep how the pages look for this person on this screen, and go back to where one was."""
        name = request.form.get("theme", "")
        if name not in THEMES:
            abort(400)
        answer = _back()
        keep_theme(answer, name)
        return answer

    @expose("/alive")
    def alive(self) -> Response:
        """Say that the worker runs and reaches its database, else 503; for the operator's monitor."""
        try:
            db.session().execute(select(1))
        except DBAPIError:
            return make_response(jsonify(alive=False), 503)
        return jsonify(alive=True)


def _back() -> Response:
    back = request.referrer or ""
    return redirect(back if back.startswith(request.host_url) else url_for("HomeView.index"))


def _slip_by_number(words: str, by: Actor) -> AppointmentSlip | None:
    bare = "".join(char for char in words.upper() if char.isalnum())
    if len(bare) < 8:
        return None
    number = func.replace(AppointmentSlip.slip_no, "-", "")
    return db.session().scalars(in_scope(AppointmentSlip, by).where(number == bare)).one_or_none()


# --- the cards ---------------------------------------------------------------------------------------------------


def _bounds(day: date, by: Actor) -> tuple[datetime, datetime]:
    start = datetime.combine(day, time.min, by.timezone)
    return start, datetime.combine(day + timedelta(days=1), time.min, by.timezone)


def _cards(by: Actor) -> list[Card]:
    cards = []
    if by.may("contact_record", "can_list"):
        cards.append(_compared(by, _("Contacts today"), ContactRecord, ContactRecord.contacted_at))
    if by.may("appointment_slip", "can_list"):
        cards += [
            _compared(by, _("Slips placed today"), AppointmentSlip, AppointmentSlip.ordered_at, COUNTED),
            _compared(by, _("Arrivals today"), AppointmentSlip, AppointmentSlip.arrived_at, COUNTED),
            _awaited_today(by),
        ]
    return cards


#: Supplementary slips are counted apart, in their ledger. R-2.1.3-5.
COUNTED = AppointmentSlip.is_supplement.is_(False)


def _compared(by: Actor, label: str, model: Any, column: Any, *counted: Any) -> Card:
    """Return a count of today beside yesterday and the same weekday, in one statement."""
    today = now().astimezone(by.timezone).date()
    days = {"today": today, "yesterday": today - timedelta(days=1), "week": today - timedelta(days=7)}
    within = {}
    for name, day in days.items():
        start, end = _bounds(day, by)
        within[name] = (column >= start) & (column < end)
    statement = (
        in_scope(model, by)
        .where(or_(*within.values()), *counted)
        .with_only_columns(*(func.count().filter(condition).label(name) for name, condition in within.items()))
    )
    row = db.session().execute(statement).one()
    note = _("yesterday %(yesterday)s, a week ago %(week)s", yesterday=row.yesterday, week=row.week)
    return Card(label, str(row.today), note)


def _awaited_today(by: Actor) -> Card:
    start, end = _bounds(now().astimezone(by.timezone).date(), by)
    statement = (
        in_scope(AppointmentSlip, by)
        .where(AppointmentSlip.state == SlipState.PENDING)
        .where(AppointmentSlip.appointed_at >= start, AppointmentSlip.appointed_at < end)
        .with_only_columns(func.count())
    )
    count = db.session().scalar(statement) or 0
    url = url_for("department_slips.list", tab="today") if by.may("department_slips", "can_list") else ""
    return Card(_("Still awaited today"), str(count), "", url)


def _lists(by: Actor) -> list[Card]:
    lists = []
    table = SupplementRequest.__tablename__
    if by.may(table, "can_approve") or by.may(table, "can_execute"):
        lists.append(_waiting_supplements(by))
    if by.may("appointment_slip", "can_list"):
        lists.append(_next_slips(by))
    if by.may("followup_plan", "can_list"):
        lists.append(_due_plans(by))
    return lists


def _waiting_supplements(by: Actor) -> Card:
    """Return the requests for supplementary slips that wait for this person, the oldest first."""
    view = views()[SupplementRequest.__tablename__]
    statement = view.datamodel.statement(by, [waiting_for(by, now())])
    records = view.datamodel.page(
        db.session(), statement, order=[SupplementRequest.requested_at.asc()], page=0, size=ROWS, eager=view.eager
    )
    columns = ("request_no", "state", "customer", "requested_by")
    url = url_for(f"{SupplementRequest.__tablename__}.list", tab="waiting")
    return Card(
        _("Supplementary slips waiting for you"), url=url, rows=[view.row_of(record, by, columns) for record in records]
    )


def _next_slips(by: Actor) -> Card:
    view = views()["appointment_slip"]
    start, _end = _bounds(now().astimezone(by.timezone).date(), by)
    statement = view.datamodel.statement(
        by, [AppointmentSlip.state == SlipState.PENDING, AppointmentSlip.appointed_at >= start]
    )
    records = view.datamodel.page(
        db.session(), statement, order=[AppointmentSlip.appointed_at.asc()], page=0, size=ROWS, eager=view.eager
    )
    columns = ("slip_no", "customer", "appointed_at", "owner")
    url = url_for("department_slips.list", tab="awaited") if by.may("department_slips", "can_list") else ""
    return Card(_("Next appointments"), url=url, rows=[view.row_of(record, by, columns) for record in records])


def _due_plans(by: Actor) -> Card:
    view = views()["followup_plan"]
    today = now().astimezone(by.timezone).date()
    statement = view.datamodel.statement(
        by, [FollowupPlan.state == PlanState.APPROVED, FollowupPlan.planned_on <= today]
    )
    records = view.datamodel.page(
        db.session(), statement, order=[FollowupPlan.planned_on.asc()], page=0, size=ROWS, eager=view.eager
    )
    columns = ("category", "customer", "planned_on")
    url = url_for("my_followups.list") if by.may("my_followups", "can_list") else ""
    return Card(_("Calls due"), url=url, rows=[view.row_of(record, by, columns) for record in records])
