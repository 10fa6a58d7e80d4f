"""How a sheet of labels is laid out: rows, columns, margins, sizes, as settings say. White paper 5.1.3."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy.orm import Session

from app.errors import Refusal
from app.services.settings import Setting, read_together, setting, value_of
from app.words import _, _l

HELP = _l("Sheets of self-adhesive labels; print one and lay it over a sheet to see.")


def _length(name: str, label: object, default: str, least: int, most: int) -> Setting:
    return setting(
        f"labels.{name}", label, default, "millimetres", least=least, most=most, help=HELP, source="5.1.3"
    )  # fmt: skip


def _count(name: str, label: object, default: str, most: int) -> Setting:
    return setting(f"labels.{name}", label, default, "whole", least=1, most=most, help=HELP, source="5.1.3")


COLUMNS = _count("columns", _l("Labels side by side"), "3", 20)
ROWS = _count("rows", _l("Labels one below the other"), "13", 60)
LABEL_WIDTH = _length("label_width", _l("Width of a label, mm"), "50", 30, 200)
LABEL_HEIGHT = _length("label_height", _l("Height of a label, mm"), "20", 15, 200)
MARGIN_LEFT = _length("margin_left", _l("From the sheet's left edge to the first label, mm"), "20", 0, 200)
MARGIN_TOP = _length("margin_top", _l("From the sheet's upper edge to the first label, mm"), "18.5", 0, 200)
GAP_ACROSS = _length("gap_across", _l("Between labels side by side, mm"), "10", 0, 100)
GAP_DOWN = _length("gap_down", _l("Between labels one below the other, mm"), "0", 0, 100)
SHEET_WIDTH = _length("sheet_width", _l("Width of the sheet, mm"), "210", 30, 500)
SHEET_HEIGHT = _length("sheet_height", _l("Height of the sheet, mm"), "297", 15, 500)
ALL = (
    COLUMNS, ROWS, LABEL_WIDTH, LABEL_HEIGHT, MARGIN_LEFT, MARGIN_TOP, GAP_ACROSS, GAP_DOWN, SHEET_WIDTH, SHEET_HEIGHT,
)  # fmt: skip


@dataclass(frozen=True)
class Layout:
    """A sheet of labels; lengths in millimetres."""

    columns: int
    rows: int
    width: Decimal
    height: Decimal
    left: Decimal
    top: Decimal
    across: Decimal
    down: Decimal
    sheet_width: Decimal
    sheet_height: Decimal

    @property
    def per_sheet(self) -> int:
        return self.columns * self.rows

    def place(self, index: int) -> tuple[Decimal, Decimal]:
        """Return where the label of an index on its sheet begins: from the left, from above."""
        row, column = divmod(index, self.columns)
        return self.left + column * (self.width + self.across), self.top + row * (self.height + self.down)

    @property
    def overruns(self) -> bool:
        """Say whether the last label ends beyond the sheet."""
        left, top = self.place(self.per_sheet - 1)
        return left + self.width > self.sheet_width or top + self.height > self.sheet_height


def layout_of(session: Session, branch_id: int, at: datetime) -> Layout:
    """Return the branch's sheet of labels; refuses one whose labels do not fit on it."""
    with read_together(session, ALL, branch_id=branch_id, at=at):
        layout = Layout(*(value_of(session, each, branch_id=branch_id, at=at) for each in ALL))
    if layout.overruns:
        raise Refusal(_("The labels do not fit on the sheet. Please correct the settings of label sheets."))
    return layout
