"""A workbook: its sheets, its cells as they are, and what would not survive: formulas, merged cells, errors.

A workbook is a ZIP of XML that somebody else wrote. Before it is opened every part is read once, in pieces: for
its real size, for entity declarations, and for merged cells, which openpyxl does not tell when it reads row by row.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from datetime import date, datetime, time
from typing import Any
from xml.etree.ElementTree import ParseError

from openpyxl.cell.text import Text
from openpyxl.reader.excel import ExcelReader
from openpyxl.utils import get_column_letter, range_boundaries
from openpyxl.utils.exceptions import InvalidFileException
from openpyxl.worksheet._read_only import ReadOnlyWorksheet
from openpyxl.xml.constants import SHARED_STRINGS, SHEET_MAIN_NS
from openpyxl.xml.functions import iterparse

from app.services.imports.table import MOST_COLUMNS, Asked, FileRows, Raw, Trouble, Unreadable, is_blank
from app.words import _l

MEGABYTE = 1024 * 1024
LARGEST_INFLATED = 256 * MEGABYTE
MOST_PARTS = 2000
PIECE = 256 * 1024
MERGED = re.compile(rb'<(?:\w+:)?mergeCell\s[^>]*?ref="([A-Z]{1,3}\d{1,7}:[A-Z]{1,3}\d{1,7})"')
MOST_MERGED = 200

DAMAGED = _l("This workbook is damaged. Please open it in a spreadsheet program, save it anew and try again.")
TOO_LARGE = _l(
    "Unpacked, this workbook is larger than %(most)s MB. Please split it.", most=LARGEST_INFLATED // MEGABYTE
)
BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    InvalidFileException,
    ParseError,
    KeyError,
    ValueError,
    TypeError,
    AttributeError,
    IndexError,
    OSError,
    EOFError,
    NotImplementedError,
    RecursionError,
    OverflowError,
)


class _Strings:
    """The texts of a workbook, read as far as cells ask for them: the top of a sheet needs only the first few."""

    def __init__(self, stream: Any) -> None:
        self._found: list[str] = []
        self._more = self._read(stream)

    def _read(self, stream: Any) -> Iterator[str]:
        with stream:
            for _event, node in iterparse(stream):
                if node.tag == f"{{{SHEET_MAIN_NS}}}si":
                    text: Any = Text.from_tree(node)
                    node.clear()
                    yield text.content.replace("x005F_", "")

    def __getitem__(self, place: int) -> str:
        while place >= len(self._found):
            try:
                self._found.append(next(self._more))
            except StopIteration:
                raise IndexError(place) from None
        return self._found[place]


class _Sheet(ReadOnlyWorksheet):
    """A sheet whose size is not asked for: what it says of it may be wrong, and counting means reading all of it."""

    def _get_size(self) -> None:
        pass


class _Reader(ExcelReader):
    """openpyxl's reader, which would read every text and count every sheet before the first row."""

    def read_strings(self) -> None:
        part = self.package.find(SHARED_STRINGS)
        if part is not None:
            self.shared_strings: Any = _Strings(self.archive.open(part.PartName[1:]))

    def read_worksheets(self) -> None:
        for sheet, relation in self.parser.find_sheets():
            if relation.target in self.valid_files and "chartsheet" not in relation.Type:
                found: Any = _Sheet(self.wb, sheet.name, relation.target, self.shared_strings)
                found.sheet_state = sheet.state
                book: Any = self.wb
                book._sheets.append(found)


def read_xlsx(content: bytes, asked: Asked, *, whole: bool = True) -> FileRows:
    """Read a workbook's sheet: the one asked for, else the first visible one that is not empty.

    Not ``whole``: only its top is wanted, so that the parts are not looked through to their ends; merged cells are
    not known then.
    """
    try:
        merged = _looked_through(content, whole=whole)
        reader = _Reader(io.BytesIO(content), read_only=True, data_only=False, keep_links=False)
        reader.read()
        visible = [sheet for sheet in reader.wb.worksheets if sheet.sheet_state == "visible"]
        if not visible:
            raise Unreadable(_l("This workbook has no visible sheet."))
        sheet = _chosen(visible, asked.sheet)
        ranges = merged.get(_part_of(sheet), [])
    except BROKEN as wrong:
        raise Unreadable(DAMAGED) from wrong
    found = FileRows(iter(()), sheet=sheet.title, sheets=tuple(each.title[:80] for each in visible))
    found.rows = _rows(sheet, found, [(ref, *range_boundaries(ref)) for ref in ranges[:MOST_MERGED]])
    return found


def _looked_through(content: bytes, *, whole: bool) -> dict[str, list[str]]:
    """Read every part once, or the beginning of each; refuses bombs and entities.

    Returns the merged ranges of each sheet's part.
    """
    merged: dict[str, list[str]] = {}
    with zipfile.ZipFile(io.BytesIO(content)) as parts:
        names = parts.infolist()
        if len(names) > MOST_PARTS or sum(part.file_size for part in names) > LARGEST_INFLATED:
            raise Unreadable(TOO_LARGE)
        if any(part.flag_bits & 1 for part in names):
            raise Unreadable(_l("This workbook is protected by a password. Please save it without one."))
        left = LARGEST_INFLATED
        for part in names:
            left, ranges = _look_through(parts, part, left, whole=whole)
            merged[part.filename.lstrip("/")] = ranges
    return merged


def _look_through(parts: zipfile.ZipFile, part: zipfile.ZipInfo, left: int, *, whole: bool) -> tuple[int, list[str]]:
    ranges: list[str] = []
    is_markup = part.filename.lower().endswith((".xml", ".rels", ".vml"))
    tail = b""
    with parts.open(part) as stream:
        while piece := stream.read(PIECE):
            left -= len(piece)
            if left < 0:
                raise Unreadable(TOO_LARGE)
            if is_markup:
                ranges += _markup(tail + piece, len(tail))[: MOST_MERGED - len(ranges)]
            tail = piece[-200:]
            if not whole:
                break
    return left, ranges


def _markup(window: bytes, seen: int) -> list[str]:
    """Return the merged ranges of a piece of markup whose first bytes were seen before; refuses entities."""
    if b"<!DOCTYPE" in window or b"<!ENTITY" in window:
        raise Unreadable(_l("This workbook declares entities, which no spreadsheet program does. It is not read."))
    return [hit.group(1).decode() for hit in MERGED.finditer(window) if hit.end() > seen]


def _part_of(sheet: Any) -> str:
    return str(getattr(sheet, "_worksheet_path", "")).lstrip("/")


def _chosen(visible: list[Any], wanted: str | None) -> Any:
    if wanted is not None:
        for sheet in visible:
            if sheet.title == wanted:
                return sheet
        raise Unreadable(_l("This workbook has no visible sheet of this name."))
    for sheet in visible:
        sheet.reset_dimensions()
        for row in sheet.iter_rows(values_only=True):
            if any(not is_blank(value) for value in row):
                return sheet
    raise Unreadable(_l("This workbook's sheets are empty."))


def _merged(ranges: list[Any], row_no: int) -> list[Trouble]:
    """Return a trouble for each merged range that touches a row, at the cell where it begins there."""
    return [
        Trouble(row_no, left - 1, "merged", {"range": ref})
        for ref, left, top, _right, bottom in ranges
        if top <= row_no <= bottom
    ]


def _rows(sheet: Any, found: FileRows, merged: list[Any]) -> Iterator[tuple[int, tuple[Raw, ...]]]:
    sheet.reset_dimensions()
    try:
        for number, row in enumerate(sheet.iter_rows(), start=1):
            found.troubles += _merged(merged, number)
            cells = tuple(_raw(cell, number, place, found) for place, cell in enumerate(row))
            if any(not is_blank(value) for value in cells[MOST_COLUMNS:]):
                raise Unreadable(
                    _l(
                        "Row %(row)s has more than %(most)s columns (up to %(column)s). "
                        "Please delete those not needed.",
                        row=number,
                        most=MOST_COLUMNS,
                        column=get_column_letter(len(cells)),
                    )
                )
            yield number, cells[:MOST_COLUMNS]
    except BROKEN as wrong:
        raise Unreadable(DAMAGED) from wrong


def _raw(cell: Any, row_no: int, column_no: int, found: FileRows) -> Raw:
    value, kind = cell.value, getattr(cell, "data_type", "n")
    if value is None:
        return None
    if kind == "f":
        found.troubles.append(Trouble(row_no, column_no, "formula"))
        return str(value)[:200] if isinstance(value, str) else "="
    if kind == "e":
        found.troubles.append(Trouble(row_no, column_no, "error_cell"))
        return str(value)
    if isinstance(value, time):
        return value.isoformat("minutes")
    return value if isinstance(value, str | int | float | bool | date | datetime) else str(value)
