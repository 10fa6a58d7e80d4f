"""交接班 at the triage: the act, the record of who is in the house, the confirmation. Triage SOP, F41."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.actors import Actor
from app.acts import Outcome, act
from app.errors import Refusal
from app.fields import HouseForm, Pick, Reason, Words
from app.models.hr import Branch, Employee
from app.models.reception import Visit
from app.models.triage import HandoverState, ShiftHandover, ShiftHandoverVisit, TriageAssignment
from app.services.hr import holders_of
from app.services.notices import KINDS, tell
from app.services.scope import in_scope, loader
from app.services.triage.standing import LIVE
from app.words import _, _l

KINDS["shift_handed"] = _l("%(by)s hands the triage over to you: %(count)s visits. Please confirm.")
KINDS["shift_confirmed"] = _l("%(by)s has taken the triage over.")
H = HandoverState
LONGEST_NEEDS = 500


class HandingOver(HouseForm):
    """To whom, and what to mind."""

    to_id = Pick(_l("Taken over by"), table="employee", required=True)
    special_cases = Words(
        _l("Special cases"), most=2000, multiline=True, description=_l("Whom to mind, and why. Empty: there are none.")
    )


@act(
    ShiftHandover,
    "hand_over",
    _l("Hand the shift over"),
    form=HandingOver,
    creates=True,
    icon="arrow-left-right",
    consequence=_l("Who is in the house now is written down; your colleague confirms."),
)
def hand_over(session: Session, *, to_id: int, special_cases: str | None = None, by: Actor, at: datetime) -> Outcome:
    """Hand the triage over with everybody who is in the house. F41.

    Refuses oneself, who does not work the triage here, and a second hand-over before the first is confirmed.
    """
    if by.employee_id is None or by.branch_id is None:
        raise Refusal(_("Only somebody who works in a branch hands its triage over."))
    session.get_one(Branch, by.branch_id, with_for_update=True)  # one hand-over at a time
    if to_id == by.employee_id:
        raise Refusal(_("You cannot hand the triage over to yourself."), field="to_id")
    if to_id not in holders_of(session, "shift_handover", "can_confirm", branch_id=by.branch_id):
        name = session.get_one(Employee, to_id).name
        raise Refusal(_("%(name)s does not work the triage of this branch.", name=name), field="to_id")
    waits = session.scalars(
        select(ShiftHandover).where(ShiftHandover.from_id == by.employee_id, ShiftHandover.state == H.HANDED)
    ).first()
    if waits is not None:
        raise Refusal(_("Your hand-over to %(name)s is not confirmed yet.", name=waits.to.name))
    made = ShiftHandover(
        branch_id=by.branch_id, from_id=by.employee_id, to_id=to_id, handed_at=at, special_cases=special_cases or None
    )
    session.add(made)
    session.flush()
    count = _write_down(session, made)
    tell(session, to_id, "shift_handed", made, by=by.display_name, count=str(count))
    return Outcome(result=made)


def _write_down(session: Session, handover: ShiftHandover) -> int:
    """Write down who is in the house as it stands now; return how many visits that is."""
    visits = session.scalars(
        select(Visit)
        .where(Visit.branch_id == handover.branch_id, Visit.closed_at.is_(None))
        .options(loader(Visit, "item_links.item"))
        .order_by(Visit.arrived_at, Visit.id)
    ).all()
    calls: defaultdict[int, list[TriageAssignment]] = defaultdict(list)
    standing = TriageAssignment.visit_id.in_([visit.id for visit in visits]) & TriageAssignment.state.in_(LIVE)
    for call in session.scalars(select(TriageAssignment).where(standing).order_by(TriageAssignment.id)):
        calls[call.visit_id].append(call)
    for visit in visits:
        held: list[TriageAssignment | None] = [*calls[visit.id]]
        for one in held or [None]:
            session.add(
                ShiftHandoverVisit(
                    handover_id=handover.id,
                    visit_id=visit.id,
                    visit_state=visit.state,
                    arrived_at=visit.arrived_at,
                    needs=visit.items_text[:LONGEST_NEEDS] or None,
                    assignment_id=one.id if one is not None else None,
                    call_state=one.state if one is not None else None,
                )
            )
    session.flush()
    return len(visits)


def _hers(handover: ShiftHandover, by: Actor) -> object | None:
    return None if by.employee_id == handover.to_id else _l("Only who takes over confirms.")


@act(
    ShiftHandover,
    "confirm",
    _l("Take over"),
    moves={H.HANDED: H.CONFIRMED},
    guard=_hers,
    icon="check2-circle",
    tone="accent",
)
def confirm(session: Session, handover: ShiftHandover, *, by: Actor, at: datetime) -> None:
    """Confirm that one has taken the triage over. F41."""
    handover.confirmed_at = at
    tell(session, handover.from_id, "shift_confirmed", handover, by=by.display_name)


def _given(handover: ShiftHandover, by: Actor) -> object | None:
    return None if by.employee_id == handover.from_id else _l("Only who handed over takes it back.")


@act(
    ShiftHandover,
    "withdraw",
    _l("Take back"),
    form=Reason,
    moves={H.HANDED: H.WITHDRAWN},
    guard=_given,
    icon="arrow-counterclockwise",
)
def withdraw(session: Session, handover: ShiftHandover, *, reason: str, by: Actor, at: datetime) -> None:
    """Take a hand-over back before it is confirmed, such as one to the wrong colleague."""
    handover.withdrawn_reason = reason


def unconfirmed(session: Session, by: Actor) -> Sequence[ShiftHandover]:
    """Return the hand-overs in a person's reach that nobody has confirmed yet, the oldest first."""
    statement = in_scope(ShiftHandover, by).where(ShiftHandover.state == H.HANDED)
    options = [loader(ShiftHandover, path) for path in ("from_", "to")]
    return session.scalars(statement.options(*options).order_by(ShiftHandover.handed_at)).all()
