"""接诊: what a consultant and her customer spoke of, and what came of it. White paper 2.4."""

from app.services.consultation import concluding, deals, history, holdings, leaving, starting

__all__ = ["concluding", "deals", "history", "holdings", "leaving", "starting"]
