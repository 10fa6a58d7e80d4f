"""Sheets of labels with a number each, to be stuck on forms, files and cards. White paper 5.1.2, 5.1.3."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.actors import Actor
from app.errors import Refusal
from app.models.reception import CardStock, CustomerCard, ReceptionFormRun
from app.reports.barcodes import code128_fitting
from app.reports.base import SheetsPaper, paper
from app.services.reception.labels import Layout, layout_of
from app.services.reception.runs import numbers_of
from app.words import _, _l

#: Two dots of a 203-dpi label printer: a number with its day stands on 50 mm. Cards and forms take three and more.
LEAST_DOTS = 2


@dataclass(frozen=True, slots=True)
class LabelsFacts:
    """One sheet of labels: where each begins and its number; ``bars_mm`` is how high the bars are."""

    zone: str
    layout: Layout
    labels: tuple[tuple[str, str, str], ...]
    bars_mm: float


def sheets_of(numbers: Sequence[str], layout: Layout, zone: str) -> list[LabelsFacts]:
    """Divide numbers into sheets of labels; refuses labels that are too narrow for the longest number."""
    try:
        code128_fitting(max(numbers, key=len), float(layout.width), least_dots=LEAST_DOTS)
    except ValueError:
        raise Refusal(_("The labels are too narrow for these numbers. Please correct the settings.")) from None
    sheets = []
    for first in range(0, len(numbers), layout.per_sheet):
        part = numbers[first : first + layout.per_sheet]
        placed = tuple((*map(str, layout.place(index)), number) for index, number in enumerate(part))
        sheets.append(LabelsFacts(zone, layout, placed, max(10.0, float(layout.height) - 8)))
    return sheets


def of_run(
    session: Session, run: ReceptionFormRun, _by: Actor, at: datetime, first: int, count: int
) -> list[LabelsFacts]:
    """Return the sheets of a run of blank forms."""
    numbers = list(numbers_of(run.first_no, run.count))[first - 1 : first - 1 + count]
    return sheets_of(numbers, layout_of(session, run.branch_id, at), run.branch.zone)


def of_stock(session: Session, stock: CardStock, _by: Actor, at: datetime, first: int, count: int) -> list[LabelsFacts]:
    """Return the sheets of a delivery of cards."""
    cards = select(CustomerCard.card_no).where(CustomerCard.stock_id == stock.id).order_by(CustomerCard.card_no)
    numbers = list(session.scalars(cards.offset(first - 1).limit(count)))
    return sheets_of(numbers, layout_of(session, stock.branch_id, at), stock.branch.zone)


def _labels(table: str, gather: Any) -> SheetsPaper:
    return SheetsPaper(table, "labels", _l("Print labels"), _l("Labels"), gather, constants={"least_dots": LEAST_DOTS})


RUN_LABELS = paper(_labels("reception_form_run", of_run))
STOCK_LABELS = paper(_labels("card_stock", of_stock))
