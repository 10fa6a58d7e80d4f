"""咨询成功率分析, RPT-06: visits that a consultant received and their deals, by consultant, item, source and type.

White paper G. A visit is received once a consultant accepted it. The average ticket waits for bills and is left out.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import and_
from sqlalchemy.orm import Session

from app.actors import Actor
from app.models.consultation import Consultation, ConsultationState
from app.models.hr import Employee
from app.models.reception import Visit
from app.models.settings import DictionaryItem
from app.reports.base import Asked, PeriodAndBranch, Report
from app.reports.facts import Label, ReportFacts
from app.reports.measures import Breakdown, ByRecord, Drawn, Measure, Rate, Window
from app.reports.onsite_daily import ITEM, SOURCE, VISIT_TYPE, arrived, item_measure
from app.services.consultation.deals import deal_of
from app.words import _l


def _received(days: Window) -> Any:
    return and_(arrived(days), Visit.consultant_id.is_not(None))


def _deals(days: Window) -> Any:
    return and_(_received(days), deal_of())


def _failed(days: Window) -> Any:
    ended = and_(days.holds(Consultation.ended_at), Consultation.state == ConsultationState.NO_DEAL)
    return and_(ended, ~Consultation.visit.has(deal_of()))


class ConsultingSuccess(Report):
    """RPT-06, without the average ticket."""

    name = "consulting_success"
    number = "RPT-06"
    label = _l("Success of consultations")
    params = PeriodAndBranch
    measures = (
        Measure("received", _l("Received"), Visit, _received),
        Measure("deals", _l("Deals"), Visit, _deals),
        Measure("no_deals", _l("Ended without a deal"), Consultation, _failed),
        item_measure("asked", _l("Asked about"), _received),
        item_measure("item_deals", _l("Of visits with a deal"), _deals),
    )
    rates = (
        Rate("deal_rate", _l("Deals, share"), part="deals", whole="received"),
        Rate("item_deal_rate", _l("Deals, share"), part="item_deals", whole="asked"),
    )
    groups = (
        ByRecord("consultant", _l("Consultant"), {Visit: Visit.consultant_id}, Employee),
        ITEM,
        SOURCE,
        VISIT_TYPE,
        ByRecord(
            "reason",
            _l("Reason for no deal"),
            {Consultation: Consultation.failure_reason_id},
            DictionaryItem,
            (DictionaryItem.position,),
        ),
    )
    figures = ("received", "deals", "deal_rate", "no_deals")
    tables = (
        Breakdown("by_consultant", _l("By consultant"), ("consultant",)),
        Breakdown("by_item", _l("By item"), ("item",)),
        Breakdown("by_source", _l("By source channel"), ("source",)),
        Breakdown("by_type", _l("By type of visit"), ("visit_type",)),
        Breakdown("by_reason", _l("By reason for no deal"), ("reason",)),
    )
    chart = Drawn("grouped", _l("Received and deals by consultant"), "consultant", ("received", "deals"))

    def gather(self, session: Session, asked: Asked, by: Actor, at: datetime) -> ReportFacts:
        facts = super().gather(session, asked, by, at)
        missing = (Label.of(_l("Not measured yet")), Label.of(_l("average ticket, which comes with bills")))
        return replace(facts, parameters=(*facts.parameters, missing))
