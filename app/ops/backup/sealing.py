"""Sealed streams: a file of any length, encrypted in pieces, of which none can be read, changed, cut or swapped.

AES-256-GCM in the STREAM construction: each file has a key of its own, derived from the backup key and a random salt;
each piece's nonce is its number and whether it is the last; the file's name is authenticated with every piece. A
sealed file of another name, a missing end and a piece in another place are therefore refused like a changed byte.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import os
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MAGIC = b"YIMEI-B1"
SALT, PIECE, TAG = 16, 1 << 20, 16


class Damaged(Exception):
    """A sealed file that was changed, cut, renamed, or sealed with another key; the message names it."""


@dataclass(frozen=True)
class Sealed:
    """What a sealed file turned out to be: for the manifest."""

    size: int
    sha256: str


def derived(key: bytes, salt: bytes, purpose: str) -> bytes:
    """Return a key of its own for one purpose."""
    return HKDF(SHA256(), 32, salt, purpose.encode()).derive(key)


def seal(source: Iterable[bytes], path: Path, name: str, key: bytes) -> Sealed:
    """Pack and seal a stream into a file under a name; the file is there whole and on disk, or not at all."""
    salt = os.urandom(SALT)
    cipher = AESGCM(derived(key, salt, "yimei backup file"))
    digest, size = hashlib.sha256(), 0
    aside = path.with_name(f"{path.name}.{os.getpid()}.part")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with aside.open("wb") as output:
            os.fchmod(output.fileno(), 0o600)
            for written in chain([MAGIC + salt], _closed(cipher, source, name)):
                output.write(written)
                digest.update(written)
                size += len(written)
            output.flush()
            os.fsync(output.fileno())
        aside.rename(path)
    finally:
        aside.unlink(missing_ok=True)
    sync_folder(path.parent)
    return Sealed(size, digest.hexdigest())


def _closed(cipher: AESGCM, source: Iterable[bytes], name: str) -> Iterator[bytes]:
    for number, (piece, is_last) in enumerate(_pieces(_packed(source))):
        yield cipher.encrypt(_nonce(number, is_last), piece, name.encode())


def unseal(path: Path, name: str, key: bytes) -> Iterator[bytes]:
    """Yield the clear bytes of a sealed file, each piece only after it was found genuine; raises ``Damaged``."""
    unpacked = zlib.decompressobj(wbits=31)
    for piece in _opened(path, name, key):
        while piece:  # a little of it may unpack to a thousand times as much
            if clear := unpacked.decompress(piece, PIECE):
                yield clear
            piece = unpacked.unconsumed_tail
    yield unpacked.flush()


def _opened(path: Path, name: str, key: bytes) -> Iterator[bytes]:
    with path.open("rb") as source:
        head = source.read(len(MAGIC) + SALT)
        if len(head) != len(MAGIC) + SALT or not head.startswith(MAGIC):
            raise Damaged(f"{path} is no sealed file.")
        cipher = AESGCM(derived(key, head[len(MAGIC) :], "yimei backup file"))
        number, piece = 0, source.read(PIECE + TAG)
        while piece:
            following = source.read(PIECE + TAG)
            try:
                yield cipher.decrypt(_nonce(number, not following), piece, name.encode())
            except InvalidTag:
                raise Damaged(f"{path} was changed or cut short, or sealed with another key.") from None
            number, piece = number + 1, following
        if number == 0:
            raise Damaged(f"{path} was cut short.")


def _nonce(number: int, is_last: bool) -> bytes:
    return number.to_bytes(11, "big") + (b"\x01" if is_last else b"\x00")


def _packed(source: Iterable[bytes]) -> Iterator[bytes]:
    packing = zlib.compressobj(1, wbits=31)
    for clear in source:
        if packed := packing.compress(clear):
            yield packed
    yield packing.flush()


def _pieces(source: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Cut a stream into pieces of one size; say of each whether it is the last. There is always one."""
    held = bytearray()
    for part in source:
        held += part
        while len(held) > PIECE:
            yield bytes(held[:PIECE]), False
            del held[:PIECE]
    yield bytes(held), True


class Reading(io.RawIOBase):
    """A stream of pieces as a file to read, for those who want one (``tarfile``)."""

    def __init__(self, source: Iterator[bytes]) -> None:
        self._source, self._held = source, memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, target: bytearray) -> int:  # type: ignore[override]
        while not self._held:
            following = next(self._source, None)
            if following is None:
                return 0
            self._held = memoryview(following)
        taken, self._held = self._held[: len(target)], self._held[len(target) :]
        target[: len(taken)] = taken
        return len(taken)


def read_in_pieces(source: BinaryIO) -> Iterator[bytes]:
    """Yield a file's bytes, a piece at a time."""
    while piece := source.read(PIECE):
        yield piece


def sha256_of(path: Path) -> Sealed:
    """Return a file's size and hash."""
    with path.open("rb") as source:
        digest = hashlib.file_digest(source, "sha256")
        return Sealed(source.tell(), digest.hexdigest())


def signature(content: bytes, key: bytes) -> str:
    """Return by what a manifest is known to be ours."""
    return hmac.new(derived(key, b"", "yimei backup manifest"), content, hashlib.sha256).hexdigest()


def sync_folder(folder: Path) -> None:
    """See that the names in a folder are on disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
