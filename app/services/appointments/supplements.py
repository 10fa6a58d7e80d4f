"""补预约单, asked for: who came when, whose customer she is said to be, and what shows it. White paper 2.1.3.3."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from app.actors import Actor, Reach
from app.acts import act
from app.errors import InvalidInput, Refusal
from app.fields import Choose, ChooseMany, HouseForm, Instant, PhoneNumber, Pick, Upload, Words
from app.models.appointments import (
    AppointmentSlip,
    AppointmentSupplementRequest,
    Channel,
    ContactRecord,
    EvidenceKind,
    Intention,
    SlipState,
    SupplementState,
)
from app.models.customers import ContactKind, Customer
from app.models.hr import Employee
from app.services.appointments.contacts import MAX_NOTE
from app.services.appointments.placing import lock_customer
from app.services.customers import Ownership, log_look_up, whose_number
from app.services.files import attach
from app.services.hr import holders_of, own_branch, working
from app.services.notices import tell
from app.services.scope import find
from app.services.settings import SUPPLEMENT_DAYS, next_number, value_of
from app.words import _, _l

TABLE = AppointmentSupplementRequest.__tablename__
OPEN = (SupplementState.SUBMITTED, SupplementState.APPROVED)


class _Claim(HouseForm):
    """Who came when, and whose customer she is said to be."""

    customer_id = Pick(_l("Customer"), table="customer")
    phone = PhoneNumber(
        _l("Or her telephone number"),
        description=_l("For a customer of a colleague: her whole number. The look-up is logged."),
    )
    claimed_arrived_at = Instant(_l("Arrived at"), required=True)
    claimed_owner_id = Pick(_l("Owner claimed"), table="employee", description=_l("Empty: yourself."))
    channel = Choose(_l("Channel"), options=Channel, description=_l("Empty: as in the contact record."))
    intention = Choose(_l("Intention"), options=Intention, required=True)
    need_text = Words(_l("Needs and what was said"), most=MAX_NOTE, multiline=True)


class _Evidence(HouseForm):
    """What shows that the visit had been arranged."""

    evidence_kinds = ChooseMany(_l("Evidence"), options=EvidenceKind, required=True)
    contact_record_id = Pick(
        _l("Contact record"),
        table="contact_record",
        description=_l("The call or chat in which the visit was arranged."),
    )
    evidence_file_id = Upload(
        _l("File of evidence"), purpose="evidence", description=_l("A picture (JPEG, PNG, WebP) or a PDF.")
    )


class Submitting(_Claim, _Evidence):
    """补预约单申请: the claim, what shows it, and why there was no slip."""

    reason = Words(_l("Reason"), required=True, least=2, most=500, multiline=True)

    def check(self) -> None:
        """One customer, and evidence that can be looked at; each beside its field."""
        if (self.customer_id.data is None) == (self.phone.data is None):
            self.refuse("customer_id", _("Please name the customer: choose her, or type her telephone number."))
        if self.evidence_file_id.data is None and self.contact_record_id.data is None:
            self.refuse("evidence_file_id", _("Please add a file, or choose the call or chat record."))


# --- asking ------------------------------------------------------------------------------------------------------


@act(
    AppointmentSupplementRequest,
    "submit",
    _l("Ask for a supplementary slip"),
    form=Submitting,
    creates=True,
    main=True,
    icon="calendar2-plus",
    starts_from={
        "customer": {"customer_id": "id"},
        "contact_record": {"customer_id": "customer_id", "contact_record_id": "id"},
    },
    consequence=_l("For a customer who came by arrangement and had no slip. The branch head decides."),
)
def submit(
    session: Session,
    *,
    customer_id: int | None,
    phone: str | None,
    claimed_arrived_at: datetime,
    claimed_owner_id: int | None,
    channel: Channel | None,
    evidence_kinds: list[EvidenceKind],
    contact_record_id: int | None,
    evidence_file_id: int | None,
    by: Actor,
    at: datetime,
    **said: Any,
) -> AppointmentSupplementRequest:
    """Ask for the slip of an arrival that was arranged and had none. White paper 2.1.3.3.

    Refuses an arrival ahead or too long ago (a setting), a customer who has a slip that arrived on that day or an
    open request for it, an owner who left, is of another branch or is not the asker's to claim for.
    """
    branch = own_branch(session, by)
    _check_time(session, claimed_arrived_at, by, at)
    owner = _claimed_owner(session, claimed_owner_id, branch.id, by)
    known = _known(session, phone, by) if customer_id is None else None
    with _look_up_kept(known, by):
        day = claimed_arrived_at.astimezone(by.timezone).date()
        customer = _free_customer(session, customer_id, known, day, by)
        contact = session.get(ContactRecord, contact_record_id) if contact_record_id is not None else None
        if contact is not None and contact.customer_id not in (None, customer.id):
            raise InvalidInput({"contact_record_id": [_("This contact record is about another customer.")]})
        request = AppointmentSupplementRequest(
            request_no=next_number(session, "supplement_request", branch=branch, at=at, zone=by.timezone),
            branch_id=branch.id,
            state=SupplementState.SUBMITTED,
            customer=customer,
            requested_by_id=by.employee_id,
            requested_at=at,
            claimed_owner=owner,
            department_id=owner.department_id,
            claimed_arrived_at=claimed_arrived_at,
            claimed_on=day,
            channel=_channel(channel, contact),
            evidence_kinds=[kind.value for kind in evidence_kinds],
            contact_record_id=contact_record_id,
            evidence_file_id=evidence_file_id,
            **said,
        )
        session.add(request)
        session.flush()
        if evidence_file_id is not None:
            attach(session, evidence_file_id, TABLE, request.id, field="evidence_file_id", by=by)
    tell_holders(session, request, "can_approve", "supplement_waits", by)
    return request


def _check_time(session: Session, arrived_at: datetime, by: Actor, at: datetime) -> None:
    if arrived_at > at:
        raise InvalidInput({"claimed_arrived_at": [_("This time lies in the future.")]})
    days = value_of(session, SUPPLEMENT_DAYS, branch_id=by.branch_id, at=at)
    if arrived_at < at - timedelta(days=days):
        raise InvalidInput(
            {"claimed_arrived_at": [_("This arrival is more than %(days)s days ago: too late to ask.", days=days)]}
        )


def _claimed_owner(session: Session, owner_id: int | None, branch_id: int, by: Actor) -> Employee:
    """Return whose the slip shall be: one's own; a supervisor may claim for her departments."""
    if by.employee_id is None:
        raise Refusal(_("Only an employee can own a slip."))
    owner = working(session, owner_id or by.employee_id, branch_id, "claimed_owner_id")
    if owner.id == by.employee_id or by.reach(TABLE) >= Reach.BRANCH:
        return owner
    if by.reach(TABLE) < Reach.DEPARTMENT:
        raise InvalidInput({"claimed_owner_id": [_("Only a supervisor can ask for a colleague.")]})
    if owner.department_id not in by.department_ids:
        raise InvalidInput({"claimed_owner_id": [_("This colleague is not in your department.")]})
    return owner


def _known(session: Session, phone: str | None, by: Actor) -> Ownership:
    """Return whose a whole number is, which is logged."""
    known = whose_number(session, ContactKind.PHONE, phone) if phone else None
    if known is None:
        raise InvalidInput({"phone": [_("No customer has this number. Please open a file first.")]})
    log_look_up(session, known, by)
    return known


@contextmanager
def _look_up_kept(known: Ownership | None, by: Actor) -> Iterator[None]:
    """Keep the look-up of a number, though what follows is refused and undone."""
    try:
        yield
    except (Refusal, InvalidInput) as said:
        if known is not None:
            said.aftermath = lambda session: log_look_up(session, known, by)
        raise


def _free_customer(
    session: Session, customer_id: int | None, known: Ownership | None, day: date, by: Actor
) -> Customer:
    """Return the customer, locked, if nothing of hers stands against a request for the day.

    Of a customer outside one's scope no more is told than the look-up tells, and one's own request. R-2.1.1-2.
    """
    if known is None:
        assert customer_id is not None  # the form asks for one of the two
        return _checked_customer(session, customer_id, day, by)
    try:
        return _checked_customer(session, known.customer_id, day, by)
    except (Refusal, InvalidInput) as said:
        if isinstance(said, _OwnRequest) or find(session, "customer", known.customer_id, by) is not None:
            raise
        raise Refusal(
            known.sentence(by) + " " + _("No supplementary slip can be asked for with it."), field="phone"
        ) from None


def _checked_customer(session: Session, customer_id: int, day: date, by: Actor) -> Customer:
    customer = lock_customer(session, customer_id)
    if customer.branch_id != by.branch_id:
        raise InvalidInput({"customer_id": [_("This customer's file belongs to another branch.")]})
    _refuse_second_request(session, customer, day, by)
    refuse_arrived(session, customer, day, by, field="claimed_arrived_at")
    refuse_covered(session, customer, day, by, field="claimed_arrived_at")
    return customer


class _OwnRequest(Refusal):
    """A refusal that names a request which its reader sees anyway."""


def _channel(channel: Channel | None, contact: ContactRecord | None) -> Channel:
    if channel is None and contact is None:
        raise InvalidInput({"channel": [_("Please say how the visit was arranged.")]})
    return channel or contact.channel  # type: ignore[union-attr]


def refuse_arrived(session: Session, customer: Customer, day: date, by: Actor, *, field: str | None) -> None:
    """A customer whose arrival on that day is on a slip already needs no other."""
    slip = session.scalars(
        select(AppointmentSlip)
        .where(AppointmentSlip.customer_id == customer.id)
        .where(AppointmentSlip.state.in_([SlipState.ARRIVED, SlipState.COMPLETED]))
        .where(func.date(func.timezone(by.zone, AppointmentSlip.arrived_at)) == day)
        .limit(1)
    ).first()
    if slip is not None:
        raise Refusal(
            _(
                "%(customer)s has a slip that arrived on %(day)s already: %(slip)s, %(owner)s.",
                customer=customer,
                day=day.isoformat(),
                slip=slip.slip_no,
                owner=slip.owner.name,
            ),
            field=field,
        )


def refuse_covered(session: Session, customer: Customer, day: date, by: Actor, *, field: str | None) -> None:
    """2.1.3.3 is for arrivals that had no slip: who was awaited on that day, or lapsed on it, is received with hers."""
    appointed_on = func.date(func.timezone(by.zone, AppointmentSlip.appointed_at))
    latest_on = func.date(func.timezone(by.zone, AppointmentSlip.latest_arrival_at))
    awaited = AppointmentSlip.state == SlipState.PENDING
    slip = session.scalars(
        select(AppointmentSlip)
        .where(AppointmentSlip.customer_id == customer.id)
        .where(AppointmentSlip.state.in_([SlipState.PENDING, SlipState.EXPIRED]))
        .where(or_(appointed_on == day, and_(awaited, appointed_on <= day, latest_on >= day)))
        .order_by(AppointmentSlip.id)
        .limit(1)
    ).first()
    if slip is not None:
        seen = find(session, "appointment_slip", slip.id, by) is not None
        raise Refusal(
            _(
                "%(customer)s has a slip for %(day)s: %(slip)s. Please receive her with that one.",
                customer=customer,
                day=day.isoformat(),
                slip=slip.slip_no if seen else _("another slip"),
            ),
            field=field,
        )


def _refuse_second_request(session: Session, customer: Customer, day: date, by: Actor) -> None:
    request = session.scalars(
        select(AppointmentSupplementRequest).where(
            AppointmentSupplementRequest.customer_id == customer.id,
            AppointmentSupplementRequest.claimed_on == day,
            AppointmentSupplementRequest.state.in_(OPEN),
        )
    ).one_or_none()
    if request is not None:
        refusal = _OwnRequest if find(session, TABLE, request.id, by) is not None else Refusal
        raise refusal(
            _(
                "There is an open request for this customer and day already: %(request)s by %(name)s.",
                request=request.request_no,
                name=request.requested_by.name,
            ),
            field="claimed_arrived_at",
        )


def _is_requester(request: AppointmentSupplementRequest, by: Actor) -> object | None:
    return None if request.requested_by_id == by.employee_id else _("Only who asked can take the request back.")


@act(
    AppointmentSupplementRequest,
    "withdraw",
    _l("Take the request back"),
    moves={SupplementState.SUBMITTED: SupplementState.WITHDRAWN},
    guard=_is_requester,
    icon="arrow-counterclockwise",
    consequence=_l("The request stays on file as withdrawn."),
)
def withdraw(session: Session, request: AppointmentSupplementRequest, *, by: Actor, at: datetime) -> None:
    """Take one's own request back before it is decided."""
    request.withdrawn_at = at


# --- telling -----------------------------------------------------------------------------------------------------


def tell_one(
    session: Session, employee_id: int, request: AppointmentSupplementRequest, kind: str, by: Actor, **facts: str
) -> None:
    if employee_id != by.employee_id:
        facts |= {"by": by.display_name, "request": request.request_no, "customer": str(request.customer)}
        tell(session, employee_id, kind, request, **facts)


def tell_holders(
    session: Session, request: AppointmentSupplementRequest, permission: str, kind: str, by: Actor
) -> None:
    """Tell whose turn it is: everybody of the branch who holds the right."""
    for employee_id in holders_of(session, TABLE, permission, branch_id=request.branch_id):
        tell_one(session, employee_id, request, kind, by)


def tell_askers(session: Session, request: AppointmentSupplementRequest, kind: str, by: Actor, **facts: str) -> None:
    for employee_id in sorted({request.requested_by_id, request.claimed_owner_id}):
        tell_one(session, employee_id, request, kind, by, **facts)
