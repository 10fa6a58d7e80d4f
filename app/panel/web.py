"""The web's manners: request numbers, security headers, refusals as pages or JSON, the wall before strangers."""

from __future__ import annotations

import logging
import secrets
import time
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from flask import (
    Flask,
    Response,
    current_app,
    flash,
    g,
    jsonify,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from flask_jwt_extended.exceptions import JWTExtendedException
from flask_login import AnonymousUserMixin
from flask_wtf.csrf import CSRFError
from jwt.exceptions import PyJWTError
from sqlalchemy.exc import DataError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException, SecurityError

from app.errors import InvalidInput, NotPermitted, OutOfScope, Refusal, Warned
from app.extensions import db
from app.panel.assets import STATIC
from app.panel.doors import again
from app.panel.doors.visit import guard, is_fetched, login_page, over_sentence
from app.panel.pages import ErrorPage, Link
from app.panel.person import current_actor
from app.panel.seeing import refused
from app.words import _

log = logging.getLogger(__name__)

#: Endpoints that strangers may reach; REST demands a token itself.
OPEN = {
    *STATIC,
    "HouseAuthView.login",
    "HouseAuthView.second",
    "DoorsView.forgotten",
    "HomeView.language",
    "HomeView.alive",
    "AgainView.who",
}
STATIC = frozenset({"static", "appbuilder.static", "bootstrap.static"})
API = "/api/"
#: While a file of this name lies in the home, every page says that the house is maintained, in the file's own words.
MAINTENANCE = "maintenance"
LONGEST_NOTICE = 500
#: What every answer tells the browser, beside the content policy with its nonce.
ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
}


def is_api() -> bool:
    return request.path.startswith(API)


def install(app: Flask) -> None:
    """Bind the manners to an application."""
    # Before all others, those of the extensions too: whoever of them refuses, its page needs number and nonce.
    app.before_request_funcs.setdefault(None, [])[:0] = [_number_request, _say_if_maintained]
    app.before_request(_demand_known_host)
    app.before_request(_demand_login)
    app.before_request(_only_look)
    app.before_request(again.take_up)
    app.after_request(_headers)
    app.teardown_request(_forget_session)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(CSRFError, _too_old)
    app.register_error_handler(NotPermitted, lambda _wrong: _answer(403))
    app.register_error_handler(OutOfScope, lambda _wrong: _answer(404))
    app.register_error_handler(InvalidInput, _invalid)
    app.register_error_handler(Warned, _warned)
    app.register_error_handler(Refusal, lambda said: _answer(409, said.sentence))
    app.register_error_handler(JWTExtendedException, lambda _wrong: _answer(401))
    app.register_error_handler(PyJWTError, lambda _wrong: _answer(401))
    app.register_error_handler(DataError, _unfit)
    app.register_error_handler(SQLAlchemyError, _broken)
    app.register_error_handler(Exception, _broken)


def _number_request() -> None:
    g.request_id = secrets.token_hex(6)
    g.csp_nonce = secrets.token_urlsafe(16)


def _say_if_maintained() -> Any:
    """Answer 503 to everything but what pages are made of while the home holds a file ``maintenance``; no SQL."""
    if request.endpoint in STATIC:
        return None
    try:
        told = (Path(current_app.config["YIMEI_HOME"]) / MAINTENANCE).read_text(encoding="utf-8").strip()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError):
        told = ""
    answer = make_response(_answer(503, told[:LONGEST_NOTICE]))
    answer.headers["Retry-After"] = "60"
    return answer


def _demand_known_host() -> None:
    """Refuse a request for a name that is not ours, whatever its port. Werkzeug's own check knows no IPv6."""
    host = request.host.lower()
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    known = current_app.config["KNOWN_HOSTS"]
    if name not in known and not any(each.startswith(".") and name.endswith(each) for each in known):
        raise SecurityError


def _demand_login() -> Any:
    if request.endpoint in OPEN or is_api():
        return None
    if request.endpoint is None:  # a page that is none: a stranger reads that, and a locked screen stays locked
        return guard()
    if current_actor() is not None:
        return guard()
    if is_fetched():
        return _answer(401)
    flash(over_sentence(), "info")
    if kept := again.keep():
        return login_page(kept, again.way_back()), 401
    if request.method == "POST":
        flash(_("What you sent was not carried out."), "warning")
    return redirect(again.login_address(again.way_back()))


def _too_old(_wrong: CSRFError) -> Any:
    """Refuse a form whose token is of another session; where it is this person's own, show it filled instead."""
    if current_actor() is None:
        if kept := again.keep():
            flash(over_sentence(), "info")
            return _answer(401) if is_fetched() else (login_page(kept, again.way_back()), 401)
    elif again.may_show_again():
        return guard() or _only_look() or again.show_again()
    return _answer(400, _("This form is too old. Please load it again."))


def _only_look() -> Any:
    """Refuse every change while somebody sees as another."""
    said = refused()
    return _answer(403, said) if said else None


def _forget_session(_wrong: BaseException | None) -> None:
    """Roll back whatever a refused request left; the scoped session itself is removed by its extension."""
    db.session().info.clear()


def _headers(response: Response) -> Response:
    nonce = g.get("csp_nonce", "")
    response.headers.setdefault(
        "Content-Security-Policy",
        f"default-src 'self'; script-src 'self' 'nonce-{nonce}'; style-src 'self'; img-src 'self' data:; "
        "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    )
    for name, value in ALWAYS.items():
        response.headers.setdefault(name, value)
    if current_app.config["SESSION_COOKIE_SECURE"]:
        response.headers.setdefault("Strict-Transport-Security", "max-age=31536000")
    response.headers.setdefault("X-Request-Id", g.get("request_id", ""))
    if request.endpoint not in STATIC:
        response.headers.setdefault("Cache-Control", "no-store")
    return response


# --- refusals ----------------------------------------------------------------------------------------------------


def _words(code: int) -> tuple[str, str]:
    """Return the title and the sentence of a code."""
    told = {
        400: (_("That did not work"), _("The address or the form contains something that cannot be read.")),
        401: (_("Please log in"), _("Your session has ended or was never begun.")),
        403: (_("Not permitted"), _("Your roles do not include this. Ask the administrator if they should.")),
        404: (_("Not found"), _("There is nothing here, or it is not for you to see.")),
        405: (_("That did not work"), _("This address does not take requests of this kind.")),
        409: (_("Refused"), _("A rule forbids this just now.")),
        413: (_("Too large"), _("What you sent is too large.")),
        422: (_("Please check"), _("Some inputs are missing or wrong.")),
        423: (_("Locked"), _("The screen is locked.")),
        429: (_("Too many requests"), _("Please wait a minute and try again.")),
        500: (
            _("Something broke"),
            _("The fault is ours. Nothing was saved; please try again, and tell us the number below."),
        ),
        503: (_("Not available"), _("The system is being started or maintained. Please try again in a minute.")),
    }
    return told.get(code, told[400] if code < 500 else told[500])


def _answer(code: int, sentence: str = "") -> Any:
    """Answer a refusal in the form that was asked for: JSON for REST and dialogs, else a page."""
    title, said = _words(code)
    sentence = sentence or said
    if is_api() or is_fetched():
        response = jsonify(message=sentence, request_id=g.get("request_id", ""))
        response.status_code = code
        return response
    if code >= 500:
        _ask_no_database()
    try:
        page = ErrorPage(code, title, sentence, g.get("request_id", ""), _ways(code))
        return render_template("panel/error.html", page=page), code
    except SQLAlchemyError:  # the frame asks the database, which may be what broke
        log.exception("error page failed")
        return Response(f"{title}. {sentence}", status=code, mimetype="text/plain; charset=utf-8")


def _ask_no_database() -> None:
    """Let the page of a fault be written for a stranger: what asks the database may be what failed."""
    g.actor, g.frame = None, None
    g._login_user = AnonymousUserMixin()  # where flask-login keeps whom it has loaded


def _ways(code: int) -> list[Link]:
    """Return the ways on from a refusal, the likeliest first."""
    home = Link(_("To the workbench"), url_for("HomeView.index"), "grid-1x2")
    if code == 401:
        return [Link(_("Log in"), again.login_address(again.way_back()), "box-arrow-in-right")]
    if code in (429, 500, 503) and request.method == "GET":
        return [Link(_("Try again"), request.full_path.rstrip("?"), "arrow-clockwise"), home]
    came_from = urlsplit(request.referrer or "")
    here = came_from.netloc == request.host and came_from.path not in (request.path, "/login/")
    back = came_from.path + (f"?{came_from.query}" if came_from.query else "")
    return [home, *([Link(_("Back"), back, "arrow-left")] if here else [])]


def _invalid(wrong: InvalidInput) -> Any:
    if is_api():
        response = jsonify(errors=wrong.errors, message=_words(422)[1])
        response.status_code = 422
        return response
    return _answer(422, str(wrong))


def _warned(said: Warned) -> Any:
    """What to think over; a screen shows it above its form, so only REST comes here."""
    response = jsonify(
        message=said.sentence, warnings=said.warnings, warned=said.token, request_id=g.get("request_id", "")
    )
    response.status_code = 409
    return response


def _unfit(_wrong: DataError) -> Any:
    db.session.rollback()
    return _answer(400)


def _http_error(wrong: HTTPException) -> Any:
    if wrong.code is None or wrong.code < 400:
        return wrong
    if isinstance(wrong, SecurityError):  # a host that is not ours: no page, since its links would lead there
        return Response(_("This is not the address of this system."), 400, mimetype="text/plain")
    if wrong.code == 413:
        _read_to_the_end()
    answer = make_response(_answer(wrong.code))
    if wrong.code == 429:
        answer.headers["Retry-After"] = str(getattr(wrong, "retry_after", None) or 60)
    return answer


MOST_DRAINED = 64 * 1024 * 1024
LONGEST_DRAIN = 20.0


def _read_to_the_end() -> None:
    """Read away what is still being sent: a browser whose sending is cut off shows a broken connection, no page.

    Only where the length alone was refused, so that nothing has been read yet; more than there is would be waited for.
    """
    declared = request.content_length or 0
    if declared <= (request.max_content_length or declared):
        return
    stream, left, until = request.environ["wsgi.input"], min(declared, MOST_DRAINED), time.monotonic() + LONGEST_DRAIN
    try:
        while left > 0 and time.monotonic() < until and (part := stream.read(min(left, 65536))):
            left -= len(part)
    except (OSError, ValueError):
        return  # the sender has gone


def _broken(wrong: Exception) -> Any:
    """A fault of ours: logged with the request's number, answered without a word of it. 503 if the database is gone."""
    log.error("request %s failed", g.get("request_id", ""), exc_info=wrong)
    with suppress(SQLAlchemyError):
        db.session.rollback()
    if not _is_out_of_reach(wrong):
        return _answer(500)
    answer = make_response(_answer(503))
    answer.headers["Retry-After"] = "10"
    return answer


#: Classes of PostgreSQL's codes that say that nobody can be served just now: no connection, no room, shutting down.
OUT_OF_REACH = ("08", "53", "57P")


def _is_out_of_reach(wrong: Exception) -> bool:
    if isinstance(wrong, PoolTimeout):
        return True
    if not isinstance(wrong, OperationalError | InterfaceError):
        return False
    state = getattr(wrong.orig, "sqlstate", None)
    return wrong.connection_invalidated or state is None or state.startswith(OUT_OF_REACH)
