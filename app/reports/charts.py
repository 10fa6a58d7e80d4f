"""Charts drawn on the server as still SVG pictures: the same on the page, in the PDF and on grey paper."""

from __future__ import annotations

import math
import re
import sys
from base64 import b64encode
from typing import Any

import pygal
from pygal.style import Style

# pygal leaves a finder of the old kind behind, for map plugins: every later import of the process would warn of it.
sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__module__ != "pygal"]

from app.reports.facts import ChartFacts, Number, width_in_ems  # noqa: E402
from app.words import _, force_locale  # noqa: E402

FONTS = "WenQuanYi Micro Hei, Noto Sans CJK SC, PingFang SC, Microsoft YaHei, sans-serif"
# The accent first; neighbours differ much in lightness, so that they differ on a grey printer too.
PALETTE = ("#0b7a75", "#a8d5ba", "#2b3a55", "#e0a33e", "#8c3b4a", "#d9d4c7", "#5c6b73", "#b5dbe3")
# The colour of a number that stands on a bar of that colour.
_INK = ("#ffffff", "#111111", "#ffffff", "#111111", "#ffffff", "#111111", "#ffffff", "#111111")
ALT_POINTS = 60
MOST_PRINTED = 30

# Scripts, comments, and the hidden words that wait for a mouse: nothing that a still picture needs.
_ALIVE = re.compile(
    rb"<script\b[^>]*/>|<script\b.*?</script\s*>|<!--.*?-->|<desc\b[^>]*/>|<desc\b.*?</desc>", re.DOTALL
)


def chart_svg(facts: ChartFacts, locale: str, *, width: int = 860, height: int = 340) -> str:
    """Draw a chart as SVG without script, link or web font, to be shown as an image (``data_uri``).

    ``width`` and ``height`` are the picture's pixels; it scales. Values are printed at the bars where they
    have room. The same facts give the same picture, byte for byte.
    """
    shape = {"grouped": pygal.Bar, "stacked": pygal.StackedBar, "line": pygal.Line}[facts.kind]
    ticks = _ticks(facts)
    names = [label.in_(locale) for label in facts.labels]
    crowded = sum(map(width_in_ems, names)) * 14 > width * 0.8
    with force_locale(locale):
        nothing = _("No data")
    chart = shape(
        width=width,
        height=height,
        range=(min(ticks), max(ticks)),
        x_label_rotation=35 if crowded else 0,
        no_data_text=nothing,
        **_manner(facts),
    )
    chart.x_labels = names
    chart.y_labels = ticks
    least = _least_printed(facts, ticks)
    for series in facts.series:
        chart.add(series.name.in_(locale), [_point(value, least) for value in series.values])
    if not facts.series:
        chart.add("", [])
    svg: bytes = chart.render()
    still = _ALIVE.sub(b"", svg).replace(f"chart-{chart.uuid}".encode(), b"chart")
    return still.decode("utf-8")


def _manner(facts: ChartFacts) -> dict[str, Any]:
    """Return what pygal is told about every chart of ours, whatever its size."""
    return {
        "style": _style(facts.kind),
        "js": [],
        "explicit_size": True,
        "show_legend": len(facts.series) > 1,
        "legend_at_bottom": True,
        "legend_at_bottom_columns": min(6, max(1, len(facts.series))),
        "legend_box_size": 12,
        "print_values": True,
        "print_zeroes": False,
        "print_values_position": "top" if facts.kind == "grouped" else "center",
        "truncate_label": 16,
        "truncate_legend": 24,
        "margin": 14,
        "margin_left": 20,
        "spacing": 8,
        "formatter": _spoken,
    }


def _ticks(facts: ChartFacts) -> list[float]:
    """Return the y axis: about five round steps from the least to the greatest value, zero among them."""
    low, high = _reach(facts)
    if high == low:
        return [0.0, 1.0]
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * by for by in (1, 2, 5, 10) if power * by >= rough * 0.999)
    if all(isinstance(value, int | None) for series in facts.series for value in series.values):
        step = max(1.0, step)
    last = math.ceil(high / step)
    if facts.kind == "grouped" and last - high / step < 0.3:
        # Above the highest bar stands its value, which wants a free step.
        last += 1
    return [step * number for number in range(math.floor(low / step), last + 1)]


def _reach(facts: ChartFacts) -> tuple[float, float]:
    """Return how far down and up the bars or lines reach, zero included; stacks add up on both sides."""
    columns = [
        [float(series.values[at] or 0) for series in facts.series] or [0.0] for at in range(len(facts.labels))
    ] or [[0.0]]
    if facts.kind == "stacked":
        feet = [sum(min(value, 0.0) for value in column) for column in columns]
        tops = [sum(max(value, 0.0) for value in column) for column in columns]
    else:
        feet, tops = [min(column) for column in columns], [max(column) for column in columns]
    return min(0.0, *feet), max(0.0, *tops)


def _least_printed(facts: ChartFacts, ticks: list[float]) -> float:
    """Say from which size on a value is printed: lines and crowded charts none, thin slices of a stack neither."""
    crowd = len(facts.labels) * (1 if facts.kind == "stacked" else len(facts.series))
    if facts.kind == "line" or crowd > MOST_PRINTED:
        return math.inf
    return (max(ticks) - min(ticks)) * 0.06 if facts.kind == "stacked" else 0.0


def _point(value: Number | None, least: float) -> dict[str, Any] | float | None:
    if value is None:
        return None
    number = float(value)
    return number if abs(number) >= least else {"value": number, "formatter": _silent}


def _silent(_value: float) -> str:
    return ""


def alt_text(facts: ChartFacts, locale: str) -> str:
    """Say in one line what the chart shows, for readers who do not see it; its first sixty values."""
    points = [
        f"{series.name.in_(locale)} {label.in_(locale)} {_spoken(value)}"
        for series in facts.series
        for label, value in zip(facts.labels, series.values, strict=True)
        if value is not None
    ]
    more = "…" if len(points) > ALT_POINTS else ""
    said = "; ".join(points[:ALT_POINTS]) + more
    return f"{facts.title.in_(locale)}: {said}" if said else facts.title.in_(locale)


def data_uri(svg: str) -> str:
    """Return the picture as an address for ``<img src>``, on the page and in the PDF."""
    return "data:image/svg+xml;base64," + b64encode(svg.encode("utf-8")).decode("ascii")


def _style(kind: str) -> Style:
    on_paper, on_bars = ("#111111",) * len(PALETTE), _INK
    return Style(
        background="transparent",
        plot_background="transparent",
        foreground="#333333",
        foreground_strong="#111111",
        foreground_subtle="#777777",
        opacity="1",
        opacity_hover="1",
        transition="0s",
        guide_stroke_color="#d9d9d9",
        guide_stroke_dasharray="none",
        major_guide_stroke_color="#d9d9d9",
        major_guide_stroke_dasharray="none",
        colors=PALETTE,
        value_colors=on_bars if kind == "stacked" else on_paper,
        font_family=FONTS,
        label_font_size=12,
        major_label_font_size=12,
        legend_font_size=12,
        value_font_size=11,
        no_data_font_size=24,
    )


def _spoken(value: Number | float | None) -> str:
    """``1,234``, ``12.5``: thousands apart, no idle zeros."""
    if value is None:
        return ""
    text = f"{value:,.2f}"
    return text.rstrip("0").rstrip(".")
