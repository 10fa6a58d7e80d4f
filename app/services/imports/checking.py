"""The dry run: a whole file read, judged row by row and row against row; changes nothing but findings.

What is slow or large is done once over the file, in linear time: values, twins, references and their rings; what
others may change meanwhile (does this number stand?) is asked in pieces, in the check and again when rows are written.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from app.actors import Actor
from app.models.customers import mask
from app.models.imports import ImportBatch, ImportFinding, Weight
from app.services.files import content_of
from app.services.imports.kinds import KINDS, BadRow, ImportKind, Reference, Row
from app.services.imports.reading import RawRow, rows_below
from app.services.imports.references import resolve
from app.services.imports.table import Asked, cell_name, is_blank, said
from app.services.imports.values import BadCell, Known, as_text

PIECE = 500
Progress = Callable[[int, int], None]


@dataclass
class Found:
    """A finding before it is kept."""

    row_no: int
    field: str | None
    rule: str
    facts: dict[str, Any] = dataclasses.field(default_factory=dict)
    weight: Weight = Weight.REFUSED
    value: str | None = None
    column_no: int | None = None
    match: tuple[str, int] | None = None


@dataclass
class Link:
    """A reference of a row: to another row of the file, else to a record on file."""

    row_no: int
    reference: Reference
    to_row: int | None
    to_id: int | None


@dataclass
class Examination:
    """A file as read: its rows in order, what was found, which reference leads where."""

    kind: ImportKind
    known: Known
    places: dict[str, int]
    rows: list[Row] = dataclasses.field(default_factory=list)
    found: list[Found] = dataclasses.field(default_factory=list)
    links: list[Link] = dataclasses.field(default_factory=list)

    def refuse(self, row: Row, name: str | None, rule: str, value: object = None, /, **facts: Any) -> None:
        """Refuse a row for one of its cells, or as a whole."""
        row.refused = True
        self.found.append(Found(row.row_no, name, rule, facts, value=self.shown(name, value)))

    def shown(self, name: str | None, value: object) -> str | None:
        """Return a value as a finding keeps it: bounded, and masked where its column is sensitive."""
        if value is None:
            return None
        text = str(value)[:200]
        sensitive = name is not None and self.kind.column(name).sensitive
        return mask(None, text) if sensitive else text

    @property
    def good(self) -> list[Row]:
        return [row for row in self.rows if not row.refused]


def examine(
    session: Session, batch: ImportBatch, *, by: Actor, at: datetime, most: int, progress: Progress | None = None
) -> Examination:
    """Read and judge a batch's file, without asking which records stand. Raises ``Unreadable``."""
    kind = KINDS[batch.kind]
    places = {column["field"]: place for place, column in enumerate(batch.columns) if column["field"]}
    exam = Examination(kind, kind.prepare(session, by, at), places)
    for raw in raw_rows(batch, most):
        exam.rows.append(_read_row(exam, raw))
        if progress is not None and len(exam.rows) % PIECE == 0:
            progress(len(exam.rows), 0)
    for row in exam.good:
        try:
            kind.judge(session, row, exam.known, by)
        except BadRow as wrong:
            exam.refuse(row, wrong.field, wrong.rule, row.get(wrong.field or ""), **wrong.facts)
    _refuse_twins(exam)
    resolve(session, exam, by)
    return exam


def raw_rows(batch: ImportBatch, most: int) -> Iterator[RawRow]:
    """Read a batch's file as it was told to. Raises ``Unreadable``."""
    asked = Asked(batch.sheet, batch.encoding, batch.delimiter)
    return rows_below(content_of(batch.file), batch.file.media_type, asked, batch.header_row, len(batch.columns), most)


def _read_row(exam: Examination, raw: RawRow) -> Row:
    row = Row(raw.row_no, {})
    by_place = {place: name for name, place in exam.places.items()}
    troubled = set()
    for trouble in raw.troubles:
        name = by_place.get(trouble.column_no) if trouble.column_no is not None else None
        if trouble.column_no is not None and name is None:
            continue  # a column that is not read
        troubled.add(name)
        weight = Weight.REFUSED if trouble.refuses else Weight.WARNING
        row.refused = row.refused or trouble.refuses
        exam.found.append(Found(raw.row_no, name, trouble.rule, dict(trouble.facts), weight))
    for name, place in exam.places.items():
        if name not in troubled:
            _read_cell(exam, row, name, raw.cells[place] if place < len(raw.cells) else None)
    return row


def _read_cell(exam: Examination, row: Row, name: str, raw: Any) -> None:
    column = exam.kind.column(name)
    exam.known.warnings.clear()
    try:
        value = column.read(raw, exam.known)
        if value is None and column.required:
            raise BadCell("required")
    except BadCell as wrong:
        exam.refuse(row, name, wrong.rule, None if is_blank(raw) else as_text(raw), **wrong.facts)
        return
    row.values[name] = value
    for rule, facts in exam.known.warnings:
        exam.found.append(Found(row.row_no, name, rule, facts, Weight.WARNING, value=exam.shown(name, as_text(raw))))


def _refuse_twins(exam: Examination) -> None:
    """Refuse each row that says again what an earlier one said."""
    first: dict[tuple[str, object], int] = {}
    for row in exam.good:
        for key in exam.kind.keys(row, exam.known):
            if key[1] is None:
                continue
            earlier = first.setdefault(key, row.row_no)
            if earlier != row.row_no:
                label = exam.kind.column(key[0]).label
                exam.refuse(row, key[0], "twice_in_file", row.get(key[0]), row=earlier, what=said(label))
                break


# --- against what stands ------------------------------------------------------------------------------------------


def pieces(rows: Sequence[Row], size: int = PIECE) -> Iterator[Sequence[Row]]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def check_file(
    session: Session, batch: ImportBatch, *, by: Actor, at: datetime, most: int, progress: Progress | None = None
) -> None:
    """Check a batch's file and keep what was found. The caller holds the batch's lock and moves its state.

    Raises ``Unreadable``; then nothing was written.
    """
    exam = examine(session, batch, by=by, at=at, most=most, progress=progress)
    exam.known.more["logs"] = True
    done = 0
    for piece in pieces(exam.good):
        standing = exam.kind.standing(session, piece, exam.known, by)
        for row in piece:
            if row.row_no in standing:
                exam.found.append(_duplicate(exam, row, standing[row.row_no]))
        for row_no, name, rule, facts in exam.kind.remarks(session, piece, exam.known, by):
            exam.found.append(Found(row_no, name, rule, facts, Weight.WARNING))
        done += len(piece)
        if progress is not None:
            progress(done, len(exam.rows))
    keep_findings(session, batch, exam, exam.found, choices=_earlier_choices(session, batch))
    batch.rows_total = len(exam.rows)
    batch.rows_refused = sum(row.refused for row in exam.rows)
    batch.rows_duplicate = sum(each.weight is Weight.DUPLICATE for each in exam.found)
    batch.rows_done = batch.links_done = 0
    batch.checked_at = at


def _duplicate(exam: Examination, row: Row, standing: Any) -> Found:
    facts = {**standing.facts, "here": exam.kind.title(row), "may_fill": standing.may_fill}
    value = exam.shown(standing.field, as_text(row.get(standing.field)))
    match = (standing.table, standing.record_id) if standing.may_fill else None
    return Found(row.row_no, standing.field, standing.rule, facts, Weight.DUPLICATE, value, match=match)


def _earlier_choices(session: Session, batch: ImportBatch) -> dict[int, Any]:
    """Return what was chosen for single rows in the check before this one."""
    earlier = select(ImportFinding.row_no, ImportFinding.choice).where(
        ImportFinding.batch_id == batch.id,
        ImportFinding.round == batch.round - 1,
        ImportFinding.choice.is_not(None),
    )
    return {row[0]: row[1] for row in session.execute(earlier)}


def keep_findings(
    session: Session,
    batch: ImportBatch,
    exam: Examination,
    found: Sequence[Found],
    choices: dict[int, Any] | None = None,
) -> None:
    """Write findings down, in the order of the rows, a thousand at a time."""
    lines = [
        {
            "batch_id": batch.id,
            "round": batch.round,
            "weight": each.weight,
            "row_no": each.row_no,
            "column_no": exam.places.get(each.field or ""),
            "cell": cell_name(each.row_no, exam.places.get(each.field or "")),
            "heading": _heading(batch, exam, each.field),
            "value": each.value,
            "rule": each.rule,
            "facts": each.facts,
            "match_table": each.match[0] if each.match else None,
            "match_id": each.match[1] if each.match else None,
            "choice": (choices or {}).get(each.row_no) if each.weight is Weight.DUPLICATE else None,
        }
        for each in sorted(found, key=lambda each: each.row_no)
    ]
    for start in range(0, len(lines), 1000):
        session.execute(insert(ImportFinding), lines[start : start + 1000])


def _heading(batch: ImportBatch, exam: Examination, name: str | None) -> str:
    place = exam.places.get(name or "")
    return "" if place is None else str(batch.columns[place]["head"])[:120]
