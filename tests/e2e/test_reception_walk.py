"""From the card to the door: received, assigned, skipped at the limit, accepted, brought in, consulted, taken to the
door; what a scanner can do, it does alone. White paper 2.2, 2.3, 2.4, 2.23; triage SOP; issue 7, done when 3."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from app.acts import REGISTRY
from app.extensions import db
from app.jobs.triage import pass_on
from app.models.base import METADATA
from app.models.consultation import Consultation
from app.models.customers import Customer, Sex
from app.models.followup import FollowupPlan
from app.models.hr import Employee
from app.models.reception import CardState, CardType, CustomerCard, Visit, VisitState
from app.models.triage import AssignmentState, RotationSeat, SeatDuty, TriageAssignment
from app.panel import person
from app.services.hr import actor_for_employee
from app.services.runner import run
from app.unit import acting_as
from tests.e2e.test_scan_by_day import SCAN

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

#: Strokes and clicks until she is assigned; a scan counts as one.
MOST_TOUCHES = 12


class Clock:
    """The wall clock of the server's requests, which can be put forward."""

    def __init__(self):
        self.ahead = timedelta()

    def now(self, zone=None):
        return datetime.now(zone) + self.ahead


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr(person, "datetime", made)
    return made


@pytest.fixture
def house(live):
    """A session of the first branch, and whoever works there by login."""
    user = METADATA.tables["ab_user"]
    with live.app.app_context(), acting_as("house:test"):
        session = db.session()

        def actor(login):
            found = select(Employee).join(user, user.c.id == Employee.user_id).where(user.c.username == login)
            return actor_for_employee(session, session.scalars(found).one())

        yield session, actor


def do(session, name, by, record_id=None, **values):
    table, act = name.split(".")
    return run(session, REGISTRY.find(table, act), by=by, at=datetime.now(UTC), record_id=record_id, values=values)


@pytest.fixture
def carded(house):
    """A customer who is not in the house, with a design card; a free temporary card; every seat on duty."""
    session, actor = house
    guide = actor("guide")
    here = select(Visit.customer_id).where(Visit.closed_at.is_(None))
    customer = session.scalars(
        select(Customer)
        .where(Customer.branch_id == guide.branch_id, Customer.name.is_not(None), Customer.sex.is_not(None))
        .where(Customer.id.not_in(here), Customer.first_visit_at.is_(None), Customer.contacts.any(kind="phone"))
        .order_by(Customer.id)
    ).first()
    assert customer.sex in tuple(Sex)
    cards = {
        kind: session.scalars(
            select(CustomerCard)
            .where(CustomerCard.branch_id == guide.branch_id, CustomerCard.card_type == kind)
            .where(CustomerCard.state == CardState.IN_STOCK)
            .order_by(CustomerCard.id.desc())
        ).first()
        for kind in CardType
    }
    do(session, "customer_card.issue", guide, cards[CardType.DESIGN].id, customer_id=customer.id)
    triage = actor("triage")
    for seat in session.scalars(select(RotationSeat).where(RotationSeat.branch_id == guide.branch_id)).all():
        if seat.state is not SeatDuty.ON:
            do(session, "rotation_seat.come_on", triage, seat.id)
    return customer, cards[CardType.DESIGN].card_no, cards[CardType.VISIT].card_no


class Hand:
    """A person at the desk whose every stroke, click and scan is counted."""

    def __init__(self, visit):
        self.visit, self.page, self.touches = visit, visit.page, 0

    def scan(self, code):
        """Let the scanner type, and wait for the page that follows."""
        self.touches += 1
        with self.page.expect_event("load"):
            self.page.evaluate(SCAN, [[code], 0])

    def click(self, what):
        self.touches += 1
        self.page.locator(what).first.click()

    def act(self, name):
        """Press an act's button and wait for its dialog."""
        self.click(f'main a[data-act][href*="/act/{name}"]')
        self.page.locator("dialog[open] form").wait_for()

    def send(self):
        self.touches += 1
        self.visit.send()


def test_from_the_card_to_the_door(visit, house, carded, clock):
    session, _actor = house
    customer, card_no, temporary_no = carded
    guide = Hand(visit("guide"))
    visit_id = received(guide, session, customer, card_no, temporary_no)
    triage = visit("triage")
    first = assigned(guide, triage, session, visit_id)
    assert guide.touches <= MOST_TOUCHES, guide.touches
    second = skipped(triage, session, clock, first)
    brought_in(guide, triage, session, second)
    consulted(visit, session, second)
    out_of_the_door(guide, session, visit_id, temporary_no)


def received(guide, session, customer, card_no, temporary_no):
    """The card is scanned from wherever one is, she is received, and gets a temporary card by one more scan."""
    guide.scan(card_no)
    assert "/customer_card/show/" in guide.page.url
    guide.act("receive")
    guide.send()
    assert "/visit/show/" in guide.page.url
    visit_id = int(guide.page.url.split("/show/")[1].split("?")[0])
    guide.act("hand_out")
    assert guide.page.evaluate("document.activeElement.name") == "card_no"
    guide.scan(temporary_no)
    come = session.get_one(Visit, visit_id, populate_existing=True)
    assert (come.customer_id, come.state, come.visit_type.value) == (customer.id, VisitState.REGISTERED, "first")
    out = session.scalars(select(CustomerCard).where(CustomerCard.card_no == temporary_no)).one()
    session.refresh(out)
    assert out.state is CardState.ACTIVE
    guide.visit.picture("reception-visit")
    return visit_id


def assigned(guide, triage, session, visit_id):
    """Triage sees who would be called and why, and calls by one click."""
    triage.open("/triage_board/list/")
    card = triage.page.locator(f'[data-card="visit-{visit_id}"]').first
    triage.picture("triage-waiting")
    guide.touches += 1
    card.locator("form[data-quick] button").first.click()
    call = calling(session, visit_id, triage)
    assert session.get_one(Visit, visit_id, populate_existing=True).consultant_id is None, "not hers before she accepts"
    return call


def calling(session, visit_id, triage, but=0):
    """Wait until somebody is called for a visit, and return the call."""
    for _turn in range(60):
        session.rollback()
        found = session.scalars(
            select(TriageAssignment)
            .where(TriageAssignment.visit_id == visit_id, TriageAssignment.id != but)
            .where(TriageAssignment.state == AssignmentState.CALLING)
        ).first()
        if found is not None:
            return found
        triage.page.wait_for_timeout(100)
    raise AssertionError("nobody is called")


def skipped(triage, session, clock, call):
    """Nobody answers: at the limit the turn is over, whoever comes by first; the job writes it, and calls the next."""
    clock.ahead = call.answer_by_at - datetime.now(UTC) + timedelta(seconds=2)
    triage.open("/triage_board/list/")
    triage.page.locator("main").filter(has_text="未应答").first.wait_for()
    triage.picture("triage-due")
    pass_on(session, None, datetime.now(UTC) + clock.ahead)
    session.commit()
    session.refresh(call)
    assert (call.state, call.skipped_at) == (AssignmentState.SKIPPED, call.answer_by_at)
    return calling(session, call.visit_id, triage, but=call.id)


def brought_in(guide, triage, session, call):
    """Who is called next accepts, and the guide brings the customer in."""
    assert call.previous_id is not None
    triage.open(f"/triage_assignment/show/{call.id}")
    triage.page.locator("main").filter(has_text="为什么").first.wait_for()
    triage.picture("triage-why")
    for person_there, act in ((triage, "accept"), (guide.visit, "bring_in")):
        person_there.open(f"/triage_assignment/show/{call.id}")
        person_there.press(act)
        person_there.send()
    session.refresh(call)
    assert call.state is AssignmentState.IN_ROOM


def consulted(visit, session, call):
    """The consultant begins from her own list, and says why it came to no deal: the call in a week is planned."""
    login = login_of(session, call.assignee_id)
    consultant = visit(login)
    consultant.open("/my_visits/list/")
    consultant.picture("my-visits")
    consultant.open(f"/visit/show/{call.visit_id}")
    consultant.press("start")
    consultant.send()
    talk = session.scalars(select(Consultation).where(Consultation.visit_id == call.visit_id)).one()
    consultant.open(f"/consultation/show/{talk.id}")
    consultant.press("conclude")
    dialog = consultant.page.locator("dialog[open]")
    consultant.picture("consultation-conclude")
    dialog.locator('[name="outcome"]').select_option("no_deal")
    dialog.locator('[name="failure_reason_id"]').select_option(index=1)
    dialog.locator('[name="item_ids"]').first.check()
    consultant.fill(need_text="想开眼角，担心留疤")
    consultant.send()
    consultant.picture("consultation")
    session.refresh(talk)
    session.refresh(call)
    assert (talk.state.value, call.state) == ("no_deal", AssignmentState.DONE)
    occasion = f"consultation:{talk.id}"
    assert session.scalars(select(FollowupPlan).where(FollowupPlan.occasion.startswith(occasion))).all()


def login_of(session, employee_id):
    user = METADATA.tables["ab_user"]
    return session.scalar(
        select(user.c.username).join(Employee, Employee.user_id == user.c.id).where(Employee.id == employee_id)
    )


def out_of_the_door(guide, session, visit_id, temporary_no):
    """With the card still out she is held by a sentence; it is taken back, and she is taken to the door."""
    guide.visit.open(f"/visit/show/{visit_id}")
    guide.act("escort_out")
    guide.page.locator('dialog[open] [name="is_instructed"]').check()
    guide.page.locator('dialog[open] button[type="submit"]').click()
    guide.page.locator("dialog[open]").filter(has_text=temporary_no).wait_for()
    guide.visit.picture("escort-held")
    guide.scan(temporary_no)
    assert "/customer_card/show/" in guide.page.url
    guide.visit.picture("card-scanned")
    guide.act("bring_back")
    guide.send()
    guide.visit.open(f"/visit/show/{visit_id}")
    guide.act("escort_out")
    guide.page.locator('dialog[open] [name="is_instructed"]').check()
    guide.send()
    gone = session.get_one(Visit, visit_id, populate_existing=True)
    assert gone.state is VisitState.LEFT
    assert gone.left_at is not None
