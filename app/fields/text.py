"""Text and telephone numbers."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from wtforms import Form, StringField
from wtforms.validators import StopValidation
from wtforms.widgets import TelInput, TextArea, TextInput

from app.fields.base import MAX_LINE, HouseForm, clean_text, kept, presence
from app.words import _, _l


class Words(StringField):
    """Text of bounded length. Control characters are refused, blanks around it dropped, "" becomes None.

    ``scanned``: the code of a card or paper; a scan that is made in it stays there and sends the form.
    """

    def __init__(
        self,
        label: Any = None,
        *,
        required: bool = False,
        most: int = MAX_LINE,
        least: int = 0,
        multiline: bool = False,
        sensitive: bool = False,
        scanned: bool = False,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("widget", TextArea() if multiline else TextInput())
        if scanned:
            kwargs["render_kw"] = {**kwargs.get("render_kw", {}), "data-scanned": ""}
        super().__init__(label, presence(required), **kwargs)
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


def bare_number(raw: str) -> str | None:
    """Return a number as the telephone shows it: a whole one in its bare form, else 3 to 15 digits (a service number, a
    local number without its area code); None if it is none."""
    bare = normal_phone(raw) or re.sub(r"[\s\-().]", "", unicodedata.normalize("NFKC", raw))
    return bare if SHORT_NUMBER.fullmatch(bare) else None


class CallerNumber(PhoneNumber):
    """A number as the telephone shows it (``bare_number``). R-2.1.1-1 wants every call registered, whoever rang."""

    def process_formdata(self, valuelist: list[Any]) -> None:
        Words.process_formdata(self, valuelist)
        if self.data:
            bare = bare_number(self.data)
            if bare is None:
                raise ValueError(_("This is not a telephone number: 3 to 15 digits, or empty if none was shown."))
            self.data = bare


class Reason(HouseForm):
    """The form of acts that ask why."""

    reason = Words(_l("Reason"), required=True, least=2, most=500, multiline=True)
