"""Registering views: a page in the menu, its table's REST, and the proof that none goes around the machinery."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flask_appbuilder import AppBuilder, ModelView
from flask_appbuilder.api import ModelRestApi
from flask_appbuilder.menu import MenuItem

from app.panel.board import BoardApi
from app.panel.cards import misdeclared
from app.panel.find_api import FindApi
from app.panel.house_view import HouseView, missing_views, views
from app.panel.interface import HouseInterface
from app.panel.openapi import OpenApi
from app.panel.rest import CatalogueApi, OptionsApi, api_for
from app.services.access import PAGES


class Registrar:
    """Registers views in the order of the menu."""

    def __init__(self, appbuilder: AppBuilder) -> None:
        self.appbuilder = appbuilder

    def group(self, name: str, label: object, icon: str = "", under: str = "") -> None:
        """Open a menu group, inside another if one is named."""
        menu = self.appbuilder.menu
        if not under:
            menu.add_category(name, icon=icon, label=label)
            return
        # The framework looks a nested category up by its own name instead of its parent's, and finds nothing.
        menu.find(under).childs.append(MenuItem(name=name, icon=icon, label=label))

    def page(self, view: type[HouseView] | Any, *, group: str = "", label: object = "", icon: str = "") -> Any:
        """Register a view; with a group it stands in the menu, and canonical views bring their table's REST.

        Without a label the menu says the view's title, or what people call its table's records.
        """
        made = view()
        if group:
            name = made.class_permission_name
            label = label or made.title or made.model.TITLES
            PAGES.setdefault(name, label)
            self.appbuilder.add_view(made, name, icon=icon, label=label, category=group)
        else:
            self.appbuilder.add_view_no_menu(made)
        if isinstance(made, HouseView) and made.canonical:
            views()[made.datamodel.table] = made
            self.appbuilder.add_api(api_for(made))
        return made

    def placed(self) -> None:
        """Register the views that name their group themselves, module by module; who imports whom does not matter."""
        named = [view for view in declared_views(HouseView) if vars(view).get("group")]
        for view in sorted(named, key=lambda view: view.__module__):
            self.page(view, group=view.group, icon=view.icon)

    def finish(self) -> None:
        """Register the catalogue; refuse to start if a table has no view or a view goes around the machinery."""
        self.appbuilder.add_api(CatalogueApi)
        self.appbuilder.add_api(OptionsApi)
        self.appbuilder.add_api(BoardApi)
        self.appbuilder.add_api(FindApi)
        self.appbuilder.add_api(OpenApi)
        absent = missing_views()
        if absent:
            raise RuntimeError(f"tables without a view: {sorted(absent)}")
        if wrong := misdeclared():
            raise RuntimeError(f"cards of lists or tabs that there are not: {wrong}")
        bypassing = bypassing_views(self.appbuilder)
        if bypassing:
            raise RuntimeError(f"views that go around the machinery: {bypassing}")


def declared_views(ancestor: type[HouseView]) -> Iterator[type[HouseView]]:
    """Yield the view classes below an ancestor."""
    for view in ancestor.__subclasses__():
        yield view
        yield from declared_views(view)


def bypassing_views(appbuilder: AppBuilder) -> list[str]:
    """Return the registered views over a table that are not ours: stock views, stock APIs, stock interfaces."""
    found = []
    for view in appbuilder.baseviews:
        is_stock = isinstance(view, ModelRestApi) or (isinstance(view, ModelView) and not isinstance(view, HouseView))
        interface = getattr(view, "datamodel", None)
        if is_stock or (interface is not None and not isinstance(interface, HouseInterface)):
            found.append(type(view).__name__)
    return found
