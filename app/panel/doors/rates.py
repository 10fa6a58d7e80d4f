"""Rate limits that all workers share: Flask-Limiter's strategy over a table of ours, since there is no other server.

``hold`` is asked at the doors: logins, codes, unlocking, looks at masked values, and every POST of a person.
"""

from __future__ import annotations

import math
import threading
import time
from typing import Any

from flask import current_app
from limits import parse
from limits.storage import Storage
from sqlalchemy import case, delete, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import TooManyRequests

from app.extensions import db
from app.keyring import ring
from app.models.doors import RATE_LIMIT

#: Counted on a connection of its own, whatever becomes of the request; nobody waits for the disk for a count.
AS_HOUSE = text("select set_config('app.actor', 'house:limits', true), set_config('synchronous_commit', 'off', true)")


class PostgresStorage(Storage):
    """The counters of the ``limits`` library in the table ``rate_limit``, by the database's clock."""

    STORAGE_SCHEME = ["yimei+postgresql"]

    @property
    def base_exceptions(self) -> type[Exception]:
        return SQLAlchemyError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Count up and return the count, in one statement; a count whose time is over begins anew."""
        now = func.clock_timestamp()
        until = now + func.make_interval(0, 0, 0, 0, 0, 0, expiry)
        over = RATE_LIMIT.c.expires_at <= now
        statement = insert(RATE_LIMIT).values(key=_hashed(key), hits=amount, expires_at=until)
        statement = statement.on_conflict_do_update(
            index_elements=["key"],
            set_={
                "hits": case((over, amount), else_=RATE_LIMIT.c.hits + amount),
                "expires_at": case((over, until), else_=RATE_LIMIT.c.expires_at),
            },
        )
        return int(self._one(statement.returning(RATE_LIMIT.c.hits)))

    def get(self, key: str) -> int:
        """Return a count that is still running, or nought."""
        found = select(RATE_LIMIT.c.hits).where(
            RATE_LIMIT.c.key == _hashed(key), RATE_LIMIT.c.expires_at > func.clock_timestamp()
        )
        return int(self._one(found) or 0)

    def get_expiry(self, key: str) -> float:
        """Return when a count is over, in seconds of the epoch."""
        until = self._one(select(RATE_LIMIT.c.expires_at).where(RATE_LIMIT.c.key == _hashed(key)))
        return until.timestamp() if until is not None else time.time()

    def check(self) -> bool:
        return self._one(select(1)) == 1

    def reset(self) -> None:
        """Forget every count."""
        self._one(delete(RATE_LIMIT))

    def clear(self, key: str) -> None:
        self._one(delete(RATE_LIMIT).where(RATE_LIMIT.c.key == _hashed(key)))

    def _one(self, statement: Any) -> Any:
        """Execute a statement and commit it; return its one value, if it has any."""
        with db.engine.begin() as connection:
            connection.execute(AS_HOUSE)
            done = connection.execute(statement)
            return done.scalar() if done.returns_rows else None


def _hashed(key: str) -> str:
    """Return a key as it is stored: bounded, and no list of addresses."""
    return ring().digest("rate", key)


#: Kinds of programs' requests that come so thick that their counting would be felt: a process counts a hundredth of the
#: limit ahead, this many at most, and asks the table again when they are used up.
WIDE, MOST_AHEAD = frozenset({"call_event"}), 20
_ahead: dict[tuple[str, str], int] = {}
_counting = threading.Lock()


def hold(kind: str, who: str) -> None:
    """Count a request of a kind against whoever sends it; raises 429 with the time to wait if it is one too many."""
    manager = current_app.appbuilder.sm  # type: ignore[attr-defined]
    limiter = manager.limiter
    if not limiter.enabled or (kind == "login" and not manager.is_auth_limited):
        return
    config = current_app.config
    limit = parse(config["AUTH_RATE_LIMIT"] if kind == "login" else config["RATE_LIMITS"][kind])
    at_once = max(1, min(MOST_AHEAD, limit.amount // 100)) if kind in WIDE else 1
    if _is_counted(kind, who):
        return
    if limiter.limiter.hit(limit, kind, who, cost=at_once):
        if at_once > 1:
            with _counting:
                _ahead[kind, who] = _ahead.get((kind, who), 0) + at_once - 1
        return
    left = limiter.limiter.get_window_stats(limit, kind, who).reset_time - time.time()
    raise TooManyRequests(retry_after=max(1, math.ceil(left)))


def _is_counted(kind: str, who: str) -> bool:
    """Say whether this request was counted ahead, and use that up."""
    with _counting:
        left = _ahead.get((kind, who), 0)
        if left:
            _ahead[kind, who] = left - 1
    return left > 0
