"""Light, dark, or as the person's system says: chosen by each person for each of her screens.

A cookie of this browser keeps it, one for each person, since several take turns at one desk; the server writes it
into the page, so that a dark page is dark from the first paint and without any script.
"""

from __future__ import annotations

from flask import current_app, request, session
from werkzeug.wrappers import Response

from app.panel.pages import Theme
from app.words import _l

SYSTEM = "system"
#: name -> (words, icon)
THEMES = {
    "light": (_l("Light"), "sun"),
    "dark": (_l("Dark"), "moon-stars"),
    SYSTEM: (_l("As the system"), "circle-half"),
}
A_YEAR = 365 * 24 * 3600


def theme_in_force() -> str:
    """Return what this request's person chose on this screen; asks nothing of the database."""
    chosen = request.cookies.get(_cookie(), SYSTEM)
    return chosen if chosen in THEMES else SYSTEM


def themes() -> list[Theme]:
    """Return what can be chosen, in the reader's language."""
    here = theme_in_force()
    return [Theme(name, str(label), icon, name == here) for name, (label, icon) in THEMES.items()]


def keep_theme(response: Response, name: str) -> None:
    """Keep a choice for this person in this browser."""
    response.set_cookie(
        _cookie(),
        name,
        max_age=A_YEAR,
        secure=current_app.config["SESSION_COOKIE_SECURE"],
        httponly=True,
        samesite="Lax",
    )


def _cookie() -> str:
    return f"theme-{session.get('_user_id', 'nobody')}"
