"""What the trail costs: durable writes with and without its triggers, paired in one run; sealing and verifying.

Run it as `python3 -m bench.trail` in the environment of `run.py`, with DATABASE_URL and DATABASE_OWNER_URL of a server
on which the owner may create a database. Limits: 15 % on durable writes, 5,000 entries verified a second.
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
        cost = _writes(*urls, rounds=arguments.rounds, writes=arguments.writes)
        rate = _chain(app, urls[0])
        with app.app_context():
            from app.extensions import db

            db.engine.dispose()
    return int(cost > MOST_COST or rate < LEAST_VERIFIED)


def _writes(app_url: str, owner_url: str, *, rounds: int, writes: int) -> float:
    """Commit single writes in turn with and without triggers; print both and return what the trail costs."""
    taken: dict[bool, list[float]] = {True: [], False: []}
    with psycopg.connect(app_url, autocommit=True) as connection, psycopg.connect(owner_url, autocommit=True) as owner:
        print(f"fsync {_asked(connection, 'fsync')}, synchronous_commit {_asked(connection, 'synchronous_commit')}")
        connection.execute("select set_config('app.actor', 'house:bench', false)")
        for number in range(rounds + 1):
            for trailed in (True, False) if number % 2 else (False, True):
                _switch(owner, on=trailed)
                began = time.perf_counter()
                for each in range(writes):
                    row = connection.execute(INSERT, (f"bench.{number}.{trailed}.{each}",)).fetchone()
                    connection.execute(UPDATE, (f"v{each}", row[0] if row else 0))
                if number:  # the first round warms up
                    taken[trailed].append(2 * writes / (time.perf_counter() - began))
        _switch(owner, on=True)
    on, off = (statistics.median(taken[trailed]) for trailed in (True, False))
    cost = statistics.median(1 - with_ / without for with_, without in zip(taken[True], taken[False], strict=True))
    print(
        f"durable writes a second: {off:,.0f} without the trail, {on:,.0f} with it; it costs {cost:.1%} (median of pairs)"
    )
    return cost


def _switch(owner: psycopg.Connection[tuple[object, ...]], *, on: bool) -> None:
    for trigger in ("trail_row", "trail_change"):
        owner.execute(f"alter table param {'enable always' if on else 'disable'} trigger {trigger}")  # type: ignore[arg-type]


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
    print(
        f"{datetime.now(UTC):%Y-%m-%d}: {sealed:,} entries sealed at {sealing:,.0f} a second, verified at {rate:,.0f} a second"
    )
    return rate


if __name__ == "__main__":
    sys.exit(main())
