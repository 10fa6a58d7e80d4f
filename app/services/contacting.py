"""Whom may we contact, by which way, and when: quiet hours, opt-outs, consent, the day's limits. R-2.22-6, L13.

Whoever calls or writes to a customer asks here: the working list, the telephone, the outbox. The first sentence that
holds is the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from app.actors import Actor
from app.acts import Outcome, act
from app.errors import Refusal
from app.fields import Choose, HouseForm, Reason, Words
from app.models.contacting import ContactOptOut, ContactWay, OptOutKind
from app.models.customers import Customer, CustomerTrait, TraitState
from app.models.followup import CallMethod, FollowupExecution, FollowupPlan
from app.models.hr import Branch
from app.models.messages import OUT_STATES, Message, MessageChannel
from app.models.privacy import ConsentPurpose
from app.models.settings import DictionaryItem
from app.models.telephone import CallState, PhoneCall
from app.services.customers.states import closed_file
from app.services.guard import crossing
from app.services.privacy.consents import who_consented
from app.services.settings import setting, value_of
from app.words import _, _l

QUIET_FROM = setting(
    "contact.quiet_from",
    _l("Quiet hours begin"),
    "21:00",
    "clock",
    help=_l("Branch time. From then on no customer is called or written to. The same as the end: there are none."),
    source="R-2.22-6",
)
QUIET_UNTIL = setting(
    "contact.quiet_until",
    _l("Quiet hours end"),
    "09:00",
    "clock",
    help=_l("Branch time. What was to be sent at night is sent then."),
    source="R-2.22-6",
)
MOST_CALLS = setting(
    "contact.most_calls",
    _l("Most calls to one customer a day"),
    "3",
    "whole",
    least=1,
    most=50,
    help=_l("Attempts count, whether she was reached or not."),
    source="R-2.22-6",
)
MOST_SMS = setting(
    "contact.most_sms",
    _l("Most text messages to one customer a day"),
    "2",
    "whole",
    least=1,
    most=50,
    help=_l("What is over waits for the next day."),
    source="R-2.22-6",
)
MOST_WECHAT = setting(
    "contact.most_wechat",
    _l("Most WeChat messages to one customer a day"),
    "3",
    "whole",
    least=1,
    most=50,
    help=_l("What is over waits for the next day."),
    source="R-2.22-6",
)
LIMITS = {ContactWay.PHONE: MOST_CALLS, ContactWay.SMS: MOST_SMS, ContactWay.WECHAT: MOST_WECHAT}
#: The soft fact that is shown before every call or message: 回访注意事项.
MIND_TRAITS = ("calling", "call_time")

#: Counts what was done to customers by one way: (session, ids, from, before) to counts by customer.
Counter = Callable[[Session, Collection[int], datetime, datetime], dict[int, int]]
_COUNTERS: dict[ContactWay, list[Counter]] = {}


def counts_contact(way: ContactWay) -> Callable[[Counter], Counter]:
    """Declare a function that counts towards the day's limit of a way; each area counts what it does."""

    def declare(counter: Counter) -> Counter:
        _COUNTERS.setdefault(way, []).append(counter)
        return counter

    return declare


# --- when --------------------------------------------------------------------------------------------------------


def is_quiet(moment: time, begins: time, ends: time) -> bool:
    """Say whether a time of day lies in the quiet hours, which may reach past midnight; their end itself does not."""
    if begins == ends:
        return False
    if begins < ends:
        return begins <= moment < ends
    return moment >= begins or moment < ends


def not_before(session: Session, at: datetime, branch: Branch) -> datetime:
    """Return the first moment from ``at`` on outside the branch's quiet hours: ``at`` itself, or their end."""
    begins, ends = quiet_hours(session, branch.id, at)
    local = at.astimezone(ZoneInfo(branch.zone))
    if not is_quiet(local.time(), begins, ends):
        return at
    on = local.date() if local.time() < ends else local.date() + timedelta(days=1)
    return datetime.combine(on, ends, local.tzinfo).astimezone(at.tzinfo)


def tomorrow(session: Session, at: datetime, branch: Branch) -> datetime:
    """Return the first moment of the branch's next day that lies outside its quiet hours."""
    zone = ZoneInfo(branch.zone)
    midnight = datetime.combine(at.astimezone(zone).date() + timedelta(days=1), time.min, zone)
    return not_before(session, midnight.astimezone(at.tzinfo), branch)


def quiet_hours(session: Session, branch_id: int | None, at: datetime) -> tuple[time, time]:
    """Return when a branch's quiet hours begin and end, as the settings in force at a moment say."""
    begins, ends = (value_of(session, each, branch_id=branch_id, at=at) for each in (QUIET_FROM, QUIET_UNTIL))
    return begins, ends


# --- whom --------------------------------------------------------------------------------------------------------


def may_contact(
    session: Session, customer: Customer, channel: ContactWay, at: datetime, *, marketing: bool, zone: ZoneInfo
) -> str | None:
    """Return why a customer may not be contacted now by a way, in the reader's language; None: she may.

    Closed files, what she does not want, missing consent to marketing, quiet hours by the clock of ``zone``, the day's
    limit; in this order.
    """
    return hindrances(session, [customer], channel, at, marketing=marketing, zone=zone).get(customer.id)


def hindrances(
    session: Session,
    customers: Iterable[Customer],
    channel: ContactWay,
    at: datetime,
    *,
    marketing: bool,
    zone: ZoneInfo,
) -> dict[int, str]:
    """Return why which of some customers of one branch may not be contacted now; a few statements for all of them."""
    found = {each.id: each for each in customers}
    told = lasting_hindrances(session, found.values(), channel, at, marketing=marketing)
    rest = [each for each in found.values() if each.id not in told]
    if not rest:
        return told
    begins, ends = quiet_hours(session, rest[0].branch_id, at)
    if is_quiet(at.astimezone(zone).time(), begins, ends):
        return told | {each.id: quiet_sentence(begins, ends) for each in rest}
    return told | over_limit(session, rest, channel, at, zone=zone)


def quiet_sentence(begins: time, ends: time) -> str:
    """Return what is said at night."""
    return _("Quiet hours from %(begins)s to %(ends)s: please do not disturb her now.", begins=f"{begins:%H:%M}",
             ends=f"{ends:%H:%M}")  # fmt: skip


def lasting_hindrances(
    session: Session, customers: Iterable[Customer], channel: ContactWay, at: datetime, *, marketing: bool
) -> dict[int, str]:
    """Return why which customers may not be contacted by a way at any hour: three statements at most."""
    told: dict[int, str] = {}
    asked = []
    for customer in customers:
        closed = closed_file(customer)
        if closed is not None:
            told[customer.id] = closed
        else:
            asked.append(customer.id)
    for opted in _open_opt_outs(session, asked, channel, at):
        if (opted.kind is OptOutKind.ALL or marketing) and opted.customer_id not in told:
            told[opted.customer_id] = opt_out_sentence(opted)
    if marketing and (left := [key for key in asked if key not in told]):
        agreed = who_consented(session, left, ConsentPurpose.MARKETING, at)
        said = _("She has not agreed to marketing; only what concerns her care may be sent.")
        told.update({key: said for key in left if key not in agreed})
    return told


def opted_out(
    session: Session, customer: Customer, channel: ContactWay, at: datetime, *, marketing: bool
) -> str | None:
    """Return what a customer said against a way, of offers only if it is ``marketing``; None: nothing."""
    opted = _open_opt_outs(session, [customer.id], channel, at)
    return next((opt_out_sentence(each) for each in opted if each.kind is OptOutKind.ALL or marketing), None)


def _open_opt_outs(
    session: Session, customer_ids: Collection[int], channel: ContactWay, at: datetime
) -> Iterable[ContactOptOut]:
    """Return what stood against a way at a moment, what says the most first."""
    if not customer_ids:
        return []
    statement = (
        select(ContactOptOut)
        .where(ContactOptOut.customer_id.in_(sorted(customer_ids)), ContactOptOut.since_at <= at)
        .where(ContactOptOut.ended_at.is_(None) | (ContactOptOut.ended_at > at))
    )
    if channel is not ContactWay.ALL:
        statement = statement.where(ContactOptOut.channel.in_([channel, ContactWay.ALL]))
    return session.scalars(statement.order_by(ContactOptOut.kind, ContactOptOut.channel, ContactOptOut.id))


def opt_out_sentence(opted: ContactOptOut) -> str:
    """Return what is said of who does not want to be contacted."""
    day = opted.since_at.astimezone(ZoneInfo(opted.customer.branch.zone)).date().isoformat()
    way = str(opted.channel.label)
    if opted.kind is OptOutKind.MARKETING:
        return _("She does not want marketing (%(way)s), since %(day)s.", way=way, day=day)
    return _("She does not want to be contacted (%(way)s), since %(day)s.", way=way, day=day)


# --- how often ---------------------------------------------------------------------------------------------------


def over_limit(
    session: Session, customers: Iterable[Customer], channel: ContactWay, at: datetime, *, zone: ZoneInfo
) -> dict[int, str]:
    """Return which customers of one branch were contacted by a way as often today as the branch allows."""
    found = list(customers)
    limit = LIMITS.get(channel)
    if limit is None or not found:
        return {}
    most: int = value_of(session, limit, branch_id=found[0].branch_id, at=at)
    first, last = day_bounds(at.astimezone(zone).date(), zone)
    done: dict[int, int] = {}
    with crossing("contacted"):
        counted = [counter(session, [each.id for each in found], first, last) for counter in _COUNTERS.get(channel, ())]
    for key, count in (each for counts in counted for each in counts.items()):
        done[key] = done.get(key, 0) + count
    said = _("She was contacted this way %(count)s times today; that is the branch's limit.", count=most)
    return {each.id: said for each in found if done.get(each.id, 0) >= most}


def day_bounds(day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return the first moment of a day by a clock, and that of the next."""
    return datetime.combine(day, time.min, zone), datetime.combine(day + timedelta(days=1), time.min, zone)


def _count_messages(channel: MessageChannel) -> Counter:
    def count(session: Session, ids: Collection[int], first: datetime, last: datetime) -> dict[int, int]:
        out_at = func.coalesce(Message.sent_at, Message.sending_at)
        statement = (
            select(Message.customer_id, func.count())
            .where(Message.customer_id.in_(sorted(ids)), Message.channel == channel, Message.state.in_(OUT_STATES))
            .where(out_at >= first, out_at < last)
            .group_by(Message.customer_id)
        )
        return {row[0]: row[1] for row in session.execute(statement)}

    return count


counts_contact(ContactWay.SMS)(_count_messages(MessageChannel.SMS))
counts_contact(ContactWay.WECHAT)(_count_messages(MessageChannel.WECHAT))


@counts_contact(ContactWay.PHONE)
def _count_calls(session: Session, ids: Collection[int], first: datetime, last: datetime) -> dict[int, int]:
    """Count the calls of a day, reached or not: each one dialled, and each one written down that was not dialled here.

    A call and the execution that names it are one; a dialling that certainly failed is none.
    """
    dialled = and_(PhoneCall.dialled_at.is_not(None), PhoneCall.state.not_in([CallState.FAILED, CallState.JOINED]))
    calls = (
        select(func.count(PhoneCall.id))
        .where(PhoneCall.customer_id == Customer.id, dialled)
        .where(PhoneCall.dialled_at >= first, PhoneCall.dialled_at < last)
    )
    written_down = (
        select(func.count(FollowupExecution.id))
        .join(FollowupPlan, FollowupPlan.id == FollowupExecution.plan_id)
        .outerjoin(PhoneCall, and_(PhoneCall.id == FollowupExecution.phone_call_id, dialled))
        .where(FollowupPlan.customer_id == Customer.id, FollowupExecution.method == CallMethod.PHONE)
        .where(FollowupExecution.executed_at >= first, FollowupExecution.executed_at < last, PhoneCall.id.is_(None))
    )
    both = calls.correlate(Customer).scalar_subquery() + written_down.correlate(Customer).scalar_subquery()
    statement = select(Customer.id, both).where(Customer.id.in_(sorted(ids)))
    return {key: count for key, count in session.execute(statement) if count}


# --- what to mind ------------------------------------------------------------------------------------------------


def what_to_mind(session: Session, customer: Customer) -> list[str]:
    """Return what to mind before a call or a message: the file's note and the traits 回访注意事项. R-2.22-6."""
    traits = (
        select(CustomerTrait)
        .join(DictionaryItem, DictionaryItem.id == CustomerTrait.trait_type_id)
        .where(CustomerTrait.customer_id == customer.id, CustomerTrait.state == TraitState.CURRENT)
        .where(DictionaryItem.code.in_(MIND_TRAITS))
        .order_by(CustomerTrait.id)
    )
    told = [customer.followup_note] if customer.followup_note else []
    return told + [f"{trait.trait_type}：{trait.value}" for trait in session.scalars(traits)]


def opt_out_banners(session: Session, customer: Customer, at: datetime) -> list[tuple[str, str]]:
    """Return what stands above a customer's page: what she does not want."""
    return [("warn", opt_out_sentence(each)) for each in _open_opt_outs(session, [customer.id], ContactWay.ALL, at)]


# --- acts --------------------------------------------------------------------------------------------------------


class OptingOut(HouseForm):
    """Which way, what of it, in her words."""

    channel = Choose(_l("Way"), options=ContactWay, required=True, default=ContactWay.ALL)
    kind = Choose(_l("Does not want"), options=OptOutKind, required=True, default=OptOutKind.MARKETING)
    reason = Words(_l("Reason"), most=500, multiline=True, description=_l("In her own words, if she gave one."))


@act(
    Customer,
    "opt_out",
    _l("Do not contact"),
    form=OptingOut,
    icon="bell-slash",
    consequence=_l("It holds at once: calls and messages are refused, what waits is not sent."),
)
def opt_out(
    session: Session,
    customer: Customer,
    *,
    channel: ContactWay,
    kind: OptOutKind,
    reason: str | None = None,
    by: Actor,
    at: datetime,
) -> Outcome:
    """Write down that a customer does not want to be contacted one way, or at all. R-2.22-6, L13: at her word."""
    standing = select(ContactOptOut).where(
        ContactOptOut.customer_id == customer.id,
        ContactOptOut.channel == channel,
        ContactOptOut.kind == kind,
        ContactOptOut.ended_at.is_(None),
    )
    if session.scalars(standing).one_or_none() is not None:
        raise Refusal(_("This is written down already."), field="channel")
    opted: Any = ContactOptOut(
        customer_id=customer.id, channel=channel, kind=kind, since_at=at, reason=reason, taken_by_id=by.employee_id
    )
    session.add(opted)
    session.flush()
    return Outcome(result=opted)


class OptingIn(Reason):
    """Which way again, and how she said so."""

    channel = Choose(_l("Way"), options=ContactWay, required=True, default=ContactWay.ALL)


@act(
    Customer,
    "opt_in",
    _l("Contact again"),
    form=OptingIn,
    icon="bell",
    consequence=_l("What she did not want ends today and stays on file. Marketing still needs her consent."),
)
def opt_in(
    session: Session, customer: Customer, *, channel: ContactWay, reason: str, by: Actor, at: datetime
) -> Outcome:
    """End what a customer did not want: of one way, or of all. Nothing is deleted. L13."""
    open_ones = select(ContactOptOut).where(ContactOptOut.customer_id == customer.id, ContactOptOut.ended_at.is_(None))
    if channel is not ContactWay.ALL:
        open_ones = open_ones.where(ContactOptOut.channel == channel)
    ended = session.scalars(open_ones.order_by(ContactOptOut.id).with_for_update()).all()
    if not ended:
        raise Refusal(_("Nothing of this kind is written down."), field="channel")
    for opted in ended:
        opted.ended_at, opted.end_reason, opted.ended_by_id = at, reason, by.employee_id
    return Outcome(result=ended[-1])
