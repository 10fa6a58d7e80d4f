"""The list page of two checkouts, in turn: `python -m bench.list_page --against ../before`. Issue 5, done when 6.

Both ask the database of the environment, which must hold the demo (`python -m bench.run` or `run.py demo` puts it
there); make the other checkout with `git worktree add ../before <commit>`. Each checkout answers in a process of its
own, logged in, warm; the two are asked in turn, round by round, so that a busy moment of the machine strikes both.
The ratio of the medians is what counts, and that of the work of the process alone (CPU) is the steadier of the two.
Returns 1 if this checkout is slower than the limit. Without ``--against`` only this one is timed, compressed and plain.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.measure import table

HERE = Path(__file__).resolve().parents[1]
#: What a machine that others use leaves uncertain in a median of ratios.
MOST_RATIO = 1.1
PERSON = "phone_supervisor"
LISTS = ("/my_slips/list/?tab=all", "/department_slips/list/?tab=all", "/customer/list/", "/department_followups/list/")
PACKED = {"Accept-Encoding": "zstd, br, gzip", "Sec-Fetch-Site": "same-origin"}

#: Runs in the other process: logs in, then answers each line (path, headers) with what the page took.
ASKED = """
import json, logging, re, sys, time
logging.disable(logging.WARNING)
sys.path.insert(0, "")
from sqlalchemy import Engine, event
from app import create_app
app = create_app()
app.config.update(AUTH_RATE_LIMITED=False, RATELIMIT_ENABLED=False)
client, told = app.test_client(), []
event.listen(Engine, "before_cursor_execute", lambda c, u, statement, *rest: told.append(statement))
token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', client.get("/login/").text)[1]
who = {"username": sys.argv[1], "password": "Yimei-demo-2026", "csrf_token": token}
assert client.post("/login/", data=who).status_code == 302
print("ready", flush=True)
for line in sys.stdin:
    path, headers = json.loads(line)
    told.clear()
    began, work = time.perf_counter(), time.process_time()
    answer = client.get(path, headers=headers)
    body = answer.data
    took = [(time.perf_counter() - began) * 1000, (time.process_time() - work) * 1000]
    asked = [one for one in told if not one.startswith(("SAVEPOINT", "RELEASE", "ROLLBACK"))]
    assert answer.status_code == 200, (path, answer.status_code)
    print(json.dumps([*took, len(asked), len(body)]), flush=True)
"""


class Checkout:
    """A process that answers for one checkout; ``ask`` returns wall ms, CPU ms, statements, bytes."""

    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", ASKED, PERSON], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        if self._line() != "ready":
            raise RuntimeError(f"{folder} does not start")

    def ask(self, path: str, headers: dict[str, str]) -> list[float]:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([path, headers]) + "\n")
        self.process.stdin.flush()
        found: list[float] = json.loads(self._line())
        return found

    def end(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(20)

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()


def compared(ways: list[tuple[str, Checkout, dict[str, str]]], rounds: int) -> list[tuple[Any, ...]]:
    """Ask each list in each way, in turn; return a row for each: medians, and their ratio to the first way's."""
    rows: list[tuple[Any, ...]] = []
    for path in LISTS:
        taken: list[list[list[float]]] = [[] for _ in ways]
        for at in range(rounds + 5):
            turn = list(range(len(ways)))
            for way in turn if at % 2 else reversed(turn):
                found = ways[way][1].ask(path, ways[way][2])
                if at >= 5:
                    taken[way].append(found)
        first = taken[0]
        for (name, _checkout, _headers), found in zip(ways, taken, strict=True):
            wall, work = ([each[part] for each in found] for part in (0, 1))
            pairs = [mine[1] / other[1] for mine, other in zip(found, first, strict=True)]
            last = found[-1]
            rows.append(
                (path, name, int(last[2]), last[3] / 1000, statistics.median(wall), statistics.median(work),
                 statistics.median(wall) / statistics.median([each[0] for each in first]), statistics.median(pairs))
            )  # fmt: skip
    return rows


def main() -> int:
    """Measure and print; return 1 if this checkout is slower than the other by more than the limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", type=Path, help="another checkout of this project")
    parser.add_argument("--rounds", type=int, default=40)
    arguments = parser.parse_args()
    os.environ.setdefault("YIMEI_MODE", "demo")
    now = Checkout(HERE)
    ways: list[tuple[str, Checkout, dict[str, str]]] = [("now", now, {}), ("now, compressed", now, PACKED)]
    if arguments.against:
        ways.insert(0, ("before", Checkout(arguments.against.resolve()), {}))
    rows = compared(ways, arguments.rounds)
    heads = ("list", "", "statements", "kB", "p50 ms", "CPU ms", "p50 ratio", "CPU ratio")
    print(f"{arguments.rounds} rounds, load {os.getloadavg()[0]:.1f}\n\n{table(heads, rows)}")
    for checkout in {id(way[1]): way[1] for way in ways}.values():
        checkout.end()
    over = [row for row in rows if arguments.against and row[1] == "now" and row[-1] > MOST_RATIO]
    for row in over:
        print(f"OVER  {row[0]}: {row[-1]:.2f} times the work")
    return int(bool(over))


if __name__ == "__main__":
    sys.exit(main())
