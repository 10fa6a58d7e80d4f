"""Whole numbers and money."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Any

from wtforms import Field, Form, IntegerField
from wtforms.validators import StopValidation
from wtforms.widgets import NumberInput, TextInput

from app.fields.base import kept, presence
from app.words import _


class Whole(IntegerField):
    """A whole number between two bounds, both included."""

    widget = NumberInput(step="1")

    def __init__(
        self, label: Any = None, *, required: bool = False, least: int = 0, most: int = 2**31 - 1, **kwargs: Any
    ) -> None:
        super().__init__(label, presence(required), **kwargs)
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
        super().__init__(label, presence(required), **kwargs)

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
