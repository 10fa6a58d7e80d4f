"""Providers: who sends the messages of a branch, and the request by which they are asked. Decision 0039.

What a provider certainly did not take may be tried again (``Unsent`` with ``later``); what it perhaps took is not
(``Unsure``), as with mail.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote, quote_plus, urlsplit
from zoneinfo import ZoneInfo

import httpx
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.actors import Actor, Reach
from app.acts import act
from app.errors import InvalidInput, Refusal
from app.models.customers import mask
from app.models.messages import (
    BodyKind,
    HttpMethod,
    Message,
    MessageChannel,
    MessageProvider,
    ProviderKind,
    ProviderState,
)
from app.services.mail import Unsent, Unsure
from app.services.placeholders import About, fill, refuse_wrong, text_kind, told_beside, uses
from app.services.plain import checks
from app.words import _, _l

REQUEST = text_kind("message_request", _l("Request to a message provider"), doubled=True)
#: Seconds: to connect, for each part of an answer, for the whole of it.
CONNECT, READ, WHOLE = 5.0, 10.0, 20.0
#: Bytes of an answer that are read; whoever answers more said enough.
MOST_ANSWER = 64 * 1024
#: Answers by which a server says that it took nothing, for now: it waited too long for us, or is asked too much.
NOT_NOW = frozenset({408, 425, 429, 503})
HEADER = re.compile(r"([A-Za-z0-9!#$%&'*+.^_`|~-]+):[ \t]*(.*)")
DEFAULT_KEY_HEADER = "Idempotency-Key"


told_beside(
    REQUEST,
    {
        "number": _l("the recipient's number or account"),
        "text": _l("the finished text"),
        "key": _l("the message key, the same at every attempt"),
        "template": _l("the template's number with the provider"),
        "branch": _l("the branch's name"),
    },
)


def provider_for(session: Session, channel: MessageChannel, branch_id: int) -> MessageProvider | None:
    """Return who sends a branch's messages of a channel: its own active provider, else the group's."""
    return session.scalars(
        select(MessageProvider)
        .where(MessageProvider.channel == channel, MessageProvider.state == ProviderState.ACTIVE)
        .where(MessageProvider.branch_id.is_(None) | (MessageProvider.branch_id == branch_id))
        .order_by(MessageProvider.branch_id.is_(None))
        .limit(1)
    ).one_or_none()


def provider_banners(provider: MessageProvider) -> list[tuple[str, str]]:
    """Return what stands above a provider's page."""
    if provider.kind is ProviderKind.OUTBOX:
        return [("warn", _("This provider keeps messages in the outbox: nothing is sent."))]
    if provider.kind is ProviderKind.BY_HAND:
        return [("info", _("A person sends these messages and marks them as sent."))]
    return [("info", REQUEST.hint())]


# --- the request -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Request:
    """A request as it will be made, and how its answer is read; free of the database."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    content: bytes | None
    accepted_path: str | None = None
    accepted_value: str | None = None
    id_path: str | None = None
    #: What may not stand in what is kept of an answer.
    number: str = field(default="", repr=False)


@dataclass(frozen=True)
class Accepted:
    """The provider took the message. ``ref``: its own number for it."""

    ref: str | None
    said: str


def request_for(provider: MessageProvider, message: Message) -> Request:
    """Return the request that asks a provider to send a message."""
    template = message.template
    about = About(
        ZoneInfo(message.branch.zone),
        more={
            "number": message.recipient,
            "text": message.content,
            "key": message.message_key,
            "template": template.provider_code if template is not None else None,
            "branch": message.branch.name,
        },
    )
    method = (provider.method or HttpMethod.POST).value
    kind = provider.body_kind or (BodyKind.NONE if method == "GET" else BodyKind.JSON)
    headers = {name.lower(): (name, value) for name, value in header_lines(provider.headers or "")}
    headers = {key: (name, fill(REQUEST, value, about).text) for key, (name, value) in headers.items()}
    key_header = provider.key_header or DEFAULT_KEY_HEADER
    headers[key_header.lower()] = (key_header, message.message_key)
    content: bytes | None = None
    if kind is not BodyKind.NONE and provider.body:
        escape = _in_json if kind is BodyKind.JSON else quote_plus
        content = fill(REQUEST, provider.body, about, escape=escape).text.encode()
        media = "application/json" if kind is BodyKind.JSON else "application/x-www-form-urlencoded"
        headers.setdefault("content-type", ("Content-Type", f"{media}; charset=utf-8"))
    return Request(
        method,
        fill(REQUEST, provider.address or "", about, escape=lambda value: quote(value, safe="")).text,
        tuple(headers.values()),
        content,
        provider.accepted_path,
        provider.accepted_value,
        provider.id_path,
        message.recipient or "",
    )


def _in_json(value: str) -> str:
    """Return a value as it stands between the quotes of a JSON text."""
    return json.dumps(value, ensure_ascii=False)[1:-1]


def header_lines(text: str) -> list[tuple[str, str]]:
    """Return the names and values of header lines; raises ``ValueError`` with the number of a line that is none."""
    found = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        match = HEADER.fullmatch(line.strip())
        if match is None:
            raise ValueError(number)
        found.append((match[1], match[2]))
    return found


def ask(request: Request) -> Accepted:
    """Make a request once. Raises ``Unsent`` if the provider did not take it, ``Unsure`` if nobody knows."""
    timeout = httpx.Timeout(READ, connect=CONNECT)
    try:
        with httpx.Client(timeout=timeout, follow_redirects=False, trust_env=False) as client:
            built = client.build_request(
                request.method, request.url, headers=list(request.headers), content=request.content
            )
            status, answer = _answer(client, built)
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as wrong:
        raise Unsent(_words(wrong), later=True) from wrong
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError, ValueError) as wrong:
        raise Unsent(_words(wrong), later=False) from wrong
    except (httpx.HTTPError, OSError) as wrong:
        raise Unsure(_words(wrong)) from wrong
    return _judged(request, status, answer)


def _answer(client: httpx.Client, built: httpx.Request) -> tuple[int, str]:
    """Return status and text of an answer; whoever drips it for longer than a request may take has not answered."""
    until = time.monotonic() + WHOLE
    response = client.send(built, stream=True)
    try:
        content = b""
        for part in response.iter_bytes():
            content += part
            if len(content) >= MOST_ANSWER:
                break
            if time.monotonic() > until:
                raise httpx.ReadTimeout("the answer did not end in time")
        return response.status_code, content.decode(response.charset_encoding or "utf-8", "replace")
    finally:
        response.close()


def _judged(request: Request, status: int, answer: str) -> Accepted:
    """Judge an answer. An error of the server's own tells nothing of whether it took the message."""
    shown = answer.replace(request.number, mask(None, request.number)) if request.number else answer
    said = f"{status} {shown}".strip()[:500]
    if status in NOT_NOW:
        raise Unsent(said, later=True)
    if status >= 500:
        raise Unsure(said)
    if not 200 <= status < 300:
        raise Unsent(said, later=False)
    try:
        data = json.loads(answer) if request.accepted_path or request.id_path else None
    except ValueError as wrong:
        if request.accepted_path:
            raise Unsure(said) from wrong
        data = None
    if request.accepted_path:
        found = _at(data, request.accepted_path)
        taken = bool(found) if request.accepted_value is None else found == request.accepted_value
        if not taken:
            raise Unsent(said, later=False)
    ref = _at(data, request.id_path) if request.id_path else None
    return Accepted(ref[:120] if ref else None, said)


def _at(data: Any, path: str) -> str | None:
    """Return what stands at a path such as ``result.0.sid``, as text; None if nothing does."""
    for part in path.split("."):
        if isinstance(data, dict):
            data = data.get(part)
        elif isinstance(data, list) and part.isdecimal() and int(part) < len(data):
            data = data[int(part)]
        else:
            return None
    if data is None or isinstance(data, dict | list):
        return None
    return data if isinstance(data, str) else json.dumps(data)


def _words(wrong: BaseException) -> str:
    return f"{type(wrong).__name__}: {wrong}"[:500]


# --- kept --------------------------------------------------------------------------------------------------------


@checks(MessageProvider)
def _provider(session: Session, provider: MessageProvider, by: Actor) -> None:
    """A branch keeps its own provider, the group's administrator the group's; a request can be made as it stands."""
    if provider.branch_id != by.branch_id and by.reach("message_provider") is not Reach.GROUP:
        raise InvalidInput(
            {"branch_id": [_("Please choose your own branch; the group's values are kept by its administrator.")]}
        )
    if provider.daily_cap is not None and not 0 < provider.daily_cap < 10**6:
        raise InvalidInput(
            {"daily_cap": [_("A whole number from %(least)s to %(most)s, please.", least=1, most=999999)]}
        )
    if provider.accepted_value and not provider.accepted_path:
        raise InvalidInput({"accepted_path": [_("Please say where in the answer this value stands.")]})
    if provider.kind is ProviderKind.HTTP:
        _check_request(provider)


def _check_request(provider: MessageProvider) -> None:
    if not provider.address:
        raise InvalidInput({"address": [_("Please fill this in.")]})
    refuse_wrong(REQUEST, "address", provider.address)
    refuse_wrong(REQUEST, "body", provider.body)
    refuse_wrong(REQUEST, "headers", provider.headers)
    parts = urlsplit(provider.address.partition("{{")[0])
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise InvalidInput({"address": [_("An address that begins with https:// or http:// and a host, please.")]})
    try:
        header_lines(provider.headers or "")
    except ValueError as wrong:
        raise InvalidInput({"headers": [_("Line %(line)s is no header such as Name: value.", line=wrong)]}) from None
    told = f"{provider.address}\n{provider.body or ''}"
    if not uses(REQUEST, told, "number"):
        raise InvalidInput({"body": [_("The request holds no {{ number }}: nobody would get it.")]})
    if not uses(REQUEST, told, "text", "template"):
        raise InvalidInput({"body": [_("The request holds neither {{ text }} nor {{ template }}.")]})
    is_json = provider.body_kind in (None, BodyKind.JSON) and provider.method is not HttpMethod.GET
    if provider.body and is_json:
        _refuse_no_json(provider.body)


def _refuse_no_json(body: str) -> None:
    example = About(ZoneInfo("UTC"), more=dict.fromkeys(REQUEST.placeholders, "1"))
    try:
        json.loads(fill(REQUEST, body, example).text)
    except ValueError as wrong:
        line = getattr(wrong, "lineno", 1)
        raise InvalidInput({"body": [_("Line %(line)s: with its values this is no JSON.", line=line)]}) from None


@act(
    MessageProvider,
    "switch_on",
    _l("Switch on"),
    moves={ProviderState.OFF: ProviderState.ACTIVE},
    icon="toggle-on",
    consequence=_l("The one that is active for the same channel and branch is switched off."),
)
def switch_on(session: Session, provider: MessageProvider, *, by: Actor, at: datetime) -> None:
    """Let messages go out by a provider from now on; another of the same channel and branch is switched off."""
    _provider(session, provider, by)
    same = select(MessageProvider).where(
        MessageProvider.channel == provider.channel,
        MessageProvider.branch_id.is_not_distinct_from(provider.branch_id),
        MessageProvider.state == ProviderState.ACTIVE,
        MessageProvider.id != provider.id,
    )
    with session.no_autoflush:
        others = session.scalars(same.with_for_update()).all()
        provider.state = ProviderState.OFF  # the index allows one at a time
        for other in others:
            other.become(ProviderState.OFF)
        session.flush()
    provider.become(ProviderState.ACTIVE)


@act(
    MessageProvider,
    "switch_off",
    _l("Switch off"),
    moves={ProviderState.ACTIVE: ProviderState.OFF},
    icon="toggle-off",
    tone="danger",
    consequence=_l("What waits is held until a person decides, unless the group has another provider."),
)
def switch_off(session: Session, provider: MessageProvider, *, by: Actor, at: datetime) -> None:
    """Let no message go out by a provider any more."""
    if provider.branch_id != by.branch_id and by.reach("message_provider") is not Reach.GROUP:
        raise Refusal(_("Please choose your own branch; the group's values are kept by its administrator."))
