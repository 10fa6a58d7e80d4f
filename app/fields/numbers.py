"""Whole numbers and money."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from wtforms import Form
from wtforms.validators import StopValidation
from wtforms.widgets import NumberInput, TextInput

from app.fields.base import Parsed
from app.words import _


class Whole(Parsed):
    """A whole number between two bounds, both included."""

    widget = NumberInput(step="1")

    def __init__(self, label: Any = None, *, least: int = 0, most: int = 2**31 - 1, **kwargs: Any) -> None:
        super().__init__(label, **kwargs)
        self.least, self.most = least, most

    def parse(self, text: Any) -> int:
        if isinstance(text, float) or (isinstance(text, str) and not re.fullmatch(r"\s*-?\d{1,12}\s*", text)):
            raise ValueError(_("This is not a whole number."))
        try:
            return int(text)
        except (TypeError, ValueError):
            raise ValueError(_("This is not a whole number.")) from None

    def pre_validate(self, form: Form) -> None:
        if self.data is not None and not self.least <= self.data <= self.most:
            raise StopValidation(
                _("A whole number from %(least)s to %(most)s, please.", least=self.least, most=self.most)
            )


class Money(Parsed):
    """An amount in yuan with at most two decimals; a string in JSON, ``Decimal`` inside."""

    widget = TextInput()

    def written(self, value: Decimal) -> str:
        return f"{value:.2f}"

    def parse(self, text: Any) -> Decimal:
        bare = str(text).replace(",", "").strip()
        if not re.fullmatch(r"-?\d{1,10}(\.\d{1,2})?", bare):
            raise ValueError(_("This is not an amount of money."))
        return Decimal(bare)
