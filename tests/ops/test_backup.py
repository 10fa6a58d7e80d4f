"""Backups in small: taken from a running server, sealed, proved, restored; and each kind of damage is found.

White paper H.2: daily backup, monthly restore test. The drill under load is in test_restore_drill.py.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from app import keyring
from app.backups import BASE, DUMP, MANIFEST, Backup, backups_in, changes_folder, reach, read_backup
from app.filestore import FileStore
from app.keyring import KeyRing
from app.ops.backup.changes import copy_changes, system_of
from app.ops.backup.files import Copies
from app.ops.backup.make import take
from app.ops.backup.restore import chosen, restore
from app.ops.backup.sealing import seal, unseal
from app.ops.backup.source import BackupProblem, Source
from app.ops.backup.verify import change_faults, faults
from app.ops.postgres import Cluster
from config import new_encryption_key

pytestmark = pytest.mark.slow
KEY = bytes(range(32))
CANARY = "金丝雀王小明13800138000"


def quiet(_sentence: object) -> None:
    """Say nothing."""


def sql(address: str, *statements: str) -> list[tuple[Any, ...]]:
    """Run statements on an address and return the rows of the last."""
    with psycopg.connect(address.replace("+psycopg", ""), autocommit=True) as connection:
        cursor = [connection.execute(statement.encode()) for statement in statements][-1]
        return cursor.fetchall() if cursor.description else []


@pytest.fixture(scope="module")
def of() -> Iterator[Source]:
    """A small house with one backup: a careful server, two tables, two sealed files."""
    home = Path(tempfile.mkdtemp(prefix="yimei-home-", dir="/tmp"))
    home.chmod(0o711)
    before, keyring._ring = keyring._ring, KeyRing([new_encryption_key()], "ab" * 32)
    with Cluster(home, purpose="demo", say=quiet) as cluster:
        sql(
            cluster.owner_url,
            "create table alembic_version (version_num text)",
            "insert into alembic_version values ('one')",
            "create table stored_file (id int primary key, file_key text, dropped_at timestamptz)",
            "create table customer (id int primary key, name text)",
            f"insert into customer select n, '{CANARY}' || n from generate_series(1, 500) n",
        )
        address = cluster.backup_url.replace("+psycopg", "")
        made = Source(address, home / "files", home / "backups", KEY, cluster)
        add_file(made, 1)
        add_file(made, 2)
        take(made, quiet)
        yield made
    cluster.remove()
    keyring._ring = before
    shutil.rmtree(home)


def cluster_of(of: Source) -> Cluster:
    assert of.cluster is not None
    return of.cluster


def add_file(of: Source, number: int) -> str:
    key = FileStore(of.files).put(f"{CANARY} file {number}".encode())
    sql(cluster_of(of).owner_url, f"insert into stored_file values ({number}, '{key}', null)")
    return key


@pytest.fixture
def copy(of: Source, tmp_path: Path) -> Backup:
    """A copy of the folder of backups, to be damaged."""
    shutil.copytree(of.place, tmp_path / "backups")
    return backups_in(tmp_path / "backups")[-1]


def test_a_backup_says_what_it_is_and_can_be_read(of: Source) -> None:
    backup = backups_in(of.place)[-1]
    assert list(faults(backup, KEY)) == []
    assert (backup.told["revision"], backup.told["owner"]) == ("one", "yimei_owner")
    assert backup.told["files"]["count"] == 2
    assert backup.system == system_of(cluster_of(of))
    assert set(backup.told["parts"]) == {BASE, DUMP, "files.json"}
    assert backup.told["first_wal"] >= "000000010000000000000001"


def test_nothing_of_it_can_be_read_without_the_key(of: Source) -> None:
    held = [path for path in of.place.rglob("*") if path.is_file()]
    assert len(held) > 5
    for path in held:
        content = path.read_bytes()
        for clear in (CANARY.encode(), "王小明".encode(), b"13800138000", b"PGDMP", KEY):
            assert clear not in content, path
        assert path.stat().st_mode & 0o077 == 0, path
    backup = backups_in(of.place)[-1]
    assert list(faults(backup, bytes(32))) == [f"{backup.folder / MANIFEST} was changed, or written with another key."]


def test_the_canary_is_there_for_who_has_the_key(of: Source) -> None:
    """The control: opened with the key, the very bytes are found."""
    backup = backups_in(of.place)[-1]
    for part in (BASE, DUMP):
        clear = b"".join(unseal(backup.folder / part, f"{backup.name}/{part}", KEY))
        assert CANARY.encode() in clear, part


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [("byte of base", "was changed"), ("byte of dump", "was changed"), ("cut", "was changed"), ("gone", "is missing"),
     ("manifest", "another key"), ("file", "was changed"), ("file gone", "is missing"), ("added", "no backup wrote")],
)  # fmt: skip
def test_every_damage_is_found(copy: Backup, damage: str, sentence: str) -> None:
    pool = sorted((copy.folder.parent / "files").glob("??/*"))
    match damage:
        case "byte of base" | "byte of dump":
            flip(copy.folder / (BASE if damage.endswith("base") else DUMP), 400)
        case "cut":
            os.truncate(copy.folder / DUMP, (copy.folder / DUMP).stat().st_size - 1)
        case "gone":
            (copy.folder / BASE).unlink()
        case "manifest":
            told = json.loads((copy.folder / MANIFEST).read_text())
            (copy.folder / MANIFEST).write_text(json.dumps(told | {"purpose": "production"}))
        case "file":
            flip(pool[0], 30)
        case "file gone":
            pool[0].unlink()
        case "added":
            (copy.folder / "more").touch()
    found = read_backup(copy.folder)
    assert found is not None
    wrong = list(faults(found, KEY))
    assert len(wrong) == 1
    assert sentence in wrong[0]


def flip(path: Path, position: int) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


def test_it_is_restored_to_a_second_with_every_file_and_never_over_a_house(of: Source, home: Path) -> None:
    """Target 38 in small: what came after the moment is absent, what came before is there, its files too."""
    early = add_file(of, 3)
    ((moment,),) = sql(cluster_of(of).owner_url, "select clock_timestamp()")
    late = add_file(of, 4)
    reached = copied(of)
    assert reached > moment

    backup = chosen(of.place, moment)
    new = restore(backup, home, home / "files", KEY, moment, say=quiet)
    assert (new.rows["customer"], new.rows["stored_file"], new.missing) == (500, 3, [])
    assert FileStore(home / "files").get(early).decode().endswith("file 3")
    assert not (home / "files" / late[:2] / late).exists()
    with Cluster(home, say=quiet) as restored:
        assert restored.purpose == "demo"
        assert sql(restored.app_url, "select current_user") == [("yimei_app",)]
        assert restored.app_url.split("@")[0] != cluster_of(of).app_url.split("@")[0], "it has passwords of its own"
        sql(restored.owner_url, "insert into customer values (501, 'new')")
    with pytest.raises(BackupProblem, match="is in use; give a new folder"):
        restore(backup, home, home / "files", KEY, None, say=quiet)
    Cluster(home, say=quiet).remove()
    with pytest.raises(BackupProblem, match=r"changes reach to .* is later"):
        restore(backup, home / "b", home / "b" / "files", KEY, reached + timedelta(days=1), say=quiet)
    with pytest.raises(BackupProblem, match="earliest that can be restored"):
        chosen(of.place, backup.began_at)


def copied(of: Source) -> datetime:
    """Let the server finish its changes and copy them; return until when they are there."""
    sql(cluster_of(of).admin_url, "select pg_switch_wal()")
    system, patience = system_of(cluster_of(of)), time.monotonic() + 30
    while not copy_changes(cluster_of(of).archive, of.place, system, KEY, Copies(of.files, of.place)):
        assert time.monotonic() < patience
        time.sleep(0.1)
    reached = reach(of.place, system)
    assert reached is not None
    return reached + timedelta(seconds=1)  # the grace of a second is for a server that goes on


@pytest.mark.nightly
def test_the_dump_alone_restores_too(of: Source, home: Path) -> None:
    backup = backups_in(of.place)[-1]
    new = restore(backup, home, home / "files", KEY, None, dump=True, say=quiet)
    assert (new.rows["customer"], new.rows["stored_file"], new.missing) == (500, 2, [])
    with Cluster(home, say=quiet) as restored:
        owned = "select tableowner from pg_tables where tablename = 'customer'"
        assert sql(restored.app_url, owned) == [("yimei_owner",)]
    Cluster(home, say=quiet).remove()


def test_changes_that_are_missing_or_damaged_are_told(copy: Backup) -> None:
    folder = changes_folder(copy.folder.parent, copy.system)
    shutil.rmtree(folder, ignore_errors=True)
    names = ["0000000100000000000000FE", "0000000100000000000000FF", "000000010000000100000000"]
    for name in names:
        seal([b"change"], folder / f"{name}.sealed", f"{folder.name}/{name}.sealed", KEY)
    assert list(change_faults(copy.folder.parent, copy, KEY)) == []
    (folder / f"{names[1]}.sealed").rename(folder / f"{names[1]}.gone")
    (told,) = change_faults(copy.folder.parent, copy, KEY)
    assert "Changes are missing between" in told
    shutil.copy(folder / f"{names[0]}.sealed", folder / f"{names[1]}.sealed")
    (told,) = change_faults(copy.folder.parent, copy, KEY)
    assert "was changed" in told, "a change under another's name"
