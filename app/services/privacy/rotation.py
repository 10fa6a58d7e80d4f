"""Changing the encryption key: every encrypted value and every file under the newest key, in pieces, while all runs.

L15. A piece is one transaction that also keeps how far it is; a value that somebody changes meanwhile is left to them,
who already write with the newest key. Passes are repeated until nothing needs an older key.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from sqlalchemy import Column, Table, column, inspect, select, text, update
from sqlalchemy import table as bare_table
from sqlalchemy.orm import Session

from app.filestore import renewed as renewed_file
from app.filestore import store
from app.keyring import SEALED
from app.models.base import SEALED_TYPES, models
from app.models.privacy import KeyRotation
from app.services.trail import note
from app.unit import unit_of_work

PIECE = 500
FILES = "files"
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Keys:
    """The newest key and the older ones."""

    newest: str
    older: Sequence[str]

    @property
    def fingerprint(self) -> str:
        """Name the newest key without giving it away."""
        return hashlib.sha256(self.newest.encode()).hexdigest()[:16]

    def renewed(self, token: bytes) -> bytes | None:
        """Return a token under the newest key, or None if it is under it already; raises InvalidToken if none fits."""
        newest = Fernet(self.newest)
        try:
            newest.decrypt(token)
        except InvalidToken:
            ring = MultiFernet([newest, *(Fernet(key) for key in self.older)])
            return ring.rotate(token)
        return None


def sealed_columns() -> list[tuple[Table, Column[Any]]]:
    """Return every encrypted column of every table of ours, found from the metadata."""
    return [
        (model.__table__, each)
        for _name, model in sorted(models().items())
        for each in inspect(model).columns
        if isinstance(each.type, SEALED_TYPES)
    ]


def rotate(
    session: Session, keys: Keys, *, at: Callable[[], datetime], say: Callable[[str], None] = lambda _line: None
) -> KeyRotation:
    """Bring everything under the newest key and return the rotation's row; go on where an earlier run was broken off.

    Run under ``acting_as``; the row triggers of the trail pass these writes by (``app.rekey``), one event tells of all.
    """
    rotation = _begun(session, keys, at())
    for table, sealed in sealed_columns():
        name = f"{table.name}.{sealed.name}"
        for count in _column(session, rotation.id, keys, table.name, sealed.name):
            say(f"{name}: {count}")
    _files(session, rotation.id, keys)
    with unit_of_work(session):
        rotation = session.get_one(KeyRotation, rotation.id, populate_existing=True)
        if rotation.ended_at is None:
            rotation.ended_at = at()
            note(
                session,
                "keys_rotated",
                rotation,
                key=keys.fingerprint,
                values=rotation.values_done,
                files=rotation.files_done,
            )
    return rotation


def _begun(session: Session, keys: Keys, at: datetime) -> KeyRotation:
    with unit_of_work(session):
        standing = session.scalars(select(KeyRotation).where(KeyRotation.fingerprint == keys.fingerprint)).one_or_none()
        if standing is None:
            standing = KeyRotation(fingerprint=keys.fingerprint, started_at=at, checkpoint={})
            session.add(standing)
        session.flush()
        return standing


def _column(session: Session, rotation_id: int, keys: Keys, table: str, name: str) -> Iterator[int]:
    """Renew the values of a column, piece by piece from where it was left; yield how many rows were looked at."""
    bare: Any = bare_table(table, column("id"), column(name))
    place, done = f"{table}.{name}", 0
    while True:
        with unit_of_work(session):
            session.execute(text("select set_config('app.rekey', 'on', true)"))
            rotation = session.get_one(KeyRotation, rotation_id, with_for_update=True, populate_existing=True)
            after = rotation.checkpoint.get(place, 0)
            rows = session.execute(
                select(bare.c.id, bare.c[name]).where(bare.c.id > after).order_by(bare.c.id).limit(PIECE)
            ).all()
            if not rows:
                return
            changed = 0
            for row_id, stored in rows:
                changed += _renew(session, bare, name, row_id, stored, keys)
            rotation.checkpoint = {**rotation.checkpoint, place: rows[-1][0]}
            rotation.values_done += changed
        done += len(rows)
        yield done


def _renew(session: Session, bare: Any, name: str, row_id: int, stored: str | None, keys: Keys) -> int:
    """Write one value under the newest key, unless somebody changed it meanwhile; 1 if it was written."""
    if stored is None or not stored.startswith(SEALED):
        return 0
    try:
        renewed = keys.renewed(stored.encode("ascii"))
    except InvalidToken:
        log.error("%s %s: no key of the ring opens %s", bare.name, row_id, name)
        return 0
    if renewed is None:
        return 0
    statement = update(bare).where(bare.c.id == row_id, bare.c[name] == stored).values({name: renewed.decode("ascii")})
    done: Any = session.execute(statement)
    return int(done.rowcount)


def _files(session: Session, rotation_id: int, keys: Keys) -> None:
    """Renew the files of the store, in the order of their keys."""
    while True:
        with unit_of_work(session):
            session.execute(text("select set_config('app.rekey', 'on', true)"))
            rotation = session.get_one(KeyRotation, rotation_id, with_for_update=True, populate_existing=True)
            after = rotation.checkpoint.get(FILES, "")
            piece = [key for key in store().all_keys() if key > after][:PIECE]
            if not piece:
                return
            done = sum(_renew_file(key, keys) for key in piece)
            rotation.checkpoint = {**rotation.checkpoint, FILES: piece[-1]}
            rotation.files_done += done


def _renew_file(key: str, keys: Keys) -> int:
    sealed = store().sealed(key)
    if sealed is None:
        return 0
    try:
        renewed = renewed_file(sealed, keys.renewed)
    except InvalidToken:
        log.error("file %s: no key of the ring opens it", key)
        return 0
    if renewed is None:
        return 0
    store().replace(key, renewed)
    return 1


def needing_older(session: Session, keys: Keys) -> dict[str, int]:
    """Return what the newest key alone does not open: place -> how many. Empty: the older keys may go."""
    newest, found = Fernet(keys.newest), dict[str, int]()

    def opened(token: bytes) -> None:
        newest.decrypt(token)

    def look(place: str, token: bytes | None) -> None:
        if token is None:
            return
        try:
            renewed_file(token, opened)
        except InvalidToken:
            found[place] = found.get(place, 0) + 1

    for table, sealed in sealed_columns():
        bare: Any = bare_table(table.name, column("id"), column(sealed.name))
        statement = select(bare.c[sealed.name]).where(bare.c[sealed.name].startswith(SEALED, autoescape=True))
        for stored in session.scalars(statement.execution_options(yield_per=PIECE)):
            look(f"{table.name}.{sealed.name}", stored.encode("ascii"))
    for key in store().all_keys():
        look(FILES, store().sealed(key))
    return found


def start_over(session: Session, keys: Keys) -> None:
    """Let the next run of a rotation look at everything again: what older processes wrote after the first pass."""
    with unit_of_work(session):
        for rotation in session.scalars(select(KeyRotation).where(KeyRotation.fingerprint == keys.fingerprint)):
            rotation.checkpoint = {}
