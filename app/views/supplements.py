"""服务工作站 → 预约管理 → 补预约单. White paper 2.1.3.3."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import and_, false, or_

from app.actors import Actor
from app.models.appointments import AppointmentSupplementRequest, SupplementState
from app.panel.cards import Shows, card
from app.panel.codes import Code
from app.panel.house_view import HouseView, Sub, Tab
from app.panel.interface import HouseInterface
from app.words import _l

Request = AppointmentSupplementRequest


def waiting_for(by: Actor, _now: datetime) -> Any:
    """Return the condition of the requests that wait for this person: to be decided, or to be executed."""
    table = Request.__tablename__
    turns = [false()]
    if by.may(table, "can_approve"):
        turns.append(Request.state == SupplementState.SUBMITTED)
    if by.may(table, "can_execute"):
        turns.append(and_(Request.state == SupplementState.APPROVED, Request.approver_id != by.employee_id))
    return and_(or_(*turns), Request.requested_by_id != by.employee_id, Request.claimed_owner_id != by.employee_id)


class SupplementRequestsView(HouseView):
    """补预约单: requests, from the asking to the slip."""

    datamodel = HouseInterface(Request)
    codes = (Code("request_no"),)
    group, icon = "appointments", "calendar2-plus"
    crumbs = (_l("Service workstation"), _l("Appointments"))
    list_columns = (
        "request_no",
        "customer",
        "state",
        "claimed_arrived_at",
        "claimed_owner",
        "requested_by",
        "evidence_text",
    )
    labels = {"evidence_text": _l("Evidence")}
    subs = {"claimed_owner": Sub("department"), "requested_by": Sub("requested_at")}
    order_columns = ("request_no", "claimed_arrived_at")
    filters = ("state", "channel", "claimed_owner_id", "requested_by_id", "claimed_arrived_at")
    eager = ("customer", "claimed_owner", "requested_by", "department")
    record_eager = (
        "contact_record",
        "evidence_file",
        "approver",
        "rejected_by",
        "executed_by",
        "resulting_slip",
        "attribution_from",
        "closed_by",
        "branch",
    )
    search_through = "customer"
    quick = (
        Tab("all", _l("All")),
        Tab("waiting", _l("Waiting for me"), waiting_for),
        Tab("mine", _l("Asked by me"), lambda by, now: Request.requested_by_id == by.employee_id),
        Tab("approval", _l("Waits for approval"), lambda by, now: Request.state == SupplementState.SUBMITTED),
        Tab("execution", _l("Waits for execution"), lambda by, now: Request.state == SupplementState.APPROVED),
        Tab(
            "done",
            _l("Settled"),
            lambda by, now: Request.state.not_in([SupplementState.SUBMITTED, SupplementState.APPROVED]),
        ),
    )
    show_sections = (
        (
            _l("Claim"),
            (
                "customer",
                "claimed_arrived_at",
                "claimed_owner",
                "department",
                "channel",
                "intention",
                "need_text",
                "requested_by",
                "requested_at",
                "reason",
            ),
        ),
        (_l("Evidence"), ("evidence_text", "contact_record", "evidence_file")),
        (
            _l("Decision"),
            ("approver", "decided_at", "decision_note", "rejected_by", "rejected_at", "rejection_note"),
        ),
        (
            _l("Execution"),
            ("executed_by", "executed_at", "resulting_slip", "attribution_from", "attribution_moved_at"),
        ),
        (_l("Closing"), ("closed_by", "closed_at", "withdrawn_at")),
    )
    intro = _l(
        "For a customer who came by arrangement and had no slip: one asks, the branch head approves, the IT manager "
        "makes the slip. The three are three people."
    )


card(
    Request.__tablename__,
    "waiting",
    _l("Supplementary slips waiting for you"),
    shows=Shows.ROWS,
    order=10,
    columns=("request_no", "state", "customer", "requested_by"),
    sort="requested_at",
    menu=True,
    hot=True,
)
