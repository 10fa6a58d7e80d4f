"""Imports: a file is read, checked without changing anything, and carried out row by row. White paper 1.2, 2.1.1.

Each kind is declared in one place (``customers``, ``organisation``); ``reading`` knows files, ``checking`` the dry
run, ``carrying`` the writing, ``batches`` the acts, ``background`` the long work.
"""

from app.services.imports import background, batches, customers, organisation
from app.services.imports.batches import missing_columns
from app.services.imports.checking import raw_rows
from app.services.imports.kinds import KINDS, ImportColumn, ImportKind

__all__ = [
    "KINDS",
    "ImportColumn",
    "ImportKind",
    "background",
    "batches",
    "customers",
    "missing_columns",
    "organisation",
    "raw_rows",
]
