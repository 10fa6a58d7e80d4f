"""Two hundred follow-up plans approved at once, and one by one: `python -m bench.approvals`. Done when 3 of 2.22.

Asks the database of the environment, which must hold the demo (`python -m bench.run` or `run.py demo` puts it there);
the plans that it writes stay there, approved. Both ways go through Flask's test client, logged in, warm: one POST for
all of them, then one for each. The ratio holds on any machine, the seconds only on a quiet one.
"""

from __future__ import annotations

import os
import re
import sys
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from bench.measure import statements, table

COUNT = 200
SUPERVISOR, CONSULTANT, PASSWORD = "phone_supervisor", "phone_consultant", "Yimei-demo-2026"


def submitted(count: int) -> list[int]:
    """Write so many submitted plans of the consultant's; return their ids."""
    from sqlalchemy import insert, select

    from app.extensions import db
    from app.models.base import METADATA
    from app.models.customers import Customer
    from app.models.followup import FollowupCategory, FollowupPlan, PlanOrigin, PlanState
    from app.models.hr import Employee

    at, session, mark = datetime.now(UTC), db.session(), uuid.uuid4().hex[:8]
    user = METADATA.tables["ab_user"]
    her = session.scalars(
        select(Employee).join(user, user.c.id == Employee.user_id).where(user.c.username == CONSULTANT)
    ).one()
    customers = session.scalars(select(Customer.id).where(Customer.branch_id == her.branch_id).limit(count)).all()
    common = {
        "state": PlanState.SUBMITTED,
        "origin": PlanOrigin.MANUAL,
        "branch_id": her.branch_id,
        "category_id": session.scalars(select(FollowupCategory.id).limit(1)).one(),
        "executor_id": her.id,
        "submitter_id": her.id,
        "submitted_at": at,
        "department_id": her.department_id,
        "purpose": "跟进",
        "content": "问候近况",
        "planned_at": at + timedelta(days=1),
    }
    plans = [
        common | {"plan_no": f"BENCH-{mark}-{number}", "customer_id": customers[number % len(customers)]}
        for number in range(count)
    ]
    ids = session.scalars(insert(FollowupPlan).returning(FollowupPlan.id), plans).all()
    session.commit()
    return [*ids]


def timed(call: Callable[[], Any]) -> tuple[float, float, int]:
    """Return seconds by the wall's clock, of this process's own work, and how many statements were sent."""
    began, work = time.perf_counter(), time.process_time()
    with statements() as told:
        call()
    return time.perf_counter() - began, time.process_time() - work, len(told)


def main() -> int:
    """Measure and print."""
    os.environ.setdefault("YIMEI_MODE", "demo")
    from app import create_app
    from app.unit import acting_as

    app = create_app()
    app.config.update(AUTH_RATE_LIMITED=False, RATELIMIT_ENABLED=False)
    client = app.test_client()

    def token(path: str) -> str:
        found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', client.get(path).text)
        assert found is not None, path
        return found[1]

    who = {"username": SUPERVISOR, "password": PASSWORD, "csrf_token": token("/login/")}
    assert client.post("/login/", data=who).status_code == 302
    with app.app_context(), acting_as("house:bench"):
        ids = submitted(2 * COUNT + 1)
    warm, many, single = ids[0], ids[1 : COUNT + 1], ids[COUNT + 1 :]
    sent = {"csrf_token": token(f"/followup_plan/{warm}/act/approve"), "request_key": uuid.uuid4().hex}
    client.post(f"/followup_plan/{warm}/act/approve", data=sent)
    headers = {"X-Dialog": "1"}

    def at_once() -> None:
        form = {"csrf_token": sent["csrf_token"], "request_key": uuid.uuid4().hex, "id": many}
        answer = client.post("/followup_plan/many/approve", data=form, headers=headers)
        assert answer.json is not None
        assert answer.json["shown_html"].count('class="ok"') == COUNT, answer.text[:400]

    def one_by_one() -> None:
        for plan_id in single:
            form = {"csrf_token": sent["csrf_token"], "request_key": uuid.uuid4().hex}
            answer = client.post(f"/followup_plan/{plan_id}/act/approve", data=form, headers=headers)
            assert answer.status_code == 200, answer.text[:400]

    looked = timed(lambda: client.get("/followup_plan/many/approve", query_string={"id": many}, headers=headers))
    found = [timed(at_once), timed(one_by_one)]
    named = [("look at them", looked), (f"{COUNT} at once", found[0]), (f"{COUNT} one by one", found[1])]
    rows = [(name, *each, each[0] / found[1][0]) for name, each in named]
    print(f"load {os.getloadavg()[0]:.1f}\n\n{table(('what', 's', 'CPU s', 'statements', 'of one by one'), rows)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
