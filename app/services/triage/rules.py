"""The rules of the triage SOP, a function each; which come first, and whether at all, stands in ``triage_rule``.

A deciding rule is told the case and returns its step: whom it chooses, or why it does not. White paper 2.3, S2, S3, S7.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

from app.models.reception import Favour, VisitType
from app.models.triage import AssignmentState, LineKind, RuleCode, TurnKind
from app.services.triage.facts import Case, Choice, NoOne, Person, Presence, Reason, Row, Rule, Seat


@dataclass(frozen=True)
class Step:
    """What a deciding rule comes to: its choice, or none, and why. ``is_final``: no further rule is asked."""

    choice: Choice | None = None
    why: tuple[Reason, ...] = ()
    is_final: bool = False


Decider = Callable[[Case], Step]
DECIDERS: dict[RuleCode, Decider] = {}


def decides(code: RuleCode) -> Callable[[Decider], Decider]:
    """Declare a function as the rule of a code."""

    def declare(function: Decider) -> Decider:
        DECIDERS[code] = function
        return function

    return declare


#: What stands in the rule table of a branch until somebody changes it: the SOP's.
DEFAULTS: tuple[Rule, ...] = tuple(
    Rule(
        code,
        position=place * 10,
        minutes=5 if code is RuleCode.SKIP else None,
        day_ends_at=time(17, 30) if code is RuleCode.EVENING else None,
    )
    for place, code in enumerate(
        (
            RuleCode.FRIENDS,
            RuleCode.MARKET,
            RuleCode.NAMED,
            RuleCode.SUCCESSOR,
            RuleCode.OWNER,
            RuleCode.PARTNER,
            RuleCode.EVENING,
            RuleCode.ORAL_SURGERY,
            RuleCode.DENTAL_ROTATES,
            RuleCode.FIRST_ROTATES,
            RuleCode.OFFICE_ORDER,
            RuleCode.CARRY_OVER,
            RuleCode.NO_MAKEUP,
            RuleCode.CONSENT,
            RuleCode.SKIP,
            RuleCode.SHEET,
            RuleCode.NO_MEDDLING,
        ),
        start=1,
    )
)


def sop() -> dict[RuleCode, Rule]:
    """Return the rules as the SOP has them."""
    return {rule.code: rule for rule in DEFAULTS}


def decide(case: Case) -> Choice | NoOne:
    """Say who is called for a visit, by the first rule that fits, and the chain of reasons that led there."""
    why: list[Reason] = []
    for rule in sorted(case.rules.values(), key=lambda rule: (rule.position, rule.code)):
        decider = DECIDERS.get(rule.code)
        if decider is None or not rule.is_on:
            continue
        step = decider(case)
        why.extend(step.why)
        if step.choice is not None:
            return replace(step.choice, why=tuple(why))
        if step.is_final:
            break
    return NoOne(tuple(why))


# --- who can be called ----------------------------------------------------------------------------------------------


def _is_free(case: Case, person: Person | None) -> bool:
    """Say whether a person who is not reached by rotation can be called: here, not busy, not called in vain before."""
    return (
        person is not None
        and person.presence is Presence.HERE
        and not person.is_busy
        and person.id not in case.unanswered
    )


def _named(person: Person, seat: Seat | None = None) -> dict[str, str]:
    return {"name": person.name} | ({"order": str(seat.order)} if seat is not None else {})


def _chosen(case: Case, person: Person, kind: TurnKind, rule: RuleCode, said: str, **facts: str) -> Step:
    choice = Choice(person.id, kind, rule, case.seat_of(person.id))
    return Step(choice, (Reason(rule, said, _named(person) | facts),))


def _supervisor(case: Case, rule: RuleCode, why: Iterable[Reason] = (), *, is_settled: bool = False) -> Step:
    """Give a case to the supervisor of the line, who takes no turn; final if there is none to receive."""
    person = case.person(case.line.supervisor_id)
    if person is None or person.presence is Presence.GONE or person.id in case.unanswered:
        return Step(None, (*why, Reason(rule, "no_supervisor")), is_final=True)
    choice = Choice(person.id, TurnKind.SUPERVISOR, rule, case.seat_of(person.id), is_settled=is_settled)
    return Step(choice, (*why, Reason(rule, "free" if is_settled else "supervisor", _named(person))))


# --- S2: those who do not rotate ------------------------------------------------------------------------------------


@decides(RuleCode.FRIENDS)
def friends(case: Case) -> Step:
    """R-S2-3: paid surgery rotates normally; free surgery is entered directly under the supervisor's name."""
    if case.visit.favour is Favour.FREE:
        return _supervisor(case, RuleCode.FRIENDS, is_settled=True)
    return Step(why=(Reason(RuleCode.FRIENDS, "pays"),)) if case.visit.favour is Favour.PAID else Step()


@decides(RuleCode.MARKET)
def market(case: Case) -> Step:
    """R-S2-6 and the end of R-S2-2: to the designated consultant; if she is busy or off, to the supervisor."""
    if not case.visit.is_market or case.line.kind is not LineKind.CONSULTANT:
        return Step()
    why: list[Reason] = []
    for seat in sorted(case.line.seats, key=lambda seat: seat.order):
        person = case.person(seat.person_id) if seat.is_designated else None
        if person is None:
            continue
        if _is_free(case, person):
            return _chosen(case, person, TurnKind.DESIGNATED, RuleCode.MARKET, "designated")
        why.append(Reason(RuleCode.MARKET, "designated_busy", _named(person)))
    return _supervisor(case, RuleCode.MARKET, why or (Reason(RuleCode.MARKET, "no_designated"),))


@decides(RuleCode.NAMED)
def named(case: Case) -> Step:
    """R-S2-2: referred by an old customer and asking for a certain doctor of this line: not in the rotation."""
    person = case.person(case.visit.asks_for_id)
    if person is None or case.seat_of(person.id) is None:
        return Step()
    if not case.visit.is_referred:
        return Step(why=(Reason(RuleCode.NAMED, "not_referred", _named(person)),))
    if person.presence is not Presence.HERE or person.id in case.unanswered:
        return Step(why=(Reason(RuleCode.NAMED, "named_away", _named(person)),))
    return _chosen(case, person, TurnKind.NAMED, RuleCode.NAMED, "named")


# --- S3: who comes again --------------------------------------------------------------------------------------------


def _comes_again(case: Case) -> bool:
    return case.visit.visit_type is not VisitType.FIRST and case.line.kind is LineKind.CONSULTANT


def _heir(case: Case) -> Person | None:
    """Return whose customer she is: her consultant, or who took over from her, or from that one."""
    person, seen = case.person(case.visit.owner_id), set[int]()
    while person is not None and person.presence is Presence.GONE and person.id not in seen:
        seen.add(person.id)
        person = case.person(person.successor_id)
    return None if person is None or person.presence is Presence.GONE else person


@decides(RuleCode.SUCCESSOR)
def successor(case: Case) -> Step:
    """S3: customers of departed staff belong to the receiving colleague (接收医生)."""
    owner = case.person(case.visit.owner_id)
    if not _comes_again(case) or owner is None or owner.presence is not Presence.GONE:
        return Step()
    heir = _heir(case)
    if heir is None:
        return Step(why=(Reason(RuleCode.SUCCESSOR, "no_successor", {"old": owner.name}),))
    said = Reason(RuleCode.SUCCESSOR, "successor", {"old": owner.name, "name": heir.name})
    if not _is_free(case, heir):
        return Step(why=(said, Reason(RuleCode.SUCCESSOR, "owner_away", _named(heir))))
    return Step(Choice(heir.id, TurnKind.SUCCESSOR, RuleCode.SUCCESSOR, case.seat_of(heir.id)), (said,))


@decides(RuleCode.OWNER)
def owner(case: Case) -> Step:
    """S3: triage finds the owner consultant and informs her; 复诊, 再消费, 复查 and 纠纷 alike."""
    person = case.person(case.visit.owner_id)
    if not _comes_again(case) or person is None or person.presence is Presence.GONE:
        return Step()
    if not _is_free(case, person):
        return Step(why=(Reason(RuleCode.OWNER, "owner_away", _named(person)),))
    return _chosen(case, person, TurnKind.OWNER, RuleCode.OWNER, "owner")


@decides(RuleCode.PARTNER)
def partner(case: Case) -> Step:
    """S3: owner busy or on leave: her partner (搭档) receives; without one who can, the supervisor."""
    heir = _heir(case) if _comes_again(case) else None
    if heir is None:
        return Step()
    person = case.person(heir.partner_id)
    if person is not None and _is_free(case, person):
        return _chosen(case, person, TurnKind.PARTNER, RuleCode.PARTNER, "partner", owner=heir.name)
    return _supervisor(case, RuleCode.PARTNER, (Reason(RuleCode.PARTNER, "no_partner", {"owner": heir.name}),))


# --- S7: evenings, and the rotation itself --------------------------------------------------------------------------


@decides(RuleCode.EVENING)
def evening(case: Case) -> Step:
    """S7: after 17:30 the evening duty list; among them who had fewest of its turns today, in the list's order."""
    ends = case.rules[RuleCode.EVENING].day_ends_at
    if ends is None or case.moment.time() < ends:
        return Step()
    clock, today = ends.strftime("%H:%M"), case.moment.date()
    duty = [row.seat_id for row in case.line.ledger if row.kind is TurnKind.DUTY and row.day == today]
    seats = {seat.id: seat for seat in case.line.seats}
    listed = [seats[seat_id] for seat_id in case.line.evening if seat_id in seats]
    for seat in sorted(listed, key=lambda seat: duty.count(seat.id)):
        person = case.line.people[seat.person_id]
        if person.presence is Presence.HERE and person.id not in case.unanswered:
            return _chosen(case, person, TurnKind.DUTY, RuleCode.EVENING, "evening", time=clock)
    return _supervisor(case, RuleCode.EVENING, (Reason(RuleCode.EVENING, "no_evening", {"time": clock}),))


@decides(RuleCode.ORAL_SURGERY)
def oral_surgery(case: Case) -> Step:
    """R-S2-5: 口腔外科 rotates normally, in its own line."""
    if case.line.kind is not LineKind.DENTAL:
        return Step()
    return rotate(case, Reason(RuleCode.ORAL_SURGERY, "oral"))


@decides(RuleCode.DENTAL_ROTATES)
def dental_rotates(case: Case) -> Step:
    """R-S2-4: referrals from dental rotate normally."""
    return rotate(case, Reason(RuleCode.DENTAL_ROTATES, "dental")) if case.visit.is_from_dental else Step()


@decides(RuleCode.FIRST_ROTATES)
def first_rotates(case: Case) -> Step:
    """R-S2-1: first visits rotate normally; so does who comes again and is nobody's."""
    said = "no_owner" if _comes_again(case) else "rotates"
    return rotate(case, Reason(RuleCode.FIRST_ROTATES, said))


def pointer(case: Case) -> Row | None:
    """Return the last normal turn; it carries over to the next day (S7-3), or starts anew where that is off."""
    today = case.moment.date()
    rows = (row for row in case.line.ledger if row.consumes)
    if not case.is_on(RuleCode.CARRY_OVER):
        rows = (row for row in rows if row.day == today)
    return max(rows, key=lambda row: row.number, default=None)


def office_order(case: Case) -> list[Seat]:
    """Return the seats in the order of their turns: from the office after the last, round. S7-1.

    Where that rule is off, who has waited longest comes first.
    """
    seats = sorted(case.line.seats, key=lambda seat: seat.order)
    if not case.is_on(RuleCode.OFFICE_ORDER):
        last = {row.seat_id: row.number for row in case.line.ledger if row.consumes}
        return sorted(seats, key=lambda seat: (last.get(seat.id, 0), seat.order))
    turn = pointer(case)
    after = turn.order if turn is not None and turn.order is not None else 0
    return [seat for seat in seats if seat.order > after] + [seat for seat in seats if seat.order <= after]


def debts(case: Case) -> Mapping[int, str]:
    """Return the seats to which a turn is owed, the oldest debt first, each with its kind: ``returned`` by a
    supervisor who corrected a slip of the hand, or ``makeup`` where skipped turns are made up (S7-2 off)."""
    makes_up = not case.is_on(RuleCode.NO_MAKEUP)
    owed: list[tuple[int, str]] = []
    for row in sorted(case.line.ledger, key=lambda row: row.number):
        if row.seat_id is None:
            continue
        if row.kind is TurnKind.RETURNED:
            owed.append((row.seat_id, "returned"))
        elif row.kind is TurnKind.SKIPPED and makes_up and row.rule == RuleCode.SKIP:
            owed.append((row.seat_id, "makeup"))
        elif row.kind is TurnKind.MAKEUP:
            paid = next((each for each in owed if each[0] == row.seat_id), None)
            if paid is not None:
                owed.remove(paid)
    first: dict[int, str] = {}
    for seat_id, kind in owed:
        first.setdefault(seat_id, kind)
    return first


def _hindrance(case: Case, seat: Seat) -> str | None:
    """Return why a seat cannot be called for this visit, a key of ``SENTENCES``; None if it can."""
    person = case.line.people[seat.person_id]
    if person.presence is not Presence.HERE:
        return person.presence.value
    if seat.scope and case.visit.items and not seat.scope & case.visit.items:
        return "scope"
    return "passed" if person.id in case.unanswered else None


def rotate(case: Case, reason: Reason) -> Step:
    """Give the turn to the seat that is owed one, else to the next by office order that can be called."""
    why, by_id = [reason], {seat.id: seat for seat in case.line.seats}
    for seat_id, kind in debts(case).items():
        seat = by_id.get(seat_id)
        if seat is not None and _hindrance(case, seat) is None:
            person = case.line.people[seat.person_id]
            why.append(Reason(RuleCode.NO_MAKEUP, kind, _named(person, seat)))
            return Step(Choice(person.id, TurnKind.MAKEUP, RuleCode.NO_MAKEUP, seat), tuple(why))
    turn = pointer(case)
    why.append(
        Reason(RuleCode.CARRY_OVER, "first_turn")
        if turn is None
        else Reason(RuleCode.CARRY_OVER, "after", {"order": str(turn.order)})
    )
    passed: list[Seat] = []
    for seat in office_order(case):
        person = case.line.people[seat.person_id]
        hindered = _hindrance(case, seat)
        if hindered is None:
            why.append(Reason(RuleCode.OFFICE_ORDER, "turn", _named(person, seat)))
            chosen = Choice(person.id, TurnKind.NORMAL, RuleCode.OFFICE_ORDER, seat, passed=tuple(passed))
            return Step(chosen, tuple(why))
        why.append(Reason(RuleCode.OFFICE_ORDER, hindered, _named(person, seat)))
        if hindered == "passed":
            passed.append(seat)
    if passed:
        return _supervisor(case, RuleCode.SKIP, (*why, Reason(RuleCode.SKIP, "all_skipped")))
    return Step(None, (*why, Reason(RuleCode.OFFICE_ORDER, "nobody")), is_final=True)


# --- what happens to a call -----------------------------------------------------------------------------------------

#: So long nobody is skipped by itself where the rule is off.
NEVER = timedelta(days=30)


def answer_by(rules: Mapping[RuleCode, Rule], called_at: datetime) -> datetime:
    """R-S2-10: until when a call must be answered; then the turn passes on."""
    rule = rules.get(RuleCode.SKIP)
    if rule is None or not rule.is_on or rule.minutes is None:
        return called_at + NEVER
    return called_at + timedelta(minutes=rule.minutes)


def needs_consent(case: Case, choice: Choice) -> bool:
    """R-S2-7: who is chosen is called and must accept, unless the case was entered directly."""
    return not choice.is_settled and case.is_on(RuleCode.CONSENT)


def may_see_items(state: AssignmentState) -> bool:
    """R-S2-9: a consultant learns the item asked about once she has accepted."""
    return state in (AssignmentState.ACCEPTED, AssignmentState.IN_ROOM, AssignmentState.DONE)


def takes_part(seats: Iterable[int], employee_id: int | None) -> bool:
    """R-S2-9: say whether somebody who wants to work the triage sits in one of its lines, which she may not.

    ``seats``: the employees who have a seat.
    """
    return employee_id is not None and employee_id in set(seats)


def on_the_sheet(ledger: Iterable[Row], day: date) -> Iterator[Row]:
    """R-S2-8: the rows of the day's 分诊表, in their order."""
    yield from sorted((row for row in ledger if row.day == day), key=lambda row: row.number)
