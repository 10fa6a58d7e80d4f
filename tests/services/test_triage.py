"""Triage under the lock of its line: who is called, what is written down, when a turn passes on. SM-05; S2, S3, S7."""

from __future__ import annotations

from collections.abc import Callable
from datetime import time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from app.errors import IllegalMove, NotPermitted, Refusal
from app.jobs.declared import JOBS
from app.models.audit import Notice
from app.models.hr import EmployeeState
from app.models.reception import VisitState
from app.models.triage import (
    AssignmentState,
    LineKind,
    RotationLine,
    RotationSeat,
    RotationTurn,
    RuleCode,
    SeatDuty,
    TriageAssignment,
    TriageRule,
    TurnKind,
)
from app.services.triage.reference import add_triage_rules
from app.services.triage.sentences import told
from app.services.triage.telling import rests_on, why_assignment

LIMIT = timedelta(minutes=5)
WHO = ("onsite_consultant", "doctor", "dentist")


@pytest.fixture
def line(session: Any, employee: Callable[..., Any]) -> RotationLine:
    """Three offices on duty in this order, the consulting supervisor above them; no evening, whatever the hour."""
    supervisor = employee("consulting_supervisor")
    line = RotationLine(
        name="现场咨询", kind=LineKind.CONSULTANT, branch_id=supervisor.branch_id, supervisor_id=supervisor.id
    )
    session.add(line)
    session.flush()
    session.add_all(
        RotationSeat(
            line_id=line.id, branch_id=line.branch_id, employee_id=employee(who).id, office_order=place,
            state=SeatDuty.ON,
        )
        for place, who in enumerate(WHO, start=1)
    )  # fmt: skip
    add_triage_rules(session)
    evening = select(TriageRule).where(TriageRule.code == RuleCode.EVENING, TriageRule.branch_id == line.branch_id)
    session.scalars(evening).one().is_on = False
    session.commit()
    return line


@pytest.fixture
def triage(person: Callable[..., Any]) -> Any:
    return person("triage")


@pytest.fixture
def visit(do: Callable[..., Any], guide: Any, make_customer: Callable[..., Any]) -> Callable[..., Any]:
    def receive(**values: Any) -> Any:
        return do("visit.receive", guide, customer_id=make_customer().id, **values).record

    return receive


@pytest.fixture
def assign(do: Callable[..., Any], triage: Any, line: RotationLine, visit: Callable[..., Any]) -> Callable[..., Any]:
    def go(whom: Any = None, **values: Any) -> TriageAssignment:
        whom = whom or visit()
        when = values.pop("when", None)
        return do("triage_assignment.assign", triage, when=when, visit_id=whom.id, line_id=line.id, **values).record

    return go


def ledger(session: Any, line: RotationLine) -> list[tuple[int, int | None, str]]:
    session.flush()
    rows = session.scalars(select(RotationTurn).where(RotationTurn.line_id == line.id).order_by(RotationTurn.number))
    return [(row.number, row.office_order, row.kind.value) for row in rows]


def test_turns_go_round_by_office_and_stand_in_the_ledger(assign, session, line):
    called = [assign() for _turn in range(4)]
    assert [one.seat.office_order for one in called] == [1, 2, 3, 1]
    assert ledger(session, line) == [(1, 1, "normal"), (2, 2, "normal"), (3, 3, "normal"), (4, 1, "normal")]
    assert called[0].answer_by_at == called[0].called_at + LIMIT
    assert [link["said"] for link in called[1].why] == ["rotates", "after", "turn"]
    assert len(told(called[1].why)) == 3
    assert session.query(Notice).filter_by(kind="triage_calls", employee_id=called[0].assignee_id).count() == 2


def test_from_the_call_to_the_end_the_visit_is_hers_once_she_accepts(do, assign, triage, employee, at):
    """R-S2-7, R-S2-9: before she accepts she does not see the visit."""
    call = assign()
    assert (call.visit.consultant_id, call.visit.state) == (None, VisitState.REGISTERED)
    do("triage_assignment.accept", triage, call)
    assert (call.visit.consultant_id, call.visit.state) == (employee(WHO[0]).id, VisitState.TRIAGED)
    do("triage_assignment.bring_in", triage, call)
    do("triage_assignment.finish", triage, call)
    assert (call.state, call.entered_at, call.ended_at) == (AssignmentState.DONE, at, at)
    with pytest.raises(Refusal):
        assign(call.visit)


def test_nobody_answers_and_the_turn_passes_on_exactly_at_the_limit(assign, session, line, at):
    """R-S2-10: the job is late by a minute; the skip is at the limit, the next is called from now."""
    call = assign()
    job, late = JOBS["triage.pass_on"], at + timedelta(minutes=6)
    assert job.work(session, job.slots(session, at)[-1], at + LIMIT - timedelta(seconds=1)) == ""
    assert job.work(session, job.slots(session, late)[-1], late) == "1"
    session.expire_all()
    following = session.scalars(select(TriageAssignment).where(TriageAssignment.previous_id == call.id)).one()
    assert (call.state, call.skipped_at, call.ended_at) == (AssignmentState.SKIPPED, at + LIMIT, at + LIMIT)
    assert (following.seat.office_order, following.called_at, following.sequence_no) == (2, late, 2)
    assert ledger(session, line) == [(1, 1, "normal"), (2, 1, "skipped"), (3, 2, "normal")]


def test_who_accepts_too_late_is_refused_and_the_turn_has_passed(do, assign, triage, session, at):
    call = assign()
    with pytest.raises(Refusal) as refused:
        do("triage_assignment.accept", triage, call, when=at + LIMIT)
    assert refused.value.aftermath is not None
    session.expire_all()
    assert (call.state, call.skipped_at) == (AssignmentState.SKIPPED, at + LIMIT)
    assert call.visit.consultant_id is None


def test_who_declines_is_skipped_at_once_and_all_skipped_is_the_supervisors(do, assign, triage, line, session, at):
    call = assign()
    for place in (1, 2, 3):
        assert call.seat.office_order == place
        call = do("triage_assignment.skip", triage, call, reason="正在接诊").result
    assert (call.method, call.assignee_id) == (TurnKind.SUPERVISOR, line.supervisor_id)
    assert do("triage_assignment.skip", triage, call, reason="也不在").result is None
    assert assign().seat.office_order == 1, "a skipped turn is not made up, and the pointer stands where it stood"


def test_a_turn_that_moved_on_since_it_was_proposed_is_not_given_unseen(assign, employee, visit):
    waiting = visit()
    assign()
    with pytest.raises(Refusal) as refused:
        assign(waiting, expected_id=employee(WHO[0]).id)
    assert refused.value.field == "expected_id"
    assert employee(WHO[1]).name in refused.value.sentence
    assert assign(waiting, expected_id=employee(WHO[1]).id).seat.office_order == 2


def test_two_nurses_confirm_the_same_visit(assign, visit):
    waiting = visit()
    assign(waiting)
    with pytest.raises(Refusal):
        assign(waiting)


def test_nobody_on_duty_is_said_and_a_break_is_not_off(do, assign, triage, session, line):
    seats = session.scalars(
        select(RotationSeat).where(RotationSeat.line_id == line.id).order_by(RotationSeat.office_order)
    ).all()
    do("rotation_seat.pause", triage, seats[0])
    do("rotation_seat.go_off", triage, seats[1])
    call = assign()
    assert [link["said"] for link in call.why] == ["rotates", "first_turn", "break", "off", "turn"]
    do("rotation_seat.go_off", triage, seats[2])
    with pytest.raises(Refusal) as refused:
        assign()
    assert refused.value.field == "line_id"
    do("rotation_seat.come_on", triage, seats[0])
    assert assign().seat.office_order == 1


def test_a_slip_of_the_hand_is_put_right_by_a_supervisor(do, assign, triage, person, employee, session, line):
    call = assign()
    with pytest.raises(NotPermitted):
        do("triage_assignment.reassign", triage, call, employee_id=employee(WHO[2]).id, gives_back=True, reason="错")
    boss = person("guide_supervisor")
    do("triage_assignment.accept", triage, call)
    other = do(
        "triage_assignment.reassign", boss, call, employee_id=employee(WHO[2]).id, gives_back=True, reason="点错人了"
    ).result
    assert (call.state, other.assignee_id, call.visit.state) == (
        AssignmentState.REASSIGNED,
        employee(WHO[2]).id,
        VisitState.REGISTERED,
    )
    again = assign()
    assert (again.seat.office_order, again.method) == (1, TurnKind.MAKEUP)
    assert assign().seat.office_order == 2
    assert [kind for _number, _order, kind in ledger(session, line)] == [
        "normal", "returned", "supervisor", "makeup", "normal",
    ]  # fmt: skip


def test_who_leaves_unseen_ends_the_visit_and_the_turn_is_owed(do, assign, triage):
    call = assign()
    do("triage_assignment.leave_unseen", triage, call, reason="等太久")
    assert (call.visit.state, call.state) == (VisitState.CANCELLED, AssignmentState.UNSEEN)
    assert assign().seat.office_order == 1


def test_her_own_consultant_comes_before_the_rotation_and_moves_no_turn(assign, visit, employee, session, at):
    """S3, and the partner where the owner is busy."""
    waiting = visit()
    owner, partner = employee(WHO[2]), employee(WHO[1])
    owner.partner_employee_id = partner.id
    waiting.customer.owner_consultant_id = owner.id
    waiting.visit_type = "return"
    session.flush()
    call = assign(waiting)
    assert (call.method, call.assignee_id) == (TurnKind.OWNER, owner.id)
    second = visit()
    second.customer.owner_consultant_id, second.visit_type = owner.id, "return"
    session.flush()
    assert assign(second).method is TurnKind.PARTNER
    assert assign().seat.office_order == 1
    owner.successor_employee_id, owner.left_at, owner.state = partner.id, at, EmployeeState.LEFT
    third = visit()
    third.customer.owner_consultant_id, third.visit_type = owner.id, "dispute"
    session.flush()
    assert assign(third).rule in (RuleCode.SUCCESSOR.value, RuleCode.PARTNER.value)


def test_who_sits_in_a_line_does_not_take_part_and_sees_nothing_before_she_accepts(
    do, assign, person, visit, line, rest, triage, session
):
    """R-S2-9."""
    call, consultant = assign(), person(WHO[0])
    with pytest.raises(NotPermitted):
        do("triage_assignment.assign", consultant, visit_id=visit().id, line_id=line.id)
    session.commit()
    asks = rest(WHO[0])
    assert asks("GET", f"triage_assignment/{call.id}").status_code == 200
    assert asks("GET", f"visit/{call.visit_id}").status_code == 404
    assert asks("POST", f"triage_assignment/{call.id}/accept", {}).status_code == 200
    assert asks("GET", f"visit/{call.visit_id}").status_code == 200


def test_a_branch_changes_its_limit_and_the_ledger_never_changes(do, assign, session, line, at):
    rule = session.scalars(
        select(TriageRule).where(TriageRule.code == RuleCode.SKIP, TriageRule.branch_id == line.branch_id)
    ).one()
    rule.minutes = 3
    session.flush()
    call = assign()
    assert call.answer_by_at == at + timedelta(minutes=3)
    for change in ("UPDATE rotation_turn SET kind = 'named', consumes = false", "DELETE FROM rotation_turn"):
        with pytest.raises(DBAPIError), session.begin_nested():
            session.execute(text(change))
    with pytest.raises(DBAPIError), session.begin_nested():
        session.execute(text("UPDATE triage_assignment SET state='skipped', skipped_at=answer_by_at + interval '1 s'"))


def test_a_second_call_on_a_call_that_ended_is_refused(do, assign, triage):
    call = assign()
    do("triage_assignment.accept", triage, call)
    with pytest.raises(IllegalMove):
        do("triage_assignment.accept", triage, call)


def test_evenings_follow_the_duty_list_and_move_no_turn(assign, session, line, at):
    """S7: whatever the hour of the test, the day ended at midnight."""
    rule = session.scalars(
        select(TriageRule).where(TriageRule.code == RuleCode.EVENING, TriageRule.branch_id == line.branch_id)
    ).one()
    rule.is_on, rule.day_ends_at = True, time(0)
    session.flush()
    call = assign()
    assert (call.method, call.assignee_id) == (TurnKind.SUPERVISOR, line.supervisor_id)
    assert not session.scalars(select(RotationTurn).where(RotationTurn.consumes)).all()


def test_rest_assigns_and_tells_why(rest, visit, line, session):
    waiting = visit()
    session.commit()
    call = rest("triage")
    made = call("POST", "triage_assignment/assign", {"visit_id": waiting.id, "line_id": line.id})
    assert made.status_code == 201, made.text
    assert call("POST", "triage_assignment/assign", {"visit_id": waiting.id, "line_id": line.id}).status_code == 409
    assert call("POST", "triage_assignment/assign", {"visit_id": 10**9, "line_id": line.id}).status_code == 422
    assert rest("guide")("POST", "triage_assignment/assign", {}).status_code == 403


# --- bad luck ------------------------------------------------------------------------------------------------------


def test_a_seat_that_goes_off_duty_while_called_keeps_its_call_to_the_limit_and_gets_no_further_one(
    do, assign, triage, session, line, at
):
    call = assign()
    do("rotation_seat.go_off", triage, call.seat)
    assert (call.state, call.answer_by_at) == (AssignmentState.CALLING, at + LIMIT)
    assert [assign().seat.office_order for _turn in range(3)] == [2, 3, 2]
    job, late = JOBS["triage.pass_on"], at + LIMIT
    job.work(session, job.slots(session, late)[-1], late)
    session.expire_all()
    following = session.scalars(select(TriageAssignment).where(TriageAssignment.previous_id == call.id)).one()
    assert (call.skipped_at, following.seat.office_order) == (late, 3)
    do("rotation_seat.come_on", triage, call.seat)
    assert assign().seat.office_order == 1


def test_the_day_ends_between_the_proposal_and_its_confirmation(assign, employee, session, line, visit, at):
    """S7: who was proposed by rotation is not called after the day's end; nothing is written, and the nurse is told."""
    rule = session.scalars(
        select(TriageRule).where(TriageRule.code == RuleCode.EVENING, TriageRule.branch_id == line.branch_id)
    ).one()
    rule.is_on, rule.day_ends_at = True, time(17, 30)
    session.flush()
    end = at.astimezone(ZoneInfo("Asia/Shanghai")).replace(hour=17, minute=30, second=0)
    waiting, proposed = visit(), employee(WHO[0])
    with pytest.raises(Refusal) as refused:
        assign(waiting, expected_id=proposed.id, when=end)
    assert refused.value.field == "expected_id"
    assert employee("consulting_supervisor").name in refused.value.sentence
    assert ledger(session, line) == []
    assert assign(waiting, expected_id=proposed.id, when=end - timedelta(seconds=1)).assignee_id == proposed.id


def test_a_complaint_goes_to_the_supervisor_as_a_note_on_the_turn(assign, rest, login, line, session, employee):
    """R-S2-9: never at the desk; the supervisor is told and finds it in a list, the consultant reads why."""
    call = assign()
    session.commit()
    hers, others = rest(WHO[0]), rest(WHO[1])
    path = f"triage_assignment/{call.id}/complain"
    assert hers("POST", path, {}).status_code == 422
    assert others("POST", path, {"complaint": "轮到我了"}).status_code in (403, 404)
    assert hers("POST", path, {"complaint": "本来轮到我"}).status_code == 200
    told = session.scalars(select(Notice).where(Notice.kind == "turn_complaint")).one()
    assert (told.employee_id, told.facts["note"]) == (line.supervisor_id, "本来轮到我")
    boss = login("consulting_supervisor")
    assert call.visit.visit_no in boss.get("/triage_assignment/list/?tab=complaints").text
    assert "本来轮到我" in boss.get(f"/triage_assignment/show/{call.id}").text
    assert rest("guide")("POST", path, {"complaint": "替她说"}).status_code == 403


# --- why -----------------------------------------------------------------------------------------------------------


def test_why_is_answered_to_her_who_was_skipped_in_her_language_and_with_the_rows_it_rests_on(
    do, assign, triage, rest, login, visit, item, session, line, employee
):
    """“Why was I skipped?”: sentences, the rule, the rows; nothing of what was asked about (R-S2-9)."""
    asked = item("appointment_item")
    assign()
    call = assign(visit(item_ids=[asked.id]))
    do("triage_assignment.skip", triage, call, reason="正在手术")
    session.commit()
    assert call.assignee_id == employee(WHO[1]).id
    why = why_assignment(session, call)
    assert any("正在手术" in sentence for sentence in why)
    assert [(row.number, row.kind.value) for row in rests_on(session, call)] == [
        (1, "normal"), (2, "normal"), (3, "skipped"), (4, "normal"),
    ]  # fmt: skip
    told = rest("triage")("GET", f"triage_assignment/{call.id}").json["result"]["why_told"]
    assert told["rules"] == ["R-S2-1", "S7-3", "S7-1"]
    assert [row["number"] for row in told["rows"]] == [1, 2, 3, 4]
    assert len(told["sentences"]) == len(why)
    skipped = session.scalars(select(RotationTurn).where(RotationTurn.kind == TurnKind.SKIPPED)).one()
    mine = login("triage").get(f"/rotation_turn/show/{skipped.id}")
    assert "正在手术" in mine.text.partition('id="tab-why"')[2].partition("</section>")[0]


def test_a_consultant_reads_why_she_was_skipped_herself(do, assign, triage, rest, login, visit, item, session, at):
    asked = item("appointment_item")
    call = assign(visit(item_ids=[asked.id]))
    do("triage_assignment.skip", triage, call, reason="没有接电话")
    session.commit()
    page = login(WHO[0]).get(f"/triage_assignment/show/{call.id}")
    assert page.status_code == 200
    assert "没有接电话" in page.text.partition('id="tab-why"')[2]
    told = rest(WHO[0])("GET", f"triage_assignment/{call.id}")
    assert any("没有接电话" in sentence for sentence in told.json["result"]["why_told"]["sentences"])
    assert asked.name not in page.text + told.text
    assert login("onsite_consultant_2").get(f"/triage_assignment/show/{call.id}").status_code == 404
