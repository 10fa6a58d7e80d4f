"""Identity numbers of the People's Republic: 18 characters by GB 11643, with birth date, sex and check character."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import date

from app.models.customers import Sex

WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
CHECK = "10X98765432"
#: Passports and permits begin with a letter and are not checked further.
OTHER_PAPER = re.compile(r"[A-Z][A-Z0-9]{5,17}")


@dataclass(frozen=True)
class IdNumber:
    """A number that is well formed; birth date and sex are None where the paper does not tell them."""

    text: str
    birth_on: date | None = None
    sex: Sex | None = None


def read_id_number(text: str) -> IdNumber | None:
    """Return what a number says, or None if it is none: the wrong length, an impossible day, a wrong check."""
    bare = re.sub(r"[\s\-]", "", unicodedata.normalize("NFKC", text)).upper()
    if OTHER_PAPER.fullmatch(bare):
        return IdNumber(bare)
    if not re.fullmatch(r"[1-9][0-9]{16}[0-9X]", bare):
        return None
    if CHECK[sum(int(digit) * weight for digit, weight in zip(bare[:17], WEIGHTS, strict=True)) % 11] != bare[17]:
        return None
    try:
        born = date(int(bare[6:10]), int(bare[10:12]), int(bare[12:14]))
    except ValueError:
        return None
    return IdNumber(bare, born, Sex.MALE if int(bare[16]) % 2 else Sex.FEMALE)
