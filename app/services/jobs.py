"""The house's jobs as people see them: what is declared, how it went, what is due; and running one now.

``app/jobs`` declares them (``JOBS``) and the scheduler runs their slots; nothing runs in here. White paper J; see
docs/decisions/0006-job-slots-in-the-database.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Integer, Select, cast, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, joinedload

from app.actors import Actor, Reach
from app.acts import Outcome, act
from app.errors import InvalidInput, Refusal
from app.fields import HouseForm, Words
from app.models.audit import JobHeartbeat, JobRun
from app.models.base import Labelled
from app.models.tasks import BackgroundTask, TaskState
from app.words import _, _l

#: A slot that nobody has run is overdue after this long; schedulers look several times a minute.
OVERDUE_AFTER = timedelta(minutes=3)
#: A scheduler says that it lives every ten seconds.
SILENT_AFTER = timedelta(minutes=3)
MANUAL = "manual:"


@dataclass(frozen=True)
class Slot:
    """One due run of a job. ``key`` names it for good; ``branch_id`` and ``day`` where it has them."""

    key: str
    due_at: datetime
    branch_id: int | None = None
    day: date | None = None


#: Told the session, the slot and the time; returns a line for the page of runs. Commits nothing itself. A quiet job
#: returns an empty line if nothing was due.
Work = Callable[[Session, Slot, datetime], str]


@dataclass(frozen=True)
class Job:
    """A job: which slots are due now, what is done in one of them, what people call it, when it is due next.

    ``quiet``: a slot in which nothing was due leaves no row; so a look every few seconds fills no table. Its work must
    do no harm when two schedulers do the same slot one after the other, or when a slot is never done at all.
    """

    name: str
    work: Work
    slots: Callable[[Session, datetime], list[Slot]]
    look_every: timedelta
    label: object = ""
    following: Callable[[Session, datetime], datetime | None] = lambda _session, _now: None
    quiet: bool = False


JOBS: dict[str, Job] = {}


def job_label(name: str) -> str:
    """Return what people call a job; one that is no longer declared keeps its name."""
    return str(JOBS[name].label or name) if name in JOBS else name


# --- run now -----------------------------------------------------------------------------------------------------


class WhichJob(HouseForm):
    """A job by its name."""

    job = Words(_l("Job"), required=True, most=80)


@act(JobRun, "run_now", _l("Run now"), form=WhichJob, creates=True, icon="play")
def run_now(session: Session, *, job: str, by: Actor, at: datetime) -> Outcome:
    """Ask the schedulers to run a job's newest due slot at their next look: again if it failed, with all attempts
    before it; if it is done, a slot of its own. Of jobs with a slot per branch, one's own branch's.

    Refuses unknown jobs, jobs of which nothing was ever due, and a job that is waiting to be run already.
    """
    declared = JOBS.get(job)
    if declared is None:
        raise InvalidInput({"job": [_("There is no job of this name.")]})
    newest = _newest_of_each_branch(declared.slots(session, at), by)
    if not newest:
        raise Refusal(_("Nothing of this job is due yet."))
    # Two people who ask at once: the second finds what the first left.
    session.execute(text("select pg_advisory_xact_lock(hashtextextended(:job, 8))"), {"job": job})
    waiting = {_model_of(key) for key in session.scalars(_asked(declared).where(JobRun.attempts == 0))}
    asked = [_ask_for(session, declared, slot, by, at) for slot in newest if slot.key not in waiting]
    if not asked:
        raise Refusal(_("%(job)s is waiting to be run already.", job=job_label(job)))
    return Outcome(
        result=asked[-1], notice=_("%(job)s will be run shortly, at the scheduler's next look.", job=job_label(job))
    )


def _newest_of_each_branch(due: list[Slot], by: Actor) -> list[Slot]:
    everywhere = by.reach("job_run") is Reach.GROUP
    newest = {slot.branch_id: slot for slot in sorted(due, key=lambda slot: slot.due_at)}
    return [slot for slot in newest.values() if everywhere or slot.branch_id in (None, by.branch_id)]


def _asked(job: Job) -> Select[Any]:
    """Select the slots of a job that people asked for and that are not done."""
    return select(JobRun.slot).where(
        JobRun.job == job.name, JobRun.requested_at.is_not(None), JobRun.ended_at.is_(None)
    )


def _ask_for(session: Session, job: Job, slot: Slot, by: Actor, at: datetime) -> JobRun:
    """Leave a row that a scheduler takes up. The row of a slot that runs just now is that run's own when it ends."""
    run = _row(session, job, slot.key, by, at)
    if run.ended_at is not None:
        run = _row(session, job, f"{MANUAL}{at.isoformat(timespec='milliseconds')} {slot.key}", by, at)
    run.attempts, run.requested_at, run.requested_by_id = 0, at, by.employee_id
    return run


def _row(session: Session, job: Job, key: str, by: Actor, at: datetime) -> JobRun:
    """Return a slot's row, locked; a new one, asked for by this person, if there was none."""
    asked = {"attempts": 0, "requested_at": at, "requested_by_id": by.employee_id}
    session.execute(
        insert(JobRun).values(job=job.name, slot=key, **asked).on_conflict_do_nothing(index_elements=["job", "slot"])
    )
    same = (JobRun.job == job.name, JobRun.slot == key)
    return session.scalars(
        select(JobRun).where(*same).with_for_update().execution_options(populate_existing=True)
    ).one()


def asked_slots(session: Session, job: Job, most_attempts: int) -> list[Slot]:
    """Return the slots that people asked for and that are not done, oldest first, due or not."""
    rows = session.execute(
        _asked(job)
        .add_columns(JobRun.requested_at)
        .where(JobRun.attempts < most_attempts)
        .order_by(JobRun.requested_at, JobRun.id)
    ).all()
    return [_slot_of(session, job, key, requested_at) for key, requested_at in rows]


def _model_of(key: str) -> str:
    """Return the key of the slot that a manual one repeats; any other is its own."""
    return key.removeprefix(MANUAL).partition(" ")[2] if key.startswith(MANUAL) else key


def _slot_of(session: Session, job: Job, key: str, requested_at: datetime) -> Slot:
    """Return the slot of a key as it was when it was asked for: a manual one has the branch and day of its model."""
    known = {slot.key: slot for slot in job.slots(session, requested_at)}
    model = known.get(_model_of(key), Slot(key, requested_at))
    return replace(model, key=key)


# --- how it goes -------------------------------------------------------------------------------------------------


class JobState(Labelled):
    """How a job stands."""

    OK = "ok"
    DUE = "due"
    OVERDUE = "overdue"
    FAILING = "failing"
    ASKED = "asked"

    @classmethod
    def labels(cls) -> dict[object, object]:
        return {
            cls.OK: _l("In order"),
            cls.DUE: _l("Due now"),
            cls.OVERDUE: _l("Overdue"),
            cls.FAILING: _l("Failing"),
            cls.ASKED: _l("Will be run shortly"),
        }

    @classmethod
    def tones(cls) -> dict[object, str]:
        return {cls.OK: "ok", cls.DUE: "info", cls.OVERDUE: "warn", cls.FAILING: "bad", cls.ASKED: "info"}


@dataclass(frozen=True)
class Standing:
    """How one job stands now. ``last`` is its newest run that began, ``failures`` how often it failed in a day.
    ``task`` is the long work to which that run handed it, if it did."""

    job: Job
    state: JobState
    last: JobRun | None
    next_at: datetime | None
    failures: int
    task: BackgroundTask | None = None


def standing_of(session: Session, job: Job, now: datetime) -> Standing:
    """Return how a job stands."""
    of_job = select(JobRun).where(JobRun.job == job.name).options(joinedload(JobRun.requested_by))
    last = session.scalars(
        of_job.where(JobRun.started_at.is_not(None)).order_by(JobRun.started_at.desc(), JobRun.id.desc()).limit(1)
    ).one_or_none()
    failed = JobRun.attempts - cast(JobRun.ended_at.is_not(None), Integer)
    failures = session.scalar(
        select(func.sum(func.greatest(failed, 0))).where(
            JobRun.job == job.name, JobRun.started_at > now - timedelta(days=1)
        )
    )
    task = _tasks(session, job, BackgroundTask.request_key == last.slot).get(_model_of(last.slot)) if last else None
    return Standing(job, _state(session, job, now), last, job.following(session, now), failures or 0, task)


def _tasks(session: Session, job: Job, *conditions: Any) -> dict[str, BackgroundTask]:
    """Return the newest task to which a job's slots handed their work, by the key of the slot that it is about."""
    statement = select(BackgroundTask).where(BackgroundTask.actor == f"house:job:{job.name}", *conditions)
    return {_model_of(task.request_key): task for task in session.scalars(statement.order_by(BackgroundTask.id))}


def _state(session: Session, job: Job, now: datetime) -> JobState:
    """Judge by the newest due slot of each branch, the worst first; and by what people asked for.

    Work that was handed to the queue went as its task did.
    """
    due = {slot.branch_id: slot for slot in sorted(job.slots(session, now), key=lambda slot: slot.due_at)}
    keys = {slot.key: slot for slot in due.values()}
    runs = list(
        session.scalars(
            select(JobRun).where(
                JobRun.job == job.name,
                JobRun.slot.in_(keys) | (JobRun.ended_at.is_(None) & JobRun.requested_at.is_not(None)),
            )
        )
    )
    if any(run.attempts == 0 for run in runs):
        return JobState.ASKED
    if any(run.ended_at is None for run in runs):
        return JobState.FAILING
    if keys:
        since = min(slot.due_at for slot in keys.values())
        tasks = _tasks(session, job, BackgroundTask.queued_at >= since)
        if any(key in tasks and tasks[key].state is TaskState.FAILED for key in keys):
            return JobState.FAILING
    if job.quiet:  # a slot without a row is one in which nothing was due; whether anybody looks, its heartbeat says
        return JobState.OK
    absent = set(keys) - {run.slot for run in runs}
    if any(keys[key].due_at < now - OVERDUE_AFTER for key in absent):
        return JobState.OVERDUE
    return JobState.DUE if absent else JobState.OK


@dataclass(frozen=True)
class Scheduler:
    """A scheduler's process and whether it is heard of."""

    host: str
    pid: int
    started_at: datetime
    beat_at: datetime
    is_silent: bool


def schedulers(session: Session, now: datetime) -> list[Scheduler]:
    """Return the schedulers of late, the one last heard of first."""
    return [
        Scheduler(beat.host, beat.pid, beat.started_at, beat.beat_at, beat.beat_at < now - SILENT_AFTER)
        for beat in session.scalars(select(JobHeartbeat).order_by(JobHeartbeat.beat_at.desc(), JobHeartbeat.id))
    ]
