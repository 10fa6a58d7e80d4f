"""The embedded PostgreSQL: made, started, found running, stopped. One server per home.

It listens on a socket in a private folder, never on the network; three roles with random passwords (the server's
own, the owner's, the application's) are kept in ``<home>/<name>.json``. Whoever uses it holds a shared lock, and
the last to leave stops it, so that a `doctor` beside a running demo neither starts a second server nor stops this one.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import secrets
import shlex
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from types import TracebackType
from urllib.parse import quote

import psycopg

from app.ops.accounts import OWN_PLACE, Account, account_for, shared_folder
from app.ops.cluster_roles import ADMIN, APPLICATION, DATABASE, OWNER, see_to_roles
from app.ops.processes import born, working_in
from app.ops.programs import NEWEST, programs
from config import make_home, write_secret

PORT = 5432  # only part of the socket's name
LONGEST_SOCKET_FOLDER = 100 - len(f"/.s.PGSQL.{PORT}")
START_SECONDS, STOP_SECONDS = 120, 60

# Durability stays as PostgreSQL ships it. The tests' server may forget: it is made anew when it breaks.
CAREFUL = {
    "logging_collector": "on",
    "log_directory": "log",
    "log_filename": "postgresql-%a.log",
    "log_truncate_on_rotation": "on",
    "log_rotation_age": "1d",
    # What is refused is logged without the row (DETAIL) and without parameters: both are personal data.
    "log_error_verbosity": "terse",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
}
FORGETFUL = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "200"}


class ClusterProblem(Exception):
    """The embedded server cannot be made, started or stopped; the message says why and what to do."""


class Cluster:
    """One embedded server. ``with Cluster(home) as cluster:`` makes, starts and, if last, stops it.

    ``purpose`` (demo, production or test) is written down when the data is made and never mixed afterwards; without
    one, what stands is taken as it is.
    """

    def __init__(
        self, home: Path, name: str = "postgres", *, purpose: str | None = None, say: Callable[[str], None] = print
    ) -> None:
        self.home = home.resolve()
        self.name = name
        self.wanted = purpose
        self.say = say
        self._secrets_path = self.home / f"{name}.json"
        self._use: int | None = None
        self._place: tuple[Path, Account] | None = None

    # -- addresses ---------------------------------------------------------------------------------------------

    @property
    def app_url(self) -> str:
        """The address for DATABASE_URL: a role that owns nothing."""
        return self._url(APPLICATION, "app", DATABASE)

    @property
    def owner_url(self) -> str:
        """The address for DATABASE_OWNER_URL: the role that owns the schema."""
        return self._url(OWNER, "owner", DATABASE)

    @property
    def admin_url(self) -> str:
        """The address of the server's own superuser; for making roles and databases only."""
        return self._url(ADMIN, "admin", "postgres")

    def _url(self, role: str, key: str, database: str) -> str:
        kept = self._kept()
        return f"postgresql+psycopg://{role}:{kept[key]}@/{database}?host={quote(kept['socket'], safe='')}&port={PORT}"

    # -- life --------------------------------------------------------------------------------------------------

    def __enter__(self) -> Cluster:
        make_home(self.home)
        self._use = self._lock_file("use")
        fcntl.flock(self._use, fcntl.LOCK_SH)
        try:
            self.ensure()
            self.start()
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._leave()

    def _leave(self) -> None:
        """Give up the shared lock, and stop the server if nobody else holds it."""
        use, self._use = self._use, None
        if use is None:
            return
        try:
            fcntl.flock(use, fcntl.LOCK_UN)
            fcntl.flock(use, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.stop()
        except BlockingIOError:
            pass  # somebody else works with it and will stop it
        finally:
            os.close(use)

    def ensure(self) -> None:
        """Make the data folder if it is absent; a half-made one from a killed run is thrown away and made again."""
        make_home(self.home)
        with self._alone():
            base, account = self._base()
            if not base.exists():
                if base.parent != self.home:
                    self.say(f"The database lies in {base}: its account cannot reach {self.home}.")
                    shared_folder(base.parent)
                base.mkdir(mode=0o700)
                account.own(base)
            if self.purpose is None:
                (base / "purpose").write_text(self.wanted or "production", encoding="ascii")
            if self.wanted not in (None, self.purpose):
                raise ClusterProblem(
                    f"{self.home} holds a {self.purpose} database, this is a {self.wanted} run; give another --home."
                )
            if not self._secrets_path.exists():
                self._invent_secrets()
            for leftover in base.glob("data.making-*"):
                shutil.rmtree(leftover)
            if not self.data.exists():
                self._make_data(base, account)

    def start(self) -> bool:
        """Start the server if it does not run, and see to its roles; return whether it was started here."""
        with self._alone():
            started = not self.is_running()
            if started:
                self._clear_the_way()
                self._pg_ctl_start()
            with self._admin() as connection:
                see_to_roles(connection, self._kept(), may_create_databases=self.purpose == "test")
            return started

    def stop(self, mode: str = "fast") -> None:
        """Stop the server, if it runs, and wait for it. Mode as in pg_ctl: smart, fast, immediate."""
        if self._postmaster() is None:
            return
        done = self._program("pg_ctl", "stop", "-D", self.data, "-m", mode, "-w", "-t", STOP_SECONDS, "-s")
        if done.returncode != 0 and self._postmaster() is not None:
            raise ClusterProblem(f"The database did not stop: {done.stderr.strip() or done.stdout.strip()}")

    def is_running(self) -> bool:
        """Say whether our server answers, with our password, out of our data folder; waits while it recovers."""
        if not self._secrets_path.exists():
            return False
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            try:
                with self._admin() as connection:
                    answered = connection.execute("show data_directory").fetchone()
                    return answered is not None and Path(str(answered[0])).resolve() == self.data.resolve()
            except psycopg.OperationalError as problem:
                if self._postmaster() is None:
                    return False
                if "password authentication failed" in str(problem):
                    sentence = f"The running database does not accept the passwords of {self._secrets_path}."
                    raise ClusterProblem(sentence) from problem
                time.sleep(0.1)
        raise ClusterProblem(f"The database runs and has not answered for {START_SECONDS} s; see {self.data / 'log'}.")

    def seems_alive(self) -> bool:
        """Say cheaply whether a process of the number in the pid file lives; for a supervisor that asks often."""
        number = self._pid_in_file()
        return number is not None and born(number) is not None

    def remove(self) -> None:
        """Stop the server and delete its data and passwords. The key ring stays."""
        make_home(self.home)
        with self._alone():
            base, _ = self._base()
            self.stop("immediate")
            if self._secrets_path.exists() and (socket := self._kept()["socket"]):
                shutil.rmtree(socket, ignore_errors=True)
            if base.exists():
                shutil.rmtree(base)
            if OWN_PLACE in base.parents:
                with contextlib.suppress(OSError):  # not empty: another server of this home lies there
                    base.parent.rmdir()
            self._secrets_path.unlink(missing_ok=True)
            self._place = None

    @property
    def data(self) -> Path:
        """The data folder (PGDATA)."""
        return self._base()[0] / "data"

    @property
    def socket_folder(self) -> str:
        """Where the server's socket lies, as of its last start."""
        return self._kept()["socket"]

    def started_at(self) -> str:
        """Return when the running server began, as it tells itself."""
        with self._admin() as connection:
            row = connection.execute("select pg_postmaster_start_time()").fetchone()
        return str(row[0]) if row else ""

    def revision(self) -> str:
        """Return the migrations that the database stands at; empty where there is none."""
        with psycopg.connect(self.app_url.replace("+psycopg", ""), connect_timeout=5) as connection:
            if connection.execute("select to_regclass('public.alembic_version')").fetchone() == (None,):
                return ""
            return " ".join(
                str(row[0]) for row in connection.execute("select version_num from alembic_version order by 1")
            )

    @property
    def purpose(self) -> str | None:
        """What the data was made for; None where none has been made."""
        path = self._base()[0] / "purpose"
        return path.read_text(encoding="ascii").strip() if path.exists() else None

    # -- places ------------------------------------------------------------------------------------------------

    def _base(self) -> tuple[Path, Account]:
        """Return the folder of this server and the account that runs it: in the home if that account can get there."""
        if self._place is None:
            inside = self.home / self.name
            account = account_for(inside)
            standing = next(folder for folder in (self.home, *self.home.parents) if folder.exists())
            if inside.exists() or not account.switch or account.can("-x", standing):
                self._place = inside, account
            else:
                base = OWN_PLACE / hashlib.sha256(os.fsencode(self.home)).hexdigest()[:12] / self.name
                self._place = base, account_for(base)
        return self._place

    def _socket_folder(self) -> Path:
        """Return the folder for the socket: beside the data, or a short private one where a path may not be so long."""
        base, account = self._base()
        beside = base / "run"
        if len(os.fsencode(beside)) > LONGEST_SOCKET_FOLDER or set(str(beside)) & set(',"'):
            beside = Path(self._kept()["socket"])
            if not self._is_private(beside, account):
                beside = Path(tempfile.mkdtemp(prefix="yimei-", dir="/tmp"))
                account.own(beside)
        elif not beside.exists():
            beside.mkdir(mode=0o700)
            account.own(beside)
        return beside

    @staticmethod
    def _is_private(folder: Path, account: Account) -> bool:
        """Say whether a folder is ours alone; one in the temporary folder may have been put there by anybody."""
        try:
            found = folder.lstat()
        except OSError:
            return False
        return stat.S_ISDIR(found.st_mode) and found.st_uid == account.uid and stat.S_IMODE(found.st_mode) == 0o700

    # -- making ------------------------------------------------------------------------------------------------

    def _make_data(self, base: Path, account: Account) -> None:
        """Run initdb beside the data folder and move the result into place, so that it is there whole or not at all."""
        making = base / f"data.making-{os.getpid()}"
        password = base / f"password-{os.getpid()}"
        password.touch(mode=0o600)
        password.write_text(self._kept()["admin"] + "\n", encoding="ascii")
        account.own(password)
        try:
            done = self._program(
                "initdb", "-D", making, "-U", ADMIN, "--auth=scram-sha-256", f"--pwfile={password}", "--encoding=UTF8",
                "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--data-checksums",
            )  # fmt: skip
        finally:
            password.unlink()
        if done.returncode != 0:
            raise ClusterProblem(f"The database could not be made: {_last_lines(done.stderr or done.stdout)}")
        making.rename(self.data)

    def _invent_secrets(self) -> None:
        """Write new passwords. Where data stands already, its superuser is given the new one before the next start."""
        kept = {key: secrets.token_urlsafe(32) for key in ("admin", "owner", "app")}
        self._keep({**kept, "socket": ""})
        if self.data.exists():
            self.stop()
            self._clear_the_way()
            command = f"alter role {ADMIN} password '{kept['admin']}';\n"
            done = self._program("postgres", "--single", "-D", self.data, "postgres", given=command)
            if done.returncode != 0:
                reason = _last_lines(done.stderr)
                raise ClusterProblem(f"{self._secrets_path} is gone and no new password could be set: {reason}")

    def _pg_ctl_start(self) -> None:
        base, _ = self._base()
        socket = self._socket_folder()
        kept = self._kept()
        if kept["socket"] != str(socket):
            self._keep({**kept, "socket": str(socket)})
        settings = {"timezone": "UTC", "log_timezone": "UTC", **(FORGETFUL if self.purpose == "test" else CAREFUL)}
        words = ["-h", "", "-k", str(socket), "-p", str(PORT)]
        for key, value in settings.items():
            words += ["-c", f"{key}={value}"]
        log = base / "start.log"
        options = ["-l", log, "-w", "-t", START_SECONDS, "-s", "-o", shlex.join(words)]
        done = self._program("pg_ctl", "start", "-D", self.data, *options)
        if done.returncode != 0:
            told = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
            raise ClusterProblem(f"The database did not start: {_last_lines(told + done.stderr)} (see {log})")

    # -- what runs already -------------------------------------------------------------------------------------

    def _postmaster(self) -> int | None:
        """Return the process of our running server. A pid file alone proves nothing: another may bear its number."""
        number = self._pid_in_file()
        return number if number is not None and number in self._processes() else None

    def _pid_in_file(self) -> int | None:
        try:
            return int((self.data / "postmaster.pid").read_text(encoding="ascii", errors="replace").split("\n", 1)[0])
        except (OSError, ValueError):
            return None

    def _processes(self) -> set[int]:
        return working_in(self.data, self._base()[1], self._pid_in_file())

    def _clear_the_way(self) -> None:
        """Remove the lock files of a server that was killed, once nothing of it lives any more.

        PostgreSQL itself trusts the number in them, and would not start while an innocent process bears it.
        """
        pid_file = self.data / "postmaster.pid"
        deadline = time.monotonic() + 30
        while left := self._processes():
            if time.monotonic() > deadline:
                raise ClusterProblem(f"Processes of a killed database still run ({sorted(left)}); end them first.")
            time.sleep(0.1)
        pid_file.unlink(missing_ok=True)
        socket = self._kept()["socket"]
        if socket:
            for stale in (f".s.PGSQL.{PORT}", f".s.PGSQL.{PORT}.lock"):
                Path(socket, stale).unlink(missing_ok=True)

    # -- small things ------------------------------------------------------------------------------------------

    def _admin(self) -> psycopg.Connection[tuple[object, ...]]:
        kept = self._kept()
        if not kept["socket"]:
            raise psycopg.OperationalError("the server has never been started")
        return psycopg.connect(
            host=kept["socket"], port=PORT, user=ADMIN, password=kept["admin"], dbname="postgres",
            autocommit=True, connect_timeout=5,
        )  # fmt: skip

    def _program(self, name: str, *arguments: object, given: str | None = None) -> CompletedProcess[str]:
        """Run one of PostgreSQL's programs under the server's account, with nothing of our environment."""
        _, account = self._base()
        version = self.data / "PG_VERSION"
        major = version.read_text(encoding="ascii").strip() if version.exists() else NEWEST
        command = [str(programs(major, account) / name), *(str(argument) for argument in arguments)]
        return account.run(command, env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}, given=given)

    def _kept(self) -> dict[str, str]:
        try:
            kept: dict[str, str] = json.loads(self._secrets_path.read_text(encoding="utf-8"))
        except FileNotFoundError as problem:
            raise ClusterProblem(f"No database has been made in {self.home} yet.") from problem
        except ValueError as problem:
            raise ClusterProblem(f"{self._secrets_path} is damaged; delete it for new passwords.") from problem
        return kept

    def _keep(self, kept: dict[str, str]) -> None:
        write_secret(self._secrets_path, json.dumps(kept, indent=2) + "\n", replace=True)

    def _lock_file(self, what: str) -> int:
        return os.open(self.home / f"{self.name}.{what}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the lock under which one process at a time makes, starts or removes."""
        handle = self._lock_file("start")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def _last_lines(told: str, count: int = 4) -> str:
    return " / ".join(line.strip() for line in told.strip().splitlines()[-count:]) or "it gave no reason"
