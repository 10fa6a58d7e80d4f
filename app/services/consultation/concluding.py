"""What was spoken of, and what came of it: deal, no deal, served. White paper 2.4, SM-02, SM-04, SM-05; R-2.4-1, -3."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.actors import Actor, Reach, house
from app.acts import REGISTRY, Outcome, act
from app.errors import InvalidInput, Refusal
from app.fields import Choose, Flag, HouseForm, Item, Items, Money, Words
from app.models.appointments import AppointmentSlip, SlipState
from app.models.consultation import Consultation, ConsultationItem, ConsultationState
from app.models.hr import Branch
from app.models.reception import Visit, VisitState, VisitType
from app.models.triage import AssignmentState, TriageAssignment
from app.services.consultation.starting import ONE_ITEM
from app.services.followup import NO_DEAL
from app.services.followup.planning import occur
from app.services.followup.triggers import Occasion
from app.services.runner import run
from app.services.settings import value_of
from app.words import _, _l, _n

O = ConsultationState  # noqa: E741 (stands for the states, several times below)
MOST_BUDGET = 100_000_000
NOTES = ("item_ids", "need_text", "budget", "concern_text", "next_action")
#: How a visit ends with its consultation. SM-04.
ENDS = {O.DEAL: VisitState.DEAL, O.NO_DEAL: VisitState.NO_DEAL, O.SERVED: VisitState.SERVED}
#: Visits of these types end without a purchase, and count in no closing rate. SM-04, U27.
UNSOLD = (VisitType.RECHECK, VisitType.DISPUTE)


class Noting(HouseForm):
    """咨询情况. Nothing medical is asked: that is the doctor's (R-2.4-4)."""

    item_ids = Items(_l("Items"), dictionary="appointment_item")
    need_text = Words(_l("Need in the customer's words"), most=2000, multiline=True)
    budget = Money(_l("Budget"))
    concern_text = Words(_l("Concerns"), most=2000, multiline=True)
    next_action = Words(_l("Next action"), most=500, multiline=True)

    def check(self) -> None:
        if self.budget.data is not None and not 0 <= self.budget.data < MOST_BUDGET:
            self.refuse("budget", _("An amount from 0 to %(most)s, please.", most=f"{MOST_BUDGET:,}"))


class Concluding(Noting):
    """Deal, no deal with its reason, or served; and what was not written down yet."""

    outcome = Choose(_l("Outcome"), options=ConsultationState, only=tuple(ENDS), required=True)
    failure_reason_id = Item(_l("Reason for no deal"), dictionary="failure_reason")
    is_paid = Flag(_l("She came for what she has paid already"), description=_l("Only for the outcome “Served”."))
    GROUPS = (
        (_l("Outcome"), ("outcome", "failure_reason_id", "is_paid")),
        (_l("What was spoken of"), NOTES),
    )

    def check(self) -> None:
        super().check()
        is_lost = self.outcome.data is O.NO_DEAL
        if is_lost and self.failure_reason_id.data is None:
            self.refuse("failure_reason_id", _("Please say why it came to no deal."))
        if not is_lost and self.failure_reason_id.data is not None:
            self.refuse("failure_reason_id", _("Only where it came to no deal."))
        if self.is_paid.data and self.outcome.data is not O.SERVED:
            self.refuse("is_paid", _("Only for the outcome “Served”."))


def _hers(consultation: Consultation, by: Actor) -> object | None:
    """Her own; for a colleague who cannot, her supervisor."""
    if by.is_house or by.employee_id == consultation.consultant_id or by.reach("consultation") >= Reach.DEPARTMENT:
        return None
    return _("Only %(name)s or her supervisor may do this.", name=consultation.consultant)


@act(
    Consultation,
    "note",
    _l("Write down"),
    form=Noting,
    moves={O.OPEN: None},
    guard=_hers,
    icon="pencil",
    prefill=NOTES,
)
def note(session: Session, consultation: Consultation, *, by: Actor, at: datetime, **said: Any) -> None:
    """Write down need, budget, concerns and next action while it lasts. White paper 2.4."""
    _write_down(session, consultation, said, at)


def _write_down(session: Session, consultation: Consultation, said: dict[str, Any], at: datetime) -> None:
    """Put what was said into a consultation; refuses more items than the setting allows. R-2.4-1."""
    item_ids = said.pop("item_ids", None) or []
    if len(item_ids) > 1 and value_of(session, ONE_ITEM, branch_id=consultation.branch_id, at=at):
        raise InvalidInput({"item_ids": [_("A consultation is about one item; another item is another visit.")]})
    for name, value in said.items():
        setattr(consultation, name, value)
    if item_ids != consultation.item_ids:
        _set_items(session, consultation, item_ids)


def _set_items(session: Session, consultation: Consultation, item_ids: list[int]) -> None:
    """Let a consultation be about other items: rows are written over, none is deleted. Refuses fewer than stand."""
    spare = [link for link in consultation.item_links if link.item_id not in item_ids]
    new = [item_id for item_id in item_ids if item_id not in consultation.item_ids]
    if len(spare) > len(new):
        raise InvalidInput({"item_ids": [_("An item is replaced by another, not taken out.")]})
    for link, item_id in zip(spare, new, strict=False):
        link.item_id = item_id
    consultation.item_links += [ConsultationItem(item_id=item_id) for item_id in new[len(spare) :]]
    session.flush()
    for link in consultation.item_links:
        session.expire(link, ["item"])


@act(
    Consultation,
    "conclude",
    _l("Conclude"),
    form=Concluding,
    moves={O.OPEN: None},
    guard=_hers,
    icon="check2-circle",
    tone="accent",
    prefill=NOTES,
    consequence=_l("The assignment and the appointment end with it; without a deal the return calls are planned."),
)
def conclude(
    session: Session,
    consultation: Consultation,
    *,
    outcome: ConsultationState,
    failure_reason_id: int | None = None,
    is_paid: bool = False,
    by: Actor,
    at: datetime,
    **said: Any,
) -> Outcome:
    """End a consultation as deal, no deal or served; visit, assignment and slip go with it. SM-02, SM-04, SM-05.

    No deal has its reason and makes its follow-up plans (R-2.4-3). Refuses deal and no deal without an item (R-2.4-1),
    and "served" for who came neither for a check nor with a complaint nor for what she has paid (U27).
    """
    consultation.failure_reason_id, consultation.ended_at = failure_reason_id, at
    consultation.become(outcome)
    _write_down(session, consultation, {name: said[name] for name in NOTES if name in said}, at)
    visit = consultation.visit
    if outcome is O.SERVED and visit.visit_type not in UNSOLD and not is_paid:
        raise Refusal(
            _("Who came neither for a check nor with a complaint nor for what she has paid is a deal or no deal."),
            field="outcome",
        )
    if outcome is not O.SERVED and not consultation.item_ids:
        raise InvalidInput({"item_ids": [_("Please choose what the consultation was about.")]})
    visit.become(ENDS[outcome])
    session.flush()
    end_assignment(consultation.assignment, at)
    complete_slip(session, visit, at)
    planned = _plan_returns(session, consultation, at) if outcome is O.NO_DEAL else 0
    calls = _n("%(num)s return call is planned.", "%(num)s return calls are planned.", planned) if planned else None
    return Outcome(notice=calls)


def end_assignment(assignment: TriageAssignment | None, at: datetime) -> None:
    """Let an assignment end with its consultation, unless it was reassigned or finished before. SM-05."""
    if assignment is not None and assignment.state is AssignmentState.IN_ROOM:
        assignment.ended_at = at
        assignment.become(AssignmentState.DONE)


def complete_slip(session: Session, visit: Visit, at: datetime) -> None:
    """Complete the slip of a visit whose customer was seen; the house does, whoever concluded. SM-02."""
    slip = session.get(AppointmentSlip, visit.appointment_slip_id) if visit.appointment_slip_id is not None else None
    if slip is None or slip.state is not SlipState.ARRIVED:
        return
    act_of_slip = REGISTRY.find("appointment_slip", "complete")
    assert act_of_slip is not None
    branch = session.get_one(Branch, visit.branch_id)
    by = house("consultation", branch_id=branch.id, zone=branch.zone)
    run(session, act_of_slip, by=by, at=at, record_id=slip.id, values={})


def _plan_returns(session: Session, consultation: Consultation, at: datetime) -> int:
    """Let the rules plan the 未成交回访 of a consultation. R-2.4-3, REF-8."""
    branch = session.get_one(Branch, consultation.branch_id)
    occasion = Occasion(
        trigger=NO_DEAL,
        subject=f"consultation:{consultation.id}",
        day=at.astimezone(ZoneInfo(branch.zone)).date(),
        branch=branch,
        customer=consultation.visit.customer,
        appointment_slip_id=consultation.visit.appointment_slip_id,
        person=consultation.consultant,
    )
    return occur(session, occasion, at=at)


def _unsold(visit: Visit, by: Actor) -> object | None:
    if visit.visit_type in UNSOLD:
        return None
    return _("Only a check or a complaint ends without a consultation.")


@act(
    Visit,
    "serve",
    _l("Served without a consultation"),
    moves={VisitState.TRIAGED: VisitState.SERVED},
    guard=_unsold,
    icon="check2",
)
def serve(session: Session, visit: Visit, *, by: Actor, at: datetime) -> None:
    """End a check or a complaint that needed no consultation; it counts in no closing rate. SM-04, U27."""
    live = select(TriageAssignment).where(
        TriageAssignment.visit_id == visit.id,
        TriageAssignment.state.in_([AssignmentState.ACCEPTED, AssignmentState.IN_ROOM]),
    )
    for assignment in session.scalars(live.with_for_update(of=TriageAssignment)):
        if assignment.state is AssignmentState.ACCEPTED:
            assignment.entered_at = at
            assignment.become(AssignmentState.IN_ROOM)
        end_assignment(assignment, at)
    complete_slip(session, visit, at)
