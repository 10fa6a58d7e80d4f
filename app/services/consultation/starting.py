"""开始接诊: a consultant receives the customer whom she accepted. White paper 2.4, SM-04, SM-05; R-2.4-1, R-2.4-2."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.actors import Actor
from app.acts import Outcome, act
from app.errors import Refusal
from app.models.consultation import Consultation, ConsultationItem, ConsultationState
from app.models.customers import Customer, OwnerRole, OwnerRule
from app.models.hr import Employee, EmployeeState
from app.models.reception import Visit, VisitState
from app.models.triage import AssignmentState, TriageAssignment
from app.services.customers.ownership import give_customer
from app.services.settings import setting, value_of
from app.words import _, _l

ONE_ITEM = setting(
    "consultation.one_item",
    _l("One item per consultation"),
    "yes",
    "switch",
    help=_l("If yes, a consultation is about one item, so that reports count it once; another item is another visit."),
    source="R-2.4-1",
)
FIRST_OWNS = setting(
    "consultation.first_owns",
    _l("Who receives a customer first advises her"),
    "yes",
    "switch",
    help=_l("If yes, a customer without a consultant of her own becomes the customer of who receives her first."),
    source="2.3",
)
A = AssignmentState
#: In these states of her assignment a consultant may begin; one that triage finished too early counts too.
BEGINS = (A.ACCEPTED, A.IN_ROOM, A.DONE)


def _not_hers(visit: Visit, by: Actor) -> object | None:
    if visit.consultant_id is None:
        return _("Nobody has accepted this visit yet.")
    if by.employee_id != visit.consultant_id:
        return _("%(name)s has accepted this visit; she begins it.", name=visit.consultant)
    return None


@act(
    Visit,
    "start",
    _l("Begin the consultation"),
    moves={VisitState.TRIAGED: VisitState.IN_CONSULTATION},
    guard=_not_hers,
    icon="chat-square-text",
    tone="accent",
)
def start(session: Session, visit: Visit, *, by: Actor, at: datetime) -> Outcome:
    """Open the consultation of a visit that was accepted; who was not brought in yet is with that. SM-04, SM-05.

    Only who accepted begins, so nobody learns of an item before triage is done (R-2.4-2). The visit's item is taken
    over; where it has several, one is chosen later (R-2.4-1). Whom nobody advises is hers from now on (首诊制).
    """
    person = session.get_one(Employee, visit.consultant_id)
    consultation = Consultation(
        branch_id=visit.branch_id,
        visit_id=visit.id,
        assignment_id=brought_in(session, visit, person, at),
        consultant_id=person.id,
        department_id=person.department_id,
        state=ConsultationState.OPEN,
        started_at=at,
    )
    several = not value_of(session, ONE_ITEM, branch_id=visit.branch_id, at=at)
    if several or len(visit.item_ids) == 1:
        consultation.item_links = [ConsultationItem(item_id=item_id) for item_id in visit.item_ids]
    session.add(consultation)
    session.flush()
    _first_receives(session, visit.customer, person, by, at)
    return Outcome(result=consultation)


def brought_in(session: Session, visit: Visit, person: Employee, at: datetime) -> int:
    """Return the id of somebody's assignment of a visit, the customer in her room; refuses where she has none.

    The visit is locked, so nobody reassigns it meanwhile. Decision 0041: no lock of the line.
    """
    assignment = session.scalars(
        select(TriageAssignment)
        .where(TriageAssignment.visit_id == visit.id, TriageAssignment.assignee_id == person.id)
        .where(TriageAssignment.state.in_(BEGINS))
        .order_by(TriageAssignment.id.desc())
        .limit(1)
        .with_for_update(of=TriageAssignment)
        .execution_options(populate_existing=True)
    ).first()
    if assignment is None:
        raise Refusal(_("%(name)s has not accepted this visit.", name=person.name))
    if assignment.state is A.ACCEPTED:
        assignment.entered_at = at
        assignment.become(A.IN_ROOM)
    return assignment.id


def _first_receives(session: Session, customer: Customer, person: Employee, by: Actor, at: datetime) -> None:
    """首诊制: make a customer hers whom nobody advises, or somebody who left. The visit's lock holds the customer."""
    if not value_of(session, FIRST_OWNS, branch_id=customer.branch_id, at=at):
        return
    owner = customer.owner_consultant
    if owner is not None and owner.state is not EmployeeState.LEFT:
        return
    give_customer(
        session, customer, role=OwnerRole.CONSULTANT, to=person, rule=OwnerRule.RECEIVED, reason=None, by=by, at=at
    )


def _not_given_to_her(consultation: Consultation, by: Actor) -> object | None:
    if by.employee_id is None or consultation.visit.consultant_id != by.employee_id:
        return _("Only who has the visit now takes its consultation over.")
    if consultation.consultant_id == by.employee_id:
        return _("This consultation is yours already.")
    return None


@act(
    Consultation,
    "take_over",
    _l("Take the consultation over"),
    moves={ConsultationState.OPEN: None},
    guard=_not_given_to_her,
    icon="arrow-left-right",
    tone="accent",
)
def take_over(session: Session, consultation: Consultation, *, by: Actor, at: datetime) -> None:
    """Go on with a consultation whose visit a supervisor gave to another in the middle of it. SM-05, 改派."""
    person = session.get_one(Employee, by.employee_id)
    consultation.assignment_id = brought_in(session, consultation.visit, person, at)
    consultation.consultant_id, consultation.department_id = person.id, person.department_id
