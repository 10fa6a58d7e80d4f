"""分诊日志, RPT-04: the day's first visits, return visits and repeat purchases, visit by visit. Triage SOP S6.

Telephone and address are masked on screens and in what is stored; they stand in full in an export, for which a reason
is given, of who has the right to see them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import and_, select
from sqlalchemy.orm import Session, joinedload, selectinload

from app.actors import Actor
from app.models.consultation import Consultation
from app.models.customers import ContactKind, Customer
from app.models.reception import ReceptionForm, Visit, VisitItem, VisitType
from app.models.settings import DictionaryItem
from app.reports.base import Asked, Report
from app.reports.facts import Column, Label, ReportFacts, Row, Table
from app.reports.measures import Measure, Window, of_branch
from app.reports.onsite_daily import VISIT_TYPE, arrived
from app.services.guard import crossing
from app.services.scope import in_scope
from app.words import _l

#: What the SOP logs; checks and complaints are not in it.
LOGGED = (VisitType.FIRST, VisitType.RETURN, VisitType.REPEAT_PURCHASE)
MASK = "****"


def _logged(day: Window) -> Any:
    return and_(arrived(day), Visit.visit_type.in_(LOGGED))


class TriageLog(Report):
    """RPT-04."""

    name = "triage_log"
    number = "RPT-04"
    label = _l("Triage log")
    daily = True
    job = "reports.triage_log"
    signed = True
    more_rights = ("can_see_phone",)
    measures = (
        Measure("logged", _l("Visits"), Visit, _logged),
        *(
            Measure(each.value, each.label, Visit, lambda day, each=each: and_(arrived(day), Visit.visit_type == each))
            for each in LOGGED
        ),
    )
    groups = (VISIT_TYPE,)
    figures = ("logged", *(each.value for each in LOGGED))

    def gather(self, session: Session, asked: Asked, by: Actor, at: datetime) -> ReportFacts:
        return self._facts(session, asked, by, at, in_full=False)

    def exported(self, session: Session, asked: Asked, by: Actor, at: datetime) -> ReportFacts:
        return self._facts(session, asked, by, at, in_full=by.may(self.right, "can_see_phone"))

    def _facts(self, session: Session, asked: Asked, by: Actor, at: datetime, *, in_full: bool) -> ReportFacts:
        facts = super().gather(session, asked, by, at)
        day = self.window(session, asked, at)
        return replace(facts, tables=(_log(session, day, by, in_full=in_full),))


def _log(session: Session, day: Window, by: Actor, *, in_full: bool) -> Table:
    statement = (
        in_scope(Visit, by)
        .where(of_branch(Visit, day), _logged(day))
        .options(joinedload(Visit.customer).selectinload(Customer.contacts))
        .options(joinedload(Visit.consultant), selectinload(Visit.item_links).joinedload(VisitItem.item))
        .order_by(Visit.arrived_at, Visit.id)
    )
    visits = session.scalars(statement).unique().all()
    ids = [visit.id for visit in visits]
    with crossing("report"):
        found = session.scalars(select(ReceptionForm).where(ReceptionForm.visit_id.in_(ids)))
        forms = {form.visit_id: form for form in found}
        talks = (
            select(Consultation).where(Consultation.visit_id.in_(ids)).options(joinedload(Consultation.failure_reason))
        )
        last = {talk.visit_id: talk for talk in session.scalars(talks.order_by(Consultation.id))}
    year = day.day.year
    return Table(
        name="log",
        title=Label.of(_l("Log")),
        columns=(
            Column("visit_no", Label.of(_l("Visit"))),
            Column("time", Label.of(_l("Came at"))),
            Column("visit_type", Label.of(_l("Type of visit"))),
            Column("name", Label.of(_l("Full name"))),
            Column("sex", Label.of(_l("Sex"))),
            Column("age", Label.of(_l("Age"))),
            Column("items", Label.of(_l("Items asked about"))),
            Column("address", Label.of(_l("Address"))),
            Column("phone", Label.of(_l("Telephone"))),
            Column("consultant", Label.of(_l("Consultant"))),
            Column("handling", Label.of(_l("How it was handled"))),
        ),
        rows=tuple(_row(visit, forms.get(visit.id), last.get(visit.id), day.zone, year, in_full) for visit in visits),
    )


def _row(
    visit: Visit, form: ReceptionForm | None, talk: Consultation | None, zone: str, year: int, in_full: bool
) -> Row:
    customer = visit.customer
    sex = customer.sex if form is None else form.sex
    age = customer.age_in(year) if form is None else form.age
    address = (customer.address if form is None else form.address) or ""
    phone = _phone(customer) if form is None else form.phone
    return (
        visit.visit_no,
        f"{visit.arrived_at.astimezone(ZoneInfo(zone)):%H:%M}",
        Label.of(visit.visit_type.label),
        str(customer) if form is None else form.name,
        "" if sex is None else Label.of(sex.label),
        "" if age is None else str(age),
        _listed([link.item for link in visit.item_links]),
        address if in_full or not address else MASK,
        phone if in_full or not phone else f"{MASK}{phone[-4:]}",
        "" if visit.consultant is None else visit.consultant.name,
        _handling(visit, talk),
    )


def _phone(customer: Customer) -> str:
    return next((each.value for each in customer.contacts if each.kind is ContactKind.PHONE), "")


def _listed(items: Sequence[DictionaryItem]) -> Label:
    return Label(zh="、".join(item.name for item in items), en=", ".join(item.name_en for item in items))


def _handling(visit: Visit, talk: Consultation | None) -> Label:
    """处理意见: how the consultation ended, why there was no deal, and what comes next; else how the visit stands."""
    state = Label.of(visit.state.label if talk is None else talk.state.label)
    reason = None if talk is None else talk.failure_reason
    more = [] if reason is None else [Label(reason.name, reason.name_en)]
    if talk is not None and talk.next_action:
        more.append(Label.same(talk.next_action))
    parts = [state, *more]
    return Label(zh="；".join(part.zh for part in parts), en="; ".join(part.en for part in parts))
