"""Files that people hand in or the house makes: what they are, whose they are, which record they belong to."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, Choice, Instant, Labelled, Recorded, Scope, col, one_of
from app.models.hr import Branch, Employee
from app.words import _l


class FilePurpose(Labelled):
    """What a file is for; it decides which types are taken."""

    EVIDENCE = "evidence"
    IMPORT = "import"
    RESULT = "result"
    RECORDING = "recording"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {
            cls.EVIDENCE: _l("Evidence"),
            cls.IMPORT: _l("File to import"),
            cls.RESULT: _l("Result"),
            cls.RECORDING: _l("Recording"),
        }


class StoredFile(Recorded, Base):
    """A file: its row here, its sealed bytes in the file store under ``file_key``.

    One sees one's own; everybody else by way of the record to which it belongs (``subject_*``), which
    ``services.files`` asks. A file without a subject is one that was sent and not used yet.
    """

    __tablename__ = "stored_file"
    TITLE, TITLES = _l("Stored file"), _l("Stored files")
    SCOPE = Scope(own=("employee_id",))
    __table_args__ = (
        one_of("purpose", FilePurpose),
        CheckConstraint("(subject_table IS NULL) = (subject_id IS NULL)", name="subject_whole"),
        CheckConstraint("size_bytes >= 0", name="size_not_negative"),
        Index("ix_stored_file_subject", "subject_table", "subject_id"),
        Index("ix_stored_file_expiry", "expires_at", postgresql_where=text("dropped_at IS NULL")),
    )

    file_key: Mapped[str | None] = mapped_column(String(32), unique=True)
    name: Mapped[str] = mapped_column(String(200), info=col(_l("File name"), search=True))
    media_type: Mapped[str] = mapped_column(String(120), info=col(_l("Type")))
    size_bytes: Mapped[int] = mapped_column(BigInteger, info=col(_l("Size in bytes")))
    digest: Mapped[str] = mapped_column(String(64), index=True)
    purpose: Mapped[FilePurpose] = mapped_column(Choice(FilePurpose), info=col(_l("For")))
    subject_table: Mapped[str | None] = mapped_column(String(80))
    subject_id: Mapped[int | None] = mapped_column(BigInteger)
    branch_id: Mapped[int | None] = mapped_column(ForeignKey("branch.id"), index=True, info=col(_l("Branch")))
    employee_id: Mapped[int | None] = mapped_column(ForeignKey("employee.id"), index=True, info=col(_l("Handed in by")))
    expires_at: Mapped[datetime | None] = mapped_column(Instant, info=col(_l("Kept until")))
    dropped_at: Mapped[datetime | None] = mapped_column(
        Instant, info=col(_l("Removed since"), _l("It was sent and never used, or its time was over."))
    )

    branch: Mapped[Branch | None] = relationship(lazy="select")
    employee: Mapped[Employee | None] = relationship(lazy="select")

    def __str__(self) -> str:
        return self.name
