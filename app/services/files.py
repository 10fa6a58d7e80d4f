"""Files: taken in, recognised by what they are and not by their names, given out to who may see their record."""

from __future__ import annotations

import hashlib
import io
import re
import unicodedata
import warnings
import zipfile
from datetime import datetime

from PIL import Image, UnidentifiedImageError
from sqlalchemy.orm import Session

from app.actors import Actor
from app.errors import InvalidInput
from app.filestore import store
from app.models.files import FilePurpose, StoredFile
from app.services.scope import find
from app.words import _

MEGABYTE = 1024 * 1024
LARGEST_FILE = 10 * MEGABYTE
MOST_PIXELS = 60_000_000
MAX_NAME = 120

PICTURES = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
PDF = "application/pdf"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
CSV = "text/csv"

#: The types that each purpose takes.
TAKEN: dict[FilePurpose, frozenset[str]] = {
    FilePurpose.EVIDENCE: frozenset({*PICTURES.values(), PDF}),
    FilePurpose.IMPORT: frozenset({XLSX, CSV}),
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
    if len(content) > LARGEST_FILE:
        raise InvalidInput({field: [_("This file is larger than %(most)s MB.", most=LARGEST_FILE // MEGABYTE)]})
    kind = kind_of(content)
    if kind is None or kind not in TAKEN[purpose]:
        raise InvalidInput({field: [_NOT_TAKEN[purpose]()]})
    if kind in PICTURES.values():
        content = _written_anew(content, field)
    return keep(session, content, name, kind, purpose=purpose, by=by, at=at)


_NOT_TAKEN = {
    FilePurpose.EVIDENCE: lambda: _("Please send a picture (JPEG, PNG, WebP) or a PDF; this file is none of them."),
    FilePurpose.IMPORT: lambda: _("Please send a table as XLSX or CSV; this file is neither."),
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
) -> StoredFile:
    """Keep a file that the house made or has checked, and return its row."""
    table, record_id = subject or (None, None)
    file = StoredFile(
        file_key=store().put(content),
        name=clean_name(name),
        media_type=media_type,
        size_bytes=len(content),
        digest=hashlib.sha256(content).hexdigest(),
        purpose=purpose,
        subject_table=table,
        subject_id=record_id,
        branch_id=by.branch_id,
        employee_id=by.employee_id,
        created_at=at,
    )
    session.add(file)
    session.flush()
    return file


def content_of(file: StoredFile) -> bytes:
    """Return a file's bytes; raises ``FileMissing``."""
    return store().get(file.file_key or "")


def attach(session: Session, file_id: int, table: str, record_id: int, *, field: str, by: Actor) -> StoredFile:
    """Give a file that this person sent, and that nothing uses yet, to a record; refuses any other beside ``field``."""
    file = session.get(StoredFile, file_id, with_for_update=True)
    if file is None or file.employee_id != by.employee_id or file.subject_id is not None or file.dropped_at is not None:
        raise InvalidInput({field: [_("Please choose the file again.")]})
    file.subject_table, file.subject_id = table, record_id
    return file


def readable(session: Session, file_id: int, by: Actor) -> StoredFile | None:
    """Return a file that this person may read: her own, or one of a record that she may open; else None."""
    file = session.get(StoredFile, file_id)
    if file is None or file.dropped_at is not None:
        return None
    if file.employee_id is not None and file.employee_id == by.employee_id:
        return file
    if file.subject_table is None or file.subject_id is None or not by.may(file.subject_table, "can_show"):
        return None
    return file if find(session, file.subject_table, file.subject_id, by) is not None else None


def clean_name(name: str) -> str:
    """Return what is kept of a file's name: its last part, printable, short; never used as a path."""
    last = re.split(r"[\\/]", unicodedata.normalize("NFC", name))[-1]
    kept = "".join(c for c in last if unicodedata.category(c)[0] != "C").strip(" .")
    return (kept or "file")[-MAX_NAME:]


def kind_of(content: bytes) -> str | None:
    """Return the media type that the bytes show, or None if they are nothing that the house takes."""
    if content.startswith(b"%PDF-"):
        return PDF
    picture = _picture_format(content)
    if picture is not None:
        return picture
    if content.startswith(b"PK\x03\x04"):
        return XLSX if _is_workbook(content) else None
    return CSV if looks_like_text(content) else None


def looks_like_text(content: bytes) -> bool:
    """Say whether bytes may be a table in text, in whatever encoding: no zero byte, no program, no markup."""
    head = content[:4096]
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
    if b"\x00" in content[:65536] or head.startswith((b"MZ", b"\x7fELF", b"#!", b"\xd0\xcf\x11\xe0")):
        return False
    return not head.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith((b"<", b"{\\rtf"))


def _picture_format(content: bytes) -> str | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with Image.open(io.BytesIO(content), formats=[*PICTURES]) as picture:
                return PICTURES.get(picture.format or "")
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Warning, Image.DecompressionBombError):
        return None


def _is_workbook(content: bytes) -> bool:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as parts:
            return "xl/workbook.xml" in parts.namelist()
    except (zipfile.BadZipFile, OSError, ValueError):
        return False


def _written_anew(content: bytes, field: str) -> bytes:
    """Return the picture alone, upright: no position, no camera, nothing behind its end."""
    from PIL import ImageOps

    broken = InvalidInput({field: [_("This picture is damaged or too large to be opened.")]})
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with Image.open(io.BytesIO(content), formats=[*PICTURES]) as picture:
                if picture.width * picture.height > MOST_PIXELS:
                    raise broken
                kind = picture.format or "PNG"
                upright = ImageOps.exif_transpose(picture)
                if kind == "JPEG" and upright.mode not in ("RGB", "L"):
                    upright = upright.convert("RGB")
                clean = Image.new(upright.mode, upright.size)
                if upright.mode == "P":
                    clean.putpalette(upright.getpalette() or [])
                clean.paste(upright)
                written = io.BytesIO()
                clean.save(written, kind, **({"quality": 90} if kind != "PNG" else {}))
                return written.getvalue()
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Warning, Image.DecompressionBombError) as wrong:
        raise broken from wrong
