"""Plain data: tables that an office keeps by adding and editing rows, with history, checks and no deletion."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import inspect, select, text
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import get_history
from sqlalchemy.orm.exc import StaleDataError

from app.actors import DEFAULT_ZONE, Actor, Reach
from app.errors import InvalidInput, KeyReused, NotPermitted, OutOfScope, Refusal, Stale
from app.keyring import ring
from app.models.audit import ActRun
from app.models.base import Base, Branched, described, models
from app.models.customers import Customer, FieldRequirement
from app.models.hr import Branch, Department, Employee
from app.models.settings import ReachChoice, RoleOverride, RoleReach
from app.roles import ROLES
from app.services.constraints import sentence_for
from app.services.customers.files import refuse_referrer_of_partner
from app.services.customers.identity import take_from_id_number
from app.services.customers.states import closed_file
from app.services.fieldrights import sees
from app.services.guard import crossing
from app.services.runner import stored
from app.services.scope import expressible, in_scope
from app.unit import unit_of_work
from app.words import _

MOST_SURGICAL_LEVEL = 4
Check = Callable[[Session, Any, Actor], None]
_CHECKS: dict[str, list[Check]] = {}


def checks(model: type[Base]) -> Callable[[Check], Check]:
    """Declare a rule that every saved row of a table must meet; it raises ``InvalidInput`` or ``Refusal``."""

    def declare(check: Check) -> Check:
        _CHECKS.setdefault(model.__tablename__, []).append(check)
        return check

    return declare


def save(
    session: Session,
    model: type[Base],
    values: Mapping[str, Any],
    *,
    by: Actor,
    at: datetime,
    record_id: int | None = None,
    row_version: int | None = None,
    key: str | None = None,
) -> Any:
    """Add a row, or change one in scope; write its history. Returns the record.

    Raises NotPermitted, OutOfScope, Stale, InvalidInput, and Refusal for what the schema refuses.
    """
    if not by.may(model.__tablename__, "can_add" if record_id is None else "can_edit"):
        raise NotPermitted
    unknown = [name for name in values if not sees(model, name, by)]
    if unknown:
        raise InvalidInput({name: [_("There is no such input.")] for name in unknown})
    session.info["user_id"] = by.user_id
    key = key or uuid.uuid4().hex
    told = _hash(model, record_id, values)
    try:
        with unit_of_work(session), crossing("act"):
            # A second click on Save waits here for the first, then finds its answer.
            session.execute(
                text("select pg_advisory_xact_lock(hashtextextended(:key, 1))"), {"key": f"{by.name} {key}"}
            )
            earlier = session.scalars(
                select(ActRun).where(ActRun.actor == by.name, ActRun.request_key == key)
            ).one_or_none()
            if earlier is not None:
                return _replay(session, model, earlier, told)
            record = _new(model) if record_id is None else _locked(session, model, record_id, by, row_version)
            changed = {name: value for name, value in values.items() if getattr(record, name) != value}
            for name, value in changed.items():
                setattr(record, name, value)
            session.add(record)
            check_record(session, record, by)
            session.flush()
            _write_history(session, model, record, changed, by=by, at=at, key=key, told=told, added=record_id is None)
            return record
    except IntegrityError as wrong:
        raise Refusal(sentence_for(wrong)) from wrong
    except StaleDataError as wrong:
        raise Stale(_("Somebody changed this record in the meantime. Please look at it again.")) from wrong
    except DataError as wrong:
        raise Refusal(_("A value does not fit. Please check what you typed.")) from wrong


def check_record(session: Session, record: Any, by: Actor) -> None:
    """Raise ``InvalidInput`` or ``Refusal`` if a row of plain data breaks a rule of its table."""
    _check_branch(record, by)
    with session.no_autoflush:
        for check in _CHECKS.get(type(record).__tablename__, ()):
            check(session, record, by)


def _hash(model: type[Base], record_id: int | None, values: Mapping[str, Any]) -> str:
    given = sorted((name, str(stored(value))) for name, value in values.items())
    return ring().digest("inputs", repr([model.__tablename__, record_id, given]))


def _replay(session: Session, model: type[Base], earlier: ActRun, told: str) -> Any:
    """Return what the same request made before; the same key must stand for the same inputs."""
    if earlier.inputs_hash != told:
        raise KeyReused(_("This request key was used before for something else. Please start again."))
    return session.get(model, earlier.record_id)


def _new(model: type[Base]) -> Any:
    record: Any = model()
    return record


def _check_branch(record: Any, by: Actor) -> None:
    """A row belongs to one's own branch; only who sees the group may say another."""
    if not isinstance(record, Branched):
        return
    branch_id: int | None = record.branch_id or by.branch_id
    if branch_id is None:
        raise InvalidInput({"branch_id": [_("Please choose a branch.")]})
    record.branch_id = branch_id
    if branch_id != by.branch_id and by.reach(type(record).__tablename__) is not Reach.GROUP:  # type: ignore[attr-defined]
        raise InvalidInput({"branch_id": [_("Not a valid choice.")]})


def _locked(session: Session, model: type[Base], record_id: int, by: Actor, row_version: int | None) -> Any:
    record: Any = session.scalars(
        in_scope(model, by)
        .where(model.id == record_id)
        .with_for_update(of=model)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if record is None:
        raise OutOfScope
    if row_version is not None and row_version != getattr(record, "row_version", row_version):
        raise Stale(_("Somebody changed this record in the meantime. Please look at it again."))
    return record


def _write_history(
    session: Session,
    model: type[Base],
    record: Any,
    changed: Mapping[str, Any],
    *,
    by: Actor,
    at: datetime,
    key: str,
    told: str,
    added: bool,
) -> None:
    inputs = {}
    for name, value in changed.items():
        column = described(getattr(model, name))
        inputs[name] = "***" if column is not None and column.sensitive else stored(value)
    session.add(
        ActRun(
            actor=by.name,
            request_key=key,
            table_name=model.__tablename__,
            record_id=record.id,
            act="add" if added else "edit",
            inputs=inputs,
            inputs_hash=told,
            employee_id=by.employee_id,
            branch_id=getattr(record, "branch_id", by.branch_id) or by.branch_id,
            occurred_at=at,
        )
    )


@checks(Customer)
def _customer(session: Session, customer: Customer, by: Actor) -> None:
    """R-2.1.1-5 holds however the file is edited; a customer keeps a name or alias; a closed file stays as it is."""
    closed = closed_file(customer)
    if closed is not None:
        raise Refusal(closed)
    if not (customer.name or customer.alias):
        raise InvalidInput({"name": [_("A name or an alias, please.")]})
    refuse_referrer_of_partner(
        session,
        channel_partner_id=customer.channel_partner_id,
        referrer_id=customer.referrer_customer_id,
        source_id=customer.source_channel_id,
    )
    if customer.referrer_customer_id is not None and customer.referrer_customer_id == customer.id:
        raise InvalidInput({"referrer_customer_id": [_("A customer cannot refer herself.")]})
    if customer.id_no and get_history(customer, "id_no").added:
        take_from_id_number(customer)


@checks(FieldRequirement)
def _requirement(session: Session, requirement: FieldRequirement, by: Actor) -> None:
    """What a branch demands is the branch's; what the group demands, its administrator's. R-1.2-1."""
    if requirement.branch_id != by.branch_id and by.reach("field_requirement") is not Reach.GROUP:
        raise InvalidInput(
            {"branch_id": [_("Please choose your own branch; the group's values are kept by its administrator.")]}
        )


@checks(Branch)
def _branch(session: Session, branch: Branch, by: Actor) -> None:
    """A branch keeps its own file, unless one sees the group; its clock exists, its surgical level is one."""
    if branch.id != by.branch_id and by.reach("department") is not Reach.GROUP:
        raise Refusal(_("This is another branch's file."))
    try:
        ZoneInfo(branch.zone or DEFAULT_ZONE)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        raise InvalidInput({"zone": [_("There is no time zone of this name; Asia/Shanghai is one.")]}) from None
    if not 1 <= (branch.surgical_level_max or 1) <= MOST_SURGICAL_LEVEL:
        raise InvalidInput(
            {"surgical_level_max": [_("A whole number from %(least)s to %(most)s, please.", least=1, most=4)]}
        )


@checks(RoleOverride)
def _override(session: Session, override: RoleOverride, by: Actor) -> None:
    """A change names a role that exists, and a permission as the rights table writes it."""
    if override.role not in ROLES:
        raise InvalidInput({"role": [_("There is no role of this name.")]})
    if not override.permission.startswith("can_"):
        raise InvalidInput({"permission": [_("A permission begins with can_, such as can_void.")]})


@checks(RoleReach)
def _reach(session: Session, changed: RoleReach, by: Actor) -> None:
    """A changed reach names a role and a table that exist, and a reach by which the table's rows can be told apart."""
    if changed.role not in ROLES:
        raise InvalidInput({"role": [_("There is no role of this name.")]})
    model = models().get(changed.table_name)
    if model is None:
        raise InvalidInput({"table_name": [_("There is no table of this name.")]})
    possible = expressible(model)
    if not possible:
        said = _("The reach over “%(table)s” cannot be set: %(why)s", table=model.TITLES, why=_why(model))
        raise InvalidInput({"table_name": [said]})
    if changed.reach.reach not in possible:
        labels = ", ".join(str(choice.label) for choice in ReachChoice if choice.reach in possible)
        raise InvalidInput(
            {"reach": [_("The rows of “%(table)s” know these only: %(labels)s.", table=model.TITLES, labels=labels)]}
        )


def _why(model: type[Base]) -> str:
    scope = model.SCOPE
    if scope is None or scope.via is None:
        return _("whoever has the right sees all rows.")
    parent = inspect(model).relationships[scope.via].mapper.class_
    return _("it follows “%(table)s”.", table=parent.TITLES)


@checks(Department)
def _department(session: Session, department: Department, by: Actor) -> None:
    """A new department stands under an open one of its branch; afterwards the act ``move`` alone changes that."""
    parent = session.get(Department, department.parent_id) if department.parent_id is not None else None
    if parent is not None and parent.branch_id != department.branch_id:
        raise InvalidInput({"parent_id": [_("Not a valid choice.")]})
    if parent is not None and parent.retired_at is not None and department.id is None:
        raise InvalidInput({"parent_id": [_("This department is closed.")]})
    if department.valid_from and department.valid_to and department.valid_to < department.valid_from:
        raise InvalidInput({"valid_from": [_("The end cannot lie before the beginning.")]})


@checks(Employee)
def _employee(session: Session, employee: Employee, by: Actor) -> None:
    """An employee's department lies in her branch; partner and successor are others."""
    department = session.get_one(Department, employee.department_id)
    if employee.branch_id != department.branch_id:
        raise InvalidInput({"department_id": [_("This department belongs to another branch.")]})
    for field in ("partner_employee_id", "successor_employee_id"):
        if getattr(employee, field) is not None and getattr(employee, field) == employee.id:
            raise InvalidInput({field: [_("Please choose somebody else.")]})
