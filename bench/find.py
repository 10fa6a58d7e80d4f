"""Finding a customer among 100,000 whose numbers are encrypted: `python -m bench.find`. Issue 4, done when 3.

The customers are written into the database of the environment (use a throw-away one: they stay) and analysed as the
owner; standing ones are used again. Compared in turn, in one run: the list by whole number, by the last four digits,
and the plain list of the newest rows, which asks no encrypted column to find them.
Limit: twice the plain list's p50.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import create_engine, func, insert, select, text
from sqlalchemy.orm import Session, selectinload

MOST_RATIO = 2.0
PAGE = 25


def main() -> int:
    """Measure; return 1 if finding takes more than twice the plain list."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=60)
    arguments = parser.parse_args()
    os.environ.setdefault("YIMEI_MODE", "test")
    from app import create_app
    from app.extensions import db
    from app.unit import acting_as

    app = create_app()
    with app.app_context(), acting_as("house:bench"):
        session = db.session()
        numbers = _fill(session, arguments.customers)
        session.commit()
        _settle(app.config["DATABASE_OWNER_URL"])
        times = _measure(session, numbers, arguments.rounds)
    plain = times["plain list, newest 25"]
    for name, taken in times.items():
        print(f"{name:28} p50 {taken:7.2f} ms  {taken / plain:5.2f} times")
    return int(max(times.values()) > MOST_RATIO * plain)


def _settle(owner_url: str) -> None:
    """Do what the server's own housekeeping does some minutes after a large load: statistics, and the index's list."""
    with create_engine(owner_url).connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("vacuum analyze customer"))
        connection.execute(text("vacuum analyze customer_contact"))


def _fill(session: Session, count: int) -> list[str]:
    """Write customers with one encrypted telephone each; return their numbers."""
    from app.models.customers import ContactKind, Customer, CustomerContact, contact_hash
    from app.models.findable import phone_terms, terms_of_name, terms_of_number
    from app.models.hr import Branch

    branch = session.scalars(select(Branch.id).order_by(Branch.id)).first()
    if branch is None:
        branch = session.scalar(
            insert(Branch).values(code="99", name="bench", zone="Asia/Shanghai").returning(Branch.id)
        )
    numbers = [f"13{number:09d}" for number in range(count)]
    standing = session.scalar(select(func.count()).where(Customer.customer_no.startswith("BENCH-"))) or 0
    if standing >= count:
        return numbers
    for start in range(0, count, 5000):
        part = numbers[start : start + 5000]
        rows = [
            {
                "branch_id": branch,
                "customer_no": f"BENCH-{number}",
                "name": f"测{number[-3:]}",
                "search_terms": sorted(
                    terms_of_number(f"BENCH-{number}") | terms_of_name(f"测{number[-3:]}") | phone_terms(number)
                ),
            }
            for number in part
        ]
        ids = session.scalars(insert(Customer).returning(Customer.id, sort_by_parameter_order=True), rows).all()
        contacts = [
            {
                "customer_id": key,
                "kind": ContactKind.PHONE,
                "value": number,
                "value_hash": contact_hash(ContactKind.PHONE, number),
                "value_tail": number[-4:],
            }
            for key, number in zip(ids, part, strict=True)
        ]
        session.execute(insert(CustomerContact), contacts)
    return numbers


def _measure(session: Session, numbers: list[str], rounds: int) -> dict[str, float]:
    """Return the p50 in milliseconds of each way, asked in turn; every way loads 25 rows and shows them masked."""
    from app.models.customers import Customer
    from app.services.customers import search_clause

    def page(*conditions: Any) -> None:
        statement = select(Customer).where(*conditions).options(selectinload(Customer.contacts))
        for customer in session.scalars(statement.order_by(Customer.id.desc()).limit(PAGE)):
            str(customer.phone_masked)
        session.expunge_all()

    def one(round_no: int) -> str:
        return numbers[(round_no * 7919) % len(numbers)]

    ways: dict[str, Callable[[int], None]] = {
        "plain list, newest 25": lambda _round: page(),
        "by whole number": lambda round_no: page(*search_clause(one(round_no))),
        "by the last four digits": lambda round_no: page(*search_clause(one(round_no)[-4:])),
    }
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for round_no in range(rounds + 5):
        for name, way in ways.items():
            began = time.perf_counter()
            way(round_no)
            if round_no >= 5:
                taken[name].append((time.perf_counter() - began) * 1000)
    return {name: statistics.median(values) for name, values in taken.items()}


if __name__ == "__main__":
    raise SystemExit(main())
