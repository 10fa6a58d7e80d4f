"""回访情况统计, RPT-07: calls due, done, overdue, their reach and quality, what follows; by person and category.

White paper G and 1.3. Due are the approved plans for a moment in the period; what was cancelled, or waits for approval,
is not due. Every other figure is a part of these, so that a period's shares are of one whole. Done: carried out by now.
On time: on its day by the branch's clock, or, promised for a minute, within the setting's minutes after it. Overdue:
not done though that time has passed. What a call came to is told by its last carrying out; quality is the grade that a
supervisor gave to it. A call of a cover's counts for who made it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Interval, and_, case, func, literal, or_, select
from sqlalchemy.orm import aliased

from app.fields import Pick
from app.models.followup import FollowupCategory, FollowupExecution, FollowupPlan, FollowupReview, PlanState
from app.models.hr import Department, Employee
from app.reports.base import PeriodAndBranch, Report
from app.reports.measures import Breakdown, ByRecord, Drawn, Mean, Measure, Rate, Window
from app.services.followup.overdue import PROMISE_MINUTES
from app.words import _l

Plan, Execution = FollowupPlan, FollowupExecution
DUE = (PlanState.APPROVED, PlanState.EXECUTED, PlanState.CLOSED)


class Narrowing(PeriodAndBranch):
    """Days of a branch, and whose calls about what."""

    department_id = Pick(_l("Department"), table="department")
    executor_id = Pick(_l("Carried out by"), table="employee")
    category_id = Pick(_l("Category"), table="followup_category")


def _of_last(column: Any) -> Any:
    """Return a column of a plan's last carrying out."""
    newest = select(column).where(Execution.plan_id == Plan.id).order_by(Execution.id.desc()).limit(1)
    return newest.correlate(Plan).scalar_subquery()


def _grade() -> Any:
    """Return the grade that the last carrying out of a plan was given."""
    given = select(FollowupReview.quality_score).where(FollowupReview.execution_id == _of_last(Execution.id))
    return given.correlate(Plan).scalar_subquery()


def _due(days: Window) -> Any:
    return and_(days.holds(Plan.planned_at), Plan.state.in_(DUE))


def _until(days: Window) -> Any:
    """Return the moment from which a plan is late: the end of its day, or some minutes after a promised one."""
    day = func.date_trunc("day", func.timezone(days.zone, Plan.planned_at))
    minutes = days.setting(PROMISE_MINUTES)
    return case(
        (Plan.is_promised, Plan.planned_at + literal(timedelta(minutes=minutes), Interval)),
        else_=func.timezone(days.zone, day + literal(timedelta(days=1), Interval)),
    )


def _overdue(days: Window) -> Any:
    return and_(_due(days), Plan.state == PlanState.APPROVED, _until(days) <= (days.at or datetime.now(UTC)))


def _done(*conditions: Any) -> Callable[[Window], Any]:
    return lambda days: and_(_due(days), Plan.state != PlanState.APPROVED, *conditions)


def _on_time(days: Window) -> Any:
    return and_(_done()(days), Plan.executed_at < _until(days))


def _goes_on() -> Any:
    """A next plan that stands, or the end mark. R-2.22-2."""
    following = aliased(Plan)
    stands = select(following.id).where(following.id == Plan.next_plan_id, following.state != PlanState.CANCELLED)
    return or_(Plan.end_flag, stands.correlate(Plan).exists())


def _calls(name: str, label: object, condition: Callable[[Window], Any]) -> Measure:
    return Measure(name, label, Plan, condition)


class FollowupStats(Report):
    """RPT-07."""

    name = "followup_stats"
    number = "RPT-07"
    label = _l("Follow-up figures")
    params = Narrowing
    filters = {"department_id": "department", "executor_id": "person", "category_id": "category"}
    daily = True
    measures = (
        _calls("due", _l("Calls due"), _due),
        _calls("done", _l("Done"), _done()),
        _calls("on_time", _l("Done on time"), _on_time),
        _calls("overdue", _l("Overdue calls"), _overdue),
        _calls("reached", _l("Reached"), _done(_of_last(Execution.reached))),
        _calls("graded", _l("Graded"), _done(_grade().is_not(None))),
        _calls("goes_on", _l("With next plan or end"), _done(_goes_on())),
        _calls("to_slip", _l("Led to a slip"), _done(_of_last(Execution.appointment_slip_id).is_not(None))),
        _calls("abnormal", _l("Abnormal"), _done(_of_last(Execution.abnormal_flag))),
    )
    rates = (
        Rate("done_rate", _l("Done, share"), part="done", whole="due"),
        Rate("on_time_rate", _l("On time, share"), part="on_time", whole="due"),
        Rate("reach_rate", _l("Reached, share"), part="reached", whole="done"),
        Rate("goes_on_rate", _l("With next plan or end, share"), part="goes_on", whole="done"),
        Rate("slip_rate", _l("Led to a slip, share"), part="to_slip", whole="done"),
    )
    means = (Mean("quality", _l("Quality, mean"), of="graded", value=_grade()),)
    groups = (
        ByRecord(
            "person",
            _l("Carried out by"),
            {Plan: func.coalesce(_of_last(Execution.executor_id), Plan.executor_id)},
            Employee,
        ),
        ByRecord("category", _l("Category"), {Plan: Plan.category_id}, FollowupCategory, (FollowupCategory.position,)),
        ByRecord("department", _l("Department"), {Plan: Plan.department_id}, Department),
    )
    columns = (
        "due", "done", "on_time", "overdue", "done_rate", "on_time_rate", "reach_rate", "quality", "goes_on_rate",
        "to_slip", "slip_rate", "abnormal",
    )  # fmt: skip
    figures = (
        "due", "done", "on_time_rate", "overdue", "reach_rate", "quality", "goes_on_rate", "slip_rate", "abnormal",
    )  # fmt: skip
    tables = (
        Breakdown("by_person", _l("By person"), ("person",)),
        Breakdown("by_category", _l("By category"), ("category",)),
        Breakdown("by_person_and_category", _l("By person and category"), ("person", "category")),
    )
    chart = Drawn("grouped", _l("Calls by category"), "category", ("due", "done", "overdue"))
