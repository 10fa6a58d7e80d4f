"""What jobs do to every record that is due: by the act, as the house, one refusal stopping none of the others."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from app.acts import REGISTRY, act
from app.models.appointments import AppointmentSlip, SlipState
from app.models.audit import ActRun
from app.services.due import carry_out_due


@pytest.fixture
def refused():
    """Declare an act of the house that is refused on the slips of this set."""
    numbers: set[int] = set()

    @act(
        AppointmentSlip,
        "look_at",
        "Look at",
        moves={SlipState.PENDING: None},
        by_system=True,
        guard=lambda slip, by: "No." if slip.id in numbers else None,
    )
    def look_at(session, slip, *, by, at):
        slip.remark = by.name

    yield numbers
    del REGISTRY._acts["appointment_slip"]["look_at"]


def due(session, at, slips):
    ids = [slip.id for slip in slips]
    return carry_out_due(session, "appointment_slip.look_at", AppointmentSlip.id.in_(ids), job="test.job", at=at)


def test_each_record_that_is_due_is_acted_on_as_the_house(session, at, make_slip, refused):
    slips = [make_slip(), make_slip()]
    assert due(session, at, slips) == 2
    assert {slip.remark for slip in slips} == {"house:job:test.job"}
    told = select(ActRun.actor).where(ActRun.act == "look_at", ActRun.record_id.in_([slip.id for slip in slips]))
    assert session.scalars(told).all() == ["house:job:test.job"] * 2


def test_one_that_refuses_is_passed_by_and_leaves_nothing(session, at, make_slip, refused):
    first, second, third = (make_slip() for _ in range(3))
    refused.add(second.id)
    assert due(session, at, [first, second, third]) == 2
    assert [bool(slip.remark) for slip in (first, second, third)] == [True, False, True]
    assert session.scalars(select(ActRun).where(ActRun.act == "look_at", ActRun.record_id == second.id)).all() == []


def test_a_state_from_which_the_act_does_not_start_is_not_due(session, at, do, make_slip, supervisor, refused):
    slip = make_slip()
    do("appointment_slip.void", supervisor, slip, reason="客人改期")
    assert due(session, at, [slip]) == 0


def test_the_condition_may_differ_by_branch(session, at, make_slip, person, refused):
    here, there = make_slip(), make_slip(person("b2_phone_consultant"))
    far = at + timedelta(days=9)
    done = carry_out_due(
        session,
        "appointment_slip.look_at",
        lambda branch: AppointmentSlip.appointed_at < (far if branch.id == here.branch_id else at),
        job="test.job",
        at=at,
    )
    assert done >= 1
    assert (bool(here.remark), bool(there.remark)) == (True, False)
