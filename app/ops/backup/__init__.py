"""Backups: made while the house is open, sealed, verified, restored to a second. docs/decisions/0029."""
