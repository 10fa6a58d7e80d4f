"""The press room: what may run away or be tampered with is done by a child process that has limits and no secrets.

A process keeps at most ``MOST_CHILDREN`` children, starts them when they are needed and again when one was ended.
JSON and bytes go over a socket, never an object: the child cannot make this process run anything.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from app.errors import Refusal
from app.words import _

CHILD = Path(__file__).with_name("child.py")
MOST_CHILDREN = 2
#: A child makes place for a fresh one after so many jobs, whatever it may have kept.
MOST_JOBS = 1000
#: Seconds without a word after which a child is ended; it ends by itself after ten of CPU.
LONGEST_SILENCE = 11.5
#: Seconds more for each sheet that is laid out already: the last step writes them all.
LONGEST_WRITING = 0.25
LONGEST_FILLING = 3.0
LONGEST_START = 60.0
LONGEST_WAIT = 30.0
#: Characters of one page's HTML, and of a template.
LARGEST_PAGE = 4_000_000
LARGEST_TEMPLATE = 50_000
#: All that a child is told of our environment: where programs, libraries and fonts lie.
KNOWN_TO_CHILD = (
    "PATH",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "FONTCONFIG_FILE",
    "FONTCONFIG_PATH",
    "XDG_CACHE_HOME",
)


class TooLarge(Refusal):
    """A document that took more time or memory than printing may take."""


class TemplateRefused(Refusal):
    """A user-edited template that is malformed, asks for what it may not, or does not end."""


class RanOver(ValueError):
    """A sheet of a form of one page that takes more: its position from 0 and its pages."""

    def __init__(self, position: int, pages: int) -> None:
        super().__init__(f"sheet {position} takes {pages} pages")
        self.position, self.pages = position, pages


class _Gone(Exception):
    """The child died or fell silent."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A PDF and how many pages each sheet took, before copies."""

    pdf: bytes
    pages: tuple[int, ...]


def bind_pages(
    pages: Sequence[str],
    styles: Sequence[str],
    *,
    title: str = "",
    copies: str = "",
    grounds: Sequence[str] = (),
    laid: Callable[[], None] | None = None,
) -> Bound:
    """Lay HTML pages out with style sheets and write them as one PDF.

    ``copies`` is the HTML of the pages that are printed over each sheet, which then makes one page for each of them;
    ``grounds`` is for each sheet the HTML of the pages that are printed under its own, laid out once if they are alike;
    ``laid`` is called after each sheet. Raises ``TooLarge``, and ``RanOver`` if a sheet with copies takes two pages or
    one with a ground not as many as that.
    """
    if any(len(page) > LARGEST_PAGE for page in pages):
        raise TooLarge(_too_large())
    once = list(dict.fromkeys(grounds))
    job = {
        "kind": "set", "pages": list(pages), "styles": list(styles), "title": title, "copies": copies,
        "grounds": once, "ground_of": [once.index(ground) for ground in grounds],
    }  # fmt: skip
    taken: list[int] = []
    try:
        with _children.asked(job) as child:
            while "laid" in (said := child.hear(LONGEST_SILENCE + LONGEST_WRITING * len(taken))):
                taken.append(said["laid"])
                if laid is not None:
                    laid()
            if "pdf" in said:
                return Bound(child.hear_bytes(LONGEST_SILENCE), tuple(taken))
    except _Gone:
        raise TooLarge(_too_large()) from None
    if "ran_over" in said:
        raise RanOver(*said["ran_over"])
    if "too_large" in said:
        raise TooLarge(_too_large())
    raise RuntimeError(f"a document could not be set: {said.get('failed')}")


def render_user_template(template: str, facts: Mapping[str, Any]) -> str:
    """Fill a template that people edit (Jinja, sandboxed) with plain facts; returns text, not markup.

    Facts are strings, numbers, days, None, lists and mappings of them; records and objects are a ``TypeError``. Refuses
    (``TemplateRefused``) what is malformed, asks for what is not among the facts, or takes more than two seconds.
    """
    if len(template) > LARGEST_TEMPLATE:
        raise TemplateRefused(_("This template is too long."))
    job = {"kind": "fill", "template": template, "facts": plain(facts)}
    try:
        with _children.asked(job) as child:
            said = child.hear(LONGEST_FILLING)
    except _Gone:
        said = {"too_large": True}
    if "filled" in said:
        filled: str = said["filled"]
        return filled
    if "too_large" in said:
        raise TemplateRefused(_("This template takes too long or makes too much text."))
    raise TemplateRefused(_("This template cannot be filled in: %(why)s", why=said["template"]))


def plain(value: Any) -> Any:
    """Return a fact as JSON has it; raises ``TypeError`` for anything that is more than data."""
    if value is None or type(value) in (str, int, bool, float):
        return value
    if isinstance(value, Decimal | date):
        return str(value)
    if isinstance(value, str):  # a member of an enumeration, markup
        return str.__str__(value)
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    raise TypeError(f"{type(value).__name__} is no plain fact")


def _too_large() -> str:
    return _("This document is too large to print. Please choose less and try again.")


class _Child:
    """One child process and the socket to it."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            environment = {name: os.environ[name] for name in KNOWN_TO_CHILD if name in os.environ}
            self.process = subprocess.Popen(
                [sys.executable, "-I", str(CHILD), str(theirs.fileno()), str(os.getpid())],
                env={**environment, "LANG": "C.UTF-8", "MALLOC_ARENA_MAX": "2"},
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                cwd="/",
                start_new_session=True,  # Ctrl-C at the terminal is not for it; it leaves when we do
            )
            self.wire = Connection(os.dup(ours.fileno()))
        self.jobs = 0
        self.spent = False

    def wait(self) -> _Child:
        """Wait until it has started. Raises ``_Gone``."""
        self.hear(LONGEST_START)
        return self

    def ask(self, job: Mapping[str, Any]) -> None:
        """Send a job. Raises ``_Gone``."""
        self.jobs += 1
        try:
            self.wire.send_bytes(json.dumps(job).encode())
        except OSError as gone:
            raise _Gone from gone

    def hear(self, longest: float) -> dict[str, Any]:
        """Return the child's next word. Raises ``_Gone`` if none comes within these seconds."""
        said: dict[str, Any] = json.loads(self.hear_bytes(longest))
        self.spent = "too_large" in said  # it has run out of memory, and ends
        return said

    def hear_bytes(self, longest: float) -> bytes:
        """Return the child's next message as it is. Raises ``_Gone``."""
        try:
            if not self.wire.poll(longest):
                raise _Gone
            return self.wire.recv_bytes()
        except (EOFError, OSError) as gone:
            raise _Gone from gone

    @property
    def is_fit(self) -> bool:
        """Say whether another job may be given to it."""
        return not self.spent and self.jobs < MOST_JOBS and self.process.poll() is None

    def end(self) -> None:
        """End it at once."""
        self.wire.close()
        self.process.kill()
        self.process.wait()


class _Children:
    """The children of this process: idle ones, and a limit on how many there are."""

    def __init__(self) -> None:
        self.idle: list[_Child] = []
        self.places = threading.BoundedSemaphore(MOST_CHILDREN)

    @contextlib.contextmanager
    def asked(self, job: Mapping[str, Any]) -> Iterator[_Child]:
        """Give a job to a child for one conversation; what breaks it off ends the child. Refuses if all stay busy."""
        if not self.places.acquire(timeout=LONGEST_WAIT):
            raise Refusal(_("The press is busy. Please try again in a minute."))
        try:
            child = self._at_work(job)
            try:
                yield child
            except BaseException:
                child.end()
                raise
            if child.is_fit:
                self.idle.append(child)
            else:
                child.end()
        finally:
            self.places.release()

    def _at_work(self, job: Mapping[str, Any]) -> _Child:
        """Return a child that took the job: an idle one that lives, else a fresh one."""
        while self.idle:
            child = self.idle.pop()
            with contextlib.suppress(_Gone):
                if child.is_fit:
                    child.ask(job)
                    return child
            child.end()
        child = _Child()
        try:
            child.wait().ask(job)
        except BaseException:
            child.end()
            raise
        return child

    def end(self) -> None:
        """End those that are idle; the others leave with this process."""
        while self.idle:
            self.idle.pop().end()


_children = _Children()


def _begin_anew() -> None:
    """Leave the children to the process that was forked from; this one starts its own."""
    global _children
    for child in _children.idle:
        child.wire.close()
    _children = _Children()


os.register_at_fork(after_in_child=_begin_anew)
atexit.register(lambda: _children.end())
