"""Acts on a selection of rows: each in its own transaction, with its own answer. White paper 2.1.3, issue 3."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError
from werkzeug.datastructures import MultiDict

from app.acts import REGISTRY, Act, Registry
from app.errors import InvalidInput, NotPermitted, Refusal
from app.fields import Reason
from app.models.appointments import AppointmentSlip, SlipState
from app.models.audit import ActRun, Notice
from app.services import many
from app.services.many import MOST_AT_ONCE, run_many


def act_of(name):
    found = REGISTRY.find("appointment_slip", name)
    assert found is not None
    return found


VOIDING = MultiDict({"reason": "广告活动取消"})


@pytest.fixture
def batch(session, at):
    """Run an act of slips on a selection."""

    def perform(name, by, slips, inputs=VOIDING, key="batch-1", **more):
        ids = [slip if isinstance(slip, int) else slip.id for slip in slips]
        return run_many(session, act_of(name), ids, inputs=inputs, by=by, at=at, key=key, **more)

    return perform


def test_ten_slips_are_voided_with_one_reason(batch, supervisor, make_slip, session):
    """2.1.3.1: each is void with the reason, has its own history, and its owner is told of each."""
    slips = [make_slip() for _ in range(10)]
    results = batch("void", supervisor, slips)
    assert [(row.id, row.text, row.ok, row.state) for row in results] == [
        (slip.id, slip.slip_no, True, SlipState.VOIDED) for slip in slips
    ]
    session.expire_all()
    assert {slip.void_reason for slip in slips} == {"广告活动取消"}
    runs = select(func.count()).select_from(ActRun).where(ActRun.act == "void")
    assert session.scalar(runs) == 10
    assert session.scalar(select(func.count()).select_from(Notice).where(Notice.kind == "slip_voided")) == 10


def test_what_one_row_refuses_does_not_stop_the_others(batch, do, supervisor, guide, person, make_slip):
    """One was voided meanwhile, one has arrived (R-2.1.3-1), one is another branch's, one does not exist."""
    first, voided, arrived, last = (make_slip() for _ in range(4))
    do("appointment_slip.void", supervisor, voided, reason="客户取消")
    do("appointment_slip.arrive", guide, arrived)
    foreign = make_slip(person("b2_phone_consultant"))
    results = batch("void", supervisor, [first, voided, arrived, foreign, 2**40, last])
    assert [row.ok for row in results] == [True, False, False, False, False, True]
    by_id = {row.id: row for row in results}
    assert supervisor.display_name in by_id[voided.id].sentence, "says who was faster"
    assert by_id[voided.id].text == voided.slip_no
    absent, hidden = by_id[2**40], by_id[foreign.id]
    assert (hidden.text, hidden.sentence) == (absent.text, absent.sentence) == ("", hidden.sentence)
    assert foreign.state is SlipState.PENDING


def test_a_batch_sent_again_has_one_effect(batch, supervisor, make_slip, session):
    """A double click, a retry: the same key and inputs answer as before, also when rows were added."""
    slips = [make_slip() for _ in range(3)]
    first = batch("void", supervisor, slips[:2])
    again = batch("void", supervisor, slips)
    assert [row.replayed for row in first] == [False, False]
    assert [(row.ok, row.replayed) for row in again] == [(True, True), (True, True), (True, False)]
    assert session.scalar(select(func.count()).select_from(ActRun).where(ActRun.act == "void")) == 3
    other = batch("void", supervisor, slips, MultiDict({"reason": "别的原因"}))
    assert not any(row.ok for row in other), "the key stands for other inputs"


def test_a_row_that_is_named_twice_is_done_once(batch, supervisor, make_slip):
    slip = make_slip()
    assert [row.id for row in batch("void", supervisor, [slip, slip])] == [slip.id]


def test_several_slips_are_handed_to_a_colleague(batch, supervisor, consultant, colleague, make_slip):
    """2.1.3.2 b: what is hers already is said beside its row, with the input that does not fit."""
    theirs, hers = make_slip(), make_slip(colleague)
    done, refused = batch("dispatch", supervisor, [theirs, hers], MultiDict({"owner_id": str(colleague.employee_id)}))
    assert done.ok
    assert done.result is not None
    assert done.result[0] == "appointment_slip"
    assert not refused.ok
    assert set(refused.errors) == {"owner_id"}
    assert refused.sentence
    assert (theirs.state, hers.state) == (SlipState.REPLACED, SlipState.PENDING)


def test_wrong_inputs_and_selections_are_refused_as_a_whole(batch, consultant, supervisor, make_slip):
    slip = make_slip()
    with pytest.raises(InvalidInput) as said:
        batch("void", supervisor, [slip], MultiDict())
    assert set(said.value.errors) == {"reason"}
    for ids in ([], list(range(1, MOST_AT_ONCE + 2))):
        with pytest.raises(InvalidInput) as said:
            batch("void", supervisor, ids)
        assert set(said.value.errors) == {"ids"}
    with pytest.raises(NotPermitted):
        batch("void", consultant, [slip])
    with pytest.raises(Refusal):
        batch("redo", supervisor, [slip], MultiDict())
    assert slip.state is SlipState.PENDING


def test_progress_is_told_and_a_batch_can_be_stopped(batch, supervisor, make_slip):
    slips = [make_slip() for _ in range(3)]
    told = []
    results = batch(
        "void", supervisor, slips, progress=lambda done, total: told.append((done, total)), stop=lambda: len(told) == 2
    )
    assert told == [(1, 3), (2, 3)]
    assert [row.id for row in results] == [slip.id for slip in slips[:2]]
    assert slips[2].state is SlipState.PENDING


def test_an_act_that_begins_as_each_record_has_it_cannot_be_declared_for_many():
    def function(session, slip, *, reason, by, at):
        """Never called."""

    with pytest.raises(ValueError, match="selection"):
        Registry().add(Act("appointment_slip", "x", "x", function, form=Reason, prefill=("reason",), many=True))


@pytest.mark.parametrize("act", [act for act in REGISTRY if act.many], ids=lambda act: act.key)
def test_every_act_on_a_selection_is_permitted_to_somebody_and_shows_no_secret(act):
    from app.panel.catalogue import roles_of

    assert roles_of(act)
    assert act.key not in ("customer_contact.reveal", "employee.reset_password")


@pytest.mark.slow
def test_two_batches_over_the_same_rows_at_once_do_each_row_once(own_world):
    """Opposite orders, so that one transaction for all rows would deadlock; each row is voided by one of the two."""
    ids = [own_world.slip()[0] for _ in range(6)]
    told = {}

    def attempt(name, order):
        with own_world.app.app_context():
            session = own_world.session()
            by = own_world.person(session, "phone_supervisor")
            told[name] = run_many(
                session, act_of("void"), order, inputs=VOIDING, by=by, at=datetime.now(UTC), key=f"race-{name}"
            )

    threads = [
        threading.Thread(target=attempt, args=("there", ids)),
        threading.Thread(target=attempt, args=("back", ids[::-1])),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(row.id for rows in told.values() for row in rows if row.ok) == sorted(ids)
    assert own_world.count(AppointmentSlip, AppointmentSlip.id.in_(ids), AppointmentSlip.state == SlipState.VOIDED) == 6
    assert own_world.count(ActRun, ActRun.act == "void") == 6


@pytest.mark.slow
def test_a_double_click_on_a_batch_has_one_effect(own_world):
    """The same key at once: the second waits row by row and answers as the first did."""
    ids = [own_world.slip()[0] for _ in range(3)]
    told = []

    def attempt():
        with own_world.app.app_context():
            session = own_world.session()
            by = own_world.person(session, "phone_supervisor")
            told.append(
                run_many(session, act_of("void"), ids, inputs=VOIDING, by=by, at=datetime.now(UTC), key="clicked")
            )

    threads = [threading.Thread(target=attempt) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [row.ok for rows in told for row in rows] == [True] * 6
    assert sum(row.replayed for rows in told for row in rows) == 3
    assert own_world.count(ActRun, ActRun.act == "void") == 3


@pytest.mark.parametrize("end", [NotPermitted(), OperationalError("select 1", {}, Exception("gone"))])
def test_what_ends_the_whole_on_its_way_leaves_the_answers_of_the_rows_before_it(
    batch, supervisor, make_slip, monkeypatch, end
):
    """The actor is let leave between two rows, or the database stays away."""
    slips = [make_slip() for _ in range(4)]
    act_on = many.run

    def run_until(session, act, *, record_id, **asked):
        if record_id == slips[1].id:
            raise end
        return act_on(session, act, record_id=record_id, **asked)

    monkeypatch.setattr(many, "run", run_until)
    results = batch("void", supervisor, slips)
    assert [(row.id, row.ok) for row in results] == [(slip.id, slip is slips[0]) for slip in slips]
    assert all(row.sentence for row in results[1:])
    assert results[2].sentence == results[3].sentence != results[1].sentence
    assert [slip.state for slip in slips] == [SlipState.VOIDED, *[SlipState.PENDING] * 3]
