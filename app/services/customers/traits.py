"""Soft facts about a customer: added with stage and collector, corrected by a new row, withdrawn. R-1.2-2, R-1.2-3."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy.orm import Session

from app.actors import Actor
from app.acts import Outcome, act
from app.errors import InvalidInput
from app.fields import Choose, HouseForm, Item, Reason, Whole, Words
from app.models.customers import Customer, CustomerTrait, Stage, TraitState
from app.models.settings import DictionaryItem
from app.services.customers.states import OPEN_FILES, closed_file
from app.words import _, _l

#: The dictionary of types with Chinese and English name: the soft facts of 1.2. U3 leaves open whether 常来… means the
#: time at which she calls.
TRAIT_TYPES: tuple[tuple[str, str, str], ...] = (
    ("hobby", "兴趣爱好", "Interests"),
    ("temper", "性格脾气", "Temperament"),
    ("routine", "作息时间", "Daily routine"),
    ("anniversary", "纪念日", "Anniversary"),
    ("events", "希望参加的活动", "Events she would like"),
    ("calling", "回访注意事项", "Mind when following up"),
    ("habit", "习惯", "Habits"),
    ("needs", "个性化需求", "Personal wishes"),
    ("other_contact", "其他联系方式", "Other ways to reach her"),
    ("call_time", "常来电时间", "When she usually calls"),
    ("occupation", "职业", "Occupation"),
    ("family", "家庭", "Family"),
    ("other", "其他", "Other"),
)
ANNIVERSARY = "anniversary"
#: A leap year, in which every day exists that a year may have.
LEAP_YEAR = 2024


class _What(HouseForm):
    """Of which type a trait is."""

    trait_type_id = Item(
        _l("Type of trait"),
        dictionary="trait_type",
        required=True,
        description=_l(
            "Soft facts only. Medical history, findings, diagnoses and photographs are no traits: they belong in the "
            "medical record."
        ),
    )


class _Content(HouseForm):
    """What is known, and where it was learned."""

    value = Words(_l("What is known"), required=True, most=400, multiline=True)
    month = Whole(_l("Month"), least=1, most=12, description=_l("For an anniversary; it comes back every year."))
    month_day = Whole(_l("Day of the month"), least=1, most=31)
    stage = Choose(_l("Stage"), options=Stage, required=True)

    def check(self) -> None:
        month, day = self.month.data, self.month_day.data
        if (month is None) != (day is None):
            self.refuse("month" if month is None else "month_day", _("A day has a month and a day."))
        elif month is not None and day is not None and not _exists(month, day):
            self.refuse("month_day", _("There is no such day."))


class NewTrait(_What, _Content):
    """One more trait."""


class Correction(_Content):
    """What the trait is instead."""


def _exists(month: int, day: int) -> bool:
    try:
        date(LEAP_YEAR, month, day)
    except ValueError:
        return False
    return True


def _refuse_without_day(session: Session, trait_type_id: int, month: int | None) -> None:
    if month is None and session.get_one(DictionaryItem, trait_type_id).code == ANNIVERSARY:
        raise InvalidInput({"month": [_("An anniversary has a month and a day.")]})


@act(
    Customer,
    "add_trait",
    _l("Add a trait"),
    form=NewTrait,
    moves=dict.fromkeys(OPEN_FILES),
    icon="chat-heart",
    consequence=_l("What helps to serve her well; who learned it, when and at which stage is kept."),
)
def add_trait(
    session: Session,
    customer: Customer,
    *,
    trait_type_id: int,
    value: str,
    stage: Stage,
    month: int | None = None,
    month_day: int | None = None,
    by: Actor,
    at: datetime,
) -> Outcome:
    """Write down a soft fact with the stage and the person that learned it. R-1.2-2.

    Refuses an anniversary without its day. The form says that medical facts are none of these (R-1.2-3).
    """
    _refuse_without_day(session, trait_type_id, month)
    trait = CustomerTrait(
        customer_id=customer.id,
        trait_type_id=trait_type_id,
        value=value,
        month=month,
        month_day=month_day,
        stage=stage,
        state=TraitState.CURRENT,
        collected_by_id=by.employee_id,
        collected_at=at,
    )
    session.add(trait)
    session.flush()
    return Outcome(result=trait)


def _of_open_file(trait: Any, by: Actor) -> object | None:
    return closed_file(trait.customer)


@act(
    CustomerTrait,
    "correct",
    _l("Correct"),
    form=Correction,
    moves={TraitState.CURRENT: TraitState.SUPERSEDED},
    guard=_of_open_file,
    prefill=("value", "month", "month_day", "stage"),
    icon="pencil",
    consequence=_l("A new row takes its place; the old one stays readable."),
)
def correct(
    session: Session,
    trait: CustomerTrait,
    *,
    value: str,
    stage: Stage,
    month: int | None = None,
    month_day: int | None = None,
    by: Actor,
    at: datetime,
) -> Outcome:
    """Replace a trait by what is right; the old row stays as corrected. R-1.2-2."""
    _refuse_without_day(session, trait.trait_type_id, month)
    new = CustomerTrait(
        customer_id=trait.customer_id,
        trait_type_id=trait.trait_type_id,
        value=value,
        month=month,
        month_day=month_day,
        stage=stage,
        state=TraitState.CURRENT,
        collected_by_id=by.employee_id,
        collected_at=at,
        supersedes_id=trait.id,
    )
    session.add(new)
    session.flush()
    return Outcome(result=new)


@act(
    CustomerTrait,
    "withdraw",
    _l("Withdraw"),
    form=Reason,
    moves={TraitState.CURRENT: TraitState.WITHDRAWN},
    guard=_of_open_file,
    icon="x-circle",
)
def withdraw(session: Session, trait: CustomerTrait, *, reason: str, by: Actor, at: datetime) -> None:
    """Take back a trait that does not hold, or that she does not want kept; the row stays. R-1.2-2."""
    trait.withdrawn_reason = reason
