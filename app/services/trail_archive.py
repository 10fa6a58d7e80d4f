"""Archive files of the trail: entries past their retention, compressed, sealed with the house's keys, named by hash."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path

from app.keyring import KeyRing


def write(folder: Path, name: str, entries: Iterable[tuple[int, str]], keys: KeyRing) -> str:
    """Write (id, line) pairs into a new file, whole or not at all; return its SHA-256."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lines = "".join(json.dumps([key, line]) + "\n" for key, line in entries)
    sealed = keys.seal(gzip.compress(lines.encode()))
    aside = folder / f".{name}.part"
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as output:
        output.write(sealed)
        output.flush()
        os.fsync(output.fileno())
    os.replace(aside, folder / name)
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)  # the name as well
    finally:
        os.close(handle)
    return hashlib.sha256(sealed).hexdigest()


def digest_of(path: Path) -> str:
    """Return a file's SHA-256."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def lines_of(path: Path, keys: KeyRing, first: int, last: int) -> dict[int, str]:
    """Return the lines of the entries from ``first`` to ``last`` that a file holds."""
    found: dict[int, str] = {}
    for line in gzip.decompress(keys.unseal(path.read_bytes())).decode().splitlines():
        key, told = json.loads(line)
        if first <= key <= last:
            found[key] = told
    return found
