"""Which process is which: a number alone proves nothing, since it is given out again."""

from __future__ import annotations

import subprocess
from pathlib import Path

from app.ops.accounts import Account


def born(pid: int) -> str | None:
    """Return when a process began, so that a number borne by another by now is not taken for it; None if it is gone."""
    try:
        told = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        if Path("/proc/self/stat").exists():
            return None
        done = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
        return done.stdout.strip() or None
    fields = told.rpartition(")")[2].split()
    return None if fields[0] == "Z" else fields[19]  # a zombie is gone; field 22 of the line is its start time


def working_in(folder: Path, account: Account, suspect: int | None) -> set[int]:
    """Return the processes whose working folder this is: every process of a PostgreSQL server works in its data.

    Asked under the server's own account, since a root without full powers (in a container) may not look. Outside
    Linux only ``suspect``, the number in the pid file, is looked at, and its name is trusted.
    """
    if not Path("/proc/self/cwd").exists():
        named = account.run(["ps", "-o", "comm=", "-p", str(suspect or 0)]).stdout
        return {suspect} if suspect is not None and "postgres" in named else set()
    script = 'for p in /proc/[0-9]*; do [ "$p/cwd" -ef "$1" ] && echo "${p#/proc/}"; done; :'
    return {int(word) for word in account.run(["/bin/sh", "-c", script, "sh", folder]).stdout.split()}
