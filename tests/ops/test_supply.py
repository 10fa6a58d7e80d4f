"""What the house is built from: pins, locks and what is installed agree; licences are known; the bill is whole.

Target 47. That the locked set boots, every other test shows: they run in it.
"""

from __future__ import annotations

import json
import re
from importlib.metadata import version
from pathlib import Path

import pytest

from app.ops import supply
from app.ops.supply import ROOT, bill, faults, licences, locked, pins


def test_pins_locks_and_what_is_installed_agree() -> None:
    assert list(faults()) == []


def test_everything_that_is_installed_is_pinned_by_hash_for_both_kinds_of_machine() -> None:
    for lock in supply.LOCKS.values():
        found = locked(ROOT / lock)
        assert len(found) > 60
        assert all(each.hashes for each in found)
        text = (ROOT / lock).read_text("utf-8")
        assert re.findall(r"https?:|file:|//", text) == []
    # As many files as a release has wheels: for x86_64 and aarch64, for three versions of Python and more.
    by_name = {each.name: each for each in locked(ROOT / "requirements.lock")}
    assert min(len(by_name[name].hashes) for name in ("psycopg-binary", "pillow", "sqlalchemy", "cffi")) >= 6


def test_the_tools_lock_takes_the_houses_versions() -> None:
    house = {(each.name, each.marker): each.version for each in locked(ROOT / "requirements.lock")}
    tools = {(each.name, each.marker): each.version for each in locked(ROOT / "requirements-dev.lock")}
    assert {key: (number, tools.get(key)) for key, number in house.items() if tools.get(key, number) != number} == {}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for name in [*supply.LOCKS, *supply.LOCKS.values()]:
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    return tmp_path


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        ("another pin", "requirements.txt pins gunicorn 1.0 and requirements.lock does not"),
        ("new pin", "requirements.txt pins rooms 1.0"),
        ("older lock", "requirements.lock holds gunicorn 1.0, installed is"),
        ("no hash", "requirements.lock has no hash of gunicorn"),
        ("address", "says where packages come from"),
        ("no lock", "requirements.lock is missing"),
    ],
)
def test_what_differs_is_told(copy: Path, damage: str, sentence: str) -> None:
    pinned, lock = copy / "requirements.txt", copy / "requirements.lock"
    text, now = lock.read_text("utf-8"), version("gunicorn")
    match damage:
        case "another pin":
            pinned.write_text(pinned.read_text("utf-8").replace(f"gunicorn=={now}", "gunicorn==1.0"))
        case "new pin":
            pinned.write_text(pinned.read_text("utf-8") + "rooms==1.0\n")
        case "older lock":
            lock.write_text(text.replace(f"gunicorn=={now}", "gunicorn==1.0"))
        case "no hash":
            lock.write_text(re.sub(r"(gunicorn==\S+) \\\n(    --hash=\S+( \\)?\n)+", r"\1\n", text))
        case "address":
            lock.write_text("--index-url https://index.example/simple\n" + text)
        case "no lock":
            lock.unlink()
    assert any(sentence in each for each in faults(copy)), list(faults(copy))


def test_every_licence_is_allowed_and_an_unknown_one_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    told = list(licences())
    assert len(told) > 60
    assert [(name, said) for name, said, allowed in told if not allowed] == []
    for said in ("", "AGPL-3.0-only", "Proprietary"):
        monkeypatch.setattr(supply, "licence_of", lambda _name, said=said: said)
        assert not any(allowed for _name, _said, allowed in licences())


def test_the_bill_of_materials_is_the_lock() -> None:
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    made = bill()
    assert {(each["name"], each["version"]) for each in made["components"]} == {
        (each.name, each.version) for each in locked(ROOT / "requirements.lock") if each.applies()
    }
    assert made["components"] == bill()["components"]
    assert set(pins(ROOT / "requirements.txt")) <= {each["name"] for each in made["components"]}
    problem = JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(made))
    assert problem is None, problem
