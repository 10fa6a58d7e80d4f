"""Columns that need a right of their own: ``col(…, right="salary")`` is ``can_see_salary`` on the column's table.

Without it the column is nowhere: not in lists, records, forms, filters, orders, searches, REST, histories; and to post
it is to post an unknown input. Part D, H, "least privilege".
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from sqlalchemy import inspect

from app.actors import Actor
from app.models.base import Column, column_names, described, models


@lru_cache(maxsize=4096)
def declaration(model: Any, name: str) -> Column | None:
    """Return what a column says of itself; a relationship speaks through its foreign key. Kept: each cell asks."""
    mapper = inspect(model)
    if name in mapper.relationships:
        for local in mapper.relationships[name].local_columns:
            if local.foreign_keys:
                return described(mapper.get_property_by_column(local).class_attribute)
        return None
    return described(getattr(model, name)) if name in mapper.columns else None


def sees(model: Any, name: str, by: Actor) -> bool:
    """Say whether an actor may know of a column of a table; of what is no column, yes."""
    column = declaration(model, name)
    return column is None or not column.right or by.may(model.__tablename__, column.permission)


def seen(model: Any, names: Iterable[str], by: Actor) -> tuple[str, ...]:
    """Return those of the names that an actor may know of, in their order."""
    return tuple(name for name in names if sees(model, name, by))


def field_rights() -> set[tuple[str, str]]:
    """Return the (table, permission) pairs that columns ask for."""
    return {
        (table, column.permission)
        for table, model in models().items()
        for name in column_names(model)
        if (column := described(getattr(model, name))) is not None and column.right
    }
