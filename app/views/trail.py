"""The trail, as an auditor reads it."""

from __future__ import annotations

from app.models.trail import AuditLog, AuditPrune, AuditSeal
from app.panel.house_view import HouseView
from app.panel.interface import HouseInterface
from app.words import _l


class AuditLogView(HouseView):
    """Every change and every event, newest first. White paper H, L14."""

    datamodel = HouseInterface(AuditLog)
    group = "system"
    icon = "shield-check"
    list_columns = ("at", "operation", "table_name", "record_id", "actor", "address")
    filters = ("at",)


class AuditSealView(HouseView):
    """The chain over the trail, newest link first."""

    datamodel = HouseInterface(AuditSeal)
    group = "system"
    icon = "link-45deg"
    list_columns = ("id", "from_id", "to_id", "entries", "sealed_at", "hash")
    labels = {"id": _l("Segment")}


class AuditPruneView(HouseView):
    """What of the trail lies in archive files."""

    datamodel = HouseInterface(AuditPrune)
    group = "system"
    icon = "archive"
    list_columns = ("id", "removed", "kept", "archive", "archive_digest", "pruned_at")
    labels = {"id": _l("Segment")}
