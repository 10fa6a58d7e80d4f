"""Whom one calls, as the follow-up desk shows her: numbers, what to mind, what is known, what was before. 1.2, 2.22."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from urllib.parse import urlencode

from app.actors import Actor
from app.extensions import db
from app.models.appointments import Channel, SlipState
from app.models.customers import Customer
from app.models.followup import CallMethod, FollowupPlan
from app.panel import acting
from app.panel.describe import label_of, local_time, may_open, may_open_record, record_url
from app.panel.pages import ActButton, Cell, DeskPerson, Fact, HistoryLine, Link
from app.services.contacting import MIND_TRAITS
from app.services.followup.before import CALL, CONTACT, SLIP, TRAIT, Told, before
from app.words import _

#: The trait that is called as the note itself is: 回访注意事项.
CALLING = "calling"
#: Of what was before, the newest so many.
OF_ALL = 10
#: What one does for a customer in the middle of a call; the rest stands in her file.
ACTS = ("opt_out", "opt_in", "add_trait", "add_contact", "send_message", "place")


def person_of(plan: FollowupPlan, by: Actor, at: datetime, here: str) -> DeskPerson:
    """Gather what one looks at before one calls; ``here`` is where the acts lead back to."""
    customer = plan.customer
    assert customer is not None
    told = before(db.session(), customer.id, by)
    traits = [each for each in told if each.kind == TRAIT]
    mind = [customer.followup_note] if customer.followup_note else []
    minded = [trait for trait in reversed(traits) if trait.code in MIND_TRAITS]
    mind += [trait.text if trait.code == CALLING else f"{trait.name}：{trait.text}" for trait in minded]
    return DeskPerson(
        name=Link(str(customer), record_url("customer", customer.id) if may_open_record(customer, by) else ""),
        subtitle=_subtitle(customer, by, at),
        contacts=[
            (Cell(contact.masked, sub=str(contact.kind.label)), _back(acting.buttons_of(contact, by), here))
            for contact in customer.contacts
        ],
        facts=_facts(customer, by),
        mind=mind,
        traits=_by_type([trait for trait in traits if trait.code not in MIND_TRAITS]),
        history=[_line(each, by) for each in told if each.kind != TRAIT][:OF_ALL],
        acts=_back(
            [replace(each, tone="quiet") for each in acting.buttons_of(customer, by) if each.name in ACTS], here
        ),
    )


def _back(buttons: list[ActButton], here: str) -> list[ActButton]:
    """Return buttons that lead back to the call from which they were pressed."""
    words = urlencode({"back": here})
    return [replace(each, url=f"{each.url}{'&' if '?' in each.url else '?'}{words}") for each in buttons]


def _subtitle(customer: Customer, by: Actor, at: datetime) -> str:
    age = customer.age_in(at.astimezone(by.timezone).year)
    sex = str(customer.sex.label) if customer.sex is not None else ""
    years = _("%(num)s years", num=age) if age is not None else ""
    return " · ".join(part for part in (sex, years, customer.customer_no) if part)


def _facts(customer: Customer, by: Actor) -> list[Fact]:
    told = (
        ("developer_id", customer.developer),
        ("owner_consultant_id", customer.owner_consultant),
        ("last_visit_at", local_time(customer.last_visit_at, by) if customer.last_visit_at is not None else None),
    )
    return [Fact(label_of(Customer, name), Cell(str(value))) for name, value in told if value is not None]


def _by_type(traits: list[Told]) -> list[tuple[str, list[str]]]:
    told: dict[str, list[str]] = {}
    for trait in traits:
        told.setdefault(trait.name, []).append(f"{trait.day} {trait.text}".strip())
    return list(told.items())


def _line(told: Told, by: Actor) -> HistoryLine:
    """Return a slip, a contact or a call in words."""
    table = "followup_plan" if told.kind == CALL else told.kind
    link = Link(told.number, record_url(table, told.id)) if may_open(table, by) else None
    label, details = LINES[told.kind](told, by)
    shown = [each for each in details if each[1]]
    return HistoryLine(label, told.who, local_time(told.at, by), shown, link)


def _call(told: Told, by: Actor) -> tuple[str, list[tuple[str, str]]]:
    way = str(CallMethod(told.way).label)
    said = way if told.reached else _("%(method)s, not reached", method=way)
    if told.grade:
        said += " · " + _("satisfaction %(grade)s of 5", grade=told.grade)
    return _("Follow-up: %(category)s", category=told.name), [(said, told.text)]


def _slip(told: Told, by: Actor) -> tuple[str, list[tuple[str, str]]]:
    when = local_time(told.then, by) if told.then is not None else ""
    return _("Appointment slip"), [(str(SlipState(told.way).label), when), ("", told.text)]


def _contact(told: Told, by: Actor) -> tuple[str, list[tuple[str, str]]]:
    return str(Channel(told.way).label), [(told.name, told.text)]


LINES: dict[str, Callable[[Told, Actor], tuple[str, list[tuple[str, str]]]]] = {
    CALL: _call,
    SLIP: _slip,
    CONTACT: _contact,
}
