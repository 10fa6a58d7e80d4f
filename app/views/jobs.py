"""系统 → 任务: what the house does by itself, how it went, when it is due next; run it now."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from flask import Response, abort, flash, jsonify, redirect, render_template, request, url_for
from flask_appbuilder import BaseView, expose
from flask_appbuilder.api import BaseApi
from flask_appbuilder.api import expose as expose_api

from app.actors import Actor
from app.acts import REGISTRY
from app.errors import InvalidInput, Refusal
from app.extensions import db
from app.models.audit import JobRun
from app.panel.acting import request_key_sent
from app.panel.bearer import demand_token
from app.panel.describe import NONE, json_value, local_time, record_url
from app.panel.pages import Cell, ColumnHead, Fact, JobLine, JobsPage, Link, Row, TableView
from app.panel.person import me, now
from app.panel.registry import Registrar
from app.services.jobs import JOBS, Standing, schedulers, standing_of
from app.services.runner import run
from app.words import _, _l, _n


class JobsView(BaseView):
    """任务: one line for each declared job, and the schedulers."""

    title = _l("Jobs")
    route_base = "/job"
    class_permission_name = "job"
    default_view = "list"

    def __init__(self) -> None:
        self.base_permissions = ["can_list"]
        super().__init__()

    def create_blueprint(self, appbuilder: Any, endpoint: str | None = None, static_folder: str | None = None) -> Any:
        return super().create_blueprint(appbuilder, endpoint or "job", static_folder)

    @expose("/list/")
    def list(self) -> str:
        """Show how every job stands."""
        by = _reader()
        page = JobsPage(
            title=str(self.title),
            crumbs=[Link(_("System"), "")],
            jobs=[_line(standing, by) for standing in _standings()],
            run_url=url_for(".run_now") if by.may("job_run", "can_run_now") else "",
            runs_url=url_for("job_run.list") if by.may("job_run", "can_list") else "",
            schedulers=_schedulers(by),
        )
        return render_template("panel/jobs.html", page=page, appbuilder=self.appbuilder)

    @expose("/run_now", methods=["POST"])
    def run_now(self) -> Response:
        """Ask for a job to be run; a second click with the same key asks once."""
        by, act = me(), REGISTRY.find("job_run", "run_now")
        assert act is not None
        if not by.may(act.table, act.permission):
            abort(403)
        try:
            done = run(db.session(), act, by=by, at=now(), inputs=request.form, key=request_key_sent())
            flash(done.notice or "", "info")
        except InvalidInput:
            abort(422)
        except Refusal as said:
            flash(said.sentence, "warning")
        return redirect(url_for(".list"))  # type: ignore[return-value]


def _reader() -> Actor:
    by = me()
    if not by.may("job", "can_list"):
        abort(403)
    return by


def _standings() -> list[Standing]:
    return [standing_of(db.session(), job, now()) for job in JOBS.values()]


def _line(standing: Standing, by: Actor) -> JobLine:
    last, state = standing.last, standing.state
    facts = [Fact(_("Last run"), _last(last, by)), *_outcome(standing, by)]
    if last is not None and last.requested_by is not None:
        facts.append(Fact(_("Asked for by"), Cell(str(last.requested_by))))
    facts += [
        Fact(_("Next due"), Cell(local_time(standing.next_at, by) if standing.next_at else NONE)),
        Fact(_("Failures in 24 hours"), Cell(str(standing.failures), number=True)),
    ]
    name = standing.job.name
    inputs = [("job", name), ("request_key", uuid.uuid4().hex)]
    return JobLine(str(standing.job.label or name), name, Cell(str(state.label), tone=state.tone), facts, inputs)


def _last(last: JobRun | None, by: Actor) -> Cell:
    if last is None or last.started_at is None:
        return Cell(_("never"))
    url = record_url("job_run", last.id) if by.may("job_run", "can_show") else ""
    took = last.ended_at - last.started_at if last.ended_at is not None else None
    return Cell(local_time(last.started_at, by), url, sub="" if took is None else _took(took))


def _took(took: timedelta) -> str:
    """Say how long a run took; the clocks of two machines may differ by a moment."""
    seconds = max(took.total_seconds(), 0.0)
    if seconds < 10:
        return _("took %(seconds)s s", seconds=f"{seconds:.1f}")
    if seconds < 120:
        return _("took %(seconds)s s", seconds=f"{seconds:.0f}")
    return _("took %(minutes)s min", minutes=f"{seconds / 60:.0f}")


def _outcome(standing: Standing, by: Actor) -> list[Fact]:
    last, task = standing.last, standing.task
    if last is None:
        return []
    if last.error is not None:
        tries = _n("%(num)s attempt", "%(num)s attempts", last.attempts)
        return [Fact(_("Error"), Cell(last.error, sub=tries, wide=True))]
    if task is not None and task.error is not None:
        url = record_url("background_task", task.id) if by.may("background_task", "can_show") else ""
        return [Fact(_("Error"), Cell(task.error, url, wide=True))]
    return [Fact(_("Result"), Cell(last.summary or NONE, wide=True))]


def _schedulers(by: Actor) -> TableView:
    names = (_("Machine"), _("Process"), _("State"), _("Started"), _("Last sign of life"))
    rows = [
        Row(
            index,
            "",
            [
                Cell(each.host),
                Cell(str(each.pid), number=True),
                _heard(each.is_silent, local_time(each.beat_at, by)),
                Cell(local_time(each.started_at, by)),
                Cell(local_time(each.beat_at, by)),
            ],
            title=f"{each.host} {each.pid}",
        )
        for index, each in enumerate(schedulers(db.session(), now()))
    ]
    return TableView([ColumnHead(name, name) for name in names], rows, empty=_("No scheduler has ever run here."))


def _heard(is_silent: bool, since: str) -> Cell:
    return Cell(_("silent since %(when)s", when=since), tone="bad") if is_silent else Cell(_("running"), tone="ok")


class JobApi(BaseApi):
    """``GET /api/v1/job/``: how every job stands. ``POST /api/v1/job_run/run_now`` asks for one to be run."""

    resource_name = "job"
    class_permission_name = "job"
    allow_browser_login = False

    def __init__(self) -> None:
        self.base_permissions: list[str] = []
        super().__init__()

    @expose_api("/", methods=["GET"])
    def get_list(self) -> Response:
        demand_token()
        _reader()
        told = [_told(standing) for standing in _standings()]
        heard = [
            {"host": each.host, "pid": each.pid, "beat_at": json_value(each.beat_at), "is_silent": each.is_silent}
            for each in schedulers(db.session(), now())
        ]
        return jsonify(count=len(told), result=told, schedulers=heard)


def _told(standing: Standing) -> dict[str, Any]:
    last = standing.last
    names = ("slot", "started_at", "ended_at", "attempts", "summary", "error", "requested_by_id")
    return {
        "name": standing.job.name,
        "label": str(standing.job.label or standing.job.name),
        "state": standing.state.value,
        "last": None if last is None else {name: json_value(getattr(last, name)) for name in names},
        "next_at": json_value(standing.next_at),
        "failures": standing.failures,
    }


def register(menu: Registrar) -> None:
    """Register this area's views."""
    menu.page(JobsView, group="system", icon="gear-wide-connected")
    menu.appbuilder.add_api(JobApi)
