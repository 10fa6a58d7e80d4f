"""What a follow-up is about, which rules make plans by themselves, and who stands in for whom. 1.3; REF-3, REF-8."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column, relationship
from sqlalchemy.types import Integer

from app.models.base import Base, Branched, Choice, Instant, Labelled, Recorded, Retirable, Scope, col, one_of
from app.models.hr import Branch, Employee
from app.words import _l, locale_in_force

if TYPE_CHECKING:
    from app.models.messages import MessageTemplate


class CategoryGroup(Labelled):
    """The six groups of 1.3."""

    ADVICE = "advice"
    PROSPECT = "prospect"
    BEFORE_SURGERY = "before_surgery"
    AFTER_SURGERY = "after_surgery"
    AFTER_SALE = "after_sale"
    CARE = "care"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {
            cls.ADVICE: _l("Advice"),
            cls.PROSPECT: _l("Following up"),
            cls.BEFORE_SURGERY: _l("Care before surgery"),
            cls.AFTER_SURGERY: _l("Tracking after surgery"),
            cls.AFTER_SALE: _l("After-sales service"),
            cls.CARE: _l("Customer care"),
        }


class FollowupCategory(Recorded, Retirable, Base):
    """回访类别: what a call is about. The nineteen of 1.3 and those of REF-3.

    ``is_marketing``: it serves the house's sales, so it needs the customer's consent to marketing. L13.
    """

    __tablename__ = "followup_category"
    TITLE, TITLES = _l("Follow-up category"), _l("Follow-up categories")
    SCOPE = Scope(shared=True)
    __table_args__ = (one_of("category_group", CategoryGroup),)

    code: Mapped[str] = mapped_column(String(40), unique=True, info=col(_l("Code"), search=True))
    name: Mapped[str] = mapped_column(String(80), info=col(_l("Chinese name"), search=True))
    name_en: Mapped[str] = mapped_column(String(80), info=col(_l("English name"), search=True))
    category_group: Mapped[CategoryGroup] = mapped_column(Choice(CategoryGroup), info=col(_l("Group")))
    supports: Mapped[str | None] = mapped_column(String(200), info=col(_l("What it supports")))
    is_marketing: Mapped[bool] = mapped_column(
        default=False, server_default="false", info=col(_l("Marketing"), _l("Needs the customer's consent."))
    )
    position: Mapped[int] = mapped_column(default=100, server_default="100", info=col(_l("Order")))

    @classmethod
    def offered(cls) -> Any:
        return cls.retired_at.is_(None)

    def __str__(self) -> str:
        return self.name_en if locale_in_force() == "en" else self.name


class ExecutorKind(Labelled):
    """To whom the plan of a rule goes: by her relation to the customer or the occasion, or by role."""

    OCCASION = "occasion"
    DEVELOPER = "developer"
    CONSULTANT = "owner_consultant"
    ROLE = "role"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {
            cls.OCCASION: _l("Whose occasion it is (slip's owner, who was called)"),
            cls.DEVELOPER: _l("Who developed the customer"),
            cls.CONSULTANT: _l("The customer's on-site consultant"),
            cls.ROLE: _l("A role of the branch, in turn"),
        }


class RuleMakes(Labelled):
    """What a rule makes: a call to be made, or a message that is sent."""

    PLAN = "plan"
    MESSAGE = "message"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {cls.PLAN: _l("A plan: somebody calls"), cls.MESSAGE: _l("A message by template")}


class FollowupRule(Recorded, Retirable, Base):
    """A rule that makes plans by itself: on which trigger, how many days after it, for whom, with which words.

    REF-8. ``offset_days`` count from the trigger's day, before it if negative. ``branch_id`` empty: the whole group.
    """

    __tablename__ = "followup_rule"
    TITLE, TITLES = _l("Follow-up rule"), _l("Follow-up rules")
    SCOPE = Scope(shared=True)
    __table_args__ = (
        one_of("executor_kind", ExecutorKind),
        one_of("makes", RuleMakes),
        CheckConstraint("(makes = 'message') = (message_template_id IS NOT NULL)", name="message_has_template"),
        CheckConstraint("cardinality(offset_days) BETWEEN 1 AND 20", name="some_days"),
        CheckConstraint("(executor_kind = 'role') = (executor_role IS NOT NULL)", name="role_named"),
    )

    code: Mapped[str] = mapped_column(String(40), unique=True, info=col(_l("Code"), search=True))
    name: Mapped[str] = mapped_column(String(80), info=col(_l("Chinese name"), search=True))
    name_en: Mapped[str] = mapped_column(String(80), info=col(_l("English name"), search=True))
    trigger: Mapped[str] = mapped_column(String(40), index=True, info=col(_l("Trigger")))
    offset_days: Mapped[list[int]] = mapped_column(
        ARRAY(Integer), info=col(_l("Days from the trigger"), _l("Several with commas; before it: negative."))
    )
    category_id: Mapped[int] = mapped_column(ForeignKey("followup_category.id"), info=col(_l("Category")))
    executor_kind: Mapped[ExecutorKind] = mapped_column(Choice(ExecutorKind), info=col(_l("Carried out by")))
    executor_role: Mapped[str | None] = mapped_column(String(40), info=col(_l("Role")))
    branch_id: Mapped[int | None] = mapped_column(
        ForeignKey("branch.id"), index=True, info=col(_l("Branch"), _l("Empty: the whole group."))
    )
    purpose_template: Mapped[str | None] = mapped_column(String(400), info=col(_l("Purpose")))
    content_template: Mapped[str | None] = mapped_column(info=col(_l("Content"), multiline=True))
    makes: Mapped[RuleMakes] = mapped_column(
        Choice(RuleMakes), default=RuleMakes.PLAN, server_default="plan", info=col(_l("It makes"))
    )
    message_template_id: Mapped[int | None] = mapped_column(
        ForeignKey("message_template.id"), index=True, info=col(_l("Message template"))
    )
    festival: Mapped[str | None] = mapped_column(
        String(40), info=col(_l("Festival"), _l("For the trigger of festivals; empty: every one."))
    )

    message_template: Mapped[MessageTemplate | None] = relationship("MessageTemplate", lazy="select")
    category: Mapped[FollowupCategory] = relationship(lazy="select")
    branch: Mapped[Branch | None] = relationship(lazy="select")

    @classmethod
    def offered(cls) -> Any:
        return cls.retired_at.is_(None)

    def __str__(self) -> str:
        return self.name_en if locale_in_force() == "en" else self.name


class FollowupCover(Recorded, Branched, Base):
    """Somebody stands in for a colleague's follow-ups from one day to another. Issue of 2.22: nobody is forgotten."""

    __tablename__ = "followup_cover"
    TITLE, TITLES = _l("Cover"), _l("Covers")
    SCOPE = Scope(branch="branch_id", department="department_id", own=("absent_id", "cover_id"))
    __table_args__ = (
        CheckConstraint("until_on >= from_on", name="until_after_from"),
        CheckConstraint("absent_id <> cover_id", name="another_covers"),
        Index("ix_followup_cover_open", "absent_id", postgresql_where=text("ended_at IS NULL")),
    )

    absent_id: Mapped[int] = mapped_column(ForeignKey("employee.id"), info=col(_l("Absent")))
    cover_id: Mapped[int] = mapped_column(ForeignKey("employee.id"), index=True, info=col(_l("Covered by")))
    department_id: Mapped[int | None] = mapped_column(ForeignKey("department.id"), info=col(_l("Department")))
    from_on: Mapped[date] = mapped_column(info=col(_l("From")))
    until_on: Mapped[date] = mapped_column(info=col(_l("Last day")))
    reason: Mapped[str | None] = mapped_column(String(500), info=col(_l("Reason")))
    ended_at: Mapped[datetime | None] = mapped_column(Instant, info=col(_l("Ended at")))

    branch: Mapped[Branch] = relationship(lazy="select")
    absent: Mapped[Employee] = relationship(foreign_keys=[absent_id], lazy="select")
    cover: Mapped[Employee] = relationship(foreign_keys=[cover_id], lazy="select")

    def __str__(self) -> str:
        return f"{self.absent} → {self.cover}"
