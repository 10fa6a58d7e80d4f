"""What happens by itself: declared jobs and the clock that runs each of their slots exactly once."""

from app.jobs import appointments, customers, files, reports, tasks

__all__ = ["appointments", "customers", "files", "reports", "tasks"]
