"""Whether the database keeps what it acknowledged: its settings and its clock. Serving and the doctor judge alike."""

from __future__ import annotations

from datetime import UTC, datetime

import psycopg

DURABLE = ("fsync", "full_page_writes", "synchronous_commit", "wal_level", "data_checksums")
WORST_APART = 5  # seconds between the application's clock and the database's


def look(address: str) -> tuple[list[str], list[str]]:
    """Return sentences about what is unsafe, and about what is doubtful; raises what connecting raises."""
    with psycopg.connect(address.replace("+psycopg", ""), autocommit=True, connect_timeout=10) as connection:
        found = {name: _setting(connection, name) for name in DURABLE}
        before = datetime.now(UTC)
        row = connection.execute("select clock_timestamp()").fetchone()
        after = datetime.now(UTC)
    assert row is not None
    apart = abs((row[0] - (before + (after - before) / 2)).total_seconds())
    unsafe, doubtful = judged(found)
    if apart > WORST_APART:
        unsafe.append(
            f"The clocks of this machine and of the database are {apart:.0f} s apart; let both be set by one."
        )
    return unsafe, doubtful


def judged(found: dict[str, str]) -> tuple[list[str], list[str]]:
    """Judge the settings; checksums are only doubtful, since they cannot be switched on while a server runs."""
    off = [name for name, value in found.items() if value == "off" and name != "data_checksums"]
    unsafe, doubtful = [], []
    if off:
        unsafe.append(f"Switch on {', '.join(off)} in the database: without, a power cut loses what was acknowledged.")
    if found.get("wal_level") == "minimal":
        unsafe.append("Set wal_level to replica in the database: without, no backup can be made while it runs.")
    if found.get("data_checksums") == "off":
        doubtful.append("The database has no checksums: stop it and run pg_checksums --enable, so that decay is seen.")
    return unsafe, doubtful


def _setting(connection: psycopg.Connection[tuple[object, ...]], name: str) -> str:
    row = connection.execute("select current_setting(%s)", [name]).fetchone()
    return str(row[0]) if row else ""
