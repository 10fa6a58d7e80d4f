"""The list of a view: what is asked for, the filter bar, the table, a row, the export."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from flask import redirect, render_template, request, url_for
from flask_appbuilder import expose

from app.actors import Actor
from app.acts import REGISTRY
from app.extensions import db
from app.panel import acting, exporting, many, preferences, printing
from app.panel.declared_view import DeclaredView
from app.panel.defaults import loaded_with
from app.panel.describe import NONE, acts_now, cell_of, label_of, may_open_record, opens, record_url
from app.panel.interface import MOST_COUNTED
from app.panel.keys import keys_of
from app.panel.listing import (
    SIZES,
    Asked,
    asked_of,
    filter_conditions,
    filter_controls,
    filter_names,
    search_conditions,
    url_with,
)
from app.panel.pages import Cell, ColumnHead, Link, ListPage, Pager, Row, Selection, TableView
from app.panel.person import me, now
from app.services.fieldrights import seen
from app.words import _, _n


class ListPages(DeclaredView):
    """The list page of a view."""

    def conditions(self, by: Actor) -> list[Any]:
        """Return what narrows this list for good; overridden by further lists of a table."""
        return []

    @expose("/list/")
    def list(self) -> Any:
        """Show the list as it is asked for; asked for nothing, as its reader lets it open."""
        by = self._require("can_list")
        default = None if request.args else preferences.preferences(self, by).default
        if default is not None and preferences.fits(self, default.query, by):
            return redirect(f"{url_for('.list')}?{default.query}")
        page = self._list_page(by, self._asked())
        return render_template("panel/list.html", page=page, appbuilder=self.appbuilder)

    def _asked(self) -> Asked:
        """Return what this request asks for; answers 400 to what the list does not know."""
        return self.asked(None)

    def asked(self, given: Mapping[str, str] | None) -> Asked:
        """Return what a query string asks for, this request's if none is given."""
        by = me()
        return asked_of(
            filter_names(self.model, [*seen(self.model, self.filters, by)]),
            set(seen(self.model, self.order_columns, by)),
            [tab.name for tab in self.quick],
            default_order=self.default_order,
            descending=self.descending,
            given=given,
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
        selection = many.selection_of(self.datamodel.table, by)
        saved = preferences.saved_tabs(self, by)
        columns = preferences.shown_columns(self, by)
        table, pager = self.table_of(
            by,
            asked,
            self.rows_asked(by, asked),
            empty=self._empty(asked),
            selection=selection,
            columns=columns,
        )
        return ListPage(
            title=self.heading,
            crumbs=[Link(str(crumb), "") for crumb in self.crumbs],
            tabs=[*self._quick_tabs(asked, is_saved=any(tab.active for tab in saved)), *saved],
            search=asked.words,
            search_hint=self._search_hint(),
            filters=self._filter_bar(asked, by),
            keep=[(name, request.args[name]) for name in ("tab", "o", "d", "size") if name in request.args],
            table=table,
            pager=pager,
            acts=self._head_buttons(by),
            add_url=self._add_url(by),
            intro=str(self.intro),
            live=url_for(self.live) if self.live else "",
            exports=[*self.downloads(by), *exporting.list_link(self, by)],
            papers=printing.list_buttons(self, by) if table.rows else [],
            selection=selection,
            views=preferences.saved_acts(self, by),
            columns=preferences.columns_act(self, by),
            clear_url=self._clear_url(asked),
            ways=self._ways(asked),
            keys=keys_of("list"),
        )

    def _quick_tabs(self, asked: Asked, *, is_saved: bool) -> Any:
        """Return the quick filters; a saved view that is shown stands before the one that it was made from."""
        return [
            Link(
                str(tab.label),
                url_with({"tab": tab.name, "page": None}),
                active=tab.name == asked.tab and not is_saved,
            )
            for tab in self.quick
        ]

    def _clear_url(self, asked: Asked) -> str:
        """Return the list without words and filters, if there are any; tab, order and size stay."""
        if not asked.words and not asked.filters:
            return ""
        kept = {name: text for name in ("tab", "o", "d", "size") if (text := request.args.get(name))}
        return url_for(".list", **(kept or {"all": 1}))

    def _empty(self, asked: Asked) -> str:
        """Say what would stand here, or what hides it."""
        if asked.words or asked.filters:
            return _("Nothing answers these words and filters.")
        tab = next((tab for tab in self.quick if tab.name == asked.tab and tab.condition is not None), None)
        if tab is not None and not (self.empty and tab is self.quick[0]):
            return _("Nothing stands under “%(tab)s” just now.", tab=tab.label)
        return str(self.empty) or _("No %(what)s yet. What is made appears here.", what=self.heading)

    def _ways(self, asked: Asked) -> Any:
        """Return what leads on from an empty list: away from the filters, or from the tab to the one that has all."""
        if url := self._clear_url(asked):
            return [Link(_("Clear all filters"), url, "x-lg")]
        whole = next((tab for tab in self.quick if tab.condition is None and tab.name != asked.tab), None)
        return [Link(_("Show: %(tab)s", tab=whole.label), url_with({"tab": whole.name, "page": None}))] if whole else []

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
        self,
        by: Actor,
        asked: Asked,
        statement: Any,
        *,
        empty: str,
        selection: Selection | None = None,
        columns: Sequence[str] = (),
    ) -> tuple[TableView, Pager]:
        """Return the page asked for of a scoped statement's rows, with this list's columns, or others, and acts."""
        session = db.session()
        names = columns or seen(self.model, self.list_columns, by)
        total = self.datamodel.count(session, statement)
        records = self.datamodel.page(
            session, statement, order=self._order(asked), page=asked.page, size=asked.size, eager=self.loads(names)
        )
        heads = [self._head(name, asked) for name in names]
        self.before_rows(records, by)
        rows = [_selectable(self.row_of(record, by, names), selection) for record in records]
        return TableView(heads, rows, empty=empty), self._pager(asked, total, len(records))

    def loads(self, columns: Sequence[str]) -> Sequence[str]:
        """Return what to load with rows that show these columns."""
        return loaded_with(self.model, columns, self.eager)

    @property
    def record_view(self) -> ListPages:
        """The view that shows this table's records: this one, or the one that it is a further list of."""
        from app.panel.house_view import views

        return views().get(self.datamodel.table, self)

    def label(self, name: str) -> str:
        """Return a column's label: as this list has it, else as the record's page does."""
        return label_of(self.model, name, {**self.record_view.labels, **self.labels})

    def _search_hint(self) -> str:
        if self.model.__tablename__ == "customer" or self.search_through:
            return _("Number, name, telephone or its last four digits, pinyin")
        return _("Search")

    def _head(self, name: str, asked: Asked) -> ColumnHead:
        label = self.label(name)
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

    def before_look(self, records: Any, by: Actor) -> None:
        """Load at once what an act on a selection shows of each of these records; overridden."""

    def row_of(self, record: Any, by: Actor, columns: Sequence[str] = ()) -> Row:
        """Return a record as a row; its first cell leads to the record."""
        table = self.datamodel.table
        url = record_url(table, record.id) if may_open_record(record, by) else ""
        cells = []
        for index, name in enumerate(seen(self.model, columns or self.list_columns, by)):
            cell = self.cell_shown(record, name, by, plain=index == 0)
            if index == 0:
                cell = replace(cell, url=url)
            if name in self.subs:
                cell = replace(cell, sub=self._sub(record, name, by))
            cells.append(cell)
        acts = [acting.button(act, record) for act in acts_now(record, by)]
        may_edit = self.record_view.form_columns and url and by.may(table, "can_edit")
        return Row(
            record.id,
            url,
            cells,
            acts,
            str(record),
            edit_url=url_for(f"{table}.edit", pk=record.id) if may_edit else "",
            first=next((act for act in acts if act.name == self.row_act), None),
        )

    def cell_shown(self, record: Any, name: str, by: Actor, *, plain: bool = False) -> Cell:
        """Return a cell of a list; a column of the record's page is shown only of records that one may open."""
        if name in self.list_columns or name in self.computed:
            return self.cell(record, name, by, plain=plain)
        return self.record_view.cell(record, name, by, plain=plain) if opens(record, by) else Cell(NONE)

    def cell(self, record: Any, name: str, by: Actor, *, plain: bool = False) -> Cell:
        """Return one shown value, of the model or computed."""
        if name in self.computed:
            return Cell(str(self.computed[name](record)))
        return cell_of(record, name, by, plain=plain)

    def _sub(self, record: Any, name: str, by: Actor) -> str:
        """Return the quieter second line of a cell; of a time on the same day, the hour is enough."""
        here, sub = record, self.subs[name]
        *parents, last = sub.of.split(".")
        for parent in parents:
            here = getattr(here, parent)
            if here is None:
                return ""
        text = cell_of(here, last, by, plain=True).text
        above, value = getattr(record, name, None), getattr(here, last)
        if isinstance(above, datetime) and isinstance(value, datetime):
            there = value.astimezone(by.timezone)
            text = f"{there:%H:%M}" if there.date() == above.astimezone(by.timezone).date() else text
        return str(sub.words) % {"value": text} if sub.words and text != NONE else text


def _selectable(row: Row, selection: Selection | None) -> Row:
    """A row can be selected if it can be printed or one of the acts on a selection is possible on it now."""
    if selection is not None and selection.papers:
        return replace(row, selectable=True)
    offered = {act.name for act in selection.acts} if selection is not None else set()
    return replace(row, selectable=any(act.name in offered for act in row.acts))
