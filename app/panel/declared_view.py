"""What a view declares, and how the framework is told of it: no page yet, which the pages' own modules add."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from flask import abort
from flask_appbuilder import ModelView

from app.actors import Actor
from app.models.base import Base
from app.panel.codes import Code
from app.panel.defaults import facts_of, fixed_once_added, loaded_with
from app.panel.interface import HouseInterface
from app.panel.listing import Choices, Tab
from app.panel.person import me

NOT_ROUTED = {"delete", "download", "action", "action_post"}


@dataclass(frozen=True)
class Related:
    """A tab of a record: rows of another table that point to it."""

    table: str
    foreign_key: str
    label: object
    columns: tuple[str, ...]
    eager: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sub:
    """A second line: the value of a column, perhaps a parent's (``customer.phone_masked``), perhaps in words with
    ``%(value)s``."""

    of: str
    words: object = ""


class DeclaredView(ModelView):
    """A view's declaration: columns, filters, sections, rights. ``HouseView`` says what they mean."""

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
    #: The quieter second line of a column's cells.
    subs: ClassVar[dict[str, Sub]] = {}
    search_through: ClassVar[str] = ""
    #: What the scan box finds this table's records by.
    codes: ClassVar[Sequence[Code]] = ()
    #: The column whose value a record's page shows as bars, for a scanner: the number of a document.
    barcode: ClassVar[str] = ""
    head_acts: ClassVar[Sequence[str]] = ()
    #: The act that stands in each row itself, before the menu of its others: what one comes to the list for.
    row_act: ClassVar[str] = ""
    #: What an act on a selection shows of each row beforehand, each of which can then be left out; none: their names.
    look_columns: ClassVar[Sequence[str]] = ()
    #: The same for acts that want other columns looked at: act's name -> columns.
    looks: ClassVar[Mapping[str, Sequence[str]]] = {}
    #: False where people make rows by an act; imports and REST still add them.
    offers_new: ClassVar[bool] = True
    #: The endpoint whose tag tells a list that it changed, so that it shows itself anew.
    live: ClassVar[str] = ""
    intro: ClassVar[object] = ""
    #: What an empty list says instead of that there is nothing yet: what would stand here, and how it comes.
    empty: ClassVar[object] = ""
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
