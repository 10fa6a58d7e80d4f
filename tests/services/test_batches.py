"""Acts on a large selection, in the background: one step a row, what became of each. White paper 2.1.3, issue 3."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select
from werkzeug.datastructures import MultiDict

from app.acts import REGISTRY, Act, Registry
from app.errors import InvalidInput, KeyReused, NotPermitted, Refusal
from app.fields import HouseForm, PhoneNumber, Words, has_secrets
from app.models.appointments import SlipState
from app.models.audit import ActRun
from app.models.tasks import BackgroundTask, TaskState
from app.services import batches
from app.services.batches import AT_ONCE, MOST_QUEUED, ask_many, may_queue, most_rows, rows_of, takes_long
from app.services.many import MOST_AT_ONCE, run_many
from app.services.runner import Answer
from app.services.tasks import name_of, perform
from app.words import force_locale

VOIDING = {"reason": "广告活动取消"}


def act_of(name, table="appointment_slip"):
    found = REGISTRY.find(table, name)
    assert found is not None
    return found


@pytest.fixture
def ask(session, at):
    """Ask for an act of slips on a selection."""

    def go(name, by, slips, inputs=VOIDING, key="batch-1", **more):
        ids = [slip if isinstance(slip, int) else slip.id for slip in slips]
        return ask_many(session, act_of(name), ids, inputs=MultiDict(inputs), by=by, at=at, key=key, **more)

    return go


@pytest.fixture
def rows(session):
    """What became of each row, to somebody, as (id, text, ok, sentence)."""

    def go(task, by, most=1000):
        return rows_of(session, task, by, most=most)

    return go


def voidings(session):
    return session.scalar(select(func.count(ActRun.id)).where(ActRun.act == "void"))


def test_up_to_so_many_rows_are_done_at_once_and_more_in_the_background(session, do, admin, supervisor, at):
    """What takes more than two seconds runs as a background task; where that begins is a setting."""
    void = act_of("void")
    assert [takes_long(session, void, count, by=supervisor, at=at) for count in (25, 26)] == [False, True]
    do("param.set_value", admin, key=AT_ONCE.key, branch_id=None, value="3", effective_at=None, reason=None)
    assert [takes_long(session, void, count, by=supervisor, at=at) for count in (3, 4)] == [False, True]


def test_each_row_is_done_and_those_that_were_refused_say_why(
    session, do, ask, rows, work_off, supervisor, guide, person, make_slip
):
    """One was voided meanwhile, one has arrived (R-2.1.3-1), one is another branch's, two do not exist."""
    first, voided, arrived, last = (make_slip() for _ in range(4))
    do("appointment_slip.arrive", guide, arrived)
    foreign = make_slip(person("b2_phone_consultant"))
    asked = ask("void", supervisor, [first, voided, arrived, foreign, 2**40, 2**70, last])
    assert (asked.state, asked.total_count, first.state) == (TaskState.QUEUED, 7, SlipState.PENDING)
    assert [row.waiting for row in rows(asked, supervisor)] == [True] * 7
    do("appointment_slip.void", supervisor, voided, reason="客户取消")
    (done,) = work_off()
    assert (done.state, done.error, done.done_count) == (TaskState.DONE, None, 7)
    assert done.said["en"] == "2 done · 5 not done"
    assert [slip.void_reason for slip in (first, voided, arrived, last)] == [
        "广告活动取消",
        "客户取消",
        None,
        "广告活动取消",
    ]
    told = {row.id: row for row in rows(done, supervisor)}
    assert list(told) == [voided.id, arrived.id, foreign.id, 2**40, 2**70, first.id, last.id], "refused ones first"
    assert [row.ok for row in told.values()] == [False] * 5 + [True] * 2
    assert supervisor.display_name in told[voided.id].sentence, "says who was faster"
    assert told[voided.id].text == voided.slip_no
    assert told[foreign.id].text == told[2**40].text == ""
    assert told[foreign.id].sentence == told[2**40].sentence == told[2**70].sentence != ""
    with force_locale("en"):
        assert name_of(done) == "Void: 7 rows"
        english = {row.id: row.sentence for row in rows(done, supervisor)}
        assert english[foreign.id] == "There is nothing here, or it is not for you to see."
    assert foreign.state is SlipState.PENDING


def test_who_sees_the_task_but_not_the_records_learns_nothing_of_them(
    do, ask, rows, work_off, supervisor, person, make_slip
):
    slips = [make_slip() for _ in range(2)]
    ask("void", supervisor, slips)
    do("appointment_slip.void", supervisor, slips[0], reason="客户取消")
    (done,) = work_off()
    for row in rows(done, person("b2_phone_supervisor")):
        assert row.text == ""
        assert supervisor.display_name not in row.sentence


def test_a_hand_over_leads_to_the_new_slips_and_an_input_that_does_not_fit_one_row_is_said_there(
    ask, rows, work_off, supervisor, colleague, make_slip
):
    theirs, hers = make_slip(), make_slip(colleague)
    ask("dispatch", supervisor, [theirs, hers], {"owner_id": str(colleague.employee_id)})
    (done,) = work_off()
    refused, made = rows(done, supervisor)
    assert (refused.id, refused.ok, set(refused.errors)) == (hers.id, False, {"owner_id"})
    assert refused.sentence
    assert made.result is not None
    assert made.result[0] == "appointment_slip"
    assert made.result[2] != theirs.slip_no


def test_the_same_key_asks_once_and_stands_for_one_thing(session, ask, work_off, supervisor, make_slip):
    slips = [make_slip() for _ in range(3)]
    first = ask("void", supervisor, slips)
    assert ask("void", supervisor, slips).id == first.id
    with pytest.raises(KeyReused):
        ask("void", supervisor, slips, {"reason": "别的原因"})
    work_off()
    assert voidings(session) == 3
    assert ask("void", supervisor, slips).id == first.id, "also when it is done"
    assert work_off() == []


def test_what_was_done_at_once_under_the_key_is_not_done_again(session, ask, work_off, supervisor, make_slip, at):
    slips = [make_slip() for _ in range(3)]
    void, ids = act_of("void"), [slip.id for slip in slips[:2]]
    run_many(session, void, ids, inputs=MultiDict(VOIDING), by=supervisor, at=at, key="batch-1")
    ask("void", supervisor, slips)
    (done,) = work_off()
    assert done.said["en"] == "3 done"
    assert voidings(session) == 3


class Killed(BaseException):
    """What a killed worker looks like from inside: nothing after it is run."""


def test_a_killed_worker_is_taken_over_and_each_row_is_done_once(
    session, ask, work_off, supervisor, make_slip, at, monkeypatch
):
    slips = [make_slip() for _ in range(4)]
    asked = ask("void", supervisor, slips)
    real, calls = batches.run_act, []

    def dying(*args, **told):
        done = real(*args, **told)
        calls.append(told["record_id"])
        if len(calls) == 3:
            raise Killed
        return done

    monkeypatch.setattr(batches, "run_act", dying)
    session.commit()
    with pytest.raises(Killed):
        perform(session, asked.id, asked.job_id, clock=lambda: at)
    session.rollback()
    session.expire_all()
    task = session.get_one(BackgroundTask, asked.id)
    assert (task.state, task.done_count, voidings(session)) == (TaskState.RUNNING, 2, 2), "the third was undone"
    perform(session, asked.id, asked.job_id, clock=lambda: at + timedelta(minutes=1))
    session.expire_all()
    assert calls == [slips[0].id, slips[1].id, slips[2].id, slips[2].id, slips[3].id]
    assert (task.state, task.done_count, voidings(session)) == (TaskState.DONE, 4, 4)


def test_it_is_cancelled_between_two_rows_and_the_rest_stays(
    session, do, ask, rows, work_off, supervisor, make_slip, monkeypatch
):
    slips = [make_slip() for _ in range(3)]
    asked = ask("void", supervisor, slips)
    real = batches.run_act

    def and_cancel(*args, **told):
        done = real(*args, **told)
        session.get_one(BackgroundTask, asked.id).cancel_requested_at = told["at"]
        return done

    monkeypatch.setattr(batches, "run_act", and_cancel)
    (task,) = work_off()
    assert (task.state, task.done_count) == (TaskState.CANCELLED, 1)
    assert [(row.ok, row.waiting) for row in rows(task, supervisor)] == [(True, False), (False, True), (False, True)]
    assert slips[1].state is SlipState.PENDING


def test_what_a_refusal_leaves_behind_is_kept_with_its_note(session, ask, work_off, supervisor, make_slip, monkeypatch):
    """``Refusal.aftermath``: that somebody was told something is kept although the act is undone."""
    slips, left = [make_slip() for _ in range(2)], []

    def refusing(_session, _act, **told) -> Answer:
        raise Refusal("nein", aftermath=lambda session: left.append((told["record_id"], session.info["in_unit"])))

    monkeypatch.setattr(batches, "run_act", refusing)
    ask("void", supervisor, slips)
    (task,) = work_off()
    assert left == [(slips[0].id, True), (slips[1].id, True)]
    assert [noted["said"]["zh"] for noted in task.checkpoint["refused"]] == ["nein", "nein"]


def test_rights_are_those_at_the_time_of_the_work(session, ask, work_off, supervisor, make_slip, monkeypatch):
    slip = make_slip()
    ask("void", supervisor, [slip])
    monkeypatch.setattr(type(supervisor), "may", lambda self, _table, _permission: False)
    with force_locale("en"):
        (task,) = work_off()
    assert task.state is TaskState.FAILED
    assert slip.state is SlipState.PENDING


def test_wrong_inputs_and_selections_are_refused_before_anything_is_queued(
    session, ask, consultant, supervisor, make_slip
):
    slip = make_slip()
    with pytest.raises(InvalidInput) as said:
        ask("void", supervisor, [slip], {})
    assert set(said.value.errors) == {"reason"}
    for ids in ([], list(range(1, MOST_QUEUED + 2))):
        with pytest.raises(InvalidInput) as said:
            ask("void", supervisor, ids)
        assert set(said.value.errors) == {"ids"}
    with pytest.raises(NotPermitted):
        ask("void", consultant, [slip])
    with pytest.raises(Refusal):
        ask("redo", supervisor, [slip], {})
    assert session.scalar(select(func.count(BackgroundTask.id))) == 0


class Telling(HouseForm):
    """A form with a telephone number."""

    phone = PhoneNumber("x")


class Hiding(HouseForm):
    """A form with a word that is kept masked."""

    word = Words("x", sensitive=True)


@pytest.mark.parametrize("form", [Telling, Hiding])
def test_what_is_secret_or_sensitive_is_not_written_down_to_be_done_later(session, form, supervisor, at):
    (name,) = [name for name in ("phone", "word") if hasattr(form, name)]

    def function(session, slip, *, by, at, **said):
        """Never called."""

    made = Act("appointment_slip", "x", "x", function, form=form, many=True)
    Registry().add(made)
    assert has_secrets(form), name
    assert not may_queue(made)
    assert most_rows(made) == MOST_AT_ONCE
    assert not takes_long(session, made, 150, by=supervisor, at=at)


def test_acts_for_selections_that_ask_nothing_secret_may_be_queued():
    assert all(may_queue(act) for act in REGISTRY if act.many)
    assert not may_queue(act_of("redo"))
