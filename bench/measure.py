"""Counting statements and taking times."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, event

# What a transaction costs besides its statements; the driver sends none of these for a page that only reads.
NO_STATEMENT = ("SAVEPOINT", "RELEASE", "ROLLBACK")


@contextmanager
def statements() -> Iterator[list[str]]:
    """Note every statement that any engine sends to a database, the one that names the actor included."""
    told: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if not statement.startswith(NO_STATEMENT):
            told.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield told
    finally:
        event.remove(Engine, "before_cursor_execute", note)


TIME_HEADS = ("p50 ms", "p95 ms", "CPU ms")


@dataclass(frozen=True)
class Times:
    """How long something took, warm, in milliseconds: by the wall's clock, and of this process's own work.

    Its own work is the steadier number on a machine that others use too; what the database did is not in it.
    """

    taken: Sequence[float]
    worked: Sequence[float]

    @property
    def shown(self) -> tuple[float, float, float]:
        """The cells under ``TIME_HEADS``."""
        return self.p50, self.p95, self.cpu

    @property
    def cpu(self) -> float:
        return statistics.median(self.worked)

    @property
    def p50(self) -> float:
        return statistics.median(self.taken)

    @property
    def p95(self) -> float:
        return statistics.quantiles(self.taken, n=20, method="inclusive")[-1]


def times_of(*calls: Callable[[], object], rounds: int, warm_up: int = 3) -> list[Times]:
    """Time several calls in turn, round by round, so that a busy moment of the machine strikes them all."""
    for _ in range(warm_up):
        for call in calls:
            call()
    taken: list[list[float]] = [[] for _ in calls]
    worked: list[list[float]] = [[] for _ in calls]
    for _ in range(rounds):
        for at, call in enumerate(calls):
            began, began_work = time.perf_counter(), time.process_time()
            call()
            worked[at].append((time.process_time() - began_work) * 1000)
            taken[at].append((time.perf_counter() - began) * 1000)
    return [Times(*each) for each in zip(taken, worked, strict=True)]


def table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return rows as a Markdown table; numbers stand to the right."""
    lines = [[_word(value) for value in row] for row in rows]
    widths = [max(len(line[at]) for line in [list(heads), *lines]) for at in range(len(heads))]
    right = [bool(rows) and isinstance(rows[0][at], int | float) for at in range(len(heads))]

    def joined(line: Sequence[str]) -> str:
        cells = (
            word.rjust(width) if to_right else word.ljust(width)
            for word, width, to_right in zip(line, widths, right, strict=True)
        )
        return f"| {' | '.join(cells)} |"

    rule = [
        ("-" * (width - 1) + ":") if to_right else "-" * width for width, to_right in zip(widths, right, strict=True)
    ]
    return "\n".join([joined(heads), joined(rule), *(joined(line) for line in lines)])


def _word(value: object) -> str:
    return f"{value:.1f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
