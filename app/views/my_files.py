"""System → My files: what long work and exports of one's own left, until it expires."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from flask import url_for
from sqlalchemy import select

from app.actors import Actor
from app.extensions import db
from app.models.files import FilePurpose, StoredFile
from app.models.privacy import ExportRequest
from app.models.tasks import BackgroundTask
from app.panel.describe import NONE, local_time, record_url
from app.panel.files import content_url, size_text
from app.panel.house_view import HouseView, Tab
from app.panel.interface import HouseInterface
from app.panel.pages import Cell, Link, Row
from app.panel.person import now
from app.services.tasks import name_of
from app.words import _, _l


class MyFilesView(HouseView):
    """我的文件: one's results and exports, how large, until when they are kept, and those that are gone."""

    datamodel = HouseInterface(StoredFile)
    canonical = False
    page = "my_files"
    group = "system"
    icon = "folder2-open"
    title = _l("My files")
    list_columns = ("name", "origin", "size", "standing", "created_at", "expires_at")
    labels = {
        "origin": _l("Where it comes from"),
        "size": _l("Size"),
        "standing": _l("State"),
        "created_at": _l("Made"),
    }
    quick = (
        Tab("there", _l("To download"), lambda by, now: StoredFile.dropped_at.is_(None)),
        Tab("gone", _l("Expired"), lambda by, now: StoredFile.dropped_at.is_not(None)),
        Tab("all", _l("All")),
    )
    order_columns = ("created_at",)
    intro = _l("What the house made for you: exports, batches, reports. After its time the file goes; this line stays.")

    def conditions(self, by: Actor) -> list[Any]:
        """One's own results and nothing else: never evidence, never what was handed in."""
        return [StoredFile.employee_id == by.employee_id, StoredFile.purpose == FilePurpose.RESULT]

    def before_rows(self, records: Any, by: Actor) -> None:
        """Find at once of which work these files are."""
        session = db.session()
        for model in (ExportRequest, BackgroundTask):
            table = model.__tablename__
            ids = [file.subject_id for file in records if file.subject_table == table]
            found = {work.id: work for work in session.scalars(select(model).where(model.id.in_(ids)))} if ids else {}
            for file in records:
                if file.subject_table == table:
                    file.work = found.get(file.subject_id)

    def row_of(self, record: Any, by: Actor, columns: Sequence[str] = ()) -> Row:
        """Return a file as a row whose first cell downloads it, as long as it is there."""
        row = super().row_of(record, by, columns)
        url = content_url(record) if record.dropped_at is None else ""
        return replace(row, url=url, cells=[replace(row.cells[0], url=url), *row.cells[1:]])

    def cell(self, record: Any, name: str, by: Actor, *, plain: bool = False) -> Cell:
        """Return one shown value."""
        if name == "origin":
            return _origin(getattr(record, "work", None))
        if name == "size":
            return Cell(size_text(record.size_bytes), number=True)
        if name == "standing":
            if record.dropped_at is not None:
                return Cell(_("Expired on %(when)s", when=local_time(record.dropped_at, by)), tone="mute")
            is_last_day = record.expires_at is not None and (record.expires_at - now()).days < 1
            return Cell(_("Expires soon"), tone="warn") if is_last_day else Cell(_("Ready"), tone="ok")
        return super().cell(record, name, by, plain=plain)

    def downloads(self, by: Actor) -> Any:
        """Lead to the work that is still going on."""
        return [Link(_("My long work"), url_for("background_task.list", tab="mine"), "hourglass-split")]


def _origin(work: Any) -> Cell:
    if isinstance(work, ExportRequest):
        return Cell(str(work), url=record_url("export_request", work.id))
    if isinstance(work, BackgroundTask):
        return Cell(name_of(work), url=record_url("background_task", work.id))
    return Cell(NONE)
