"""System → Background tasks: one's own long work; for those who look after the house, all of it."""

from __future__ import annotations

from app.models.tasks import BackgroundTask
from app.panel.house_view import HouseView
from app.panel.interface import HouseInterface
from app.panel.registry import Registrar
from app.services.tasks import label_of
from app.words import _l


class BackgroundTaskView(HouseView):
    """Long work: what was asked, how far it is, how it ended."""

    datamodel = HouseInterface(BackgroundTask)
    list_columns = ("what", "state", "done_count", "queued_at", "ended_at", "employee")
    labels = {"what": _l("Task")}
    computed = {"what": lambda task: label_of(task.kind)}
    show_sections = ((_l("Background task"), ("what", "employee", "queued_at", "started_at", "ended_at", "error")),)
    filters = ("state",)
    eager = ("employee",)


def register(menu: Registrar) -> None:
    """Register this area's views."""
    menu.page(BackgroundTaskView, group="system", label=_l("Background tasks"), icon="hourglass-split")
