"""The rights as files: the matrix of roles, and the people whose roles together break a rule. Part D."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from app.actors import Actor
from app.reports.facts import Column, Label, ReportFacts, Row, Table
from app.roles import ROLES
from app.services.access import Area, Standing, area_of, conflicts, function_words, reach_words, role_words
from app.services.duties import Broken, Pair
from app.words import _, _l


def functions_of(now: Standing, area: Area | None = None) -> list[Pair]:
    """Return every right that some role holds, by area, table and name; of one area if it is named."""
    held = {pair for pairs in now.rights.values() for pair in pairs}
    order = {each: place for place, each in enumerate(Area)}
    wanted = [pair for pair in held if area is None or area_of(pair[0]) is area]
    return sorted(wanted, key=lambda pair: (order[area_of(pair[0])], pair))


def cell_words(now: Standing, role: str, pair: Pair) -> str:
    """Return what stands in a cell of the matrix: the reach of a right that is held, a star where it was changed."""
    changed = now.is_changed(role, pair)
    if pair not in now.rights.get(role, ()):
        return _("withdrawn *") if changed else ""
    return reach_words(now.reach(role, pair[0])) + (" *" if changed else "")


def matrix_facts(now: Standing, area: Area | None, roles: Sequence[str], by: Actor, at: datetime) -> ReportFacts:
    """Return the matrix: a row for each function, a column for each role."""
    heads = [
        Column("area", Label.of(_l("Part of the system"))),
        Column("table", Label.of(_l("Of what"))),
        Column("function", Label.of(_l("Function"))),
        *(Column(role, Label.of(ROLES[role].label)) for role in roles),
    ]
    rows = []
    for pair in functions_of(now, area):
        what, does = function_words(pair)
        named = (str(area_of(pair[0]).label), str(what), str(does))
        rows.append((*named, *(cell_words(now, role, pair) for role in roles)))
    return _facts("role_matrix", _l("Roles, functions and reach"), heads, rows, by, at)


def conflict_row(name: str, department: str, broken: Broken) -> tuple[str, ...]:
    """Return one line of the report of broken rules: who, which rule, the two rights and whence they come."""
    return (
        name,
        department,
        str(broken.rule.label),
        right_words(broken.first_right),
        role_words(broken.first_roles),
        right_words(broken.second_right),
        role_words(broken.second_roles),
    )


def right_words(pair: Pair) -> str:
    """Return a right in words: of what, what it lets do."""
    what, does = function_words(pair)
    return f"{what}: {does}"


def conflict_facts(session: Session, by: Actor, at: datetime) -> ReportFacts:
    """Return the people in scope whose roles together break a rule of part D."""
    names = (
        ("person", _l("Employee")),
        ("department", _l("Department")),
        ("rule", _l("Rule")),
        ("first", _l("One right")),
        ("first_roles", _l("from the roles")),
        ("second", _l("The other right")),
        ("second_roles", _l("from the roles")),
    )
    heads = [Column(name, Label.of(label)) for name, label in names]
    rows = [conflict_row(person.name, str(person.department), broken) for person, broken in conflicts(session, by)]
    return _facts("role_conflicts", _l("Conflicting duties"), heads, rows, by, at)


def _facts(name: str, title: object, heads: list[Column], rows: Iterable[Row], by: Actor, at: datetime) -> ReportFacts:
    label = Label.of(title)
    return ReportFacts(
        report=name,
        title=label,
        parameters=((Label.of(_l("Branch")), Label.same(by.branch_name or _("All branches"))),),
        figures=(),
        tables=(Table(name=name, title=label, columns=tuple(heads), rows=tuple(rows)),),
        chart=None,
        made_at=at,
        made_by=by.display_name,
        zone=by.zone,
    )
