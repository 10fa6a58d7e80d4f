"""整改: what an inspection found is put right, then it is closed. SM-31."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.actors import Actor, Reach
from app.acts import Outcome, act
from app.errors import InvalidInput, Refusal
from app.fields import Day, HouseForm, Pick, Words
from app.models.inspection import InspectionState, InspectionTask, InspectionVisit, TaskState
from app.services.hr import working
from app.services.hr.people import may_take
from app.services.notices import KINDS, tell
from app.words import _, _l, _n

KINDS["inspection_task"] = _l("%(by)s gave you a task of the inspection %(number)s until %(day)s: %(what)s")
I = InspectionState  # noqa: E741 (stands for the states, several times below)


class Task(HouseForm):
    """What, by whom, until when."""

    what = Words(_l("What is to be put right"), required=True, least=2, most=1000, multiline=True)
    responsible_id = Pick(_l("Responsible"), table="employee", required=True)
    due_on = Day(_l("Until"), required=True)


@act(
    InspectionVisit,
    "rectify",
    _l("Give a task"),
    form=Task,
    moves={I.LEFT: I.RECTIFYING, I.RECTIFYING: I.RECTIFYING},
    icon="tools",
)
def rectify(
    session: Session,
    inspection: InspectionVisit,
    *,
    what: str,
    responsible_id: int,
    due_on: date,
    by: Actor,
    at: datetime,
) -> Outcome:
    """Give somebody a task of an inspection; she is told. Refuses a day that has passed and who could not see it."""
    person = working(session, responsible_id, inspection.branch_id, "responsible_id")
    if due_on < at.astimezone(by.timezone).date():
        raise InvalidInput({"due_on": [_("This day has passed.")]})
    if not may_take(session, person, InspectionTask.__tablename__):
        raise InvalidInput({"responsible_id": [_("%(name)s has no role that sees such tasks.", name=person.name)]})
    task = InspectionTask(
        branch_id=inspection.branch_id, inspection_id=inspection.id, what=what, responsible_id=person.id, due_on=due_on
    )
    session.add(task)
    session.flush()
    if person.id != by.employee_id:
        tell(
            session, person.id, "inspection_task", task, by=by.display_name, number=inspection.inspection_no,
            day=due_on.isoformat(), what=what,
        )  # fmt: skip
    return Outcome(result=task)


class Mended(HouseForm):
    """How it was put right."""

    done_note = Words(_l("How it was put right"), required=True, least=2, most=1000, multiline=True)


def _hers(task: InspectionTask, by: Actor) -> object | None:
    if by.is_house or by.employee_id == task.responsible_id or by.reach("inspection_task") >= Reach.BRANCH:
        return None
    return _("This task is another's.")


@act(
    InspectionTask,
    "mend",
    _l("Put right"),
    form=Mended,
    moves={TaskState.OPEN: TaskState.DONE},
    guard=_hers,
    icon="check2-circle",
    tone="accent",
)
def mend(session: Session, task: InspectionTask, *, done_note: str, by: Actor, at: datetime) -> None:
    """Note that something was put right, and how."""
    task.done_at, task.done_note, task.done_by_id = at, done_note, by.employee_id


class Closing(HouseForm):
    """The last word."""

    close_note = Words(_l("Closing note"), most=1000, multiline=True)


@act(
    InspectionVisit,
    "close",
    _l("Close"),
    form=Closing,
    moves={I.LEFT: I.CLOSED, I.RECTIFYING: I.CLOSED},
    icon="archive",
)
def close(
    session: Session, inspection: InspectionVisit, *, close_note: str | None = None, by: Actor, at: datetime
) -> None:
    """Close an inspection, by the director. Refuses while a task is open. SM-31."""
    inspection.closed_at, inspection.closed_by_id, inspection.close_note = at, by.employee_id, close_note
    session.flush()
    tasks = select(func.count()).where(
        InspectionTask.inspection_id == inspection.id, InspectionTask.state == TaskState.OPEN
    )
    count = session.scalar(tasks) or 0
    if count:
        raise Refusal(_n("%(num)s task is still open.", "%(num)s tasks are still open.", count))
