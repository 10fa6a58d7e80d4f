"""What every form and field stands on: the context of a form, presence, clean text."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from wtforms import Field, Form
from wtforms.validators import InputRequired, Optional, StopValidation

from app.words import _, locale_in_force

MAX_LINE = 200
MAX_TEXT = 2000
MAX_ID = 2**63 - 1


@dataclass(frozen=True)
class FormContext:
    """What a form may know.

    ``find(table, id)`` returns a record in scope or None, ``choose`` the same of those that forms offer (nobody who
    left, nothing retired); ``items(dictionary)`` returns ``(id, label)`` pairs of the items in use; ``is_json``
    demands instants with a zone. ``sent_file(id)`` returns a file of this person's that nothing uses yet, or None;
    ``largest_file()`` how many bytes one may have. ``several(table, ids, offered)`` finds many records at once.
    """

    zone: ZoneInfo
    now: datetime
    find: Callable[[str, int], Any | None]
    choose: Callable[[str, int], Any | None]
    items: Callable[[str], Sequence[tuple[int, str]]]
    is_json: bool = False
    record: Any = None
    actor: Any = None
    sent_file: Callable[[int], Any | None] = lambda _file_id: None
    largest_file: Callable[[], int] = lambda: 0
    several: Callable[[str, Collection[int], bool], Mapping[int, Any]] = lambda _table, _ids, _offered: {}


class HouseForm(Form):
    """The base of every form: messages in the reader's language, values bound through a context."""

    class Meta:
        context: FormContext | None = None

        @property
        def locales(self) -> list[str]:
            return [locale_in_force()]

    @property
    def context(self) -> FormContext:
        context = self.meta.context
        if context is None:
            raise RuntimeError(f"{type(self).__name__} was made without a context")
        return context

    def check(self) -> None:
        """Raise ``ValidationError`` through ``refuse`` for rules that span several fields; overridden."""

    def validate(self, extra_validators: Any = None) -> bool:
        """Validate each field, then, if all stand, the form as a whole."""
        if not super().validate(extra_validators):
            return False
        self.check()
        return not self.errors

    def refuse(self, field: str, sentence: object) -> None:
        """Put a sentence beside a field, or beside a cell of its lines."""
        found = self.place(field)
        if found is None:
            raise KeyError(field)
        found.errors = [*found.errors, str(sentence)]

    def place(self, name: str) -> Any | None:
        """Return the field of a name, or the cell of a name such as ``lines-0-quantity``; None if there is none."""
        if name in self:
            return self[name]
        asked = (field.cell(name) for field in self if hasattr(field, "cell"))
        return next((cell for cell in asked if cell is not None), None)

    @property
    def errors(self) -> dict[Any, Any]:
        """What was refused by field; cells of lines by their own names."""
        told = dict(super().errors)
        for field in self:
            if hasattr(field, "errors_by_name"):
                told.update(field.errors_by_name())
        return told


def presence(required: bool) -> list[Any]:
    return [Required()] if required else [Optional(strip_whitespace=True)]


class Required(InputRequired):
    """Present and not blank, with a sentence of ours. What JSON leaves out may stand already (``kept``)."""

    def __call__(self, form: Form, field: Field) -> None:
        raw = field.raw_data
        if not raw and kept(field) and field.data not in (None, "", []):
            return
        if raw and any(not isinstance(value, str) or value.strip() for value in raw):
            return
        field.errors = []
        raise StopValidation(_("Please fill this in."))


def kept(field: Any) -> bool:
    """Say whether an input that is absent leaves the prefilled value standing: so in JSON, not on screens."""
    context = field.meta.context
    return context is not None and context.is_json


class Parsed(Field):
    """A field of one line that is read from what was sent and written for the next: what both have in common.

    What was typed stands again when it is refused; an empty input is None; what JSON leaves out may stand (``kept``).
    """

    def __init__(self, label: Any = None, *, required: bool = False, **kwargs: Any) -> None:
        super().__init__(label, presence(required), **kwargs)

    def parse(self, text: Any) -> Any:
        """Return the value of what was sent, never empty; raises ``ValueError`` with a sentence."""
        raise NotImplementedError

    def written(self, value: Any) -> str:
        """Return a value as its input shows it."""
        return str(value)

    def _value(self) -> str:
        if self.raw_data and isinstance(self.raw_data[0], str):
            return self.raw_data[0]
        return "" if self.data is None else self.written(self.data)

    def process_formdata(self, valuelist: list[Any]) -> None:
        if not valuelist and kept(self):
            return
        self.data = None
        if valuelist and valuelist[0] != "":
            self.data = self.parse(valuelist[0])


def clean_text(value: str) -> str:
    """Return NFC text without surrounding blanks, line ends as ``\\n``; refuses control characters."""
    value = unicodedata.normalize("NFC", value.replace("\r\n", "\n").replace("\r", "\n")).strip()
    if any(unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\t" for c in value):
        raise ValueError(_("This text contains characters that cannot be stored. Please remove them."))
    return value
