"""The keys of every kind of page, declared once: the sheet behind “?” and the tests read them here.

The scripts that answer them: ``keys.js`` (everywhere), ``list.js``, ``board.js``, ``desk.js``,
``ordered.js``, ``lock.js``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.words import _l


@dataclass(frozen=True)
class Key:
    """What a key does; ``keys`` are its names as they stand on a keyboard, any of them."""

    keys: tuple[str, ...]
    does: object


EVERYWHERE = (
    Key(("F2", "/"), _l("Go to the box that scans and searches")),
    Key(("Ctrl+Alt+L",), _l("Lock the screen")),
    Key(("?",), _l("Show these keys")),
    Key(("Esc",), _l("Close a menu or a dialog")),
)
#: Kind of page -> its own keys.
KEYS: Mapping[str, Sequence[Key]] = {
    "list": (
        Key(("↑", "↓"), _l("Walk the rows")),
        Key(("PgUp", "PgDn"), _l("Ten rows up or down")),
        Key(("Home", "End"), _l("To the first or last row of this page")),
        Key(("Enter",), _l("Open the record")),
        Key(("e",), _l("Edit it, or do its first act")),
        Key(("Space",), _l("Select the row")),
        Key(("Alt+↑", "Alt+↓"), _l("Move a column, where columns are chosen")),
    ),
    "board": (
        Key(("↑", "↓"), _l("Walk the cards of a lane")),
        Key(("←", "→"), _l("Go to the next lane")),
        Key(("Enter",), _l("Do the next act of the card")),
        Key(("o",), _l("Open its record")),
    ),
    "desk": (
        Key(("↑", "↓"), _l("The call before or after")),
        Key(("e",), _l("Carry it out: to the form")),
        Key(("Ctrl+Enter",), _l("Send the form; the next call opens")),
        Key(("Esc",), _l("From the form back to the list")),
        Key(("1", "2", "3"), _l("Put it off: tomorrow, in 3 days, next week")),
        Key(("4",), _l("Put it off to a day")),
        Key(("o",), _l("Open the customer's file")),
    ),
}


def keys_of(kind: str) -> tuple[Key, ...]:
    """Return the keys of a kind of page, its own first."""
    return (*KEYS.get(kind, ()), *EVERYWHERE)
