"""Children are restarted, stopped in order, and never outlive a supervisor that was killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from app.ops import supervise
from app.ops.processes import born
from app.ops.supervise import AlreadyRunning, Child, Supervisor, end_leftovers, only_run_in

ROOT = Path(__file__).resolve().parents[2]
SLEEP = [sys.executable, "-c", "import time; time.sleep(120)"]
DEAF = [
    sys.executable, "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(120)",
]  # fmt: skip
ENVIRONMENT = {"PATH": os.environ["PATH"]}


def wait_until(true: Callable[[], bool], seconds: float = 10) -> bool:
    """Wait for something to become true; say whether it did."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if true():
            return True
        time.sleep(0.05)
    return bool(true())


def run_aside(supervisor: Supervisor) -> tuple[threading.Thread, list[int]]:
    """Run a supervisor in a thread until it is ready; return both with the list that its exit code will be put in."""
    codes: list[int] = []
    ready = threading.Event()

    def is_ready() -> bool:
        ready.set()
        return True

    thread = threading.Thread(target=lambda: codes.append(supervisor.run(is_ready)))
    thread.start()
    assert ready.wait(10)
    return thread, codes


def pid_of(child: Child) -> int:
    assert child.process is not None
    return child.process.pid


def test_all_children_run_until_it_is_asked_to_stop(tmp_path: Path) -> None:
    children = [Child(name, SLEEP, ENVIRONMENT) for name in ("first", "second")]
    supervisor = Supervisor(tmp_path, children, say=lambda _: None)
    thread, codes = run_aside(supervisor)
    assert wait_until(lambda: all(child.is_alive() for child in children))
    assert wait_until(lambda: supervisor.register.read_text().count("pid") == len(children))
    listed = json.loads(supervisor.register.read_text())
    assert [entry["pid"] for entry in listed] == [pid_of(child) for child in children]
    supervisor.stopping.set()
    thread.join(10)
    assert codes == [0]
    assert not any(child.is_alive() for child in children)
    assert not supervisor.register.exists()


def test_a_dead_child_is_started_again_and_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervise, "LONGEST_PAUSE", 0.2)
    said: list[str] = []
    child = Child("clock", SLEEP, ENVIRONMENT)
    supervisor = Supervisor(tmp_path, [child], say=said.append)
    thread, _codes = run_aside(supervisor)
    killed = pid_of(child)
    os.kill(killed, signal.SIGKILL)
    revived = wait_until(lambda: pid_of(child) != killed and child.is_alive())
    supervisor.stopping.set()
    thread.join(10)
    assert revived
    assert said == ["The clock ended (code -9); it starts again in 0 s."]


def test_pauses_between_restarts_grow(tmp_path: Path) -> None:
    said: list[str] = []
    child = Child("clock", [sys.executable, "-c", "raise SystemExit(3)"], ENVIRONMENT)
    supervisor = Supervisor(tmp_path, [child], say=said.append)
    for _ in range(7):
        child.start()
        child.wait()
        child.due_at = 0.0
        supervisor._revive(child, child.started_at + 1)
    assert [sentence.rsplit(" ", 2)[1] for sentence in said] == ["2", "4", "8", "16", "30", "30", "30"]


def test_a_child_that_dies_while_starting_is_shown_not_waited_for(tmp_path: Path) -> None:
    said: list[str] = []
    log = tmp_path / "log" / "web.log"
    child = Child("web server", [sys.executable, "-c", "raise SystemExit('no such module')"], ENVIRONMENT, log)
    began = time.monotonic()
    assert Supervisor(tmp_path, [child], say=said.append).run(lambda: False) == 1
    assert time.monotonic() - began < 10
    assert said == ["The web server ended while it started:\nno such module"]


def test_a_child_that_does_not_listen_is_ended_all_the_same(tmp_path: Path) -> None:
    log = tmp_path / "log"
    child = Child("deaf", DEAF, ENVIRONMENT, log, patience=0.3)
    child.start()
    assert wait_until(lambda: log.exists() and "deaf" in log.read_text())
    began = time.monotonic()
    child.stop()
    assert time.monotonic() - began < 3
    assert not child.is_alive()


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal is Linux's")
def test_children_end_when_their_supervisor_is_killed(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from app.ops.supervise import Child, Supervisor\n"
        f"child = Child('sleeper', {SLEEP!r}, {{}})\n"
        "Supervisor(Path(sys.argv[1]), [child], say=print).run(lambda: print(child.process.pid, flush=True) or True)"
    )
    supervisor = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert supervisor.stdout is not None
    child = int(supervisor.stdout.readline())
    assert born(child) is not None
    supervisor.kill()
    supervisor.communicate()
    assert wait_until(lambda: born(child) is None)


def test_leftovers_are_ended_and_innocent_bearers_of_their_number_are_not(tmp_path: Path) -> None:
    leftover, innocent = (subprocess.Popen(SLEEP, start_new_session=True) for _ in range(2))
    try:
        listed = [{"pid": leftover.pid, "born": born(leftover.pid)}, {"pid": innocent.pid, "born": "12345"}]
        (tmp_path / "children.json").write_text(json.dumps(listed))
        end_leftovers(tmp_path)
        assert leftover.wait(5) == -signal.SIGTERM
        assert innocent.poll() is None
    finally:
        for process in (leftover, innocent):
            process.kill()
            process.wait()


@pytest.mark.parametrize("content", ["", "{}", "[1]", '[{"pid": "x", "born": "1"}]', '[{"pid": 1}]'])
def test_a_damaged_list_of_children_is_no_reason_not_to_start(tmp_path: Path, content: str) -> None:
    (tmp_path / "children.json").write_text(content)
    end_leftovers(tmp_path)
    assert not (tmp_path / "children.json").exists()


def test_a_second_run_in_one_home_is_told_where_the_first_is(tmp_path: Path) -> None:
    second = only_run_in(tmp_path, "http://127.0.0.1:9090")
    told = pytest.raises(AlreadyRunning, match=r"already running on http://127\.0\.0\.1:8080")
    with only_run_in(tmp_path, "http://127.0.0.1:8080"), told, second:
        pytest.fail("two runs in one home")
    with only_run_in(tmp_path, "http://127.0.0.1:9090"):
        assert "9090" in (tmp_path / "run.lock").read_text()
