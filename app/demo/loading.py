"""How the demo is loaded: the organisation first, then each branch's story; a large one in a process per branch.

Every step can be repeated: rows and acts are found again under their keys. So a load that was broken off, however,
is continued by starting it again, even while a helper of the first one is still at work.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from faker import Faker
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app.demo.calendar import Calendar
from app.demo.cast import Casting, Numbers
from app.demo.organisation import BRANCHES, ZONE, found_house, hashed_password
from app.demo.script import Amounts, Script
from app.demo.stage import Stage, Step, play, remember_reference_data
from app.models.audit import DemoState
from app.models.settings import Param
from app.services.doors.rules import OPEN_HOUSE
from app.services.reference import SINCE, ensure_reference_data
from app.services.triage import add_triage_rules
from app.unit import acting_as, unit_of_work

if TYPE_CHECKING:
    from flask import Flask

    Say = Callable[[str], None]

ROOT = Path(__file__).resolve().parents[2]
SEED = 20_261_122
CUSTOMERS, CONTACTS, SLIPS = 2000, 3000, 1500
SHARES = (0.7, 0.3)
#: From this share on a helper is worth its start.
WORTH_A_HELPER = 0.5
#: Names the lock under which one load runs at a time ("demo" in ASCII); a helper's is that and its branch's place.
LOCK = 0x64656D6F


def load(app: Flask, say: Say, share: float, now: datetime) -> None:
    """Load everything that is not there yet; one load at a time."""
    with _alone(app, LOCK) as session:
        with unit_of_work(session):
            state = session.scalars(select(DemoState)).one_or_none()
            if state is None:
                state = DemoState(anchor_on=now.astimezone(ZoneInfo(ZONE)).date())
                session.add(state)
        open_doors(session, state.anchor_on)
        if state.finished_at is not None:
            return
        say("Loading the demo: two branches, their people, two months of appointments ...")
        stories = _prepared(session, app, share, now)
        apart = range(1, len(stories)) if share >= WORTH_A_HELPER and (os.cpu_count() or 1) > 1 else range(0)
        with _helpers(app, apart, share, now):
            here = [step for place, steps in enumerate(stories) if place not in apart for step in steps]
            play(Stage(session), here, say)
        with unit_of_work(session):
            state.finished_at = now
        say("The demo is loaded.")


def load_branch(app: Flask, place: int, share: float, now: datetime) -> None:
    """Play the story of one branch of a load that another process began and will finish."""
    with _alone(app, LOCK + place) as session:
        play(Stage(session), _prepared(session, app, share, now)[place], lambda _line: None)


@contextmanager
def _alone(app: Flask, lock: int) -> Iterator[Session]:
    """Give a session under the demo's name, and wait until nobody else holds the lock.

    Without autoflush: the acts flush where they must, and thousands of statements are saved.
    """
    from app.extensions import db

    with app.app_context(), acting_as("house:demo"), db.engine.connect() as guard:
        guard.execute(text("select pg_advisory_lock(:key)"), {"key": lock})
        guard.commit()  # the lock is the connection's and outlives the transaction
        try:
            with Session(db.engine, expire_on_commit=False, autoflush=False) as session:
                yield session
        finally:
            guard.execute(text("select pg_advisory_unlock(:key)"), {"key": lock})
            guard.commit()


def _prepared(session: Session, app: Flask, share: float, now: datetime) -> list[list[Step]]:
    """Found the branches as far as they are not, and return the story of each."""
    anchor = session.scalars(select(DemoState)).one().anchor_on
    calendar = Calendar(anchor, now, ZoneInfo(ZONE))
    ensure_reference_data(session, now)
    password_hash = hashed_password(app.config.get("FAB_PASSWORD_HASH_METHOD", "scrypt"))
    at = calendar.exactly(-120, 9 * 60)
    with unit_of_work(session):
        houses = [
            found_house(session, place, anchor, at, password_hash, with_reception=share > 0)
            for place in range(len(BRANCHES))
        ]
        if share:
            add_triage_rules(session)
    remember_reference_data(session)
    fake = Faker("zh_CN")
    fake.seed_instance(SEED)
    numbers = Numbers(fake)
    stories = []
    for place, amounts in enumerate(_amounts(share) if share else ()):
        random = Random(SEED + place)
        script = Script(houses[place], calendar, random, Casting(houses[place], random, fake, numbers))
        stories.append(script.write(amounts))
    return stories


def open_doors(session: Session, anchor: date) -> None:
    """Switch off what would stand before a published password: second factor, first change, age. White paper H.2.

    Done at every load, so that a demo of an older version opens too; what somebody set since then stays.
    """
    since = datetime.combine(anchor, time.min, ZoneInfo(ZONE)) - timedelta(days=200)
    with unit_of_work(session):
        changed = select(Param.key).where(Param.key.in_(OPEN_HOUSE), Param.effective_at > SINCE)
        set_already = set(session.scalars(changed))
        session.add_all(
            Param(key=key, value=value, effective_at=since, reason="Demo")
            for key, value in OPEN_HOUSE.items()
            if key not in set_already
        )


def _amounts(share: float) -> list[Amounts]:
    """Return what each branch gets; together exactly the whole."""
    whole = [round(amount * share) for amount in (CUSTOMERS, CONTACTS, SLIPS)]
    first = [round(amount * SHARES[0]) for amount in whole]
    return [Amounts(*first), Amounts(*(amount - part for amount, part in zip(whole, first, strict=True)))]


@contextmanager
def _helpers(app: Flask, places: range, share: float, now: datetime) -> Iterator[None]:
    """Have processes of their own play the stories of these branches meanwhile; raise if one fails."""
    helpers: list[subprocess.Popen[str]] = []
    try:
        for place in places:
            command = [sys.executable, "-m", "app.demo", str(place), str(share), now.isoformat()]
            helpers.append(
                subprocess.Popen(
                    command,
                    cwd=ROOT,
                    env=_environment(app),
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                )
            )
        yield
        for helper in helpers:
            said, _nothing = helper.communicate()
            if helper.returncode != 0:
                raise RuntimeError(f"A helper that loads the demo failed ({helper.returncode}):\n{said}")
    finally:
        for helper in helpers:
            if helper.poll() is None:
                helper.terminate()
                helper.communicate()


def _environment(app: Flask) -> dict[str, str]:
    """Return an environment from which a process makes the same application, over the same database."""
    return os.environ | {
        "YIMEI_MODE": app.config["YIMEI_MODE"],
        "YIMEI_HOME": app.config["YIMEI_HOME"],
        "DATABASE_URL": app.config["SQLALCHEMY_DATABASE_URI"],
        "SECRET_KEY": app.config["SECRET_KEY"],
        "YIMEI_ENCRYPTION_KEYS": ",".join(app.config["ENCRYPTION_KEYS"]),
        "YIMEI_HASH_KEY": app.config["HASH_KEY"],
    }
