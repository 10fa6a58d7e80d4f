"""Lines of rotation, their seats, the evening's list, the ledger of turns and the rules. Triage SOP S2, S3, S7."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, String, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import (
    Base,
    Branched,
    Choice,
    Instant,
    Labelled,
    Recorded,
    Retirable,
    Scope,
    Stateful,
    col,
    one_of,
)
from app.models.hr import Branch, Employee
from app.models.reception import Visit
from app.models.settings import DictionaryItem
from app.words import _l

if TYPE_CHECKING:
    from app.models.triage.assignments import TriageAssignment


class LineKind(Labelled):
    """The queues that the SOP tells apart. R-S2-1, R-S2-5."""

    CONSULTANT = "consultant"
    SURGEON = "surgeon"
    DENTAL = "dental"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {cls.CONSULTANT: _l("Consultants"), cls.SURGEON: _l("Surgeons"), cls.DENTAL: _l("Oral surgery")}


class RotationLine(Recorded, Branched, Retirable, Base):
    """轮排: one queue of a branch. Its row is the lock under which whose turn it is, is computed. Decision 0041."""

    __tablename__ = "rotation_line"
    TITLE, TITLES = _l("Rotation line"), _l("Rotation lines")
    SCOPE = Scope(branch="branch_id")
    __table_args__ = (one_of("kind", LineKind), UniqueConstraint("branch_id", "name"))

    name: Mapped[str] = mapped_column(String(40), info=col(_l("Name"), search=True))
    kind: Mapped[LineKind] = mapped_column(Choice(LineKind), info=col(_l("Whose turns")))
    supervisor_id: Mapped[int | None] = mapped_column(
        ForeignKey("employee.id"),
        info=col(_l("Supervisor"), _l("Receives when nobody else may, and free surgery of friends of the house.")),
    )
    position: Mapped[int] = mapped_column(SmallInteger, default=100, server_default="100", info=col(_l("Order")))

    @classmethod
    def offered(cls) -> Any:
        return cls.retired_at.is_(None)

    branch: Mapped[Branch] = relationship(lazy="select")
    supervisor: Mapped[Employee | None] = relationship(lazy="select")
    seats: Mapped[list[RotationSeat]] = relationship(
        back_populates="line", lazy="select", order_by="RotationSeat.office_order", viewonly=True
    )

    def __str__(self) -> str:
        return self.name


class SeatDuty(Labelled):
    """Whether a seat takes turns now; a break is told apart from being off duty."""

    OFF = "off"
    ON = "on"
    BREAK = "break"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {cls.OFF: _l("Off duty"), cls.ON: _l("On duty"), cls.BREAK: _l("On a break")}

    @classmethod
    def tones(cls) -> dict[Any, str]:
        return {cls.ON: "ok", cls.BREAK: "warn"}


class RotationSeat(Stateful, Recorded, Branched, Retirable, Base):
    """A place in a line: whose, in which office, for which items. Triage SOP S7: by office order.

    No items named: all of them. ``is_designated``: receives the market department's customers (R-S2-6).
    """

    __tablename__ = "rotation_seat"
    TITLE, TITLES = _l("Seat of a line"), _l("Seats of lines")
    SCOPE = Scope(branch="branch_id")
    LOCK_FIRST = ("line_id",)
    ALSO_TOLD = ("item_ids",)
    STATES = SeatDuty
    MOVES = {
        SeatDuty.OFF: {SeatDuty.ON},
        SeatDuty.ON: {SeatDuty.OFF, SeatDuty.BREAK},
        SeatDuty.BREAK: {SeatDuty.ON, SeatDuty.OFF},
    }
    __table_args__ = (
        one_of("state", SeatDuty),
        CheckConstraint("office_order BETWEEN 1 AND 999", name="order_bounds"),
        Index(
            "uq_rotation_seat_order",
            "line_id",
            "office_order",
            unique=True,
            postgresql_where=text("retired_at IS NULL"),
        ),
        Index(
            "uq_rotation_seat_employee",
            "line_id",
            "employee_id",
            unique=True,
            postgresql_where=text("retired_at IS NULL"),
        ),
    )

    line_id: Mapped[int] = mapped_column(ForeignKey("rotation_line.id"), index=True, info=col(_l("Rotation line")))
    employee_id: Mapped[int] = mapped_column(ForeignKey("employee.id"), index=True, info=col(_l("Employee")))
    office: Mapped[str | None] = mapped_column(String(40), info=col(_l("Office"), search=True))
    office_order: Mapped[int] = mapped_column(SmallInteger, info=col(_l("Office order")))
    is_designated: Mapped[bool] = mapped_column(
        default=False, server_default="false", info=col(_l("For customers of the market department"))
    )
    state: Mapped[SeatDuty] = mapped_column(Choice(SeatDuty), default=SeatDuty.OFF, info=col(_l("Duty")))
    state_since_at: Mapped[datetime | None] = mapped_column(Instant, info=col(_l("Since")))

    @classmethod
    def offered(cls) -> Any:
        return cls.retired_at.is_(None)

    branch: Mapped[Branch] = relationship(lazy="select")
    line: Mapped[RotationLine] = relationship(lazy="select")
    employee: Mapped[Employee] = relationship(lazy="select")
    item_links: Mapped[list[RotationSeatItem]] = relationship(
        back_populates="seat", lazy="select", cascade="save-update, merge"
    )

    @property
    def item_ids(self) -> list[int]:
        return [link.item_id for link in self.item_links if link.retired_at is None]

    def __str__(self) -> str:
        return f"{self.line} {self.office_order}: {self.employee}"


class RotationSeatItem(Retirable, Base):
    """An item that a seat receives; a seat without any receives all. Never deleted, ended."""

    __tablename__ = "rotation_seat_item"
    TITLE, TITLES = _l("Item of a seat"), _l("Items of seats")
    SCOPE = Scope(via="seat")
    __table_args__ = (
        Index(
            "uq_rotation_seat_item",
            "seat_id",
            "item_id",
            unique=True,
            postgresql_where=text("retired_at IS NULL"),
        ),
    )

    seat_id: Mapped[int] = mapped_column(ForeignKey("rotation_seat.id"), info=col(_l("Seat of a line")))
    item_id: Mapped[int] = mapped_column(
        ForeignKey("dictionary_item.id"), info=col(_l("Item"), dictionary="appointment_item")
    )

    seat: Mapped[RotationSeat] = relationship(back_populates="item_links", lazy="select")
    item: Mapped[DictionaryItem] = relationship(lazy="select")

    def __str__(self) -> str:
        return str(self.item)


class EveningDuty(Recorded, Branched, Retirable, Base):
    """Who receives after the day's end, in which order. Triage SOP S7."""

    __tablename__ = "evening_duty"
    TITLE, TITLES = _l("Evening duty"), _l("Evening duty list")
    SCOPE = Scope(branch="branch_id")
    __table_args__ = (
        Index(
            "uq_evening_duty_order",
            "line_id",
            "duty_on",
            "position",
            unique=True,
            postgresql_where=text("retired_at IS NULL"),
        ),
        Index(
            "uq_evening_duty_seat",
            "seat_id",
            "duty_on",
            unique=True,
            postgresql_where=text("retired_at IS NULL"),
        ),
    )

    line_id: Mapped[int] = mapped_column(ForeignKey("rotation_line.id"), info=col(_l("Rotation line")))
    seat_id: Mapped[int] = mapped_column(ForeignKey("rotation_seat.id"), info=col(_l("Seat of a line")))
    duty_on: Mapped[date] = mapped_column(info=col(_l("Day")))
    position: Mapped[int] = mapped_column(SmallInteger, default=1, server_default="1", info=col(_l("Order")))

    branch: Mapped[Branch] = relationship(lazy="select")
    line: Mapped[RotationLine] = relationship(lazy="select")
    seat: Mapped[RotationSeat] = relationship(lazy="select")

    def __str__(self) -> str:
        return f"{self.duty_on.isoformat()} {self.position}"


class TurnKind(Labelled):
    """What a row of the ledger is. Only ``NORMAL`` moves the pointer."""

    NORMAL = "normal"
    MAKEUP = "makeup"
    SKIPPED = "skipped"
    RETURNED = "returned"
    NAMED = "named"
    DESIGNATED = "designated"
    OWNER = "owner"
    PARTNER = "partner"
    SUCCESSOR = "successor"
    SUPERVISOR = "supervisor"
    DUTY = "duty"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {
            cls.NORMAL: _l("Normal turn"),
            cls.MAKEUP: _l("Turn made up"),
            cls.SKIPPED: _l("Skipped"),
            cls.RETURNED: _l("Turn given back"),
            cls.NAMED: _l("Asked for by name"),
            cls.DESIGNATED: _l("Designated for the market department"),
            cls.OWNER: _l("Her own consultant"),
            cls.PARTNER: _l("Partner of her consultant"),
            cls.SUCCESSOR: _l("Successor of her consultant"),
            cls.SUPERVISOR: _l("Supervisor"),
            cls.DUTY: _l("Evening duty"),
        }

    @classmethod
    def tones(cls) -> dict[Any, str]:
        return {cls.NORMAL: "ok", cls.SKIPPED: "warn", cls.RETURNED: "warn", cls.MAKEUP: "ok"}


class RotationTurn(Base):
    """A row of the ledger from which whose turn it is, is computed; rows are only ever added. Decision 0041.

    ``number`` counts the rows of a line without a gap, ``office_order`` is the seat's when the row was written, so
    that the ledger replays alone.
    """

    __tablename__ = "rotation_turn"
    TITLE, TITLES = _l("Turn"), _l("Turns")
    SCOPE = Scope(branch="branch_id")
    APPEND_ONLY = True
    TOLD_ALONE = ("why_told",)
    __table_args__ = (
        one_of("kind", TurnKind),
        UniqueConstraint("line_id", "number"),
        CheckConstraint("number > 0", name="number_counts"),
        CheckConstraint("consumes = (kind = 'normal')", name="only_normal_consumes"),
        CheckConstraint(
            "(seat_id IS NULL) = (office_order IS NULL) AND (seat_id IS NOT NULL OR kind NOT IN"
            " ('normal', 'makeup', 'returned', 'designated', 'duty'))",
            name="seat_named",
        ),
        Index(
            "uq_rotation_turn_visit_seat",
            "line_id",
            "visit_id",
            "seat_id",
            unique=True,
            postgresql_where=text("kind = 'normal'"),
        ),
        Index("ix_rotation_turn_branch_day", "branch_id", "day_on"),
        Index("ix_rotation_turn_visit", "visit_id"),
        Index(
            "ix_rotation_turn_pointer",
            "line_id",
            "number",
            postgresql_where=text("consumes"),
        ),
    )

    branch_id: Mapped[int] = mapped_column(ForeignKey("branch.id"), info=col(_l("Branch")))
    line_id: Mapped[int] = mapped_column(ForeignKey("rotation_line.id"), info=col(_l("Rotation line")))
    number: Mapped[int] = mapped_column(info=col(_l("Number")))
    day_on: Mapped[date] = mapped_column(info=col(_l("Day")))
    occurred_at: Mapped[datetime] = mapped_column(Instant, info=col(_l("When")))
    visit_id: Mapped[int] = mapped_column(ForeignKey("visit.id"), info=col(_l("Visit")))
    assignment_id: Mapped[int] = mapped_column(
        ForeignKey("triage_assignment.id"), index=True, info=col(_l("Assignment"))
    )
    seat_id: Mapped[int | None] = mapped_column(
        ForeignKey("rotation_seat.id"), index=True, info=col(_l("Seat of a line"))
    )
    office_order: Mapped[int | None] = mapped_column(SmallInteger, info=col(_l("Office order")))
    employee_id: Mapped[int] = mapped_column(ForeignKey("employee.id"), index=True, info=col(_l("Employee")))
    kind: Mapped[TurnKind] = mapped_column(Choice(TurnKind), info=col(_l("Kind of turn")))
    consumes: Mapped[bool] = mapped_column(info=col(_l("Takes a turn")))
    rule: Mapped[str] = mapped_column(String(20), info=col(_l("By the rule")))
    reason: Mapped[str | None] = mapped_column(String(500), info=col(_l("Reason")))
    by_id: Mapped[int | None] = mapped_column(ForeignKey("employee.id"), info=col(_l("By whom")))
    created_at: Mapped[datetime] = mapped_column(Instant, server_default=func.now(), nullable=False)

    branch: Mapped[Branch] = relationship(lazy="select")
    line: Mapped[RotationLine] = relationship(lazy="select")
    visit: Mapped[Visit] = relationship(lazy="select")
    seat: Mapped[RotationSeat | None] = relationship(lazy="select")
    employee: Mapped[Employee] = relationship(foreign_keys=[employee_id], lazy="select")
    by: Mapped[Employee | None] = relationship(foreign_keys=[by_id], lazy="select")
    assignment: Mapped[TriageAssignment] = relationship(lazy="select")

    def __str__(self) -> str:
        return f"{self.line} {self.number}"


class RuleCode(Labelled):
    """The rules of the SOP by their numbers in the white paper; their sentences stand beside the functions."""

    FIRST_ROTATES = "R-S2-1"
    NAMED = "R-S2-2"
    FRIENDS = "R-S2-3"
    DENTAL_ROTATES = "R-S2-4"
    ORAL_SURGERY = "R-S2-5"
    MARKET = "R-S2-6"
    CONSENT = "R-S2-7"
    SHEET = "R-S2-8"
    NO_MEDDLING = "R-S2-9"
    SKIP = "R-S2-10"
    OWNER = "S3-1"
    PARTNER = "S3-2"
    SUCCESSOR = "S3-3"
    OFFICE_ORDER = "S7-1"
    NO_MAKEUP = "S7-2"
    CARRY_OVER = "S7-3"
    EVENING = "S7-4"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {
            cls.FIRST_ROTATES: _l("R-S2-1 First visits rotate"),
            cls.NAMED: _l("R-S2-2 Referred and asking for a doctor"),
            cls.FRIENDS: _l("R-S2-3 Friends of leaders and staff"),
            cls.DENTAL_ROTATES: _l("R-S2-4 Sent by the dental department"),
            cls.ORAL_SURGERY: _l("R-S2-5 Oral surgery has its own line"),
            cls.MARKET: _l("R-S2-6 Customers of the market department"),
            cls.CONSENT: _l("R-S2-7 Called first, brought in with consent"),
            cls.SHEET: _l("R-S2-8 The day's triage sheet"),
            cls.NO_MEDDLING: _l("R-S2-9 Consultants do not take part"),
            cls.SKIP: _l("R-S2-10 Skipped after the time limit"),
            cls.OWNER: _l("S3 To her own consultant"),
            cls.PARTNER: _l("S3 To the partner"),
            cls.SUCCESSOR: _l("S3 To the successor of who left"),
            cls.OFFICE_ORDER: _l("S7 By office order"),
            cls.NO_MAKEUP: _l("S7 A skipped turn is not made up"),
            cls.CARRY_OVER: _l("S7 The turn carries over to the next day"),
            cls.EVENING: _l("S7 Evenings by the duty list"),
        }


class TriageRule(Recorded, Branched, Base):
    """How a branch applies a rule: switch, order, parameters. Nothing else decides; defaults are the SOP's."""

    __tablename__ = "triage_rule"
    TITLE, TITLES = _l("Triage rule"), _l("Triage rules")
    SCOPE = Scope(branch="branch_id")
    __table_args__ = (
        one_of("code", RuleCode),
        UniqueConstraint("branch_id", "code"),
        CheckConstraint("minutes BETWEEN 1 AND 120", name="minutes_bounds"),
        CheckConstraint("(code = 'R-S2-10') = (minutes IS NOT NULL)", name="limit_has_minutes"),
        CheckConstraint("(code = 'S7-4') = (day_ends_at IS NOT NULL)", name="evening_has_hour"),
    )

    code: Mapped[RuleCode] = mapped_column(Choice(RuleCode), info=col(_l("Rule")))
    is_on: Mapped[bool] = mapped_column(default=True, server_default="true", info=col(_l("In force")))
    position: Mapped[int] = mapped_column(SmallInteger, info=col(_l("Order"), _l("The first rule that fits decides.")))
    minutes: Mapped[int | None] = mapped_column(SmallInteger, info=col(_l("Minutes until the turn passes on")))
    day_ends_at: Mapped[time | None] = mapped_column(info=col(_l("The day ends at")))

    branch: Mapped[Branch] = relationship(lazy="select")

    def __str__(self) -> str:
        return str(self.code.label)
