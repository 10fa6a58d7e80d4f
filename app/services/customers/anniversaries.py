"""Birthdays and anniversaries: who has one soon, and the call that wishes her well. White paper 1.3; R-1.2-2."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Select, extract, select, tuple_
from sqlalchemy.orm import Session, joinedload, selectinload

from app.actors import Actor
from app.models.customers import BirthCalendar, Customer, CustomerTrait, TraitState
from app.models.hr import Branch
from app.services.customers.states import OPEN_FILES
from app.services.followup import ANNIVERSARY, BIRTHDAY, Occasion, occur, rules_of
from app.services.lunar import birthdays
from app.services.scope import in_scope

#: The triggers of the days on which customers are wished well.
WISHES = (BIRTHDAY, ANNIVERSARY)


@dataclass(frozen=True)
class Wish:
    """A day on which a customer is wished well: her birthday if there is no trait, the lunar one in ``lunar_year``."""

    day: date
    customer: Customer
    trait: CustomerTrait | None = None
    lunar_year: int | None = None

    @property
    def rule(self) -> str:
        return BIRTHDAY if self.trait is None else ANNIVERSARY

    @property
    def again(self) -> str:
        """What she is wished well for but once: her birthday of a year, whatever stands on one day.

        So a date or trait that is corrected, and a file into which another was merged, get no second call.
        """
        return str(self.lunar_year or self.day.year) if self.trait is None else self.day.isoformat()

    @property
    def occasion(self) -> str:
        calendar = "lunar:" if self.lunar_year is not None else ""
        return f"customer:{self.customer.id}:{calendar}{self.again}"


def day_in(year: int, month: int, day: int) -> date:
    """Return a yearly day in a year; 29 February falls on the 28th where there is none."""
    try:
        return date(year, month, day)
    except ValueError:
        return date(year, month, 28)


def _keys(first: date, days: int) -> dict[tuple[int, int], date]:
    """Return the (month, day) pairs that fall on the given day or the days after it, with their dates."""
    keys: dict[tuple[int, int], date] = {}
    for offset in range(days + 1):
        day = first + timedelta(days=offset)
        keys[day.month, day.day] = day
        if (day.month, day.day) == (2, 28) and day_in(day.year, 2, 29) == day:
            keys[2, 29] = day
    return keys


def coming(session: Session, by: Actor, *, first: date, days: int) -> list[Wish]:
    """Return the wishes from a day on, of open files in scope, the next day first."""
    return _wishes(session, in_scope(Customer, by), first, days)


def _wishes(session: Session, customers: Select[Any], first: date, days: int) -> list[Wish]:
    keys = _keys(first, days)
    open_files = customers.where(Customer.state.in_(OPEN_FILES)).options(
        selectinload(Customer.contacts), joinedload(Customer.developer), joinedload(Customer.owner_consultant)
    )
    month, month_day = extract("month", Customer.birth_on), extract("day", Customer.birth_on)
    is_solar = Customer.birth_calendar.is_distinct_from(BirthCalendar.LUNAR)
    born = session.scalars(open_files.where(is_solar, tuple_(month, month_day).in_(sorted(keys)))).unique()
    wishes = [Wish(keys[one.birth_on.month, one.birth_on.day], one) for one in born if one.birth_on is not None]
    wishes += _lunar_wishes(session, open_files, first, days)
    marked = _traits_on(keys).where(
        CustomerTrait.customer_id.in_(customers.where(Customer.state.in_(OPEN_FILES)).with_only_columns(Customer.id))
    )
    wishes += [
        Wish(keys[trait.month, trait.month_day], trait.customer, trait)
        for trait in session.scalars(marked).unique()
        if trait.month is not None and trait.month_day is not None
    ]
    return sorted(wishes, key=lambda wish: (wish.day, wish.customer.id, wish.rule, wish.occasion))


def _lunar_wishes(session: Session, open_files: Select[Any], first: date, days: int) -> list[Wish]:
    """Return the birthdays of those who celebrate the lunar one. The database knows no lunar days: all of them are
    looked at by their date of birth, and those whose day has come are read."""
    lunar = open_files.where(Customer.birth_calendar == BirthCalendar.LUNAR, Customer.birth_on.is_not(None))
    days_of: dict[int, tuple[date, int]] = {}
    for key, born in session.execute(lunar.with_only_columns(Customer.id, Customer.birth_on)):
        assert born is not None
        for day, lunar_year in birthdays(born, first, first + timedelta(days=days)):
            days_of[key] = (day, lunar_year)
    if not days_of:
        return []
    found = session.scalars(open_files.where(Customer.id.in_(sorted(days_of)))).unique()
    return [Wish(days_of[one.id][0], one, lunar_year=days_of[one.id][1]) for one in found]


def _traits_on(keys: Iterable[tuple[int, int]]) -> Select[Any]:
    return (
        select(CustomerTrait)
        .where(CustomerTrait.state == TraitState.CURRENT)
        .where(tuple_(CustomerTrait.month, CustomerTrait.month_day).in_(sorted(keys)))
        .options(
            joinedload(CustomerTrait.trait_type),
            joinedload(CustomerTrait.customer).selectinload(Customer.contacts),
            joinedload(CustomerTrait.customer).joinedload(Customer.developer),
            joinedload(CustomerTrait.customer).joinedload(Customer.owner_consultant),
        )
    )


def plan_all(session: Session, branch: Branch, *, first: date, days: int, at: datetime) -> int:
    """Make the calls about a branch's birthdays and anniversaries that are for a day or the days after it; return how
    many were made.

    Once per rule, customer and year (``Wish.again``). Merged, frozen and restricted files get none. A day that is made
    up is wished for today; what a rule wants before an occasion is not made once the occasion is there.
    """
    today = at.astimezone(ZoneInfo(branch.zone)).date()
    rules = [rule for code in WISHES for rule in rules_of(session, code, branch.id)]
    customers = select(Customer).where(Customer.branch_id == branch.id)
    wishes = {
        (wish.rule, wish.occasion): wish
        for offset in sorted({offset for rule in rules for offset in rule.offset_days})
        for wish in _wishes(session, customers, first - timedelta(days=offset), days)
    }
    return sum(
        occur(
            session,
            Occasion(
                trigger=wish.rule,
                subject=wish.occasion,
                day=wish.day,
                branch=branch,
                customer=wish.customer,
                purpose=None if wish.trait is None else wish.trait.value,
                first=first if wish.day > today else max(first, wish.day),
                last=first + timedelta(days=days),
                again=wish.again,
            ),
            at=at,
        )
        for wish in wishes.values()
    )
