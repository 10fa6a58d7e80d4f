"""The demo: two branches of an aesthetic hospital with two months of work at the appointment desk.

Everything is made from a fixed seed and an anchor day that is stored first, by running the house's own acts with the
instants of the story; the audit's time stays the database's.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from random import Random
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from faker import Faker
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app.demo.calendar import Calendar
from app.demo.cast import Casting, Numbers
from app.demo.organisation import BRANCHES, PASSWORD, ZONE, found_house, hashed_password
from app.demo.script import Amounts, Script
from app.demo.stage import Stage, play, remember_reference_data
from app.models.audit import DemoState
from app.services.reference import ensure_reference_data
from app.unit import acting_as, unit_of_work
from config import SettingsRefused

if TYPE_CHECKING:
    from flask import Flask

__all__ = ["PASSWORD", "DemoRefused", "load", "refuse_demo_accounts"]

SEED = 20_261_122
CUSTOMERS, CONTACTS, SLIPS = 2000, 3000, 1500
SHARES = (0.7, 0.3)
#: Names the lock under which one load runs at a time ("demo" in ASCII).
LOCK = 0x64656D6F


class DemoRefused(SettingsRefused):
    """Demo data where none may be. The message is for the operator."""


def load(app: Flask, say: Callable[[str], None] = print, *, share: float = 1.0, now: datetime | None = None) -> None:
    """Load the demo into a migrated database, unless it is there: loading twice changes nothing, tomorrow too.

    ``share`` scales the amounts of a first load (0: the branches and their people only); ``now`` is its clock. A load
    that was broken off is continued when it is started again with the same share. Refuses in production.
    """
    if app.config["YIMEI_MODE"] == "production":
        raise DemoRefused("Demo data is not loaded in production: its accounts have a published password.")
    from app.extensions import db

    with app.app_context(), acting_as("house:demo"), db.engine.connect() as guard:
        guard.execute(text("select pg_advisory_lock(:key)"), {"key": LOCK})
        guard.commit()  # the lock is the connection's and outlives the transaction
        try:
            hashing = app.config.get("FAB_PASSWORD_HASH_METHOD", "scrypt")
            with Session(db.engine, expire_on_commit=False, autoflush=False) as session:
                _load(session, say, share, now or datetime.now(UTC), hashing)
        finally:
            guard.execute(text("select pg_advisory_unlock(:key)"), {"key": LOCK})
            guard.commit()


def refuse_demo_accounts(app: Flask) -> None:
    """Raise ``DemoRefused`` if this is production and the database holds the demo."""
    if app.config["YIMEI_MODE"] != "production":
        return
    from app.extensions import db

    with app.app_context():
        if db.session().scalar(select(DemoState.id).limit(1)) is not None:
            raise DemoRefused(
                "This database holds demo data, whose accounts have a published password. "
                "Use a database of its own for production."
            )


def _load(session: Session, say: Callable[[str], None], share: float, now: datetime, hashing: str) -> None:
    zone = ZoneInfo(ZONE)
    with unit_of_work(session):
        state = session.scalars(select(DemoState)).one_or_none()
        if state is None:
            state = DemoState(anchor_on=now.astimezone(zone).date())
            session.add(state)
    if state.finished_at is not None:
        return
    say("Loading the demo: two branches, their people, two months of appointments ...")
    ensure_reference_data(session, now)
    calendar = Calendar(state.anchor_on, now, zone)
    at = calendar.exactly(-120, 9 * 60)
    password_hash = hashed_password(hashing)
    with unit_of_work(session):
        houses = [found_house(session, number, state.anchor_on, at, password_hash) for number in range(len(BRANCHES))]
    remember_reference_data(session)
    fake = Faker("zh_CN")
    fake.seed_instance(SEED)
    numbers = Numbers(fake)
    steps = []
    for place, amounts in enumerate(_amounts(share) if share else []):
        random = Random(SEED + place)
        script = Script(houses[place], calendar, random, Casting(houses[place], random, fake, numbers))
        steps += script.write(amounts)
    play(Stage(session), steps, say)
    with unit_of_work(session):
        state.finished_at = now
    say("The demo is loaded.")


def _amounts(share: float) -> list[Amounts]:
    """Return what each branch gets; together exactly the whole."""
    whole = [round(amount * share) for amount in (CUSTOMERS, CONTACTS, SLIPS)]
    first = [round(amount * SHARES[0]) for amount in whole]
    return [Amounts(*first), Amounts(*(amount - part for amount, part in zip(whole, first, strict=True)))]
