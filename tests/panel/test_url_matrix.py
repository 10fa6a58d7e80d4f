"""Every address × every role × {mine, out of my scope, nobody's}: who is let in, and what she is answered.

White paper part D; trust target 21. The expectations stand in ``addresses.py``. Of the addresses that only read, one
role with and one without each right is tried here; of those that write, each is refused to ``REFUSED`` roles, taken in
turn so that over the addresses every role is refused. The full product of addresses and roles is run under ``nightly``.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import false, func, select

from app.actors import Actor
from app.models.base import models
from app.panel.describe import opens
from app.roles import ROLES
from app.services.hr import actor_for_employee
from app.services.scope import scope_clause
from tests.conftest import PASSWORD, token_of
from tests.databases import fresh_database
from tests.panel.addresses import ANYBODY, PUBLIC, Call, calls_of, lines_for

pytestmark = pytest.mark.slow
LOGIN_ONLY = frozenset({302, 400, 401})
#: Roles that lack the right and are tried at each address that writes; all of them under ``nightly``.
REFUSED = 2


@dataclass
class World:
    """Two branches with business in them, and a browser and a token for each role."""

    app: Flask
    calls: list[Call]
    actors: dict[str, Actor]
    browsers: dict[str, FlaskClient] = field(default_factory=dict)
    tokens: dict[str, tuple[float, dict[str, str]]] = field(default_factory=dict)
    forbidden: dict[tuple[str, str], int | None] = field(default_factory=dict)
    seen: dict[tuple[str, str], int | None] = field(default_factory=dict)

    def ask(self, role: str, call: Call, pk: int | None = None) -> Any:
        """Make a call as a role, with her cookie and form token, or with her bearer token.

        What is posted is posted as a dialog does: a refusal is then a sentence in JSON, not a page with its menu.
        """
        address = call.address() if pk is None else call.address(pk)
        if call.is_api:
            body = {"json": {}} if call.method in ("POST", "PUT") else {}
            return self.app.test_client().open(address, method=call.method, headers=self._token(role), **body)
        browser = self._browser(role)
        data = {"csrf_token": browser.token} if call.method == "POST" else None  # type: ignore[attr-defined]
        headers = {"X-Dialog": "1"} if call.method == "POST" else {}
        return browser.open(address, method=call.method, data=data, headers=headers)

    def _browser(self, role: str) -> FlaskClient:
        if role not in self.browsers:
            client = self.app.test_client()
            token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', client.get("/login/").text)
            assert token is not None
            given = {"username": role, "password": PASSWORD, "csrf_token": token.group(1)}
            assert client.post("/login/", data=given).status_code == 302
            client.token = token_of(self.app, client)  # type: ignore[attr-defined]
            self.browsers[role] = client
        return self.browsers[role]

    def forget(self, role: str) -> None:
        """Drop what a role is logged in with: a call has ended it."""
        self.browsers.pop(role, None)
        self.tokens.pop(role, None)

    def _token(self, role: str) -> dict[str, str]:
        """Return a role's bearer token, a new one before the old one runs out on a slow machine."""
        if role not in self.tokens or time.monotonic() > self.tokens[role][0]:
            lasts: timedelta = self.app.config["JWT_ACCESS_TOKEN_EXPIRES"]
            told = self.app.test_client().post(
                "/api/v1/security/login", json={"username": role, "password": PASSWORD, "provider": "db"}
            )
            until = time.monotonic() + lasts.total_seconds() / 2
            self.tokens[role] = until, {"Authorization": f"Bearer {told.json['access_token']}"}
        return self.tokens[role][1]

    def unseen(self, role: str, table: str) -> int | None:
        """Return a row of a table that stands and that this role may not see; None if she sees all there are."""
        return self._row(self.forbidden, role, table, seen=False)

    def own(self, role: str, table: str) -> int | None:
        """Return a row of a table that this role sees, if there is one."""
        return self._row(self.seen, role, table, seen=True)

    def _row(self, kept: dict[tuple[str, str], int | None], role: str, table: str, *, seen: bool) -> int | None:
        if (role, table) not in kept:
            from app.extensions import db

            model, by = models()[table], self.actors[role]
            with self.app.app_context():
                clause = scope_clause(model, by)
                statement = select(model).order_by(model.id.desc()).limit(50)
                if clause is not None:
                    # Three-valued logic: a row whose columns are empty is not hers either.
                    statement = statement.where(clause if seen else ~func.coalesce(clause, false()))
                rows = [] if clause is None and not seen else db.session.scalars(statement)
                kept[role, table] = next((row.id for row in rows if not seen or opens(row, by)), None)
        return kept[role, table]


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """The matrix's own application and database; what is posted here is empty, so nothing of it changes."""
    from app import create_app
    from app.extensions import db
    from app.models.base import METADATA
    from app.models.hr import Employee

    with fresh_database("matrix", stories=True) as (app_url, owner_url):
        app = create_app(SQLALCHEMY_DATABASE_URI=app_url, DATABASE_OWNER_URL=owner_url)
        user = METADATA.tables["ab_user"]
        with app.app_context():
            session = db.session()
            people = session.execute(select(user.c.username, Employee).join(Employee, Employee.user_id == user.c.id))
            actors = {name: actor_for_employee(session, found) for name, found in people if name in ROLES}
            calls = calls_of(app)
        assert set(actors) == set(ROLES), "the demo has a login of every role's name"
        yield World(app, calls, actors)
        with app.app_context():
            db.engine.dispose()


@pytest.fixture
def told() -> Callable[..., str]:
    """Say a wrong answer in one line."""
    return lambda role, call, answer: f"{role}: {call.method} {call.address()} [{call.rule}] -> {answer.status_code}"


def test_every_rule_is_answered_by_the_table(app):
    """A new page has to say in the table who may open it."""
    with app.app_context():
        assert calls_of(app)


def test_a_rule_that_the_table_does_not_know_is_noticed(app):
    """The test above can fail."""
    rule = next(app.url_map.iter_rules())
    unknown = type(rule)("/some/new/page", endpoint="nowhere", methods=["GET"])
    assert lines_for(unknown) == []


def test_strangers_are_asked_to_log_in_everywhere(world, told):
    wrong = []
    for call in world.calls:
        if call.need == PUBLIC:
            continue
        client = world.app.test_client()
        answer = client.open(call.address(), method=call.method, **({"json": {}} if call.is_api else {}))
        expected = {401} if call.is_api else {302} if call.method == "GET" else LOGIN_ONLY
        if answer.status_code not in expected or (answer.status_code == 302 and "/login/" not in answer.location):
            wrong.append(told("nobody", call, answer))
    assert wrong == []


def _refused_roles(world: World, call: Call, *, most: int | None) -> list[str]:
    with world.app.app_context():
        return [role for role in ROLES if not call.allows(world.actors[role])][:most]


def _let_in(world: World, call: Call, *, most: int | None) -> list[str]:
    """Return roles that have the right, first those that see a row of the table; one where anybody may."""
    with world.app.app_context():
        having = [role for role in ROLES if call.allows(world.actors[role])]
    if call.table:
        having.sort(key=lambda role: world.own(role, call.table) is None)
    return having[: 1 if call.need == ANYBODY else most]


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_who_lacks_the_right_is_refused_whatever_she_posts(world, told, method):
    """403, before anything is read or looked up."""
    assert _refused_writes(world, told, method, most=REFUSED) == []


def _refused_writes(world: World, told: Callable[..., str], method: str, *, most: int | None) -> list[str]:
    wrong, turn = [], 0
    for call in world.calls:
        if call.method != method or call.need in (PUBLIC, ANYBODY):
            continue
        lacking = _refused_roles(world, call, most=None)
        chosen = (
            lacking
            if most is None
            else [lacking[(turn + each) % len(lacking)] for each in range(min(most, len(lacking)))]
        )
        turn += len(chosen)
        for role in chosen:
            answer = world.ask(role, call)
            if answer.status_code != 403:
                wrong.append(told(role, call, answer))
    return wrong


def _each_signature(world: World, method: str) -> list[Call]:
    found: dict[tuple[str, str], Call] = {}
    for call in world.calls:
        if call.method == method and call.need != PUBLIC:
            found.setdefault((call.rule, call.signature or call.path), call)
    return list(found.values())


def _refused_reads(world: World, told: Callable[..., str], *, most: int | None) -> list[str]:
    wrong = []
    for call in _each_signature(world, "GET"):
        for role in _refused_roles(world, call, most=most):
            answer = world.ask(role, call)
            if answer.status_code != 403:
                wrong.append(told(role, call, answer))
    return wrong


def _granted(world: World, told: Callable[..., str], methods: tuple[str, ...], *, most: int | None) -> list[str]:
    """Let those in who have the right: over a row of hers, and over one out of her scope."""
    wrong = []
    for method in methods:
        for call in _each_signature(world, method):
            for role in _let_in(world, call, most=most):
                if not call.table:
                    _expect(world, told, role, call, None, call.granted, wrong)
                    continue
                mine, other = world.own(role, call.table), world.unseen(role, call.table)
                if mine is not None:
                    _expect(world, told, role, call, mine, call.granted, wrong)
                if other is not None:
                    _expect(world, told, role, call, other, call.out_of_scope, wrong)
                _expect(world, told, role, call, None, call.out_of_scope, wrong)
    return wrong


def _expect(
    world: World,
    told: Callable[..., str],
    role: str,
    call: Call,
    pk: int | None,
    expected: frozenset[int],
    wrong: list[str],
) -> None:
    answer = world.ask(role, call, pk)
    if answer.status_code not in expected:
        wrong.append(f"{told(role, call, answer)} for {pk}, expected {sorted(expected)}")
    if call.rule in ("/logout/", "/lock", "/my-login/end-others"):
        world.forget(role)


def test_of_two_roles_one_reads_and_the_other_is_refused(world, told):
    assert _refused_reads(world, told, most=1) == []
    assert _granted(world, told, ("GET",), most=1) == []


def test_who_has_the_right_is_answered_and_a_row_out_of_scope_is_not_there(world, told):
    assert _granted(world, told, ("POST", "PUT"), most=2) == []


@pytest.mark.nightly
def test_all_roles_do_what_they_may_and_nothing_else(world, told):
    assert _refused_reads(world, told, most=None) == []
    assert [_refused_writes(world, told, method, most=None) for method in ("POST", "PUT")] == [[], []]
    assert _granted(world, told, ("GET", "POST", "PUT"), most=None) == []


def test_rows_out_of_scope_stand_for_the_tables_that_matter(world):
    """The matrix would prove nothing over empty tables."""
    for role in ("phone_consultant", "phone_supervisor", "guide", "branch_head"):
        for table in ("customer", "appointment_slip", "contact_record"):
            assert world.unseen(role, table) is not None, (role, table)
            assert world.own(role, table) is not None, (role, table)
