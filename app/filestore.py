"""Where files lie: outside the database, sealed with the house's keys, under names of our own.

A file's name on disk is its key, a random UUID that says nothing of whose it is. It is written aside, synchronised
and renamed, so that a crash leaves either the whole file or none. Web servers and workers on several machines share
one folder (``YIMEI_FILES``).
"""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from app.keyring import ring

KEY = re.compile(r"[0-9a-f]{32}")


class FileMissing(Exception):
    """The row stands but the file is not in the store, or no key of the ring opens it."""


class FileStore:
    """A folder of sealed files."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, content: bytes) -> str:
        """Write a file and return its key."""
        key = uuid.uuid4().hex
        path = self._path(key)
        for folder in (self.root, path.parent):  # the mode counts for the last part only
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        aside = path.with_suffix(".part")
        with aside.open("xb") as output:
            os.fchmod(output.fileno(), 0o600)
            output.write(ring().seal(content))
            output.flush()
            os.fsync(output.fileno())
        aside.rename(path)
        return key

    def all_keys(self) -> list[str]:
        """Return the keys of all files, in order."""
        return sorted(path.name for path in self.root.glob("??/*") if KEY.fullmatch(path.name))

    def sealed(self, key: str) -> bytes | None:
        """Return a file as it lies on disk, or None if it is gone."""
        try:
            return self._path(key).read_bytes()
        except FileNotFoundError:
            return None

    def replace(self, key: str, sealed: bytes) -> None:
        """Put other sealed bytes in a file's place, whole or not at all; one that is gone stays gone."""
        path = self._path(key)
        aside = path.with_suffix(".part")
        aside.unlink(missing_ok=True)
        with aside.open("xb") as output:
            os.fchmod(output.fileno(), 0o600)
            output.write(sealed)
            output.flush()
            os.fsync(output.fileno())
        if path.exists():
            aside.rename(path)
        else:
            aside.unlink()

    def get(self, key: str) -> bytes:
        """Return a file's content; raises ``FileMissing``."""
        try:
            return ring().unseal(self._path(key).read_bytes())
        except (OSError, ValueError) as wrong:
            raise FileMissing(key) from wrong

    def drop(self, key: str) -> None:
        """Remove a file that no row needs; one that is gone is no fault."""
        self._path(key).unlink(missing_ok=True)

    def older_than(self, before: datetime) -> Iterator[str]:
        """Yield the keys of the files written before a moment; half-written ones of that age are removed."""
        for path in self.root.glob("??/*"):
            try:
                written = datetime.fromtimestamp(path.stat().st_mtime, UTC)
            except FileNotFoundError:
                continue  # another process was faster
            if written >= before:
                continue
            if path.suffix == ".part":
                path.unlink(missing_ok=True)
            elif KEY.fullmatch(path.name):
                yield path.name

    def _path(self, key: str) -> Path:
        if not KEY.fullmatch(key):
            raise FileMissing(key)
        return self.root / key[:2] / key


_store: FileStore | None = None


def configure(root: Path) -> None:
    """Install the store of this process."""
    global _store
    _store = FileStore(root)


def store() -> FileStore:
    """Return the store of this process; raises ``RuntimeError`` if none is configured."""
    if _store is None:
        raise RuntimeError("no file store: the application configures one from YIMEI_FILES or its home")
    return _store
