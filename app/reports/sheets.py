"""The files made of a report's facts: CSV, XLSX and PDF."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from openpyxl import Workbook
from openpyxl.cell import Cell, WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
from openpyxl.utils import get_column_letter
from openpyxl.worksheet._write_only import WriteOnlyWorksheet

from app.reports.charts import alt_text, chart_svg, data_uri
from app.reports.facts import (
    ChartFacts,
    Column,
    Figure,
    Kind,
    Label,
    ReportFacts,
    Row,
    Series,
    Table,
    Value,
    from_json,
    to_json,
    width_in_ems,
)
from app.reports.paper import render_pdf
from app.services.signing import SIGNED
from app.words import _, force_locale, locale_in_force

__all__ = [
    "ChartFacts",
    "Column",
    "Figure",
    "Label",
    "ReportFacts",
    "Series",
    "Table",
    "csv_bytes",
    "from_json",
    "plain_sheet",
    "report_pdf",
    "shown",
    "to_json",
    "xlsx_bytes",
]

# About three seconds of setting; what is longer belongs into a spreadsheet, and the paper says so.
PDF_CELLS = 2_400
PDF_CELL_CHARACTERS = 300
WIDE_FROM_COLUMNS = 8
NO_VALUE = "–"

NUMBER_FORMATS: dict[Kind, str] = {
    "count": "#,##0",
    "money": "#,##0.00",
    "rate": "0.0%",
    "mean": "0.00",
    "day": "yyyy-mm-dd",
    "instant": "yyyy-mm-dd hh:mm",
    "text": "@",
}
# Full-width signs too: Excel with a Chinese input method takes them for formulas.
_FORMULA_STARTS = tuple("=+-@\t\r\n＝＋－＠")
_NOT_IN_SHEET_NAMES = re.compile(r"[\[\]:*?/\\']")


def shown(value: Value, locale: str, zone: str, kind: Kind) -> str:
    """Return a value as people read it on screen and paper: ``1,234``, ``7,800.00``, ``12.3%``, ``2026-11-23 10:00``.

    An absent number or day is a dash, an absent text is empty.
    """
    if value is None:
        return "" if kind == "text" else NO_VALUE
    if isinstance(value, Label):
        return value.in_(locale)
    if isinstance(value, datetime):
        return f"{value.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return f"{value:.1%}" if kind == "rate" else f"{value:,.2f}"
    return f"{value:,}" if isinstance(value, int) else value


class Marked(Protocol):
    """Who takes a file out of the house, when and why."""

    @property
    def who(self) -> str: ...
    @property
    def at(self) -> datetime: ...
    @property
    def reason(self) -> str: ...


def mark_words(mark: Marked, locale: str, zone: str) -> str:
    """Return a watermark's words: who exported the file, and when."""
    with force_locale(locale):
        return _(
            "Exported by %(who)s, %(when)s", who=mark.who, when=f"{mark.at.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}"
        )


def file_bytes(facts: ReportFacts, file_format: str, locale: str, mark: Marked | None = None) -> bytes:
    """Write facts as ``csv``, ``xlsx`` or ``pdf``, with the watermark of who takes them out. Decision 0028."""
    made = {"csv": csv_bytes, "xlsx": xlsx_bytes, "pdf": report_pdf}[file_format]
    return made(facts, locale, mark=mark)


def csv_bytes(facts: ReportFacts, locale: str, table: str | None = None, mark: Marked | None = None) -> bytes:
    """Write one table, or all of them with their titles above, as UTF-8 with the mark that Excel looks for.

    Numbers stay numbers without thousands signs (a rate is 0.123), instants stand in the report's zone. A text
    that a spreadsheet would take for a formula gets an apostrophe in front. The mark is the last line, a comment.
    """
    tables = [each for each in facts.tables if table is None or each.name == table]
    if table is not None and not tables:
        raise KeyError(table)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    for number, each in enumerate(tables):
        if number:
            writer.writerow([])
        if len(tables) > 1:
            writer.writerow([harmless(each.title.in_(locale))])
        writer.writerow([harmless(column.label.in_(locale)) for column in each.columns])
        for row in _lines(each):
            writer.writerow([csv_value(value, locale, facts.zone) for value in row])
    if mark is not None:
        writer.writerow([f"# {mark_words(mark, locale, facts.zone)}"])
    return b"\xef\xbb\xbf" + out.getvalue().encode("utf-8")


def _lines(table: Table) -> Iterator[Row]:
    yield from table.rows
    if table.totals is not None:
        yield table.totals


def csv_value(value: Value, locale: str, zone: str) -> str:
    if isinstance(value, str | Label):
        return harmless(value if isinstance(value, str) else value.in_(locale))
    if isinstance(value, datetime):
        return f"{value.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M:%S}"
    return "" if value is None else f"{value:f}" if isinstance(value, Decimal) else str(value)


def harmless(text: str) -> str:
    """Put an apostrophe before a text that starts like a formula, blanks before the sign or not."""
    risky = text.startswith(_FORMULA_STARTS) or text.lstrip().startswith(_FORMULA_STARTS)
    return f"'{text}" if risky else text


def xlsx_bytes(facts: ReportFacts, locale: str, mark: Marked | None = None) -> bytes:
    """Write a workbook: parameters and figures on the first sheet, then a sheet for each table.

    Numbers are numbers, rates percentages, days and instants real dates in the report's zone; a text is a text
    whatever it starts with. The mark stands on the first sheet and at the foot of each printed page.
    """
    book = Workbook(write_only=True)
    taken: set[str] = set()
    with force_locale(locale):
        name = _("Summary")
    summary = book.create_sheet(sheet_name(name, taken))
    for line in summary_rows(summary, facts, locale, mark):
        summary.append(line)
    for table in facts.tables:
        _write_table(book, table, sheet_name(table.title.in_(locale), taken), facts.zone, locale)
    if mark is not None:
        for sheet in book.worksheets:
            sheet.oddFooter.center.text = mark_words(mark, locale, facts.zone).replace("&", "&&")
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def summary_rows(
    sheet: WriteOnlyWorksheet, facts: ReportFacts, locale: str, mark: Marked | None
) -> Iterator[list[Cell]]:
    """Yield the rows of a workbook's first sheet: title, parameters, figures, who made it, who took it out and why."""
    with force_locale(locale):
        made_at, made_by = _("Made at"), _("Made by")
    sheet.column_dimensions["A"].width = 24
    sheet.column_dimensions["B"].width = 40
    yield [cell_of_value(sheet, facts.title, "text", facts.zone, locale, head=True)]
    for label, value, kind in _summary_lines(facts, made_at, made_by):
        head = cell_of_value(sheet, label, "text", facts.zone, locale)
        yield [head, cell_of_value(sheet, value, kind, facts.zone, locale)]
    if mark is not None:
        for line in (mark_words(mark, locale, facts.zone), mark.reason):
            yield [cell_of_value(sheet, line, "text", facts.zone, locale)]


def plain_sheet(sheets: Iterable[tuple[str, Sequence[str], Iterable[Sequence[str]]]]) -> bytes:
    """Write a workbook of (name, headers, rows) sheets in which every cell is a text, whatever it starts with."""
    book = Workbook(write_only=True)
    taken: set[str] = set()
    for name, heads, rows in sheets:
        sheet = book.create_sheet(sheet_name(name, taken))
        sheet.freeze_panes = "A2"
        for number, head in enumerate(heads, start=1):
            sheet.column_dimensions[get_column_letter(number)].width = min(
                40.0, max(14.0, width_in_ems(head) * 1.9 + 2)
            )
        sheet.append([_text_cell(sheet, head, head=True) for head in heads])
        for row in rows:
            sheet.append([_text_cell(sheet, text) for text in row])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _text_cell(sheet: WriteOnlyWorksheet, text: str, *, head: bool = False) -> Cell:
    cell = cell_of_value(sheet, ILLEGAL_CHARACTERS_RE.sub("", text)[:32_000], "text", "UTC", "zh", head=head)
    cell.number_format = NUMBER_FORMATS["text"]
    return cell


def _summary_lines(facts: ReportFacts, made_at: str, made_by: str) -> Iterator[tuple[Label | str, Value, Kind]]:
    for label, text in facts.parameters:
        yield label, text, "text"
    for figure in facts.figures:
        yield figure.label, figure.value, figure.kind
    yield made_at, facts.made_at, "instant"
    yield made_by, facts.made_by, "text"


def _write_table(book: Workbook, table: Table, name: str, zone: str, locale: str) -> None:
    sheet = book.create_sheet(name)
    sheet.append(table_head(sheet, table, zone, locale))
    kinds = [column.kind for column in table.columns]
    for row in table.rows:
        sheet.append([cell_of_value(sheet, value, kind, zone, locale) for value, kind in zip(row, kinds, strict=True)])
    if table.totals is not None:
        pairs = zip(table.totals, kinds, strict=True)
        sheet.append([cell_of_value(sheet, value, kind, zone, locale, total=True) for value, kind in pairs])


def table_head(sheet: WriteOnlyWorksheet, table: Table, zone: str, locale: str) -> list[Cell]:
    """Set the widths of a table's columns by its first rows, keep its head in sight, and return the cells of that."""
    sheet.freeze_panes = "A2"
    for number, ems in enumerate(_column_ems(table, locale, zone), start=1):
        # Excel counts in Latin digits.
        sheet.column_dimensions[get_column_letter(number)].width = min(50.0, max(8.0, ems * 1.9 + 2))
    return [cell_of_value(sheet, column.label, "text", zone, locale, head=True) for column in table.columns]


def is_plain(value: Value) -> bool:
    """Say whether a value is a text that a sheet takes as it is: no formula, no error code, no control character."""
    return (
        isinstance(value, str)
        and not value.startswith((*_FORMULA_STARTS, "#"))
        and ILLEGAL_CHARACTERS_RE.search(value) is None
    )


def cell_of_value(
    sheet: WriteOnlyWorksheet,
    value: Value,
    kind: Kind,
    zone: str,
    locale: str,
    *,
    head: bool = False,
    total: bool = False,
) -> Cell:
    """Return one cell of its kind; a day before 1900, which Excel does not know, becomes a text."""
    if isinstance(value, datetime):
        value = value.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    if isinstance(value, date) and value.year < 1900:
        value = value.isoformat()
    if isinstance(value, Label):
        value = value.in_(locale)
    if isinstance(value, str):
        value = ILLEGAL_CHARACTERS_RE.sub("", value)
    cell: Cell = WriteOnlyCell(sheet, value=value)  # type: ignore[arg-type]
    if isinstance(value, str):
        cell.data_type = "s"
        cell.quotePrefix = value.startswith(_FORMULA_STARTS)
    elif value is not None:
        cell.number_format = NUMBER_FORMATS[kind]
    if head:
        cell.fill, cell.alignment = _HEAD_FILL, _MIDDLE
    if head or total:
        cell.font = _BOLD
    if total:
        cell.border = _RULE_ABOVE
    return cell


_BOLD = Font(bold=True)
_HEAD_FILL = PatternFill("solid", start_color="FFE7F2F1")
_MIDDLE = Alignment(vertical="center", wrap_text=True)
_RULE_ABOVE = Border(top=Side(style="thin"))


def _column_ems(table: Table, locale: str, zone: str) -> list[float]:
    """Return how wide each column's widest text is, in ems: its head, its total and its first 200 values."""
    lines = [*table.rows[:200], *([] if table.totals is None else [table.totals])]
    return [
        max(
            width_in_ems(text[:60])
            for text in (column.label.in_(locale), *(shown(line[at], locale, zone, column.kind) for line in lines))
        )
        for at, column in enumerate(table.columns)
    ]


def sheet_name(title: str, taken: set[str]) -> str:
    """Return a name of at most 31 characters that Excel accepts and that is not taken, whatever its case."""
    base = _NOT_IN_SHEET_NAMES.sub(" ", title).strip()[:28] or "–"
    name, number = base, 2
    while name.casefold() in taken:
        name, number = f"{base[:27]} {number}", number + 1
    taken.add(name.casefold())
    return name


def report_pdf(facts: ReportFacts, locale: str | None = None, mark: Marked | None = None) -> bytes:
    """Print a report on A4, lying when a table has more than eight columns; heads repeat on each page.

    A table of more than 2,400 cells is cut, and the paper says how many rows the spreadsheet has besides.
    """
    spoken = locale or locale_in_force()
    wide = any(len(table.columns) > WIDE_FROM_COLUMNS for table in facts.tables)
    chart = facts.chart
    return render_pdf(
        "report/page.html",
        facts,
        css=["base.css", "report/style.css", *(["report/wide.css"] if wide else [])],
        zone=facts.zone,
        title=facts.title.in_(spoken),
        locale=spoken,
        tables=[_table_on_paper(table, spoken, facts.zone) for table in facts.tables],
        figures=[(each.label.in_(spoken), shown(each.value, spoken, facts.zone, each.kind)) for each in facts.figures],
        picture=None if chart is None else (data_uri(chart_svg(chart, spoken)), alt_text(chart, spoken)),
        watermark="" if mark is None else mark_words(mark, spoken, facts.zone),
        is_signed=facts.report in SIGNED,
    )


def _table_on_paper(table: Table, locale: str, zone: str) -> dict[str, Any]:
    """Return a table as words: title, columns (label, kind, percent of the width), rows, totals, rows left out."""
    kinds = [column.kind for column in table.columns]

    def words(row: Row) -> list[str]:
        return [shown(value, locale, zone, kind)[:PDF_CELL_CHARACTERS] for value, kind in zip(row, kinds, strict=True)]

    most = PDF_CELLS // max(1, len(kinds))
    # Widths set beforehand save a quarter of the setting: nothing has to be measured twice.
    ems = [min(24.0, max(4.0, each + 1)) for each in _column_ems(table, locale, zone)]
    return {
        "title": table.title.in_(locale),
        "columns": [
            (column.label.in_(locale), column.kind, f"{100 * each / sum(ems):.2f}%")
            for column, each in zip(table.columns, ems, strict=True)
        ],
        "rows": [words(row) for row in table.rows[:most]],
        "totals": None if table.totals is None else words(tuple("" if each is None else each for each in table.totals)),
        "left_out": max(0, len(table.rows) - most),
    }
