"""How long 500 two-sided cards in one PDF take: ``python -m bench.cards_in_batches [500]``. No database is asked.

The sheets are set as the background task sets them, in the child process, in pieces that are joined into one file. The
progress that a card comes is told as in the task. Prints seconds of the wall and of the CPU (parent and child).
"""

from __future__ import annotations

import os
import resource
import sys
import time

import pypdfium2

from app.reports import rendering
from app.reports.cards import CARD, CardFacts
from app.reports.press import Sheet, join, set_sheets


def facts_of(number: int, face: str) -> CardFacts:
    """Return the facts of one card."""
    head = "JZ01" if face == "visit" else "SJ01"
    floors = (("1F", "大堂前台"), ("2F", "分诊台、咨询室"), ("3F", "手术室"))
    return CardFacts(
        "Asia/Shanghai", face, f"{head}-{number:06}", f"{number:06}", "徐汇分院", "021-6000 0000", "漕溪北路 100 号",
        floors if face == "visit" else (),
    )  # fmt: skip


def measure(count: int, face: str) -> None:
    """Set and join so many cards, and say what it took."""
    told = 0

    def laid() -> None:
        nonlocal told
        told += 1

    before = _cpu()
    began = time.monotonic()
    sheets = (Sheet(facts_of(number, face)) for number in range(1, count + 1))
    pdf = join(list(set_sheets(CARD, sheets, "zh", laid=laid)))
    wall = time.monotonic() - began
    with pypdfium2.PdfDocument(pdf) as document:
        pages = len(document)
    print(
        f"{face}: {count} cards, {pages} pages, {len(pdf) / 1e6:.1f} MB, progress told {told} times: {wall:.1f} s wall,"
        f" {_cpu() - before:.1f} s CPU; load {os.getloadavg()[0]:.1f}"
    )


def _cpu() -> float:
    """End the idle children, so that their time is known, and return the seconds of CPU of all together."""
    rendering._children.end()
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(used.ru_utime + used.ru_stime for used in map(resource.getrusage, kinds))


if __name__ == "__main__":
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    for each in ("design", "visit"):
        measure(wanted, each)
