"""The key ring: encryption of personal data at rest, and keyed hashes by which it can still be found.

Encryption uses Fernet keys, newest first, so that keys rotate; the hash key is one and stays, since every
stored hash depends on it.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import time
from collections.abc import Callable, Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet


class KeyRing:
    """Encrypts, decrypts and hashes. ``encryption`` are urlsafe base64 Fernet keys, ``hash_key`` is hex."""

    def __init__(self, encryption: Sequence[str], hash_key: str) -> None:
        if not encryption:
            raise ValueError("the key ring holds no encryption key")
        self._fernet = MultiFernet([Fernet(key) for key in encryption])
        self._hash_key = bytes.fromhex(hash_key)
        if len(self._hash_key) < 16:
            raise ValueError("the hash key is shorter than 16 bytes")

    def encrypt(self, clear: str) -> str:
        return self._fernet.encrypt(clear.encode()).decode("ascii")

    def decrypt(self, token: str) -> str:
        """Return the clear text; raises ``InvalidToken`` if no key of the ring fits."""
        return self._fernet.decrypt(token.encode("ascii")).decode()

    def seal(self, content: bytes) -> bytes:
        """Encrypt the bytes of a file."""
        return self._fernet.encrypt(content)

    def unseal(self, sealed: bytes) -> bytes:
        """Return a file's bytes; raises ``ValueError`` if no key of the ring fits."""
        try:
            return self._fernet.decrypt(sealed)
        except InvalidToken as wrong:
            raise ValueError("no key of the ring opens this file") from wrong

    def digest(self, purpose: str, clear: str) -> str:
        """Return a keyed hash (22 characters) that only this installation can compute.

        ``purpose`` keeps the hash of a whole number apart from that of its last four digits.
        """
        return hmac.new(self._hash_key, f"{purpose}\x00{clear}".encode(), hashlib.sha256).hexdigest()[:22]


#: How every token of the ring begins: Fernet's version byte and the first bytes of the time, in base64.
SEALED = "gAAAA"


def is_sealed(stored: str) -> bool:
    """Say whether a stored text is a token; what a migration has not converted yet stands in clear."""
    return stored.startswith(SEALED)


#: Returns (encryption keys, hash key) as they stand now, and a mark that changes when they do.
Source = Callable[[], tuple[Sequence[str], str, object]]
#: Seconds after which a process looks whether its keys changed; until then it may write with the key before.
LOOKED_EVERY = 2.0

_ring: KeyRing | None = None
_source: Source | None = None
_mark: object = None
_looked_at = 0.0


def configure(encryption: Sequence[str], hash_key: str, source: Source | None = None) -> None:
    """Install the ring of this process. ``source`` tells of keys that were changed while it runs."""
    global _ring, _source, _mark, _looked_at
    _ring = KeyRing(encryption, hash_key)
    _source, _mark, _looked_at = source, source()[2] if source is not None else None, time.monotonic()


def ring() -> KeyRing:
    """Return the ring of this process; raises ``RuntimeError`` if none is configured."""
    if _ring is None:
        raise RuntimeError("no key ring: set YIMEI_ENCRYPTION_KEYS and YIMEI_HASH_KEY, or keep keys.json in the home")
    if _source is not None and time.monotonic() - _looked_at >= LOOKED_EVERY:
        _look_again()
    return _ring


def _look_again() -> None:
    """Take the keys anew if they changed. Keys that cannot be read leave the ring as it is."""
    global _ring, _mark, _looked_at
    assert _source is not None
    _looked_at = time.monotonic()
    try:
        encryption, hash_key, mark = _source()
        if mark != _mark:
            _ring, _mark = KeyRing(encryption, hash_key), mark
    except (OSError, ValueError):
        logging.getLogger(__name__).exception("the keys cannot be read; going on with those at hand")


__all__ = ["SEALED", "InvalidToken", "KeyRing", "configure", "is_sealed", "ring"]
