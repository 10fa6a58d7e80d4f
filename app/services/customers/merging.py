"""Two files of one person become one: proposed by a supervisor, carried out by the information centre. SM-01.

Every column that points at a customer says in ``MERGED_BY`` what a merge does with it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.actors import Actor
from app.acts import Outcome, act
from app.errors import InvalidInput, Refusal
from app.fields import Choose, HouseForm, Pick, Reason, Words
from app.models.audit import Notice
from app.models.base import METADATA, models
from app.models.contacting import ContactOptOut
from app.models.customers import (
    Customer,
    CustomerContact,
    CustomerMergeLog,
    FileState,
    MergeProof,
    MergeState,
    OwnerRole,
    OwnerRule,
    search_terms_of,
)
from app.models.followup import FollowupPlan, PlanState
from app.models.messages import UNSENT_STATES, Message, MessageState
from app.models.privacy import ConsentState, CustomerConsent
from app.models.reception import CardState, CustomerCard, Visit
from app.services.customers.closing import awaited_slip
from app.services.customers.ownership import give_customer
from app.services.customers.states import OPEN_FILES
from app.services.followup import ANNIVERSARY, BIRTHDAY
from app.services.followup.planning import cancel_plan
from app.services.notices import tell
from app.services.settings import ONE_OPEN_SLIP, value_of
from app.words import _, _l

#: Told the session, the merged file and the kept one; returns the ids of the rows that went over.
Mover = Callable[[Session, Customer, Customer], list[int]]


def _move_contacts(session: Session, merged: Customer, kept: Customer) -> list[int]:
    """Move every contact that the kept file lacks; one that both have stays behind, so none is doubled."""
    standing = {(one.kind, one.value_hash) for one in kept.contacts}
    going = [one.id for one in merged.contacts if (one.kind, one.value_hash) not in standing]
    return _moved(session, "customer_contact", "customer_id", merged, kept, CustomerContact.id.in_(going))


def _move_consents(session: Session, merged: Customer, kept: Customer) -> list[int]:
    """Move the consents; of two that hold for one purpose the one signed later goes on, the other was renewed."""
    holding = CustomerConsent.state == ConsentState.HOLDS
    both = session.scalars(
        select(CustomerConsent)
        .where(CustomerConsent.customer_id.in_([merged.id, kept.id]), holding)
        .order_by(CustomerConsent.signed_at, CustomerConsent.id)
    )
    newest: dict[Any, CustomerConsent] = {}
    for consent in both:
        if consent.purpose in newest:
            newest[consent.purpose].become(ConsentState.RENEWED)
        newest[consent.purpose] = consent
    session.flush()
    return _moved(session, "customer_consent", "customer_id", merged, kept)


def _move_referred(session: Session, merged: Customer, kept: Customer) -> list[int]:
    """Whom the merged one recommended, the kept one did; nobody recommends herself."""
    if kept.referrer_customer_id == merged.id:
        kept.referrer_customer_id = None
        session.flush()
    return _moved(session, "customer", "referrer_customer_id", merged, kept, Customer.id != kept.id)


WISHES = (BIRTHDAY, ANNIVERSARY)


def _move_plans(session: Session, merged: Customer, kept: Customer) -> list[int]:
    """Move the calls to be made; wishes that the kept one gets on the same day are not made twice."""
    standing = select(FollowupPlan).where(FollowupPlan.customer_id == kept.id, FollowupPlan.trigger.in_(WISHES))
    planned = {(plan.trigger, plan.planned_on) for plan in session.scalars(standing)}
    for plan in session.scalars(
        select(FollowupPlan).where(
            FollowupPlan.customer_id == merged.id,
            FollowupPlan.state == PlanState.APPROVED,
            FollowupPlan.trigger.in_(WISHES),
        )
    ):
        if (plan.trigger, plan.planned_on) in planned:
            cancel_plan(plan, _("The file was merged, and the same wish is planned already."))
    session.flush()
    return _moved(session, "followup_plan", "customer_id", merged, kept)


def _move_opt_outs(session: Session, merged: Customer, kept: Customer) -> list[int]:
    """Move what she does not want; what both files say stays behind, so that each stands once."""
    open_ones = select(ContactOptOut).where(ContactOptOut.ended_at.is_(None))
    standing = {
        (one.channel, one.kind) for one in session.scalars(open_ones.where(ContactOptOut.customer_id == kept.id))
    }
    of_merged = session.scalars(select(ContactOptOut).where(ContactOptOut.customer_id == merged.id))
    going = [one.id for one in of_merged if one.ended_at or (one.channel, one.kind) not in standing]
    return _moved(session, "contact_opt_out", "customer_id", merged, kept, ContactOptOut.id.in_(going))


def _move_messages(session: Session, merged: Customer, kept: Customer) -> list[int]:
    """Move the messages; one of a rule that waits is not sent to the kept one who gets the same."""
    same = select(Message.rule, Message.due_at).where(Message.customer_id == kept.id, Message.rule.is_not(None))
    known = session.execute(same).all()
    waiting = select(Message).where(
        Message.customer_id == merged.id, Message.state.in_(UNSENT_STATES), Message.rule.is_not(None)
    )
    for message in session.scalars(waiting):
        if any(rule == message.rule and abs(due - message.due_at) < SAME_OCCASION for rule, due in known):
            message.become(MessageState.CANCELLED)
    session.flush()
    return _moved(session, "message", "customer_id", merged, kept)


def _move_cards(session: Session, merged: Customer, kept: Customer) -> list[int]:
    """Move the cards; of two in use of one kind the kept one's stays in use. R-2.2.3-1."""
    active = select(CustomerCard).where(CustomerCard.state == CardState.ACTIVE)
    kinds = {card.card_type for card in session.scalars(active.where(CustomerCard.customer_id == kept.id))}
    for card in session.scalars(active.where(CustomerCard.customer_id == merged.id)):
        if card.card_type in kinds:
            card.become(CardState.CANCELLED)
    session.flush()
    return _moved(session, "customer_card", "customer_id", merged, kept)


def _move_visits(session: Session, merged: Customer, kept: Customer) -> list[int]:
    """Move the visits; refuses while one person is in the house twice, and a visit of who recommends herself."""
    still_here = select(Visit.visit_no).where(Visit.closed_at.is_(None))
    if session.scalar(still_here.where(Visit.customer_id == kept.id).limit(1)) is not None:
        twice = session.scalar(still_here.where(Visit.customer_id == merged.id).limit(1))
        if twice is not None:
            raise Refusal(_("Both files have a visit that is still open. Please close %(visit)s first.", visit=twice))
    own = select(Visit).where(Visit.customer_id == merged.id, Visit.referrer_customer_id == kept.id)
    for visit in session.scalars(own):
        visit.referrer_customer_id = None
    session.flush()
    return _moved(session, "visit", "customer_id", merged, kept)


def _move_referred_visits(session: Session, merged: Customer, kept: Customer) -> list[int]:
    """Whom the merged one recommended, the kept one did; nobody recommends herself."""
    own = select(Visit).where(Visit.customer_id == kept.id, Visit.referrer_customer_id == merged.id)
    for visit in session.scalars(own):
        visit.referrer_customer_id = None
    session.flush()
    return _moved(session, "visit", "referrer_customer_id", merged, kept)


#: What a merge does with each ``table.column`` that points at a customer: ``move`` its rows to the kept file,
#: ``keep`` them as they are, or what a function does. A column that is missing here fails a test.
MERGED_BY: dict[str, Literal["move", "keep"] | Mover] = {
    "appointment_slip.customer_id": "move",
    "appointment_supplement_request.customer_id": "move",
    "contact_opt_out.customer_id": _move_opt_outs,
    "contact_record.customer_id": "move",
    "contact_record.referrer_customer_id": "move",
    "customer.merged_into_id": "move",
    "customer.referrer_customer_id": _move_referred,
    "customer_card.customer_id": _move_cards,
    "customer_consent.customer_id": _move_consents,
    "customer_contact.customer_id": _move_contacts,
    "customer_merge_log.kept_id": "keep",
    "customer_merge_log.merged_id": "keep",
    "customer_owner_history.customer_id": "move",
    "customer_trait.customer_id": "move",
    "followup_plan.customer_id": _move_plans,
    "message.customer_id": _move_messages,
    "phone_call.customer_id": "move",
    "subject_request.customer_id": "move",
    "visit.customer_id": _move_visits,
    "visit.referrer_customer_id": _move_referred_visits,
}

#: What the kept file takes from the merged one where it knows nothing itself.
TAKEN = ("sex", "birth_on", "birth_year", "birth_calendar", "id_no", "occupation", "area_id", "address")
SOURCE = ("source_channel_id", "channel_partner_id", "referrer_customer_id")
MOST_NOTE = 500
#: Two messages of one rule so near to each other are about one occasion, whatever the two files said of the day.
SAME_OCCASION = timedelta(days=150)


def pointing_at_customer() -> set[str]:
    """Return every ``table.column`` of the schema with a foreign key to customer."""
    return {
        f"{table.name}.{column.name}"
        for table in METADATA.tables.values()
        for column in table.columns
        if any(key.column.table.name == "customer" for key in column.foreign_keys)
    }


class Proposal(HouseForm):
    """Into which file, and what shows that it is one person."""

    kept_id = Pick(_l("File kept"), table="customer", required=True)
    proof = Choose(_l("Proof that it is one person"), options=MergeProof, required=True)
    reason = Words(_l("Reason"), required=True, least=2, most=500, multiline=True)


@act(
    Customer,
    "propose_merge",
    _l("Propose a merge"),
    form=Proposal,
    moves=dict.fromkeys(OPEN_FILES),
    icon="union",
    consequence=_l(
        "This file is to be merged away; the other takes everything. The information centre carries it out."
    ),
)
def propose_merge(
    session: Session, merged: Customer, *, kept_id: int, proof: MergeProof, reason: str, by: Actor, at: datetime
) -> Outcome:
    """Propose that a file be merged into another one of the same person. SM-01.

    Refuses a file into itself, closed files, and two that each have an awaited slip (R-2.1.2-2).
    """
    if by.employee_id is None:
        raise Refusal(_("Only an employee of a branch can do this."))
    if kept_id == merged.id:
        raise InvalidInput({"kept_id": [_("A file cannot be merged into itself.")]})
    kept = session.get_one(Customer, kept_id)
    said = why_not(session, merged, kept, by=by, at=at)
    if said is not None:
        raise InvalidInput({"kept_id": [said]})
    log = CustomerMergeLog(
        branch_id=merged.branch_id,
        merged_id=merged.id,
        kept_id=kept.id,
        state=MergeState.PROPOSED,
        proof=proof,
        reason=reason,
        proposed_by_id=by.employee_id,
        proposed_at=at,
    )
    session.add(log)
    session.flush()
    return Outcome(result=log)


def why_not(session: Session, merged: Customer, kept: Customer, *, by: Actor, at: datetime) -> str | None:
    """Return the sentence why two files cannot become one now, or None."""
    for file in (merged, kept):
        if file.state is FileState.MERGED:
            into = file.merged_into.customer_no if file.merged_into is not None else "—"
            return _("%(file)s was merged into %(kept)s already.", file=file.customer_no, kept=into)
        if file.state not in OPEN_FILES:
            return _("%(file)s is closed: %(state)s.", file=file.customer_no, state=file.state.label)
        if file.restriction_asked_by_id is not None:
            return _("The restriction of %(file)s has been asked for; it is not merged.", file=file.customer_no)
    slips = [awaited_slip(session, file.id) for file in (merged, kept)]
    if all(slips) and value_of(session, ONE_OPEN_SLIP, branch_id=by.branch_id, at=at):
        return _(
            "Both files have an awaited slip: %(one)s and %(other)s. Please void one of them first.",
            one=slips[0],
            other=slips[1],
        )
    return None


def _not_the_proposer(log: Any, by: Actor) -> object | None:
    if log.proposed_by_id == by.employee_id:
        return _("Who proposed a merge cannot carry it out or reject it.")
    return None


@act(
    CustomerMergeLog,
    "carry_out",
    _l("Carry out the merge"),
    moves={MergeState.PROPOSED: MergeState.DONE},
    guard=_not_the_proposer,
    icon="union",
    tone="danger",
    consequence=_l("Contacts, records, slips, plans, traits and history go to the kept file. There is no way back."),
)
def carry_out(session: Session, log: CustomerMergeLog, *, by: Actor, at: datetime) -> Outcome:
    """Merge two files; the kept one takes everything, and the log says what went over. SM-01.

    The proposer cannot carry it out. Both files are locked, in the order of their ids; what was true when the merge
    was proposed is asked again. Refuses what ``why_not`` names.
    """
    if by.employee_id is None:
        raise Refusal(_("Only an employee of a branch can do this."))
    log.decided_by_id, log.decided_at = by.employee_id, at
    merged, kept = _locked(session, log)
    said = why_not(session, merged, kept, by=by, at=at)
    if said is not None:
        raise Refusal(said)
    log.moved = _move_all(session, merged, kept)
    log.counts = {name: len(ids) for name, ids in log.moved.items()}
    _take_facts(session, merged, kept, by=by, at=at)
    merged.merged_into_id = kept.id
    merged.become(FileState.MERGED)
    session.flush()
    session.expire(merged)
    session.expire(kept)
    kept.search_terms = search_terms_of(kept)  # what the merged file was found by finds this one
    _tell(session, log, merged, kept)
    return Outcome(result=kept)


def _locked(session: Session, log: CustomerMergeLog) -> tuple[Customer, Customer]:
    """Return (merged, kept) as they are now; the runner has locked them, in the order of their ids."""
    files = session.scalars(
        select(Customer)
        .where(Customer.id.in_([log.merged_id, log.kept_id]))
        .order_by(Customer.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    found = {file.id: file for file in files}
    return found[log.merged_id], found[log.kept_id]


def _move_all(session: Session, merged: Customer, kept: Customer) -> dict[str, list[int]]:
    """Do with every pointing column what ``MERGED_BY`` says; return the ids that went over, per column."""
    moved: dict[str, list[int]] = {}
    for name, way in sorted(MERGED_BY.items()):
        table, _dot, column = name.partition(".")
        if way == "keep":
            continue
        ids = way(session, merged, kept) if callable(way) else _moved(session, table, column, merged, kept)
        if ids:
            moved[name] = ids
    notices = session.scalars(
        update(Notice)
        .where(Notice.table_name == "customer", Notice.record_id == merged.id, Notice.read_at.is_(None))
        .values(record_id=kept.id)
        .returning(Notice.id)
    ).all()
    if notices:
        moved["notice.record_id"] = sorted(notices)
    return moved


def _moved(session: Session, table: str, column: str, merged: Customer, kept: Customer, *conditions: Any) -> list[int]:
    model: Any = models()[table]
    statement = (
        update(model)
        .where(getattr(model, column) == merged.id, *conditions)
        .values({column: kept.id})
        .returning(model.id)
        .execution_options(synchronize_session="fetch")
    )
    return sorted(session.scalars(statement).all())


def _take_facts(session: Session, merged: Customer, kept: Customer, *, by: Actor, at: datetime) -> None:
    """Fill what the kept file does not know; names and first and last visits too. A formal file stays formal."""
    for name in TAKEN:
        if getattr(kept, name) is None:
            setattr(kept, name, getattr(merged, name))
    if all(getattr(kept, name) is None for name in SOURCE) and merged.referrer_customer_id != kept.id:
        for name in SOURCE:
            setattr(kept, name, getattr(merged, name))
    if kept.name is None:
        kept.name = merged.name
    kept.alias = kept.alias or merged.alias
    kept.followup_note = _joined(kept.followup_note, merged.followup_note)
    kept.first_visit_at = min(filter(None, (kept.first_visit_at, merged.first_visit_at)), default=None)
    kept.last_visit_at = max(filter(None, (kept.last_visit_at, merged.last_visit_at)), default=None)
    if merged.state is FileState.FORMAL:
        kept.become(FileState.FORMAL)
    for role, holder, standing in (
        (OwnerRole.DEVELOPER, merged.developer, kept.developer),
        (OwnerRole.CONSULTANT, merged.owner_consultant, kept.owner_consultant),
    ):
        if standing is None and holder is not None:
            give_customer(session, kept, role=role, to=holder, rule=OwnerRule.MERGED, reason=None, by=by, at=at)


def _joined(one: str | None, other: str | None) -> str | None:
    """Return both notes if they fit beside each other, else the first."""
    if not one or not other or other in one:
        return one or other
    both = f"{one}\n{other}"
    return both if len(both) <= MOST_NOTE else one


def _tell(session: Session, log: CustomerMergeLog, merged: Customer, kept: Customer) -> None:
    """Tell who proposed it, and both developers."""
    told = {log.proposed_by_id, merged.developer_id, kept.developer_id} - {None, log.decided_by_id}
    for employee_id in sorted(key for key in told if key is not None):
        tell(
            session,
            employee_id,
            "customer_merged",
            kept,
            merged=merged.customer_no,
            kept=kept.customer_no,
            customer=str(kept),
        )


@act(
    CustomerMergeLog,
    "reject",
    _l("Reject"),
    form=Reason,
    moves={MergeState.PROPOSED: MergeState.REJECTED},
    guard=_not_the_proposer,
    icon="x-circle",
)
def reject(session: Session, log: CustomerMergeLog, *, reason: str, by: Actor, at: datetime) -> None:
    """Refuse a proposed merge, with the reason; its proposer is told. SM-01."""
    log.decided_by_id, log.decided_at, log.decision_note = by.employee_id, at, reason
    tell(
        session,
        log.proposed_by_id,
        "merge_rejected",
        log.merged,
        by=by.display_name,
        merged=log.merged.customer_no,
        kept=log.kept.customer_no,
        reason=reason,
    )
