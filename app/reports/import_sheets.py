"""The files of imports: a template for each kind, and the refused rows with the reasons beside them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.models.imports import ImportBatch, ImportFinding, ImportRow, RowAction, Weight
from app.reports.sheets import plain_sheet
from app.services.imports import ImportKind, raw_rows
from app.services.imports.values import as_text
from app.words import _, force_locale


def template_sheet(kind: ImportKind, locale: str) -> bytes:
    """Write a kind's template: a sheet of headers with one example, and a sheet that explains each column."""
    with force_locale(locale):
        heads = [str(column.label) for column in kind.columns]
        notes = [
            [str(column.label), _("required") if column.required else "", column.example, str(column.note)]
            for column in kind.columns
        ]
        explained = [_("Column"), "", _("Example"), _("Note")]
        names = str(kind.name.label), _("Notes")
    example = [column.example for column in kind.columns]
    return plain_sheet([(names[0], heads, [example]), (names[1], explained, notes)])


def refused_sheet(session: Session, batch: ImportBatch, locale: str) -> bytes:
    """Write the rows that were refused as they stand in the file, the reasons in a last column.

    The sheet is an import again: its headers are the file's own, and the last one means no field.
    """
    with force_locale(locale):
        why = _reasons(session, batch)
        heads = [*(line["head"] for line in batch.columns), _("Why refused")]
        return plain_sheet([(str(batch.kind.label), heads, _refused_rows(batch, why))])


def _reasons(session: Session, batch: ImportBatch) -> dict[int, list[str]]:
    """Return why rows were refused, by row number: by the check, or when they were to be written."""
    found: dict[int, list[str]] = defaultdict(list)
    findings = select(ImportFinding).where(
        ImportFinding.batch_id == batch.id, ImportFinding.round == batch.round, ImportFinding.weight == Weight.REFUSED
    )
    for finding in session.scalars(findings.order_by(ImportFinding.row_no, ImportFinding.id)):
        found[finding.row_no].append(f"{finding.cell or finding.row_no} {finding.heading}: {finding.sentence}")
    left = select(ImportRow.row_no).where(ImportRow.batch_id == batch.id, ImportRow.action == RowAction.REFUSED)
    for row_no in session.scalars(left):
        if row_no not in found:
            found[row_no].append(_("Stands already"))
    return found


def _refused_rows(batch: ImportBatch, why: dict[int, list[str]]) -> Iterable[Sequence[str]]:
    width = len(batch.columns)
    for raw in raw_rows(batch, most=10**6):
        if raw.row_no in why:
            cells = [as_text(cell) for cell in raw.cells[:width]]
            yield [*cells, *[""] * (width - len(cells)), " ".join(why[raw.row_no])]
