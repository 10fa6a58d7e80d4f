"""Rules that send messages: what follow-up's rules make beside plans, and the wishes at festivals. 1.3, REF-8.

A rule names its template; follow-up tells it of every occasion. A festival is one of every open file of a branch.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, selectinload

from app.models.customers import Customer
from app.models.followup import FollowupRule, RuleMakes
from app.models.hr import Branch
from app.services.customers.states import OPEN_FILES
from app.services.followup.planning import about_occasion, makes, moment_of, rules_of
from app.services.followup.triggers import FESTIVAL, Occasion
from app.services.lunar import Festival, festivals_on
from app.services.messages.outbox import queue_by_rule
from app.services.placeholders import About
from app.services.tasks import TaskRun, task
from app.words import _l

FESTIVAL_WISHES = "messages.festival"
#: Customers to a step of the task that writes the wishes of a festival.
PIECE = 100


@makes(RuleMakes.MESSAGE)
def message_of(session: Session, rule: FollowupRule, occasion: Occasion, key: str, when: datetime) -> int:
    """Queue the message of a rule for an occasion; who may not be written to gets none. Returns how many are new."""
    if occasion.customer is None:
        return 0
    about = about_occasion(session, occasion, when)
    return int(queue_by_rule(session, rule, occasion.customer, key, when, about=about).is_new)


# --- festivals ---------------------------------------------------------------------------------------------------


def festival_rules(session: Session, branch_id: int, day: date) -> list[tuple[FollowupRule, Festival]]:
    """Return the rules of a branch that send wishes on a day, each with its festival."""
    today = festivals_on(day)
    return [
        (rule, festival)
        for rule in (rules_of(session, FESTIVAL, branch_id) if today else [])
        if rule.makes is RuleMakes.MESSAGE
        for festival in today
        if rule.festival in (None, festival.code) and 0 in rule.offset_days
    ]


@task(FESTIVAL_WISHES, _l("Wishes at a festival"), steps=True, tells_done=False)
def write_wishes(run: TaskRun) -> object:
    """Put the wishes of a branch's festival into the outbox, a hundred customers to a step; once per customer."""
    branch = run.session.get_one(Branch, run.parameters["branch_id"])
    branch_id, day = branch.id, date.fromisoformat(run.parameters["day"])
    count, after = 0, int(run.checkpoint.get("after", 0))
    while True:
        with run.step() as checkpoint:
            customers = _next_customers(run.session, branch_id, after)
            count += wish(run.session, branch_id, day, customers, run.clock())
            after = customers[-1].id if customers else after
            checkpoint["after"] = after
        if len(customers) < PIECE:
            return _l("Messages written: %(count)s.", count=count)


def _next_customers(session: Session, branch_id: int, after: int) -> list[Customer]:
    statement = (
        select(Customer)
        .where(Customer.branch_id == branch_id, Customer.state.in_(OPEN_FILES), Customer.id > after)
        .options(selectinload(Customer.contacts), joinedload(Customer.branch), joinedload(Customer.developer))
        .order_by(Customer.id)
        .limit(PIECE)
    )
    return list(session.scalars(statement).unique())


def wish(session: Session, branch_id: int, day: date, customers: Iterable[Customer], at: datetime) -> int:
    """Queue the wishes of a day's festivals to some customers of a branch; return how many are new."""
    rules, branch, count = festival_rules(session, branch_id, day), session.get_one(Branch, branch_id), 0
    when = moment_of(session, branch, day, at)
    for customer in customers:
        told: Any = About(ZoneInfo(branch.zone), customer, branch, None, customer.developer, day, when)
        for rule, festival in rules:
            subject = f"customer:{customer.id}:{festival.code}:{day.year}"
            about = replace(told, more={"festival": festival})
            count += int(queue_by_rule(session, rule, customer, subject, when, about=about).is_new)
    return count
