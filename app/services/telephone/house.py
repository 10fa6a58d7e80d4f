"""What the house knows of its telephones: settings, the system in use, whose extension it is."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.actors import Actor
from app.acts import act
from app.models.hr import Employee, EmployeeState
from app.models.telephone import PhoneExtension, PhoneSystem, SystemState
from app.services.settings import setting
from app.words import _l

RING_SECONDS = setting(
    "telephone.ring_seconds",
    _l("Length of a ring, seconds"),
    "5",
    "whole",
    least=2,
    most=15,
    help=_l("From one ring to the next; by it the rings before an answer are counted where the system does not."),
    source="2.1.1.1",
)
SETTLE_SECONDS = setting(
    "telephone.settle_seconds",
    _l("A missed call is registered after (seconds)"),
    "60",
    "whole",
    least=10,
    most=3600,
    help=_l("So long the house waits for events that come late; then the call is registered and the return planned."),
    source="R-2.1.1-3",
)
RECORDING_MB = setting(
    "telephone.largest_recording_mb",
    _l("Largest recording that is fetched, MB"),
    "64",
    "whole",
    least=1,
    most=512,
    help=_l("A larger one is not fetched; the call says so."),
    source="R-2.22-7",
)
RECORDING_MONTHS = setting(
    "telephone.recording_months",
    _l("Recordings are kept, months"),
    "6",
    "whole",
    least=6,
    most=240,
    help=_l("Afterwards the recording is removed and the call stays."),
    source="R-2.22-7",
)
DROP_AT = setting(
    "telephone.drop_at",
    _l("Old recordings are removed at"),
    "03:40",
    "clock",
    help=_l("A time when nobody works."),
    source="R-2.22-7",
)


def system_of(session: Session, branch_id: int | None) -> PhoneSystem | None:
    """Return the telephone system that a branch uses, if it has one."""
    return session.scalars(
        select(PhoneSystem).where(PhoneSystem.branch_id == branch_id, PhoneSystem.state == SystemState.IN_USE)
    ).one_or_none()


def who_answers(session: Session, branch_id: int, extension: str | None) -> Employee | None:
    """Return who answers an extension of a branch; None for one of nobody, or of somebody who has left."""
    if extension is None:
        return None
    return session.scalars(
        select(Employee)
        .join(PhoneExtension, PhoneExtension.employee_id == Employee.id)
        .where(
            PhoneExtension.branch_id == branch_id,
            PhoneExtension.extension == extension,
            PhoneExtension.retired_at.is_(None),
            Employee.state == EmployeeState.ACTIVE,
        )
    ).one_or_none()


def own_extension(session: Session, by: Actor) -> str | None:
    """Return the extension through which a person dials: her first that is in use."""
    return session.scalar(
        select(PhoneExtension.extension)
        .where(
            PhoneExtension.employee_id == by.employee_id,
            PhoneExtension.branch_id == by.branch_id,
            PhoneExtension.retired_at.is_(None),
        )
        .order_by(PhoneExtension.id)
        .limit(1)
    )


def retire(session: Session, system: PhoneSystem, *, by: Actor, at: object) -> None:
    """Dial and fetch through a system no more; what it told stays."""


def use_again(session: Session, system: PhoneSystem, *, by: Actor, at: object) -> None:
    """Dial and fetch through a system again; a branch uses one at a time."""


act(
    PhoneSystem,
    "retire",
    _l("Retire"),
    moves={SystemState.IN_USE: SystemState.RETIRED},
    icon="archive",
)(retire)
act(
    PhoneSystem,
    "use_again",
    _l("Use again"),
    moves={SystemState.RETIRED: SystemState.IN_USE},
    icon="arrow-counterclockwise",
)(use_again)
