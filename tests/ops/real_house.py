"""A real house for drills: the embedded server with durable settings, the whole schema, some of the demo's data.

``python -m tests.ops.real_house make`` fills the home that YIMEI_HOME names; ``serve PORT`` keeps web server and
worker running on it, as `run.py` does, and starts a database that ended again.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from app.ops import cli, house
from app.ops.postgres import Cluster
from app.ops.supervise import Supervisor, stop_on_signals
from config import home_of

ROOT = Path(__file__).resolve().parents[2]


def environment(home: Path) -> dict[str, str]:
    """Return the environment of a house in this home, which knows nothing of the server that the tests run on."""
    hidden = ("DATABASE_URL", "DATABASE_OWNER_URL")
    clean = {name: value for name, value in os.environ.items() if name not in hidden}
    return clean | {"YIMEI_MODE": "demo", "YIMEI_HOME": str(home), "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}


def make_house(home: Path) -> None:
    """Fill a home, in a process of its own; its server is stopped again."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.ops.real_house", "make"],
        env=environment(home), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:]


def _make() -> None:
    from app import demo
    from app.ops import schema
    from app.panel import security
    from tests.conftest import always_open

    with cli.database("demo"):
        app = cli.application()
        schema.migrate(app)
        security.sync_security(app)
        demo.load(app, say=lambda _line: None, share=0.05)
        always_open(app)


def _serve(port: int, settings: list[str]) -> int:
    """Keep the house open; ``settings`` are given to the database, for the control that makes it forget."""
    home = home_of()
    with cli.database("demo") as cluster:
        assert isinstance(cluster, Cluster)
        _set(cluster, settings)
        arguments = argparse.Namespace(host="127.0.0.1", port=port)
        children = house._children(home, arguments, with_scheduler=False, with_worker=True)
        supervisor = Supervisor(home, children, say=cli.say, tend=house._tending(cluster))
        stop_on_signals(supervisor.stopping)

        def open_now() -> bool:
            if answers := house._answers("127.0.0.1", port):
                cli.say("open")
            return answers

        return supervisor.run(open_now)


def _set(cluster: Cluster, settings: list[str]) -> None:
    import psycopg

    with psycopg.connect(cluster.admin_url.replace("+psycopg", ""), autocommit=True) as admin:
        for each in settings:
            admin.execute(f"alter system set {each}".encode())
        admin.execute("select pg_reload_conf()")


if __name__ == "__main__":
    if sys.argv[1] == "make":
        _make()
    else:
        sys.exit(_serve(int(sys.argv[2]), sys.argv[3:]))
