"""Templates of messages: checked when saved, looked at with a customer, retired and used again. 1.3, REF-8."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.actors import Actor
from app.acts import Outcome, act
from app.errors import InvalidInput, Refusal
from app.fields import HouseForm, Pick
from app.models.appointments import AppointmentSlip, SlipState
from app.models.customers import Customer
from app.models.hr import Employee
from app.models.messages import MessageTemplate, TemplateState
from app.services.placeholders import (
    BOTH,
    MESSAGE_TEXT,
    About,
    Filled,
    fill,
    list_in_form,
    placeholder,
    refuse_wrong,
    wrong_in,
)
from app.services.plain import checks
from app.words import _, _l

MOST_TEXT = 500

list_in_form(MessageTemplate.content, MESSAGE_TEXT)


@placeholder(BOTH, "festival", "节日", _l("the festival's name"))
def festival_name(about: About) -> str | None:
    """Return the festival of a rule; its texts are Chinese."""
    festival = about.more.get("festival")
    return None if festival is None else str(festival.name)


@checks(MessageTemplate)
def _template(session: Session, template: MessageTemplate, by: Actor) -> None:
    """A placeholder that is broken or unknown is refused with its line."""
    refuse_wrong(MESSAGE_TEXT, "content", template.content)


def about_customer(session: Session, customer: Customer, by: Actor, at: datetime) -> About:
    """Return what is known for a message that somebody writes to a customer now: her next appointment, its writer."""
    awaited = (
        select(AppointmentSlip)
        .where(AppointmentSlip.customer_id == customer.id, AppointmentSlip.state == SlipState.PENDING)
        .order_by(AppointmentSlip.appointed_at, AppointmentSlip.id)
        .limit(1)
    )
    zone = ZoneInfo(customer.branch.zone)
    return About(
        zone,
        customer,
        customer.branch,
        session.scalars(awaited).one_or_none(),
        session.get(Employee, by.employee_id) if by.employee_id is not None else None,
        at.astimezone(zone).date(),
        at,
    )


def finished(text: str, about: About, field: str) -> str:
    """Return a text with everything filled in, or refuse it beside its field: what is unknown, what is too long."""
    refuse_wrong(MESSAGE_TEXT, field, text)
    filled = fill(MESSAGE_TEXT, text, about)
    wrong = unfinished(filled)
    if wrong is not None:
        raise InvalidInput({field: [wrong]})
    return filled.text


def unfinished(filled: Filled) -> str | None:
    """Return why a filled text cannot be sent; None if it can."""
    if filled.missing:
        return _("Not known of this customer: %(names)s.", names=" ".join(filled.missing))
    if len(filled.text) > MOST_TEXT:
        return _("At most %(most)s characters, please; this has %(length)s.", most=MOST_TEXT, length=len(filled.text))
    return None


class WithWhom(HouseForm):
    """For which customer the text is shown."""

    customer_id = Pick(_l("Customer"), table="customer", required=True)


@act(
    MessageTemplate,
    "preview",
    _l("Look at it with a customer"),
    form=WithWhom,
    icon="eye",
    consequence=_l("Nothing is sent."),
)
def preview(session: Session, template: MessageTemplate, *, customer_id: int, by: Actor, at: datetime) -> Outcome:
    """Show a template's text as this customer would get it."""
    customer = session.get_one(Customer, customer_id)
    filled = fill(MESSAGE_TEXT, template.content, about_customer(session, customer, by, at))
    notice = unfinished(filled) or _("So %(customer)s would read it; nothing was sent.", customer=str(customer))
    return Outcome(shown=filled.text, notice=notice)


@act(
    MessageTemplate,
    "retire",
    _l("Retire"),
    moves={TemplateState.IN_USE: TemplateState.RETIRED},
    icon="archive",
)
def retire(session: Session, template: MessageTemplate, *, by: Actor, at: datetime) -> None:
    """Take a template out of the forms; rules that send it send nothing any more."""


@act(
    MessageTemplate,
    "restore",
    _l("Use again"),
    moves={TemplateState.RETIRED: TemplateState.IN_USE},
    icon="arrow-counterclockwise",
)
def restore(session: Session, template: MessageTemplate, *, by: Actor, at: datetime) -> None:
    """Offer a retired template again. Refuses one whose text is broken by now."""
    if wrong_in(MESSAGE_TEXT, template.content):
        raise Refusal(_("Its text holds a placeholder that there is no longer. Please change it first."))
