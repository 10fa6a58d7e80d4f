"""How people ask: which columns, which order, which menu. ``register`` binds every view, in the menu's order.

Importing this package declares every view: each module of it. Those that name their menu group themselves need no more.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from flask_appbuilder import AppBuilder

from app.panel.registry import Registrar
from app.views import (
    access,
    appointments,
    audit,
    calendar,
    closing,
    consultation,
    customer_life,
    customers,
    doors,
    files,
    followup,
    guide,
    hr,
    imports,
    inspection,
    jobs,
    lists,
    messages,
    processes,
    reception,
    reports,
    settings,
    telephone,
    triage,
)
from app.words import _l

for _found in iter_modules(__path__):
    import_module(f"{__name__}.{_found.name}")


def register(appbuilder: AppBuilder) -> None:
    """Register every view; the white paper's own menu paths are the labels."""
    menu = Registrar(appbuilder)
    menu.group("workstation", _l("Service workstation"), "headset")
    menu.group("appointments", _l("Appointments"), under="workstation")
    appointments.register(menu)
    telephone.register(menu)
    menu.group("reception", _l("Reception"), under="workstation")
    reception.register(menu)
    consultation.register(menu)
    closing.register(menu)
    inspection.register(menu)
    menu.group("triage", _l("Triage"), under="workstation")
    triage.register(menu)
    menu.group("followups", _l("Follow-up"), under="workstation")
    followup.register(menu)
    messages.register(menu)
    menu.group("customers", _l("Customers"))
    customers.register(menu)
    customer_life.register(menu)
    menu.group("reports", _l("Reports"))
    reports.register(menu)
    menu.group("organisation", _l("Organisation"))
    hr.register(menu)
    menu.group("system", _l("System"))
    settings.register(menu)
    access.register(menu)
    imports.register(menu)
    calendar.register(menu)
    jobs.register(menu)
    audit.register(menu)
    files.register(menu)
    doors.register(menu)
    lists.register(menu)
    menu.group("help", _l("Guide and help"))
    guide.register(menu)
    processes.register(menu)
    menu.placed()
    menu.finish()
