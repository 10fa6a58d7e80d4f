"""The telephone: the system of a branch, whose extension rings, what it tells, and the calls that follow from it.

White paper 2.1.1.1 (来电列表), 2.1.4 (dial through the system), R-2.1.1-1 to -4, R-2.22-3, R-2.22-7. Decision 0038.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, String, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.appointments import ContactRecord
from app.models.base import (
    Base,
    Branched,
    Choice,
    Encrypted,
    EncryptedJson,
    Instant,
    Labelled,
    Recorded,
    Retirable,
    Scope,
    Stateful,
    col,
    one_of,
)
from app.models.customers import Customer, mask
from app.models.files import StoredFile
from app.models.hr import Branch, Department, Employee
from app.words import _l


class SystemState(Labelled):
    """Whether a telephone system is dialled through and fetched from."""

    IN_USE = "in_use"
    RETIRED = "retired"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {cls.IN_USE: _l("In use"), cls.RETIRED: _l("Retired")}

    @classmethod
    def tones(cls) -> dict[Any, str]:
        return {cls.IN_USE: "ok"}


class HttpMethod(Labelled):
    """How a request goes out."""

    GET = "GET"
    POST = "POST"
    PUT = "PUT"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {member: member.value for member in cls}


class PhoneSystem(Stateful, Recorded, Branched, Base):
    """The telephone system of a branch: how it is told to dial, from where recordings are fetched. One is in use."""

    __tablename__ = "phone_system"
    TITLE, TITLES = _l("Telephone system"), _l("Telephone systems")
    SCOPE = Scope(branch="branch_id")
    UNTRAILED = ("headers",)
    STATES = SystemState
    MOVES = {SystemState.IN_USE: {SystemState.RETIRED}, SystemState.RETIRED: {SystemState.IN_USE}}
    __table_args__ = (
        one_of("state", SystemState),
        one_of("method", HttpMethod),
        CheckConstraint("timeout_seconds BETWEEN 1 AND 15", name="timeout_short"),
        Index("uq_phone_system_in_use", "branch_id", unique=True, postgresql_where=text("state = 'in_use'")),
    )

    name: Mapped[str] = mapped_column(String(80), info=col(_l("Name"), search=True))
    state: Mapped[SystemState] = mapped_column(
        Choice(SystemState), default=SystemState.IN_USE, server_default="in_use", info=col(_l("State"))
    )
    method: Mapped[HttpMethod] = mapped_column(
        Choice(HttpMethod), default=HttpMethod.POST, server_default="POST", info=col(_l("Request method"))
    )
    address: Mapped[str | None] = mapped_column(
        String(500),
        info=col(
            _l("Address to dial"),
            _l("Such as https://pbx.example.com/dial?to={{ number }}. Empty: this system only tells of calls."),
        ),
    )
    headers: Mapped[str | None] = mapped_column(
        Encrypted(2000),
        info=col(_l("Headers"), _l("One a line, such as Authorization: Bearer …"), sensitive=True, multiline=True),
    )
    body: Mapped[str | None] = mapped_column(String(2000), info=col(_l("Body"), multiline=True))
    timeout_seconds: Mapped[int] = mapped_column(
        SmallInteger, default=5, server_default="5", info=col(_l("Wait for an answer (seconds)"), _l("1 to 15."))
    )
    recording_hosts: Mapped[str | None] = mapped_column(
        String(500),
        info=col(
            _l("Hosts of recordings"),
            _l("Names such as rec.example.com or 10.0.0.9:8443, separated by blanks. Nothing is fetched from others."),
        ),
    )
    is_plain_allowed: Mapped[bool] = mapped_column(
        default=False, server_default="false", info=col(_l("Recordings without encryption (http)"))
    )
    is_private_allowed: Mapped[bool] = mapped_column(
        default=False, server_default="false", info=col(_l("Recordings from the house's own network"))
    )
    department_id: Mapped[int | None] = mapped_column(
        ForeignKey("department.id"),
        info=col(_l("Calls to extensions of nobody"), _l("The desk whose calls these are.")),
    )

    branch: Mapped[Branch] = relationship(lazy="select")
    department: Mapped[Department | None] = relationship(lazy="select")

    def __str__(self) -> str:
        return self.name


class PhoneExtension(Retirable, Recorded, Branched, Base):
    """An extension and who answers it: her pages show who calls, and she dials through it."""

    __tablename__ = "phone_extension"
    TITLE, TITLES = _l("Extension"), _l("Extensions")
    SCOPE = Scope(branch="branch_id", own=("employee_id",))
    __table_args__ = (UniqueConstraint("branch_id", "extension"),)

    extension: Mapped[str] = mapped_column(
        String(20), info=col(_l("Extension"), _l("As the telephone system names it, such as 8001."), search=True)
    )
    employee_id: Mapped[int] = mapped_column(ForeignKey("employee.id"), index=True, info=col(_l("Answered by")))

    branch: Mapped[Branch] = relationship(lazy="select")
    employee: Mapped[Employee] = relationship(lazy="select")

    def __str__(self) -> str:
        return self.extension


class EventKind(Labelled):
    """What a telephone system tells of a call."""

    RINGING = "ringing"
    ANSWERED = "answered"
    MISSED = "missed"
    ENDED = "ended"
    RECORDING = "recording"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {
            cls.RINGING: _l("Ringing"),
            cls.ANSWERED: _l("Answered"),
            cls.MISSED: _l("Missed call"),
            cls.ENDED: _l("Call ended"),
            cls.RECORDING: _l("Recording ready"),
        }


class Direction(Labelled):
    """Who calls whom."""

    IN = "in"
    OUT = "out"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {cls.IN: _l("Incoming"), cls.OUT: _l("Outgoing")}


class CallEvent(Base):
    """One event as the telephone system told it. Rows are only added; each kind of a call counts once."""

    __tablename__ = "call_event"
    TITLE, TITLES = _l("Event of a call"), _l("Events of calls")
    SCOPE = Scope(branch="branch_id")
    APPEND_ONLY = True
    # The book itself never changes: the trail says that an event was written, and repeats nothing of it.
    UNTRAILED = ("payload",)
    __table_args__ = (
        one_of("kind", EventKind),
        one_of("direction", Direction),
        UniqueConstraint("branch_id", "call_id", "kind"),
        Index(
            "uq_call_event_event_id",
            "branch_id",
            "event_id",
            unique=True,
            postgresql_where=text("event_id IS NOT NULL"),
        ),
    )

    branch_id: Mapped[int] = mapped_column(ForeignKey("branch.id"), info=col(_l("Branch")))
    call_id: Mapped[str] = mapped_column(String(80), info=col(_l("Call identifier"), search=True))
    kind: Mapped[EventKind] = mapped_column(Choice(EventKind), info=col(_l("Kind")))
    event_id: Mapped[str | None] = mapped_column(String(80), info=col(_l("Event identifier")))
    happened_at: Mapped[datetime] = mapped_column(Instant, info=col(_l("When")))
    arrived_at: Mapped[datetime] = mapped_column(
        Instant, server_default=func.clock_timestamp(), info=col(_l("Told at"))
    )
    direction: Mapped[Direction | None] = mapped_column(Choice(Direction), info=col(_l("Direction")))
    extension: Mapped[str | None] = mapped_column(String(20), info=col(_l("Extension")))
    rings: Mapped[int | None] = mapped_column(SmallInteger, info=col(_l("Rings")))
    payload: Mapped[dict[str, Any]] = mapped_column(EncryptedJson, default=dict)

    branch: Mapped[Branch] = relationship(lazy="select")

    def __str__(self) -> str:
        return f"{self.call_id} {self.kind.label}"


class CallState(Labelled):
    """What a call is now, as all that was told of it says; it is derived, nobody sets it."""

    DIALLED = "dialled"
    FAILED = "failed"
    RINGING = "ringing"
    TALKING = "talking"
    ENDED = "ended"
    MISSED = "missed"
    UNREACHED = "unreached"
    JOINED = "joined"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {
            cls.DIALLED: _l("Being dialled"),
            cls.FAILED: _l("Not dialled"),
            cls.RINGING: _l("Ringing"),
            cls.TALKING: _l("Talking"),
            cls.ENDED: _l("Call ended"),
            cls.MISSED: _l("Missed call"),
            cls.UNREACHED: _l("Not reached"),
            cls.JOINED: _l("Went on as another call"),
        }

    @classmethod
    def tones(cls) -> dict[Any, str]:
        return {
            cls.DIALLED: "info",
            cls.FAILED: "bad",
            cls.RINGING: "info",
            cls.TALKING: "ok",
            cls.MISSED: "bad",
            cls.UNREACHED: "warn",
        }


class RecordingState(Labelled):
    """What became of a call's recording."""

    WAITING = "waiting"
    STORED = "stored"
    REFUSED = "refused"
    DROPPED = "dropped"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {
            cls.WAITING: _l("To be fetched"),
            cls.STORED: _l("Kept"),
            cls.REFUSED: _l("Not fetched"),
            cls.DROPPED: _l("Its time was over"),
        }

    @classmethod
    def tones(cls) -> dict[Any, str]:
        return {cls.WAITING: "info", cls.STORED: "ok", cls.REFUSED: "warn"}


class PhoneCall(Recorded, Branched, Base):
    """A call: what its events say together, who it was with, what came of it. One row per call of a branch."""

    __tablename__ = "phone_call"
    TITLE, TITLES = _l("Telephone call"), _l("Telephone calls")
    SCOPE = Scope(branch="branch_id", department="department_id", own=("employee_id",))
    # What the events say stands in the book of events, which is never changed.
    UNTRAILED = (
        "number_hash",
        "state",
        "extension",
        "ringing_at",
        "answered_at",
        "missed_at",
        "ended_at",
        "began_at",
        "told_at",
        "ring_count",
        "is_in_time",
    )
    __table_args__ = (
        one_of("direction", Direction),
        one_of("state", CallState),
        one_of("recording_state", RecordingState),
        UniqueConstraint("branch_id", "call_id"),
        CheckConstraint("answered_at IS NULL OR missed_at IS NULL", name="answered_or_missed"),
        Index("ix_phone_call_branch_began", "branch_id", "began_at"),
        Index("ix_phone_call_employee_began", "employee_id", "began_at"),
        Index("ix_phone_call_department_began", "department_id", "began_at"),
        Index(
            "ix_phone_call_unregistered",
            "branch_id",
            "told_at",
            postgresql_where=text("state = 'missed' AND contact_record_id IS NULL"),
        ),
        Index("ix_phone_call_recording", "recording_state", postgresql_where=text("recording_state = 'waiting'")),
        Index("uq_phone_call_dial_key", "branch_id", "dial_key", unique=True),
    )

    call_id: Mapped[str] = mapped_column(String(80), info=col(_l("Call identifier"), search=True))
    direction: Mapped[Direction] = mapped_column(Choice(Direction), info=col(_l("Direction")))
    state: Mapped[CallState] = mapped_column(Choice(CallState), info=col(_l("State")))
    number: Mapped[str | None] = mapped_column(Encrypted, info=col(_l("Number"), sensitive=True))
    number_hash: Mapped[str | None] = mapped_column(String(64), index=True)
    extension: Mapped[str | None] = mapped_column(String(20), info=col(_l("Extension")))
    employee_id: Mapped[int | None] = mapped_column(ForeignKey("employee.id"), info=col(_l("Whose call")))
    department_id: Mapped[int | None] = mapped_column(ForeignKey("department.id"), info=col(_l("Department")))
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customer.id"), index=True, info=col(_l("Customer")))
    began_at: Mapped[datetime] = mapped_column(Instant, info=col(_l("Began at")))
    ringing_at: Mapped[datetime | None] = mapped_column(Instant, info=col(_l("Rang at")))
    answered_at: Mapped[datetime | None] = mapped_column(Instant, info=col(_l("Answered at")))
    missed_at: Mapped[datetime | None] = mapped_column(Instant, info=col(_l("Missed at")))
    ended_at: Mapped[datetime | None] = mapped_column(Instant, info=col(_l("Ended at")))
    told_at: Mapped[datetime] = mapped_column(Instant, info=col(_l("Last told at")))
    ring_count: Mapped[int | None] = mapped_column(SmallInteger, info=col(_l("Rings")))
    is_in_time: Mapped[bool | None] = mapped_column(info=col(_l("Answered before the second ring")))
    dial_key: Mapped[str | None] = mapped_column(String(32), info=col(_l("Call key")))
    dialled_at: Mapped[datetime | None] = mapped_column(Instant, info=col(_l("Dialled at")))
    dial_said: Mapped[str | None] = mapped_column(String(300), info=col(_l("What became of dialling")))
    recording_url: Mapped[str | None] = mapped_column(Encrypted(1000))
    recording_state: Mapped[RecordingState | None] = mapped_column(
        Choice(RecordingState), info=col(_l("State of the recording"))
    )
    recording_said: Mapped[str | None] = mapped_column(String(300), info=col(_l("Why it was not fetched")))
    recording_file_id: Mapped[int | None] = mapped_column(ForeignKey("stored_file.id"), unique=True)
    contact_record_id: Mapped[int | None] = mapped_column(
        ForeignKey("contact_record.id"), unique=True, info=col(_l("Contact record"))
    )

    branch: Mapped[Branch] = relationship(lazy="select")
    employee: Mapped[Employee | None] = relationship(lazy="select")
    department: Mapped[Department | None] = relationship(lazy="select")
    customer: Mapped[Customer | None] = relationship(lazy="select")
    contact_record: Mapped[ContactRecord | None] = relationship(lazy="select")
    recording_file: Mapped[StoredFile | None] = relationship(lazy="select")

    @property
    def number_masked(self) -> str:
        return mask(None, self.number)

    def __str__(self) -> str:
        return f"{self.direction.label} {self.number_masked or '—'}"
