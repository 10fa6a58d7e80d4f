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


class Wholes(Parsed):
    """Several whole numbers with commas between them, each between two bounds; data is a sorted list, none twice."""

    widget = TextInput()

    def __init__(self, label: Any = None, *, least: int, most: int, at_most: int = 20, **kwargs: Any) -> None:
        super().__init__(label, **kwargs)
        self.least, self.most, self.at_most = least, most, at_most

    def written(self, value: list[int]) -> str:
        return ", ".join(str(number) for number in value)

    def process_formdata(self, valuelist: list[Any]) -> None:
        super().process_formdata([",".join(str(part) for part in valuelist)] if len(valuelist) > 1 else valuelist)

    def parse(self, text: Any) -> list[int]:
        parts = re.split(r"[,，、;；\s]+", str(text).strip())
        if not all(re.fullmatch(r"[+-]?\d{1,6}", str(part)) for part in parts):
            raise ValueError(_("Whole numbers with commas between them, please, such as 1, 3, 7."))
        return sorted({int(part) for part in parts})

    def pre_validate(self, form: Form) -> None:
        numbers = self.data or []
        if not all(self.least <= number <= self.most for number in numbers):
            bounds = {"least": self.least, "most": self.most}
            raise StopValidation(_("Whole numbers from %(least)s to %(most)s, please.", **bounds))
        if len(numbers) > self.at_most:
            raise StopValidation(_("At most %(count)s numbers, please.", count=self.at_most))


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
