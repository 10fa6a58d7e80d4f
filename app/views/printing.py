"""System → Print log: which form of which record was printed, which copy, by whom. White paper 5.1."""

from __future__ import annotations

from app.models.base import models
from app.models.printing import PrintJob
from app.panel.house_view import HouseView
from app.panel.interface import HouseInterface
from app.panel.printing import form_words
from app.reports.press import copy_words
from app.words import _l


def _table_words(job: PrintJob) -> str:
    model = models().get(job.table_name)
    return str(model.TITLE) if model is not None else job.table_name


class PrintJobView(HouseView):
    """打印记录: every printing, newest first."""

    datamodel = HouseInterface(PrintJob)
    group, icon = "system", "printer"
    list_columns = ("record_name", "form", "copy", "printed_at", "employee", "pages", "branch")
    labels = {"form": _l("Form"), "copy": _l("Copy"), "table_words": _l("Table")}
    computed = {
        "form": form_words,
        "copy": lambda job: copy_words(job.copy_no),
        "table_words": _table_words,
    }
    show_sections = (
        (_l("Printing"), ("record_name", "table_words", "form", "copy", "copy_no", "pages", "locale", "task")),
        (_l("Printed by"), ("printed_at", "employee", "actor", "branch", "department")),
    )
    order_columns = ("printed_at", "record_name")
    filters = ("employee_id", "printed_at")
    record_eager = ("department", "task")
