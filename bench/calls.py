"""Five thousand call events at fifty a second: `python -m bench.calls --to http://127.0.0.1:8080 --key-file key`.

Played against a running server of the environment's database (use a throw-away one: calls stay). Afterwards the
database is asked whether every event is there once and every call is what its events say. Issue 6, done when 4.
"""

from __future__ import annotations

import argparse
import os
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from sqlalchemy import func, select

from app.ops.calls import Plan, day_of_calls, play, untrue


def main() -> int:
    """Play, look, measure; return 1 if an event is missing, doubled or refused."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--to", default="http://127.0.0.1:8080")
    parser.add_argument("--key-file", type=Path, required=True)
    parser.add_argument("--events", type=int, default=5000)
    parser.add_argument("--rate", type=float, default=50.0)
    arguments = parser.parse_args()
    key = arguments.key_file.read_text(encoding="utf-8").strip()
    seed = Random().randrange(10**6)
    plan = Plan(arguments.events // 2, name=f"bench{seed}", recordings="https://recordings.example.com")
    events = day_of_calls(plan, Random(seed), datetime.now(UTC))[: arguments.events]
    played = play(arguments.to, key, events, rate=arguments.rate)
    wanted = {event["event_id"]: event for event in events}
    stored, calls, wrong = stands(plan.name)
    print(f"{played.sent} sent at {arguments.rate:g} a second; {len(wanted)} different, {stored} stored, {calls} calls")
    print(f"p50 {played.slowest(0.5) * 1000:.0f} ms, p95 {played.slowest(0.95) * 1000:.0f} ms")
    print(f"{len(wrong)} calls are not what their events say", *wrong[:10], *played.refused[:10], sep="\n")
    whole = (
        not wrong
        and stored == len(wanted)
        and calls == len({event["call_id"] for event in events})
        and not played.refused
    )
    return 0 if whole else 1


def stands(name: str) -> tuple[int, int, list[str]]:
    """Return how many events and how many calls of a play are in the database, and which calls are wrong."""
    os.environ.setdefault("YIMEI_MODE", "test")
    from app import create_app
    from app.extensions import db
    from app.models.telephone import CallEvent, PhoneCall

    with create_app().app_context():
        session = db.session()
        count = [
            session.scalar(select(func.count()).select_from(model).where(model.call_id.startswith(f"{name}-"))) or 0
            for model in (CallEvent, PhoneCall)
        ]
        return count[0], count[1], untrue(session, name)


if __name__ == "__main__":
    raise SystemExit(main())
