"""One's own long work, as every page and the tray tell it: each in one statement."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session, joinedload

from app.actors import Actor
from app.models.audit import Notice
from app.models.tasks import OPEN_STATES, BackgroundTask
from app.models.telephone import PhoneExtension

#: How long the tray still shows what has ended.
SHOWN_FOR = timedelta(minutes=10)
MOST_SHOWN = 8


@dataclass(frozen=True)
class OwnWork:
    """Long work of a person: the open pieces and those that ended just now, oldest first; how many notices wait."""

    tasks: list[BackgroundTask]
    notices: int

    @property
    def open_count(self) -> int:
        return sum(task.state in OPEN_STATES for task in self.tasks)


def _unread(by: Actor) -> Any:
    return (
        select(func.count())
        .select_from(Notice)
        .where(Notice.employee_id == by.employee_id, Notice.read_at.is_(None))
        .scalar_subquery()
    )


def unread_and_open(session: Session, by: Actor) -> tuple[int, int, bool]:
    """Return how many notices of a person are unread, how many pieces of her long work are open, and whether she
    answers an extension."""
    if by.employee_id is None:
        return 0, 0, False
    open_ones = (
        select(func.count())
        .select_from(BackgroundTask)
        .where(BackgroundTask.employee_id == by.employee_id, BackgroundTask.state.in_(OPEN_STATES))
        .scalar_subquery()
    )
    answers = (
        select(PhoneExtension.id)
        .where(PhoneExtension.employee_id == by.employee_id, PhoneExtension.retired_at.is_(None))
        .exists()
    )
    row = session.execute(select(_unread(by), open_ones, answers)).one()
    return row[0], row[1], row[2]


def own_work(session: Session, by: Actor, *, at: datetime) -> OwnWork:
    """Return a person's long work for the tray."""
    shown = or_(BackgroundTask.state.in_(OPEN_STATES), BackgroundTask.ended_at > at - SHOWN_FOR)
    rows = session.execute(
        select(BackgroundTask, _unread(by))
        .where(BackgroundTask.employee_id == by.employee_id, shown)
        .options(joinedload(BackgroundTask.result_file))
        .order_by(BackgroundTask.state.in_(OPEN_STATES).desc(), BackgroundTask.id.desc())
        .limit(MOST_SHOWN)
    ).all()
    tasks = sorted((row[0] for row in rows), key=lambda task: task.id)
    return OwnWork(tasks, rows[0][1] if rows else 0)
