"""离职: the login is closed at once, everything changes hands in one transaction. White paper 4.2.2, SM-29, GL 45."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.actors import Actor
from app.acts import Outcome, act
from app.errors import InvalidInput, Refusal
from app.fields import Day, Flag, Pick, Words
from app.models.customers import Customer
from app.models.hr import Department, Employee, EmployeeState, HandoverBatch
from app.services.accounts import close_account
from app.services.hr.holdings import HINDRANCES, HOLDINGS, HandingOver, Holding, declare_holding, held_by, told_of
from app.services.hr.organising import FromDay, lock_tree, today_of, working
from app.services.notices import tell
from app.words import _, _l, _n


class Leaving(FromDay):
    """When, why, and who takes over."""

    day_field = "left_on"
    left_on = Day(_l("Last day"), required=True, past=True)
    successor_employee_id = Pick(
        _l("Successor"), table="employee", description=_l("Takes over all that is named above.")
    )
    successor_heads = Flag(_l("The successor becomes head of her departments"))
    reason = Words(_l("Reason"), required=True, least=2, most=500, multiline=True)


def _not_oneself(employee: Employee, by: Actor) -> object | None:
    return _("Nobody records her own leaving.") if employee.id == by.employee_id else None


@act(
    Employee,
    "leave",
    _l("Leaving"),
    form=Leaving,
    moves={EmployeeState.ACTIVE: EmployeeState.LEFT},
    guard=_not_oneself,
    icon="box-arrow-right",
    tone="danger",
    prefill=("successor_employee_id",),
    tells=told_of,
    consequence=_l("Her login is closed at once; what she holds goes to the successor, all of it or nothing."),
)
def leave(
    session: Session,
    employee: Employee,
    *,
    reason: str,
    left_on: date | None = None,
    successor_employee_id: int | None = None,
    successor_heads: bool = False,
    by: Actor,
    at: datetime,
) -> Outcome:
    """Let an employee leave: login closed, everything she holds handed over, all of it remembered in a hand-over.

    Refuses oneself, the last administrator, an administrator unless one is one; a successor who has left, is of another
    branch, is herself, or may not take what waits; no successor where something is held; a day in the future or before
    the hiring; approvals that wait for her alone. White paper 4.2.2: closed the same day, nothing lost.
    """
    left_on = left_on or today_of(by, at)
    _check_day(employee, left_on, by, at)
    _refuse_hindered(session, employee)
    successor = _successor(session, employee, successor_employee_id)
    _lock_customers(session, employee)
    held = held_by(session, employee)
    _refuse_unfit(session, held, successor)
    if employee.user_id is not None:
        close_account(session, employee.user_id, by=by, at=at)
    employee.left_at = at if left_on == today_of(by, at) else datetime.combine(left_on, time(18), by.timezone)
    batch = _written(session, employee, successor, held, reason=reason, left_on=left_on, by=by, at=at)
    batch.counts = {name: len(ids) for name, ids in batch.items.items() if _goes_over(name, successor, successor_heads)}
    handing = HandingOver(session, employee, successor, reason, successor_heads, by, at)
    for holding in HOLDINGS:
        if held[holding.name]:
            holding.hand_over(handing, held[holding.name])
    session.flush()
    _tell_successor(session, batch, employee, successor, by)
    return Outcome(result=batch, notice=_sentence(employee, successor, batch))


def _lock_customers(session: Session, employee: Employee) -> None:
    """Lock the customers of all that changes hands, in the order of their ids, before any slip or number."""
    concerned: set[int] = set()
    for holding in HOLDINGS:
        if holding.customers is not None:
            concerned.update(session.scalars(holding.customers(employee)))
    rows = select(Customer.id).where(Customer.id.in_(sorted(concerned))).order_by(Customer.id)
    session.execute(rows.with_for_update(of=Customer))


def _check_day(employee: Employee, left_on: date, by: Actor, at: datetime) -> None:
    if left_on > today_of(by, at):
        raise InvalidInput({"left_on": [_("This day lies in the future.")]})
    if employee.hired_on is not None and left_on < employee.hired_on:
        raise InvalidInput({"left_on": [_("She was hired on %(day)s.", day=employee.hired_on.isoformat())]})


def _refuse_hindered(session: Session, employee: Employee) -> None:
    """Refuse if work waits for her alone; asked of her as she was, before she left."""
    with session.no_autoflush:
        for hindrance in HINDRANCES:
            said = hindrance(session, employee)
            if said is not None:
                raise Refusal(said)


def _successor(session: Session, employee: Employee, successor_id: int | None) -> Employee | None:
    if successor_id is None:
        return None
    if successor_id == employee.id:
        raise InvalidInput({"successor_employee_id": [_("Please choose somebody else.")]})
    return working(session, successor_id, employee.branch_id, "successor_employee_id")


def _refuse_unfit(session: Session, held: Mapping[str, Sequence[int]], successor: Employee | None) -> None:
    """Refuse if something would be lost: nobody takes it over, or who would may not; each such thing is named."""
    refused: list[str] = []
    for holding in HOLDINGS:
        ids = held[holding.name]
        if not ids:
            continue
        if successor is None and holding.needs_successor:
            raise InvalidInput(
                {
                    "successor_employee_id": [
                        _("She holds %(what)s: %(count)s. Who takes over?", what=holding.label, count=len(ids))
                    ]
                }
            )
        said = holding.refuses(session, successor, ids) if successor is not None else None
        if said is not None:
            refused.append(said)
    if refused:
        raise InvalidInput({"successor_employee_id": refused})


def _written(
    session: Session,
    employee: Employee,
    successor: Employee | None,
    held: Mapping[str, list[int]],
    *,
    reason: str,
    left_on: date,
    by: Actor,
    at: datetime,
) -> HandoverBatch:
    items = {name: ids for name, ids in held.items() if ids}
    batch = HandoverBatch(
        branch_id=employee.branch_id,
        department_id=employee.department_id,
        from_employee_id=employee.id,
        to_employee_id=None if successor is None else successor.id,
        left_on=left_on,
        reason=reason,
        items=items,
        done_at=at,
        done_by_id=by.employee_id,
    )
    session.add(batch)
    session.flush()
    return batch


def _tell_successor(
    session: Session, batch: HandoverBatch, employee: Employee, successor: Employee | None, by: Actor
) -> None:
    if successor is not None and batch.total:
        facts = {"by": by.display_name, "leaver": employee.name, "count": str(batch.total)}
        tell(session, successor.id, "handover_received", batch, **facts)


def _goes_over(name: str, successor: Employee | None, heads: bool) -> bool:
    """Say whether a holding went to the successor; a headship only if she was to become head."""
    holding = next(known for known in HOLDINGS if known.name == name)
    return successor is not None and (heads or not holding.heads_only)


def left_open(batch: HandoverBatch) -> str:
    """Return what went to nobody, such as headships that were not asked for; empty if all changed hands."""
    rest = [
        f"{holding.label} ({len(batch.items[holding.name])})"
        for holding in HOLDINGS
        if batch.items.get(holding.name) and not batch.counts.get(holding.name)
    ]
    return _("Left to nobody: %(what)s.", what=", ".join(rest)) if rest else ""


def _sentence(employee: Employee, successor: Employee | None, batch: HandoverBatch) -> str:
    return " ".join(filter(None, (_went(employee, successor, batch), left_open(batch))))


def _went(employee: Employee, successor: Employee | None, batch: HandoverBatch) -> str:
    if successor is None:
        if batch.items:
            return _("%(name)s has left.", name=employee.name)
        return _("%(name)s has left; there was nothing to hand over.", name=employee.name)
    return _n(
        "%(name)s has left; %(num)s record went to %(successor)s.",
        "%(name)s has left; %(num)s records went to %(successor)s.",
        batch.total,
        name=employee.name,
        successor=successor.name,
    )


# --- what the organisation itself lays in a person's hands ---------------------------------------------------------


def _departments_led(employee: Employee) -> Any:
    return select(Department.id).where(Department.head_id == employee.id)


def _hand_over_departments(handing: HandingOver, ids: Sequence[int]) -> None:
    """Give the headships to the successor, if that was asked for, else leave them open."""
    lock_tree(handing.session, handing.leaver.branch_id)
    head = handing.to if handing.heads else None
    for department in handing.session.scalars(_locked(Department, ids)):
        department.head_id = None if head is None else head.id


def _locked(model: Any, ids: Sequence[int]) -> Any:
    """Return the select of rows to change, locked in the order of their ids."""
    return (
        select(model)
        .where(model.id.in_(ids))
        .order_by(model.id)
        .with_for_update(of=model)
        .execution_options(populate_existing=True)
    )


def _pointing(column: Any) -> Any:
    """Return the select of the colleagues who name an employee as partner or successor."""
    return lambda employee: select(Employee.id).where(column == employee.id, Employee.state == EmployeeState.ACTIVE)


def _repoint(name: str) -> Any:
    """Return the hand-over of a partner or successor: to the new one, or nobody where that would be oneself."""

    def hand_over(handing: HandingOver, ids: Sequence[int]) -> None:
        for colleague in handing.session.scalars(_locked(Employee, ids)):
            to_id = None if handing.to is None or handing.to.id == colleague.id else handing.to.id
            setattr(colleague, name, to_id)

    return hand_over


declare_holding(
    Holding(
        "departments",
        _l("Departments that she leads"),
        "department",
        _departments_led,
        _hand_over_departments,
        needs_successor=False,
        heads_only=True,
        rank=200,
    )
)
declare_holding(
    Holding(
        "partner_of",
        _l("Colleagues whom she covers"),
        "employee",
        _pointing(Employee.partner_employee_id),
        _repoint("partner_employee_id"),
        needs_successor=False,
        rank=210,
    )
)
declare_holding(
    Holding(
        "successor_of",
        _l("Colleagues whose successor she is"),
        "employee",
        _pointing(Employee.successor_employee_id),
        _repoint("successor_employee_id"),
        needs_successor=False,
        rank=220,
    )
)
