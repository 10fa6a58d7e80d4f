"""Bring a copied data folder to life at a chosen second, by PostgreSQL's own recovery.

The server asks for one change after the other through a folder, the desk: it leaves a wish, a thread opens the sealed
file for it. So only one change lies there in clear at a time, and the server's account needs no key.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import shutil
import tarfile
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import cast

from app.backups import BASE, Backup, changes_folder, reach
from app.ops.backup.changes import name_of
from app.ops.backup.sealing import Reading, Sealed, sha256_of, unseal
from app.ops.backup.source import BackupProblem, last_words
from app.ops.postgres import Cluster, ClusterProblem
from app.ops.processes import born

WISH = re.compile(r"want-([0-9A-F]{24}|[0-9A-F]{8}\.history)")
LONGEST_RECOVERY = 24 * 3600


def unpack(backup: Backup, key: bytes, target: Path, cluster: Cluster) -> None:
    """Unpack the copied data folder and compare it with the list that the server wrote of it.

    The wheel's own `pg_verifybackup` dies at once (seen with 0.6.0), so the list is read here.
    """
    pieces = unseal(backup.folder / BASE, f"{backup.name}/{BASE}", key)
    target.mkdir(mode=0o700)
    with tarfile.open(fileobj=cast("tarfile._Fileobj", Reading(pieces)), mode="r|") as packed:
        if hasattr(tarfile, "data_filter"):  # Debian 12's Python 3.11 has none yet
            packed.extraction_filter = tarfile.data_filter
        for member in packed:
            if not (member.isfile() or member.isdir()) or member.name.startswith("/") or ".." in member.name.split("/"):
                raise BackupProblem(f"The copied data folder holds {member.name}, which is no file of a server.")
            packed.extract(member, target)
    for _rest in pieces:
        pass  # what follows the archive's end must be genuine as well
    if wrong := list(islice(unlike_the_list(target), 5)):
        raise BackupProblem("The copied data folder is not whole:\n  " + "\n  ".join(wrong))
    for path in (target, *target.rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)
        cluster.account.own(path)


def unlike_the_list(data: Path) -> Iterator[str]:
    """Yield a sentence for each file that is missing, changed or not on the list that came with the copy."""
    listed = json.loads((data / "backup_manifest").read_text(encoding="utf-8"))["Files"]
    for entry in listed:
        name = entry["Path"] if "Path" in entry else bytes.fromhex(entry["Encoded-Path"]).decode()
        path = data / name
        if not path.is_file():
            yield f"{name} is missing."
        elif (found := sha256_of(path)) != Sealed(entry["Size"], entry["Checksum"]):
            yield f"{name} has {found.size} bytes and another hash."
    known = {entry.get("Path") for entry in listed} | {"backup_manifest"}
    for path in data.rglob("*"):
        name = str(path.relative_to(data))
        if path.is_file() and name not in known and not name.startswith("pg_wal/"):
            yield f"{name} is not on the list."


def recover(cluster: Cluster, data: Path, backup: Backup, key: bytes, to: datetime | None) -> None:
    """Replay the changes up to a moment, or all of them, and stop the server again; raises ``BackupProblem``."""
    socket = Path(tempfile.mkdtemp(prefix="yimei-", dir="/tmp"))
    cluster.account.own(socket)
    for name in ("postmaster.pid", "standby.signal"):
        (data / name).unlink(missing_ok=True)
    (data / "recovery.signal").touch(mode=0o600)
    cluster.account.own(data / "recovery.signal")
    try:
        with _desk(cluster, data, backup, key) as desk:
            try:
                _replay(cluster, data, socket, desk, to)
            except ClusterProblem as problem:
                if desk.gap:
                    raise BackupProblem(
                        f"The change {desk.gap} is missing, later ones are there: give an earlier --to-time."
                    ) from None
                if to is None or "before configured recovery target was reached" not in str(problem):
                    raise BackupProblem(f"The copy could not be recovered: {problem}") from None
                refuse_beyond(backup, to)
                _replay(cluster, data, socket, desk, None)  # nothing was committed between the last change and then
    finally:
        shutil.rmtree(socket, ignore_errors=True)


def refuse_beyond(backup: Backup, to: datetime, *, grace: timedelta = timedelta()) -> None:
    """Refuse a moment until which not all changes were copied; within ``grace`` the recovery itself finds out."""
    furthest = max(reach(backup.folder.parent, backup.system) or backup.consistent_at, backup.consistent_at)
    if to > furthest + grace:
        told = furthest.isoformat(timespec="seconds")
        raise BackupProblem(f"The copied changes reach to {told}; {to.isoformat()} is later.")


def _replay(cluster: Cluster, data: Path, socket: Path, desk: Desk, to: datetime | None) -> None:
    settings = {
        "timezone": "UTC",
        "archive_mode": "off",
        "hot_standby": "off",  # nobody looks in before all of it is there
        "restore_command": desk.command(),
        "recovery_target_action": "promote",
    }
    if to is not None:
        settings["recovery_target_time"] = to.isoformat(sep=" ")
    major = (data / "PG_VERSION").read_text(encoding="ascii").strip()
    (cluster.folder / "start.log").unlink(missing_ok=True)
    cluster.run_server(data, socket, settings, LONGEST_RECOVERY, major=major)
    _await_end(cluster, data)
    done = cluster.program("pg_ctl", "stop", "-D", data, "-m", "fast", "-w", "-t", 600, "-s", major=major)
    if done.returncode != 0:
        raise BackupProblem(f"The recovered copy did not stop: {last_words(done.stderr)}")


def _await_end(cluster: Cluster, data: Path) -> None:
    """Wait until the server takes writes; raises ``ClusterProblem`` with its last words if it ended instead."""
    pid_file = data / "postmaster.pid"
    while True:
        try:
            lines = pid_file.read_text(encoding="ascii", errors="replace").splitlines()
        except FileNotFoundError:
            lines = []
        if not lines or born(int(lines[0])) is None:
            log = cluster.folder / "start.log"
            told = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
            raise ClusterProblem(last_words("\n".join(line for line in told.splitlines() if "FATAL" in line) or told))
        if lines[-1].strip() == "ready":
            return
        time.sleep(0.05)


class Desk(threading.Thread):
    """Opens the change that the server wishes for. ``gap`` is one that is missing while later ones are there."""

    def __init__(self, folder: Path, cluster: Cluster, data: Path, backup: Backup, key: bytes) -> None:
        super().__init__(daemon=True)
        self.folder, self.cluster, self.data, self.key = folder, cluster, data, key
        self.changes = changes_folder(backup.folder.parent, backup.system)
        self.first = str(backup.told["first_wal"])
        self.gap = ""
        self.problem = ""
        self.closing = threading.Event()

    def command(self) -> str:
        """Return what the server runs for a change: 0 it came, 1 there is none, 127 stop all."""
        desk = shlex.quote(str(self.folder)).replace("%", "%%")
        return (
            f": > {desk}/want-%f; n=0; while [ $n -lt 30000 ]; do "
            f"[ -f {desk}/have-%f ] && mv {desk}/have-%f %p && exit 0; "
            f"[ -f {desk}/none-%f ] && rm -f {desk}/none-%f && exit 1; "
            f"[ -f {desk}/stop ] && exit 127; n=$((n+1)); sleep 0.02; done; exit 127"
        )

    def run(self) -> None:
        while not self.closing.wait(0.02):
            for wish in sorted(self.folder.glob("want-*")):
                if found := WISH.fullmatch(wish.name):
                    try:
                        self._answer(found[1])
                    except Exception as problem:  # noqa: BLE001 - whatever it is, the server must not go on without
                        self.gap, self.problem = found[1], str(problem)
                        (self.folder / "stop").touch()
                wish.unlink(missing_ok=True)

    def _answer(self, name: str) -> None:
        sealed = self.changes / f"{name}.sealed"
        if sealed.exists():
            aside = self.folder / f"opening-{name}"
            with aside.open("wb") as output:
                for piece in unseal(sealed, name_of(sealed), self.key):
                    output.write(piece)
            aside.chmod(0o600)
            self.cluster.account.own(aside)
            aside.rename(self.folder / f"have-{name}")
            return
        later = [path.name for path in self.changes.glob(f"{name[:8]}*.sealed") if path.name[:24] > name]
        if len(name) == 24 and later and not (self.data / "pg_wal" / name).exists():
            self.gap = name
            (self.folder / "stop").touch()
            return
        (self.folder / f"none-{name}").touch()


@contextlib.contextmanager
def _desk(cluster: Cluster, data: Path, backup: Backup, key: bytes) -> Iterator[Desk]:
    folder = data.with_name(f"desk-{os.getpid()}")
    folder.mkdir(mode=0o700)
    cluster.account.own(folder)
    desk = Desk(folder, cluster, data, backup, key)
    desk.start()
    try:
        yield desk
    finally:
        desk.closing.set()
        desk.join()
        shutil.rmtree(folder)
