"""What a view shows unless it says otherwise: the facts of a record, and what lists load with their rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import inspect

from app.models.base import Base, Branched


def facts_of(model: type[Base], list_columns: Sequence[str], form_columns: Sequence[str]) -> tuple[str, ...]:
    """Return the facts of a record: what its list shows, then what its form asks besides; the state stands above.

    A foreign key is shown by the record that it points to, if the model has a relationship to it.
    """
    parents = _parents(model)
    shown = dict.fromkeys([*list_columns, *(parents.get(name, name) for name in form_columns)])
    return tuple(name for name in shown if name != "state")


def _parents(model: type[Base]) -> dict[str, str]:
    """Return each foreign key's many-to-one relationship, by their names."""
    mapper = inspect(model)
    return {
        mapper.get_property_by_column(column).key: relation.key
        for relation in mapper.relationships
        if not relation.uselist
        for column in relation.local_columns
        if column.foreign_keys
    }


def loaded_with(model: type[Base], columns: Sequence[str], further: Sequence[str]) -> tuple[str, ...]:
    """Return what to load with each row: the records and deferred columns that its columns name, then further paths."""
    mapper = inspect(model)
    late = {attribute.key for attribute in mapper.column_attrs if attribute.deferred}
    return tuple(dict.fromkeys([*(name for name in columns if name in mapper.relationships or name in late), *further]))


def fixed_once_added(model: Any, form_columns: Sequence[str], add_only: Sequence[str]) -> tuple[str, ...]:
    """Return the form's columns that only a new row asks; a row never leaves its branch."""
    is_asked = issubclass(model, Branched) and "branch_id" in form_columns
    return tuple(dict.fromkeys([*(["branch_id"] if is_asked else []), *add_only]))
