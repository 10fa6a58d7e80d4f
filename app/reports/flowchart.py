"""A flow chart drawn on the server as a still SVG picture: boxes in rows that turn at their ends, and arrows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from app.reports.facts import width_in_ems

BOX_WIDTH, BOX_HEIGHT, GAP_ACROSS, GAP_DOWN, MARGIN, IN_A_ROW = 136, 56, 34, 38, 12, 5
FONTS = "Noto Sans SC, Noto Sans CJK SC, PingFang SC, Microsoft YaHei, sans-serif"
INK, QUIET, ACCENT, SOFT, LINE = "#1c2430", "#4d5868", "#0b7a75", "#e3f3f1", "#8a93a0"
MOST_EMS = 9.5


@dataclass(frozen=True)
class FlowBox:
    """A box: its number, what it says, where it leads; ``is_pale`` marks what is still to come."""

    number: str
    label: str
    url: str
    is_pale: bool = False


@dataclass(frozen=True)
class Placed:
    """A box at its place: the left upper corner in pixels."""

    box: FlowBox
    x: int
    y: int

    @property
    def coords(self) -> str:
        """The rectangle as an image map names it."""
        return f"{self.x},{self.y},{self.x + BOX_WIDTH},{self.y + BOX_HEIGHT}"


def placed(boxes: Sequence[FlowBox]) -> list[Placed]:
    """Return the boxes at their places: the first row left to right, the second right to left, and so on."""
    found = []
    for index, box in enumerate(boxes):
        row, place = divmod(index, IN_A_ROW)
        column = place if row % 2 == 0 else IN_A_ROW - 1 - place
        found.append(Placed(box, MARGIN + column * (BOX_WIDTH + GAP_ACROSS), MARGIN + row * (BOX_HEIGHT + GAP_DOWN)))
    return found


def size_of(count: int) -> tuple[int, int]:
    """Return a chart's width and height in pixels."""
    rows = -(-count // IN_A_ROW)
    columns = min(count, IN_A_ROW)
    return (
        2 * MARGIN + columns * BOX_WIDTH + max(columns - 1, 0) * GAP_ACROSS,
        2 * MARGIN + rows * BOX_HEIGHT + max(rows - 1, 0) * GAP_DOWN,
    )


def flow_svg(boxes: Sequence[FlowBox]) -> str:
    """Draw a flow chart as SVG without script, link or web font; the same boxes give the same picture."""
    width, height = size_of(len(boxes))
    at = placed(boxes)
    arrows = "".join(_arrow(one, next_) for one, next_ in pairwise(at))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'font-family="{FONTS}" font-size="14">'
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
        f'<path d="M0 0 8 4 0 8z" fill="{LINE}"/></marker></defs>'
        f"{arrows}{''.join(map(_drawn, at))}</svg>"
    )


def _arrow(one: Placed, other: Placed) -> str:
    """Draw from the middle of one edge to the next box's: across within a row, down at its end."""
    if one.y == other.y:
        y = one.y + BOX_HEIGHT // 2
        ends = (one.x + BOX_WIDTH, other.x) if other.x > one.x else (one.x, other.x + BOX_WIDTH)
        path = f"M{ends[0]} {y}H{ends[1]}"
    else:
        path = f"M{one.x + BOX_WIDTH // 2} {one.y + BOX_HEIGHT}V{other.y}"
    return f'<path d="{path}" stroke="{LINE}" stroke-width="1.6" fill="none" marker-end="url(#tip)"/>'


def _drawn(at: Placed) -> str:
    fill, stroke, dashes = ("#ffffff", LINE, ' stroke-dasharray="5 4"') if at.box.is_pale else (SOFT, ACCENT, "")
    middle = at.x + BOX_WIDTH // 2
    lines = _lines(at.box.label)
    first = at.y + (35 if len(lines) == 2 else 42)
    texts = "".join(
        f'<text x="{middle}" y="{first + 15 * index}" text-anchor="middle" fill="{INK}">{escape(line)}</text>'
        for index, line in enumerate(lines)
    )
    return (
        f'<rect x="{at.x}" y="{at.y}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="9" fill="{fill}" '
        f'stroke="{stroke}" stroke-width="1.4"{dashes}/>'
        f'<text x="{middle}" y="{at.y + 18}" text-anchor="middle" font-size="11" fill="{QUIET}">'
        f"{escape(at.box.number)}</text>{texts}"
    )


def _lines(label: str) -> list[str]:
    """Break a label into at most two lines; what is longer still is cut."""
    if width_in_ems(label) <= MOST_EMS:
        return [label]
    words = label.split(" ") if " " in label else [*label]
    joint = " " if " " in label else ""
    first: list[str] = []
    while words and width_in_ems(joint.join([*first, words[0]])) <= MOST_EMS:
        first.append(words.pop(0))
    rest = joint.join(words)
    while width_in_ems(rest) > MOST_EMS:
        rest = rest[:-2].rstrip() + "…"
    return [joint.join(first), rest] if first else [rest]
