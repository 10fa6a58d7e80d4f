#!/usr/bin/env python3
"""Start, look after and test Yimei: `python3 run.py demo` on a machine that has only Python 3.11 or newer.

Until its own virtual environment stands this file uses the standard library alone. It then makes `.venv`, installs
what `requirements.txt` pins, asks the system for what is missing, and hands over to `app/ops/cli.py`.
"""

from __future__ import annotations

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - an older one gets a sentence instead of a syntax error
    sys.exit("Yimei needs Python 3.11 or newer; this is %d.%d." % sys.version_info[:2])  # noqa: UP031

import argparse
import contextlib
import ctypes
import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

HERE = Path(__file__).resolve().parent
VENV = HERE / ".venv"
VENV_PYTHON = VENV / "bin" / "python"
READY = VENV / "ready.json"
PASSES_ON = ("test", "check")  # commands that pass further arguments on to pytest, and need a browser
NEEDS_TOOLS = (*PASSES_ON, "lock")  # commands that need requirements-dev.lock

COMMANDS = {
    "demo": "open a two-branch hospital with invented data",
    "serve": "run for real: web server, scheduler and worker, no demo data",
    "scheduler": "run the scheduler alone",
    "worker": "run a worker alone: it does long work in the background",
    "migrate": "bring the database's schema up to date",
    "make-migration": "write a migration from what changed in the models",
    "docs": "write the documents that are made from the declarations",
    "sync-security": "write the roles and permissions into the database",
    "create-admin": "make an administrator's account",
    "backup": "take a backup while the house is open",
    "archiver": "copy finished changes and new files into the backups, all the time",
    "verify-backup": "see that backups can be read; with --deep restore the newest aside",
    "restore": "restore a backup, to a second, into a new home",
    "verify": "recompute the seals of the trail and name what was touched",
    "prune-trail": "move what of the trail is past its retention into archive files",
    "rotate-keys": "encrypt everything anew under a new key, while the house runs",
    "simulate-calls": "play a day of calls against a running server, as a telephone system would tell of them",
    "doctor": "look whether all is well and say what to do",
    "lock": "write the locks with hashes anew from the pinned requirements; asks an index",
    "licences": "show every package's licence; fails if one is unknown or not allowed",
    "sbom": "write the bill of materials (CycloneDX)",
    "test": "run the tests; further arguments go to pytest",
    "check": "run the whole gate: linters, types, layers, migrations, tests",
}


def main() -> int:
    """Parse the command line, see that everything stands, and run the command in the virtual environment."""
    # A shell that starts us in the background may have switched Ctrl-C off; stopping has to work all the same.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    arguments, rest = parse(sys.argv[1:])
    with_tools = arguments.command in NEEDS_TOOLS
    if not is_ready(with_tools):
        install_missing(with_tools)
        with one_at_a_time():
            if not is_ready(with_tools):
                make_environment(with_tools)
    if Path(sys.prefix).resolve() != VENV.resolve():
        sys.stdout.flush()
        os.execv(VENV_PYTHON, [str(VENV_PYTHON), str(HERE / "run.py"), *sys.argv[1:]])
    from app.ops import cli

    return cli.main(arguments, rest)


def parse(words: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """Return the parsed arguments and, for `test` and `check`, what is left for pytest."""
    parser = argparse.ArgumentParser(prog="run.py", description="Yimei, a business system for aesthetic hospitals.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    for name, explained in COMMANDS.items():
        command = commands.add_parser(name, help=explained, description=explained, allow_abbrev=False)
        command.add_argument("--home", type=Path, help="folder for data, keys and logs (default: var beside run.py)")
        if name in ("demo", "serve"):
            command.add_argument("--port", type=port_number, default=8080, help="where to listen (default: 8080)")
            command.add_argument("--host", default="127.0.0.1", help="address to listen on (default: loopback)")
        if name == "demo":
            command.add_argument("--fresh", action="store_true", help="throw the demo's database away first")
        if name == "serve":
            command.add_argument("--no-scheduler", action="store_true", help="do not run the scheduler here")
            command.add_argument("--no-worker", action="store_true", help="do not run a worker here")
        if name == "backup":
            command.add_argument(
                "--to", type=Path, help="folder of backups (default: YIMEI_BACKUPS, or backups in home)"
            )
            command.add_argument(
                "--keep-days", type=int, help="afterwards remove backups that are older than so many days"
            )
            command.add_argument("--keep-weeks", type=int, default=0, help="but keep the last of each of so many weeks")
        if name == "verify-backup":
            command.add_argument("folder", type=Path, nargs="?", help="folder of backups, or one backup")
            command.add_argument(
                "--deep", action="store_true", help="restore the newest into a folder thrown away after"
            )
        if name == "restore":
            command.add_argument(
                "--from", dest="source", type=Path, required=True, help="folder of backups, or one backup"
            )
            command.add_argument("--to-time", type=moment, help="such as 2026-11-22T08:15:00+08:00 (default: the last)")
            command.add_argument("--dump", action="store_true", help="load the dump instead of the copied data folder")
        if name in ("verify-backup", "restore"):
            command.add_argument("--keys", type=Path, help="folder with backup.key and keys.json (default: the home)")
        if name == "sbom":
            command.add_argument("--to", type=Path, default=Path("sbom.json"), help="where to (default: sbom.json)")
        if name == "test":
            command.add_argument("--slow", action="store_true", help="run only the tests too slow for every run")
        if name == "make-migration":
            command.add_argument("message", help="what the migration does, in a few words")
        if name == "simulate-calls":
            command.add_argument("--to", default="http://127.0.0.1:8080", help="address of the server")
            command.add_argument(
                "--key-file", type=Path, help="file with an API key for call_event.post (default: YIMEI_API_KEY)"
            )
            command.add_argument("--calls", type=int, default=100, help="how many calls (default: 100)")
            command.add_argument("--rate", type=float, default=20.0, help="events a second (default: 20)")
            command.add_argument("--extension", action="append", help="one that rings; may be said again")
            command.add_argument("--number", action="append", help="one that calls, such as a customer's")
            command.add_argument("--recordings", default="", help="address below which recordings are said to lie")
            command.add_argument("--seed", type=int, help="for the same day again")
        if name == "rotate-keys":
            command.add_argument("--drop-old", action="store_true", help="forget the keys that nothing needs any more")
        if name == "create-admin":
            command.add_argument("--username", help="login name; asked if absent")
            command.add_argument("--email", help="mail address; made up from the login name if absent")
    arguments, rest = parser.parse_known_args(words)
    if rest and arguments.command not in PASSES_ON:
        parser.error(f"unknown argument: {' '.join(rest)}")
    return arguments, rest


def moment(word: str) -> datetime:
    """Return a moment with its zone: one without would be another in another place."""
    try:
        found = datetime.fromisoformat(word)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{word} is no moment with a zone, such as 2026-11-22T08:15:00+08:00")
    return found


def port_number(word: str) -> int:
    """Return a usable port number."""
    if not word.isdecimal() or not 1 <= int(word) <= 65535:
        raise argparse.ArgumentTypeError(f"{word} is no port number (1 to 65535)")
    return int(word)


# -- the virtual environment -------------------------------------------------------------------------------------


def wanted(with_tools: bool) -> dict[str, str]:
    """Describe the environment that the locks ask for."""
    names = ["requirements.lock", "requirements-dev.lock"] if with_tools else ["requirements.lock"]
    return {name: hashlib.sha256((HERE / name).read_bytes()).hexdigest() for name in names} | {
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "place": str(VENV),
    }


def is_ready(with_tools: bool) -> bool:
    """Say whether the environment was made to the end, for this Python, from these requirements, at this place."""
    try:
        made = json.loads(READY.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return VENV_PYTHON.exists() and wanted(with_tools).items() <= made.items()


@contextlib.contextmanager
def one_at_a_time() -> Iterator[None]:
    """Hold a lock file, so that two starts at once do not build the same environment."""
    with (HERE / ".venv.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def make_environment(with_tools: bool) -> None:
    """Make `.venv` and install into it; one that was left half-made, moved or made by another Python is built anew.

    Nothing is installed but what a lock names by its hash, from wherever the machine's pip takes its packages.
    """
    try:
        made = json.loads(READY.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        made = {}
    target = wanted(with_tools)
    if any(made.get(key) != target[key] for key in ("python", "place")):
        say("Making the virtual environment .venv ...")
        shutil.rmtree(VENV, ignore_errors=True)
        run_quietly([sys.executable, "-m", "venv", str(VENV)], "The virtual environment cannot be made.")
    READY.unlink(missing_ok=True)
    say("Installing the locked requirements (a few minutes the first time) ...")
    name = "requirements-dev.lock" if with_tools else "requirements.lock"
    pip = [str(VENV_PYTHON), "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"]
    run_quietly([*pip, "--require-hashes", "-r", str(HERE / name)], "The requirements cannot be installed.")
    kept = made if made.get("requirements.lock") == target["requirements.lock"] else {}
    READY.write_text(json.dumps(kept | target, indent=2) + "\n", encoding="utf-8")


# -- what the system must bring ----------------------------------------------------------------------------------


def install_missing(with_tools: bool) -> None:
    """Install by apt what the system lacks if we are root, else say the one command to type.

    Stops where the command cannot work without: an environment, Pango, and for the tests everything.
    """
    lacking = missing(with_tools)
    if not lacking:
        return
    packages = sorted(lacking)
    if os.geteuid() == 0 and shutil.which("apt-get"):
        say(f"Installing system packages: {' '.join(packages)} ...")
        if apt("install", packages) != 0 and (apt("update", []) != 0 or apt("install", packages) != 0):
            say("apt-get could not install them; see its messages above.")
        packages = sorted(missing(with_tools))
        if not packages:
            return
    say("The system lacks: " + "; ".join(f"{name} ({lacking[name][0]})" for name in packages))
    say(f"Type this, then start again:\n  sudo apt-get install -y --no-install-recommends {' '.join(packages)}")
    if with_tools or any(lacking[name][1] for name in packages):
        sys.exit(1)


def missing(with_tools: bool) -> dict[str, tuple[str, bool]]:
    """Return each missing Debian package with what it is for and whether nothing works without it."""
    lacking: dict[str, tuple[str, bool]] = {}
    if not VENV_PYTHON.exists() and not importable("ensurepip"):
        lacking["python3-venv"] = "virtual environments", True
    for package, library, purpose, needed in (
        ("libpango-1.0-0", "libpango-1.0.so.0", "printing", True),
        ("libpangoft2-1.0-0", "libpangoft2-1.0.so.0", "printing", True),
        ("libharfbuzz-subset0", "libharfbuzz-subset.so.0", "quick printing", False),
    ):
        if sys.platform == "linux" and not loadable(library):
            lacking[package] = purpose, needed
    if not shutil.which("fc-list"):
        lacking["fontconfig"] = "finding fonts", False
    if not has_chinese_font():
        lacking["fonts-noto-cjk"] = "Chinese on paper", False
    if with_tools and not any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))):
        lacking["chromium"] = "walking the pages in the tests", False
    return lacking


def importable(module: str) -> bool:
    """Say whether the standard library has a module; Debian ships some of them apart."""
    try:
        __import__(module)
    except ImportError:
        return False
    return True


def loadable(library: str) -> bool:
    """Say whether the system's linker finds a library."""
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def has_chinese_font() -> bool:
    """Say whether any installed font knows Chinese."""
    try:
        found = subprocess.run(["fc-list", ":lang=zh", "family"], capture_output=True, text=True, check=False)
    except OSError:
        return False
    return bool(found.stdout.strip())


def apt(verb: str, packages: list[str]) -> int:
    """Run apt-get without questions; return its exit code and show what it says only if it fails."""
    command = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300", verb]
    command += ["-y", "--no-install-recommends", *packages] if packages else []
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    done = captured(command, environment)
    if done.returncode != 0:
        say(last_lines(done.stdout, 5))
    return done.returncode


# -- small things ------------------------------------------------------------------------------------------------


def run_quietly(command: list[str], sentence: str) -> None:
    """Run a command; if it fails, show its last lines and stop with a sentence."""
    done = captured(command, dict(os.environ))
    if done.returncode != 0:
        say(last_lines(done.stdout, 15))
        sys.exit(sentence)


def captured(command: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command and keep all that it says."""
    return subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )


def last_lines(told: str, count: int) -> str:
    """Return the end of what a command said, without where packages come from: such addresses may hold passwords."""
    told = "\n".join(told.strip().splitlines()[-count:])
    return re.sub(r"(https?|file)://\S+|host='[^']*'", "...", told)


def say(sentence: str) -> None:
    """Print at once, also into a pipe."""
    print(sentence, flush=True)


if __name__ == "__main__":
    try:
        code = main()
    except KeyboardInterrupt:
        say("Interrupted.")
        code = 130
    sys.exit(code)
