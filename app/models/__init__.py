"""What is: columns, constraints, legal moves. Importing this package declares every table."""

from app.models import appointments, audit, base, calendar, customers, followup, hr, printing, settings, tasks

__all__ = ["appointments", "audit", "base", "calendar", "customers", "followup", "hr", "printing", "settings", "tasks"]
