"""What is backed up, where it goes, and with which programs: the embedded server's, or the operator's."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from app.ops.accounts import Account
from app.ops.backup.sealing import PIECE
from app.ops.postgres import Cluster
from app.ops.programs import NEWEST, NoPrograms, programs
from config import SettingsRefused, backup_key, backups_folder, database_url, files_folder, home_of


class BackupProblem(Exception):
    """A backup that cannot be made, read or restored; the message says why and what to do."""


@dataclass(frozen=True)
class Source:
    """A database, its files, and the folder of backups. ``cluster`` is None on a server of the operator's own."""

    address: str
    files: Path
    place: Path
    key: bytes
    cluster: Cluster | None

    def connect(self) -> psycopg.Connection[tuple[object, ...]]:
        """Connect as the role for backups."""
        return psycopg.connect(self.address, autocommit=True, connect_timeout=10, options="-c timezone=UTC")

    def run(self, program: str, *words: str) -> Iterator[bytes]:
        """Yield what one of PostgreSQL's client programs writes; raises ``BackupProblem`` if it fails, at the end."""
        parts = conninfo_to_dict(self.address)
        password = parts.pop("password", None)
        command = [str(client(program)), "-d", make_conninfo("", **parts), "--no-password", *words]
        yield from streamed(command, {"PGPASSWORD": str(password)} if password else {})


def embedded_here() -> Cluster | None:
    """Return this home's embedded server if it is the one in use. A child of the supervisor has its address, too."""
    cluster = Cluster(home_of())
    if not (home_of() / "postgres.json").exists():
        return None
    given = os.environ.get("DATABASE_URL", "").strip()
    return cluster if not given or given == cluster.app_url else None


def source(*, place: Path | None = None, make_key: bool = False) -> Source:
    """Return what this environment backs up. On a server of one's own DATABASE_BACKUP_URL names the role that reads."""
    cluster = embedded_here()
    given = os.environ.get("DATABASE_BACKUP_URL", "").strip()
    if cluster is not None:
        address = cluster.backup_url
    elif given:
        address = database_url(given, "DATABASE_BACKUP_URL")
    else:
        raise SettingsRefused(
            "DATABASE_BACKUP_URL is not set: a backup of a server of your own needs a role that reads everything, "
            "best with REPLICATION. See docs/operate.md."
        )
    key = backup_key(make=make_key)
    folder = (place or backups_folder()).expanduser().resolve()
    return Source(address.replace("postgresql+psycopg", "postgresql"), files_folder(), folder, key, cluster)


def client(program: str) -> Path:
    """Return one of PostgreSQL's client programs: of YIMEI_PG_BIN, else of the wheel, else of the system's path."""
    given = os.environ.get("YIMEI_PG_BIN", "").strip()
    if given:
        path = Path(given).expanduser() / program
        if not path.exists():
            raise BackupProblem(f"{path} does not exist; YIMEI_PG_BIN is the folder with PostgreSQL's programs.")
        return path
    try:
        return programs(NEWEST, Account(os.geteuid(), os.getegid(), switch=False)) / program
    except NoPrograms:
        found = shutil.which(program)
        if found is None:
            raise BackupProblem(f"{program} is missing; set YIMEI_PG_BIN to the folder that has it.") from None
        return Path(found)


def streamed(command: Sequence[str], secrets: dict[str, str]) -> Iterator[bytes]:
    """Yield what a program writes to its standard output; raises ``BackupProblem`` with its last words if it fails."""
    environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC", "HOME": "/nonexistent", **secrets}
    with tempfile.TemporaryFile() as told:
        process = subprocess.Popen(
            command, env=environment, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=told
        )
        try:
            assert process.stdout is not None
            while piece := process.stdout.read(PIECE):
                yield piece
            if process.wait() != 0:
                told.seek(0)
                raise BackupProblem(
                    f"{Path(command[0]).name} failed: {last_words(told.read().decode(errors='replace'))}"
                )
        finally:
            process.kill()
            process.wait()
            process.stdout.close()  # type: ignore[union-attr]


def last_words(told: str) -> str:
    """Return the end of what a program said, in one line."""
    lines = [line.strip() for line in told.strip().splitlines() if not re.match(r"\s*(HINT|NOTICE)", line)]
    return " / ".join(lines[-3:]) or "it gave no reason"
