"""The view of every table: list, record, form, act, options. The only ancestor that a business view may have.

It keeps Flask-AppBuilder's registration, menu and permissions, and none of its request handling: no state is
shared between requests, every read is scoped, every write is an act or a checked save in one unit of work.
What a view declares stands in ``declared_view``, its list in ``list_pages``, its form in ``form_pages``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import abort, current_app, jsonify, render_template, request, url_for
from flask_appbuilder import expose
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from app.actors import Actor
from app.acts import REGISTRY, Act
from app.errors import NotPermitted, OutOfScope
from app.extensions import db
from app.models.base import models
from app.panel import acting, many, printing, recording
from app.panel.declared_view import Related, Sub
from app.panel.describe import opens
from app.panel.form_pages import FormPages
from app.panel.forms import acts_picking, picks_of
from app.panel.list_pages import ListPages
from app.panel.listing import MAX_QUERY, Tab, search_conditions
from app.panel.person import me
from app.services.runner import keep_denial
from app.services.scope import loader

OPTIONS = 20


class HouseView(ListPages, FormPages):
    """Declare ``datamodel`` and columns; the machinery does the rest. ``canonical`` views own their table's
    records, the others are further lists of it, with a right of their own.

    A view that names its ``group`` itself stands at the end of that group of the menu; the others are registered by
    their area, in the white paper's order. Unless it says otherwise, a record shows one section with the columns of
    its list and its form; lists load the records that their columns name, and ``eager`` names what they need besides.
    """

    # --- record ----------------------------------------------------------------------------------------------

    @expose("/show/<int:pk>")
    def show(self, pk: int) -> str:
        by = self._require("can_show")
        page = recording.record_page(self, self.record_in_scope(by, pk), by)
        return render_template("panel/record.html", page=page, appbuilder=self.appbuilder)

    def record_in_scope(self, by: Actor, pk: int, eager: Sequence[str] = ()) -> Any:
        """Return a record or answer 404, whether it is absent or out of scope."""
        if not 0 <= pk < 2**63:  # the first link of the seals bears number 0
            abort(404)
        record = self.datamodel.record(db.session(), by, pk, [*self.record_eager, *eager])
        if record is None or not opens(record, by):
            abort(404)
        return record

    def extra_tabs(self, record: Any, by: Actor) -> Any:
        """Return tabs that no foreign key explains; overridden."""
        return []

    def banners(self, record: Any, by: Actor) -> Any:
        """Return (tone, sentence) pairs to stand above a record; overridden."""
        return []

    # --- acts ------------------------------------------------------------------------------------------------

    @expose("/act/<string:name>", methods=["GET", "POST"])
    def act_making(self, name: str) -> Any:
        """Run an act that makes a record, or show its form."""
        return acting.answer(self._act(name, creates=True), None)

    @expose("/<int:pk>/act/<string:name>", methods=["GET", "POST"])
    def act_on(self, pk: int, name: str) -> Any:
        """Run an act on a record, or show its form."""
        act = self._act(name, creates=False)
        return acting.answer(act, self.record_for(act, me(), pk, is_tried=request.method == "POST"))

    @expose("/act/<string:name>/recompute", methods=["POST"])
    def recompute_making(self, name: str) -> Any:
        """Answer what the lines of a making act's form come to."""
        return acting.recompute(self._act(name, creates=True), None)

    @expose("/<int:pk>/act/<string:name>/recompute", methods=["POST"])
    def recompute_on(self, pk: int, name: str) -> Any:
        """Answer what the lines of an act's form come to."""
        act = self._act(name, creates=False)
        return acting.recompute(act, self.record_for(act, me(), pk, is_tried=False))

    def record_for(self, act: Act, by: Actor, pk: int, *, is_tried: bool) -> Any:
        """Return the record that an act is asked for on: 403 without the right, 404 out of scope, both kept where the
        act keeps its denials and it was tried."""
        if not by.may(act.table, act.permission):
            wrong: Exception = NotPermitted()
        else:
            try:
                return self.record_in_scope(by, pk)
            except NotFound:
                wrong = OutOfScope()
        if is_tried and pk < 2**63:
            keep_denial(db.session(), act, pk, by, wrong)
        abort(403 if isinstance(wrong, NotPermitted) else 404)

    @expose("/many/<string:name>", methods=["GET", "POST"])
    def act_on_many(self, name: str) -> Any:
        """Run an act on the selected rows of a list, or show its form."""
        act = self._act(name, creates=False)
        if not act.many:
            abort(404)
        return many.answer(act)

    def _act(self, name: str, *, creates: bool) -> Act:
        act = REGISTRY.find(self.datamodel.table, name)
        if not self.canonical or act is None or act.creates is not creates or act.by_system:
            abort(404)
        return act

    # --- paper -----------------------------------------------------------------------------------------------

    @expose("/<int:pk>/print/<string:name>", methods=["GET", "POST"])
    def print_paper(self, pk: int, name: str) -> Response:
        """Answer a printed form: GET a preview, which changes nothing, POST a printing, which is counted."""
        if request.method == "GET":
            return printing.preview_answer(self, pk, name)
        return printing.print_answer(self, pk, name, acting.request_key_sent())

    @expose("/print-many/<string:name>", methods=["GET", "POST"])
    def print_many(self, name: str) -> Any:
        """Print a form of the selected rows in the background."""
        form = printing.declared(self, name, me())
        ids = acting.ids_sent()
        back = acting.back_sent(url_for(".list") if me().may(self.datamodel.table, "can_list") else "/")
        return printing.batch_answer(form, ids, back=back, hidden=[("back", back), *(("id", str(pk)) for pk in ids)])

    @expose("/print-shown/<string:name>", methods=["GET", "POST"])
    def print_shown(self, name: str) -> Any:
        """Print a form of all rows that the list shows under the same filters, in its order."""
        by = self._require("can_list")
        form, asked = printing.declared(self, name, by), self._asked()
        rows = self.rows_asked(by, asked).order_by(*self._order(asked)).limit(printing.MOST_SHEETS + 1)
        ids = [*db.session().scalars(rows.with_only_columns(self.model.id))]
        query = request.query_string.decode("ascii", "replace")
        return printing.batch_answer(form, ids, back=url_for(".list") + (f"?{query}" if query else ""), hidden=[])

    # --- options ---------------------------------------------------------------------------------------------

    @expose("/options")
    def options(self) -> Response:
        """Answer what a remote select offers for the words typed."""
        return self.options_answer()

    def options_answer(self) -> Response:
        """Return the rows that forms offer for the words typed: in scope, in use, twenty at a time."""
        by = me()
        if not self.canonical or not may_choose(self.datamodel.table, by):
            abort(403)
        words = request.args.get("q", "")
        if len(words) > MAX_QUERY or "\x00" in words:
            abort(400)
        conditions = search_conditions(self.model, words.strip(), by)
        offered = self.model.offered()
        if offered is not None:
            conditions.append(offered)
        statement = self.datamodel.statement(by, conditions)
        eager = [loader(self.model, path) for path in self.eager]
        records = db.session().scalars(statement.options(*eager).order_by(self.model.id.desc()).limit(OPTIONS + 1))
        found = list(records.unique())
        results = [{"id": record.id, "text": option_text(record)} for record in found[:OPTIONS]]
        return jsonify(results=results, more=len(found) > OPTIONS)


def option_text(record: Any) -> str:
    """Return how a record reads in a select: its name, and what tells it from its namesakes."""
    hint = record.option_hint
    return f"{record} · {hint}" if hint else str(record)


def may_choose(table: str, by: Actor) -> bool:
    """Say whether a person may choose from a table: she sees its list, or a form that she may fill asks for it."""
    if by.may(table, "can_list"):
        return True
    if any(by.may(act.table, act.permission) for act in acts_picking(table)):
        return True
    return any(
        table in picks_of(view.form_class(adding=True))
        for view in views().values()
        if view.form_columns and (by.may(view.datamodel.table, "can_add") or by.may(view.datamodel.table, "can_edit"))
    )


def views() -> dict[str, HouseView]:
    """Return the canonical view of each table of this application."""
    found: dict[str, HouseView] = current_app.extensions.setdefault("house.views", {})
    return found


def missing_views() -> set[str]:
    """Return the tables of ours that no canonical view shows."""
    return set(models()) - set(views())


__all__ = ["HouseView", "Related", "Sub", "Tab", "may_choose", "missing_views", "option_text", "views"]
