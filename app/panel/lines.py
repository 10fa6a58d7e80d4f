"""Lines on screen: what the server computes of them, and the buttons that change rows without script."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from flask import jsonify

from app.actors import Actor
from app.acts import Act, Computed
from app.extensions import db
from app.fields import DO, Lines, lines_of
from app.panel.describe import json_value
from app.panel.person import now


def changed(form: Any, sent: Any) -> bool:
    """Change the rows of a form as one of its buttons says; False if none of them sent it."""
    for field in lines_of(form):
        command = sent.get(f"{field.name}-{DO}", "")
        if command and field.obey(command):
            return True
    return False


def tell_computed(act: Act, record: Any, form: Any, by: Actor) -> None:
    """Put beside the rows of a form what the server computes of them; what the form refuses so far stays unsaid."""
    if act.recompute is None or not lines_of(form):
        return
    said = [(part, part.errors) for part in _parts(form)]
    computed = compute(act, record, form, by)
    for part, errors in said:
        part.errors = errors
    for field in lines_of(form):
        field.told = [texts(row) for row in computed.rows]
        field.sums = [(str(label), text_of(value)) for label, value in computed.sums]


def _parts(form: Any) -> Iterator[Any]:
    for field in form:
        yield field
        for row in getattr(field, "rows", ()):
            yield from row


def compute(act: Act, record: Any, form: Any, by: Actor) -> Computed:
    """Return what the act's ``recompute`` makes of a form; what is wrong so far is None to it, so that nothing is
    told of what one may not choose."""
    if act.recompute is None:
        return Computed()
    form.validate()
    return act.recompute(db.session(), record, standing(form), by, now())


def standing(form: Any) -> dict[str, Any]:
    """Return the inputs of a validated form, those that were refused as None; what was not sent stands."""
    told: dict[str, Any] = {}
    for field in form:
        if isinstance(field, Lines):
            told[field.short_name] = [standing(row) for row in field.rows]
        else:
            told[field.short_name] = None if field.errors and field.raw_data else field.data
    return told


def answer(act: Act, record: Any, form: Any, by: Actor) -> Any:
    """Answer what the lines of a form come to, as text and by the rows' numbers: nothing is computed in a browser."""
    computed = compute(act, record, form, by)
    numbers = [number for field in lines_of(form) for number in field.numbers]
    return jsonify(
        rows={number: texts(row) for number, row in zip(numbers, computed.rows, strict=False)},
        sums=[[str(label), text_of(value)] for label, value in computed.sums],
    )


def answer_rest(act: Act, record: Any, form: Any, by: Actor) -> Any:
    """Answer the same over REST, money as strings and sums by their labels."""
    computed = compute(act, record, form, by)
    return jsonify(
        rows=[{name: json_value(value) for name, value in row.items()} for row in computed.rows],
        sums=[{"label": str(label), "value": json_value(value)} for label, value in computed.sums],
        errors={name: [str(one) for one in said] for name, said in form.errors.items() if name},
    )


def texts(row: Mapping[str, Any]) -> dict[str, str]:
    return {name: text_of(value) for name, value in row.items()}


def text_of(value: Any) -> str:
    """Return a computed value as people read it: money with two places and its thousands apart."""
    if value is None:
        return ""
    return f"{value:,.2f}" if isinstance(value, Decimal) else str(value)
