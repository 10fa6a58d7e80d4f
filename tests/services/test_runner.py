"""The runner of acts: one act, one transaction, one effect; each act in each state."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from app.actors import house
from app.acts import REGISTRY
from app.errors import IllegalMove, KeyReused, OutOfScope, Refusal, Stale
from app.models.appointments import AppointmentSlip, SlipState
from app.models.audit import ActRun
from app.models.base import Stateful, models
from app.services.runner import run

STATEFUL_ACTS = [
    (act, state)
    for act in REGISTRY
    if act.moves is not None
    for state in models()[act.table].STATES  # type: ignore[attr-defined]
]


@pytest.mark.parametrize(("act", "state"), STATEFUL_ACTS, ids=lambda part: getattr(part, "key", str(part)))
def test_each_act_starts_in_its_states_and_refuses_every_other(app, monkeypatch, act, state):
    """Generated from the declarations: what the registry says, the model's moves allow, and nothing else."""
    model = models()[act.table]
    assert issubclass(model, Stateful)
    monkeypatch.setattr(model, "__str__", lambda _record: "the record")
    record = model()
    record.state = state
    if act.starts_in(state):
        to_state = act.moves[state]
        if to_state is not None:
            with app.app_context():
                record.become(to_state)
            assert record.state is to_state
    else:
        assert not act.starts_in(state)
        for to_state in set(act.moves.values()) - {None, state}:
            if to_state not in model.MOVES.get(state, ()):
                with app.app_context(), pytest.raises(IllegalMove):
                    record.become(to_state)


SLIP_ACTS = ["redo", "dispatch", "void", "arrive", "undo_arrival", "complete", "expire"]


@pytest.fixture
def slip_in(do, supervisor, guide, make_slip, slip_times):
    """Bring a new slip into a state, by acts."""

    def bring(state):
        slip = make_slip()
        if state is SlipState.EXPIRED:
            do("appointment_slip.expire", house("test", branch_id=slip.branch_id), slip)
        elif state is SlipState.VOIDED:
            do("appointment_slip.void", supervisor, slip, reason="客户取消")
        elif state is SlipState.REPLACED:
            do("appointment_slip.redo", supervisor, slip, **slip_times)
        elif state in (SlipState.ARRIVED, SlipState.COMPLETED):
            do("appointment_slip.arrive", guide, slip)
            if state is SlipState.COMPLETED:
                do("appointment_slip.complete", house("test", branch_id=slip.branch_id), slip)
        assert slip.state is state
        return slip

    return bring


@pytest.mark.parametrize("state", list(SlipState), ids=str)
@pytest.mark.parametrize("name", SLIP_ACTS)
def test_every_act_of_a_slip_in_every_state(do, slip_in, slip_times, colleague, name, state):
    """SM-02 as a whole, through the runner: an illegal act refuses and changes nothing."""
    act = REGISTRY.find("appointment_slip", name)
    assert act is not None
    slip = slip_in(state)
    given = {"redo": slip_times, "dispatch": {"owner_id": colleague.employee_id}, "void": {"reason": "客户取消"}}
    given["undo_arrival"] = {"reason": "点错了"}
    values = given.get(name, {})
    by = house("test", branch_id=slip.branch_id)
    if act.starts_in(state):
        do(act.key, by, slip, **values)
        assert slip.state is act.moves[state]
    else:
        with pytest.raises(IllegalMove):
            do(act.key, by, slip, **values)
        assert slip.state is state


def test_the_same_key_with_the_same_inputs_gives_the_same_answer_and_no_second_effect(
    do, supervisor, session, make_slip, slip_times
):
    slip = make_slip()
    first = do("appointment_slip.redo", supervisor, slip, request_key="k-1", **slip_times)
    again = do("appointment_slip.redo", supervisor, slip, request_key="k-1", **slip_times)
    assert again.replayed
    assert (again.record.id, again.result.id, again.notice) == (first.record.id, first.result.id, first.notice)
    assert session.scalar(select(func.count()).where(AppointmentSlip.supersedes_id == slip.id)) == 1


def test_the_same_key_with_other_inputs_is_refused(do, supervisor, make_slip, slip_times):
    slip = make_slip()
    do("appointment_slip.redo", supervisor, slip, request_key="k-1", **slip_times)
    with pytest.raises(KeyReused):
        do("appointment_slip.redo", supervisor, slip, request_key="k-1", **{**slip_times, "remark": "别的"})


def test_the_same_key_of_another_person_is_another_key(do, supervisor, guide, make_slip):
    do("appointment_slip.void", supervisor, make_slip(), request_key="k-1", reason="客户取消")
    assert not do("appointment_slip.arrive", guide, make_slip(), request_key="k-1").replayed


def test_a_record_that_changed_since_it_was_read_is_not_overwritten(do, supervisor, consultant, make_slip, slip_times):
    slip = make_slip()
    seen = slip.row_version
    do("appointment_slip.expire", house("test", branch_id=slip.branch_id), slip)
    with pytest.raises(Stale):
        do("appointment_slip.redo", consultant, slip, row_version=seen, **slip_times)


def test_an_act_on_an_absent_record_and_on_one_out_of_scope_look_the_same(do, person, make_slip, session, at):
    act = REGISTRY.find("appointment_slip", "void")
    assert act is not None
    stranger = person("b2_phone_supervisor")
    for record_id in (make_slip().id, 2**40):
        with pytest.raises(OutOfScope):
            run(session, act, by=stranger, at=at, record_id=record_id, values={"reason": "不是我的"})


def test_the_history_names_who_when_and_which_move(do, supervisor, session, make_slip, at):
    slip = make_slip()
    do("appointment_slip.void", supervisor, slip, when=at + timedelta(minutes=5), reason="客户取消")
    entry = session.scalars(select(ActRun).where(ActRun.record_id == slip.id, ActRun.act == "void")).one()
    assert (entry.actor, entry.employee_id) == (supervisor.name, supervisor.employee_id)
    assert (entry.from_state, entry.to_state) == ("pending", "voided")
    assert entry.occurred_at == at + timedelta(minutes=5)
    assert entry.inputs == {"reason": "客户取消"}


# --- two people at once: real commits, so on a copy of the database -----------------------------------------------


@pytest.mark.slow
def test_two_people_redo_the_same_slip_at_once_one_wins_and_the_other_reads_why(own_world):
    """Locks, not luck: twenty threads, one new slip, nineteen sentences."""
    outcomes: list[object] = []
    slip_id, times = own_world.slip()

    def attempt(username: str) -> None:
        with own_world.app.app_context():
            session = own_world.session()
            by = own_world.person(session, username)
            try:
                outcomes.append(own_world.run(session, "appointment_slip.redo", by, slip_id, times).result.id)
            except Refusal as said:
                outcomes.append(said)

    threads = [threading.Thread(target=attempt, args=(name,)) for name in ("phone_consultant", "phone_supervisor") * 10]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    won = [outcome for outcome in outcomes if isinstance(outcome, int)]
    lost = [outcome for outcome in outcomes if isinstance(outcome, IllegalMove)]
    assert (len(won), len(lost)) == (1, 19)
    winners = {"phone_consultant", "phone_supervisor"}
    assert all(any(own_world.names[name] in said.sentence for name in winners) for said in lost)
    assert own_world.count(AppointmentSlip, AppointmentSlip.supersedes_id == slip_id) == 1


@pytest.mark.slow
def test_two_slips_placed_at_once_for_one_customer_leave_one_open(own_world):
    """R-2.1.2-2 is kept under the customer's lock."""
    outcomes: list[object] = []
    customer_id, values = own_world.customer()

    def attempt() -> None:
        with own_world.app.app_context():
            session = own_world.session()
            by = own_world.person(session, "phone_consultant")
            try:
                outcomes.append(own_world.run(session, "appointment_slip.place", by, None, values).record.id)
            except Refusal as said:
                outcomes.append(said)

    threads = [threading.Thread(target=attempt) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sum(isinstance(outcome, int) for outcome in outcomes) == 1
    assert own_world.count(AppointmentSlip, AppointmentSlip.customer_id == customer_id) == 1


@pytest.mark.slow
def test_numbers_are_unique_and_without_gaps_under_concurrency(own_world):
    """Fifty customers opened by eight threads: fifty numbers in a row."""
    numbers: list[str] = []

    def attempt(part: int) -> None:
        with own_world.app.app_context():
            session = own_world.session()
            by = own_world.person(session, "phone_consultant")
            for index in range(part, 48, 8):
                values = {"name": "林小雨", "phone": f"1381000{index:04d}"}
                done = own_world.run(session, "customer.register_temporary", by, None, values)
                numbers.append(done.record.customer_no)

    threads = [threading.Thread(target=attempt, args=(part,)) for part in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    counters = sorted(int(number.rsplit("-", 1)[1]) for number in numbers)
    assert counters == list(range(counters[0], counters[0] + 48))
