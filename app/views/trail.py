"""The trail, as an auditor reads it. White paper H, L14, H.2; part D, R36."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import g
from sqlalchemy import select

from app.actors import Actor
from app.extensions import db
from app.models.base import METADATA, models
from app.models.trail import AuditLog, AuditPrune, AuditSeal, trailed
from app.panel.changes import CHANGES, actor_names, changes_of, names_in
from app.panel.describe import NONE, may_open, record_url
from app.panel.house_view import HouseView
from app.panel.interface import HouseInterface
from app.panel.pages import Cell, Change, ColumnHead, RelatedTab, Row, TableView
from app.services.access import PAGES
from app.services.trail import KINDS, kind_words
from app.services.trail_pruning import KEEP_MONTHS
from app.words import _, _l

#: What Flask-AppBuilder's tables are called: accounts, and which right comes from which role.
FRAMEWORK_TABLES = {
    "ab_api_key": _l("Key of the framework"),
    "ab_group": _l("Group of accounts"),
    "ab_group_role": _l("Role of a group"),
    "ab_permission": _l("Permission"),
    "ab_permission_view": _l("Right"),
    "ab_permission_view_role": _l("Right of a role"),
    "ab_register_user": _l("Registration"),
    "ab_role": _l("Role"),
    "ab_user": _l("Account"),
    "ab_user_group": _l("Group of an account"),
    "ab_user_role": _l("Role of an account"),
    "ab_view_menu": _l("Page of the menu"),
}
#: What is told of events and of the framework's rows, by name; what is not here stands under its own name.
FACTS = {
    "active": _l("Active"),
    "because": _l("Reason"),
    "copy_no": _l("Copy"),
    "count": _l("Count"),
    "email": _l("Mail address"),
    "field": _l("Field"),
    "first_name": _l("First name"),
    "format": _l("Format"),
    "last_name": _l("Last name"),
    "minutes": _l("Minutes"),
    "name": _l("Name"),
    "paper": _l("Form"),
    "permission_view_id": _l("Right"),
    "prefix": _l("Beginning of the key"),
    "reason": _l("Reason"),
    "kind": _l("Type"),
    "source": _l("Of what"),
    "report": _l("Report"),
    "role_id": _l("Role"),
    "second_factor": _l("Second factor"),
    "rows": _l("Rows"),
    "pages": _l("Sheets"),
    "purpose": _l("What for"),
    "tables": _l("Tables"),
    "values": _l("Values"),
    "files": _l("Files"),
    "key": _l("Key"),
    "user_id": _l("Account"),
    "username": _l("Login name"),
    "way": _l("Way in"),
    "why": _l("Reason"),
}


def table_words(name: str | None) -> str:
    """Return what a table is called; of the trail's entries also the framework's."""
    if name is None:
        return NONE
    model = models().get(name)
    return str(model.TITLE) if model is not None else str(FRAMEWORK_TABLES.get(name, name))


class AuditLogView(HouseView):
    """Every change and every event, newest first; each value as it was and as it became."""

    datamodel = HouseInterface(AuditLog)
    group = "system"
    icon = "shield-check"
    list_columns = ("at", "operation", "table_name", "record_id", "actor", "address")
    show_sections = (
        (_l("Entry of the trail"), ("at", "operation", "table_name", "record_id", "actor", "address", "request")),
    )
    filters = ("at", "operation", "table_name", "record_id", "actor", "request")
    choices = {
        "operation": lambda: sorted(((name, kind_words(name)) for name in KINDS), key=lambda pair: pair[1]),
        "table_name": lambda: sorted(((name, table_words(name)) for name in trailed()), key=lambda pair: pair[1]),
        "actor": lambda: _accounts(),
    }

    def before_rows(self, records: Any, by: Actor) -> None:
        """Load at once what these actors are called."""
        g.trail_actors = actor_names(db.session(), {record.actor for record in records})

    def cell(self, record: Any, name: str, by: Actor, *, plain: bool = False) -> Cell:
        """Return one shown value in words; the record leads there."""
        if name == "operation":
            return Cell(kind_words(record.operation))
        if name == "table_name":
            return Cell(table_words(record.table_name))
        if name == "actor":
            known = g.get("trail_actors", {})
            return Cell(known.get(record.actor) or actor_names(db.session(), [record.actor])[record.actor])
        if name == "record_id" and record.table_name in models() and record.record_id is not None:
            url = record_url(record.table_name, record.record_id) if may_open(record.table_name, by) else ""
            return Cell(str(record.record_id), url=url, number=True)
        return super().cell(record, name, by, plain=plain)

    def extra_tabs(self, record: Any, by: Actor) -> Any:
        """Return what an entry tells: values side by side, or the facts of an event."""
        changes = self._changes(record, by)
        if not changes:
            return []
        heads = [ColumnHead("field", _("Field")), ColumnHead("before", _("Before")), ColumnHead("after", _("After"))]
        if record.operation not in CHANGES:
            heads = [ColumnHead("field", _("Field")), ColumnHead("after", _("Told"))]
        rows = [
            Row(index, "", [Cell(told) for told in _told(change, len(heads))]) for index, change in enumerate(changes)
        ]
        label = _("What changed") if record.operation in CHANGES else _("What is told")
        return [RelatedTab("changes", label, TableView(heads, rows), len(rows))]

    def _changes(self, record: Any, by: Actor) -> Sequence[Change]:
        if record.operation in CHANGES and record.table_name in models():
            return changes_of([record], by, names_in(db.session(), [record], by))
        before, after = record.before or {}, record.after or {}
        return [
            Change(_fact_words(record, name), _fact(name, before.get(name)), _fact(name, after.get(name)))
            for name in sorted({*before, *after})
            if name != "id"
        ]


def _told(change: Change, count: int) -> tuple[str, ...]:
    return (change.label, change.before, change.after) if count == 3 else (change.label, change.after)


def _fact_words(record: Any, name: str) -> str:
    """Return what a fact of an event, or a column of the framework, is called."""
    return str(FACTS.get(name, name))


def _fact(name: str, value: Any) -> str:
    """Return a fact in words: accounts, roles and rights by name."""
    if value is None:
        return NONE
    if isinstance(value, int) and name in ("role_id", "user_id", "permission_view_id"):
        return _framework_name(name, value)
    if isinstance(value, bool):
        return _("Yes") if value else _("No")
    if name == "source":
        return str(PAGES.get(str(value)) or table_words(str(value)))
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value)


def _framework_name(column: str, key: int) -> str:
    tables = METADATA.tables
    if column == "permission_view_id":
        right, page, name = tables["ab_permission_view"], tables["ab_view_menu"], tables["ab_permission"]
        statement = (
            select(page.c.name + " " + name.c.name)
            .join(right, right.c.view_menu_id == page.c.id)
            .join(name, right.c.permission_id == name.c.id)
            .where(right.c.id == key)
        )
    elif column == "role_id":
        statement = select(tables["ab_role"].c.name).where(tables["ab_role"].c.id == key)
    else:
        statement = select(tables["ab_user"].c.username).where(tables["ab_user"].c.id == key)
    return db.session().scalar(statement) or str(key)


def _accounts() -> list[tuple[str, str]]:
    """Return the accounts as the database knows them, and the house's commands, with their names."""
    user = METADATA.tables["ab_user"]
    names = [f"user:{key}" for key in db.session().scalars(select(user.c.id).order_by(user.c.username).limit(500))]
    named = actor_names(db.session(), names)
    return sorted(((name, named[name]) for name in names), key=lambda pair: pair[1])


class AuditSealView(HouseView):
    """The chain over the trail, newest link first."""

    datamodel = HouseInterface(AuditSeal)
    group = "system"
    icon = "link-45deg"
    list_columns = ("id", "from_id", "to_id", "entries", "sealed_at", "hash")
    labels = {"id": _l("Segment")}
    intro = _l("Each segment is bound to the one before it by its seal. The operator recomputes all of them.")


class AuditPruneView(HouseView):
    """What of the trail lies in archive files."""

    datamodel = HouseInterface(AuditPrune)
    group = "system"
    icon = "archive"
    list_columns = ("id", "removed", "kept", "archive", "archive_digest", "pruned_at")
    labels = {"id": _l("Segment")}
    intro = _l(
        "What is older than its retention is moved into sealed files; the setting “%(setting)s” says when.",
        setting=KEEP_MONTHS.label,
    )
