"""Long work: declared, asked for in an act's own transaction, done by a worker with exactly one effect.

``@task`` declares a kind of work, ``enqueue`` asks for it, ``TaskRun`` is what the work is told and tells; ``perform``
and ``take_up_again`` are the workers'. See docs/develop/add-a-task.md.
"""

from app.services.tasks.declared import TASKS, TryAgain, label_of, may_read_result, name_of, task
from app.services.tasks.queue import enqueue
from app.services.tasks.rescue import take_up_again
from app.services.tasks.run import Stopped, TaskRun
from app.services.tasks.running import perform, who_asked

__all__ = [
    "TASKS",
    "Stopped",
    "TaskRun",
    "TryAgain",
    "enqueue",
    "label_of",
    "may_read_result",
    "name_of",
    "perform",
    "take_up_again",
    "task",
    "who_asked",
]
