"""How a cell becomes a value: texts, numbers that should be texts, days in every dress, names of records."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from typing import Any
from zoneinfo import ZoneInfo

from app.fields import clean_text, normal_phone
from app.models.base import Labelled
from app.services.imports.table import Raw, is_blank, said
from app.words import in_locale

#: Beyond this a spreadsheet's number has lost digits.
EXACT = 10**15
SCIENTIFIC = re.compile(r"[+-]?\d+(?:\.\d+)?[eE][+]?\d+")
WHOLE = re.compile(r"[+-]?\d+(?:\.0+)?")
DAY = re.compile(r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*日?")
COMPACT_DAY = re.compile(r"(\d{4})(\d{2})(\d{2})")
CLOCK = re.compile(r"(\d{1,2})\s*[:时]\s*(\d{1,2})\s*(?:[:分]\s*(\d{1,2})(?:\.\d+)?)?\s*[秒分]?")
#: Excel counts days from here; its serial numbers of 1927 to 2118.
SERIAL_EPOCH = date(1899, 12, 30)
SERIALS = range(10_000, 80_000)
YES = {"是", "有", "y", "yes", "true", "1", "√", "对"}
NO = {"否", "无", "n", "no", "false", "0", "×", "错"}
ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


class BadCell(Exception):
    """A cell that cannot be read; ``rule`` names the sentence."""

    def __init__(self, rule: str, **facts: Any) -> None:
        super().__init__(rule)
        self.rule, self.facts = rule, facts


@dataclass
class Known:
    """What cells are read against: the clock, the zone, and names of records by table, prepared once per file.

    ``names[table]`` maps a plain name, code or number to the id, or to SEVERAL.
    """

    zone: ZoneInfo
    now: datetime
    names: dict[str, dict[str, int]] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)
    warnings: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    @property
    def today(self) -> date:
        return self.now.astimezone(self.zone).date()


SEVERAL = -1
Reader = Callable[[Raw, Known], Any]


def plain(text: object) -> str:
    """Return a name as it is compared: NFKC, without blanks, lower case."""
    return re.sub(r"\s", "", unicodedata.normalize("NFKC", str(text))).lower()


def as_text(value: Raw) -> str:
    """Return a cell as a person sees it: ``13912344821`` for the number, ``2026-01-03`` for the day."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M") if (value.hour or value.minute) else value.strftime("%Y-%m-%d")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < EXACT else repr(value)
    return str(value)


def words(most: int, *, multiline: bool = False) -> Reader:
    """Read a text of bounded length."""

    def read(value: Raw, known: Known) -> str | None:
        if is_blank(value):
            return None
        try:
            text = clean_text(as_text(value).strip(" \t\r\n\u3000\u00a0\ufeff\u200b"))
        except ValueError:
            raise BadCell("not_text") from None
        if not multiline:
            text = re.sub(r"\s*\n\s*", " ", text)
        if len(text) > most:
            raise BadCell("too_long", most=most, length=len(text))
        return text or None

    return read


def code(most: int) -> Reader:
    """Read a code or number of a document: half-width; warns where a spreadsheet held a number."""

    def read(value: Raw, known: Known) -> str | None:
        if is_blank(value):
            return None
        if isinstance(value, int | float) and not isinstance(value, bool):
            if abs(value) >= EXACT:
                raise BadCell("digits_lost")
            known.warnings.append(("code_number", {}))
        text = re.sub(r"\s", "", unicodedata.normalize("NFKC", as_text(value)))
        if SCIENTIFIC.fullmatch(text) and "+" in text:
            raise BadCell("digits_lost")
        found = words(most)(text, known)
        return None if found is None else str(found)

    return read


def phone(value: Raw, known: Known) -> str | None:
    """Read a telephone number in its bare form; tells cut digits and a lost leading zero from nonsense."""
    if is_blank(value):
        return None
    text = unicodedata.normalize("NFKC", as_text(value)).strip().lstrip("'")
    if SCIENTIFIC.fullmatch(text):
        raise BadCell("digits_lost")
    if re.fullmatch(r"\d+\.0+", text):
        text = text.split(".")[0]
    bare = normal_phone(text)
    if bare is None:
        with_zero = normal_phone(f"0{text}") if text.isdigit() else None
        if with_zero is not None:
            raise BadCell("zero_lost", number=with_zero)
        raise BadCell("not_phone")
    return bare


def id_no(value: Raw, known: Known) -> str | None:
    """Read a mainland ID number with its check character, or a passport's number of other shape."""
    if is_blank(value):
        return None
    text = re.sub(r"\s", "", unicodedata.normalize("NFKC", as_text(value))).upper().lstrip("'")
    if (isinstance(value, int | float) and abs(value) >= EXACT) or (SCIENTIFIC.fullmatch(text) and "+" in text):
        raise BadCell("digits_lost")
    if re.fullmatch(r"\d{17}[\dX]", text):
        rest = sum(int(digit) * weight for digit, weight in zip(text[:17], ID_WEIGHTS, strict=True)) % 11
        if "10X98765432"[rest] != text[17]:
            raise BadCell("not_id_no")
        return text
    if text.isdigit() and len(text) > 15:
        raise BadCell("not_id_no")
    found = words(40)(text, known)
    return None if found is None else str(found)


def day(*, past: bool = False) -> Reader:
    """Read a day: a real one, a text in Chinese or Western dress, or Excel's serial number."""

    def read(value: Raw, known: Known) -> date | None:
        if is_blank(value):
            return None
        found = _day_of(value)
        if found is None or not 1900 <= found.year <= 2200:
            raise BadCell("not_day")
        if past and found > known.today:
            raise BadCell("future")
        return found

    return read


def _day_of(value: Raw) -> date | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    if isinstance(value, int | float):
        return SERIAL_EPOCH + timedelta(days=int(value)) if int(value) in SERIALS else _date(str(value), COMPACT_DAY)
    text = unicodedata.normalize("NFKC", str(value)).strip()
    if re.fullmatch(r"\d{5}(\.\d+)?", text) and int(float(text)) in SERIALS:
        return SERIAL_EPOCH + timedelta(days=int(float(text)))
    head = re.split(r"[T\s]+(?=\d{1,2}[:时])", text)[0]
    return _date(head, DAY) or _date(head, COMPACT_DAY)


def _date(text: str, shape: re.Pattern[str]) -> date | None:
    hit = shape.fullmatch(text.strip())
    try:
        return date(int(hit[1]), int(hit[2]), int(hit[3])) if hit else None
    except ValueError:
        return None


def instant(value: Raw, known: Known) -> datetime | None:
    """Read a point in time of the branch's clock; a day alone means its beginning. Refuses the future."""
    if is_blank(value):
        return None
    found = _instant_of(value)
    if found is None or not 1900 <= found.year <= 2200:
        raise BadCell("not_instant")
    aware = (found if found.tzinfo else found.replace(tzinfo=known.zone)).astimezone(UTC)
    if aware > known.now + timedelta(minutes=5):
        raise BadCell("future")
    return aware


def _instant_of(value: Raw) -> datetime | None:
    if isinstance(value, datetime):
        return value
    if isinstance(value, float) and int(value) in SERIALS:
        begin = datetime.combine(SERIAL_EPOCH, datetime.min.time())
        return begin + timedelta(seconds=round(value * 86_400))
    found = _day_of(value)
    if found is None:
        return None
    start = datetime.combine(found, datetime.min.time())
    text = unicodedata.normalize("NFKC", str(value)).strip()
    hit = re.search(r"(?:[T\s日])\s*(\d.*)$", text) if isinstance(value, str) else None
    if hit is None or not re.search(r"[:时]", text):
        return start
    clock = CLOCK.fullmatch(hit[1].strip())
    if clock is None:
        return None
    try:
        return start.replace(hour=int(clock[1]), minute=int(clock[2]), second=int(clock[3] or 0))
    except ValueError:
        return None


def whole(least: int, most: int) -> Reader:
    """Read a whole number between two bounds."""

    def read(value: Raw, known: Known) -> int | None:
        if is_blank(value):
            return None
        text = unicodedata.normalize("NFKC", as_text(value)).strip().removesuffix("岁").removesuffix("年")
        if not WHOLE.fullmatch(text) or not least <= int(float(text)) <= most:
            raise BadCell("not_whole", least=least, most=most)
        return int(float(text))

    return read


def yes_no(value: Raw, known: Known) -> bool | None:
    """Read yes or no, as a spreadsheet's truth or a word."""
    if is_blank(value):
        return None
    if isinstance(value, bool):
        return value
    text = plain(as_text(value))
    if text in YES or text in NO:
        return text in YES
    raise BadCell("not_yes_no")


def choice(options: type[Labelled], **also: Enum) -> Reader:
    """Read a member of an enumeration by its value or its name in either language, or one of the words ``also``."""
    by_word: dict[str, Any] = {}

    def read(value: Raw, known: Known) -> Any:
        if is_blank(value):
            return None
        if not by_word:
            for member in options:
                for word in (member.value, in_locale(member.label, "zh"), in_locale(member.label, "en")):
                    by_word[plain(word)] = member
            by_word.update({plain(word): member for word, member in also.items()})
        found = by_word.get(plain(as_text(value)))
        if found is None:
            choices = [said(member.label) for member in options]
            zh, en = "、".join(each["zh"] for each in choices), ", ".join(each["en"] for each in choices)
            raise BadCell("not_choice", choices={"zh": zh, "en": en})
        return found

    return read


def named(table: str, what: object) -> Reader:
    """Read the name, code or number of a record that stands and may be chosen; the value is its id."""

    def read(value: Raw, known: Known) -> int | None:
        if is_blank(value):
            return None
        found = known.names.get(table, {}).get(plain(as_text(value)))
        if found is None:
            raise BadCell("nobody", what=said(what))
        if found == SEVERAL:
            raise BadCell("several")
        return found

    return read


def item(dictionary: str) -> Reader:
    """Read an item of a dictionary by code or name; the value is its id."""

    def read(value: Raw, known: Known) -> int | None:
        if is_blank(value):
            return None
        found = known.names.get(f"dictionary:{dictionary}", {}).get(plain(as_text(value)))
        if found is None or found == SEVERAL:
            raise BadCell("not_item", dictionary=known.more["dictionaries"][dictionary])
        return found

    return read


def index_names(pairs: Any) -> dict[str, int]:
    """Return plain name -> id of (id, names) pairs; a name of several records leads to SEVERAL."""
    found: dict[str, int] = {}
    for key, names in pairs:
        for name in {plain(name) for name in names if name}:
            found[name] = key if found.get(name, key) == key else SEVERAL
    return found
