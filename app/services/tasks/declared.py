"""The declaration of long work: a name, what people call it, a function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import Session

from app.actors import Actor
from app.errors import Refusal
from app.services import files, notices

if TYPE_CHECKING:
    from app.models.tasks import BackgroundTask
    from app.services.tasks.run import TaskRun

#: Told the run; returns the sentence that stands when all is done, lazily translated if it may, or None.
Work = Callable[["TaskRun"], object | None]
#: Told a task whose state changed otherwise than by its work.
Follow = Callable[[Session, "BackgroundTask"], None]


class TryAgain(Refusal):
    """Work that cannot be done just now, such as mail while its server is away: it goes back into the queue."""

    def __init__(self, sentence: object, *, after: timedelta) -> None:
        super().__init__(sentence)
        self.after = after


@dataclass(frozen=True)
class Task:
    """A kind of long work. With ``steps`` it commits step by step and goes on from its checkpoint after a break;
    else all of it is one transaction, together with the row that says it is done. ``named`` says from its parameters
    what one piece of it is called. ``result_for`` says from its parameters who, besides the asker, may read the file
    that it made; nobody unless said. ``tells_done`` is False for work that says itself when it is done. ``follow`` is
    told, in the same transaction, of a task that was cancelled, has failed for good, or is tried again: the record
    that waits for it says so too."""

    kind: str
    label: object
    work: Work
    steps: bool = False
    named: Callable[[Mapping[str, Any]], str] | None = None
    result_for: Callable[[Session, Mapping[str, Any], Actor], bool] | None = None
    tells_done: bool = True
    follow: Follow | None = None


TASKS: dict[str, Task] = {}


def task(
    kind: str,
    label: object,
    *,
    steps: bool = False,
    named: Callable[[Mapping[str, Any]], str] | None = None,
    result_for: Callable[[Session, Mapping[str, Any], Actor], bool] | None = None,
    tells_done: bool = True,
    follow: Follow | None = None,
) -> Callable[[Work], Work]:
    """Declare a function as long work; refuses a kind that is declared already."""

    def declare(work: Work) -> Work:
        if kind in TASKS:
            raise ValueError(f"task {kind} is declared twice")
        TASKS[kind] = Task(kind, label, work, steps, named, result_for, tells_done, follow)
        return work

    return declare


def followed(session: Session, task: BackgroundTask) -> None:
    """Let what waits for a task know of its new state, if its kind says how."""
    declared = TASKS.get(task.kind)
    if declared is not None and declared.follow is not None:
        session.flush()
        declared.follow(session, task)


def label_of(kind: str) -> str:
    """Return what people call a kind of work; its name if this version no longer knows it."""
    return str(TASKS[kind].label) if kind in TASKS else kind


def name_of(task: BackgroundTask) -> str:
    """Return what people call a piece of work: what it was asked for, else its kind."""
    declared = TASKS.get(task.kind)
    return declared.named(task.parameters) if declared is not None and declared.named else label_of(task.kind)


def may_read_result(session: Session, task: BackgroundTask, by: Actor) -> bool:
    """Say whether a person may read the file that a task made: its asker, and whoever holds the right on its content.

    To see how far a task is, is not enough; an API key needs the right on the content of her own, too.
    """
    declared = TASKS.get(task.kind)
    own = task.result_file is not None and files.is_own(task.result_file, by)
    if own and (by.key_id is None or (declared is not None and declared.result_for is None)):
        return True
    if declared is None or declared.result_for is None:
        return False
    return declared.result_for(session, task.parameters, by)


notices.FACT_WORDS["task_kind"] = label_of
files.CONTENT_RIGHTS["background_task"] = may_read_result
