"""The declaration of long work: a name, what people call it, a function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app.services import notices

if TYPE_CHECKING:
    from app.models.tasks import BackgroundTask
    from app.services.tasks.run import TaskRun

#: Told the run; returns the sentence that stands when all is done, lazily translated if it may, or None.
Work = Callable[["TaskRun"], object | None]


@dataclass(frozen=True)
class Task:
    """A kind of long work. With ``steps`` it commits step by step and goes on from its checkpoint after a break;
    else all of it is one transaction, together with the row that says it is done. ``named`` says from its parameters
    what one piece of it is called."""

    kind: str
    label: object
    work: Work
    steps: bool = False
    named: Callable[[Mapping[str, Any]], str] | None = None


TASKS: dict[str, Task] = {}


def task(
    kind: str, label: object, *, steps: bool = False, named: Callable[[Mapping[str, Any]], str] | None = None
) -> Callable[[Work], Work]:
    """Declare a function as long work; refuses a kind that is declared already."""

    def declare(work: Work) -> Work:
        if kind in TASKS:
            raise ValueError(f"task {kind} is declared twice")
        TASKS[kind] = Task(kind, label, work, steps, named)
        return work

    return declare


def label_of(kind: str) -> str:
    """Return what people call a kind of work; its name if this version no longer knows it."""
    return str(TASKS[kind].label) if kind in TASKS else kind


def name_of(task: BackgroundTask) -> str:
    """Return what people call a piece of work: what it was asked for, else its kind."""
    declared = TASKS.get(task.kind)
    return declared.named(task.parameters) if declared is not None and declared.named else label_of(task.kind)


notices.FACT_WORDS["task_kind"] = label_of
