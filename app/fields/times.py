"""Instants, days and times of day."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time
from typing import Any

from wtforms import Field, Form
from wtforms.validators import StopValidation
from wtforms.widgets import DateInput, DateTimeLocalInput, MonthInput, TimeInput

from app.fields.base import kept, presence
from app.words import _


class Instant(Field):
    """A point in time: the branch's wall clock on screens, ISO 8601 with a zone in JSON. Data is aware, UTC."""

    widget = DateTimeLocalInput()

    def __init__(self, label: Any = None, *, required: bool = False, **kwargs: Any) -> None:
        super().__init__(label, presence(required), **kwargs)

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
        super().__init__(label, presence(required), **kwargs)
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
        super().__init__(label, presence(required), **kwargs)

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


class Month(Day):
    """A calendar month, ``YYYY-MM``; data is its first day. A day is taken for its month."""

    widget = MonthInput()

    def _value(self) -> str:
        if self.raw_data and isinstance(self.raw_data[0], str):
            return self.raw_data[0][:7]
        return self.data.isoformat()[:7] if self.data else ""

    def process_formdata(self, valuelist: list[Any]) -> None:
        text = valuelist[0] if valuelist else ""
        if isinstance(text, str) and len(text) == len("2026-11"):
            valuelist = [f"{text}-01"]
        try:
            super().process_formdata(valuelist)
        except ValueError:
            raise ValueError(_("This is not a month, such as 2026-11.")) from None
        if self.data:
            self.data = self.data.replace(day=1)
