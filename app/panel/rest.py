"""The REST contract: what the panel can do can be done over HTTP with a token; the same acts, scope and masks."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, ClassVar
from urllib.parse import urlencode

import prison
from flask import Response, abort, jsonify, request
from flask_appbuilder.api import BaseApi, expose
from sqlalchemy import inspect

from app.actors import Actor
from app.acts import REGISTRY, Act
from app.errors import InvalidInput
from app.extensions import db
from app.fields import clean_text
from app.models.base import SEALED_TYPES, Base, column_names, described
from app.panel import exporting, lines, many, printing
from app.panel.bearer import demand_token
from app.panel.catalogue import catalogue
from app.panel.describe import json_of
from app.panel.forms import inputs_from_json
from app.panel.house_view import HouseView, views
from app.panel.listing import MOST_ROWS, search_conditions
from app.panel.person import me, now
from app.services.fieldrights import seen
from app.services.plain import save
from app.services.runner import MAX_KEY, form_context, run
from app.services.settings import items_in_use

OPERATORS = {
    "eq": lambda column, value: column == value,
    "neq": lambda column, value: column != value,
    "gt": lambda column, value: column > value,
    "lt": lambda column, value: column < value,
    "ct": lambda column, value: column.icontains(value, autoescape=True),
    "sw": lambda column, value: column.istartswith(value, autoescape=True),
    "rel_o_m": lambda column, value: column == value,
}
DEFAULT_ROWS = 25
TEXT_OPERATORS = {"ct", "sw"}
KEY = re.compile(r"[\x21-\x7e]{1,80}")


class HouseApi(BaseApi):
    """One table over REST. Made by ``api_for`` from the table's view."""

    view: HouseView
    #: What the table answers beside the contract, for the OpenAPI document: (path below the table, method) -> what.
    OPERATIONS: ClassVar[Mapping[tuple[str, str], Mapping[str, Any]]] = {}
    #: Every call demands a token itself, then asks for the right by the table's and the act's name.
    allow_browser_login = False

    def __init__(self) -> None:
        self.base_permissions: list[str] = []
        super().__init__()

    @expose("/", methods=["GET"])
    def get_list(self) -> Response:
        """List records; ``q`` in Rison: filters, search, order_column, order_direction, page, page_size."""
        by = self._require("can_list")
        asked = _rison(request.args.get("q", ""))
        session = db.session()
        statement = self.view.datamodel.statement(by, _conditions(self.view.model, asked, by))
        size = max(1, min(_whole(asked.get("page_size", DEFAULT_ROWS)), MOST_ROWS))
        records = self.view.datamodel.page(
            session,
            statement,
            order=_order(self.view.model, asked, by),
            page=_whole(asked.get("page", 0)),
            size=size,
            eager=self.view.eager,
        )
        return jsonify(
            count=self.view.datamodel.count(session, statement, exact=True),
            ids=[record.id for record in records],
            result=[json_of(record, by) for record in records],
        )

    @expose("/<int:pk>", methods=["GET"])
    def get(self, pk: int) -> Response:
        by = self._require("can_show")
        return jsonify(id=pk, result=json_of(self.view.record_in_scope(by, pk), by, alone=True))

    @expose("/", methods=["POST"])
    def post(self) -> tuple[Response, int]:
        """Add a row of plain data."""
        return self._save(None), 201

    @expose("/<int:pk>", methods=["PUT"])
    def put(self, pk: int) -> Response:
        """Change a row of plain data; inputs that are absent stay."""
        return self._save(pk)

    @expose("/<int:pk>/<string:name>", methods=["POST"])
    def act_on(self, pk: int, name: str) -> Response:
        """Run an act on a record: 200 with the record, and ``result`` where the act makes another."""
        act = self._act(name, creates=False)
        by = me()
        record = self.view.record_for(act, by, pk, is_tried=True)
        body = json_body()
        warned = _warned(body)
        done = run(
            db.session(),
            act,
            by=by,
            at=now(),
            record_id=record.id,
            inputs=inputs_from_json(body, act.form),
            key=key_of_header(),
            is_json=True,
            warned=warned,
        )
        told = json_of(done.record, by)
        if done.result is not None:
            told["result"] = json_of(done.result, by)
        return _told(told, done)

    @expose("/<string:name>", methods=["POST"])
    def act_making(self, name: str) -> tuple[Response, int]:
        """Run an act that makes a record: 201 with the record."""
        act = self._act(name, creates=True)
        by = self._require(act.permission)
        body = json_body()
        warned = _warned(body)
        inputs = inputs_from_json(body, act.form)
        done = run(db.session(), act, by=by, at=now(), inputs=inputs, key=key_of_header(), is_json=True, warned=warned)
        return _told(json_of(done.record, by), done), 201

    @expose("/recompute/<string:name>", methods=["POST"])
    def recompute_making(self, name: str) -> Response:
        """Answer what the lines of an act come to, which makes nothing."""
        act = self._act(name, creates=True)
        return self._recomputed(act, None, self._require(act.permission))

    @expose("/<int:pk>/recompute/<string:name>", methods=["POST"])
    def recompute_on(self, pk: int, name: str) -> Response:
        """Answer what the lines of an act on a record come to, which changes nothing."""
        act = self._act(name, creates=False)
        by = me()
        return self._recomputed(act, self.view.record_for(act, by, pk, is_tried=False), by)

    def _recomputed(self, act: Act, record: Any, by: Any) -> Response:
        if act.recompute is None:
            abort(404)
        context = form_context(db.session(), by, now=now(), is_json=True, record=record)
        inputs = inputs_from_json(json_body(), act.form)
        told: Response = lines.answer_rest(act, record, act.form(inputs, meta={"context": context}), by)
        return told

    @expose("/export", methods=["POST"])
    def export(self) -> Any:
        """Export the table's list: ``{"format": "csv", "reason": "...", "query": {"state": "formal"}}``, the query as
        the screen's address has it. 200 with the file, 202 with the request that waits or is being made."""
        by = self._require_token()
        exporting.require(self.view.class_permission_name, self.view.datamodel.table, by)
        body = json_body()
        if not set(body) <= {"format", "reason", "query"} or body.get("format", "csv") not in ("csv", "xlsx"):
            abort(400)
        query = body.get("query", {})
        if not isinstance(query, dict) or not all(isinstance(value, str) for value in query.values()):
            abort(400)
        reason = exporting.reason_of_rest(body)
        wanted = exporting.list_wanted(self.view, urlencode(query), body.get("format", "csv"), reason)
        return exporting.answer_rest(wanted, key_of_header() or uuid.uuid4().hex)

    @expose("/batch/<string:name>", methods=["POST"])
    def act_on_many(self, name: str) -> Response | tuple[Response, int]:
        """Run an act on a selection of records: 200 with what became of each, 202 with the task for a large one."""
        act = self._act(name, creates=False)
        if not act.many:
            abort(404)
        by = self._require(act.permission)
        body = json_body()
        ids = many.ids_in_json(body.pop("ids", None))
        inputs = inputs_from_json(body, act.form)
        key = key_of_header() or uuid.uuid4().hex
        return many.by_rest(act, ids, inputs=inputs, by=by, key=key)

    @expose("/<int:pk>/print/<string:name>", methods=["GET", "POST"])
    def print_paper(self, pk: int, name: str) -> Any:
        """Print a form and count the copy, once per ``Idempotency-Key``; ``?preview=1`` shows it and counts nothing."""
        self._require_token()
        if request.method == "GET" and request.args.get("preview") == "1":
            return printing.preview_answer(self.view, pk, name)
        return printing.print_answer(self.view, pk, name, key_of_header() or uuid.uuid4().hex)

    @expose("/batch-print/<string:name>", methods=["POST"])
    def print_batch(self, name: str) -> tuple[Any, int]:
        """Print a form of several records in the background: 202 with the task."""
        form = printing.declared(self.view, name, self._require_token())
        return printing.batch_by_rest(form, json_body(), key_of_header())

    # --- helpers ---------------------------------------------------------------------------------------------

    def _act(self, name: str, *, creates: bool) -> Act:
        self._require_token()
        act = REGISTRY.find(self.view.datamodel.table, name)
        if act is None or act.creates is not creates or act.by_system:
            abort(404)
        return act

    def _require_token(self) -> Any:
        demand_token()
        return me()

    def _require(self, permission: str) -> Any:
        by = self._require_token()
        if not by.may(self.view.datamodel.table, permission):
            abort(403)
        return by

    def _save(self, pk: int | None) -> Response:
        by = self._require("can_add" if pk is None else "can_edit")
        if not self.view.form_columns:
            abort(404)
        record = None if pk is None else self.view.record_in_scope(by, pk)
        form_class = self.view.form_class(adding=pk is None, by=by)
        body = json_body()
        version = body.pop("row_version", None) if isinstance(body, dict) else None
        context = form_context(db.session(), by, now=now(), is_json=True, record=record)
        shown = seen(self.view.model, self.view.form_columns, by)
        standing = {name: getattr(record, name) for name in shown} if record is not None else {}
        form = form_class(inputs_from_json(body, form_class), data=standing, meta={"context": context})
        if not form.validate():
            raise InvalidInput(form.errors)
        saved = save(
            db.session(),
            self.view.model,
            {
                name: value
                for name, value in self.view.values_of(form, record).items()
                if record is None or name in body
            },
            by=by,
            at=now(),
            record_id=pk,
            row_version=None if version is None else _whole(version),
            key=key_of_header(),
        )
        return jsonify(id=saved.id, result=json_of(saved, by))


def json_body() -> Any:
    """Return the request's JSON object; malformed bodies are 400."""
    if not request.data:
        return {}
    try:
        body = request.get_json(silent=True)
    except RecursionError:
        abort(400)
    if not isinstance(body, dict):
        abort(400)
    return dict(body)


def key_of_header() -> str | None:
    """Return the Idempotency-Key of a call; a malformed one is 400."""
    key = request.headers.get("Idempotency-Key")
    if key is not None and (len(key) > MAX_KEY or not KEY.fullmatch(key)):
        abort(400)
    return key


def _warned(body: dict[str, Any]) -> str | None:
    """Take the token of the warnings that were read out of the inputs, or from the header ``Warned``."""
    token = body.pop("warned", None) or request.headers.get("Warned")
    if token is not None and not isinstance(token, str):
        abort(400)
    return token


def _told(told: dict[str, Any], done: Any) -> Response:
    for name in ("shown", "notice", "paper"):
        if getattr(done, name):
            told[name] = getattr(done, name)
    if done.replayed:
        told["replayed"] = True
    return jsonify(told)


def _rison(text: str) -> dict[str, Any]:
    if not text:
        return {}
    try:
        asked = prison.loads(text)
    except (prison.decoder.ParserException, ValueError, RecursionError, IndexError, KeyError, TypeError):
        abort(400)
    allowed = {"filters", "order_column", "order_direction", "page", "page_size", "search"}
    if not isinstance(asked, dict) or not set(asked) <= allowed:
        abort(400)
    return asked


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**31:
        abort(400)
    return value


def _columns(model: type[Base], by: Actor) -> set[str]:
    """Return the columns that may be filtered and ordered by: declared, neither sensitive nor encrypted."""
    found = {"id"}
    for name in seen(model, column_names(model), by):
        column = described(getattr(model, name))
        kind = inspect(model).columns[name].type
        if column is not None and not column.sensitive and not isinstance(kind, SEALED_TYPES):
            found.add(name)
    return found


def _conditions(model: type[Base], asked: dict[str, Any], by: Actor) -> list[Any]:
    conditions = []
    if "search" in asked:
        conditions += search_conditions(model, _text(asked["search"]), by)
    filters = asked.get("filters", [])
    if not isinstance(filters, list):
        abort(400)
    for wanted in filters:
        if not isinstance(wanted, dict) or set(wanted) != {"col", "opr", "value"}:
            abort(400)
        name, operator = wanted["col"], wanted["opr"]
        if (
            not isinstance(name, str)
            or not isinstance(operator, str)
            or name not in _columns(model, by)
            or operator not in OPERATORS
        ):
            abort(400)
        conditions.append(OPERATORS[operator](getattr(model, name), _operand(model, name, operator, wanted["value"])))
    return conditions


def _text(value: Any) -> str:
    if not isinstance(value, str):
        abort(400)
    try:
        return clean_text(value)[:200]
    except ValueError:
        abort(400)


def _operand(model: type[Base], name: str, operator: str, value: Any) -> Any:
    """Return a filter's value in the column's type; answers 400 to one that does not fit."""
    kind = inspect(model).columns[name].type
    wanted: Any = kind.python_type
    options = getattr(kind, "options", None)
    try:
        if operator in TEXT_OPERATORS and (wanted is not str or options is not None):
            raise ValueError
        if options is not None:
            return options(value)
        if wanted is datetime:
            instant = datetime.fromisoformat(value)
            if instant.tzinfo is None:
                raise ValueError
            return instant
        if wanted is date:
            return date.fromisoformat(value)
        if wanted is int:
            if isinstance(value, bool) or not isinstance(value, int) or abs(value) >= 2**63:
                raise ValueError
            return value
        if wanted is bool and isinstance(value, bool):
            return value
        if wanted is str:
            return _text(value)
        raise ValueError
    except (TypeError, ValueError):
        abort(400)


def _order(model: type[Base], asked: dict[str, Any], by: Actor) -> list[Any]:
    name, direction = asked.get("order_column", "id"), asked.get("order_direction", "desc")
    if not isinstance(name, str) or name not in _columns(model, by) or direction not in ("asc", "desc"):
        abort(400)
    column = getattr(model, name)
    return [column.desc() if direction == "desc" else column.asc(), model.id.desc()]


def api_for(view: HouseView) -> type[HouseApi]:
    """Return the REST class of a table's canonical view."""
    table = view.datamodel.table
    return type(
        f"{view.model.__name__}Api",
        (view.api or HouseApi,),
        {"view": view, "resource_name": table, "class_permission_name": table, "openapi_spec_tag": table},
    )


class OptionsApi(BaseApi):
    """What a person may choose from: ``GET /api/v1/options/<table>?q=`` and ``/options/dictionary/<code>``.

    Ids and names only, of rows in scope that forms offer; enough to fill every input of the acts she may do.
    """

    resource_name = "options"
    class_permission_name = "options"

    def __init__(self) -> None:
        self.base_permissions: list[str] = []
        super().__init__()

    @expose("/<string:table>", methods=["GET"])
    def get_options(self, table: str) -> Response:
        demand_token()
        me()
        view = views().get(table)
        if view is None:
            abort(404)
        return view.options_answer()

    @expose("/dictionary/<string:code>", methods=["GET"])
    def get_dictionary(self, code: str) -> Response:
        demand_token()
        me()
        items = items_in_use(db.session(), code)
        return jsonify(results=[{"id": key, "text": text} for key, text in items], more=False)


class CatalogueApi(BaseApi):
    """``GET /api/v1/acts``: every act, with states, input schema and who may."""

    resource_name = "acts"
    class_permission_name = "acts"

    def __init__(self) -> None:
        self.base_permissions: list[str] = []
        super().__init__()

    @expose("/", methods=["GET"])
    @expose("", methods=["GET"])
    def get_list(self) -> Response:
        demand_token()
        me()
        acts = catalogue()
        return jsonify(count=len(acts), result=acts)
