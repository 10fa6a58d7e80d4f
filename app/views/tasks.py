"""System → Background tasks: one's own long work; for those who look after the house, all of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flask import abort, jsonify, make_response, render_template, request, url_for
from flask_appbuilder import expose
from flask_appbuilder.api import expose as expose_api
from werkzeug.wrappers import Response

from app.actors import Actor
from app.extensions import db
from app.models.files import StoredFile
from app.models.tasks import OPEN_STATES, BackgroundTask, TaskState
from app.panel import acting, many, recording
from app.panel.cards import card
from app.panel.describe import NONE, acts_now, may_open, record_url
from app.panel.files import content_url, opens_in_browser
from app.panel.house_view import HouseView, Tab
from app.panel.interface import HouseInterface
from app.panel.pages import Bar, Cell, Link, Progress, Tray, WorkLine
from app.panel.person import now
from app.panel.rest import HouseApi
from app.services.batches import BATCH, MOST_QUEUED, rows_of
from app.services.scope import find
from app.services.tasks import may_read_result, name_of
from app.services.tasks.own import own_work
from app.services.tasks.rescue import newest_sign_of_life
from app.words import _, _l, locale_in_force

SILENT = 60.0  # seconds without a sign of life after which the page says that nobody works


class BackgroundTaskApi(HouseApi):
    """Long work over REST; besides, what became of the rows of a batch."""

    @expose_api("/<int:pk>/rows", methods=["GET"])
    def rows(self, pk: int) -> Response:
        """Answer what became of each row of a batch, what was refused first; 404 for other work."""
        by = self._require("can_show")
        task = self.view.record_in_scope(by, pk)
        if task.kind != BATCH:
            abort(404)
        answer: Response = many.rows_in_json(rows_of(db.session(), task, by, most=MOST_QUEUED))
        return answer


class BackgroundTaskView(HouseView):
    """Long work: what was asked, how far it is, how it ended."""

    datamodel = HouseInterface(BackgroundTask)
    api = BackgroundTaskApi
    group, icon = "system", "hourglass-split"
    list_columns = ("what", "state", "progress", "queued_at", "employee", "result")
    labels = {
        "what": _l("Task"),
        "about": _l("About"),
        "progress": _l("Progress"),
        "result": _l("Result file"),
        "employee": _l("Asked by"),
    }
    show_sections = (
        (
            _l("Background task"),
            ("what", "about", "employee", "branch", "queued_at", "started_at", "ended_at", "result"),
        ),
        (_l("Worker"), ("worker", "attempts")),
    )
    computed = {"what": lambda task: name_of(task)}
    quick = (
        Tab("all", _l("All")),
        Tab("mine", _l("My long work"), lambda by, now: BackgroundTask.employee_id == by.employee_id),
        Tab("open", _l("Waiting or running"), lambda by, now: BackgroundTask.state.in_(OPEN_STATES)),
        Tab("failed", _l("Failed"), lambda by, now: BackgroundTask.state == TaskState.FAILED),
    )
    filters = ("state", "queued_at")
    order_columns = ("queued_at",)
    eager = ("employee", "result_file")

    def cell(self, record: Any, name: str, by: Actor, *, plain: bool = False) -> Cell:
        """Return one shown value; what is no column of its own is put together here."""
        if name == "progress":
            return Cell(counted(record), bar=bar_of(record))
        if name == "result":
            file = record.result_file
            if file is None:
                return Cell(NONE)
            return Cell(file.name, url=content_url(file) if may_read_result(db.session(), record, by) else "")
        if name == "about":
            return self._about(record, by)
        if name == "what":
            return Cell(name_of(record), sub=said(record))
        return super().cell(record, name, by, plain=plain)

    def _about(self, task: BackgroundTask, by: Actor) -> Cell:
        if task.subject_table is None or task.subject_id is None:
            return Cell(NONE)
        subject = find(db.session(), task.subject_table, task.subject_id, by)
        if subject is None:
            return Cell(NONE)
        url = record_url(task.subject_table, subject.id) if may_open(task.subject_table, by) else ""
        return Cell(str(subject), url=url)

    @expose("/show/<int:pk>")
    def show(self, pk: int) -> str:
        """Show a task under the name of its kind, with how far it is."""
        by = self._require("can_show")
        task = self.record_in_scope(by, pk)
        page = replace(recording.record_page(self, task, by), title=name_of(task), progress=progress_of(task, by))
        return render_template("panel/record.html", page=page, appbuilder=self.appbuilder)

    @expose("/<int:pk>/state")
    def state(self, pk: int) -> Response:
        """Tell how far a task is; its page asks this again and again while it runs."""
        task = self.record_in_scope(self._require("can_show"), pk)
        return jsonify(
            state=task.state.value,
            label=str(task.state.label),
            done=task.done_count,
            total=task.total_count,
            count=counted(task),
            said=said(task),
            ended=task.state not in OPEN_STATES,
        )

    @expose("/tray")
    def tray(self) -> Response:
        """Tell of one's own long work, in one statement; 304 if it is as it was when it was last asked for."""
        answer = make_response(render_template("panel/tray.html", tray=tray_of(self._require("can_list"))))
        answer.add_etag()
        return answer.make_conditional(request)

    def extra_tabs(self, record: Any, by: Actor) -> Any:
        """Return what became of each row of a batch."""
        return many.outcomes_tab(record, by)

    def banners(self, record: Any, by: Actor) -> Any:
        """Say above a task why it failed, that it is being cancelled, or that nobody is there to do it."""
        if record.state is TaskState.FAILED:
            return [("bad", record.error)]
        if record.state is TaskState.RUNNING and record.cancel_requested_at is not None:
            return [("warn", _("Cancelling was asked for; it stops at its next step."))]
        if record.state is TaskState.QUEUED:
            age = newest_sign_of_life(db.session())
            if age is None or age > SILENT:
                return [("warn", _("No worker is running just now; this waits until one is. Tell the IT manager."))]
        return []


def counted(task: BackgroundTask) -> str:
    """Return how far a task is, in figures."""
    if task.total_count:
        return f"{task.done_count:,} / {task.total_count:,}"
    return f"{task.done_count:,}" if task.done_count else NONE


def bar_of(task: BackgroundTask) -> Bar | None:
    """Return the bar of a task whose extent is known, or that runs."""
    if task.total_count:
        return Bar(min(task.done_count, task.total_count), task.total_count)
    return Bar(None, 1) if task.state is TaskState.RUNNING else None


def said(task: BackgroundTask) -> str:
    """Return the task's last sentence in the reader's language."""
    return (task.said or {}).get(locale_in_force(), "")


def progress_of(task: BackgroundTask, by: Actor) -> Progress:
    """Return what a task's page shows of its progress."""
    runs = task.state in OPEN_STATES
    file = task.result_file
    if file is not None and not may_read_result(db.session(), task, by):
        file = None
    opens = file is not None and file.dropped_at is None and opens_in_browser(file)
    return Progress(
        state=task.state.value,
        bar=bar_of(task) or (Bar(None, 1) if runs else None),
        count=counted(task),
        said=said(task),
        state_url=url_for("background_task.state", pk=task.id) if runs else "",
        refresh_url=request.path if runs else "",
        result=None if file is None else _link_to(file, opens=opens),
        opens=opens,
    )


def tray_of(by: Actor) -> Tray:
    """Return what the tray shows to a person of her own long work."""
    work = own_work(db.session(), by, at=now())
    bell = _("Notices: %(count)s", count=work.notices) if work.notices else _("No notices")
    return Tray([_work_line(task, by) for task in work.tasks], work.open_count, work.notices, bell)


def _work_line(task: BackgroundTask, by: Actor) -> WorkLine:
    is_open = task.state in OPEN_STATES
    file = task.result_file
    readable = file is not None and file.dropped_at is None and may_read_result(db.session(), task, by)
    cancel = next((acting.button(act, task) for act in acts_now(task, by) if act.name == "cancel"), None)
    return WorkLine(
        key=task.id,
        title=name_of(task),
        url=record_url("background_task", task.id),
        state=Cell(str(task.state.label), tone=type(task.state).tones()[task.state]),
        bar=bar_of(task) or Bar(None, 1) if is_open else None,
        count=counted(task),
        said=(task.error or "") if task.state is TaskState.FAILED else said(task),
        told="" if is_open else _("%(task)s: %(state)s", task=name_of(task), state=task.state.label),
        result=_link_to(file, opens=opens_in_browser(file)) if file is not None and readable else None,
        cancel=cancel,
    )


def _link_to(file: StoredFile, *, opens: bool) -> Link:
    url = content_url(file, inline=opens)
    if opens:
        return Link(_("Open: %(file)s", file=file.name), url, "file-earmark-pdf")
    return Link(_("Download: %(file)s", file=file.name), url, "download")


card("background_task", "open", _l("Work in the background"), order=80, quiet=True)
card("background_task", "failed", _l("Failed in the background"), order=82, quiet=True, hot=True)
