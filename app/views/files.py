"""Files: their list, and how they are sent and read."""

from __future__ import annotations

from app.models.files import StoredFile
from app.panel.house_view import HouseView
from app.panel.interface import HouseInterface
from app.panel.registry import Registrar
from app.words import _l


class StoredFileView(HouseView):
    """Files that one handed in."""

    datamodel = HouseInterface(StoredFile)
    list_columns = ("name", "media_type", "size_bytes", "purpose", "created_at", "employee")
    labels = {"created_at": _l("When")}
    show_sections = (
        (_l("File"), ("name", "media_type", "size_bytes", "purpose", "created_at", "employee", "dropped_at")),
    )
    order_columns = ("created_at",)
    eager = ("employee",)


def register(menu: Registrar) -> None:
    """Register this area's views."""
    menu.page(StoredFileView)
