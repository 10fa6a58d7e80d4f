"""Reports → My reports, My subscriptions: what comes by itself, and what came."""

from __future__ import annotations

from typing import Any

from flask import url_for

from app.actors import Actor
from app.models.subscriptions import DeliveryState, ReportDelivery, ReportSubscription, Weekday, report_label
from app.panel.describe import NONE, record_url
from app.panel.house_view import HouseView, Related, Tab
from app.panel.interface import HouseInterface
from app.panel.pages import Cell
from app.reports.base import REPORTS
from app.services import mail
from app.words import _, _l, listed


class ReportDeliveryView(HouseView):
    """我的报表: the reports that came to one, newest first."""

    datamodel = HouseInterface(ReportDelivery)
    group = "reports"
    icon = "inbox"
    title = _l("My reports")
    list_columns = ("report", "business_on", "state", "due_on", "made_at", "mail_state", "export_request")
    show_sections = (
        (_l("Subscribed report"), ("report", "business_on", "due_on", "made_at", "report_run", "subscription")),
        (_l("Mail and file"), ("mail_state", "mailed_at", "mail_said", "export_request")),
    )
    eager = ("export_request",)
    record_eager = ("report_run", "subscription", "export_request")
    order_columns = ("due_on", "business_on")
    quick = (
        Tab("all", _l("All")),
        Tab("missed", _l("Did not come"), lambda by, now: ReportDelivery.state == DeliveryState.STOPPED),
    )
    head_acts = ("report_subscription.subscribe",)
    intro = _l("What you have subscribed to lands here; open one to see it as it was made.")

    def cell(self, record: Any, name: str, by: Actor, *, plain: bool = False) -> Cell:
        """Return one shown value; the report leads to itself as it was made."""
        if name == "report":
            return Cell(report_label(record.report))
        if name in ("report_run", "made_at") and record.report_run_id is not None and record.report in REPORTS:
            shown = super().cell(record, name, by, plain=plain) if name == "made_at" else Cell(_("Open the report"))
            may = by.may(REPORTS[record.report].right, "can_list")
            url = url_for(f"{REPORTS[record.report].right}.stored", pk=record.report_run_id) if may else ""
            return Cell(shown.text, url=url)
        if name == "subscription":
            return Cell(
                f"{report_label(record.report)} ({record.subscription.period.label})",
                url=record_url("report_subscription", record.subscription_id),
            )
        return super().cell(record, name, by, plain=plain)


class ReportSubscriptionView(HouseView):
    """我的订阅: which reports come by themselves, when, until when."""

    datamodel = HouseInterface(ReportSubscription)
    group = "reports"
    icon = "calendar-check"
    title = _l("My subscriptions")
    list_columns = ("report", "period", "when", "active_from", "active_until", "file_format", "stopped_at")
    labels = {"when": _l("When")}
    computed = {"when": lambda wanted: when_words(wanted)}
    show_sections = (
        (_l("Report subscription"), ("report", "branch", "period", "when", "active_from", "active_until")),
        (_l("How it comes"), ("file_format", "reason", "mail_to")),
        (_l("Its end"), ("stopped_at", "stopped_why")),
    )
    record_eager = ("branch",)
    order_columns = ("active_from",)
    quick = (
        Tab("open", _l("In force"), lambda by, now: ReportSubscription.stopped_at.is_(None)),
        Tab("all", _l("All")),
    )
    related = (
        Related(
            "report_delivery",
            "subscription_id",
            _l("What came"),
            ("due_on", "business_on", "state", "made_at", "mail_state"),
        ),
    )
    head_acts = ("report_subscription.subscribe",)

    def cell(self, record: Any, name: str, by: Actor, *, plain: bool = False) -> Cell:
        """Return one shown value."""
        if name == "report":
            return Cell(report_label(record.report))
        return super().cell(record, name, by, plain=plain)

    def banners(self, record: Any, by: Actor) -> list[tuple[str, str]]:
        """Say that it has ended, and why; that mail is not set up."""
        if record.stopped_why is not None:
            return [("warn", _("It comes no more: %(why)s.", why=record.stopped_why.label))]
        if not mail.is_set_up():
            return [
                ("info", _("Mail is not set up in this house: the report comes into “My reports” and to the bell."))
            ]
        return []


def when_words(wanted: ReportSubscription) -> str:
    """Return on which days and at which time a report comes."""
    if len(wanted.weekdays) == len(Weekday):
        days = _("every day")
    else:
        days = listed(Weekday(day).label for day in sorted(wanted.weekdays))
    at = f"{wanted.send_at:%H:%M}" if wanted.send_at is not None else _("after the house's own reports")
    return f"{days}, {at}" if days else NONE
