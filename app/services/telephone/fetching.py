"""Recordings, fetched once by the worker: from hosts that the branch names, to nobody else. Decision 0038.

An event may name any address, so the address decides nothing: the host must be on the branch's list, the connection
goes to the very address that was looked up and judged, redirects stay on the host, and what comes is measured while it
comes.
"""

from __future__ import annotations

import ipaddress
import socket
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urljoin, urlsplit

import urllib3
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.actors import house
from app.filestore import Writing, Written
from app.models.files import FilePurpose
from app.models.hr import Branch
from app.models.telephone import PhoneCall, PhoneSystem, RecordingState
from app.services.files import MEGABYTE, keep_written, too_large, writing
from app.services.filetypes import audio_kind, named_as
from app.services.settings import value_of
from app.services.tasks import TaskRun, TryAgain, enqueue, task
from app.services.telephone.house import RECORDING_MB, system_of
from app.services.telephone.recordings import kept_until
from app.services.telephone.template import split_host
from app.words import _, _l

FETCH = "telephone.fetch_recording"
LONGEST_SECONDS = 120.0
STEP_SECONDS = 15.0
MOST_REDIRECTS = 3
CHUNK = 64 * 1024
HEAD = 64
MOST_FAILURES = 3
AGAIN_AFTER = timedelta(minutes=2)
PORTS = {"http": 80, "https": 443}


class NotFetched(Exception):
    """A recording that will not be fetched; its text is the sentence that the call bears."""


class NotNow(Exception):
    """A recording that could not be fetched this time."""


@dataclass(frozen=True)
class Source:
    """Where a recording lies, judged: ``address`` is the network address to connect to."""

    scheme: str
    host: str
    port: int
    address: str
    path: str


def judged(url: str, system: PhoneSystem | None) -> Source:
    """Return where to fetch from; raises ``NotFetched`` for what the branch's telephone system does not allow."""
    try:
        parts = urlsplit(url)
        port = parts.port or PORTS.get(parts.scheme, 0)
    except ValueError:
        raise NotFetched(_("The address of the recording cannot be read.")) from None
    host = (parts.hostname or "").lower().rstrip(".")
    is_plain = system is not None and system.is_plain_allowed
    if parts.scheme != "https" and not (parts.scheme == "http" and is_plain):
        raise NotFetched(_("Recordings are fetched over https only."))
    if system is None or parts.username is not None or not _is_named(system, host, port, parts.scheme):
        raise NotFetched(_("“%(host)s” is not one of the hosts that recordings are fetched from.", host=host[:80]))
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Source(parts.scheme, host, port, _looked_up(host, port, is_private=system.is_private_allowed), path)


def _is_named(system: PhoneSystem, host: str, port: int, scheme: str) -> bool:
    named = (split_host(each) for each in (system.recording_hosts or "").split())
    return any(each is not None and each[0] == host and (each[1] or PORTS[scheme]) == port for each in named)


def _looked_up(host: str, port: int, *, is_private: bool) -> str:
    """Return the one network address that is asked; refuses a host if any of its addresses is not for us."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise NotNow(_("The host of the recording is not known just now.")) from None
    addresses = [str(each[4][0]) for each in found]
    for text in addresses:
        address = ipaddress.ip_address(text.partition("%")[0])
        mapped = getattr(address, "ipv4_mapped", None) or address
        is_ours = mapped.is_private and not mapped.is_link_local and not mapped.is_unspecified
        if not (mapped.is_global or (is_private and is_ours)) or mapped.is_multicast:
            raise NotFetched(_("The host of the recording lies in a network from which nothing is fetched."))
    return addresses[0]


def fetch(url: str, system: PhoneSystem | None, into: Writing, *, most: int) -> str:
    """Write a recording into a file in the making and return its media type.

    ``most`` bytes at most, measured while it comes. Raises ``NotFetched`` and ``NotNow``.
    """
    until = time.monotonic() + LONGEST_SECONDS
    for _redirect in range(MOST_REDIRECTS + 1):
        source = judged(url, system)
        pool = _pool(source)
        try:
            answer = pool.request(
                "GET",
                source.path,
                headers={"Host": _host_header(source), "Accept": "audio/*", "Accept-Encoding": "identity"},
                redirect=False,
                retries=False,
                preload_content=False,
                timeout=urllib3.Timeout(total=STEP_SECONDS),
                decode_content=False,
            )
            if answer.status in (301, 302, 303, 307, 308) and (to := answer.headers.get("Location")):
                url = _same_host(source, url, to)
                continue
            return _taken(answer, into, most, until)
        except (urllib3.exceptions.HTTPError, OSError) as wrong:
            raise NotNow(_("The host of the recording cannot be reached just now.")) from wrong
        finally:
            pool.close()
    raise NotFetched(_("The recording is passed on too often."))


def _pool(source: Source) -> Any:
    """Return a pool that connects to the judged address, and demands the certificate of the host's name."""
    if source.scheme == "https":
        return urllib3.HTTPSConnectionPool(
            source.address, source.port, maxsize=1, server_hostname=source.host, assert_hostname=source.host
        )
    return urllib3.HTTPConnectionPool(source.address, source.port, maxsize=1)


def _host_header(source: Source) -> str:
    host = f"[{source.host}]" if ":" in source.host else source.host
    return host if source.port == PORTS[source.scheme] else f"{host}:{source.port}"


def _same_host(source: Source, url: str, to: str) -> str:
    """Return where a redirect leads; refuses another host, another port and less protection."""
    target = urljoin(url, to)
    try:
        parts = urlsplit(target)
        port = parts.port or PORTS.get(parts.scheme, 0)
    except ValueError:
        raise NotFetched(_("The address of the recording cannot be read.")) from None
    if (parts.scheme, (parts.hostname or "").lower().rstrip("."), port) != (source.scheme, source.host, source.port):
        raise NotFetched(_("The recording is passed on to another host; it is not fetched from there."))
    return target


def _taken(answer: Any, into: Writing, most: int, until: float) -> str:
    if answer.status >= 500:
        raise NotNow(_("The host of the recording has a fault just now."))
    if answer.status != 200:
        raise NotFetched(_("The host did not give the recording (%(code)s).", code=answer.status))
    declared = answer.headers.get("Content-Length", "")
    if declared.isdecimal() and int(declared) > most:
        raise NotFetched(too_large(most))
    head, size = b"", 0
    for part in answer.stream(CHUNK, decode_content=False):
        size += len(part)
        if size > most:
            raise NotFetched(too_large(most))
        if time.monotonic() > until:
            raise NotNow(_("The recording came too slowly."))
        head = head if len(head) >= HEAD else (head + part)[:HEAD]
        into.write(part)
    kind = audio_kind(head)
    if kind is None:
        raise NotFetched(_("What came is no recording: WAV, MP3, OGG or M4A is taken."))
    return kind


@task(FETCH, _l("Fetch a recording"), tells_done=False)
def fetch_recording(run: TaskRun) -> object:
    """Fetch a call's recording into the file store, once; what cannot be had is said on the call."""
    session = run.session
    call = session.get(PhoneCall, run.parameters["call"])
    if call is None or call.recording_state is not RecordingState.WAITING or call.recording_url is None:
        return _l("There was nothing to fetch.")
    most = value_of(session, RECORDING_MB, branch_id=call.branch_id, at=run.at) * MEGABYTE
    try:
        with writing() as made:
            kind = fetch(call.recording_url, system_of(session, call.branch_id), made, most=most)
    except NotNow as said:
        if run.failures + 1 < MOST_FAILURES:
            raise TryAgain(str(said), after=AGAIN_AFTER) from said
        return _not_fetched(session, call, str(said))
    except NotFetched as said:
        return _not_fetched(session, call, str(said))
    return _keep(run, call, made.written, kind)


def _not_fetched(session: Session, call: PhoneCall, said: str) -> object:
    session.refresh(call, with_for_update=True)
    call.recording_state, call.recording_said = RecordingState.REFUSED, said[:300]
    return said


def _keep(run: TaskRun, call: PhoneCall, written: Written, kind: str) -> object:
    session = run.session
    session.refresh(call, with_for_update=True)
    if call.recording_state is not RecordingState.WAITING:  # somebody uploaded one meanwhile
        return _l("There was nothing to fetch.")
    branch = session.get_one(Branch, call.branch_id)
    file = keep_written(
        session,
        written,
        named_as(f"{call.began_at:%Y%m%d-%H%M%S}", kind),
        kind,
        purpose=FilePurpose.RECORDING,
        by=house("recordings", branch_id=branch.id, zone=branch.zone),
        at=run.at,
        subject=("phone_call", call.id),
        expires_at=kept_until(session, call, run.at),
    )
    call.recording_file_id, call.recording_state, call.recording_said = file.id, RecordingState.STORED, None
    return _l("The recording is kept.")


def ask_for_recordings(session: Session, at: datetime, *, most: int = 200) -> int:
    """Ask the worker for every recording that is to be fetched; each is asked for once."""
    waiting = session.execute(
        select(PhoneCall.id, Branch.id, Branch.zone)
        .join(Branch, Branch.id == PhoneCall.branch_id)
        .where(PhoneCall.recording_state == RecordingState.WAITING)
        .order_by(PhoneCall.id)
        .limit(most)
    ).all()
    for call_id, branch_id, zone in waiting:
        by = house(f"job:{FETCH}", branch_id=branch_id, zone=zone)
        enqueue(
            session,
            FETCH,
            {"call": call_id},
            by=by,
            at=at,
            key=f"recording {call_id}",
            subject=("phone_call", call_id),
        )
    return len(waiting)
