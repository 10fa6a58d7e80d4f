"""Whose rows: the one place that turns a model's SCOPE and an actor's reach into a condition."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, Select, false, inspect, or_, select
from sqlalchemy.orm import Session, joinedload, selectinload, undefer

from app.actors import Actor, Reach
from app.models.base import ALSO_OWN, Base, models
from app.models.hr import Employee

#: The execution option by which a statement says of which tables it selects rows in scope only.
IN_SCOPE = "in_scope"


def scope_clause(model: type[Base], by: Actor) -> ColumnElement[bool] | None:
    """Return the condition under which this actor sees rows of a table; None means all of them.

    Fails closed: an actor without an employee file, or a reach that no column can express, sees nothing. Only the
    reach over the whole group needs no file: the first administrator has none while she founds the organisation.
    """
    scope = model.SCOPE
    if scope is None:
        return false()
    if by.is_house or scope.shared:
        return None
    if scope.via is not None:
        parent = inspect(model).relationships[scope.via]
        clause = scope_clause(parent.mapper.class_, by)
        return None if clause is None else getattr(model, scope.via).has(clause)
    return _by_columns(model, by)


def _by_columns(model: type[Base], by: Actor) -> ColumnElement[bool] | None:
    scope = model.SCOPE
    assert scope is not None
    reach = by.reach(model.__tablename__)
    if reach is Reach.GROUP and (scope.branch or scope.department):
        return None
    if reach is Reach.NONE or by.employee_id is None:
        return false()
    if reach >= Reach.BRANCH and scope.branch:
        return getattr(model, scope.branch) == by.branch_id
    ways: list[ColumnElement[bool]] = [getattr(model, name) == by.employee_id for name in scope.own]
    ways += [also(model, by.employee_id) for also in ALSO_OWN.get(model.__tablename__, [])]
    if reach >= Reach.DEPARTMENT:
        ways += _of_departments(model, by)
    return or_(*ways) if ways else false()


def _of_departments(model: type[Base], by: Actor) -> list[ColumnElement[bool]]:
    """Rows of one's departments; for customers, those whom somebody of these departments owns."""
    scope = model.SCOPE
    assert scope is not None
    if scope.department:
        return [getattr(model, scope.department).in_(sorted(by.department_ids))]
    colleagues = select(Employee.id).where(Employee.department_id.in_(sorted(by.department_ids)))
    return [getattr(model, name).in_(colleagues) for name in scope.own]


def expressible(model: type[Base]) -> frozenset[Reach]:
    """Return the reaches that a table's rows can be told apart by; none if they are shared or follow another table."""
    scope = model.SCOPE
    if scope is None or scope.shared or scope.via is not None:
        return frozenset()
    own = bool(scope.own or ALSO_OWN.get(model.__tablename__))
    has = {
        Reach.NONE: True,
        Reach.OWN: own,
        Reach.DEPARTMENT: bool(scope.department or scope.own),
        Reach.BRANCH: bool(scope.branch),
        Reach.GROUP: bool(scope.branch or scope.department),
    }
    return frozenset(reach for reach, possible in has.items() if possible)


def in_scope(model: type[Base], by: Actor) -> Select[Any]:
    """Return ``select(model)`` restricted to what this actor sees."""
    return narrowed(select(model), model, by)


def narrowed(statement: Select[Any], model: type[Base], by: Actor) -> Select[Any]:
    """Return a statement over a table restricted to what this actor sees; it says so, and the guard believes it."""
    clause = scope_clause(model, by)
    covered = statement.get_execution_options().get(IN_SCOPE, frozenset()) | {model.__tablename__}
    marked = statement.execution_options(**{IN_SCOPE: covered})
    return marked if clause is None else marked.where(clause)


def find(session: Session, table: str, record_id: int, by: Actor, *, offered: bool = False) -> Any | None:
    """Return a record by table name and id if the actor may know of it, else None; ``offered``: that forms offer."""
    model = models().get(table)
    if model is None:
        return None
    statement = in_scope(model, by).where(model.id == record_id)
    condition = model.offered() if offered else None
    return session.scalars(statement if condition is None else statement.where(condition)).one_or_none()


def find_several(
    session: Session, table: str, ids: Collection[int], by: Actor, *, offered: bool = False
) -> dict[int, Any]:
    """Return the records of these ids that the actor may know of, by id; ``offered``: that forms offer."""
    model = models().get(table)
    if model is None or not ids:
        return {}
    statement = in_scope(model, by).where(model.id.in_(sorted(ids)))
    condition = model.offered() if offered else None
    return {row.id: row for row in session.scalars(statement if condition is None else statement.where(condition))}


def loader(model: Any, path: str) -> Any:
    """Return the loader option for a dotted path: joins up to parents, one more select for collections.

    A path may name a column that is deferred: it is loaded at once.
    """
    if path in inspect(model).column_attrs:
        return undefer(getattr(model, path))
    option: Any = None
    here = model
    for name in path.split("."):
        relation = inspect(here).relationships[name]
        attribute = getattr(here, name)
        step = selectinload if relation.uselist else joinedload
        option = step(attribute) if option is None else getattr(option, step.__name__)(attribute)
        here = relation.mapper.class_
    return option
