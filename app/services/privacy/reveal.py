"""Showing one masked value in full: for a reason, in the book, within a daily quota. R-2.1.1-4, H.2."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time
from enum import StrEnum
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from app.actors import Actor
from app.acts import Outcome, act
from app.errors import InvalidInput, NotPermitted, OutOfScope, Refusal
from app.fields import Choose, HouseForm, Reason
from app.models.appointments import ContactRecord
from app.models.audit import SensitiveViewLog, Way
from app.models.base import Base, described
from app.models.customers import Customer, CustomerContact, FileState, mask
from app.models.hr import Department, Employee
from app.models.messages import Message
from app.models.privacy import CustomerConsent
from app.models.reception import ReceptionForm
from app.models.telephone import PhoneCall
from app.services.customers.states import closed_file
from app.services.fieldrights import sees
from app.services.hr import holders_of
from app.services.looks import NO_RIGHT, NOT_IN_SCOPE, log_look
from app.services.notices import KINDS, tell
from app.services.settings import setting, value_of
from app.services.trail import note
from app.words import _, _l

QUOTA = setting(
    "privacy.reveals_told",
    _l("Masked values shown to one person a day before her supervisor is told"),
    "30",
    "whole",
    least=1,
    most=1000,
    help=_l("The look after this many is still allowed; the head of the department learns of it."),
    source="H.2",
    group_only=True,
)
HARD_LIMIT = setting(
    "privacy.reveals_most",
    _l("Masked values shown to one person a day at most"),
    "60",
    "whole",
    least=1,
    most=2000,
    help=_l("Beyond it every look is refused until the next day of the branch."),
    source="H.2",
    group_only=True,
)
KINDS["reveal_quota"] = _l("%(who)s has looked at more than %(count)s masked values today.")
KINDS["reveal_limit"] = _l("%(who)s has reached the limit of %(count)s masked values a day; further looks are refused.")

#: Which columns of which table can be shown in full.
REVEALED: dict[str, tuple[str, ...]] = {}


def revealable(model: Any, *columns: str) -> None:
    """Declare that sensitive columns of a table can be shown in full: the act ``reveal``, its button, its REST call.

    A table with several columns asks which one (``field``). The right is ``reveal`` of the table.
    """
    REVEALED[model.__tablename__] = columns
    several = len(columns) > 1

    @act(
        model,
        "reveal",
        _l("Show in full"),
        form=_form_of(model, columns) if several else Reason,
        guard=_guard_of(columns),
        denied=_denied_for(columns),
        icon="eye",
        consequence=_l("Who looked, when and why is kept."),
    )
    def reveal(session: Session, record: Any, *, by: Actor, at: datetime, **said: Any) -> Outcome:
        """Show one masked value in full, for a reason that is kept, within the day's quota. R-2.1.1-4, H.2."""
        return _reveal(session, record, str(said.get("field") or columns[0]), said["reason"], by, at)


def _form_of(model: Any, columns: Sequence[str]) -> type[HouseForm]:
    """Return the form that asks which value and why."""

    class _Named(StrEnum):
        @property
        def label(self) -> object:
            column = described(getattr(model, self.value))
            assert column is not None
            return column.label

    options: Any = _Named(f"{model.__name__}Field", {name: name for name in columns})  # type: ignore[call-arg]

    class Which(HouseForm):
        field = Choose(_l("What to show"), options=options, required=True)
        reason = Reason.reason

    return Which


def _guard_of(columns: Sequence[str]) -> Any:
    def guard(record: Any, by: Actor) -> object | None:
        """What a customer wished deleted is shown to nobody (SM-01); what is empty cannot be shown."""
        customer = record if isinstance(record, Customer) else getattr(record, "customer", None)
        if isinstance(customer, Customer) and customer.state is FileState.RESTRICTED:
            return closed_file(customer)
        if all(getattr(record, name) is None for name in columns):
            return _("There is nothing to show.")
        return None

    return guard


def _reveal(session: Session, record: Any, field: str, reason: str, by: Actor, at: datetime) -> Outcome:
    if not sees(type(record), field, by):
        raise NotPermitted
    value = getattr(record, field)
    if value is None:
        raise InvalidInput({"field": [_("There is nothing to show.")]})
    within_quota(session, record, by, at)
    log_look(session, Way.REVEAL, record.__tablename__, record.id, field, reason, by)
    note(session, "reveal", record, field=field)
    masked = record.masked if isinstance(record, CustomerContact) else mask(None, value)
    return Outcome(shown=value, notice=masked)


def within_quota(session: Session, record: Any, by: Actor, at: datetime) -> None:
    """Count this look; tell the supervisor after so many, refuse beyond the limit. One person's looks count one by
    one, however many are asked for at once, on screen and by any of her keys."""
    who = by.name if by.looker_id is None else by.looker_id
    session.execute(text("select pg_advisory_xact_lock(hashtextextended(:who, 2))"), {"who": f"reveal {who}"})
    seen = _looks_today(session, by, at)
    most: int = value_of(session, HARD_LIMIT, branch_id=by.branch_id, at=at)
    told_after: int = value_of(session, QUOTA, branch_id=by.branch_id, at=at)
    if seen >= most:
        raise Refusal(
            _("You have looked at %(count)s masked values today; more is not possible before tomorrow.", count=most)
        )
    if seen == told_after:
        _tell_supervisor(session, "reveal_quota", by, told_after, record)
    if seen + 1 == most:
        _tell_supervisor(session, "reveal_limit", by, most, record)


def _looks_today(session: Session, by: Actor, at: datetime) -> int:
    """Return how many values were shown to a person on this day of her branch."""
    day = at.astimezone(by.timezone).date()
    hers = SensitiveViewLog.actor == by.name
    if by.looker_id is not None:
        hers = SensitiveViewLog.employee_id == by.looker_id
    statement = select(func.count()).where(
        hers,
        SensitiveViewLog.way == Way.REVEAL,
        SensitiveViewLog.denied.is_(None),
        SensitiveViewLog.at >= datetime.combine(day, time.min, by.timezone),
    )
    return session.scalar(statement) or 0


def _tell_supervisor(session: Session, kind: str, by: Actor, count: int, record: Base) -> None:
    note(session, kind, record, count=count)
    about = session.get(Employee, by.employee_id) if by.employee_id is not None else None
    for employee_id in supervisors_of(session, by):
        tell(session, employee_id, kind, about if about is not None else record, who=by.display_name, count=str(count))


def supervisors_of(session: Session, by: Actor) -> list[int]:
    """Return whom to tell of a person: the nearest head above her who is somebody else, else who reads the book."""
    department = session.get(Department, by.department_id) if by.department_id is not None else None
    while department is not None:
        if department.head_id is not None and department.head_id != by.employee_id:
            return [department.head_id]
        department = department.parent
    if by.branch_id is None:
        return []
    readers = holders_of(session, "sensitive_view_log", "can_list", branch_id=by.branch_id)
    return [employee_id for employee_id in readers if employee_id != by.employee_id]


def _denied_for(columns: Sequence[str]) -> Any:
    """Return what keeps a denied look: one row, as for a granted one. H.2; trust target 20."""

    def denied(session: Session, table: str, record_id: int, by: Actor, wrong: Exception) -> None:
        because = {NotPermitted: NO_RIGHT, OutOfScope: NOT_IN_SCOPE}.get(type(wrong)) or str(wrong)
        field = columns[0] if len(columns) == 1 else ""
        log_look(session, Way.REVEAL, table, record_id, field, "", by, denied=because)
        note(session, "reveal_denied", table=table, record_id=record_id, because=because)

    return denied


revealable(CustomerContact, "value")
revealable(Customer, "id_no")
revealable(Employee, "phone", "id_no")
revealable(ContactRecord, "caller_no")
revealable(CustomerConsent, "guardian_name")
revealable(Message, "recipient")
revealable(PhoneCall, "number")
revealable(ReceptionForm, "phone", "referrer_phone")
