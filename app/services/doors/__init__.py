"""Who may come in: failures counted, passwords checked, second factors, sessions and their ends. White paper H.2.

Told their session, address and clock like everything here; the panel keeps cookie and token. Nothing in this package
knows of acts: accounts stand on it, and what the information centre does for others is in ``services.logins``.
"""

from app.services.doors import factor, lockout, passwords, recovery, rules, sessions
from app.services.doors.entering import Entry, enter, try_password

__all__ = [
    "Entry",
    "enter",
    "factor",
    "lockout",
    "passwords",
    "recovery",
    "rules",
    "sessions",
    "try_password",
]
