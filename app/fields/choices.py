"""Yes or no, one or several of an enumeration, columns."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import Enum
from typing import Any

from wtforms import BooleanField, Form, SelectField, SelectMultipleField
from wtforms.fields.choices import Choice as Option
from wtforms.validators import StopValidation

from app.fields.base import kept, presence
from app.words import _


class Flag(BooleanField):
    """Yes or no; a checkbox."""

    def __init__(self, label: Any = None, **kwargs: Any) -> None:
        super().__init__(label, [], false_values=(False, "false", "", "no", "0"), **kwargs)

    def process_formdata(self, valuelist: list[Any]) -> None:
        if not valuelist and kept(self):
            return
        super().process_formdata(valuelist)


class Choose(SelectField):
    """One of an enumeration. Its members give their label by ``labels`` (member -> lazy text); data is the member."""

    def __init__(
        self,
        label: Any = None,
        *,
        options: type[Enum],
        required: bool = False,
        only: Iterable[Enum] = (),
        **kwargs: Any,
    ) -> None:
        self.options = options
        self.only = tuple(only) or tuple(options)
        super().__init__(label, presence(required), coerce=lambda v: v, choices=[], validate_choice=False, **kwargs)

    def iter_choices(self) -> Any:
        if not self.flags.required or self.data is None:
            yield Option("", "—", self.data is None, {})
        for member in self.only:
            yield Option(member.value, str(member.label), self.data is member, {})  # type: ignore[attr-defined]

    def process_data(self, value: Any) -> None:
        """Begin with a member; a text that is none (any longer) begins empty."""
        known = isinstance(value, str) and value in {member.value for member in self.options}
        self.data = self.options(value) if known else (None if isinstance(value, str) else value)

    def process_formdata(self, valuelist: list[Any]) -> None:
        if not valuelist and kept(self):
            return
        self.data = None
        if not valuelist or valuelist[0] == "":
            return
        try:
            self.data = self.options(valuelist[0])
        except ValueError:
            raise ValueError(_("Not a valid choice.")) from None

    def pre_validate(self, form: Form) -> None:
        if self.data is not None and self.data not in self.only:
            raise StopValidation(_("Not a valid choice."))


class OneOf(SelectField):
    """One of what is known when the form is shown; ``offers()`` gives (value, label) pairs. Data is the value."""

    def __init__(self, label: Any = None, *, offers: Any, required: bool = False, **kwargs: Any) -> None:
        self.offers = offers
        super().__init__(label, presence(required), coerce=lambda v: v, choices=[], validate_choice=False, **kwargs)

    def iter_choices(self) -> Any:
        if not self.flags.required or self.data is None:
            yield Option("", "—", self.data is None, {})
        for value, label in self.offers():
            yield Option(value, str(label), self.data == value, {})

    def process_formdata(self, valuelist: list[Any]) -> None:
        if not valuelist and kept(self):
            return
        self.data = None
        if valuelist and valuelist[0] != "":
            self.data = valuelist[0]

    def pre_validate(self, form: Form) -> None:
        if self.data is not None and self.data not in {value for value, _label in self.offers()}:
            raise StopValidation(_("Not a valid choice."))


class ChooseMany(SelectMultipleField):
    """Several of an enumeration; data is a list of members in the enumeration's order."""

    def __init__(self, label: Any = None, *, options: type[Enum], required: bool = False, **kwargs: Any) -> None:
        self.options = options
        super().__init__(label, presence(required), coerce=lambda v: v, choices=[], validate_choice=False, **kwargs)

    def iter_choices(self) -> Any:
        for member in self.options:
            yield Option(member.value, str(member.label), member in (self.data or []), {})  # type: ignore[attr-defined]

    def process_data(self, value: Any) -> None:
        self.data = [self.options(part) for part in value or []]

    def process_formdata(self, valuelist: list[Any]) -> None:
        if not valuelist and kept(self):
            return
        self.data = []
        valuelist = [value for value in valuelist if value != ""]
        known = {member.value for member in self.options}
        if not set(valuelist) <= known:
            raise ValueError(_("Not a valid choice."))
        self.data = [member for member in self.options if member.value in valuelist]

    def pre_validate(self, form: Form) -> None:
        """Members only ever come out of ``process_formdata``."""


class Columns(SelectMultipleField):
    """What each column of a file is, in the file's order; data is a list of texts, "" for a column not read.

    ``lines(record, actor)`` gives what each column bears, ``offers(record)`` the (value, label) pairs that it may be.
    """

    def __init__(self, label: Any = None, *, lines: Any, offers: Any, required: bool = False, **kwargs: Any) -> None:
        super().__init__(label, presence(required), coerce=str, choices=[], validate_choice=False, **kwargs)
        self.lines, self.offers = lines, offers

    def table(self) -> list[tuple[Any, list[tuple[str, str, bool]]]]:
        """Return each column with what it may be: (value, label, whether it is chosen)."""
        record = self.meta.context.record
        chosen = list(self.data or [])
        offered = list(self.offers(record))
        return [
            (line, [(value, label, value == (chosen[at] if at < len(chosen) else "")) for value, label in offered])
            for at, line in enumerate(self.lines(record, self.meta.context.actor))
        ]

    def iter_choices(self) -> Any:
        return iter(())

    def process_data(self, value: Any) -> None:
        self.data = [part["field"] if isinstance(part, dict) else part for part in value or []]

    def process_formdata(self, valuelist: list[Any]) -> None:
        if not valuelist and kept(self):
            return
        self.data = [value if isinstance(value, str) else "?" for value in valuelist]

    def pre_validate(self, form: Form) -> None:
        record = self.meta.context.record
        chosen, count = self.data or [], len(self.lines(record, self.meta.context.actor))
        if len(chosen) != count:
            raise StopValidation(_("Please say of each column what it is, %(count)s in all.", count=count))
        if not set(chosen) <= {value for value, _label in self.offers(record)}:
            raise StopValidation(_("Not a valid choice."))
        named = [value for value in chosen if value]
        if len(named) != len(set(named)):
            raise StopValidation(_("Two columns cannot be the same."))


class Ordered(SelectMultipleField):
    """Several of what a form offers, in an order of one's own; data is a list of names. The first offer always leads.

    ``offers(form)`` gives (name, label) pairs, ``begins(form)`` the names that stand chosen. A screen sends beside the
    chosen names a number each (``<field>-place-<name>``) and may send ``<field>-none``: nothing of one's own.
    """

    def __init__(self, label: Any = None, *, offers: Any, begins: Any, **kwargs: Any) -> None:
        super().__init__(label, [], coerce=str, choices=[], validate_choice=False, **kwargs)
        self.offers, self.begins = offers, begins

    def process(self, formdata: Any, *args: Any, **kwargs: Any) -> None:
        super().process(formdata, *args, **kwargs)
        if not formdata:
            return
        if f"{self.name}-none" in formdata:
            self.data = []
        places = {name: formdata.get(f"{self.name}-place-{name}", "") for name in self.data or []}
        if any(places.values()):
            self.data.sort(key=lambda name: int(places[name]) if re.fullmatch("[0-9]{1,4}", places[name]) else 10**4)

    def lines(self, form: Form) -> list[tuple[str, str, bool]]:
        """Return (name, label, whether it is chosen): the leading one, those chosen in their order, then the others."""
        offered = dict(self.offers(form))
        first = next(iter(offered), "")
        chosen = [name for name in (self.data if self.raw_data else self.begins(form)) or [] if name in offered]
        names = dict.fromkeys([first, *chosen, *offered]) if offered else {}
        return [(name, offered[name], name in chosen or name == first) for name in names]

    def iter_choices(self) -> Any:
        return iter(())

    def process_data(self, value: Any) -> None:
        self.data = list(value or [])

    def process_formdata(self, valuelist: list[Any]) -> None:
        if not valuelist and kept(self):
            return
        if any(not isinstance(value, str) for value in valuelist):
            raise ValueError(_("Not a valid choice."))
        self.data = [value for value in valuelist if value]

    def pre_validate(self, form: Form) -> None:
        if not set(self.data or []) <= {name for name, _label in self.offers(form)}:
            raise StopValidation(_("Not a valid choice."))
