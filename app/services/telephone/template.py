"""The request that tells a telephone system to dial: its placeholders, its address, its headers. White paper 2.1.4."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo

from app.errors import InvalidInput, Refusal
from app.models.telephone import PhoneSystem
from app.services.placeholders import About, fill, list_in_form, refuse_wrong, text_kind, told_beside
from app.services.plain import checks
from app.words import _, _l

REQUEST = text_kind("phone_request", _l("Request to a telephone system"), doubled=True)
told_beside(
    REQUEST,
    {
        "number": _l("the number to dial"),
        "extension": _l("the extension that rings first"),
        "call_key": _l("the call key, which the events of the call bring back"),
    },
)
list_in_form(PhoneSystem.body, REQUEST)
SAMPLE = {"number": "13800000000", "extension": "8001", "call_key": "0" * 32}
OTHER = {"number": "x.example", "extension": "y", "call_key": "1"}
MOST_HEADERS = 20


def _filled(text: str, values: Mapping[str, str], *, is_quoted: bool = False) -> str:
    return fill(REQUEST, text, About(ZoneInfo("UTC"), more=values), escape=_quoted if is_quoted else None).text


def _quoted(value: str) -> str:
    return quote(value, safe="")


def address_of(system: PhoneSystem, values: Mapping[str, str]) -> str:
    """Return the address to call, each value quoted."""
    return _filled(system.address or "", values, is_quoted=True)


def body_of(system: PhoneSystem, values: Mapping[str, str]) -> bytes | None:
    """Return the body to send; values of a form are quoted, others hold nothing that JSON or XML would mind."""
    if not system.body:
        return None
    is_form = headers_of(system)["Content-Type"].startswith("application/x-www-form-urlencoded")
    return _filled(system.body, values, is_quoted=is_form).encode()


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
        refuse_wrong(REQUEST, name, getattr(system, name))
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
        one, other = (urlsplit(_filled(system.address or "", values)) for values in (SAMPLE, OTHER))
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
