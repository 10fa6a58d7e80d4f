"""Subscribed reports as they come: when they are due, made as the subscriber, told by notice and by mail.

Decision 0035.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.actors import Actor, Reach
from app.errors import NotPermitted, Refusal
from app.models.audit import ReportRun
from app.models.base import METADATA
from app.models.hr import Branch
from app.models.privacy import ExportState
from app.models.subscriptions import (
    DeliveryState,
    MailState,
    Period,
    ReportDelivery,
    ReportSubscription,
    Stopping,
    report_label,
)
from app.reports.base import REPORTS, Asked
from app.reports.runs import make
from app.reports.subscribing import may_read
from app.services import mail
from app.services.files import content_of
from app.services.guard import crossing
from app.services.hr import actor_for_user
from app.services.notices import KINDS, tell
from app.services.privacy.exports import MEDIA, Wanted, ask
from app.services.settings import DAILY_REPORT_AT, value_of
from app.services.tasks import TaskRun, TryAgain, enqueue, task
from app.services.tasks.running import MOST_FAILURES
from app.words import _, _l, force_locale

DELIVER, MAIL = "reports.deliver", "reports.mail"
#: How long a report that the house makes every day is waited for before it goes out without.
WAITS = timedelta(hours=2)
NOON = time(12)
#: Pauses before mail is tried again: after the first attempt, the second, …
MAIL_PAUSES = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=20), timedelta(hours=1))

KINDS["report_came"] = _l("The report %(report_name)s of %(day)s has come.")
KINDS["subscription_stopped"] = _l("The report %(report_name)s comes no more: %(stopped_why)s.")
KINDS["report_mail_failed"] = _l("The mail about the report %(report_name)s of %(day)s could not be sent: %(why)s")


# --- when --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Due:
    """A day on which a subscription comes, and the moment from which it does."""

    on: date
    at: datetime


def due_days(wanted: ReportSubscription, now: datetime, zone: ZoneInfo, house_at: time) -> Iterator[Due]:
    """Yield the days of a subscription that are due by now: yesterday's too, if nobody was there to make it.

    A day counts if its weekday is wanted, it lies within the time wanted, its moment has come and came after the
    subscription was made or changed: who subscribes at noon to a report of eight o'clock gets it from tomorrow on.
    """
    if wanted.stopped_at is not None:
        return
    today = now.astimezone(zone).date()
    for on in (today - timedelta(days=1), today):
        at = datetime.combine(on, wanted.send_at or house_at, zone)
        is_wanted = str(on.isoweekday()) in wanted.weekdays and wanted.active_from <= on
        is_over = wanted.active_until is not None and on > wanted.active_until
        if is_wanted and not is_over and wanted.wanted_since < at <= now:
            yield Due(on, at)


def business_day(period: Period, on: date) -> date:
    """Return the day, or the first day of the month, that a report is about if it comes on a day."""
    first = on.replace(day=1)
    return {
        Period.TODAY: on,
        Period.YESTERDAY: on - timedelta(days=1),
        Period.THIS_MONTH: first,
        Period.LAST_MONTH: (first - timedelta(days=1)).replace(day=1),
    }[period]


def deliver_due(session: Session, *, now: datetime) -> tuple[int, int]:
    """Ask for every subscribed report that is due, each once; return how many, and how many subscriptions ended.

    Called by a job, in its transaction: the row of the day and the task that makes the report come together.
    """
    asked = stopped = 0
    branches = {branch.id: branch for branch in session.scalars(select(Branch))}
    clocks = {key: value_of(session, DAILY_REPORT_AT, branch_id=key, at=now) for key in branches}
    open_ones = (
        select(ReportSubscription).where(ReportSubscription.stopped_at.is_(None)).order_by(ReportSubscription.id)
    )
    for wanted in session.scalars(open_ones.with_for_update(skip_locked=True)).all():
        house_at = clocks[wanted.branch_id]
        for due in due_days(wanted, now, ZoneInfo(branches[wanted.branch_id].zone), house_at):
            if _waits_for_house(session, wanted, due, house_at, now) or (new := _claim(session, wanted, due)) is None:
                continue
            by = subscriber(session, wanted)
            why = hindrance(wanted, by)
            if why is not None or by is None:
                _end(session, wanted, new, why or Stopping.LEFT, now)
                stopped += 1
                break
            with force_locale(wanted.locale):
                told = {"delivery_id": new.id}
                subject = (ReportDelivery.__tablename__, new.id)
                made = enqueue(session, DELIVER, told, by=by, at=now, key=f"delivery:{new.id}", subject=subject)
            new.task_id = made.id
            asked += 1
    return asked, stopped


def _waits_for_house(session: Session, wanted: ReportSubscription, due: Due, house_at: time, now: datetime) -> bool:
    """Say whether a report that comes after the house's own run still waits for that one."""
    report = REPORTS.get(wanted.report)
    if wanted.send_at is not None or report is None or not report.daily or now - due.at > WAITS:
        return False
    closes = due.on - timedelta(days=1) if house_at < NOON else due.on
    run = select(ReportRun.id).where(
        ReportRun.report == wanted.report,
        ReportRun.branch_id == wanted.branch_id,
        ReportRun.business_on == closes,
        ReportRun.made_by_job.is_not(None),
    )
    return session.scalar(run.limit(1)) is None


def _claim(session: Session, wanted: ReportSubscription, due: Due) -> ReportDelivery | None:
    """Return the row of a subscription's day, or None if that day was taken up before."""
    made = session.scalar(
        insert(ReportDelivery)
        .values(
            subscription_id=wanted.id,
            employee_id=wanted.employee_id,
            report=wanted.report,
            due_on=due.on,
            business_on=business_day(wanted.period, due.on),
            state=DeliveryState.WAITING,
        )
        .on_conflict_do_nothing(index_elements=["subscription_id", "due_on"])
        .returning(ReportDelivery.id)
    )
    return None if made is None else session.get_one(ReportDelivery, made)


def subscriber(session: Session, wanted: ReportSubscription) -> Actor | None:
    """Return the subscriber with the rights that she has now; None if she has left or her login is closed."""
    user_id = wanted.employee.user_id
    if user_id is None:
        return None
    user = METADATA.tables["ab_user"]
    if not session.scalar(select(user.c.active).where(user.c.id == user_id)):
        return None
    by = actor_for_user(session, user_id, wanted.employee.name)
    return by if by.employee_id == wanted.employee_id else None


def hindrance(wanted: ReportSubscription, by: Actor | None) -> Stopping | None:
    """Return why a report does not come to its subscriber any more; None if it does."""
    report = REPORTS.get(wanted.report)
    if report is None:
        return Stopping.REPORT
    if by is None:
        return Stopping.LEFT
    elsewhere = wanted.branch_id != by.branch_id and by.reach("report_run") < Reach.GROUP
    return Stopping.RIGHTS if elsewhere or not may_read(report, by) else None


def _end(session: Session, wanted: ReportSubscription, of_day: ReportDelivery, why: Stopping, at: datetime) -> None:
    """Stop a subscription that cannot be served, and say why."""
    of_day.become(DeliveryState.STOPPED)
    wanted.stopped_at, wanted.stopped_why = at, why
    tell(
        session,
        wanted.employee_id,
        "subscription_stopped",
        wanted,
        report_name=wanted.report,
        stopped_why=why.value,
    )


# --- made --------------------------------------------------------------------------------------------------------


def _in_hand(session: Session, key: int) -> ReportDelivery:
    """Return the day that a task is about, locked; also if its subscriber may see it no more, which it then says."""
    with crossing("task"):
        return session.get_one(ReportDelivery, key, with_for_update=True, populate_existing=True)


@task(DELIVER, _l("Subscribed report"), tells_done=False)
def deliver(run: TaskRun) -> object:
    """Make one day's report as its subscriber, with the rights that she has now; keep it and tell her."""
    session, by = run.session, run.by
    of_day = _in_hand(session, run.parameters["delivery_id"])
    wanted = of_day.subscription
    if of_day.state is not DeliveryState.WAITING:
        return _l("It had come already.")
    why = hindrance(wanted, by)
    if why is not None:
        _end(session, wanted, of_day, why, run.at)
        return why.label
    report = REPORTS[of_day.report]
    asked = Asked(day=of_day.business_on, branch_id=wanted.branch_id)
    made = make(session, report, asked, by=by, at=run.at, key=f"delivery:{of_day.id}")
    of_day.report_run_id, of_day.made_at = made.id, run.at
    of_day.become(DeliveryState.MADE)
    _export(run, wanted, of_day)
    day = of_day.business_on.isoformat()
    tell(session, by.employee_id, "report_came", of_day, report_name=of_day.report, day=day)
    if wanted.mail_to and mail.is_set_up():
        of_day.mail_state, of_day.message_id = MailState.WAITING, f"<delivery.{of_day.id}.{uuid.uuid4().hex}@yimei>"
        enqueue(session, MAIL, {"delivery_id": of_day.id}, by=by, at=run.at, key=f"mail:{of_day.id}")
    return _l("It has come: see my reports.")


def _export(run: TaskRun, wanted: ReportSubscription, of_day: ReportDelivery) -> None:
    """Make the file that was wanted, as an export like any other: its right, its limit, its mark, its entry."""
    if wanted.file_format is None or wanted.reason is None:
        return
    report = REPORTS[of_day.report]
    asked = Wanted(
        "stored_report",
        report.right,
        report.label,
        {"run_id": of_day.report_run_id},
        wanted.file_format,
        wanted.reason,
    )
    try:
        made = ask(run.session, asked, by=run.by, at=run.at, key=f"delivery:{of_day.id}", locale=wanted.locale)
    except (NotPermitted, Refusal):
        return  # the report itself comes all the same; that there is no file is seen on it
    of_day.export_request_id = made.id


# --- mailed ------------------------------------------------------------------------------------------------------


@task(MAIL, _l("Mail about a report"), steps=True, tells_done=False)
def send_mail(run: TaskRun) -> object:
    """Send the mail of a day's report, never twice.

    That it is being sent is written down before a word is told to the server. Who finds that written by an attempt
    that ended in the middle does not send it again: nobody knows whether it went out.
    """
    session, key = run.session, run.parameters["delivery_id"]
    with run.step():
        of_day = _in_hand(session, key)
        if of_day.mail_state is not MailState.WAITING:
            if of_day.mail_state is MailState.SENDING:
                of_day.mail_state = MailState.UNSURE
            return None
        message = _message(run, of_day)
        of_day.mail_state = MailState.SENDING
    try:
        mail.send(message)
    except mail.Unsent as no:
        _not_sent(run, key, no)
        return _l("The mail was not sent.")
    except mail.Unsure as perhaps:
        _mark(run, key, MailState.UNSURE, str(perhaps))
        return _l("Nobody knows whether the mail was sent; it is not sent again.")
    _mark(run, key, MailState.SENT)
    return _l("The mail was sent.")


def _mark(run: TaskRun, key: int, state: MailState, said: str = "") -> ReportDelivery:
    with run.step():
        of_day = _in_hand(run.session, key)
        of_day.mail_state, of_day.mail_said = state, said[:500] or None
        of_day.mailed_at = run.clock() if state is MailState.SENT else None
    return of_day


def _not_sent(run: TaskRun, key: int, no: mail.Unsent) -> None:
    """Try again later what the server did not take for now; give up, and say so, what it will not take."""
    if no.later and run.failures + 1 < MOST_FAILURES:
        _mark(run, key, MailState.WAITING, no.said)
        raise TryAgain(_("The mail server did not take the mail."), after=MAIL_PAUSES[run.failures])
    of_day = _mark(run, key, MailState.REFUSED, no.said)
    with run.step(0):
        day = of_day.business_on.isoformat()
        told = {"report_name": of_day.report, "day": day, "why": no.said}
        tell(run.session, of_day.employee_id, "report_mail_failed", of_day, **told)


def _message(run: TaskRun, of_day: ReportDelivery) -> Any:
    """Return the mail: the report's name, its day, a link; and its file if the branch has it attached."""
    wanted = of_day.subscription
    name, day = report_label(of_day.report), of_day.business_on.isoformat()
    text = _("The report %(report_name)s of %(day)s has come.", report_name=name, day=day) + "\n"
    if link := mail.link_to(f"/report/{of_day.report}/stored/{of_day.report_run_id}"):
        text += f"\n{link}\n"
    text += "\n" + _("It was sent because you subscribed to it; you stop it under “My subscriptions”.") + "\n"
    message = mail.letter(wanted.mail_to or "", f"{name} {day}", text, of_day.message_id or "")
    attaches = value_of(run.session, mail.ATTACHES, branch_id=wanted.branch_id, at=run.at)
    made = of_day.export_request
    file = made.file if made is not None and made.state is ExportState.READY else None
    if attaches and made is not None and file is not None and file.size_bytes <= mail.MOST_ATTACHED:
        main, _slash, sub = MEDIA[made.file_format].partition(";")[0].partition("/")
        message.add_attachment(content_of(file), maintype=main, subtype=sub, filename=file.name)
    return message
