"""Numbers of blank forms: taken in runs, printed, found again when one is scanned. White paper 5.1.3; R-2.2.6-2."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.actors import Actor
from app.acts import Outcome, act
from app.errors import NotPermitted, Refusal
from app.fields import HouseForm, Whole, Words
from app.models.reception import MOST_FORMS, CardStock, CustomerCard, ReceptionFormRun
from app.services.hr import own_branch
from app.services.settings import next_numbers
from app.services.tasks import enqueue
from app.words import _, _l, locale_in_force

#: The long work of ``app/reports``: forms of a selection, and forms that belong to one record many times over.
PRINT_SELECTION, PRINT_RUN = "printing.batch", "printing.run"
#: So many cards or labels go into one file.
MOST_PRINTED = 500


class Taking(HouseForm):
    """How many blank forms."""

    count = Whole(_l("How many"), required=True, least=1, most=MOST_FORMS)
    note = Words(_l("Note"), most=200)


@act(
    ReceptionFormRun,
    "take",
    _l("Take numbers for blank forms"),
    form=Taking,
    creates=True,
    icon="journal-plus",
    tone="accent",
    consequence=_l("Numbers that were taken are not given again, printed or not."),
)
def take(session: Session, *, count: int, note: str | None = None, by: Actor, at: datetime) -> ReceptionFormRun:
    """Take the next numbers of reception forms for paper that customers fill in. White paper 5.1.3."""
    branch = own_branch(session, by)
    numbers = next_numbers(session, "reception_form", count, branch=branch, at=at, zone=by.timezone)
    run = ReceptionFormRun(
        branch_id=branch.id,
        count=count,
        first_no=numbers[0],
        last_no=numbers[-1],
        taken_at=at,
        taken_by_id=by.employee_id,
        note=note,
    )
    session.add(run)
    return run


def numbers_of(first_no: str, count: int) -> Iterator[str]:
    """Yield numbers that follow each other, as a number rule writes them."""
    head, counter = re.fullmatch(r"(.*?)(\d+)", first_no).groups()  # type: ignore[union-attr]
    for number in range(int(counter), int(counter) + count):
        yield f"{head}{number:0{len(counter)}}"


def form_number(session: Session, scanned: str, by: Actor) -> str:
    """Return a form's number as its run has it, however it was scanned; refuses one of no run of the actor's branch."""
    bare = re.sub(r"[^0-9A-Z]", "", scanned.upper())
    first, last = (func.replace(each, "-", "") for each in (ReceptionFormRun.first_no, ReceptionFormRun.last_no))
    run = session.scalars(
        select(ReceptionFormRun).where(first <= bare, last >= bare, func.length(first) == len(bare)).limit(1)
    ).first()
    unknown = Refusal(_("The form %(form)s was never taken from the numbers.", form=scanned.strip()), field="form_no")
    if run is None:
        raise unknown
    if run.branch_id != by.branch_id:
        raise Refusal(_("The form %(form)s belongs to another branch.", form=scanned.strip()), field="form_no")
    for number in numbers_of(run.first_no, run.count):
        if number.replace("-", "") == bare:
            return number
    raise unknown


# --- printing them --------------------------------------------------------------------------------------------------


def _printing(session: Session, record: Any, form: str, by: Actor, at: datetime, **told: int) -> Outcome:
    """Ask for a form of which a record takes many sheets; its right is the act's own."""
    asked = {"table": record.__tablename__, "paper": form, "id": record.id, "locale": locale_in_force(), **told}
    subject = (record.__tablename__, record.id)
    return Outcome(result=enqueue(session, PRINT_RUN, asked, by=by, at=at, subject=subject))


@act(ReceptionFormRun, "print_forms", _l("Print the blank forms"), icon="printer", tone="accent")
def print_forms(session: Session, run: ReceptionFormRun, *, by: Actor, at: datetime) -> Outcome:
    """Print a run's blank forms into one file, in the background; a second printing says so on every page. E.2."""
    return _printing(session, run, "forms", by, at, first=1, count=run.count)


@act(ReceptionFormRun, "print_labels", _l("Print labels"), icon="upc")
def print_form_labels(session: Session, run: ReceptionFormRun, *, by: Actor, at: datetime) -> Outcome:
    """Print a run's numbers as labels, in the background. White paper 5.1.3."""
    return _printing(session, run, "labels", by, at, first=1, count=run.count)


class Which(HouseForm):
    """Which cards of a delivery."""

    first = Whole(_l("From card"), least=1, description=_l("Counted from the first of the delivery. Empty: the first."))
    count = Whole(_l("How many"), least=1, most=MOST_PRINTED, description=_l("Empty: as many as go into one file."))


def _span(stock: CardStock, first: int | None, count: int | None) -> tuple[int, int]:
    """Return the first card and how many; refuses a first card that the delivery has not."""
    first = first or 1
    if first > stock.count:
        raise Refusal(_("This delivery has %(count)s cards.", count=stock.count), field="first")
    return first, min(count or MOST_PRINTED, stock.count - first + 1)


@act(CardStock, "print_cards", _l("Print the cards"), form=Which, icon="printer", tone="accent")
def print_cards(
    session: Session, stock: CardStock, *, first: int | None = None, count: int | None = None, by: Actor, at: datetime
) -> Outcome:
    """Print cards of a delivery, front and back, into one file, in the background. White paper 5.1.1, E.6."""
    if not by.may("customer_card", "can_print_card"):
        raise NotPermitted
    first, count = _span(stock, first, count)
    cards = select(CustomerCard.id).where(CustomerCard.stock_id == stock.id).order_by(CustomerCard.card_no)
    ids = list(session.scalars(cards.offset(first - 1).limit(count)))
    parameters = {"table": "customer_card", "paper": "card", "ids": ids, "locale": locale_in_force()}
    return Outcome(result=enqueue(session, PRINT_SELECTION, parameters, by=by, at=at, total=len(ids)))


@act(CardStock, "print_labels", _l("Print labels"), form=Which, icon="upc")
def print_card_labels(
    session: Session, stock: CardStock, *, first: int | None = None, count: int | None = None, by: Actor, at: datetime
) -> Outcome:
    """Print the numbers of a delivery's cards as labels, in the background. White paper 5.1.3."""
    first, count = _span(stock, first, count)
    return _printing(session, stock, "labels", by, at, first=first, count=count)
