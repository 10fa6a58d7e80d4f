"""Click to dial: the house tells the telephone system, once. White paper 2.1.4 (dial through the system), R-2.1.1-4.

The call is written down first, then the request is sent: what follows a committed act is done once per request key,
and what the system does not answer is said and never sent again by itself. Decision 0038.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

import urllib3
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.actors import Actor
from app.acts import Outcome, act
from app.errors import Refusal
from app.models.audit import Way
from app.models.base import Base
from app.models.customers import ContactKind, Customer, CustomerContact, contact_hash, mask
from app.models.followup import FollowupPlan
from app.models.telephone import CallState, Direction, PhoneCall
from app.services.guard import crossing
from app.services.looks import log_look
from app.services.privacy.reveal import within_quota
from app.services.telephone.house import own_extension, system_of
from app.services.telephone.minding import mind_dialling
from app.services.telephone.taking import dialled_as
from app.services.telephone.template import address_of, body_of, headers_of, refuse_unfit
from app.services.trail import event_kind, note
from app.unit import unit_of_work
from app.words import _, _l

#: So long the same person does not dial the same number again: a second click is none.
JUST_NOW = timedelta(seconds=10)
#: How the number of a call that a computer's or telephone's own program dials is written.
TEL = "tel:"
DIALLED = event_kind("dialled", _l("Dialled a number"), with_record=True)


@dataclass(frozen=True)
class Request:
    """What is sent to the telephone system."""

    method: str
    address: str
    headers: dict[str, str]
    body: bytes | None
    timeout: int


def dial(
    session: Session,
    number: str,
    *,
    about: Base,
    field: str,
    customer_id: int | None,
    by: Actor,
    at: datetime,
    plan: FollowupPlan | None = None,
) -> Outcome:
    """Dial a number for whoever asks, through her extension; that she did is kept in the book of looks.

    Without a telephone system she gets a ``tel:`` link, if she may see the number. A plan keeps the call's row.
    Refuses whom one may not call now (R-2.22-6), who has no extension, and the same number just after it was dialled.
    """
    customer = session.get(Customer, customer_id) if customer_id is not None else None
    refuse_unfit(number)
    mind_dialling(session, number, customer, plan, by=by, at=at)
    system = system_of(session, by.branch_id)
    if system is None or not system.address:
        return _by_hand(session, number, about, field, by, at)
    extension = own_extension(session, by)
    if extension is None or by.branch_id is None:
        raise Refusal(_("You have no extension to dial through. The IT manager enters it under Extensions."))
    _refuse_twice(session, number, by, at)
    key = uuid.uuid4().hex
    call = PhoneCall(
        branch_id=by.branch_id,
        call_id=dialled_as(key),
        dial_key=key,
        direction=Direction.OUT,
        state=CallState.DIALLED,
        number=number,
        number_hash=contact_hash(ContactKind.PHONE, number),
        extension=extension,
        employee_id=by.employee_id,
        department_id=by.department_id,
        customer_id=customer_id,
        began_at=at,
        told_at=at,
        dialled_at=at,
    )
    session.add(call)
    session.flush()
    if plan is not None:
        plan.phone_call_id = call.id
    log_look(session, Way.DIAL, about.__tablename__, about.id, field, "", by, at=at)
    note(session, DIALLED, about, field=field)
    values = {"number": number, "extension": extension, "call_key": key}
    request = Request(
        system.method.value,
        address_of(system, values),
        headers_of(system),
        body_of(system, values),
        system.timeout_seconds,
    )
    return Outcome(result=call, notice=_("Being dialled."), after=lambda after: _send(after, key, request))


def _by_hand(session: Session, number: str, about: Base, field: str, by: Actor, at: datetime) -> Outcome:
    """Show the number as a link that the device's own telephone dials: a full look, with its right and quota."""
    if not by.may("customer_contact", "can_reveal"):
        raise Refusal(_("No telephone system is connected, and your roles do not show you the number."))
    within_quota(session, about, by, at)
    log_look(session, Way.REVEAL, about.__tablename__, about.id, field, _("Dialled without a telephone system"), by)
    note(session, "reveal", about, field=field)
    return Outcome(shown=f"{TEL}{number}", notice=mask(ContactKind.PHONE, number))


def _refuse_twice(session: Session, number: str, by: Actor, at: datetime) -> None:
    earlier = session.scalar(
        select(PhoneCall.id)
        .where(
            PhoneCall.employee_id == by.employee_id,
            PhoneCall.number_hash == contact_hash(ContactKind.PHONE, number),
            PhoneCall.dialled_at > at - JUST_NOW,
            PhoneCall.state != CallState.FAILED,
        )
        .limit(1)
    )
    if earlier is not None:
        raise Refusal(_("This number was dialled just now. Please look at your telephone."))


def _send(session: Session, key: str, request: Request) -> str:
    """Send the request and write down what came of it; returns the sentence for who dialled."""
    said, is_failed = _answered(request)
    with unit_of_work(session), crossing("telephone"):
        # By its key: an event may have come while the system answered, and made another row of this call.
        found = select(PhoneCall).where(PhoneCall.dial_key == key).with_for_update()
        call = session.scalars(found.execution_options(populate_existing=True)).one_or_none()
        if call is not None:
            call.dial_said = said[:300]
            if is_failed and call.state is CallState.DIALLED:
                call.state = CallState.FAILED
    return said


def _answered(request: Request) -> tuple[str, bool]:
    """Return what the telephone system made of a request, as a sentence, and whether it certainly does not dial.

    Sent once: no retry, no redirect. What was sent and never answered may ring all the same.
    """
    pool = urllib3.PoolManager(num_pools=1, retries=False)
    try:
        answer = pool.request(
            request.method,
            request.address,
            headers=request.headers,
            body=request.body,
            timeout=urllib3.Timeout(total=request.timeout),
            redirect=False,
            preload_content=False,
        )
    except (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError, urllib3.exceptions.SSLError):
        return _("The telephone system cannot be reached; nothing was dialled. Tell the IT manager."), True
    except (urllib3.exceptions.HTTPError, OSError, ValueError):
        return _(
            "The telephone system did not answer within %(num)s seconds. Please look at your telephone before you dial "
            "again.",
            num=request.timeout,
        ), False
    finally:
        pool.clear()
    answer.close()
    if 200 <= answer.status < 300:
        return _("Your telephone rings; lift it to be connected."), False
    return _("The telephone system refused (%(code)s); nothing was dialled.", code=answer.status), True


def _no_number(contact: CustomerContact, by: Actor) -> object | None:
    return _("This is not a telephone number.") if contact.kind is not ContactKind.PHONE else None


@act(CustomerContact, "dial", _l("Dial"), guard=_no_number, icon="telephone-outbound", tone="accent")
def dial_contact(session: Session, contact: CustomerContact, *, by: Actor, at: datetime) -> Outcome:
    """Dial a customer's number without showing it; the dialling is a look. White paper 2.1.4, R-2.1.1-4."""
    return dial(session, contact.value, about=contact, field="value", customer_id=contact.customer_id, by=by, at=at)


def _nobody_to_call(call: PhoneCall, by: Actor) -> object | None:
    return _("This call showed no number.") if call.number is None else None


@act(PhoneCall, "dial", _l("Call back"), guard=_nobody_to_call, icon="telephone-outbound")
def call_back(session: Session, call: PhoneCall, *, by: Actor, at: datetime) -> Outcome:
    """Dial the number of a call."""
    assert call.number is not None
    return dial(session, call.number, about=call, field="number", customer_id=call.customer_id, by=by, at=at)
