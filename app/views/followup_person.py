"""Whom one calls, as the follow-up desk shows her: numbers, what to mind, what is known, what was before. 1.2, 2.22."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from sqlalchemy.orm import joinedload

from app.actors import Actor
from app.extensions import db
from app.models.appointments import AppointmentSlip, ContactRecord
from app.models.customers import Customer, CustomerTrait, TraitState
from app.models.followup import FollowupExecution, FollowupPlan
from app.panel import acting
from app.panel.describe import label_of, local_time, may_open_record, record_url
from app.panel.pages import ActButton, Cell, DeskPerson, Fact, HistoryLine, Link
from app.services.contacting import MIND_TRAITS
from app.services.scope import in_scope, loader
from app.words import _

#: Of each kind, the newest so many; of all together, the newest so many.
OF_A_KIND, OF_ALL = 5, 10
#: What one does for a customer in the middle of a call; the rest stands in her file.
ACTS = ("opt_out", "opt_in", "add_trait", "add_contact", "send_message", "place")


def person_of(plan: FollowupPlan, by: Actor, at: datetime, here: str) -> DeskPerson:
    """Gather what one looks at before one calls; ``here`` is where the acts lead back to."""
    customer = plan.customer
    assert customer is not None
    traits = _traits(customer, by)
    mind = [customer.followup_note] if customer.followup_note else []
    mind += [f"{trait.trait_type}：{trait.value}" for trait in traits if trait.trait_type.code in MIND_TRAITS]
    return DeskPerson(
        name=Link(str(customer), record_url("customer", customer.id) if may_open_record(customer, by) else ""),
        subtitle=_subtitle(customer, by, at),
        contacts=[
            (Cell(contact.masked, sub=str(contact.kind.label)), _back(acting.buttons_of(contact, by), here))
            for contact in customer.contacts
        ],
        facts=_facts(customer, by),
        mind=mind,
        traits=_by_type([trait for trait in traits if trait.trait_type.code not in MIND_TRAITS]),
        history=_history(plan, by),
        acts=_back([each for each in acting.buttons_of(customer, by) if each.name in ACTS], here),
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


def _traits(customer: Customer, by: Actor) -> list[CustomerTrait]:
    statement = (
        in_scope(CustomerTrait, by)
        .where(CustomerTrait.customer_id == customer.id, CustomerTrait.state == TraitState.CURRENT)
        .options(joinedload(CustomerTrait.trait_type))
        .order_by(CustomerTrait.trait_type_id, CustomerTrait.id)
    )
    return list(db.session().scalars(statement))


def _by_type(traits: list[CustomerTrait]) -> list[tuple[str, list[str]]]:
    told: dict[str, list[str]] = {}
    for trait in traits:
        words = f"{trait.day_text} {trait.value}".strip()
        told.setdefault(str(trait.trait_type), []).append(words)
    return list(told.items())


# --- what was before ---------------------------------------------------------------------------------------------


def _history(plan: FollowupPlan, by: Actor) -> list[HistoryLine]:
    """Return the newest slips, contacts and calls of a customer, as far as one sees them, the last first."""
    found: list[tuple[datetime, HistoryLine]] = []
    if by.may("followup_execution", "can_list"):
        found += [(done.executed_at, _call(done, by)) for done in _calls(plan, by)]
    if by.may("appointment_slip", "can_list"):
        eager = ("owner", "item_links.item")
        found += [
            (slip.ordered_at, _slip(slip, by)) for slip in _newest(AppointmentSlip, "ordered_at", plan, by, eager)
        ]
    if by.may("contact_record", "can_list"):
        eager = ("consultant", "business_category")
        records = _newest(ContactRecord, "contacted_at", plan, by, eager)
        found += [(record.contacted_at, _contact(record, by)) for record in records]
    return [line for _when, line in sorted(found, key=lambda each: each[0], reverse=True)[:OF_ALL]]


def _newest(model: Any, when: str, plan: FollowupPlan, by: Actor, eager: tuple[str, ...]) -> list[Any]:
    statement = in_scope(model, by).where(model.customer_id == plan.customer_id)
    options = [loader(model, path) for path in eager]
    rows = statement.options(*options).order_by(getattr(model, when).desc(), model.id.desc()).limit(OF_A_KIND)
    return list(db.session().scalars(rows).unique())


def _calls(plan: FollowupPlan, by: Actor) -> list[FollowupExecution]:
    statement = (
        in_scope(FollowupExecution, by)
        .where(FollowupExecution.plan.has(FollowupPlan.customer_id == plan.customer_id))
        .options(joinedload(FollowupExecution.plan).joinedload(FollowupPlan.category))
        .options(joinedload(FollowupExecution.executor))
        .order_by(FollowupExecution.executed_at.desc(), FollowupExecution.id.desc())
        .limit(OF_A_KIND)
    )
    return list(db.session().scalars(statement))


def _call(done: FollowupExecution, by: Actor) -> HistoryLine:
    grade = f" · {_('satisfaction %(grade)s of 5', grade=done.satisfaction)}" if done.satisfaction else ""
    said = str(done.method.label) if done.reached else _("%(method)s, not reached", method=done.method.label)
    label = _("Follow-up: %(category)s", category=done.plan.category)
    link, when = _link(done.plan, done.plan.plan_no, by), local_time(done.executed_at, by)
    return HistoryLine(label, _name(done.executor), when, [(said + grade, done.feedback)], link)


def _link(record: Any, text: str, by: Actor) -> Link | None:
    return Link(text, record_url(record.__tablename__, record.id)) if may_open_record(record, by) else None


def _slip(slip: AppointmentSlip, by: Actor) -> HistoryLine:
    what = " · ".join(part for part in (local_time(slip.appointed_at, by), slip.items_text) if part)
    told = [(str(slip.state.label), what)]
    link = _link(slip, slip.slip_no, by)
    return HistoryLine(_("Appointment slip"), _name(slip.owner), local_time(slip.ordered_at, by), told, link)


def _contact(record: ContactRecord, by: Actor) -> HistoryLine:
    what = record.outcome or record.content or ""
    told = [(str(record.business_category), what)] if what else []
    when, link = local_time(record.contacted_at, by), _link(record, record.record_no, by)
    return HistoryLine(str(record.channel.label), _name(record.consultant), when, told, link)


def _name(employee: Any) -> str:
    return str(employee) if employee is not None else ""
