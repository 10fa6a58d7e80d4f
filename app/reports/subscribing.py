"""Wanting a report again and again: the acts subscribe, change and stop. Decision 0035.

Everybody subscribes for herself alone, to what she may see; whether she still may is asked again on each day.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session
from wtforms import Form
from wtforms.validators import StopValidation

from app.actors import Actor, Reach
from app.acts import Outcome, act
from app.errors import InvalidInput, Refusal
from app.fields import Choose, ChooseMany, Clock, Day, HouseForm, Pick, Words
from app.models.privacy import FileFormat
from app.models.subscriptions import Period, ReportSubscription, Stopping, Weekday, report_label
from app.reports.base import REPORTS, MonthAndBranch, Report
from app.services import mail, notices
from app.services.hr import own_branch
from app.words import _, _l, locale_in_force

ADDRESS = re.compile(r"[^\s@<>\"',;:\\]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+")
DAYS = (Period.TODAY, Period.YESTERDAY)
MONTHS = (Period.THIS_MONTH, Period.LAST_MONTH)


class ReportName(str):
    """A report as one chooses it: its name, called by its label."""

    @property
    def value(self) -> str:
        return str(self)

    @property
    def label(self) -> object:
        return REPORTS[self].label


class _ReportNames:
    """The declared reports, in the manner of an enumeration; asked late, when all of them are declared."""

    def __init__(self) -> None:
        self._known: dict[str, ReportName] = {}

    def __iter__(self) -> Iterator[ReportName]:
        return iter([self(name) for name in REPORTS])

    def __call__(self, name: str) -> ReportName:
        if name not in REPORTS:
            raise ValueError(name)
        return self._known.setdefault(name, ReportName(name))


class ChooseReport(Choose):
    """One of the reports that the reader may list."""

    def iter_choices(self) -> Any:
        may = [name for name in self.only if may_read(REPORTS[name], self.meta.context.actor)]  # type: ignore[index]
        self.only = tuple(may)
        return super().iter_choices()

    def pre_validate(self, form: Form) -> None:
        if self.data is not None and not may_read(REPORTS[self.data], self.meta.context.actor):
            raise StopValidation(_("Not a valid choice."))


def may_read(report: Report, by: Actor | None) -> bool:
    """Say whether somebody may read a report."""
    return by is not None and by.may(report.right, "can_list")


class _MailHint:
    """Says beside the address whether mail is set up here."""

    def __str__(self) -> str:
        if mail.is_set_up():
            return _("Empty: no mail. A mail holds the report's name and a link.")
        return _("Mail is not set up in this house: the report comes into “My reports” and to the bell.")


class Which(HouseForm):
    """Which report, of which branch."""

    report = ChooseReport(_l("Report"), options=_ReportNames(), required=True)
    branch_id = Pick(_l("Branch"), table="branch", description=_l("Empty: your own."))


class Changing(HouseForm):
    """What of a subscription may change: everything but the report."""

    period = Choose(_l("About"), options=Period, required=True)
    weekdays = ChooseMany(_l("On these days"), options=Weekday, required=True, default=[*Weekday])
    send_at = Clock(
        _l("Time"), description=_l("Empty: as soon as the house's own reports of the day are due."), required=False
    )
    active_from = Day(_l("First day"), description=_l("Empty: from today."))
    active_until = Day(_l("Last day"), description=_l("Empty: until you stop it."))
    file_format = Choose(
        _l("Also as a file"),
        options=FileFormat,
        description=_l("It counts as an export and lands in my files."),
    )
    reason = Words(_l("Why a file is needed"), most=500, least=2)
    mail_to = Words(_l("Mail address"), most=200, sensitive=True, description=_MailHint())


class Wanting(Which, Changing):
    """A report that is to come by itself."""


@act(
    ReportSubscription,
    "subscribe",
    _l("Send me this every day"),
    form=Wanting,
    creates=True,
    from_address=("report", "period"),
    icon="calendar-check",
    consequence=_l("It is made with your rights of that day, and comes into “My reports” and to the bell."),
)
def subscribe(
    session: Session, *, report: str, branch_id: int | None, by: Actor, at: datetime, **wanted: Any
) -> Outcome:
    """Subscribe to a report for oneself.

    Refuses what one may not see oneself, a program with an API key, and the same wish a second time.
    """
    _refuse_programs(by)
    branch = branch_id or own_branch(session, by).id
    if branch != by.branch_id and by.reach("report_run") < Reach.GROUP:
        raise InvalidInput({"branch_id": [_("Not a valid choice.")]})
    own = select(ReportSubscription).where(
        ReportSubscription.employee_id == by.employee_id,
        ReportSubscription.report == str(report),
        ReportSubscription.branch_id == branch,
        ReportSubscription.period == wanted["period"],
        ReportSubscription.stopped_at.is_(None),
    )
    if session.scalars(own.limit(1)).first() is not None:
        raise Refusal(_("You have subscribed to this already; change that subscription instead."))
    made = ReportSubscription(
        employee_id=by.employee_id, branch_id=branch, report=str(report), locale=locale_in_force(), wanted_since=at
    )
    _write(made, by=by, at=at, **wanted)
    session.add(made)
    session.flush()
    return Outcome(result=made)


def _is_over(subscription: ReportSubscription, by: Actor) -> object | None:
    return _("This subscription has been stopped.") if subscription.stopped_at is not None else None


@act(
    ReportSubscription,
    "change",
    _l("Change"),
    form=Changing,
    guard=_is_over,
    icon="pencil",
    prefill=(
        "period", "weekdays", "send_at", "active_from", "active_until", "file_format", "reason", "mail_to"
    ),
)  # fmt: skip
def change(session: Session, subscription: ReportSubscription, *, by: Actor, at: datetime, **wanted: Any) -> None:
    """Change when a report comes and what it is about; what came already stays."""
    _refuse_programs(by)
    _write(subscription, by=by, at=at, **wanted)
    subscription.wanted_since = at


@act(
    ReportSubscription,
    "stop",
    _l("Stop"),
    guard=_is_over,
    icon="stop-circle",
    many=True,
    consequence=_l("It comes no more; what came already stays."),
)
def stop(session: Session, subscription: ReportSubscription, *, by: Actor, at: datetime) -> None:
    """Stop a subscription of one's own."""
    subscription.stopped_at, subscription.stopped_why = at, Stopping.WISH


def _refuse_programs(by: Actor) -> None:
    """Refuse a key: the report would come with all the rights of its person, and not with those of the key."""
    if by.key_id is not None:
        raise Refusal(_("A person has to subscribe for herself, no API key."))


def _write(
    subscription: ReportSubscription,
    *,
    by: Actor,
    at: datetime,
    period: Period,
    weekdays: Sequence[Weekday],
    send_at: time | None,
    active_from: date | None,
    active_until: date | None,
    file_format: FileFormat | None,
    reason: str | None,
    mail_to: str | None,
) -> None:
    """Write what is wanted, once all of it fits together."""
    report = REPORTS.get(subscription.report)
    if report is None:
        raise Refusal(_("This version does not know this report. Please stop the subscription."))
    since = active_from or at.astimezone(by.timezone).date()
    wrong: dict[str, list[str]] = {}
    if period not in fitting(report):
        wrong["period"] = [_("This report is not about such a time.")]
    if active_until is not None and active_until < since:
        wrong["active_until"] = [_("This day lies before the first one.")]
    if file_format is not None and not by.may(report.right, "can_export"):
        wrong["file_format"] = [_("You may not export this report.")]
    if file_format is not None and reason is None:
        wrong["reason"] = [_("Why is it exported? 2 to 500 characters, please.")]
    if mail_to is not None and not ADDRESS.fullmatch(mail_to):
        wrong["mail_to"] = [_("This is not a mail address.")]
    elif mail_to is not None and not mail.is_set_up():
        wrong["mail_to"] = [_("Mail is not set up in this house: please leave this empty.")]
    if wrong:
        raise InvalidInput(wrong)
    subscription.period, subscription.weekdays = period, [day.value for day in weekdays]
    subscription.send_at, subscription.active_from, subscription.active_until = send_at, since, active_until
    subscription.file_format, subscription.reason, subscription.mail_to = file_format, reason, mail_to


def fitting(report: Report) -> tuple[Period, ...]:
    """Return which times a report can be about: days or months."""
    return MONTHS if issubclass(report.params, MonthAndBranch) else DAYS


notices.FACT_WORDS["report_name"] = report_label
notices.FACT_WORDS["stopped_why"] = lambda why: str(Stopping(why).label)
