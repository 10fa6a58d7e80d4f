"""The doctor's judgement: what is fine, what is to watch, what is bad, and that every fault comes with a remedy."""

from __future__ import annotations

import pytest

from app.ops import doctor
from app.ops.doctor import Finding, Verdict

GB = 1024**3
SOUND = dict.fromkeys(doctor.DURABLE, "on")


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (SOUND, Verdict.OK),
        (SOUND | {"synchronous_commit": "remote_apply"}, Verdict.OK),
        (SOUND | {"data_checksums": "off"}, Verdict.WARN),
        (SOUND | {"fsync": "off"}, Verdict.BAD),
        (SOUND | {"full_page_writes": "off"}, Verdict.BAD),
        (SOUND | {"synchronous_commit": "off"}, Verdict.BAD),
        (SOUND | {"wal_level": "minimal"}, Verdict.BAD),
        (SOUND | {"fsync": "off", "data_checksums": "off"}, Verdict.BAD),
    ],
)
def test_durability_is_judged(found: dict[str, str], verdict: Verdict) -> None:
    assert doctor.durability(found).verdict is verdict


@pytest.mark.parametrize(
    ("seconds", "verdict"),
    [(0, Verdict.OK), (2, Verdict.OK), (2.1, Verdict.WARN), (5, Verdict.WARN), (5.1, Verdict.BAD)],
)
def test_clocks_apart_are_judged(seconds: float, verdict: Verdict) -> None:
    assert doctor.clock_error(seconds).verdict is verdict


@pytest.mark.parametrize(
    ("free", "verdict"), [(0.5, Verdict.BAD), (1, Verdict.WARN), (4.9, Verdict.WARN), (5, Verdict.OK)]
)
def test_room_on_disk_is_judged(free: float, verdict: Verdict) -> None:
    assert doctor.disk(free * GB).verdict is verdict


@pytest.mark.parametrize(
    "finding",
    [doctor.durability(SOUND | {"fsync": "off"}), doctor.clock_error(99), doctor.disk(0)],
)
def test_every_fault_says_what_to_do(finding: Finding) -> None:
    assert finding.remedy
    assert f"-> {finding.remedy}" in str(finding)


def test_a_missing_library_is_found_missing() -> None:
    assert doctor._library("libno-such.so.9", "a thing", Verdict.BAD, "libno-such").verdict is Verdict.BAD


def test_settings_that_are_refused_are_a_finding_and_not_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YIMEI_MODE", "staging")
    findings = list(doctor.settings_and_database())
    assert [finding.verdict for finding in findings] == [Verdict.BAD]


def test_a_database_that_is_away_is_a_finding_and_not_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YIMEI_MODE", "test")
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    assert list(doctor.settings_and_database())[-1].verdict is Verdict.BAD
