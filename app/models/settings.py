"""What an administrator keeps: dictionaries, settings, document numbers, changes to roles."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.actors import Reach
from app.models.base import Base, Instant, Labelled, Recorded, Retirable, Scope, Stateful, col, one_of
from app.models.base import Choice as ChoiceType
from app.models.hr import Branch
from app.words import _l, locale_in_force


class Dictionary(Recorded, Base):
    """A named list of words that forms offer, such as the reasons of a call. REF-2."""

    __tablename__ = "dictionary"
    TITLE, TITLES = _l("Dictionary"), _l("Dictionaries")
    SCOPE = Scope(shared=True)

    code: Mapped[str] = mapped_column(String(40), unique=True, info=col(_l("Code"), search=True))
    name: Mapped[str] = mapped_column(String(60), info=col(_l("Chinese name"), search=True))
    name_en: Mapped[str] = mapped_column(String(60), info=col(_l("English name"), search=True))

    def __str__(self) -> str:
        return self.name_en if locale_in_force() == "en" else self.name


class ItemState(Labelled):
    """Whether forms still offer an item."""

    IN_USE = "in_use"
    RETIRED = "retired"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {cls.IN_USE: _l("In use"), cls.RETIRED: _l("Retired")}

    @classmethod
    def tones(cls) -> dict[Any, str]:
        return {cls.IN_USE: "ok", cls.RETIRED: "mute"}


class DictionaryItem(Stateful, Recorded, Base):
    """A word of a dictionary in two languages; retired but never deleted once used."""

    __tablename__ = "dictionary_item"
    TITLE, TITLES = _l("Dictionary item"), _l("Dictionary items")
    SCOPE = Scope(shared=True)
    STATES = ItemState
    MOVES = {ItemState.IN_USE: {ItemState.RETIRED}, ItemState.RETIRED: {ItemState.IN_USE}}
    __table_args__ = (UniqueConstraint("dictionary_id", "code"), one_of("state", ItemState))

    dictionary_id: Mapped[int] = mapped_column(ForeignKey("dictionary.id"), index=True, info=col(_l("Dictionary")))
    code: Mapped[str] = mapped_column(String(40), info=col(_l("Code"), search=True))
    name: Mapped[str] = mapped_column(String(80), info=col(_l("Chinese name"), search=True))
    name_en: Mapped[str] = mapped_column(String(80), info=col(_l("English name"), search=True))
    position: Mapped[int] = mapped_column(default=100, server_default="100", info=col(_l("Order")))
    state: Mapped[ItemState] = mapped_column(ChoiceType(ItemState), default=ItemState.IN_USE, info=col(_l("State")))
    retired_at: Mapped[datetime | None] = mapped_column(Instant, info=col(_l("Retired since")))

    @classmethod
    def offered(cls) -> Any:
        return cls.state == ItemState.IN_USE

    dictionary: Mapped[Dictionary] = relationship(lazy="select")

    def __str__(self) -> str:
        return self.name_en if locale_in_force() == "en" else self.name


class Param(Recorded, Base):
    """A value of a declared setting, for the group or one branch, from a moment on. Rows are never changed:
    a new value is a new row, so the table is its own history."""

    __tablename__ = "param"
    TITLE, TITLES = _l("Setting"), _l("Settings")
    SCOPE = Scope(shared=True)
    __table_args__ = (
        Index(
            "uq_param_key_branch_effective",
            "key",
            "branch_id",
            "effective_at",
            unique=True,
            postgresql_nulls_not_distinct=True,
        ),
    )

    key: Mapped[str] = mapped_column(String(80), info=col(_l("Setting"), search=True))
    branch_id: Mapped[int | None] = mapped_column(
        ForeignKey("branch.id"), index=True, info=col(_l("Branch"), _l("Empty: the whole group."))
    )
    value: Mapped[str] = mapped_column(info=col(_l("Value")))
    effective_at: Mapped[datetime] = mapped_column(Instant, info=col(_l("In force from")))
    reason: Mapped[str | None] = mapped_column(String(500), info=col(_l("Reason")))

    branch: Mapped[Branch | None] = relationship(lazy="select")

    def __str__(self) -> str:
        return self.key


class NumberRule(Recorded, Base):
    """How the numbers of a document type look: prefix, branch code, date, counter of a fixed width."""

    __tablename__ = "number_rule"
    TITLE, TITLES = _l("Number rule"), _l("Number rules")
    SCOPE = Scope(shared=True)
    __table_args__ = (
        CheckConstraint("width BETWEEN 3 AND 10", name="width_bounds"),
        CheckConstraint("prefix ~ '^[A-Z]{1,4}$'", name="prefix_letters"),
    )

    doc_type: Mapped[str] = mapped_column(String(40), unique=True, info=col(_l("Document type"), search=True))
    prefix: Mapped[str] = mapped_column(
        String(4), unique=True, info=col(_l("Prefix"), _l("One to four capital letters."))
    )
    with_branch: Mapped[bool] = mapped_column(default=True, server_default="true", info=col(_l("With branch code")))
    with_date: Mapped[bool] = mapped_column(
        default=True, server_default="true", info=col(_l("With date"), _l("The counter then starts anew each day."))
    )
    width: Mapped[int] = mapped_column(default=4, server_default="4", info=col(_l("Digits of the counter")))

    def __str__(self) -> str:
        return self.doc_type


class NumberCounter(Base):
    """The last number given, per rule, branch and day. A number given is never given again."""

    __tablename__ = "number_counter"
    TITLE, TITLES = _l("Number counter"), _l("Number counters")
    SCOPE = Scope(shared=True)
    UNTRAILED = ("last",)
    __table_args__ = (UniqueConstraint("rule_id", "branch_code", "period"),)

    rule_id: Mapped[int] = mapped_column(ForeignKey("number_rule.id"), info=col(_l("Number rule")))
    branch_code: Mapped[str] = mapped_column(String(2), info=col(_l("Branch")))
    period: Mapped[str] = mapped_column(String(8), info=col(_l("Day")))
    last: Mapped[int] = mapped_column(info=col(_l("Last number given")))

    rule: Mapped[NumberRule] = relationship(lazy="select")


class Effect(Labelled):
    """What a change to a role does."""

    GRANT = "grant"
    WITHDRAW = "withdraw"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {cls.GRANT: _l("Granted"), cls.WITHDRAW: _l("Withdrawn")}


class RoleOverride(Recorded, Retirable, Base):
    """A right that an administrator gave to a role or took from it; it survives every synchronisation."""

    __tablename__ = "role_override"
    TITLE, TITLES = _l("Change to a role"), _l("Changes to roles")
    SCOPE = Scope(shared=True)
    __table_args__ = (UniqueConstraint("role", "table_name", "permission"), one_of("effect", Effect))

    role: Mapped[str] = mapped_column(String(64), info=col(_l("Role"), search=True))
    table_name: Mapped[str] = mapped_column(String(80), info=col(_l("Table"), search=True))
    permission: Mapped[str] = mapped_column(String(80), info=col(_l("Permission"), search=True))
    effect: Mapped[Effect] = mapped_column(ChoiceType(Effect), info=col(_l("Effect")))
    reason: Mapped[str | None] = mapped_column(String(500), info=col(_l("Reason")))

    def __str__(self) -> str:
        return f"{self.role}: {self.table_name} {self.permission}"


class ReachChoice(Labelled):
    """How far a role reaches over the rows of a table, as an administrator chooses it."""

    NONE = "none"
    OWN = "own"
    DEPARTMENT = "department"
    BRANCH = "branch"
    GROUP = "group"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {
            cls.NONE: _l("No rows"),
            cls.OWN: _l("Her own rows"),
            cls.DEPARTMENT: _l("Her departments"),
            cls.BRANCH: _l("Her branch"),
            cls.GROUP: _l("The whole group"),
        }

    @property
    def reach(self) -> Reach:
        """The reach that this chooses."""
        return Reach[self.name]


class RoleReach(Recorded, Retirable, Base):
    """How far a role reaches over a table, where an administrator wants it otherwise than declared. Part D, "Scope".

    In force from the next request on; retired, what ``app/roles.py`` declares counts again.
    """

    __tablename__ = "role_reach"
    TITLE, TITLES = _l("Reach of a role"), _l("Reaches of roles")
    SCOPE = Scope(shared=True)
    __table_args__ = (UniqueConstraint("role", "table_name"), one_of("reach", ReachChoice))

    role: Mapped[str] = mapped_column(String(64), info=col(_l("Role"), search=True))
    table_name: Mapped[str] = mapped_column(String(80), info=col(_l("Table"), search=True))
    reach: Mapped[ReachChoice] = mapped_column(ChoiceType(ReachChoice), info=col(_l("Reaches")))
    reason: Mapped[str | None] = mapped_column(String(500), info=col(_l("Reason")))

    def __str__(self) -> str:
        return f"{self.role}: {self.table_name} {self.reach.value}"
