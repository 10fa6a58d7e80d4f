"""Personal data: exports that were asked for, consents by purpose, requests of the persons themselves, key rotation.

White paper H, L03, L13, L15; H.2.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, String, Text, UniqueConstraint, text
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
from app.models.customers import Customer
from app.models.files import StoredFile
from app.models.hr import Branch, Department, Employee
from app.words import _l, locale_in_force


class ExportState(Labelled):
    """How far an export of rows is."""

    WAITING = "waiting"
    MAKING = "making"
    READY = "ready"
    REFUSED = "refused"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    FAILED = "failed"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {
            cls.WAITING: _l("Waiting for approval"),
            cls.MAKING: _l("Being made"),
            cls.READY: _l("Ready"),
            cls.REFUSED: _l("Refused"),
            cls.EXPIRED: _l("File removed"),
            cls.CANCELLED: _l("Cancelled"),
            cls.FAILED: _l("Failed"),
        }

    @classmethod
    def tones(cls) -> dict[Any, str]:
        return {cls.WAITING: "warn", cls.MAKING: "info", cls.READY: "ok", cls.REFUSED: "bad", cls.FAILED: "bad"}


class FileFormat(Labelled):
    """As what rows leave the house."""

    XLSX = "xlsx"
    CSV = "csv"
    PDF = "pdf"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {cls.XLSX: _l("Excel"), cls.CSV: _l("CSV"), cls.PDF: _l("PDF")}


class ExportRequest(Stateful, Recorded, Branched, Base):
    """Rows that somebody takes out of the house: which, why, how many, who approved, and the file until it expires.

    Every export of rows has one, the small ones too. ``source`` names who can make it again from ``parameters``;
    these are encrypted, since they hold what was searched for. White paper H.2, L13.
    """

    __tablename__ = "export_request"
    TITLE, TITLES = _l("Export"), _l("Exports")
    SCOPE = Scope(branch="branch_id", department="department_id", own=("asked_by_id",))
    STATES = ExportState
    MOVES = {
        ExportState.WAITING: {ExportState.MAKING, ExportState.REFUSED},
        ExportState.MAKING: {ExportState.READY, ExportState.CANCELLED, ExportState.FAILED},
        ExportState.FAILED: {ExportState.MAKING},
        ExportState.READY: {ExportState.EXPIRED},
    }
    __table_args__ = (
        UniqueConstraint("asked_by_id", "request_key"),
        one_of("state", ExportState),
        one_of("file_format", FileFormat),
        CheckConstraint("row_count >= 0", name="rows_not_negative"),
        CheckConstraint("decided_by_id <> asked_by_id", name="two_people"),
        CheckConstraint("(decided_by_id IS NULL) = (decided_at IS NULL)", name="decision_whole"),
        CheckConstraint("state <> 'refused' OR decision_note IS NOT NULL", name="refusal_has_reason"),
        CheckConstraint("(state IN ('ready', 'expired')) = (file_id IS NOT NULL)", name="file_when_ready"),
        Index("ix_export_request_branch_id_id", "branch_id", "id"),
        Index("ix_export_request_expiry", "expires_at", postgresql_where=text("state = 'ready'")),
    )

    source: Mapped[str] = mapped_column(String(40))
    right: Mapped[str] = mapped_column(String(80))
    title: Mapped[dict[str, str]] = mapped_column(JSONB)
    parameters: Mapped[dict[str, Any]] = mapped_column(EncryptedJson)
    file_format: Mapped[FileFormat] = mapped_column(Choice(FileFormat), info=col(_l("File format")))
    reason: Mapped[str] = mapped_column(String(500), info=col(_l("Reason"), multiline=True))
    row_count: Mapped[int] = mapped_column(Integer, info=col(_l("Rows")))
    state: Mapped[ExportState] = mapped_column(Choice(ExportState), info=col(_l("State")))
    request_key: Mapped[str] = mapped_column(String(80))
    locale: Mapped[str] = mapped_column(String(8), default="zh", server_default="zh")
    department_id: Mapped[int | None] = mapped_column(ForeignKey("department.id"), info=col(_l("Department")))
    asked_by_id: Mapped[int] = mapped_column(ForeignKey("employee.id"), info=col(_l("Asked by")))
    asked_at: Mapped[datetime] = mapped_column(Instant, info=col(_l("Asked for at")))
    decided_by_id: Mapped[int | None] = mapped_column(ForeignKey("employee.id"), info=col(_l("Decided by")))
    decided_at: Mapped[datetime | None] = mapped_column(Instant, info=col(_l("Decided at")))
    decision_note: Mapped[str | None] = mapped_column(String(500), info=col(_l("Reason for the decision")))
    task_id: Mapped[int | None] = mapped_column(ForeignKey("background_task.id"))
    file_id: Mapped[int | None] = mapped_column(ForeignKey("stored_file.id"), info=col(_l("File")))
    made_at: Mapped[datetime | None] = mapped_column(Instant, info=col(_l("Made")))
    expires_at: Mapped[datetime | None] = mapped_column(Instant, info=col(_l("Kept until")))

    branch: Mapped[Branch] = relationship(lazy="select")
    department: Mapped[Department | None] = relationship(lazy="select")
    asked_by: Mapped[Employee] = relationship(foreign_keys=[asked_by_id], lazy="select")
    decided_by: Mapped[Employee | None] = relationship(foreign_keys=[decided_by_id], lazy="select")
    file: Mapped[StoredFile | None] = relationship(lazy="select")

    @property
    def what(self) -> str:
        """What is exported, in the reader's language."""
        return self.title.get(locale_in_force()) or self.source

    def __str__(self) -> str:
        return f"{self.what} ({self.file_format.label!s})"


class ConsentPurpose(Labelled):
    """What a customer may agree to, each by itself. PIPL: separate consent for separate purposes. L13, L19."""

    CARE = "care"
    MARKETING = "marketing"
    RECORD_PHOTOS = "record_photos"
    TEACHING_PHOTOS = "teaching_photos"
    ADVERTISING_PHOTOS = "advertising_photos"
    SHARING = "sharing"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {
            cls.CARE: _l("Use of health data for her care"),
            cls.MARKETING: _l("Marketing: wishes, news, offers"),
            cls.RECORD_PHOTOS: _l("Photos for the medical record"),
            cls.TEACHING_PHOTOS: _l("Photos for teaching"),
            cls.ADVERTISING_PHOTOS: _l("Photos for advertising"),
            cls.SHARING: _l("Sharing within the group"),
        }


class ConsentText(Recorded, Base):
    """One version of what is signed for a purpose, from a day on. A version that was signed is not changed."""

    __tablename__ = "consent_text"
    TITLE, TITLES = _l("Consent text"), _l("Consent texts")
    SCOPE = Scope(shared=True)
    __table_args__ = (
        UniqueConstraint("purpose", "version"),
        one_of("purpose", ConsentPurpose),
        CheckConstraint("version >= 1", name="versions_count_from_one"),
    )

    purpose: Mapped[ConsentPurpose] = mapped_column(Choice(ConsentPurpose), info=col(_l("Purpose of the consent")))
    version: Mapped[int] = mapped_column(Integer, info=col(_l("Version")))
    text_zh: Mapped[str] = mapped_column(Text, info=col(_l("Chinese text"), multiline=True))
    text_en: Mapped[str] = mapped_column(Text, info=col(_l("English text"), multiline=True))
    in_force_on: Mapped[date] = mapped_column(info=col(_l("In force on and after")))

    @property
    def text(self) -> str:
        return self.text_en if locale_in_force() == "en" else self.text_zh

    def __str__(self) -> str:
        return f"{self.purpose.label} v{self.version}"


class ConsentState(Labelled):
    """Whether a consent still holds."""

    HOLDS = "holds"
    WITHDRAWN = "withdrawn"
    RENEWED = "renewed"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {cls.HOLDS: _l("Holds"), cls.WITHDRAWN: _l("Withdrawn"), cls.RENEWED: _l("Signed anew")}

    @classmethod
    def tones(cls) -> dict[Any, str]:
        return {cls.HOLDS: "ok", cls.WITHDRAWN: "bad"}


class SignedHow(Labelled):
    """How a consent was given."""

    PAPER = "paper"
    SCREEN = "screen"
    RECORDED = "recorded"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {cls.PAPER: _l("On paper"), cls.SCREEN: _l("On the screen"), cls.RECORDED: _l("Said, and recorded")}


class CustomerConsent(Stateful, Recorded, Base):
    """A customer agreed to one purpose, under one version of the text, until she withdraws. L03, L13."""

    __tablename__ = "customer_consent"
    TITLE, TITLES = _l("Consent"), _l("Consents")
    SCOPE = Scope(via="customer")
    LOCK_FIRST = ("customer_id",)
    STATES = ConsentState
    MOVES = {ConsentState.HOLDS: {ConsentState.WITHDRAWN, ConsentState.RENEWED}}
    __table_args__ = (
        one_of("state", ConsentState),
        one_of("purpose", ConsentPurpose),
        one_of("signed_how", SignedHow),
        CheckConstraint("(guardian_name IS NULL) = (guardian_relation IS NULL)", name="guardian_whole"),
        CheckConstraint("(state = 'withdrawn') = (withdrawn_at IS NOT NULL)", name="withdrawn_when_withdrawn"),
        CheckConstraint("withdrawn_at IS NULL OR withdrawn_reason IS NOT NULL", name="withdrawal_has_reason"),
        CheckConstraint("withdrawn_at IS NULL OR withdrawn_at >= signed_at", name="withdrawn_after_signing"),
        Index(
            "uq_customer_consent_holding",
            "customer_id",
            "purpose",
            unique=True,
            postgresql_where=text("state = 'holds'"),
        ),
    )

    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"), index=True, info=col(_l("Customer")))
    purpose: Mapped[ConsentPurpose] = mapped_column(Choice(ConsentPurpose), info=col(_l("Purpose of the consent")))
    text_id: Mapped[int] = mapped_column(ForeignKey("consent_text.id"), index=True, info=col(_l("Text signed")))
    state: Mapped[ConsentState] = mapped_column(Choice(ConsentState), info=col(_l("State")))
    scope_note: Mapped[str | None] = mapped_column(
        String(200), info=col(_l("Limited to"), _l("Such as: eyes only, no face. Empty: as the text says."))
    )
    signed_at: Mapped[datetime] = mapped_column(Instant, info=col(_l("Signed at")))
    signed_how: Mapped[SignedHow] = mapped_column(Choice(SignedHow), info=col(_l("How it was given")))
    taken_by_id: Mapped[int | None] = mapped_column(ForeignKey("employee.id"), info=col(_l("Taken by")))
    guardian_name: Mapped[str | None] = mapped_column(Encrypted, info=col(_l("Guardian"), sensitive=True))
    guardian_relation: Mapped[str | None] = mapped_column(String(40), info=col(_l("Relation of the guardian")))
    evidence_file_id: Mapped[int | None] = mapped_column(ForeignKey("stored_file.id"), info=col(_l("Signed sheet")))
    withdrawn_at: Mapped[datetime | None] = mapped_column(Instant, info=col(_l("Withdrawn at")))
    withdrawn_by_id: Mapped[int | None] = mapped_column(ForeignKey("employee.id"), info=col(_l("Withdrawal taken by")))
    withdrawn_reason: Mapped[str | None] = mapped_column(Encrypted, info=col(_l("Reason for withdrawing")))

    customer: Mapped[Customer] = relationship(lazy="select")
    consent_text: Mapped[ConsentText] = relationship(lazy="select")
    taken_by: Mapped[Employee | None] = relationship(foreign_keys=[taken_by_id], lazy="select")
    withdrawn_by: Mapped[Employee | None] = relationship(foreign_keys=[withdrawn_by_id], lazy="select")
    evidence_file: Mapped[StoredFile | None] = relationship(lazy="select")

    def __str__(self) -> str:
        return str(self.purpose.label)


class SubjectKind(Labelled):
    """What a person may demand of the data held on her. PIPL art. 44-47; L13."""

    COPY = "copy"
    CORRECTION = "correction"
    RESTRICTION = "restriction"
    PSEUDONYMISATION = "pseudonymisation"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {
            cls.COPY: _l("A copy of all that is held"),
            cls.CORRECTION: _l("Correction"),
            cls.RESTRICTION: _l("Restriction of the file"),
            cls.PSEUDONYMISATION: _l("Pseudonymisation"),
        }


class SubjectState(Labelled):
    """Where a request stands. Pseudonymisation needs a second person before it is carried out."""

    OPEN = "open"
    APPROVED = "approved"
    MAKING = "making"
    DONE = "done"
    REFUSED = "refused"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {
            cls.OPEN: _l("To be dealt with"),
            cls.APPROVED: _l("Approved"),
            cls.MAKING: _l("Being made"),
            cls.DONE: _l("Done"),
            cls.REFUSED: _l("Refused"),
        }

    @classmethod
    def tones(cls) -> dict[Any, str]:
        return {cls.OPEN: "warn", cls.APPROVED: "info", cls.MAKING: "info", cls.DONE: "ok", cls.REFUSED: "bad"}


class AskedHow(Labelled):
    """How a person made her demand."""

    IN_PERSON = "in_person"
    TELEPHONE = "telephone"
    LETTER = "letter"
    ONLINE = "online"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {
            cls.IN_PERSON: _l("In person"),
            cls.TELEPHONE: _l("By telephone"),
            cls.LETTER: _l("By letter"),
            cls.ONLINE: _l("Online"),
        }


class SubjectRequest(Stateful, Recorded, Branched, Base):
    """A demand of a person about the data held on her: registered, checked, due, done or refused with a reason. L13.

    ``outcome`` is what a pseudonymisation changed and kept, per table and column, as (name, rows) pairs.
    """

    __tablename__ = "subject_request"
    TITLE, TITLES = _l("Request on personal data"), _l("Requests on personal data")
    SCOPE = Scope(via="customer")
    LOCK_FIRST = ("customer_id",)
    STATES = SubjectState
    MOVES = {
        SubjectState.OPEN: {SubjectState.APPROVED, SubjectState.MAKING, SubjectState.DONE, SubjectState.REFUSED},
        SubjectState.APPROVED: {SubjectState.DONE, SubjectState.REFUSED},
        SubjectState.MAKING: {SubjectState.DONE},
    }
    __table_args__ = (
        one_of("state", SubjectState),
        one_of("kind", SubjectKind),
        one_of("asked_how", AskedHow),
        CheckConstraint("decided_by_id <> opened_by_id", name="two_people"),
        CheckConstraint("state <> 'approved' OR decided_by_id IS NOT NULL", name="approved_by_somebody"),
        CheckConstraint(
            "state <> 'done' OR kind <> 'pseudonymisation' OR decided_by_id IS NOT NULL", name="no_way_back_alone"
        ),
        CheckConstraint("(state IN ('done', 'refused')) = (ended_at IS NOT NULL)", name="ended_when_over"),
        CheckConstraint("state <> 'refused' OR note IS NOT NULL", name="refusal_has_reason"),
        Index("ix_subject_request_due", "due_on", postgresql_where=text("state IN ('open', 'approved')")),
    )

    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"), index=True, info=col(_l("Customer")))
    kind: Mapped[SubjectKind] = mapped_column(Choice(SubjectKind), info=col(_l("What is demanded")))
    state: Mapped[SubjectState] = mapped_column(Choice(SubjectState), info=col(_l("State")))
    asked_how: Mapped[AskedHow] = mapped_column(Choice(AskedHow), info=col(_l("How it was demanded")))
    identity_checked: Mapped[str] = mapped_column(
        String(200), info=col(_l("How her identity was checked"), _l("Such as: ID card seen."))
    )
    wish: Mapped[str | None] = mapped_column(Encrypted, info=col(_l("What she wishes"), multiline=True))
    opened_by_id: Mapped[int] = mapped_column(ForeignKey("employee.id"), info=col(_l("Taken by")))
    opened_at: Mapped[datetime] = mapped_column(Instant, info=col(_l("Demanded at")))
    due_on: Mapped[date] = mapped_column(info=col(_l("Due on")))
    decided_by_id: Mapped[int | None] = mapped_column(ForeignKey("employee.id"), info=col(_l("Approved by")))
    decided_at: Mapped[datetime | None] = mapped_column(Instant, info=col(_l("Approved at")))
    ended_by_id: Mapped[int | None] = mapped_column(ForeignKey("employee.id"), info=col(_l("Carried out by")))
    ended_at: Mapped[datetime | None] = mapped_column(Instant, info=col(_l("Ended at")))
    note: Mapped[str | None] = mapped_column(Encrypted, info=col(_l("Note"), multiline=True))
    outcome: Mapped[list[Any]] = mapped_column(JSONB, default=list, server_default=text("'[]'::jsonb"))
    task_id: Mapped[int | None] = mapped_column(ForeignKey("background_task.id"))
    file_id: Mapped[int | None] = mapped_column(ForeignKey("stored_file.id"), info=col(_l("File")))

    branch: Mapped[Branch] = relationship(lazy="select")
    customer: Mapped[Customer] = relationship(lazy="select")
    opened_by: Mapped[Employee] = relationship(foreign_keys=[opened_by_id], lazy="select")
    decided_by: Mapped[Employee | None] = relationship(foreign_keys=[decided_by_id], lazy="select")
    ended_by: Mapped[Employee | None] = relationship(foreign_keys=[ended_by_id], lazy="select")
    file: Mapped[StoredFile | None] = relationship(lazy="select")

    def __str__(self) -> str:
        return f"{self.kind.label} ({self.customer.customer_no})"


class KeyRotation(Base):
    """One change of the encryption key: which key, how far it is (``checkpoint``), when it was done."""

    __tablename__ = "key_rotation"
    TITLE, TITLES = _l("Change of the encryption key"), _l("Changes of the encryption key")
    SCOPE = Scope(shared=True)
    __table_args__ = (UniqueConstraint("fingerprint"),)

    fingerprint: Mapped[str] = mapped_column(String(16), info=col(_l("New key"), _l("Its fingerprint.")))
    started_at: Mapped[datetime] = mapped_column(Instant, info=col(_l("Started")))
    ended_at: Mapped[datetime | None] = mapped_column(Instant, info=col(_l("Ended at")))
    values_done: Mapped[int] = mapped_column(Integer, default=0, server_default="0", info=col(_l("Values")))
    files_done: Mapped[int] = mapped_column(Integer, default=0, server_default="0", info=col(_l("Files")))
    checkpoint: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict, server_default=text("'{}'::jsonb"))

    def __str__(self) -> str:
        return self.fingerprint
