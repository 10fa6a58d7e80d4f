"""Measure the house with the demo's 2,000 customers and print what was found: `python -m bench.run`.

Without addresses in the environment an embedded server is made under ``var/bench`` (kept for the next time); with
DATABASE_URL and DATABASE_OWNER_URL the demo is loaded into that database, unless it is there. Pages are asked for
through Flask's test client, logged in: no network, no web server, one thread.
"""

from __future__ import annotations

import argparse
import logging
import os
import platform
import re
import resource
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select, text

from bench.measure import TIME_HEADS, statements, table, times_of

ROOT = Path(__file__).resolve().parents[1]
MOST_STATEMENTS, MOST_BYTES, MOST_PDF_MS = 12, 100_000, 300
#: How much dearer a page of a batch may be than a page of one slip alone.
MOST_BATCH_RATIO = 1.5

#: Whose lists are measured. Where a list shows today first, all of it is asked for.
LISTS: dict[str, tuple[str, ...]] = {
    "phone_consultant": ("my_slips", "department_slips", "redo_slips", "customer", "phone_desk", "my_followups"),
    "phone_supervisor": ("my_slips", "department_slips", "redo_slips", "customer", "phone_desk", "my_followups",
                         "department_followups"),
    "guide": ("department_slips", "customer", "phone_desk"),
    "branch_head": ("department_slips", "customer", "phone_desk", "department_followups"),
}  # fmt: skip


def main() -> int:
    """Measure everything; return 1 if a limit of the issue is passed."""
    arguments = _arguments()
    os.environ.setdefault("YIMEI_HOME", str(ROOT / "var" / "bench"))
    os.environ["YIMEI_MODE"] = "demo"
    logging.disable(logging.WARNING)
    from app.ops import cli, house

    with cli.database("demo"):
        app, at_start = _made_app()
        house.prepare(app, with_demo=True, say=cli.say)
        app.config.update(AUTH_RATE_LIMITED=False, RATELIMIT_ENABLED=False)
        bench = Bench(app, arguments.rounds)
        print(bench.described())
        print(f"\nStatements while the application is made: {len(at_start)}\n")
        parts = (
            bench.lists,
            bench.against_the_floor,
            bench.records_and_papers,
            bench.papers_in_batches,
            bench.searches,
        )
        for lines in (part() for part in parts):
            print("\n".join(lines), flush=True)
        bench.over += [f"create_app: {statement}" for statement in at_start]
        bench.end()
    for line in bench.over:
        print(f"OVER  {line}")
    print("All within the limits." if not bench.over else f"{len(bench.over)} over the limits.")
    return 1 if bench.over else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20, help="how often each page is timed (20)")
    return parser.parse_args()


def _made_app() -> tuple[Flask, list[str]]:
    """Make the application as a worker does, and return it with the statements that this took."""
    from app import create_app

    with statements() as told:
        return create_app(), told


class Bench:
    """The measurements. ``over`` gathers what passes a limit, with the statements."""

    def __init__(self, app: Flask, rounds: int) -> None:
        self.app = app
        self.rounds = rounds
        self.over: list[str] = []
        self.clients = {username: _logged_in(app, username) for username in LISTS}

    def end(self) -> None:
        from app.extensions import db

        with self.app.app_context():
            db.engine.dispose()

    def described(self) -> str:
        """Say what is measured, on what."""
        from app.models.appointments import AppointmentSlip, ContactRecord
        from app.models.customers import Customer

        server = self._scalar(text("show server_version"))
        rows = ", ".join(
            f"{self._scalar(select(func.count()).select_from(model)):,} {name}"
            for model, name in ((Customer, "customers"), (ContactRecord, "contacts"), (AppointmentSlip, "slips"))
        )
        versions = f"Python {platform.python_version()}, PostgreSQL {server}, {os.cpu_count()} processors"
        busy = f"load {os.getloadavg()[0]:.1f} before"
        return f"{date.today().isoformat()}: {versions}; {rows}; {self.rounds} rounds; {busy}"  # noqa: DTZ011 - the operator's day

    def lists(self) -> Iterator[str]:
        """Lists of 25 rows: statements, size, time."""
        rows = []
        for username, pages in LISTS.items():
            for page in pages:
                path = self._path(username, page)
                told, answer = self._counted(username, path)
                shown = answer.text.count('<td class="first')
                (taken,) = times_of(lambda u=username, p=path: self._get(u, p), rounds=self.rounds)
                rows.append((username, page, shown, len(told), len(answer.data) / 1000, *taken.shown))
                self._judge(f"{username} {path}", told, answer.data)
        heads = ("role", "list", "rows", "statements", "kB", *TIME_HEADS)
        yield from ("Lists", "", table(heads, rows), "")

    def against_the_floor(self) -> Iterator[str]:
        """The same slips by a bare page, asked for in turn with ours."""
        from app.extensions import db
        from bench.floor import floor_app

        with self.app.app_context():
            engine = db.engine
        owner = self._employee("phone_consultant")
        bare = floor_app(engine, owner).test_client()
        path = self._path("phone_consultant", "my_slips")
        ours, theirs = (set(_slips_on(page)) for page in (self._get("phone_consultant", path), bare.get("/").text))
        if ours != theirs or len(ours) != 25:
            raise RuntimeError(f"the two pages show different slips: {sorted(ours ^ theirs)}")
        with statements() as told:
            bare.get("/")
        panel, floor = times_of(
            lambda: self._get("phone_consultant", path), lambda: bare.get("/"), rounds=self.rounds * 5
        )
        rows = [
            ("the list my_slips", *panel.shown, panel.p50 / floor.p50, panel.cpu / floor.cpu),
            (f"the bare page ({len(told)} statements)", *floor.shown, 1.0, 1.0),
        ]
        yield from (
            "The same 25 slips",
            "",
            table(("page", *TIME_HEADS, "p50 ratio", "CPU ratio"), rows),
            "",
        )

    def records_and_papers(self) -> Iterator[str]:
        """A record, a dialog, and one slip on paper."""
        slip, customer = self._slip()
        paths = {
            "a slip": f"/appointment_slip/show/{slip}",
            "a customer": f"/customer/show/{customer}",
            "the dialog that places a slip": f"/appointment_slip/act/place?customer_id={customer}",
            "home": "/",
        }
        rows = []
        for name, path in paths.items():
            told, answer = self._counted("phone_supervisor", path)
            (taken,) = times_of(lambda p=path: self._get("phone_supervisor", p), rounds=self.rounds)
            rows.append((name, len(told), len(answer.data) / 1000, *taken.shown))
        path = f"/appointment_slip/{slip}/print/appointment_slip"
        told, answer = self._counted("phone_supervisor", path)
        (taken,) = times_of(lambda: self._get("phone_supervisor", path), rounds=20)
        rows.append(("a slip on paper (PDF)", len(told), len(answer.data) / 1000, *taken.shown))
        if taken.p50 > MOST_PDF_MS:
            self.over.append(f"a slip on paper: {taken.p50:.0f} ms")
        yield from (
            "Records and paper",
            "",
            table(("page", "statements", "kB", *TIME_HEADS), rows),
            "",
        )

    def papers_in_batches(self) -> Iterator[str]:
        """Slips printed one by one and many into one file: seconds for each page, their ratio, the process's peak."""
        from app.reports.press import Sheet, printed

        form, sheet = self._sheet()
        rows = []
        with self.app.test_request_context():
            once = times_of(lambda: printed(form, [sheet], "zh"), rounds=10)[0]
            rows.append((1, 2, once.p50 / 2000, once.cpu / 2000, 1.0, _peak()))
            for count in (20, 100, 500):
                sheets: list[Sheet] = [sheet] * count
                (taken,) = times_of(lambda them=sheets: printed(form, them, "zh"), rounds=1, warm_up=0)
                pages = 2 * count
                ratio = (taken.cpu / pages) / (once.cpu / 2)
                rows.append((count, pages, taken.p50 / 1000 / pages, taken.cpu / 1000 / pages, ratio, _peak()))
                if ratio > MOST_BATCH_RATIO:
                    self.over.append(f"{count} slips: a page takes {ratio:.1f} times what it takes alone")
        shown = [
            (slips, pages, f"{wall:.3f}", f"{cpu:.3f}", ratio, f"{peak:.0f}")
            for slips, pages, wall, cpu, ratio, peak in rows
        ]
        heads = ("slips in one file", "pages", "s a page", "CPU s a page", "against one alone (CPU)", "peak MB")
        yield from ("### Paper in batches", "", table(heads, shown), "")

    def _sheet(self) -> tuple[Any, Any]:
        from app.actors import house
        from app.extensions import db
        from app.models.appointments import AppointmentSlip
        from app.reports.appointment_slip import APPOINTMENT_SLIP
        from app.reports.press import Sheet

        with self.app.app_context():
            session, now = db.session(), datetime.now(UTC)
            slip = session.get_one(AppointmentSlip, self._slip()[0])
            return APPOINTMENT_SLIP, Sheet(APPOINTMENT_SLIP.gather(session, slip, house("bench"), now), str(slip))

    def searches(self) -> Iterator[str]:
        """The search box of the customers: by name, pinyin, initials and number."""
        name, phone, number = self._somebody()
        from pypinyin import lazy_pinyin

        pinyin = lazy_pinyin(name)
        words = {
            "name": name,
            "pinyin": "".join(pinyin),
            "initials": "".join(part[0] for part in pinyin),
            "whole number": phone,
            "last four digits": phone[-4:],
            "file number": number,
            "nobody": "没有这个人",
        }
        rows = []
        for kind, typed in words.items():
            path = f"/customer/list/?q={typed}"
            told, answer = self._counted("branch_head", path)
            (taken,) = times_of(lambda p=path: self._get("branch_head", p), rounds=self.rounds)
            found = answer.text.count('<td class="first')
            if (number in answer.text) is not (kind != "nobody") and found < 25:
                raise RuntimeError(f"the search by {kind} does not find whom it should")
            rows.append((kind, found, len(told), *taken.shown))
            self._judge(f"branch_head {path}", told, answer.data)
        heads = ("search by", "rows shown", "statements", *TIME_HEADS)
        yield from ("Searches among a branch's customers", "", table(heads, rows), "")

    # -- small things ------------------------------------------------------------------------------------------

    def _path(self, username: str, page: str) -> str:
        """Return the address of the whole list: those that begin with today's rows have a tab for all."""
        path = f"/{page}/list/"
        return f"{path}?tab=all" if "tab=all" in self._get(username, path) else path

    def _get(self, username: str, path: str) -> str:
        answer = self.clients[username].get(path)
        if answer.status_code != 200:
            raise RuntimeError(f"{username} {path}: {answer.status_code}")
        return answer.text if answer.mimetype.startswith("text/") else ""

    def _counted(self, username: str, path: str) -> tuple[list[str], Any]:
        """Ask for a page once it is warm; return its statements and the answer."""
        self._get(username, path)
        with statements() as told:
            return told, self.clients[username].get(path)

    def _judge(self, name: str, told: list[str], body: bytes) -> None:
        if len(told) > MOST_STATEMENTS:
            self.over.append(f"{name}: {len(told)} statements")
            self.over += [
                f"   {number:>2}. {' '.join(each.split())[:200]}" for number, each in enumerate(told, start=1)
            ]
        if len(body) >= MOST_BYTES:
            self.over.append(f"{name}: {len(body):,} bytes")

    def _scalar(self, statement: Any) -> Any:
        from app.extensions import db

        with self.app.app_context():
            return db.session().scalar(statement)

    def _employee(self, username: str) -> int:
        from app.models.base import METADATA
        from app.models.hr import Employee

        user = METADATA.tables["ab_user"]
        found: int = self._scalar(
            select(Employee.id).join(user, user.c.id == Employee.user_id).where(user.c.username == username)
        )
        return found

    def _slip(self) -> tuple[int, int]:
        """Return a slip of the phone desk with items, redone from another, and its customer."""
        from app.extensions import db
        from app.models.appointments import AppointmentSlip as Slip
        from app.models.appointments import AppointmentSlipItem

        statement = (
            select(Slip.id, Slip.customer_id)
            .where(Slip.owner_id == self._employee("phone_consultant"), Slip.supersedes_id.is_not(None))
            .where(Slip.id.in_(select(AppointmentSlipItem.slip_id)))
            .order_by(Slip.id.desc())
        )
        with self.app.app_context():
            found = db.session().execute(statement).first()
        if found is None:
            raise RuntimeError("the demo has no slip to print")
        return found.id, found.customer_id

    def _somebody(self) -> tuple[str, str, str]:
        """Return name, telephone and file number of a customer of the first branch."""
        from app.extensions import db
        from app.models.customers import ContactKind, Customer, CustomerContact

        statement = (
            select(Customer, CustomerContact)
            .join(CustomerContact, CustomerContact.customer_id == Customer.id)
            .where(CustomerContact.kind == ContactKind.PHONE, func.length(Customer.name) == 3)
            .where(Customer.customer_no.contains("01-"))
            .order_by(Customer.id.desc())
        )
        with self.app.app_context():
            customer, contact = db.session().execute(statement).first()  # type: ignore[misc]
            return customer.name, contact.value, customer.customer_no


def _peak() -> float:
    """Return the most memory that this process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _logged_in(app: Flask, username: str) -> FlaskClient:
    from app.demo import PASSWORD

    client = app.test_client()
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', client.get("/login/").text)
    form = {"username": username, "password": PASSWORD, "csrf_token": token.group(1) if token else ""}
    if client.post("/login/", data=form).status_code != 302:
        raise RuntimeError(f"{username} cannot log in")
    return client


def _slips_on(page: str) -> list[str]:
    """Return the slip numbers that a page shows as links."""
    return re.findall(r">\s*(YY\d\d-\d{8}-\d+)\s*<", page)


if __name__ == "__main__":
    sys.exit(main())
