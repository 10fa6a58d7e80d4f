"""The last step of the funnel: contacts whose customer came on their slip and bought. White paper G, RPT-01."""

from __future__ import annotations

from typing import Any

from sqlalchemy import and_, select

from app.models.appointments import AppointmentSlip, ContactRecord
from app.models.reception import Visit
from app.reports.contact_daily import ContactDaily
from app.reports.measures import Measure, Window
from app.services.consultation.deals import deal_of
from app.words import _l


def _came_to_a_deal(day: Window) -> Any:
    visits = (
        select(Visit.id)
        .join(AppointmentSlip, AppointmentSlip.id == Visit.appointment_slip_id)
        .where(AppointmentSlip.contact_record_id == ContactRecord.id, AppointmentSlip.is_supplement.is_(False))
        .where(deal_of())
        .correlate(ContactRecord)
    )
    return and_(day.holds(ContactRecord.contacted_at), visits.exists())


ContactDaily.count_also(Measure("deal", _l("Came to a deal"), ContactRecord, _came_to_a_deal))
