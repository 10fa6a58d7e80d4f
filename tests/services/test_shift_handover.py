"""交接班 at the triage: who is in the house is written down, the receiver confirms. Triage SOP, F41."""

from __future__ import annotations

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from app.errors import NotPermitted, OutOfScope, Refusal
from app.models.audit import Notice
from app.models.reception import VisitState
from app.models.triage import AssignmentState, HandoverState, LineKind, RotationLine, RotationSeat, SeatDuty
from app.models.triage import ShiftHandoverVisit as Row
from app.services.triage.reference import add_triage_rules

BOARD = "/triage_board/list/"


@pytest.fixture
def triage(person):
    return person("triage")


@pytest.fixture
def other(person):
    return person("guide_supervisor")


@pytest.fixture
def in_the_house(do, guide, triage, make_customer, session, employee, item):
    """Two visits: one is being called, one waits."""
    seat = employee("onsite_consultant")
    line = RotationLine(name="现场咨询", kind=LineKind.CONSULTANT, branch_id=seat.branch_id)
    session.add(line)
    session.flush()
    session.add(
        RotationSeat(line_id=line.id, branch_id=seat.branch_id, employee_id=seat.id, office_order=1, state=SeatDuty.ON)
    )
    add_triage_rules(session)
    session.flush()
    asked = [item("appointment_item").id]
    visits = [do("visit.receive", guide, customer_id=make_customer().id, item_ids=asked).record for _one in range(2)]
    line.supervisor_id = seat.id  # whatever the hour, somebody can be called
    session.flush()
    do("triage_assignment.assign", triage, visit_id=visits[0].id, line_id=line.id)
    return visits


def rows_of(session, handover):
    session.flush()
    return session.scalars(select(Row).where(Row.handover_id == handover.id).order_by(Row.id)).all()


def test_who_is_in_the_house_is_written_down_and_the_receiver_confirms(do, triage, other, in_the_house, session, at):
    made = do("shift_handover.hand_over", triage, to_id=other.employee_id, special_cases="0002 怕疼，家属在三楼").record
    rows = rows_of(session, made)
    assert [(row.visit_id, row.visit_state, row.call_state) for row in rows] == [
        (in_the_house[0].id, VisitState.REGISTERED, AssignmentState.CALLING),
        (in_the_house[1].id, VisitState.REGISTERED, None),
    ]
    assert all(row.needs for row in rows)
    told = session.scalars(select(Notice).where(Notice.kind == "shift_handed")).one()
    assert (told.employee_id, told.facts["count"]) == (other.employee_id, "2")
    with pytest.raises(Refusal):
        do("shift_handover.confirm", triage, made)
    do("shift_handover.confirm", other, made)
    assert (made.state, made.confirmed_at) == (HandoverState.CONFIRMED, at)
    in_the_house[1].companion_count = 2
    session.flush()
    with pytest.raises(DBAPIError), session.begin_nested():
        session.execute(text("UPDATE shift_handover_visit SET needs = 'x'"))


def test_what_is_refused(do, triage, other, guide, person, in_the_house):
    for wrong in (triage.employee_id, guide.employee_id, person("b2_triage").employee_id):
        with pytest.raises((Refusal, OutOfScope)):
            do("shift_handover.hand_over", triage, to_id=wrong)
    with pytest.raises(NotPermitted):
        do("shift_handover.hand_over", guide, to_id=other.employee_id)
    made = do("shift_handover.hand_over", triage, to_id=other.employee_id).record
    with pytest.raises(Refusal):
        do("shift_handover.hand_over", triage, to_id=other.employee_id)
    with pytest.raises(Refusal):
        do("shift_handover.withdraw", other, made, reason="不是我")
    do("shift_handover.withdraw", triage, made, reason="交错人")
    assert do("shift_handover.hand_over", triage, to_id=other.employee_id).record.id != made.id
    with pytest.raises(Refusal):
        do("shift_handover.confirm", other, made)


def test_the_board_reminds_until_it_is_confirmed_and_rest_offers_the_same(
    do, triage, other, in_the_house, session, rest, login
):
    session.commit()
    call = rest("triage")
    assert call("POST", "shift_handover/hand_over", {"to_id": 10**12}).status_code in (404, 422)
    made = call("POST", "shift_handover/hand_over", {"to_id": other.employee_id, "special_cases": "无"})
    assert made.status_code == 201, made.text
    path = f"/shift_handover/show/{made.json['id']}"
    board = login("guide_supervisor")
    assert path in board.get(BOARD).text
    assert path in login("triage").get(BOARD).text
    page = board.get(path)
    assert in_the_house[1].visit_no in page.text
    assert rest("onsite_consultant")("GET", f"shift_handover/{made.json['id']}").status_code == 403
    assert rest("b2_triage")("GET", f"shift_handover/{made.json['id']}").status_code == 404
    done = rest("guide_supervisor")("POST", f"shift_handover/{made.json['id']}/confirm", {})
    assert done.status_code == 200, done.text
    assert path not in board.get(BOARD).text
