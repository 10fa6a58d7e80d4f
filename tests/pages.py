"""Every page of the panel that a person can look at, derived from the expectation table of the URL × role matrix.

``tests/panel/addresses.py`` answers for each rule of the application, so a new page stands here by itself. What walks
the pages (axe, the width of a telephone, the two languages) walks these; each as the person who sees most of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.actors import Actor
from app.acts import REGISTRY
from app.models.base import METADATA, models
from app.models.hr import Employee
from app.panel.describe import opens
from app.reports.base import REPORTS
from app.roles import ROLES
from app.services.hr import actor_for_employee
from app.services.scope import in_scope
from tests.panel.addresses import PUBLIC, Call, calls_of

#: Answers that are no page: files, pictures, what scripts ask for, and addresses that only lead on.
NO_PAGE = re.compile(
    r"/(static|print|options|template|language|lang)/|/(options|content|state|alive|refused|back|search|rows|tray|mark|ringing|recording)$"
    r"|<string:file_format>|<path:|/many/|/print-(many|shown)/"
)
#: How many rows are looked at for one in which an act may begin.
MOST_ROWS = 40
#: Pages of which each table has its own, made by one template: one table's stands for all that are alike.
GENERATED = re.compile(r"^/[a-z_]+/(show|add|edit|export|act|<int:pk>/act)\b")
#: Addresses that are refused: each refusal has its page.
REFUSED = ("/nowhere", "/logout/", "/customer/show/999999999", "/customer/list/?junk=1")


@dataclass(frozen=True)
class Page:
    """An address to look at. ``person`` is a login name, "" for a stranger; ``kind`` is alike for pages that differ in
    nothing but their table's columns."""

    address: str
    person: str
    kind: str
    rule: str


def everybody(session: Session) -> dict[str, Actor]:
    """Return the actor behind each login that bears a role's name."""
    user = METADATA.tables["ab_user"]
    people = session.execute(select(user.c.username, Employee).join(Employee, Employee.user_id == user.c.id))
    return {name: actor_for_employee(session, found) for name, found in people if name in ROLES}


def pages_of(app: Flask, session: Session) -> list[Page]:
    """Return each page once, as the person who sees most of it; workbenches of all roles and refusals with them.

    A page of a record is left out where the database has no row that anybody may open: see ``without_rows``.
    """
    people = everybody(session)
    found = [page for call in calls_of(app) if is_page(call) for page in _page(session, call, people)]
    found += [Page("/", name, "workbench", "/") for name in people]
    found += [Page(address, "admin", f"refused {address}", address) for address in REFUSED]
    return list({(page.address, page.person): page for page in found}.values())


def without_rows(app: Flask, pages: Iterable[Page]) -> set[str]:
    """Return the rules of pages that nobody could open because there is no row for them."""
    return {call.rule for call in calls_of(app) if is_page(call)} - {page.rule for page in pages}


def is_page(call: Call) -> bool:
    shown = call.granted != frozenset({404}) and not NO_PAGE.search(call.rule) and "no_such" not in call.path
    return call.method == "GET" and not call.is_api and call.rule != "/" and shown


def one_of_each(pages: Iterable[Page]) -> list[Page]:
    """Return the pages without the generated ones that are alike: one of each kind stays."""
    kept: dict[str, Page] = {}
    for page in pages:
        kept.setdefault(page.kind if GENERATED.match(page.rule) else f"{page.address} {page.person}", page)
    return list(kept.values())


# --- whose page, which row ---------------------------------------------------------------------------------------


def _page(session: Session, call: Call, people: Mapping[str, Actor]) -> Iterator[Page]:
    if call.need == PUBLIC:
        yield Page(call.path, "", call.rule, call.rule)
        return
    table = call.rule.split("/")[1]
    allowed = [name for name, by in people.items() if call.allows(by)]
    allowed.sort(key=lambda name: _sees(people[name], call.table or table), reverse=True)
    for name in allowed:
        address = call.path
        if "{pk}" in address:
            row = _row(session, call, people[name])
            if row is None:
                continue
            address = call.address(row)
        yield Page(address, name, kind_of(call), call.rule)
        return


def _sees(by: Actor, table: str) -> tuple[int, int]:
    """Say how much of a table's pages a person sees: rights on it, then rights at all."""
    return sum(where == table for where, _what in by.rights), len(by.rights)


def _row(session: Session, call: Call, by: Actor) -> int | None:
    model = models().get(call.table)
    if model is None:
        return None
    act = REGISTRY.find(call.table, call.path.rpartition("/act/")[2]) if "/act/" in call.path else None
    rows = session.scalars(in_scope(model, by).order_by(model.id.desc()).limit(MOST_ROWS)).all()
    fit = [row for row in rows if opens(row, by) and (act is None or act.starts_in(getattr(row, "state", None)))]
    if call.rule.startswith("/rights/people/"):
        fit = [row for row in fit if row.user_id is not None]
    if call.table == "report_run":
        fit = [row for row in fit if by.may(REPORTS[row.report].right, "can_list")]
    if call.rule.startswith("/report/"):
        fit = [row for row in fit if row.report == call.rule.split("/")[2]]
    return fit[0].id if fit else None


def kind_of(call: Call) -> str:
    """Return what a page is made of: its template, and for a form the kinds of its fields."""
    table, _slash, name = call.path.partition("/act/")
    act = REGISTRY.find(call.table or table.split("/")[1], name) if name else None
    if act is None:
        return re.sub(r"^/[a-z_]+/", "/*/", call.rule) if GENERATED.match(call.rule) else call.rule
    return f"act {' '.join(sorted({field.field_class.__name__ for field in _unbound(act.form)}))}"


def _unbound(form: Any) -> list[Any]:
    return [value for name in dir(form) if hasattr(value := getattr(form, name), "field_class")]
