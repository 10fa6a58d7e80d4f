"""A form whose session ended under it: what was sent is sealed, carried through the login, and stands there again.

Nothing of it is stored. The login page and the lock carry it in a hidden input that the house alone can read, bound to
the login whose form it was and good for a quarter of an hour. Decision 0034.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from cryptography.fernet import InvalidToken
from flask import current_app, flash, g, redirect, request, session, url_for
from werkzeug.datastructures import ImmutableMultiDict
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from app.acts import REGISTRY
from app.fields import is_secret
from app.keyring import ring
from app.panel.person import now
from app.words import _

#: The hidden input that carries what was sent, and the one that says whose form it is.
KEPT, WHOSE = "kept", "whose"
GOOD_FOR = timedelta(minutes=15)
#: Beyond this many characters a form is not carried through a login; the longest remark is far below it.
MOST = 400_000
#: The machinery's own forms: they can be shown filled without being carried out.
SHOWN_AGAIN = (".act_making", ".act_on", ".act_on_many", ".add", ".edit")
NEVER = frozenset({"csrf_token", WHOSE, KEPT, "password", "warned"})


@dataclass(frozen=True)
class Kept:
    """What somebody sent when her session was over: to which address, as whom, which inputs."""

    path: str
    whose: str
    fields: list[tuple[str, str]]
    had_file: bool


def whose(user_id: Any = None) -> str:
    """Return a mark of a login, of this request's if none is named: the same on all her pages, telling nothing."""
    user_id = session.get("_user_id") if user_id is None else user_id
    return ring().digest("whose", str(user_id)) if user_id else ""


def keep() -> str:
    """Return what this request sent, sealed; "" where that is no form of the machinery sent from a page of ours."""
    owner = request.form.get(WHOSE, "") if _is_form_of_ours() else ""
    if not owner:
        return ""
    told = {
        "path": _address(),
        "whose": owner,
        "fields": list(_worth_keeping()),
        "file": any(file.filename for file in request.files.values()),
        "at": now().timestamp(),
    }
    clear = json.dumps(told, ensure_ascii=False)
    return ring().encrypt(clear) if len(clear) <= MOST else ""


def opened(token: str) -> Kept | None:
    """Return what was sealed; None if it is none of ours or too old."""
    try:
        told = json.loads(ring().decrypt(token))
    except (InvalidToken, ValueError):
        return None
    if not isinstance(told, dict) or now().timestamp() - told["at"] > GOOD_FOR.total_seconds():
        return None
    return Kept(told["path"], told["whose"], [(name, value) for name, value in told["fields"]], told["file"])


def of(token: str, user_id: Any) -> Kept | None:
    """Return what was sealed if it is this login's own; another person learns nothing of it, not even what it was."""
    found = opened(token) if token else None
    return found if found is not None and found.whose == whose(user_id) else None


def sentence() -> str:
    """Return why this request shows its form filled instead of carrying it out; "" if it does not."""
    said: str = g.get("shown_again", "")
    return said


def take_up() -> Any:
    """Before a page: put what was carried through a login in the place of what this request sent."""
    # What programs send is not looked at here: a view may want to answer for itself what is too large.
    is_page = request.method == "POST" and not request.path.startswith("/api/")
    token = request.form.get(KEPT, "") if is_page else ""
    if not token or not _is_shown_again():
        return None
    found = of(token, session.get("_user_id"))
    if found is None or found.path != _address():
        flash(_("What you typed could not be kept. Please type it again."), "warning")
        return redirect(_address())
    request.form = ImmutableMultiDict(found.fields)
    g.shown_again = _("You are logged in again. Nothing was sent yet: please look it over and send it.")
    if found.had_file:
        g.shown_again += " " + _("Please choose the file again.")
    return None


def show_again() -> Any:
    """Show a form whose token is of a former session filled as it was sent; it is carried out only when sent anew."""
    g.shown_again = _("You logged in again after this page was opened. Nothing was sent yet: please send it once more.")
    try:
        return current_app.dispatch_request()
    except Exception as wrong:  # noqa: BLE001 - as if it had come up on the usual way
        return current_app.handle_user_exception(wrong)


def may_show_again() -> bool:
    """Say whether a form with a token that does not fit may be shown again: it is this very person's, from our page."""
    owner = request.form.get(WHOSE, "") if _is_form_of_ours() else ""
    return bool(owner) and owner == whose()


def way_back() -> str | None:
    """Return where a login leads after this request: to the page asked for, or to the one that it came from."""
    if request.method == "GET":
        return request.full_path
    if _is_shown_again():
        return _address()
    came_from = urlsplit(request.referrer or "")
    path = came_from.path + (f"?{came_from.query}" if came_from.query else "")
    return path if came_from.netloc == request.host and _answers_get(came_from.path) else None


def _is_form_of_ours() -> bool:
    return request.method == "POST" and _is_shown_again() and _is_from_our_page()


def _is_shown_again() -> bool:
    return (request.endpoint or "").endswith(SHOWN_AGAIN)


def _is_from_our_page() -> bool:
    """Say whether a page of ours sent this: no other site may fill in a form for somebody, not even to be seen."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == "same-origin"
    return urlsplit(request.headers.get("Origin") or request.referrer or "").netloc == request.host


def _address() -> str:
    return request.full_path.rstrip("?")


def _worth_keeping() -> Iterator[tuple[str, str]]:
    table, name = (request.endpoint or "").partition(".")[0], (request.view_args or {}).get("name", "")
    act = REGISTRY.find(table, name)
    for key, value in request.form.items(multi=True):
        unbound = getattr(act.form, key, None) if act is not None else None
        if key not in NEVER and not (hasattr(unbound, "field_class") and is_secret(unbound)):
            yield key, value


def _answers_get(path: str) -> bool:
    adapter = current_app.create_url_adapter(request)
    try:
        return adapter is not None and adapter.match(path, method="GET")[0] != "HouseAuthView.login"
    except (HTTPException, RequestRedirect):
        return False


def login_address(back: str | None) -> str:
    """Return the address of the login that leads back to a page."""
    return url_for("HouseAuthView.login", next=back)
