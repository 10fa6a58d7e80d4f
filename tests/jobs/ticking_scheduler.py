"""A scheduler as a process of its own, with a job that ticks each second and takes half of it.

Run by test_schedulers: ``python -m tests.jobs.ticking_scheduler [careless]``. Each tick is a row in ``test_tick``,
written before the half second; "began <slot>" is printed at that moment, so that the test can kill us in the middle.
"careless" takes the lock and the guarded row away: the way in which slots are run twice.
"""

from __future__ import annotations

import os
import sys
import time
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app import create_app
from app.jobs import clock
from app.jobs.declared import Job, Slot, every
from app.models.audit import JobRun

JOB = "test.tick"
PERIOD = timedelta(seconds=1)
TAKES = 0.5  # seconds
CATCH_UP = timedelta(seconds=30)


@every(JOB, PERIOD, catch_up=CATCH_UP)
def tick(session: Session, slot: Slot, _at: datetime) -> str:
    """Write a row, then dawdle."""
    values = {"slot": slot.key, "pid": os.getpid()}
    session.execute(text("insert into test_tick (slot, pid) values (:slot, :pid)"), values)
    print(f"began {slot.key}", flush=True)
    time.sleep(TAKES)
    return "ticked"


def be_careless() -> None:
    """Run what was not done when we looked, and write it down afterwards, whoever else did so."""

    def note(session: Session, job: Job, slot: Slot, at: datetime, **told: Any) -> bool:
        values = {"job": job.name, "slot": slot.key, "started_at": at, "host": "careless", **told}
        session.execute(insert(JobRun).values(**values).on_conflict_do_nothing(index_elements=["job", "slot"]))
        return True

    clock._alone = lambda *_: True
    clock._note = note


if __name__ == "__main__":
    if sys.argv[1:] == ["careless"]:
        be_careless()
    clock.serve(create_app())
