"""Customers: temporary files, contacts, the question whose customer a number is, searching.

White paper 2.1.1; SM-01; R-2.1.1-2, -4, -5.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select, text
from sqlalchemy.orm import Session, selectinload

from app.actors import Actor
from app.acts import act
from app.errors import InvalidInput, Refusal
from app.fields import Choose, HouseForm, Item, PhoneNumber, Pick, Reason, Whole, Words, normal_phone
from app.models.audit import Way
from app.models.customers import (
    ChannelPartner,
    ContactKind,
    Customer,
    CustomerContact,
    FileState,
    OwnerRole,
    OwnerRule,
    PartnerState,
    Sex,
    SourceChannel,
    contact_hash,
    mask,
)
from app.models.findable import query_terms
from app.models.hr import Branch, Department, Employee
from app.services.customers.ownership import give_customer
from app.services.customers.states import OPEN_FILES
from app.services.guard import crossing
from app.services.hr import own_branch
from app.services.looks import log_look
from app.services.scope import find, in_scope
from app.services.settings import NUMBER_UNIQUE, next_number, value_of
from app.services.trail import note
from app.words import _, _l

MOST_WORDS = 5
#: The reason kept with a look-up by number; a marker, not a sentence.
LOOK_UP = "whose_number"


@dataclass(frozen=True)
class Ownership:
    """Whose customer a number is, and nothing more: the narrow answer that crosses data scopes (撞单)."""

    customer_id: int
    owner: str
    department: str
    branch: str
    since: datetime | None
    rule: str

    def sentence(self, by: Actor) -> str:
        """Say it as one sentence, in the reader's language and zone."""
        since = self.since.astimezone(by.timezone).strftime("%Y-%m-%d") if self.since else "—"
        return _(
            "This number is known: customer of %(owner)s (%(department)s, %(branch)s) since %(since)s, rule: %(rule)s.",
            owner=self.owner,
            department=self.department,
            branch=self.branch,
            since=since,
            rule=self.rule,
        )


def whose_number(session: Session, kind: ContactKind, value: str) -> Ownership | None:
    """Return to whom a number or account belongs, in whatever branch. R-2.1.1-2.

    The one look-up that crosses scopes: it gives owner, since when and by what rule, never the customer's name;
    who was answered is kept by ``log_look_up``.
    """
    belonging = (
        select(Customer, Employee.name, Department.name, Branch.name)
        .join(CustomerContact, CustomerContact.customer_id == Customer.id)
        .join(Branch, Branch.id == Customer.branch_id)
        .outerjoin(Employee, Employee.id == Customer.developer_id)
        .outerjoin(Department, Department.id == Employee.department_id)
        .where(CustomerContact.kind == kind, CustomerContact.value_hash == contact_hash(kind, value))
        .where(Customer.state != FileState.MERGED)  # a doubled contact stays behind; the kept file has it too
        .order_by(Customer.id)
        .limit(1)
    )
    with crossing("whose_number"):
        row = session.execute(belonging).first()
    if row is None:
        return None
    customer = row[0]
    rule = str(customer.developer_rule.label) if customer.developer_rule else _("none recorded")
    return Ownership(
        customer.id, row[1] or _("nobody"), row[2] or "—", row[3], customer.developed_at or customer.created_at, rule
    )


def log_look_up(session: Session, known: Ownership, by: Actor) -> None:
    """Keep that somebody learned whose customer a number is."""
    log_look_up_of(session, known.customer_id, by, purpose="whose_number")


def log_look_up_of(session: Session, customer_id: int, by: Actor, *, purpose: str = "duplicate") -> None:
    """Keep that somebody learned whose customer an ID number is, in the log of looks and in the trail."""
    log_look(session, Way.LOOK_UP, "customer", customer_id, "developer", LOOK_UP, by)
    note(session, "look_up", table="customer", record_id=customer_id, purpose=purpose)


def refuse_known_number(
    session: Session, field: str, kind: ContactKind, value: str, *, by: Actor, at: datetime, but: int | None = None
) -> None:
    """Refuse a number that another customer has, naming her owner; serialises with others who register it.

    A setting switches this off (families share a telephone).
    """
    digest = contact_hash(kind, value)
    session.execute(text("select pg_advisory_xact_lock(hashtextextended(:digest, 0))"), {"digest": digest})
    if not value_of(session, NUMBER_UNIQUE, branch_id=by.branch_id, at=at):
        return
    known = whose_number(session, kind, value)
    if known is not None and known.customer_id != but:
        raise Refusal(known.sentence(by), field=field, aftermath=lambda session: log_look_up(session, known, by))


def _number_called(record: Any, call: Any) -> str | None:
    """Return the number of a contact record or of a call, if it is a whole one."""
    return normal_phone(getattr(call, "number", None) or getattr(record, "caller_no", None) or "")


class TemporaryFile(HouseForm):
    """Name or alias, and one way to reach her. White paper 2.1.1.1 step 2."""

    name = Words(_l("Full name"), most=60)
    alias = Words(_l("Alias"), most=60, description=_l("How she calls herself, while the name is not known."))
    phone = PhoneNumber(
        _l("Telephone"),
        description=_l("Empty: the number of the contact record."),
        render_kw={"data-lookup": "/customer/whose"},
    )
    wechat = Words(_l("WeChat"), most=60, sensitive=True)
    qq = Words(_l("QQ"), most=20, sensitive=True)
    sex = Choose(_l("Sex"), options=Sex)
    age = Whole(_l("Age"), least=0, most=120)
    area_id = Item(_l("Area"), dictionary="area")
    source_channel_id = Pick(_l("Source channel"), table="source_channel")
    channel_partner_id = Pick(_l("Channel partner"), table="channel_partner")
    referrer_customer_id = Pick(_l("Referred by"), table="customer")
    followup_note = Words(_l("Mind when calling"), most=500, multiline=True)
    contact_record_id = Pick(_l("Contact record"), table="contact_record")
    phone_call_id = Pick(_l("Telephone call"), table="phone_call")

    def process(self, *given: Any, **more: Any) -> None:
        """Show in the field of the number, masked, which one is taken if it is left empty."""
        super().process(*given, **more)
        called = getattr(self.phone_call_id.record, "number", None) if self.phone_call_id.data else None
        if called:
            self.phone.render_kw = {**(self.phone.render_kw or {}), "placeholder": mask(ContactKind.PHONE, called)}
            self.phone.description = _("Empty: the number of the call.")

    def check(self) -> None:
        if not (self.name.data or self.alias.data):
            self.refuse("name", _("A name or an alias, please."))
        called = _number_called(self.contact_record_id.record, self.phone_call_id.record)
        if not (self.phone.data or self.wechat.data or self.qq.data or called):
            self.refuse("phone", _("One way to reach her, please: telephone, WeChat or QQ."))


@act(
    Customer,
    "register_temporary",
    _l("Open a temporary file"),
    form=TemporaryFile,
    creates=True,
    icon="person-plus",
    tone="accent",
    main=True,
    from_address=("phone",),
    starts_from={
        "contact_record": {"contact_record_id": "id", "channel_partner_id": "channel_partner_id"},
        "phone_call": {"phone_call_id": "id", "contact_record_id": "contact_record_id"},
    },
    consequence=_l("The number is matched first; a known customer is never doubled."),
)
def register_temporary(
    session: Session,
    *,
    name: str | None = None,
    alias: str | None = None,
    phone: str | None = None,
    wechat: str | None = None,
    qq: str | None = None,
    sex: Sex | None = None,
    age: int | None = None,
    area_id: int | None = None,
    source_channel_id: int | None = None,
    channel_partner_id: int | None = None,
    referrer_customer_id: int | None = None,
    followup_note: str | None = None,
    contact_record_id: int | None = None,
    phone_call_id: int | None = None,
    by: Actor,
    at: datetime,
) -> Customer:
    """Open a temporary file for a first contact; the consultant who opens it develops the customer.

    Refuses a number that is known (R-2.1.1-2), a partner's or market customer with a referrer, a partner's
    channel without its partner (R-2.1.1-5). White paper 2.1.1.1, SM-01.
    """
    refuse_referrer_of_partner(
        session, channel_partner_id=channel_partner_id, referrer_id=referrer_customer_id, source_id=source_channel_id
    )
    record = find(session, "contact_record", contact_record_id, by) if contact_record_id is not None else None
    call = find(session, "phone_call", phone_call_id, by) if phone_call_id is not None else None
    phone = phone or _number_called(record, call)
    contacts = {ContactKind.PHONE: phone, ContactKind.WECHAT: wechat, ContactKind.QQ: qq}
    for kind, value in contacts.items():
        if value:
            refuse_known_number(session, kind.value, kind, value, by=by, at=at)
    branch = own_branch(session, by)
    customer = Customer(
        branch_id=branch.id,
        customer_no=next_number(session, "customer", branch=branch, at=at, zone=by.timezone),
        name=name,
        alias=alias,
        sex=sex,
        birth_year=None if age is None else at.astimezone(by.timezone).year - age,
        area_id=area_id,
        source_channel_id=source_channel_id,
        channel_partner_id=channel_partner_id,
        referrer_customer_id=referrer_customer_id,
        followup_note=followup_note,
        state=FileState.TEMPORARY,
        contacts=[new_contact(kind, value) for kind, value in contacts.items() if value],
    )
    session.add(customer)
    give_customer(
        session,
        customer,
        role=OwnerRole.DEVELOPER,
        to=session.get(Employee, by.employee_id) if by.employee_id is not None else None,
        rule=OwnerRule.FIRST_REGISTERED,
        reason=None,
        by=by,
        at=at,
    )
    for told in (record, call):
        if told is not None and told.customer_id is None:
            told.customer_id = customer.id
    return customer


def new_contact(kind: ContactKind, value: str, relation: str | None = None) -> CustomerContact:
    """Return a contact as it is stored: encrypted, with the hash by which it is found."""
    return CustomerContact(
        kind=kind, value=value, value_hash=contact_hash(kind, value), value_tail=value[-4:], relation=relation
    )


def refuse_referrer_of_partner(
    session: Session, *, channel_partner_id: int | None, referrer_id: int | None, source_id: int | None
) -> None:
    """Refuse what R-2.1.1-5 forbids: a partner's or market customer has no 老顾客介绍, and names the partner."""
    source = session.get(SourceChannel, source_id) if source_id is not None else None
    if channel_partner_id is not None:
        partner = session.get(ChannelPartner, channel_partner_id)
        if partner is not None and partner.state is PartnerState.ENDED:
            raise InvalidInput({"channel_partner_id": [_("The contract with this partner has ended.")]})
        if source is not None and source.is_referral:
            raise InvalidInput({"source_channel_id": [_("A partner's customer was not referred by an old customer.")]})
    elif source is not None and source.is_partner:
        raise InvalidInput({"channel_partner_id": [_("A partner's customer names the partner.")]})
    if referrer_id is not None and (channel_partner_id is not None or (source is not None and source.is_market)):
        raise InvalidInput({"referrer_customer_id": [_("A partner's or market customer has no referrer.")]})


class NewContact(HouseForm):
    """One more way to reach a customer."""

    kind = Choose(_l("Kind"), options=ContactKind, required=True)
    value = Words(_l("Number or account"), required=True, most=60, sensitive=True)
    relation = Words(_l("Whose"), most=40, description=_l("Herself, unless said otherwise."))


@act(
    Customer,
    "add_contact",
    _l("Add a contact"),
    form=NewContact,
    moves=dict.fromkeys(OPEN_FILES),
    icon="telephone-plus",
)
def add_contact(
    session: Session,
    customer: Customer,
    *,
    kind: ContactKind,
    value: str,
    relation: str | None,
    by: Actor,
    at: datetime,
) -> None:
    """Add a telephone number or account; refuses one that another customer has. R-2.1.1-2."""
    if kind is ContactKind.PHONE:
        bare = normal_phone(value)
        if bare is None:
            raise InvalidInput({"value": [_("This is not a telephone number.")]})
        value = bare
    refuse_known_number(session, "value", kind, value, by=by, at=at, but=customer.id)
    customer.contacts.append(new_contact(kind, value, relation))


@act(
    ChannelPartner,
    "end",
    _l("End the contract"),
    form=Reason,
    moves={PartnerState.ACTIVE: PartnerState.ENDED},
    icon="slash-circle",
    many=True,
)
def end_partner(session: Session, partner: ChannelPartner, *, reason: str, by: Actor, at: datetime) -> None:
    """Take no more customers from a partner; what came before stays."""


@act(
    ChannelPartner,
    "resume",
    _l("Resume"),
    moves={PartnerState.ENDED: PartnerState.ACTIVE},
    icon="arrow-counterclockwise",
    many=True,
)
def resume_partner(session: Session, partner: ChannelPartner, *, by: Actor, at: datetime) -> None:
    """Take a partner's customers again."""


def search_clause(words: str) -> Any:
    """Return the condition that a customer answers every word typed: number, name, telephone, pinyin."""
    parts = [words] if normal_phone(words) else words.split()[:MOST_WORDS]
    return [Customer.search_terms.overlap(sorted(terms)) for part in parts if (terms := query_terms(part))]


def search(session: Session, words: str, by: Actor, *, most: int = 20) -> list[Customer]:
    """Return customers in scope that answer what was typed, newest first, with their contacts."""
    statement: Select[Any] = in_scope(Customer, by).where(*search_clause(words))
    return list(
        session.scalars(statement.options(selectinload(Customer.contacts)).order_by(Customer.id.desc()).limit(most))
    )
