"""The two languages: every string that a person reads passes through here.

The one module below the panel that knows Flask-Babel. Source strings are English; the Chinese catalogue
under ``app/translations`` is complete and the default.
"""

from __future__ import annotations

from collections.abc import Iterable

from flask_babel import force_locale, get_locale
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel import ngettext as _n

LOCALES = ("zh", "en")

__all__ = ["LOCALES", "_", "_l", "_n", "force_locale", "in_locale", "listed", "locale_in_force"]


def locale_in_force() -> str:
    """Return ``"zh"`` or ``"en"``: the language of this request, or the house's default outside one."""
    locale = get_locale()
    return "en" if locale is not None and locale.language == "en" else "zh"


def listed(parts: Iterable[object]) -> str:
    """Return words one after the other, with the comma of lists that the reader's language has."""
    return ("、" if locale_in_force() == "zh" else ", ").join(map(str, parts))


def in_locale(words: object, locale: str) -> str:
    """Return lazy words in one of the two languages, whatever language is in force."""
    with force_locale(locale):
        return str(words)
