"""A table as it lies in a file: rows of raw cells, and what is wrong with the file itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from openpyxl.utils import get_column_letter

from app.words import in_locale

MOST_COLUMNS = 200
#: Rows among which the headers are looked for.
HEAD_ROWS = 20
EXAMPLES = 3

#: A raw cell: a text, or what a spreadsheet knows to be a number, a day, an instant or a truth.
Raw = str | int | float | bool | date | datetime | None


class Unreadable(Exception):
    """A file that cannot be read as a table; ``sentence`` is lazy and says what to do."""

    def __init__(self, sentence: object) -> None:
        super().__init__(str(sentence))
        self.sentence = sentence

    @property
    def facts(self) -> dict[str, Any]:
        """The sentence in both languages, as findings keep it."""
        return said(self.sentence)


def said(sentence: object) -> dict[str, Any]:
    """Return a lazy sentence in both languages."""
    return {"zh": in_locale(sentence, "zh"), "en": in_locale(sentence, "en")}


@dataclass(frozen=True)
class Trouble:
    """Something that the file's own shape makes impossible: a formula, a merged cell, a ragged row."""

    row_no: int
    column_no: int | None
    rule: str
    facts: dict[str, Any] = field(default_factory=dict)
    refuses: bool = True


@dataclass
class FileRows:
    """The rows of one sheet, read one by one; ``troubles`` grows while one reads.

    ``encoding`` and ``delimiter`` are those chosen for a text; ``sheets`` names a workbook's visible sheets.
    """

    rows: Iterator[tuple[int, tuple[Raw, ...]]]
    troubles: list[Trouble] = field(default_factory=list)
    sheet: str | None = None
    sheets: tuple[str, ...] = ()
    encoding: str | None = None
    delimiter: str | None = None


@dataclass(frozen=True)
class Asked:
    """How a file shall be read; None: as the house finds best."""

    sheet: str | None = None
    encoding: str | None = None
    delimiter: str | None = None


def is_blank(value: Raw) -> bool:
    return value is None or (isinstance(value, str) and not value.strip(" \t\r\n\u3000\u00a0\ufeff\u200b"))


def cell_name(row_no: int, column_no: int | None) -> str:
    """Return ``D14`` for a column counted from 0, or ``""`` for a whole row."""
    return "" if column_no is None else f"{get_column_letter(column_no + 1)}{row_no}"
