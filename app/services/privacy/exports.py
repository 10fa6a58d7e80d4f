"""Rows that leave the house: for a reason, within a limit or with somebody's approval, marked, logged, for a time.

White paper H.2 ("bulk export needs approval; watermark on screens and prints"), L13, L15. Decision 0028.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app.actors import Actor
from app.acts import act
from app.errors import KeyReused, NotPermitted, Refusal
from app.fields import HouseForm, Reason, Words
from app.filestore import Writing
from app.models.files import FilePurpose
from app.models.hr import Employee
from app.models.privacy import ExportRequest, ExportState, FileFormat
from app.models.tasks import BackgroundTask, TaskState
from app.services.files import CONTENT_RIGHTS, keep_written, writing
from app.services.guard import crossing
from app.services.hr import actor_for_user, holders_of, own_branch
from app.services.notices import KINDS, tell
from app.services.settings import setting, value_of
from app.services.tasks import TaskRun, enqueue, task
from app.services.trail import note
from app.unit import unit_of_work
from app.words import _, _l, force_locale, in_locale, locale_in_force

MOST_ROWS = setting(
    "exports.most_rows",
    _l("Rows that one may export without approval"),
    "500",
    "whole",
    least=0,
    most=1_000_000,
    help=_l("A larger export waits until somebody else approves it."),
    source="H.2",
    group_only=True,
)
AT_ONCE_ROWS = setting(
    "exports.at_once_rows",
    _l("Rows that are exported at once"),
    "2000",
    "whole",
    least=0,
    most=5000,
    help=_l("A larger export is made in the background."),
    source="H.2",
)
MOST_IN_FILE = setting(
    "exports.most_in_file",
    _l("Most rows of one exported file"),
    "200000",
    "whole",
    least=100,
    most=1_000_000,
    help=_l("A list that is longer has to be narrowed down. A worksheet holds 1,048,576 rows."),
    source="H.2",
    group_only=True,
)
KEPT_HOURS = setting(
    "exports.kept_hours",
    _l("How long an exported file is kept, hours"),
    "72",
    "whole",
    least=1,
    most=720,
    help=_l("Afterwards the file is removed; that it was made stays on record."),
    source="H.2",
)
KINDS["export_waits"] = _l("%(by)s wants to export %(count)s rows: %(what)s. Please decide.")
KINDS["export_approved"] = _l("%(by)s approved your export: %(what)s.")
KINDS["export_refused"] = _l("%(by)s refused your export %(what)s: %(reason)s")

MEDIA = {
    FileFormat.CSV: "text/csv; charset=utf-8",
    FileFormat.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    FileFormat.PDF: "application/pdf",
}
TASK = "export.make"


@dataclass(frozen=True)
class Mark:
    """Who takes rows out, when and why: the watermark of the file."""

    who: str
    at: datetime
    reason: str


@dataclass(frozen=True)
class Making:
    """A file to be made: of what, for whom, as what. ``out`` takes its bytes; ``progress`` is told (rows written, rows
    in all) and ends the making if somebody cancels it; ``most`` is how many rows one file holds."""

    parameters: Mapping[str, Any]
    by: Actor
    at: datetime
    file_format: FileFormat
    mark: Mark
    out: Writing
    progress: Callable[[int, int], None]
    most: int


@dataclass(frozen=True)
class Made:
    """How many rows stand in a file that was made, and what it is called without its ending."""

    rows: int
    name: str


@dataclass(frozen=True)
class Source:
    """Where exported rows come from. ``count`` is told (session, parameters, by, at); ``make`` writes the file. They
    see no more than the person does, and raise what her own request for the rows would raise."""

    count: Callable[[Session, Mapping[str, Any], Actor, datetime], int]
    make: Callable[[Session, Making], Made]


SOURCES: dict[str, Source] = {}


@dataclass(frozen=True)
class Wanted:
    """What is asked for: of which source, under which right (``(view, can_export)``), called what, as what, why."""

    source: str
    right: str
    title: object
    parameters: Mapping[str, Any]
    file_format: FileFormat
    reason: str


class Why(HouseForm):
    """Why rows leave the house."""

    reason = Reason.reason


def ask(session: Session, wanted: Wanted, *, by: Actor, at: datetime, key: str, locale: str) -> ExportRequest:
    """Ask for an export: made at once, in the background, or after somebody's approval, by its number of rows.

    The same key asks once. Raises NotPermitted without the right, Refusal for more rows than one file holds and for
    who is no employee of a branch, KeyReused for a key that stands for something else.
    """
    if not by.may(wanted.right, "can_export"):
        raise NotPermitted
    session.info["user_id"] = by.user_id
    with unit_of_work(session):
        branch = own_branch(session, by)
        session.execute(text("select pg_advisory_xact_lock(hashtextextended(:key, 3))"), {"key": f"{by.name} {key}"})
        earlier = _asked_before(session, wanted, by, key)
        if earlier is not None:
            return earlier
        count = SOURCES[wanted.source].count(session, wanted.parameters, by, at)
        refuse_too_many(count, most_in_file(session, at))
        request = ExportRequest(
            branch_id=branch.id,
            department_id=by.department_id,
            source=wanted.source,
            right=wanted.right,
            title={each: in_locale(wanted.title, each) for each in ("zh", "en")},
            parameters=dict(wanted.parameters),
            file_format=wanted.file_format,
            reason=wanted.reason,
            row_count=count,
            state=ExportState.MAKING,
            request_key=key,
            locale=locale,
            asked_by_id=by.employee_id,
            asked_at=at,
        )
        session.add(request)
        session.flush()
        _go_on(session, request, count, by, at)
        return request


def most_in_file(session: Session, at: datetime) -> int:
    """Return how many rows one file may hold."""
    most: int = value_of(session, MOST_IN_FILE, branch_id=None, at=at)
    return most


def refuse_too_many(count: int, most: int) -> None:
    """Refuse more rows than one file holds."""
    if count > most:
        raise Refusal(_("These are more than %(most)s rows. Please narrow the list down.", most=f"{most:,}"))


def _asked_before(session: Session, wanted: Wanted, by: Actor, key: str) -> ExportRequest | None:
    same = (ExportRequest.asked_by_id == by.employee_id, ExportRequest.request_key == key)
    earlier = session.scalars(select(ExportRequest).where(*same)).one_or_none()
    if earlier is None:
        return None
    told = (earlier.source, earlier.right, earlier.parameters, earlier.file_format)
    if told != (wanted.source, wanted.right, dict(wanted.parameters), wanted.file_format):
        raise KeyReused(_("This request key was used before for something else. Please start again."))
    return earlier


def _may_read_export(_session: Session, request: ExportRequest, by: Actor) -> bool:
    """Say whether a program may read an export with its key: its own person's, with the right on what is inside."""
    return request.asked_by_id == by.employee_id and by.may(request.right, "can_export")


CONTENT_RIGHTS[ExportRequest.__tablename__] = _may_read_export


def _go_on(session: Session, request: ExportRequest, count: int, by: Actor, at: datetime) -> None:
    if count > value_of(session, MOST_ROWS, branch_id=by.branch_id, at=at):
        if by.key_id is not None:
            raise Refusal(_("This export needs an approval; a person has to ask for it, no API key."))
        request.state = ExportState.WAITING
        note(session, "export_asked", request, rows=count, format=request.file_format.value, source=request.right)
        for employee_id in holders_of(session, "export_request", "can_approve", branch_id=request.branch_id):
            if employee_id != by.employee_id:
                tell(
                    session,
                    employee_id,
                    "export_waits",
                    request,
                    by=by.display_name,
                    count=str(count),
                    what=str(request),
                )
    elif count > value_of(session, AT_ONCE_ROWS, branch_id=by.branch_id, at=at):
        _enqueue(session, request, by, at)
    else:
        make_file(session, request, by, at)


def _enqueue(session: Session, request: ExportRequest, by: Actor, at: datetime) -> None:
    made = enqueue(
        session,
        TASK,
        {"export_id": request.id, "title": request.title},
        by=by,
        at=at,
        subject=("export_request", request.id),
        total=request.row_count,
    )
    request.task_id = made.id


def _untold(_done: int, _total: int) -> None:
    """Tell nobody how far a file is that is made at once."""


def make_file(
    session: Session,
    request: ExportRequest,
    by: Actor,
    at: datetime,
    progress: Callable[[int, int], None] = _untold,
) -> None:
    """Make the file of an export as the person who asked, with the rights that she has now; it is logged."""
    if not by.may(request.right, "can_export"):
        raise NotPermitted
    most = most_in_file(session, at)
    mark = Mark(by.display_name, at, request.reason)
    with force_locale(request.locale), writing() as out:
        making = Making(request.parameters, by, at, request.file_format, mark, out, progress, most)
        made = SOURCES[request.source].make(session, making)
        refuse_too_many(made.rows, most)
    hours = value_of(session, KEPT_HOURS, branch_id=request.branch_id, at=at)
    request.made_at, request.expires_at = at, at + timedelta(hours=hours)
    kept = keep_written(
        session,
        out.written,
        f"{made.name}.{request.file_format.value}",
        MEDIA[request.file_format],
        purpose=FilePurpose.RESULT,
        by=by,
        at=at,
        subject=("export_request", request.id),
        expires_at=request.expires_at,
    )
    request.file_id, request.row_count = kept.id, made.rows
    request.become(ExportState.READY)
    note(
        session,
        "export",
        request,
        rows=made.rows,
        format=request.file_format.value,
        source=request.right,
        reason=request.reason,
    )


def _called(parameters: Mapping[str, Any]) -> str:
    """Return what an export's task is called: what it exports."""
    title = parameters.get("title") or {}
    return _("Export: %(what)s", what=title.get(locale_in_force(), "")) if title else _("Export")


#: What an export becomes with its task.
BECOMES = {
    TaskState.QUEUED: ExportState.MAKING,
    TaskState.CANCELLED: ExportState.CANCELLED,
    TaskState.FAILED: ExportState.FAILED,
}


def _follow(session: Session, done: BackgroundTask) -> None:
    """Say on the export that its task was cancelled, has failed or is tried again."""
    with crossing("task"):
        request = session.get(ExportRequest, done.parameters["export_id"], populate_existing=True)
    if request is not None and request.task_id == done.id:
        request.become(BECOMES[done.state])


@task(TASK, _l("Export"), named=_called, follow=_follow)
def make_export(run: TaskRun) -> object:
    """Make the file of an export that is large or was approved."""
    # Not locked: only the newest attempt can commit, and one whose worker froze must not keep others waiting.
    request = run.session.get_one(ExportRequest, run.parameters["export_id"])
    make_file(run.session, request, run.by, run.at, run.progress)
    run.progress(request.row_count, request.row_count)
    return _l("The file is ready: see the export.")


# --- the second person -------------------------------------------------------------------------------------------


def _another(request: Any, by: Actor) -> object | None:
    if request.asked_by_id == by.employee_id:
        return _("Who asked for an export cannot decide on it.")
    return None


def _decide(request: ExportRequest, by: Actor, at: datetime, said: str | None) -> None:
    if by.employee_id is None:
        raise Refusal(_("Only an employee of a branch can do this."))
    request.decided_by_id, request.decided_at, request.decision_note = by.employee_id, at, said


class Decision(HouseForm):
    """A word on it, if one likes."""

    remark = Words(_l("Note on the decision"), most=500, multiline=True)


@act(
    ExportRequest,
    "approve",
    _l("Approve"),
    form=Decision,
    moves={ExportState.WAITING: ExportState.MAKING},
    guard=_another,
    icon="check-circle",
    tone="accent",
    consequence=_l("The file is made in the background, as the person who asked sees the rows, and for her alone."),
)
def approve(session: Session, request: ExportRequest, *, remark: str | None, by: Actor, at: datetime) -> None:
    """Approve an export beyond the limit; it is made as the person who asked. H.2."""
    _decide(request, by, at, remark)
    asker = session.get_one(Employee, request.asked_by_id)
    if asker.user_id is None:
        raise Refusal(_("The person who asked for this no longer works here; somebody else has to ask for it."))
    _enqueue(session, request, actor_for_user(session, asker.user_id, asker.name), at)
    note(session, "export_approved", request, rows=request.row_count)
    tell(session, request.asked_by_id, "export_approved", request, by=by.display_name, what=str(request))


@act(
    ExportRequest,
    "refuse",
    _l("Refuse"),
    form=Reason,
    moves={ExportState.WAITING: ExportState.REFUSED},
    guard=_another,
    icon="x-circle",
)
def refuse(session: Session, request: ExportRequest, *, reason: str, by: Actor, at: datetime) -> None:
    """Refuse an export, with the reason; who asked is told."""
    _decide(request, by, at, reason)
    note(session, "export_refused", request, rows=request.row_count)
    tell(session, request.asked_by_id, "export_refused", request, by=by.display_name, what=str(request), reason=reason)


# --- afterwards --------------------------------------------------------------------------------------------------


def expire(session: Session, *, at: datetime) -> int:
    """Remove the files of exports whose time is over; return how many. That they were made stays on record."""
    due = session.scalars(
        select(ExportRequest)
        .where(ExportRequest.state == ExportState.READY, ExportRequest.expires_at <= at)
        .with_for_update(skip_locked=True)
    ).all()
    for request in due:
        request.become(ExportState.EXPIRED)
        if request.file is not None:
            request.file.dropped_at = at
    return len(due)
