"""Which backups are kept, and what goes with those that are not. White paper H.2."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app import keyring
from app.backups import MANIFEST, Backup, backups_in, changes_folder, kept, read_backup, remove_old
from app.filestore import FileStore
from app.keyring import KeyRing
from app.ops import doctor
from app.ops.backup.files import Copies
from app.ops.doctor import Verdict
from config import new_encryption_key

NOW = datetime.now(UTC)


def old(place: Path, began: datetime, first_wal: str = "", number: int = 0) -> Backup:
    """Lay out a finished backup that began at a moment and names one file."""
    folder = place / began.strftime("%Y%m%dT%H%M%SZ")
    folder.mkdir(parents=True)
    told = {"began_at": began.isoformat(), "consistent_at": began.isoformat(), "system": "7", "first_wal": first_wal}
    (folder / MANIFEST).write_text(json.dumps(told | {"parts": {}}))
    (folder / "files.json").write_text(json.dumps([f"{number:032x}.{'0' * 64}"]))
    backup = read_backup(folder)
    assert backup is not None
    return backup


@pytest.mark.parametrize(
    ("ages", "days", "weeks", "expected"),
    [
        ([0, 1, 2, 3], 2, 0, [0, 1, 2]),
        ([0, 1, 8, 9, 10, 16], 2, 8, [0, 1, 8, 16]),  # on a Sunday: 8, 9 and 10 days before are one week
        ([40], 2, 0, [40]),  # the newest is never removed, however old
        ([40, 41], 2, 1, [40]),
        ([], 2, 1, []),
    ],
)
def test_which_backups_are_kept(tmp_path: Path, ages: list[int], days: int, weeks: int, expected: list[int]) -> None:
    sunday = datetime(2026, 11, 22, 3, tzinfo=UTC)
    backups = [old(tmp_path, sunday - timedelta(days=age)) for age in ages]
    left = [(sunday - each.began_at).days for each in kept(backups, sunday, days=days, weeks=weeks)]
    assert sorted(left) == expected


def test_what_is_too_old_goes_with_its_changes_and_its_files(tmp_path: Path) -> None:
    later = NOW + timedelta(days=60)  # copies bear the time of this test, which must be long ago
    gone = old(tmp_path, later - timedelta(days=30), "000000010000000000000003", 30)
    young = old(tmp_path, later - timedelta(days=1), "000000010000000000000009", 1)
    changes = changes_folder(tmp_path, "7")
    changes.mkdir()
    for number in ("03", "08", "09", "0A"):
        (changes / f"0000000100000000000000{number}.sealed").touch()
    (changes / "00000002.history.sealed").touch()
    for number in (1, 30):
        name = f"{number:032x}.{'0' * 64}"
        (tmp_path / "files" / name[:2]).mkdir(parents=True, exist_ok=True)
        (tmp_path / "files" / name[:2] / name).touch()
    assert remove_old(tmp_path, later, days=14, weeks=0) == [gone.name]
    assert [each.name for each in backups_in(tmp_path)] == [young.name]
    left = sorted(path.name for path in changes.iterdir())
    assert left == ["000000010000000000000009.sealed", "00000001000000000000000A.sealed", "00000002.history.sealed"]
    assert [path.name for path in (tmp_path / "files").glob("??/*")] == [f"{1:032x}.{'0' * 64}"]


def test_a_half_made_backup_is_none(tmp_path: Path) -> None:
    (tmp_path / "20261122T020000Z.making").mkdir()
    (tmp_path / "20261121T020000Z").mkdir()
    (tmp_path / "20261120T020000Z").mkdir()
    (tmp_path / "20261120T020000Z" / MANIFEST).write_text("{")
    assert backups_in(tmp_path) == []


def test_a_file_is_copied_once_and_anew_when_it_was_sealed_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyring, "_ring", KeyRing([new_encryption_key()], "ab" * 32))
    key = FileStore(tmp_path / "files").put(b"a face")
    copies = Copies(tmp_path / "files", tmp_path / "backups")
    assert [copies.catch_up(), copies.catch_up()] == [1, 0]
    assert Copies(tmp_path / "files", tmp_path / "backups").catch_up() == 0, "a new process copies nothing again"
    path = tmp_path / "files" / key[:2] / key
    path.write_bytes(KeyRing([new_encryption_key()], "ab" * 32).seal(b"a face"))
    assert len(copies.names()) == 1
    assert len(list((tmp_path / "backups" / "files").glob("??/*"))) == 2, "the older is kept as long as its backup"


@pytest.mark.parametrize(
    ("hours", "mode", "verdict", "said"),
    [
        (None, "production", Verdict.WARN, "run `python3 run.py backup`"),
        (None, "demo", Verdict.OK, "none in"),
        (5, "production", Verdict.OK, "5 h old"),
        (27, "production", Verdict.WARN, "backup.nightly"),
        (60, "production", Verdict.BAD, "backup.nightly"),
    ],
)
def test_the_doctor_says_when_the_last_good_backup_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hours: int | None, mode: str, verdict: Verdict, said: str
) -> None:
    monkeypatch.setenv("YIMEI_MODE", mode)
    monkeypatch.setenv("YIMEI_BACKUPS", str(tmp_path))
    if hours is not None:
        old(tmp_path, NOW - timedelta(hours=hours))
    found = doctor.backups(NOW)
    assert found.verdict is verdict
    assert said in str(found)


def test_the_doctor_says_when_changes_stopped_coming(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YIMEI_BACKUPS", str(tmp_path))
    old(tmp_path, NOW - timedelta(hours=3))
    changes = changes_folder(tmp_path, "7")
    changes.mkdir()
    copied = changes / "000000010000000000000009.sealed"
    copied.touch()
    os.utime(copied, (NOW.timestamp(), NOW.timestamp()))
    assert doctor.backups(NOW).verdict is Verdict.OK
    late = doctor.backups(NOW + timedelta(minutes=11))
    assert late.verdict is Verdict.WARN
    assert "archiver" in late.remedy
