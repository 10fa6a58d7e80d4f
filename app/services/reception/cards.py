"""Cards: taken in, issued, lost, replaced, withdrawn; temporary ones handed out and taken back. 2.2.3, 2.2.5; SM-15."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.actors import Actor
from app.acts import Guard, Outcome, act
from app.errors import Refusal
from app.fields import Choose, HouseForm, Pick, Reason, Whole, Words
from app.models.customers import ContactKind, Customer
from app.models.reception import CardState, CardStock, CardType, CustomerCard, VisitCardIssue
from app.services.customers import closed_file
from app.services.hr import own_branch
from app.services.reception.scanning import card_by_no
from app.services.settings import next_numbers
from app.words import _, _l

C = CardState
#: The number rule of each kind of card.
NUMBERS = {CardType.DESIGN: "design_card", CardType.VISIT: "visit_card"}
MOST_CARDS = 5000


class TakingIn(HouseForm):
    """What was delivered."""

    card_type = Choose(_l("Kind of card"), options=CardType, required=True)
    count = Whole(_l("How many"), required=True, least=1, most=MOST_CARDS)
    note = Words(_l("Note"), most=200)


@act(CardStock, "take_in", _l("Take cards in"), form=TakingIn, creates=True, icon="box-seam", tone="accent")
def take_in(
    session: Session, *, card_type: CardType, count: int, note: str | None = None, by: Actor, at: datetime
) -> CardStock:
    """Take a delivery of cards into the stock; their numbers follow each other. White paper 5.1.1."""
    branch = own_branch(session, by)
    numbers = next_numbers(session, NUMBERS[card_type], count, branch=branch, at=at, zone=by.timezone)
    stock = CardStock(
        branch_id=branch.id,
        card_type=card_type,
        count=count,
        first_no=numbers[0],
        last_no=numbers[-1],
        taken_in_at=at,
        taken_in_by_id=by.employee_id,
        note=note,
    )
    session.add(stock)
    session.flush()
    session.add_all(
        CustomerCard(branch_id=branch.id, card_no=number, card_type=card_type, stock_id=stock.id, state=C.IN_STOCK)
        for number in numbers
    )
    return stock


class ToDesk(HouseForm):
    """To which desk."""

    desk_id = Pick(_l("Service desk"), table="service_desk", required=True)


@act(
    CustomerCard,
    "issue_to_desk",
    _l("Give to a desk"),
    form=ToDesk,
    moves={C.IN_STOCK: C.ISSUED_TO_DESK},
    icon="box-arrow-right",
    many=True,
)
def issue_to_desk(session: Session, card: CustomerCard, *, desk_id: int, by: Actor, at: datetime) -> None:
    """Give a card from the stock to a desk. SM-15."""
    card.desk_id = desk_id


def _only(card_type: CardType) -> Guard:
    def guard(card: CustomerCard, _by: Actor) -> object | None:
        if card.card_type is card_type:
            return None
        return _("This is a card of another kind: %(kind)s.", kind=card.card_type.label)

    return guard


class Issuing(HouseForm):
    """To whom."""

    customer_id = Pick(_l("Customer"), table="customer", required=True)


@act(
    CustomerCard,
    "issue",
    _l("Issue to a customer"),
    form=Issuing,
    moves={C.IN_STOCK: C.ACTIVE, C.ISSUED_TO_DESK: C.ACTIVE},
    guard=_only(CardType.DESIGN),
    icon="credit-card-2-front",
    tone="accent",
)
def issue(session: Session, card: CustomerCard, *, customer_id: int, by: Actor, at: datetime) -> None:
    """Issue a design card. R-2.2.3-1: one in use for each customer; R-2.2.3-2: name, sex and telephone are known."""
    card.customer_id, card.issued_at, card.issued_by_id = customer_id, at, by.employee_id
    with session.no_autoflush:
        customer = session.get_one(Customer, customer_id)
        _refuse_unready(customer)
        has = session.scalars(
            select(CustomerCard).where(
                CustomerCard.customer_id == customer_id,
                CustomerCard.card_type == CardType.DESIGN,
                CustomerCard.state == C.ACTIVE,
                CustomerCard.id != card.id,
            )
        ).first()
    if has is not None:
        raise Refusal(
            _("This customer has the card %(card)s. If it is lost, please report that first.", card=has.card_no),
            field="customer_id",
        )


def _refuse_unready(customer: Customer) -> None:
    closed = closed_file(customer)
    if closed is not None:
        raise Refusal(closed, field="customer_id")
    has_phone = any(one.kind is ContactKind.PHONE for one in customer.contacts)
    if not (customer.name and customer.sex and has_phone):
        raise Refusal(_("A card needs the customer's full name, sex and telephone."), field="customer_id")


@act(
    CustomerCard,
    "report_lost",
    _l("Report as lost"),
    form=Reason,
    moves={C.ACTIVE: C.LOST, C.ISSUED_TO_DESK: C.LOST},
    icon="question-circle",
    consequence=_l("Its barcode is refused from now on."),
)
def report_lost(session: Session, card: CustomerCard, *, reason: str, by: Actor, at: datetime) -> None:
    """Refuse a card's barcode from now on. R-2.2.3-3."""
    _end(session, card, reason, by, at)


@act(
    CustomerCard,
    "report_damaged",
    _l("Report as damaged"),
    form=Reason,
    moves={C.ACTIVE: C.DAMAGED, C.ISSUED_TO_DESK: C.DAMAGED},
    icon="exclamation-circle",
)
def report_damaged(session: Session, card: CustomerCard, *, reason: str, by: Actor, at: datetime) -> None:
    """Take a card that cannot be scanned out of use. SM-15."""
    _end(session, card, reason, by, at)


def _end(session: Session, card: CustomerCard, reason: str, by: Actor, at: datetime) -> None:
    """Take a card out of use; a temporary one is no longer out with its visit."""
    card.end_reason, card.ended_at = reason, at
    session.flush()
    out = _out(session, card)
    if out is not None:
        out.ended_at, out.ended_by_id = at, by.employee_id


def _out(session: Session, card: CustomerCard) -> VisitCardIssue | None:
    statement = select(VisitCardIssue).where(VisitCardIssue.card_id == card.id, VisitCardIssue.ended_at.is_(None))
    return session.scalars(statement).one_or_none()


class Replacing(HouseForm):
    """By which card."""

    new_card_id = Pick(_l("New card"), table="customer_card", required=True)


@act(
    CustomerCard,
    "replace",
    _l("Replace"),
    form=Replacing,
    moves={C.LOST: C.REPLACED, C.DAMAGED: C.REPLACED},
    guard=_only(CardType.DESIGN),
    icon="arrow-repeat",
    tone="accent",
)
def replace(session: Session, card: CustomerCard, *, new_card_id: int, by: Actor, at: datetime) -> Outcome:
    """Give the customer a new card with a new number. R-2.2.3-3."""
    card.replaced_by_id = new_card_id
    if new_card_id == card.id or card.customer_id is None:
        raise Refusal(_("A card that belongs to nobody is not replaced."), field="new_card_id")
    new = session.get_one(CustomerCard, new_card_id, with_for_update=True)
    if new.card_type is not CardType.DESIGN or new.state not in (C.IN_STOCK, C.ISSUED_TO_DESK):
        raise Refusal(_("The card %(card)s is: %(state)s.", card=new.card_no, state=new.state.label))
    new.customer_id, new.issued_at, new.issued_by_id = card.customer_id, at, by.employee_id
    new.become(C.ACTIVE)
    return Outcome(result=new)


@act(
    CustomerCard,
    "withdraw",
    _l("Take back for good"),
    form=Reason,
    moves={C.ACTIVE: C.WITHDRAWN},
    guard=_only(CardType.DESIGN),
    icon="box-arrow-in-left",
)
def withdraw(session: Session, card: CustomerCard, *, reason: str, by: Actor, at: datetime) -> None:
    """Take a design card back, as when its customer becomes a member. R-2.2.3-4."""
    card.end_reason, card.ended_at = reason, at


@act(
    CustomerCard,
    "spoil",
    _l("Spoiled"),
    form=Reason,
    moves={C.IN_STOCK: C.SPOILED, C.ISSUED_TO_DESK: C.SPOILED},
    icon="trash",
    many=True,
)
def spoil(session: Session, card: CustomerCard, *, reason: str, by: Actor, at: datetime) -> None:
    """Take a card that was never in use out of the stock. SM-15."""
    card.end_reason, card.ended_at = reason, at


# --- temporary cards ------------------------------------------------------------------------------------------------


class HandingOut(HouseForm):
    """Which card to which visit."""

    visit_id = Pick(_l("Visit"), table="visit", required=True)
    card_no = Words(_l("Card number"), required=True, most=40, scanned=True)


@act(
    VisitCardIssue,
    "hand_out",
    _l("Hand out a temporary card"),
    form=HandingOut,
    creates=True,
    icon="credit-card",
    starts_from={"visit": {"visit_id": "id"}},
)
def hand_out(session: Session, *, visit_id: int, card_no: str, by: Actor, at: datetime) -> VisitCardIssue:
    """Give a visit a reusable card: one card, one open visit. White paper 2.2.5."""
    card = card_by_no(session, card_no, by)
    if card.card_type is not CardType.VISIT:
        raise Refusal(_("This is a card of another kind: %(kind)s.", kind=card.card_type.label), field="card_no")
    out = _out(session, card)
    if out is not None:
        raise Refusal(
            _("This card is out with the visit %(visit)s. Please take it back first.", visit=out.visit.visit_no),
            field="card_no",
        )
    if card.state not in (C.IN_STOCK, C.ISSUED_TO_DESK):
        raise Refusal(_("The card %(card)s is: %(state)s.", card=card.card_no, state=card.state.label), field="card_no")
    made = VisitCardIssue(
        branch_id=card.branch_id, card_id=card.id, visit_id=visit_id, issued_at=at, issued_by_id=by.employee_id
    )
    session.add(made)
    card.become(C.ACTIVE)
    session.flush()
    if made.visit.closed_at is not None:
        raise Refusal(_("The visit %(visit)s is closed.", visit=made.visit.visit_no), field="visit_id")
    return made


def _ended(issue: VisitCardIssue, _by: Actor) -> object | None:
    return _("This card is back already.") if issue.ended_at is not None else None


@act(
    VisitCardIssue,
    "take_back",
    _l("Take back"),
    guard=_ended,
    icon="box-arrow-in-left",
    tone="accent",
    many=True,
)
def take_back(session: Session, issue: VisitCardIssue, *, by: Actor, at: datetime) -> None:
    """Take a temporary card back; it waits at the desk for the next visit. White paper 2.2.5."""
    issue.returned_at = issue.ended_at = at
    issue.ended_by_id = by.employee_id
    issue.card.become(C.ISSUED_TO_DESK)


@act(
    CustomerCard,
    "bring_back",
    _l("Take back"),
    moves={C.ACTIVE: C.ISSUED_TO_DESK},
    guard=_only(CardType.VISIT),
    icon="box-arrow-in-left",
    tone="accent",
)
def bring_back(session: Session, card: CustomerCard, *, by: Actor, at: datetime) -> None:
    """Take a temporary card back that was just scanned, whoever had it. White paper 2.2.5."""
    out = _out(session, card)
    if out is None:
        raise Refusal(_("This card is back already."))
    out.returned_at = out.ended_at = at
    out.ended_by_id = by.employee_id
