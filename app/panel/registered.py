"""The views that this application has: of a kind, and the lists by their page's name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeVar

from flask import current_app

if TYPE_CHECKING:
    from app.panel.house_view import HouseView

View = TypeVar("View")


def registered(kind: type[View]) -> list[View]:
    """Return the registered views of a kind, in the order of their registration."""
    return [view for view in current_app.appbuilder.baseviews if isinstance(view, kind)]  # type: ignore[attr-defined]


def lists() -> Mapping[str, HouseView]:
    """Return every list by its page's name, which is also its endpoint's."""
    from app.panel.house_view import HouseView

    found: dict[str, HouseView] = current_app.extensions.setdefault("house.pages", {})
    if not found:
        found.update({view.page or view.datamodel.table: view for view in registered(HouseView)})
    return found
