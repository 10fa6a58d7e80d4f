"""Imports: a file of rows, how its headers were read, what was refused in it, what was made of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import (
    Base,
    Branched,
    Choice,
    Encrypted,
    EncryptedJson,
    Instant,
    Labelled,
    Recorded,
    Scope,
    Stateful,
    col,
    one_of,
)
from app.models.files import StoredFile
from app.models.hr import Branch, Employee
from app.models.import_sentences import sentence_of
from app.models.tasks import BackgroundTask
from app.words import _l


class ImportOf(Labelled):
    """What a file's rows are."""

    CUSTOMERS = "customers"
    CHATS = "chats"
    EMPLOYEES = "employees"
    DEPARTMENTS = "departments"
    POSITIONS = "positions"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {
            cls.CUSTOMERS: _l("Customers"),
            cls.CHATS: _l("Web-chat records"),
            cls.EMPLOYEES: _l("Employees"),
            cls.DEPARTMENTS: _l("Departments"),
            cls.POSITIONS: _l("Positions"),
        }


class ImportState(Labelled):
    """How far an import is."""

    UPLOADED = "uploaded"
    CHECKING = "checking"
    CHECKED = "checked"
    IMPORTING = "importing"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {
            cls.UPLOADED: _l("Uploaded"),
            cls.CHECKING: _l("Being checked"),
            cls.CHECKED: _l("Checked"),
            cls.IMPORTING: _l("Being imported"),
            cls.DONE: _l("Imported"),
            cls.FAILED: _l("Cannot be read"),
            cls.CANCELLED: _l("Cancelled"),
        }

    @classmethod
    def tones(cls) -> dict[Any, str]:
        return {
            cls.UPLOADED: "info",
            cls.CHECKING: "info",
            cls.CHECKED: "warn",
            cls.IMPORTING: "info",
            cls.DONE: "ok",
            cls.FAILED: "bad",
        }


class OnDuplicate(Labelled):
    """What becomes of a row whose record stands already."""

    SKIP = "skip"
    FILL = "fill"
    REFUSE = "refuse"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {
            cls.SKIP: _l("Skip the row"),
            cls.FILL: _l("Fill in only what is empty"),
            cls.REFUSE: _l("Refuse the row"),
        }


class Weight(Labelled):
    """How much a finding weighs."""

    REFUSED = "refused"
    DUPLICATE = "duplicate"
    WARNING = "warning"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {cls.REFUSED: _l("Row refused"), cls.DUPLICATE: _l("Stands already"), cls.WARNING: _l("Please look")}


class RowAction(Labelled):
    """What was done with a row."""

    MADE = "made"
    UPDATED = "updated"
    SKIPPED = "skipped"
    REFUSED = "refused"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {
            cls.MADE: _l("Newly made"),
            cls.UPDATED: _l("Filled in"),
            cls.SKIPPED: _l("Skipped"),
            cls.REFUSED: _l("Left out"),
        }


class ImportBatch(Stateful, Recorded, Branched, Base):
    """One file on its way into one table of one's own branch.

    ``columns`` lists the file's columns in order: ``head``, ``examples`` (numbers masked), ``field`` ("" if it is
    not read). ``fingerprint`` is that of file, reading, columns and options as they were checked: only what was
    checked is imported.
    """

    __tablename__ = "import_batch"
    TITLE, TITLES = _l("Import"), _l("Imports")
    SCOPE = Scope(branch="branch_id", own=("employee_id",))
    UNTRAILED = ("rows_done", "links_done")
    ALSO_TOLD = ("columns", "sheets", "progress_text")
    STATES = ImportState
    MOVES = {
        ImportState.UPLOADED: {ImportState.CHECKING, ImportState.CANCELLED},
        ImportState.CHECKING: {ImportState.CHECKED, ImportState.FAILED, ImportState.CANCELLED},
        ImportState.CHECKED: {
            ImportState.UPLOADED,
            ImportState.CHECKING,
            ImportState.IMPORTING,
            ImportState.CANCELLED,
        },
        ImportState.IMPORTING: {ImportState.DONE, ImportState.CANCELLED},
        ImportState.FAILED: {ImportState.UPLOADED, ImportState.CHECKING, ImportState.CANCELLED},
    }
    __table_args__ = (
        one_of("kind", ImportOf),
        one_of("state", ImportState),
        one_of("on_duplicate", OnDuplicate),
        CheckConstraint("rows_total >= 0 AND rows_done >= 0", name="counts_not_negative"),
        Index(
            "uq_import_batch_file",
            "branch_id",
            "kind",
            "digest",
            unique=True,
            postgresql_where=text("state <> 'cancelled'"),
        ),
    )

    kind: Mapped[ImportOf] = mapped_column(Choice(ImportOf), info=col(_l("What")))
    state: Mapped[ImportState] = mapped_column(Choice(ImportState), default=ImportState.UPLOADED, info=col(_l("State")))
    file_id: Mapped[int] = mapped_column(ForeignKey("stored_file.id"), index=True, info=col(_l("File to import")))
    file_name: Mapped[str] = mapped_column(String(200), info=col(_l("File name"), search=True))
    digest: Mapped[str] = mapped_column(String(64))
    sheet: Mapped[str | None] = mapped_column(String(80), info=col(_l("Sheet")))
    sheets: Mapped[list[str]] = mapped_column(JSONB, default=list, server_default=text("'[]'::jsonb"))
    encoding: Mapped[str | None] = mapped_column(String(20), info=col(_l("Encoding")))
    delimiter: Mapped[str | None] = mapped_column(String(4), info=col(_l("Separator")))
    header_row: Mapped[int] = mapped_column(default=1, server_default="1", info=col(_l("Row of the headers")))
    columns: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, default=list, server_default=text("'[]'::jsonb"))
    on_duplicate: Mapped[OnDuplicate] = mapped_column(
        Choice(OnDuplicate),
        default=OnDuplicate.SKIP,
        server_default="skip",
        info=col(_l("Rows that stand already")),
    )
    all_or_nothing: Mapped[bool] = mapped_column(default=False, server_default="false", info=col(_l("All or nothing")))
    fingerprint: Mapped[str | None] = mapped_column(String(64))
    round: Mapped[int] = mapped_column(default=0, server_default="0", info=col(_l("Check")))
    rows_total: Mapped[int] = mapped_column(default=0, server_default="0", info=col(_l("Rows")))
    rows_done: Mapped[int] = mapped_column(default=0, server_default="0", info=col(_l("Rows done")))
    rows_refused: Mapped[int] = mapped_column(default=0, server_default="0", info=col(_l("Rows refused")))
    rows_duplicate: Mapped[int] = mapped_column(default=0, server_default="0", info=col(_l("Rows that stand already")))
    rows_made: Mapped[int] = mapped_column(default=0, server_default="0", info=col(_l("Rows made")))
    rows_updated: Mapped[int] = mapped_column(default=0, server_default="0", info=col(_l("Filled in")))
    rows_skipped: Mapped[int] = mapped_column(default=0, server_default="0", info=col(_l("Skipped")))
    rows_left_out: Mapped[int] = mapped_column(default=0, server_default="0", info=col(_l("Left out")))
    links_done: Mapped[int] = mapped_column(default=0, server_default="0")
    task_id: Mapped[int | None] = mapped_column(ForeignKey("background_task.id"), info=col(_l("Background task")))
    employee_id: Mapped[int] = mapped_column(ForeignKey("employee.id"), index=True, info=col(_l("Handed in by")))
    checked_at: Mapped[datetime | None] = mapped_column(Instant, info=col(_l("Checked at")))
    finished_at: Mapped[datetime | None] = mapped_column(Instant, info=col(_l("Finished at")))

    branch: Mapped[Branch] = relationship(lazy="select")
    file: Mapped[StoredFile] = relationship(lazy="select")
    employee: Mapped[Employee] = relationship(lazy="select")
    task: Mapped[BackgroundTask | None] = relationship(lazy="select")

    @property
    def progress_text(self) -> str:
        return f"{self.rows_done} / {self.rows_total}"

    def __str__(self) -> str:
        return self.file_name


class ImportFinding(Base):
    """What a check found in a cell or a row. ``rule`` names the sentence, ``facts`` fill it when it is read.

    Findings belong to a check (``round``); those of an earlier one stay on file and are no longer shown.
    """

    __tablename__ = "import_finding"
    TITLE, TITLES = _l("Finding"), _l("Findings")
    SCOPE = Scope(via="batch")
    UNTRAILED = ("value", "facts")
    ALSO_TOLD = ("sentence",)
    __table_args__ = (
        one_of("weight", Weight),
        one_of("choice", OnDuplicate),
        Index("ix_import_finding_batch_round", "batch_id", "round", "weight", "id"),
        Index("ix_import_finding_batch_row", "batch_id", "round", "row_no"),
    )

    batch_id: Mapped[int] = mapped_column(ForeignKey("import_batch.id"), info=col(_l("Import")))
    round: Mapped[int] = mapped_column(info=col(_l("Check")))
    weight: Mapped[Weight] = mapped_column(Choice(Weight), info=col(_l("Weight")))
    row_no: Mapped[int] = mapped_column(info=col(_l("Row")))
    column_no: Mapped[int | None] = mapped_column()
    cell: Mapped[str] = mapped_column(String(20), default="", server_default="", info=col(_l("Cell")))
    heading: Mapped[str] = mapped_column(String(120), default="", server_default="", info=col(_l("Column")))
    value: Mapped[str | None] = mapped_column(Encrypted(200), info=col(_l("Value in the file")))
    rule: Mapped[str] = mapped_column(String(40), info=col(_l("Rule")))
    facts: Mapped[dict[str, Any]] = mapped_column(EncryptedJson, default=dict)
    match_table: Mapped[str | None] = mapped_column(String(80))
    match_id: Mapped[int | None] = mapped_column(BigInteger)
    choice: Mapped[OnDuplicate | None] = mapped_column(
        Choice(OnDuplicate), info=col(_l("What to do"), _l("Empty: as chosen for the whole import."))
    )

    batch: Mapped[ImportBatch] = relationship(lazy="select")

    @property
    def sentence(self) -> str:
        return sentence_of(self.rule, self.facts)

    def __str__(self) -> str:
        return f"{self.batch.file_name} {self.cell or self.row_no}"


class ImportRow(Base):
    """What a row became: one line for each row, in the transaction that wrote its record."""

    __tablename__ = "import_row"
    TITLE, TITLES = _l("Imported row"), _l("Imported rows")
    SCOPE = Scope(via="batch")
    __table_args__ = (
        one_of("action", RowAction),
        UniqueConstraint("batch_id", "row_no"),
        Index("ix_import_row_record", "table_name", "record_id"),
    )

    batch_id: Mapped[int] = mapped_column(ForeignKey("import_batch.id"), info=col(_l("Import")))
    row_no: Mapped[int] = mapped_column(info=col(_l("Row")))
    action: Mapped[RowAction] = mapped_column(Choice(RowAction), info=col(_l("What was done")))
    table_name: Mapped[str | None] = mapped_column(String(80))
    record_id: Mapped[int | None] = mapped_column(BigInteger)

    batch: Mapped[ImportBatch] = relationship(lazy="select")

    def __str__(self) -> str:
        return f"{self.batch.file_name} {self.row_no}"


class ImportMapping(Branched, Base):
    """Which header meant which field in a branch's earlier file with the same headers; offered next time."""

    __tablename__ = "import_mapping"
    TITLE, TITLES = _l("Remembered headers"), _l("Remembered headers")
    SCOPE = Scope(branch="branch_id")
    __table_args__ = (one_of("kind", ImportOf), UniqueConstraint("branch_id", "kind", "headers"))

    kind: Mapped[ImportOf] = mapped_column(Choice(ImportOf), info=col(_l("What")))
    headers: Mapped[str] = mapped_column(String(64))
    mapping: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    used_at: Mapped[datetime] = mapped_column(Instant, info=col(_l("When")))
    employee_id: Mapped[int | None] = mapped_column(ForeignKey("employee.id"), info=col(_l("Employee")))

    branch: Mapped[Branch] = relationship(lazy="select")
    employee: Mapped[Employee | None] = relationship(lazy="select")
