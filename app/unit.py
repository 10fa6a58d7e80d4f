"""One act, one transaction: the only place that commits, and who the database is told acts.

The database learns the actor at the start of every transaction (``app.actor``, ``app.request``,
``app.address``), so that its triggers can name who wrote. The name comes from a context variable, else from the
provider that the panel installs; nothing in here may run SQL through the session or touch the logged-in user,
which would load through the very transaction that is being opened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.orm import Session, SessionTransaction

_acting: ContextVar[str | None] = ContextVar("acting", default=None)
_provider: Callable[[], tuple[str, str, str]] | None = None

SET_ACTOR = text(
    "select set_config('app.actor', :actor, true), set_config('app.request', :request, true),"
    " set_config('app.address', :address, true)"
)
MAX_NAME = 200


def provide_actor(provider: Callable[[], tuple[str, str, str]]) -> None:
    """Install the function that names (actor, request, address) when no ``acting_as`` is in force."""
    global _provider
    _provider = provider


def actor_in_force() -> tuple[str, str, str]:
    """Return (actor, request id, network address) for the transaction that opens now; empty if nobody is known."""
    named = _acting.get()
    if named is not None:
        return named, "", ""
    return _provider() if _provider is not None else ("", "", "")


@contextmanager
def acting_as(name: str) -> Iterator[None]:
    """Act under a house name such as ``house:job:appointments.expire``."""
    token = _acting.set(name[:MAX_NAME])
    try:
        yield
    finally:
        _acting.reset(token)


def tell_actor(connection: Connection) -> None:
    """Tell an open transaction who acts; used again once a token or a login form has named the person."""
    told = zip(("actor", "request", "address"), actor_in_force(), strict=True)
    connection.execute(SET_ACTOR, {name: value[:MAX_NAME] for name, value in told})


@event.listens_for(Session, "after_begin")
def _tell_actor_at_begin(_session: Session, transaction: SessionTransaction, connection: Connection) -> None:
    if not transaction.nested:
        tell_actor(connection)


@event.listens_for(Engine, "handle_error")
def _leave_out_values(context: ExceptionContext) -> None:
    """Cut a refusal of the database down to its first line: what follows it (DETAIL, CONTEXT) carries the row's values,
    and whoever logs the exception would log them. The constraint's name stands in ``orig.diag`` all the same."""
    for wrong in (context.original_exception, context.sqlalchemy_exception):
        if wrong is not None and wrong.args and isinstance(wrong.args[0], str):
            wrong.args = (wrong.args[0].split("\n", 1)[0], *wrong.args[1:])


@contextmanager
def unit_of_work(session: Session) -> Iterator[Session]:
    """Commit what is done inside, or nothing of it.

    Inside another unit of work of the same session it joins that one: the outermost commits.
    """
    if session.info.get("in_unit"):
        yield session
        session.flush()
        return
    session.info["in_unit"] = True
    try:
        yield session
        session.flush()
        session.commit()
    except BaseException:
        session.rollback()
        raise
    finally:
        session.info.pop("in_unit", None)
