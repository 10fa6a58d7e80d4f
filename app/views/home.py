"""The workbench, the scan box, the language, and the sign of life."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flask import abort, current_app, jsonify, make_response, redirect, render_template, request, session, url_for
from flask_appbuilder import expose
from flask_appbuilder.views import IndexView
from flask_babel import refresh
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from werkzeug.wrappers import Response

from app.extensions import db
from app.panel.describe import record_url
from app.panel.doors.rates import hold
from app.panel.finding import find_anything, offers, row_found
from app.panel.frame import menu_of
from app.panel.pages import FoundGroup, FoundPage
from app.panel.person import me, now
from app.panel.theme import THEMES, keep_theme
from app.panel.workbench import workbench
from app.words import _


class HomeView(IndexView):
    """What waits for me now, and today's numbers beside yesterday's."""

    route_base = ""
    default_view = "index"

    @expose("/")
    def index(self) -> str:
        by = me()
        page = workbench(db.session(), by, now())
        if not page.cards and not page.lists:
            page = replace(page, pages=menu_of(by))
        return render_template("panel/home.html", page=page, appbuilder=self.appbuilder)

    @expose("/search")
    def search(self) -> Any:
        """Open the one record that was scanned or typed; show several by kind, and say so of none."""
        by = me()
        hold("find", f"user:{by.user_id}")
        found = find_anything(db.session(), request.args.get("q", ""), by)
        if len(found.records) == 1:
            only = found.records[0]
            return redirect(record_url(only.__tablename__, only.id))
        page = FoundPage(
            title=_("Found: %(text)s", text=found.text) if found.groups else _("Nothing found"),
            text=found.text,
            groups=[
                FoundGroup(group.label, [row_found(record, by) for record in group.records], group.more_url)
                for group in found.groups
            ],
            sentence=found.sentence,
            acts=[] if found.groups else offers(found.text, by),
        )
        return render_template("panel/found.html", page=page, scan_text=found.text, appbuilder=self.appbuilder)

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
