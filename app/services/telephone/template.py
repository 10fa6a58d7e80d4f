"""The request that tells a telephone system to dial: text with declared placeholders and nothing else.

The one place of this area that knows how placeholders are written; a service for all texts can take its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urlsplit

from jinja2 import TemplateSyntaxError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from app.errors import InvalidInput, Refusal
from app.models.telephone import PhoneSystem
from app.services.plain import checks
from app.words import _

PLACEHOLDERS = ("number", "extension", "call_key")
_ENVIRONMENT = ImmutableSandboxedEnvironment(autoescape=False, keep_trailing_newline=True)
SAMPLE = {"number": "13800000000", "extension": "8001", "call_key": "0" * 32}
OTHER = {"number": "x.example", "extension": "y", "call_key": "1"}
MOST_HEADERS = 20


def render(text: str, values: Mapping[str, str]) -> str:
    """Return a text with its placeholders filled in."""
    return _ENVIRONMENT.from_string(text).render(**values)


def wrong_in(text: str) -> str | None:
    """Return what is wrong with a text's placeholders, with the line; None if all are declared ones."""
    try:
        parsed = _ENVIRONMENT.parse(text)
    except TemplateSyntaxError as wrong:
        return _("Line %(line)s: a placeholder is not closed or cannot be read.", line=wrong.lineno)
    for node in parsed.body:
        parts = node.nodes if isinstance(node, nodes.Output) else [node]
        for part in parts:
            if isinstance(part, nodes.TemplateData):
                continue
            if not isinstance(part, nodes.Name):
                return _("Line %(line)s: only plain placeholders, please.", line=part.lineno)
            if part.name not in PLACEHOLDERS:
                return _(
                    "Line %(line)s: there is no placeholder “%(name)s”; there are %(known)s.",
                    line=part.lineno,
                    name=part.name[:40],
                    known=", ".join(PLACEHOLDERS),
                )
    return None


def address_of(system: PhoneSystem, values: Mapping[str, str]) -> str:
    """Return the address to call, each value quoted."""
    return render(system.address or "", {name: quote(value, safe="") for name, value in values.items()})


def body_of(system: PhoneSystem, values: Mapping[str, str]) -> bytes | None:
    """Return the body to send; values of a form are quoted, others hold nothing that JSON or XML would mind."""
    if not system.body:
        return None
    if headers_of(system)["Content-Type"].startswith("application/x-www-form-urlencoded"):
        values = {name: quote(value, safe="") for name, value in values.items()}
    return render(system.body, values).encode()


def headers_of(system: PhoneSystem) -> dict[str, str]:
    """Return the headers to send; the type of a body is JSON unless they say another or the body shows one."""
    found = {}
    for line in (system.headers or "").splitlines():
        name, _colon, value = line.partition(":")
        if name.strip():
            found[name.strip().title()] = value.strip()
    if "Content-Type" not in found:
        is_json = (system.body or "").lstrip().startswith(("{", "["))
        found["Content-Type"] = "application/json" if is_json else "application/x-www-form-urlencoded"
    return found


@checks(PhoneSystem)
def _system(_session: object, system: PhoneSystem, _by: object) -> None:
    """A telephone system's placeholders are declared ones, its address is one host's, its headers are headers."""
    for name in ("address", "body"):
        said = wrong_in(getattr(system, name) or "")
        if said is not None:
            raise InvalidInput({name: [said]})
    if system.address:
        _check_address(system)
    _check_headers(system.headers or "")
    if not 1 <= (system.timeout_seconds or 5) <= 15:
        raise InvalidInput(
            {"timeout_seconds": [_("A whole number from %(least)s to %(most)s, please.", least=1, most=15)]}
        )
    for host in (system.recording_hosts or "").split():
        parts = split_host(host)
        if parts is None:
            raise InvalidInput({"recording_hosts": [_("“%(host)s” is no name of a host.", host=host[:80])]})


def split_host(host: str) -> tuple[str, int | None] | None:
    """Return a host's name and port, None for no port said; None if it is no host."""
    try:
        parts = urlsplit(f"//{host}")
        port = parts.port
    except ValueError:
        return None
    if not parts.hostname or parts.netloc != host or parts.username is not None or not host.isascii():
        return None
    return parts.hostname.lower().rstrip("."), port


def _check_address(system: PhoneSystem) -> None:
    """Refuse an address whose host a number or an extension could change."""
    try:
        one, other = (urlsplit(render(system.address or "", values)) for values in (SAMPLE, OTHER))
        is_wrong = one.scheme not in ("http", "https") or not one.hostname or one.username is not None
        is_wrong = is_wrong or (one.scheme, one.netloc) != (other.scheme, other.netloc) or one.port == 0
    except ValueError:
        is_wrong = True
    if is_wrong or any(ord(character) < 33 for character in (system.address or "").replace(" ", "")):
        raise InvalidInput({"address": [_("An address such as https://pbx.example.com/dial?to={{ number }}, please.")]})


def _check_headers(text: str) -> None:
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) > MOST_HEADERS:
        raise InvalidInput({"headers": [_("Too many headers.")]})
    for place, line in enumerate(lines, 1):
        name, colon, value = line.partition(":")
        is_name = name.strip() and all(c.isascii() and (c.isalnum() or c in "-_") for c in name.strip())
        if not colon or not is_name or not value.strip().isascii() or not value.strip().isprintable():
            raise InvalidInput({"headers": [_("Line %(line)s is no header such as “Name: value”.", line=place)]})


def refuse_unfit(number: str) -> None:
    """Refuse to dial what is no number: what goes into a request is digits alone, with a plus before them."""
    if not number.removeprefix("+").isdecimal() or not number.isascii():
        raise Refusal(_("This is not a telephone number."))
