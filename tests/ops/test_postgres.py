"""The embedded server: made whole, password in force, found again after every kind of death."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from app.ops.accounts import OWN_PLACE
from app.ops.postgres import LONGEST_SOCKET_FOLDER, Cluster, ClusterProblem

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow


def connected(url: str) -> psycopg.Connection[tuple[object, ...]]:
    """Open a connection by one of the cluster's addresses."""
    return psycopg.connect(url.replace("+psycopg", ""))


def value(url: str, query: str) -> object:
    """Ask for one value."""
    with connected(url) as connection:
        row = connection.execute(query).fetchone()  # type: ignore[call-overload]
    return row[0] if row else None


@pytest.fixture
def cluster(home: Path) -> Iterator[Cluster]:
    made = Cluster(home, purpose="test", say=lambda _sentence: None)
    yield made
    made.remove()


def test_it_is_made_started_and_stopped_by_whoever_leaves_last(cluster: Cluster) -> None:
    with cluster:
        assert cluster.is_running()
        with Cluster(cluster.home):
            pass
        assert cluster.is_running(), "the one who came second stopped the server of the first"
        assert cluster.seems_alive()
    assert not cluster.is_running()
    assert not cluster.seems_alive()


def test_each_role_needs_its_password_and_only_the_owner_owns(cluster: Cluster) -> None:
    with cluster:
        password = cluster.app_url.split(":")[2].split("@")[0]
        for url in (cluster.app_url, cluster.owner_url, cluster.admin_url):
            wrong = url.replace(url.split(":")[2].split("@")[0], password[::-1])
            with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
                connected(wrong)
        assert value(cluster.app_url, "select current_user") == "yimei_app"
        assert value(cluster.owner_url, "select current_user") == "yimei_owner"
        with connected(cluster.app_url) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("create table forbidden (id int)")
        owned = "select pg_get_userbyid(datdba) from pg_database where datname = current_database()"
        assert value(cluster.app_url, owned) == "yimei_owner"
        assert value(cluster.admin_url, "show listen_addresses") == ""
        assert value(cluster.admin_url, "show data_checksums") == "on"
        assert value(cluster.app_url, "select lower('Ä') || current_setting('timezone')") == "äUTC"


def test_its_files_are_nobody_elses(cluster: Cluster) -> None:
    with cluster:
        assert stat.S_IMODE(cluster.data.parent.stat().st_mode) == 0o700
        assert stat.S_IMODE((cluster.home / "postgres.json").stat().st_mode) == 0o600
        assert (cluster.data.stat().st_uid == 0) is False


def test_a_durable_server_keeps_postgresqls_own_settings(home: Path) -> None:
    cluster = Cluster(home, purpose="demo")
    with cluster:
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            assert value(cluster.admin_url, f"show {setting}") == "on"
        assert value(cluster.admin_url, "select rolcreatedb from pg_roles where rolname = 'yimei_owner'") is False
    cluster.remove()


def test_it_rises_after_its_main_process_was_killed_with_all_that_was_committed(home: Path) -> None:
    cluster = Cluster(home, purpose="demo")
    with cluster:
        with connected(cluster.owner_url) as connection:
            connection.execute("create table kept as select 42 as answer")
        os.kill(main_process(cluster), signal.SIGKILL)
        assert cluster.start() is True
        assert value(cluster.owner_url, "select answer from kept") == 42
    cluster.remove()


def test_a_pid_file_whose_number_another_process_bears_harms_neither(cluster: Cluster) -> None:
    with cluster:
        uid = cluster.data.stat().st_uid
        os.kill(main_process(cluster), signal.SIGKILL)
        innocent = subprocess.Popen(["sleep", "60"], user=uid if os.geteuid() == 0 else None)
        try:
            for lock in (cluster.data / "postmaster.pid", *(cluster.data.parent / "run").glob(".s.PGSQL.*.lock")):
                _, _, rest = lock.read_text().partition("\n")
                lock.write_text(f"{innocent.pid}\n{rest}")
            assert not cluster.is_running()
            cluster.stop()
            assert innocent.poll() is None, "stopping ended an innocent process"
            assert cluster.start() is True
            assert innocent.poll() is None
        finally:
            innocent.kill()
            innocent.wait()


def test_a_half_made_data_folder_of_a_killed_run_is_made_again(cluster: Cluster) -> None:
    cluster.ensure()
    half = cluster.data.rename(cluster.data.parent / "data.making-1")
    (half / "PG_VERSION").unlink()
    with cluster:
        assert cluster.is_running()
        assert not half.exists()


def test_lost_passwords_are_replaced_and_the_data_stays(cluster: Cluster) -> None:
    with cluster, connected(cluster.owner_url) as connection:
        connection.execute("create table kept as select 42 as answer")
    before = cluster.app_url
    (cluster.home / "postgres.json").unlink()
    with cluster:
        assert cluster.app_url != before
        assert value(cluster.owner_url, "select answer from kept") == 42


def test_a_path_too_long_for_a_socket_gets_a_short_private_folder(home: Path) -> None:
    long = home / ("x" * LONGEST_SOCKET_FOLDER)
    cluster = Cluster(long, purpose="test")
    with cluster:
        assert value(cluster.app_url, "select 1") == 1
        socket = Path(cluster.socket_folder)
        assert len(str(socket)) < LONGEST_SOCKET_FOLDER
        assert stat.S_IMODE(socket.stat().st_mode) == 0o700
    cluster.remove()
    assert not socket.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server under another account")
def test_a_home_that_the_servers_account_cannot_reach_gets_its_data_elsewhere(home: Path) -> None:
    home.chmod(0o700)
    said: list[str] = []
    cluster = Cluster(home / "inner", purpose="test", say=said.append)
    with cluster:
        assert OWN_PLACE in cluster.data.parents
        assert value(cluster.app_url, "select 1") == 1
    assert stat.S_IMODE(home.stat().st_mode) == 0o700, "a folder that we did not make was opened"
    assert [str(cluster.data.parent) in sentence for sentence in said] == [True]
    cluster.remove()


def test_data_made_for_one_purpose_is_not_used_for_another(cluster: Cluster) -> None:
    cluster.ensure()
    with pytest.raises(ClusterProblem, match="holds a test database, this is a demo run"):
        Cluster(cluster.home, purpose="demo").ensure()
    assert Cluster(cluster.home).purpose == "test"


def test_two_starts_at_once_make_one_server(cluster: Cluster) -> None:
    program = (
        "import sys; from pathlib import Path; from app.ops.postgres import Cluster\n"
        "with Cluster(Path(sys.argv[1]), purpose='test') as c: print(c.started_at(), flush=True); sys.stdin.read()"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(cluster.home)],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for _ in range(2)
    ]  # fmt: skip
    born = [process.stdout.readline().strip() for process in started if process.stdout]
    answers = [process.communicate(timeout=60) and process.returncode for process in started]
    assert answers == [0, 0]
    assert born[0] == born[1] != ""
    deadline = time.monotonic() + 10
    while cluster.is_running() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not cluster.is_running(), "the last to leave did not stop it"


def main_process(cluster: Cluster) -> int:
    """Return the number of the server's main process."""
    return int((cluster.data / "postmaster.pid").read_text().split("\n")[0])
