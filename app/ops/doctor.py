"""Look whether all is well. Each line says what was found and, if it is not well, what to do."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, pool, text
from sqlalchemy.exc import OperationalError, ProgrammingError

from app.backups import LEAST_FREE_GB, LITTLE_FREE_GB, standing_of
from app.ops.durability import DURABLE, WORST_APART, judged
from config import SettingsRefused, backups_folder, from_environment, home_of

OLDEST_SERVER = 15
LARGEST_CLOCK_ERROR, WORST_CLOCK_ERROR = 2, WORST_APART  # seconds
HEARTBEAT_LATE = 180  # seconds; the scheduler beats every ten
WORKER_LATE = 60  # seconds; a worker beats every ten too


class Verdict(StrEnum):
    OK = "ok"
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True)
class Finding:
    """One line of the examination. ``remedy`` is what to do; empty where all is well."""

    verdict: Verdict
    what: str
    remedy: str = ""

    def __str__(self) -> str:
        line = f"{self.verdict:<5} {self.what}"
        return f"{line}\n      -> {self.remedy}" if self.remedy else line


def examine(database: Callable[[], AbstractContextManager[Any]] | None, say: Callable[[str], None]) -> int:
    """Examine everything, say each finding, and return 1 if any is bad. None stands for a database not made yet."""
    findings: list[Finding] = []

    def report(found: Iterator[Finding]) -> None:
        for finding in found:
            findings.append(finding)
            say(str(finding))

    report(machine())
    if database is None:
        report(
            iter(
                [Finding(Verdict.WARN, "database: none has been made here yet", "run `python3 run.py demo` or `serve`")]
            )
        )
    else:
        with database():
            report(settings_and_database())
    bad = sum(finding.verdict is Verdict.BAD for finding in findings)
    warned = sum(finding.verdict is Verdict.WARN for finding in findings)
    say(f"{len(findings)} looked at, {bad} bad, {warned} to watch.")
    return 1 if bad else 0


def machine() -> Iterator[Finding]:
    """Look at what the machine brings: Python, the libraries of printing, fonts, disk."""
    yield Finding(Verdict.OK, f"Python {sys.version.split()[0]}")
    yield _library("libpango-1.0.so.0", "Pango for printing", Verdict.BAD, "libpango-1.0-0 libpangoft2-1.0-0")
    yield _library("libharfbuzz-subset.so.0", "harfbuzz-subset for printing", Verdict.WARN, "libharfbuzz-subset0")
    yield chinese_fonts()
    yield disk(shutil.disk_usage(_existing_part()).free)
    yield backups(datetime.now(UTC))


def settings_and_database() -> Iterator[Finding]:
    """Look at the settings and, if they allow to connect, at the database and what stands in it."""
    try:
        settings = from_environment()
    except SettingsRefused as problem:
        yield Finding(Verdict.BAD, f"settings: {problem}", "set it in the environment of the service")
        return
    keys = len(settings["ENCRYPTION_KEYS"])
    yield Finding(Verdict.OK, f"settings: {settings['YIMEI_MODE']} mode, key ring with {keys} encryption key(s)")
    yield from _secret_files()
    engine = create_engine(settings["SQLALCHEMY_DATABASE_URI"], poolclass=pool.NullPool, hide_parameters=True)
    try:
        with engine.connect() as connection:
            yield from server(connection)
            yield clock(connection)
            yield role(connection)
            yield from migrations(connection)
            yield heartbeat(connection)
            yield worker(connection)
            yield house_tasks(connection)
    except OperationalError as problem:
        reason = str(problem.orig).strip().splitlines()[0]
        yield Finding(Verdict.BAD, f"database: {reason}", "see that it runs and that DATABASE_URL is right")


def server(connection: Connection) -> Iterator[Finding]:
    """Look at the server's version and at the settings that keep a committed row through a power cut."""
    number = int(connection.execute(text("show server_version_num")).scalar_one())
    old = number // 10000 < OLDEST_SERVER
    yield Finding(
        Verdict.BAD if old else Verdict.OK,
        f"PostgreSQL {number // 10000}.{number % 10000}",
        f"version {OLDEST_SERVER} or newer is needed" if old else "",
    )
    ask = text("select current_setting(:name)")
    yield durability({name: connection.execute(ask, {"name": name}).scalar_one() for name in DURABLE})


def durability(found: dict[str, str]) -> Finding:
    """Judge the durability settings as serving does; checksums only warn."""
    described = ", ".join(f"{name} {value}" for name, value in found.items())
    unsafe, doubtful = judged(found)
    verdict = Verdict.BAD if unsafe else Verdict.WARN if doubtful else Verdict.OK
    return Finding(verdict, f"durability: {described}", " ".join([*unsafe, *doubtful]))


def clock(connection: Connection) -> Finding:
    """Compare the machine's clock with the database's; appointments and reports go by both."""
    before = datetime.now(UTC)
    theirs = connection.execute(text("select clock_timestamp()")).scalar_one()
    after = datetime.now(UTC)
    apart = abs((theirs - (before + (after - before) / 2)).total_seconds())
    return clock_error(apart)


def clock_error(apart: float) -> Finding:
    """Judge how far the two clocks are apart, in seconds."""
    line = f"clock: {apart:.1f} s from the database's"
    if apart <= LARGEST_CLOCK_ERROR:
        return Finding(Verdict.OK, line)
    verdict = Verdict.BAD if apart > WORST_CLOCK_ERROR else Verdict.WARN
    return Finding(verdict, line, "let both machines follow a time server (systemd-timesyncd or chrony)")


def role(connection: Connection) -> Finding:
    """See that the application's role owns nothing."""
    from app.ops.schema import UnsafeRole, refuse_unsafe_role

    try:
        refuse_unsafe_role(connection.engine)
    except UnsafeRole as problem:
        return Finding(Verdict.BAD, "database role", str(problem))
    return Finding(Verdict.OK, "database role: the application owns nothing")


def migrations(connection: Connection) -> Iterator[Finding]:
    """Compare the schema with the folder of migrations."""
    from alembic.config import Config
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory

    from app.ops.schema import MIGRATIONS

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    newest = set(ScriptDirectory.from_config(config).get_heads())
    standing = set(MigrationContext.configure(connection).get_current_heads())
    connection.rollback()
    if len(newest) > 1:
        yield Finding(Verdict.BAD, f"migrations: {len(newest)} heads ({', '.join(sorted(newest))})", "merge them")
    if standing == newest:
        yield Finding(Verdict.OK, f"migrations: at {', '.join(sorted(newest)) or 'the beginning'}")
    else:
        yield Finding(Verdict.BAD, "migrations: some are pending", "run `python3 run.py migrate`")


def heartbeat(connection: Connection) -> Finding:
    """See when a scheduler last said that it lives."""
    try:
        since = text("select extract(epoch from clock_timestamp() - max(beat_at)) from job_heartbeat")
        age = connection.execute(since).scalar()
    except ProgrammingError:
        connection.rollback()
        return Finding(Verdict.WARN, "scheduler: no table for its heartbeat yet", "run `python3 run.py migrate`")
    if age is None:
        return Finding(Verdict.WARN, "scheduler: has never run here", "start `python3 run.py scheduler`")
    if age > HEARTBEAT_LATE:
        return Finding(Verdict.BAD, f"scheduler: silent for {age:.0f} s", "start `python3 run.py scheduler`")
    return Finding(Verdict.OK, f"scheduler: beat {age:.0f} s ago")


WAITING = text(
    """
    select (select extract(epoch from clock_timestamp() - max(last_heartbeat)) from procrastinate_workers) as silent,
           count(*) as waiting,
           extract(epoch from clock_timestamp() - min(queued_at)) as longest
    from background_task where state = 'queued'
    """
)


def worker(connection: Connection) -> Finding:
    """See that somebody does what waits in the queue."""
    start = "start `python3 run.py worker`"
    try:
        silent, waiting, longest = connection.execute(WAITING).one()
    except ProgrammingError:
        connection.rollback()
        return Finding(Verdict.WARN, "worker: no tables for its queue yet", "run `python3 run.py migrate`")
    alive = silent is not None and silent <= WORKER_LATE
    line = f"worker: sign of life {silent:.0f} s ago" if silent is not None else "worker: none runs here"
    if waiting:
        line += f"; {waiting} task(s) waiting, the longest for {longest:.0f} s"
    if alive:
        return Finding(Verdict.OK, line)
    return Finding(Verdict.BAD if waiting and longest > WORKER_LATE else Verdict.WARN, line, start)


FAILED = text(
    """
    select kind || ' (task ' || id || ')' from background_task
    where state = 'failed' and employee_id is null and ended_at > clock_timestamp() - interval '1 day' order by id
    """
)


def house_tasks(connection: Connection) -> Finding:
    """See whether long work of the house's own failed within a day."""
    try:
        failed = list(connection.execute(FAILED).scalars())
    except ProgrammingError:
        connection.rollback()
        return Finding(Verdict.WARN, "tasks: no table for them yet", "run `python3 run.py migrate`")
    if not failed:
        return Finding(Verdict.OK, "tasks: none of the house's own failed within a day")
    return Finding(
        Verdict.WARN,
        f"tasks: {len(failed)} of the house's own failed within a day: {', '.join(failed[:5])}",
        "open them under background tasks, see why, and try them again",
    )


def backups(now: datetime) -> Finding:
    """See when the last good backup was made, and until when changes were copied after it."""
    folder = backups_folder()
    standing = standing_of(folder)
    if standing.newest is None:
        verdict = Verdict.OK if os.environ.get("YIMEI_MODE") in ("demo", "test") else Verdict.WARN
        return Finding(verdict, f"backup: none in {folder} yet", "run `python3 run.py backup`")
    hours = (now - standing.newest.began_at).total_seconds() / 3600
    line = f"backup: {hours:.0f} h old, {standing.newest.size / 1024**2:.0f} MB, in {folder}"
    if standing.reach is not None:
        line += f"; changes copied until {standing.reach:%Y-%m-%d %H:%M:%S} UTC"
    if standing.is_late(now):
        why = "see under jobs why backup.nightly fails; `python3 run.py backup` makes one now"
        return Finding(Verdict.BAD if hours > 2 * 26 else Verdict.WARN, line, why)
    if standing.changes_are_late(now):
        return Finding(Verdict.WARN, line, "see that `python3 run.py archiver` runs and what it says")
    if standing.is_nearly_full():
        return Finding(Verdict.WARN, f"{line}; little room there", "make room, or keep fewer (settings backup.*)")
    if _same_disk(folder):
        return Finding(Verdict.OK, f"{line}; on the data's own disk: set YIMEI_BACKUPS to another, or copy it away")
    return Finding(Verdict.OK, line)


def _same_disk(folder: Path) -> bool:
    return os.stat(folder).st_dev == os.stat(_existing_part()).st_dev


def chinese_fonts() -> Finding:
    """See that a font for Chinese is there; without one the printed forms show boxes."""
    try:
        told = subprocess.run(["fc-list", ":lang=zh", "family"], capture_output=True, text=True, check=False).stdout
    except OSError:
        return Finding(Verdict.BAD, "fonts: fontconfig is missing", "sudo apt-get install fontconfig fonts-noto-cjk")
    families = sorted({line.split(",")[0].strip() for line in told.splitlines() if line.strip()})
    if not families:
        return Finding(Verdict.BAD, "fonts: none knows Chinese", "sudo apt-get install fonts-noto-cjk")
    return Finding(Verdict.OK, f"fonts for Chinese: {', '.join(families[:3])}")


def disk(free_bytes: float) -> Finding:
    """Judge the free space where the home lies."""
    free = free_bytes / 1024**3
    line = f"disk: {free:.1f} GB free for {home_of()}"
    if free >= LITTLE_FREE_GB:
        return Finding(Verdict.OK, line)
    verdict = Verdict.BAD if free < LEAST_FREE_GB else Verdict.WARN
    return Finding(verdict, line, "make room; a full disk stops the database")


def _existing_part() -> str:
    place = home_of()
    return str(next(folder for folder in (place, *place.parents) if folder.exists()))


def _library(name: str, title: str, verdict: Verdict, packages: str) -> Finding:
    try:
        ctypes.CDLL(name)
    except OSError:
        return Finding(verdict, f"{title}: missing", f"sudo apt-get install {packages}")
    return Finding(Verdict.OK, title)


def _secret_files() -> Iterator[Finding]:
    """See that nobody else can read the files with secrets."""
    for name in ("keys.json", "secret_key", "postgres.json", "backup.key"):
        path = home_of() / name
        if path.exists() and path.stat().st_mode & 0o077:
            yield Finding(Verdict.BAD, f"{path} can be read by others", f"chmod 600 {path}")
        elif name == "keys.json" and path.exists() and not os.environ.get("YIMEI_ENCRYPTION_KEYS"):
            yield Finding(Verdict.OK, f"key ring in {path}: keep a copy elsewhere, contacts are lost without it")
