"""Events of calls, taken in: each once, in whatever order; the call's row is what all of them say together.

An event is written down, then its call is locked, and only then all that was told of it is read and folded anew: of two
events that come at once the second waits for the call and sees the first. Decision 0038.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, BindParameter, String, bindparam, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.actors import Actor
from app.errors import Refusal
from app.models.appointments import ContactRecord
from app.models.base import Instant
from app.models.customers import ContactKind, Customer, contact_hash
from app.models.followup import FollowupExecution, FollowupPlan
from app.models.hr import Employee
from app.models.telephone import CallEvent, CallState, PhoneCall, RecordingState
from app.services.customers import whose_number
from app.services.guard import crossing
from app.services.hr import actor_for_user
from app.services.scope import find
from app.services.settings import ANSWERED_BEFORE_RING, value_statement
from app.services.telephone.folding import CallFacts, Told, fold
from app.services.telephone.house import RING_SECONDS, system_of, who_answers
from app.unit import unit_of_work
from app.words import _

RETRIES = 3
DEADLOCK = ("40P01", "40001")
#: Columns of a call that its events say, by the same name.
SAID = (
    "direction",
    "state",
    "extension",
    "began_at",
    "ringing_at",
    "answered_at",
    "missed_at",
    "ended_at",
    "ring_count",
    "is_in_time",
)

#: By which settings rings are counted, by the name that ``fold`` knows them by.
RULE = {"ring_seconds": RING_SECONDS, "before_ring": ANSWERED_BEFORE_RING}

# The statements that every event sends are made once: to make them anew costs as much as to answer them.
_BRANCH: BindParameter[int] = bindparam("branch", type_=BigInteger)
_CALL: BindParameter[str] = bindparam("call", type_=String)
_MOMENT: BindParameter[datetime] = bindparam("moment", type_=Instant)
_OF_BOOK = CallEvent.__table__
WRITE_DOWN = insert(_OF_BOOK).on_conflict_do_nothing().returning(_OF_BOOK.c.id)
ALL_TOLD = select(
    *(_OF_BOOK.c[name] for name in ("kind", "happened_at", "direction", "extension", "rings", "payload")),
    *(
        value_statement(each, branch_id=_BRANCH, at=_MOMENT).scalar_subquery().label(name)
        for name, each in RULE.items()
    ),
).where(_OF_BOOK.c.branch_id == _BRANCH, _OF_BOOK.c.call_id == _CALL)
LOCKED = (
    select(PhoneCall)
    .where(PhoneCall.branch_id == _BRANCH, PhoneCall.call_id == _CALL)
    .with_for_update()
    .execution_options(populate_existing=True)
)
MADE = insert(PhoneCall).on_conflict_do_nothing(index_elements=["branch_id", "call_id"]).returning(PhoneCall)


def dialled_as(key: str) -> str:
    """Return by which identifier a dialled call goes until the telephone system gives it its own."""
    return f"dial-{key}"


@dataclass(frozen=True)
class Taken:
    """What became of an event: ``is_new`` or known already, and the call's row."""

    event: Told
    is_new: bool
    call: int | None


def take_events(session: Session, events: Sequence[Told], *, by: Actor, at: datetime) -> list[Taken]:
    """Take events of calls of the actor's branch, in one transaction; answers in their order.

    An event of a kind that is known of its call, or whose identifier is known, changes nothing. Refuses a sender who
    belongs to no branch.
    """
    if by.branch_id is None:
        raise Refusal(_("Only an employee of a branch can do this."))
    for attempt in range(1, RETRIES + 1):
        try:
            with unit_of_work(session), crossing("telephone"):
                return _take(session, events, by.branch_id, at)
        except OperationalError as wrong:
            if attempt == RETRIES or getattr(wrong.orig, "sqlstate", "") not in DEADLOCK:
                raise
    raise AssertionError("unreachable")


def _take(session: Session, events: Sequence[Told], branch_id: int, at: datetime) -> list[Taken]:
    by_call: dict[str, list[Told]] = {}
    for event in events:
        by_call.setdefault(event.call_id, []).append(event)
    new: set[int] = set()
    calls: dict[str, int | None] = {}
    for call_id in sorted(by_call):  # two senders of the same calls wait for each other in one order
        fresh = [event for event in by_call[call_id] if _write_down(session, event, branch_id, at)]
        new |= {id(event) for event in fresh}
        calls[call_id] = (
            _settle(session, branch_id, call_id, fresh, at) if fresh else _known(session, branch_id, call_id)
        )
    return [Taken(event, id(event) in new, calls[event.call_id]) for event in events]


def _write_down(session: Session, event: Told, branch_id: int, at: datetime) -> bool:
    payload = {"number": event.number, "recording_url": event.recording_url, "key": event.key}
    values = {
        "branch_id": branch_id,
        "call_id": event.call_id,
        "kind": event.kind,
        "event_id": event.event_id,
        "happened_at": event.happened_at,
        "arrived_at": at,
        "direction": event.direction,
        "extension": event.extension,
        "rings": event.rings,
        "payload": {name: value for name, value in payload.items() if value is not None},
    }
    return session.execute(WRITE_DOWN, values).scalar_one_or_none() is not None


def all_told(session: Session, branch_id: int, call_id: str, at: datetime) -> tuple[list[Told], dict[str, int]]:
    """Return every event of a call, and by which settings of the branch its rings are counted, in one statement."""
    rows = session.execute(ALL_TOLD, {"branch": branch_id, "call": call_id, "moment": at}).all()
    stands = rows[0]._mapping
    rule = {name: each.read(stands[name] or each.default) for name, each in RULE.items()}
    return [_told(row, call_id) for row in rows], rule


def _told(row: Any, call_id: str) -> Told:
    return Told(
        kind=row.kind,
        call_id=call_id,
        happened_at=row.happened_at,
        direction=row.direction,
        extension=row.extension,
        rings=row.rings,
        number=row.payload.get("number"),
        recording_url=row.payload.get("recording_url"),
        key=row.payload.get("key"),
    )


def _known(session: Session, branch_id: int, call_id: str) -> int | None:
    """Return the id of a call's row; none if the event's identifier was known from another call."""
    return session.scalar(select(PhoneCall.id).where(PhoneCall.branch_id == branch_id, PhoneCall.call_id == call_id))


def _settle(session: Session, branch_id: int, call_id: str, fresh: Sequence[Told], at: datetime) -> int:
    """Fold a call's row anew from all that was told of it, and return its id; ``fresh`` is what is told just now."""
    call = _locked(session, branch_id, call_id)
    key = next((event.key for event in fresh if event.key), None)
    if call is None and key is not None:
        call = _dialled(session, branch_id, key)
    if call is None:
        call = _made(session, branch_id, call_id, fresh, at)
    told, rule = all_told(session, branch_id, call_id, at)
    key = next((event.key for event in told if event.key), None)
    call.call_id = call_id
    with session.no_autoflush:  # one UPDATE, at the end
        write_facts(session, call, fold(told, **rule), at=at)
    if key is not None and call.dial_key is None:
        _join_dialled(session, call, key)
    _keep_record_in_step(session, call)
    session.flush()
    return call.id


def _locked(session: Session, branch_id: int, call_id: str) -> PhoneCall | None:
    return session.scalars(LOCKED, {"branch": branch_id, "call": call_id}).one_or_none()


def _dialled(session: Session, branch_id: int, key: str) -> PhoneCall | None:
    """Return the dialling of a call key that no call of the telephone system has come from yet, locked."""
    return session.scalars(
        select(PhoneCall)
        .where(PhoneCall.branch_id == branch_id, PhoneCall.dial_key == key)
        .where(PhoneCall.call_id == dialled_as(key))
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()


def _made(session: Session, branch_id: int, call_id: str, fresh: Sequence[Told], at: datetime) -> PhoneCall:
    """Insert a call's row, or wait for whoever inserts it this moment, and return it locked."""
    facts = fold(fresh, ring_seconds=int(RING_SECONDS.default))
    values = {
        "branch_id": branch_id,
        "call_id": call_id,
        "direction": facts.direction,
        "state": facts.state,
        "began_at": facts.began_at,
        "told_at": at,
    }
    made = session.scalars(MADE, values).one_or_none()
    call = made if made is not None else _locked(session, branch_id, call_id)
    assert call is not None
    return call


def write_facts(session: Session, call: PhoneCall, facts: CallFacts, *, at: datetime) -> None:
    """Write what a call's events say into its row, whose extension it was, and whose number it is."""
    before = (call.number, call.employee_id)
    is_elsewhere = facts.extension != call.extension or (call.employee_id is None and call.department_id is None)
    for name in SAID:
        setattr(call, name, getattr(facts, name))
    call.told_at = at
    answering = _give_to(session, call) if is_elsewhere else None
    if facts.number is not None and facts.number != call.number:
        call.number, call.number_hash = facts.number, contact_hash(ContactKind.PHONE, facts.number)
    is_free = call.contact_record_id is None and call.dial_key is None  # else somebody has said who she is
    if call.number is not None and is_free and before != (call.number, call.employee_id):
        call.customer_id = _whose(session, call, answering)
    if facts.recording_url not in (None, call.recording_url) and call.recording_state in (None, RecordingState.WAITING):
        call.recording_url, call.recording_state = facts.recording_url, RecordingState.WAITING


def _give_to(session: Session, call: PhoneCall) -> Employee | None:
    """Make a call hers who answers its extension, and return her; else it belongs to the desk that the telephone system
    names."""
    employee = who_answers(session, call.branch_id, call.extension)
    if employee is not None:
        call.employee_id, call.department_id = employee.id, employee.department_id
        return employee
    system = system_of(session, call.branch_id)
    call.employee_id, call.department_id = None, None if system is None else system.department_id
    return None


def _whose(session: Session, call: PhoneCall, answering: Employee | None) -> int | None:
    """Return the customer of a call's number, if whoever answers it may know of her. R-2.1.1-2.

    A call to nobody's extension is read by who sees the branch: it names customers of the branch alone.
    """
    assert call.number is not None
    known = whose_number(session, ContactKind.PHONE, call.number)
    if known is None:
        return None
    if answering is None and call.employee_id is not None:
        answering = session.get(Employee, call.employee_id)
    if answering is not None and answering.user_id is not None:
        by = actor_for_user(session, answering.user_id)
        return known.customer_id if find(session, "customer", known.customer_id, by) is not None else None
    customer = session.get(Customer, known.customer_id)
    return known.customer_id if customer is not None and customer.branch_id == call.branch_id else None


def _join_dialled(session: Session, call: PhoneCall, key: str) -> None:
    """Tie a call to the dialling that it came from, by the call key: the two become one row, this one."""
    dialled = session.scalars(
        select(PhoneCall)
        .where(PhoneCall.branch_id == call.branch_id, PhoneCall.dial_key == key, PhoneCall.id != call.id)
        .with_for_update()
    ).one_or_none()
    if dialled is None:
        return
    taken = {name: getattr(dialled, name) for name in ("dialled_at", "dial_said", "customer_id")}
    dialled.dial_key, dialled.state = None, CallState.JOINED
    session.flush()
    for model in (FollowupPlan, FollowupExecution):
        session.execute(
            update(model).where(model.phone_call_id == dialled.id).values(phone_call_id=call.id),
            execution_options={"synchronize_session": "fetch"},
        )
    call.dial_key = key
    for name, value in taken.items():
        setattr(call, name, value if value is not None else getattr(call, name))
    if call.number is None:
        call.number, call.number_hash = dialled.number, dialled.number_hash
    if call.employee_id is None:
        call.employee_id, call.department_id = dialled.employee_id, dialled.department_id


def _keep_record_in_step(session: Session, call: PhoneCall) -> None:
    """Let the contact record of a call that was registered early know what came later."""
    if call.contact_record_id is None:
        return
    record = session.get(ContactRecord, call.contact_record_id)
    if record is not None and (record.answered_at, record.missed_at) != (call.answered_at, call.missed_at):
        record.answered_at, record.missed_at = call.answered_at, call.missed_at
        record.ring_count = call.ring_count
