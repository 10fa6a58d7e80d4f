"""The machinery's own promises: nothing goes around it, rights are synchronised, start-up asks the database nothing."""

from __future__ import annotations

import pytest
from flask_appbuilder import ModelView
from flask_appbuilder.models.sqla.interface import SQLAInterface
from sqlalchemy import event, select

from app.acts import REGISTRY
from app.models.audit import JobRun
from app.models.base import METADATA, models
from app.models.settings import Effect, RoleOverride
from app.panel.registry import bypassing_views
from app.panel.security import known_rights, sync_security
from app.roles import ROLES, rights_of


def test_no_registered_view_goes_around_the_machinery(app):
    assert bypassing_views(app.extensions["appbuilder"]) == []


def test_a_stock_view_would_be_noticed(app):
    """The test above can fail."""

    class Stock(ModelView):
        datamodel = SQLAInterface(JobRun)

    class Builder:
        baseviews = [Stock.__new__(Stock)]

    assert bypassing_views(Builder()) == ["Stock"]


def test_every_table_has_a_view_and_a_rest_resource(app):
    rules = {str(rule) for rule in app.url_map.iter_rules()}
    for table in models():
        assert f"/{table}/list/" in rules
        assert f"/api/v1/{table}/" in rules


def test_the_framework_s_own_writing_routes_are_not_there(app):
    for rule in app.url_map.iter_rules():
        for word in ("/delete/", "/action/", "/action_post", "/download/"):
            assert word not in str(rule)


def test_making_an_application_runs_no_sql(database):
    """A worker starts without permission SQL; with a database that does not exist, it starts all the same."""
    from app import create_app

    made = create_app(SQLALCHEMY_DATABASE_URI="postgresql+psycopg://nobody@127.0.0.1:1/nothing")
    assert made.url_map is not None


@pytest.mark.parametrize("role", list(ROLES))
def test_each_role_has_in_the_database_what_the_table_says(app, session, role):
    tables = {name: METADATA.tables[f"ab_{name}"] for name in ("role", "permission", "view_menu", "permission_view")}
    grants = METADATA.tables["ab_permission_view_role"]
    rows = session.execute(
        select(tables["view_menu"].c.name, tables["permission"].c.name)
        .join_from(grants, tables["permission_view"], grants.c.permission_view_id == tables["permission_view"].c.id)
        .join(tables["permission"], tables["permission"].c.id == tables["permission_view"].c.permission_id)
        .join(tables["view_menu"], tables["view_menu"].c.id == tables["permission_view"].c.view_menu_id)
        .join(tables["role"], tables["role"].c.id == grants.c.role_id)
        .where(tables["role"].c.name == role)
    )
    held = {(view, name) for view, name in rows if name != "menu_access"}
    assert held == rights_of(role)


@pytest.mark.parametrize("role", list(ROLES))
def test_who_may_list_a_table_can_see_some_row_of_it(app, role):
    """A right to a list whose scope lets nothing through would be an empty page for ever."""
    from sqlalchemy import false

    from app.actors import Actor
    from app.services.hr import reaches_of
    from app.services.scope import scope_clause

    actor = Actor(
        "user:1", 1, 1, 1, 1, frozenset({1}), reaches=reaches_of({role: {table for table, _right in rights_of(role)}})
    )
    for table, model in models().items():
        if (table, "can_list") in rights_of(role):
            clause = scope_clause(model, actor)
            assert clause is None or not clause.compare(false()), table


def test_every_act_has_a_right_that_somebody_holds(app):
    known = known_rights(app)
    for act in REGISTRY:
        if act.by_system:
            continue
        assert (act.table, act.permission) in known
        assert any((act.table, act.permission) in rights_of(role) for role in ROLES), act.key


def test_what_an_administrator_changes_survives_the_next_synchronisation(app, session, person):
    for effect, permission in ((Effect.GRANT, "can_void"), (Effect.WITHDRAW, "can_redo")):
        session.add(
            RoleOverride(role="phone_consultant", table_name="appointment_slip", permission=permission, effect=effect)
        )
    session.commit()
    for _again in range(2):
        sync_security(app)
        actor = person("phone_consultant")
        assert actor.may("appointment_slip", "can_void")
        assert not actor.may("appointment_slip", "can_redo")


def test_a_right_that_nothing_asks_for_is_refused(app, session, monkeypatch):
    """A slip of the pen in app/roles.py does not pass silently."""
    role = ROLES["guide"]
    wrong = {**role.rights, "appointment_slip": "viod"}
    monkeypatch.setitem(ROLES, "guide", type(role)(role.label, role.code, role.reach, wrong))
    with pytest.raises(RuntimeError, match="can_viod"):
        sync_security(app)


def test_rights_are_asked_for_once_per_request(login, session, make_slip):
    make_slip()
    client = login("phone_supervisor")
    asked: list[str] = []
    engine = session.get_bind().engine

    def note(_conn, _cursor, statement, *_rest):
        if "ab_permission_view_role" in statement:
            asked.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        client.get("/department_slips/list/")
    finally:
        event.remove(engine, "before_cursor_execute", note)
    assert len(asked) == 1


def test_an_undeclared_scope_stops_the_start(monkeypatch):
    from app.models.base import refuse_undeclared
    from app.models.hr import Position

    monkeypatch.setattr(Position, "SCOPE", None)
    with pytest.raises(RuntimeError, match="position"):
        refuse_undeclared()


def test_the_database_is_told_who_acts(app, session, login, database):
    """The actor hook stands: page, token, login form and house account each under their name."""
    from sqlalchemy import text

    seen: list[str] = []

    def note(session_, transaction, connection):
        if not transaction.nested:
            seen.append(connection.execute(text("select current_setting('app.actor')")).scalar_one())

    from sqlalchemy.orm import Session

    event.listen(Session, "after_begin", note)
    try:
        client = login("guide")
        session.rollback()
        client.get("/customer/list/")
    finally:
        event.remove(Session, "after_begin", note)
    assert any(name.startswith("user:") for name in seen), seen
