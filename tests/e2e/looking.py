"""Looking at a page as axe-core does, and as a person with a telephone or large letters would."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

from playwright.sync_api import Page

GRAVE = ("serious", "critical")
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
#: Of the good practices those that may be serious; the others would be tried for nothing.
MORE = ("accesskeys", "aria-dialog-name", "aria-text", "aria-treeitem-name", "label-title-only", "tabindex")
#: A telephone; and a screen of 1280 points at 200 %.
NARROW = (390, 640)

#: Rows of a table that are looked at; the others are made like them.
MOST_ROWS = 6
RUN = """async ([run, rows, leave]) => {
  document.querySelector(".who-looks")?.remove();  // lies over everything: the ground of no word could be told
  for (const row of document.querySelectorAll(`tbody tr:nth-child(n + ${rows + 1})`)) row.remove();
  const found = await axe.run({ include: [["html"]], exclude: leave.map((part) => [part]) }, run);
  return found.violations.flatMap((rule) => rule.nodes.map((node) => ({
    rule: rule.id, impact: node.impact, target: node.target.join(" "), html: node.html.slice(0, 160),
    say: (node.any[0] || node.all[0] || node.none[0] || {}).message || rule.help,
  })));
}"""
WIDE = """() => {
  const width = document.documentElement.clientWidth, wide = document.documentElement.scrollWidth;
  if (wide <= width) return "";
  const sticksOut = (part) => part.getBoundingClientRect().right > width + 1;
  const over = [...document.querySelectorAll("main *, header *")].filter(sticksOut);
  return `${wide} > ${width}: ` + over.slice(-3).map((e) => e.tagName + "." + e.className).join(", ");
}"""


@cache
def axe_core() -> str:
    return files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")


def grave_faults(page: Page, rules: list[str] | None = None, *, frame: bool = True) -> list[str]:
    """Return axe's serious and critical findings on the page as it stands; ``rules`` names the only ones to try, and
    without ``frame`` the bar and the menu are left out, which are alike on all pages of a person."""
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(axe_core())
    only: dict[str, Any] = {"type": "rule", "values": rules} if rules else {"type": "tag", "values": TAGS}
    leave = [] if frame else [".side", ".bar"]
    run: dict[str, Any] = {"resultTypes": ["violations"], "runOnly": only}
    if not rules:
        run["rules"] = {name: {"enabled": True} for name in MORE}
    found = page.evaluate(RUN, [run, MOST_ROWS, leave])
    return [
        f"{each['rule']} at {each['target']}: {each['say']} {each['html']}" for each in found if each["impact"] in GRAVE
    ]


def turned_dark(page: Page, *, frame: bool = True) -> list[str]:
    """Return what stands out too little in the dark theme; a theme changes nothing but colours."""
    page.evaluate("document.documentElement.dataset.bsTheme = 'dark'")
    page.evaluate(
        "document.getAnimations().forEach((each) => each instanceof CSSTransition && each.finish())"
    )  # a button's colours glide
    found = grave_faults(page, ["color-contrast", "link-in-text-block"], frame=frame)
    page.evaluate("document.documentElement.dataset.bsTheme = 'light'")
    return [f"dark: {fault}" for fault in found]


def sideways(page: Page) -> list[str]:
    """Return the widths at which the page scrolls sideways, and what sticks out."""
    usual = page.viewport_size
    faults = []
    for width in NARROW:
        page.set_viewport_size({"width": width, "height": 860})
        if said := page.evaluate(WIDE):
            faults.append(f"scrolls sideways: {said}")
    page.set_viewport_size(usual or {"width": 1280, "height": 860})
    return faults
