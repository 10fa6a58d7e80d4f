"""What the trail costs: acts and bare rows with and without its triggers, paired in one run; sealing and verifying.

Run it as `python3 -m bench.trail` in the environment of `run.py`, with DATABASE_URL and DATABASE_OWNER_URL of a server
on which the owner may create a database. Limits: 15 % on acts, 5,000 entries verified a second.
Bare rows, one to a commit, are shown beside: a second row is written for each of them.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

MOST_COST, LEAST_VERIFIED = 0.15, 5_000
INSERT = "insert into param (key, value, effective_at) values (%s, 'a value of some length', now()) returning id"
UPDATE = (
    "update param set value = %s, reason = 'because', row_version = row_version + 1, updated_at = now() where id = %s"
)


def main() -> int:
    """Measure; return 1 if a limit is passed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--writes", type=int, default=50, help="commits in each half of a round")
    arguments = parser.parse_args()
    from app import create_app
    from app.ops import schema, testing
    from config import home_of

    with testing.scratch_database(home_of(), print):
        app = create_app()
        schema.migrate(app)
        urls = [app.config[name].replace("+psycopg", "") for name in ("SQLALCHEMY_DATABASE_URI", "DATABASE_OWNER_URL")]
        _writes(*urls, rounds=arguments.rounds, writes=arguments.writes)
        cost = _acts(app, urls[1], rounds=arguments.rounds // 2)
        rate = _chain(app, urls[0])
        with app.app_context():
            from app.extensions import db

            db.engine.dispose()
    return int(cost > MOST_COST or rate < LEAST_VERIFIED)


def _writes(app_url: str, owner_url: str, *, rounds: int, writes: int) -> None:
    """Commit single writes in turn with and without triggers; print both."""
    taken: dict[bool, list[float]] = {True: [], False: []}
    with psycopg.connect(app_url, autocommit=True) as connection, psycopg.connect(owner_url, autocommit=True) as owner:
        print(f"fsync {_asked(connection, 'fsync')}, synchronous_commit {_asked(connection, 'synchronous_commit')}")
        connection.execute("select set_config('app.actor', 'house:bench', false)")
        for number in range(rounds + 1):
            for trailed in (True, False) if number % 2 else (False, True):
                _switch(owner, "param", on=trailed)
                began = time.perf_counter()
                for each in range(writes):
                    row = connection.execute(INSERT, (f"bench.{number}.{trailed}.{each}",)).fetchone()
                    connection.execute(UPDATE, (f"v{each}", row[0] if row else 0))
                if number:  # the first round warms up
                    taken[trailed].append(2 * writes / (time.perf_counter() - began))
        _switch(owner, "param", on=True)
    on, off = (statistics.median(taken[trailed]) for trailed in (True, False))
    cost = statistics.median(1 - with_ / without for with_, without in zip(taken[True], taken[False], strict=True))
    print(f"durable writes a second: {off:,.0f} without the trail, {on:,.0f} with it; cost {cost:.1%}")


def _acts(app: Flask, owner_url: str, *, rounds: int) -> float:
    """Open customers' files by their act, in turn with and without triggers; return what the trail costs."""
    from app.acts import REGISTRY
    from app.demo import load
    from app.extensions import db
    from app.models.base import METADATA
    from app.models.hr import Employee
    from app.panel.security import sync_security
    from app.services.hr import actor_for_employee
    from app.services.runner import run
    from app.unit import acting_as

    sync_security(app)
    load(app, say=lambda _line: None, share=0)
    user, phones = METADATA.tables["ab_user"], iter(range(13_900_000_000, 13_999_999_999))
    tables = ("act_run", "customer", "customer_contact", "customer_owner_history", "followup_plan", "number_counter")
    act, taken = REGISTRY.find("customer", "register_temporary"), {True: [], False: []}
    with app.app_context(), acting_as("house:bench"), psycopg.connect(owner_url, autocommit=True) as owner:
        session = db.session()
        mine = select(user.c.id).where(user.c.username == "phone_consultant").scalar_subquery()
        by = actor_for_employee(session, session.scalars(select(Employee).where(Employee.user_id == mine)).one())
        for number in range(rounds + 1):
            for trailed in (True, False) if number % 2 else (False, True):
                for table in tables:
                    _switch(owner, table, on=trailed)
                # Without the trail nothing says which transaction made an entry of the history.
                owner.execute(f"alter table act_run {'enable always' if trailed else 'disable'} trigger keep_row")
                began = time.perf_counter()
                for _time in range(10):
                    values = {"name": "林小雨", "phone": str(next(phones))}
                    run(session, act, by=by, at=datetime.now(UTC), values=values)
                    session.expunge_all()
                if number:
                    taken[trailed].append((time.perf_counter() - began) / 10 * 1000)
    on, off = (statistics.median(taken[trailed]) for trailed in (True, False))
    cost = statistics.median(with_ / without - 1 for with_, without in zip(taken[True], taken[False], strict=True))
    print(f"an act, ms: {off:.1f} without the trail, {on:.1f} with it; cost {cost:.1%}")
    return cost


def _switch(owner: psycopg.Connection[tuple[object, ...]], table: str, *, on: bool) -> None:
    for trigger in ("trail_row", "trail_change"):
        owner.execute(f"alter table {table} {'enable always' if on else 'disable'} trigger {trigger}")


def _asked(connection: psycopg.Connection[tuple[object, ...]], name: str) -> object:
    row = connection.execute(f"show {name}").fetchone()  # type: ignore[arg-type]
    return row[0] if row else ""


def _chain(app: Flask, app_url: str) -> float:
    """Seal and verify 50,000 entries; return entries verified a second."""
    from app.extensions import db
    from app.services import seals
    from app.unit import acting_as, unit_of_work

    with psycopg.connect(app_url) as connection:
        connection.execute("select set_config('app.actor', 'house:bench', false)")
        connection.execute(
            "insert into param (key, value, effective_at) "
            "select 'many.' || n, repeat('x', 200), now() from generate_series(1, 50000) n"
        )
    with app.app_context(), acting_as("house:job:trail.seal"), tempfile.TemporaryDirectory() as folder:
        session: Session = db.session()
        path = Path(folder) / "seals.jsonl"
        for _time in range(2):
            began = time.perf_counter()
            with unit_of_work(session):
                sealed = seals.seal(session)
        sealing = sealed / (time.perf_counter() - began)
        seals.tell_heads(session, path)
        session.rollback()
        began = time.perf_counter()
        found = seals.verify(session, path, Path(folder))
        rate = found.entries / (time.perf_counter() - began)
    if found.faults:
        raise RuntimeError(found.faults[0])
    print(f"{sealed:,} entries sealed at {sealing:,.0f} a second, verified at {rate:,.0f} a second")
    return rate


if __name__ == "__main__":
    sys.exit(main())
