"""The commands of `run.py` that keep what must not be lost: backup, archiver, verify-backup, restore."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app.backups import BASE, Backup, backups_in, read_backup, remove_old
from app.ops.backup.changes import copy_changes, watch
from app.ops.backup.files import Copies
from app.ops.backup.make import take
from app.ops.backup.restore import Restored, chosen, load_dump, restore
from app.ops.backup.source import BackupProblem, embedded_here, source
from app.ops.backup.verify import change_faults, faults
from app.ops.postgres import Cluster
from config import backup_key, backups_folder, files_folder, home_of, write_secret

Say = Any


def backup(arguments: argparse.Namespace, say: Say) -> int:
    """Take a backup, see that it can be read, and remove those that are too old; 1 if anything is wrong with it."""
    began = time.monotonic()
    of = source(place=arguments.to, make_key=True)
    made = take(of, say)
    if of.cluster is not None and of.cluster.archive.is_dir() and of.place == backups_folder():
        copy_changes(of.cluster.archive, of.place, made.system, of.key, Copies(of.files, of.place))
    say("Checking it ...")
    wrong = list(faults(made, of.key))
    if wrong:
        raise BackupProblem("The backup was made and cannot be read:\n  " + "\n  ".join(wrong[:10]))
    files, took = made.told["files"]["count"], time.monotonic() - began
    say(f"{made.folder}: {megabytes(made.size)} and {files} file(s), {took:.0f} s.")
    if not os.environ.get("YIMEI_BACKUP_KEY"):
        say(f"It opens with {home_of() / 'backup.key'}: keep that file and keys.json elsewhere as well.")
    if arguments.keep_days is not None:
        gone = remove_old(of.place, datetime.now(UTC), days=arguments.keep_days, weeks=arguments.keep_weeks)
        if gone:
            say(f"Removed as too old: {', '.join(gone)}.")
    return 0


def archiver(_arguments: argparse.Namespace, say: Say) -> int:
    """Copy finished changes and new files into the folder of backups until asked to stop."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stopping.set())
    watch(embedded_here(), files_folder(), backups_folder(), stopping, say)
    return 0


def verify_backup(arguments: argparse.Namespace, say: Say) -> int:
    """Check every backup of a folder, or one; with ``--deep`` also restore the newest aside. 1 if anything is wrong."""
    place = (arguments.folder or backups_folder()).expanduser().resolve()
    key = backup_key(folder=arguments.keys)
    one = read_backup(place)
    found = [one] if one is not None else backups_in(place)
    if not found:
        raise BackupProblem(f"{place} holds no backup.")
    bad = 0
    for each in found:
        wrong = list(faults(each, key))
        bad += len(wrong)
        say(f"{'bad  ' if wrong else 'ok   '} {each.name}  {megabytes(each.size)}")
        for sentence in wrong:
            say(f"      -> {sentence}")
    for sentence in change_faults(found[0].folder.parent, found[0], key):
        bad += 1
        say(f"bad   {sentence}")
    if not bad and arguments.deep:
        restored = restored_aside(found[-1], key, say)
        say(f"ok    {found[-1].name} restored aside: {described(restored)}")
        bad += len(restored.missing)
    return 1 if bad else 0


def restored_aside(backup: Backup, key: bytes, say: Say) -> Restored:
    """Restore a backup into a folder of the home that is thrown away; its dump as well, beside what was copied."""
    home = home_of()
    home.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix="verify-", dir=home))
    aside.chmod(0o711 if os.geteuid() == 0 else 0o700)
    cluster = Cluster(aside, say=lambda _sentence: None)
    try:
        restored = restore(backup, aside, aside / "files", key, None, say=say)
        if backup.has(BASE):
            say("Loading the dump beside it ...")
            with cluster:
                import psycopg

                with psycopg.connect(cluster.admin_url.replace("+psycopg", ""), autocommit=True) as admin:
                    admin.execute("create database dump_check template template0")
                load_dump(cluster.admin_url.replace("/postgres?", "/dump_check?"), backup, key)
        return restored
    finally:
        cluster.remove()
        shutil.rmtree(aside, ignore_errors=True)


def restore_command(arguments: argparse.Namespace, say: Say) -> int:
    """Restore into the home that ``--home`` names; 1 if a row names a file that no copy holds."""
    home = home_of()
    place = arguments.source.expanduser().resolve()
    key = backup_key(folder=arguments.keys)
    began = time.monotonic()
    choice = chosen(place, arguments.to_time, dump=arguments.dump)
    restored = restore(choice, home, files_folder(), key, arguments.to_time, dump=arguments.dump, say=say)
    for name in ("keys.json", "backup.key"):
        if arguments.keys is not None and (arguments.keys / name).exists() and not (home / name).exists():
            write_secret(home / name, (arguments.keys / name).read_text(encoding="utf-8"))
    say(f"Restored into {home}: {described(restored)}, {time.monotonic() - began:.0f} s.")
    for key_of_file in restored.missing[:10]:
        say(f"bad   no copy of the file {key_of_file}")
    if not (home / "keys.json").exists() and not os.environ.get("YIMEI_ENCRYPTION_KEYS"):
        say(f"Put your copy of keys.json into {home} before you start: contacts cannot be read without it.")
    return 1 if restored.missing else 0


def described(restored: Restored) -> str:
    """Say what was restored in a few words."""
    rows = sum(restored.rows.values())
    return (
        f"{len(restored.rows)} tables, {rows} rows, {restored.files} file(s), {len(restored.missing)} file(s) missing"
    )


def megabytes(size: int) -> str:
    """Return a size as people read it."""
    return f"{size / 1024**2:.1f} MB"
