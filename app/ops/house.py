"""Open the house: database, schema, permissions, perhaps the demo, then what serves it, until Ctrl-C."""

from __future__ import annotations

import argparse
import hashlib
import os
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from app.ops import cli, durability
from app.ops.postgres import Cluster
from app.ops.supervise import Child, Say, Supervisor, end_leftovers, only_run_in, stop_on_signals
from config import from_environment, home_of, make_home

if TYPE_CHECKING:
    from flask import Flask

WORKERS, THREADS = 2, 8
DEMO_PASSWORD = "Yimei-demo-2026"
# The five that show most, with what each is good for.
SHOWN_ACCOUNTS = (
    ("phone_consultant", "电话咨询师 phone consultant: calls, slips"),
    ("phone_supervisor", "电话咨询主管 phone supervisor: voids, hands over"),
    ("guide", "导诊 guide: arrivals"),
    ("branch_head", "分院负责人 branch head: all of one branch"),
    ("admin", "系统管理员 administrator: settings, roles"),
)


def open_house(
    arguments: argparse.Namespace, *, purpose: str, fresh: bool, with_scheduler: bool, with_worker: bool
) -> int:
    """Start everything, say where it is, and keep it running until asked to stop; return the exit code."""
    home = home_of()
    make_home(home)
    address = f"http://{_for_url(arguments.host)}:{arguments.port}"
    began = time.monotonic()
    with only_run_in(home, address):
        end_leftovers(home)
        _refuse_taken_port(arguments.host, arguments.port)
        if fresh:
            _throw_away(home, purpose)
        with cli.database(purpose) as cluster:
            from_environment()  # refuses here, in a sentence, what would otherwise end a worker with a stack
            _see_to_durability(purpose)
            _prepare_apart(cluster, with_demo=purpose == "demo")
            children = _children(home, arguments, with_scheduler=with_scheduler, with_worker=with_worker)
            supervisor = Supervisor(home, children, say=cli.say, tend=_tending(cluster))
            stop_on_signals(supervisor.stopping)

            def open_now() -> bool:
                if not _answers(arguments.host, arguments.port):
                    return False
                _announce(address, purpose, time.monotonic() - began)
                return True

            code = supervisor.run(open_now)
        cli.say("Stopped.")
        return code


def prepare(app: Flask, *, with_demo: bool, say: Say) -> None:
    """Migrate where migrations are pending, write the permissions and load the demo.

    Without the owner's address nothing is migrated; serving over a stale schema is refused instead.
    """
    from app.extensions import db
    from app.ops import schema
    from app.panel import security

    if not schema.is_current(app):
        if not app.config.get("DATABASE_OWNER_URL"):
            raise cli.Refused("Migrations are pending. Set DATABASE_OWNER_URL and run `python3 run.py migrate` first.")
        say("Bringing the schema up to date ...")
        schema.migrate(app)
    with app.app_context():
        schema.refuse_unsafe_role(db.engine)
    say("Writing roles and permissions ...")
    security.sync_security(app)
    from app import demo

    if with_demo:
        demo.load(app, say=say)
    else:
        demo.refuse_demo_accounts(app)


def _prepare_apart(cluster: Cluster | None, *, with_demo: bool) -> None:
    """Run ``prepare`` in a process of its own; not at all where this very code prepared this very database before.

    That is noted beside the embedded data, and dies with them. On a server of one's own all is always looked at.
    """
    if cluster is not None and _is_prepared(cluster):
        return
    command = [sys.executable, "-m", "app.ops", "prepare", *(["demo"] if with_demo else [])]
    child = Child("preparation", command, dict(os.environ))
    child.start()
    try:
        code = child.wait()
    finally:
        child.stop()
    if code != 0:
        raise cli.Refused("The house was not opened; the lines above say why.")
    if cluster is not None:
        _note(cluster).write_text(_prepared_state(cluster), encoding="utf-8")


def _see_to_durability(purpose: str) -> None:
    """Refuse to serve for real on a database that may forget what it acknowledged, or by a clock that is wrong.

    Elsewhere, and where checksums alone are missing, it is said and goes on.
    """
    unsafe, doubtful = durability.look(os.environ["DATABASE_URL"])
    if unsafe and purpose == "production":
        raise cli.Refused("The house was not opened. " + " ".join(unsafe))
    for sentence in [*unsafe, *doubtful]:
        cli.say(f"Careful: {sentence}")


def _is_prepared(cluster: Cluster) -> bool:
    note = _note(cluster)
    return note.exists() and note.read_text(encoding="utf-8") == _prepared_state(cluster)


def _note(cluster: Cluster) -> Path:
    return cluster.data.parent / "prepared"


def _prepared_state(cluster: Cluster) -> str:
    """Describe the code that stands and the revision that the database stands at, without loading either."""
    code = hashlib.sha256()
    for path in sorted([*cli.ROOT.glob("app/**/*.py"), *cli.ROOT.glob("migrations/versions/*.py")]):
        found = path.stat()
        code.update(f"{path.relative_to(cli.ROOT)} {found.st_mtime_ns} {found.st_size}\n".encode())
    return f"{code.hexdigest()} {cluster.revision()}"


def _web(home: Path, arguments: argparse.Namespace) -> Child:
    """Describe the web server. Its own control socket, which it would put into a user's home, stays off.

    The application is loaded once, before the workers fork; making it opens no connection that they would share.
    """
    command = [
        sys.executable, "-m", "gunicorn", "app:served()",
        "--bind", f"{_for_url(arguments.host)}:{arguments.port}",
        "--worker-class", "gthread", "--workers", str(WORKERS), "--threads", str(THREADS),
        "--timeout", "60", "--graceful-timeout", "5", "--keep-alive", "5",
        "--log-level", "warning", "--no-control-socket", "--preload",
    ]  # fmt: skip
    if Path("/dev/shm").is_dir():
        command += ["--worker-tmp-dir", "/dev/shm"]  # its heartbeat file is not to wait for a busy disk
    environment = _childs_environment()
    if arguments.host not in ("0.0.0.0", "::"):  # the address that was asked for is known; all of them are not
        hosts = (environment.get("YIMEI_ALLOWED_HOSTS", ""), _for_url(arguments.host))
        environment["YIMEI_ALLOWED_HOSTS"] = ",".join(filter(None, hosts))
    return Child("web server", command, environment, _log(home, "web"))


def _children(home: Path, arguments: argparse.Namespace, *, with_scheduler: bool, with_worker: bool) -> list[Child]:
    """Describe what the supervisor keeps running; the web server comes first."""
    children = [_web(home, arguments)]
    if with_scheduler:
        children += [_beside(home, "scheduler"), _beside(home, "archiver")]  # what makes backups goes together
    if with_worker:
        children.append(_beside(home, "worker"))
    return children


def _beside(home: Path, name: str) -> Child:
    """Describe what runs beside the web server, under the command of its name. Its work may take a while to end."""
    command = [sys.executable, str(cli.ROOT / "run.py"), name]
    environment = _childs_environment(with_backups=name in ("scheduler", "archiver"))
    return Child(name, command, environment, _log(home, name), patience=10)


def _childs_environment(*, with_backups: bool = False) -> dict[str, str]:
    """Return our environment without the owner's address, which none of them has any use for.

    Only who makes backups learns how to read the whole database and the key that seals them.
    """
    hidden = {"DATABASE_OWNER_URL"} | (set() if with_backups else {"DATABASE_BACKUP_URL", "YIMEI_BACKUP_KEY"})
    environment = {key: value for key, value in os.environ.items() if key not in hidden}
    return environment | {"PYTHONUNBUFFERED": "1", "PYTHONPATH": str(cli.ROOT)}


def _log(home: Path, name: str) -> Path | None:
    """Return a log file for the demo; in production children write where the supervisor does (a service's journal)."""
    return home / "log" / f"{name}.log" if os.environ.get("YIMEI_MODE") == "demo" else None


def _tending(cluster: Cluster | None) -> Callable[[], None]:
    """Return what looks after the database now and then."""

    def tend() -> None:
        if cluster is not None and not cluster.seems_alive():
            cli.say("The database ended; starting it again.")
            cluster.start()

    return tend


def _throw_away(home: Path, purpose: str) -> None:
    cluster = Cluster(home, say=cli.say)
    if cluster.purpose not in (None, purpose):
        raise cli.Refused(f"{home} holds a {cluster.purpose} database; --fresh deletes none but a demo's.")
    cluster.remove()


def _refuse_taken_port(host: str, port: int) -> None:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as problem:
        reason = problem.strerror or str(problem)
        sentence = f"Cannot listen on {host}, port {port} ({reason}); choose another with --port or --host."
        raise cli.Refused(sentence) from problem


def _answers(host: str, port: int) -> bool:
    """Say whether the login page is there. A proxy of the environment must not stand between us and ourselves."""
    here = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://{_for_url(here)}:{port}/login/", timeout=10) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _for_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _announce(address: str, purpose: str, seconds: float) -> None:
    cli.say(f"\nYimei is open at {address}  (after {seconds:.0f} s; Ctrl-C stops everything)")
    if purpose != "demo":
        return
    cli.say(f"Accounts, all with the password {DEMO_PASSWORD}:")
    for login, explained in SHOWN_ACCOUNTS:
        cli.say(f"  {login:<18} {explained}")
    cli.say("Every role has one, named like the role; in the second branch b2_<role>, a second consultant <role>_2.\n")
