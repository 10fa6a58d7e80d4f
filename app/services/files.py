"""Files: taken in, recognised by what they are and not by their names, given out to who may see their record."""

from __future__ import annotations

import hashlib
import logging
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.actors import Actor
from app.errors import InvalidInput, Refusal
from app.fields import MAX_ID
from app.filestore import Writing, Written, store
from app.models.audit import Way
from app.models.files import FilePurpose, StoredFile
from app.services.filetypes import (
    AUDIO,
    CSV,
    PDF,
    PICTURES,
    XLSX,
    Damaged,
    kind_of,
    named_as,
    no_table,
    refuse_broken_pdf,
    written_anew,
)
from app.services.guard import crossing
from app.services.looks import NOT_IN_SCOPE, log_look
from app.services.scope import find
from app.services.settings import LARGEST_FILE_MB, UNUSED_FILE_HOURS, value_of
from app.services.trail import note
from app.words import _

log = logging.getLogger(__name__)

MEGABYTE = 1024 * 1024
MAX_NAME = 120

#: The types that each purpose takes.
TAKEN: dict[FilePurpose, frozenset[str]] = {
    FilePurpose.EVIDENCE: frozenset({*PICTURES, PDF}),
    FilePurpose.IMPORT: frozenset({XLSX, CSV}),
    FilePurpose.RECORDING: frozenset(AUDIO),
}


def take_in(
    session: Session, content: bytes, name: str, *, purpose: FilePurpose, field: str, by: Actor, at: datetime
) -> StoredFile:
    """Keep a file that somebody sent, not used by any record yet.

    Refuses beside ``field`` an empty file, one above the limit, and one that is not of a type that the purpose takes,
    whatever its name says. Pictures are written anew, without what cameras and mischief put beside the picture.
    """
    if not content:
        raise InvalidInput({field: [_("This file is empty.")]})
    if len(content) > (most := largest_file(session, by, at)):
        raise InvalidInput({field: [too_large(most)]})
    kind = kind_of(content)
    if kind is None or kind not in TAKEN[purpose]:
        raise InvalidInput({field: [_NOT_TAKEN[purpose](content)]})
    try:
        if kind in PICTURES:
            content = written_anew(content)
        elif kind == PDF:
            refuse_broken_pdf(content)
    except Damaged as said:
        raise InvalidInput({field: [str(said)]}) from said
    return keep(session, content, named_as(clean_name(name), kind), kind, purpose=purpose, by=by, at=at)


def largest_file(session: Session, by: Actor, at: datetime) -> int:
    """Return how many bytes a file may have."""
    megabytes: int = value_of(session, LARGEST_FILE_MB, branch_id=by.branch_id, at=at)
    return megabytes * MEGABYTE


def too_large(most: int) -> str:
    """Return the sentence for a file above the limit (in bytes)."""
    return _("This file is larger than %(most)s MB.", most=most // MEGABYTE)


_NOT_TAKEN = {
    FilePurpose.EVIDENCE: lambda _content: _(
        "Please send a picture (JPEG, PNG, WebP) or a PDF; this file is none of them."
    ),
    FilePurpose.IMPORT: no_table,
    FilePurpose.RECORDING: lambda _content: _("Please send a recording (WAV, MP3, OGG, M4A); this file is none."),
}


def keep(
    session: Session,
    content: bytes,
    name: str,
    media_type: str,
    *,
    purpose: FilePurpose,
    by: Actor,
    at: datetime,
    subject: tuple[str, int] | None = None,
    expires_at: datetime | None = None,
) -> StoredFile:
    """Keep a file that the house made or has checked, and return its row. Refuses if the store cannot be written."""
    with _writable():
        written = Written(store().put(content), len(content), hashlib.sha256(content).hexdigest())
    return keep_written(
        session, written, name, media_type, purpose=purpose, by=by, at=at, subject=subject, expires_at=expires_at
    )


def keep_written(
    session: Session,
    written: Written,
    name: str,
    media_type: str,
    *,
    purpose: FilePurpose,
    by: Actor,
    at: datetime,
    subject: tuple[str, int] | None = None,
    expires_at: datetime | None = None,
) -> StoredFile:
    """Write the row of a file that stands in the store already, and return it."""
    table, record_id = subject or (None, None)
    file = StoredFile(
        file_key=written.key,
        name=clean_name(name),
        media_type=media_type,
        size_bytes=written.size,
        digest=written.digest,
        purpose=purpose,
        subject_table=table,
        subject_id=record_id,
        branch_id=by.branch_id,
        employee_id=by.employee_id,
        created_at=at,
        expires_at=expires_at,
    )
    session.add(file)
    session.flush()
    return file


@contextmanager
def writing() -> Iterator[Writing]:
    """Open a new file of the store that is written in parts. Refuses if the store cannot be written."""
    with _writable(), store().writing() as made:
        yield made


@contextmanager
def _writable() -> Iterator[None]:
    """Say in a sentence what a full or broken disk says in numbers."""
    try:
        yield
    except OSError as wrong:
        log.exception("the file store cannot be written")
        raise Refusal(
            _("The file cannot be stored: the disk for files is full or cannot be written. Tell the IT manager.")
        ) from wrong


def content_of(file: StoredFile) -> bytes:
    """Return a file's bytes; raises ``FileMissing``."""
    return store().get(file.file_key or "")


def parts_of(file: StoredFile) -> Iterator[bytes]:
    """Return a file's bytes part by part, the first already read; raises ``FileMissing`` if that cannot be."""
    parts = store().parts(file.file_key or "")
    return chain([next(parts, b"")], parts)


def attach(session: Session, file_id: int, table: str, record_id: int, *, field: str, by: Actor) -> StoredFile:
    """Give a file that this person sent, and that nothing uses yet, to a record; refuses any other beside ``field``.

    Call it in the act that writes the record, after ``session.flush()`` has given the record its id.
    """
    file = session.get(StoredFile, file_id, with_for_update=True, populate_existing=True)
    if file is None or not _is_free(file, by):
        raise InvalidInput({field: [_("Please choose the file again.")]})
    file.subject_table, file.subject_id = table, record_id
    return file


def sent_file(session: Session, file_id: int, by: Actor) -> StoredFile | None:
    """Return a file that this person sent and that nothing uses yet, or None."""
    with crossing("file"):
        file = session.get(StoredFile, file_id)
    return file if file is not None and _is_free(file, by) else None


def _is_free(file: StoredFile, by: Actor) -> bool:
    return file.subject_id is None and file.dropped_at is None and is_own(file, by)


def is_own(file: StoredFile, by: Actor) -> bool:
    """Say whether this person sent a file; who has no employee file is known by her login."""
    if file.employee_id is not None:
        return file.employee_id == by.employee_id
    return by.user_id is not None and file.created_by_id == by.user_id


def digests_of(session: Session, file_ids: Iterable[str]) -> list[str]:
    """Return what files contain, as digests in order: the same request sent twice brings the same file twice."""
    keys = {int(key) for key in file_ids if key.isascii() and key.isdigit() and len(key) < 20}
    found = session.scalars(select(StoredFile.digest).where(StoredFile.id.in_(key for key in keys if key <= MAX_ID)))
    return sorted(found)


def readable(session: Session, file_id: int, by: Actor) -> StoredFile | None:
    """Return a file that this person may read, else None: her own, or one of a record that she may open.

    Results and imports hold records of their own: those need the right on what is inside, too. An API key reads her own
    of a record only as it reads another's: by the rights that it has been given.
    """
    with crossing("file"):
        file = session.get(StoredFile, file_id)
    if file is None or file.dropped_at is not None:
        return None
    if is_own(file, by) and (by.key_id is None or file.subject_table is None):
        return file
    if file.subject_table is None or file.subject_id is None or not by.may(file.subject_table, "can_show"):
        return None
    record = find(session, file.subject_table, file.subject_id, by)
    if record is None or (file.purpose in HOLDS_RECORDS and not may_read_content(session, record, by)):
        return None
    return file


#: Files whose content is business records: to see the row that they belong to is not enough to read them.
HOLDS_RECORDS = frozenset({FilePurpose.RESULT, FilePurpose.IMPORT, FilePurpose.RECORDING})

#: Who may read what a record's files hold, besides who made them: table -> function (session, record, actor).
CONTENT_RIGHTS: dict[str, Callable[[Session, Any, Actor], bool]] = {}


def may_read_content(session: Session, record: Any, by: Actor) -> bool:
    """Say whether a person who sees a record has the right on what its files hold; nobody where none is declared."""
    allows = CONTENT_RIGHTS.get(record.__tablename__)
    return allows is not None and allows(session, record, by)


#: Control and format characters, what is no character, and what ends a line without being one.
_NOT_IN_NAMES = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})


def clean_name(name: str) -> str:
    """Return what is kept of a file's name: its last part, printable, short; never used as a path."""
    last = re.split(r"[\\/]", unicodedata.normalize("NFC", name))[-1]
    kept = "".join(c for c in last if unicodedata.category(c) not in _NOT_IN_NAMES).strip(" .")
    return (kept or "file")[-MAX_NAME:]


def log_reading(session: Session, file: StoredFile, *, by: Actor, at: datetime) -> None:
    """Write down that somebody opened a file of another's: pictures of chats, sheets and slips hold personal data."""
    if file.subject_table is None or file.subject_id is None or (by.watcher_id is None and is_own(file, by)):
        return
    log_opened(session, file.subject_table, file.subject_id, f"{file.purpose.value}_file", file.name, by=by, at=at)


def log_opened(session: Session, table: str, record_id: int, field: str, name: str, *, by: Actor, at: datetime) -> None:
    """Write down that somebody opened a file of a record, under what kind of file and which name."""
    said = _("File opened: %(name)s", name=name)
    log_look(session, Way.FILE, table, record_id, field, said, by, at=at)
    note(session, "file_opened", table=table, record_id=record_id, field=field)


def log_denied_file(session: Session, file_id: int, by: Actor, at: datetime) -> None:
    """Write down that somebody asked for a file that is not for her; one that does not exist leaves nothing."""
    with crossing("file"):
        file = session.get(StoredFile, file_id)
    if file is not None and file.subject_table is not None and file.subject_id is not None:
        field = f"{file.purpose.value}_file"
        log_look(session, Way.FILE, file.subject_table, file.subject_id, field, "", by, at=at, denied=NOT_IN_SCOPE)


def sweep(session: Session, *, at: datetime) -> tuple[int, int]:
    """Drop the files that people sent and never used, and what lies in the store without a row that needs it.

    Returns how many rows were dropped and how many files were removed from the disk. A file leaves the disk one sweep
    after its row was dropped, when that is committed beyond doubt; so no row that stands ever loses its file.
    """
    orphans = _without_row(session, at - timedelta(days=1))
    for key in orphans:
        store().drop(key)
    hours = value_of(session, UNUSED_FILE_HOURS, branch_id=None, at=at)
    unused = session.scalars(
        select(StoredFile)
        .where(StoredFile.subject_id.is_(None), StoredFile.dropped_at.is_(None))
        .where(StoredFile.purpose != FilePurpose.RESULT, StoredFile.created_at < at - timedelta(hours=hours))
        .with_for_update(skip_locked=True)
    ).all()
    for file in unused:
        file.dropped_at = at
    return len(unused), len(orphans)


def _without_row(session: Session, before: datetime) -> list[str]:
    """Return the keys of files on disk, older than a moment, that no row needs."""
    found: list[str] = []
    old = list(store().older_than(before))
    for start in range(0, len(old), 1000):
        part = old[start : start + 1000]
        needed = select(StoredFile.file_key).where(StoredFile.file_key.in_(part), StoredFile.dropped_at.is_(None))
        found += sorted(set(part) - set(session.scalars(needed)))
    return found
