"""System → Opening days. White paper 2.1.2."""

from __future__ import annotations

from app.models.calendar import BranchDay
from app.panel.house_view import HouseView
from app.panel.interface import HouseInterface
from app.panel.registry import Registrar
from app.words import _l


class BranchDayView(HouseView):
    """营业日: days on which a branch is closed, or opens otherwise than usual."""

    datamodel = HouseInterface(BranchDay)
    list_columns = ("day_on", "kind", "opens_at", "closes_at", "note", "branch")
    form_columns = ("branch_id", "day_on", "kind", "opens_at", "closes_at", "note")
    order_columns = ("day_on",)
    default_order = "day_on"
    filters = ("kind", "day_on")
    intro = _l(
        "Days that differ from the settings “desk.…”: closed, open on a holiday, or with other hours. An appointment "
        "outside the hours warns; it is not refused."
    )


def register(menu: Registrar) -> None:
    """Register this area's views."""
    menu.page(BranchDayView, group="system", label=_l("Opening days"), icon="calendar-week")
