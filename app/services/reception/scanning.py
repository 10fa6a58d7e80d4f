"""What was scanned: the visit behind a card or number, and a checkpoint of it. White paper 2.2.1, 2.2.2."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from app.actors import Actor
from app.acts import act
from app.errors import Refusal
from app.fields import HouseForm, Pick, Words
from app.models.customers import Customer
from app.models.reception import CardState, CardType, CustomerCard, Visit, VisitCardIssue, VisitCheckpoint
from app.words import _, _l


def reads_as(column: Any, text: str) -> ColumnElement[bool]:
    """Return the condition that a number was scanned or typed: hyphens and case do not matter."""
    return func.replace(column, "-", "") == re.sub(r"[^0-9A-Z]", "", text.upper())


def card_by_no(session: Session, text: str, by: Actor, *, field: str = "card_no") -> CustomerCard:
    """Return a card of the actor's branch by its number, locked; refuses an unknown and a foreign one."""
    card = session.scalars(
        select(CustomerCard).where(reads_as(CustomerCard.card_no, text)).with_for_update(of=CustomerCard)
        .execution_options(populate_existing=True)
    ).one_or_none()  # fmt: skip
    if card is None:
        raise Refusal(_("There is no card %(card)s.", card=text), field=field)
    if card.branch_id != by.branch_id:
        raise Refusal(_("The card %(card)s belongs to another branch.", card=card.card_no), field=field)
    return card


def refuse_out_of_use(card: CustomerCard, *, field: str = "card_no") -> None:
    """R-2.2.3-3: the barcode of a lost, replaced or withdrawn card is refused."""
    if card.state is not CardState.ACTIVE:
        raise Refusal(_("The card %(card)s is: %(state)s.", card=card.card_no, state=card.state.label), field=field)


def open_visit_of(session: Session, branch_id: int | None, customer_id: int) -> Visit | None:
    """Return the visit of a customer who is in the house, if she is."""
    statement = select(Visit).where(
        Visit.branch_id == branch_id, Visit.customer_id == customer_id, Visit.closed_at.is_(None)
    )
    return session.scalars(statement).one_or_none()


def visit_by_code(session: Session, code: str, by: Actor) -> Visit:
    """Return the open visit behind a temporary card, a design card, a visit's or a file's number.

    Refuses what is unknown, of another branch, out of use, and a card whose customer is not in the house.
    """
    visit = session.scalars(
        select(Visit).where(reads_as(Visit.visit_no, code), Visit.branch_id == by.branch_id)
    ).one_or_none()
    if visit is None:
        visit = _visit_of_file(session, code, by) or _visit_of_card(
            session, card_by_no(session, code, by, field="code")
        )
    if visit.closed_at is not None:
        raise Refusal(_("The visit %(visit)s is closed.", visit=visit.visit_no), field="code")
    return visit


def _visit_of_file(session: Session, code: str, by: Actor) -> Visit | None:
    customer_id = session.scalar(select(Customer.id).where(reads_as(Customer.customer_no, code)))
    if customer_id is None:
        return None
    visit = open_visit_of(session, by.branch_id, customer_id)
    if visit is None:
        raise Refusal(_("This customer is not in the house. Please receive her first."), field="code")
    return visit


def _visit_of_card(session: Session, card: CustomerCard) -> Visit:
    refuse_out_of_use(card, field="code")
    if card.card_type is CardType.VISIT:
        issue = session.scalars(
            select(VisitCardIssue).where(VisitCardIssue.card_id == card.id, VisitCardIssue.ended_at.is_(None))
        ).one_or_none()
        visit = issue.visit if issue is not None else None
    else:
        visit = open_visit_of(session, card.branch_id, card.customer_id) if card.customer_id is not None else None
    if visit is None:
        raise Refusal(_("This customer is not in the house. Please receive her first."), field="code")
    return visit


class Scanning(HouseForm):
    """What was scanned, and where."""

    code = Words(_l("Card or number"), required=True, most=40, scanned=True)
    desk_id = Pick(_l("Service desk"), table="service_desk", required=True)


@act(VisitCheckpoint, "scan", _l("Scan at a desk"), form=Scanning, creates=True, icon="upc-scan", main=True)
def scan(session: Session, *, code: str, desk_id: int, by: Actor, at: datetime) -> VisitCheckpoint:
    """Write down that a visit passed a desk. White paper 2.2.2."""
    checkpoint = VisitCheckpoint(
        visit_id=visit_by_code(session, code, by).id, desk_id=desk_id, scanned_at=at, scanned_by_id=by.employee_id
    )
    session.add(checkpoint)
    return checkpoint
