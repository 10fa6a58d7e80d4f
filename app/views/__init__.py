"""How people ask: which columns, which order, which menu. ``register`` binds every view, in the menu's order."""

from __future__ import annotations

from flask_appbuilder import AppBuilder

from app.panel.registry import Registrar
from app.views import (
    appointments,
    audit,
    calendar,
    customer_life,
    customers,
    files,
    followup,
    hr,
    imports,
    jobs,
    printing,
    reports,
    settings,
    supplements,
    tasks,
)
from app.words import _l


def register(appbuilder: AppBuilder) -> None:
    """Register every view; the white paper's own menu paths are the labels."""
    menu = Registrar(appbuilder)
    menu.group("workstation", _l("Service workstation"), "headset")
    menu.group("appointments", _l("Appointments"), under="workstation")
    appointments.register(menu)
    supplements.register(menu)
    menu.group("followups", _l("Follow-up"), under="workstation")
    followup.register(menu)
    menu.group("customers", _l("Customers"))
    customers.register(menu)
    customer_life.register(menu)
    menu.group("reports", _l("Reports"))
    reports.register(menu)
    menu.group("organisation", _l("Organisation"))
    hr.register(menu)
    menu.group("system", _l("System"))
    settings.register(menu)
    imports.register(menu)
    calendar.register(menu)
    jobs.register(menu)
    audit.register(menu)
    printing.register(menu)
    files.register(menu)
    tasks.register(menu)
    menu.finish()
