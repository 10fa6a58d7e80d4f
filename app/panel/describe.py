"""How a value is shown: labels, cells, masks, local times, links; and how a record reads as JSON."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from flask import url_for
from sqlalchemy import inspect

from app.actors import Actor
from app.acts import REGISTRY, Act
from app.fields import Upload
from app.models.audit import ActRun
from app.models.base import Base, Labelled, column_names, described, models
from app.models.customers import CustomerContact, mask
from app.models.files import StoredFile
from app.panel.files import content_url, is_picture, size_text
from app.panel.pages import Cell
from app.reports.base import paper_named
from app.reports.press import copy_words
from app.services.fieldrights import declaration, seen, sees
from app.services.runner import WARNED
from app.words import _, listed

NONE = "—"


def label_of(model: Any, name: str, labels: dict[str, object] | None = None) -> str:
    """Return a column's label in the reader's language; a name without one is a mistake of ours."""
    if labels and name in labels:
        return str(labels[name])
    column = declaration(model, name)
    if column is None:
        raise LookupError(f"{model.__tablename__}.{name} has no label")
    return str(column.label)


def local_time(value: datetime, by: Actor) -> str:
    """Return an instant as the branch's clock shows it."""
    return value.astimezone(by.timezone).strftime("%Y-%m-%d %H:%M")


def record_url(table: str, record_id: int) -> str:
    """Return the address of a record's page."""
    return url_for(f"{table}.show", pk=record_id)


def may_open(table: str, by: Actor) -> bool:
    return by.may(table, "can_show")


#: Tables whose records not everybody opens who may choose them: table -> function (record, actor).
OPENS: dict[str, Callable[[Any, Actor], bool]] = {}


#: Values beside the columns that not everybody is told whole: (table, name) -> function (record, actor).
TELLS: dict[tuple[str, str], Callable[[Any, Actor], Any]] = {}


def may_open_record(record: Any, by: Actor) -> bool:
    """Say whether a person opens this very record, which is in her scope."""
    return may_open(record.__tablename__, by) and opens(record, by)


def opens(record: Any, by: Actor) -> bool:
    """Say whether nothing keeps this very record from a person who has the right to open its table's."""
    keeps = OPENS.get(record.__tablename__)
    return keeps is None or keeps(record, by)


def cell_of(record: Any, name: str, by: Actor, *, plain: bool = False) -> Cell:
    """Return one value of a record as people see it; sensitive columns masked, parents linked."""
    if not sees(type(record), name, by):
        return Cell(NONE)
    value = getattr(record, name)
    column = declaration(type(record), name)
    if column is not None and column.sensitive and isinstance(value, str):
        return Cell(_masked(record, value), number=True)
    if isinstance(value, Labelled):
        return Cell(str(value.label), tone=value.tone if name == "state" else "")
    if column is not None and column.options is not None and value:
        return Cell(_chosen(column.options, value))
    if isinstance(value, StoredFile):
        return _file_cell(value)
    if isinstance(value, Base):
        url = record_url(value.__tablename__, value.id) if not plain and may_open_record(value, by) else ""
        return Cell(str(value), url=url)
    is_number = isinstance(value, int | Decimal) and not isinstance(value, bool)
    return Cell(text_of(value, by), number=is_number, wide=bool(column and column.multiline))


def _chosen(options: Any, value: str) -> str:
    """Return a chosen text by its label; what is no longer offered stands as it is."""
    return str(options(value).label) if value in {member.value for member in options} else value


def _file_cell(file: StoredFile) -> Cell:
    """Return a file: its name leads to its content. Who may see the record may read the file."""
    if file.dropped_at is not None:
        return Cell(file.name, sub=_("removed"))
    picture = content_url(file, inline=True) if is_picture(file) else ""
    return Cell(file.name, url=content_url(file), sub=size_text(file.size_bytes), picture=picture)


def _masked(record: Any, value: str) -> str:
    """Return a sensitive value as it may be shown; a contact knows what kind of value it holds."""
    return record.masked if isinstance(record, CustomerContact) else mask(None, value)


def text_of(value: Any, by: Actor) -> str:
    """Return a bare value as text."""
    if value is None or value == "" or value == []:
        return NONE
    if isinstance(value, bool):
        return _("Yes") if value else _("No")
    if isinstance(value, datetime):
        return local_time(value, by)
    if isinstance(value, time):
        return value.strftime("%H:%M")
    if isinstance(value, Decimal):
        return f"{value:,.2f}"
    if isinstance(value, list | tuple):
        return listed(text_of(part, by) for part in value)
    return str(value)


def json_of(record: Any, by: Actor, *, alone: bool = False) -> dict[str, Any]:
    """Return a record for REST: its declared columns, sensitive ones masked, instants in UTC, money as text.

    ``alone``: not in a list, so what is too long for a list is told as well.
    """
    model = type(record)
    told: dict[str, Any] = {"id": record.id}
    if hasattr(record, "row_version"):
        told["row_version"] = record.row_version
    for name in seen(model, column_names(model), by):
        column = described(getattr(model, name))
        if column is None:
            continue
        value = getattr(record, name)
        told[name] = _masked(record, value) if column.sensitive and isinstance(value, str) else json_value(value)
    for name in seen(model, model.ALSO_TOLD + (model.TOLD_ALONE if alone else ()), by):
        tells = TELLS.get((model.__tablename__, name))
        told[name] = json_value(getattr(record, name) if tells is None else tells(record, by))
    told["text"] = str(record)
    told["acts"] = [act.name for act in acts_now(record, by)]
    return told


def json_value(value: Any) -> Any:
    if isinstance(value, Labelled):
        return value.value
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, time):
        return value.strftime("%H:%M")
    if isinstance(value, Decimal):
        return str(value)
    return value


def acts_now(record: Any, by: Actor) -> list[Act]:
    """Return the acts possible now on a record for this person: right, state, guard. Runs no SQL."""
    table = record.__tablename__
    return [
        act
        for act in REGISTRY.of(table)
        if not act.creates
        and not act.by_system
        and by.may(table, act.permission)
        and act.starts_in(getattr(record, "state", None))
        and (act.guard is None or act.guard(record, by) is None)
    ]


def input_texts(entry: ActRun, by: Actor, names: dict[tuple[str, int], str]) -> list[tuple[str, str]]:
    """Return a history entry's inputs as (label, text), in the reader's language.

    ``names`` holds the records that inputs point to, as ``(table, id) -> name``.
    """
    if entry.act == "print":
        return _print_texts(entry)
    act = REGISTRY.find(entry.table_name, entry.act)
    model = models().get(entry.table_name)
    told = []
    for name, value in entry.inputs.items():
        if name == WARNED:
            told.append((_("Done although"), " ".join(value)))
            continue
        if model is not None and not sees(model, name, by):
            continue
        field = getattr(act.form, name, None) if act is not None else None
        if field is not None and "lines" in field.kwargs:
            continue  # what each column of a file is stands on the record's page
        if field is not None:
            told.append((str(field.args[0] if field.args else name), _input_text(field, value, by, names)))
        elif model is not None and (column := declaration(model, name)) is not None:
            told.append((str(column.label), _stored_text(model, name, value, by, names)))
    return told


def _print_texts(entry: ActRun) -> list[tuple[str, str]]:
    """Return what a printing's entry keeps: which form, and which copy of it."""
    form = paper_named(entry.table_name, entry.inputs["paper"])
    name = entry.inputs["paper"] if form is None else str(form.title)
    return [(_("Form"), name), (_("Copy"), copy_words(entry.inputs["copy_no"]))]


def pointed_table(model: Any, name: str) -> str:
    """Return the table of ours that a column points to, or an empty string."""
    stored = inspect(model).columns.get(name)
    keys = stored.foreign_keys if stored is not None else ()
    return next((table for key in keys if (table := key.column.table.name) in models()), "")


def _stored_text(model: Any, name: str, value: Any, by: Actor, names: dict[tuple[str, int], str]) -> str:
    """Return what a plain row's history stored of a column; a choice by its label, another record by its name."""
    if isinstance(value, int) and (table := pointed_table(model, name)):
        return names.get((table, value)) or _("(not for you to see)")
    options = getattr(inspect(model).columns[name].type, "options", None) or getattr(
        declaration(model, name), "options", None
    )
    return _chosen(options, value) if options is not None and value else text_of(_instant(value), by)


def _input_text(field: Any, value: Any, by: Actor, names: dict[tuple[str, int], str]) -> str:
    options = field.kwargs.get("options")
    if options is not None:
        return listed(options(one).label for one in (value if isinstance(value, list) else [value]))
    if "row" in field.kwargs:
        row = field.kwargs["row"]
        return "; ".join(
            " · ".join(_input_text(getattr(row, name), part, by, names) for name, part in line.items())
            for line in value
        )
    table = picked_table(field)
    if table:
        keys = value if isinstance(value, list) else [value]
        return listed(names.get((table, key), str(key)) for key in keys)
    return text_of(_instant(value), by)


def picked_table(field: Any) -> str:
    """Return the table that a field's ids belong to, or an empty string."""
    if "dictionary" in field.kwargs:
        return "dictionary_item"
    if issubclass(field.field_class, Upload):
        return "stored_file"
    table: str = field.kwargs.get("table", "")
    return table


def _instant(value: Any) -> Any:
    if isinstance(value, str) and len(value) >= 19 and value[10:11] == "T":
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            return value
    return value
