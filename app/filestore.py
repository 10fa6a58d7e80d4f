"""Where files lie: outside the database, sealed with the house's keys, under names of our own.

A file's name on disk is its key, a random UUID that says nothing of whose it is. It is written aside, synchronised
and renamed, so that a crash leaves either the whole file or none. Web servers and workers on several machines share
one folder (``YIMEI_FILES``).

What is too large for the memory is written and read in parts. Its first line says so; each further line is a part,
sealed by itself, that bears the file's key, its own number and whether it is the last one: none can be left out, moved
or taken from another file.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import struct
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from app.keyring import ring

KEY = re.compile(r"[0-9a-f]{32}")
#: How a file in parts begins. No token of the key ring begins like this.
IN_PARTS = b"yimei-parts 1\n"
PART_BYTES = 1024 * 1024
_PLACE = struct.Struct(">16sI?")  # the file's key, the part's number, whether it is the last one
#: Seconds that a file in the making is left alone before anybody asks whether its writer still lives.
JUST_BEGUN = 2.0


class FileMissing(Exception):
    """The row stands but the file is not in the store, or no key of the ring opens it."""


@dataclass(frozen=True)
class Written:
    """A file that was written in parts and stands in the store: its key, its clear size in bytes, its digest."""

    key: str
    size: int
    digest: str


class Writing:
    """A file on its way into the store: takes bytes, seals them part by part, holds one part in memory.

    It can be written to like a file that cannot be sought in. Its lock on disk ends with its process, so that others
    can tell a file in the making from one whose writer was killed.
    """

    def __init__(self, output: BinaryIO, key: str) -> None:
        self._output, self._key = output, key
        self._held = bytearray()
        self._count = self._size = 0
        self._digest = hashlib.sha256()
        self._written: Written | None = None
        output.write(IN_PARTS)

    def write(self, content: bytes | memoryview) -> int:
        """Take bytes; returns how many."""
        self._held += content
        while len(self._held) > PART_BYTES:  # one is always left for the end
            self._seal(bytes(self._held[:PART_BYTES]), is_last=False)
            del self._held[:PART_BYTES]
        return len(content)

    def flush(self) -> None:
        """Nothing to do: a part is sealed when it is full."""

    def _seal(self, part: bytes, *, is_last: bool) -> None:
        place = _PLACE.pack(bytes.fromhex(self._key), self._count, is_last)
        self._output.write(ring().seal(place + part) + b"\n")
        self._digest.update(part)
        self._count, self._size = self._count + 1, self._size + len(part)

    @property
    def written(self) -> Written:
        """Return what was written; raises ``RuntimeError`` before the end."""
        if self._written is None:
            raise RuntimeError("this file is still being written")
        return self._written

    def end(self) -> None:
        """Seal what is left and synchronise."""
        self._seal(bytes(self._held), is_last=True)
        self._held.clear()
        self._output.flush()
        os.fsync(self._output.fileno())
        self._written = Written(self._key, self._size, self._digest.hexdigest())


class FileStore:
    """A folder of sealed files."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, content: bytes) -> str:
        """Write a file and return its key."""
        key, path = self._new()
        aside = path.with_suffix(".part")
        with aside.open("xb") as output:
            os.fchmod(output.fileno(), 0o600)
            output.write(ring().seal(content))
            output.flush()
            os.fsync(output.fileno())
        aside.rename(path)
        return key

    def _new(self) -> tuple[str, Path]:
        """Return a fresh key and its path, whose folder stands."""
        key = uuid.uuid4().hex
        path = self._path(key)
        for folder in (self.root, path.parent):  # the mode counts for the last part only
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return key, path

    @contextmanager
    def writing(self) -> Iterator[Writing]:
        """Open a new file that is written in parts; after an exception inside nothing is left of it."""
        key, path = self._new()
        aside = path.with_suffix(".making")
        try:
            with aside.open("xb") as output:
                os.fchmod(output.fileno(), 0o600)
                with contextlib.suppress(OSError):  # a file system without locks: age tells instead
                    fcntl.flock(output, fcntl.LOCK_EX | fcntl.LOCK_NB)
                made = Writing(output, key)
                yield made
                made.end()
                aside.rename(path)
        finally:
            aside.unlink(missing_ok=True)

    def drop_abandoned(self) -> int:
        """Remove the files in the making whose writer is gone; return how many."""
        dropped = 0
        for path in self.root.glob("??/*.making"):
            with contextlib.suppress(OSError), path.open("rb") as found:
                if time.time() - path.stat().st_mtime < JUST_BEGUN:
                    continue
                fcntl.flock(found, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
                dropped += 1
        return dropped

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
        return b"".join(self.parts(key))

    def parts(self, key: str) -> Iterator[bytes]:
        """Yield a file's content part by part; raises ``FileMissing``, also in the middle if a part is not in place."""
        try:
            with self._path(key).open("rb") as sealed:
                first = sealed.read(len(IN_PARTS))
                if first == IN_PARTS:
                    yield from _unsealed(sealed, bytes.fromhex(key))
                else:
                    yield ring().unseal(first + sealed.read())
        except (OSError, ValueError, struct.error) as wrong:
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
            if path.suffix in (".part", ".making"):
                path.unlink(missing_ok=True)
            elif KEY.fullmatch(path.name):
                yield path.name

    def _path(self, key: str) -> Path:
        if not KEY.fullmatch(key):
            raise FileMissing(key)
        return self.root / key[:2] / key


def _unsealed(sealed: BinaryIO, key: bytes) -> Iterator[bytes]:
    """Yield the parts of a file after its first line; raises ``ValueError`` where one is not what stands here."""
    is_over = False
    for number, line in enumerate(sealed):
        clear = ring().unseal(line.rstrip(b"\n"))
        of_file, found, is_last = _PLACE.unpack_from(clear)
        if is_over or of_file != key or found != number:
            raise ValueError("a part of this file stands where it does not belong")
        is_over = is_last
        yield clear[_PLACE.size :]
    if not is_over:
        raise ValueError("this file has lost its end")


def renewed(sealed: bytes, renew: Callable[[bytes], bytes | None]) -> bytes | None:
    """Return a file as it lies on disk with each of its tokens renewed; None if none of them had to be."""
    if not sealed.startswith(IN_PARTS):
        return renew(sealed)
    lines = sealed[len(IN_PARTS) :].splitlines()
    fresh = [renew(line) for line in lines]
    if not any(fresh):
        return None
    return IN_PARTS + b"".join((new or old) + b"\n" for new, old in zip(fresh, lines, strict=True))


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
