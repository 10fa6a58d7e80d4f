"""A call comes in: the panel over the page, a temporary file with its number, a slip. 2.1.1.1; issue 6."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from sqlalchemy import func, select

from app.acts import REGISTRY
from app.extensions import db
from app.models.base import METADATA
from app.models.customers import Customer
from app.models.hr import Employee
from app.models.telephone import CallEvent, CallState, PhoneCall
from app.ops.calls import Plan, day_of_calls, play, untrue
from app.services.hr import actor_for_employee
from app.services.runner import run
from app.unit import acting_as

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.fixture
def key(live):
    """An API key for the telephone system of the first branch."""
    user = METADATA.tables["ab_user"]
    with live.app.app_context(), acting_as("house:test"):
        session = db.session()

        def employee(name):
            return session.scalars(
                select(Employee).join(user, user.c.id == Employee.user_id).where(user.c.username == name)
            ).one()

        at = datetime.now(UTC)
        values = {
            "name": "pbx",
            "employee_id": employee("telephone").id,
            "roles": [],
            "rights": "call_event.post",
            "expires_on": (at + timedelta(days=30)).date(),
        }
        act = REGISTRY.find("api_key", "issue")
        yield run(session, act, by=actor_for_employee(session, employee("admin")), at=at, values=values).shown


def tell(live, key, *events):
    played = play(live.address, key, events, rate=100, senders=1)
    assert played.refused == []


def test_a_call_pops_up_and_becomes_a_file_and_a_slip(visit, live, key):
    desk = visit("phone_consultant")
    page = desk.page
    desk.open("/incoming_calls/list/")
    begun = datetime.now(UTC)
    tell(live, key, {"call_id": "walk-1", "kind": "ringing", "number": "13987650001", "extension": "8001"})
    card = page.locator(".ring").filter(has_text="139****0001")
    card.wait_for(timeout=10_000)
    page.locator("[data-live] td").filter(has_text="139****0001").wait_for(timeout=10_000)
    assert datetime.now(UTC) - begun < timedelta(seconds=8), "two seconds on a machine of its own"
    desk.picture("call-pops-up")
    card.locator('a[data-act="register_temporary"]').click()
    page.locator("dialog[open] form").wait_for()
    assert page.get_attribute('dialog[open] [name="phone"]', "placeholder") == "139****0001"
    desk.fill(name="白露来电")
    desk.send()
    assert "/customer/show/" in page.url
    desk.press("place")
    day = datetime.now(UTC) + timedelta(days=1, hours=8)
    desk.fill(appointed_at=f"{day:%Y-%m-%d}T10:00", latest_arrival_at=f"{day:%Y-%m-%d}T12:00", need_text="想了解")
    page.locator('dialog[open] [name="intention"]').select_option("A")
    desk.send()
    assert "/appointment_slip/show/" in page.url
    tell(live, key, {"call_id": "walk-1", "kind": "answered", "extension": "8001"})
    card = page.locator(".ring").filter(has_text="白露来电")
    card.wait_for(timeout=10_000)
    card.locator('a[data-act="register"]').click()
    page.locator("dialog[open] form").wait_for()
    page.locator('dialog[open] [name="business_category_id"]').select_option(index=1)
    desk.fill(content="想预约")
    desk.send()
    with live.app.app_context():
        session = db.session()
        call = session.scalars(select(PhoneCall).where(PhoneCall.call_id == "walk-1")).one()
        assert call.contact_record_id is not None
        customer = session.get_one(Customer, call.customer_id)
        assert [contact.value for contact in customer.contacts] == ["13987650001"]
    page.set_viewport_size({"width": 390, "height": 860})
    desk.open("/incoming_calls/list/")
    desk.picture("incoming-calls")


def stands(live, name):
    """Return how many events and calls of a play there are, and whether each call is what its events say."""
    with live.app.app_context():
        session = db.session()
        mine = [model.call_id.startswith(f"{name}-") for model in (CallEvent, PhoneCall)]
        events = session.scalar(select(func.count()).select_from(CallEvent).where(mine[0]))
        calls = session.scalars(select(PhoneCall).where(mine[1])).all()
        known = {CallState.RINGING, CallState.TALKING, CallState.ENDED, CallState.MISSED}
        assert {call.state for call in calls} <= known
        for call in calls:
            order = [at for at in (call.ringing_at, call.answered_at, call.missed_at, call.ended_at) if at is not None]
            assert order == sorted(order), call.call_id
        assert untrue(session, name) == [], "each call is what its events say, also those that were told at once"
    return events, len(calls)


@pytest.mark.parametrize(
    ("calls", "rate"), [(20, 40.0), pytest.param(1700, 50.0, marks=pytest.mark.nightly)], ids=["some", "five thousand"]
)
def test_every_event_of_a_day_is_there_once(live, key, calls, rate):
    plan = Plan(calls, name=f"day{calls}")
    events = day_of_calls(plan, Random(6), datetime.now(UTC))
    played = play(live.address, key, events, rate=rate)
    assert played.refused == []
    assert stands(live, plan.name) == (len({event["event_id"] for event in events}), calls)
    assert played.taken == len({event["event_id"] for event in events})
