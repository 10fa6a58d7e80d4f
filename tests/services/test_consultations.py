"""A consultation from the first word to the last, and how a customer leaves. 2.4, 2.23; SM-04, SM-05, S8."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from app.acts import REGISTRY
from app.errors import IllegalMove, InvalidInput, NotPermitted, OutOfScope, Refusal, Warned
from app.models.appointments import SlipState
from app.models.base import column_names
from app.models.consultation import Consultation, ConsultationState
from app.models.customers import CustomerOwnerHistory, OwnerRule
from app.models.followup import FollowupPlan, PlanState
from app.models.reception import CardType, ClosingChecklist, CustomerCard, ServiceDesk, Visit, VisitState, VisitType
from app.models.settings import Param
from app.models.triage import (
    AssignmentState,
    LineKind,
    RotationLine,
    RotationSeat,
    RuleCode,
    SeatDuty,
    TriageAssignment,
    TriageRule,
)
from app.reports.contact_daily import ContactDaily
from app.services.consultation.concluding import Concluding
from app.services.consultation.history import history_of
from app.services.guard import reading_as
from app.services.hr.holdings import held_by
from app.services.reception.leaving import EXIT_LINES
from app.services.settings import items_in_use
from app.services.triage.reference import add_triage_rules

V, O, A = VisitState, ConsultationState, AssignmentState  # noqa: E741


@pytest.fixture
def line(session: Any, employee: Callable[..., Any]) -> RotationLine:
    """One consultant on duty; no evening, whatever the hour."""
    boss, consultant = employee("consulting_supervisor"), employee("onsite_consultant")
    line = RotationLine(name="咨询", kind=LineKind.CONSULTANT, branch_id=boss.branch_id, supervisor_id=boss.id)
    session.add(line)
    session.flush()
    session.add(
        RotationSeat(
            line_id=line.id, branch_id=line.branch_id, employee_id=consultant.id, office_order=1, state=SeatDuty.ON
        )
    )
    add_triage_rules(session)
    for rule in session.scalars(select(TriageRule).where(TriageRule.code == RuleCode.EVENING)):
        rule.is_on = False
    session.commit()
    return line


@pytest.fixture
def onsite(person: Callable[..., Any]) -> Any:
    return person("onsite_consultant")


@pytest.fixture
def accepted(do: Callable[..., Any], guide: Any, person: Any, line: Any, make_customer: Any, item: Any) -> Any:
    """A visit that the consultant accepted, about one item unless others are named."""
    triage = person("triage")

    def make(**values: Any) -> Visit:
        if "appointment_slip_id" not in values:
            values.setdefault("customer_id", make_customer().id)
        values.setdefault("item_ids", [item("appointment_item").id])
        visit = do("visit.receive", guide, **values).record
        call = do("triage_assignment.assign", triage, visit_id=visit.id, line_id=line.id).record
        if call.state is A.CALLING:
            do("triage_assignment.accept", triage, call)
        return visit

    return make


@pytest.fixture
def begun(do: Callable[..., Any], onsite: Any, accepted: Any) -> Callable[..., Consultation]:
    return lambda **values: do("visit.start", onsite, accepted(**values)).result


@pytest.fixture
def conclude(do: Callable[..., Any], onsite: Any, item: Any) -> Callable[..., Any]:
    def go(consultation: Consultation, outcome: ConsultationState = O.DEAL, **values: Any) -> Any:
        if outcome is O.NO_DEAL:
            values.setdefault("failure_reason_id", item("failure_reason", "price").id)
        values.setdefault("item_ids", consultation.item_ids)
        return do("consultation.conclude", onsite, consultation, outcome=outcome, **values)

    return go


def assignment_of(session: Any, visit: Visit) -> TriageAssignment:
    return session.scalars(select(TriageAssignment).where(TriageAssignment.visit_id == visit.id)).one()


# --- 2.4 ----------------------------------------------------------------------------------------------------------


def test_beginning_brings_her_in_takes_her_item_over_and_makes_her_hers(
    do, onsite, accepted, session, at, make_customer
):
    """SM-04, SM-05; 首诊制: whom nobody advises is hers who receives her first, and the history says by what rule."""
    visit = accepted()
    begun = do("visit.start", onsite, visit).result
    assert (visit.state, begun.state, begun.started_at) == (V.IN_CONSULTATION, O.OPEN, at)
    assert begun.item_ids == visit.item_ids
    mine = assignment_of(session, visit)
    assert (mine.state, mine.entered_at, begun.assignment_id) == (A.IN_ROOM, at, mine.id)
    assert visit.customer.owner_consultant_id == onsite.employee_id
    last = select(CustomerOwnerHistory).where(CustomerOwnerHistory.customer_id == visit.customer_id)
    assert session.scalars(last.order_by(CustomerOwnerHistory.id.desc())).first().rule is OwnerRule.RECEIVED
    with pytest.raises(IllegalMove):
        do("visit.start", onsite, visit)


def test_a_customer_who_is_advised_stays_whose_she_was(do, onsite, accepted, employee, session):
    visit = accepted()
    visit.customer.owner_consultant_id = employee("consulting_supervisor").id
    session.flush()
    do("visit.start", onsite, visit)
    assert visit.customer.owner_consultant_id == employee("consulting_supervisor").id


def test_nobody_begins_before_she_accepted_nor_for_another(do, onsite, person, accepted, guide, make_customer):
    """R-2.4-2: before triage is done she neither sees the visit nor begins it."""
    waiting = do("visit.receive", guide, customer_id=make_customer().id).record
    with pytest.raises(OutOfScope):
        do("visit.start", onsite, waiting)
    visit = accepted()
    with pytest.raises(Refusal):
        do("visit.start", person("consulting_supervisor"), visit)
    with pytest.raises(NotPermitted):
        do("visit.start", guide, visit)


def test_one_item_unless_the_setting_says_otherwise(do, onsite, accepted, begun, conclude, session, at, item):
    """R-2.4-1; of several items of a visit one is chosen, an item is replaced and never taken out."""
    first, second = (key for key, _label in items_in_use(session, "appointment_item")[:2])
    begun = begun(item_ids=[first, second])
    assert begun.item_ids == []
    with pytest.raises(InvalidInput):
        conclude(begun)
    with pytest.raises(InvalidInput):
        do("consultation.note", onsite, begun, item_ids=[first, second])
    do("consultation.note", onsite, begun, item_ids=[first], need_text="想做双眼皮", budget=Decimal("8000"))
    do("consultation.note", onsite, begun, item_ids=[second], need_text="还想看看鼻子")
    assert (begun.item_ids, begun.need_text, len(begun.item_links)) == ([second], "还想看看鼻子", 1)
    with pytest.raises(InvalidInput):
        do("consultation.note", onsite, begun, item_ids=[])
    session.add(Param(key="consultation.one_item", branch_id=None, value="no", effective_at=at - timedelta(days=1)))
    session.flush()
    do("consultation.note", onsite, begun, item_ids=[first, second])
    assert sorted(begun.item_ids) == sorted([first, second])


@pytest.mark.parametrize(
    ("outcome", "visit_type", "values", "ends", "refused"),
    [
        (O.DEAL, VisitType.FIRST, {}, V.DEAL, None),
        (O.NO_DEAL, VisitType.FIRST, {}, V.NO_DEAL, None),
        (O.SERVED, VisitType.RECHECK, {}, V.SERVED, None),
        (O.SERVED, VisitType.DISPUTE, {}, V.SERVED, None),
        (O.SERVED, VisitType.FIRST, {}, None, "outcome"),
        (O.SERVED, VisitType.RETURN, {"is_paid": True}, V.SERVED, None),
        (O.DEAL, VisitType.REPEAT_PURCHASE, {"item_ids": []}, V.DEAL, "item_ids"),
    ],
)
def test_each_outcome_ends_visit_assignment_and_slip(
    begun, conclude, make_slip, session, at, outcome, visit_type, values, ends, refused
):
    """SM-02, SM-04, SM-05, U27: the decision table of the end."""
    slip = make_slip(appointed_at=at)
    begun = begun(appointment_slip_id=slip.id, visit_type=visit_type)
    if refused is not None:
        with pytest.raises((Refusal, InvalidInput)) as said:
            conclude(begun, outcome, **values)
        assert refused in (getattr(said.value, "field", None), *getattr(said.value, "errors", {}))
        session.expire_all()
        assert (begun.state, begun.visit.state, slip.state) == (O.OPEN, V.IN_CONSULTATION, SlipState.ARRIVED)
        return
    conclude(begun, outcome, **values)
    session.expire_all()
    assert (begun.state, begun.visit.state, begun.ended_at) == (outcome, ends, at)
    assert (begun.assignment.state, begun.assignment.ended_at) == (A.DONE, at)
    assert (slip.state, slip.completed_at) == (SlipState.COMPLETED, at)


def test_no_deal_has_its_reason_and_plans_the_return_calls(do, onsite, begun, conclude, session, item):
    """R-2.4-3: at 1, 3, 7 and 30 days, by the consultant, approved already; a deal plans none."""
    first, second = begun(), begun()
    with pytest.raises(InvalidInput):
        do("consultation.conclude", onsite, first, inputs={"outcome": "no_deal"})
    reason = str(item("failure_reason", "price").id)
    with pytest.raises(InvalidInput):
        do("consultation.conclude", onsite, first, inputs={"outcome": "deal", "failure_reason_id": reason})
    answer = conclude(first, O.NO_DEAL)
    plans = session.scalars(
        select(FollowupPlan).where(FollowupPlan.occasion.startswith(f"consultation:{first.id}"))
    ).all()
    assert [plan.category.code for plan in plans] == ["no_deal"] * 4
    assert {(plan.state, plan.executor_id) for plan in plans} == {(PlanState.APPROVED, onsite.employee_id)}
    assert "4" in answer.notice
    conclude(second)
    assert session.query(FollowupPlan).filter(FollowupPlan.customer_id == second.customer.id).count() == 0


def test_nothing_medical_stands_in_a_consultation(begun):
    """R-2.4-4: neither a column nor an input asks for advice, diagnosis or consent."""
    asked = {*column_names(Consultation), *(name for name in dir(Concluding) if not name.startswith("_"))}
    assert not [name for name in asked if any(word in name for word in ("diagnos", "medic", "allerg", "prescri"))]


def test_a_visit_given_to_another_in_the_middle_is_taken_over(do, onsite, begun, person, employee, conclude, session):
    """改派: the supervisor reassigns, the other consultant goes on with the same consultation."""
    consultation = begun()
    boss = person("guide_supervisor")
    other = employee("consulting_supervisor")
    call = do(
        "triage_assignment.reassign",
        boss,
        consultation.assignment,
        employee_id=other.id,
        gives_back=False,
        reason="有事",
    ).result
    if call.state is A.CALLING:
        do("triage_assignment.accept", person("triage"), call)
    taker = person("consulting_supervisor")
    with pytest.raises(Refusal):
        do("consultation.take_over", onsite, consultation)
    do("consultation.take_over", taker, consultation)
    session.expire_all()
    assert (consultation.consultant_id, consultation.assignment.state) == (other.id, A.IN_ROOM)
    with pytest.raises((Refusal, OutOfScope)):
        conclude(consultation)


def test_she_sees_what_was_with_the_customer_before_whoever_had_her(
    do, guide, begun, make_customer, make_slip, session, at
):
    customer = make_customer()
    slip = make_slip(customer=customer, appointed_at=at - timedelta(minutes=5))
    earlier = do("visit.receive", guide, appointment_slip_id=slip.id).record
    do("visit.cancel", guide, earlier, reason="有事先走")
    consultation = begun(customer_id=customer.id)
    told = history_of(session, consultation)
    assert [past.number for past in told["visit"]] == [earlier.visit_no]
    assert [past.number for past in told["appointment_slip"]] == [slip.slip_no]


def test_a_check_is_served_without_a_consultation(do, guide, person, accepted, session):
    """SM-04: triaged → served, for a check or a complaint alone."""
    triage = person("triage")
    with pytest.raises(Refusal):
        do("visit.serve", triage, accepted())
    check = accepted(visit_type=VisitType.RECHECK)
    do("visit.serve", triage, check)
    assert (check.state, assignment_of(session, check).state) == (V.SERVED, A.DONE)


def test_the_funnel_has_its_last_step(make_slip):
    assert "deal" in {measure.name for measure in ContactDaily.measures}


# --- 2.23 ---------------------------------------------------------------------------------------------------------


def test_she_leaves_when_nothing_is_open_and_each_line_says_what_mends_it(
    do, guide, person, begun, conclude, session, at
):
    """2.23: the temporary card, the consultation, the instructions and what comes next; each held with a sentence."""
    stock = do("card_stock.take_in", person("guide_supervisor"), card_type=CardType.VISIT, count=1).record
    card = session.query(CustomerCard).filter_by(stock_id=stock.id).one()
    consultation = begun()
    visit = consultation.visit
    issue = do("visit_card_issue.hand_out", guide, visit_id=visit.id, card_no=card.card_no).record

    def held(**ticked: Any) -> str:
        with pytest.raises((Refusal, InvalidInput)) as said:
            do("visit.escort_out", guide, visit, **ticked)
        return getattr(said.value, "field", None) or next(iter(said.value.errors))

    assert held() == "consultation"
    conclude(consultation)
    assert held() == "card"
    do("visit_card_issue.take_back", guide, issue)
    do("visit.finish", guide, visit)
    assert visit.state is V.FINISHED
    assert held() == "is_instructed"
    assert held(is_instructed=True) == "declines_next"
    do("visit.escort_out", guide, visit, is_instructed=True, declines_next=True)
    assert (visit.state, visit.left_at, visit.escort_id) == (V.LEFT, at, guide.employee_id)
    assert {line["line"] for line in visit.exit_checklist} == {line.code for line in EXIT_LINES}
    with pytest.raises(IllegalMove):
        do("visit.escort_out", guide, visit)


def test_the_dialog_tells_the_guide_what_holds_her_though_she_sees_no_consultation(session, guide, begun):
    """2.23: past the guide's scope it is told whether something is open, and no more than that."""
    consultation, escort_out = begun(), REGISTRY.find("visit", "escort_out")
    with reading_as(guide):
        told = {line.name: str(line.value) for line in escort_out.tells(session, consultation.visit, guide)}
        assert session.scalars(select(Consultation)).all() == []
    name = consultation.consultant.name
    assert (name in told["consultation"], name in told["assignment"], name in told["card"]) == (True, True, False)


def test_who_leaves_before_a_second_line_saw_her_is_not_held_by_it_for_ever(
    do, guide, person, employee, begun, conclude, session, line
):
    """SM-05: a surgeon who accepted and never saw her is marked so; the visit goes on as the consultation ended it."""
    other = RotationLine(name="外科", kind=LineKind.SURGEON, branch_id=line.branch_id, supervisor_id=line.supervisor_id)
    session.add(other)
    session.flush()
    seat = {"branch_id": line.branch_id, "employee_id": employee("doctor").id, "office_order": 1, "state": SeatDuty.ON}
    session.add(RotationSeat(line_id=other.id, **seat))
    session.commit()
    consultation = begun()
    triage, visit = person("triage"), consultation.visit
    call = do("triage_assignment.assign", triage, visit_id=visit.id, line_id=other.id).record
    do("triage_assignment.accept", triage, call)
    conclude(consultation)
    with pytest.raises(Refusal) as said:
        do("visit.escort_out", guide, visit, is_instructed=True, declines_next=True)
    assert said.value.field == "assignment"
    do("triage_assignment.leave_unseen", triage, call, reason="不等了")
    assert (visit.state, call.state) == (V.DEAL, A.UNSEEN)
    do("visit.escort_out", guide, visit, is_instructed=True, declines_next=True)
    assert visit.state is V.LEFT


def test_who_was_not_seen_is_held_and_who_gets_a_call_needs_no_tick(
    do, guide, accepted, begun, conclude, make_customer
):
    for visit in (do("visit.receive", guide, customer_id=make_customer().id).record, accepted()):
        with pytest.raises(Refusal) as said:
            do("visit.escort_out", guide, visit, is_instructed=True, declines_next=True)
        assert said.value.field == "consultation"
    lost = begun()
    conclude(lost, O.NO_DEAL)
    do("visit.escort_out", guide, lost.visit)
    assert lost.visit.state is V.LEFT


# --- S8 -----------------------------------------------------------------------------------------------------------


def test_a_desk_is_not_closed_while_somebody_is_here_unless_the_setting_says_so(
    do, guide, accepted, session, at, make_customer
):
    """S8: visits not left, cards out, the report; a second closing of a day and lines left out without a word."""
    desk = ServiceDesk(code="F9", name="一楼前台", branch_id=guide.branch_id)
    session.add(desk)
    visit = do("visit.receive", guide, customer_id=make_customer().id).record
    lines = [key for key, _label in items_in_use(session, "closing_line")]
    assert len(lines) == 5
    with pytest.raises(Refusal) as said:
        do("service_desk.close_day", guide, desk, line_ids=lines)
    assert said.value.field == "visits"
    do("visit.cancel", guide, visit, reason="有事先走")
    with pytest.raises(Refusal) as said:
        do("service_desk.close_day", guide, desk, line_ids=lines)
    assert said.value.field == "report"
    session.add(Param(key="reception.closing_blocks", branch_id=None, value="no", effective_at=at - timedelta(days=1)))
    session.commit()
    with pytest.raises(Warned):
        do("service_desk.close_day", guide, desk, inputs={"line_ids": [str(key) for key in lines]})
    with pytest.raises(InvalidInput):
        do("service_desk.close_day", guide, desk, line_ids=lines[1:])
    made = do("service_desk.close_day", guide, desk, line_ids=lines[1:], note="椅子在修").result
    assert (made.left_open, len(made.lines), made.undone_text) == ({"report": 1}, 5, str(made.lines[0].item))
    with pytest.raises(Refusal):
        do("service_desk.close_day", guide, desk, line_ids=lines)
    assert session.query(ClosingChecklist).filter_by(desk_id=desk.id).count() == 1


# --- 4.2.2 --------------------------------------------------------------------------------------------------------


def test_what_a_consultant_has_in_hand_goes_to_her_successor(do, person, employee, begun, accepted, session):
    """Open visits, assignments and consultations go over, her office too; its turns stay. 4.2.2."""
    leaver, to = employee("onsite_consultant"), employee("consulting_supervisor")
    running, waiting = begun(), accepted()
    seat = session.scalars(select(RotationSeat).where(RotationSeat.employee_id == leaver.id)).one()
    held = held_by(session, leaver)
    kinds = ("open_visits", "live_assignments", "open_consultations", "rotation_seats")
    assert [len(held[name]) for name in kinds] == [2, 2, 1, 1]
    do("employee.leave", person("hr"), leaver, reason="离职", successor_employee_id=to.id)
    session.expire_all()
    assert {running.consultant_id, running.visit.consultant_id, waiting.consultant_id, seat.employee_id} == {to.id}
    assert (seat.state, seat.retired_at) == (SeatDuty.OFF, None)
    do("visit.start", person("consulting_supervisor"), waiting)


# --- REST ---------------------------------------------------------------------------------------------------------


def test_rest_goes_from_the_list_to_the_door_and_says_what_is_wrong(rest, accepted, session, item):
    visit = accepted()
    call, guides = rest("onsite_consultant"), rest("guide")
    assert visit.id in [row["id"] for row in call("GET", "visit/").json["result"]]
    begun = call("POST", f"visit/{visit.id}/start", {})
    assert begun.status_code == 200, begun.text
    key = begun.json["result"]["id"]
    assert call("POST", f"visit/{visit.id}/start", {}).status_code == 409
    assert call("POST", f"consultation/{key}/conclude", {"outcome": "sold"}).status_code == 422
    assert call("POST", f"consultation/{key}/note", {"budget": "-1"}).status_code == 422
    assert call("POST", f"consultation/{key}/note", {"budget": "1e9"}).status_code == 422
    assert call("POST", f"consultation/{key}/note", {"diagnosis": "x"}).status_code == 422
    assert guides("POST", f"consultation/{key}/note", {}).status_code == 403
    wrong = call("POST", f"consultation/{key}/conclude", {"outcome": "no_deal", "failure_reason_id": 10**12})
    assert wrong.status_code == 422
    done = call("POST", f"consultation/{key}/conclude", {"outcome": "deal", "next_action": "约手术"})
    assert done.status_code == 200, done.text
    assert guides("POST", f"visit/{visit.id}/escort_out", {"is_instructed": True}).status_code == 422
    said = {"is_instructed": True, "declines_next": True}
    assert guides("POST", f"visit/{visit.id}/escort_out", said).json["state"] == "left"
    assert "history" in call("GET", f"consultation/{key}").json["result"]
    assert len(guides("GET", f"visit/{visit.id}").json["result"]["exit_checklist"]) == len(EXIT_LINES)
