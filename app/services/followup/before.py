"""What one looks at before a call: what is known of the customer, and what was with her. 2.22."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, Integer, Select, String, cast, literal, null, select, union_all
from sqlalchemy.orm import Session

from app.actors import Actor
from app.models.appointments import AppointmentSlip, ContactRecord
from app.models.base import Encrypted, Instant
from app.models.customers import CustomerTrait, TraitState
from app.models.followup import FollowupCategory, FollowupExecution, FollowupPlan
from app.models.hr import Employee
from app.models.settings import DictionaryItem
from app.services.guard import crossing
from app.services.scope import narrowed
from app.words import locale_in_force

TRAIT, CALL, SLIP, CONTACT = "customer_trait", "followup_execution", "appointment_slip", "contact_record"
#: Of what was before, the newest so many of a kind; of what is known, all.
OF_A_KIND, OF_TRAITS = 5, 60


@dataclass(frozen=True)
class Told:
    """A trait, a call, a slip or a contact: of which record, when, by whom, its state or way, its words.

    ``name`` is the type of a trait, the category of a call or contact; ``code`` that of the type. ``then`` is the hour
    of a slip, ``reached`` and ``grade`` are a call's, ``day`` is a trait's yearly one.
    """

    kind: str
    id: int
    number: str
    at: datetime
    who: str
    way: str
    text: str
    name: str
    code: str
    then: datetime | None
    reached: bool
    grade: int | None
    day: str


def before(session: Session, customer_id: int, by: Actor) -> Sequence[Told]:
    """Return what is known of a customer and what was with her, as far as one lists and sees it, the newest first."""
    kinds = {TRAIT: _traits, CALL: _calls, SLIP: _slips, CONTACT: _contacts}
    parts = [build(customer_id, by) for kind, build in kinds.items() if by.may(kind, "can_list")]
    if not parts:
        return []
    whole = union_all(*(select(part.subquery()) for part in parts)).subquery()
    # Each part is narrowed to the reader's scope; who did it and the names of lists are told with it.
    with crossing("history"):
        rows = session.execute(select(whole).order_by(whole.c.at.desc(), whole.c.id.desc())).all()
    return [_told(row) for row in rows]


def _told(row: Any) -> Told:
    name = row.name_en if locale_in_force() == "en" else row.name
    day = f"{row.month:02d}-{row.month_day:02d}" if row.month and row.month_day else ""
    return Told(
        row.kind, row.id, row.number or "", row.at, row.who or "", row.way or "", row.text or "", name or "",
        row.code or "", row.then, bool(row.reached), row.grade, day,
    )  # fmt: skip


def _columns(kind: str, model: Any, at: Any, **given: Any) -> list[Any]:
    """Return the columns of one part, all alike; what a kind does not have is empty."""
    shapes: dict[str, Any] = {
        "number": String(), "who": String(), "way": String(), "text": Encrypted(), "name": String(),
        "name_en": String(), "code": String(), "then": Instant(), "reached": Boolean(), "grade": Integer(),
        "month": Integer(), "month_day": Integer(),
    }  # fmt: skip
    columns = [literal(kind).label("kind"), given.pop("key", model.id).label("id"), at.label("at")]
    return columns + [
        cast(given.get(name, null()), shape).label(name) if name not in ("text", "then") or name not in given
        else given[name].label(name)
        for name, shape in shapes.items()
    ]  # fmt: skip


def _traits(customer_id: int, by: Actor) -> Select[Any]:
    trait, kind = CustomerTrait, DictionaryItem
    columns = _columns(
        TRAIT, trait, trait.collected_at, text=trait.value, name=kind.name, name_en=kind.name_en, code=kind.code,
        month=trait.month, month_day=trait.month_day,
    )  # fmt: skip
    statement = select(*columns).join(kind, kind.id == trait.trait_type_id)
    held = statement.where(trait.customer_id == customer_id, trait.state == TraitState.CURRENT)
    return narrowed(held, trait, by).order_by(trait.collected_at.desc(), trait.id.desc()).limit(OF_TRAITS)


def _calls(customer_id: int, by: Actor) -> Select[Any]:
    done, plan, category = FollowupExecution, FollowupPlan, FollowupCategory
    columns = _columns(
        CALL, done, done.executed_at, key=done.plan_id, number=plan.plan_no, who=Employee.name, way=done.method,
        text=done.feedback, name=category.name, name_en=category.name_en, reached=done.reached, grade=done.satisfaction,
    )  # fmt: skip
    statement = (
        select(*columns)
        .join(plan, plan.id == done.plan_id)
        .join(category, category.id == plan.category_id)
        .outerjoin(Employee, Employee.id == done.executor_id)
        .where(plan.customer_id == customer_id)
    )
    return narrowed(statement, done, by).order_by(done.executed_at.desc(), done.id.desc()).limit(OF_A_KIND)


def _slips(customer_id: int, by: Actor) -> Select[Any]:
    slip = AppointmentSlip
    columns = _columns(
        SLIP, slip, slip.ordered_at, number=slip.slip_no, who=Employee.name, way=slip.state, text=slip.need_text,
        then=slip.appointed_at,
    )  # fmt: skip
    statement = select(*columns).outerjoin(Employee, Employee.id == slip.owner_id)
    hers = statement.where(slip.customer_id == customer_id)
    return narrowed(hers, slip, by).order_by(slip.ordered_at.desc(), slip.id.desc()).limit(OF_A_KIND)


def _contacts(customer_id: int, by: Actor) -> Select[Any]:
    record, kind = ContactRecord, DictionaryItem
    columns = _columns(
        CONTACT, record, record.contacted_at, number=record.record_no, who=Employee.name, way=record.channel,
        text=record.content, name=kind.name, name_en=kind.name_en, code=kind.code,
    )  # fmt: skip
    statement = (
        select(*columns)
        .join(kind, kind.id == record.business_category_id)
        .outerjoin(Employee, Employee.id == record.consultant_id)
        .where(record.customer_id == customer_id)
    )
    return narrowed(statement, record, by).order_by(record.contacted_at.desc(), record.id.desc()).limit(OF_A_KIND)
