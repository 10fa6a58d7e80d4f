"""What every address asks for: the expectation table of the URL × role matrix.

Each rule of ``app.url_map`` is answered by exactly one line of ``TABLE``; a rule that none knows fails a test, so a
new page must say here who may open it. A line turns a rule into calls: the address to ask for, what right it takes,
and what is answered to who has it, over a row that is hers and over one that is out of her scope.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from flask import Flask
from werkzeug.routing import Rule

from app.actors import Actor
from app.acts import REGISTRY
from app.models.base import models
from app.panel.house_view import HouseView, may_choose, views
from app.reports.base import PAPERS, REPORTS
from app.services.imports import KINDS

#: Says whether an actor has what a call takes.
Need = Callable[[Actor], bool]
PUBLIC, ANYBODY = "public", "anybody"
PK = 7_000_000_007
OPENED = frozenset({200})
#: A form sent empty: wrong inputs, a refusal, or nothing to ask for. Never a fault of ours, never "not permitted".
SENT_EMPTY = frozenset({200, 201, 302, 400, 409, 422})


@dataclass(frozen=True)
class Call:
    """One address with one method. ``need`` says who may; ``table`` names whose row ``{pk}`` in the path is;
    ``granted`` is what she may be answered over a row of hers, ``out_of_scope`` over one that she may not see."""

    rule: str
    method: str
    path: str
    need: Need | str
    granted: frozenset[int] = OPENED
    table: str = ""
    signature: str = ""
    out_of_scope: frozenset[int] = frozenset({404})

    @property
    def is_api(self) -> bool:
        return self.path.startswith("/api/")

    def allows(self, by: Actor) -> bool:
        return self.need in (PUBLIC, ANYBODY) or (callable(self.need) and self.need(by))

    def address(self, pk: int = PK) -> str:
        return self.path.replace("{pk}", str(pk))


def has(table: str, *permissions: str) -> Need:
    """All of these rights on a table."""
    return lambda by: all(by.may(table, f"can_{name}") for name in permissions)


def nobody(_by: Actor) -> bool:
    """Nobody has the right: the address stands, but nothing is behind it."""
    return False


@dataclass(frozen=True)
class Line:
    """A shape of rules and the calls that it stands for."""

    shape: str
    methods: Mapping[str, Callable[[Rule, str], Iterator[Call]]] = field(default_factory=dict)

    def matches(self, rule: Rule) -> bool:
        return re.fullmatch(self.shape, rule.rule) is not None


def _page_of(rule: Rule) -> tuple[str, HouseView | None]:
    """Return a rule's page name and the view behind it."""
    from flask import current_app

    name = rule.rule.split("/")[1]
    for view in current_app.extensions["appbuilder"].baseviews:  # type: ignore[attr-defined]
        if isinstance(view, HouseView) and view.route_base == f"/{name}":
            return name, view
    return name, None


def page(permission: str, granted: frozenset[int] = OPENED) -> Callable[[Rule, str], Iterator[Call]]:
    """A page of a table or of a further list of it, under its own name's right."""

    def calls(rule: Rule, method: str) -> Iterator[Call]:
        name, view = _page_of(rule)
        path = rule.rule.replace("<int:pk>", "{pk}")
        table = view.datamodel.table if view is not None and "{pk}" in path else ""
        yield Call(rule.rule, method, path, has(name, permission), granted, table, f"{name}.{permission}")

    return calls


def form(permission: str, granted: frozenset[int]) -> Callable[[Rule, str], Iterator[Call]]:
    """A form of plain rows; where a view has none, there is nothing for anybody."""

    def calls(rule: Rule, method: str) -> Iterator[Call]:
        name, view = _page_of(rule)
        assert view is not None
        path = rule.rule.replace("<int:pk>", "{pk}")
        table = view.datamodel.table if "{pk}" in path else ""
        if not view.canonical or not view.form_columns:
            yield Call(rule.rule, method, path, ANYBODY, frozenset({404}), "", "none")
            return
        yield Call(rule.rule, method, path, has(name, permission), granted, table, f"{name}.{permission}")

    return calls


def acts(*, creates: bool, many: bool = False, granted: frozenset[int]) -> Callable[[Rule, str], Iterator[Call]]:
    """The acts of a table, one call each; under a further list, and for a name that is none, nothing is found."""

    def calls(rule: Rule, method: str) -> Iterator[Call]:
        is_api = rule.rule.startswith("/api/")
        name = rule.rule.split("/")[3 if is_api else 1]
        _name, view = (name, None) if is_api else _page_of(rule)
        path = rule.rule.replace("<int:pk>", "{pk}")
        yield Call(rule.rule, method, path.replace("<string:name>", "no_such_act"), ANYBODY, frozenset({404}))
        for act in REGISTRY.of(name) if is_api or (view is not None and view.canonical) else ():
            if act.by_system or act.creates is not creates or (many and not act.many):
                continue
            yield Call(
                rule.rule,
                method,
                path.replace("<string:name>", act.name),
                (lambda by, act=act: by.may(act.table, act.permission)),
                granted,
                act.table if "{pk}" in path else "",
                f"{act.table}.{act.permission}",
            )

    return calls


def recomputing(*, creates: bool) -> Callable[[Rule, str], Iterator[Call]]:
    """What the lines of an act come to: for who may do it; there is nothing where an act has no lines."""

    def calls(rule: Rule, method: str) -> Iterator[Call]:
        for call in acts(creates=creates, granted=frozenset({404}))(rule, method):
            name = call.path.split("/")[-1 if rule.rule.startswith("/api/") else -2]
            act = REGISTRY.find(call.signature.partition(".")[0], name)
            yield replace(call, granted=OPENED) if act is not None and act.recompute is not None else call

    return calls


def papers(granted: frozenset[int], *, listed: bool = False) -> Callable[[Rule, str], Iterator[Call]]:
    """The printed forms of a table, one call each."""

    def calls(rule: Rule, method: str) -> Iterator[Call]:
        is_api = rule.rule.startswith("/api/")
        name = rule.rule.split("/")[3 if is_api else 1]
        _name, view = (name, None) if is_api else _page_of(rule)
        table = name if view is None else view.datamodel.table
        path = rule.rule.replace("<int:pk>", "{pk}")
        if not listed:
            yield Call(rule.rule, method, path.replace("<string:name>", "no_such_form"), ANYBODY, frozenset({404}))
        for paper in PAPERS.values():
            if paper.table != table:
                continue
            rights = [(paper.table, paper.permission), *([(name, "can_list")] if listed else [])]
            yield Call(
                rule.rule,
                method,
                path.replace("<string:name>", paper.name),
                (lambda by, rights=rights: all(by.may(*right) for right in rights)),
                granted,
                table if "{pk}" in path else "",
                "+".join(f"{where}.{what}" for where, what in rights),
            )

    return calls


def options(rule: Rule, method: str) -> Iterator[Call]:
    """What a select offers: to who may list the table or fill a form that asks for it."""
    name, view = _page_of(rule)
    assert view is not None
    need = (lambda by: may_choose(name, by)) if view.canonical else nobody
    yield Call(rule.rule, method, rule.rule, need, OPENED, "", f"{name}.options")


def rest_options(rule: Rule, method: str) -> Iterator[Call]:
    """What a select offers, over REST."""
    for table in models():
        yield Call(
            rule.rule,
            method,
            f"/api/v1/options/{table}",
            (lambda by, table=table: may_choose(table, by)),
            OPENED,
            "",
            f"{table}.options",
        )


def report(permission: str, granted: frozenset[int] = OPENED, **given: str) -> Callable[[Rule, str], Iterator[Call]]:
    """A page of a report."""

    def calls(rule: Rule, method: str) -> Iterator[Call]:
        name = rule.rule.split("/")[2]
        path = rule.rule.replace("<int:pk>", "{pk}").replace("<string:file_format>", "csv")
        table = "report_run" if "{pk}" in path else ""
        right = f"report_{name}"
        need = has(right, permission)
        path += given.get("query", "")
        yield Call(rule.rule, method, path, need, granted, table, f"{right}.{permission}")

    return calls


def rest(permission: str, granted: frozenset[int]) -> Callable[[Rule, str], Iterator[Call]]:
    """A resource of a table."""

    def calls(rule: Rule, method: str) -> Iterator[Call]:
        table = rule.rule.split("/")[3]
        path = rule.rule.replace("<int:pk>", "{pk}")
        need: Need = has(table, permission)
        writes = permission in ("add", "edit")
        if writes and not views()[table].form_columns:
            need, granted_here = has(table, permission), frozenset({404})
        else:
            granted_here = granted
        yield Call(
            rule.rule, method, path, need, granted_here, table if "{pk}" in path else "", f"{table}.{permission}"
        )

    return calls


def one(
    need: Need | str,
    granted: frozenset[int] = OPENED,
    *,
    path: str = "",
    table: str = "",
    unseen: frozenset[int] = frozenset({404}),
) -> Any:
    """A single address."""

    def calls(rule: Rule, method: str) -> Iterator[Call]:
        where = path or rule.rule.replace("<int:pk>", "{pk}")
        yield Call(rule.rule, method, where, need, granted, table, rule.rule, unseen)

    return calls


def rest_reports(permission: str, granted: frozenset[int], tail: str) -> Callable[[Rule, str], Iterator[Call]]:
    """A report over REST."""

    def calls(rule: Rule, method: str) -> Iterator[Call]:
        for each in REPORTS.values():
            path = f"/api/v1/report/{each.name}{tail}"
            yield Call(rule.rule, method, path, has(each.right, permission), granted, "", f"{each.right}.{permission}")

    return calls


def import_kinds(rule: Rule, method: str) -> Iterator[Call]:
    """The template of each kind of import: the right on imports, and the kind's own (404 without it)."""
    for kind, declared in KINDS.items():
        path = rule.rule.replace("<string:kind>", kind.value)
        yield Call(
            rule.rule,
            method,
            path,
            has("import_batch", "upload"),
            frozenset({200, 404}),
            "",
            f"import.{kind.value}.{declared.right}",
        )


def rights(permission: str, granted: frozenset[int] = OPENED, table: str = "") -> Callable[[Rule, str], Iterator[Call]]:
    """A page of rights: matrix, people, conflicts."""
    names = {"matrix": "role_matrix", "people": "employee_rights", "conflicts": "role_conflicts"}

    def calls(rule: Rule, method: str) -> Iterator[Call]:
        name = names[rule.rule.split("/")[2]]
        path = rule.rule.replace("<int:pk>", "{pk}").replace("<string:file_format>", "csv")
        yield Call(rule.rule, method, path, has(name, permission), granted, table, f"{name}.{permission}")

    return calls


#: Whoever may see as another begins and is led on, or is told why not: a person without a login, herself.
SEEN = frozenset({302, 409})
EMPTY_FORM = frozenset({302, 409, 422})
TABLE: tuple[Line, ...] = (
    # --- open to all, or to all who are logged in
    Line(r"/(static|appbuilder|bootstrap)/.*<path:filename>", {"GET": one(PUBLIC, frozenset({404}), path="/static/x")}),
    Line(r"/login/", {"GET": one(PUBLIC), "POST": one(PUBLIC, frozenset({200, 302, 400, 422}))}),
    Line(r"/alive", {"GET": one(PUBLIC)}),
    Line(r"/language/<string:locale>", {"GET": one(PUBLIC, frozenset({302}), path="/language/zh")}),
    Line(r"/api/v1/security/login", {"POST": one(PUBLIC, frozenset({400, 401, 422}))}),
    Line(r"/theme", {"POST": one(ANYBODY, frozenset({302, 400}))}),
    Line(r"/", {"GET": one(ANYBODY)}),
    Line(r"/api/v1/acts/?", {"GET": one(ANYBODY, frozenset({200, 308}))}),
    Line(r"/api/v1/options/dictionary/<string:code>", {"GET": one(ANYBODY, path="/api/v1/options/dictionary/area")}),
    Line(r"/back|/lang/<string:locale>", {"GET": one(ANYBODY, frozenset({302}), path="/back")}),
    Line(r"/logout/", {"POST": one(ANYBODY, frozenset({302}))}),
    # --- the doors: before one is known, then one's own login
    Line(r"/login/second", {"GET": one(PUBLIC, frozenset({302})), "POST": one(PUBLIC, frozenset({302, 400}))}),
    Line(r"/forgotten", {"GET": one(PUBLIC), "POST": one(PUBLIC, frozenset({400, 422}))}),
    Line(r"/again/who", {"GET": one(PUBLIC)}),
    Line(r"/again/sent/<string:key>", {"GET": one(ANYBODY, path="/again/sent/none")}),
    Line(r"/my-login/(password|second-factor)", {"GET": one(ANYBODY), "POST": one(ANYBODY, SENT_EMPTY)}),
    Line(r"/my-login/", {"GET": one(ANYBODY)}),
    Line(r"/my-login/.+|/here", {"POST": one(ANYBODY, frozenset({200, 204, 302, 409, 422}))}),
    Line(r"/lock", {"POST": one(ANYBODY, frozenset({200, 204, 302, 423}))}),
    Line(r"/unlock", {"POST": one(ANYBODY, frozenset({200, 302, 422, 423}))}),
    # --- rights
    Line(r"/rights/[a-z]+/", {"GET": rights("list")}),
    Line(r"/rights/people/<int:pk>", {"GET": rights("list", frozenset({200, 404}), table="employee")}),
    Line(
        r"/rights/[a-z]+/export/<string:file_format>",
        {"GET": rights("export"), "POST": rights("export", frozenset({409, 422}))},
    ),
    Line(r"/see-as/<int:pk>", {"POST": one(has("employee", "see_as"), SEEN, table="employee")}),
    Line(r"/see-as/stop", {"POST": one(ANYBODY, frozenset({302}))}),
    Line(r"/api/v1/openapi.json", {"GET": one(ANYBODY)}),
    Line(r"/api/v1/security/refresh", {"POST": one(ANYBODY, frozenset({401, 422}))}),
    Line(r"/search", {"GET": one(ANYBODY, frozenset({200, 302}), path="/search?q=x")}),
    Line(r"/api/v1/find/?", {"GET": one(ANYBODY, frozenset({200, 308}))}),
    Line(r"/api/v1/stored_file/", {"GET": rest("list", OPENED), "POST": one(ANYBODY, frozenset({422}))}),
    # --- the telephone: where events are posted, who calls, what is heard
    Line(
        r"/api/v1/call_event/?",
        {
            "GET": one(has("call_event", "list"), frozenset({200, 308})),
            "POST": one(has("call_event", "post"), frozenset({422})),
        },
    ),
    Line(r"/phone_call/(mark|ringing)", {"GET": one(has("phone_call", "list"))}),
    Line(
        r"/(api/v1/)?phone_call/<int:pk>/recording",
        {"GET": one(has("phone_call", "listen"), frozenset({200, 404}), table="phone_call")},
    ),
    # --- boards, over REST; on screen they stand where lists do
    Line(
        r"/api/v1/board/<string:name>",
        {"GET": one(has("arrivals_board", "list"), path="/api/v1/board/arrivals_board")},
    ),
    # --- pages of their own, before the general shapes
    Line(r"/guide/(search)?", {"GET": one(ANYBODY)}),
    Line(r"/guide/(pictures/)?<string:name>", {"GET": one(ANYBODY, path="/guide/login")}),
    Line(r"/process_guide/flow(\.svg)?", {"GET": one(has("process_guide", "list"))}),
    Line(r"/customer/whose", {"POST": one(has("customer", "register_temporary"))}),
    Line(r"/department/tree", {"GET": one(has("department_tree", "list"))}),
    Line(r"/job/run_now", {"POST": one(has("job_run", "run_now"), frozenset({302, 422}))}),
    Line(r"/(api/v1/)?import_batch/template/<string:kind>", {"GET": import_kinds}),
    Line(
        r"/(api/v1/)?import_batch/<int:pk>/refused",
        {"GET": one(has("import_batch", "show"), frozenset({200, 404}), table="import_batch")},
    ),
    # A file that another sent opens to who may read the record that it belongs to: test_files.py says which.
    Line(
        r"/(api/v1/)?stored_file/<int:pk>/content",
        {"GET": one(ANYBODY, frozenset({200, 404}), table="stored_file", unseen=frozenset({200, 404}))},
    ),
    Line(
        r"/background_task/<int:pk>/state|/api/v1/background_task/<int:pk>/rows",
        {"GET": one(has("background_task", "show"), frozenset({200, 404}), table="background_task")},
    ),
    Line(r"/background_task/tray", {"GET": one(has("background_task", "list"))}),
    Line(r"/api/v1/options/<string:table>", {"GET": rest_options}),
    # --- tables and their further lists
    Line(r"/[a-z_]+/list/", {"GET": page("list")}),
    Line(r"/[a-z_]+/show/<int:pk>", {"GET": page("show", frozenset({200, 302}))}),
    Line(r"/[a-z_]+/add", {"GET": form("add", OPENED), "POST": form("add", EMPTY_FORM)}),
    Line(r"/[a-z_]+/edit/<int:pk>", {"GET": form("edit", OPENED), "POST": form("edit", EMPTY_FORM)}),
    Line(
        r"/[a-z_]+/act/<string:name>",
        {
            "GET": acts(creates=True, granted=frozenset({200, 302})),
            "POST": acts(creates=True, granted=SENT_EMPTY),
        },
    ),
    Line(
        r"/[a-z_]+/<int:pk>/act/<string:name>",
        {
            "GET": acts(creates=False, granted=frozenset({200, 302, 409})),
            "POST": acts(creates=False, granted=SENT_EMPTY),
        },
    ),
    Line(r"/[a-z_]+/act/<string:name>/recompute", {"POST": recomputing(creates=True)}),
    Line(r"/[a-z_]+/<int:pk>/act/<string:name>/recompute", {"POST": recomputing(creates=False)}),
    Line(
        r"/[a-z_]+/many/<string:name>",
        {
            "GET": acts(creates=False, many=True, granted=frozenset({200, 422})),
            "POST": acts(creates=False, many=True, granted=SENT_EMPTY),
        },
    ),
    Line(r"/[a-z_]+/<int:pk>/print/<string:name>", {"GET": papers(OPENED), "POST": papers(OPENED)}),
    Line(
        r"/[a-z_]+/print-many/<string:name>",
        {"GET": papers(frozenset({200, 422})), "POST": papers(SENT_EMPTY)},
    ),
    Line(
        r"/[a-z_]+/print-shown/<string:name>",
        {"GET": papers(frozenset({200, 422}), listed=True), "POST": papers(SENT_EMPTY, listed=True)},
    ),
    Line(r"/[a-z_]+/options", {"GET": options}),
    Line(r"/[a-z_]+/export", {"GET": page("export"), "POST": page("export", frozenset({409, 422}))}),
    # --- reports
    Line(r"/report/[a-z_]+/", {"GET": report("list")}),
    Line(r"/report/[a-z_]+/rows", {"GET": report("list", frozenset({400, 404, 422}))}),
    Line(r"/report/[a-z_]+/run", {"POST": report("run", SENT_EMPTY)}),
    Line(
        r"/report/[a-z_]+/export/<string:file_format>",
        {"GET": report("export", frozenset({200, 422})), "POST": report("export", SENT_EMPTY)},
    ),
    Line(r"/report/[a-z_]+/stored/<int:pk>", {"GET": report("list", frozenset({200, 404}))}),
    Line(
        r"/report/[a-z_]+/stored/<int:pk>/<string:file_format>",
        {"GET": report("export", frozenset({200, 404})), "POST": report("export", frozenset({404, 409, 422}))},
    ),
    Line(r"/api/v1/[a-z_]+/export", {"POST": rest("export", frozenset({409, 422}))}),
    Line(r"/api/v1/report/<string:name>", {"GET": rest_reports("list", frozenset({200, 422}), "")}),
    Line(r"/api/v1/report/<string:name>/rows", {"GET": rest_reports("list", frozenset({400, 404, 422}), "/rows")}),
    Line(r"/api/v1/report/<string:name>/export", {"POST": rest_reports("export", SENT_EMPTY, "/export")}),
    Line(r"/api/v1/report/<string:name>/run", {"POST": rest_reports("run", SENT_EMPTY, "/run")}),
    # --- REST of tables
    Line(
        r"/api/v1/[a-z_]+/",
        {"GET": rest("list", OPENED), "POST": rest("add", SENT_EMPTY)},
    ),
    Line(
        r"/api/v1/[a-z_]+/<int:pk>",
        {"GET": rest("show", OPENED), "PUT": rest("edit", SENT_EMPTY)},
    ),
    Line(r"/api/v1/[a-z_]+/<string:name>", {"POST": acts(creates=True, granted=SENT_EMPTY)}),
    Line(r"/api/v1/[a-z_]+/<int:pk>/<string:name>", {"POST": acts(creates=False, granted=SENT_EMPTY)}),
    Line(r"/api/v1/[a-z_]+/recompute/<string:name>", {"POST": recomputing(creates=True)}),
    Line(r"/api/v1/[a-z_]+/<int:pk>/recompute/<string:name>", {"POST": recomputing(creates=False)}),
    Line(r"/api/v1/[a-z_]+/batch/<string:name>", {"POST": acts(creates=False, many=True, granted=SENT_EMPTY)}),
    Line(r"/api/v1/[a-z_]+/<int:pk>/print/<string:name>", {"GET": papers(OPENED), "POST": papers(OPENED)}),
    Line(r"/api/v1/[a-z_]+/batch-print/<string:name>", {"POST": papers(SENT_EMPTY)}),
)


def known_tables() -> set[str]:
    """Return the names of all tables; addresses of tables begin with one."""
    return set(models())


def lines_for(rule: Rule) -> list[Line]:
    """Return the lines that answer for a rule: the first that fits, special ones standing before the general."""
    return [line for line in TABLE if line.matches(rule)]


def calls_of(app: Flask) -> list[Call]:
    """Return every call that the table makes of every rule."""
    found = []
    for rule in app.url_map.iter_rules():
        lines = lines_for(rule)
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            made = lines[0].methods.get(method) if lines else None
            if made is None:
                raise LookupError(f"{method} {rule.rule} is answered by no line of the table")
            found += list(made(rule, method))
    return found
