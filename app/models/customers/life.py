"""What befalls a customer's file: traits, what each stage must know, merges, owners. White paper 1.2; SM-01."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, String, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, Branched, Choice, Encrypted, Instant, Labelled, Recorded, Scope, Stateful, col, one_of
from app.models.customers.files import Customer, OwnerRule
from app.models.hr import Branch, Employee
from app.models.settings import DictionaryItem
from app.words import _l


class Stage(Labelled):
    """The contact points at which a customer's file grows. White paper 1.2."""

    APPOINTMENT = "appointment"
    RECEPTION = "reception"
    CONSULTATION = "consultation"
    DIAGNOSIS = "diagnosis"
    PLAN = "plan"
    EXAM = "exam"
    WARD = "ward"
    NURSING = "nursing"
    SKIN_CARE = "skin_care"
    MEMBER = "member"
    FOLLOWUP = "followup"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {
            cls.APPOINTMENT: _l("At the appointment"),
            cls.RECEPTION: _l("Reception"),
            cls.CONSULTATION: _l("Consultation"),
            cls.DIAGNOSIS: _l("Diagnosis and design"),
            cls.PLAN: _l("Treatment plan"),
            cls.EXAM: _l("Physical examination"),
            cls.WARD: _l("Ward"),
            cls.NURSING: _l("Medical nursing"),
            cls.SKIN_CARE: _l("Skin care"),
            cls.MEMBER: _l("Membership"),
            cls.FOLLOWUP: _l("In follow-up"),
        }


class OwnerRole(Labelled):
    """Whose a customer is, in two ways: who developed her, and who advises her on site. Part B."""

    DEVELOPER = "developer"
    CONSULTANT = "owner_consultant"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {cls.DEVELOPER: _l("Developed by"), cls.CONSULTANT: _l("On-site consultant")}


class CustomerOwnerHistory(Base):
    """One change of a customer's owner: from whom to whom, by what rule, why. Rows are only added."""

    __tablename__ = "customer_owner_history"
    TITLE, TITLES = _l("Change of owner"), _l("Changes of owner")
    SCOPE = Scope(via="customer")
    __table_args__ = (one_of("role", OwnerRole), one_of("rule", OwnerRule))

    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"), index=True, info=col(_l("Customer")))
    role: Mapped[OwnerRole] = mapped_column(Choice(OwnerRole), info=col(_l("Role of the owner")))
    from_employee_id: Mapped[int | None] = mapped_column(ForeignKey("employee.id"), info=col(_l("From whom")))
    to_employee_id: Mapped[int | None] = mapped_column(ForeignKey("employee.id"), info=col(_l("To whom")))
    rule: Mapped[OwnerRule] = mapped_column(Choice(OwnerRule), info=col(_l("By the rule")))
    reason: Mapped[str | None] = mapped_column(String(500), info=col(_l("Reason")))
    given_at: Mapped[datetime] = mapped_column(Instant, info=col(_l("When")))
    given_by_id: Mapped[int | None] = mapped_column(ForeignKey("employee.id"), info=col(_l("Given by")))

    customer: Mapped[Customer] = relationship(lazy="select")
    from_employee: Mapped[Employee | None] = relationship(foreign_keys=[from_employee_id], lazy="select")
    to_employee: Mapped[Employee | None] = relationship(foreign_keys=[to_employee_id], lazy="select")
    given_by: Mapped[Employee | None] = relationship(foreign_keys=[given_by_id], lazy="select")

    def __str__(self) -> str:
        return f"{self.role.label}: {self.to_employee or '—'}"


class TraitState(Labelled):
    """Whether a trait still holds."""

    CURRENT = "current"
    SUPERSEDED = "superseded"
    WITHDRAWN = "withdrawn"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {cls.CURRENT: _l("Holds"), cls.SUPERSEDED: _l("Corrected"), cls.WITHDRAWN: _l("Withdrawn")}

    @classmethod
    def tones(cls) -> dict[Any, str]:
        return {cls.CURRENT: "ok"}


class CustomerTrait(Stateful, Recorded, Base):
    """A soft fact about a customer, with the stage and the person that learned it. R-1.2-2.

    Medical facts are none (R-1.2-3). A correction is a new row that supersedes the old one.
    """

    __tablename__ = "customer_trait"
    TITLE, TITLES = _l("Trait"), _l("Traits")
    SCOPE = Scope(via="customer")
    LOCK_FIRST = ("customer_id",)
    STATES = TraitState
    MOVES = {TraitState.CURRENT: {TraitState.SUPERSEDED, TraitState.WITHDRAWN}}
    __table_args__ = (
        one_of("state", TraitState),
        one_of("stage", Stage),
        CheckConstraint("(month IS NULL) = (month_day IS NULL)", name="day_is_whole"),
        CheckConstraint(
            "month BETWEEN 1 AND 12 AND month_day BETWEEN 1 AND "
            "CASE WHEN month = 2 THEN 29 WHEN month IN (4, 6, 9, 11) THEN 30 ELSE 31 END",
            name="day_exists",
        ),
        CheckConstraint("supersedes_id <> id", name="not_its_own_correction"),
        CheckConstraint("state <> 'withdrawn' OR withdrawn_reason IS NOT NULL", name="withdrawal_has_reason"),
        Index("ix_customer_trait_day", "month", "month_day", postgresql_where=text("state = 'current'")),
    )

    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"), index=True, info=col(_l("Customer")))
    trait_type_id: Mapped[int] = mapped_column(
        ForeignKey("dictionary_item.id"), index=True, info=col(_l("Type of trait"), dictionary="trait_type")
    )
    value: Mapped[str] = mapped_column(Encrypted(400), info=col(_l("What is known"), multiline=True))
    month: Mapped[int | None] = mapped_column(SmallInteger, info=col(_l("Month")))
    month_day: Mapped[int | None] = mapped_column(SmallInteger, info=col(_l("Day of the month")))
    stage: Mapped[Stage] = mapped_column(Choice(Stage), info=col(_l("Stage")))
    state: Mapped[TraitState] = mapped_column(Choice(TraitState), default=TraitState.CURRENT, info=col(_l("State")))
    collected_by_id: Mapped[int | None] = mapped_column(ForeignKey("employee.id"), info=col(_l("Learned by")))
    collected_at: Mapped[datetime] = mapped_column(Instant, info=col(_l("Learned at")))
    supersedes_id: Mapped[int | None] = mapped_column(
        ForeignKey("customer_trait.id"), unique=True, info=col(_l("Corrects"))
    )
    withdrawn_reason: Mapped[str | None] = mapped_column(String(500), info=col(_l("Reason for withdrawing")))

    customer: Mapped[Customer] = relationship(lazy="select")
    trait_type: Mapped[DictionaryItem] = relationship(lazy="select")
    collected_by: Mapped[Employee | None] = relationship(lazy="select")
    supersedes: Mapped[CustomerTrait | None] = relationship(remote_side="CustomerTrait.id", lazy="select")

    @property
    def day_text(self) -> str:
        return f"{self.month:02d}-{self.month_day:02d}" if self.month and self.month_day else ""

    def __str__(self) -> str:
        return f"{self.trait_type} {self.value}"[:80]


class CollectedField(Labelled):
    """What a stage may demand of a customer's file: its columns, and traits by the code of their type."""

    NAME = "name"
    NAME_OR_ALIAS = "name_or_alias"
    CONTACT = "contact"
    PHONE = "phone"
    SEX = "sex"
    AGE = "age"
    OCCUPATION = "occupation"
    AREA = "area"
    ID_NO = "id_no"
    SOURCE = "source_channel"
    HOBBY = "trait_hobby"
    TEMPER = "trait_temper"
    ROUTINE = "trait_routine"
    ANNIVERSARY = "trait_anniversary"
    EVENTS = "trait_events"
    CALLING = "trait_calling"
    NEEDS = "trait_needs"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {
            cls.NAME: _l("Full name"),
            cls.NAME_OR_ALIAS: _l("Name or alias"),
            cls.CONTACT: _l("A way to reach her"),
            cls.PHONE: _l("Telephone"),
            cls.SEX: _l("Sex"),
            cls.AGE: _l("Age or date of birth"),
            cls.OCCUPATION: _l("Occupation"),
            cls.AREA: _l("Area or address"),
            cls.ID_NO: _l("ID number"),
            cls.SOURCE: _l("Source channel"),
            cls.HOBBY: _l("Interests"),
            cls.TEMPER: _l("Temperament"),
            cls.ROUTINE: _l("Daily routine"),
            cls.ANNIVERSARY: _l("Anniversary"),
            cls.EVENTS: _l("Events she would like"),
            cls.CALLING: _l("Mind when following up"),
            cls.NEEDS: _l("Personal wishes"),
        }

    @property
    def trait_code(self) -> str | None:
        """The code of the trait type demanded, if it is one."""
        return self.value.removeprefix("trait_") if self.value.startswith("trait_") else None


class FieldRequirement(Recorded, Base):
    """Whether a stage must know a field; a branch's row goes before the group's. R-1.2-1."""

    __tablename__ = "field_requirement"
    TITLE, TITLES = _l("Required field"), _l("Required fields")
    SCOPE = Scope(shared=True)
    __table_args__ = (
        one_of("stage", Stage),
        one_of("field", CollectedField),
        Index(
            "uq_field_requirement_branch_stage_field",
            "branch_id",
            "stage",
            "field",
            unique=True,
            postgresql_nulls_not_distinct=True,
        ),
    )

    stage: Mapped[Stage] = mapped_column(Choice(Stage), info=col(_l("Stage")))
    field: Mapped[CollectedField] = mapped_column(Choice(CollectedField), info=col(_l("Field")))
    required: Mapped[bool] = mapped_column(default=True, server_default="true", info=col(_l("Required")))
    branch_id: Mapped[int | None] = mapped_column(
        ForeignKey("branch.id"), index=True, info=col(_l("Branch"), _l("Empty: the whole group."))
    )

    branch: Mapped[Branch | None] = relationship(lazy="select")

    def __str__(self) -> str:
        return f"{self.stage.label}: {self.field.label}"


class MergeProof(Labelled):
    """What shows that two files are of one person. SM-01."""

    ID_NUMBER = "id_number"
    NUMBER = "number"
    SEEN = "seen"
    SAID = "said"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {
            cls.ID_NUMBER: _l("The same ID number"),
            cls.NUMBER: _l("The same telephone or account"),
            cls.SEEN: _l("Recognised in person"),
            cls.SAID: _l("The customer said so herself"),
        }


class MergeState(Labelled):
    """A supervisor proposes, the information centre carries out. SM-01."""

    PROPOSED = "proposed"
    DONE = "done"
    REJECTED = "rejected"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {cls.PROPOSED: _l("Proposed"), cls.DONE: _l("Carried out"), cls.REJECTED: _l("Rejected")}

    @classmethod
    def tones(cls) -> dict[Any, str]:
        return {cls.PROPOSED: "warn", cls.DONE: "ok"}


class CustomerMergeLog(Stateful, Recorded, Branched, Base):
    """Two files of one person: which was kept, who proposed and who carried out, and what went over. SM-01.

    ``counts`` is {table.column: rows}, ``moved`` {table.column: [ids]}, so that a merge can be explained.
    """

    __tablename__ = "customer_merge_log"
    TITLE, TITLES = _l("Merge of files"), _l("Merges of files")
    SCOPE = Scope(via="kept")
    LOCK_FIRST = ("kept_id", "merged_id")
    ALSO_TOLD = ("counts", "moved")
    STATES = MergeState
    MOVES = {MergeState.PROPOSED: {MergeState.DONE, MergeState.REJECTED}}
    __table_args__ = (
        one_of("state", MergeState),
        one_of("proof", MergeProof),
        CheckConstraint("kept_id <> merged_id", name="two_files"),
        CheckConstraint("decided_by_id <> proposed_by_id", name="two_people"),
        CheckConstraint("(state = 'proposed') = (decided_at IS NULL)", name="decided_when_decided"),
        CheckConstraint("state = 'proposed' OR decided_by_id IS NOT NULL", name="decided_by_somebody"),
        CheckConstraint("state <> 'rejected' OR decision_note IS NOT NULL", name="rejection_has_reason"),
        Index(
            "uq_customer_merge_log_merged",
            "merged_id",
            unique=True,
            postgresql_where=text("state IN ('proposed', 'done')"),
        ),
    )

    merged_id: Mapped[int] = mapped_column(ForeignKey("customer.id"), index=True, info=col(_l("File merged away")))
    kept_id: Mapped[int] = mapped_column(ForeignKey("customer.id"), index=True, info=col(_l("File kept")))
    state: Mapped[MergeState] = mapped_column(Choice(MergeState), default=MergeState.PROPOSED, info=col(_l("State")))
    proof: Mapped[MergeProof] = mapped_column(Choice(MergeProof), info=col(_l("Proof that it is one person")))
    reason: Mapped[str] = mapped_column(String(500), info=col(_l("Reason"), multiline=True))
    proposed_by_id: Mapped[int] = mapped_column(ForeignKey("employee.id"), info=col(_l("Proposed by")))
    proposed_at: Mapped[datetime] = mapped_column(Instant, info=col(_l("Proposed at")))
    decided_by_id: Mapped[int | None] = mapped_column(ForeignKey("employee.id"), info=col(_l("Decided by")))
    decided_at: Mapped[datetime | None] = mapped_column(Instant, info=col(_l("Decided at")))
    decision_note: Mapped[str | None] = mapped_column(String(500), info=col(_l("Reason for the decision")))
    counts: Mapped[dict[str, int]] = mapped_column(JSONB, default=dict, server_default=text("'{}'::jsonb"))
    moved: Mapped[dict[str, list[int]]] = mapped_column(JSONB, default=dict, server_default=text("'{}'::jsonb"))

    branch: Mapped[Branch] = relationship(lazy="select")
    merged: Mapped[Customer] = relationship(foreign_keys=[merged_id], lazy="select")
    kept: Mapped[Customer] = relationship(foreign_keys=[kept_id], lazy="select")
    proposed_by: Mapped[Employee] = relationship(foreign_keys=[proposed_by_id], lazy="select")
    decided_by: Mapped[Employee | None] = relationship(foreign_keys=[decided_by_id], lazy="select")

    def __str__(self) -> str:
        return f"{self.merged.customer_no} → {self.kept.customer_no}"
