"""The press: sheets of any declared form laid out one by one and bound into one PDF.

Each sheet is laid out by itself, so that its page numbers are its own and a long batch tells how far it is. What is the
same on every sheet of a form (the names of its copies, the ground of a card) is laid out once per child and printed
over or under the sheets. One
that is laid out weighs two megabytes until it is written, so many are written in pieces, each with its fonts once,
and the pieces are joined into one file. The child process of ``rendering`` sets the type.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import Any

import pypdfium2

from app.reports.base import Paper
from app.reports.paper import render_html, styles
from app.reports.rendering import Bound, RanOver, bind_pages
from app.words import _, force_locale

#: pdfium knows no threads.
JOINING = threading.Lock()
#: How many sheets are laid out before they are written.
PIECE = 40


@dataclass(frozen=True, slots=True)
class Sheet:
    """A form to print: its facts, its record's name, and which printing it is.

    ``copy_no`` counts the printings of a record: 1 is the original and says nothing, 2 is the first duplicate (副本 1).
    None is a preview, which says so across the page.
    """

    facts: Any
    name: str = ""
    copy_no: int | None = 1


@dataclass(frozen=True, slots=True)
class FilledSheet:
    """A sheet as HTML, ready to be set in type; ``ground`` is what it shares with others, printed under it."""

    sheet: Sheet
    page: str
    ground: str = ""


@dataclass(frozen=True, slots=True)
class SetSheet:
    """A sheet that is written: ``pages`` pages from ``first`` on, counted from 0, of the PDF ``piece``."""

    sheet: Sheet
    piece: bytes
    first: int
    pages: int


def copy_words(copy_no: int | None) -> str:
    """Return how a printing is called: 正本, 副本 1, 副本 2, or 预览."""
    if copy_no is None:
        return _("Preview")
    return _("Original") if copy_no == 1 else _("Copy %(number)s", number=copy_no - 1)


def fill_in(form: Paper, sheet: Sheet, locale: str) -> FilledSheet:
    """Write one sheet's facts into its form's template."""
    with force_locale(locale):
        said = copy_words(sheet.copy_no)
        copy = "" if sheet.copy_no in (None, 1) else said
    page = render_html(
        f"{form.folder}/page.html",
        sheet.facts,
        locale=locale,
        zone=sheet.facts.zone,
        title=" ".join(part for part in (form.title_in(locale), sheet.name) if part),
        copy=copy,
        preview=said if sheet.copy_no is None else "",
        **form.constants,
    )
    return FilledSheet(sheet, page, "" if form.ground is None else _ground(form, form.ground(sheet.facts), locale))


@lru_cache(maxsize=32)
def _ground(form: Paper, shared: Any, locale: str) -> str:
    """Write what sheets share into their form's ``ground.html``; alike facts are written once."""
    name = f"{form.folder}/ground.html"
    return render_html(name, shared, locale=locale, zone=shared.zone, title="", **form.constants)


def printed(form: Paper, sheets: Sequence[Sheet], locale: str) -> bytes:
    """Print sheets of a form into one PDF, which one alone gives its name; refuses (ValueError) to print none."""
    if len(sheets) == 1:
        return bind(form, [fill_in(form, sheets[0], locale)], locale).pdf
    return join(list(set_sheets(form, sheets, locale)))


def bind(
    form: Paper,
    filled: Sequence[FilledSheet],
    locale: str,
    *,
    title: str = "",
    laid: Callable[[], None] | None = None,
) -> Bound:
    """Set sheets in type as one PDF, in their order, each font in it once; tells each one's pages, copies counted.

    ``laid`` is called after each sheet. Refuses (ValueError) a form in copies that runs over its one page, and
    (``TooLarge``) what takes too long.
    """
    names = form.copies_in(locale)
    copies = ""
    if form.copies:
        copies = render_html("copies.html", None, locale=locale, zone="UTC", title="", copies=names)
    try:
        bound = bind_pages(
            [each.page for each in filled],
            styles("base.css", f"{form.folder}/style.css"),
            title=title,
            copies=copies,
            grounds=[each.ground for each in filled] if form.ground is not None else (),
            laid=laid,
        )
    except RanOver as over:
        name = filled[over.position].sheet.name
        meant = "a form of one; it ran over its page" if form.copies else "a ground of another number"
        raise ValueError(f"{form.name} {name}: {over.pages} pages for {meant}") from over
    return Bound(bound.pdf, tuple(pages * max(1, len(form.copies)) for pages in bound.pages))


def set_sheets(
    form: Paper, sheets: Iterable[Sheet], locale: str, *, laid: Callable[[], None] | None = None
) -> Iterator[SetSheet]:
    """Set sheets in type, ``PIECE`` at a time; yields each once its piece is written. ``laid`` is called after each."""
    filled: list[FilledSheet] = []
    for sheet in sheets:
        filled.append(fill_in(form, sheet, locale))
        if len(filled) == PIECE:
            yield from _written(form, filled, locale, laid)
            filled = []
    if filled:
        yield from _written(form, filled, locale, laid)


def _written(
    form: Paper, filled: Sequence[FilledSheet], locale: str, laid: Callable[[], None] | None
) -> list[SetSheet]:
    bound, first, written = bind(form, filled, locale, title=form.title_in(locale), laid=laid), 0, []
    for each, pages in zip(filled, bound.pages, strict=True):
        written.append(SetSheet(each.sheet, bound.pdf, first, pages))
        first += pages
    return written


def join(written: Sequence[SetSheet]) -> bytes:
    """Return one PDF of written sheets, those of a piece in its order; refuses (ValueError) to print none.

    Title and language are those of the first piece.
    """
    if not written:
        raise ValueError("no sheet to print")
    runs = [(piece, _pages_of(each)) for piece, each in groupby(written, key=lambda sheet: sheet.piece)]
    with JOINING:
        (first, kept), *others = runs
        with pypdfium2.PdfDocument(first) as whole:
            for page in sorted(set(range(len(whole))) - set(kept), reverse=True):
                whole.del_page(page)
            for piece, pages in others:
                with pypdfium2.PdfDocument(piece) as part:
                    whole.import_pages(part, pages)
            file = io.BytesIO()
            whole.save(file)
    return file.getvalue()


def _pages_of(written: Iterable[SetSheet]) -> list[int]:
    return [page for each in written for page in range(each.first, each.first + each.pages)]
