"""The kill test: web workers, the web server and the database are killed while people work over HTTP.

Trust, targets 1 and 2. Each client writes down what it is about to ask (I) before it asks, and what was acknowledged
(A) after; what got no answer is asked again under the same key. Afterwards every A is in the database exactly once,
nothing is there that nobody asked for, and nothing twice. The control makes the database forget, and must see losses.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from app.ops.postgres import Cluster
from tests.conftest import PASSWORD
from tests.ops.real_house import ROOT, environment, make_house

pytestmark = pytest.mark.nightly
CLIENTS, SECONDS, PATIENCE = 6, 25, 150


@pytest.fixture(scope="module")
def filled() -> Iterator[Path]:
    home = Path(tempfile.mkdtemp(prefix="yimei-kill-", dir="/tmp"))
    home.chmod(0o711)
    make_house(home)
    yield home
    Cluster(home, say=lambda _line: None).remove()
    shutil.rmtree(home)


class House:
    """A running house: the supervisor's process, and who may be killed in it."""

    def __init__(self, home: Path, *settings: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.home, self.cluster = home, Cluster(home, say=lambda _line: None)
        self.log = (home / "drill.log").open("w+")
        command = [sys.executable, "-m", "tests.ops.real_house", "serve", str(self.port), *settings]
        self.process = subprocess.Popen(
            command, env=environment(home), cwd=ROOT, stdout=self.log, stderr=subprocess.STDOUT, start_new_session=True
        )
        patience = time.monotonic() + PATIENCE
        while "open" not in (home / "drill.log").read_text():
            assert self.process.poll() is None, (home / "drill.log").read_text()
            assert time.monotonic() < patience
            time.sleep(0.2)

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.port}/api/v1"

    def kill(self, whom: str) -> bool:
        """Kill -9 a web worker, the web server or the database's first process; say whether there was one."""
        pids = {"database": self._database, "web server": self._web, "web worker": self._workers}[whom]()
        for pid in pids[:1]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return bool(pids)

    def _database(self) -> list[int]:
        with contextlib.suppress(OSError, ValueError):
            return [int((self.cluster.data / "postmaster.pid").read_text().split("\n", 1)[0])]
        return []

    def _web(self) -> list[int]:
        with contextlib.suppress(OSError, ValueError, IndexError):
            return [int(json.loads((self.home / "children.json").read_text())[0]["pid"])]
        return []

    def _workers(self) -> list[int]:
        with contextlib.suppress(OSError, ValueError, IndexError):
            web = self._web()[0]
            found = [int(word) for word in Path(f"/proc/{web}/task/{web}/children").read_text().split()]
            return random.sample(found, len(found))
        return []

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(PATIENCE)
        self.log.close()


class Client(threading.Thread):
    """Opens a file, places a slip for it, has every third voided; keeps its own account of all of it."""

    def __init__(self, house: House, number: int, book: Path, tokens: tuple[str, str]) -> None:
        super().__init__()
        self.house, self.number, self.tokens = house, number, tokens
        self.book = (book / f"{number}.txt").open("a", encoding="utf-8")
        self.stopping = threading.Event()
        self.wrong: list[str] = []
        self.tries = 0

    def run(self) -> None:
        turn = 0
        while not self.stopping.is_set():
            self._customer(turn)
            turn += 1
        self.book.close()

    def _customer(self, turn: int) -> None:
        phone = f"13{self.number}{random.randrange(10**8):08d}"
        opened = self._ask("customer/register_temporary", {"name": f"客户{self.number}-{turn}", "phone": phone}, 0)
        if opened is None:
            return
        at = datetime.now(UTC) + timedelta(days=1 + turn % 20)
        wanted = {"customer_id": opened, "appointed_at": at.isoformat(), "intention": "A",
                  "latest_arrival_at": (at + timedelta(hours=1)).isoformat()}  # fmt: skip
        placed = self._ask("appointment_slip/place", wanted, 0)
        if placed is not None and turn % 3 == 0:
            self._ask(f"appointment_slip/{placed}/void", {"reason": "customer rang off"}, 1)

    def _ask(self, path: str, body: dict[str, Any], who: int) -> int | None:
        """Ask until there is an answer, always under one key; return the record's id, None if it was refused."""
        key = uuid.uuid4().hex
        self._write(f"I {key} {path}")
        headers = {"Authorization": f"Bearer {self.tokens[who]}", "Idempotency-Key": key}
        patience, said = time.monotonic() + PATIENCE, "nothing"
        while time.monotonic() < patience:
            self.tries += 1
            try:
                answer = httpx.post(f"{self.house.api}/{path}", json=body, headers=headers, timeout=15, trust_env=False)
            except httpx.HTTPError:
                time.sleep(0.3)
                continue
            said = f"{answer.status_code} {answer.text[:300]}"
            if answer.status_code in (200, 201):
                made: int = answer.json()["id"]
                self._write(f"A {key} {made}")
                return made
            if answer.status_code < 500 and answer.status_code != 429:
                self.wrong.append(f"{path} {answer.status_code} {answer.text[:200]}")
                self._write(f"R {key} {answer.status_code}")
                return None
            time.sleep(0.3)
        self.wrong.append(f"{path} never answered but {said}")
        return None

    def _write(self, line: str) -> None:
        self.book.write(line + "\n")
        self.book.flush()


def work(house: House, book: Path, seconds: float, kills: dict[str, float]) -> tuple[Counter[str], list[Client]]:
    """Let clients work while some are killed: each victim at random about every so many seconds."""
    tokens = login(house, "phone_consultant"), login(house, "phone_supervisor")
    clients = [Client(house, number, book, tokens) for number in range(CLIENTS)]
    for client in clients:
        client.start()
    killed: Counter[str] = Counter()
    began = time.monotonic()
    due = {whom: began + every * random.uniform(0.4, 1.0) for whom, every in kills.items()}
    while time.monotonic() - began < seconds:
        for whom, at in due.items():
            if time.monotonic() > at:
                killed[whom] += house.kill(whom)
                due[whom] = time.monotonic() + kills[whom] * random.uniform(0.6, 1.4)
        time.sleep(0.05)
    for client in clients:
        client.stopping.set()
    for client in clients:
        client.join()
    return killed, clients


def login(house: House, username: str) -> str:
    told = {"username": username, "password": PASSWORD, "provider": "db"}
    answer = httpx.post(f"{house.api}/security/login", json=told, timeout=30, trust_env=False)
    assert answer.status_code == 200, answer.text
    token: str = answer.json()["access_token"]
    return token


@contextlib.contextmanager
def asking(house: House) -> Iterator[psycopg.Connection[Any]]:
    with house.cluster, psycopg.connect(house.cluster.owner_url.replace("+psycopg", "")) as connection:
        yield connection


def accounts(book: Path) -> tuple[dict[str, str], dict[str, int]]:
    """Return what was asked (key -> path) and what was acknowledged (key -> record)."""
    lines = [line.split() for path in book.iterdir() for line in path.read_text(encoding="utf-8").splitlines()]
    return {line[1]: line[2] for line in lines if line[0] == "I"}, {
        line[1]: int(line[2]) for line in lines if line[0] == "A"
    }


def compared(house: House, book: Path, since: int) -> dict[str, list[Any]]:
    """Return what is lost, wrong, double, a ghost or without its act, by the database alone."""
    asked, acknowledged = accounts(book)
    with asking(house) as connection:
        ran = connection.execute(
            "select request_key, table_name, act, coalesce(result_id, record_id) from act_run where id > %s", [since]
        ).fetchall()
        made = {
            table: Counter(row[0] for row in ran_of(ran, table, act))
            for table, act in (("customer", "register_temporary"), ("appointment_slip", "place"))
        }
        standing = {
            "customer": {row[0] for row in connection.execute("select id from customer where id > 0")},
            "appointment_slip": {row[0] for row in connection.execute("select id from appointment_slip")},
        }
        voided = {row[0] for row in connection.execute("select id from appointment_slip where state = 'voided'")}
        without_act = connection.execute(
            "select s.id from appointment_slip s where s.created_at > (select max(at) from act_run where id = %s)"
            " and not exists (select 1 from act_run r where r.act = 'place'"
            " and coalesce(r.result_id, r.record_id) = s.id)", [since],
        ).fetchall()  # fmt: skip
    by_key: dict[str, list[tuple[Any, ...]]] = {}
    for row in ran:
        by_key.setdefault(row[0], []).append(row)
    paths = {key: asked[key].split("/") for key in acknowledged}
    return {
        "lost": [key for key in acknowledged if key not in by_key],
        "other answer": [key for key, found in acknowledged.items() if key in by_key and by_key[key][0][3] != found],
        "record gone": [
            key for key, found in acknowledged.items() if key in by_key and found not in standing[paths[key][0]]
        ],
        "not voided": [
            key for key, found in acknowledged.items()
            if key in by_key and paths[key][-1] == "void" and found not in voided
        ],
        "twice": [key for key, rows in by_key.items() if len(rows) > 1]
        + [found for counted in made.values() for found, times in counted.items() if times > 1],
        "ghost": [row for row in ran if row[0] not in asked] + without_act,
    }  # fmt: skip


def ran_of(ran: list[Any], table: str, act: str) -> list[tuple[int]]:
    return [(row[3],) for row in ran if (row[1], row[2]) == (table, act)]


def last_run(house_home: Path) -> int:
    with Cluster(house_home, say=lambda _line: None) as cluster, psycopg.connect(
        cluster.owner_url.replace("+psycopg", "")
    ) as connection:  # fmt: skip
        row = connection.execute("select coalesce(max(id), 0) from act_run").fetchone()
    return int(row[0]) if row else 0


def test_what_was_acknowledged_is_there_once_whoever_is_killed(filled: Path, tmp_path: Path) -> None:
    """Target 1."""
    random.seed(7)
    since = last_run(filled)
    house = House(filled)
    try:
        kills = {"web worker": 1.2, "web server": 20.0, "database": 7.0}
        killed, clients = work(house, tmp_path, SECONDS, kills)
    finally:
        house.stop()
    print((filled / "drill.log").read_text()[-1500:])
    found = compared(house, tmp_path, since)
    asked, acknowledged = accounts(tmp_path)
    tries = sum(client.tries for client in clients)
    print(f"killed {dict(killed)}; {len(acknowledged)} acknowledged of {len(asked)} asked in {tries} tries; {found}")
    assert [line for client in clients for line in client.wrong] == []
    assert killed["database"] >= 3
    assert killed["web worker"] >= 5
    assert len(acknowledged) == len(asked) > 30
    assert found == {name: [] for name in found}


def test_a_database_that_forgets_is_found_out(filled: Path, tmp_path: Path) -> None:
    """Target 2, the control: the same, with synchronous_commit off."""
    random.seed(7)
    since = last_run(filled)
    house = House(filled, "synchronous_commit = off", "wal_writer_delay = '10s'")
    try:
        killed, _clients = work(house, tmp_path, SECONDS, {"database": 7.0})
    finally:
        house.stop()
    found = compared(house, tmp_path, since)
    with house.cluster, psycopg.connect(house.cluster.admin_url.replace("+psycopg", ""), autocommit=True) as admin:
        admin.execute("alter system reset all")
    print(f"killed {dict(killed)}; {len(accounts(tmp_path)[1])} acknowledged, {len(found['lost'])} of them lost")
    assert found["lost"], "the test cannot see a loss"
