"""A process of ours that tests start, kill and ask to stop, and that tells what it begins: "began <what>" on a line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from queue import Queue
from typing import Self

from tests.databases import ROOT

PATIENCE = 180  # seconds; the machine may be busy


class TellingProcess:
    """A module of the tests run as a process on a database; what it begins is put into a queue, with who began it."""

    module: str

    def __init__(self, database: tuple[str, str], begun: Queue[tuple[Self, str]], *words: str) -> None:
        environment = os.environ | {"DATABASE_URL": database[0], "DATABASE_OWNER_URL": database[1]}
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", self.module, *words],
            env=environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        self.pid = self.process.pid
        self.begun = begun
        self.said: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line)
            if line.startswith("began "):
                self.begun.put((self, line.removeprefix("began ").strip()))

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        self.send(signal.SIGKILL)
        self.end()

    def stop(self) -> int:
        """Ask it to stop, as the supervisor does; what it is at is finished."""
        self.send(signal.SIGTERM)
        return self.end()

    def end(self) -> int:
        """Wait for its end; return its exit code."""
        code = self.process.wait(timeout=PATIENCE)
        self._reader.join()
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code
