"""Form fields of the house: plain WTForms, no Flask; one form serves the dialog, the plain page and REST.

A form is bound with a ``FormContext`` (``Form(data, meta={"context": …})``), from which fields learn the time
zone, whether the input came from a screen or as JSON, and how to find records through the actor's scope.
"""

from wtforms import ValidationError

from app.fields.base import MAX_ID, MAX_LINE, MAX_TEXT, FormContext, HouseForm, Required, clean_text, kept
from app.fields.choices import Choose, ChooseMany, Columns, Flag, OneOf, Ordered
from app.fields.files import Upload, uploads_of
from app.fields.lines import DO, MOST_LINES, Lines, lines_of
from app.fields.numbers import Money, Whole, Wholes
from app.fields.records import Item, Items, Pick, RemoteSelect
from app.fields.secrets import has_secrets, is_secret, is_sensitive
from app.fields.text import CallerNumber, PhoneNumber, Reason, Words, bare_number, normal_phone
from app.fields.times import Clock, Day, Instant, Month

__all__ = [
    "DO",
    "MAX_ID",
    "MAX_LINE",
    "MAX_TEXT",
    "MOST_LINES",
    "CallerNumber",
    "Choose",
    "ChooseMany",
    "Clock",
    "Columns",
    "Day",
    "Flag",
    "FormContext",
    "HouseForm",
    "Instant",
    "Item",
    "Items",
    "Lines",
    "Money",
    "Month",
    "OneOf",
    "Ordered",
    "PhoneNumber",
    "Pick",
    "Reason",
    "RemoteSelect",
    "Required",
    "Upload",
    "ValidationError",
    "Whole",
    "Wholes",
    "Words",
    "bare_number",
    "clean_text",
    "has_secrets",
    "is_secret",
    "is_sensitive",
    "kept",
    "lines_of",
    "normal_phone",
    "uploads_of",
]
