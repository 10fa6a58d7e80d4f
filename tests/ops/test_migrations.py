"""Migrations: one line of them, up, down and up again, no difference to the models, and grants that hold."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from alembic.script import ScriptDirectory
from flask import Flask
from sqlalchemy import create_engine, pool

from app.ops import schema
from tests.databases import Addresses, fresh_database, run_command

ROOT = Path(__file__).resolve().parents[2]
TABLES = "select tablename from pg_tables where schemaname = 'public' order by 1"


@pytest.fixture
def empty() -> Iterator[Addresses]:
    with fresh_database("empty") as made:
        yield made


@pytest.fixture
def migrated() -> Iterator[Addresses]:
    with fresh_database("migrated", copy=True) as made:
        yield made


@pytest.fixture
def application(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Addresses], Flask]]:
    """Make the application against a database of one's own; its connections are closed when the test is over."""
    from app.extensions import db

    made: list[Flask] = []

    def make(target: Addresses) -> Flask:
        from app import create_app

        monkeypatch.setenv("DATABASE_URL", target[0])
        monkeypatch.setenv("DATABASE_OWNER_URL", target[1])
        made.append(create_app())
        return made[-1]

    yield make
    for app in made:
        with app.app_context():
            db.engine.dispose()


def rows(url: str, query: str) -> list[object]:
    """Return the first column of a query."""
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        return [row[0] for row in connection.execute(query)]  # type: ignore[call-overload]


def script() -> ScriptDirectory:
    return ScriptDirectory(str(schema.MIGRATIONS))


def test_there_is_one_head() -> None:
    assert len(script().get_heads()) == 1


def test_names_of_migrations_begin_with_their_day_and_time() -> None:
    names = [Path(revision.path).stem for revision in script().walk_revisions()]
    assert names
    assert [name for name in names if not (name[:8].isdigit() and name[8] == "_" and name[9:13].isdigit())] == []


def test_the_migrated_schema_is_what_the_models_say(
    migrated: Addresses, application: Callable[[Addresses], Flask]
) -> None:
    assert schema.drift(application(migrated)) == []


def test_drift_is_seen(migrated: Addresses, application: Callable[[Addresses], Flask]) -> None:
    with psycopg.connect(migrated[1].replace("+psycopg", "")) as connection:
        connection.execute("create table stray (id int primary key)")
    assert any("stray" in line for line in schema.drift(application(migrated)))


def test_up_down_and_up_again(empty: Addresses, application: Callable[[Addresses], Flask]) -> None:
    app = application(empty)
    schema.migrate(app)
    tables = rows(empty[1], TABLES)
    assert len(tables) > 1
    assert schema.is_current(app)
    schema.downgrade(app, "base")
    assert rows(empty[1], TABLES) == ["alembic_version"]
    leftovers = (
        "select proname from pg_proc where pronamespace = 'public'::regnamespace union all "
        "select typname from pg_type where typnamespace = 'public'::regnamespace and typname !~ 'alembic_version'"
    )
    assert rows(empty[1], leftovers) == [], "a downgrade left functions or types behind"
    schema.migrate(app)
    assert rows(empty[1], TABLES) == tables
    assert schema.drift(app) == []


def test_two_migrations_at_once_wait_for_each_other(empty: Addresses) -> None:
    with ThreadPoolExecutor(2) as both:
        said = list(both.map(lambda _: run_command(empty, "migrate"), range(2)))
    assert all("The schema stands at" in words for words in said)


def test_the_application_may_use_every_table_and_own_none(migrated: Addresses) -> None:
    app_url, owner_url = migrated
    privileges = (
        "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') "
        "and not has_table_privilege(oid, 'SELECT')"
    )
    assert rows(app_url, privileges) == []
    for table, allowed in schema.RESTRICTED_TABLES.items():
        granted = (
            "select privilege_type from information_schema.role_table_grants "
            f"where table_name = '{table}' and grantee = current_user order by 1"
        )
        assert rows(app_url, granted) == sorted(allowed)
    refused = pytest.raises(psycopg.errors.InsufficientPrivilege)
    with refused, psycopg.connect(app_url.replace("+psycopg", "")) as connection:
        connection.execute("create table forbidden (id int)")
    with psycopg.connect(owner_url.replace("+psycopg", "")) as connection:
        connection.execute("create table later (id int generated always as identity)")
    with psycopg.connect(app_url.replace("+psycopg", "")) as connection:
        connection.execute("insert into later default values")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("drop table later")


@pytest.mark.parametrize(("role", "sentence"), [(0, None), (1, "owns tables|is a superuser")])
def test_serving_is_refused_to_a_role_that_owns(migrated: Addresses, role: int, sentence: str | None) -> None:
    engine = create_engine(migrated[role], poolclass=pool.NullPool)
    if sentence is None:
        schema.refuse_unsafe_role(engine)
        return
    with pytest.raises(schema.UnsafeRole, match=sentence):
        schema.refuse_unsafe_role(engine)


def test_one_address_for_both_roles_is_refused(empty: Addresses, application: Callable[[Addresses], Flask]) -> None:
    with pytest.raises(schema.UnsafeRole, match="name the same role"):
        schema.migrate(application((empty[1], empty[1])))


def test_a_failed_migration_is_not_taken_for_success(empty: Addresses, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", empty[0])
    monkeypatch.setenv("DATABASE_OWNER_URL", empty[1])
    program = "from app.ops import schema; from app import create_app; schema.migrate(create_app(), 'no_such')"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "no_such" in done.stderr


def test_a_downgrade_turns_the_newer_rules_of_ownership_into_the_nearest_older_one(
    migrated: Addresses, application: Callable[[Addresses], Flask]
) -> None:
    _app_url, owner_url = migrated
    became = {
        "first_registered": "first_registered",
        "imported": "first_registered",
        **dict.fromkeys(("dispatched", "transferred", "inherited", "merged", "supplement"), "dispatched"),
    }
    with psycopg.connect(owner_url.replace("+psycopg", "")) as connection:
        connection.execute("select set_config('app.actor', 'house:test', false)")
        branch = connection.execute(
            "insert into branch (code, name, zone) values ('99', 'B', 'Asia/Shanghai') returning id"
        ).fetchone()
        assert branch is not None
        for rule in became:
            connection.execute(
                "insert into customer (customer_no, name, state, branch_id, developer_rule) "
                "values (%s, %s, 'temporary', %s, %s)",
                (rule, rule, branch[0], rule),
            )
    schema.downgrade(application(migrated), "202611220432")
    kept = rows(owner_url, "select customer_no || ' ' || developer_rule from customer")
    assert sorted(kept) == sorted(f"{rule} {old}" for rule, old in became.items())
