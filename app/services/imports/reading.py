"""Reading a file as a table: which rows, which headers. Knows no Flask and no database."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from app.services.files import CSV, XLSX
from app.services.imports.reading_csv import ragged, read_csv
from app.services.imports.reading_xlsx import read_xlsx
from app.services.imports.table import (
    EXAMPLES,
    HEAD_ROWS,
    MOST_COLUMNS,
    Asked,
    FileRows,
    Raw,
    Trouble,
    Unreadable,
    is_blank,
)
from app.words import _l


@dataclass(frozen=True)
class Heading:
    """The top of a file: where the headers stand, what they say, a few values below each."""

    row_no: int
    heads: tuple[str, ...]
    examples: tuple[tuple[Raw, ...], ...]
    found: FileRows


@dataclass(frozen=True)
class RawRow:
    """One row below the headers. ``troubles`` are those of this row."""

    row_no: int
    cells: tuple[Raw, ...]
    troubles: tuple[Trouble, ...] = ()


def normal_header(text: object) -> str:
    """Return a header as it is compared: NFKC, lower case, without blanks, stars, colons and remarks in brackets."""
    plain = unicodedata.normalize("NFKC", str(text)).lower()
    plain = re.sub(r"[\(\[【「].*?[\)\]】」]", "", plain)
    return re.sub(r"[\s*:：_\-./'’\"`]", "", plain)


def open_rows(content: bytes, media_type: str, asked: Asked, *, whole: bool = True) -> FileRows:
    """Return the rows of a file, read one by one; not ``whole`` where only its top is wanted."""
    return read_xlsx(content, asked, whole=whole) if media_type == XLSX else read_csv(content, asked)


def heading_of(
    content: bytes, media_type: str, asked: Asked, known: Collection[str], header_row: int | None = None
) -> Heading:
    """Return the top of a file. The header row is the one asked for, else the first that holds two known headers,
    else the first that is not blank. Raises ``Unreadable``."""
    found = open_rows(content, media_type, asked, whole=False)
    top: list[tuple[int, tuple[Raw, ...]]] = []
    wanted = max(header_row or 0, HEAD_ROWS) + EXAMPLES
    for row_no, cells in found.rows:
        if row_no > wanted:
            break
        if any(not is_blank(cell) for cell in cells):
            top.append((row_no, cells))
    if not top:
        raise Unreadable(_l("This file holds no rows."))
    place = _header_place(top, known, header_row)
    row_no, cells = top[place]
    heads = _heads(cells)
    below = [cells for _row_no, cells in top[place + 1 :]][:EXAMPLES]
    examples = tuple(tuple(row[at] if at < len(row) else None for row in below) for at in range(len(heads)))
    return Heading(row_no, heads, examples, found)


def _header_place(top: list[tuple[int, tuple[Raw, ...]]], known: Collection[str], header_row: int | None) -> int:
    if header_row is not None:
        for place, (row_no, _cells) in enumerate(top):
            if row_no == header_row:
                return place
        raise Unreadable(_l("Row %(row)s is empty; headers cannot stand there.", row=header_row))
    for place, (_row_no, cells) in enumerate(top):
        if sum(normal_header(cell) in known for cell in cells if isinstance(cell, str)) >= 2:
            return place
    return 0


def _heads(cells: tuple[Raw, ...]) -> tuple[str, ...]:
    heads = ["" if is_blank(cell) else str(cell).strip()[:120] for cell in cells[:MOST_COLUMNS]]
    while heads and not heads[-1]:
        heads.pop()
    return tuple(heads)


def rows_below(
    content: bytes, media_type: str, asked: Asked, header_row: int, width: int, most: int
) -> Iterator[RawRow]:
    """Read the rows below the headers, blank ones left out. Raises ``Unreadable``, also beyond ``most`` rows."""
    found = open_rows(content, media_type, asked)
    of_row: dict[int, list[Trouble]] = {}
    taken = count = 0
    for row_no, cells in found.rows:
        for trouble in found.troubles[taken:]:
            of_row.setdefault(trouble.row_no, []).append(trouble)
        taken = len(found.troubles)
        if row_no <= header_row or all(is_blank(cell) for cell in cells):
            of_row.pop(row_no, None)
            continue
        count += 1
        if count > most:
            raise Unreadable(_l("This file has more than %(most)s rows. Please split it.", most=most))
        troubles = of_row.pop(row_no, [])
        if media_type == CSV:
            wrong = ragged(row_no, cells, width)
            troubles += [wrong] if wrong is not None else []
        yield RawRow(row_no, cells, tuple(troubles))


def suggested(
    heads: tuple[str, ...], aliases: Mapping[str, str], remembered: Mapping[str, str], fields: Collection[str]
) -> list[str]:
    """Return the field that each header seems to mean, "" for none; a field is given once."""
    chosen: list[str] = []
    for head in heads:
        plain = normal_header(head)
        field = remembered.get(plain) if plain in remembered else aliases.get(plain, "")
        chosen.append(field if field and field in fields and field not in chosen else "")
    return chosen
