"""服务工作站 → 分诊: lines, seats, turns, assignments, rules. White paper 2.3, triage SOP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import and_

from app.actors import Actor
from app.extensions import db
from app.models.triage import (
    AssignmentState,
    EveningDuty,
    HandoverState,
    RotationLine,
    RotationSeat,
    RotationSeatItem,
    RotationTurn,
    ShiftHandover,
    ShiftHandoverVisit,
    TriageAssignment,
    TriageRule,
)
from app.panel.cards import Shows, card
from app.panel.describe import TELLS
from app.panel.house_view import HouseView, Related, Tab, views
from app.panel.interface import HouseInterface
from app.panel.pages import Cell, ColumnHead, RelatedTab, Row, TableView
from app.panel.recording import table_of
from app.panel.registry import Registrar
from app.services.reception.day import day_starts
from app.services.triage.telling import rests_on, why_assignment, why_json, why_turn
from app.views.triage_board import TriageBoard
from app.words import _, _l

CRUMBS = (_l("Service workstation"), _l("Triage"))
OPEN = (AssignmentState.CALLING, AssignmentState.ACCEPTED, AssignmentState.IN_ROOM)


def _why_tab(sentences: Sequence[str]) -> RelatedTab:
    rows = [Row(number, "", [Cell(sentence, wide=True)]) for number, sentence in enumerate(sentences, start=1)]
    return RelatedTab("why", _("Why?"), TableView([ColumnHead("why", _("Reason"))], rows), len(rows))


def _rows_tab(turns: Sequence[RotationTurn], by: Actor) -> RelatedTab:
    columns = ("number", "occurred_at", "employee", "office_order", "kind", "visit", "rule", "reason")
    return RelatedTab(
        "rests-on", _("Rests on these turns"), table_of(views()["rotation_turn"], [*turns], by, columns), len(turns)
    )


def _told_of_call(assignment: TriageAssignment, by: Actor) -> Any:
    return why_json(db.session(), assignment)


def _told_of_turn(turn: RotationTurn, by: Actor) -> Any:
    return {**why_json(db.session(), turn.assignment), "sentences": why_turn(db.session(), turn)}


TELLS[TriageAssignment.__tablename__, "why_told"] = _told_of_call
TELLS[RotationTurn.__tablename__, "why_told"] = _told_of_turn


class TriageAssignmentView(HouseView):
    """Who was called for whom."""

    datamodel = HouseInterface(TriageAssignment)
    crumbs = CRUMBS
    list_columns = ("visit", "line", "assignee", "method", "state", "called_at", "accepted_at", "entered_at")
    show_sections = (
        (
            _l("Assignment"),
            (
                "visit", "line", "assignee", "seat", "method", "rule", "sequence_no", "called_at", "answer_by_at",
                "called_by", "previous",
            ),
        ),
        (
            _l("What became of it"),
            (
                "accepted_at", "entered_at", "skipped_at", "skip_reason", "ended_at", "reason", "complaint",
            ),
        ),
    )  # fmt: skip
    order_columns = ("called_at",)
    default_order = "called_at"
    filters = ("state", "line_id", "assignee_id", "method", "called_at")
    eager = ("visit", "line", "assignee")
    record_eager = ("seat.line", "seat.employee", "called_by", "previous.visit", "previous.assignee")
    quick = (
        Tab("open", _l("Calling and received"), lambda by, now: TriageAssignment.state.in_(OPEN)),
        Tab(
            "mine",
            _l("I am called"),
            lambda by, now: and_(
                TriageAssignment.assignee_id == by.employee_id, TriageAssignment.state == AssignmentState.CALLING
            ),
        ),
        Tab("complaints", _l("Notes to the supervisor"), lambda by, now: TriageAssignment.complaint.is_not(None)),
        Tab("today", _l("Today"), lambda by, now: TriageAssignment.called_at >= day_starts(by, now)),
        Tab("all", _l("All")),
    )
    related = (
        Related(
            "rotation_turn", "assignment_id", _l("Turns"),
            ("number", "occurred_at", "employee", "kind", "rule", "reason"), ("employee", "line"),
        ),
    )  # fmt: skip

    def extra_tabs(self, record: Any, by: Actor) -> list[RelatedTab]:
        """Answer “why?” in sentences, then with the rows of the ledger on which that rests."""
        session = db.session()
        tabs = [_why_tab(why_assignment(session, record))]
        if by.may("rotation_turn", "can_list"):
            tabs.append(_rows_tab(rests_on(session, record), by))
        return tabs


class RotationLineView(HouseView):
    """The queues of a branch."""

    datamodel = HouseInterface(RotationLine)
    crumbs = CRUMBS
    list_columns = ("name", "kind", "supervisor", "position", "branch")
    form_columns = ("branch_id", "name", "kind", "supervisor_id", "position", "retired_at")
    add_only = ("branch_id", "kind")
    order_columns = ("position", "name")
    default_order = "position"
    descending = False
    filters = ("kind",)
    eager = ("supervisor",)
    related = (
        Related(
            "rotation_seat", "line_id", _l("Seats of lines"),
            ("office_order", "office", "employee", "state", "is_designated"), ("employee", "line"),
        ),
    )  # fmt: skip


class RotationSeatView(HouseView):
    """Who sits where in which line."""

    datamodel = HouseInterface(RotationSeat)
    crumbs = CRUMBS
    list_columns = ("line", "office_order", "office", "employee", "state", "state_since_at", "is_designated")
    form_columns = ("branch_id", "line_id", "employee_id", "office", "office_order", "is_designated", "retired_at")
    add_only = ("branch_id", "line_id", "employee_id")
    order_columns = ("office_order",)
    default_order = "office_order"
    descending = False
    filters = ("line_id", "state", "employee_id")
    eager = ("line", "employee")
    related = (Related("rotation_seat_item", "seat_id", _l("Items"), ("item", "retired_at"), ("item", "seat")),)


class RotationSeatItemView(HouseView):
    """For which items a seat is; no menu entry, they show on the seat."""

    datamodel = HouseInterface(RotationSeatItem)
    list_columns = ("seat", "item", "retired_at")
    form_columns = ("seat_id", "item_id", "retired_at")
    add_only = ("seat_id", "item_id")
    eager = ("seat.line", "seat.employee", "item")


class EveningDutyView(HouseView):
    """Who receives in the evening."""

    datamodel = HouseInterface(EveningDuty)
    crumbs = CRUMBS
    list_columns = ("duty_on", "line", "position", "seat", "retired_at")
    form_columns = ("branch_id", "duty_on", "line_id", "seat_id", "position", "retired_at")
    add_only = ("branch_id", "line_id", "seat_id")
    order_columns = ("duty_on", "position")
    default_order = "duty_on"
    filters = ("duty_on", "line_id")
    eager = ("line", "seat.line", "seat.employee")


class RotationTurnView(HouseView):
    """轮排表: the ledger of turns."""

    datamodel = HouseInterface(RotationTurn)
    crumbs = CRUMBS
    list_columns = ("line", "number", "occurred_at", "employee", "kind", "visit", "rule", "reason", "by")
    order_columns = ("number", "occurred_at")
    default_order = "occurred_at"
    filters = ("line_id", "day_on", "employee_id", "kind")
    eager = ("line", "employee", "visit", "by")
    record_eager = ("seat.line", "seat.employee", "assignment.visit", "assignment.assignee")

    def extra_tabs(self, record: Any, by: Actor) -> list[RelatedTab]:
        """Answer “why?” about the row, then show the rows on which its call rests."""
        session = db.session()
        return [_why_tab(why_turn(session, record)), _rows_tab(rests_on(session, record.assignment), by)]


class ShiftHandoverView(HouseView):
    """交接班: who handed the triage to whom, with whom in the house."""

    datamodel = HouseInterface(ShiftHandover)
    crumbs = CRUMBS
    list_columns = ("from_", "to", "state", "handed_at", "confirmed_at")
    show_sections = (
        (_l("Shift hand-over"), ("from_", "to", "state", "handed_at", "confirmed_at", "withdrawn_reason")),
        (_l("Special cases"), ("special_cases",)),
    )
    labels = {"from_": _l("Handed over by")}
    head_acts = ("shift_handover.hand_over",)
    order_columns = ("handed_at",)
    default_order = "handed_at"
    filters = ("state", "from_id", "to_id", "handed_at")
    eager = ("from_", "to")
    quick = (
        Tab("open", _l("To be confirmed"), lambda by, now: ShiftHandover.state == HandoverState.HANDED),
        Tab("all", _l("All")),
    )
    related = (
        Related(
            "shift_handover_visit", "handover_id", _l("Visits handed over"),
            ("visit", "visit_state", "arrived_at", "needs", "assignment", "call_state"),
            ("visit", "assignment.visit", "assignment.assignee", "handover.from_", "handover.to"),
        ),
    )  # fmt: skip
    empty = _l("No hand-over waits to be confirmed.")


class ShiftHandoverVisitView(HouseView):
    """Who was in the house at a hand-over; no menu entry, they show on it."""

    datamodel = HouseInterface(ShiftHandoverVisit)
    list_columns = ("handover", "visit", "visit_state", "arrived_at", "needs", "assignment", "call_state")
    order_columns = ("arrived_at",)
    default_order = "arrived_at"
    eager = ("visit", "handover.from_", "handover.to", "assignment.visit", "assignment.assignee")


class TriageRuleView(HouseView):
    """How a branch applies the rules of rotation."""

    datamodel = HouseInterface(TriageRule)
    crumbs = CRUMBS
    list_columns = ("code", "is_on", "position", "minutes", "day_ends_at", "branch")
    form_columns = ("is_on", "position", "minutes", "day_ends_at")
    order_columns = ("position",)
    default_order = "position"
    descending = False
    filters = ("is_on",)
    intro = _l("The rules of the triage SOP: in force or not, in which order, with which limits. Nothing else decides.")


card(
    "shift_handover",
    "open",
    _l("Shift hand-overs to be confirmed"),
    order=4,
    needs=(("shift_handover", "can_confirm"),),
    menu=True,
    hot=True,
    quiet=True,
)
card(
    "triage_assignment",
    "mine",
    _l("I am called"),
    shows=Shows.ROWS,
    order=2,
    columns=("visit", "line", "called_at", "answer_by_at"),
    sort="answer_by_at",
    needs=(("triage_assignment", "can_complain"),),
    menu=True,
    hot=True,
    nothing=_l("Nobody calls you now."),
)


def register(menu: Registrar) -> None:
    """Register this area's views."""
    menu.page(TriageBoard, group="triage", icon="kanban")
    menu.page(TriageAssignmentView, group="triage", label=_l("Assignments"), icon="signpost-split")
    menu.page(RotationTurnView, group="triage", label=_l("Turns"), icon="list-ol")
    menu.page(ShiftHandoverView, group="triage", label=_l("Shift hand-overs"), icon="arrow-left-right")
    menu.page(ShiftHandoverVisitView)
    menu.page(EveningDutyView, group="triage", label=_l("Evening duty list"), icon="moon")
    menu.page(RotationSeatView, group="triage", label=_l("Seats of lines"), icon="person-badge")
    menu.page(RotationLineView, group="triage", label=_l("Rotation lines"), icon="arrow-repeat")
    menu.page(TriageRuleView, group="triage", label=_l("Triage rules"), icon="sliders")
    menu.page(RotationSeatItemView)
