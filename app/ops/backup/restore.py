"""Restore a backup into a new home: recover to a second, give new passwords, bring the files, look at what came."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from app.backups import BASE, DUMP, Backup, backups_in, copied_file, read_backup
from app.ops.backup.recover import recover, refuse_beyond, unpack
from app.ops.backup.sealing import unseal
from app.ops.backup.source import BackupProblem, client, last_words
from app.ops.backup.verify import faults
from app.ops.cluster_roles import APPLICATION, OWNER
from app.ops.postgres import Cluster
from config import make_home

Connection = psycopg.Connection[Any]


@dataclass(frozen=True)
class Restored:
    """What stands in the new home. ``rows`` by table; ``missing`` are files that rows name and no copy holds."""

    backup: Backup
    rows: dict[str, int]
    files: int
    missing: list[str]


def chosen(place: Path, to: datetime | None, *, dump: bool = False) -> Backup:
    """Return the backup to begin with: the one given, or the newest of a folder that is not younger than the moment."""
    one = read_backup(place)
    found = [one] if one is not None else backups_in(place)
    if not found:
        raise BackupProblem(f"{place} holds no backup.")
    fitting = [each for each in found if dump or to is None or (each.has(BASE) and each.consistent_at <= to)]
    if not fitting:
        earliest = min(each.consistent_at for each in found).isoformat(timespec="seconds")
        raise BackupProblem(f"No backup reaches back to that moment; the earliest that can be restored is {earliest}.")
    return fitting[-1]


def restore(
    backup: Backup, home: Path, files: Path, key: bytes, to: datetime | None, *, dump: bool = False, say: Any = print
) -> Restored:
    """Restore into a home that holds no house yet. Refuses one in use, a damaged backup, a moment out of reach."""
    cluster = Cluster(home, purpose=str(backup.told["purpose"]), say=say)
    if cluster.purpose is not None or (home / "postgres.json").exists() or any(files.glob("??/*")):
        raise BackupProblem(f"{home} is in use; give a new folder with --home.")
    say(f"Checking the backup of {backup.consistent_at.isoformat(timespec='seconds')} ...")
    wrong = list(faults(backup, key))
    if wrong:
        raise BackupProblem("The backup is damaged:\n  " + "\n  ".join(wrong[:10]))
    if to is not None and backup.has(BASE):
        refuse_beyond(backup, to, grace=timedelta(seconds=1))
    make_home(home)
    if backup.has(BASE) and not dump:
        _from_copy(cluster, backup, key, to, say)
    else:
        if to is not None:
            raise BackupProblem("A dump has one moment only: leave out --to-time.")
        _from_dump(cluster, backup, key, say)
    with cluster, _connect(cluster.owner_url) as connection:
        keys = _file_keys(connection)
        missing = bring_files(backup, keys, files)
        return Restored(backup, dict(_rows(connection)), len(keys) - len(missing), missing)


def _from_copy(cluster: Cluster, backup: Backup, key: bytes, to: datetime | None, say: Any) -> None:
    """Recover beside the place of the data folder, and move what came of it there."""
    cluster.make_folder()
    making = cluster.folder / f"data.making-{os.getpid()}"
    try:
        say("Unpacking the data folder ...")
        unpack(backup, key, making, cluster)
        say(f"Recovering to {to.isoformat() if to else 'the last change that was copied'} ...")
        recover(cluster, making, backup, key, to)
        making.rename(cluster.data)
    except BaseException:
        shutil.rmtree(making, ignore_errors=True)
        cluster.remove()
        raise


def _from_dump(cluster: Cluster, backup: Backup, key: bytes, say: Any) -> None:
    """Load the dump into a fresh server as it stood, whatever its roles were called."""
    with cluster:
        say("Loading the dump ...")
        with _connect(cluster.admin_url) as admin:
            standing = {row[0] for row in admin.execute("select rolname from pg_roles")}
            owner = str(backup.told["owner"])
            if owner not in standing:
                admin.execute(sql.SQL("create role {}").format(sql.Identifier(owner)))
        load_dump(cluster.admin_url.replace("/postgres?", "/yimei?"), backup, key)
        with _connect(cluster.admin_url.replace("/postgres?", "/yimei?")) as admin:
            if owner != OWNER:
                admin.execute(
                    sql.SQL("reassign owned by {} to {}").format(sql.Identifier(owner), sql.Identifier(OWNER))
                )
                _grant(admin)


def load_dump(address: str, backup: Backup, key: bytes) -> None:
    """Feed the dump to pg_restore; raises with its last words. Rights of roles that are not here are passed over."""
    import subprocess

    from psycopg.conninfo import conninfo_to_dict, make_conninfo

    parts = conninfo_to_dict(address.replace("+psycopg", ""))
    environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "PGPASSWORD": str(parts.pop("password", ""))}
    foreign = ["--no-privileges"] if backup.told["owner"] != OWNER else []
    command = [
        str(client("pg_restore")),
        "-d",
        make_conninfo("", **parts),
        "--no-password",
        "--exit-on-error",
        *foreign,
    ]
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        try:
            for piece in unseal(backup.folder / DUMP, f"{backup.name}/{DUMP}", key):
                process.stdin.write(piece)
            process.stdin.close()
        except BrokenPipeError:
            pass  # it ended early and says why
        told = process.stderr.read().decode(errors="replace")
        if process.wait() != 0:
            raise BackupProblem(f"The dump could not be loaded: {last_words(told)}")


def _grant(owner: Connection) -> None:
    from app.ops.schema import grant_sql

    tables = {str(row[0]) for row in owner.execute("select tablename from pg_tables where schemaname = 'public'")}
    owner.execute(sql.SQL("set role {}").format(sql.Identifier(OWNER)))
    for statement in grant_sql(APPLICATION, tables):
        owner.execute(statement.encode())
    owner.execute("reset role")


def bring_files(backup: Backup, keys: list[str], files: Path) -> list[str]:
    """Copy the files that rows name into the new store; return the keys of those of which there is no copy."""
    place = backup.folder.parent
    missing = []
    for key in keys:
        copies = sorted((place / "files" / key[:2]).glob(f"{key}.{'?' * 64}"), key=lambda path: path.stat().st_mtime_ns)
        if not copies:
            missing.append(key)
            continue
        target = files / key[:2] / key
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.copy2(copied_file(place, copies[-1].name), target)
        target.chmod(0o600)
    return missing


def _file_keys(connection: Connection) -> list[str]:
    found = connection.execute("select to_regclass('public.stored_file')").fetchone()
    if found == (None,):
        return []
    ask = "select file_key from stored_file where file_key is not null and dropped_at is null order by 1"
    return [str(row[0]) for row in connection.execute(ask)]


def _rows(connection: Connection) -> Iterator[tuple[str, int]]:
    """Yield how many rows each table has: every page of every table is read, its checksum compared."""
    tables = connection.execute("select tablename from pg_tables where schemaname = 'public' order by 1").fetchall()
    for (table,) in tables:
        row = connection.execute(sql.SQL("select count(*) from {}").format(sql.Identifier(table))).fetchone()
        yield str(table), int(row[0]) if row else 0


def _connect(address: str) -> Connection:
    return psycopg.connect(address.replace("+psycopg", ""), autocommit=True, connect_timeout=10)
