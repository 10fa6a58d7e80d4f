"""One's own lists: saved views, chosen columns. They are made on the lists themselves; here they are kept in order."""

from __future__ import annotations

from typing import Any

from app.actors import Actor
from app.errors import InvalidInput
from app.models.lists import ListColumns, SavedFilter
from app.panel.house_view import HouseView, Tab
from app.panel.interface import HouseInterface
from app.panel.preferences import PanelLists, page_title
from app.panel.registry import Registrar
from app.words import _, _l


class SavedFilterView(HouseView):
    """Saved views; no menu entry, each list leads here."""

    datamodel = HouseInterface(SavedFilter)
    list_columns = ("name", "list_title", "is_default", "retired_at")
    show_sections = ((_l("Saved view"), ("list_title", "is_default", "query", "retired_at")),)
    labels = {"list_title": _l("List")}
    computed = {"list_title": lambda saved: page_title(saved.page)}
    quick = (
        Tab("kept", _l("In use"), lambda _by, _now: SavedFilter.retired_at.is_(None)),
        Tab("all", _l("All")),
    )
    empty = _l("Filter a list as you need it, and press “Save as a view”: it stands here and as a tab of that list.")

    def banners(self, record: Any, by: Actor) -> list[tuple[str, str]]:
        try:
            PanelLists().checked(record.page, record.query, by)
        except InvalidInput as wrong:
            sentence = str(next(iter(wrong.errors.values()))[0])
            advice = _("Open the list, filter it anew and replace this view, or remove it.")
            return [("warn", f"{sentence} {advice}")]
        return []


class ListColumnsView(HouseView):
    """Chosen columns; no menu entry."""

    datamodel = HouseInterface(ListColumns)
    list_columns = ("list_title", "columns")
    labels = {"list_title": _l("List")}
    computed = {"list_title": lambda chosen: page_title(chosen.page)}


def register(menu: Registrar) -> None:
    """Register the pages behind the lists."""
    menu.page(SavedFilterView)
    menu.page(ListColumnsView)
