"""Prove that a backup is what it was: signature, hashes, every sealed piece, every file, every change in between."""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from app.backups import BASE, DUMP, FILES, KEYS, MANIFEST, Backup, changes_folder, copied_file, files_of
from app.ops.backup.changes import name_of
from app.ops.backup.make import canonical
from app.ops.backup.sealing import Damaged, sha256_of, signature, unseal

FINISHED = re.compile(r"[0-9A-F]{24}\.sealed")


def faults(backup: Backup, key: bytes) -> Iterator[str]:
    """Yield a sentence for each thing that is wrong with a backup; none says that all of it can be read."""
    signed = str(backup.told.get("signature", ""))
    if not hmac.compare_digest(signed, signature(canonical(backup.told), key)):
        yield f"{backup.folder / MANIFEST} was changed, or written with another key."
        return
    for name, part in backup.told["parts"].items():
        path = backup.folder / name
        if not path.is_file():
            yield f"{path} is missing."
            continue
        found = sha256_of(path)
        if (found.size, found.sha256) != (part["size"], part["sha256"]):
            yield f"{path} was changed: it is not what the manifest says."
        elif name in (BASE, DUMP):
            yield from _unreadable(path, f"{backup.name}/{name}", key)
    unknown = {path.name for path in backup.folder.iterdir()} - {MANIFEST, KEYS, *backup.told["parts"]}
    if unknown:
        yield f"{backup.folder} holds what no backup wrote: {', '.join(sorted(unknown))}."
    yield from file_faults(backup)


def file_faults(backup: Backup) -> Iterator[str]:
    """Yield a sentence for each copied file that is missing or changed; its name holds its hash."""
    for name in files_of(backup) if backup.has(FILES) else []:
        path = copied_file(backup.folder.parent, name)
        if not path.is_file():
            yield f"{path} is missing."
        elif sha256_of(path).sha256 != name.partition(".")[2]:
            yield f"{path} was changed."


def change_faults(place: Path, backup: Backup, key: bytes) -> Iterator[str]:
    """Yield a sentence for each change since a backup that cannot be read, and for each gap between them."""
    if not backup.system:
        return
    folder = changes_folder(place, backup.system)
    first = str(backup.told.get("first_wal", ""))
    found = sorted(
        path for path in folder.glob("*.sealed") if FINISHED.fullmatch(path.name) and path.name[8:24] >= first[8:]
    )
    for path in found:
        yield from _unreadable(path, name_of(path), key)
    for one, following in pairwise(found):
        if one.name[:8] == following.name[:8] and number_of(following.name) != number_of(one.name) + 1:
            yield f"Changes are missing between {one} and {following.name}: later moments cannot be restored."


def number_of(name: str) -> int:
    """Return a WAL file's place in the order; 256 files of 16 MB make one log."""
    return int(name[8:16], 16) * 256 + int(name[16:24], 16)


def copied_files_named(backup: Backup) -> int:
    """Return how many files a backup names."""
    return len(json.loads((backup.folder / FILES).read_text(encoding="utf-8")))


def _unreadable(path: Path, name: str, key: bytes) -> Iterator[str]:
    try:
        for _piece in unseal(path, name, key):
            pass
    except (Damaged, OSError) as problem:
        yield str(problem)
