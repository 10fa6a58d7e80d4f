"""Reports that come by themselves: who wants which of them when, and what came of it day by day. Decision 0035."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.audit import ReportRun
from app.models.base import Base, Branched, Choice, Encrypted, Instant, Labelled, Recorded, Scope, Stateful, col, one_of
from app.models.hr import Branch, Employee
from app.models.privacy import ExportRequest, FileFormat
from app.words import _l

#: What people call a report, by its name. Models know no reports: whoever declares one says it here.
REPORT_LABELS: dict[str, object] = {}


def report_label(name: str) -> str:
    """Return what people call a report; its name if this version no longer knows it."""
    return str(REPORT_LABELS.get(name, name))


class Period(Labelled):
    """Which day or month a report is about, seen from the day on which it comes."""

    TODAY = "today"
    YESTERDAY = "yesterday"
    THIS_MONTH = "this_month"
    LAST_MONTH = "last_month"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {
            cls.TODAY: _l("That day"),
            cls.YESTERDAY: _l("The day before"),
            cls.THIS_MONTH: _l("The month so far"),
            cls.LAST_MONTH: _l("The month before"),
        }


class Weekday(Labelled):
    """A day of the week, Monday first as in ISO 8601."""

    MONDAY = "1"
    TUESDAY = "2"
    WEDNESDAY = "3"
    THURSDAY = "4"
    FRIDAY = "5"
    SATURDAY = "6"
    SUNDAY = "7"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {
            cls.MONDAY: _l("Monday"),
            cls.TUESDAY: _l("Tuesday"),
            cls.WEDNESDAY: _l("Wednesday"),
            cls.THURSDAY: _l("Thursday"),
            cls.FRIDAY: _l("Friday"),
            cls.SATURDAY: _l("Saturday"),
            cls.SUNDAY: _l("Sunday"),
        }


class Stopping(Labelled):
    """Why a subscription ended."""

    WISH = "wish"
    RIGHTS = "rights"
    LEFT = "left"
    REPORT = "report"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {
            cls.WISH: _l("Stopped by the subscriber"),
            cls.RIGHTS: _l("She may not see this report any more"),
            cls.LEFT: _l("She no longer works here, or her login is closed"),
            cls.REPORT: _l("This report no longer exists"),
        }


class ReportSubscription(Recorded, Branched, Base):
    """One person wants one report again and again. She makes and stops it herself; nobody does so for another.

    ``send_at`` is a time of the branch's clock; None: once the house's own reports of the day are due. ``branch_id`` is
    the branch that the report is about.
    """

    __tablename__ = "report_subscription"
    TITLE, TITLES = _l("Report subscription"), _l("Report subscriptions")
    SCOPE = Scope(own=("employee_id",))
    __table_args__ = (
        one_of("period", Period),
        one_of("file_format", FileFormat),
        one_of("stopped_why", Stopping),
        CheckConstraint("weekdays <@ ARRAY['1','2','3','4','5','6','7']::varchar[]", name="weekdays_known"),
        CheckConstraint("cardinality(weekdays) > 0", name="some_weekday"),
        CheckConstraint("active_until IS NULL OR active_until >= active_from", name="until_after_from"),
        CheckConstraint("(stopped_at IS NULL) = (stopped_why IS NULL)", name="stopped_for_a_reason"),
        CheckConstraint("file_format IS NULL OR reason IS NOT NULL", name="file_has_reason"),
        Index("ix_report_subscription_open", "id", postgresql_where=text("stopped_at IS NULL")),
        Index("ix_report_subscription_employee_id", "employee_id"),
    )

    employee_id: Mapped[int] = mapped_column(ForeignKey("employee.id"), info=col(_l("Subscriber")))
    report: Mapped[str] = mapped_column(String(80), info=col(_l("Report")))
    period: Mapped[Period] = mapped_column(Choice(Period), info=col(_l("About")))
    weekdays: Mapped[list[str]] = mapped_column(ARRAY(String(1)), info=col(_l("On these days")))
    send_at: Mapped[time | None] = mapped_column(
        info=col(_l("Time"), _l("Empty: as soon as the house's own reports of the day are due."))
    )
    file_format: Mapped[FileFormat | None] = mapped_column(
        Choice(FileFormat), info=col(_l("Also as a file"), _l("It counts as an export and lands in my files."))
    )
    reason: Mapped[str | None] = mapped_column(String(500), info=col(_l("Why a file is needed")))
    mail_to: Mapped[str | None] = mapped_column(Encrypted(200), info=col(_l("Mail address"), sensitive=True))
    locale: Mapped[str] = mapped_column(String(8), default="zh", server_default="zh")
    active_from: Mapped[date] = mapped_column(info=col(_l("First day")))
    active_until: Mapped[date | None] = mapped_column(info=col(_l("Last day")))
    wanted_since: Mapped[datetime] = mapped_column(Instant, info=col(_l("As it is since")))
    stopped_at: Mapped[datetime | None] = mapped_column(Instant, info=col(_l("Stopped")))
    stopped_why: Mapped[Stopping | None] = mapped_column(Choice(Stopping), info=col(_l("Why it was stopped")))

    branch: Mapped[Branch] = relationship(lazy="select")
    employee: Mapped[Employee] = relationship(lazy="select")

    def __str__(self) -> str:
        return f"{report_label(self.report)} ({self.period.label!s})"


class DeliveryState(Labelled):
    """What became of one day of a subscription."""

    WAITING = "waiting"
    MADE = "made"
    STOPPED = "stopped"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {
            cls.WAITING: _l("Is being made"),
            cls.MADE: _l("Has come"),
            cls.STOPPED: _l("Did not come"),
        }

    @classmethod
    def tones(cls) -> dict[Any, str]:
        return {cls.WAITING: "info", cls.MADE: "ok", cls.STOPPED: "bad"}


class MailState(Labelled):
    """How far the mail is. A mail of which nobody knows whether it went out is not sent again."""

    WAITING = "waiting"
    SENDING = "sending"
    SENT = "sent"
    REFUSED = "refused"
    UNSURE = "unsure"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {
            cls.WAITING: _l("Waiting to be sent"),
            cls.SENDING: _l("Being sent"),
            cls.SENT: _l("Sent"),
            cls.REFUSED: _l("Not sent"),
            cls.UNSURE: _l("Perhaps sent"),
        }

    @classmethod
    def tones(cls) -> dict[Any, str]:
        return {cls.WAITING: "info", cls.SENDING: "warn", cls.SENT: "ok", cls.REFUSED: "bad", cls.UNSURE: "warn"}


class ReportDelivery(Stateful, Recorded, Base):
    """One day of a subscription: at most one, however many schedulers run. ``message_id`` names its mail for good."""

    __tablename__ = "report_delivery"
    TITLE, TITLES = _l("Subscribed report"), _l("Subscribed reports")
    SCOPE = Scope(own=("employee_id",))
    STATES = DeliveryState
    MOVES = {DeliveryState.WAITING: {DeliveryState.MADE, DeliveryState.STOPPED}}
    __table_args__ = (
        UniqueConstraint("subscription_id", "due_on"),
        one_of("state", DeliveryState),
        one_of("mail_state", MailState),
        CheckConstraint("(state = 'made') = (report_run_id IS NOT NULL)", name="run_when_made"),
        CheckConstraint("mail_state IS NULL OR message_id IS NOT NULL", name="mail_is_named"),
        Index("ix_report_delivery_employee_id_id", "employee_id", "id"),
    )

    subscription_id: Mapped[int] = mapped_column(ForeignKey("report_subscription.id"), info=col(_l("Subscription")))
    employee_id: Mapped[int] = mapped_column(ForeignKey("employee.id"), info=col(_l("Subscriber")))
    report: Mapped[str] = mapped_column(String(80), info=col(_l("Report")))
    due_on: Mapped[date] = mapped_column(info=col(_l("Came on")))
    business_on: Mapped[date] = mapped_column(info=col(_l("Business day")))
    state: Mapped[DeliveryState] = mapped_column(Choice(DeliveryState), info=col(_l("State")))
    made_at: Mapped[datetime | None] = mapped_column(Instant, info=col(_l("Made")))
    report_run_id: Mapped[int | None] = mapped_column(ForeignKey("report_run.id"), info=col(_l("Stored report")))
    export_request_id: Mapped[int | None] = mapped_column(ForeignKey("export_request.id"), info=col(_l("Export")))
    task_id: Mapped[int | None] = mapped_column(BigInteger)
    mail_state: Mapped[MailState | None] = mapped_column(Choice(MailState), info=col(_l("Mail")))
    message_id: Mapped[str | None] = mapped_column(String(120), unique=True)
    mailed_at: Mapped[datetime | None] = mapped_column(Instant, info=col(_l("Mail sent at")))
    mail_said: Mapped[str | None] = mapped_column(String(500), info=col(_l("What the mail server said")))

    subscription: Mapped[ReportSubscription] = relationship(lazy="select")
    employee: Mapped[Employee] = relationship(lazy="select")
    report_run: Mapped[ReportRun | None] = relationship(lazy="select")
    export_request: Mapped[ExportRequest | None] = relationship(lazy="select")

    def __str__(self) -> str:
        return f"{report_label(self.report)} {self.business_on.isoformat()}"
