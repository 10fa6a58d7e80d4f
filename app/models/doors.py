"""Who may come in: sessions, failures, second factors, passwords that were, codes that are used once. White paper H.2.

Logins themselves live in Flask-AppBuilder's ``ab_user``; what is ours hangs on them by ``user_id``. What lets somebody
in is kept hashed or encrypted, is shown on no screen and is left out of the trail.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import METADATA, Base, Choice, Encrypted, Instant, Labelled, Scope, col, one_of
from app.models.hr import Branch, Employee
from app.words import _l


class SessionKind(Labelled):
    """How one came in."""

    WEB = "web"
    API = "api"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {cls.WEB: _l("Screen"), cls.API: _l("REST")}


class Ended(Labelled):
    """Why a session ended."""

    LOGGED_OUT = "logged_out"
    BY_OWNER = "by_owner"
    BY_OTHERS = "by_others"
    PASSWORD = "password"
    ROLES = "roles"
    CLOSED = "closed"
    SECOND_FACTOR = "second_factor"
    TIME = "time"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {
            cls.LOGGED_OUT: _l("Logged out"),
            cls.BY_OWNER: _l("Ended from another session"),
            cls.BY_OTHERS: _l("Ended by the information centre"),
            cls.PASSWORD: _l("The password was changed"),
            cls.ROLES: _l("The roles were changed"),
            cls.CLOSED: _l("The login was closed"),
            cls.SECOND_FACTOR: _l("The second factor was reset"),
            cls.TIME: _l("Its time was over"),
        }


class Owes(Labelled):
    """What must be done first in a session; until then it opens nothing else."""

    PASSWORD = "password"
    SECOND_FACTOR = "second_factor"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {cls.PASSWORD: _l("A new password"), cls.SECOND_FACTOR: _l("Setting up the second factor")}


class LoginSession(Base):
    """One coming-in: who, when, from where, until when. The cookie and the token hold its key, the row a hash of it.

    ``lock_after`` and ``idle_after`` are seconds without a sign of life, ``ends_at`` is the end whatever is done: the
    settings of the branch as they were when it began.
    """

    __tablename__ = "login_session"
    TITLE, TITLES = _l("Login session"), _l("Login sessions")
    SCOPE = Scope(branch="branch_id", own=("employee_id",))
    #: Written once a minute while one works; the trail would hold little else.
    UNTRAILED = ("last_seen_at", "token_hash")
    __table_args__ = (
        CheckConstraint("(ended_at IS NULL) = (ended_why IS NULL)", name="ended_for_a_reason"),
        CheckConstraint("lock_after > 0 AND idle_after > 0", name="times_positive"),
        one_of("kind", SessionKind),
        one_of("ended_why", Ended),
        one_of("owes", Owes),
        Index("ix_login_session_open", "user_id", postgresql_where=text("ended_at IS NULL")),
    )

    user_id: Mapped[int] = mapped_column(ForeignKey("ab_user.id"))
    employee_id: Mapped[int | None] = mapped_column(ForeignKey("employee.id"), index=True, info=col(_l("Employee")))
    branch_id: Mapped[int | None] = mapped_column(ForeignKey("branch.id"), index=True, info=col(_l("Branch")))
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    kind: Mapped[SessionKind] = mapped_column(Choice(SessionKind), info=col(_l("Way in")))
    begun_at: Mapped[datetime] = mapped_column(Instant, info=col(_l("Logged in at")))
    last_seen_at: Mapped[datetime] = mapped_column(Instant, info=col(_l("Last seen")))
    address: Mapped[str] = mapped_column(String(80), info=col(_l("Network address"), search=True))
    agent: Mapped[str] = mapped_column(String(200), info=col(_l("Browser")))
    second_factor: Mapped[bool] = mapped_column(info=col(_l("With second factor")))
    owes: Mapped[Owes | None] = mapped_column(Choice(Owes))
    lock_after: Mapped[int] = mapped_column()
    idle_after: Mapped[int] = mapped_column()
    ends_at: Mapped[datetime] = mapped_column(Instant, info=col(_l("Ends at the latest")))
    locked_at: Mapped[datetime | None] = mapped_column(Instant, info=col(_l("Screen locked since")))
    ended_at: Mapped[datetime | None] = mapped_column(Instant, info=col(_l("Ended at")))
    ended_why: Mapped[Ended | None] = mapped_column(Choice(Ended), info=col(_l("Why it ended")))

    employee: Mapped[Employee | None] = relationship(lazy="select")
    branch: Mapped[Branch | None] = relationship(lazy="select")

    def __str__(self) -> str:
        return f"{self.address} {self.begun_at.isoformat(timespec='minutes')}"


class LoginAccount(Base):
    """What we know of a login beside the framework: the age of its password, its second factor."""

    __tablename__ = "login_account"
    TITLE, TITLES = _l("Login"), _l("Logins")
    SCOPE = Scope()
    UNTRAILED = ("totp_seed", "totp_pending", "totp_last_step")
    __table_args__ = (CheckConstraint("(totp_seed IS NULL) = (totp_since IS NULL)", name="seed_dated"),)

    user_id: Mapped[int] = mapped_column(ForeignKey("ab_user.id"), unique=True)
    password_changed_at: Mapped[datetime] = mapped_column(Instant)
    #: Since when somebody else's password must be replaced by one of one's own.
    change_demanded_at: Mapped[datetime | None] = mapped_column(Instant)
    totp_seed: Mapped[str | None] = mapped_column(Encrypted)
    totp_pending: Mapped[str | None] = mapped_column(Encrypted)
    totp_since: Mapped[datetime | None] = mapped_column(Instant)
    #: The step of the last code that was taken: a code is good once.
    totp_last_step: Mapped[int | None] = mapped_column(BigInteger)


class PasswordHistory(Base):
    """A password that a login had, hashed, so that the last ones do not come back."""

    __tablename__ = "password_history"
    TITLE, TITLES = _l("Earlier password"), _l("Earlier passwords")
    SCOPE = Scope()
    UNTRAILED = ("password_hash",)

    user_id: Mapped[int] = mapped_column(ForeignKey("ab_user.id"), index=True)
    password_hash: Mapped[str] = mapped_column(String(256))
    set_at: Mapped[datetime] = mapped_column(Instant)


class CodeKind(Labelled):
    """What a code that is used once is for."""

    RECOVERY = "recovery"
    PASSWORD = "password"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {cls.RECOVERY: _l("Recovery code"), cls.PASSWORD: _l("Code for a new password")}


class OneTimeCode(Base):
    """A code that is good once: instead of the second factor, or for a new password. Only its keyed hash is kept."""

    __tablename__ = "one_time_code"
    TITLE, TITLES = _l("One-time code"), _l("One-time codes")
    SCOPE = Scope()
    UNTRAILED = ("code_hash",)
    __table_args__ = (one_of("kind", CodeKind), Index("ix_one_time_code_open", "user_id", "kind"))

    user_id: Mapped[int] = mapped_column(ForeignKey("ab_user.id"))
    kind: Mapped[CodeKind] = mapped_column(Choice(CodeKind))
    code_hash: Mapped[str] = mapped_column(String(64))
    made_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime | None] = mapped_column(Instant)
    tries: Mapped[int] = mapped_column(default=0, server_default="0")
    #: When it was used, or withdrawn for a newer one.
    spent_at: Mapped[datetime | None] = mapped_column(Instant)


class LoginAttempt(Base):
    """How often somebody failed of late under a name or from an address, whether a login of that name exists or not."""

    __tablename__ = "login_attempt"
    TITLE, TITLES = _l("Failed login"), _l("Failed logins")
    SCOPE = Scope()
    UNTRAILED = ("failures", "last_at")
    __table_args__ = (UniqueConstraint("key"),)

    key: Mapped[str] = mapped_column(String(80))
    failures: Mapped[int] = mapped_column()
    last_at: Mapped[datetime] = mapped_column(Instant)
    locked_until: Mapped[datetime | None] = mapped_column(Instant)


#: The counters of the rate limits: written at every login and POST, worth nothing after a crash: unlogged, no model.
RATE_LIMIT = Table(
    "rate_limit",
    METADATA,
    Column("key", String(64), primary_key=True),
    Column("hits", Integer, nullable=False),
    Column("expires_at", Instant, nullable=False, index=True),
    prefixes=["UNLOGGED"],
    info={"untrailed": True},
)
