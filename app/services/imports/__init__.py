"""Imports: a file is read, checked without changing anything, and carried out row by row. White paper 1.2, 2.1.1.

Each kind is declared in one place (``customers``, ``chats``, ``organisation``); ``reading`` knows files, ``headings``
their headers, ``checking`` the dry run, ``carrying`` the writing, ``batches`` the acts, ``background`` the long work.
"""

from app.services.imports import background, batches, chats, customers, organisation
from app.services.imports.batches import told_columns
from app.services.imports.checking import raw_rows
from app.services.imports.headings import missing_columns
from app.services.imports.kinds import KINDS, ImportColumn, ImportKind

__all__ = [
    "KINDS",
    "ImportColumn",
    "ImportKind",
    "background",
    "batches",
    "chats",
    "customers",
    "missing_columns",
    "organisation",
    "raw_rows",
    "told_columns",
]
