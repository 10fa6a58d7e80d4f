"""接待: a customer is received, from a slip, by card, by the end of her number, or as she walks in. 2.2.4, 2.2.6."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.actors import Actor
from app.acts import REGISTRY, Outcome, act
from app.errors import InvalidInput, Refusal
from app.fields import Choose, Flag, HouseForm, Items, PhoneNumber, Pick, Reason, Whole, Words
from app.models.appointments import AppointmentSlip, SlipState
from app.models.customers import ContactKind, Customer, CustomerContact, FileState, Sex, SourceChannel, contact_hash
from app.models.reception import CardType, Favour, Visit, VisitItem, VisitState, VisitType
from app.models.triage import TriageAssignment
from app.services.customers import closed_file, refuse_known_number
from app.services.customers.files import new_contact
from app.services.hr import own_branch
from app.services.reception.day import day_starts
from app.services.reception.scanning import card_by_no, open_visit_of, refuse_out_of_use
from app.services.runner import run
from app.services.settings import next_number
from app.services.triage.standing import LIVE
from app.words import _, _l


class _Who(HouseForm):
    """Whom: one way is enough."""

    appointment_slip_id = Pick(_l("Appointment slip"), table="appointment_slip", unoffered=True)
    card_no = Words(_l("Card number"), most=40, scanned=True, description=_l("Scan her design card."))
    phone_tail = Words(_l("Last four digits of her telephone"), most=4)
    customer_id = Pick(_l("Customer"), table="customer")
    name = Words(_l("Full name"), most=60, description=_l("Who walks in and is new."))
    phone = PhoneNumber(_l("Telephone"))
    sex = Choose(_l("Sex"), options=Sex)


class Referrer(HouseForm):
    """An existing customer, found by her name and her mobile. R-2.2.6-1."""

    referrer_name = Words(_l("Referrer's name"), most=60)
    referrer_phone = PhoneNumber(_l("Referrer's telephone"))

    def check(self) -> None:
        if bool(self.referrer_name.data) != bool(self.referrer_phone.data):
            self.refuse("referrer_phone", _("A referrer's name and telephone belong together."))


class Receiving(_Who, Referrer):
    """接待: whom, what for, how she came."""

    visit_type = Choose(_l("Type of visit"), options=VisitType, description=_l("Empty: by her earlier visits."))
    item_ids = Items(_l("Items"), dictionary="appointment_item")
    source_channel_id = Pick(_l("Source"), table="source_channel")
    designated_id = Pick(_l("Asks for"), table="employee")
    favour = Choose(_l("Friend of the house"), options=Favour)
    is_from_dental = Flag(_l("Sent by the dental department"))
    companion_count = Whole(_l("Companions"), least=0, most=99)
    desk_id = Pick(_l("Service desk"), table="service_desk")
    remark = Words(_l("Remark"), most=500, multiline=True)
    GROUPS = (
        (_l("Whom"), ("appointment_slip_id", "card_no", "phone_tail", "customer_id", "name", "phone", "sex")),
        (_l("What for"), ("visit_type", "item_ids", "designated_id", "companion_count", "desk_id", "remark")),
        (
            _l("How she came"),
            ("source_channel_id", "referrer_name", "referrer_phone", "favour", "is_from_dental"),
        ),
    )


@dataclass(frozen=True)
class _Found:
    customer: Customer
    slip: AppointmentSlip | None = None


@act(
    Visit,
    "receive",
    _l("Receive a customer"),
    form=Receiving,
    creates=True,
    icon="door-open",
    tone="accent",
    main=True,
    starts_from={
        "appointment_slip": {"appointment_slip_id": "id"},
        "customer": {"customer_id": "id"},
        "customer_card": {"card_no": "card_no"},
    },
)
def receive(
    session: Session,
    *,
    appointment_slip_id: int | None = None,
    card_no: str | None = None,
    phone_tail: str | None = None,
    customer_id: int | None = None,
    name: str | None = None,
    phone: str | None = None,
    sex: Sex | None = None,
    referrer_name: str | None = None,
    referrer_phone: str | None = None,
    item_ids: list[int] | None = None,
    visit_type: VisitType | None = None,
    source_channel_id: int | None = None,
    by: Actor,
    at: datetime,
    **said: Any,
) -> Outcome:
    """Open a visit; her slip arrives with it, once (R-2.2.4-1), late ones are flagged (R-2.2.4-2).

    The slip's paper opens for printing if the setting says so (R-2.1-1).
    Refuses a second open visit, a slip received before, a card out of use, a closed file, an unknown referrer, herself
    as her referrer, and a referrer of a market customer (R-2.2.6-1).
    """
    branch = own_branch(session, by)
    found = _found(session, appointment_slip_id, card_no, phone_tail, customer_id, (name, phone, sex), by, at)
    customer = _locked(session, found.customer.id)
    closed = closed_file(customer)
    if closed is not None:
        raise Refusal(closed)
    here = open_visit_of(session, branch.id, customer.id)
    if here is not None:
        raise Refusal(_("She is in the house already: visit %(visit)s.", visit=here.visit_no))
    slip = found.slip or _slip_of_today(session, customer, by, at)
    came_before = customer.first_visit_at is not None
    prints = slip is not None and _arrive(session, slip, by, at)
    source = session.get(SourceChannel, source_channel_id or customer.source_channel_id or 0)
    visit = Visit(
        branch_id=branch.id,
        visit_no=next_number(session, "visit", branch=branch, at=at, zone=by.timezone),
        customer_id=customer.id,
        appointment_slip_id=slip.id if slip is not None else None,
        visit_type=visit_type or (VisitType.RETURN if came_before else VisitType.FIRST),
        state=VisitState.REGISTERED,
        arrived_at=at,
        is_late=slip is not None and at > slip.latest_arrival_at,
        received_by_id=by.employee_id,
        source_channel_id=source.id if source is not None else None,
        is_market=source is not None and source.is_market,
        **said
        | {"companion_count": said.get("companion_count") or 0, "is_from_dental": bool(said.get("is_from_dental"))},
    )
    items = item_ids or ([link.item_id for link in slip.item_links] if slip is not None else [])
    visit.item_links = [VisitItem(item_id=item_id) for item_id in items]
    if slip is not None and visit.designated_id is None:
        visit.designated_id = slip.preferred_consultant_id
    if not visit.is_market:
        visit.referrer_customer_id = customer.referrer_customer_id
    _refer(session, visit, referrer_name, referrer_phone)
    session.add(visit)
    customer.last_visit_at = at
    customer.first_visit_at = customer.first_visit_at or at
    session.flush()
    return Outcome(result=visit, paper="appointment_slip" if prints else None, paper_of=slip)


def _locked(session: Session, customer_id: int) -> Customer:
    statement = select(Customer).where(Customer.id == customer_id).with_for_update(of=Customer)
    return session.scalars(statement.execution_options(populate_existing=True)).one()


def _found(
    session: Session,
    slip_id: int | None,
    card_no: str | None,
    tail: str | None,
    customer_id: int | None,
    walk_in: tuple[str | None, str | None, Sex | None],
    by: Actor,
    at: datetime,
) -> _Found:
    """Return who came, by the first way that was told."""
    if slip_id is not None:
        slip = session.get_one(AppointmentSlip, slip_id)
        if slip.branch_id != by.branch_id:
            raise Refusal(_("This slip belongs to another branch."), field="appointment_slip_id")
        return _Found(slip.customer, slip)
    if card_no:
        card = card_by_no(session, card_no, by)
        refuse_out_of_use(card)
        if card.card_type is not CardType.DESIGN or card.customer is None:
            raise Refusal(_("This card belongs to nobody. Please find her otherwise."), field="card_no")
        return _Found(card.customer)
    if tail:
        return _by_tail(session, tail, by, at)
    if customer_id is not None:
        return _Found(session.get_one(Customer, customer_id))
    name, phone, sex = walk_in
    if not name or not phone:
        raise InvalidInput({"customer_id": [_("A slip, a card, a customer, or the name and telephone of a new one.")]})
    return _Found(_walk_in(session, name, phone, sex, by, at))


def _by_tail(session: Session, tail: str, by: Actor, at: datetime) -> _Found:
    """Find today's slip by the end of the customer's number; refuses none and several, naming them."""
    if len(tail) != 4 or not tail.isdigit():
        raise InvalidInput({"phone_tail": [_("Four digits, please.")]})
    start = day_starts(by, at)
    slips = session.scalars(
        select(AppointmentSlip)
        .join(CustomerContact, CustomerContact.customer_id == AppointmentSlip.customer_id)
        .where(
            AppointmentSlip.branch_id == by.branch_id,
            AppointmentSlip.state.in_([SlipState.PENDING, SlipState.EXPIRED]),
            AppointmentSlip.appointed_at >= start,
            AppointmentSlip.appointed_at < start + timedelta(days=1),
            CustomerContact.kind == ContactKind.PHONE,
            CustomerContact.value_tail.endswith(tail, autoescape=True),
        )
        .distinct()
        .order_by(AppointmentSlip.id)
        .limit(9)
    ).all()
    if len(slips) == 1:
        return _Found(slips[0].customer, slips[0])
    if not slips:
        raise Refusal(_("No slip of today has a number that ends so."), field="phone_tail")
    told = ", ".join(f"{slip.slip_no} {slip.customer}" for slip in slips)
    raise Refusal(_("Several slips of today fit: %(slips)s. Please choose one.", slips=told), field="phone_tail")


def _walk_in(session: Session, name: str, phone: str, sex: Sex | None, by: Actor, at: datetime) -> Customer:
    """Open a file for who walks in; nobody developed her. Refuses a number that is known (R-2.1.1-2)."""
    refuse_known_number(session, "phone", ContactKind.PHONE, phone, by=by, at=at)
    branch = own_branch(session, by)
    customer = Customer(
        branch_id=branch.id,
        customer_no=next_number(session, "customer", branch=branch, at=at, zone=by.timezone),
        name=name,
        sex=sex,
        state=FileState.TEMPORARY,
        contacts=[new_contact(ContactKind.PHONE, phone)],
    )
    session.add(customer)
    session.flush()
    return customer


def _slip_of_today(session: Session, customer: Customer, by: Actor, at: datetime) -> AppointmentSlip | None:
    """Return the slip for which she is awaited today, however she was found; else one that marked her arrival."""
    start = day_starts(by, at)
    slip = AppointmentSlip
    received = select(Visit.id).where(Visit.appointment_slip_id == slip.id).exists()
    return session.scalars(
        select(slip)
        .where(slip.customer_id == customer.id, slip.branch_id == by.branch_id, ~received)
        .where(slip.state.in_([SlipState.PENDING, SlipState.EXPIRED, SlipState.ARRIVED]))
        .where(slip.appointed_at >= start, slip.appointed_at < start + timedelta(days=1))
        .order_by(slip.appointed_at)
        .limit(1)
    ).first()


def _arrive(session: Session, slip: AppointmentSlip, by: Actor, at: datetime) -> bool:
    """Let a slip arrive, unless the board has done so today; refuses one that was received before. R-2.2.4-1.

    Returns whether its paper opens now: as the setting says when it arrives (R-2.1-1), to who may print it.
    """
    before = session.scalar(select(Visit.visit_no).where(Visit.appointment_slip_id == slip.id))
    if before is not None:
        raise Refusal(_("This slip was received already: visit %(visit)s.", visit=before), field="appointment_slip_id")
    if slip.state is SlipState.ARRIVED and slip.arrived_at is not None and slip.arrived_at >= day_starts(by, at):
        return False
    arrive = REGISTRY.find("appointment_slip", "arrive")
    assert arrive is not None
    answer = run(session, arrive, by=by, at=at, record_id=slip.id, values={})
    return answer.paper is not None and by.may("appointment_slip", "can_print_appointment_slip")


def _refer(session: Session, visit: Visit, name: str | None, phone: str | None) -> None:
    """Note who referred her: an existing customer of this name and mobile. R-2.2.6-1, R-S2-2, R-S2-6."""
    if not name or not phone:
        return
    if visit.is_market:
        raise Refusal(_("A customer of the market department has no referrer."), field="referrer_name")
    with session.no_autoflush:
        referrer = session.scalars(
            select(Customer)
            .join(CustomerContact, CustomerContact.customer_id == Customer.id)
            .where(
                Customer.name == name.strip(),
                Customer.state != FileState.MERGED,
                CustomerContact.kind == ContactKind.PHONE,
                CustomerContact.value_hash == contact_hash(ContactKind.PHONE, phone),
            )
            .limit(1)
        ).first()
    if referrer is None:
        raise Refusal(_("There is no customer of this name with this telephone."), field="referrer_name")
    if referrer.id == visit.customer_id:
        raise Refusal(_("A customer cannot refer herself."), field="referrer_name")
    visit.referrer_customer_id = referrer.id


OPEN = (VisitState.REGISTERED, VisitState.TRIAGED)


@act(Visit, "refer", _l("Note the referrer"), form=Referrer, moves={VisitState.REGISTERED: None}, icon="people")
def refer(
    session: Session, visit: Visit, *, referrer_name: str | None, referrer_phone: str | None, by: Actor, at: datetime
) -> None:
    """Note, or take out, who referred her; until she is assigned. R-2.2.6-1."""
    visit.referrer_customer_id = None
    _refer(session, visit, referrer_name, referrer_phone)


class Correcting(Referrer):
    """Who, and why it was wrong."""

    reason = Words(_l("Reason"), required=True, least=2, most=500, multiline=True)


@act(
    Visit,
    "correct_referrer",
    _l("Correct the referrer"),
    form=Correcting,
    moves={state: None for state in VisitState if state is not VisitState.CANCELLED},
    icon="people-fill",
)
def correct_referrer(
    session: Session,
    visit: Visit,
    *,
    referrer_name: str | None,
    referrer_phone: str | None,
    reason: str,
    by: Actor,
    at: datetime,
) -> None:
    """Change the referrer after triage: a supervisor only; points hang on it. R-2.2.6-1."""
    visit.referrer_customer_id = None
    _refer(session, visit, referrer_name, referrer_phone)


@act(
    Visit,
    "cancel",
    _l("Cancel"),
    form=Reason,
    moves=dict.fromkeys(OPEN, VisitState.CANCELLED),
    icon="x-circle",
    tone="danger",
    consequence=_l("The visit stays on file as cancelled."),
)
def cancel(session: Session, visit: Visit, *, reason: str, by: Actor, at: datetime) -> None:
    """Cancel a visit before its consultation. SM-04. Refuses while somebody is called for it or has accepted it."""
    visit.cancel_reason, visit.closed_at = reason, at
    session.flush()
    live = select(TriageAssignment).where(TriageAssignment.visit_id == visit.id, TriageAssignment.state.in_(LIVE))
    stands = session.scalars(live).first()
    if stands is not None:
        raise Refusal(_("%(name)s has this visit. Please mark it there as left unseen.", name=stands.assignee.name))
