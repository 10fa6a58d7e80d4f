"""The body of a call event: what a telephone system sends, checked before anything is asked of the database."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from app.errors import InvalidInput
from app.fields import bare_number
from app.models.telephone import Direction, EventKind
from app.services.telephone.folding import MOST_RINGS, Told
from app.words import _

MOST_EVENTS = 500
#: A telephone system's clock may run ahead of ours by so much; what is older than a year is no call of today.
AHEAD, OLDEST = timedelta(minutes=5), timedelta(days=366)
NAME = re.compile(r"[\x21-\x7e]{1,80}")
EXTENSION = re.compile(r"[0-9A-Za-z*#_-]{1,20}")
KEY = re.compile(r"[0-9a-f]{32}")
MOST_ADDRESS = 1000
#: What systems write in the place of a number that was not shown.
NOT_SHOWN = frozenset({"", "anonymous", "unknown", "unavailable", "private", "restricted", "withheld"})

#: The body, for the OpenAPI document.
EVENT_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["call_id", "kind"],
    "additionalProperties": False,
    "properties": {
        "call_id": {"type": "string", "pattern": "^[!-~]{1,80}$", "description": "The same in all events of a call."},
        "kind": {"type": "string", "enum": [kind.value for kind in EventKind]},
        "at": {"type": "string", "format": "date-time", "description": "When it happened; absent: now."},
        "direction": {"type": "string", "enum": [each.value for each in Direction]},
        "number": {"type": "string", "maxLength": 40, "description": "The other side; absent if it is not shown."},
        "extension": {"type": "string", "pattern": "^[0-9A-Za-z*#_-]{1,20}$"},
        "rings": {"type": "integer", "minimum": 0, "maximum": MOST_RINGS},
        "recording_url": {"type": "string", "maxLength": MOST_ADDRESS},
        "key": {"type": "string", "pattern": "^[0-9a-f]{32}$", "description": "The call key of a call dialled here."},
        "event_id": {"type": "string", "pattern": "^[!-~]{1,80}$", "description": "Taken once."},
    },
}
#: Either one event or a list of them; both shapes in one, since a body may be an object alone.
BODY_SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        **EVENT_SCHEMA["properties"],
        "events": {"type": "array", "minItems": 1, "maxItems": MOST_EVENTS, "items": EVENT_SCHEMA},
    },
}


def read_events(body: Mapping[str, Any], *, at: datetime) -> list[Told]:
    """Return the events of a body: ``{"events": [...]}``, or one event by itself.

    Raises ``InvalidInput`` that names each wrong value, as ``kind`` or ``events.3.kind``; then none is taken.
    """
    if "events" not in body:
        errors: dict[str, list[str]] = {}
        one = _event(body, "", errors, at)
        if errors or one is None:
            raise InvalidInput(errors)
        return [one]
    given = body["events"]
    if len(body) > 1 or not isinstance(given, list) or not 1 <= len(given) <= MOST_EVENTS:
        raise InvalidInput({"events": [_("A list of 1 to %(most)s events, and nothing beside it.", most=MOST_EVENTS)]})
    errors = {}
    found = [_event(each, f"events.{place}.", errors, at) for place, each in enumerate(given)]
    if errors:
        raise InvalidInput(errors)
    return [each for each in found if each is not None]


def _event(given: Any, where: str, errors: dict[str, list[str]], at: datetime) -> Told | None:
    """Return one event, or write into ``errors`` what is wrong with it."""
    if not isinstance(given, dict):
        errors[f"{where}call_id"] = [_("Please fill this in.")]
        return None
    wrong: dict[str, str] = {}
    for name in given:
        if name not in EVENT_SCHEMA["properties"]:
            wrong[str(name)[:40]] = _("There is no such input.")
    told = {name: _value(name, given.get(name), wrong, at) for name in EVENT_SCHEMA["properties"]}
    if told["kind"] is EventKind.RECORDING and told["recording_url"] is None and "recording_url" not in wrong:
        wrong["recording_url"] = _("Please fill this in.")
    if wrong:
        errors.update({f"{where}{name}": [sentence] for name, sentence in wrong.items()})
        return None
    return Told(
        happened_at=told.pop("at") or at,
        **told,
    )


def _value(name: str, given: Any, wrong: dict[str, str], at: datetime) -> Any:
    if given is None:
        if name in EVENT_SCHEMA["required"]:
            wrong[name] = _("Please fill this in.")
        return None
    try:
        return _READERS[name](given, at)
    except (ValueError, TypeError, OverflowError):
        wrong[name] = _("Not a valid value.")
        return None


def _shaped(shape: re.Pattern[str]) -> Any:
    def read(given: Any, _at: datetime) -> str:
        if not isinstance(given, str) or not shape.fullmatch(given):
            raise ValueError
        return given

    return read


def _instant(given: Any, at: datetime) -> datetime:
    if not isinstance(given, str) or len(given) > 40:
        raise ValueError
    found = datetime.fromisoformat(given)
    if found.tzinfo is None or not at - OLDEST <= found <= at + AHEAD:
        raise ValueError
    return found


def _number(given: Any, _at: datetime) -> str | None:
    if not isinstance(given, str) or len(given) > 40:
        raise ValueError
    if given.strip().lower() in NOT_SHOWN:
        return None
    found = bare_number(given)
    if found is None:
        raise ValueError
    return found


def _rings(given: Any, _at: datetime) -> int:
    if isinstance(given, bool) or not isinstance(given, int) or not 0 <= given <= MOST_RINGS:
        raise ValueError
    return given


def _address(given: Any, _at: datetime) -> str:
    """Read the address of a recording; whether its host is one to fetch from is asked when it is fetched."""
    if not isinstance(given, str) or len(given) > MOST_ADDRESS or not re.fullmatch(r"[\x21-\x7e]+", given):
        raise ValueError
    parts = urlsplit(given)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError
    return given


_READERS: dict[str, Any] = {
    "call_id": _shaped(NAME),
    "kind": lambda given, _at: EventKind(given if isinstance(given, str) else ""),
    "at": _instant,
    "direction": lambda given, _at: Direction(given if isinstance(given, str) else ""),
    "number": _number,
    "extension": _shaped(EXTENSION),
    "rings": _rings,
    "recording_url": _address,
    "key": _shaped(KEY),
    "event_id": _shaped(NAME),
}
