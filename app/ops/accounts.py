"""Under which system account the embedded server runs, and what that account can reach.

PostgreSQL refuses to run as root. A plain user runs it as himself; root runs it under an account of ours. Folders
that we did not make keep their owner and mode: what the account cannot reach is put where it can.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SERVER_ACCOUNT = "yimei-db"
OWN_PLACE = Path("/var/lib/yimei")


class AccountProblem(Exception):
    """No account to run the server under."""


@dataclass(frozen=True)
class Account:
    """Who runs the server. ``switch`` says whether a change of user is needed (only root can and must)."""

    uid: int
    gid: int
    switch: bool

    def run(
        self, command: Sequence[str | Path], *, env: dict[str, str] | None = None, given: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command under this account, in a session of its own (Ctrl-C passes it by); capture what it says."""
        words = [str(word) for word in command]
        return subprocess.run(
            words,
            cwd="/",
            env=env,
            input=given if given is not None else "",
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            start_new_session=True,
            umask=0o077,
            user=self.uid if self.switch else None,
            group=self.gid if self.switch else None,
            extra_groups=[] if self.switch else None,
        )

    def can(self, test: str, path: Path) -> bool:
        """Say whether this account passes a shell test on a path, such as ``-x`` for a folder it may enter."""
        return self.run(["/bin/sh", "-c", f'[ {test} "$1" ]', "sh", path]).returncode == 0

    def own(self, path: Path) -> None:
        """Hand a file or folder that we just made to this account."""
        if self.switch:
            os.chown(path, self.uid, self.gid)


def account_for(base: Path) -> Account:
    """Return the account that runs a server whose files lie in ``base``: their owner's if they stand already.

    Raises ``AccountProblem`` if they belong to somebody else, or if no account can be made.
    """
    me = os.geteuid()
    owner = base.stat().st_uid if base.exists() else None
    if me != 0:
        if owner not in (None, me):
            raise AccountProblem(f"{base} belongs to {_name(owner)}; start as that user, or give another --home.")
        return Account(me, os.getegid(), switch=False)
    if owner:
        return Account(owner, base.stat().st_gid, switch=True)
    entry = _entry() or _make_account()
    return Account(entry.pw_uid, entry.pw_gid, switch=True)


def shared_folder(path: Path) -> Path:
    """Return a folder of our own place, made so that every account may pass through."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)
    return path


def _entry() -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(SERVER_ACCOUNT)
    except KeyError:
        return None


def _name(uid: int | None) -> str:
    try:
        return pwd.getpwuid(uid or 0).pw_name
    except KeyError:
        return str(uid)


def _make_account() -> pwd.struct_passwd:
    """Make the system account. Two starts at once may both try: what counts is that it stands afterwards."""
    useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if useradd:
        options = ["--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
        options += ["--shell", "/usr/sbin/nologin", SERVER_ACCOUNT]
        subprocess.run([useradd, *options], capture_output=True, check=False)
    entry = _entry()
    if entry is None:
        raise AccountProblem(
            f"PostgreSQL does not run as root, and the system account {SERVER_ACCOUNT} cannot be made here. "
            "Start as a plain user, or set DATABASE_URL and DATABASE_OWNER_URL to a server of your own."
        )
    return entry
