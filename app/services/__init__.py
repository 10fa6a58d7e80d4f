"""What may happen: acts and reads. Told their session, actor and clock; no Flask.

Importing this package declares every act.
"""

from app.services import (
    accounts,
    appointments,
    calendar,
    customers,
    followup,
    hr,
    many,
    notices,
    plain,
    printing,
    settings,
    tasks,
)

__all__ = [
    "accounts",
    "appointments",
    "calendar",
    "customers",
    "followup",
    "hr",
    "many",
    "notices",
    "plain",
    "printing",
    "settings",
    "tasks",
]
