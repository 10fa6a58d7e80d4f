"""Take a backup while the house is open: the data folder, a dump, the files; sealed, with a manifest.

The rows come first and the files after them, so that no row of the backup points at a file that is not in it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg

from app.backups import BASE, DUMP, FILES, MANIFEST, Backup, read_backup, stamped
from app.ops.backup.files import Copies
from app.ops.backup.sealing import Sealed, seal, sha256_of, signature, sync_folder
from app.ops.backup.source import BackupProblem, Source

Say = Any


def take(of: Source, say: Say) -> Backup:
    """Take a backup and return it. Raises ``BackupProblem``; what was begun then bears no backup's name."""
    with _only_one(of.place), _connected(of) as connection:
        facts = _facts(connection)
        began = _now(connection)
        target = of.place / stamped(began)
        making = target.with_name(f"{target.name}.making")
        for leftover in of.place.glob("*.making"):
            shutil.rmtree(leftover)
        making.mkdir(mode=0o700)
        copies = Copies(of.files, of.place)
        copies.catch_up()  # most of them now, so that little is left to do after the rows
        parts: dict[str, Sealed] = {}
        if facts.pop("may_copy"):
            say("Copying the data folder ...")
            facts |= _base(of, connection, making, parts, target.name)
        else:
            say("The role may not copy the data folder (REPLICATION): a dump alone, without the seconds between.")
        consistent = _now(connection)
        say("Dumping the database ...")
        dump = of.run("pg_dump", "--format=custom", "--compress=none")
        parts[DUMP] = seal(dump, making / DUMP, f"{target.name}/{DUMP}", of.key)
        facts |= _files(copies, making, parts)
        told = {
            "version": 1,
            "began_at": began.isoformat(),
            "consistent_at": consistent.isoformat(),
            "ended_at": _now(connection).isoformat(),
            "purpose": of.cluster.purpose if of.cluster else "production",
            **facts,
            "parts": {name: {"size": part.size, "sha256": part.sha256} for name, part in parts.items()},
        }
        return _finished(making, target, told, of.key)


def _finished(making: Path, target: Path, told: dict[str, Any], key: bytes) -> Backup:
    """Write the signed manifest and give the folder its name: from now on it is a backup."""
    signed = told | {"signature": signature(canonical(told), key)}
    with (making / MANIFEST).open("w", encoding="utf-8") as output:
        json.dump(signed, output, indent=2, sort_keys=True)
        output.flush()
        os.fsync(output.fileno())
    for part in making.iterdir():
        part.chmod(0o600)
    sync_folder(making)
    making.rename(target)
    sync_folder(target.parent)
    made = read_backup(target)
    assert made is not None
    return made


def canonical(told: dict[str, Any]) -> bytes:
    """Return the bytes of a manifest that its signature is about."""
    return json.dumps({name: value for name, value in told.items() if name != "signature"}, sort_keys=True).encode()


def _base(
    of: Source, connection: psycopg.Connection[Any], making: Path, parts: dict[str, Sealed], name: str
) -> dict[str, Any]:
    """Copy the data folder with the changes made meanwhile; a slot keeps these on the server until they are fetched."""
    if of.cluster is not None and not of.cluster.archive.exists():
        of.cluster.archive.mkdir(mode=0o700)
        of.cluster.account.own(of.cluster.archive)  # from now on finished changes are kept there
    connection.execute("select pg_create_physical_replication_slot(%s, true, true)", [f"yimei_backup_{os.getpid()}"])
    # Stands far enough back: the copy begins with a checkpoint that comes later. Whole names are told by the server.
    first = connection.execute(
        "select pg_walfile_name(restart_lsn) from pg_replication_slots where active_pid = pg_backend_pid()"
    )
    row = first.fetchone()
    words = ["-D", "-", "-F", "tar", "-X", "fetch", "-c", "fast", "--manifest-checksums=SHA256"]
    parts[BASE] = seal(of.run("pg_basebackup", *words), making / BASE, f"{name}/{BASE}", of.key)
    return {"first_wal": str(row[0]) if row else ""}


def _files(copies: Copies, making: Path, parts: dict[str, Sealed]) -> dict[str, Any]:
    names = copies.names()
    (making / FILES).write_text(json.dumps(sorted(names)), encoding="ascii")
    parts[FILES] = sha256_of(making / FILES)
    return {"files": {"count": len(names), "bytes": sum(names.values())}}


def _facts(connection: psycopg.Connection[Any]) -> dict[str, Any]:
    """Ask what is backed up: which server, which schema, whose it is."""
    ask = """
        select (select rolreplication or rolsuper from pg_roles where rolname = current_user),
               (select system_identifier::text from pg_control_system()),
               current_setting('server_version_num')::int, current_database(),
               (select string_agg(version_num, ' ' order by version_num) from alembic_version),
               (select tableowner from pg_tables where schemaname = 'public' and tablename = 'alembic_version')
    """
    try:
        row = connection.execute(ask).fetchone()
    except psycopg.errors.UndefinedTable:
        raise BackupProblem("The database was never migrated: there is nothing to back up.") from None
    except psycopg.errors.InsufficientPrivilege as problem:
        raise BackupProblem(f"The role for backups may not read everything: {problem}") from None
    assert row is not None
    names = ("may_copy", "system", "server", "database", "revision", "owner")
    return dict(zip(names, row, strict=True))


def _now(connection: psycopg.Connection[Any]) -> datetime:
    """Return the database's clock, by which a moment to restore to is chosen."""
    row = connection.execute("select clock_timestamp()").fetchone()
    assert row is not None
    now: datetime = row[0]
    return now


@contextlib.contextmanager
def _connected(of: Source) -> Iterator[psycopg.Connection[Any]]:
    try:
        connection = of.connect()
    except psycopg.OperationalError as problem:
        raise BackupProblem(f"The role for backups cannot connect: {str(problem).strip().splitlines()[0]}") from None
    with connection:
        yield connection


@contextlib.contextmanager
def _only_one(place: Path) -> Iterator[None]:
    """Hold the folder for one backup at a time."""
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(place / "backup.lock", "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupProblem(f"Another backup into {place} is being made.") from None
        yield
