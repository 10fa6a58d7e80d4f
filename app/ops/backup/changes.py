"""The archiver: copies finished changes and new files into the folder of backups, sealed, all the time.

What it has copied can be restored to a second. Files go before the changes that were finished when the round began:
whoever restores those changes finds the files that their rows name.
"""

from __future__ import annotations

import os
import re
import threading
from pathlib import Path
from typing import Any

from app.backups import changes_folder
from app.ops.backup.files import Copies
from app.ops.backup.sealing import Damaged, read_in_pieces, seal, unseal
from app.ops.backup.source import BackupProblem
from app.ops.postgres import Cluster
from config import SettingsRefused, backup_key

FINISHED = re.compile(r"[0-9A-F]{24}(\.[0-9A-F]{8}\.backup)?|[0-9A-F]{8}\.history")
EVERY_SECONDS = 5.0


def copy_changes(archive: Path, place: Path, system: str, key: bytes, copies: Copies) -> int:
    """Do one round; return how many finished files were copied. Raises ``BackupProblem``, ``OSError``."""
    found = sorted(path for path in archive.glob("*") if FINISHED.fullmatch(path.name)) if archive.is_dir() else []
    copies.catch_up()
    for path in found:
        target = changes_folder(place, system) / f"{path.name}.sealed"
        written = path.stat().st_mtime_ns
        if target.exists():
            _refuse_another(path, target, key)
        else:
            with path.open("rb") as clear:
                seal(read_in_pieces(clear), target, name_of(target), key)
            os.utime(target, ns=(written, written))
        path.unlink()
    return len(found)


def name_of(target: Path) -> str:
    """Return the name under which a change is sealed."""
    return f"{target.parent.name}/{target.name}"


def system_of(cluster: Cluster) -> str:
    """Return the number that a server's data bears for good, from the data folder itself."""
    done = cluster.program("pg_controldata", "-D", cluster.data)
    found = re.search(r"Database system identifier:\s+(\d+)", done.stdout)
    if found is None:
        raise BackupProblem(f"{cluster.data} cannot be read: {done.stderr.strip()}")
    return found[1]


def watch(cluster: Cluster | None, files: Path, place: Path, stopping: threading.Event, say: Any) -> None:
    """Do rounds until asked to stop; what goes wrong is said once, and tried again.

    Nothing is copied before the first backup was made; on a server of one's own only files are.
    """
    copies: Copies | None = None
    system, said = "", ""
    while not stopping.is_set():
        try:
            if place.is_dir() and any(place.glob("*Z")):
                copies = copies or Copies(files, place)
                if cluster is None:
                    copies.catch_up()
                else:
                    system = system or system_of(cluster)
                    copy_changes(cluster.archive, place, system, backup_key(), copies)
            said = ""
        except (OSError, Damaged, BackupProblem, SettingsRefused) as problem:
            if str(problem) != said:
                said = str(problem)
                say(f"Changes are not copied: {said}")
        stopping.wait(EVERY_SECONDS)


def _refuse_another(path: Path, target: Path, key: bytes) -> None:
    """See that what was copied before under this name is the same: two houses must not share one folder."""
    with path.open("rb") as clear:
        mine = b"".join(read_in_pieces(clear))
    if mine != b"".join(unseal(target, name_of(target), key)):
        raise BackupProblem(
            f"{target} holds other changes of the same name. Did a restored copy of this house write there? "
            "Give each house a folder of its own (YIMEI_BACKUPS)."
        )
