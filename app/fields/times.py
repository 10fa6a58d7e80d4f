"""Instants, days, times of day and months."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time
from typing import Any

from wtforms import Form
from wtforms.validators import StopValidation
from wtforms.widgets import DateInput, DateTimeLocalInput, MonthInput, TimeInput

from app.fields.base import Parsed
from app.words import _


class Instant(Parsed):
    """A point in time: the branch's wall clock on screens, ISO 8601 with a zone in JSON. Data is aware, UTC."""

    widget = DateTimeLocalInput()

    def written(self, value: datetime) -> str:
        return value.astimezone(self.meta.context.zone).strftime("%Y-%m-%dT%H:%M")

    def parse(self, text: Any) -> datetime:
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
        return value.astimezone(UTC)


class Day(Parsed):
    """A calendar day, ``YYYY-MM-DD``."""

    widget = DateInput()

    def __init__(self, label: Any = None, *, past: bool = False, **kwargs: Any) -> None:
        super().__init__(label, **kwargs)
        self.past = past

    def written(self, value: date) -> str:
        return value.isoformat()

    def parse(self, text: Any) -> date:
        try:
            value = date.fromisoformat(text)
        except (TypeError, ValueError):
            raise ValueError(_("This is not a date.")) from None
        if not 1900 <= value.year <= 2200:
            raise ValueError(_("This is not a date."))
        return value

    def pre_validate(self, form: Form) -> None:
        if self.past and self.data and self.data > self.meta.context.now.astimezone(self.meta.context.zone).date():
            raise StopValidation(_("This day lies in the future."))


class Clock(Parsed):
    """A time of day by the branch's clock, ``HH:MM``."""

    widget = TimeInput()

    def written(self, value: time) -> str:
        return value.strftime("%H:%M")

    def parse(self, text: Any) -> time:
        # Some browsers send seconds along.
        if not isinstance(text, str) or not re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9](:00)?", text):
            raise ValueError(_("A time of day such as 21:00, please."))
        return time.fromisoformat(text)


class Month(Day):
    """A calendar month, ``YYYY-MM``; data is its first day. A day is taken for its month."""

    widget = MonthInput()

    def _value(self) -> str:
        return super()._value()[: len("2026-11")]

    def parse(self, text: Any) -> date:
        if isinstance(text, str) and len(text) == len("2026-11"):
            text = f"{text}-01"
        try:
            return super().parse(text).replace(day=1)
        except ValueError:
            raise ValueError(_("This is not a month, such as 2026-11.")) from None
