"""分诊台: the lines side by side, who is called, who waits, whose turn it is. White paper 2.3; SOP S2, S3, S7."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, func, select

from app.actors import Actor
from app.acts import REGISTRY, Act, Nothing
from app.extensions import db
from app.models.findable import initials_of
from app.models.reception import Visit
from app.models.triage import (
    AssignmentState,
    EveningDuty,
    RotationLine,
    RotationSeat,
    SeatDuty,
    ShiftHandover,
    TriageAssignment,
    TriageRule,
)
from app.panel import acting
from app.panel.board import BoardView, CardFace, Lane, at_once
from app.panel.describe import acts_now, record_url
from app.panel.keys import Key
from app.panel.pages import ActButton, BoardAct, BoardNote, Cell, Link
from app.services.scope import in_scope
from app.services.triage.calling import ASSIGNABLE
from app.services.triage.facts import Choice
from app.services.triage.foreseeing import PassedOn
from app.services.triage.handover import unconfirmed
from app.services.triage.overview import LineNow, SeatNow, Waiting, is_seated, lines_now
from app.services.triage.sentences import kept, told
from app.services.triage.standing import LIVE
from app.words import _, _l

#: The acts of its cards by table, each with the key that does it while the card has the focus.
KEYS = {
    "triage_assignment": {
        "accept": "a", "bring_in": "b", "finish": "f", "skip": "s", "reassign": "r", "leave_unseen": "u",
    },
    "rotation_seat": {"come_on": "d", "pause": "p", "go_off": "x"},
    "visit": {"cancel": "u"},
}  # fmt: skip
#: What is seldom done stands in the menu of a card.
TUCKED = ("pause", "go_off", "cancel", "reassign", "leave_unseen")
MOST_DIGITS = 9
#: Whatever changes in these changes the board.
IN_MARK = (RotationLine, RotationSeat, EveningDuty, ShiftHandover)


@dataclass(frozen=True)
class SeatRow:
    """A seat of a line, with what it has in hand first."""

    line: LineNow
    now: SeatNow

    @property
    def record(self) -> RotationSeat:
        return self.now.seat


@dataclass(frozen=True)
class CallRow:
    """A call of somebody without a seat in the line, or a further one of a seat."""

    line: LineNow
    record: TriageAssignment


@dataclass(frozen=True)
class VisitRow:
    """Who waits; ``digit`` assigns the first of a line from wherever one is on the board."""

    line: LineNow
    now: Waiting
    digit: str = ""

    @property
    def record(self) -> Visit:
        return self.now.visit


class TriageBoard(BoardView):
    """The triage at a glance: a lane for each line, its seats by office order, then who waits."""

    page = "triage_board"
    title = _l("Triage board")
    crumbs = (_l("Service workstation"), _l("Triage"))
    keys = (
        Key(("1", "…", "9"), _l("Assign the first who waits in this line")),
        Key(("a",), _l("She receives: accepted")),
        Key(("s",), _l("Skip her")),
        Key(("b",), _l("Bring the customer in")),
        Key(("f",), _l("Finish")),
        Key(("r",), _l("Reassign")),
        Key(("u",), _l("Left unseen")),
        Key(("d", "p", "x"), _l("On duty, on a break, off duty")),
        Key(("w",), _l("Why?")),
    )

    def keeps_out(self, by: Actor) -> bool:
        """R-S2-9: who has a seat does not see what is asked about before she accepts, whatever her roles."""
        return is_seated(db.session(), by)

    def subject(self, row: Any) -> Any:
        return row.record

    def notes(self, by: Actor, at: datetime) -> Sequence[BoardNote]:
        """Remind of every hand-over of the shift until it is confirmed. F41."""
        if not by.may("shift_handover", "can_show"):
            return []
        return [_reminder(each, by) for each in unconfirmed(db.session(), by)]

    def head_acts(self, by: Actor) -> Sequence[ActButton]:
        act = REGISTRY.find("shift_handover", "hand_over")
        return [acting.button(act)] if act is not None and by.may(act.table, act.permission) else []

    def laid_out(self, by: Actor, at: datetime) -> Sequence[tuple[Lane, Sequence[Any]]]:
        return [
            (
                Lane(f"line-{now.line.id}", now.line.name, empty=_("Nobody has a seat here."), note=_note(now)),
                [*_seat_rows(now), *_visit_rows(now, place)],
            )
            for place, now in enumerate(lines_now(db.session(), by, at), start=1)
        ]

    def counted(self, rows: Sequence[Any]) -> int:
        return sum(isinstance(row, VisitRow) for row in rows)

    def mark(self, by: Actor, at: datetime) -> Select[Any]:
        """What stands on the board changes with these alone, with the minute, and when a limit is over."""
        open_visits = in_scope(Visit, by).where(Visit.closed_at.is_(None), Visit.state.in_(ASSIGNABLE))
        call = TriageAssignment
        calls = in_scope(call, by).where(call.state.in_(LIVE))
        due = calls.where(call.state == AssignmentState.CALLING, call.answer_by_at <= at)
        parts = [_sum_of(Visit, open_visits), _sum_of(call, calls), select(func.count()).select_from(due.subquery())]
        parts += [_sum_of(model, in_scope(model, by)) for model in IN_MARK]
        parts.append(_sum_of(TriageRule, select(TriageRule).where(TriageRule.branch_id == by.branch_id)))
        return select(*(part.scalar_subquery() for part in parts))

    def face(self, row: Any, lane: Lane, by: Actor, at: datetime) -> CardFace:
        if isinstance(row, SeatRow):
            return _seat_face(row, by, at)
        if isinstance(row, CallRow):
            return _call_face(row.line, row.record, by, at, part=_("Seats"))
        return _visit_face(row, at)

    def offers(self, row: Any, by: Actor) -> Sequence[BoardAct]:
        if isinstance(row, CallRow):
            return _offers(row.record, by, but=_due(row.line, row.record))
        if isinstance(row, VisitRow):
            return [*_assigning(row, by), *_offers(row.record, by)]
        calls = [each for call in row.now.calls[:1] for each in _offers(call, by, but=_due(row.line, call))]
        return [*calls, *_offers(row.record, by)]


def _sum_of(model: Any, statement: Select[Any]) -> Select[Any]:
    """Return what changes whenever a row of a statement does, as one text."""
    version = model.row_version if hasattr(model, "row_version") else model.id
    return statement.with_only_columns(func.concat_ws("/", func.count(), func.max(model.updated_at), func.sum(version)))


def _reminder(handover: ShiftHandover, by: Actor) -> BoardNote:
    when = f"{handover.handed_at.astimezone(by.timezone):%H:%M}"
    names = {"giver": handover.from_.name, "taker": handover.to.name, "time": when}
    said = _("%(giver)s handed the triage over to %(taker)s at %(time)s; it is not confirmed yet.", **names)
    label = _("Take over") if handover.to_id == by.employee_id else _("Look at it")
    return BoardNote("warn", said, Link(label, record_url("shift_handover", handover.id)))


# --- rows ----------------------------------------------------------------------------------------------------------


def _seat_rows(now: LineNow) -> list[SeatRow | CallRow]:
    further = [call for seat in now.seats for call in seat.calls[1:]]
    return [*(SeatRow(now, seat) for seat in now.seats), *(CallRow(now, call) for call in (*now.besides, *further))]


def _visit_rows(now: LineNow, place: int) -> list[VisitRow]:
    digit = str(place) if place <= MOST_DIGITS else ""
    return [VisitRow(now, waiting, "" if index else digit) for index, waiting in enumerate(now.waiting)]


def _note(now: LineNow) -> str:
    """Say who is next where no seat of the line is: the supervisor, or nobody and why."""
    if isinstance(now.to, Choice):
        seat = now.to.seat.id if now.to.seat is not None else None
        if seat in [each.seat.id for each in now.seats]:
            return ""
        return _("Next: %(name)s (%(kind)s)", name=now.names[now.to.person_id], kind=now.to.kind.label)
    return _("Nobody can be called now.")


# --- what cards offer ----------------------------------------------------------------------------------------------


def _due(line: LineNow, call: TriageAssignment) -> bool:
    return call.id in line.passed


def _offers(record: Any, by: Actor, *, but: bool = False) -> list[BoardAct]:
    """Return the acts of the board that are possible now, in its order; none on a call whose limit is over."""
    keys = KEYS[record.__tablename__]
    found = {act.name: act for act in acts_now(record, by) if act.name in keys}
    return [] if but else [_offer(found[name], record, key) for name, key in keys.items() if name in found]


def _offer(act: Act, record: Any, key: str) -> BoardAct:
    offer = BoardAct(acting.button(act, record), key, tucked=act.name in TUCKED)
    return at_once(offer, record) if act.form is Nothing else offer


def _assigning(row: VisitRow, by: Actor) -> list[BoardAct]:
    """Offer to give a visit to whom the card shows, and to nobody else should the turn move on. R-S2-7."""
    act, to = REGISTRY.find("triage_assignment", "assign"), row.now.to
    if act is None or not isinstance(to, Choice) or not by.may(act.table, act.permission):
        return []
    label = _("Assign to %(name)s", name=row.line.names[to.person_id])
    button = ActButton(act.name, label, acting.button(act).url, act.icon, "accent" if row.digit else "quiet")
    inputs = {"visit_id": row.record.id, "line_id": row.line.line.id, "expected_id": to.person_id}
    return [at_once(BoardAct(button, row.digit), **inputs)]


# --- faces ---------------------------------------------------------------------------------------------------------


def _seat_face(row: SeatRow, by: Actor, at: datetime) -> CardFace:
    seat, calls = row.now.seat, row.now.calls
    mark = _("Next turn") if row.now.is_next else ""
    name = f"{seat.office_order} · {seat.employee.name}"
    office = _("office %(office)s", office=seat.office) if seat.office else ""
    if not calls:
        since = _clock(seat.state_since_at, by)
        state = Cell(_("Free"), tone="ok") if seat.state is SeatDuty.ON else Cell(str(seat.state.label), tone="mute")
        told_since = _("since %(time)s", time=since) if since and seat.state is not SeatDuty.ON else ""
        lines = [" · ".join(part for part in (office, told_since) if part)]
        return CardFace(name, initials_of(seat.employee.name), str(seat.office_order), lines, state, _("Seats"), mark)
    face = _call_face(row.line, calls[0], by, at, part=_("Seats"))
    duty = "" if seat.state is SeatDuty.ON else str(seat.state.label)
    first = " · ".join(part for part in (office, duty) if part)
    number = f"{seat.office_order} ← {face.number}"
    return replace(face, title=name, mark=mark, number=number, lines=[first, *face.lines])


def _call_face(line: LineNow, call: TriageAssignment, by: Actor, at: datetime, *, part: str) -> CardFace:
    """Return a call as it stands; one whose limit is over is skipped, whoever comes by to write it. R-S2-10."""
    passed = line.passed.get(call.id)
    lines = [f"{call.visit.customer} · {_short(call.visit)}", str(call.method.label)]
    why, since = told(call.why), call.entered_at or call.accepted_at or call.called_at
    state, seconds = Cell(str(call.state.label), tone=call.state.tone), int((at - since).total_seconds())
    if passed is not None:
        until = f"{call.answer_by_at.astimezone(by.timezone):%H:%M:%S}"
        state, seconds = Cell(_("did not answer until %(time)s", time=until), tone="bad"), -1
        lines.append(_passed_to(line, passed))
    elif call.state is AssignmentState.CALLING:
        lines.append(_("passes on at %(time)s", time=f"{call.answer_by_at.astimezone(by.timezone):%H:%M}"))
    return CardFace(
        call.assignee.name, initials_of(call.assignee.name), _short(call.visit), lines, state, part,
        why=why, seconds=seconds if seconds >= 0 else None,
    )  # fmt: skip


def _passed_to(line: LineNow, passed: PassedOn) -> str:
    if isinstance(passed.to, Choice):
        return _("The turn passes on to %(name)s.", name=line.names.get(passed.to.person_id, ""))
    return _("Nobody else can be called.") if passed.to is not None else ""


def _visit_face(row: VisitRow, at: datetime) -> CardFace:
    visit, now = row.now.visit, row.now
    lines = [
        " · ".join((_short(visit), str(visit.visit_type.label), visit.items_text or _("no item named"))),
        _expected(now.wait),
        _("called in vain: %(count)s", count=now.in_vain) if now.in_vain else "",
    ]
    state = Cell(_("waits %(num)s min", num=max(0, int((at - visit.arrived_at).total_seconds()) // 60)), tone="warn")
    return CardFace(
        str(visit.customer), initials_of(str(visit.customer)), _short(visit), lines, state, _("Waiting"),
        why=told(kept(now.to.why)),
    )  # fmt: skip


def _expected(wait: timedelta | None) -> str:
    if wait is None:
        return _("expected: cannot be said yet")
    minutes = round(wait.total_seconds() / 60)
    return _("expected: about %(num)s min", num=minutes) if minutes else _("expected: at once")


def _short(visit: Visit) -> str:
    return visit.visit_no.rpartition("-")[2]


def _clock(moment: datetime | None, by: Actor) -> str:
    return f"{moment.astimezone(by.timezone):%H:%M}" if moment is not None else ""
