"""接诊卡, 形象设计卡, 会员卡: cards of 85.6 x 54 mm, front and back, with a code to scan. White paper E.6, E.7, 5.1.1.

The three share one size and one drawing. Members' cards are drawn here too; they print once members have cards.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.actors import Actor
from app.errors import Refusal
from app.models.hr import Branch
from app.models.reception import CardState, CardType, CustomerCard, ServiceDesk
from app.reports.barcodes import code128_fitting
from app.reports.base import Paper, paper
from app.words import _, _l

#: A card that is one of these is not printed again in a batch.
OVER = frozenset(
    {
        CardState.LOST, CardState.DAMAGED, CardState.REPLACED, CardState.WITHDRAWN, CardState.CANCELLED,
        CardState.SPOILED,
    }
)  # fmt: skip
#: Levels of members have colours of their own: white, silver, gold, platinum, black. E.7
LEVELS = ("white", "silver", "gold", "platinum", "black")
MOST_FLOORS = 5
#: The width that the bars have, and how many dots of the printer a module has at most; as the template draws them.
CODE_MM, CODE_DOTS = 76.0, 4


@dataclass(frozen=True, slots=True)
class CardFacts:
    """What stands on a card; nothing personal (E.6).

    ``face`` is ``visit``, ``design`` or ``member``; ``level`` and ``level_name`` are a member's. ``number`` is the
    counter of the card's number, as people call it out; ``floors`` are (floor, what is there).
    """

    zone: str
    face: str
    card_no: str
    number: str
    brand: str
    hotline: str
    address: str
    floors: tuple[tuple[str, str], ...] = ()
    level: str = "white"
    level_name: str = ""


def card_facts(branch: Branch, face: str, card_no: str, floors: tuple[tuple[str, str], ...] = ()) -> CardFacts:
    """Return what stands on a card of a branch."""
    number = card_no.rsplit("-", 1)[-1]
    return CardFacts(
        branch.zone, face, card_no, number, branch.name, branch.phone or "", branch.address or "", floors
    )  # fmt: skip


def gather(session: Session, card: CustomerCard, _by: Actor, _at: datetime) -> CardFacts:
    """Return what stands on a card; a temporary one shows the way through the house.

    Refuses a number that no scanner would read in the width of a card.
    """
    try:
        code128_fitting(card.card_no, CODE_MM, most_dots=CODE_DOTS)
    except ValueError:
        raise Refusal(_("The number %(card)s does not fit on a card as a barcode.", card=card.card_no)) from None
    is_visit = card.card_type is CardType.VISIT
    floors = _floors(session, card.branch_id) if is_visit else ()
    return card_facts(card.branch, "visit" if is_visit else "design", card.card_no, floors)


def _floors(session: Session, branch_id: int) -> tuple[tuple[str, str], ...]:
    """Return the floors of a branch with its desks, the lowest first by name."""
    desks = session.execute(
        select(ServiceDesk.floor, ServiceDesk.name)
        .where(ServiceDesk.branch_id == branch_id, ServiceDesk.retired_at.is_(None), ServiceDesk.floor.is_not(None))
        .order_by(ServiceDesk.floor, ServiceDesk.code)
    ).all()
    found: dict[str, list[str]] = {}
    for floor, name in desks:
        found.setdefault(floor, []).append(name)
    return tuple((floor, "、".join(names)) for floor, names in found.items())[:MOST_FLOORS]


CARD = paper(
    Paper(
        "customer_card",
        "card",
        _l("Print the card"),
        _l("Card"),
        gather,
        eager=("branch",),
        ground=lambda facts: replace(facts, card_no="", number=""),
        left_out=lambda card: card.state.label if card.state in OVER else None,
    )
)
