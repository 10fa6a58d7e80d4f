"""What persons demand of the data held on them: taken down, due, approved by a second person, carried out. L13.

Decision 0026: medical affairs and the service supervisors take requests down, medical affairs and the head of the
branch approve, the information centre carries out.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.actors import Actor
from app.acts import act
from app.errors import Refusal
from app.fields import Choose, HouseForm, Pick, Reason, Words
from app.models.customers import Customer, FileState
from app.models.privacy import AskedHow, SubjectKind, SubjectRequest, SubjectState
from app.services.hr import holders_of
from app.services.notices import KINDS, tell
from app.services.privacy.pseudonyms import plan_of, pseudonymise
from app.services.settings import setting, value_of
from app.services.tasks import enqueue
from app.services.trail import note
from app.words import _, _l

DUE_DAYS = setting(
    "privacy.request_days",
    _l("Days within which a request on personal data is answered"),
    "15",
    "whole",
    least=1,
    most=30,
    help=_l("Counted from the day of the request. The law says: without delay."),
    source="L13",
)
KINDS["subject_waits"] = _l("%(by)s took down a request on personal data: %(what)s, due %(due)s.")
KINDS["subject_ended"] = _l("The request %(what)s has been settled by %(by)s.")
COPY_TASK = "privacy.copy"


class Demand(HouseForm):
    """What is demanded, how, and how it was made sure that it is she."""

    #: A restricted file's person may demand things too; a merged one is refused with a sentence.
    customer_id = Pick(_l("Customer"), table="customer", required=True, unoffered=True)
    kind = Choose(_l("What is demanded"), options=SubjectKind, required=True)
    asked_how = Choose(_l("How it was demanded"), options=AskedHow, required=True)
    identity_checked = Words(
        _l("How her identity was checked"), required=True, least=2, most=200, description=_l("Such as: ID card seen.")
    )
    wish = Words(_l("What she wishes"), most=1000, multiline=True, sensitive=True)


@act(
    SubjectRequest,
    "open",
    _l("Request on personal data"),
    form=Demand,
    creates=True,
    icon="person-lock",
    starts_from={"customer": {"customer_id": "id"}},
    consequence=_l("It is due within the days that the law and the house's setting allow."),
)
def open_request(
    session: Session,
    *,
    customer_id: int,
    kind: SubjectKind,
    asked_how: AskedHow,
    identity_checked: str,
    wish: str | None = None,
    by: Actor,
    at: datetime,
) -> SubjectRequest:
    """Take down what a person demands of the data held on her. Refuses a second one of a kind that is still open."""
    if by.employee_id is None:
        raise Refusal(_("Only an employee of a branch can do this."))
    customer = session.get_one(Customer, customer_id, with_for_update=True)
    if customer.state is FileState.MERGED:
        raise Refusal(_("This file was merged; please take the request down on the kept one."))
    standing = session.scalar(
        select(SubjectRequest.id)
        .where(SubjectRequest.customer_id == customer_id, SubjectRequest.kind == kind)
        .where(SubjectRequest.state.in_([SubjectState.OPEN, SubjectState.APPROVED, SubjectState.MAKING]))
        .limit(1)
    )
    if standing is not None:
        raise Refusal(_("The same request of this customer is still open."))
    days: int = value_of(session, DUE_DAYS, branch_id=by.branch_id, at=at)
    request = SubjectRequest(
        branch_id=customer.branch_id,
        customer_id=customer_id,
        kind=kind,
        state=SubjectState.OPEN,
        asked_how=asked_how,
        identity_checked=identity_checked,
        wish=wish,
        opened_by_id=by.employee_id,
        opened_at=at,
        due_on=at.astimezone(by.timezone).date() + timedelta(days=days),
    )
    session.add(request)
    session.flush()
    right = "can_approve" if kind is SubjectKind.PSEUDONYMISATION else "can_carry_out"
    for employee_id in holders_of(session, "subject_request", right, branch_id=customer.branch_id):
        if employee_id != by.employee_id:
            tell(
                session,
                employee_id,
                "subject_waits",
                request,
                by=by.display_name,
                what=str(request),
                due=request.due_on.isoformat(),
            )
    return request


def _approvable(request: Any, by: Actor) -> object | None:
    if request.kind is not SubjectKind.PSEUDONYMISATION:
        return _("Only a pseudonymisation needs a second person.")
    return _another(request, by)


def _another(request: Any, by: Actor) -> object | None:
    if request.opened_by_id == by.employee_id:
        return _("Who took the request down cannot approve it.")
    return None


@act(
    SubjectRequest,
    "approve",
    _l("Approve"),
    form=Reason,
    moves={SubjectState.OPEN: SubjectState.APPROVED},
    guard=_approvable,
    icon="check-circle",
    tone="accent",
    consequence=_l("Please read first what will be changed and what the law keeps. There is no way back afterwards."),
)
def approve_request(session: Session, request: SubjectRequest, *, reason: str, by: Actor, at: datetime) -> None:
    """Approve a pseudonymisation, having read its dry run; somebody else carries it out."""
    if by.employee_id is None:
        raise Refusal(_("Only an employee of a branch can do this."))
    request.decided_by_id, request.decided_at, request.note = by.employee_id, at, reason
    request.outcome = plan_of(session, request.customer)
    note(session, "subject_approved", request, kind=request.kind.value)


def _doable(request: Any, by: Actor) -> object | None:
    needs = request.kind is SubjectKind.PSEUDONYMISATION
    if needs and request.state is not SubjectState.APPROVED:
        return _("A second person has to approve this first.")
    if request.kind is SubjectKind.PSEUDONYMISATION and request.decided_by_id == by.employee_id:
        return _("Who approved a pseudonymisation cannot carry it out.")
    if request.kind is SubjectKind.RESTRICTION and request.customer.state is not FileState.RESTRICTED:
        return _("Please restrict the file first: “Ask for restriction” and “Restrict” stand on the customer's page.")
    return None


class Settled(HouseForm):
    """What was done."""

    remark = Words(_l("What was done"), most=1000, multiline=True)


@act(
    SubjectRequest,
    "carry_out",
    _l("Carry out the request"),
    form=Settled,
    moves=dict.fromkeys((SubjectState.OPEN, SubjectState.APPROVED)),
    guard=_doable,
    icon="check2-square",
    consequence=_l("A copy is made in the background. A pseudonymisation cannot be undone."),
)
def carry_out_request(
    session: Session, request: SubjectRequest, *, remark: str | None, by: Actor, at: datetime
) -> None:
    """Do what was demanded: make the copy in the background, replace what identifies her, or note what was corrected.

    Refuses a pseudonymisation while a slip is awaited, and one that nobody else approved.
    """
    if by.employee_id is None:
        raise Refusal(_("Only an employee of a branch can do this."))
    request.note = remark or request.note
    request.ended_by_id = by.employee_id
    if request.kind is SubjectKind.COPY:
        made = enqueue(
            session, COPY_TASK, {"request_id": request.id}, by=by, at=at, subject=("subject_request", request.id)
        )
        request.task_id = made.id
        request.become(SubjectState.MAKING)
        return
    if request.kind is SubjectKind.CORRECTION and not remark:
        raise Refusal(_("Please say what was corrected; the file's history has the change itself."))
    if request.kind is SubjectKind.PSEUDONYMISATION:
        request.outcome = pseudonymise(session, request.customer, by=by, at=at)
    settle(session, request, by, at)


def settle(session: Session, request: SubjectRequest, by: Actor, at: datetime) -> None:
    """End a request as done and tell who took it down."""
    request.become(SubjectState.DONE)
    request.ended_at = at
    note(session, "subject_done", request, kind=request.kind.value)
    if request.opened_by_id != by.employee_id:
        tell(session, request.opened_by_id, "subject_ended", request, what=str(request), by=by.display_name)


@act(
    SubjectRequest,
    "refuse",
    _l("Refuse"),
    form=Reason,
    moves=dict.fromkeys((SubjectState.OPEN, SubjectState.APPROVED), SubjectState.REFUSED),
    icon="x-circle",
)
def refuse_request(session: Session, request: SubjectRequest, *, reason: str, by: Actor, at: datetime) -> None:
    """Refuse a request; the reason is what the person is told. PIPL art. 50."""
    request.note, request.ended_at, request.ended_by_id = reason, at, by.employee_id
    note(session, "subject_refused", request, kind=request.kind.value)
