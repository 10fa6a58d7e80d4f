"""The press: sheets of any declared form laid out one by one and bound into one PDF.

Each sheet is laid out by itself, so that its page numbers are its own and a long batch tells how far it is. What is the
same on every sheet of a form (the names of its copies) is laid out once per process and printed over the sheets. One
that is laid out weighs two megabytes until it is written, so many are written in pieces, each with its fonts once,
and the pieces are joined into one file.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import groupby
from typing import Any

import pydyf
import pypdfium2
from weasyprint import HTML, Document

from app.reports.base import Paper
from app.reports.paper import PRESS, TEMPLATES, NothingFetched, fonts, render_html, style_sheet
from app.words import _, force_locale

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
class LaidSheet:
    """A sheet set in type. ``pages`` is how many pages come out of the printer, all copies of the form together."""

    sheet: Sheet
    document: Document
    pages: int


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


def lay_out(form: Paper, sheet: Sheet, locale: str) -> LaidSheet:
    """Set one sheet in type; refuses (ValueError) a form in copies that runs over its one page."""
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
    document = _laid(page, _styles(form))
    if form.copies and len(document.pages) != 1:
        raise ValueError(
            f"{form.name} {sheet.name}: {len(document.pages)} pages for a form of one; it ran over its page"
        )
    return LaidSheet(sheet, document, len(document.pages) * max(1, len(form.copies)))


def printed(form: Paper, sheets: Sequence[Sheet], locale: str) -> bytes:
    """Print sheets of a form into one PDF, which one alone gives its name; refuses (ValueError) to print none."""
    if len(sheets) == 1:
        return bind(form, [lay_out(form, sheets[0], locale)], locale)
    return join(list(set_sheets(form, sheets, locale)))


def bind(form: Paper, laid: Sequence[LaidSheet], locale: str, *, title: str = "") -> bytes:
    """Write laid sheets as one PDF, in their order, each font in it once."""
    overlays = _overlays(form.folder, form.copies_in(locale), locale, _styles(form)) if form.copies else ()
    bound = laid[0].document.copy([*overlays, *(page for each in laid for page in each.document.pages)])
    bound.metadata.title = title or bound.metadata.title
    with PRESS:
        finisher = partial(_lay_over, len(overlays)) if overlays else None
        pdf: bytes = bound.write_pdf(finisher=finisher)
    return pdf


def set_sheets(form: Paper, sheets: Iterable[Sheet], locale: str) -> Iterator[SetSheet]:
    """Lay sheets out and write them, ``PIECE`` at a time; yields each once its piece is written.

    ``sheets`` is asked for the next sheet only when the one before is laid out.
    """
    laid: list[LaidSheet] = []
    for sheet in sheets:
        laid.append(lay_out(form, sheet, locale))
        if len(laid) == PIECE:
            yield from _written(form, laid, locale)
            laid = []
    if laid:
        yield from _written(form, laid, locale)


def _written(form: Paper, laid: Sequence[LaidSheet], locale: str) -> list[SetSheet]:
    piece, first, written = bind(form, laid, locale, title=form.title_in(locale)), 0, []
    for each in laid:
        written.append(SetSheet(each.sheet, piece, first, each.pages))
        first += each.pages
    return written


def join(written: Sequence[SetSheet]) -> bytes:
    """Return one PDF of written sheets, those of a piece in its order; refuses (ValueError) to print none.

    Title and language are those of the first piece.
    """
    if not written:
        raise ValueError("no sheet to print")
    runs = [(piece, _pages_of(each)) for piece, each in groupby(written, key=lambda sheet: sheet.piece)]
    with PRESS:  # pdfium knows no threads
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


def _styles(form: Paper) -> tuple[tuple[str, int], ...]:
    """Return the form's style sheets, each with the time of its last change."""
    return tuple((name, (TEMPLATES / name).stat().st_mtime_ns) for name in ("base.css", f"{form.folder}/style.css"))


def _laid(page: str, styles: tuple[tuple[str, int], ...]) -> Document:
    with PRESS:
        html = HTML(string=page, base_url=None, url_fetcher=NothingFetched())
        return html.render(stylesheets=[style_sheet(*style) for style in styles], font_config=fonts())


@lru_cache(maxsize=64)
def _overlays(_folder: str, copies: tuple[str, ...], locale: str, styles: tuple[tuple[str, int], ...]) -> list[Any]:
    """Return one laid page for each copy of a form: its name and its number, and nothing of any record."""
    page = render_html("copies.html", None, locale=locale, zone="UTC", title="", copies=copies)
    return list(_laid(page, styles).pages)


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
