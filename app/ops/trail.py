"""The trail as an operator sees it: does its chain still hold, and may old entries go."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from flask import Flask
from sqlalchemy import create_engine, pool
from sqlalchemy.orm import Session

from app.ops.schema import UnsafeRole
from app.services import seals, trail_pruning
from app.unit import acting_as

Say = Callable[[str], None]


def verify(app: Flask, say: Say) -> int:
    """Look at every segment, the file of heads and the triggers; say what was touched. Returns 1 if anything was."""
    from app.extensions import db

    with app.app_context():
        engine = db.engine.execution_options(isolation_level="REPEATABLE READ")
        with Session(engine) as session:
            found = seals.verify(session, Path(app.config["SEAL_FILE"]), Path(app.config["TRAIL_ARCHIVE"]))
    for fault in found.faults:
        say(f"FAULT  {fault}")
    for note in found.notes:
        say(f"note   {note}")
    counted = f"{found.segments} segments, {found.entries} entries; {found.unsealed} newer entries are not sealed yet"
    say(f"{counted}. " + ("All is as it was sealed." if not found.faults else f"{len(found.faults)} faults."))
    return 1 if found.faults else 0


def prune(app: Flask, say: Say) -> int:
    """Move what is past its retention into archive files, as the owner."""
    url = app.config.get("DATABASE_OWNER_URL")
    if not url:
        raise UnsafeRole(
            "DATABASE_OWNER_URL is not set: only the owner of the tables may take entries of the trail away."
        )
    folder, count = Path(app.config["TRAIL_ARCHIVE"]), 0
    engine = create_engine(url, poolclass=pool.NullPool, hide_parameters=True)
    with app.app_context(), acting_as("house:prune-trail"), Session(engine) as session:
        for done in trail_pruning.prune(session, folder, at=datetime.now(UTC)):
            count += done.entries
            say(f"{folder / done.archive}: {done.entries} entries of {done.segments} segments.")
    say(f"{count} entries were archived." if count else "Nothing is past its retention.")
    return 0
