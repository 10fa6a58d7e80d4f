"""A desk's day, slip by slip and contact by contact, for the reports that count it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update

from app.actors import house
from app.models.appointments import AppointmentSlip, Channel, Intention
from tests.reports.days import on


@pytest.fixture
def promise(make_slip):
    """Place a slip at an instant for an hour that begins at another."""

    def place(by, placed, start, **values):
        return make_slip(by, when=placed, appointed_at=start, latest_arrival_at=start + timedelta(hours=1), **values)

    return place


@pytest.fixture
def writer(person):
    return person("web_consultant")


@pytest.fixture
def a_day(session, promise, do, consultant, colleague, writer, supervisor, guide, person):
    """The desk's day, slip by slip. What each counts for stands beside it."""
    lapse = house("test", branch_id=consultant.branch_id)
    # Placed the day before, came in time: due and arrived.
    came = promise(consultant, on(10, days=-1), on(10))
    do("appointment_slip.arrive", guide, came, when=on(10, 5))
    # Placed, lapsed, came after all: placed, lapsed, arrived, due and arrived.
    late = promise(consultant, on(9), on(14))
    do("appointment_slip.expire", lapse, late, when=on(16))
    do("appointment_slip.arrive", guide, late, when=on(17))
    # Placed for tomorrow: placed.
    promise(consultant, on(9, 30), on(9, 30, days=1))
    # Placed two days ago for today, redone for another day: redone, and due no longer.
    old = promise(colleague, on(10, days=-2), on(11))
    again = {"appointed_at": on(11, days=2), "latest_arrival_at": on(12, days=2), "intention": Intention.B}
    do("appointment_slip.redo", colleague, old, when=on(9, 40), **again)
    # Placed for today and voided: placed, voided, not due.
    gone = promise(colleague, on(10), on(18))
    do("appointment_slip.void", supervisor, gone, when=on(12), reason="客户取消")
    # Web chat, placed for today, did not come: placed, lapsed, due.
    missed = promise(writer, on(10, 30), on(19), channel=Channel.WEB_CHAT)
    do("appointment_slip.expire", lapse, missed, when=on(21))
    # Web chat, written afterwards for one who stood there: supplementary, arrived, due and arrived.
    walked_in = promise(writer, on(13), on(13), channel=Channel.WEB_CHAT)
    do("appointment_slip.arrive", guide, walked_in, when=on(13, 1))
    session.execute(update(AppointmentSlip).where(AppointmentSlip.id == walked_in.id).values(is_supplement=True))
    # Another branch: nothing here.
    promise(person("b2_phone_consultant"), on(9), on(15))
    # Voided the day before, though it was for today; lapsed tomorrow: nothing today.
    void_before = promise(colleague, on(10, days=-3), on(9))
    do("appointment_slip.void", supervisor, void_before, when=on(12, days=-1), reason="客户取消")
    session.commit()
