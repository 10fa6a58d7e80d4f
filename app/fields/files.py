"""A file in a form, in two steps, so that nothing is lost when another field is wrong.

The panel takes the file in first and puts its number in the field's place; what the form and the act see is the
number alone. Over REST the file is sent to ``stored_file`` first, then the act is told the number.
"""

from __future__ import annotations

from typing import Any

from wtforms import Field, Form
from wtforms.validators import StopValidation
from wtforms.widgets import FileInput

from app.fields.base import kept, presence
from app.fields.records import identity
from app.words import _

#: What a browser's file dialog offers first; what is taken is decided by the bytes (``services.files``).
OFFERED = {
    "evidence": "image/jpeg,image/png,image/webp,application/pdf,.jpg,.jpeg,.png,.webp,.pdf",
    "recording": "audio/wav,audio/mpeg,audio/ogg,audio/mp4,.wav,.mp3,.ogg,.opus,.m4a",
    "import": ".xlsx,.csv,.txt,text/csv,application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


class Upload(Field):
    """A file that this person sent and nothing uses yet; data is the number of its row.

    ``purpose`` is a value of ``FilePurpose`` and decides what is taken. The act gives the file to its record with
    ``services.files.attach``.
    """

    widget = FileInput()

    def __init__(self, label: Any = None, *, purpose: str, required: bool = False, **kwargs: Any) -> None:
        super().__init__(label, presence(required), **kwargs)
        self.purpose = purpose
        self._file: Any = None

    @property
    def file(self) -> Any | None:
        """The file that was sent, for showing its name."""
        if self._file is None and self.data is not None:
            found = self.meta.context.sent_file(self.data)
            self._file = found if found is not None and found.purpose == self.purpose else None
        return self._file

    @property
    def accept(self) -> str:
        return OFFERED.get(self.purpose, "")

    @property
    def most_bytes(self) -> int:
        """The largest file that is taken, so that a browser can say so before it sends."""
        most: int = self.meta.context.largest_file()
        return most

    def process_formdata(self, valuelist: list[Any]) -> None:
        if not valuelist and kept(self):
            return
        self.data, self._file = None, None
        told = [value for value in valuelist if value != ""]
        if told:
            self.data = identity(told[-1])

    def pre_validate(self, form: Form) -> None:
        if self.data is not None and self.file is None:
            self.data = None
            raise StopValidation(_("Please choose the file again."))


def uploads_of(form: type[Form]) -> dict[str, str]:
    """Return the file inputs of a form class: name to purpose."""
    fields = {name: getattr(form, name) for name in dir(form) if hasattr(getattr(form, name), "field_class")}
    return {name: field.kwargs["purpose"] for name, field in fields.items() if issubclass(field.field_class, Upload)}
