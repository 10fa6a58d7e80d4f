"""A review says that its recording was heard when it was: by whom, when, which recording. R-2.22-3."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from app.errors import Refusal
from app.models.audit import Way
from app.models.files import FilePurpose
from app.models.followup import CallMethod, FollowupCategory, FollowupExecution, FollowupReview, PlanState
from app.models.telephone import CallState, Direction, PhoneCall, RecordingState
from app.services.files import attach, take_in
from app.services.followup.hearing import Heard, hearing_of
from app.services.followup.reviewing import MUST_HEAR
from app.services.looks import NOT_IN_SCOPE, log_look
from app.services.telephone.recordings import log_listening
from tests.telephone_system import tone

ENDS = {"method": CallMethod.PHONE, "reached": True, "feedback": "恢复良好", "end_flag": True, "end_note": "已恢复"}
BEFORE, AFTER = timedelta(minutes=-5), timedelta(minutes=5)
STORED, WAITING, REFUSED, DROPPED = (
    RecordingState.STORED,
    RecordingState.WAITING,
    RecordingState.REFUSED,
    RecordingState.DROPPED,
)


@pytest.fixture
def executed(do, session, consultant, supervisor, make_customer, at):
    """A plan that the consultant carried out, by a call with a recording in some state; None: it was not dialled."""

    def make(state, *, has_call=True, method=CallMethod.PHONE, department_id=consultant.department_id):
        category = session.scalars(select(FollowupCategory.id).where(FollowupCategory.code == "product_advice")).one()
        plan = do(
            "followup_plan.draft", consultant, customer_id=make_customer(consultant).id, category_id=category,
            purpose="跟进", planned_at=at + timedelta(days=1), submit_now=True,
        ).record  # fmt: skip
        do("followup_plan.approve", supervisor, plan)
        call = None
        if has_call:
            call = PhoneCall(
                branch_id=plan.branch_id, call_id=f"heard-{plan.id}", direction=Direction.OUT, state=CallState.ENDED,
                employee_id=consultant.employee_id, department_id=department_id, began_at=at, told_at=at,
            )  # fmt: skip
            session.add(call)
            session.flush()
            if state in (STORED, DROPPED):
                file = take_in(
                    session, tone(), "a.wav", purpose=FilePurpose.RECORDING, field="file", by=consultant, at=at
                )
                call.recording_file_id = attach(session, file.id, "phone_call", call.id, field="file", by=consultant).id
                file.dropped_at = at if state is DROPPED else None
            call.recording_state = state
            plan.phone_call_id = call.id
            session.flush()
        do("followup_plan.execute", consultant, plan, **ENDS | {"method": method})
        return plan, call

    return make


def hers(session, call, by, at):
    log_listening(session, call, by=by, at=at, is_start=True)


def a_key_of_hers(session, call, by, at):
    log_listening(session, call, by=replace(by, name=f"{by.name} key:1", key_id=1), at=at, is_start=True)


def denied(session, call, by, at):
    log_look(session, Way.LISTEN, "phone_call", call.id, "recording", "", by, at=at, denied=NOT_IN_SCOPE)


def the_number(session, call, by, at):
    log_look(session, Way.REVEAL, "phone_call", call.id, "number", "x", by, at=at)


NOT_HEARD = [
    ("nothing was dialled", {"state": None, "has_call": False}, None, None, Heard.NONE),
    ("it was a letter", {"state": STORED, "method": CallMethod.WECHAT}, hers, AFTER, Heard.NONE),
    ("nothing was recorded", {"state": None}, None, None, Heard.NONE),
    ("not fetched yet", {"state": WAITING}, None, None, Heard.COMING),
    ("refused", {"state": REFUSED}, None, None, Heard.NONE),
    ("its time was over", {"state": DROPPED}, None, None, Heard.NONE),
    ("nobody listened", {"state": STORED}, None, None, Heard.NOT_YET),
    ("before the call was carried out", {"state": STORED}, hers, BEFORE, Heard.NOT_YET),
    ("a program listened", {"state": STORED}, a_key_of_hers, AFTER, Heard.NOT_YET),
    ("it was denied", {"state": STORED}, denied, AFTER, Heard.NOT_YET),
    ("she saw its number", {"state": STORED}, the_number, AFTER, Heard.NOT_YET),
    ("another department's", {"state": STORED, "department_id": None}, None, None, Heard.KEPT_FROM),
]
HEARD = [
    ("she listened", {"state": STORED}, hers, AFTER, Heard.HEARD),
    ("at that very moment", {"state": STORED}, hers, timedelta(), Heard.HEARD),
    ("and its time was over then", {"state": DROPPED}, hers, AFTER, Heard.HEARD),
]


def named(rows):
    return [pytest.param(*row[1:], id=row[0]) for row in rows]


@pytest.mark.parametrize(("call", "listens", "when", "heard"), named(NOT_HEARD + HEARD))
def test_a_review_is_heard_when_its_reviewer_listened_to_that_call_afterwards(
    do, session, executed, supervisor, admin, at, call, listens, when, heard
):
    """R-2.22-3; the setting demands it of a review that passes, where there is something to hear."""
    plan, made = executed(**call)
    if listens is not None:
        listens(session, made, supervisor, at + when)
    session.flush()
    hearing = hearing_of(session, plan, supervisor)
    assert hearing.heard is heard
    assert (hearing.call is not None) == (call["state"] is STORED and heard in (Heard.NOT_YET, Heard.HEARD))
    changed = {"branch_id": None, "value": "yes", "effective_at": None, "reason": None}
    do("param.set_value", admin, key=MUST_HEAR.key, **changed)
    later = at + timedelta(minutes=10)
    if heard in (Heard.NOT_YET, Heard.KEPT_FROM):
        with pytest.raises(Refusal) as said:
            do("followup_plan.review", supervisor, plan, quality_score=4, when=later)
        assert (said.value.field, plan.state) == ("recording", PlanState.EXECUTED)
        do("followup_plan.rework", supervisor, plan, comment="先听录音", when=later)  # that passes nothing
    else:
        do("followup_plan.review", supervisor, plan, quality_score=4, when=later)
    review = session.scalars(select(FollowupReview).where(FollowupReview.plan_id == plan.id)).one()
    assert review.listened_recording is (heard is Heard.HEARD)


def test_nobody_needs_to_hear_it_unless_the_house_says_so(do, session, executed, supervisor):
    """[J]: off by default."""
    plan, _call = executed(STORED)
    do("followup_plan.review", supervisor, plan, quality_score=4)
    assert plan.state is PlanState.CLOSED
    assert session.scalars(select(FollowupReview.listened_recording)).one() is False


def test_what_a_colleague_heard_nobody_else_heard(session, executed, supervisor, person, at):
    plan, call = executed(STORED)
    hers(session, call, person("department_head"), at + AFTER)
    session.flush()
    assert hearing_of(session, plan, supervisor).heard is Heard.NOT_YET


def test_a_call_made_again_has_no_recording_of_the_first(do, session, executed, supervisor, consultant, at):
    plan, call = executed(STORED)
    hers(session, call, supervisor, at + AFTER)
    do("followup_plan.rework", supervisor, plan, comment="没有问恢复情况", when=at + 2 * AFTER)
    assert plan.phone_call_id is None
    do("followup_plan.execute", consultant, plan, **ENDS, when=at + 3 * AFTER)
    hers(session, call, supervisor, at + 4 * AFTER)
    session.flush()
    assert hearing_of(session, plan, supervisor).heard is Heard.NONE
    first = session.scalars(select(FollowupExecution).order_by(FollowupExecution.id)).first()
    assert first is not None
    assert first.phone_call_id == call.id


def test_many_reviews_say_of_each_whether_it_was_heard(session, executed, login, rest, supervisor, at, statements):
    """On screen each row has its player; over REST nobody sends that she heard it."""
    plans = [executed(STORED)[0] for _number in range(4)]
    browser = login("phone_supervisor")
    assert browser.get(f"/phone_call/{plans[0].phone_call_id}/recording").status_code == 200
    words = "&".join(f"id={plan.id}" for plan in plans)
    browser.get(f"/followup_plan/many/review?{words}")
    with statements() as told:
        page = browser.get(f"/followup_plan/many/review?{words}").text
    assert len(told) <= 20, (len(told), told)
    assert [page.count(said) for said in ("<audio", "恢复良好", 'name="listened_recording"')] == [4, 4, 0]
    assert page.count("data-then") == 3, "that of the first was heard already"
    alone = browser.get(f"/followup_plan/{plans[0].id}/act/review").text
    assert [alone.count(said) for said in ("<audio", "恢复良好")] == [1, 1]
    assert browser.get(f"/followup_plan/show/{plans[1].id}").text.count("<audio") == 1
    call = rest("phone_supervisor")
    assert [call("GET", f"followup_plan/{plan.id}").json["result"]["recording_heard"] for plan in plans[:2]] == [
        "heard",
        "not_yet",
    ]
    sent = {"ids": [plan.id for plan in plans], "quality_score": 4}
    ticked = call("POST", "followup_plan/batch/review", sent | {"listened_recording": True})
    assert (ticked.status_code, list(ticked.json["errors"])) == (422, ["listened_recording"])
    answer = call("POST", "followup_plan/batch/review", sent)
    assert (answer.status_code, answer.json["done"]) == (200, 4), answer.json
    rows = session.scalars(select(FollowupReview).order_by(FollowupReview.plan_id)).all()
    assert [row.listened_recording for row in rows] == [True, False, False, False]


def test_the_dialog_refuses_beside_the_player(session, do, executed, rest, login, admin):
    changed = {"branch_id": None, "value": "yes", "effective_at": None, "reason": None}
    do("param.set_value", admin, key=MUST_HEAR.key, **changed)
    plan, call = executed(STORED)
    supervisor = rest("phone_supervisor")
    path = f"followup_plan/{plan.id}/review"
    refused = supervisor("POST", path, {"quality_score": 4}, Idempotency_Key="one")
    assert (refused.status_code, "录音" in refused.json["message"]) == (409, True), refused.json
    supervisor("GET", f"phone_call/{call.id}/recording")
    assert supervisor("POST", path, {"quality_score": 4}, Idempotency_Key="two").status_code == 200
