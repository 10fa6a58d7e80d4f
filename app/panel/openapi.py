"""The OpenAPI 3.1 document of the REST contract, written from the registries: tables, acts, forms, reports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from flask import Response, jsonify
from flask_appbuilder.api import BaseApi, expose

from app.acts import REGISTRY, Act
from app.fields import MOST_LINES
from app.panel.bearer import demand_token
from app.panel.board import boards
from app.panel.house_view import HouseView, views
from app.panel.person import me
from app.reports.base import REPORTS, Report, papers_of

API = "/api/v1"
MOST_ID = 2**31 - 1
JSON = "application/json"
FILES = ("application/pdf", "text/csv", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")
REFUSALS = {
    400: "Malformed",
    401: "No valid token or key",
    403: "Not permitted",
    404: "Absent or out of scope",
    405: "No such method here",
    409: "Refused by a rule",
    413: "Too large",
    422: "Inputs missing or wrong",
    429: "Too many requests",
}
ID = {"type": "integer", "minimum": 1, "maximum": MOST_ID}
#: Field class -> its JSON schema; what a field bounds itself is added.
KINDS: dict[str, dict[str, Any]] = {
    "Instant": {"type": "string", "format": "date-time"},
    "Day": {"type": "string", "format": "date"},
    "Month": {"type": "string", "pattern": r"^\d{4}-(0[1-9]|1[0-2])$"},
    "Clock": {"type": "string", "pattern": r"^([01]\d|2[0-3]):[0-5]\d$"},
    "Whole": {"type": "integer"},
    "Wholes": {"type": "array", "items": {"type": "integer"}},
    "OneOf": {"type": "string"},
    "Money": {"type": "string", "pattern": r"^\d{1,10}(\.\d{1,2})?$"},
    "Flag": {"type": "boolean"},
    "Pick": ID,
    "Item": ID,
    "Items": {"type": "array", "items": ID},
    "Columns": {"type": "object"},
    "Ordered": {"type": "array", "items": {"type": "string"}},
}


def document() -> dict[str, Any]:
    """Return the whole document, in the language in force; the same for everybody who is logged in."""
    paths: dict[str, Any] = {}
    for table, view in sorted(views().items()):
        _of_table(paths, table, view)
    for report in REPORTS.values():
        _of_report(paths, report)
    _of_the_house(paths)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Yimei 医美", "version": "1", "description": "See docs/rest.md."},
        "servers": [{"url": "/"}],
        "security": [{"token": []}, {"key": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "From the login."},
                "key": {"type": "http", "scheme": "bearer", "description": "An API key, yk_…"},
            },
            "schemas": SCHEMAS,
            "responses": {
                str(code): {"description": said, "content": {JSON: {"schema": _ref("Refusal")}}}
                for code, said in REFUSALS.items()
            },
        },
    }


SCHEMAS: dict[str, Any] = {
    "Refusal": {
        "type": "object",
        "required": ["message"],
        "properties": {
            "message": {"type": "string"},
            "request_id": {"type": "string"},
            "errors": {"type": "object"},
            "warnings": {"type": "array", "items": {"type": "string"}},
            "warned": {"type": "string"},
        },
    },
    "Record": {"type": "object", "required": ["id"], "properties": {"id": {"type": "integer"}}},
    "Answer": {
        "type": "object",
        "required": ["id", "result"],
        "properties": {"id": {"type": "integer"}, "result": {"$ref": "#/components/schemas/Record"}},
    },
    "Records": {
        "type": "object",
        "required": ["count", "ids", "result"],
        "properties": {
            "count": {"type": "integer"},
            "ids": {"type": "array", "items": {"type": "integer"}},
            "result": {"type": "array", "items": {"$ref": "#/components/schemas/Record"}},
        },
    },
    "Anything": {"type": "object"},
}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _operation(
    name: str,
    tag: str,
    summary: object,
    answers: Mapping[int, str],
    *,
    parameters: Iterable[dict[str, Any]] = (),
    body: dict[str, Any] | None = None,
    files: Iterable[str] = (),
) -> dict[str, Any]:
    """Return one operation: what it answers well, and every refusal of the contract."""
    told: dict[str, Any] = {}
    for code, schema in answers.items():
        content: dict[str, Any] = {JSON: {"schema": _ref(schema)}} if schema else {}
        content |= {kind: {} for kind in files}
        told[str(code)] = {"description": "Done", "content": content}
    told |= {str(code): {"$ref": f"#/components/responses/{code}"} for code in REFUSALS}
    made: dict[str, Any] = {"operationId": name, "tags": [tag], "summary": str(summary), "responses": told}
    if parameters:
        made["parameters"] = list(parameters)
    if body is not None:
        made["requestBody"] = {"required": bool(body.get("required")), "content": {JSON: {"schema": body}}}
    return made


def _in_path(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _in_query(name: str, schema: dict[str, Any], said: str = "", *, required: bool = False) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": required, "schema": schema, "description": said}


PK = _in_path("pk", ID)
KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "pattern": "^[!-~]{1,80}$"},
}
LISTED = _in_query("q", {"type": "string"}, "Rison: filters, search, order_column, order_direction, page, page_size")
IDS = {"type": "array", "items": ID, "minItems": 1}


def _of_table(paths: dict[str, Any], table: str, view: HouseView) -> None:
    """Write a table's addresses: list, record, plain rows, acts, papers."""
    many = paths.setdefault(f"{API}/{table}/", {})
    one = paths.setdefault(f"{API}/{table}/{{pk}}", {})
    many["get"] = _operation(f"{table}.list", table, view.model.TITLES, {200: "Records"}, parameters=[LISTED])
    one["get"] = _operation(f"{table}.show", table, view.model.TITLE, {200: "Answer"}, parameters=[PK])
    if view.form_columns:
        adding, changing = (schema_of(_fields(view.form_class(adding=new)), partial=not new) for new in (True, False))
        changing["properties"]["row_version"] = {"type": "integer", "minimum": 0, "maximum": MOST_ID}
        many["post"] = _operation(
            f"{table}.add", table, view.model.TITLE, {201: "Answer"}, parameters=[KEY], body=adding
        )
        one["put"] = _operation(
            f"{table}.edit", table, view.model.TITLE, {200: "Answer"}, parameters=[PK, KEY], body=changing
        )
    for (below, method), more in (view.api.OPERATIONS if view.api is not None else {}).items():
        paths.setdefault(f"{API}/{table}/{below}", {})[method] = _operation(
            more["name"],
            table,
            more["summary"],
            more["answers"],
            parameters=[PK] if "{pk}" in below else [],
            body=more.get("body"),
            files=more.get("files", ()),
        )
    for act in REGISTRY.of(table):
        if not act.by_system:
            _of_act(paths, act)
    for form in papers_of(table):
        paths[f"{API}/{table}/{{pk}}/print/{form.name}"] = {
            "post": _operation(
                f"{table}.print.{form.name}", table, form.label, {200: ""}, parameters=[PK, KEY], files=FILES[:1]
            )
        }
        body = {"type": "object", "properties": {"ids": IDS}, "required": ["ids"], "additionalProperties": False}
        paths[f"{API}/{table}/batch-print/{form.name}"] = {
            "post": _operation(
                f"{table}.batch-print.{form.name}", table, form.label, {202: "Anything"}, parameters=[KEY], body=body
            )
        }


def _of_act(paths: dict[str, Any], act: Act) -> None:
    body = schema_of(_fields(act.form))
    body["properties"]["warned"] = {"type": "string"}
    if act.creates:
        done = _operation(act.key, act.table, act.label, {201: "Record"}, parameters=[KEY], body=body)
        paths[f"{API}/{act.table}/{act.name}"] = {"post": done}
        _of_lines(paths, act, f"{API}/{act.table}/recompute/{act.name}", [], body)
        return
    done = _operation(act.key, act.table, act.label, {200: "Record"}, parameters=[PK, KEY], body=body)
    paths[f"{API}/{act.table}/{{pk}}/{act.name}"] = {"post": done}
    _of_lines(paths, act, f"{API}/{act.table}/{{pk}}/recompute/{act.name}", [PK], body)
    if act.many:
        several = schema_of(_fields(act.form))
        several["properties"]["ids"] = IDS
        several["required"] = [*several.get("required", ()), "ids"]
        paths[f"{API}/{act.table}/batch/{act.name}"] = {
            "post": _operation(
                f"{act.key}.batch",
                act.table,
                act.label,
                {200: "Anything", 202: "Anything"},
                parameters=[KEY],
                body=several,
            )
        }


def _of_lines(
    paths: dict[str, Any], act: Act, path: str, parameters: list[dict[str, Any]], body: dict[str, Any]
) -> None:
    """Write where an act's lines are computed, if it has any."""
    if act.recompute is None:
        return
    asked = {name: part for name, part in body.items() if name != "required"}
    name = f"{act.key}.recompute"
    paths[path] = {"post": _operation(name, act.table, act.label, {200: "Anything"}, parameters=parameters, body=asked)}


def _of_report(paths: dict[str, Any], report: Report) -> None:
    schema = schema_of(_fields(report.params))
    wanted = set(schema.get("required", ()))
    asked = [_in_query(name, told, required=name in wanted) for name, told in schema["properties"].items()]
    where = f"{API}/report/{report.name}"
    paths[where] = {
        "get": _operation(
            f"report.{report.name}",
            "report",
            report.label,
            {200: "Anything"},
            parameters=[*asked, _in_query("format", {"type": "string", "enum": ["json"]})],
        )
    }
    reason = {"type": "string", "minLength": 2, "maxLength": 500}
    exported = {
        "type": "object",
        "required": [*schema.get("required", ()), "reason"],
        "properties": {
            **schema["properties"],
            "format": {"type": "string", "enum": ["csv", "xlsx", "pdf"]},
            "reason": reason,
        },
        "additionalProperties": False,
    }
    paths[f"{where}/export"] = {
        "post": _operation(
            f"report.{report.name}.export",
            "report",
            report.label,
            {200: "Anything", 202: "Anything"},
            parameters=[KEY],
            body=exported,
            files=FILES,
        )
    }
    paths[f"{where}/run"] = {
        "post": _operation(
            f"report.{report.name}.run", "report", report.label, {201: "Answer"}, parameters=[KEY], body=schema
        )
    }


def _of_the_house(paths: dict[str, Any]) -> None:
    login = {
        "type": "object",
        "required": ["username", "password", "provider"],
        "properties": {
            "username": {"type": "string"},
            "password": {"type": "string"},
            "provider": {"type": "string", "enum": ["db"]},
            "refresh": {"type": "boolean"},
        },
    }
    paths[f"{API}/security/login"] = {"post": _operation("login", "login", "Log in", {200: "Anything"}, body=login)}
    paths[f"{API}/security/login"]["post"]["security"] = []
    paths[f"{API}/acts"] = {"get": _operation("acts", "house", "The catalogue of acts", {200: "Anything"})}
    paths[f"{API}/find"] = {
        "get": _operation(
            "find",
            "house",
            "What a code, a number, a name or pinyin leads to",
            {200: "Anything"},
            parameters=[_in_query("q", {"type": "string"})],
        )
    }
    paths[f"{API}/openapi.json"] = {"get": _operation("openapi", "house", "This document", {200: "Anything"})}
    paths[f"{API}/board/{{name}}"] = {
        "get": _operation(
            "board",
            "board",
            "A board: lanes of cards",
            {200: "Anything"},
            parameters=[_in_path("name", {"type": "string", "enum": sorted(boards())})],
        )
    }
    asked = [_in_query("q", {"type": "string"})]
    paths[f"{API}/options/{{table}}"] = {
        "get": _operation(
            "options",
            "options",
            "What may be chosen",
            {200: "Anything"},
            parameters=[_in_path("table", {"type": "string", "enum": sorted(views())}), *asked],
        )
    }
    paths[f"{API}/options/dictionary/{{code}}"] = {
        "get": _operation(
            "options.dictionary",
            "options",
            "The items of a dictionary",
            {200: "Anything"},
            parameters=[_in_path("code", {"type": "string", "pattern": "^[a-z_]{1,40}$"})],
        )
    }


def _fields(form: type[Any]) -> list[tuple[str, Any]]:
    """Return a form's unbound fields in the order of their declaration."""
    pairs = [(name, getattr(form, name)) for name in dir(form)]
    return sorted(
        ((name, field) for name, field in pairs if hasattr(field, "field_class")),
        key=lambda pair: pair[1].creation_counter,
    )


def schema_of(fields: Iterable[tuple[str, Any]], *, partial: bool = False) -> dict[str, Any]:
    """Return the JSON schema of a form's inputs; ``partial`` requires none, as where absent inputs stay."""
    properties: dict[str, Any] = {}
    required = []
    for name, field in fields:
        told = _schema_of_field(field)
        if field.kwargs.get("required") and not partial:
            required.append(name)
        elif "type" in told:
            told["type"] = [told["type"], "null"]
        properties[name] = told
    schema: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**schema, "required": required} if required else schema


def _schema_of_field(field: Any) -> dict[str, Any]:
    kwargs, kind = field.kwargs, field.field_class.__name__
    label = {"title": str(field.args[0])} if field.args else {}
    if "options" in kwargs:
        choices: dict[str, Any] = {"enum": [member.value for member in kwargs["options"]]}
        return label | ({"type": "array", "items": choices} if kind == "ChooseMany" else choices)
    if "row" in kwargs:
        lines = {
            "type": "array",
            "items": schema_of(_fields(kwargs["row"])),
            "maxItems": kwargs.get("most", MOST_LINES),
        }
        return label | lines
    told = label | KINDS.get(kind, {"type": "string"})
    if kind == "Whole":
        bounds = {"least": "minimum", "most": "maximum"}
    elif kind in KINDS:
        bounds = {}
    else:
        bounds = {"least": "minLength", "most": "maxLength"}
    return told | {word: kwargs[name] for name, word in bounds.items() if kwargs.get(name) is not None}


class OpenApi(BaseApi):
    """``GET /api/v1/openapi.json``: this document, for whoever is logged in."""

    resource_name = "openapi.json"
    class_permission_name = "openapi"

    def __init__(self) -> None:
        self.base_permissions: list[str] = []
        super().__init__()

    @expose("", methods=["GET"])
    def get_document(self) -> Response:
        demand_token()
        me()
        return jsonify(document())
