"""The nightly backup and the look after it: when it is due, what it starts, whom it tells. White paper H.2.

And a clock that jumps (target 40): no slot is run twice, none is left out.
"""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from sqlalchemy import func, select

from app.backups import MANIFEST
from app.jobs import backups
from app.jobs.clock import look
from app.jobs.declared import JOBS, every
from app.models.audit import JobRun, Notice
from app.services.jobs import Slot
from app.services.notices import sentence


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "due", "following"),
    [
        ("2026-11-22T18:29:00", "2026-11-22", "2026-11-22T18:30:00"),  # 02:29 in China on the 23rd
        ("2026-11-22T18:30:00", "2026-11-23", "2026-11-23T18:30:00"),
        ("2026-11-23T03:00:00", "2026-11-23", "2026-11-23T18:30:00"),
    ],
)
def test_it_is_due_each_night_and_only_the_newest_is_made_up(session, now, due, following):
    job = JOBS[backups.NIGHTLY]
    assert [slot.key for slot in job.slots(session, utc(now))] == [due]
    assert job.following(session, utc(now)) == utc(following)


@pytest.fixture
def started(monkeypatch):
    """Stand for the command; it does what the test says."""
    told = SimpleNamespace(commands=[], code=0, said="Checking it ...\n/b/1: 5.0 MB and 2 file(s), 3 s.\nIt opens with")

    def run(command, **_more):
        told.commands.append(command)
        return subprocess.CompletedProcess(command, told.code, told.said)

    monkeypatch.setattr(backups.subprocess, "run", run)
    return told


def test_in_production_it_starts_the_command_with_what_the_administrator_set(session, started, monkeypatch):
    monkeypatch.setattr(backups, "mode_of", lambda: "production")
    told = backups.take(session, Slot("2026-11-22", utc("2026-11-22T18:30:00")), utc("2026-11-22T18:30:00"))
    assert told == "/b/1: 5.0 MB and 2 file(s), 3 s."
    assert started.commands[0][1:] == [
        str(backups.ROOT / "run.py"), "backup", "--keep-days", "14", "--keep-weeks", "8"
    ]  # fmt: skip
    started.code, started.said = 1, "Dumping ...\nThe role for backups cannot connect: no\n"
    with pytest.raises(RuntimeError, match="cannot connect"):
        backups.take(session, Slot("2026-11-23", utc("2026-11-23T18:30:00")), utc("2026-11-23T18:30:00"))


def test_a_demo_is_backed_up_only_if_somebody_asks(session, started):
    at = utc("2026-11-22T18:30:00")
    assert backups.take(session, Slot("2026-11-22", at), at) == "no backup: this is no production"
    assert started.commands == []
    backups.take(session, Slot("manual:x 2026-11-22", at), at)
    assert len(started.commands) == 1


def test_who_looks_after_jobs_is_told_once_a_day_that_no_backup_came(session, tmp_path, monkeypatch):
    now = datetime.now(UTC)
    monkeypatch.setenv("YIMEI_BACKUPS", str(tmp_path))
    monkeypatch.setattr(backups, "mode_of", lambda: "production")
    began = now - timedelta(hours=30)
    folder = tmp_path / began.strftime("%Y%m%dT%H%M%SZ")
    folder.mkdir()
    told = {"began_at": began.isoformat(), "consistent_at": began.isoformat(), "parts": {}}
    (folder / MANIFEST).write_text(json.dumps(told))
    session.add(JobRun(job=backups.NIGHTLY, slot="x", started_at=now, error="no room", host="here"))
    session.flush()
    slot = Slot("y", now)
    summary = backups.watch(session, slot, now)
    assert "backup 30 h old" in summary
    assert "backup_late" in summary
    session.flush()
    notices = session.scalars(select(Notice).where(Notice.kind == "backup_late")).all()
    assert len(notices) >= 2, "in each branch"
    assert {notice.table_name for notice in notices} == {"job_run"}
    assert began.strftime("%Y-%m-%d %H:%M") in sentence(notices[0])
    backups.watch(session, slot, now)
    session.flush()
    again = session.scalar(select(func.count()).where(Notice.kind == "backup_late"))
    assert again == len(notices)


def test_a_full_disk_is_told(tmp_path):
    standing = backups.standing_of(tmp_path)
    full = type(standing)(standing.newest, standing.reach, 2 * 1024**3)
    kinds = [kind for kind, _facts in backups.faults(full, standing, datetime.now(UTC))]
    assert "disk_nearly_full" in kinds


@pytest.mark.parametrize("jump", [timedelta(hours=-2), timedelta(hours=2)])
def test_a_clock_that_jumps_two_hours_runs_no_slot_twice_and_leaves_none_out(app, session, monkeypatch, jump):
    """Target 40: what lies between is made up after a jump forward; after one back, what was done stays done."""
    ran: list[str] = []
    monkeypatch.setattr("app.jobs.declared.JOBS", {})
    declare = every("t.clock", timedelta(minutes=10), catch_up=timedelta(hours=6))

    def work(_session, slot, _at):
        ran.append(slot.key)
        return "done"

    declare(work)
    from app.jobs.declared import JOBS as DECLARED

    job = DECLARED["t.clock"]
    start = utc("2026-03-10T09:00:00")
    moments = [start + timedelta(minutes=10 * step) for step in range(6)]
    moments += [moment + jump for moment in moments]
    moments += [start + timedelta(minutes=10 * step) for step in range(6, 24)]
    for moment in moments:
        look(app, job, lambda moment=moment: moment)
    assert len(ran) == len(set(ran)), "no slot twice"
    newest, oldest = max(ran), min(ran)
    count = (datetime.fromisoformat(newest) - datetime.fromisoformat(oldest)) / timedelta(minutes=10) + 1
    assert len(ran) == count, "none left out"
