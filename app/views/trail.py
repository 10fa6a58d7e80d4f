"""The trail, as an auditor reads it."""

from __future__ import annotations

from app.models.trail import AuditLog
from app.panel.house_view import HouseView
from app.panel.interface import HouseInterface


class AuditLogView(HouseView):
    """Every change and every event, newest first. White paper H, L14."""

    datamodel = HouseInterface(AuditLog)
    group = "system"
    icon = "shield-check"
    list_columns = ("at", "operation", "table_name", "record_id", "actor", "address")
    filters = ("at",)
