"""A report over REST: its facts as JSON, the rows behind a figure, a stored run, a file."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Response, abort, g, jsonify, request
from flask_appbuilder.api import BaseApi
from flask_appbuilder.api import expose as expose_api
from werkzeug.datastructures import MultiDict

from app.actors import Actor
from app.extensions import db
from app.panel import exporting
from app.panel.bearer import demand_token
from app.panel.describe import json_of
from app.panel.forms import inputs_from_json
from app.panel.person import me, now
from app.panel.report_rows import opened_from, rows_json
from app.panel.report_view import FORMATS, NEW, asked_from, wanted_of
from app.panel.rest import json_body, key_of_header
from app.reports.base import REPORTS, Report
from app.reports.facts import to_json
from app.reports.runs import make
from app.unit import unit_of_work
from app.words import _


class ReportApi(BaseApi):
    """``GET /api/v1/report/<name>?day=…``, ``…/rows?measure=…``, ``POST …/run``, ``POST …/export``."""

    resource_name = "report"
    class_permission_name = "report"

    def __init__(self) -> None:
        self.base_permissions: list[str] = []
        super().__init__()

    @expose_api("/<string:name>", methods=["GET"])
    def get(self, name: str) -> Any:
        """Tell the report as JSON. A file is made by ``POST …/export``: making one leaves a request on record."""
        report, by = _report(name, "can_list")
        file_format = request.args.get("format", "json")
        if file_format in FORMATS:
            said = _("A file of a report is made with POST to this address with /export, for a reason.")
            return jsonify(message=said, request_id=g.request_id), 405, {"Allow": "GET"}
        if file_format != "json":
            abort(400)
        given = {key: value for key, value in request.args.items() if key != "format"}
        asked = asked_from(report, MultiDict(given), by)
        return jsonify(to_json(report.gather(db.session(), asked, by, now())))

    @expose_api("/<string:name>/export", methods=["POST"])
    def post_export(self, name: str) -> Any:
        """Export the report: ``{"format": "csv", "reason": "...", "day": "2026-11-21"}``, its parameters beside. 200
        with the file, 202 with the request that waits or is being made."""
        report, by = _report(name, "can_list")
        exporting.require(report.right, report.right, by)
        body = json_body()
        file_format, reason = body.pop("format", "csv"), body.pop("reason", None)
        if file_format not in FORMATS:
            abort(400)
        given = dict(inputs_from_json(body, report.params).items())
        asked_from(report, MultiDict(given), by, is_json=True)
        why = exporting.reason_of_rest({"reason": reason})
        wanted = wanted_of(report, NEW, {"report": name, "given": given}, file_format, why)
        return exporting.answer_rest(wanted, key_of_header() or uuid.uuid4().hex)

    @expose_api("/<string:name>/rows", methods=["GET"])
    def get_rows(self, name: str) -> Response:
        """Tell the rows behind a figure: ``measure``, the groups' keys, ``page``, ``page_size``."""
        report, by = _report(name, "can_list")
        opened = opened_from(report, request.args, asked_from(report, request.args, by), by)
        return jsonify(rows_json(opened, by))

    @expose_api("/<string:name>/run", methods=["POST"])
    def post_run(self, name: str) -> tuple[Response, int]:
        """Make the report now and keep it: 201 with the stored run; the same Idempotency-Key makes it once."""
        report, by = _report(name, "can_run")
        asked = asked_from(report, inputs_from_json(json_body(), report.params), by, is_json=True)
        session = db.session()
        with unit_of_work(session):
            made = make(session, report, asked, by=by, at=now(), key=key_of_header())
        return jsonify(id=made.id, result=json_of(made, by, alone=True)), 201


def _report(name: str, permission: str) -> tuple[Report, Actor]:
    """Return a report for the bearer of a token: 404 if there is none, 403 if it is not for her."""
    demand_token()
    by = me()
    report = REPORTS.get(name)
    if report is None:
        abort(404)
    if not by.may(report.right, permission):
        abort(403)
    return report, by
