"""Which screen this is, and where the guide explains it: the help link of the frame."""

from __future__ import annotations

from flask import request, url_for

from app.services.guidebook import FIRST, section_for

#: Hand-made pages whose address says nothing of a table: blueprint -> name in the guide.
NAMES = {"HomeView": "home", "DoorsView": "my_login", "HouseAuthView": "my_login", "see_as": "employee_rights"}
FORMS = {"add": "add", "edit": "edit"}


def screen_here() -> str:
    """Return this screen's name: a page or table, with its act or form if one is open; empty if it has none."""
    page, _dot, function = (request.endpoint or "").partition(".")
    page = NAMES.get(page, page)
    if page == "home":
        return "search" if function == "search" else page
    act = (request.view_args or {}).get("name")
    if isinstance(act, str) and function.startswith("act_"):
        return f"{page}.{act}"
    return f"{page}.{FORMS[function]}" if function in FORMS else page


def names_of(screen: str) -> tuple[str, ...]:
    """Return what a screen is looked up by: itself, then its table or page."""
    return tuple(dict.fromkeys([screen, screen.partition(".")[0]]))


def help_url() -> str:
    """Return where this screen is explained: the guide's page at its section, with the screen's name."""
    if (request.endpoint or "").startswith("GuideView."):
        return url_for("GuideView.page")
    return help_url_of(screen_here())


def help_url_of(screen: str) -> str:
    """Return where a screen is explained; the guide's first page if no section explains it."""
    section = section_for(names_of(screen))
    page = section.page if section is not None else FIRST
    where = {} if page == FIRST else {"name": page}
    return url_for("GuideView.page", screen=screen or None, _anchor="help" if screen else None, **where)
