"""With which settings the embedded server runs: careful ones for what must last, forgetful ones for tests."""

from __future__ import annotations

import shlex
from pathlib import Path

# Durability stays as PostgreSQL ships it. The tests' server may forget: it is made anew when it breaks.
CAREFUL = {
    "logging_collector": "on",
    "log_directory": "log",
    "log_filename": "postgresql-%a.log",
    "log_truncate_on_rotation": "on",
    "log_rotation_age": "1d",
    # Changes are archived at the latest a minute after they were made; see docs/decisions/0029.
    "wal_level": "replica",
    "archive_mode": "on",
    "archive_timeout": "60",
    # What is refused is logged without the row (DETAIL) and without parameters: both are personal data.
    "log_error_verbosity": "terse",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
}
FORGETFUL = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "200"}


def settings_for(purpose: str | None, archive: Path) -> dict[str, str]:
    """Return the settings of a server made for a purpose; ``archive`` is where finished changes go."""
    settings = {"timezone": "UTC", "log_timezone": "UTC"}
    if purpose == "test":
        return settings | FORGETFUL
    return settings | CAREFUL | {"archive_command": archive_command(archive)}


def archive_command(archive: Path) -> str:
    """Return the shell command that PostgreSQL runs for each finished WAL file: whole and on disk, or not at all.

    Without the folder, which the first backup makes, nothing is kept: changes alone restore nothing. A file that is
    there already with the same bytes counts as archived, since a crash may make the server ask twice.
    """
    folder = shlex.quote(str(archive)).replace("%", "%%")
    there, aside = f"{folder}/%f", f"{folder}/%f.part"
    return (
        f"test ! -d {folder} || {{ test -f {there} && cmp -s %p {there}; }} || "
        f"{{ cp -p %p {aside} && sync {aside} && mv {aside} {there}; }}"
    )
