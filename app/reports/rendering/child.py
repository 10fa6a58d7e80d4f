"""The child that sets type: WeasyPrint and user-edited templates, in a process that has nothing to lose.

Started by path and isolated (``python -I child.py <socket> <parent>``), so it imports nothing of ours: it has no
database, no key, no secret in its environment. It reads JSON, writes JSON and bytes, fetches nothing from net or disk,
and dies of its own limits: CPU for each step, address space for all. A step that dies takes only this process along.
"""

from __future__ import annotations

import ctypes
import json
import logging
import os
import resource
import signal
import sys
import threading
import time
from functools import lru_cache
from multiprocessing.connection import Connection
from typing import Any

import pydyf
from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment, SecurityError
from weasyprint import CSS, HTML, Document
from weasyprint.text.fonts import FontConfiguration
from weasyprint.urls import URLFetcher

CPU_SECONDS = 10.0
#: More for each sheet when all are written.
WRITING_SECONDS = 0.2
#: Where relative addresses of a page lead: to nobody.
NOWHERE = "http://nowhere.invalid/"
TEMPLATE_CPU_SECONDS = 2.0
ADDRESS_SPACE = 1024**3
LARGEST_FILE = 64 * 1024**2
MOST_OPEN_FILES = 256
MOST_FILLED = 100_000
PARENT_LOOKED_FOR_EVERY = 0.5
#: What every sheet needs, so that the first one does not wait for the fonts.
WARM_UP = "<p style='font-family:\"Noto Sans SC\",sans-serif'>医美 Yimei 0123<b>粗</b></p>"


class NothingFetched(URLFetcher):  # type: ignore[misc]
    """The fetcher of every printed document: pictures inside the page (``data:``), nothing from net or disk."""

    def __init__(self) -> None:
        super().__init__(allowed_protocols=["data"], allow_redirects=False)


class RanOver(Exception):
    """A sheet of a form of one page that takes more. Arguments: its position from 0, its pages."""


# --- setting type --------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def fonts() -> FontConfiguration:
    """Return the process's one font configuration."""
    return FontConfiguration()


@lru_cache(maxsize=64)
def style_sheet(css: str) -> CSS:
    """Parse a style sheet once."""
    return CSS(string=css, font_config=fonts(), url_fetcher=NothingFetched())


def laid(page: str, styles: tuple[str, ...]) -> Document:
    """Lay a page out."""
    html = HTML(string=page, base_url=NOWHERE, url_fetcher=NothingFetched())
    return html.render(stylesheets=[style_sheet(css) for css in styles], font_config=fonts())


@lru_cache(maxsize=64)
def _overlays(page: str, styles: tuple[str, ...]) -> list[Any]:
    """Return the laid pages that are printed over or under every sheet; the same for all sheets of a form."""
    return list(laid(page, styles).pages)


def _lay_over(copies: int, _document: Any, pdf: pydyf.PDF) -> None:
    """Make of the first pages, the overlays, and of each sheet after them one page for each copy.

    All pages of a WeasyPrint document share their resources, so a content stream may stand on any of them.
    """
    pages = [pdf.objects[number] for number in pdf.pages["Kids"][::3]]
    overlays, grounds = pages[:copies], pages[copies:]
    keep, turn, back = (pydyf.Stream([operators]) for operators in (b"q", b"Q q", b"Q"))
    for stream in (keep, turn, back):
        pdf.add_object(stream)
    pdf.pages["Kids"], pdf.pages["Count"] = pydyf.Array(), 0
    for ground in grounds:
        for overlay in overlays:
            layers = (keep.reference, ground["Contents"], turn.reference, overlay["Contents"], back.reference)
            pdf.add_page(pydyf.Dictionary({**ground, "Contents": pydyf.Array(layers)}))


def _lay_under(sheets: list[tuple[int, int]], pdf: pydyf.PDF) -> None:
    """Print grounds under sheets: each sheet is told as (its ground's first page, its pages), and the grounds come
    first in the file. Each of its pages becomes that page of its ground with its own content over it."""
    pages = [pdf.objects[number] for number in pdf.pages["Kids"][::3]]
    owned = sum(count for _ground, count in sheets)
    grounds, own = pages[: len(pages) - owned], iter(pages[len(pages) - owned :])
    keep, turn, back = (pydyf.Stream([operators]) for operators in (b"q", b"Q q", b"Q"))
    for stream in (keep, turn, back):
        pdf.add_object(stream)
    pdf.pages["Kids"], pdf.pages["Count"] = pydyf.Array(), 0
    for first, count in sheets:
        for ground in grounds[first : first + count]:
            page = next(own)
            layers = (keep.reference, ground["Contents"], turn.reference, page["Contents"], back.reference)
            pdf.add_page(pydyf.Dictionary({**page, "Contents": pydyf.Array(layers)}))


def set_type(job: dict[str, Any], wire: Connection) -> bytes:
    """Lay pages out one by one, telling of each, and write them as one PDF, each font in it once."""
    styles = tuple(job["styles"])
    documents = []
    for number, page in enumerate(job["pages"]):
        _limit(CPU_SECONDS)
        document = laid(page, styles)
        if job["copies"] and len(document.pages) != 1:
            raise RanOver(number, len(document.pages))
        documents.append(document)
        tell(wire, laid=len(document.pages))
    _limit(CPU_SECONDS + WRITING_SECONDS * len(documents))
    first, finisher = _same_on_sheets(job, documents, styles)
    bound = documents[0].copy([*first, *(page for each in documents for page in each.pages)])
    bound.metadata.title = job["title"] or bound.metadata.title
    pdf: bytes = bound.write_pdf(finisher=finisher)
    return pdf


def _same_on_sheets(job: dict[str, Any], documents: list[Document], styles: tuple[str, ...]) -> tuple[list[Any], Any]:
    """Return the pages that are laid out once for all sheets, and what prints them over the sheets or under them.

    Raises ``RanOver`` for a sheet that has not as many pages as its ground.
    """
    if job["copies"]:
        over = _overlays(job["copies"], styles)
        return over, lambda _document, pdf: _lay_over(len(over), _document, pdf)
    if not job["grounds"]:
        return [], None
    laid_grounds = [_overlays(ground, styles) for ground in job["grounds"]]
    begins = [sum(len(pages) for pages in laid_grounds[:index]) for index in range(len(laid_grounds))]
    sheets = []
    for number, (document, ground) in enumerate(zip(documents, job["ground_of"], strict=True)):
        if len(document.pages) != len(laid_grounds[ground]):
            raise RanOver(number, len(document.pages))
        sheets.append((begins[ground], len(document.pages)))
    return [page for pages in laid_grounds for page in pages], lambda _document, pdf: _lay_under(sheets, pdf)


# --- templates that people edit --------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def sandbox() -> ImmutableSandboxedEnvironment:
    """Return the environment of user-edited templates: plain text, no function but the filters, no attribute writes."""
    env = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False, cache_size=0)
    env.globals.clear()
    return env


def fill_in(job: dict[str, Any]) -> str:
    """Fill a user-edited template with plain facts; raises what Jinja raises, and ``MemoryError`` if it grows."""
    _limit(TEMPLATE_CPU_SECONDS)
    parts, size = [], 0
    for part in sandbox().from_string(job["template"]).generate(job["facts"]):
        size += len(part)
        if size > MOST_FILLED:
            raise MemoryError
        parts.append(part)
    return "".join(parts)


# --- the conversation ------------------------------------------------------------------------------------------------


def tell(wire: Connection, **said: Any) -> None:
    """Send one message."""
    wire.send_bytes(json.dumps(said).encode())


def answer(job: dict[str, Any], wire: Connection) -> None:
    """Do one job and tell what came of it; whoever ran out of memory says so and ends."""
    try:
        if job["kind"] == "fill":
            tell(wire, filled=fill_in(job))
            return
        pdf = set_type(job, wire)
        tell(wire, pdf=len(pdf))
        wire.send_bytes(pdf)
    except RanOver as over:
        tell(wire, ran_over=over.args)
    except (MemoryError, RecursionError):
        tell(wire, too_large=True)
        sys.exit(0)
    except (TemplateError, SecurityError) as wrong:
        tell(wire, template=str(wrong.message or type(wrong).__name__)[:200])
    except Exception as wrong:  # noqa: BLE001 (whatever breaks in a document is told, in one line)
        if job["kind"] == "fill":
            tell(wire, template=type(wrong).__name__)
        else:
            tell(wire, failed=f"{type(wrong).__name__}: {wrong}"[:500])


def _limit(seconds: float) -> None:
    """Allow this many seconds of CPU from now on; the signal that comes after them ends the process."""
    signal.setitimer(signal.ITIMER_PROF, seconds)


def _shut_in() -> None:
    """Give up what setting type does not need. Limits of the process, kept by the kernel."""
    for which, most in (
        (resource.RLIMIT_AS, ADDRESS_SPACE),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, LARGEST_FILE),
        (resource.RLIMIT_NOFILE, MOST_OPEN_FILES),
        (resource.RLIMIT_NPROC, 0),
    ):
        resource.setrlimit(which, (most, most))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS


def _leave_with(parent: int) -> None:
    """End when the parent is gone, in the middle of a job too."""
    while os.getppid() == parent:
        time.sleep(PARENT_LOOKED_FOR_EVERY)
    os._exit(0)


def main() -> None:
    """Serve one parent over one socket until it closes it or dies."""
    wire, parent = Connection(int(sys.argv[1])), int(sys.argv[2])
    logging.getLogger("weasyprint").setLevel(logging.CRITICAL)
    logging.getLogger("fontTools").setLevel(logging.CRITICAL)
    threading.Thread(target=_leave_with, args=(parent,), daemon=True).start()
    _shut_in()
    HTML(string=WARM_UP, url_fetcher=NothingFetched()).write_pdf(font_config=fonts())
    tell(wire, ready=True)
    while True:
        try:
            asked = wire.recv_bytes()
        except (EOFError, OSError):
            return
        answer(json.loads(asked), wire)
        signal.setitimer(signal.ITIMER_PROF, 0)


if __name__ == "__main__":
    main()
