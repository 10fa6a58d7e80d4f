"""What happened: history, looks at masked values, notices, jobs, schedulers, the demo's anchor."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from flask import url_for
from sqlalchemy import select

from app.actors import Actor
from app.extensions import db
from app.models.audit import ActRun, DemoState, JobHeartbeat, JobRun, Notice, SensitiveViewLog
from app.models.base import models
from app.models.files import StoredFile
from app.models.tasks import BackgroundTask
from app.panel.cards import Shows, card
from app.panel.describe import NONE, label_of, may_open, record_url
from app.panel.history import act_words
from app.panel.house_view import HouseView, Tab
from app.panel.interface import HouseInterface
from app.panel.pages import Cell
from app.panel.registry import Registrar
from app.services.jobs import JOBS, job_label
from app.services.looks import NO_RIGHT, NOT_IN_SCOPE
from app.services.notices import sentence
from app.words import _, _l


def _table_words(entry: Any) -> str:
    model = models().get(entry.table_name)
    return str(model.TITLE) if model is not None else entry.table_name


def _field_words(entry: Any) -> str:
    model = models().get(entry.table_name)
    try:
        return label_of(model, entry.field) if model is not None else str(entry.field)
    except LookupError:  # a file, an export: what was looked at is no column
        return str(entry.field)


def _denied_words(look: SensitiveViewLog) -> str:
    """Say by what a look was denied; nothing of one that was granted."""
    known = {NO_RIGHT: _("Her roles do not include it."), NOT_IN_SCOPE: _("The record is out of her sight.")}
    return known.get(look.denied or "", look.denied or "")


def _on_day(column: Any, by: Actor, at: datetime) -> Any:
    """Return the condition of a day's rows by the reader's clock."""
    start = at.astimezone(by.timezone).replace(hour=0, minute=0, second=0, microsecond=0)
    return (column >= start) & (column < start + timedelta(days=1))


class ActRunView(HouseView):
    """Every act that ran, in one list."""

    datamodel = HouseInterface(ActRun)
    list_columns = ("occurred_at", "table_words", "act_words", "employee", "actor")
    labels = {"table_words": _l("Table"), "act_words": _l("Act")}
    computed = {"table_words": _table_words, "act_words": act_words}
    filters = ("occurred_at",)
    quick = (
        Tab("all", _l("All")),
        Tab("today", _l("Today"), lambda by, now: _on_day(ActRun.occurred_at, by, now)),
    )


class SensitiveViewLogView(HouseView):
    """Who looked at which masked value, and why. R-2.1.1-4."""

    datamodel = HouseInterface(SensitiveViewLog)
    list_columns = ("at", "employee", "way", "table_words", "record_id", "field_words", "reason", "denied_words")
    labels = {"table_words": _l("Table"), "field_words": _l("Field"), "denied_words": _l("Denied because")}
    computed = {"table_words": _table_words, "field_words": _field_words, "denied_words": _denied_words}
    show_sections = (
        (
            _l("Look at a masked value"),
            ("at", "employee", "actor", "way", "table_words", "record_id", "field_words", "reason", "denied_words"),
        ),
    )
    filters = ("at", "way", "employee_id")
    quick = (
        Tab("all", _l("All")),
        Tab("denied", _l("Denied"), lambda by, now: SensitiveViewLog.denied.is_not(None)),
        Tab("today", _l("Today"), lambda by, now: _on_day(SensitiveViewLog.at, by, now)),
    )


class NoticeView(HouseView):
    """What happened to one's work."""

    datamodel = HouseInterface(Notice)
    list_columns = ("sentence", "about", "created_at", "read_at")
    labels = {"sentence": _l("Notice"), "about": _l("About")}
    computed = {"sentence": sentence}
    quick = (Tab("unread", _l("Unread"), lambda by, now: Notice.read_at.is_(None)), Tab("all", _l("All")))

    def conditions(self, by: Actor) -> list[Any]:
        return [Notice.employee_id == by.employee_id]

    def before_rows(self, records: Any, by: Actor) -> None:
        """Find at once which finished work left a file that still lies in one's own files."""
        table = BackgroundTask.__tablename__
        ids = [notice.record_id for notice in records if notice.table_name == table]
        if not ids or not by.may("my_files", "can_list"):
            return
        files = (
            select(BackgroundTask.id, StoredFile)
            .join(StoredFile, StoredFile.id == BackgroundTask.result_file_id)
            .where(
                BackgroundTask.id.in_(ids), StoredFile.employee_id == by.employee_id, StoredFile.dropped_at.is_(None)
            )
        )
        found = {row.id: row.StoredFile for row in db.session().execute(files)}
        for notice in records:
            if notice.table_name == table:
                notice.file = found.get(notice.record_id)

    def cell(self, record: Any, name: str, by: Actor, *, plain: bool = False) -> Cell:
        """Return one shown value; what the notice is about leads there, finished work to the file that it made."""
        if name != "about":
            return super().cell(record, name, by, plain=plain)
        file = getattr(record, "file", None)
        if file is not None:
            return Cell(file.name, url=url_for("my_files.list"))
        if record.table_name is None or record.record_id is None:
            return Cell(NONE)
        url = record_url(record.table_name, record.record_id) if may_open(record.table_name, by) else ""
        return Cell(_table_words(record), url=url)


class JobRunView(HouseView):
    """Which slot of which job ran, and how it ended."""

    datamodel = HouseInterface(JobRun)
    list_columns = ("job_label", "slot", "started_at", "ended_at", "attempts", "requested_by", "summary", "error")
    labels = {"job_label": _l("Job")}
    computed = {"job_label": lambda run: job_label(run.job)}
    show_sections = (
        (_l("Job run"), ("job_label", "slot", "attempts", "started_at", "ended_at", "host", "summary", "error")),
        (_l("Asked for by hand"), ("requested_by", "requested_at")),
    )
    order_columns = ("started_at", "ended_at")
    filters = ("job", "started_at")
    choices = {"job": lambda: [(name, job_label(name)) for name in JOBS]}
    quick = (
        Tab("all", _l("All")),
        Tab(
            "failed",
            _l("Failed, last 24 hours"),
            lambda by, now: JobRun.error.is_not(None) & (JobRun.started_at >= now - timedelta(days=1)),
        ),
    )


class JobHeartbeatView(HouseView):
    """Schedulers and when they last gave a sign of life."""

    datamodel = HouseInterface(JobHeartbeat)
    list_columns = ("host", "pid", "started_at", "beat_at")


class DemoStateView(HouseView):
    """The demo's anchor day; no right of any role leads here."""

    datamodel = HouseInterface(DemoState)
    list_columns = ("id",)
    labels = {"id": _l("Demo data")}


card("notice", "unread", _l("Unread notices"), order=90, quiet=True)
card("job_run", "failed", _l("Jobs that failed"), order=64, menu=True, hot=True)
card("act_run", "today", _l("Acts today"), shows=Shows.COMPARED, order=15)
card(
    "sensitive_view_log",
    "today",
    _l("Looks at masked values today"),
    shows=Shows.COMPARED,
    order=35,
    needs=(("audit_log", "can_list"),),
)


def register(menu: Registrar) -> None:
    """Register this area's views."""
    menu.page(ActRunView, group="system", label=_l("History"), icon="clock-history")
    menu.page(SensitiveViewLogView, group="system", label=_l("Looks at masked values"), icon="eye")
    menu.page(JobRunView, group="system", label=_l("Job runs"), icon="alarm")
    menu.page(JobHeartbeatView, group="system", label=_l("Schedulers"), icon="heart-pulse")
    menu.page(NoticeView)
    menu.page(DemoStateView)
