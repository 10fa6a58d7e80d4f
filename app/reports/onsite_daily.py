"""现场咨询日报表, RPT-03: who came on a day, what came to a deal, which items, from where. Triage SOP S5.

A visit is counted on the day of its arrival; one that was cancelled stands apart and is no arrival. A deal is what
``deal_of`` says, as far as it is known when the report is made. A visit may be about several items: their table counts
items, the others visits. The area is that of the reception form, else of the customer's file.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import and_, func, select

from app.models.appointments import AppointmentSlip, ContactRecord
from app.models.customers import Customer, SourceChannel
from app.models.reception import ReceptionForm, Visit, VisitItem, VisitState, VisitType
from app.models.settings import DictionaryItem
from app.reports.base import Report
from app.reports.contact_daily import ContactDaily
from app.reports.measures import Breakdown, ByChoice, ByRecord, Drawn, Measure, Rate, Window
from app.services.consultation.deals import deal_of
from app.words import _l


def arrived(day: Window) -> Any:
    """Return the condition that a visit is an arrival of these days."""
    return and_(day.holds(Visit.arrived_at), Visit.state != VisitState.CANCELLED)


def _visits(name: str, label: object, *conditions: Any) -> Measure:
    return Measure(name, label, Visit, lambda day: and_(arrived(day), *conditions))


def item_measure(name: str, label: object, condition: Callable[[Window], Any]) -> Measure:
    """Return a measure of the items of visits that meet a condition."""
    return Measure(name, label, VisitItem, lambda day: VisitItem.visit.has(condition(day)))


def _of_form(column: Any) -> Any:
    return select(column).where(ReceptionForm.visit_id == Visit.id).correlate(Visit).scalar_subquery()


def _of_customer(column: Any) -> Any:
    return select(column).where(Customer.id == Visit.customer_id).correlate(Visit).scalar_subquery()


SOURCE = ByRecord("source", _l("Source channel"), {Visit: Visit.source_channel_id}, SourceChannel)
ITEM = ByRecord("item", _l("Item"), {VisitItem: VisitItem.item_id}, DictionaryItem, (DictionaryItem.position,))
VISIT_TYPE = ByChoice("visit_type", _l("Type of visit"), {Visit: Visit.visit_type}, VisitType)


class OnsiteDaily(Report):
    """RPT-03."""

    name = "onsite_daily"
    number = "RPT-03"
    label = _l("On-site consulting daily")
    daily = True
    job = "reports.onsite_daily"
    signed = True
    measures = (
        _visits("arrivals", _l("Arrivals")),
        *(_visits(each.value, each.label, Visit.visit_type == each) for each in VisitType),
        _visits("deals", _l("Deals"), deal_of()),
        _visits("by_slip", _l("With an appointment"), Visit.appointment_slip_id.is_not(None)),
        Measure(
            "cancelled",
            _l("Cancelled visits"),
            Visit,
            lambda day: and_(day.holds(Visit.arrived_at), Visit.state == VisitState.CANCELLED),
        ),
        item_measure("asked", _l("Asked about"), arrived),
        item_measure("item_deals", _l("Of visits with a deal"), lambda day: and_(arrived(day), deal_of())),
    )
    rates = (
        Rate("deal_rate", _l("Deals, share"), part="deals", whole="arrivals"),
        Rate("item_deal_rate", _l("Deals, share"), part="item_deals", whole="asked"),
    )
    groups = (
        VISIT_TYPE,
        SOURCE,
        ByRecord(
            "area",
            _l("Area"),
            {Visit: func.coalesce(_of_form(ReceptionForm.area_id), _of_customer(Customer.area_id))},
            DictionaryItem,
            (DictionaryItem.position,),
        ),
        ITEM,
    )
    figures = ("arrivals", "deals", "deal_rate", "by_slip", "cancelled")
    columns = (
        "arrivals", *(each.value for each in VisitType), "deals", "deal_rate", "asked", "item_deals", "item_deal_rate",
    )  # fmt: skip
    tables = (
        Breakdown("by_type", _l("By type of visit"), ("visit_type",)),
        Breakdown("by_item", _l("By item"), ("item",)),
        Breakdown("by_source", _l("By source channel"), ("source",)),
        Breakdown("by_area", _l("By area"), ("area",)),
    )
    chart = Drawn("grouped", _l("Arrivals and deals by source"), "source", ("arrivals", "deals"))


def _led_to_deal(day: Window) -> Any:
    slip = AppointmentSlip
    visit = select(Visit.id).where(Visit.appointment_slip_id == slip.id, deal_of()).correlate(slip).exists()
    led = select(slip.id).where(slip.contact_record_id == ContactRecord.id, slip.is_supplement.is_(False), visit)
    return and_(day.holds(ContactRecord.contacted_at), led.correlate(ContactRecord).exists())


ContactDaily.count_also(Measure("deal", _l("Deals"), ContactRecord, _led_to_deal))
