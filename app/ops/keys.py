"""Changing the encryption key of a house that runs: `run.py rotate-keys`. White paper L15.

A new key goes to the head of keys.json; every process takes it within seconds. Then everything is encrypted anew, piece
by piece; a run that was broken off goes on where it stopped. The old key leaves with ``--drop-old``, once nothing needs
it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from app.actors import house
from app.keyring import LOOKED_EVERY
from app.ops.schema import owner_session
from app.services.privacy.rotation import Keys, needing_older, rotate, start_over
from app.unit import acting_as
from config import change_keys, new_encryption_key

if TYPE_CHECKING:
    from flask import Flask

    from app.ops.supervise import Say

MOST_PASSES = 5
ACTOR = house("rotate-keys").name


class NotRotated(Exception):
    """The keys were not changed; the message says why and what to do."""


def rotate_keys(
    app: Flask, home: Path, *, say: Say, drop_old: bool = False, pause: Callable[[float], None] = time.sleep
) -> None:
    """Bring everything under a new key; with ``drop_old`` forget the keys that nothing needs any more."""
    own = bool(os.environ.get("YIMEI_ENCRYPTION_KEYS", "").strip())
    # As the owner: ciphers change in rows, too, that nobody else may change, and the trail passes by nobody else.
    with app.app_context(), acting_as(ACTOR), owner_session(app) as session:
        ring = list(app.config["ENCRYPTION_KEYS"])
        if drop_old:
            _drop_old(session, Keys(ring[0], ring[1:]), home, own=own, say=say)
            return
        if not own and (len(ring) == 1 or _is_done(session, Keys(ring[0], ring[1:]))):
            ring = change_keys(home, lambda kept: [new_encryption_key(), *kept])
            say("A new key stands at the head of keys.json. Please copy that file to where your copy of it lies.")
            pause(2 * LOOKED_EVERY)  # until every process writes with it
        keys = Keys(ring[0], ring[1:])
        say(f"Encrypting anew under the key {keys.fingerprint} ...")
        for _pass in range(MOST_PASSES):
            rotation = rotate(session, keys, at=lambda: datetime.now(UTC))
            if not needing_older(session, keys):
                break
            start_over(session, keys)
        else:
            raise NotRotated("Something still writes with an older key, or no key of the ring opens it: see the log.")
        done = f"{rotation.values_done} values and {rotation.files_done} files"
        say(f"Done: {done}. Nothing needs the older keys any more.")


def _is_done(session: object, keys: Keys) -> bool:
    """Say whether the newest key's own rotation is over, so that the next one begins with another key."""
    from sqlalchemy import select

    from app.models.privacy import KeyRotation

    found = session.scalars(  # type: ignore[attr-defined]
        select(KeyRotation).where(KeyRotation.fingerprint == keys.fingerprint)
    ).one_or_none()
    return found is not None and found.ended_at is not None


def _drop_old(session: object, keys: Keys, home: Path, *, own: bool, say: Say) -> None:
    needing = needing_older(session, keys)  # type: ignore[arg-type]
    if needing:
        places = ", ".join(f"{place}: {count}" for place, count in sorted(needing.items()))
        raise NotRotated(f"The older keys are still needed ({places}). Run `python3 run.py rotate-keys` first.")
    if not keys.older:
        say("There is one key only; nothing to drop.")
        return
    if own:
        say("Nothing needs the older keys: leave the first of YIMEI_ENCRYPTION_KEYS alone and restart.")
        return
    change_keys(home, lambda kept: kept[:1])
    say("The older keys are gone from keys.json. Backups made before need them: keep your copies of the file as long.")
