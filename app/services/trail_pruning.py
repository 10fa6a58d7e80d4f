"""How long the trail stays in the database, and how what is older leaves it. White paper H.2, L14.

Most entries are kept for a time, which is a setting; what tells of a medical record, or of looks at personal data, is
kept as long as the record, so nothing here takes it away. The database refuses to lose what is younger than six months.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import ColumnElement, or_, select, text
from sqlalchemy.orm import Session

from app.keyring import ring
from app.models.base import models
from app.models.trail import AuditLog, AuditPrune, AuditSeal
from app.services import trail_archive
from app.services.seals import LINE
from app.services.settings import setting, value_of
from app.services.trail import kept_with_record
from app.unit import unit_of_work
from app.words import _l

KEEP_MONTHS = setting(
    "trail.keep_months",
    _l("The trail stays in the database, months"),
    "36",
    "whole",
    least=6,
    most=1200,
    help=_l(
        "What is older may be moved into archive files by the operator. Medical access stays as long as the record."
    ),
    source="H.2",
    group_only=True,
)
SEGMENTS_IN_A_FILE = 100
DAYS_OF_A_MONTH = 30.5
_LINES = text(f"select id, {LINE} from audit_log where id = any(:ids) order by id")  # noqa: S608 - fixed words
_PRUNE = text("select audit_prune_segment(:segment, :ids, :archive, :digest)")


@dataclass(frozen=True)
class Pruned:
    """What one archive file took over."""

    archive: str
    segments: int
    entries: int


def prune(session: Session, folder: Path, *, at: datetime) -> Iterator[Pruned]:
    """Move what is past its retention into archive files, then take it out of the trail; yield one result per file.

    Needs the owner's role. The file is on disk before anything is deleted; seals stay, and so does what is kept longer.
    """
    months: int = value_of(session, KEEP_MONTHS, branch_id=None, at=at)
    before = at - timedelta(days=months * DAYS_OF_A_MONTH)
    while due := _due(session, before):
        yield _archived(session, folder, due, at)


def _due(session: Session, before: datetime) -> list[tuple[AuditSeal, list[int]]]:
    """Return the next segments of which something may go, with the ids of those entries."""
    seals = session.scalars(
        select(AuditSeal)
        .where(AuditSeal.id > 0, AuditSeal.sealed_at < before, AuditSeal.id.not_in(select(AuditPrune.id)))
        .where(select(AuditLog.id).where(_of(AuditSeal), _may_go()).exists())
        .order_by(AuditSeal.id)
        .limit(SEGMENTS_IN_A_FILE)
    )
    return [(each, _ids(session, each)) for each in seals]


def _of(segment: type[AuditSeal] | AuditSeal) -> ColumnElement[bool]:
    return AuditLog.id.between(segment.from_id, segment.to_id)


def _may_go() -> ColumnElement[bool]:
    """Return the condition under which an entry is not kept as long as the record that it tells of."""
    operations, tables = kept_with_record(), [name for name, model in models().items() if model.TRAIL_WITH_RECORD]
    return ~or_(AuditLog.operation.in_(operations), AuditLog.table_name.in_(tables) & AuditLog.table_name.is_not(None))


def _ids(session: Session, segment: AuditSeal) -> list[int]:
    return list(session.scalars(select(AuditLog.id).where(_of(segment), _may_go()).order_by(AuditLog.id)))


def _archived(session: Session, folder: Path, due: Sequence[tuple[AuditSeal, list[int]]], at: datetime) -> Pruned:
    first, last = due[0][0].id, due[-1][0].id
    name = f"trail-{first:09}-{last:09}-{at:%Y%m%d%H%M%S}.sealed"
    ids = [key for _seal, keys in due for key in keys]
    entries = [(key, line) for key, line in session.execute(_LINES, {"ids": ids})]
    session.rollback()
    digest = trail_archive.write(folder, name, entries, ring())
    with unit_of_work(session):
        for segment, keys in due:
            told = {"segment": segment.id, "ids": keys, "archive": name, "digest": digest}
            session.execute(_PRUNE, told)
    return Pruned(name, len(due), len(entries))
