"""Keep the children running: start them, restart them with growing pauses, stop them before the database.

Each child leads a session of its own, so that Ctrl-C reaches only the supervisor. If the supervisor itself is
killed, the kernel ends them (Linux); elsewhere, and if that failed, the next start does, by the list kept here.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO

from app.ops.processes import born

LONGEST_PAUSE = 30.0  # seconds between two attempts to start a child
STEADY_AFTER = 60.0  # a child that ran this long is taken to be well again
LARGEST_LOG = 10 * 1024 * 1024
PR_SET_PDEATHSIG = 1

Say = Callable[[str], None]


class AlreadyRunning(Exception):
    """Another supervisor holds this home."""


@dataclass
class Child:
    """A process that is to run for as long as the supervisor does. ``patience`` is how long it may take to stop."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path | None = None
    patience: float = 8.0
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    failures: int = 0
    due_at: float = field(default=0.0)

    def start(self) -> None:
        """Start the process; what it says goes to its log, or where the supervisor's own words go."""
        with _log_for(self.log) as output:
            self.process = subprocess.Popen(
                list(self.command),
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=_end_with_parent(os.getpid()),
            )
        self.started_at = time.monotonic()

    def is_alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def wait(self) -> int:
        """Wait until it ends by itself; return its exit code."""
        if self.process is None:
            raise RuntimeError(f"the {self.name} was not started")
        return self.process.wait()

    def stop(self) -> None:
        """Ask it to end, wait, and end its whole group if it does not."""
        process = self.process
        if process is None:
            return
        if process.poll() is None:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(self.patience)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # what is left of its group, if anything
        process.wait()

    def last_words(self, lines: int = 15) -> str:
        """Return the end of its log."""
        if self.log is None or not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])


class Supervisor:
    """Watches over children. The first is awaited before the others are started; all are stopped together.

    ``tend`` is called about every five seconds, for what is to be looked after besides (the database).
    """

    def __init__(self, home: Path, children: Sequence[Child], *, say: Say, tend: Callable[[], None] = lambda: None):
        self.children = list(children)
        self.say = say
        self.tend = tend
        self.register = home / "children.json"
        self.stopping = threading.Event()

    def run(self, when_ready: Callable[[], bool]) -> int:
        """Start the first, wait until ``when_ready`` says so, start the others, watch; return the exit code.

        If the first dies before it is ready, that is a fault to show, not one to wait out.
        """
        try:
            self.children[0].start()
            self._write_register()
            if not self._wait_for(when_ready):
                return 0 if self.stopping.is_set() else 1
            for child in self.children[1:]:
                child.start()
            self._write_register()
            self._watch()
            return 0
        finally:
            self._stop_all()

    def _wait_for(self, when_ready: Callable[[], bool], seconds: float = 120) -> bool:
        first = self.children[0]
        deadline = time.monotonic() + seconds
        while not self.stopping.wait(0.2):
            if not first.is_alive():
                self.say(f"The {first.name} ended while it started:\n{first.last_words()}")
                return False
            if when_ready():
                return True
            if time.monotonic() > deadline:
                self.say(f"The {first.name} did not answer within {seconds:.0f} s:\n{first.last_words()}")
                return False
        return False

    def _watch(self) -> None:
        tended_at = time.monotonic()
        while not self.stopping.wait(0.5):
            now = time.monotonic()
            if now - tended_at > 5:
                self.tend()
                tended_at = now
            for child in self.children:
                if not child.is_alive():
                    self._revive(child, now)

    def _revive(self, child: Child, now: float) -> None:
        """Start a dead child again after a pause that doubles with each failure in a row."""
        if child.due_at == 0.0:
            code = child.process.returncode if child.process else None
            child.failures = 0 if now - child.started_at > STEADY_AFTER else child.failures + 1
            pause = min(LONGEST_PAUSE, 2.0**child.failures)
            child.due_at = now + pause
            self.say(f"The {child.name} ended (code {code}); it starts again in {pause:.0f} s.")
        elif now >= child.due_at:
            child.due_at = 0.0
            child.start()
            self._write_register()

    def _stop_all(self) -> None:
        """Ask all at once, so that their patience runs side by side, and wait for each."""
        for child in self.children:
            if child.process is not None and child.is_alive():
                child.process.terminate()
        for child in self.children:
            child.stop()
        self.register.unlink(missing_ok=True)

    def _write_register(self) -> None:
        pids = [child.process.pid for child in self.children if child.process]
        alive = [{"pid": pid, "born": born(pid)} for pid in pids]
        self.register.write_text(json.dumps(alive), encoding="utf-8")


@contextlib.contextmanager
def only_run_in(home: Path, address: str) -> Iterator[None]:
    """Hold the home for one supervisor; raises ``AlreadyRunning`` if another does. The kernel frees it on any death."""
    with (home / "run.lock").open("a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise AlreadyRunning(f"Yimei is already running on {lock.read().strip() or 'this home'}.") from None
        lock.truncate(0)
        lock.write(f"{address} (process {os.getpid()})\n")
        lock.flush()
        yield


def end_leftovers(home: Path) -> None:
    """End children that outlived a killed supervisor: those whose number and time of birth are both on the list."""
    register = home / "children.json"
    try:
        listed = json.loads(register.read_text(encoding="utf-8"))
        left = [int(entry["pid"]) for entry in listed if entry["born"] and born(int(entry["pid"])) == entry["born"]]
    except (OSError, ValueError, KeyError, TypeError):
        left = []
    for number, patience in ((signal.SIGTERM, 10.0), (signal.SIGKILL, 5.0)):
        births = {pid: born(pid) for pid in left}
        for pid in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, number)
        deadline = time.monotonic() + patience
        while left and time.monotonic() < deadline:
            left = [pid for pid in left if births[pid] and born(pid) == births[pid]]
            time.sleep(0.1)
    register.unlink(missing_ok=True)


def stop_on_signals(stopping: threading.Event) -> None:
    """Let Ctrl-C, a terminate and a closed terminal all ask for an orderly stop."""

    def ask(_number: int, _frame: FrameType | None) -> None:
        stopping.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, ask)


@contextlib.contextmanager
def _log_for(path: Path | None) -> Iterator[IO[bytes] | None]:
    if path is None:
        yield None
        return
    path.parent.mkdir(mode=0o700, exist_ok=True)
    too_large = path.exists() and path.stat().st_size > LARGEST_LOG
    with path.open("wb" if too_large else "ab") as output:
        yield output


def _end_with_parent(parent: int) -> Callable[[], None] | None:
    """Return what a new child does first: ask the kernel to be terminated when its parent dies."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None, use_errno=True)

    def first_thing() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        if os.getppid() != parent:  # it died in between
            os._exit(1)

    return first_thing
