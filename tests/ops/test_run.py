"""The door of the house: what `run.py` accepts on the command line and when it takes its environment for ready."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import run
from app.ops import testing


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["demo"], {"command": "demo", "port": 8080, "host": "127.0.0.1", "home": None, "fresh": False}),
        (["demo", "--fresh", "--port", "9"], {"fresh": True, "port": 9}),
        (["serve", "--no-scheduler", "--host", "::1"], {"no_scheduler": True, "host": "::1"}),
        (["serve", "--no-worker"], {"no_worker": True, "no_scheduler": False}),
        (["worker"], {"command": "worker"}),
        (["migrate", "--home", "/x"], {"home": Path("/x")}),
        (["make-migration", "add the ward"], {"message": "add the ward"}),
    ],
)
def test_the_command_line_is_read(words: list[str], expected: dict[str, object]) -> None:
    arguments, rest = run.parse(words)
    assert rest == []
    assert {name: getattr(arguments, name) for name in expected} == expected


def test_what_follows_test_goes_to_pytest() -> None:
    arguments, rest = run.parse(["test", "--home", "/x", "tests/ops", "-k", "clock", "-x"])
    assert (arguments.home, rest, arguments.slow) == (Path("/x"), ["tests/ops", "-k", "clock", "-x"], False)
    arguments, rest = run.parse(["test", "--slow", "-k", "kill"])
    assert (arguments.slow, rest) == (True, ["-k", "kill"])


@pytest.mark.parametrize(("slow", "ran"), [(False, "fast"), (True, "slow")])
def test_slow_tests_run_only_when_they_are_asked_for(tmp_path: Path, slow: bool, ran: str) -> None:
    (tmp_path / "test_two.py").write_text(
        "import pytest\n\ndef test_fast(): pass\n\n@pytest.mark.nightly\ndef test_slow(): pass\n"
    )
    words = [*(testing.ALONE if slow else []), "-v", "--rootdir", str(tmp_path), str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-c", str(testing.ROOT / "pyproject.toml"), *words],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert [name for name in ("fast", "slow") if f"test_{name} PASSED" in done.stdout] == [ran]


@pytest.mark.parametrize(
    "words",
    [[], ["dance"], ["demo", "--prot", "1"], ["demo", "--port", "0"], ["demo", "--port", "65536"],
     ["demo", "--port", "-1"], ["demo", "--port", "８０"], ["migrate", "--port", "1"], ["serve", "--fresh"],
     ["make-migration"]],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    if words == ["demo", "--port", "８０"]:
        assert run.parse(words)[0].port == 80
        return
    with pytest.raises(SystemExit) as stop:
        run.parse(words)
    assert stop.value.code == 2
    assert "run.py" in capsys.readouterr().err


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Lay out an environment that was made to the end."""
    for name in ("requirements.lock", "requirements-dev.lock"):
        (tmp_path / name).write_text(f"{name}\n")
    venv = tmp_path / ".venv"
    for name, value in (("HERE", tmp_path), ("VENV", venv), ("READY", venv / "ready.json")):
        monkeypatch.setattr(run, name, value)
    monkeypatch.setattr(run, "VENV_PYTHON", venv / "bin" / "python")
    (venv / "bin").mkdir(parents=True)
    run.VENV_PYTHON.touch()
    run.READY.write_text(json.dumps(run.wanted(with_tools=True)))
    return tmp_path


def test_an_environment_made_to_the_end_is_used_as_it_is(made: Path) -> None:
    assert run.is_ready(with_tools=True)
    assert run.is_ready(with_tools=False)


@pytest.mark.parametrize(
    ("damage", "tools_alone"),
    [("no marker", False), ("half a marker", False), ("no python", False), ("other python", False), ("moved", False),
     ("new requirement", False), ("new tool", True)],
)  # fmt: skip
def test_an_environment_that_does_not_fit_is_made_again(made: Path, damage: str, tools_alone: bool) -> None:
    marker = json.loads(run.READY.read_text())
    match damage:
        case "no marker":
            run.READY.unlink()
        case "half a marker":
            run.READY.write_text('{"python":')
        case "no python":
            run.VENV_PYTHON.unlink()
        case "other python":
            run.READY.write_text(json.dumps(marker | {"python": "3.9"}))
        case "moved":
            run.READY.write_text(json.dumps(marker | {"place": "/elsewhere/.venv"}))
        case "new requirement":
            (made / "requirements.lock").write_text("another\n")
        case "new tool":
            (made / "requirements-dev.lock").write_text("another\n")
    assert not run.is_ready(with_tools=True)
    assert run.is_ready(with_tools=False) is tools_alone


@pytest.mark.parametrize(
    ("with_tools", "lacking", "stops"),
    [
        (False, {}, False),
        (False, {"fonts-noto-cjk": ("Chinese on paper", False)}, False),
        (False, {"libpango-1.0-0": ("printing", True)}, True),
        (True, {"chromium": ("walking the pages in the tests", False)}, True),
    ],
)
def test_who_is_not_root_is_told_the_one_command_and_stopped_only_where_nothing_works(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    with_tools: bool,
    lacking: dict[str, tuple[str, bool]],
    stops: bool,
) -> None:
    monkeypatch.setattr(run, "missing", lambda _with_tools: lacking)
    monkeypatch.setattr(run.os, "geteuid", lambda: 1000)
    stopped = False
    try:
        run.install_missing(with_tools)
    except SystemExit as stop:
        stopped = stop.code == 1
    assert stopped is stops
    told = capsys.readouterr().out
    assert ("sudo apt-get install -y --no-install-recommends " + " ".join(lacking) in told) is bool(lacking)


@pytest.mark.parametrize(
    ("answers", "calls"),
    [([0], ["install"]), ([100, 0, 0], ["install", "update", "install"]), ([100, 100], ["install", "update"])],
)
def test_root_installs_and_refreshes_the_lists_only_if_that_fails(
    monkeypatch: pytest.MonkeyPatch, answers: list[int], calls: list[str]
) -> None:
    made: list[str] = []

    def apt(verb: str, packages: list[str]) -> int:
        made.append(verb)
        assert packages == ([] if verb == "update" else ["chromium"])
        return answers[len(made) - 1]

    lacking = iter([{"chromium": ("tests", False)}, {}])
    monkeypatch.setattr(run, "missing", lambda _with_tools: next(lacking))
    monkeypatch.setattr(run.os, "geteuid", lambda: 0)
    monkeypatch.setattr(run.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(run, "apt", apt)
    run.install_missing(with_tools=True)
    assert made == calls


def test_where_packages_come_from_is_not_repeated() -> None:
    told = "ERROR: HTTPSConnectionPool(host='index.example', port=443)\nLooking in https://u:p@index.example/simple now"
    shown = run.last_lines(told, 5)
    assert "index.example" not in shown
    assert shown.startswith("ERROR: HTTPSConnectionPool(")
    assert shown.endswith(" now")


def test_every_command_of_the_door_is_known_inside() -> None:
    from app.ops import cli

    assert set(cli.COMMANDS) == {*run.COMMANDS, "prepare"}
