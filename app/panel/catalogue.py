"""The catalogue of acts: over REST, and as ``docs/acts.md`` with a state diagram per document."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Any

from app.acts import REGISTRY, Act
from app.models.base import Stateful, models
from app.roles import ROLES, rights_of
from app.words import in_locale

KINDS = {
    "Words": "string",
    "PhoneNumber": "telephone",
    "Instant": "instant",
    "Day": "day",
    "Clock": "time",
    "Whole": "integer",
    "Wholes": "integers",
    "Money": "money",
    "Flag": "boolean",
    "Choose": "choice",
    "OneOf": "choice",
    "ChooseReport": "choice",
    "Pick": "id",
    "Item": "id",
    "Items": "ids",
    "Upload": "file",
    "Lines": "lines",
}


def catalogue() -> list[dict[str, Any]]:
    """Return every act as plain data, in the language in force."""
    return [
        {
            "table": act.table,
            "act": act.name,
            "label": str(act.label),
            "creates": act.creates,
            "many": act.many,
            "from": None if act.moves is None else [_state(state) for state in act.moves],
            "moves": None if act.moves is None else {_state(a): _state(b) for a, b in act.moves.items()},
            "inputs": inputs_of(act),
            "permission": act.permission,
            "roles": roles_of(act),
            "by_system": act.by_system,
        }
        for act in REGISTRY
    ]


def _state(state: Any) -> str | None:
    return state.value if isinstance(state, Enum) else state


def inputs_of(act: Act) -> list[dict[str, Any]]:
    """Return an act's inputs: name, kind, label, whether required, what it is chosen from, bounds."""
    return _inputs(fields_of(act.form))


def _inputs(fields: Iterable[tuple[str, Any]]) -> list[dict[str, Any]]:
    found = []
    for name, field in fields:
        told: dict[str, Any] = {
            "name": name,
            "kind": KINDS.get(field.field_class.__name__, field.field_class.__name__),
            "label": str(field.args[0]) if field.args else name,
            "required": bool(field.kwargs.get("required")),
        }
        for key in ("table", "dictionary", "most", "least", "purpose"):
            if key in field.kwargs:
                told[key] = field.kwargs[key]
        if "options" in field.kwargs:
            told["values"] = [member.value for member in field.kwargs["options"]]
        if "row" in field.kwargs:
            told["lines"] = _inputs(fields_of(field.kwargs["row"]))
        found.append(told)
    return found


def fields_of(form: type[Any]) -> Iterable[tuple[str, Any]]:
    """Return a form's unbound fields in the order of their declaration."""
    pairs = [(name, getattr(form, name)) for name in dir(form)]
    fields = [(name, field) for name, field in pairs if hasattr(field, "field_class")]
    return sorted(fields, key=lambda pair: pair[1].creation_counter)


def roles_of(act: Act) -> list[str]:
    """Return the roles that hold an act's right as declared."""
    return [] if act.by_system else [name for name in ROLES if (act.table, act.permission) in rights_of(name)]


def acts_page() -> str:
    """Return ``docs/acts.md``: tables of acts and, for documents with states, a Mermaid state diagram."""
    lines = [
        "# Acts 业务动作",
        "",
        "Generated from the declarations by `python3 run.py docs`; a test keeps it true. Do not edit.",
        "",
    ]
    for table, model in sorted(models().items()):
        acts = REGISTRY.of(table)
        if not acts:
            continue
        lines += [f"## {in_locale(model.TITLE, 'zh')} `{table}`", "", str(in_locale(model.TITLE, "en")), ""]
        lines += _table(acts)
        if issubclass(model, Stateful):
            lines += _diagram(model, acts)
    return "\n".join(lines).rstrip() + "\n"


def _table(acts: Iterable[Act]) -> list[str]:
    lines = ["| act | 动作 | from → to | inputs | who |", "|---|---|---|---|---|"]
    for act in acts:
        moves = "makes a record" if act.creates else "any state"
        if act.moves is not None:
            moves = ", ".join(f"{_state(a)} → {_state(b) or 'unchanged'}" for a, b in act.moves.items())
        inputs = ", ".join(f"`{told['name']}`{'*' if told['required'] else ''}" for told in inputs_of(act)) or "none"
        who = "the system" if act.by_system else ", ".join(roles_of(act)) or "nobody"
        lines.append(f"| `{act.name}` | {in_locale(act.label, 'zh')} | {moves} | {inputs} | {who} |")
    return [*lines, ""]


def _diagram(model: Any, acts: Iterable[Act]) -> list[str]:
    lines = ["```mermaid", "stateDiagram-v2"]
    for state in model.STATES:
        lines.append(f"    {state.value}: {in_locale(state.label, 'zh')}")
    for act in acts:
        label = in_locale(act.label, "zh")
        if act.creates:
            lines.append(f"    [*] --> {next(iter(model.STATES)).value}: {label}")
        for start, end in (act.moves or {}).items():
            lines.append(f"    {_state(start)} --> {_state(end) or _state(start)}: {label}")
    return [*lines, "```", ""]
