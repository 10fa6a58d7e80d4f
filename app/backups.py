"""The folder of backups: what lies where, what is good, what may go. No database, no secrets, no Flask.

::

    <folder>/20261122T023000Z/   one backup: manifest.json, base.sealed, dump.sealed, files.json
    <folder>/wal-<system>/       the changes since, a sealed file for each WAL file of that server
    <folder>/files/ab/           files that people handed in, as the store sealed them: <key>.<SHA-256 of the bytes>

A backup's folder bears another name until its manifest stands, so that one with this name is whole. White paper H.2:
daily backup, monthly restore test; L15.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

NAME = re.compile(r"\d{8}T\d{6}Z")
MANIFEST, BASE, DUMP, FILES, KEYS = "manifest.json", "base.sealed", "dump.sealed", "files.json", "keys.sealed"
STAMP = "%Y%m%dT%H%M%SZ"
#: A nightly backup that did not come for this long is missing.
LATE_AFTER = timedelta(hours=26)
#: Changes are archived after a minute and copied within seconds; longer means that nobody copies them.
CHANGES_LATE_AFTER = timedelta(minutes=10)
LEAST_FREE_GB, LITTLE_FREE_GB = 1, 5


@dataclass(frozen=True)
class Backup:
    """One finished backup by its manifest, whose seal is checked elsewhere (``app/ops/backup/verify.py``)."""

    folder: Path
    told: dict[str, Any]

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def began_at(self) -> datetime:
        return datetime.fromisoformat(self.told["began_at"])

    @property
    def consistent_at(self) -> datetime:
        """When the copy of the data folder was complete: the first moment that it can be restored to."""
        return datetime.fromisoformat(self.told["consistent_at"])

    @property
    def system(self) -> str:
        """The server whose data it holds; empty for a dump alone."""
        return str(self.told.get("system", ""))

    @property
    def size(self) -> int:
        return sum(int(part["size"]) for part in self.told["parts"].values())

    def has(self, part: str) -> bool:
        return part in self.told["parts"]


def stamped(at: datetime) -> str:
    """Return the name of a backup that begins at a moment."""
    return at.astimezone(UTC).strftime(STAMP)


def backups_in(folder: Path) -> list[Backup]:
    """Return the finished backups of a folder, oldest first; what is no backup is passed over."""
    found = []
    for place in sorted(folder.glob("*Z")):
        if NAME.fullmatch(place.name) and (backup := read_backup(place)) is not None:
            found.append(backup)
    return found


def read_backup(place: Path) -> Backup | None:
    """Return the backup in a folder; None if there is none, or its manifest cannot be read."""
    try:
        told = json.loads((place / MANIFEST).read_text(encoding="utf-8"))
        backup = Backup(place, told)
        _ = (backup.began_at, backup.consistent_at, backup.size)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return backup


def changes_folder(folder: Path, system: str) -> Path:
    """Return where the changes of a server lie."""
    return folder / f"wal-{system}"


# -- how it stands -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Standing:
    """How the backups of a house stand. ``reach``: until when changes were copied; None where none are.

    ``free`` is the room on the backups' disk, in bytes.
    """

    newest: Backup | None
    reach: datetime | None
    free: int

    def is_late(self, now: datetime) -> bool:
        return self.newest is None or now - self.newest.began_at > LATE_AFTER

    def changes_are_late(self, now: datetime) -> bool:
        """Say whether changes stopped coming since the newest backup; a quiet house still beats its heart."""
        if self.reach is None or self.newest is None:
            return False
        return now - max(self.reach, self.newest.began_at) > CHANGES_LATE_AFTER

    def is_nearly_full(self) -> bool:
        return self.free < LITTLE_FREE_GB * 1024**3


def standing_of(folder: Path) -> Standing:
    """Look at a folder of backups, which may not be there yet."""
    newest = next(reversed(backups_in(folder)), None)
    existing = next(place for place in (folder, *folder.parents) if place.exists())
    reached = reach(folder, newest.system) if newest is not None else None
    return Standing(newest, reached, shutil.disk_usage(existing).free)


def reach(folder: Path, system: str) -> datetime | None:
    """Return until when the copied changes are complete: when the last of them was finished, a second's grace less."""
    changes = changes_folder(folder, system).glob("*.sealed")
    times = [path.stat().st_mtime for path in changes if len(path.name) == 24 + len(".sealed")]
    return datetime.fromtimestamp(max(times), UTC) - timedelta(seconds=1) if times else None


# -- what may go -------------------------------------------------------------------------------------------------


def kept(backups: list[Backup], now: datetime, *, days: int, weeks: int) -> list[Backup]:
    """Return the backups to keep: all of the last days, the newest of each week before, and the newest always."""
    chosen: dict[str, Backup] = {}
    newest_of_week: dict[tuple[int, int], Backup] = {}
    for backup in sorted(backups, key=lambda each: each.name):
        age = now - backup.began_at
        if age <= timedelta(days=days):
            chosen[backup.name] = backup
        elif age <= timedelta(weeks=weeks):
            newest_of_week[backup.began_at.isocalendar()[:2]] = backup
    chosen |= {backup.name: backup for backup in newest_of_week.values()}
    if backups:
        newest = max(backups, key=lambda each: each.name)
        chosen[newest.name] = newest
    return [chosen[name] for name in sorted(chosen)]


def remove_old(folder: Path, now: datetime, *, days: int, weeks: int) -> list[str]:
    """Remove what need not be kept any more, whole backups first; return the names of those that went.

    Changes and files are kept as far back as the last ``days`` reach: within them every second can be restored, from
    the weekly ones before only the moment of each.
    """
    backups = backups_in(folder)
    keep = kept(backups, now, days=days, weeks=weeks)
    gone = [backup for backup in backups if backup not in keep]
    for backup in gone:
        aside = backup.folder.with_name(f"{backup.name}.going")  # half a removal must not look like a backup
        backup.folder.rename(aside)
    for leftover in folder.glob("*.going"):
        shutil.rmtree(leftover)
    daily = [backup for backup in keep if now - backup.began_at <= timedelta(days=days)] or keep[-1:]
    for system in {backup.system for backup in daily if backup.system}:
        first = min(backup.told["first_wal"][8:24] for backup in daily if backup.system == system)
        for path in changes_folder(folder, system).glob("*.sealed"):
            if re.fullmatch(r"[0-9A-F]{24}.*", path.name) and path.name[8:24] < first:
                path.unlink()
    _remove_files(folder, keep, daily[0].began_at if daily else now)
    return [backup.name for backup in gone]


def _remove_files(folder: Path, keep: list[Backup], before: datetime) -> None:
    """Remove copies of files that no kept backup names and that were copied before any second that can be restored."""
    named = {name for backup in keep for name in files_of(backup)}
    for path in _pool(folder):
        if path.name not in named and path.stat().st_ctime < before.timestamp():
            path.unlink()


def files_of(backup: Backup) -> list[str]:
    """Return the names of the copied files that belong to a backup."""
    try:
        return list(json.loads((backup.folder / FILES).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return []


def copied_file(folder: Path, name: str) -> Path:
    """Return where the copy of a file lies, by its name ``<key>.<hash>``."""
    return folder / "files" / name[:2] / name


def _pool(folder: Path) -> Iterator[Path]:
    yield from (
        path for path in (folder / "files").glob("??/*") if re.fullmatch(r"[0-9a-f]{32}\.[0-9a-f]{64}", path.name)
    )
