"""接诊: receiving customers, their cards and forms, where they were scanned. White paper 2.2."""

from app.services.reception import cards, closing, forms, labels, leaving, receiving, runs, scanning

__all__ = ["cards", "closing", "forms", "labels", "leaving", "receiving", "runs", "scanning"]
