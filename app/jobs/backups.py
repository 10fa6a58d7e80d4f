"""The nightly backup, and whether one is missing. White paper H.2: daily backup, monthly restore test.

The application's role cannot copy a database; the scheduler's process can start who may: `run.py backup` reads the
address of the role for backups and the key that seals them, which no transaction of ours ever sees.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.backups import Standing, standing_of
from app.jobs.declared import JOBS, Job, Slot, every
from app.models.audit import JobRun, Notice
from app.models.hr import Branch
from app.services.backups import BACKUP_AT, BACKUP_DAYS, BACKUP_WEEKS
from app.services.hr import holders_of
from app.services.jobs import MANUAL
from app.services.notices import tell
from app.services.settings import value_of
from app.words import _l
from config import backups_folder, home_of, mode_of

NIGHTLY = "backup.nightly"
ROOT = Path(__file__).resolve().parents[2]
DEFAULT_ZONE = "Asia/Shanghai"
LONGEST = timedelta(hours=6)
TOLD_AGAIN_AFTER = timedelta(hours=20)


def nights(session: Session, now: datetime) -> Iterator[tuple[date, datetime]]:
    """Yield (day, due at) from yesterday to tomorrow, by the clock of the first branch."""
    zone = ZoneInfo(session.scalars(select(Branch.zone).order_by(Branch.id).limit(1)).first() or DEFAULT_ZONE)
    clock: time = value_of(session, BACKUP_AT, branch_id=None, at=now)
    today = now.astimezone(zone).date()
    for ahead in (-1, 0, 1):
        day = today + timedelta(days=ahead)
        yield day, datetime.combine(day, clock, zone).astimezone(UTC)


def due(session: Session, now: datetime) -> list[Slot]:
    """Return the newest night alone: two backups at once would be no better than one."""
    return [Slot(day.isoformat(), due_at) for day, due_at in nights(session, now) if due_at <= now][-1:]


def following(session: Session, now: datetime) -> datetime | None:
    return min(due_at for _day, due_at in nights(session, now) if due_at > now)


def take(session: Session, slot: Slot, at: datetime) -> str:
    """Take a backup and remove the old; a demo is backed up only if somebody asks. Raises with the last words."""
    if mode_of() != "production" and not slot.key.startswith(MANUAL):
        return "no backup: this is no production"
    days = value_of(session, BACKUP_DAYS, branch_id=None, at=at)
    weeks = value_of(session, BACKUP_WEEKS, branch_id=None, at=at)
    command = [sys.executable, str(ROOT / "run.py"), "backup", "--keep-days", str(days), "--keep-weeks", str(weeks)]
    done = subprocess.run(
        command, cwd=ROOT, env=dict(os.environ), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, check=False, timeout=LONGEST.total_seconds(),
    )  # fmt: skip
    said = [line.strip() for line in done.stdout.splitlines() if line.strip()]
    if done.returncode != 0:
        raise RuntimeError(" ".join(said[-2:]) or f"ended with {done.returncode}")
    return next((line for line in said if "file(s)" in line), said[-1] if said else "")[:200]


JOBS[NIGHTLY] = Job(NIGHTLY, take, due, timedelta(seconds=30), _l("Nightly backup"), following)


@every("backup.watch", timedelta(hours=1), catch_up=timedelta(), label=_l("Are there backups, and is there room"))
def watch(session: Session, _slot: Slot, at: datetime) -> str:
    """Say how the backups stand, and tell those who look after the machines what is wrong, once a day."""
    standing, room = standing_of(backups_folder()), standing_of(home_of())
    wrong = list(faults(standing, room, at))
    for kind, facts in wrong if mode_of() == "production" else []:
        _tell(session, kind, facts, at)
    return "; ".join([described(standing, at), *(kind for kind, _facts in wrong)])


def faults(standing: Standing, room: Standing, at: datetime) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the kind of notice and its facts for what is wrong. ``room`` is of the disk of the data."""
    if standing.is_late(at):
        newest = standing.newest
        yield "backup_late", {"last": newest.began_at.strftime("%Y-%m-%d %H:%M UTC") if newest else "-"}
    elif standing.changes_are_late(at):
        assert standing.reach is not None
        yield "changes_late", {"until": standing.reach.strftime("%Y-%m-%d %H:%M UTC")}
    free = min(standing.free, room.free)
    if standing.is_nearly_full() or room.is_nearly_full():
        yield "disk_nearly_full", {"free": f"{free / 1024**3:.1f}"}


def described(standing: Standing, at: datetime) -> str:
    """Say in a line when the last backup was, until when changes were copied, how much room there is."""
    free = f"{standing.free / 1024**3:.1f} GB free"
    if standing.newest is None:
        return f"no backup yet; {free}"
    hours = (at - standing.newest.began_at).total_seconds() / 3600
    reached = f"; changes until {standing.reach:%H:%M:%S} UTC" if standing.reach else ""
    return f"backup {hours:.0f} h old, {standing.newest.size / 1024**2:.0f} MB{reached}; {free}"


def _tell(session: Session, kind: str, facts: dict[str, str], at: datetime) -> None:
    """Tell everybody who may run jobs, unless they were told of it within the day."""
    since = at - TOLD_AGAIN_AFTER
    if session.scalar(select(func.count()).where(Notice.kind == kind, Notice.created_at > since)):
        return
    run = session.scalars(select(JobRun).where(JobRun.job == NIGHTLY).order_by(JobRun.id.desc()).limit(1)).first()
    if run is None:
        return  # the scheduler has not even begun the first; it will, and leave a row
    for branch_id in session.scalars(select(Branch.id).order_by(Branch.id)):
        for employee_id in holders_of(session, "job_run", "can_run_now", branch_id=branch_id, login=True):
            tell(session, employee_id, kind, run, **facts)
