"""Who acts: a person with roles, or the house itself (a job, the demo, a migration)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from zoneinfo import ZoneInfo

DEFAULT_ZONE = "Asia/Shanghai"


class Reach(IntEnum):
    """How far a right reaches over rows. Several roles add up: the widest counts."""

    NONE = 0
    OWN = 1
    DEPARTMENT = 2
    BRANCH = 3
    GROUP = 4


@dataclass(frozen=True)
class Actor:
    """Told to every act and read. ``name`` is what the database's audit reads.

    ``rights`` holds (table, permission) pairs such as ``("appointment_slip", "can_void")``; ``reaches`` maps a
    table to how far its rows are seen; of a table not named, none are. ``watcher_id``: the employee who sees as this
    one; ``name`` is hers then. ``key_id``: the API key through which a program acts in her name.
    """

    name: str
    user_id: int | None = None
    employee_id: int | None = None
    branch_id: int | None = None
    department_id: int | None = None
    department_ids: frozenset[int] = frozenset()
    roles: frozenset[str] = frozenset()
    rights: frozenset[tuple[str, str]] = frozenset()
    reaches: Mapping[str, Reach] = field(default_factory=dict)
    zone: str = DEFAULT_ZONE
    display_name: str = ""
    branch_name: str = ""
    is_house: bool = False
    watcher_id: int | None = None
    key_id: int | None = None

    @property
    def looker_id(self) -> int | None:
        """The employee who really looks: an auditor who sees as another, else oneself."""
        return self.employee_id if self.watcher_id is None else self.watcher_id or None

    @property
    def own_name(self) -> str:
        """The name that stands for her own doing: not that of a program which acts by a key of hers."""
        return self.name if self.key_id is None else f"user:{self.user_id}"

    def may(self, table: str, permission: str) -> bool:
        """Say whether a right stands; the house may everything."""
        return self.is_house or (table, permission) in self.rights

    def reach(self, table: str) -> Reach:
        """Return how far this actor sees rows of a table. Nobody without an employee file sees any."""
        if self.is_house:
            return Reach.GROUP
        return self.reaches.get(table, Reach.NONE)

    @property
    def timezone(self) -> ZoneInfo:
        return ZoneInfo(self.zone)


def house(task: str, *, branch_id: int | None = None, zone: str = DEFAULT_ZONE) -> Actor:
    """Return the house account for a task, such as ``house("job:appointments.expire")``."""
    return Actor(name=f"house:{task}", branch_id=branch_id, zone=zone, display_name="system", is_house=True)
