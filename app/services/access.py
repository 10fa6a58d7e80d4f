"""Who may do what, as it stands in the database: roles by right, people by role. Part D; for the screens of rights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.actors import Actor, Reach
from app.acts import REGISTRY
from app.models.base import METADATA, Base, Labelled, column_names, described, models
from app.models.hr import Employee, EmployeeState
from app.models.settings import ReachChoice, RoleReach
from app.roles import ROLES, rights_of
from app.services.duties import Broken, Pair, broken_by
from app.services.scope import in_scope
from app.words import _, _l

#: What the permissions of the machinery are called.
PLAIN_WORDS: Mapping[str, object] = {
    "can_list": _l("See the list"),
    "can_show": _l("Open a record"),
    "can_add": _l("Add"),
    "can_edit": _l("Edit"),
    "can_run": _l("Make and keep"),
    "can_export": _l("Export"),
    "can_import": _l("Import"),
    "can_see_as": _l("See as this person"),
    "can_listen": _l("Listen to recordings"),
    "can_post": _l("Tell of what happens"),
}
#: What pages without a table of their own are called, by the name that their rights bear; the panel fills it in.
PAGES: dict[str, object] = {}


class Area(Labelled):
    """Where functions are looked up: the modules of ``app/models``, and what is no table."""

    APPOINTMENTS = "appointments"
    CUSTOMERS = "customers"
    FOLLOWUP = "followup"
    TELEPHONE = "telephone"
    MESSAGES = "messages"
    HR = "hr"
    SETTINGS = "settings"
    IMPORTS = "imports"
    REPORTS = "reports"
    PAGES = "pages"
    OTHER = "other"

    @classmethod
    def labels(cls) -> dict[Any, object]:
        return {
            cls.APPOINTMENTS: _l("Appointments"),
            cls.CUSTOMERS: _l("Customers"),
            cls.FOLLOWUP: _l("Follow-up"),
            cls.TELEPHONE: _l("Telephone"),
            cls.MESSAGES: _l("Messages"),
            cls.HR: _l("Organisation"),
            cls.SETTINGS: _l("Settings"),
            cls.IMPORTS: _l("Imports"),
            cls.REPORTS: _l("Reports"),
            cls.PAGES: _l("Further pages"),
            cls.OTHER: _l("Other records"),
        }


@dataclass(frozen=True)
class Standing:
    """What a role may do now: its pairs, how they differ from the table of roles, and the reaches changed on screen."""

    rights: Mapping[str, frozenset[Pair]]
    changed: Mapping[tuple[str, str], Reach]

    def reach(self, role: str, table: str) -> Reach:
        """Return how far a role reaches over a table."""
        declared = ROLES[role]
        return self.changed.get((role, table), declared.reaches.get(table, declared.reach))

    def is_changed(self, role: str, pair: Pair) -> bool:
        """Say whether an administrator gave or took this right, or set the reach over its table."""
        declared = role in ROLES and pair in rights_of(role)
        return declared is not (pair in self.rights.get(role, ())) or (role, pair[0]) in self.changed


def _ab(name: str) -> Any:
    return METADATA.tables[f"ab_{name}"]


def standing(session: Session) -> Standing:
    """Return what every role may do, as the database has it; menu entries are left out. Two statements."""
    role, granted, pair = _ab("role"), _ab("permission_view_role"), _ab("permission_view")
    permission, view = _ab("permission"), _ab("view_menu")
    rows = session.execute(
        select(role.c.name, view.c.name, permission.c.name)
        .join(granted, granted.c.role_id == role.c.id)
        .join(pair, pair.c.id == granted.c.permission_view_id)
        .join(permission, permission.c.id == pair.c.permission_id)
        .join(view, view.c.id == pair.c.view_menu_id)
        .where(permission.c.name != "menu_access")
    )
    rights: dict[str, set[Pair]] = {name: set() for name in ROLES}
    for name, table, right in rows:
        rights.setdefault(name, set()).add((table, right))
    changed = session.execute(
        select(RoleReach.role, RoleReach.table_name, RoleReach.reach).where(RoleReach.retired_at.is_(None))
    )
    return Standing(
        {name: frozenset(pairs) for name, pairs in rights.items()},
        {(name, table): reach.reach for name, table, reach in changed},
    )


def roles_of_people(session: Session, people: Sequence[Employee]) -> dict[int, list[str]]:
    """Return the roles of each login among these people, by user id."""
    link, role = _ab("user_role"), _ab("role")
    wanted = [person.user_id for person in people if person.user_id is not None]
    rows = session.execute(
        select(link.c.user_id, role.c.name)
        .join(role, role.c.id == link.c.role_id)
        .where(link.c.user_id.in_(wanted))
        .order_by(link.c.user_id, role.c.name)
    )
    found: dict[int, list[str]] = {}
    for user_id, name in rows:
        found.setdefault(user_id, []).append(name)
    return found


def conflicts(session: Session, by: Actor) -> list[tuple[Employee, Broken]]:
    """Return the people in scope whose roles together break a rule, with the rule, its rights and their roles."""
    people = session.scalars(
        in_scope(Employee, by)
        .where(Employee.user_id.is_not(None), Employee.state == EmployeeState.ACTIVE)
        .order_by(Employee.employee_no)
    ).all()
    now, roles = standing(session), roles_of_people(session, people)
    return [
        (person, broken)
        for person in people
        for broken in broken_by({name: now.rights.get(name, ()) for name in roles.get(person.user_id or 0, ())})
    ]


def warnings_of(session: Session, roles: Iterable[str]) -> list[str]:
    """Return a sentence for each rule that these roles would break in one hand."""
    now = standing(session)
    return [broken_words(broken) for broken in broken_by({str(name): now.rights.get(str(name), ()) for name in roles})]


def broken_words(broken: Broken) -> str:
    """Say which rule is broken, by what and whence."""
    return _(
        "%(rule)s: this person %(first)s (%(first_roles)s) and %(second)s (%(second_roles)s).",
        rule=broken.rule.label,
        first=broken.first.label,
        first_roles=role_words(broken.first_roles),
        second=broken.second.label,
        second_roles=role_words(broken.second_roles),
    )


def role_words(names: Iterable[str]) -> str:
    """Return roles by their labels."""
    return ", ".join(str(ROLES[name].label) if name in ROLES else name for name in names)


def function_words(pair: Pair) -> tuple[object, object]:
    """Return what a right is on and what it lets do, in words."""
    table, permission = pair
    model = models().get(table)
    name = permission.removeprefix("can_")
    for act in REGISTRY.of(table):
        if act.permission == permission:
            return model.TITLES if model is not None else PAGES.get(table, table), act.label
    words = PLAIN_WORDS.get(permission) or _seen_words(model, permission)
    if words is None:
        words = _l("Print") if name.startswith("print_") else name.replace("_", " ")
    return model.TITLES if model is not None else PAGES.get(table, table), words


def _seen_words(model: type[Base] | None, permission: str) -> object | None:
    """Return what a right over columns shows, by what the columns are called; None for another right."""
    if model is None:
        return None
    columns = (described(getattr(model, name)) for name in column_names(model))
    labels = [str(column.label) for column in columns if column is not None and column.permission == permission]
    return _("See %(what)s", what=", ".join(labels)) if labels else None


def area_of(table: str) -> Area:
    """Return the area of a table or page."""
    model = models().get(table)
    if model is None:
        return Area.REPORTS if table.startswith("report_") else Area.PAGES
    module = model.__module__.split(".")[2]
    return Area(module) if module in {area.value for area in Area} else Area.OTHER


def reach_words(reach: Reach) -> str:
    """Return a reach in words."""
    return str(ReachChoice[reach.name].label)
