"""The commands of `run.py`, once the virtual environment stands. Each returns an exit code."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from app.ops.accounts import AccountProblem
from app.ops.backup.sealing import Damaged
from app.ops.backup.source import BackupProblem
from app.ops.postgres import Cluster, ClusterProblem
from app.ops.programs import NoPrograms
from app.ops.supervise import AlreadyRunning
from config import SettingsRefused, home_of, make_home, make_keys, mode_of, secret_key

if TYPE_CHECKING:
    from flask import Flask

ROOT = Path(__file__).resolve().parents[2]


class Refused(Exception):
    """A command that cannot be done; the message is for the operator."""


def main(arguments: argparse.Namespace, rest: list[str]) -> int:
    """Run a command; what is wrong with the machine or the settings is told in a sentence, without a stack."""
    if arguments.home is not None:
        os.environ["YIMEI_HOME"] = str(arguments.home.expanduser().resolve())
    os.chdir(ROOT)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a terminate, too, leaves by every `finally`
    try:
        return COMMANDS[arguments.command](arguments, rest)
    except (
        Refused, SettingsRefused, ClusterProblem, AccountProblem, NoPrograms, AlreadyRunning, BackupProblem, Damaged
    ) as problem:  # fmt: skip
        say(str(problem))
        return 1
    except KeyboardInterrupt:
        say("Interrupted.")
        return 130


def say(sentence: str) -> None:
    """Print at once, also into a pipe. A reader that went away (a closed terminal) stops nothing."""
    try:
        print(sentence, flush=True)
    except OSError:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - stands for standard output from now on


def own_server() -> bool:
    """Say whether the operator brings a database server of his own."""
    return bool(os.environ.get("DATABASE_URL", "").strip())


@contextlib.contextmanager
def database(purpose: str | None = None) -> Iterator[Cluster | None]:
    """Put the two addresses into the environment: the operator's, or those of the embedded server, which then runs.

    Settles the mode as well: what was said, else what the embedded data was made for, else production.
    """
    home = home_of()
    if own_server():
        os.environ.setdefault("YIMEI_MODE", purpose or "production")
        make_home(home)
        yield None
        return
    cluster = Cluster(home, purpose=purpose, say=say)
    os.environ.setdefault("YIMEI_MODE", purpose or cluster.purpose or "production")
    secret_key(os.environ, mode_of(), home)  # refused before a database is made for nothing
    with cluster:
        os.environ["DATABASE_URL"] = cluster.app_url
        os.environ["DATABASE_OWNER_URL"] = cluster.owner_url
        if not (home / "keys.json").exists() and holds_data(cluster.owner_url):
            raise Refused(
                f"{home / 'keys.json'} is missing, but the database holds data that was encrypted with it. "
                "Put the file back from your copy; new keys would make every contact unreadable."
            )
        make_keys(home)  # this database is ours from its first row, so its keys may be made here
        yield cluster


def holds_data(owner_url: str) -> bool:
    """Say whether a database holds encrypted contacts; one that was never migrated holds none."""
    with psycopg.connect(owner_url.replace("postgresql+psycopg", "postgresql")) as connection:
        if connection.execute("select to_regclass('public.customer_contact')").fetchone() == (None,):
            return False
        return connection.execute("select 1 from customer_contact limit 1").fetchone() is not None


def application() -> Flask:
    """Make the application. Imported late: half of the commands can do without it, and it takes a second."""
    from app import create_app

    return create_app()


# -- the commands ------------------------------------------------------------------------------------------------


def demo(arguments: argparse.Namespace, _rest: list[str]) -> int:
    """Open the demo: everything starts with one command and ends with Ctrl-C."""
    from app.ops import house

    if os.environ.setdefault("YIMEI_MODE", "demo") != "demo":
        raise Refused(f"YIMEI_MODE is {mode_of()}: a demo with published passwords is only opened in demo mode.")
    if arguments.fresh and own_server():
        raise Refused("--fresh deletes the embedded database only; empty a database of your own yourself.")
    return house.open_house(arguments, purpose="demo", fresh=arguments.fresh, with_scheduler=True, with_worker=True)


def serve(arguments: argparse.Namespace, _rest: list[str]) -> int:
    """Serve for real."""
    from app.ops import house

    os.environ.setdefault("YIMEI_MODE", "production")
    return house.open_house(
        arguments,
        purpose=mode_of(),
        fresh=False,
        with_scheduler=not arguments.no_scheduler,
        with_worker=not arguments.no_worker,
    )


def scheduler(_arguments: argparse.Namespace, _rest: list[str]) -> int:
    """Run the scheduler until it is asked to stop."""
    with database():
        from app.jobs import clock

        clock.serve(application())
    return 0


def worker(_arguments: argparse.Namespace, _rest: list[str]) -> int:
    """Run a worker until it is asked to stop; 1 if it ended by itself, because the database stayed away."""
    with database():
        from app.jobs import worker as process

        return 0 if process.serve(application()) else 1


def migrate(_arguments: argparse.Namespace, _rest: list[str]) -> int:
    """Migrate to the newest revision."""
    with database():
        from app.ops import schema

        app = application()
        with refusing_plainly():
            schema.migrate(app)
        say(f"The schema stands at {', '.join(schema.applied(app)) or 'nothing: there are no migrations'}.")
    return 0


def make_migration(arguments: argparse.Namespace, _rest: list[str]) -> int:
    """Write a migration from what changed in the models, compared with an empty database that was just migrated."""
    from app.extensions import db
    from app.ops import schema, testing

    with refusing_plainly(), testing.scratch_database(home_of(), say):
        app = application()
        schema.migrate(app)
        schema.make_migration(app, arguments.message)
        with app.app_context():
            db.engine.dispose()
    return 0


def docs(_arguments: argparse.Namespace, _rest: list[str]) -> int:
    """Write the documents that are made from the declarations; no database is asked."""
    from app import create_app
    from app.ops import documents

    os.environ.update(
        YIMEI_MODE="test", DATABASE_URL=os.environ.get("DATABASE_URL", "") or "postgresql://nobody@/nothing"
    )
    for path in documents.write(create_app()):
        say(f"Wrote {path.relative_to(ROOT)}.")
    return 0


def sync_security(_arguments: argparse.Namespace, _rest: list[str]) -> int:
    """Write roles and permissions."""
    with database():
        from app.panel import security

        security.sync_security(application())
        say("Roles and permissions are written.")
    return 0


def create_admin(arguments: argparse.Namespace, _rest: list[str]) -> int:
    """Make an administrator."""
    from app.ops import admin

    try:
        username, password = admin.asked_for(arguments.username)
        with database():
            say(admin.create(application(), username, password, arguments.email))
    except admin.NotCreated as problem:
        raise Refused(str(problem)) from problem
    return 0


def rotate_keys(arguments: argparse.Namespace, _rest: list[str]) -> int:
    """Encrypt everything anew under a new key, or forget the older ones."""
    with database(), refusing_plainly():
        from app.ops import keys

        try:
            keys.rotate_keys(application(), home_of(), say=say, drop_old=arguments.drop_old)
        except keys.NotRotated as problem:
            raise Refused(str(problem)) from problem
    return 0


def prepare(arguments: argparse.Namespace, _rest: list[str]) -> int:
    """Do what a house needs before it opens; the supervisor calls this in a process of its own, to stay small."""
    from app.ops import house

    with refusing_plainly():
        house.prepare(application(), with_demo=arguments.with_demo, say=say)
    return 0


def simulate_calls(arguments: argparse.Namespace, _rest: list[str]) -> int:
    """Play a day of calls against a running server; 1 if an event was refused."""
    from app.ops import calls

    return calls.simulate(arguments, say)


def backup(arguments: argparse.Namespace, _rest: list[str]) -> int:
    """Take a backup; the embedded server is started for it if it does not run."""
    from app.ops.backup import commands

    with contextlib.nullcontext() if own_server() else database():
        return commands.backup(arguments, say)


def archiver(arguments: argparse.Namespace, _rest: list[str]) -> int:
    """Copy changes and files into the backups until asked to stop."""
    from app.ops.backup import commands

    return commands.archiver(arguments, say)


def verify_backup(arguments: argparse.Namespace, _rest: list[str]) -> int:
    """See that backups can be read."""
    from app.ops.backup import commands

    return commands.verify_backup(arguments, say)


def restore(arguments: argparse.Namespace, _rest: list[str]) -> int:
    """Restore a backup into a new home."""
    from app.ops.backup import commands

    if arguments.home is None:
        raise Refused("Say with --home into which new folder; what stands is never restored over.")
    return commands.restore_command(arguments, say)


def verify(_arguments: argparse.Namespace, _rest: list[str]) -> int:
    """Recompute the seals of the trail; 1 if anything was touched."""
    from app.ops import trail

    with database():
        return trail.verify(application(), say)


def prune_trail(_arguments: argparse.Namespace, _rest: list[str]) -> int:
    """Move what of the trail is past its retention into archive files."""
    from app.ops import trail

    with database(), refusing_plainly():
        return trail.prune(application(), say)


def doctor(_arguments: argparse.Namespace, _rest: list[str]) -> int:
    """Look at everything and say what to do; 1 if anything is bad."""
    from app.ops import doctor as examination

    nothing_yet = not own_server() and Cluster(home_of(), say=say).purpose is None
    return examination.examine(None if nothing_yet else database, say)


def lock(_arguments: argparse.Namespace, _rest: list[str]) -> int:
    """Write the locks anew."""
    from app.ops import supply

    return supply.write_locks(say)


def licences(_arguments: argparse.Namespace, _rest: list[str]) -> int:
    """Show the licences."""
    from app.ops import supply

    return supply.show_licences(say)


def sbom(arguments: argparse.Namespace, _rest: list[str]) -> int:
    """Write the bill of materials."""
    import json

    from app.ops import supply

    arguments.to.write_text(json.dumps(supply.bill(), indent=2) + "\n", encoding="utf-8")
    say(f"Wrote {arguments.to}.")
    return 0


def test(arguments: argparse.Namespace, rest: list[str]) -> int:
    """Run the tests: those of every run, or the slow ones."""
    from app.ops import testing

    with refusing_plainly():
        return testing.run_tests(home_of(), rest, say, slow=arguments.slow)


def check(_arguments: argparse.Namespace, rest: list[str]) -> int:
    """Run the gate."""
    from app.ops import testing

    with refusing_plainly():
        return testing.run_gate(home_of(), rest, say)


@contextlib.contextmanager
def refusing_plainly() -> Iterator[None]:
    """Turn what the schema and the test server refuse into a sentence."""
    from app.ops.schema import UnsafeRole
    from app.ops.testing import NoTestServer

    try:
        yield
    except (UnsafeRole, NoTestServer) as problem:
        raise Refused(str(problem)) from problem


COMMANDS: dict[str, Callable[[argparse.Namespace, list[str]], int]] = {
    "demo": demo,
    "serve": serve,
    "scheduler": scheduler,
    "worker": worker,
    "migrate": migrate,
    "make-migration": make_migration,
    "docs": docs,
    "sync-security": sync_security,
    "create-admin": create_admin,
    "backup": backup,
    "archiver": archiver,
    "verify-backup": verify_backup,
    "restore": restore,
    "verify": verify,
    "prune-trail": prune_trail,
    "rotate-keys": rotate_keys,
    "simulate-calls": simulate_calls,
    "doctor": doctor,
    "lock": lock,
    "licences": licences,
    "sbom": sbom,
    "test": test,
    "check": check,
    "prepare": prepare,
}
