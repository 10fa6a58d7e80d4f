"""The trail is sealed every minute. White paper H.2: append-only, hash chained."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from flask import current_app
from sqlalchemy.orm import Session

from app.jobs.declared import Slot, every
from app.services import seals
from app.words import _l


@every("trail.seal", timedelta(minutes=1), catch_up=timedelta(minutes=1), label=_l("The trail is sealed"))
def seal_trail(session: Session, _slot: Slot, _at: datetime) -> str:
    """Tell the file of heads what earlier runs sealed, then seal what is settled now.

    The seals of this run reach the file with the next: only what is committed is told.
    """
    seals.tell_heads(session, Path(current_app.config["SEAL_FILE"]))
    return str(seals.seal(session))
