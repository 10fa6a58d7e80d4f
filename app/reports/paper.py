"""From facts to PDF: the printed documents' own Jinja environment; type is set in the press room's child process."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_date
from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context

from app import words
from app.reports.barcodes import LABEL_MODULE_MM, code128_fitting, code128_svg
from app.reports.facts import printable, width_in_ems
from app.reports.rendering import bind_pages

TEMPLATES = Path(__file__).resolve().parent.parent / "templates" / "print"
HTML_LANGUAGE = {"zh": "zh-Hans", "en": "en"}
ELLIPSIS = "…"


def clip(text: str, most: int) -> str:
    """Shorten a text to at most that many characters, the last one an ellipsis; empty lines are dropped.

    A first bound, in the interest of speed; the style sheet's ``line-clamp`` sets the exact one.
    """
    kept = "\n".join(line.strip() for line in text[: most * 4].splitlines() if line.strip())
    if len(kept) <= most and len(text) <= most * 4:
        return kept
    return kept[: most - 1].rstrip() + ELLIPSIS


def size_for(text: str, ems: float, lines: int) -> str:
    """Say how small a text must be set to stand in a box: ``fit``, ``fit-small`` or ``fit-tiny``.

    ``ems`` is the width of the box at the normal size, ``lines`` how many fit. What does not fit even tiny
    is cut by the style sheet after the last line, with an ellipsis.
    """
    needed = sum(max(1, math.ceil(width_in_ems(line) / ems)) for line in text.splitlines())
    if needed <= lines:
        return "fit"
    return "fit-small" if needed <= lines * 1.3 else "fit-tiny"


def masked(phone: str) -> str:
    """Return a phone number with nothing but its last four digits, however much of it came in."""
    digits = [char for char in phone if char.isdigit()]
    return "****" + "".join(digits[-4:]) if digits else phone


@pass_context
def _day(context: Context, value: date | datetime | None) -> str:
    """``2026-11-23`` in the document's zone."""
    return "" if value is None else f"{_local(context, value):%Y-%m-%d}"


@pass_context
def _stamp(context: Context, value: datetime | None) -> str:
    """``2026-11-23 10:00`` in the document's zone."""
    return "" if value is None else f"{_local(context, value):%Y-%m-%d %H:%M}"


@pass_context
def _moment(context: Context, value: datetime | None) -> str:
    """``2026-11-23（周一）10:00``, or ``2026-11-23 (Mon) 10:00``, in the document's zone."""
    if value is None:
        return ""
    local = _local(context, value)
    weekday = format_date(local, "EEE", locale="zh_Hans_CN" if context["locale"] == "zh" else "en")
    shape = "{:%Y-%m-%d}（{}）{:%H:%M}" if context["locale"] == "zh" else "{:%Y-%m-%d} ({}) {:%H:%M}"
    return shape.format(local, weekday, local)


@pass_context
def _until(context: Context, value: datetime | None, start: datetime | None) -> str:
    """The clock time alone when it is the start's day, else day and time."""
    if value is None or start is None:
        return _stamp(context, value)
    zone = context["zone"]
    same_day = value.astimezone(zone).date() == start.astimezone(zone).date()
    return f"{_local(context, value):%H:%M}" if same_day else f"{_local(context, value):%m-%d %H:%M}"


def _local(context: Context, value: date | datetime) -> date | datetime:
    if not isinstance(value, datetime):
        return value
    if value.tzinfo is None:
        raise ValueError("an instant on paper needs its zone")
    return value.astimezone(context["zone"])


def _finalize(value: object) -> object:
    """Clean every value that a template prints; a safe string stays safe, since nothing is added to it."""
    return value.__class__(printable(value)) if isinstance(value, str) else value


@lru_cache(maxsize=1)
def environment() -> Environment:
    """Return the printed documents' templates: escaping, strict about missing facts, speaking both languages."""
    env = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    # Looked up at each call, so that the language in force at the time of printing counts.
    env.install_gettext_callables(  # type: ignore[attr-defined]
        lambda text: words._(text), lambda one, many, number: words._n(one, many, number), newstyle=True
    )
    env.filters |= {"day": _day, "stamp": _stamp, "moment": _moment, "until": _until, "clip": clip, "masked": masked}
    env.globals |= {"barcode": code128_svg, "barcode_fitting": code128_fitting, "size_for": size_for}
    env.globals["LABEL_MODULE_MM"] = LABEL_MODULE_MM
    return env


def render_html(
    template: str,
    facts: Any,
    *,
    locale: str,
    zone: str,
    title: str,
    copy: str = "",
    preview: str = "",
    **more: Any,
) -> str:
    """Fill a template of ``templates/print`` with facts; see ``render_pdf`` and ``press``."""
    context = {"facts": facts, "locale": locale, "zone": ZoneInfo(zone), "title": title}
    with words.force_locale(locale):
        page = environment().get_template(template)
        return page.render(context, lang=HTML_LANGUAGE[locale], copy=copy, preview=preview, **more)


def render_pdf(
    template: str, facts: Any, *, css: Sequence[str], zone: str, title: str, locale: str | None = None, **more: Any
) -> bytes:
    """Print facts to PDF through a template and style sheets, all named relative to ``templates/print``.

    ``zone`` is the branch's IANA zone, in which instants are shown; ``title`` and the language go into the
    PDF's metadata. ``locale`` is the language of the labels, by default the one in force; facts come ready to
    read. Nothing is fetched from net or disk, whatever stands in the facts. Refuses (``TooLarge``) what takes too long.
    """
    spoken = locale or words.locale_in_force()
    page = render_html(template, facts, locale=spoken, zone=zone, title=title, **more)
    return bind_pages([page], styles(*css)).pdf


def styles(*names: str) -> list[str]:
    """Return style sheets of ``templates/print``, each as it stands in its file now."""
    return [_style_sheet(name, (TEMPLATES / name).stat().st_mtime_ns) for name in names]


@lru_cache(maxsize=64)
def _style_sheet(name: str, _changed_at: int) -> str:
    """Read a style sheet once per process and again when its file has changed."""
    return (TEMPLATES / name).read_text("utf-8")
