"""Seeing as another: an auditor looks at every page with somebody's rights and scope, and changes nothing. Part D, R36.

The database's actor stays the auditor; begin and end are in the trail under her name. REST does not offer it.
"""

from __future__ import annotations

from flask import g, request, session
from sqlalchemy.orm import Session

from app.actors import Actor
from app.errors import NotPermitted, Refusal
from app.models.hr import Employee
from app.panel.person import SEE_AS, SEEN, watcher
from app.services.trail import note
from app.unit import unit_of_work
from app.words import _

#: What may be sent while one sees as another: to stop, to log out, which stops too, and to lock and unlock the screen.
ENDING = frozenset({"see_as.stop", "HouseAuthView.logout", "DoorsView.lock", "DoorsView.unlock", "DoorsView.here"})


def begin(database: Session, employee: Employee, by: Actor) -> None:
    """Begin to see as an employee; refuses who may not, oneself, and somebody without a login."""
    if not by.may(*SEE_AS):
        raise NotPermitted
    if employee.user_id is None:
        raise Refusal(_("This employee has no login."))
    if employee.id == by.employee_id:
        raise Refusal(_("Please choose somebody else."))
    with unit_of_work(database):
        note(database, "see_as_begin", employee)
    session[SEEN] = {str(by.user_id): employee.user_id}


def end(database: Session) -> None:
    """Stop seeing as another, if one does."""
    if watcher() is not None:
        with unit_of_work(database):
            note(database, "see_as_end", table="employee", record_id=g.actor.employee_id)
    session.pop(SEEN, None)


def refused() -> str:
    """Return why this request is refused: who sees as another only looks; empty if it is not."""
    if request.method in ("GET", "HEAD", "OPTIONS") or request.endpoint in ENDING or SEEN not in session:
        return ""
    if request.path.startswith("/api/") or watcher() is None:
        return ""
    return _("You see as %(who)s and can only look. Stop it first.", who=g.actor.display_name)
