"""到院看板: who is awaited at the desk today, who is late, who has come. White paper 2.1.2, 2.2; R-2.2.4-1."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from typing import Any

from sqlalchemy import Select, and_, func, or_

from app.actors import Actor
from app.extensions import db
from app.models.appointments import AppointmentSlip, SlipState
from app.models.findable import initials_of
from app.panel.board import BoardView, CardFace, Lane
from app.panel.pages import Cell
from app.services.scope import in_scope, loader
from app.words import _, _l

HERE = (SlipState.ARRIVED, SlipState.COMPLETED)
AWAITED = (SlipState.PENDING, SlipState.EXPIRED)
SOON = timedelta(hours=1)
EAGER = ("customer", "owner", "item_links.item")


def _today(by: Actor, at: datetime) -> Any:
    """Slips awaited today, and those whose customer came today, whatever day was agreed."""
    day = at.astimezone(by.timezone).date()
    start = datetime.combine(day, time.min, by.timezone)
    end = datetime.combine(day + timedelta(days=1), time.min, by.timezone)
    slip = AppointmentSlip
    return or_(
        and_(slip.state.in_(AWAITED), slip.appointed_at >= start, slip.appointed_at < end),
        and_(slip.state.in_(HERE), slip.arrived_at >= start, slip.arrived_at < end),
    )


def _is_late(slip: AppointmentSlip, at: datetime) -> bool:
    return slip.state is SlipState.EXPIRED or (slip.state is SlipState.PENDING and slip.latest_arrival_at < at)


class ArrivalsBoard(BoardView):
    """The day at the desk: late, within the hour, later, arrived."""

    page = "arrivals_board"
    title = _l("Arrivals board")
    crumbs = (_l("Service workstation"), _l("Appointments"))
    acts = ("arrive", "undo_arrival")
    lanes = (
        Lane(
            "late", _l("Overdue today"), _is_late, lambda slip: slip.latest_arrival_at, _l("Nobody is late."), hot=True
        ),
        Lane(
            "soon",
            _l("Within the hour"),
            lambda slip, at: slip.state is SlipState.PENDING and slip.appointed_at <= at + SOON,
            lambda slip: slip.appointed_at,
            _l("Nobody is awaited within the hour."),
        ),
        Lane(
            "later",
            _l("Later today"),
            lambda slip, _at: slip.state is SlipState.PENDING,
            lambda slip: slip.appointed_at,
            _l("Nobody else is awaited today."),
        ),
        Lane(
            "here",
            _l("Arrived"),
            lambda slip, _at: slip.state in HERE,
            lambda slip: -slip.arrived_at.timestamp(),
            _l("Nobody has come yet."),
        ),
    )

    def rows(self, by: Actor, at: datetime) -> Sequence[AppointmentSlip]:
        options = [loader(AppointmentSlip, path) for path in EAGER]
        return db.session().scalars(in_scope(AppointmentSlip, by).where(_today(by, at)).options(*options)).all()

    def mark(self, by: Actor, at: datetime) -> Select[Any]:
        slip = AppointmentSlip
        columns = (func.count(), func.max(slip.updated_at), func.sum(slip.row_version))
        return in_scope(slip, by).where(_today(by, at)).with_only_columns(*columns)

    def face(self, slip: AppointmentSlip, lane: Lane, by: Actor, at: datetime) -> CardFace:
        return CardFace(
            title=str(slip.customer),
            initials=initials_of(str(slip.customer)),
            number=slip.slip_no.rpartition("-")[2],
            lines=[
                " · ".join(part for part in (_hours(slip, by), slip.items_text) if part),
                f"{slip.slip_no} · {slip.owner}",
            ],
            state=_since(slip, by, at),
        )


def _hours(slip: AppointmentSlip, by: Actor) -> str:
    first, last = (each.astimezone(by.timezone) for each in (slip.appointed_at, slip.latest_arrival_at))
    return f"{first:%H:%M}–{last:%H:%M}"


def _since(slip: AppointmentSlip, by: Actor, at: datetime) -> Cell:
    """Return how it stands, and since when."""
    if slip.arrived_at is not None:
        tone = "warn" if slip.is_late else "ok"
        return Cell(_("arrived %(time)s", time=f"{slip.arrived_at.astimezone(by.timezone):%H:%M}"), tone=tone)
    if slip.state is SlipState.EXPIRED:
        return Cell(str(slip.state.label), tone="warn")
    if _is_late(slip, at):
        return Cell(_("late by %(time)s", time=_span(at - slip.latest_arrival_at)), tone="bad")
    if slip.appointed_at <= at:
        return Cell(_("due now"), tone="warn")
    return Cell(
        _("in %(time)s", time=_span(slip.appointed_at - at)), tone="info" if slip.appointed_at <= at + SOON else "mute"
    )


def _span(span: timedelta) -> str:
    hours, minutes = divmod(int(span.total_seconds()) // 60, 60)
    return _("%(hours)s h %(minutes)s min", hours=hours, minutes=minutes) if hours else _("%(num)s min", num=minutes)
