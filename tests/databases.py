"""Databases for the tests: one is migrated, each worker gets a copy of it, and what earlier runs left is dropped.

All of them belong to the owner's role, on the server that `run.py test` names in DATABASE_OWNER_URL. A name carries
machine and process of the run that made it, so that two runs on one server leave each other alone.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path

from sqlalchemy import Connection, create_engine, make_url, pool, text
from sqlalchemy.exc import DBAPIError

from app.ops.processes import born

ROOT = Path(__file__).resolve().parents[1]
PREFIX = "yimei_t"
OLDEST_SECONDS = 12 * 3600
DROP_ATTEMPTS = 4
#: What stands in front of packages that no process of the tests is to wait for.
LEAN = ROOT / "tests" / "lean"
TEMPLATE_LOCK = 0x79696D74  # names the advisory lock under which one process makes the template

Addresses = tuple[str, str]  # (the application's, the owner's)


def addresses(database: str) -> Addresses:
    """Return both roles' addresses of a database on the test server."""
    app, owner = (
        make_url(os.environ[name]).set(database=database, drivername="postgresql+psycopg")
        for name in ("DATABASE_URL", "DATABASE_OWNER_URL")
    )
    return app.render_as_string(hide_password=False), owner.render_as_string(hide_password=False)


MIGRATED = """
from app import create_app
from app.ops import schema
from app.panel import security
app = create_app()
schema.migrate(app)
security.sync_security(app)
"""


@cache
def template_database() -> str:
    """Return the name of this run's template, made by the first worker that asks: migrated, with roles and permissions.

    It is made as the commands `migrate` and `sync-security` do it, in one process.
    """
    name = f"{_prefix()}_template"
    with _owner() as connection:
        connection.execute(text("select pg_advisory_lock(:key)"), {"key": TEMPLATE_LOCK})
        for standing in _databases(connection):
            if standing.startswith(_prefix(hour=False)) and standing.endswith("_template"):
                return standing
        drop_leftovers(connection)
        making = name.removesuffix("_template") + "_making"
        _drop(connection, making)
        connection.execute(text(f'create database "{making}" template template0'))
        run_python(addresses(making), "-c", MIGRATED)
        connection.execute(text(f'alter database "{making}" rename to "{name}"'))
    return name


#: Further templates, each with so much of the demo in it: the organisation alone, or business too.
SHARES = {"peopled": 0.0, "storied": 0.03}
TELL = """
import sys
from app import create_app
from app.demo import load
load(create_app(), say=lambda _line: None, share=float(sys.argv[1]))
"""


@cache
def told_database(kind: str) -> str:
    """Return the name of this run's template of that kind, made by the first worker that asks."""
    template, name = template_database(), f"{_prefix()}_{kind}"
    with _owner() as connection:
        connection.execute(text("select pg_advisory_lock(:key)"), {"key": TEMPLATE_LOCK})
        for standing in _databases(connection):
            if standing.startswith(_prefix(hour=False)) and standing.endswith(f"_{kind}"):
                return standing
        making = f"{name}_making"
        _drop(connection, making)
        connection.execute(text(f'create database "{making}" template "{template}"'))
        run_python(addresses(making), "-c", TELL, str(SHARES[kind]))
        connection.execute(text(f'alter database "{making}" rename to "{name}"'))
    return name


def worker_database(worker_id: str) -> Addresses:
    """Make this worker's own copy of the peopled template and return its addresses. ``worker_id`` is xdist's, or
    "master"."""
    template = told_database("peopled")
    name = f"{template.removesuffix('_peopled')}_{worker_id}"
    with _owner() as connection:
        _drop(connection, name)
        connection.execute(text(f'create database "{name}" template "{template}"'))
    return addresses(name)


@contextlib.contextmanager
def fresh_database(
    label: str = "fresh", *, copy: bool = False, people: bool = False, stories: bool = False
) -> Iterator[Addresses]:
    """Give a database for one test and drop it afterwards: an empty one, with ``copy`` another of the template, with
    ``people`` one that has the demo's organisation already, with ``stories`` a small demo."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "master")
    name = f"{_prefix()}_{worker}_{label}"
    template = "template0"
    if stories or people:
        template = told_database("storied" if stories else "peopled")
    elif copy:
        template = template_database()
    with _owner() as connection:
        _drop(connection, name)
        connection.execute(text(f'create database "{name}" template "{template}"'))
    try:
        yield addresses(name)
    finally:
        drop_database(name)


def drop_database(name: str) -> None:
    """Drop a database of ours, connections and all."""
    with _owner() as connection:
        _drop(connection, name)


def drop_leftovers(connection: Connection) -> None:
    """Drop what runs left that are over: their process is gone, or half a day has passed."""
    for name in _databases(connection):
        parts = name.removeprefix(f"{PREFIX}_").split("_")
        here, run, hour = parts[0] == _machine(), parts[1], int(parts[2])
        too_old = time.time() - hour * 3600 > OLDEST_SECONDS
        if too_old or (here and born(int(run)) is None):
            _drop(connection, name)


def run_command(target: Addresses, *words: str) -> str:
    """Run a command of `run.py` against a database in a process of its own; return what it said, raise if it fails."""
    return run_python(target, "-m", "app.ops", *words)


def run_python(target: Addresses, *words: str) -> str:
    """Run Python against a database in a process of its own; return what it said, raise if it fails."""
    environment = os.environ | {"DATABASE_URL": target[0], "DATABASE_OWNER_URL": target[1]}
    done = subprocess.run(
        [sys.executable, *words],
        env=environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(words)} failed ({done.returncode}):\n{done.stdout}")
    return done.stdout


def _owner() -> AbstractContextManager[Connection]:
    return _connected("DATABASE_OWNER_URL")


@contextlib.contextmanager
def _connected(name: str) -> Iterator[Connection]:
    """Connect to the database of an address of the environment, outside any transaction."""
    url = make_url(os.environ[name]).set(drivername="postgresql+psycopg")
    engine = create_engine(url, poolclass=pool.NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def _drop(owner: Connection, name: str) -> None:
    """Drop it by force. Each role may only end its own connections, so the application's role ends its own first."""
    mine = text(
        "select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = :name and usename = current_user"
    )
    for attempt in range(1, DROP_ATTEMPTS + 1):
        with _connected("DATABASE_URL") as application:
            application.execute(mine, {"name": name})
        try:
            owner.execute(text(f'drop database if exists "{name}" with (force)'))
            return
        except DBAPIError:  # on a busy machine a backend may take longer to end than it was given
            if attempt == DROP_ATTEMPTS:
                raise
            time.sleep(attempt)


def _databases(connection: Connection) -> list[str]:
    names = connection.execute(text("select datname from pg_database order by 1")).scalars()
    return [name for name in names if name.startswith(f"{PREFIX}_")]


def _prefix(*, hour: bool = True) -> str:
    """Return how every name of this run begins: machine, process, and the hour for those who clean up."""
    run = f"{PREFIX}_{_machine()}_{_run()}_"
    return f"{run}{int(time.time()) // 3600}" if hour else run


def _machine() -> str:
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:6]


def _run() -> int:
    """Return the process of this run: the one that started the workers."""
    return os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()
