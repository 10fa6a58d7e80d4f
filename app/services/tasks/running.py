"""One attempt at a task: taken up, done as the person who asked, ended; a worker calls it for each job.

Exactly one effect: taking up counts ``attempts`` on, and whatever an attempt commits, its end among it, is written
under the condition that the count is still its own. Of two workers that believe to own a task one can commit.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from app.actors import Actor, house
from app.errors import InvalidInput, NotPermitted, OutOfScope, Refusal, first_line
from app.models.api_keys import ApiKey
from app.models.base import METADATA
from app.models.hr import Branch
from app.models.tasks import BackgroundTask, TaskState
from app.services.api_keys import narrowed
from app.services.constraints import sentence_for
from app.services.guard import crossing, reading_as
from app.services.hr import actor_for_user, holders_of
from app.services.notices import tell
from app.services.tasks.attempt import Attempt, take_up
from app.services.tasks.declared import TASKS, TryAgain, followed
from app.services.tasks.queue import defer
from app.services.tasks.run import Stopped, TaskRun, Why
from app.unit import acting_as, unit_of_work
from app.words import _, force_locale

log = logging.getLogger(__name__)

#: How the name of who asked ends if it was a program with an API key.
BY_KEY = re.compile(r" key:(\d+)$")
SAYING_NO = (Refusal, InvalidInput, NotPermitted, OutOfScope)
MOST_FAILURES = 5
#: Pauses before an attempt that the database broke off is made again.
PAUSES = (timedelta(seconds=2), timedelta(seconds=10), timedelta(seconds=60), timedelta(minutes=5))
#: Seconds between attempts to write down how a task ended, while the database cannot be reached.
PATIENCE = (0.5, 1.0, 2.0, 5.0, 10.0)
#: Serialisation and deadlock, connection, resources, operator's intervention.
PASSING = ("40", "08", "53", "57")


def now() -> datetime:
    """Return the clock's time."""
    return datetime.now(UTC)


def never(_in_steps: bool) -> bool:
    """Say that nobody shuts us down."""
    return False


def perform(
    session: Session,
    task_id: int,
    job_id: int | None,
    *,
    clock: Callable[[], datetime] = now,
    shutting_down: Callable[[bool], bool] = never,
    worker: str = "",
) -> TaskState | None:
    """Take a task up under its job, do it, and return the state it is left in; None if it was not there to be taken.

    ``shutting_down`` is told whether the work goes in steps and says whether it has to leave off now; what is left off
    goes back into the queue. A fault is kept with the task; only a database that stays away is raised.
    """
    with acting_as("house:worker"), unit_of_work(session):
        attempt = take_up(session, task_id, job_id, at=clock(), worker=worker)
    if attempt is None:
        return None
    with force_locale(attempt.locale):
        try:
            _do(session, attempt, clock, shutting_down)
        except Stopped as stopped:
            why = stopped.why
            _persist(session, lambda: _leave(session, attempt, why, clock()))
        except SAYING_NO as said:
            log.info("task %s (%s) was refused: %s", task_id, attempt.kind, said)
            refusal = said
            _persist(session, lambda: _break_off(session, attempt, refusal, clock()))
        except Exception as wrong:
            log.exception("task %s (%s) failed", task_id, attempt.kind)
            fault = wrong
            _persist(session, lambda: _break_off(session, attempt, fault, clock()))
    return session.scalar(select(BackgroundTask.state).where(BackgroundTask.id == task_id))


def _do(
    session: Session, attempt: Attempt, clock: Callable[[], datetime], shutting_down: Callable[[bool], bool]
) -> None:
    declared = TASKS.get(attempt.kind)
    if declared is None:
        raise Refusal(_("This version does not know this kind of work."))
    by = who_asked(session, session.get_one(BackgroundTask, attempt.task_id, populate_existing=True))
    session.info["user_id"] = by.user_id
    session.rollback()
    with acting_as(by.name), reading_as(by):
        run = TaskRun(session, attempt, declared, by=by, clock=clock, shutting_down=shutting_down)
        if declared.steps:
            said = declared.work(run)
            session.rollback()
            with unit_of_work(session):
                _end(run, said)
        else:
            with unit_of_work(session):
                _end(run, declared.work(run))


def _end(run: TaskRun, said: object | None) -> None:
    if TASKS[run.task.kind].tells_done:
        tell(run.session, run.task.employee_id, "task_done", run.task, task_kind=run.task.kind)
    run.finish(said)


def who_asked(session: Session, task: BackgroundTask) -> Actor:
    """Return the actor who asked, as she is now; refuses one who has left or whose login is closed since.

    What was asked for with an API key is done with the rights of that key, and refused once the key has ended.
    """
    if task.created_by_id is None:
        branch = session.get(Branch, task.branch_id) if task.branch_id is not None else None
        name = task.actor.removeprefix("house:")
        return house(name) if branch is None else house(name, branch_id=branch.id, zone=branch.zone)
    user = METADATA.tables["ab_user"]
    row = session.execute(
        select(user.c.active, user.c.first_name, user.c.last_name).where(user.c.id == task.created_by_id)
    ).one_or_none()
    if row is not None and row.active:
        by = actor_for_user(session, task.created_by_id, f"{row.first_name} {row.last_name}".strip())
        if by.employee_id == task.employee_id:
            return _as_key(session, by, task)
    raise Refusal(_("The person who asked for this no longer works here; somebody else has to ask for it."))


def _as_key(session: Session, by: Actor, task: BackgroundTask) -> Actor:
    """Return a person narrowed to the API key that asked, if one did; the task's row bears the name of both."""
    if (asked := BY_KEY.search(task.actor)) is None:
        return by
    with crossing("actor"):
        key = session.get(ApiKey, int(asked[1]), populate_existing=True)
    if key is None or key.employee_id != task.employee_id or not key.is_open(now()):
        raise Refusal(_("The API key with which this was asked for has ended; somebody else has to ask for it."))
    return narrowed(by, key)


# --- how it ended ------------------------------------------------------------------------------------------------


def _leave(session: Session, attempt: Attempt, why: Why, at: datetime) -> None:
    """Write down that work stopped before its end: cancelled, or back in the queue for another worker."""
    task = attempt.hold(session)
    if task is None:
        log.warning("task %s (%s): another attempt has it; this one left nothing", attempt.task_id, attempt.kind)
    elif why is Why.CANCELLED or task.cancel_requested_at is not None:
        _end_as(session, task, TaskState.CANCELLED, at)
    else:
        task.become(TaskState.QUEUED)
        task.job_id = defer(session, task.id)


def _break_off(session: Session, attempt: Attempt, wrong: Exception, at: datetime) -> None:
    """Write down a fault: a passing one puts the task back into the queue, with a pause."""
    task = attempt.hold(session)
    if task is None:
        return
    task.failures += 1
    passes = is_passing(wrong) or isinstance(wrong, TryAgain)
    if passes and task.cancel_requested_at is not None:
        _end_as(session, task, TaskState.CANCELLED, at)
    elif passes and task.failures < MOST_FAILURES:
        pause = wrong.after if isinstance(wrong, TryAgain) else PAUSES[min(task.failures, len(PAUSES)) - 1]
        task.become(TaskState.QUEUED)
        task.job_id = defer(session, task.id, not_before=now() + pause)
    else:
        task.error = sentence_of(wrong)
        _end_as(session, task, TaskState.FAILED, at)
        tell_failed(session, task)


def tell_failed(session: Session, task: BackgroundTask) -> None:
    """Tell who asked that a task failed; of the house's own work those of its branch who may run jobs."""
    whom: list[int | None] = [task.employee_id]
    if task.employee_id is None and task.branch_id is not None:
        whom = [*holders_of(session, "job_run", "can_run_now", branch_id=task.branch_id)]
    for employee_id in whom:
        tell(session, employee_id, "task_failed", task, task_kind=task.kind)


def _end_as(session: Session, task: BackgroundTask, state: TaskState, at: datetime) -> None:
    task.become(state)
    task.ended_at = at
    followed(session, task)


def _persist(session: Session, write: Callable[[], None]) -> None:
    """Write in a transaction of its own, again for a while if the database cannot be reached; then raises."""
    for pause in (*PATIENCE, None):
        try:
            session.rollback()
            with acting_as("house:worker"), unit_of_work(session):
                write()
            return
        except DBAPIError as wrong:
            if pause is None or not is_passing(wrong):
                raise
            time.sleep(pause)


def is_passing(wrong: BaseException) -> bool:
    """Say whether a fault is a hiccup of the database, which the same work may not meet again."""
    if not isinstance(wrong, DBAPIError):
        return False
    state = getattr(wrong.orig, "sqlstate", None) or ""
    return wrong.connection_invalidated or state.startswith(PASSING) or (not state and _lost_connection(wrong))


def _lost_connection(wrong: DBAPIError) -> bool:
    return type(wrong.orig).__name__ in ("OperationalError", "ConnectionTimeout", "AdminShutdown")


def sentence_of(wrong: Exception) -> str:
    """Return what the person reads: a rule's own sentence, else the first line of the fault."""
    if isinstance(wrong, Refusal):
        return wrong.sentence
    if isinstance(wrong, InvalidInput):
        return " ".join(sentence for said in wrong.errors.values() for sentence in said)
    if isinstance(wrong, NotPermitted):
        return _("The person who asked for this may no longer do it.")
    if isinstance(wrong, OutOfScope):
        return _("What this is about is no longer there, or no longer to be seen by the person who asked.")
    return sentence_for(wrong) if isinstance(wrong, IntegrityError) else first_line(wrong)
