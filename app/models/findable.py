"""How a customer is found: terms stored in a GIN-indexed ``text[]``, and the terms that a query asks for.

Names and pinyin stand in clear, as every substring of the name, every prefix of full pinyin and of initials;
telephone numbers as keyed hashes of the whole number and of its last four digits. A query is an array
containment, so one index serves all.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from importlib import import_module
from typing import Any

from app.fields import normal_phone
from app.keyring import ring

HAN = re.compile(r"[㐀-䶿一-鿿豈-﫿]")
MAX_READINGS = 8
MAX_NAME = 30


def _plain(text: str) -> str:
    return re.sub(r"[\s·•.,'\-]", "", unicodedata.normalize("NFKC", text)).lower()


def _prefixes(text: str) -> set[str]:
    return {text[:length] for length in range(1, len(text) + 1)}


def dictionaries() -> Any:
    """Return pypinyin, loaded when somebody needs it: its dictionaries take 55 MB, which other processes spare."""
    return import_module("pypinyin")


def _readings(name: str) -> set[tuple[str, ...]]:
    """Return up to eight readings of a name, a tuple of syllables each (单 is shan as a surname, else dan)."""
    reader = dictionaries()
    syllables = reader.pinyin(name, style=reader.Style.NORMAL, heteronym=True, errors=lambda other: other.lower())
    options = [sorted(set(options))[:3] for options in syllables]
    return set(itertools.islice(itertools.product(*options), MAX_READINGS))


def terms_of_name(name: str) -> set[str]:
    """Return ``n:`` substrings, ``p:`` prefixes of full pinyin from each syllable of the name, ``i:`` initials."""
    bare = _plain(name)[:MAX_NAME]
    if not bare:
        return set()
    terms = {f"n:{bare[a:b]}" for a in range(len(bare)) for b in range(a + 1, min(len(bare), a + 8) + 1)}
    if HAN.search(bare):
        for reading in _readings(bare[:8]):
            for start in range(len(reading)):
                terms |= {f"p:{text}" for text in _prefixes("".join(reading[start:]))}
            terms |= {f"i:{text}" for text in _prefixes("".join(part[:1] for part in reading))}
    else:
        terms |= {f"p:{text}" for text in _prefixes(bare)}
    return terms


def terms_of_number(number: str | None) -> set[str]:
    """Return the document number with and without separators, and its last digits."""
    if not number:
        return set()
    bare = re.sub(r"[^0-9A-Za-z]", "", number).lower()
    digits = re.sub(r"\D", "", bare)
    return {f"c:{bare}", f"c:{digits}", f"c:{digits.lstrip('0')}", f"t:{digits[-4:]}"}


def phone_terms(number: str) -> set[str]:
    """Return the keyed hashes of a whole number and of its last four digits."""
    return {f"f:{ring().digest('phone', number)}", f"l:{ring().digest('phone-tail', number[-4:])}"}


def query_terms(word: str) -> set[str]:
    """Return the terms of which any one answers a word that somebody typed.

    Four digits mean the end of a telephone or file number, more digits a whole one, Chinese a part of the
    name, Latin letters pinyin, initials or a file number.
    """
    bare = _plain(word)
    digits = re.sub(r"\D", "", bare)
    if not bare:
        return set()
    if bare.lstrip("+").isdigit():
        if len(digits) == 4:
            return {f"l:{ring().digest('phone-tail', digits)}", f"t:{digits}", f"c:{digits}"}
        phone = normal_phone(word) or digits
        return {f"f:{ring().digest('phone', phone)}", f"c:{digits}", f"c:{digits.lstrip('0')}"}
    if HAN.search(bare):
        return {f"n:{bare}"}
    return {f"p:{bare}", f"i:{bare}", f"n:{bare}", f"c:{bare}"}


def initials_of(name: str) -> str:
    """Return the initials of a name for where it must not be read: ``LXY`` of 林小雨, ``MJ`` of Mary Jones."""
    parts = re.findall(rf"{HAN.pattern}|[^\W\d_]+?\b", name)
    reader = dictionaries()
    first = reader.Style.FIRST_LETTER
    return "".join((reader.pinyin(part, style=first)[0][0] if HAN.match(part) else part[0]) for part in parts).upper()
