"""What the information centre does for somebody who cannot come in, or should not be in. White paper 4.2, R32, L14.

Each is an act on the employee, so it has its history; logins that approve are an administrator's alone, as with
``accounts.reset_password``.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from app.actors import Actor
from app.acts import Outcome, act
from app.errors import Refusal
from app.fields import HouseForm, Reason, Words
from app.models.doors import Ended
from app.models.hr import Employee
from app.services.accounts import has_login, refuse_above, refuse_approver, username_of
from app.services.doors import factor, lockout, recovery, sessions
from app.services.notices import tell
from app.services.trail import note
from app.words import _, _l, _n


class Identified(HouseForm):
    """How one knows who asks."""

    checked = Words(
        _l("How the identity was checked"),
        required=True,
        least=2,
        most=500,
        multiline=True,
        description=_l("Such as: came in person with her staff card; called back on the number in her file."),
    )


def _login_of(session: Session, employee: Employee, by: Actor) -> int:
    """Return the login of somebody else; refuse one that reaches further than one's own, and an approver's."""
    if employee.user_id == by.user_id:
        raise Refusal(_("Nobody does this for herself."))
    user_id = refuse_above(session, employee, by)
    refuse_approver(session, user_id, by)
    return user_id


@act(Employee, "unlock_login", _l("Unlock the login"), form=Reason, guard=has_login, icon="unlock")
def unlock_login(session: Session, employee: Employee, *, reason: str, by: Actor, at: datetime) -> Outcome:
    """Forget the wrong passwords of a login before its time, so that its owner may try again. H.2."""
    was_locked = lockout.unlock(session, username_of(session, _login_of(session, employee, by)))
    note(session, "login_unlocked", employee)
    said = _("She can try again.") if was_locked else _("There were no failures under this name.")
    return Outcome(notice=said)


@act(
    Employee, "hand_out_code", _l("Hand out a code for a new password"), form=Identified, guard=has_login, icon="ticket"
)
def hand_out_code(session: Session, employee: Employee, *, checked: str, by: Actor, at: datetime) -> Outcome:
    """Hand out a code with which an employee who forgot her password sets a new one; shown this once. L14.

    Good once, for the time that the settings say and for five tries; an earlier code is no longer good.
    """
    code = recovery.hand_out(session, _login_of(session, employee, by), employee.branch_id, at)
    note(session, "reset_code_handed_out", employee)
    tell(session, employee.id, "reset_code_handed_out", employee, by=by.display_name or by.name)
    return Outcome(
        shown=code, notice=_("She types it under “Forgotten password”, with her login name and a new password.")
    )


@act(
    Employee,
    "reset_second_factor",
    _l("Take the second factor away"),
    form=Identified,
    guard=has_login,
    icon="phone",
    tone="danger",
    consequence=_l("Her sessions end. If her roles need a second factor, she sets up a new one at her next login."),
)
def reset_second_factor(session: Session, employee: Employee, *, checked: str, by: Actor, at: datetime) -> Outcome:
    """Take the second factor of somebody who lost her device away, with its recovery codes; her sessions end. H.2."""
    user_id = _login_of(session, employee, by)
    if not factor.take_away(session, user_id, at):
        raise Refusal(_("This login has no second factor."))
    sessions.end_all(session, user_id, Ended.SECOND_FACTOR, at)
    tell(session, employee.id, "second_factor_reset", employee, by=by.display_name or by.name)
    return Outcome()


@act(
    Employee,
    "end_sessions",
    _l("End all sessions"),
    form=Reason,
    guard=has_login,
    icon="door-closed",
    tone="danger",
    consequence=_l("Screens and tokens of this login end at once; what was typed and not sent there is lost."),
)
def end_sessions(session: Session, employee: Employee, *, reason: str, by: Actor, at: datetime) -> Outcome:
    """End every session of an employee's login at once, tokens of REST too. L14."""
    ended = sessions.end_all(session, _login_of(session, employee, by), Ended.BY_OTHERS, at)
    tell(session, employee.id, "sessions_ended", employee, by=by.display_name or by.name)
    return Outcome(notice=_n("%(num)s session ended.", "%(num)s sessions ended.", ended))
