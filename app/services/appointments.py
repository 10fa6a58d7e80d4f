"""The appointment desk: every contact is registered, slips are placed, redone, voided, arrive and lapse.

White paper 2.1.1-2.1.3; SM-02.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.actors import Actor, Reach, house
from app.acts import REGISTRY, Outcome, act
from app.errors import IllegalMove, InvalidInput, Refusal
from app.fields import Choose, HouseForm, Instant, Item, Items, PhoneNumber, Pick, Reason, Whole, Words
from app.models.appointments import (
    Answered,
    AppointmentSlip,
    AppointmentSlipItem,
    Channel,
    ContactRecord,
    Intention,
    SlipState,
)
from app.models.customers import ContactKind, Customer, FileState, contact_hash
from app.models.hr import Branch, Employee, EmployeeState
from app.services.customers import log_look_up, refuse_referrer_of_partner, whose_number
from app.services.followup import SLIP_REMINDER, plan_after_lapse, plan_reminder, plan_return_call, withdraw_plans
from app.services.notices import tell
from app.services.runner import run
from app.services.scope import find
from app.services.settings import (
    FURTHEST_DAYS,
    GRACE_MINUTES,
    ONE_OPEN_SLIP,
    PAST_MINUTES,
    PRINT_ON_ARRIVAL,
    REMINDER_DAYS,
    next_number,
    value_of,
)
from app.words import _, _l

MAX_NOTE = 5000
FUTURE_MINUTES = 5


# --- contacts: 2.1.1 --------------------------------------------------------------------------------------------


class _Ringing(HouseForm):
    """Who called, and how long it rang."""

    caller_no = PhoneNumber(_l("Caller's number"), required=True, render_kw={"data-lookup": "/customer/whose"})
    ring_count = Whole(_l("Rings before the answer"), least=0, most=99)
    missed = Choose(_l("Answered or missed"), options=Answered)


class _Sender(HouseForm):
    """Which partner sends whom."""

    channel_partner_id = Pick(_l("Channel partner"), table="channel_partner", required=True)
    caller_no = PhoneNumber(_l("Telephone"))


class _ContactForm(HouseForm):
    """What every contact has: when, what about, what was said, what came of it. Fields stand in the order of
    their making, so what a desk asks first is declared in a class above this one."""

    customer_id = Pick(_l("Customer"), table="customer", description=_l("Empty: matched by number, if it is known."))
    contacted_at = Instant(_l("When"), description=_l("Empty: now."))
    business_category_id = Item(_l("Business category"), dictionary="business_category", required=True)
    content = Words(_l("Content"), most=MAX_NOTE, multiline=True)
    outcome = Words(_l("Result"), most=MAX_NOTE, multiline=True)


class Call(_Ringing, _ContactForm):
    """来电登记, 2.1.1.1."""


class Chat(_ContactForm):
    """网络登记, 2.1.1.2."""

    chat_id = Words(_l("Chat identifier"), most=80)
    landing_page = Words(_l("Landing page"), most=400)
    keyword = Words(_l("Keyword"), most=120)
    chat_text = Words(_l("Chat"), most=20000, multiline=True)
    lead_quality_id = Item(_l("Quality of the lead"), dictionary="lead_quality")


class Lead(_Sender, _ContactForm):
    """渠道登记, 2.1.1.3."""


def _record(
    session: Session,
    channel: Channel,
    doc_type: str,
    *,
    contacted_at: datetime | None,
    by: Actor,
    at: datetime,
    **given: Any,
) -> ContactRecord:
    if contacted_at is not None and contacted_at > at + timedelta(minutes=FUTURE_MINUTES):
        raise InvalidInput({"contacted_at": [_("This time lies in the future.")]})
    branch = session.get_one(Branch, by.branch_id)
    record = ContactRecord(
        record_no=next_number(session, doc_type, branch=branch, at=at, zone=by.timezone),
        channel=channel,
        branch_id=branch.id,
        consultant_id=by.employee_id,
        department_id=by.department_id,
        contacted_at=contacted_at or at,
        **given,
    )
    session.add(record)
    return record


def _match(session: Session, record: ContactRecord, by: Actor) -> str | None:
    """Link the customer whose number called if she is in scope; in any case say whose she is. R-2.1.1-2."""
    if record.caller_no is None:
        return None
    record.caller_hash = contact_hash(ContactKind.PHONE, record.caller_no)
    known = whose_number(session, ContactKind.PHONE, record.caller_no)
    if known is None:
        return None
    log_look_up(session, known, by)
    if record.customer_id is None and find(session, "customer", known.customer_id, by) is not None:
        record.customer_id = known.customer_id
    return known.sentence(by)


@act(
    ContactRecord,
    "register_call",
    _l("Register a call"),
    form=Call,
    creates=True,
    icon="telephone-inbound",
    tone="accent",
    main=True,
    consequence=_l("Every call is registered, also the wrong number."),
)
def register_call(
    session: Session,
    *,
    caller_no: str,
    business_category_id: int,
    customer_id: int | None = None,
    contacted_at: datetime | None = None,
    content: str | None = None,
    outcome: str | None = None,
    ring_count: int | None = None,
    missed: Answered | None = None,
    by: Actor,
    at: datetime,
) -> Outcome:
    """Register a call, whoever called: R-2.1.1-1. The number is matched (R-2.1.1-2); a missed call gets its
    return call planned (R-2.1.1-3)."""
    record = _record(
        session,
        Channel.PHONE,
        "call",
        contacted_at=contacted_at,
        by=by,
        at=at,
        caller_no=caller_no,
        business_category_id=business_category_id,
        customer_id=customer_id,
        content=content,
        outcome=outcome,
        ring_count=ring_count,
    )
    is_missed = missed is Answered.MISSED
    record.missed_at = record.contacted_at if is_missed else None
    record.answered_at = None if is_missed else record.contacted_at
    said = _match(session, record, by)
    session.flush()
    if is_missed:
        plan_return_call(session, record, day=at.astimezone(by.timezone).date())
    return Outcome(result=record, notice=said)


@act(
    ContactRecord,
    "register_chat",
    _l("Register a chat"),
    form=Chat,
    creates=True,
    icon="chat-dots",
    tone="accent",
    main=True,
)
def register_chat(
    session: Session,
    *,
    business_category_id: int,
    customer_id: int | None = None,
    contacted_at: datetime | None = None,
    content: str | None = None,
    outcome: str | None = None,
    chat_id: str | None = None,
    landing_page: str | None = None,
    keyword: str | None = None,
    chat_text: str | None = None,
    lead_quality_id: int | None = None,
    by: Actor,
    at: datetime,
) -> ContactRecord:
    """Register a web chat with its category and content. White paper 2.1.1.2, R-2.1.1-1."""
    return _record(
        session,
        Channel.WEB_CHAT,
        "chat",
        contacted_at=contacted_at,
        by=by,
        at=at,
        business_category_id=business_category_id,
        customer_id=customer_id,
        content=content,
        outcome=outcome,
        chat_id=chat_id,
        landing_page=landing_page,
        keyword=keyword,
        chat_text=chat_text,
        lead_quality_id=lead_quality_id,
    )


@act(
    ContactRecord,
    "register_lead",
    _l("Register a partner's lead"),
    form=Lead,
    creates=True,
    icon="shop",
    tone="accent",
    main=True,
)
def register_lead(
    session: Session,
    *,
    channel_partner_id: int,
    business_category_id: int,
    caller_no: str | None = None,
    customer_id: int | None = None,
    contacted_at: datetime | None = None,
    content: str | None = None,
    outcome: str | None = None,
    by: Actor,
    at: datetime,
) -> Outcome:
    """Register a partner's lead; it names the partner and has no referrer. White paper 2.1.1.3, R-2.1.1-5."""
    refuse_referrer_of_partner(session, channel_partner_id=channel_partner_id, referrer_id=None, source_id=None)
    record = _record(
        session,
        Channel.PARTNER,
        "lead",
        contacted_at=contacted_at,
        by=by,
        at=at,
        channel_partner_id=channel_partner_id,
        business_category_id=business_category_id,
        caller_no=caller_no,
        customer_id=customer_id,
        content=content,
        outcome=outcome,
    )
    return Outcome(result=record, notice=_match(session, record, by))


# --- slips: 2.1.2 -----------------------------------------------------------------------------------------------


class _ForCustomer(HouseForm):
    """For whom a slip is placed."""

    customer_id = Pick(_l("Customer"), table="customer", required=True)
    contact_record_id = Pick(_l("Contact record"), table="contact_record")
    channel = Choose(_l("Channel"), options=Channel, description=_l("Empty: as in the contact record."))


class _HandingOver(HouseForm):
    """Whose the slip becomes."""

    owner_id = Pick(_l("Hand over to"), table="employee", description=_l("Empty: stays with its owner."))


class _SlipForm(HouseForm):
    """What a slip says; must be filled: appointment, latest arrival, intention. White paper 2.1.2."""

    appointed_at = Instant(_l("Appointed for"), required=True)
    latest_arrival_at = Instant(_l("Latest arrival"), required=True)
    intention = Choose(_l("Intention"), options=Intention, required=True)
    item_ids = Items(_l("Items"), dictionary="appointment_item")
    target_department_id = Pick(_l("For the department"), table="department")
    preferred_consultant_id = Pick(_l("Wished consultant"), table="employee")
    preferred_doctor_id = Pick(_l("Wished doctor"), table="employee")
    need_text = Words(_l("Needs and what was said"), most=MAX_NOTE, multiline=True)
    quoted_text = Words(_l("Promises and prices"), most=MAX_NOTE, multiline=True)
    companion_count = Whole(_l("Companions"), least=0, most=99)
    remark = Words(_l("Remark"), most=500, multiline=True)

    def check(self) -> None:
        """R-2.1.2-1, beside its field."""
        start, latest = self.appointed_at.data, self.latest_arrival_at.data
        if start is not None and latest is not None and latest < start:
            self.refuse("latest_arrival_at", _("The latest arrival cannot lie before the appointment."))


class Placing(_ForCustomer, _SlipForm):
    """下预约单."""


class Redoing(_HandingOver, _SlipForm):
    """重下预约单: what changes, and to whom it goes."""


def _check_times(
    session: Session, appointed_at: datetime, latest_arrival_at: datetime, by: Actor, at: datetime
) -> None:
    if latest_arrival_at < appointed_at:
        raise InvalidInput({"latest_arrival_at": [_("The latest arrival cannot lie before the appointment.")]})
    past = value_of(session, PAST_MINUTES, branch_id=by.branch_id, at=at)
    if appointed_at < at - timedelta(minutes=past):
        raise InvalidInput({"appointed_at": [_("This time has passed.")]})
    furthest = value_of(session, FURTHEST_DAYS, branch_id=by.branch_id, at=at)
    if latest_arrival_at > at + timedelta(days=furthest):
        raise InvalidInput({"appointed_at": [_("This lies more than %(days)s days ahead.", days=furthest)]})


def _lock_customer(session: Session, customer_id: int) -> Customer:
    """Lock the customer, so that rules over all her slips hold under concurrency; refuse closed files."""
    customer = session.scalars(
        select(Customer).where(Customer.id == customer_id).with_for_update().execution_options(populate_existing=True)
    ).one()
    if customer.state not in (FileState.TEMPORARY, FileState.FORMAL):
        raise InvalidInput(
            {"customer_id": [_("This customer's file is closed: %(state)s.", state=customer.state.label)]}
        )
    return customer


def _refuse_second_open(session: Session, customer: Customer, by: Actor, at: datetime) -> None:
    """R-2.1.2-2, a setting; kept under the customer's lock."""
    if not value_of(session, ONE_OPEN_SLIP, branch_id=by.branch_id, at=at):
        return
    open_slip = session.scalars(
        select(AppointmentSlip)
        .where(AppointmentSlip.customer_id == customer.id, AppointmentSlip.state == SlipState.PENDING)
        .limit(1)
    ).first()
    if open_slip is not None:
        raise Refusal(
            _(
                "This customer has an awaited slip already: %(slip)s on %(day)s, %(owner)s. Please redo it instead.",
                slip=open_slip.slip_no,
                day=open_slip.appointed_at.astimezone(by.timezone).strftime("%Y-%m-%d %H:%M"),
                owner=open_slip.owner.name,
            ),
            field="customer_id",
        )


def _give_items(session: Session, slip: AppointmentSlip, item_ids: Sequence[int]) -> None:
    slip.item_links = [AppointmentSlipItem(item_id=item_id) for item_id in item_ids]


def _plan_reminder(session: Session, slip: AppointmentSlip, by: Actor, at: datetime) -> None:
    """R-2.1.2-4: the day before, unless that day has passed."""
    days = value_of(session, REMINDER_DAYS, branch_id=slip.branch_id, at=at)
    day = slip.appointed_at.astimezone(by.timezone).date() - timedelta(days=days)
    if days and day >= at.astimezone(by.timezone).date():
        plan_reminder(session, slip, day=day)


@act(
    AppointmentSlip,
    "place",
    _l("Place an appointment slip"),
    form=Placing,
    creates=True,
    icon="calendar-plus",
    tone="accent",
    main=True,
    starts_from={
        "customer": {"customer_id": "id"},
        "contact_record": {"customer_id": "customer_id", "contact_record_id": "id"},
    },
)
def place(
    session: Session,
    *,
    customer_id: int,
    appointed_at: datetime,
    latest_arrival_at: datetime,
    intention: Intention,
    contact_record_id: int | None = None,
    channel: Channel | None = None,
    item_ids: Sequence[int] = (),
    target_department_id: int | None = None,
    preferred_consultant_id: int | None = None,
    preferred_doctor_id: int | None = None,
    need_text: str | None = None,
    quoted_text: str | None = None,
    companion_count: int | None = None,
    remark: str | None = None,
    by: Actor,
    at: datetime,
) -> AppointmentSlip:
    """Place a slip for a customer of one's own. White paper 2.1.2.

    Refuses a latest arrival before the appointment (R-2.1.2-1), a time that has passed, a second open slip
    (R-2.1.2-2). A reminder is planned for the day before (R-2.1.2-4).
    """
    _check_times(session, appointed_at, latest_arrival_at, by, at)
    customer = _lock_customer(session, customer_id)
    _refuse_second_open(session, customer, by, at)
    if by.employee_id is None or by.department_id is None:
        raise Refusal(_("Only an employee can own a slip."))
    contact = session.get(ContactRecord, contact_record_id) if contact_record_id is not None else None
    if contact is not None and contact.customer_id not in (None, customer.id):
        raise InvalidInput({"contact_record_id": [_("This contact record is about another customer.")]})
    branch = session.get_one(Branch, by.branch_id)
    slip = AppointmentSlip(
        slip_no=next_number(session, "appointment_slip", branch=branch, at=at, zone=by.timezone),
        branch_id=branch.id,
        customer_id=customer.id,
        contact_record_id=contact_record_id,
        channel=channel or (contact.channel if contact is not None else Channel.PHONE),
        state=SlipState.PENDING,
        appointed_at=appointed_at,
        latest_arrival_at=latest_arrival_at,
        intention=intention,
        target_department_id=target_department_id,
        preferred_consultant_id=preferred_consultant_id,
        preferred_doctor_id=preferred_doctor_id,
        need_text=need_text,
        quoted_text=quoted_text,
        companion_count=companion_count or 0,
        remark=remark,
        owner_id=by.employee_id,
        department_id=by.department_id,
        first_owner_id=by.employee_id,
        placed_by_id=by.employee_id,
        ordered_at=at,
        first_ordered_at=at,
    )
    session.add(slip)
    _give_items(session, slip, item_ids)
    session.flush()
    _plan_reminder(session, slip, by, at)
    return slip


# --- slips: 2.1.3 -----------------------------------------------------------------------------------------------


def _new_owner(session: Session, slip: AppointmentSlip, owner_id: int | None, by: Actor) -> Employee:
    """Return who owns the new slip; only a supervisor hands it to another, within her departments."""
    if owner_id is None or owner_id == slip.owner_id:
        return slip.owner
    if by.reach("appointment_slip") < Reach.DEPARTMENT:
        raise InvalidInput({"owner_id": [_("Only a supervisor can hand a slip to another.")]})
    owner = session.get(Employee, owner_id)
    if owner is None or owner.state is not EmployeeState.ACTIVE or owner.branch_id != slip.branch_id:
        raise InvalidInput({"owner_id": [_("Not a valid choice.")]})
    if by.reach("appointment_slip") is Reach.DEPARTMENT and owner.department_id not in by.department_ids:
        raise InvalidInput({"owner_id": [_("This colleague is not in your department.")]})
    return owner


def _only_ones_own(slip: AppointmentSlip, by: Actor) -> object | None:
    """A consultant redoes her own slips; supervisors those of their departments. U24."""
    if by.is_house or by.reach("appointment_slip") >= Reach.DEPARTMENT or slip.owner_id == by.employee_id:
        return None
    return _("Only its owner or a supervisor can redo this slip.")


@act(
    AppointmentSlip,
    "redo",
    _l("Redo"),
    form=Redoing,
    moves={SlipState.PENDING: SlipState.REPLACED, SlipState.EXPIRED: SlipState.REPLACED},
    guard=_only_ones_own,
    icon="arrow-repeat",
    prefill=(
        "appointed_at",
        "latest_arrival_at",
        "intention",
        "item_ids",
        "target_department_id",
        "preferred_consultant_id",
        "preferred_doctor_id",
        "need_text",
        "quoted_text",
        "companion_count",
        "remark",
    ),
    consequence=_l("This slip becomes void and a new one takes its place; the time of the first placing is kept."),
)
def redo(
    session: Session,
    slip: AppointmentSlip,
    *,
    appointed_at: datetime,
    latest_arrival_at: datetime,
    intention: Intention,
    owner_id: int | None = None,
    item_ids: Sequence[int] = (),
    target_department_id: int | None = None,
    preferred_consultant_id: int | None = None,
    preferred_doctor_id: int | None = None,
    need_text: str | None = None,
    quoted_text: str | None = None,
    companion_count: int | None = None,
    remark: str | None = None,
    by: Actor,
    at: datetime,
) -> Outcome:
    """Replace a slip that has not arrived by a new one: an update, or a hand-over by a supervisor.

    The first placing's time and owner are kept (R-2.1.3-3); the old slip is void, not deleted (R-2.1.3-4); a slip
    is redone once; who loses a slip is told. White paper 2.1.3.2.
    """
    _check_times(session, appointed_at, latest_arrival_at, by, at)
    owner = _new_owner(session, slip, owner_id, by)
    slip.closed_at = at
    session.flush()  # the old row leaves the open slips before the new one enters them
    _refuse_second_open(session, slip.customer, by, at)
    branch = session.get_one(Branch, slip.branch_id)
    new = AppointmentSlip(
        slip_no=next_number(session, "appointment_slip", branch=branch, at=at, zone=by.timezone),
        branch_id=slip.branch_id,
        customer_id=slip.customer_id,
        contact_record_id=slip.contact_record_id,
        channel=slip.channel,
        state=SlipState.PENDING,
        appointed_at=appointed_at,
        latest_arrival_at=latest_arrival_at,
        intention=intention,
        target_department_id=target_department_id,
        preferred_consultant_id=preferred_consultant_id,
        preferred_doctor_id=preferred_doctor_id,
        need_text=need_text,
        quoted_text=quoted_text,
        companion_count=companion_count or 0,
        remark=remark,
        owner_id=owner.id,
        department_id=owner.department_id,
        first_owner_id=slip.first_owner_id,
        placed_by_id=by.employee_id or slip.placed_by_id,
        ordered_at=at,
        first_ordered_at=slip.first_ordered_at,
        supersedes_id=slip.id,
        root_slip_id=slip.root_slip_id or slip.id,
    )
    session.add(new)
    _give_items(session, new, item_ids)
    session.flush()
    withdraw_plans(session, slip)
    _plan_reminder(session, new, by, at)
    _tell_of_hand_over(session, slip, new, by)
    return Outcome(result=new)


def _tell_of_hand_over(session: Session, slip: AppointmentSlip, new: AppointmentSlip, by: Actor) -> None:
    if new.owner_id == slip.owner_id:
        return
    facts = {
        "by": by.display_name,
        "old": slip.slip_no,
        "new": new.slip_no,
        "customer": str(slip.customer),
        "owner": str(session.get_one(Employee, new.owner_id)),
    }
    tell(session, slip.owner_id, "slip_handed_over", slip, **facts)
    tell(session, new.owner_id, "slip_received", new, **facts)


@act(
    AppointmentSlip,
    "void",
    _l("Void"),
    form=Reason,
    moves={SlipState.PENDING: SlipState.VOIDED, SlipState.EXPIRED: SlipState.VOIDED},
    icon="x-circle",
    tone="danger",
    consequence=_l("The slip stays on file as void and cannot be restored; its reminder is withdrawn."),
)
def void(session: Session, slip: AppointmentSlip, *, reason: str, by: Actor, at: datetime) -> None:
    """Void a slip that has not arrived (R-2.1.3-1); it is not deleted (R-2.1.3-2). White paper 2.1.3.1."""
    slip.void_reason = reason
    slip.closed_at = at
    withdraw_plans(session, slip)
    if slip.owner_id != by.employee_id:
        tell(
            session,
            slip.owner_id,
            "slip_voided",
            slip,
            by=by.display_name,
            slip=slip.slip_no,
            customer=str(slip.customer),
            reason=reason,
        )


@act(
    AppointmentSlip,
    "arrive",
    _l("Mark as arrived"),
    moves={SlipState.PENDING: SlipState.ARRIVED, SlipState.EXPIRED: SlipState.ARRIVED},
    icon="box-arrow-in-right",
    tone="accent",
    consequence=_l("The customer is here. A slip that has arrived cannot be voided."),
)
def arrive(session: Session, slip: AppointmentSlip, *, by: Actor, at: datetime) -> Outcome:
    """Receive the customer of a slip; once, and late arrivals too (R-2.2.4-1, -2). Its owner is told.

    The slip opens for printing if the setting says so (R-2.1-1). SM-02.
    """
    slip.arrived_at = at
    slip.guide_id = by.employee_id
    slip.customer.last_visit_at = at
    if slip.customer.first_visit_at is None:
        slip.customer.first_visit_at = at
    withdraw_plans(session, slip)
    if slip.owner_id != by.employee_id:
        tell(session, slip.owner_id, "slip_arrived", slip, customer=str(slip.customer), slip=slip.slip_no)
    prints = value_of(session, PRINT_ON_ARRIVAL, branch_id=slip.branch_id, at=at)
    return Outcome(paper="appointment_slip" if prints else None)


@act(
    AppointmentSlip,
    "complete",
    _l("Complete"),
    moves={SlipState.ARRIVED: SlipState.COMPLETED},
    icon="check2-circle",
)
def complete(session: Session, slip: AppointmentSlip, *, by: Actor, at: datetime) -> None:
    """Close a slip whose customer was seen. SM-02."""
    slip.completed_at = at


@act(
    AppointmentSlip,
    "expire",
    _l("Lapse"),
    moves={SlipState.PENDING: SlipState.EXPIRED},
    by_system=True,
    icon="hourglass-bottom",
)
def expire(session: Session, slip: AppointmentSlip, *, by: Actor, at: datetime) -> None:
    """Let a slip lapse after its latest arrival plus grace; a follow-up is planned the same day. R-2.1.2-3."""
    slip.expired_at = at
    withdraw_plans(session, slip, rule=SLIP_REMINDER)
    plan_after_lapse(session, slip, day=at.astimezone(by.timezone).date())
    tell(session, slip.owner_id, "slip_expired", slip, slip=slip.slip_no, customer=str(slip.customer))


def expire_due(session: Session, *, at: datetime) -> int:
    """Let every slip lapse that is past its latest arrival plus its branch's grace; return how many. R-2.1.2-3."""
    act_expire = REGISTRY.find("appointment_slip", "expire")
    assert act_expire is not None
    lapsed = 0
    for branch in session.scalars(select(Branch).order_by(Branch.id)).all():
        grace = value_of(session, GRACE_MINUTES, branch_id=branch.id, at=at)
        due = session.scalars(
            select(AppointmentSlip.id)
            .where(AppointmentSlip.branch_id == branch.id, AppointmentSlip.state == SlipState.PENDING)
            .where(AppointmentSlip.latest_arrival_at < at - timedelta(minutes=grace))
            .order_by(AppointmentSlip.customer_id, AppointmentSlip.id)
        ).all()
        by = house("job:appointments.expire", branch_id=branch.id, zone=branch.zone)
        for slip_id in due:
            try:
                with session.begin_nested():
                    run(session, act_expire, by=by, at=at, record_id=slip_id, values={})
            except IllegalMove:
                continue  # its customer arrived, or somebody voided it, while we were on our way
            lapsed += 1
    return lapsed


def chain_of(session: Session, slip: AppointmentSlip) -> list[AppointmentSlip]:
    """Return every slip of a chain, the first one first. R-2.1.3-4."""
    root = slip.root_slip_id or slip.id
    return list(
        session.scalars(
            select(AppointmentSlip)
            .where((AppointmentSlip.id == root) | (AppointmentSlip.root_slip_id == root))
            .order_by(AppointmentSlip.id)
        )
    )
