"""Personal data: exports, consents and their texts, requests of the persons themselves, changes of the key."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

from flask import render_template
from flask_appbuilder import expose

from app.actors import Actor
from app.extensions import db
from app.models.base import models
from app.models.privacy import (
    ConsentState,
    ConsentText,
    CustomerConsent,
    ExportRequest,
    ExportState,
    KeyRotation,
    SubjectKind,
    SubjectRequest,
    SubjectState,
)
from app.panel import recording
from app.panel.cards import Shows, card
from app.panel.house_view import HouseView, Tab
from app.panel.interface import HouseInterface
from app.panel.pages import Cell, ColumnHead, RelatedTab, Row, TableView
from app.panel.person import now
from app.services.fieldrights import declaration
from app.services.privacy.pseudonyms import WHY, plan_of
from app.services.scope import find
from app.views.tasks import progress_of
from app.words import _, _l


def _to_decide(by: Actor, _now: datetime) -> Any:
    """What waits for a second person, who is another than who asked. H.2."""
    return (ExportRequest.state == ExportState.WAITING) & (ExportRequest.asked_by_id != by.employee_id)


class ExportRequestView(HouseView):
    """导出申请: who took which rows out of the house, and what waits for a second person. H.2."""

    datamodel = HouseInterface(ExportRequest)
    group = "system"
    icon = "box-arrow-up-right"
    list_columns = ("what", "state", "row_count", "file_format", "asked_by", "asked_at", "decided_by", "expires_at")
    labels = {"what": _l("What"), "file": _l("Result file")}
    show_sections = (
        (_l("Export"), ("what", "file_format", "row_count", "reason", "asked_by", "asked_at")),
        (_l("What became of it"), ("decided_by", "decided_at", "decision_note", "file", "made_at", "expires_at")),
    )
    quick = (
        Tab("all", _l("All")),
        Tab("waiting", _l("Waiting for approval"), lambda by, now: ExportRequest.state == ExportState.WAITING),
        Tab(
            "decide",
            _l("Waiting for me"),
            lambda by, now: (
                (ExportRequest.state == ExportState.WAITING) & (ExportRequest.asked_by_id != by.employee_id)
            ),
        ),
        Tab("mine", _l("Asked by me"), lambda by, now: ExportRequest.asked_by_id == by.employee_id),
    )
    filters = ("state", "file_format", "asked_at", "asked_by_id")
    order_columns = ("asked_at", "row_count")
    record_eager = ("file",)

    def cell(self, record: Any, name: str, by: Actor, *, plain: bool = False) -> Cell:
        """Return one shown value; the file is for who asked for it alone."""
        cell = super().cell(record, name, by, plain=plain)
        if name == "file" and record.asked_by_id != by.employee_id:
            return Cell(cell.text, sub=cell.sub)
        return cell

    def banners(self, record: Any, by: Actor) -> list[tuple[str, str]]:
        if record.state is ExportState.CANCELLED:
            return [("warn", _("The making of this file was cancelled. Export it again if you need it."))]
        if record.state is ExportState.FAILED:
            task = find(db.session(), "background_task", record.task_id, by)
            return [("bad", (task.error if task else "") or _("The making of this file failed."))]
        if record.state is ExportState.MAKING and record.task_id is not None:
            return [("info", _("The file is being made in the background; this page may be left."))]
        return []

    @expose("/show/<int:pk>")
    def show(self, pk: int) -> str:
        """Show an export; while its file is made, with how far that is."""
        by = self._require("can_show")
        request = self.record_in_scope(by, pk)
        page = recording.record_page(self, request, by)
        task = find(db.session(), "background_task", request.task_id, by) if request.task_id is not None else None
        if task is not None and request.state is ExportState.MAKING:
            page = replace(page, progress=progress_of(task, by))
        return render_template("panel/record.html", page=page, appbuilder=self.appbuilder)


class ConsentTextView(HouseView):
    """同意书文本: what is signed for each purpose, version by version."""

    datamodel = HouseInterface(ConsentText)
    group = "customers"
    icon = "file-earmark-text"
    list_columns = ("purpose", "version", "in_force_on")
    form_columns = ("purpose", "version", "text_zh", "text_en", "in_force_on")
    add_only = ("purpose", "version")
    filters = ("purpose",)
    order_columns = ("version", "in_force_on")


class CustomerConsentView(HouseView):
    """知情同意: who agreed to what, and who withdrew."""

    datamodel = HouseInterface(CustomerConsent)
    group = "customers"
    icon = "pen"
    list_columns = ("purpose", "customer", "state", "signed_at", "signed_how", "taken_by", "withdrawn_at")
    labels = {"consent_text": _l("Text signed"), "evidence_file": _l("Signed sheet"), "signed_text": _l("Text signed")}
    computed = {"signed_text": lambda consent: consent.consent_text.text}
    show_sections = (
        (
            _l("Consent"),
            (
                "purpose", "customer", "consent_text", "scope_note", "signed_at", "signed_how", "taken_by",
                "guardian_name", "guardian_relation", "evidence_file",
            ),
        ),
        (_l("Withdrawal"), ("withdrawn_at", "withdrawn_by", "withdrawn_reason")),
    )  # fmt: skip
    quick = (
        Tab("holds", _l("Holds"), lambda by, now: CustomerConsent.state == ConsentState.HOLDS),
        Tab("all", _l("All")),
    )
    filters = ("purpose", "state", "signed_at")
    order_columns = ("signed_at",)
    record_eager = ("consent_text", "evidence_file", "withdrawn_by")
    search_through = "customer"


class SubjectRequestView(HouseView):
    """个人信息请求: what persons demand of the data held on them, and until when it is due. L13."""

    datamodel = HouseInterface(SubjectRequest)
    group = "customers"
    icon = "person-lock"
    list_columns = ("kind", "customer", "state", "due_on", "opened_at", "opened_by", "decided_by", "ended_at")
    labels = {"file": _l("Result file")}
    show_sections = (
        (
            _l("Request"),
            ("kind", "customer", "asked_how", "identity_checked", "wish", "opened_by", "opened_at", "due_on"),
        ),
        (_l("What became of it"), ("decided_by", "decided_at", "ended_by", "ended_at", "note", "file")),
    )
    quick = (
        Tab(
            "open",
            _l("Still to do"),
            lambda by, now: SubjectRequest.state.in_([SubjectState.OPEN, SubjectState.APPROVED, SubjectState.MAKING]),
        ),
        Tab("all", _l("All")),
    )
    filters = ("kind", "state", "due_on")
    order_columns = ("due_on", "opened_at")
    record_eager = ("file", "ended_by")
    search_through = "customer"

    def banners(self, record: Any, by: Actor) -> list[tuple[str, str]]:
        """Say what is still to be done, and that it is late."""
        told = []
        if record.state in (SubjectState.OPEN, SubjectState.APPROVED):
            today = now().astimezone(by.timezone).date()
            if record.due_on < today:
                told.append(("bad", _("This request was due on %(day)s.", day=record.due_on.isoformat())))
        if record.kind is SubjectKind.CORRECTION and record.state is SubjectState.OPEN:
            told.append(("info", _("Please correct the customer's file by its ordinary form; its history keeps both.")))
        return told

    def extra_tabs(self, record: Any, by: Actor) -> list[RelatedTab]:
        """Return what a pseudonymisation would change or has changed, and what the law keeps until when."""
        if record.kind is not SubjectKind.PSEUDONYMISATION:
            return []
        is_over = record.state is SubjectState.DONE
        entries = record.outcome if is_over else plan_of(db.session(), record.customer)
        heads = [
            ColumnHead("what", _("What")),
            ColumnHead("rows", _("How many")),
            ColumnHead("change", _("What happens to it")),
            ColumnHead("why", _("Why it stays")),
            ColumnHead("until", _("Kept until")),
        ]
        title = _("What was changed and kept") if is_over else _("Dry run: what would be changed and kept")
        return [RelatedTab("plan", title, TableView(heads, [*_plan_rows(entries)]), len(entries))]


def _plan_rows(entries: list[dict[str, Any]]) -> Iterator[Row]:
    for number, entry in enumerate(entries):
        model = models()[entry["table"]]
        column = declaration(model, entry["column"]) if entry["column"] else None
        what = f"{model.TITLES} · {column.label if column is not None else entry['column'] or _('Content')}"
        is_kept = entry["change"] == "kept"
        change = Cell(_("Kept"), tone="warn") if is_kept else Cell(_("Replaced"), tone="ok")
        why = WHY[entry["why"]] if entry["why"] in WHY else entry["why"]
        cells = [Cell(what), Cell(str(entry["rows"]), number=True), change, Cell(str(why)), Cell(entry["until"] or "—")]
        yield Row(number, "", cells, [], what)


class KeyRotationView(HouseView):
    """When the encryption key was changed, and how far it is."""

    datamodel = HouseInterface(KeyRotation)
    group = "system"
    icon = "key"
    list_columns = ("fingerprint", "started_at", "ended_at", "values_done", "files_done")


card(
    "export_request",
    "decide",
    _l("Exports waiting for approval"),
    shows=Shows.ROWS,
    order=20,
    columns=("what", "state", "row_count", "asked_by", "asked_at"),
    sort="asked_at",
    needs=(("export_request", "can_approve"),),
    menu=True,
    hot=True,
)
card("subject_request", "open", _l("Requests of persons"), order=58, menu=True)
