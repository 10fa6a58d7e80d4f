"""陪同离院: nobody is let go with something open; each area says what holds her and what mends it. 2.23, SM-04."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import exists, or_, select
from sqlalchemy.orm import Session

from app.actors import Actor
from app.acts import Told, act
from app.errors import InvalidInput, Refusal
from app.fields import Flag, HouseForm, Pick
from app.models.appointments import AppointmentSlip, SlipState
from app.models.followup import FollowupPlan
from app.models.followup.plans import AHEAD
from app.models.reception import Visit, VisitCardIssue, VisitState
from app.services.guard import crossing
from app.services.hr import working
from app.words import _, _l


@dataclass(frozen=True)
class Held:
    """What stands against her leaving: a sentence that names the act which mends it, and the list in which that is
    offered: its page and quick filter."""

    sentence: str
    page: str = ""
    tab: str = ""


#: Says of a visit whether she is held; ``said`` are the form's inputs, empty while it is only looked at.
Look = Callable[[Session, Visit, Mapping[str, Any]], Held | None]


@dataclass(frozen=True)
class ExitLine:
    """A line of the exit checklist. ``tick``: the input by which who escorts her answers for it, so that nothing can be
    said of it before; ``is_work``: must stand before the visit is finished, too."""

    code: str
    label: object
    look: Look
    rank: int = 50
    tick: str = ""
    is_work: bool = False


#: The exit checklist, in its order.
EXIT_LINES: list[ExitLine] = []


def declare_exit_line(line: ExitLine) -> ExitLine:
    """Add a line to the exit checklist; refuses a code that is taken."""
    if any(other.code == line.code for other in EXIT_LINES):
        raise ValueError(f"exit line {line.code} is declared twice")
    EXIT_LINES.append(line)
    EXIT_LINES.sort(key=lambda known: known.rank)
    return line


def refuse_open(session: Session, visit: Visit, said: Mapping[str, Any], lines: Sequence[ExitLine]) -> None:
    """Refuse with every sentence that holds her, beside the first line that does; what is only to be ticked comes last
    and stands beside its box."""
    held = [(line, found) for line in lines if (found := line.look(session, visit, said)) is not None]
    work = [(line, found) for line, found in held if not line.tick]
    if work:
        raise Refusal(" ".join(found.sentence for _line, found in work), field=work[0][0].code)
    if held:
        raise InvalidInput({line.tick: [found.sentence] for line, found in held})


def _told(session: Session, visit: Visit, _by: Actor) -> list[Told]:
    """Return the checklist as the dialog shows it: what holds her, with the list in which it is mended."""
    lines = []
    with crossing("exit"):
        looked = [(line, line.look(session, visit, {})) for line in EXIT_LINES]
    for line, held in looked:
        if held is None:
            said = _("All right")
        else:
            said = _("Please answer below.") if line.tick else held.sentence
        page, tab = (held.page, held.tab) if held is not None else ("", "")
        lines.append(Told(line.label, page=page, query={"tab": tab} if tab else {}, name=line.code, value=said))
    return lines


class Escorting(HouseForm):
    """Who takes her to the door, and what that person answers for."""

    is_instructed = Flag(_l("Instructions given and signed"))
    declines_next = Flag(_l("She wants neither another appointment nor a call"))
    escort_id = Pick(_l("Escorted by"), table="employee", description=_l("Empty: yourself."))


#: Whoever is still in the house; what is not finished is held by a line of the checklist.
INSIDE = tuple(state for state in VisitState if state not in (VisitState.LEFT, VisitState.CANCELLED))


@act(
    Visit,
    "escort_out",
    _l("Escort out"),
    form=Escorting,
    moves=dict.fromkeys(INSIDE),
    icon="box-arrow-right",
    tells=_told,
    consequence=_l("The visit ends."),
)
def escort_out(
    session: Session,
    visit: Visit,
    *,
    is_instructed: bool = False,
    declines_next: bool = False,
    escort_id: int | None = None,
    by: Actor,
    at: datetime,
) -> None:
    """Let a customer go once nothing is open: the checklist is kept with the visit. White paper 2.23, SM-04.

    Refuses with the sentence of each line that holds her, and what mends it; nobody is above that.
    """
    said = {"is_instructed": is_instructed, "declines_next": declines_next}
    refuse_open(session, visit, said, EXIT_LINES)
    escort = escort_id if escort_id is not None else by.employee_id
    if escort is not None:
        escort = working(session, escort, visit.branch_id, "escort_id").id
    visit.exit_checklist = [{"line": line.code, "ticked": bool(said.get(line.tick))} for line in EXIT_LINES]
    visit.left_at = visit.closed_at = at
    visit.escort_id = escort
    if visit.state is not VisitState.FINISHED:
        visit.become(VisitState.FINISHED)
    visit.become(VisitState.LEFT)


@act(
    Visit,
    "finish",
    _l("Finish"),
    moves=dict.fromkeys(
        (VisitState.DEAL, VisitState.IN_SERVICE, VisitState.NO_DEAL, VisitState.SERVED), VisitState.FINISHED
    ),
    icon="check2-all",
)
def finish(session: Session, visit: Visit, *, by: Actor, at: datetime) -> None:
    """Note that all that she came for is done; she still waits to be escorted out. SM-04: nothing open."""
    refuse_open(session, visit, {}, [line for line in EXIT_LINES if line.is_work])


# --- the lines of reception itself ------------------------------------------------------------------------------------


def _card(session: Session, visit: Visit, _said: Mapping[str, Any]) -> Held | None:
    """2.2.5: the temporary card is back, or reported as lost."""
    out = select(VisitCardIssue).where(VisitCardIssue.visit_id == visit.id, VisitCardIssue.ended_at.is_(None))
    issue = session.scalars(out).first()
    if issue is None:
        return None
    return Held(
        _("The temporary card %(card)s is still out: take it back, or report it as lost.", card=issue.card.card_no),
        "visit_card_issue",
        "out",
    )


def _next_step(session: Session, visit: Visit, said: Mapping[str, Any]) -> Held | None:
    """What comes next is agreed: an appointment, a call, or that she wants neither."""
    awaited = exists().where(
        AppointmentSlip.customer_id == visit.customer_id, AppointmentSlip.state == SlipState.PENDING
    )
    called = exists().where(FollowupPlan.customer_id == visit.customer_id, FollowupPlan.state.in_(AHEAD))
    if said.get("declines_next") or session.scalar(select(or_(awaited, called))):
        return None
    return Held(_("Nothing is agreed for later: place a slip or plan a call, or tick that she wants neither."))


declare_exit_line(ExitLine("card", _l("Temporary card given back"), _card, rank=30))
declare_exit_line(ExitLine("next_step", _l("Next appointment or call"), _next_step, rank=90, tick="declines_next"))
