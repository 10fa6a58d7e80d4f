"""The user guide: the Markdown pages of ``docs/guide``, read once, told as safe HTML, sections and a plain search.

A page is a file; its title is its first heading. Under a heading, ``<!-- explains: phone_desk customer.edit -->`` names
the screens that this section explains: tables, further lists, reports, acts, hand-made pages. That comment is the one
declaration behind the help link of every screen.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup
from PIL import Image

DOCS = Path(__file__).resolve().parents[2] / "docs"
#: The first page, and the short one for readers of English.
FIRST, ENGLISH = "README", "english"
PICTURE = re.compile(r"[\w-]+\.(png|webp)")
_EXPLAINS = re.compile(r"^<!-- explains: ([\w. ]+?) -->$", re.MULTILINE)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_LINKED = re.compile(r"\]\(([\w-]+)\.md\)")
MOST_FOUND, AROUND = 40, 60


@dataclass(frozen=True)
class GuideSection:
    """A heading of a page and what stands under it, as bare text. ``level`` is 1 for the page's own title."""

    page: str
    anchor: str
    title: str
    level: int
    text: str
    explains: tuple[str, ...] = ()


@dataclass(frozen=True)
class GuidePage:
    """A page as HTML in pieces, one for each section, so that something can stand before one of them."""

    name: str
    title: str
    sections: tuple[GuideSection, ...]
    pieces: tuple[Markup, ...]


@dataclass(frozen=True)
class Found:
    """A section that holds all words of a search, and some words around the first of them."""

    section: GuideSection
    page_title: str
    excerpt: str


@lru_cache(maxsize=1)
def pages() -> dict[str, GuidePage]:
    """Return the pages by name, in the order in which the first page links to them; none if docs are not installed."""
    folder = DOCS / "guide"
    if not (folder / f"{FIRST}.md").is_file():
        return {}
    linked = _LINKED.findall((folder / f"{FIRST}.md").read_text("utf-8"))
    there = sorted(path.stem for path in folder.glob("*.md"))
    order = dict.fromkeys([FIRST, *(name for name in linked if name in there), *there])
    return {name: _read(name, (folder / f"{name}.md").read_text("utf-8")) for name in order}


def contents() -> list[GuidePage]:
    """Return what the table of contents lists: every page but the one for readers of English."""
    return [page for page in pages().values() if page.name != ENGLISH]


@lru_cache(maxsize=1)
def _explaining() -> dict[str, GuideSection]:
    return {name: section for page in pages().values() for section in page.sections for name in section.explains}


def section_for(names: Iterable[str]) -> GuideSection | None:
    """Return the section that explains the first of these names that any explains, or None."""
    told = _explaining()
    return next((told[name] for name in names if name in told), None)


def explained_names() -> set[str]:
    """Return the names of all screens that the guide explains."""
    return set(_explaining())


def search(words: str) -> list[Found]:
    """Return the sections that hold all of the words, those with a word in their title first."""
    asked = [word for word in words.lower().split() if word]
    if not asked:
        return []
    found = [
        Found(section, page.title, _excerpt(section, asked))
        for page in contents()
        for section in page.sections
        if all(word in f"{section.title} {section.text}".lower() for word in asked)
    ]
    found.sort(key=lambda one: not any(word in one.section.title.lower() for word in asked))
    return found[:MOST_FOUND]


def _excerpt(section: GuideSection, asked: list[str]) -> str:
    at = min((place for word in asked if (place := section.text.lower().find(word)) >= 0), default=0)
    start, end = max(at - AROUND, 0), at + 2 * AROUND
    before, after = "…" if start else "", "…" if end < len(section.text) else ""
    return before + section.text[start:end].strip() + after


# --- reading -----------------------------------------------------------------------------------------------------


def slug(heading: str) -> str:
    """Return a heading's anchor, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


def _read(name: str, source: str) -> GuidePage:
    """Read a page. Raw HTML is not taken over; comments are dropped."""
    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    marks = iter(_marks(source))
    tokens = parser.parse(_COMMENT.sub("", source))
    sections, pieces = [], []
    for piece in _by_section(tokens):
        title = _text(piece[1:2]) if piece[0].type == "heading_open" else ""
        level = int(piece[0].tag[1]) if title else 1
        anchor = slug(title)
        if title:
            piece[0].attrSet("id", anchor)
        for token in piece:
            _mend(token)
        sections.append(GuideSection(name, anchor, title, level, _text(piece[3:] if title else piece), next(marks, ())))
        shown = piece[3:] if level == 1 and title else piece  # the page's head says its title
        # The renderer escapes all text, and raw HTML is switched off.
        rendered = parser.renderer.render(shown, parser.options, {})
        pieces.append(Markup(rendered))  # noqa: S704
    return GuidePage(name, sections[0].title or name, tuple(sections), tuple(pieces))


def _marks(source: str) -> Iterator[tuple[str, ...]]:
    """Yield what each section explains, in the order of the page's headings."""
    bare = re.sub(r"^```.*?^```", "", source, flags=re.MULTILINE | re.DOTALL)
    for part in re.split(r"^#{1,3} ", bare, flags=re.MULTILINE)[1:]:
        yield tuple(name for told in _EXPLAINS.findall(part) for name in told.split())


def _by_section(tokens: list[Token]) -> list[list[Token]]:
    """Part a page's tokens before each heading down to the third level."""
    parts: list[list[Token]] = []
    for token in tokens:
        if not parts or (token.type == "heading_open" and token.tag in ("h1", "h2", "h3") and token.level == 0):
            parts.append([])
        parts[-1].append(token)
    return parts


def _text(tokens: list[Token]) -> str:
    """Return the bare words of tokens."""
    words = []
    for token in tokens:
        for child in token.children or ():
            if child.type in ("text", "code_inline"):
                words.append(child.content)
            elif child.type in ("softbreak", "hardbreak"):
                words.append(" ")
        if token.type in ("paragraph_close", "heading_close", "td_close", "th_close", "inline"):
            words.append(" ")
        if token.type in ("fence", "code_block"):
            words.append(token.content)
    return " ".join("".join(words).split())


def _mend(token: Token) -> None:
    """Lead links and pictures to where the panel serves them; no style attribute, which the content policy refuses."""
    token.attrs.pop("style", None)
    for child in token.children or ():
        if child.type == "link_open":
            child.attrSet("href", _served(str(child.attrGet("href") or "")))
        elif child.type == "image":
            _place_picture(child)


def _place_picture(token: Token) -> None:
    """Say where a picture is and how large, so that the page does not move under the reader when it comes."""
    source = str(token.attrGet("src") or "")
    token.attrSet("src", source.replace("../pictures/", "pictures/"))
    token.attrSet("loading", "lazy")
    path = DOCS / "pictures" / source.rpartition("/")[2]
    with suppress(OSError), Image.open(path) as picture:  # one that is absent or broken breaks no page
        token.attrSet("width", str(picture.width))
        token.attrSet("height", str(picture.height))


def _served(href: str) -> str:
    """``consultant.md#x`` is the page ``consultant#x`` beside this one; the first page is the folder itself."""
    path, mark, anchor = href.partition("#")
    if re.fullmatch(r"[\w-]+\.md", path):
        page = path.removesuffix(".md")
        return ("./" if page == FIRST else page) + mark + anchor
    return href
