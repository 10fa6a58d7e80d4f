"""The view of every table: list, record, form, act, options. The only ancestor that a business view may have.

It keeps Flask-AppBuilder's registration, menu and permissions, and none of its request handling: no state is
shared between requests, every read is scoped, every write is an act or a checked save in one unit of work.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, ClassVar

from flask import abort, current_app, flash, jsonify, redirect, render_template, request, url_for
from flask_appbuilder import ModelView, expose
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from app.actors import Actor
from app.acts import REGISTRY, Act
from app.errors import InvalidInput, KeyReused, NotPermitted, OutOfScope, Refusal, Stale
from app.extensions import db
from app.fields import HouseForm
from app.models.base import Base, described, models
from app.panel import acting, exporting, many, printing, recording
from app.panel.defaults import facts_of, fixed_once_added, loaded_with
from app.panel.describe import acts_now, cell_of, label_of, may_open_record, opens, record_url
from app.panel.doors import again
from app.panel.forms import acts_picking, form_for, picks_of
from app.panel.interface import MOST_COUNTED, HouseInterface
from app.panel.listing import (
    MAX_QUERY,
    SIZES,
    Asked,
    Choices,
    Tab,
    asked_of,
    filter_conditions,
    filter_controls,
    filter_names,
    search_conditions,
    url_with,
)
from app.panel.pages import Cell, ColumnHead, FormPage, Link, ListPage, Pager, Row, Selection, TableView
from app.panel.person import me, now
from app.services.fieldrights import seen
from app.services.plain import save
from app.services.runner import form_context, keep_denial
from app.services.scope import loader
from app.words import _, _n

NOT_ROUTED = {"delete", "download", "action", "action_post"}
OPTIONS = 20


@dataclass(frozen=True)
class Related:
    """A tab of a record: rows of another table that point to it."""

    table: str
    foreign_key: str
    label: object
    columns: tuple[str, ...]
    eager: tuple[str, ...] = ()


class HouseView(ModelView):
    """Declare ``datamodel`` and columns; the machinery does the rest. ``canonical`` views own their table's
    records, the others are further lists of it, with a right of their own.

    A view that names its ``group`` itself stands at the end of that group of the menu; the others are registered by
    their area, in the white paper's order. Unless it says otherwise, a record shows one section with the columns of
    its list and its form; lists load the records that their columns name, and ``eager`` names what they need besides.
    """

    datamodel: HouseInterface
    group: ClassVar[str] = ""
    icon: ClassVar[str] = ""
    canonical: ClassVar[bool] = True
    #: The class of this table's REST, where it does more than ``panel.rest.HouseApi``.
    api: ClassVar[Any] = None
    page: ClassVar[str] = ""
    title: ClassVar[object] = ""
    crumbs: ClassVar[tuple[object, ...]] = ()

    list_columns: Sequence[str] = ()
    show_sections: Sequence[tuple[object, Sequence[str]]] = ()
    form_columns: ClassVar[Sequence[str]] = ()
    add_only: Sequence[str] = ()
    order_columns: Sequence[str] = ()
    default_order: ClassVar[str] = "id"
    descending: ClassVar[bool] = True
    filters: ClassVar[Sequence[str]] = ()
    quick: ClassVar[Sequence[Tab]] = ()
    eager: Sequence[str] = ()
    record_eager: ClassVar[Sequence[str]] = ()
    related: ClassVar[Sequence[Related]] = ()
    labels: ClassVar[dict[str, object]] = {}
    #: Columns that no model has: name -> function (record) to text; their labels stand in ``labels``.
    computed: ClassVar[dict[str, Callable[[Any], object]]] = {}
    #: What the filter of a plain text column offers: name -> function to (value, label) pairs.
    choices: ClassVar[dict[str, Choices]] = {}
    subs: ClassVar[dict[str, str]] = {}
    search_through: ClassVar[str] = ""
    head_acts: ClassVar[Sequence[str]] = ()
    #: False where people make rows by an act; imports and REST still add them.
    offers_new: ClassVar[bool] = True
    intro: ClassVar[object] = ""
    exclude_route_methods = NOT_ROUTED

    def __init__(self, **kwargs: Any) -> None:
        table = self.datamodel.table
        self.class_permission_name = self.page or table
        self.route_base = f"/{self.page or table}"
        self.base_permissions = ["can_list", "can_export", *self._record_rights()]
        self._fill_in()
        super().__init__(**kwargs)

    def _fill_in(self) -> None:
        """Fill in what the view leaves to the machinery."""
        facts = facts_of(self.model, self.list_columns, self.form_columns)
        self.show_sections = self.show_sections or ((self.model.TITLE, facts),)
        self.eager = loaded_with(self.model, self.list_columns, self.eager)
        self.add_only = fixed_once_added(self.model, self.form_columns, self.add_only)

    def _record_rights(self) -> list[str]:
        if not self.canonical:
            return []
        return ["can_show", *(["can_add", "can_edit"] if self.form_columns else [])]

    def _init_properties(self) -> None:
        """The framework would guess columns and load relations here; ours are declared."""
        self._related_views: list[Any] = []
        self.label_columns: dict[str, str] = {}
        self.search_columns: list[str] = []
        self.add_columns = self.edit_columns = list(self.form_columns)
        self.show_columns = [name for _title, names in self.show_sections for name in names]

    def _init_forms(self) -> None:
        """Forms are built per request, bound to the actor."""

    def _init_titles(self) -> None:
        self.list_title = self.show_title = self.add_title = self.edit_title = str(self.datamodel.obj.TITLE)

    def get_uninit_inner_views(self) -> list[Any]:
        return []

    def create_blueprint(self, appbuilder: Any, endpoint: str | None = None, static_folder: str | None = None) -> Any:
        """Register under the table's name, which addresses and templates use."""
        return super().create_blueprint(appbuilder, endpoint or self.page or self.datamodel.table, static_folder)

    @property
    def model(self) -> type[Base]:
        found: type[Base] = self.datamodel.obj
        return found

    @property
    def heading(self) -> str:
        return str(self.title or self.model.TITLES)

    def _require(self, permission: str) -> Actor:
        by = me()
        if not by.may(self.class_permission_name, permission):
            abort(403)
        return by

    # --- list ------------------------------------------------------------------------------------------------

    def conditions(self, by: Actor) -> list[Any]:
        """Return what narrows this list for good; overridden by further lists of a table."""
        return []

    @expose("/list/")
    def list(self) -> str:
        by = self._require("can_list")
        page = self._list_page(by, self._asked())
        return render_template("panel/list.html", page=page, appbuilder=self.appbuilder)

    def _asked(self) -> Asked:
        by = me()
        return asked_of(
            filter_names(self.model, [*seen(self.model, self.filters, by)]),
            set(seen(self.model, self.order_columns, by)),
            [tab.name for tab in self.quick],
            default_order=self.default_order,
            descending=self.descending,
        )

    def _order(self, asked: Asked) -> Sequence[Any]:
        attribute = getattr(self.model, asked.order)
        return [attribute.desc() if asked.descending else attribute.asc(), self.model.id.desc()]

    def rows_asked(self, by: Actor, asked: Asked) -> Any:
        """Return the scoped statement of what the query string asks for, unordered."""
        conditions = [
            *self.conditions(by),
            *search_conditions(self.model, asked.words, by, self.search_through),
            *filter_conditions(self.model, [*seen(self.model, self.filters, by)], asked.filters, by),
        ]
        for tab in self.quick:
            if tab.name == asked.tab and tab.condition is not None:
                conditions.append(tab.condition(by, now()))
        return self.datamodel.statement(by, conditions)

    def _list_page(self, by: Actor, asked: Asked) -> ListPage:
        nothing = _("Nothing here yet.") if not asked.words and not asked.filters else _("Nothing answers this.")
        selection = many.selection_of(self.datamodel.table, by)
        table, pager = self.table_of(by, asked, self.rows_asked(by, asked), empty=nothing, selection=selection)
        return ListPage(
            title=self.heading,
            crumbs=[Link(str(crumb), "") for crumb in self.crumbs],
            tabs=[
                Link(str(tab.label), url_with({"tab": tab.name, "page": None}), active=tab.name == asked.tab)
                for tab in self.quick
            ],
            search=asked.words,
            search_hint=self._search_hint(),
            filters=self._filter_bar(asked, by),
            keep=[(name, request.args[name]) for name in ("tab", "o", "d", "size") if name in request.args],
            table=table,
            pager=pager,
            acts=self._head_buttons(by),
            add_url=self._add_url(by),
            intro=str(self.intro),
            exports=[*self.downloads(by), *exporting.list_link(self, by)],
            papers=printing.list_buttons(self, by) if table.rows else [],
            selection=selection,
        )

    def _filter_bar(self, asked: Asked, by: Actor) -> Any:
        shown = [*seen(self.model, self.filters, by)]
        return filter_controls(db.session(), self.model, shown, asked, by, self.labels, self.choices)

    @expose("/export", methods=["GET", "POST"])
    def export(self) -> Any:
        """Ask why, then export all that the list shows under the same filters, as it shows it."""
        by = me()
        exporting.require(self.class_permission_name, self.datamodel.table, by)
        self._asked()
        query = request.query_string.decode("ascii", "replace")
        return exporting.answer(
            exporting.ListExport,
            lambda form: exporting.list_wanted(self, query, form.file_format.data.value, form.reason.data),
            title=self.heading,
            back=url_for(".list") + (f"?{query}" if query else ""),
        )

    def downloads(self, by: Actor) -> Any:
        """Return links to files that belong to a list, such as templates; overridden."""
        return []

    def _add_url(self, by: Actor) -> str:
        """Return where a new row is written; nowhere if an act does it."""
        may = self.form_columns and self.offers_new and by.may(self.datamodel.table, "can_add")
        return url_for(".add") if may else ""

    def table_of(
        self, by: Actor, asked: Asked, statement: Any, *, empty: str, selection: Selection | None = None
    ) -> tuple[TableView, Pager]:
        """Return the page asked for of a scoped statement's rows, with this list's columns and acts."""
        session = db.session()
        total = self.datamodel.count(session, statement)
        records = self.datamodel.page(
            session, statement, order=self._order(asked), page=asked.page, size=asked.size, eager=self.eager
        )
        heads = [self._head(name, asked) for name in seen(self.model, self.list_columns, by)]
        self.before_rows(records, by)
        rows = [_selectable(self.row_of(record, by), selection) for record in records]
        return TableView(heads, rows, empty=empty), self._pager(asked, total, len(records))

    def _search_hint(self) -> str:
        if self.model.__tablename__ == "customer" or self.search_through:
            return _("Number, name, telephone or its last four digits, pinyin")
        return _("Search")

    def _head(self, name: str, asked: Asked) -> ColumnHead:
        label = label_of(self.model, name, self.labels)
        if name not in self.order_columns:
            return ColumnHead(name, label)
        direction = ("desc" if asked.descending else "asc") if asked.order == name else ""
        other = "asc" if direction == "desc" else "desc"
        return ColumnHead(name, label, url_with({"o": name, "d": other, "page": None}), direction)

    def _pager(self, asked: Asked, total: int, shown: int) -> Pager:
        more = total > MOST_COUNTED
        text = _("more than %(count)s rows", count=MOST_COUNTED) if more else _n("%(num)s row", "%(num)s rows", total)
        has_next = shown == asked.size and (more or (asked.page + 1) * asked.size < total)
        return Pager(
            text,
            asked.page + 1,
            asked.size,
            url_with({"page": asked.page - 1}) if asked.page else "",
            url_with({"page": asked.page + 1}) if has_next else "",
            [Link(str(size), url_with({"size": size, "page": None}), active=size == asked.size) for size in SIZES],
        )

    def _head_buttons(self, by: Actor) -> Any:
        named = [REGISTRY.find(*key.split(".")) for key in self.head_acts]
        own = [act for act in REGISTRY.of(self.datamodel.table) if act.main and act.creates]
        return [acting.button(act) for act in named or own if act is not None and by.may(act.table, act.permission)]

    def before_rows(self, records: Any, by: Actor) -> None:
        """Load at once what the cells of these records need and no relationship loads; overridden."""

    def row_of(self, record: Any, by: Actor, columns: Sequence[str] = ()) -> Row:
        """Return a record as a row; its first cell leads to the record."""
        table = self.datamodel.table
        url = record_url(table, record.id) if may_open_record(record, by) else ""
        cells = []
        for index, name in enumerate(seen(self.model, columns or self.list_columns, by)):
            cell = self.cell(record, name, by, plain=index == 0)
            if index == 0:
                cell = replace(cell, url=url)
            if name in self.subs:
                cell = replace(cell, sub=self._sub(record, self.subs[name], by))
            cells.append(cell)
        return Row(record.id, url, cells, [acting.button(act, record) for act in acts_now(record, by)], str(record))

    def cell(self, record: Any, name: str, by: Actor, *, plain: bool = False) -> Cell:
        """Return one shown value, of the model or computed."""
        if name in self.computed:
            return Cell(str(self.computed[name](record)))
        return cell_of(record, name, by, plain=plain)

    def _sub(self, record: Any, path: str, by: Actor) -> str:
        here = record
        *parents, last = path.split(".")
        for name in parents:
            here = getattr(here, name)
            if here is None:
                return ""
        return cell_of(here, last, by, plain=True).text

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

    # --- form ------------------------------------------------------------------------------------------------

    @expose("/add", methods=["GET", "POST"])
    def add(self) -> Any:
        by = self._require_form("can_add")
        return self._form(by, None)

    @expose("/edit/<int:pk>", methods=["GET", "POST"])
    def edit(self, pk: int) -> Any:
        by = self._require_form("can_edit")
        return self._form(by, self.record_in_scope(by, pk))

    def _require_form(self, permission: str) -> Actor:
        if not self.canonical or not self.form_columns:
            abort(404)
        return self._require(permission)

    def form_class(self, *, adding: bool, by: Actor | None = None) -> type[HouseForm]:
        """Return the form of a plain row, as far as ``by`` may know of its columns."""
        columns = [name for name in self.form_columns if adding or name not in self.add_only]
        columns = columns if by is None else [*seen(self.model, columns, by)]
        return form_for(self.model, columns)

    def _form(self, by: Actor, record: Any) -> Any:
        session = db.session()
        form_class = self.form_class(adding=record is None, by=by)
        context = form_context(session, by, now=now(), record=record)
        sent = request.form if request.method == "POST" else None
        form = form_class(sent, data=self._standing(record, form_class), meta={"context": context})
        refusal, anew = "", False
        if request.method == "POST" and not again.sentence():
            try:
                if not form.validate():
                    raise InvalidInput(form.errors)
                saved = save(
                    session,
                    self.model,
                    self.values_of(form, record),
                    by=by,
                    at=now(),
                    record_id=None if record is None else record.id,
                    row_version=acting.row_version_sent(),
                    key=acting.request_key_sent(),
                )
                return self._after_saving(saved, is_new=record is None)
            except InvalidInput as wrong:
                acting.put_errors(form, wrong)
            except Refusal as said:
                refusal, anew = said.sentence, isinstance(said, Stale | KeyReused)
            except OutOfScope:
                abort(404)
        page = self._form_page(form, record, refusal, anew=anew)
        status = 409 if refusal else 422 if form.errors else 200
        return render_template("panel/form.html", page=page, appbuilder=self.appbuilder), status

    def _after_saving(self, saved: Any, *, is_new: bool) -> Response:
        """Go to the record, or on to the next new one."""
        if is_new and request.form.get("then") == "new":
            flash(_("Saved: %(record)s.", record=saved), "success")
            return redirect(url_for(".add"))
        return redirect(record_url(self.datamodel.table, saved.id))

    def _standing(self, record: Any, form_class: type[HouseForm]) -> dict[str, Any]:
        """Return what an edit form begins with; sensitive values stay unseen."""
        if record is None:
            return {}
        names = [name for name in self.form_columns if hasattr(form_class, name)]
        return {name: getattr(record, name) for name in names if not _is_sensitive(self.model, name)}

    def values_of(self, form: HouseForm, record: Any) -> dict[str, Any]:
        """Return the values to save; an empty sensitive input of an edit leaves what stands."""
        return {
            name: value.value if isinstance(value, StrEnum) and self._is_text(name) else value
            for name, value in form.data.items()
            if not (record is not None and value is None and _is_sensitive(self.model, name))
        }

    def _is_text(self, name: str) -> bool:
        """Say whether a column keeps a chosen text as it is."""
        column = described(getattr(self.model, name))
        return column is not None and column.options is not None

    def _form_page(self, form: HouseForm, record: Any, refusal: str, *, anew: bool) -> FormPage:
        title = _("New: %(what)s", what=self.model.TITLE) if record is None else _("Edit: %(what)s", what=record)
        back = url_for(".list") if record is None else record_url(self.datamodel.table, record.id)
        return FormPage(
            title=title,
            crumbs=[Link(self.heading, url_for(".list"))],
            form=form,
            action=request.path,
            submit=_("Save"),
            cancel_url=back,
            refusal=refusal,
            hidden=acting.hidden_inputs(record, anew=anew),
            and_new=record is None,
            before=acting.done_before(acting.request_key_sent()) if anew and request.form.get("request_key") else None,
            again=again.sentence(),
        )

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


def _selectable(row: Row, selection: Selection | None) -> Row:
    """A row can be selected if it can be printed or one of the acts on a selection is possible on it now."""
    if selection is not None and selection.papers:
        return replace(row, selectable=True)
    offered = {act.name for act in selection.acts} if selection is not None else set()
    return replace(row, selectable=any(act.name in offered for act in row.acts))


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


def _is_sensitive(model: type[Base], name: str) -> bool:
    column = described(getattr(model, name))
    return column is not None and column.sensitive


def views() -> dict[str, HouseView]:
    """Return the canonical view of each table of this application."""
    found: dict[str, HouseView] = current_app.extensions.setdefault("house.views", {})
    return found


def missing_views() -> set[str]:
    """Return the tables of ours that no canonical view shows."""
    return set(models()) - set(views())


__all__ = ["HouseView", "Related", "Tab", "may_choose", "missing_views", "option_text", "views"]
