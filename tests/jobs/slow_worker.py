"""A worker as a process of its own, with two kinds of slow work, that looks often and takes silence for death soon.

Run by workshop: ``python -m tests.jobs.slow_worker [careless | dawdling]``. Each piece of work is a row in
``test_work``; "began <task> <piece>" is printed while it is not committed yet, so that the test can kill us in between.
"careless" takes the guard of the attempts away: the way in which two workers both leave an effect. "dawdling" reads
exported lists row by row and tells each.
"""

from __future__ import annotations

import os
import sys
import time
from datetime import timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from app import create_app
from app.jobs import worker
from app.services.tasks import TaskRun, task
from app.services.tasks.attempt import Attempt

WHOLE, STEPS, WRITE = "test.whole", "test.steps", "insert into test_work (task_id, piece, pid) values (:t, :p, :pid)"
PIECES = 6
TAKES = 0.4  # seconds a piece
BEAT, SILENT = timedelta(seconds=1), timedelta(seconds=3)


def leave_a_row(run: TaskRun, piece: int) -> None:
    """Write a row, say so, dawdle."""
    run.session.execute(text(WRITE), {"t": run.task.id, "p": piece, "pid": os.getpid()})
    print(f"began {run.parameters['name']} {piece}", flush=True)
    time.sleep(TAKES)


@task(WHOLE, "Whole")
def whole(run: TaskRun) -> str:
    """Write every piece in one transaction."""
    for piece in range(PIECES):
        leave_a_row(run, piece)
        if run.parameters.get("tells"):
            run.progress(piece + 1, PIECES)
    return "whole"


@task(STEPS, "Steps", steps=True)
def steps(run: TaskRun) -> str:
    """Write each piece in a transaction of its own."""
    for piece in range(run.checkpoint.get("next", 0), PIECES):
        with run.step() as checkpoint:
            leave_a_row(run, piece)
            checkpoint["next"] = piece + 1
    return "steps"


def be_careless() -> None:
    """Write to the task's row whoever has taken it up meanwhile."""

    def write(self: Attempt, session: Session, *_conditions: Any, **_values: Any) -> bool:
        return True

    Attempt.write = write  # type: ignore[method-assign]


def dawdle() -> None:
    """Read exported lists one row at a time, and tell each."""
    from app.panel import exporting

    told = TaskRun.progress
    exporting.AT_A_TIME = 1

    def progress(self: TaskRun, done: int | None = None, total: int | None = None, said: object | None = None) -> None:
        print(f"began row {done}", flush=True)
        time.sleep(TAKES)
        told(self, done, total, said)

    TaskRun.progress = progress  # type: ignore[method-assign]


if __name__ == "__main__":
    if sys.argv[1:] == ["dawdling"]:
        dawdle()
    if sys.argv[1:] == ["careless"]:
        be_careless()
    sys.exit(0 if worker.serve(create_app(), beat=BEAT, silent_after=SILENT) else 1)
