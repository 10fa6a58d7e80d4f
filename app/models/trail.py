"""The trail: who changed which row, and what else happened. White paper H, L05, L14; H.2.

No code of ours writes it: triggers of the owner do, and ``audit_event``. The application's role may only read.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index, String, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Instant, Scope, col
from app.words import _l


class AuditLog(Base):
    """One change of a row (``insert``, ``update``, ``delete``, with ``before`` and ``after``), or one event with what
    is told of it in ``after``. ``actor`` is what the database was told: ``user:7``, ``house:job:…``, ``login:…``."""

    __tablename__ = "audit_log"
    TITLE, TITLES = _l("Entry of the trail"), _l("The trail")
    SCOPE = Scope(shared=True)
    __table_args__ = (Index("ix_audit_log_record", "table_name", "record_id", "id"),)

    at: Mapped[datetime] = mapped_column(
        Instant, server_default=func.clock_timestamp(), index=True, info=col(_l("When"))
    )
    actor: Mapped[str] = mapped_column(String(200), info=col(_l("By"), search=True))
    request: Mapped[str] = mapped_column(String(200), info=col(_l("Request number"), search=True))
    address: Mapped[str] = mapped_column(String(200), info=col(_l("Network address"), search=True))
    table_name: Mapped[str | None] = mapped_column(String(80), info=col(_l("Table")))
    record_id: Mapped[int | None] = mapped_column(BigInteger, info=col(_l("Record")))
    operation: Mapped[str] = mapped_column(String(40), info=col(_l("What happened"), search=True))
    before: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    after: Mapped[dict[str, Any] | None] = mapped_column(JSONB)

    def __str__(self) -> str:
        return f"{self.operation} {self.table_name or ''} {self.record_id or ''}".strip()
