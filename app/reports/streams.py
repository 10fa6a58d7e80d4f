"""Tables too long for the memory, written row by row: CSV, and XLSX straight into the stream that takes it.

openpyxl's write-only sheets gather their rows in a temporary file, in clear, which a killed process leaves behind.
Here each sheet is written into its place in the archive, and the archive into whatever takes bytes: nothing lies
anywhere in clear. Measured against XlsxWriter in decision 0035.
"""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Any, Protocol
from zipfile import ZIP_DEFLATED, ZipFile

from openpyxl import Workbook
from openpyxl.chartsheet import Chartsheet
from openpyxl.drawing.spreadsheet_drawing import SpreadsheetDrawing
from openpyxl.worksheet._write_only import WriteOnlyWorksheet
from openpyxl.worksheet._writer import WorksheetWriter
from openpyxl.writer.excel import ExcelWriter

from app.reports.facts import ReportFacts, Row, Table
from app.reports.sheets import (
    Marked,
    cell_of_value,
    csv_value,
    harmless,
    is_plain,
    mark_words,
    sheet_name,
    summary_rows,
    table_head,
)
from app.words import _, force_locale

#: Rows from which the widths of the columns are measured.
MEASURED = 200
#: Bytes of CSV gathered before they are passed on.
GATHERED = 64 * 1024


class Takes(Protocol):
    """What takes bytes: a file, a file of the store in the making."""

    def write(self, content: bytes, /) -> int: ...
    def flush(self) -> None: ...


def write_rows(
    out: Takes, facts: ReportFacts, rows: Iterable[Row], file_format: str, locale: str, mark: Marked | None = None
) -> int:
    """Write the facts' one table with these rows, as ``csv`` or ``xlsx``; return how many rows there were."""
    writer = {"csv": _write_csv, "xlsx": _write_xlsx}[file_format]
    return writer(out, facts, rows, locale, mark)


class _Lines:
    """A text file to the csv writer, that passes bytes on in larger pieces."""

    def __init__(self, out: Takes) -> None:
        self.out, self.held = out, ["\ufeff"]
        self.size = 0

    def write(self, line: str) -> int:
        self.held.append(line)
        self.size += len(line)
        if self.size >= GATHERED:
            self.pass_on()
        return len(line)

    def pass_on(self) -> None:
        self.out.write("".join(self.held).encode("utf-8"))
        self.held, self.size = [], 0


def _write_csv(out: Takes, facts: ReportFacts, rows: Iterable[Row], locale: str, mark: Marked | None) -> int:
    lines = _Lines(out)
    writer = csv.writer(lines, lineterminator="\r\n")
    writer.writerow([harmless(column.label.in_(locale)) for column in facts.tables[0].columns])
    counted = _Counted(rows)
    for row in counted:
        writer.writerow([csv_value(value, locale, facts.zone) for value in row])
    if mark is not None:
        writer.writerow([f"# {mark_words(mark, locale, facts.zone)}"])
    lines.pass_on()
    return counted.count


class _Archive(ExcelWriter):
    """openpyxl's writer of a workbook whose sheets stand in the archive already."""

    def write_worksheet(self, ws: Any) -> None:
        ws._drawing = SpreadsheetDrawing()
        ws._rels = ws._writer._rels
        self.manifest.append(ws)


def _write_xlsx(out: Takes, facts: ReportFacts, rows: Iterable[Row], locale: str, mark: Marked | None) -> int:
    book = Workbook(write_only=True)
    taken: set[str] = set()
    remaining = iter(rows)
    first = [*islice(remaining, MEASURED)]
    table = facts.tables[0]
    with ZipFile(out, "w", ZIP_DEFLATED, allowZip64=True) as archive:  # type: ignore[call-overload]
        summary = book.create_sheet(sheet_name(_summary_title(locale), taken))
        _in_place(archive, book, summary, summary_rows(summary, facts, locale, mark), mark, facts, locale)
        sheet = book.create_sheet(sheet_name(table.title.in_(locale), taken))
        measured = Table(table.name, table.title, table.columns, tuple(first))
        counted = _Counted(chain(first, remaining))
        body = chain([table_head(sheet, measured, facts.zone, locale)], _cells(sheet, counted, table, facts, locale))
        _in_place(archive, book, sheet, body, mark, facts, locale)
        _Archive(book, archive).write_data()
    return counted.count


class _Counted:
    """Rows that are counted as they pass."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self.rows, self.count = rows, 0

    def __iter__(self) -> Iterator[Row]:
        for row in self.rows:
            self.count += 1
            yield row


def _summary_title(locale: str) -> str:
    with force_locale(locale):
        return _("Summary")


def _cells(
    sheet: WriteOnlyWorksheet, rows: Iterable[Row], table: Table, facts: ReportFacts, locale: str
) -> Iterator[list[Any]]:
    """Yield rows as openpyxl takes them. A harmless text goes as it is, three times as fast as a cell of its own."""
    kinds = [column.kind for column in table.columns]
    for row in rows:
        yield [
            value if is_plain(value) else cell_of_value(sheet, value, kind, facts.zone, locale)
            for value, kind in zip(row, kinds, strict=True)
        ]


def _in_place(
    archive: ZipFile,
    book: Workbook,
    sheet: WriteOnlyWorksheet,
    rows: Iterable[list[Any]],
    mark: Marked | None,
    facts: ReportFacts,
    locale: str,
) -> None:
    """Write one sheet, from its first row to its foot, where it belongs in the archive."""
    if mark is not None:
        sheet.oddFooter.center.text = mark_words(mark, locale, facts.zone).replace("&", "&&")
    number = len([each for each in book._sheets if not isinstance(each, Chartsheet)])
    lines = iter(rows)
    head = next(lines, None)  # what asks for widths and panes does so before the first row is written
    with archive.open(f"xl/worksheets/sheet{number}.xml", "w", force_zip64=True) as entry:
        sheet._writer = WorksheetWriter(sheet, out=entry)
        sheet._writer.write_top()
        try:
            for line in chain([] if head is None else [head], lines):
                sheet.append(line)
        except BaseException:
            _leave_off(sheet)
            raise
        sheet.close()


def _leave_off(sheet: WriteOnlyWorksheet) -> None:
    """End a sheet in the middle: openpyxl's generators, from the inside out, while what they write into is open."""
    with contextlib.suppress(Exception):
        if sheet._rows is not None:
            sheet._rows.close()
        sheet._writer.close()
