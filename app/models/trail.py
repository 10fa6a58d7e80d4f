"""The trail: who changed which row, and what else happened. White paper H, L05, L14; H.2.

No code of ours writes it: triggers of the owner do, and ``audit_event``. The application's role may only read.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index, String, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import METADATA, Base, Instant, Recorded, Scope, col, models
from app.words import _l

#: The trail itself and the chain that seals it: their guards are of another kind.
UNTRAILED_TABLES = frozenset({"audit_log", "audit_seal", "audit_prune"})
#: What the entry of a change says itself: when it was and who did it.
OF_RECORDED = ("updated_at", "updated_by_id", "row_version")
#: Flask-AppBuilder's tables cannot say it of themselves: secrets, and the counters that each login changes.
OF_THE_FRAMEWORK = {
    "ab_api_key": ("key_hash", "lookup_hash", "last_used_on"),
    "ab_register_user": ("password", "registration_hash"),
    "ab_user": ("password", "last_login", "login_count", "fail_login_count", "changed_on"),
}


def trailed() -> dict[str, tuple[str, ...]]:
    """Return every table whose changes the trail holds, with the columns that it leaves out, sorted."""
    ours = models()
    found: dict[str, tuple[str, ...]] = {}
    kept = {name for name, table in METADATA.tables.items() if not table.info.get("untrailed")}
    for name in sorted(kept - UNTRAILED_TABLES):
        model = ours.get(name)
        excluded = OF_THE_FRAMEWORK.get(name, ()) if model is None else model.UNTRAILED
        recorded = OF_RECORDED if model is not None and issubclass(model, Recorded) else ()
        found[name] = tuple(sorted({*excluded, *recorded}))
    return found


def append_only() -> dict[str, bool]:
    """Return the tables whose rows never change; True: the transaction that made a row may still complete it."""
    return {name: model.UNTIL_COMMIT for name, model in sorted(models().items()) if model.APPEND_ONLY}


class AuditLog(Base):
    """One change of a row (``insert``, ``update``, ``delete``, with ``before`` and ``after``), or one event with what
    is told of it in ``after``. ``actor`` is what the database was told: ``user:7``, ``house:job:…``, ``login:…``."""

    __tablename__ = "audit_log"
    TITLE, TITLES = _l("Entry of the trail"), _l("The trail")
    SCOPE = Scope(shared=True)
    APPEND_ONLY = True
    __table_args__ = (
        Index("ix_audit_log_record", "table_name", "record_id", "id"),
        Index("ix_audit_log_actor", "actor", "id"),
    )

    at: Mapped[datetime] = mapped_column(
        Instant, server_default=func.clock_timestamp(), index=True, info=col(_l("When"))
    )
    actor: Mapped[str] = mapped_column(String(200), info=col(_l("By"), search=True))
    request: Mapped[str] = mapped_column(String(200), info=col(_l("Web request"), search=True))
    address: Mapped[str] = mapped_column(String(200), info=col(_l("Network address"), search=True))
    table_name: Mapped[str | None] = mapped_column(String(80), info=col(_l("Table")))
    record_id: Mapped[int | None] = mapped_column(BigInteger, info=col(_l("Record")))
    operation: Mapped[str] = mapped_column(String(40), info=col(_l("What happened"), search=True))
    before: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    after: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    transaction_id: Mapped[int] = mapped_column(BigInteger)

    def __str__(self) -> str:
        model = models().get(self.table_name or "")
        about = str(model.TITLE) if model is not None else self.table_name or str(self.TITLE)
        return f"{about} {self.record_id or self.id}"


class AuditSeal(Base):
    """A link of the chain: the entries ``from_id`` to ``to_id``, at most 1,000 of them, as one hash over every column,
    bound to the link before it. The first link, number 0, is a random one and seals nothing."""

    __tablename__ = "audit_seal"
    TITLE, TITLES = _l("Seal of the trail"), _l("Seals of the trail")
    SCOPE = Scope(shared=True)
    APPEND_ONLY = True

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    from_id: Mapped[int] = mapped_column(BigInteger, info=col(_l("From entry")))
    to_id: Mapped[int] = mapped_column(BigInteger, info=col(_l("To entry")))
    entries: Mapped[int] = mapped_column(info=col(_l("Entries")))
    digest: Mapped[str] = mapped_column(String(64))
    previous_hash: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64), info=col(_l("Seal")))
    sealed_at: Mapped[datetime] = mapped_column(Instant, info=col(_l("Sealed at")))


class AuditPrune(Base):
    """Entries of a sealed segment that an archive file took over; ``id`` is the segment's. White paper H.2."""

    __tablename__ = "audit_prune"
    TITLE, TITLES = _l("Archived part of the trail"), _l("Archived parts of the trail")
    SCOPE = Scope(shared=True)
    APPEND_ONLY = True

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    removed: Mapped[int] = mapped_column(info=col(_l("Entries archived")))
    kept: Mapped[int] = mapped_column(info=col(_l("Entries kept")))
    kept_digest: Mapped[str] = mapped_column(String(64))
    archive: Mapped[str] = mapped_column(String(200), info=col(_l("Archive file")))
    archive_digest: Mapped[str] = mapped_column(String(64), info=col(_l("Hash of the file")))
    pruned_at: Mapped[datetime] = mapped_column(Instant, info=col(_l("Archived at")))
