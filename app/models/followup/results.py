"""What came of a plan: the call, its review, and the case that others learn from. White paper 1.3, 2.1.4; SM-03."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.appointments import AppointmentSlip
from app.models.base import Base, Choice, Encrypted, Instant, Labelled, Recorded, Scope, Stateful, col, one_of
from app.models.followup.plans import FollowupPlan
from app.models.followup.rules import FollowupCategory
from app.models.hr import Branch, Employee
from app.models.telephone import PhoneCall
from app.words import _l


class CallMethod(Labelled):
    """How the customer was followed up."""

    PHONE = "phone"
    SMS = "sms"
    WECHAT = "wechat"
    FACE = "face"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {
            cls.PHONE: _l("By telephone"),
            cls.SMS: _l("Text message"),
            cls.WECHAT: _l("WeChat"),
            cls.FACE: _l("Face to face"),
        }


class FollowupExecution(Base):
    """One carrying out of a plan: what the customer said. A plan has a second one where a review sends it back."""

    __tablename__ = "followup_execution"
    TITLE, TITLES = _l("Carried out"), _l("Calls carried out")
    SCOPE = Scope(via="plan")
    __table_args__ = (
        one_of("method", CallMethod),
        CheckConstraint("satisfaction BETWEEN 1 AND 5", name="satisfaction_bounds"),
        CheckConstraint("(doctor_plan_id IS NOT NULL) = abnormal_flag", name="abnormal_goes_to_the_doctor"),
        Index("ix_followup_execution_executed_at", "executed_at"),
    )

    plan_id: Mapped[int] = mapped_column(ForeignKey("followup_plan.id"), index=True, info=col(_l("Follow-up plan")))
    executor_id: Mapped[int | None] = mapped_column(ForeignKey("employee.id"), info=col(_l("Carried out by")))
    executed_at: Mapped[datetime] = mapped_column(Instant, info=col(_l("Done at")))
    method: Mapped[CallMethod] = mapped_column(Choice(CallMethod), info=col(_l("Method")))
    reached: Mapped[bool] = mapped_column(info=col(_l("Reached")))
    feedback: Mapped[str] = mapped_column(Encrypted(2000), info=col(_l("Feedback"), multiline=True))
    satisfaction: Mapped[int | None] = mapped_column(SmallInteger, info=col(_l("Satisfaction"), _l("1 to 5")))
    abnormal_flag: Mapped[bool] = mapped_column(default=False, server_default="false", info=col(_l("Abnormal")))
    doctor_plan_id: Mapped[int | None] = mapped_column(ForeignKey("followup_plan.id"), info=col(_l("Doctor's task")))
    appointment_slip_id: Mapped[int | None] = mapped_column(
        ForeignKey("appointment_slip.id"), index=True, info=col(_l("Slip that came of it"))
    )
    phone_call_id: Mapped[int | None] = mapped_column(
        ForeignKey("phone_call.id"), index=True, info=col(_l("Telephone call"))
    )

    plan: Mapped[FollowupPlan] = relationship(foreign_keys=[plan_id], lazy="select")
    executor: Mapped[Employee | None] = relationship(lazy="select")
    doctor_plan: Mapped[FollowupPlan | None] = relationship(foreign_keys=[doctor_plan_id], lazy="select")
    appointment_slip: Mapped[AppointmentSlip | None] = relationship(lazy="select")
    phone_call: Mapped[PhoneCall | None] = relationship(lazy="select")

    def __str__(self) -> str:
        return f"{self.plan} {self.method.label}"


class FollowupReview(Base):
    """A supervisor's look at one carrying out: heard, graded, passed or sent back."""

    __tablename__ = "followup_review"
    TITLE, TITLES = _l("Review"), _l("Reviews")
    SCOPE = Scope(via="plan")
    __table_args__ = (
        CheckConstraint("quality_score BETWEEN 1 AND 5", name="score_bounds"),
        CheckConstraint("passed OR comment IS NOT NULL", name="rework_has_comment"),
        CheckConstraint("NOT is_case OR passed", name="case_passed"),
    )

    plan_id: Mapped[int] = mapped_column(ForeignKey("followup_plan.id"), index=True, info=col(_l("Follow-up plan")))
    execution_id: Mapped[int] = mapped_column(
        ForeignKey("followup_execution.id"), unique=True, info=col(_l("Carried out"))
    )
    reviewer_id: Mapped[int] = mapped_column(ForeignKey("employee.id"), index=True, info=col(_l("Reviewed by")))
    reviewed_at: Mapped[datetime] = mapped_column(Instant, info=col(_l("Reviewed at")))
    passed: Mapped[bool] = mapped_column(info=col(_l("Passed")))
    listened_recording: Mapped[bool] = mapped_column(
        default=False, server_default="false", info=col(_l("Recording heard"))
    )
    quality_score: Mapped[int | None] = mapped_column(SmallInteger, info=col(_l("Quality"), _l("1 to 5")))
    is_case: Mapped[bool] = mapped_column(default=False, server_default="false", info=col(_l("Made a case")))
    comment: Mapped[str | None] = mapped_column(Encrypted(1000), info=col(_l("Comment"), multiline=True))

    plan: Mapped[FollowupPlan] = relationship(lazy="select")
    execution: Mapped[FollowupExecution] = relationship(lazy="select")
    reviewer: Mapped[Employee] = relationship(lazy="select")

    def __str__(self) -> str:
        return f"{self.plan}"


class CaseState(Labelled):
    """A case is read over before others see it."""

    DRAFT = "draft"
    PUBLISHED = "published"
    RETIRED = "retired"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {cls.DRAFT: _l("Draft"), cls.PUBLISHED: _l("Published"), cls.RETIRED: _l("Withdrawn from use")}

    @classmethod
    def tones(cls) -> dict[Any, str]:
        return {cls.DRAFT: "warn", cls.PUBLISHED: "ok"}


class FollowupCase(Stateful, Recorded, Base):
    """A follow-up that others learn from, without whose it was. R-2.22-8.

    No column leads back to the customer; ``review_id`` tells who made it a case, and is shown to nobody.
    """

    __tablename__ = "followup_case"
    TITLE, TITLES = _l("Case"), _l("Cases")
    SCOPE = Scope(shared=True)
    STATES = CaseState
    MOVES = {
        CaseState.DRAFT: {CaseState.PUBLISHED, CaseState.RETIRED},
        CaseState.PUBLISHED: {CaseState.RETIRED},
        CaseState.RETIRED: {CaseState.PUBLISHED},
    }
    __table_args__ = (one_of("state", CaseState),)

    title: Mapped[str] = mapped_column(String(120), info=col(_l("Title"), search=True))
    state: Mapped[CaseState] = mapped_column(Choice(CaseState), default=CaseState.DRAFT, info=col(_l("State")))
    category_id: Mapped[int] = mapped_column(ForeignKey("followup_category.id"), index=True, info=col(_l("Category")))
    about: Mapped[str | None] = mapped_column(String(120), info=col(_l("About whom"), _l("Sex and age group only.")))
    purpose: Mapped[str | None] = mapped_column(info=col(_l("Purpose"), search=True))
    guidance: Mapped[str | None] = mapped_column(info=col(_l("Guidance"), multiline=True))
    feedback: Mapped[str] = mapped_column(info=col(_l("Feedback"), multiline=True, search=True))
    lesson: Mapped[str | None] = mapped_column(info=col(_l("What to learn from it"), multiline=True, search=True))
    quality_score: Mapped[int | None] = mapped_column(SmallInteger, info=col(_l("Quality"), _l("1 to 5")))
    branch_id: Mapped[int] = mapped_column(ForeignKey("branch.id"), index=True, info=col(_l("Branch")))
    review_id: Mapped[int] = mapped_column(ForeignKey("followup_review.id"), unique=True)

    category: Mapped[FollowupCategory] = relationship(lazy="select")
    branch: Mapped[Branch] = relationship(lazy="select")

    def __str__(self) -> str:
        return self.title
