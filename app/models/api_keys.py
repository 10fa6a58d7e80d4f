"""Keys of programs that call the API in a person's name. White paper H, L14: unique identity, least privilege."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import CheckConstraint, ForeignKey, String
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, Instant, Scope, col
from app.models.hr import Employee
from app.words import _l


class ApiKey(Base):
    """A key that acts as an employee, with a part of her rights. Only a keyed hash of it is stored.

    ``roles`` and ``rights`` (``table.permission`` without ``can_``) narrow what the employee may; never widen it.
    """

    __tablename__ = "api_key"
    TITLE, TITLES = _l("API key"), _l("API keys")
    SCOPE = Scope(via="employee")
    UNTRAILED = ("key_hash", "last_used_at")
    __table_args__ = (
        CheckConstraint("expires_at > issued_at", name="expires_after_issue"),
        CheckConstraint("cardinality(roles) + cardinality(rights) > 0", name="narrowed"),
    )

    name: Mapped[str] = mapped_column(String(60), info=col(_l("Name"), search=True))
    prefix: Mapped[str] = mapped_column(String(16), unique=True, info=col(_l("Begins with"), search=True))
    key_hash: Mapped[str] = mapped_column(String(40), unique=True)
    employee_id: Mapped[int] = mapped_column(ForeignKey("employee.id"), index=True, info=col(_l("Acts as")))
    roles: Mapped[list[str]] = mapped_column(ARRAY(String(40)))
    rights: Mapped[list[str]] = mapped_column(ARRAY(String(120)))
    issued_at: Mapped[datetime] = mapped_column(Instant, info=col(_l("Issued at")))
    issued_by_id: Mapped[int | None] = mapped_column(ForeignKey("ab_user.id"))
    expires_at: Mapped[datetime] = mapped_column(Instant, index=True, info=col(_l("Expires at")))
    revoked_at: Mapped[datetime | None] = mapped_column(Instant, info=col(_l("Revoked at")))
    last_used_at: Mapped[datetime | None] = mapped_column(Instant, info=col(_l("Last used")))

    employee: Mapped[Employee] = relationship(lazy="select")

    def is_open(self, at: datetime) -> bool:
        """Say whether the key still opens anything, its employee apart."""
        return self.revoked_at is None and at.astimezone(UTC) < self.expires_at

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"
