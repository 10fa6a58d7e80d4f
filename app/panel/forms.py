"""Forms of plain tables, built from what their columns declare; and JSON as a form reads it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Boolean, Date, Integer, Numeric, String, Text, Time, inspect
from werkzeug.datastructures import MultiDict
from wtforms import FieldList, Form, SelectMultipleField

from app.acts import REGISTRY, Act
from app.errors import InvalidInput
from app.fields import MAX_LINE, MAX_TEXT, Choose, Clock, Day, Flag, HouseForm, Instant, Item, Money, Pick, Whole, Words
from app.models.base import Base, Encrypted, described
from app.models.base import Choice as ChoiceType
from app.models.base import Instant as InstantType
from app.words import _, _l

_built: dict[tuple[str, tuple[str, ...]], type[HouseForm]] = {}


def form_for(model: type[Base], columns: Sequence[str]) -> type[HouseForm]:
    """Return the form of a table's columns, in their order; built once."""
    key = (model.__tablename__, tuple(columns))
    if key not in _built:
        fields = {name: _field(model, name) for name in columns}
        _built[key] = type(f"{model.__name__}Form", (HouseForm,), fields)
    return _built[key]


def _field(model: type[Base], name: str) -> Any:
    attribute = getattr(model, name)
    column, declared = inspect(model).columns[name], described(attribute)
    if declared is None:
        raise LookupError(f"{model.__tablename__}.{name} declares no label")
    common: dict[str, Any] = {"description": declared.hint}
    required = not column.nullable and column.default is None and column.server_default is None
    required = required and name != "branch_id"  # one's own, unless one says another and sees the group
    kind = column.type
    if isinstance(kind, Boolean):
        return Flag(declared.label, **common)
    common["required"] = required
    if column.foreign_keys:
        if declared.dictionary:
            return Item(declared.label, dictionary=declared.dictionary, **common)
        return Pick(declared.label, table=next(iter(column.foreign_keys)).column.table.name, **common)
    if isinstance(kind, ChoiceType):
        return Choose(declared.label, options=kind.options, **common)
    if isinstance(kind, InstantType):
        return Instant(declared.label, **common)
    if isinstance(kind, Date):
        return Day(declared.label, **common)
    if isinstance(kind, Time):
        return Clock(declared.label, **common)
    if isinstance(kind, Numeric):
        return Money(declared.label, **common)
    if isinstance(kind, Integer):
        return Whole(declared.label, **common)
    return _text_field(kind, declared, common)


def _text_field(kind: Any, declared: Any, common: dict[str, Any]) -> Any:
    if declared.options is not None:
        return Choose(declared.label, options=declared.options, **common)
    if isinstance(kind, Encrypted) and not declared.sensitive:
        return Words(declared.label, most=kind.most or MAX_TEXT, multiline=declared.multiline, **common)
    if isinstance(kind, Encrypted):
        common["description"] = _l("Empty: unchanged.")
        return Words(declared.label, sensitive=True, most=kind.most or MAX_LINE, multiline=declared.multiline, **common)
    if isinstance(kind, String) and kind.length:
        return Words(declared.label, most=kind.length, multiline=declared.multiline, **common)
    if isinstance(kind, String | Text):
        return Words(declared.label, most=MAX_TEXT, multiline=declared.multiline, **common)
    raise LookupError(f"no field for {kind!r}")


def inputs_from_json(body: Any, form: type[Form]) -> MultiDict[str, Any]:
    """Return a JSON object as the MultiDict that the form reads.

    False (but of a yes-or-no input) and null are absent, lists repeat, lists of objects become ``name-0-part``;
    numbers and strings stand as text. Unknown keys are refused with 422, anything but an object is malformed.
    """
    if not isinstance(body, dict):
        raise InvalidInput({"": [_("A JSON object, please.")]})
    known = {name for name in dir(form) if hasattr(getattr(form, name), "field_class")}
    unknown = sorted(set(body) - known)
    if unknown:
        raise InvalidInput({name: [_("There is no such input.")] for name in unknown})
    told: MultiDict[str, Any] = MultiDict()
    for name, value in body.items():
        if "row" in getattr(form, name).kwargs:
            _put_lines(told, name, value, getattr(form, name).kwargs["row"])
            continue
        many = issubclass(getattr(form, name).field_class, SelectMultipleField | FieldList)
        if isinstance(value, dict) or (isinstance(value, list) and not (many and _is_flat(value))):
            raise InvalidInput({name: [_("This must be one value.")]})
        is_no = value is False and issubclass(getattr(form, name).field_class, Flag)
        _put(told, name, "false" if is_no else value)
    return told


def _put_lines(told: MultiDict[str, Any], name: str, value: Any, row: type[Form]) -> None:
    """Put a list of objects as the inputs of lines, each row with a mark so that one without inputs is seen too."""
    if value is None or value == []:
        told.add(name, "")
        return
    if not isinstance(value, list) or not all(isinstance(line, dict) for line in value):
        raise InvalidInput({name: [_("This must be a list of lines.")]})
    errors: dict[str, list[str]] = {}
    for index, line in enumerate(value):
        told.add(f"{name}-{index}", "")
        try:
            for key, part in inputs_from_json(line, row).items(multi=True):
                told.add(f"{name}-{index}-{key}", part)
        except InvalidInput as wrong:
            errors.update({f"{name}-{index}-{key}": said for key, said in wrong.errors.items()})
    if errors:
        raise InvalidInput(errors)


def _is_flat(values: list[Any]) -> bool:
    """Say whether a list holds plain values, or lines of plain values, and no deeper nesting."""
    parts = [inner for value in values for inner in (value.values() if isinstance(value, dict) else [value])]
    return not any(isinstance(part, dict | list) for part in parts)


def _put(told: MultiDict[str, Any], name: str, value: Any) -> None:
    if value is None or value is False:
        return
    if value == []:
        told.add(name, "")
    elif isinstance(value, list):
        for index, part in enumerate(value):
            if isinstance(part, dict):
                for inner, deep in part.items():
                    _put(told, f"{name}-{index}-{inner}", deep)
            else:
                _put(told, name, part)
    else:
        told.add(name, value if isinstance(value, str) else json.dumps(value))


def picks_of(form: type[Form]) -> set[str]:
    """Return the tables that a form chooses from."""
    found = set()
    for name in dir(form):
        unbound = getattr(form, name)
        if hasattr(unbound, "field_class") and "table" in unbound.kwargs:
            found.add(unbound.kwargs["table"])
        elif hasattr(unbound, "field_class") and "row" in unbound.kwargs:
            found |= picks_of(unbound.kwargs["row"])
    return found


_picks: dict[int, tuple[Act, set[str]]] = {}


def acts_picking(table: str) -> list[Act]:
    """Return the acts whose form chooses from a table."""
    chosen = []
    for act in REGISTRY:
        if id(act) not in _picks:
            _picks[id(act)] = (act, picks_of(act.form))
        if table in _picks[id(act)][1]:
            chosen.append(act)
    return chosen
