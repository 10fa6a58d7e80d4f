"""Warnings: what an act gives to think over before it is done; no rule forbids it.

An act calls ``warn`` with its sentences. When a person asked for it, the runner undoes it and answers them with a
token; once the token comes back, the act is done and the sentences stay in its history. House code that gives typed
values (imports, jobs, the demo) is never warned.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy.orm import Session

from app.keyring import ring

HEARD = "warnings"


def is_heard(session: Session) -> bool:
    """Say whether anybody would read a warning now; else an act need not look for any."""
    return session.info.get(HEARD) is not None


def warn(session: Session, *sentences: object) -> None:
    """Give sentences to think over before the act in progress is done."""
    said = session.info.get(HEARD)
    if said is not None:
        said.extend(str(sentence) for sentence in sentences)


@contextmanager
def hearing(session: Session, *, is_heard: bool) -> Iterator[list[str]]:
    """Collect what an act warns of; acts that it runs in turn are heard by themselves."""
    outer = session.info.get(HEARD)
    said: list[str] = []
    session.info[HEARD] = said if is_heard else None
    try:
        yield said
    finally:
        session.info[HEARD] = outer


def token_of(asked: str, warnings: Sequence[str]) -> str:
    """Return what proves that these warnings of what was ``asked`` were read; other warnings need another."""
    return ring().digest("warned", json.dumps([asked, list(warnings)]))
