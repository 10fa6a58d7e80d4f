"""Code 128 for every printed document: one SVG path, drawn at a size that a plain scanner reads."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import groupby
from urllib.parse import quote

from barcode.codex import Code128
from barcode.errors import BarcodeError
from markupsafe import Markup

# Two dots at 150 dpi, four at 300, eight at 600: bars fall on whole dots of the usual printers.
MODULE_MM = 25.4 / 75
# Three dots of a 203-dpi label printer.
LABEL_MODULE_MM = 3 * 25.4 / 203
LEAST_MODULE_MM = 0.33
#: A dot of the usual label and card printers.
DOT_MM = 25.4 / 203
LEAST_HEIGHT_MM = 10.0
QUIET_MODULES = 10
#: What stands unescaped in the address of a picture.
SVG_SAFE = " =:/'-"

_SEPARATORS = re.compile(r"[\s\-\u2010-\u2015\u2212\uff0d_./·]+")

_PICTURE = Markup(
    '<div class="barcode"><svg xmlns="http://www.w3.org/2000/svg" width="{width}mm" height="{height}mm"'
    ' viewBox="0 0 {modules} {height}" preserveAspectRatio="none" role="img" aria-label="{text}">'
    '<path d="{path}" fill="#000"/></svg><div class="barcode-text">{text}</div></div>'
)


def scannable(text: str) -> str:
    """Return a document number without its separators: what the bars carry and what a scan is compared with.

    Digits that stand together pack two to a symbol, so the bars get a fifth shorter. Typed numbers may hold
    spaces, hyphens, dots or slashes; full-width hyphens too. Letters keep their case.
    """
    return _SEPARATORS.sub("", text)


class _PackedCode128(Code128):  # type: ignore[misc]
    """The library's encoder, which spends one symbol too many on an odd run of digits: it pairs the first ones.

    Here the first digit of such a run stays with the letters, and all the others pair up.
    """

    def _maybe_switch_charset(self, pos: int) -> list[int]:
        digits = re.match("[0-9]*", self.code[pos:])
        odd = digits is not None and digits.end() % 2 == 1
        return [] if odd and self._charset == "B" else super()._maybe_switch_charset(pos)


def code128_modules(text: str) -> str:
    """Return the bars as a string of 1 (black) and 0 (white), one character a module, without the white margins.

    Four digits and more go in pairs (code set C). Raises ValueError for an empty text and for
    characters that Code 128 does not have.
    """
    if not text:
        raise ValueError("a barcode needs a text")
    try:
        return str(_PackedCode128(text).build()[0])
    except (BarcodeError, RuntimeError) as error:
        raise ValueError(f"not a text for Code 128: {text!r}") from error


def code128_svg(
    text: str, *, module_mm: float = MODULE_MM, height_mm: float = LEAST_HEIGHT_MM, quiet: int = QUIET_MODULES
) -> Markup:
    """Draw a number as one SVG path with its white margins, and the number itself below as text.

    The bars carry the number without separators, the text keeps them. Refuses (ValueError) modules under
    0.33 mm, bars under 10 mm and margins under ten modules: such codes were not read at 150 dpi. White paper E.3.
    """
    if module_mm < LEAST_MODULE_MM or height_mm < LEAST_HEIGHT_MM or quiet < QUIET_MODULES:
        raise ValueError("a barcode this small is not read by scanners")
    return _drawn(text, module_mm, height_mm, quiet)


def _drawn(text: str, module_mm: float, height_mm: float, quiet: int) -> Markup:
    bars = code128_modules(scannable(text))
    modules = len(bars) + 2 * quiet
    return _PICTURE.format(
        width=f"{modules * module_mm:.3f}",
        height=f"{height_mm:g}",
        modules=modules,
        path=_path(bars, quiet, f"{height_mm:g}"),
        text=text,
    )


@lru_cache(maxsize=512)
def code128_image(text: str) -> tuple[str, int]:
    """Return a number's bars as the address of a picture, and how many modules wide it is, white margins included.

    For screens: an ``<img>`` of that many pixels, or a whole multiple, has bars of whole pixels. Refuses (ValueError)
    what Code 128 does not have.
    """
    bars = code128_modules(scannable(text))
    modules = len(bars) + 2 * QUIET_MODULES
    path = _path(bars, QUIET_MODULES, "30")
    picture = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{modules}" height="30" viewBox="0 0 {modules} 30"'
        f' preserveAspectRatio="none"><path fill="#fff" d="M0 0h{modules}v30H0z"/><path d="{path}"/></svg>'
    )
    return f"data:image/svg+xml,{quote(picture, safe=SVG_SAFE)}", modules


def code128_fitting(
    text: str, width_mm: float, *, least_dots: int = 3, most_dots: int = 5, height_mm: float = 10.0
) -> Markup:
    """Draw a number as wide as fits a label or a card: its modules are whole dots of a 203-dpi printer.

    Refuses (ValueError) a number that does not fit in modules of ``least_dots``. White paper 5.1.3, E.6, E.7.
    """
    modules = len(code128_modules(scannable(text))) + 2 * QUIET_MODULES
    for dots in range(most_dots, least_dots - 1, -1):
        if modules * dots * DOT_MM <= width_mm:
            return _drawn(text, dots * DOT_MM, height_mm, QUIET_MODULES)
    raise ValueError(f"a label of {width_mm:g} mm is too narrow for {text!r}")


def _path(bars: str, start: int, height: str) -> str:
    """Return the path data of all black bars; x counts modules, so that every edge is a whole number."""
    strokes: list[str] = []
    at = start
    for colour, run in groupby(bars):
        width = len(list(run))
        if colour == "1":
            strokes.append(f"M{at} 0h{width}v{height}h-{width}z")
        at += width
    return "".join(strokes)
