"""Birthdays and anniversaries: who has one soon, and the call that wishes her well. White paper 1.3; R-1.2-2."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Select, and_, extract, or_, select, tuple_
from sqlalchemy.orm import Session, joinedload, selectinload

from app.actors import Actor
from app.models.customers import BirthCalendar, Customer, CustomerTrait, TraitState
from app.models.followup import FollowupPlan
from app.models.hr import Branch
from app.services.customers.states import OPEN_FILES
from app.services.followup import ANNIVERSARY, BIRTHDAY, Occasion, occur
from app.services.lunar import birthdays
from app.services.scope import in_scope

HALF_A_YEAR = timedelta(days=176)


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
    def occasion(self) -> str:
        about = f"customer:{self.customer.id}" if self.trait is None else f"trait:{self.trait.id}"
        return f"{about}:{self.day.year}" if self.lunar_year is None else f"{about}:lunar:{self.lunar_year}"


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
    """Plan the calls of a branch's birthdays and anniversaries from a day on; return how many were made.

    Once per customer, rule and year: by the plan's occasion, and a file that took over another's plan by a merge, or
    whose trait was corrected, gets no second one. Merged, frozen and restricted files get none.
    """
    wishes = _wishes(session, select(Customer).where(Customer.branch_id == branch.id), first, days)
    made = 0
    for wish in wishes:
        if _is_planned(session, wish, ZoneInfo(branch.zone)):
            continue
        occasion = Occasion(
            trigger=wish.rule,
            subject=wish.occasion,
            day=wish.day,
            branch=branch,
            customer=wish.customer,
            purpose=None if wish.trait is None else wish.trait.value,
        )
        made += occur(session, occasion, at=at)
    return made


def _is_planned(session: Session, wish: Wish, zone: ZoneInfo) -> bool:
    """Say whether a wish is planned already: a birthday in this year, an anniversary on this day.

    Lunar birthdays lie some 354 or 384 days apart, so that a year may have two: what counts is what is nearer.
    """
    first = date(wish.day.year, 1, 1) if wish.trait is None else wish.day
    after = date(wish.day.year + 1, 1, 1) if wish.trait is None else wish.day + timedelta(days=1)
    if wish.lunar_year is not None:
        first, after = wish.day - HALF_A_YEAR, wish.day + HALF_A_YEAR
    about_then = and_(
        FollowupPlan.customer_id == wish.customer.id,
        FollowupPlan.planned_at >= datetime.combine(first, time.min, zone),
        FollowupPlan.planned_at < datetime.combine(after, time.min, zone),
    )
    statement = select(FollowupPlan.id).where(
        FollowupPlan.trigger == wish.rule, or_(FollowupPlan.occasion == wish.occasion, about_then)
    )
    return session.scalar(statement.limit(1)) is not None
