"""Who is called, by the SOP: the decision table of S2, S3 and S7, and the rotation's fairness over any history."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from app.models.reception import Favour, VisitType
from app.models.triage import AssignmentState, LineKind, RuleCode, TurnKind
from app.services.triage import rules as triage
from app.services.triage.facts import Case, Choice, Line, NoOne, Person, Presence, Row, Seat, VisitFacts
from app.services.triage.sentences import RULES, SENTENCES

TODAY = date(2026, 11, 23)
NOON, EVENING, BOUNDARY, BEFORE = time(12, 0), time(18, 0), time(17, 30), time(17, 29, 59)
EYES, TEETH = 1, 2
#: The line of the table: four offices, A to D; F is a partner without a seat, S the supervisor, L has left.
A, B, C, D, F, S, L = 1, 2, 3, 4, 6, 9, 8
NAMES = {A: "A", B: "B", C: "C", D: "D", F: "F", S: "S", L: "L"}


def case(
    *,
    last: int | None = None,
    day: date = TODAY,
    clock: time = NOON,
    away: dict[int, Presence] | None = None,
    busy: tuple[int, ...] = (),
    skipped: tuple[int, ...] = (),
    rows: tuple[Row, ...] = (),
    off: tuple[RuleCode, ...] = (),
    kind: LineKind = LineKind.CONSULTANT,
    seats: tuple[int, ...] = (A, B, C, D),
    designated: tuple[int, ...] = (B,),
    scope: dict[int, frozenset[int]] | None = None,
    evening: tuple[int, ...] = (),
    supervisor: int | None = S,
    partners: dict[int, int] | None = None,
    successors: dict[int, int] | None = None,
    **visit: Any,
) -> Case:
    """Make a case; ``last`` is the seat of the last normal turn, ``skipped`` did not answer for this visit."""
    people = {
        key: Person(
            key,
            name,
            (away or {}).get(key, Presence.GONE if key == L else Presence.HERE),
            key in busy,
            (partners or {}).get(key),
            (successors or {}).get(key),
        )
        for key, name in NAMES.items()
    }
    ledger: list[Row] = []
    if last is not None:
        ledger.append(Row(1, TurnKind.NORMAL, 900, last, day, last, last))
    ledger += [Row(10 + n, TurnKind.SKIPPED, 1, key, TODAY, key, key, RuleCode.SKIP) for n, key in enumerate(skipped)]
    line = Line(
        kind,
        tuple(Seat(key, key, key, (scope or {}).get(key, frozenset()), key in designated) for key in seats),
        people,
        (*ledger, *rows),
        supervisor,
        evening,
    )
    rules = {code: replace(one, is_on=code not in off) for code, one in triage.sop().items()}
    return Case(VisitFacts(1, **visit), line, rules, datetime.combine(TODAY, clock))


def again(owner: int | None = A, visit_type: VisitType = VisitType.RETURN, **more: Any) -> dict[str, Any]:
    return {"visit_type": visit_type, "owner_id": owner, **more}


YESTERDAY = date(2026, 11, 22)
OFF, BREAK, GONE = Presence.OFF, Presence.BREAK, Presence.GONE
ALL_OFF = dict.fromkeys((A, B, C, D), OFF)
K = TurnKind
RETURNED = Row(20, K.RETURNED, 901, C, TODAY, C, C)
MADE_UP = Row(21, K.MAKEUP, 902, C, TODAY, C, C)
MISSED = Row(20, K.SKIPPED, 901, D, TODAY, D, D, RuleCode.SKIP)
DUTY = Row(22, K.DUTY, 903, C, TODAY, C, C)

#: (rule of the white paper, what is told, who is called, how); None: nobody.
TABLE: list[tuple[str, dict[str, Any], int | None, TurnKind | None]] = [
    ("R-S2-1 the first office begins", {}, A, K.NORMAL),
    ("R-S2-1 the next after the last", {"last": A}, B, K.NORMAL),
    ("R-S2-1 round after the last office", {"last": D}, A, K.NORMAL),
    ("R-S2-1 surgeons rotate in their own line", {"kind": LineKind.SURGEON, "last": B}, C, K.NORMAL),
    ("R-S2-1 a first visit rotates although she has an owner", {"owner_id": A, "last": A}, B, K.NORMAL),
    ("R-S2-2 referred, asks for a doctor", {"is_referred": True, "asks_for_id": D}, D, K.NAMED),
    ("R-S2-2 a busy one is called all the same", {"is_referred": True, "asks_for_id": D, "busy": (D,)}, D, K.NAMED),
    ("R-S2-2 asks, but is not referred", {"asks_for_id": D}, A, K.NORMAL),
    ("R-S2-2 whom she asks for is off", {"is_referred": True, "asks_for_id": D, "away": {D: OFF}}, A, K.NORMAL),
    ("R-S2-2 who did not answer", {"is_referred": True, "asks_for_id": D, "skipped": (D,)}, A, K.NORMAL),
    ("R-S2-2 asks for somebody of another line", {"is_referred": True, "asks_for_id": F}, A, K.NORMAL),
    ("R-S2-2 referred without a wish rotates", {"is_referred": True, "last": B}, C, K.NORMAL),
    ("R-S2-2 of the market department: the designated", {"is_market": True, "asks_for_id": D}, B, K.DESIGNATED),
    ("R-S2-3 a friend who pays rotates", {"favour": Favour.PAID, "last": C}, D, K.NORMAL),
    ("R-S2-3 a friend with free surgery: the supervisor", {"favour": Favour.FREE, "last": C}, S, K.SUPERVISOR),
    ("R-S2-3 free surgery without a supervisor", {"favour": Favour.FREE, "supervisor": None}, None, None),
    ("R-S2-3 free surgery comes before the market", {"favour": Favour.FREE, "is_market": True}, S, K.SUPERVISOR),
    ("R-S2-4 from the dental department: rotates", {"is_from_dental": True, "last": B}, C, K.NORMAL),
    ("R-S2-5 oral surgery in its own line", {"kind": LineKind.DENTAL, "last": A}, B, K.NORMAL),
    ("R-S2-6 market: the designated consultant", {"is_market": True, "last": C}, B, K.DESIGNATED),
    ("R-S2-6 the second designated if the first is busy",
     {"is_market": True, "designated": (B, D), "busy": (B,)}, D, K.DESIGNATED),
    ("R-S2-6 designated busy: the supervisor", {"is_market": True, "busy": (B,)}, S, K.SUPERVISOR),
    ("R-S2-6 designated off: the supervisor", {"is_market": True, "away": {B: OFF}}, S, K.SUPERVISOR),
    ("R-S2-6 designated skipped: the supervisor", {"is_market": True, "skipped": (B,)}, S, K.SUPERVISOR),
    ("R-S2-6 nobody designated: the supervisor", {"is_market": True, "designated": ()}, S, K.SUPERVISOR),
    ("R-S2-6 no supervisor either: nobody", {"is_market": True, "designated": (), "supervisor": None}, None, None),
    ("R-S2-6 surgeons are not designated", {"is_market": True, "kind": LineKind.SURGEON}, A, K.NORMAL),
    ("R-S2-6 switched off: rotates", {"is_market": True, "off": (RuleCode.MARKET,)}, A, K.NORMAL),
    ("R-S2-10 who was skipped is not called again", {"skipped": (A,)}, B, K.NORMAL),
    ("R-S2-10 all were skipped: the supervisor", {"skipped": (A, B, C, D)}, S, K.SUPERVISOR),
    ("R-S2-10 all on duty skipped, the others off",
     {"skipped": (A, B), "away": {C: OFF, D: OFF}}, S, K.SUPERVISOR),
    ("R-S2-10 the supervisor was skipped too", {"skipped": (A, B, C, D, S)}, None, None),
    ("S3 return: her own consultant", again(), A, K.OWNER),
    ("S3 buys again: her own consultant", again(B, VisitType.REPEAT_PURCHASE), B, K.OWNER),
    ("S3 recheck: her own consultant", again(C, VisitType.RECHECK), C, K.OWNER),
    ("S3 complaint: her own consultant", again(D, VisitType.DISPUTE), D, K.OWNER),
    ("S3 owner busy: the partner", again(busy=(A,), partners={A: F}), F, K.PARTNER),
    ("S3 owner on leave: the partner", again(away={A: OFF}, partners={A: F}), F, K.PARTNER),
    ("S3 owner did not answer: the partner", again(skipped=(A,), partners={A: F}), F, K.PARTNER),
    ("S3 partner busy too: the supervisor", again(busy=(A, F), partners={A: F}), S, K.SUPERVISOR),
    ("S3 no partner: the supervisor", again(busy=(A,)), S, K.SUPERVISOR),
    ("S3 owner gone: the successor", again(L, successors={L: C}), C, K.SUCCESSOR),
    ("S3 successor gone too: hers",
     again(L, away={L: GONE, C: GONE}, successors={L: C, C: D}), D, K.SUCCESSOR),
    ("S3 successor busy: her partner", again(L, successors={L: C}, partners={C: F}, busy=(C,)), F, K.PARTNER),
    ("S3 owner gone, no successor: rotates", again(L, last=A), B, K.NORMAL),
    ("S3 comes again and is nobody's: rotates", again(None, last=A), B, K.NORMAL),
    ("S3 surgeons have no owner: rotate", again(A, kind=LineKind.SURGEON, last=A), B, K.NORMAL),
    ("S7 who is off is passed over", {"last": A, "away": {B: OFF}}, C, K.NORMAL),
    ("S7 who is on a break is passed over", {"last": A, "away": {B: BREAK}}, C, K.NORMAL),
    ("S7 who left is passed over", {"last": A, "away": {B: GONE}}, C, K.NORMAL),
    ("S7 out of scope is passed over",
     {"last": A, "items": frozenset({EYES}), "scope": {B: frozenset({TEETH})}}, C, K.NORMAL),
    ("S7 nothing asked about yet: nobody is out of scope",
     {"last": A, "scope": {B: frozenset({TEETH})}}, B, K.NORMAL),
    ("S7 nobody on duty", {"away": ALL_OFF}, None, None),
    ("S7 one on duty has every turn", {"last": B, "away": {**ALL_OFF, B: Presence.HERE}}, B, K.NORMAL),
    ("S7 a skipped turn is not made up", {"last": D, "rows": (MISSED,)}, A, K.NORMAL),
    ("S7 made up where a branch wants it", {"last": D, "rows": (MISSED,), "off": (RuleCode.NO_MAKEUP,)}, D, K.MAKEUP),
    ("S7 a turn given back comes first", {"last": D, "rows": (RETURNED,)}, C, K.MAKEUP),
    ("S7 made up once", {"last": D, "rows": (RETURNED, MADE_UP)}, A, K.NORMAL),
    ("S7 given back to who is off waits", {"last": D, "rows": (RETURNED,), "away": {C: OFF}}, A, K.NORMAL),
    ("S7 the next day goes on with the next office", {"last": B, "day": YESTERDAY}, C, K.NORMAL),
    ("S7 carry-over switched off", {"last": B, "day": YESTERDAY, "off": (RuleCode.CARRY_OVER,)}, A, K.NORMAL),
    ("S7 a second before the day ends", {"last": A, "clock": BEFORE, "evening": (D,)}, B, K.NORMAL),
    ("S7 at half past five the evening begins", {"last": A, "clock": BOUNDARY, "evening": (D, C)}, D, K.DUTY),
    ("S7 fewest duty turns first", {"clock": EVENING, "evening": (C, D), "rows": (DUTY,)}, D, K.DUTY),
    ("S7 of the list who is here", {"clock": EVENING, "evening": (D, C), "away": {D: OFF}}, C, K.DUTY),
    ("S7 no list: the supervisor", {"clock": EVENING}, S, K.SUPERVISOR),
    ("S7 no list, no supervisor", {"clock": EVENING, "supervisor": None}, None, None),
    ("S7 an owner receives in the evening too", again(clock=EVENING, evening=(D,)), A, K.OWNER),
    ("S7 evening rule off: rotates", {"clock": EVENING, "off": (RuleCode.EVENING,), "last": A}, B, K.NORMAL),
]  # fmt: skip


@pytest.mark.parametrize(("called", "told", "who", "how"), TABLE, ids=[row[0] for row in TABLE])
def test_the_sop(called: str, told: dict[str, Any], who: int | None, how: TurnKind | None) -> None:
    decided = triage.decide(case(**told))
    if who is None:
        assert isinstance(decided, NoOne)
    else:
        assert isinstance(decided, Choice)
        assert (decided.person_id, decided.kind) == (who, how)
        assert (decided.seat.id if decided.seat else None) == (who if who in (A, B, C, D) else None)
    assert decided.why, "every decision has its reasons"
    assert all(reason.said in SENTENCES for reason in decided.why)


def test_every_rule_has_its_sentence_and_its_place() -> None:
    assert set(RULES) == set(RuleCode) == set(triage.sop())
    assert len(TABLE) >= 40


def test_the_chain_names_who_was_passed_over_and_why() -> None:
    decided = triage.decide(case(last=A, away={B: OFF, C: BREAK}))
    assert [(reason.said, reason.facts.get("name")) for reason in decided.why] == [
        ("rotates", None),
        ("after", None),
        ("off", "B"),
        ("break", "C"),
        ("turn", "D"),
    ]


def test_a_call_ends_exactly_at_the_limit_and_friends_are_not_asked() -> None:
    called = datetime(2026, 11, 23, 9, 0, 7)
    assert triage.answer_by(triage.sop(), called) == datetime(2026, 11, 23, 9, 5, 7)
    free = case(favour=Favour.FREE)
    chosen = triage.decide(free)
    assert isinstance(chosen, Choice)
    assert not triage.needs_consent(free, chosen)
    usual = triage.decide(case())
    assert isinstance(usual, Choice)
    assert triage.needs_consent(case(), usual)


def test_consultants_neither_see_the_item_before_they_accept_nor_take_part() -> None:
    assert [state for state in AssignmentState if triage.may_see_items(state)] == [
        AssignmentState.ACCEPTED,
        AssignmentState.IN_ROOM,
        AssignmentState.DONE,
    ]
    assert triage.takes_part([A, B], B)
    assert not triage.takes_part([A, B], S)


def test_the_sheet_holds_the_rows_of_the_day_in_their_order() -> None:
    rows = [RETURNED, replace(MISSED, day=YESTERDAY), replace(DUTY, number=2)]
    assert [row.number for row in triage.on_the_sheet(rows, TODAY)] == [2, 20]


# --- fairness over any history --------------------------------------------------------------------------------------


class AnyHistory(RuleBasedStateMachine):
    """Visits come, are called, skipped, accepted, taken over; people come and go. Done when 1."""

    @initialize(offices=st.integers(2, 5))
    def open(self, offices: int) -> None:
        self.seats = tuple(Seat(key, key, key) for key in range(1, offices + 1))
        self.presence = {seat.id: Presence.HERE for seat in self.seats}
        self.ledger: list[Row] = []
        self.calls: list[tuple[int, Choice]] = []
        self.visits = 0
        #: Per seat: the seats that were here all the while since its last normal turn, and had no turn since.
        self.waiting: dict[int, set[int]] = {}

    def _case(self, visit: VisitFacts) -> Case:
        people = {key: Person(key, str(key), presence) for key, presence in self.presence.items()}
        people[S] = Person(S, "S")
        line = Line(LineKind.CONSULTANT, self.seats, people, tuple(self.ledger), S)
        return Case(visit, line, triage.sop(), datetime.combine(TODAY, NOON))

    def _write(self, kind: TurnKind, visit: int, person: int, seat: Seat | None, rule: str = "") -> None:
        number = len(self.ledger) + 1
        order = seat.order if seat else None
        self.ledger.append(Row(number, kind, visit, person, TODAY, seat.id if seat else None, order, rule))
        if seat is not None and kind in (TurnKind.NORMAL, TurnKind.SKIPPED):
            for others in self.waiting.values():
                others.discard(seat.id)

    def _call(self, visit: VisitFacts) -> None:
        before = triage.pointer(self._case(visit))
        chosen = triage.decide(self._case(visit))
        if isinstance(chosen, NoOne):
            assert all(presence is not Presence.HERE for presence in self.presence.values()) or visit.id in {
                row.visit_id for row in self.ledger if row.person_id == S and row.kind is TurnKind.SKIPPED
            }
            return
        for seat in chosen.passed:
            self._write(TurnKind.SKIPPED, visit.id, seat.person_id, seat, RuleCode.OFFICE_ORDER)
        if chosen.kind is TurnKind.NORMAL:
            assert chosen.seat is not None
            starved = self.waiting.get(chosen.seat.id, set())
            assert not starved, f"seat {chosen.seat.id} has a second turn before {starved}"
        self._write(chosen.kind, visit.id, chosen.person_id, chosen.seat, chosen.rule)
        if chosen.kind is TurnKind.NORMAL and chosen.seat is not None:
            here = {key for key, presence in self.presence.items() if presence is Presence.HERE}
            self.waiting[chosen.seat.id] = here - {chosen.seat.id}
        else:
            assert triage.pointer(self._case(visit)) == before, "an exception moved the pointer"
        self.calls.append((visit.id, chosen))

    @rule()
    def first_visit(self) -> None:
        self.visits += 1
        self._call(VisitFacts(self.visits))

    @rule(data=st.data())
    def exception(self, data: st.DataObject) -> None:
        self.visits += 1
        whom = data.draw(st.sampled_from([seat.id for seat in self.seats]))
        self._call(
            data.draw(
                st.sampled_from(
                    (
                        VisitFacts(self.visits, is_referred=True, asks_for_id=whom),
                        VisitFacts(self.visits, visit_type=VisitType.RETURN, owner_id=whom),
                        VisitFacts(self.visits, is_market=True),
                        VisitFacts(self.visits, favour=Favour.FREE),
                    )
                )
            )
        )

    @precondition(lambda self: self.calls)
    @rule(data=st.data())
    def nobody_answers(self, data: st.DataObject) -> None:
        visit, chosen = self.calls.pop(data.draw(st.integers(0, len(self.calls) - 1)))
        self._write(TurnKind.SKIPPED, visit, chosen.person_id, chosen.seat, RuleCode.SKIP)
        self._call(VisitFacts(visit))

    @precondition(lambda self: self.calls)
    @rule(data=st.data())
    def accepted(self, data: st.DataObject) -> None:
        self.calls.pop(data.draw(st.integers(0, len(self.calls) - 1)))

    @rule(data=st.data(), presence=st.sampled_from((Presence.HERE, Presence.BREAK, Presence.OFF)))
    def duty_changes(self, data: st.DataObject, presence: Presence) -> None:
        whose = data.draw(st.sampled_from([seat.id for seat in self.seats]))
        self.presence[whose] = presence
        if presence is not Presence.HERE:
            for others in self.waiting.values():
                others.discard(whose)

    @invariant()
    def replays(self) -> None:
        """The ledger alone, in any order it is read, gives the same next turn."""
        if not getattr(self, "seats", None):
            return
        new = VisitFacts(10_000)
        stands = triage.decide(self._case(new))
        shuffled = replace(self._case(new).line, ledger=tuple(sorted(self.ledger, key=lambda row: -row.number)))
        assert triage.decide(replace(self._case(new), line=shuffled)) == stands


TestAnyHistory = AnyHistory.TestCase
TestAnyHistory.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
