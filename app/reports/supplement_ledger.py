"""补预约单台账, RPT-28: requests of a month, what became of them, on what evidence, and whose performance moved.

White paper G, R-2.1.3-5. Requests are counted in the month in which they were asked for, decisions and slips in that
in which they were taken and made; open is what was asked for in the month and waits as far as is known when the
report is made. Supplementary slips stand here and, as a figure of their own, in RPT-02; nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import and_, func, or_
from sqlalchemy.orm import Session, joinedload

from app.actors import Actor
from app.models.appointments import AppointmentSupplementRequest, EvidenceKind, SupplementState
from app.models.hr import Department, Employee
from app.reports.base import Asked, MonthAndBranch, Report
from app.reports.facts import Column, Label, ReportFacts, Table
from app.reports.measures import Breakdown, ByRecord, Drawn, Measure, Window, of_branch
from app.services.scope import in_scope
from app.words import _l

Request = AppointmentSupplementRequest
APPROVED = (SupplementState.APPROVED, SupplementState.EXECUTED, SupplementState.CLOSED)
OPEN = (SupplementState.SUBMITTED, SupplementState.APPROVED)


def _requests(name: str, label: object, condition: Callable[[Window], Any]) -> Measure:
    return Measure(name, label, Request, condition)


def _asked(month: Window) -> Any:
    return month.holds(Request.requested_at)


class SupplementLedger(Report):
    """RPT-28."""

    name = "supplement_ledger"
    number = "RPT-28"
    label = _l("Ledger of supplementary slips")
    params = MonthAndBranch
    measures = (
        _requests("requested", _l("Requested"), _asked),
        _requests(
            "with_file", _l("With a file"), lambda month: and_(_asked(month), Request.evidence_file_id.is_not(None))
        ),
        _requests(
            "with_record",
            _l("With a record"),
            lambda month: and_(_asked(month), Request.contact_record_id.is_not(None)),
        ),
        _requests(
            "approved",
            _l("Approved"),
            lambda month: and_(
                month.holds(Request.decided_at), or_(Request.state.in_(APPROVED), Request.rejected_at.is_not(None))
            ),
        ),
        _requests(
            "rejected",
            _l("Rejected"),
            lambda month: and_(
                month.holds(func.coalesce(Request.rejected_at, Request.decided_at)),
                Request.state == SupplementState.REJECTED,
            ),
        ),
        _requests("withdrawn", _l("Taken back"), lambda month: month.holds(Request.withdrawn_at)),
        _requests("executed", _l("Executed"), lambda month: month.holds(Request.executed_at)),
        _requests("open", _l("Still open"), lambda month: and_(_asked(month), Request.state.in_(OPEN))),
        _requests(
            "moved",
            _l("Performance moved"),
            lambda month: and_(month.holds(Request.executed_at), Request.attribution_moved_at.is_not(None)),
        ),
    )
    groups = (
        ByRecord("department", _l("Owner's department"), {Request: Request.department_id}, Department),
        ByRecord("owner", _l("Owner claimed"), {Request: Request.claimed_owner_id}, Employee),
        ByRecord("requester", _l("Requested by"), {Request: Request.requested_by_id}, Employee),
    )
    figures = ("requested", "approved", "rejected", "executed", "open", "moved")
    tables = (
        Breakdown("by_person", _l("By person"), ("department", "owner")),
        Breakdown("by_requester", _l("By requester"), ("requester",)),
    )
    chart = Drawn(
        "grouped",
        _l("Supplementary slips by department"),
        "department",
        ("requested", "approved", "rejected", "executed", "moved"),
    )

    def gather(self, session: Session, asked: Asked, by: Actor, at: datetime) -> ReportFacts:
        facts = super().gather(session, asked, by, at)
        requests = _of_month(session, self.window(session, asked, at), by)
        return replace(facts, tables=(*facts.tables, _moves(requests), _ledger(requests)))


def _of_month(session: Session, month: Window, by: Actor) -> list[Request]:
    """Return every request to which something happened in the month, in the order of their numbers."""
    columns = (Request.requested_at, Request.decided_at, Request.rejected_at, Request.executed_at)
    happened = [month.holds(column) for column in columns]
    people = (
        "claimed_owner",
        "requested_by",
        "approver",
        "executed_by",
        "attribution_from",
        "resulting_slip",
        "customer",
    )
    statement = (
        in_scope(Request, by)
        .where(of_branch(Request, month), or_(*happened, month.holds(Request.withdrawn_at)))
        .options(*(joinedload(getattr(Request, name)) for name in (*people, "customer", "resulting_slip")))
        .order_by(Request.requested_at, Request.id)
    )
    return list(session.scalars(statement))


def _moves(requests: list[Request]) -> Table:
    """Return from whom to whom performance moved, one line for each request."""
    moved = [request for request in requests if request.attribution_moved_at is not None]
    return Table(
        name="moves",
        title=Label.of(_l("Performance moved")),
        columns=(
            Column("request", Label.of(_l("Request number"))),
            Column("customer", Label.of(_l("Customer"))),
            Column("moved_from", Label.of(_l("Taken from"))),
            Column("moved_to", Label.of(_l("Given to"))),
            Column("since", Label.of(_l("Performance moved from")), "instant"),
        ),
        rows=tuple(
            (
                request.request_no,
                request.customer.customer_no,
                _name(request.attribution_from),
                request.claimed_owner.name,
                request.attribution_moved_at,
            )
            for request in moved
        ),
    )


def _ledger(requests: list[Request]) -> Table:
    return Table(
        name="ledger",
        title=Label.of(_l("Ledger")),
        columns=(
            Column("request", Label.of(_l("Request number"))),
            Column("requested_at", Label.of(_l("Requested at")), "instant"),
            Column("requested_by", Label.of(_l("Requested by"))),
            Column("customer", Label.of(_l("Customer"))),
            Column("owner", Label.of(_l("Owner claimed"))),
            Column("arrived_at", Label.of(_l("Arrived at")), "instant"),
            Column("evidence", Label.of(_l("Evidence"))),
            Column("state", Label.of(_l("State"))),
            Column("approver", Label.of(_l("Approver"))),
            Column("executed_by", Label.of(_l("Executed by"))),
            Column("slip", Label.of(_l("Slip made"))),
        ),
        rows=tuple(
            (
                request.request_no,
                request.requested_at,
                request.requested_by.name,
                request.customer.customer_no,
                request.claimed_owner.name,
                request.claimed_arrived_at,
                _kinds(request),
                Label.of(request.state.label),
                _name(request.approver),
                _name(request.executed_by),
                "" if request.resulting_slip is None else request.resulting_slip.slip_no,
            )
            for request in requests
        ),
    )


def _name(employee: Employee | None) -> str:
    return "" if employee is None else employee.name


def _kinds(request: Request) -> Label:
    """Return the kinds of evidence in both languages."""
    labels = [Label.of(EvidenceKind(kind).label) for kind in request.evidence_kinds]
    return Label(zh="、".join(label.zh for label in labels), en=", ".join(label.en for label in labels))
