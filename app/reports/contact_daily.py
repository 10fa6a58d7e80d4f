"""来电/网络/渠道日统计, RPT-01: a day's contacts by hour, channel, category, source and person, and their outcome.

White paper G and 2.1.1.1: calls per hour, category and source, answered before the second ring, missed, and
contacts → slips → arrivals. A call counts as answered in time if it rang less often than the setting says; one that
was missed, or whose rings nobody noted, does not. New files are those that the desk opened on the day, by whom she
opened it. Whether a contact led to a slip, and its customer came, is told as far as it is known when the report is
made.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import and_, func, select

from app.models.appointments import AppointmentSlip, Channel, ContactRecord
from app.models.audit import ActRun
from app.models.customers import Customer, SourceChannel
from app.models.hr import Employee
from app.models.settings import DictionaryItem
from app.reports.base import PeriodAndBranch, Report
from app.reports.measures import Breakdown, ByChoice, ByHour, ByRecord, Drawn, Measure, Rate, Window
from app.services.reference import VALID_LEADS
from app.services.settings import ANSWERED_BEFORE_RING
from app.words import _l

Contact = ContactRecord
#: A file's first history entry: who opened it, and when. Owners change, this does not.
OPENING = (ActRun.table_name == "customer", ActRun.act == "register_temporary")


def _contacts(name: str, label: object, *conditions: Any) -> Measure:
    """Return a measure of the day's contacts that meet further conditions."""
    return Measure(name, label, Contact, lambda day: and_(day.holds(Contact.contacted_at), *conditions))


def _in_time(day: Window) -> Any:
    quick = Contact.ring_count < day.setting(ANSWERED_BEFORE_RING)
    return and_(day.holds(Contact.contacted_at), Contact.answered_at.is_not(None), quick)


def _slips(*conditions: Any) -> Any:
    """Slips that a contact led to; a supplementary one was made after the visit and is counted apart (RPT-28)."""
    mine = (AppointmentSlip.contact_record_id == Contact.id, AppointmentSlip.is_supplement.is_(False))
    return select(AppointmentSlip.id).where(*mine, *conditions).exists()


def _opened(day: Window) -> Any:
    return Customer.id.in_(select(ActRun.record_id).where(*OPENING, day.holds(ActRun.occurred_at)))


def _of_valid_lead() -> Any:
    valid = select(DictionaryItem.id).where(DictionaryItem.code.in_(sorted(VALID_LEADS)))
    return Contact.lead_quality_id.in_(valid)


class ContactDaily(Report):
    """RPT-01."""

    name = "contact_daily"
    number = "RPT-01"
    label = _l("Contact daily")
    params = PeriodAndBranch
    daily = True
    measures = (
        _contacts("contacts", _l("Contacts registered")),
        _contacts("calls", _l("Calls"), Contact.channel == Channel.PHONE),
        _contacts("answered", _l("Answered"), Contact.answered_at.is_not(None)),
        _contacts("missed", _l("Missed"), Contact.missed_at.is_not(None)),
        Measure("in_time", _l("Answered in time"), Contact, _in_time),
        _contacts("valid_leads", _l("Valid leads"), _of_valid_lead()),
        Measure("new_files", _l("New temporary files"), Customer, _opened),
        _contacts("with_slip", _l("Led to a slip"), _slips()),
        _contacts("arrived", _l("Came to the house"), _slips(AppointmentSlip.arrived_at.is_not(None))),
    )
    rates = (
        Rate("in_time_rate", _l("Answered in time, share"), part="in_time", whole="calls"),
        Rate("slip_rate", _l("Led to a slip, share"), part="with_slip", whole="contacts"),
        Rate("arrival_rate", _l("Arrival rate"), part="arrived", whole="with_slip"),
    )
    groups = (
        ByHour("hour", _l("Hour"), {Contact: Contact.contacted_at}),
        ByChoice("channel", _l("Channel"), {Contact: Contact.channel}, Channel),
        ByRecord(
            "category",
            _l("Business category"),
            {Contact: Contact.business_category_id},
            DictionaryItem,
            (DictionaryItem.position,),
        ),
        ByRecord(
            "source",
            _l("Source channel"),
            {
                Contact: select(Customer.source_channel_id).where(Customer.id == Contact.customer_id).scalar_subquery(),
                Customer: Customer.source_channel_id,
            },
            SourceChannel,
        ),
        ByRecord(
            "person",
            _l("Consultant"),
            {
                Contact: Contact.consultant_id,
                Customer: select(func.min(ActRun.employee_id))
                .where(*OPENING, ActRun.record_id == Customer.id)
                .scalar_subquery(),
            },
            Employee,
        ),
    )
    columns = (
        "contacts", "answered", "missed", "in_time_rate", "valid_leads", "new_files",
        "with_slip", "slip_rate", "arrived", "arrival_rate",
    )  # fmt: skip
    figures = columns
    tables = (
        Breakdown("by_channel", _l("By channel"), ("channel",)),
        Breakdown("by_hour", _l("By hour"), ("hour",)),
        Breakdown("by_category", _l("By business category"), ("category",)),
        Breakdown("by_source", _l("By source channel"), ("source",)),
        Breakdown("by_person", _l("By person"), ("person",)),
    )
    chart = Drawn("stacked", _l("Contacts by hour"), "hour", ("contacts",), split="channel")
