"""The restore drill: back up while people write, restore to a chosen second, compare every table. Target 38, H.2.

The whole schema with some of the demo's data, on the embedded server with durable settings.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from app import keyring
from app.backups import backups_in
from app.filestore import FileStore
from app.keyring import KeyRing
from app.ops.backup.changes import copy_changes, system_of
from app.ops.backup.files import Copies
from app.ops.backup.make import take
from app.ops.backup.restore import chosen, restore
from app.ops.backup.source import Source
from app.ops.backup.verify import change_faults, faults
from app.ops.postgres import Cluster
from config import make_keys
from tests.ops.real_house import make_house

pytestmark = pytest.mark.nightly
KEY = os.urandom(32)
WRITERS = 4


@pytest.fixture
def filled() -> Iterator[Path]:
    home = Path(tempfile.mkdtemp(prefix="yimei-drill-", dir="/tmp"))
    home.chmod(0o711)
    make_house(home)
    yield home
    Cluster(home, say=lambda _line: None).remove()
    shutil.rmtree(home)


class Writers:
    """Write all the time: notices come and change, files are handed in. Held still for the moment to compare."""

    def __init__(self, address: str, files: Path) -> None:
        self.address, self.store = address.replace("+psycopg", ""), FileStore(files)
        self.stopping, self.turns = threading.Event(), [threading.Lock() for _ in range(WRITERS)]
        self.written = [0] * WRITERS
        self.threads = [threading.Thread(target=self._write, args=[number]) for number in range(WRITERS)]
        for thread in self.threads:
            thread.start()

    def _write(self, number: int) -> None:
        with psycopg.connect(self.address) as connection:
            employee = connection.execute("select min(id) from employee").fetchone()
            connection.rollback()
            while not self.stopping.is_set():
                with self.turns[number], connection.transaction():
                    connection.execute("select set_config('app.actor', 'house:drill', true)")
                    self._one(connection, number, employee[0] if employee else None)
                self.written[number] += 1
                time.sleep(0.002)

    def _one(self, connection: psycopg.Connection[Any], number: int, employee: int | None) -> None:
        turn = self.written[number]
        connection.execute(
            "insert into notice (employee_id, kind, facts, table_name, record_id, created_at)"
            " values (%s, 'task_done', '{}', 'notice', %s, now())", [employee, turn],
        )  # fmt: skip
        connection.execute("update customer set address = %s where id = (select min(id) + %s from customer)",
                           [f"drill {number} {turn}", (turn * WRITERS + number) % 90])  # fmt: skip
        if turn % 20 == 0:
            content = f"{number} {turn} {uuid.uuid4()}".encode()
            connection.execute(
                "insert into stored_file (file_key, name, media_type, size_bytes, digest, purpose, created_at)"
                " values (%s, 'drill', 'text/plain', %s, %s, 'evidence', now())",
                [self.store.put(content), len(content), hashlib.sha256(content).hexdigest()],
            )

    def hold(self) -> None:
        for turn in self.turns:
            turn.acquire()

    def go_on(self) -> None:
        for turn in self.turns:
            turn.release()

    def stop(self) -> None:
        self.stopping.set()
        for thread in self.threads:
            thread.join()


def state(address: str) -> dict[str, tuple[int, int]]:
    """Return of every table its count and the sum of its rows' hashes."""
    found = {}
    with psycopg.connect(address.replace("+psycopg", "")) as connection:
        tables = connection.execute("select tablename from pg_tables where schemaname = 'public' order by 1").fetchall()
        for (table,) in tables:
            ask = sql.SQL("select count(*), coalesce(sum(hashtextextended(t::text, 0)), 0)::text from {} t")
            row = connection.execute(ask.format(sql.Identifier(table))).fetchone()
            assert row is not None
            found[table] = row[0], int(row[1])
    return found


def now(address: str) -> datetime:
    with psycopg.connect(address.replace("+psycopg", "")) as connection:
        row = connection.execute("select clock_timestamp()").fetchone()
    assert row is not None
    moment: datetime = row[0]
    return moment


def test_a_backup_under_load_restores_to_a_second_with_every_table_alike(filled, home, record_property, monkeypatch):
    kept = make_keys(filled)
    monkeypatch.setattr(keyring, "_ring", KeyRing(kept["encryption"], kept["hash"]))
    with Cluster(filled, say=lambda _line: None) as cluster:
        place, files = filled / "backups", filled / "files"
        of = Source(cluster.backup_url.replace("+psycopg", ""), files, place, KEY, cluster)
        archiving = threading.Event()
        system = system_of(cluster)

        def archive() -> None:
            copies = Copies(files, place)
            while not archiving.wait(0.5):
                copy_changes(cluster.archive, place, system, KEY, copies)

        copier = threading.Thread(target=archive)
        writers = Writers(cluster.owner_url, files)
        try:
            time.sleep(1)
            before = sum(writers.written)
            began = time.monotonic()
            take(of, lambda _line: None)
            backup_took, during = time.monotonic() - began, sum(writers.written) - before
            copier.start()
            time.sleep(2)
            writers.hold()
            expected, moment = state(cluster.owner_url), now(cluster.owner_url)
            time.sleep(1.1)
            writers.go_on()
            time.sleep(3)
        finally:
            writers.stop()
        after = state(cluster.owner_url)
        with psycopg.connect(cluster.admin_url.replace("+psycopg", ""), autocommit=True) as admin:
            admin.execute("select pg_switch_wal()")
        time.sleep(3)
        archiving.set()
        copier.join()
        copy_changes(cluster.archive, place, system, KEY, Copies(files, place))
        lag = (now(cluster.owner_url) - moment).total_seconds()

    assert during > 20, "people wrote while it was taken"
    assert after["notice"][0] > expected["notice"][0] + 20, "and after the moment"
    backup = chosen(place, moment)
    assert [*faults(backup, KEY), *change_faults(place, backup, KEY)] == []
    began = time.monotonic()
    told = restore(backup, home, home / "files", KEY, moment, say=lambda _line: None)
    took = time.monotonic() - began
    assert told.missing == []
    assert told.files == expected["stored_file"][0]
    with Cluster(home, say=lambda _line: None) as restored:
        found = state(restored.owner_url)
        with psycopg.connect(restored.owner_url.replace("+psycopg", "")) as connection:
            rows = connection.execute("select file_key, digest from stored_file where file_key is not null").fetchall()
    differing = {table for table in expected if found.get(table) != expected[table]}
    assert differing == set()
    assert set(found) == set(expected)
    store = FileStore(home / "files")
    for key, digest in rows:
        assert hashlib.sha256(store.get(key)).hexdigest() == digest
    Cluster(home, say=lambda _line: None).remove()

    clear = [name.encode() for name in names_in(filled)]
    assert len(clear) > 20
    for path in (path for path in place.rglob("*") if path.is_file()):
        content = path.read_bytes()
        assert [name for name in clear if name in content] == [], path
    for name, value in (
        ("tables", len(expected)), ("rows", sum(count for count, _hash in expected.values())),
        ("transactions while it was taken", during), ("backup s", round(backup_took, 1)),
        ("restore s", round(took, 1)), ("files", told.files), ("MB", round(backups_in(place)[-1].size / 1024**2, 1)),
        ("behind s", round(lag, 1)),
    ):  # fmt: skip
        record_property(name, value)
        print(f"{name}: {value}")


def names_in(home: Path) -> list[str]:
    """Return names of customers of three characters and more, which no random bytes hold by chance."""
    with Cluster(home, say=lambda _line: None) as cluster, psycopg.connect(
        cluster.owner_url.replace("+psycopg", "")
    ) as connection:  # fmt: skip
        rows = connection.execute("select name from customer where length(name) >= 3").fetchall()
    return sorted({str(row[0]) for row in rows})
