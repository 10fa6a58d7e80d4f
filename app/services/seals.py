"""The chain over the trail: sealing it, telling its head to a file, and finding what was touched. White paper H.2.

The database's own function seals, since nobody else may write the chain. Looking whether it still holds asks nothing of
those functions: a superuser could have changed them, so every hash is computed anew from the rows. What no database can
vouch for, that the whole chain was not made anew or its end taken away, the file of heads does: it may lie elsewhere.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from app.keyring import ring
from app.models.trail import AuditLog, AuditPrune, AuditSeal, append_only, trailed
from app.services import trail_archive

#: One line for an entry, every column in it; the same text as in the migration that made the seals.
LINE = """jsonb_build_array(id, (extract(epoch from at) * 1000000)::bigint, actor, request, address, table_name,
                  record_id, operation, before::text, after::text, transaction_id)::text"""
_SEGMENTS = text(
    f"""
    select s.id, s.from_id, s.to_id, s.entries, s.digest, s.previous_hash, s.hash, s.sealed_at,
           (extract(epoch from s.sealed_at) * 1000000)::bigint as sealed_micros,
           counted.count as standing, counted.digest as now
    from audit_seal s left join lateral (
      select count(*) as count,
             encode(sha256(convert_to(coalesce(string_agg({LINE}, E'\\n' order by id), ''), 'UTF8')), 'hex') as digest
      from audit_log where id between s.from_id and s.to_id
    ) counted on true
    where s.id > :after order by s.id limit 50
    """  # noqa: S608 - no word of it comes from outside
)
_TRIGGERS = text(
    """
    select c.relname, t.tgname, t.tgenabled::text, p.proname, encode(t.tgargs, 'hex'), t.tgtype
    from pg_trigger t join pg_class c on c.oid = t.tgrelid join pg_proc p on p.oid = t.tgfoid
    where not t.tgisinternal and c.relnamespace = 'public'::regnamespace
    """
)
_FUNCTIONS = text(
    "select proname, md5(prosrc), prosecdef from pg_proc"
    " where pronamespace = 'public'::regnamespace and proname ~ '^audit_'"
)
#: What the functions behind the triggers are, by the hash of their text; a migration that changes one changes it here.
FUNCTIONS: Mapping[str, str] = {
    "audit_event": "f4039327408382b0f89ed28c7529ef2c",
    "audit_kept": "bf22ce8a63975d091cfe746556766cf5",
    "audit_kept_trail": "4cc5943e26e9482f8536d4f0ded46109",
    "audit_prune_segment": "26d6b6aa4f1349ab7ee8814ff2ed8481",
    "audit_row": "5bdae6fa34977b6a3939d526c560803d",
    "audit_seal_rows": "b8c62ed3c27356760f3e21462073591a",
}
#: Row and statement, before and after, as pg_trigger.tgtype counts them.
_ROW, _BEFORE, _INSERT, _DELETE, _UPDATE, _TRUNCATE = 1, 2, 4, 8, 16, 32
YOUNGEST_PRUNED = timedelta(days=180)
LATE = timedelta(minutes=15)


def seal(session: Session) -> int:
    """Seal what is settled; return how many entries. Runs in the caller's transaction."""
    made = session.execute(text("select coalesce(sum(entries), 0) from audit_seal_rows()"))
    return int(made.scalar_one())


# --- the file of heads -------------------------------------------------------------------------------------------


def chain_name(session: Session) -> str:
    """Return the chain's name: its first, random link."""
    return session.scalars(select(AuditSeal.hash).where(AuditSeal.id == 0)).one()


def heads(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the lines of a file of heads; one that was cut off by a crash is passed over."""
    if not path.exists():
        return
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            try:
                told = json.loads(line)
            except ValueError:
                continue
            if isinstance(told, dict) and {"chain", "segment", "hash"} <= told.keys():
                yield told


def tell_heads(session: Session, path: Path) -> int:
    """Append the seals that stand and the file does not hold; return how many. It returns when they are on disk."""
    chain = chain_name(session)
    last = max((line["segment"] for line in heads(path) if line["chain"] == chain), default=0)
    seals = session.scalars(select(AuditSeal).where(AuditSeal.id > last).order_by(AuditSeal.id)).all()
    if not seals:
        return 0
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    torn = path.exists() and path.stat().st_size > 0 and not path.read_bytes().endswith(b"\n")
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "a", encoding="utf-8") as output:
        output.write("\n" if torn else "")
        for each in seals:
            told = {"chain": chain, "segment": each.id, "to": each.to_id, "hash": each.hash}
            output.write(json.dumps({**told, "at": each.sealed_at.isoformat()}) + "\n")
        output.flush()
        os.fsync(output.fileno())
    return len(seals)


# --- does it still hold ------------------------------------------------------------------------------------------


@dataclass
class Findings:
    """What was looked at, and what is wrong; ``notes`` are worth knowing and no faults."""

    segments: int = 0
    entries: int = 0
    unsealed: int = 0
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def verify(session: Session, path: Path, archives: Path) -> Findings:
    """Recompute the chain from the rows, compare it with the file of heads, and look at the triggers.

    Each fault names the segment that was touched. Wants a transaction of its own that sees one moment.
    """
    found = Findings()
    hashes = _verify_segments(session, archives, found)
    _verify_heads(session, path, hashes, found)
    found.faults += trigger_faults(session)
    return found


def _verify_segments(session: Session, archives: Path, found: Findings) -> dict[int, str]:
    """Go through the chain from its first link; return each link's hash."""
    pruned = {each.id: each for each in session.scalars(select(AuditPrune))}
    previous, hashes = None, {}
    after = -1
    while rows := session.execute(_SEGMENTS, {"after": after}).all():
        for row in rows:
            name = f"segment {row.id} (entries {row.from_id} to {row.to_id})"
            for wrong in _link_faults(row, previous):
                found.faults.append(f"{name}: {wrong}")
            for wrong in _content_faults(session, row, pruned.get(row.id), archives, found):
                found.faults.append(f"{name}: {wrong}")
            hashes[row.id], previous, after = row.hash, row, row.id
            found.segments += row.id > 0
            found.entries += row.standing
    if previous is None:
        found.faults.append("the chain has no first link")
        return hashes
    _verify_ends(session, previous, found)
    return hashes


def _verify_ends(session: Session, last: Any, found: Findings) -> None:
    """Look at what lies before the chain and behind it."""
    before = session.scalar(select(func.count()).where(AuditLog.id < 1)) or 0
    if before:
        found.faults.append(f"{before} entries stand before the first segment")
    count, oldest = session.execute(select(func.count(), func.min(AuditLog.at)).where(AuditLog.id > last.to_id)).one()
    found.unsealed = count
    if oldest is not None and datetime.now(UTC) - oldest > timedelta(hours=1) + LATE:
        found.notes.append(f"{count} entries since {oldest.isoformat()} are not sealed: is the scheduler running?")


def _link_faults(row: Any, previous: Any) -> Iterator[str]:
    """Say what is wrong with a link and its place behind the one before."""
    if previous is None:
        if row.id != 0:
            yield "the links before it are missing"
        return
    if row.id != previous.id + 1 or row.from_id != previous.to_id + 1:
        yield "it does not follow the link before it; links are missing or were swapped"
    if row.previous_hash != previous.hash:
        yield "it is not bound to the link before it"
    told = (row.previous_hash, row.id, row.from_id, row.to_id, row.entries, row.digest, row.sealed_micros)
    if hashlib.sha256("|".join(map(str, told)).encode()).hexdigest() != row.hash:
        yield "the link itself was changed"


def _content_faults(
    session: Session, row: Any, pruned: AuditPrune | None, archives: Path, found: Findings
) -> Iterator[str]:
    """Say what is wrong with the entries that a link seals."""
    if row.id == 0:
        return
    if pruned is not None:
        yield from _pruned_faults(session, row, pruned, archives, found)
    elif row.standing != row.entries:
        yield f"{row.standing} entries stand where {row.entries} were sealed"
    elif row.now != row.digest:
        yield "an entry was changed"


def _pruned_faults(session: Session, row: Any, pruned: AuditPrune, archives: Path, found: Findings) -> Iterator[str]:
    told = {"removed": pruned.removed, "kept": pruned.kept, "kept_digest": pruned.kept_digest}
    told |= {"archive": pruned.archive, "archive_digest": pruned.archive_digest}
    named = select(AuditLog.id).where(
        AuditLog.table_name == "audit_seal",
        AuditLog.record_id == row.id,
        AuditLog.operation == "prune",
        AuditLog.after.contains(told),
    )
    if session.scalar(named.limit(1)) is None:
        yield "it is said to be archived, but no entry of the trail tells of that"
    if pruned.removed + pruned.kept != row.entries or pruned.pruned_at - row.sealed_at < YOUNGEST_PRUNED:
        yield "it is said to be archived, but too early or not all of it"
    if (row.standing, row.now) != (pruned.kept, pruned.kept_digest):
        yield "an entry that was kept when the rest was archived has been changed"
    path = archives / pruned.archive
    if not path.exists():
        found.notes.append(f"segment {row.id} lies in {pruned.archive}, which is not in {archives}")
        return
    if trail_archive.digest_of(path) != pruned.archive_digest:
        yield f"the archive file {pruned.archive} was changed"
        return
    lines = trail_archive.lines_of(path, ring(), row.from_id, row.to_id)
    kept = session.execute(
        text(f"select id, {LINE} from audit_log where id between :first and :last"),  # noqa: S608
        {"first": row.from_id, "last": row.to_id},
    )
    lines.update((key, line) for key, line in kept)
    whole = "\n".join(lines[key] for key in sorted(lines))
    if hashlib.sha256(whole.encode()).hexdigest() != row.digest:
        yield "archive and kept entries together are not what was sealed"


def _verify_heads(session: Session, path: Path, hashes: dict[int, str], found: Findings) -> None:
    """Compare the chain with what was told elsewhere: an end that was taken away, a chain made anew."""
    newest, chain, last_chain, told = max(hashes, default=0), hashes.get(0, ""), "", 0
    for line in heads(path):
        last_chain = line["chain"]
        if last_chain != chain:
            continue
        told = max(told, line["segment"])
        if line["segment"] not in hashes:
            found.faults.append(f"segment {line['segment']}: it stands in {path} and is gone from the chain")
        elif hashes[line["segment"]] != line["hash"]:
            found.faults.append(f"segment {line['segment']}: {path} tells of another seal")
    if newest and not path.exists():
        found.faults.append(f"there is no file of heads at {path}")
    elif newest and last_chain not in ("", chain):
        found.faults.append(f"{path} tells of another chain: this one was made anew, or the file belongs elsewhere")
    elif told < newest - 1:
        found.notes.append(f"{path} tells of segment {told}, the chain goes on to {newest}")


# --- are the triggers there --------------------------------------------------------------------------------------


def wanted_triggers() -> dict[tuple[str, str], tuple[str, int, tuple[str, ...]]]:
    """Return (table, trigger) -> (function, kind, arguments), as the models declare them."""
    wanted: dict[tuple[str, str], tuple[str, int, tuple[str, ...]]] = {}
    for table, excluded in trailed().items():
        wanted[table, "trail_row"] = "audit_row", _ROW | _INSERT | _DELETE, excluded
        wanted[table, "trail_change"] = "audit_row", _ROW | _UPDATE, excluded
        wanted[table, "trail_truncate"] = "audit_row", _TRUNCATE, excluded
    for table, until_commit in append_only().items():
        guard = "audit_kept_trail" if table == "audit_log" else "audit_kept"
        told = ("until commit",) if until_commit else ()
        wanted[table, "keep_row"] = guard, _ROW | _BEFORE | _UPDATE | _DELETE, told
        wanted[table, "keep_table"] = guard, _BEFORE | _TRUNCATE, told
    return wanted


def trigger_faults(session: Session) -> list[str]:
    """Say which triggers of the trail are missing, disabled or not as declared, and which functions were changed."""
    standing, disabled = {}, set()
    for table, name, enabled, function, arguments, kind in session.execute(_TRIGGERS):
        told = tuple(part for part in bytes.fromhex(arguments).decode().split("\0")[:-1])
        standing[table, name] = function, kind, told
        if enabled != "A":
            disabled.add((table, name))
    faults = []
    for key, wanted in wanted_triggers().items():
        table, name = key
        if key not in standing:
            faults.append(f"table {table}: the trigger {name} is missing")
        elif standing[key] != wanted:
            faults.append(f"table {table}: the trigger {name} is not as declared: {standing[key]}, not {wanted}")
        elif key in disabled:
            faults.append(f"table {table}: the trigger {name} is disabled")
    made = {name: (digest, definer) for name, digest, definer in session.execute(_FUNCTIONS)}
    faults += [
        f"function {name}: it was changed" for name, digest in FUNCTIONS.items() if made.get(name) != (digest, True)
    ]
    return faults
