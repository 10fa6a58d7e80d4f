"""What happens by itself: declared jobs and the clock that runs each of their slots exactly once."""

from app.jobs import appointments, reports, tasks

__all__ = ["appointments", "reports", "tasks"]
