"""Files on their way in and out: taken in before their form is read, given out to who may see their record."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from flask import Response, abort, current_app, request, url_for
from werkzeug.datastructures import FileStorage, MultiDict
from wtforms import Form

from app.actors import Actor
from app.acts import REGISTRY
from app.errors import InvalidInput
from app.extensions import db
from app.fields import uploads_of
from app.filestore import FileMissing
from app.models.files import FilePurpose, StoredFile
from app.panel.person import now
from app.services.files import log_denied_file, log_reading, parts_of, readable, take_in
from app.services.filetypes import PICTURES
from app.unit import unit_of_work

PDF = "application/pdf"


def receive(sent: FileStorage, purpose: FilePurpose, field: str, by: Actor) -> StoredFile:
    """Take in one file in a transaction of its own; raises ``InvalidInput`` beside ``field``."""
    session = db.session()
    session.info["user_id"] = by.user_id
    with unit_of_work(session):
        return take_in(session, sent.stream.read(), sent.filename or "", purpose=purpose, field=field, by=by, at=now())


def inputs_with_files(form: type[Form], by: Actor) -> tuple[MultiDict[str, Any], InvalidInput | None]:
    """Return what a screen sent for a form, each file taken in and replaced by its number; and what was refused.

    So a form that is refused for another field keeps its file, and a file that is refused loses no other field: a
    refused one leaves standing what had been sent before it.
    """
    inputs: MultiDict[str, Any] = MultiDict(request.form)
    errors: dict[str, list[str]] = {}
    for name, purpose in uploads_of(form).items():
        sent = request.files.get(name)
        if sent is None or not sent.filename:
            continue
        try:
            inputs.setlist(name, [str(receive(sent, FilePurpose(purpose), name, by).id)])
        except InvalidInput as wrong:
            errors.update(wrong.errors)
    return inputs, InvalidInput(errors) if errors else None


def may_send(purpose: FilePurpose, by: Actor) -> bool:
    """Say whether a person may do anything that takes a file of this purpose."""
    return any(
        purpose.value in uploads_of(act.form).values() and by.may(act.table, act.permission)
        for act in REGISTRY
        if not act.by_system
    )


def content_url(file: StoredFile, *, inline: bool = False) -> str:
    """Return the address of a file's content."""
    return url_for("stored_file.content", pk=file.id, **({"inline": 1} if inline else {}))


def is_picture(file: StoredFile) -> bool:
    return file.media_type in PICTURES


def opens_in_browser(file: StoredFile) -> bool:
    """Say whether a browser may show a file in a tab of its own: a PDF that the house made, never one handed in."""
    return file.purpose is FilePurpose.RESULT and file.media_type == PDF


def file_answer(pk: int, by: Actor) -> Response:
    """Answer a file's content to who may read it, else 404; the reading of another's file is logged.

    It is saved and not shown, but for pictures and for PDF files of our own that a page asks for (``?inline=1``); a
    browser is told to guess nothing, run nothing and keep nothing. It goes out part by part, its length told first, so
    that one that breaks off in the middle arrives as broken off.
    """
    session = db.session()
    file = readable(session, pk, by) if 0 < pk < 2**63 else None
    if file is None:
        if 0 < pk < 2**63:
            with unit_of_work(session):
                log_denied_file(session, pk, by, now())
        abort(404)
    try:
        content = parts_of(file)
    except FileMissing:
        current_app.logger.error("file %s is not in the store, or sealed with a key that is gone", file.id)
        abort(404)
    with unit_of_work(session):
        log_reading(session, file, by=by, at=now())
    shown = request.args.get("inline") == "1" and (is_picture(file) or opens_in_browser(file))
    ascii_name = "".join(c if c.isascii() and (c.isalnum() or c in "._- ") else "_" for c in file.name)
    answer = Response(
        content,
        content_type=file.media_type,
        headers={
            "Content-Length": str(file.size_bytes),
            "Content-Disposition": f"{'inline' if shown else 'attachment'}; "
            f"filename=\"{ascii_name}\"; filename*=UTF-8''{quote(file.name, safe='')}",
            "X-Content-Type-Options": "nosniff",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Cache-Control": "private, no-store",
        },
    )
    if not (shown and opens_in_browser(file)):  # a browser's own viewer of PDF does not start in a sandbox
        answer.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    return answer


def size_text(size: int) -> str:
    """Return a size for people: ``312 KB``, ``4.2 MB``."""
    if size < 1024:
        return f"{size} B"
    return f"{size / 1024:,.0f} KB" if size < 1024 * 1024 else f"{size / 1024 / 1024:,.1f} MB"
