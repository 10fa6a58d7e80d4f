"""The headers of a file: read from its top, recognised, shown with examples, remembered for the next file."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.actors import Actor
from app.errors import InvalidInput
from app.keyring import ring
from app.models.customers import mask
from app.models.imports import ImportBatch, ImportMapping
from app.services.files import content_of
from app.services.imports.kinds import ImportKind
from app.services.imports.reading import Heading, heading_of, normal_header, suggested
from app.services.imports.table import Asked, Unreadable
from app.services.imports.values import as_text
from app.words import _

LONGEST_EXAMPLE = 40


def missing_columns(batch: ImportBatch, kind: ImportKind) -> list[str]:
    """Return the labels of required fields that no column fills."""
    given = {column["field"] for column in batch.columns}
    return [str(column.label) for column in kind.columns if column.required and column.field not in given]


def read_head(
    session: Session,
    batch: ImportBatch,
    kind: ImportKind,
    asked: Asked,
    header_row: int | None,
    by: Actor,
    *,
    field: str,
) -> None:
    """Read the top of a batch's file and suggest what its columns are."""
    aliases = kind.aliases()
    try:
        head = heading_of(content_of(batch.file), batch.file.media_type, asked, aliases.keys(), header_row)
    except Unreadable as wrong:
        raise InvalidInput({field: [str(wrong.sentence)]}) from None
    if not any(head.heads):
        raise InvalidInput({field: [_("This file holds no rows.")]})
    remembered = _remembered(session, batch, head.heads)
    fields = suggested(head.heads, aliases, remembered, kind.fields)
    batch.sheet, batch.sheets = head.found.sheet, list(head.found.sheets)
    batch.encoding, batch.delimiter, batch.header_row = head.found.encoding, head.found.delimiter, head.row_no
    batch.columns = _columns(head, fields)
    batch.fingerprint = None


def _columns(head: Heading, fields: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {"head": name, "examples": [_example(value) for value in values], "field": field}
        for name, values, field in zip(head.heads, head.examples, fields, strict=True)
    ]


def _example(value: Any) -> str:
    """Return a value as it is shown beside its header; a long number's middle is masked, whatever its column."""
    text = as_text(value).strip()[:LONGEST_EXAMPLE]
    return mask(None, text) if sum(character.isdigit() for character in text) >= 7 and "-" not in text else text


def _headers_key(heads: Sequence[str]) -> str:
    return ring().digest("headers", "|".join(sorted({normal_header(head) for head in heads if head})))


def _remembered(session: Session, batch: ImportBatch, heads: Sequence[str]) -> dict[str, str]:
    """Return what the branch said of the same headers last time."""
    found = session.scalars(
        select(ImportMapping).where(
            ImportMapping.branch_id == batch.branch_id,
            ImportMapping.kind == batch.kind,
            ImportMapping.headers == _headers_key(heads),
        )
    ).one_or_none()
    return dict(found.mapping) if found is not None else {}


def remember(session: Session, batch: ImportBatch, *, by: Actor, at: datetime) -> None:
    """Keep what the headers mean for the branch's next file with the same ones."""
    mapping = {normal_header(line["head"]): line["field"] for line in batch.columns if line["head"]}
    kept = {"mapping": mapping, "used_at": at, "employee_id": by.employee_id}
    line = insert(ImportMapping).values(
        branch_id=batch.branch_id,
        kind=batch.kind,
        headers=_headers_key([line["head"] for line in batch.columns]),
        **kept,
    )
    session.execute(line.on_conflict_do_update(index_elements=["branch_id", "kind", "headers"], set_=kept))
