"""How a code is read, however it came: typed by hand, copied from a chat, or sent by a scanner.

A view that bears codes names them: ``codes = (Code("slip_no"),)``. The search box and
``GET /api/v1/find`` follow; see docs/develop/add-a-code.md.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

#: What scanners send before the code: the symbology by AIM (``]C1``, ``]Q3``), as many are set to do.
SYMBOLOGY = re.compile(r"\A\][A-Za-z][0-9A-Za-z]")
#: A number of a rule without its hyphens: letters and branch, perhaps a day, a counter of three to ten digits.
RULED = re.compile(r"[A-Z]{1,4}[0-9]{3,20}")
WIDTHS = range(3, 11)
MOST_CODE = 40


@dataclass(frozen=True)
class Code:
    """A column by which a record is found at once.

    ``ruled``: a number rule made it, so that no two kinds share one and hyphens stand where the rule puts them; others
    are given by hand, short perhaps, and are compared without regard to case among few rows. ``check`` says whether the
    last digit of a code agrees with the rest, where it has such a digit: a misread code is not asked for.
    """

    column: str
    ruled: bool = True
    check: Callable[[str], bool] | None = None


def cleaned(text: str) -> str:
    """Return what was typed or scanned, without what no person typed: control and format characters, the symbology."""
    plain = "".join(" " if char in "\t\r\n" else char for char in unicodedata.normalize("NFKC", text[:10_000]))
    bare = "".join(char for char in plain if unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Co", "Cn"))
    return SYMBOLOGY.sub("", bare.strip()).strip()


def bare_of(text: str) -> str:
    """Return a code by its letters and digits alone, in capitals; empty if anything but separators is left."""
    bare = re.sub(r"[\s\-_./‐-―−]", "", cleaned(text)).upper()
    return bare if bare.isascii() and bare.isalnum() and len(bare) <= MOST_CODE else ""


def spellings(bare: str) -> list[str]:
    """Return how a number rule may have written a code: an index answers each."""
    if not RULED.fullmatch(bare):
        return [bare] if bare else []
    found = [bare]
    for width in WIDTHS:
        head, counter = bare[:-width], bare[-width:]
        if not head or not counter.isdigit():
            break
        found.append(f"{head}-{counter}")
        if len(head) > 8 and head[-8:].isdigit():
            found.append(f"{head[:-8]}-{head[-8:]}-{counter}")
    return found
