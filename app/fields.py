"""Form fields of the house: plain WTForms, no Flask; one form serves the dialog, the plain page and REST.

A form is bound with a ``FormContext`` (``Form(data, meta={"context": …})``), from which fields learn the time
zone, whether the input came from a screen or as JSON, and how to find records through the actor's scope.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any
from zoneinfo import ZoneInfo

from wtforms import (
    BooleanField,
    Field,
    Form,
    IntegerField,
    SelectField,
    SelectMultipleField,
    StringField,
    ValidationError,
)
from wtforms.fields.choices import Choice as Option
from wtforms.validators import InputRequired, Optional, StopValidation
from wtforms.widgets import DateInput, DateTimeLocalInput, NumberInput, Select, TelInput, TextArea, TextInput, TimeInput

from app.words import _, _l, locale_in_force

MAX_LINE = 200
MAX_TEXT = 2000
MAX_ID = 2**63 - 1


@dataclass(frozen=True)
class FormContext:
    """What a form may know.

    ``find(table, id)`` returns a record in scope or None, ``choose`` the same of those that forms offer (nobody who
    left, nothing retired); ``items(dictionary)`` returns ``(id, label)`` pairs of the items in use; ``is_json``
    demands instants with a zone.
    """

    zone: ZoneInfo
    now: datetime
    find: Callable[[str, int], Any | None]
    choose: Callable[[str, int], Any | None]
    items: Callable[[str], Sequence[tuple[int, str]]]
    is_json: bool = False
    record: Any = None
    actor: Any = None


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
        """Put a sentence beside a field."""
        errors = list(self[field].errors)
        errors.append(str(sentence))
        self[field].errors = errors


def _presence(required: bool) -> list[Any]:
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


def clean_text(value: str) -> str:
    """Return NFC text without surrounding blanks, line ends as ``\\n``; refuses control characters."""
    value = unicodedata.normalize("NFC", value.replace("\r\n", "\n").replace("\r", "\n")).strip()
    if any(unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\t" for c in value):
        raise ValueError(_("This text contains characters that cannot be stored. Please remove them."))
    return value


class Words(StringField):
    """Text of bounded length. Control characters are refused, blanks around it dropped, "" becomes None."""

    def __init__(
        self,
        label: Any = None,
        *,
        required: bool = False,
        most: int = MAX_LINE,
        least: int = 0,
        multiline: bool = False,
        sensitive: bool = False,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("widget", TextArea() if multiline else TextInput())
        super().__init__(label, _presence(required), **kwargs)
        self.most, self.least, self.multiline, self.sensitive = most, least, multiline, sensitive

    def process_formdata(self, valuelist: list[Any]) -> None:
        if not valuelist:
            self.data = self.data if kept(self) else None
            return
        if not isinstance(valuelist[0], str):
            raise ValueError(_("This must be text."))
        self.data = valuelist[0]
        self.data = clean_text(valuelist[0]) or None
        if self.data and "\n" in self.data and not self.multiline:
            raise ValueError(_("This must be one line."))

    def pre_validate(self, form: Form) -> None:
        length = len(self.data or "")
        if length > self.most:
            raise StopValidation(
                _("At most %(most)s characters, please; this has %(length)s.", most=self.most, length=length)
            )
        if self.data and length < self.least:
            raise StopValidation(_("At least %(least)s characters, please.", least=self.least))


PHONE_SHAPES = (
    re.compile(r"1[3-9]\d{9}"),
    re.compile(r"0\d{2,3}\d{7,8}"),
    re.compile(r"[48]00\d{7}"),
    re.compile(r"\+(?!86)[1-9]\d{6,14}"),
)


def normal_phone(raw: str) -> str | None:
    """Return a telephone number's bare form (``13812344821``, ``02160000000``, ``+85291234567``), or None.

    Mainland mobile, landline with area code and 400/800 numbers lose blanks, hyphens and +86; others keep
    their country code.
    """
    bare = re.sub(r"[\s\-().]", "", unicodedata.normalize("NFKC", raw))
    bare = re.sub(r"^(?:\+|00)86", "", bare)
    bare = re.sub(r"^00", "+", bare)
    return bare if any(shape.fullmatch(bare) for shape in PHONE_SHAPES) else None


class PhoneNumber(Words):
    """A telephone number in its bare form. Sensitive: the history keeps it masked."""

    SENSITIVE = True

    def __init__(self, label: Any = None, **kwargs: Any) -> None:
        kwargs.setdefault("widget", TelInput())
        super().__init__(label, most=40, sensitive=True, **kwargs)

    def process_formdata(self, valuelist: list[Any]) -> None:
        super().process_formdata(valuelist)
        if self.data:
            bare = normal_phone(self.data)
            if bare is None:
                raise ValueError(
                    _("This is not a telephone number. Mobile: 11 digits; landline: area code and number.")
                )
            self.data = bare


SHORT_NUMBER = re.compile(r"\+?\d{3,15}")


class CallerNumber(PhoneNumber):
    """A number as the telephone shows it: a whole one in its bare form, else 3 to 15 digits (a service number, a
    local number without its area code). R-2.1.1-1 wants every call registered, whoever rang."""

    def process_formdata(self, valuelist: list[Any]) -> None:
        Words.process_formdata(self, valuelist)
        if self.data:
            bare = normal_phone(self.data) or re.sub(r"[\s\-().]", "", unicodedata.normalize("NFKC", self.data))
            if not SHORT_NUMBER.fullmatch(bare):
                raise ValueError(_("This is not a telephone number: 3 to 15 digits, or empty if none was shown."))
            self.data = bare


class Instant(Field):
    """A point in time: the branch's wall clock on screens, ISO 8601 with a zone in JSON. Data is aware, UTC."""

    widget = DateTimeLocalInput()

    def __init__(self, label: Any = None, *, required: bool = False, **kwargs: Any) -> None:
        super().__init__(label, _presence(required), **kwargs)

    def _value(self) -> str:
        if self.raw_data and isinstance(self.raw_data[0], str):
            return self.raw_data[0]
        if self.data is None:
            return ""
        return self.data.astimezone(self.meta.context.zone).strftime("%Y-%m-%dT%H:%M")

    def process_formdata(self, valuelist: list[Any]) -> None:
        if not valuelist and kept(self):
            return
        self.data = None
        text = valuelist[0] if valuelist else ""
        if text == "":
            return
        try:
            value = datetime.fromisoformat(text)
        except (TypeError, ValueError):
            raise ValueError(_("This is not a date and time.")) from None
        if value.tzinfo is None:
            if self.meta.context.is_json:
                raise ValueError(_("A time needs its zone, such as 2026-11-23T10:00:00+08:00."))
            value = value.replace(tzinfo=self.meta.context.zone)
        if not 1900 <= value.year <= 2200:
            raise ValueError(_("This is not a date and time."))
        self.data = value.astimezone(UTC)


class Day(Field):
    """A calendar day, ``YYYY-MM-DD``."""

    widget = DateInput()

    def __init__(self, label: Any = None, *, required: bool = False, past: bool = False, **kwargs: Any) -> None:
        super().__init__(label, _presence(required), **kwargs)
        self.past = past

    def _value(self) -> str:
        if self.raw_data and isinstance(self.raw_data[0], str):
            return self.raw_data[0]
        return self.data.isoformat() if self.data else ""

    def process_formdata(self, valuelist: list[Any]) -> None:
        if not valuelist and kept(self):
            return
        self.data = None
        text = valuelist[0] if valuelist else ""
        if text == "":
            return
        try:
            self.data = date.fromisoformat(text)
        except (TypeError, ValueError):
            raise ValueError(_("This is not a date.")) from None
        if not 1900 <= self.data.year <= 2200:
            raise ValueError(_("This is not a date."))

    def pre_validate(self, form: Form) -> None:
        if self.past and self.data and self.data > self.meta.context.now.astimezone(self.meta.context.zone).date():
            raise StopValidation(_("This day lies in the future."))


class Clock(Field):
    """A time of day by the branch's clock, ``HH:MM``."""

    widget = TimeInput()

    def __init__(self, label: Any = None, *, required: bool = False, **kwargs: Any) -> None:
        super().__init__(label, _presence(required), **kwargs)

    def _value(self) -> str:
        if self.raw_data and isinstance(self.raw_data[0], str):
            return self.raw_data[0]
        return self.data.strftime("%H:%M") if self.data else ""

    def process_formdata(self, valuelist: list[Any]) -> None:
        if not valuelist and kept(self):
            return
        self.data = None
        text = valuelist[0] if valuelist else ""
        if text == "":
            return
        # Some browsers send seconds along.
        if not isinstance(text, str) or not re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9](:00)?", text):
            raise ValueError(_("A time of day such as 21:00, please."))
        self.data = time.fromisoformat(text)


class Whole(IntegerField):
    """A whole number between two bounds, both included."""

    widget = NumberInput(step="1")

    def __init__(
        self, label: Any = None, *, required: bool = False, least: int = 0, most: int = 2**31 - 1, **kwargs: Any
    ) -> None:
        super().__init__(label, _presence(required), **kwargs)
        self.least, self.most = least, most

    def process_formdata(self, valuelist: list[Any]) -> None:
        if not valuelist and kept(self):
            return
        self.data = None
        text = valuelist[0] if valuelist else ""
        if text == "":
            return
        if isinstance(text, float) or (isinstance(text, str) and not re.fullmatch(r"\s*-?\d{1,12}\s*", text)):
            raise ValueError(_("This is not a whole number."))
        try:
            self.data = int(text)
        except (TypeError, ValueError):
            raise ValueError(_("This is not a whole number.")) from None

    def pre_validate(self, form: Form) -> None:
        if self.data is not None and not self.least <= self.data <= self.most:
            raise StopValidation(
                _("A whole number from %(least)s to %(most)s, please.", least=self.least, most=self.most)
            )


class Money(Field):
    """An amount in yuan with at most two decimals; a string in JSON, ``Decimal`` inside."""

    widget = TextInput()

    def __init__(self, label: Any = None, *, required: bool = False, **kwargs: Any) -> None:
        super().__init__(label, _presence(required), **kwargs)

    def _value(self) -> str:
        if self.raw_data and isinstance(self.raw_data[0], str):
            return self.raw_data[0]
        return "" if self.data is None else f"{self.data:.2f}"

    def process_formdata(self, valuelist: list[Any]) -> None:
        if not valuelist and kept(self):
            return
        self.data = None
        text = valuelist[0] if valuelist else ""
        if text == "":
            return
        try:
            if not re.fullmatch(r"-?\d{1,10}(\.\d{1,2})?", str(text).replace(",", "").strip()):
                raise InvalidOperation
            self.data = Decimal(str(text).replace(",", "").strip())
        except InvalidOperation:
            raise ValueError(_("This is not an amount of money.")) from None


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
        super().__init__(label, _presence(required), coerce=lambda v: v, choices=[], validate_choice=False, **kwargs)

    def iter_choices(self) -> Any:
        if not self.flags.required or self.data is None:
            yield Option("", "—", self.data is None, {})
        for member in self.only:
            yield Option(member.value, str(member.label), self.data is member, {})  # type: ignore[attr-defined]

    def process_data(self, value: Any) -> None:
        self.data = self.options(value) if isinstance(value, str) else value

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


class ChooseMany(SelectMultipleField):
    """Several of an enumeration; data is a list of members in the enumeration's order."""

    def __init__(self, label: Any = None, *, options: type[Enum], required: bool = False, **kwargs: Any) -> None:
        self.options = options
        super().__init__(label, _presence(required), coerce=lambda v: v, choices=[], validate_choice=False, **kwargs)

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


def _identity(value: Any) -> int:
    """Return a positive database key, refusing anything else as no valid choice."""
    if isinstance(value, bool) or not re.fullmatch(r"\d{1,19}", str(value)) or not 0 < int(value) <= MAX_ID:
        raise ValueError(_("Not a valid choice."))
    return int(value)


class RemoteSelect(Select):
    """A select whose options come from the server as one types; without JavaScript it takes the number."""


class Pick(Field):
    """A record of another table, found through the actor's scope. Data is its id.

    Out of scope and absent look the same: "not a valid choice". ``accepts(record)`` narrows further.
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
        **kwargs: Any,
    ) -> None:
        super().__init__(label, _presence(required), **kwargs)
        self.table, self.accepts, self.only = table, accepts, only
        self._record: Any = None

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
        self.data, self._record = None, None
        if not valuelist or valuelist[0] == "":
            return
        self.data = _identity(valuelist[0])

    def pre_validate(self, form: Form) -> None:
        if self.data is None or self.data == self.object_data:
            return
        chosen = self.meta.context.choose(self.table, self.data)
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
        super().__init__(label, _presence(required), coerce=lambda v: v, choices=[], validate_choice=False, **kwargs)

    def iter_choices(self) -> Any:
        yield Option("", "—", self.data is None, {})
        for key, text in self._offered():
            yield Option(key, text, self.data == key, {})

    def process_formdata(self, valuelist: list[Any]) -> None:
        if not valuelist and kept(self):
            return
        self.data = None
        self.data = _identity(valuelist[0]) if valuelist and valuelist[0] != "" else None

    def pre_validate(self, form: Form) -> None:
        if self.data is None or self.data == self.object_data:
            return
        if self.data not in {key for key, _text in self._offered()}:
            raise StopValidation(_("Not a valid choice."))


class Items(_ItemChoices, SelectMultipleField):
    """Several items of a dictionary; data is a list of ids in the order of the dictionary."""

    def __init__(self, label: Any = None, *, dictionary: str, required: bool = False, **kwargs: Any) -> None:
        self.dictionary = dictionary
        super().__init__(label, _presence(required), coerce=lambda v: v, choices=[], validate_choice=False, **kwargs)

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
        self.data = sorted({_identity(value) for value in valuelist if value != ""})

    def pre_validate(self, form: Form) -> None:
        known = {key for key, _text in self._offered()} | set(self.object_data or [])
        if not set(self.data or []) <= known:
            raise StopValidation(_("Not a valid choice."))


class Reason(HouseForm):
    """The form of acts that ask why."""

    reason = Words(_l("Reason"), required=True, least=2, most=500, multiline=True)


__all__ = [
    "CallerNumber",
    "Choose",
    "ChooseMany",
    "Clock",
    "Day",
    "Flag",
    "FormContext",
    "HouseForm",
    "Instant",
    "Item",
    "Items",
    "Money",
    "PhoneNumber",
    "Pick",
    "Reason",
    "RemoteSelect",
    "ValidationError",
    "Whole",
    "Words",
    "clean_text",
    "normal_phone",
]
