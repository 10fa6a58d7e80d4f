"""The key ring: encryption of personal data at rest, and keyed hashes by which it can still be found.

Encryption uses Fernet keys, newest first, so that keys rotate; the hash key is one and stays, since every
stored hash depends on it.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence

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


_ring: KeyRing | None = None


def configure(encryption: Sequence[str], hash_key: str) -> None:
    """Install the ring of this process."""
    global _ring
    _ring = KeyRing(encryption, hash_key)


def ring() -> KeyRing:
    """Return the ring of this process; raises ``RuntimeError`` if none is configured."""
    if _ring is None:
        raise RuntimeError("no key ring: set YIMEI_ENCRYPTION_KEYS and YIMEI_HASH_KEY, or keep keys.json in the home")
    return _ring


__all__ = ["InvalidToken", "KeyRing", "configure", "ring"]
