"""预约日报, RPT-02: slips placed, redone, void, lapsed, supplementary; arrivals and their rate, by channel and person.

White paper G. Figures count slips by instants that never change once written: placed and redone by
``ordered_at``, arrived by ``arrived_at``, void by ``closed_at``, lapsed by ``expired_at``. Due are the slips whose
appointment fell on the day and that are neither void nor redone as far as is known when the report is made (which
is why runs are stored); the arrival rate is the share of these whose customer came. Supplementary slips are counted
apart, on the day on which they are made, and neither as due nor as arrivals (R-2.1.3-5).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import and_

from app.models.appointments import AppointmentSlip, Channel, SlipState
from app.models.hr import Department, Employee
from app.reports.base import Report
from app.reports.measures import Breakdown, ByChoice, ByRecord, Drawn, Measure, Rate, Window
from app.words import _l

Slip = AppointmentSlip


def _slips(name: str, label: object, condition: Callable[[Window], Any]) -> Measure:
    return Measure(name, label, Slip, condition)


def _due(day: Window) -> Any:
    return and_(
        day.holds(Slip.appointed_at),
        Slip.state.not_in([SlipState.VOIDED, SlipState.REPLACED]),
        Slip.is_supplement.is_(False),
    )


class AppointmentDaily(Report):
    """RPT-02."""

    name = "appointment_daily"
    number = "RPT-02"
    label = _l("Appointment daily")
    daily = True
    measures = (
        _slips(
            "placed",
            _l("Placed"),
            lambda day: and_(day.holds(Slip.ordered_at), Slip.supersedes_id.is_(None), Slip.is_supplement.is_(False)),
        ),
        _slips("redone", _l("Redone"), lambda day: and_(day.holds(Slip.ordered_at), Slip.supersedes_id.is_not(None))),
        _slips(
            "supplemented",
            _l("Supplementary"),
            lambda day: and_(day.holds(Slip.ordered_at), Slip.is_supplement.is_(True)),
        ),
        _slips("voided", _l("Voided"), lambda day: and_(day.holds(Slip.closed_at), Slip.state == SlipState.VOIDED)),
        # A slip handed over after it had lapsed lapsed in its former owner's hands, and once.
        _slips(
            "expired", _l("Lapsed"), lambda day: and_(day.holds(Slip.expired_at), Slip.expired_at >= Slip.ordered_at)
        ),
        _slips("arrived", _l("Arrivals"), lambda day: and_(day.holds(Slip.arrived_at), Slip.is_supplement.is_(False))),
        _slips("due", _l("Due to come"), _due),
        _slips("due_arrived", _l("Of these arrived"), lambda day: and_(_due(day), Slip.arrived_at.is_not(None))),
    )
    rates = (Rate("rate", _l("Arrival rate"), part="due_arrived", whole="due"),)
    groups = (
        ByChoice("channel", _l("Channel"), {Slip: Slip.channel}, Channel),
        ByRecord("department", _l("Department"), {Slip: Slip.department_id}, Department),
        ByRecord("owner", _l("Owner"), {Slip: Slip.owner_id}, Employee),
    )
    figures = ("placed", "redone", "voided", "expired", "arrived", "rate")
    tables = (
        Breakdown("by_channel", _l("By channel"), ("channel",)),
        Breakdown("by_person", _l("By person"), ("department", "owner")),
    )
    chart = Drawn("grouped", _l("Slips by channel"), "channel", ("placed", "redone", "voided", "expired", "arrived"))


MEASURES = tuple(measure.name for measure in AppointmentDaily.measures)
