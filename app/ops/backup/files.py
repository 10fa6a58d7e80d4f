"""Copies of the files that people handed in: sealed as the store keeps them, each once, whatever number of backups.

A file is in the store before the row that names it is committed, and stays there for a sweep (six hours) after that
row was dropped. So whoever copies the files after the rows finds the file of every row.
"""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

from app.backups import copied_file
from app.filestore import KEY
from app.ops.backup.sealing import sync_folder


class Copies:
    """The copies of one store in one folder of backups; remembers what it saw, so that a second look is quick."""

    def __init__(self, store: Path, place: Path) -> None:
        self.store, self.place = store, place
        self._known: dict[str, tuple[int, int, str]] = {}  # key -> (time written, size, name of the copy)
        self._quiet: dict[Path, int] = {}  # folders in which nothing happened since
        for path in (place / "files").glob("??/*.*"):
            key, _, digest = path.name.partition(".")
            if KEY.fullmatch(key) and len(digest) == 64:
                found = path.stat()
                self._known[key] = found.st_mtime_ns, found.st_size, path.name

    def catch_up(self) -> int:
        """Copy what is new or was sealed anew; return how many."""
        return sum(self._copy(path) for path in self._candidates())

    def names(self) -> dict[str, int]:
        """Copy what is new, and return every file that the store holds now: name of the copy -> size."""
        self._quiet.clear()
        self.catch_up()
        held = [path.name for path in self.store.glob("??/*") if KEY.fullmatch(path.name)]
        return {self._known[key][2]: self._known[key][1] for key in sorted(held) if key in self._known}

    def _candidates(self) -> list[Path]:
        found: list[Path] = []
        for folder in self.store.glob("??"):
            changed = folder.stat().st_mtime_ns
            if self._quiet.get(folder) == changed:
                continue
            found += [path for path in folder.iterdir() if KEY.fullmatch(path.name)]
            if time.time_ns() - changed > 2_000_000_000:  # a change within the same tick of its clock would be missed
                self._quiet[folder] = changed
        return found

    def _copy(self, path: Path) -> bool:
        try:
            found = path.stat()
            known = self._known.get(path.name)
            if known is not None and known[:2] == (found.st_mtime_ns, found.st_size):
                return False
            content = path.read_bytes()
        except FileNotFoundError:
            return False  # swept meanwhile: no row needs it
        name = f"{path.name}.{hashlib.sha256(content).hexdigest()}"
        target = copied_file(self.place, name)
        if not target.exists():
            _write(target, content)
        os.utime(target, ns=(found.st_mtime_ns, found.st_mtime_ns))
        self._known[path.name] = found.st_mtime_ns, len(content), name
        return True


def _write(target: Path, content: bytes) -> None:
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    aside = target.with_name(f"{target.name}.{os.getpid()}.part")
    with aside.open("wb") as output:
        os.fchmod(output.fileno(), 0o600)
        output.write(content)
        output.flush()
        os.fsync(output.fileno())
    aside.rename(target)
    sync_folder(target.parent)
