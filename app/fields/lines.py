"""The line editor: rows of a form inside a form, such as the lines of a bill or the steps of a plan.

On screens a row's inputs are called ``lines-3-quantity``; their order is the order in which they are sent, so that a
row that was moved needs no new number. Over REST the lines are a list of objects.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from wtforms import Field, Form
from wtforms.utils import unset_value
from wtforms.widgets import ListWidget

from app.fields.base import FormContext, HouseForm, kept
from app.fields.records import Pick
from app.words import _

MOST_LINES = 200
#: What a sent form says to change its rows without carrying it out: ``add``, or ``remove:2`` for the third row.
DO = "do"
COMMAND = re.compile(r"(add|remove|up|down|copy)(?::(\d{1,4}))?")
#: In the place of a row's number, in the row that scripts copy.
NEW = "__new__"


@dataclass(frozen=True)
class WrongCell:
    """A cell that was refused: its element, the row as people count, what it is called, and why."""

    id: str
    row: int
    label: str
    errors: Sequence[str]


class Lines(Field):
    """Rows of ``row``, a form; data is a list of their inputs as dicts.

    Rows that are left empty on a screen are left out. ``add_by`` names the input, a ``Pick``, that a scan or a search
    fills in to make a new row; ``computed`` are further columns, name to label, whose texts the act's ``recompute``
    gives. Refused: more than ``most`` rows, none where ``required``, and whatever a row refuses.
    """

    widget = ListWidget()

    def __init__(
        self,
        label: Any = None,
        *,
        row: type[HouseForm],
        required: bool = False,
        most: int = MOST_LINES,
        add_by: str = "",
        computed: Mapping[str, object] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(label, [], **kwargs)
        self.row, self.most, self.add_by, self.computed = row, most, add_by, dict(computed or {})
        self.required = required
        self.flags.required = required or None
        self.rows: list[HouseForm] = []
        #: What ``recompute`` says: for each row its computed texts; and the sums below.
        self.told: Sequence[Mapping[str, str]] = ()
        self.sums: Sequence[tuple[str, str]] = ()

    @property
    def data(self) -> list[dict[str, Any]]:  # type: ignore[override]
        return [dict(row.data) for row in self.rows]

    @data.setter
    def data(self, _value: Any) -> None:
        """Rows hold the data; WTForms sets it once, to nothing."""

    def process(self, formdata: Any, data: Any = unset_value, extra_filters: Any = None) -> None:
        """Make the rows of what was sent, else of what stands."""
        self.process_errors = []
        if data is unset_value:
            data = self.default() if callable(self.default) else self.default
        self.object_data = data
        numbers = list(self._numbers(formdata)) if formdata else []
        if formdata and (numbers or self.name in formdata or not kept(self)):
            made = [self.make(number, formdata) for number in numbers[: self.most + 1]]
            self.rows = made if kept(self) else [row for row in made if not self._is_blank(row)]
        else:
            self.rows = [self.make(number, None, standing) for number, standing in enumerate(data or ())]
        self._look_up()

    def make(self, number: int | str, formdata: Any = None, standing: Any = None) -> HouseForm:
        """Return one row, bound; an empty one if nothing is given."""
        told = standing if isinstance(standing, Mapping) else None
        bound: HouseForm = self.row(
            formdata,
            None if told is not None else standing,
            f"{self.name}-{number}-",
            dict(told) if told is not None else None,
            meta={"context": self._context},
        )
        return bound

    def blank(self) -> HouseForm:
        """Return the row that scripts copy, and that a page without script adds."""
        return self.make(NEW)

    def adds_by(self) -> Pick | None:
        """Return the input that makes a new row, for its address; None where rows are only typed."""
        return self.blank()[self.add_by] if self.add_by else None

    def obey(self, command: str) -> bool:
        """Change the rows as a button without script says; False where it says nothing that can be done."""
        found = COMMAND.fullmatch(command)
        if found is None:
            return False
        verb, at = found[1], int(found[2] or 0)
        if verb == "add":
            self.rows.append(self.make(self._next()))
            return True
        if at >= len(self.rows):
            return False
        if verb == "remove":
            del self.rows[at]
        elif verb == "copy":
            self.rows.insert(at + 1, self.make(self._next(), None, self.rows[at].data))
        else:
            to = max(0, min(len(self.rows) - 1, at + (1 if verb == "down" else -1)))
            self.rows.insert(to, self.rows.pop(at))
        return True

    def validate(self, form: Form, extra_validators: Any = ()) -> bool:
        """Validate each row; say what is wrong with them as a whole."""
        self.errors = []
        if len(self.rows) > self.most:
            self.errors.append(_("At most %(most)s lines, please.", most=self.most))
        elif self.required and not self.rows:
            self.errors.append(_("At least one line, please."))
        rows_stand = [row.validate() for row in self.rows]  # each of them, so that each says what is wrong
        return all(rows_stand) and not self.errors

    @property
    def wrong(self) -> list[WrongCell]:
        """Return the cells that were refused, row by row."""
        return [
            WrongCell(cell.id, number, str(cell.label.text), list(cell.errors))
            for number, row in enumerate(self.rows, start=1)
            for cell in row
            if cell.errors
        ]

    def errors_by_name(self) -> dict[str, list[str]]:
        """Return what was refused by the names that REST and screens give the cells."""
        return {cell.name: list(cell.errors) for row in self.rows for cell in row if cell.errors}

    def cell(self, name: str) -> Field | None:
        """Return the cell of a name such as ``lines-0-quantity``."""
        return next((cell for row in self.rows for cell in row if cell.name == name), None)

    # --- how rows are found and bound ----------------------------------------------------------------------------

    @property
    def _context(self) -> FormContext | None:
        """The context of the form around, which asks for each dictionary once however many rows there are."""
        around = self.meta.context
        if around is None:
            return None
        if not hasattr(self, "_shared"):
            self._shared = replace(around, items=lru_cache(maxsize=None)(around.items))
        return self._shared

    def _numbers(self, formdata: Any) -> Iterator[int]:
        """Yield the numbers of the rows that were sent, in the order in which they came."""
        shape = re.compile(rf"{re.escape(self.name)}-(\d{{1,6}})(?:-.*)?", re.DOTALL)
        return iter(dict.fromkeys(int(found[1]) for name in formdata if (found := shape.fullmatch(name))))

    @property
    def numbers(self) -> list[int]:
        """The numbers that the rows' inputs bear, row by row."""
        return [int(row._prefix.removeprefix(f"{self.name}-").rstrip("-")) for row in self.rows]

    def _next(self) -> int:
        return max(self.numbers, default=-1) + 1

    def _is_blank(self, row: HouseForm) -> bool:
        """Say whether nothing was typed into a row: each input is empty, or as a new row has it."""
        begins = self.blank()
        return all(
            given in ("", _written(begins[cell.short_name]))
            for cell in row
            for given in cell.raw_data or ()
            if isinstance(given, str)
        )

    def _look_up(self) -> None:
        """Find the records of all rows at once; a statement for each row would be two hundred."""
        context = self._context
        if context is None or not self.rows:
            return
        for name in [cell.short_name for cell in self.rows[0] if isinstance(cell, Pick)]:
            cells: list[Pick] = [row[name] for row in self.rows]
            ids = {cell.data for cell in cells if isinstance(cell.data, int)}
            table = cells[0].table
            found, offered = context.several(table, ids, False), context.several(table, ids, True)
            for cell in cells:
                cell.looked_up(found.get(cell.data), offered.get(cell.data))


def _written(cell: Any) -> str:
    """Return what a cell's control would send."""
    value = getattr(cell, "_value", None)
    if callable(value):
        return str(value())
    return "" if cell.data is None else str(getattr(cell.data, "value", cell.data))


def lines_of(form: Form) -> list[Lines]:
    """Return the line editors of a bound form."""
    return [field for field in form if isinstance(field, Lines)]
