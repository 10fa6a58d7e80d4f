"""The working list: whose call is next, and to when a call can be put off with one key. White paper 2.22."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import IntEnum
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, and_, case, func, or_
from sqlalchemy.orm import Session, joinedload

from app.actors import Actor
from app.models.customers import Customer
from app.models.followup import FollowupPlan, PlanState
from app.models.hr import Branch
from app.services.contacting import is_quiet, quiet_hours
from app.services.scope import in_scope
from app.words import _l


class Rank(IntEnum):
    """Why a call stands where it stands, the first first."""

    PROMISED = 0
    OVERDUE = 1
    FOCUS = 2
    TODAY = 3


@dataclass(frozen=True)
class Call:
    """A plan in the list, and why it stands there."""

    plan: FollowupPlan
    rank: Rank


@dataclass(frozen=True)
class Calls:
    """A page of the list, ``after`` it the next one, and how many there are in all."""

    calls: Sequence[Call]
    total: int
    after: int | None


@dataclass(frozen=True)
class Later:
    """To when a call can be put off with one key."""

    name: str
    label: object
    days: int


_customer = joinedload(FollowupPlan.customer)
#: What the list and the open call show, in the same statement: any row may be the next that is open.
SHOWN = (
    joinedload(FollowupPlan.category),
    joinedload(FollowupPlan.branch),
    joinedload(FollowupPlan.executor),
    joinedload(FollowupPlan.cover),
    joinedload(FollowupPlan.approver),
    joinedload(FollowupPlan.contact_record),
    joinedload(FollowupPlan.appointment_slip),
    _customer.joinedload(Customer.contacts),
    _customer.joinedload(Customer.developer),
    _customer.joinedload(Customer.owner_consultant),
)
LATER = (
    Later("tomorrow", _l("Tomorrow"), 1),
    Later("in_three", _l("In 3 days"), 3),
    Later("next_week", _l("Next week"), 7),
)


def day_of(by: Actor, at: datetime) -> tuple[datetime, datetime]:
    """Return the beginning of the day, by the clock of who asks, and its end."""
    day = at.astimezone(by.timezone).date()
    return tuple(datetime.combine(day + timedelta(days=each), time.min, by.timezone) for each in (0, 1))  # type: ignore[return-value]


def mine(by: Actor, at: datetime) -> ColumnElement[bool]:
    """Return the condition of the calls of today and of earlier days that a person makes, or covers."""
    return and_(
        FollowupPlan.state == PlanState.APPROVED,
        or_(FollowupPlan.executor_id == by.employee_id, FollowupPlan.cover_id == by.employee_id),
        FollowupPlan.planned_at < day_of(by, at)[1],
    )


def rank_of(by: Actor, at: datetime) -> Any:
    """Return the order: promised and its minute has come, overdue, focus, then by the hour."""
    return case(
        (and_(FollowupPlan.is_promised, FollowupPlan.planned_at <= at), Rank.PROMISED.value),
        (FollowupPlan.planned_at < day_of(by, at)[0], Rank.OVERDUE.value),
        (FollowupPlan.focus_flag, Rank.FOCUS.value),
        else_=Rank.TODAY.value,
    )


def calls_of(session: Session, by: Actor, at: datetime, *, most: int) -> Calls:
    """Return the first calls of a person's list: one statement, however long the list is."""
    rank = rank_of(by, at)
    statement = (
        in_scope(FollowupPlan, by)
        .where(mine(by, at))
        .add_columns(rank, func.count().over())
        .options(*SHOWN)
        .order_by(rank, FollowupPlan.planned_at, FollowupPlan.id)
        .limit(most + 1)
    )
    rows = session.execute(statement).unique().all()
    found = [Call(row[0], Rank(row[1])) for row in rows]
    after = found[most].plan.id if len(found) > most else None
    return Calls(found[:most], rows[0][2] if rows else 0, after)


def call_of(session: Session, by: Actor, at: datetime, plan_id: int) -> FollowupPlan | None:
    """Return a call of a person's list with what its page shows; None if it does not stand there any more."""
    statement = in_scope(FollowupPlan, by).where(FollowupPlan.id == plan_id, mine(by, at)).options(*SHOWN)
    return session.scalars(statement).unique().one_or_none()


class Clocks:
    """At which hour a call that is put off to another day is made: its own, or the end of the quiet hours."""

    def __init__(self, session: Session, branch: Branch, at: datetime) -> None:
        self.zone = ZoneInfo(branch.zone)
        self.begins, self.ends = quiet_hours(session, branch.id, at)

    def clock(self, plan: FollowupPlan) -> time:
        """Return the time of day by the branch's clock."""
        own = plan.planned_at.astimezone(self.zone).time().replace(second=0, microsecond=0)
        return self.ends if is_quiet(own, self.begins, self.ends) else own

    def written(self, plan: FollowupPlan, day: date) -> str:
        """Return when a call is put off to a day, as a form's field takes it."""
        return f"{day.isoformat()}T{self.clock(plan):%H:%M}"


def days_ahead(by: Actor, at: datetime) -> list[tuple[Later, date]]:
    """Return the days to which a call can be put off with one key, by the clock of who asks."""
    today = at.astimezone(by.timezone).date()
    return [(later, today + timedelta(days=later.days)) for later in LATER]
