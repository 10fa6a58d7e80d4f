"""A table in text: its encoding, its separator, its rows."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from charset_normalizer import from_bytes

from app.services.imports.table import Asked, FileRows, Raw, Trouble, Unreadable, is_blank
from app.words import _l

ENCODINGS = ("utf-8", "gb18030", "big5", "utf-16")
DELIMITERS = (",", ";", "\t", "，", "|")
#: Common characters that GB18030 text consists of, mostly: level one of GB 2312.
LEVEL_ONE = (0xB0A1, 0xD7F9)
SAMPLE = 64 * 1024
LONGEST_CELL = 200_000

_UNDECIDED = _l("The encoding of this file cannot be told. Please choose it, or save the file as UTF-8 or XLSX.")


def read_csv(content: bytes, asked: Asked) -> FileRows:
    """Read a text as a table; refuses an encoding that does not fit, unclosed quotation marks, nothing at all."""
    text, encoding = decoded(content, asked.encoding)
    if not text.strip(" \t\r\n,;，|\ufeff"):
        raise Unreadable(_l("This file holds no rows."))
    delimiter = asked.delimiter or sniffed(text)
    found = FileRows(iter(()), encoding=encoding, delimiter=delimiter)
    found.rows = _rows(text, delimiter)
    return found


def decoded(content: bytes, encoding: str | None) -> tuple[str, str]:
    """Return the text and its encoding: as asked, by its mark, UTF-8 if it is, GB18030 if it looks like Chinese."""
    if encoding is not None:
        return _strict(content, encoding), encoding
    if content.startswith(b"\xef\xbb\xbf"):
        return _strict(content, "utf-8"), "utf-8"
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return _strict(content, "utf-16"), "utf-16"
    try:
        return content.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        return _doubtful(content)


def _doubtful(content: bytes) -> tuple[str, str]:
    """Decide between GB18030 and others: GB18030 where its text is made of common characters."""
    sample = _whole_lines(content[:SAMPLE])
    if _commonness(sample) >= 0.6:
        return _strict(content, "gb18030"), "gb18030"
    best = from_bytes(sample, cp_isolation=["gb18030", "big5", "utf_8", "utf_16"]).best()
    guessed = {"big5": "big5", "gb18030": "gb18030", "utf_16": "utf-16"}.get(best.encoding if best else "")
    if guessed is None:
        raise Unreadable(_UNDECIDED)
    return _strict(content, guessed), guessed


def _whole_lines(sample: bytes) -> bytes:
    end = sample.rfind(b"\n")
    return sample[: end + 1] if end > 0 else sample


def _commonness(sample: bytes) -> float:
    """Return which part of the characters beyond ASCII is common Chinese, when read as GB18030; 0 if it cannot be."""
    try:
        foreign = [c for c in sample.decode("gb18030") if ord(c) > 0x7F]
    except UnicodeDecodeError:
        return 0.0
    return sum(_is_common(c) for c in foreign) / len(foreign) if foreign else 0.0


def _is_common(character: str) -> bool:
    try:
        pair = character.encode("gb2312")
    except UnicodeEncodeError:
        return False
    code = int.from_bytes(pair, "big")
    return LEVEL_ONE[0] <= code <= LEVEL_ONE[1] or 0xA1A1 <= code <= 0xA3FE


def _strict(content: bytes, encoding: str) -> str:
    codec = {"utf-8": "utf-8-sig"}.get(encoding, encoding)
    try:
        return content.decode(codec)
    except UnicodeDecodeError as wrong:
        line = content.count(b"\n", 0, wrong.start) + 1
        raise Unreadable(
            _l(
                "Row %(row)s does not fit the encoding %(encoding)s. Please choose another, "
                "or save the file as UTF-8 or XLSX.",
                row=line,
                encoding=encoding.upper(),
            )
        ) from None


def sniffed(text: str) -> str:
    """Return the separator that the first lines bear most evenly; a comma if there is none."""
    lines = [line for line in text[:SAMPLE].splitlines()[:40] if line.strip()][:20]
    best, most = ",", 0
    for delimiter in DELIMITERS:
        counts = [_outside_quotes(line, delimiter) for line in lines]
        steady = min(counts[: max(1, len(counts) - 1)] or [0])
        score = steady * 1000 + counts[0] if counts else 0
        if score > most:
            best, most = delimiter, score
    return best


def _outside_quotes(line: str, delimiter: str) -> int:
    return sum(part.count(delimiter) for part in line.split('"')[::2])


def _rows(text: str, delimiter: str) -> Iterator[tuple[int, tuple[Raw, ...]]]:
    csv.field_size_limit(LONGEST_CELL)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    number = 0
    while True:
        number += 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error:
            raise Unreadable(
                _l("Row %(row)s has a quotation mark that is not closed, or a text that is too long.", row=number)
            ) from None
        yield number, tuple(row)


def ragged(row_no: int, cells: tuple[Raw, ...], width: int) -> Trouble | None:
    """Return what is wrong with a row that has more or fewer cells than there are headers."""
    facts = {"cells": len(cells), "heads": width}
    if any(not is_blank(cell) for cell in cells[width:]):
        return Trouble(row_no, None, "ragged_more", facts)
    return Trouble(row_no, None, "ragged_fewer", facts, refuses=False) if len(cells) < width else None
