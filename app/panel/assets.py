"""Files that browsers keep: addresses that change with their content; and what is sent compressed.

docs/decisions/0037.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any

from flask import Flask, Response, current_app, request
from flask_compress import Compress
from werkzeug.security import safe_join

#: Endpoints that serve files of the house and of its libraries; they know nobody and carry no secret.
STATIC = frozenset({"static", "appbuilder.static", "bootstrap.static"})
#: Begins the part of an address that is made of the content: ``/static/-3f9c2a7b10/js/app.js``.
MARK = "-"
A_YEAR = 365 * 24 * 3600
#: Where a request notes that its address names the content that is served.
UNCHANGING = "yimei.unchanging"
#: A page that asks for itself, or an address typed by the person: not led here by a foreign page.
OWN_WISH = frozenset({"same-origin", "none"})
SETTINGS: dict[str, Any] = {
    "COMPRESS_REGISTER": False,  # `_pack` decides what is compressed
    "COMPRESS_MIMETYPES": ["text/html", "text/css", "text/javascript", "application/javascript", "application/json",
                           "image/svg+xml"],
    # A page is made for one reader, once: the quickest first. A file is made once for all: the smallest first.
    "COMPRESS_ALGORITHM": ["zstd", "br", "gzip"],
    "COMPRESS_ALGORITHM_STREAMING": ["br", "zstd", "gzip"],
    "COMPRESS_STREAMING_ENDPOINT_CONDITIONAL": sorted(STATIC),
    "COMPRESS_BR_LEVEL": 6,
}  # fmt: skip
compress = Compress()


def install(app: Flask) -> None:
    """Bind to an application, before anything else that looks at its answers: the last to look is the first bound."""
    for name, value in SETTINGS.items():
        app.config.setdefault(name, value)
    compress.init_app(app)
    app.after_request(_pack)
    app.after_request(_keep)
    app.url_defaults(_with_content)
    app.url_value_preprocessor(_without_content)


# --- addresses ---------------------------------------------------------------------------------------------------


def content_of(endpoint: str, filename: str) -> str:
    """Return what stands in an address for a file's content; "" for no file.

    Our own scripts name each other (``import "./act.js"``), so the files of our folder share one: whichever of them
    changes, all get new addresses. The libraries' files stand each for itself.
    """
    owner = current_app if endpoint == "static" else current_app.blueprints[endpoint.partition(".")[0]]
    folder = owner.static_folder or ""
    found = safe_join(folder, filename)
    if found is None or not Path(found).is_file():
        return ""
    return _told(folder if endpoint == "static" else found)


@lru_cache(maxsize=128)
def _told(of: str) -> str:
    """Return the content of a file, or of a folder with its names, in ten letters; read once in a process's life."""
    start = Path(of)
    paths = [start] if start.is_file() else sorted(path for path in start.rglob("*") if path.is_file())
    told = hashlib.sha256()
    for path in paths:
        told.update(path.relative_to(start.parent).as_posix().encode() + b"\0" + path.read_bytes())
    return told.hexdigest()[:10]


def _with_content(endpoint: str, values: dict[str, Any]) -> None:
    """Write the content into the address of a file that a page names."""
    if endpoint in STATIC and (content := content_of(endpoint, values["filename"])):
        values["filename"] = f"{MARK}{content}/{values['filename']}"


def _without_content(endpoint: str | None, values: dict[str, Any] | None) -> None:
    """Find the file behind such an address; one of an earlier release finds today's file, which nobody is to keep."""
    if endpoint not in STATIC or not values or not values["filename"].startswith(MARK):
        return
    said, _slash, values["filename"] = values["filename"].removeprefix(MARK).partition("/")
    request.environ[UNCHANGING] = said == content_of(endpoint, values["filename"])


def _keep(response: Response) -> Response:
    """Let browsers keep for good what has its content in its address, and ask again for other files."""
    if request.endpoint in STATIC:
        found = response.status_code in (200, 206, 304)
        if found and request.environ.get(UNCHANGING):
            response.headers["Cache-Control"] = f"public, max-age={A_YEAR}, immutable"
        else:
            response.headers["Cache-Control"] = "no-cache"
    return response


# --- compression -------------------------------------------------------------------------------------------------


def _pack(response: Response) -> Response:
    """Compress files for everybody, and pages only for who asked for them by her own wish.

    A page repeats what its address says and carries what is not for others. Whoever can lead a browser here again and
    again and sees how long the answers are could guess the one by the other (BREACH); the answers that a foreign page
    calls forth are therefore never compressed. A program that sends its key itself is led by no page.
    """
    if request.endpoint not in STATIC and not _asked_for_by_herself():
        return response
    source = response.response
    packed: Response = compress.after_request(response)
    if hasattr(source, "close"):  # the file behind the answer, which what compresses it leaves open
        packed.call_on_close(source.close)
    return packed


def _asked_for_by_herself() -> bool:
    return request.headers.get("Sec-Fetch-Site") in OWN_WISH or "Authorization" in request.headers
