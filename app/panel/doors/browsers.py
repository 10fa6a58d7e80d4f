"""What people call the browser that a session was opened in."""

from __future__ import annotations

import re

#: The first that a browser calls itself by wins: Edge and Opera call themselves Chrome too, and all of them Safari.
BROWSERS = (
    (r"MicroMessenger/(\d+)", "WeChat"),
    (r"Edg\w*/(\d+)", "Edge"),
    (r"OPR/(\d+)", "Opera"),
    (r"Firefox/(\d+)", "Firefox"),
    (r"Chrome/(\d+)", "Chrome"),
    (r"Version/(\d+).*Safari/", "Safari"),
)
SYSTEMS = (
    ("HarmonyOS", "HarmonyOS"),
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Macintosh", "macOS"),
    ("Linux", "Linux"),
)


def browser_words(agent: str) -> str:
    """Return a browser by name, version and system; one that is not known as it calls itself."""
    for pattern, name in BROWSERS:
        if found := re.search(pattern, agent):
            system = next((words for mark, words in SYSTEMS if mark in agent), "")
            return " · ".join(part for part in (f"{name} {found[1]}", system) if part)
    return agent
