"""下预约单: what a slip says, and how one is placed. White paper 2.1.2, R-2.1.2-1 to -4.

A new field of a slip is a column and a field of ``SlipForm``: placing, redoing and REST follow.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.actors import Actor
from app.acts import act
from app.errors import InvalidInput, Refusal
from app.fields import Choose, HouseForm, Instant, Items, Pick, Whole, Words
from app.models.appointments import (
    AppointmentSlip,
    AppointmentSlipItem,
    Channel,
    ContactRecord,
    Intention,
    SlipState,
)
from app.models.customers import Customer, FileState
from app.models.hr import Branch
from app.services.appointments.contacts import MAX_NOTE
from app.services.appointments.warnings import warn_of_slip
from app.services.customers import closed_file
from app.services.followup import plan_reminder, withdraw_plans_after_lapse
from app.services.hr import own_branch
from app.services.settings import FURTHEST_DAYS, ONE_OPEN_SLIP, PAST_MINUTES, next_number, value_of
from app.words import _, _l


class _ForCustomer(HouseForm):
    """For whom a slip is placed."""

    customer_id = Pick(_l("Customer"), table="customer", required=True)
    contact_record_id = Pick(_l("Contact record"), table="contact_record")
    channel = Choose(_l("Channel"), options=Channel, description=_l("Empty: as in the contact record."))


class SlipForm(HouseForm):
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


class Placing(_ForCustomer, SlipForm):
    """下预约单."""


#: What a slip says: the inputs of its form, which bear the names of the columns that they fill.
SAID = tuple(name for name in dir(SlipForm) if hasattr(getattr(SlipForm, name), "field_class"))


def check_times(session: Session, said: Mapping[str, Any], by: Actor, at: datetime) -> None:
    """Refuse a latest arrival before the appointment (R-2.1.2-1), the past, and what lies too far ahead."""
    appointed_at, latest_arrival_at = said["appointed_at"], said["latest_arrival_at"]
    if latest_arrival_at < appointed_at:
        raise InvalidInput({"latest_arrival_at": [_("The latest arrival cannot lie before the appointment.")]})
    past = value_of(session, PAST_MINUTES, branch_id=by.branch_id, at=at)
    if appointed_at < at - timedelta(minutes=past):
        raise InvalidInput({"appointed_at": [_("This time has passed.")]})
    furthest = value_of(session, FURTHEST_DAYS, branch_id=by.branch_id, at=at)
    if latest_arrival_at > at + timedelta(days=furthest):
        raise InvalidInput({"appointed_at": [_("This lies more than %(days)s days ahead.", days=furthest)]})


def lock_customer(session: Session, customer_id: int) -> Customer:
    """Lock the customer, so that rules over all her slips hold under concurrency; refuse closed files."""
    customer = session.scalars(
        select(Customer).where(Customer.id == customer_id).with_for_update().execution_options(populate_existing=True)
    ).one()
    if customer.state not in (FileState.TEMPORARY, FileState.FORMAL):
        raise InvalidInput(
            {"customer_id": [_("This customer's file is closed: %(state)s.", state=customer.state.label)]}
        )
    return customer


def open_slip_of(session: Session, customer_id: int, *, apart_from: int | None = None) -> AppointmentSlip | None:
    """Return an awaited slip of a customer, if she has one."""
    statement = select(AppointmentSlip).where(
        AppointmentSlip.customer_id == customer_id, AppointmentSlip.state == SlipState.PENDING
    )
    if apart_from is not None:
        statement = statement.where(AppointmentSlip.id != apart_from)
    return session.scalars(statement.limit(1)).first()


def refuse_second_open(session: Session, customer: Customer, by: Actor, at: datetime) -> None:
    """R-2.1.2-2, a setting; kept under the customer's lock."""
    if not value_of(session, ONE_OPEN_SLIP, branch_id=by.branch_id, at=at):
        return
    open_slip = open_slip_of(session, customer.id)
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


def refuse_closed(customer: Customer) -> None:
    """A frozen, restricted or merged file takes no new slip, and its customer is not received. SM-01."""
    closed = closed_file(customer)
    if closed is not None:
        raise Refusal(closed)


def write_slip(
    session: Session,
    said: Mapping[str, Any],
    branch: Branch,
    *,
    customer_id: int,
    even_closed: bool = False,
    by: Actor,
    at: datetime,
    **given: Any,
) -> AppointmentSlip:
    """Write a new slip of what the form said and what its act knows; awaited, unless it is given a state.

    Refuses a closed file, unless the slip merely changes hands because somebody leaves (``even_closed``). SM-01.
    """
    if not even_closed:
        refuse_closed(session.get_one(Customer, customer_id))
    words = {name: said.get(name) for name in SAID if name != "item_ids"}
    slip = AppointmentSlip(
        slip_no=next_number(session, "appointment_slip", branch=branch, at=at, zone=by.timezone),
        branch_id=branch.id,
        customer_id=customer_id,
        ordered_at=at,
        **words | {"companion_count": words["companion_count"] or 0} | {"state": SlipState.PENDING} | given,
    )
    slip.item_links = [AppointmentSlipItem(item_id=item_id) for item_id in said.get("item_ids") or ()]
    session.add(slip)
    session.flush()
    return slip


def plan_slip_reminder(session: Session, slip: AppointmentSlip, by: Actor, at: datetime) -> None:
    """R-2.1.2-4: on the days that the rules say, the day before by default, unless that day has passed."""
    zone = by.timezone
    plan_reminder(session, slip, day=slip.appointed_at.astimezone(zone).date(), first=at.astimezone(zone).date(), at=at)


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
    contact_record_id: int | None = None,
    channel: Channel | None = None,
    by: Actor,
    at: datetime,
    **said: Any,
) -> AppointmentSlip:
    """Place a slip for a customer of one's own. White paper 2.1.2.

    Refuses a latest arrival before the appointment (R-2.1.2-1), a time that has passed, a second open slip
    (R-2.1.2-2). Warns of other hours and of overlaps. A reminder is planned for the day before (R-2.1.2-4).
    """
    check_times(session, said, by, at)
    customer = lock_customer(session, customer_id)
    refuse_second_open(session, customer, by, at)
    if by.employee_id is None or by.department_id is None:
        raise Refusal(_("Only an employee can own a slip."))
    branch = own_branch(session, by)
    warn_of_slip(session, said, branch, by=by, at=at)
    contact = session.get(ContactRecord, contact_record_id) if contact_record_id is not None else None
    if contact is not None and contact.customer_id not in (None, customer.id):
        raise InvalidInput({"contact_record_id": [_("This contact record is about another customer.")]})
    slip = write_slip(
        session,
        said,
        branch,
        by=by,
        at=at,
        customer_id=customer.id,
        contact_record_id=contact_record_id,
        channel=channel or (contact.channel if contact is not None else Channel.PHONE),
        owner_id=by.employee_id,
        department_id=by.department_id,
        first_owner_id=by.employee_id,
        placed_by_id=by.employee_id,
        first_ordered_at=at,
    )
    withdraw_plans_after_lapse(session, customer)
    plan_slip_reminder(session, slip, by, at)
    return slip
