"""Records of other tables and items of dictionaries, found through the context."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from wtforms import Field, Form, SelectField, SelectMultipleField
from wtforms.fields.choices import Choice as Option
from wtforms.validators import StopValidation
from wtforms.widgets import Select

from app.fields.base import MAX_ID, kept, presence
from app.words import _


def identity(value: Any) -> int:
    """Return a positive database key, refusing anything else as no valid choice."""
    if isinstance(value, bool) or not re.fullmatch(r"\d{1,19}", str(value)) or not 0 < int(value) <= MAX_ID:
        raise ValueError(_("Not a valid choice."))
    return int(value)


class RemoteSelect(Select):
    """A select whose options come from the server as one types; without JavaScript it takes the number."""


class Pick(Field):
    """A record of another table, found through the actor's scope. Data is its id.

    Out of scope and absent look the same: "not a valid choice". ``accepts(record)`` narrows further;
    ``unoffered`` takes what forms do not offer, too: it is come to from its own page, or by its number.
    """

    widget = RemoteSelect()

    def __init__(
        self,
        label: Any = None,
        *,
        table: str,
        required: bool = False,
        accepts: Callable[[Any], bool] | None = None,
        only: str = "",
        unoffered: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(label, presence(required), **kwargs)
        self.table, self.accepts, self.only, self.unoffered = table, accepts, only, unoffered
        self._record: Any = None
        self._offered: tuple[Any] | None = None

    def looked_up(self, record: Any | None, offered: Any | None) -> None:
        """Take what was found for this input and others together: its record, and the same if forms offer it."""
        self._record, self._offered = record, (record if self.unoffered else offered,)

    @property
    def record(self) -> Any | None:
        """The picked record, for showing its name."""
        if self._record is None and self.data is not None:
            self._record = self.meta.context.find(self.table, self.data)
        return self._record

    def _value(self) -> str:
        return "" if self.data is None else str(self.data)

    def process_formdata(self, valuelist: list[Any]) -> None:
        if not valuelist and kept(self):
            return
        self.data, self._record, self._offered = None, None, None
        if not valuelist or valuelist[0] == "":
            return
        self.data = identity(valuelist[0])

    def pre_validate(self, form: Form) -> None:
        if self.data is None or self.data == self.object_data:
            return
        context = self.meta.context
        if self._offered is not None:
            chosen = self._offered[0]
        else:
            chosen = (context.find if self.unoffered else context.choose)(self.table, self.data)
        if chosen is None or (self.accepts is not None and not self.accepts(chosen)):
            raise StopValidation(_("Not a valid choice."))


class _ItemChoices:
    """Shared by one and several: the items of a dictionary that are in use."""

    dictionary: str
    meta: Any
    data: Any

    def _offered(self) -> Sequence[tuple[int, str]]:
        return self.meta.context.items(self.dictionary)


class Item(_ItemChoices, SelectField):
    """An item of a dictionary; data is its id. A retired item is not a valid choice, unless it stood before."""

    def __init__(self, label: Any = None, *, dictionary: str, required: bool = False, **kwargs: Any) -> None:
        self.dictionary = dictionary
        super().__init__(label, presence(required), coerce=lambda v: v, choices=[], validate_choice=False, **kwargs)

    def iter_choices(self) -> Any:
        yield Option("", "—", self.data is None, {})
        for key, text in self._offered():
            yield Option(key, text, self.data == key, {})

    def process_formdata(self, valuelist: list[Any]) -> None:
        if not valuelist and kept(self):
            return
        self.data = None
        self.data = identity(valuelist[0]) if valuelist and valuelist[0] != "" else None

    def pre_validate(self, form: Form) -> None:
        if self.data is None or self.data == self.object_data:
            return
        if self.data not in {key for key, _text in self._offered()}:
            raise StopValidation(_("Not a valid choice."))


class Items(_ItemChoices, SelectMultipleField):
    """Several items of a dictionary; data is a list of ids in the order of the dictionary."""

    def __init__(self, label: Any = None, *, dictionary: str, required: bool = False, **kwargs: Any) -> None:
        self.dictionary = dictionary
        super().__init__(label, presence(required), coerce=lambda v: v, choices=[], validate_choice=False, **kwargs)

    def iter_choices(self) -> Any:
        chosen = set(self.data or [])
        for key, text in self._offered():
            yield Option(key, text, key in chosen, {})

    def process_data(self, value: Any) -> None:
        self.data = list(value or [])

    def process_formdata(self, valuelist: list[Any]) -> None:
        if not valuelist and kept(self):
            return
        self.data = []
        self.data = sorted({identity(value) for value in valuelist if value != ""})

    def pre_validate(self, form: Form) -> None:
        known = {key for key, _text in self._offered()} | set(self.object_data or [])
        if not set(self.data or []) <= known:
            raise StopValidation(_("Not a valid choice."))
