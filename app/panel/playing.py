"""Recordings in a page: the bytes of a sealed file, in the pieces that a player asks for. RFC 9110, section 14."""

from __future__ import annotations

import re
from collections.abc import Iterator

from flask import Response, abort, current_app, request, url_for

from app.filestore import PART_BYTES, FileMissing
from app.models.base import Base
from app.models.files import StoredFile
from app.services.files import parts_of

#: One piece, as players ask for it; several at once are answered with the whole.
PIECE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})")


def sound_url(record: Base) -> str:
    """Return where a player asks for a record's recording."""
    return url_for(f"{record.__tablename__}.recording", pk=record.id)


def piece_asked(size: int) -> tuple[int, int] | None:
    """Return the first and the last byte asked for; None for the whole. Answers 416 to what there is none of."""
    found = PIECE.fullmatch(request.headers.get("Range", ""))
    if found is None or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if not first:
        start, end = max(0, size - int(last)), size - 1
    else:
        start, end = int(first), min(int(last), size - 1) if last else size - 1
    if start > end or start >= size:
        abort(416)
    return start, end


def sound_answer(file: StoredFile) -> Response:
    """Answer a recording, or the piece of it that was asked for; 404 if the store no longer has it."""
    piece = piece_asked(file.size_bytes)
    start, end = piece or (0, file.size_bytes - 1)
    try:
        parts = parts_of(file)
    except FileMissing:
        current_app.logger.error("file %s is not in the store, or sealed with a key that is gone", file.id)
        abort(404)
    answer = Response(_between(parts, start, end), 206 if piece else 200, content_type=file.media_type)
    answer.headers.update(
        {
            "Accept-Ranges": "bytes",
            "Content-Length": str(end - start + 1),
            "Content-Disposition": "inline",
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "private, no-store",
            "Content-Security-Policy": "sandbox; default-src 'none'",
        }
    )
    if piece:
        answer.headers["Content-Range"] = f"bytes {start}-{end}/{file.size_bytes}"
    return answer


def _between(parts: Iterator[bytes], start: int, end: int) -> Iterator[bytes]:
    """Yield the bytes from the first to the last, both included."""
    at = 0
    for part in parts:
        wanted = part[max(0, start - at) : max(0, end + 1 - at)]
        at += len(part)
        for place in range(0, len(wanted), PART_BYTES):
            yield wanted[place : place + PART_BYTES]
        if at > end:
            return


def is_beginning() -> bool:
    """Say whether a player asks from the beginning."""
    found = PIECE.fullmatch(request.headers.get("Range", ""))
    return found is None or found.group(1) == "0"
