"""What one call event costs: `python -m bench.call_events` over a throw-away database with the demo (calls stay).

Events of a day of calls are posted one by one to ``/api/v1/call_event`` through Flask's test client, in one process: no
network, no web server. Counted are the statements of an event, of every connection, and the CPU of this process alone.
``--profile 40`` prints where the time goes instead.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pstats
import time
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from random import Random
from statistics import mean, median
from typing import Any

from sqlalchemy import Engine, event, select

from app.ops.calls import Plan, day_of_calls

WARM = 40


def main() -> int:
    """Post, measure, print; return 1 if an event is not answered with 200."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=600)
    parser.add_argument("--profile", type=int, default=0)
    arguments = parser.parse_args()
    os.environ.setdefault("YIMEI_MODE", "demo")
    from app import create_app

    app = create_app()
    seed = Random().randrange(10**6)
    plan = Plan(arguments.events // 2, name=f"cost{seed}", recordings="https://recordings.example.com")
    events = day_of_calls(plan, Random(seed), datetime.now(UTC))[: arguments.events + WARM]
    bearer = {"Authorization": f"Bearer {_key(app)}"}
    client = app.test_client()

    def post(body: dict[str, Any]) -> int:
        return client.post("/api/v1/call_event", json=body, headers=bearer).status_code

    refused = sum(post(body) != 200 for body in events[:WARM])
    if arguments.profile:
        watch = cProfile.Profile()
        watch.runcall(lambda: [post(body) for body in events[WARM:]])
        pstats.Stats(watch).sort_stats("cumulative").print_stats(arguments.profile)
        return 0
    sent: list[str] = []
    event.listen(Engine, "before_cursor_execute", lambda _c, _u, statement, *_r: sent.append(statement))
    seen: set[str] = set()
    statements, costs = defaultdict(list), defaultdict(list)
    for body in events[WARM:]:
        which = "first of its call" if body["call_id"] not in seen else "next of its call"
        seen.add(body["call_id"])
        sent.clear()
        before = time.process_time()
        refused += post(body) != 200
        costs[which].append((time.process_time() - before) * 1000)
        statements[which].append(len(sent))
    for which, each in costs.items():
        told = f"statements {median(statements[which]):g} (most {max(statements[which])})"
        print(f"{which}: {len(each)} events, {told}, CPU ms p50 {median(each):.1f}")
    whole = [cost for each in costs.values() for cost in each]
    print(
        f"all: CPU ms mean {mean(whole):.1f}, p50 {median(whole):.1f}; refused {refused}; load {os.getloadavg()[0]:.1f}"
    )
    return 1 if refused else 0


def _key(app: Any) -> str:
    """Issue an API key for the telephone system of the demo's first branch."""
    from app.acts import REGISTRY
    from app.extensions import db
    from app.models.base import METADATA
    from app.models.hr import Employee
    from app.services.hr import actor_for_employee
    from app.services.runner import run
    from app.unit import acting_as

    user, at = METADATA.tables["ab_user"], datetime.now(UTC)
    with app.app_context(), acting_as("house:bench"):
        session = db.session()

        def employee(name: str) -> Employee:
            whose = select(Employee).join(user, user.c.id == Employee.user_id).where(user.c.username == name)
            return session.scalars(whose).one()

        values = {
            "name": f"bench {at:%H%M%S}",
            "employee_id": employee("telephone").id,
            "roles": [],
            "rights": "call_event.post",
            "expires_on": (at + timedelta(days=2)).date(),
        }
        act = REGISTRY.find("api_key", "issue")
        assert act is not None
        return str(run(session, act, by=actor_for_employee(session, employee("admin")), at=at, values=values).shown)


if __name__ == "__main__":
    raise SystemExit(main())
