"""The tests and the gate: a PostgreSQL to test on, then pytest; the linters before it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from sqlalchemy import Connection, create_engine, make_url, pool, text
from sqlalchemy.exc import DBAPIError, OperationalError

from app.ops.postgres import Cluster
from app.ops.schema import quoted
from config import database_url, make_home

ROOT = Path(__file__).resolve().parents[2]
TIMES = ["-n", "2", "--dist", "loadfile"]  # two workers; a file's tests stay together and share what they set up
ALONE = ["-m", "nightly", "-n", "0"]  # instead of pyproject.toml's "not nightly"; one at a time: they measure and kill

Say = Callable[[str], None]


class NoTestServer(Exception):
    """The server named in the environment cannot be tested on; the message holds the SQL that helps."""


def run_tests(home: Path, rest: list[str], say: Say, *, slow: bool = False) -> int:
    """Run pytest on the embedded server or on one's own, with further arguments passed on; return its exit code.

    ``slow`` runs those marked ``nightly`` and no others: all tests are the two runs together.
    """
    with server_for_tests(home, say):
        return _run([sys.executable, "-m", "pytest", *(ALONE if slow else TIMES), *rest])


def run_gate(home: Path, rest: list[str], say: Say) -> int:
    """Run every check, the tests (which hold migrations and drift) last; return 1 if any failed. All of them run."""
    python = [sys.executable, "-m"]
    failed: list[str] = []
    with server_for_tests(home, say):
        for title, command in (
            ("lint", [*python, "ruff", "check", "."]),
            ("format", [*python, "ruff", "format", "--check", "."]),
            ("types", [*python, "mypy", "app/models", "app/services", "app/ops", "config.py"]),
            ("layers", [str(Path(sys.executable).parent / "lint-imports")]),
            ("licences, lock", [*python, "app.ops", "licences"]),
            ("templates", [*python, "djlint", "app/templates", "--lint", "--quiet"]),
            ("tests", [*python, "pytest", *TIMES, *rest]),
        ):
            began = time.monotonic()
            say(f"-- {title}")
            if _run(command) != 0:
                failed.append(title)
            say(f"   {time.monotonic() - began:.0f} s")
    say(f"The gate is shut: {', '.join(failed)}." if failed else "The gate is open.")
    return 1 if failed else 0


@contextlib.contextmanager
def server_for_tests(home: Path, say: Say) -> Iterator[None]:
    """Put the test server's addresses into the environment: those given, else of an embedded one that may forget."""
    os.environ["YIMEI_MODE"] = "test"
    os.environ["YIMEI_HOME"] = str(home / "test")
    given = [os.environ.get(name, "").strip() for name in ("DATABASE_URL", "DATABASE_OWNER_URL")]
    if any(given) and not all(given):
        raise NoTestServer("Set both DATABASE_URL and DATABASE_OWNER_URL to test on a server of your own, or neither.")
    make_home(home)
    if all(given):
        see_to_own_server(*given)
        yield
        return
    with Cluster(home, "test-postgres", purpose="test", say=say) as cluster:
        os.environ["DATABASE_URL"], os.environ["DATABASE_OWNER_URL"] = cluster.app_url, cluster.owner_url
        yield


@contextlib.contextmanager
def scratch_database(home: Path, say: Say) -> Iterator[None]:
    """Put the addresses of an empty database on the test server into the environment; drop it afterwards."""
    with server_for_tests(home, say):
        addresses = {name: make_url(os.environ[name]) for name in ("DATABASE_URL", "DATABASE_OWNER_URL")}
        owner = create_engine(addresses["DATABASE_OWNER_URL"], poolclass=pool.NullPool, isolation_level="AUTOCOMMIT")
        scratch = f"yimei_scratch_{os.getpid()}"
        with owner.connect() as connection:
            connection.execute(text(f"create database {scratch}"))
        try:
            for name, url in addresses.items():
                os.environ[name] = url.set(database=scratch).render_as_string(hide_password=False)
            yield
        finally:
            with owner.connect() as connection:
                connection.execute(text(f"drop database {scratch}"))


def see_to_own_server(app: str, owner: str) -> None:
    """See that a server of one's own can be tested on: both roles log in, the owner may make databases.

    Makes the application's role if the owner may. Raises ``NoTestServer`` with the SQL to type otherwise.
    """
    app_url, owner_url = (
        make_url(database_url(app, "DATABASE_URL")),
        make_url(database_url(owner, "DATABASE_OWNER_URL")),
    )
    help_ = sql_to_type(app, owner)
    engine = create_engine(owner_url, poolclass=pool.NullPool, hide_parameters=True, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            _see_to_rights(connection, str(app_url.username), app_url.password or "", help_)
    except OperationalError as problem:
        raise NoTestServer(f"The owner cannot log in ({_first_line(problem)}).\n{help_}") from problem
    probe = create_engine(app_url, poolclass=pool.NullPool, hide_parameters=True)
    try:
        with probe.connect():
            pass
    except OperationalError as problem:
        raise NoTestServer(f"The application's role cannot log in ({_first_line(problem)}).\n{help_}") from problem


def sql_to_type(app: str, owner: str) -> str:
    """Return what a superuser types to make a test server usable, without the passwords of the addresses."""
    app_url, owner_url = make_url(app), make_url(owner)
    roles = [(owner_url.username, " CREATEDB"), (app_url.username, "")]
    lines = [f"CREATE ROLE {quoted(str(name))} LOGIN{extra} PASSWORD '<as in the address>';" for name, extra in roles]
    databases = {url.database or str(url.username) for url in (app_url, owner_url)}
    lines += [f"CREATE DATABASE {quoted(name)} OWNER {quoted(str(owner_url.username))};" for name in sorted(databases)]
    return "Let a superuser of that server type what is missing of:\n  " + "\n  ".join(lines)


def _see_to_rights(owner: Connection, app_role: str, app_password: str, help_: str) -> None:
    if int(owner.execute(text("show server_version_num")).scalar_one()) < 150000:
        raise NoTestServer("PostgreSQL 15 or newer is needed.")
    rights = text("select rolcreatedb or rolsuper from pg_roles where rolname = current_user")
    if not owner.execute(rights).scalar():
        role = owner.execute(text("select quote_ident(current_user)")).scalar()
        raise NoTestServer(f"The owner may not make databases. Let a superuser type:\n  ALTER ROLE {role} CREATEDB;")
    if owner.execute(text("select 1 from pg_roles where rolname = :name"), {"name": app_role}).scalar() is None:
        password = app_password.replace("'", "''")
        try:
            owner.exec_driver_sql(f"CREATE ROLE {quoted(app_role)} LOGIN PASSWORD '{password}'".replace("%", "%%"))
        except DBAPIError as problem:
            raise NoTestServer(f"The role {app_role} is missing and the owner may not make it.\n{help_}") from problem


def _first_line(problem: DBAPIError) -> str:
    return (str(problem.orig).strip().splitlines() or ["no reason given"])[0]


def _run(command: list[str]) -> int:
    """Run a command that shares our terminal: Ctrl-C reaches it as well, and we wait for what it does about it."""
    process = subprocess.Popen(command, cwd=ROOT)
    try:
        return process.wait()
    except KeyboardInterrupt:
        process.terminate()
        process.wait()
        raise
