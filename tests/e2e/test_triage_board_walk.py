"""The triage board in Chromium: keys alone, two boards that agree, the wall; wide and narrow. White paper 2.3."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from app.acts import REGISTRY
from app.models.base import METADATA
from app.models.hr import Employee
from app.models.reception import Visit, VisitState
from app.models.triage import EveningDuty, LineKind, RotationLine, RotationSeat, SeatDuty
from app.services.hr import actor_for_employee
from app.services.runner import run
from app.unit import acting_as, unit_of_work

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
BOARD = "/triage_board/list/"
AGREED = 5_000  # milliseconds


def _find(session, username):
    user = METADATA.tables["ab_user"]
    login = select(user.c.id).where(user.c.username == username).scalar_subquery()
    return session.scalars(select(Employee).where(Employee.user_id == login)).one()


@pytest.fixture
def line(live):
    """A line that stands first, with two offices and three who wait; in the evening they have duty."""
    from app.extensions import db

    with live.app.app_context(), acting_as("house:test"):
        session, now = db.session(), datetime.now(UTC)
        guide = _find(session, "guide")
        with unit_of_work(session):
            line = RotationLine(name="咨询一线", kind=LineKind.CONSULTANT, branch_id=guide.branch_id, position=0)
            session.add(line)
            session.flush()
            for place, who in enumerate(("onsite_consultant", "onsite_consultant_2"), start=1):
                seat = RotationSeat(
                    line_id=line.id,
                    branch_id=line.branch_id,
                    employee_id=_find(session, who).id,
                    office_order=place,
                    office=f"20{place}",
                    state=SeatDuty.ON,
                )
                session.add(seat)
                session.flush()
                day = now.astimezone(actor_for_employee(session, guide).timezone).date()
                session.add(
                    EveningDuty(line_id=line.id, branch_id=line.branch_id, seat_id=seat.id, duty_on=day, position=place)
                )
            key = line.id
        by = actor_for_employee(session, guide)
        waiting = select(Visit.id).where(Visit.branch_id == guide.branch_id, Visit.state == VisitState.REGISTERED)
        for key_of_visit in session.scalars(waiting).all():  # who waits in the demo may be her own consultant's
            values = {"reason": "改日再来"}
            run(session, REGISTRY.find("visit", "cancel"), by=by, at=now, record_id=key_of_visit, values=values)
        for number in range(3):
            act = REGISTRY.find("visit", "receive")
            run(session, act, by=by, at=now, values={"name": "王小美", "phone": f"1377700000{number}"})
    return key


def test_keys_alone_send_a_visit_and_two_boards_agree(visit, line):
    nurse, boss = visit("triage"), visit("guide_supervisor", width=390, locale="en")
    lane = f'section[aria-labelledby="lane-line-{line}"]'
    for person in (nurse, boss):
        person.open(BOARD)
    waiting = nurse.page.locator(f'{lane} [data-card^="visit-"]').count()
    assert waiting >= 3
    nurse.picture("triage-board")
    nurse.page.keyboard.press("1")
    nurse.page.locator(f'{lane} [data-key="a"]').first.wait_for()
    boss.page.locator(f"{lane} [data-runs]").first.wait_for(timeout=AGREED)
    assert boss.page.locator(f'{lane} [data-card^="visit-"]').count() == waiting - 1
    seat = nurse.page.locator(f'{lane} [data-card^="rotation_seat-"]').first
    key = seat.get_attribute("data-card")
    before = seat.locator("[data-runs]").inner_text()
    seat.focus()
    for letter, following in (("a", "b"), ("b", "f")):
        nurse.page.keyboard.press(letter)
        nurse.page.locator(f'{lane} [data-card="{key}"] [data-key="{following}"]').wait_for()
        focused = nurse.page.evaluate("document.activeElement.closest('[data-card]')?.dataset.card")
        assert focused == key, "the focus stays on its card"
    assert before.count(":") == 1
    boss.page.get_by_text("With the customer").first.wait_for(timeout=AGREED)
    nurse.page.keyboard.press("w")
    nurse.page.locator(f'{lane} [data-card="{key}"] details[open] li').first.wait_for()
    nurse.page.keyboard.press("?")
    nurse.page.locator("dialog#keys[open]").wait_for()
    nurse.page.keyboard.press("Escape")
    nurse.page.keyboard.press("1")
    second = nurse.page.locator(f'{lane} [data-card^="rotation_seat-"]').nth(1)
    second.locator('[data-key="s"]').wait_for()
    second.focus()
    nurse.page.keyboard.press("s")
    nurse.page.locator("dialog[open] form").wait_for()
    nurse.fill(reason="正在手术")
    nurse.page.locator('dialog[open] button[type="submit"]').click()
    nurse.page.locator("dialog[open]").wait_for(state="hidden")
    nurse.page.locator("[data-lanes] > .note").first.wait_for()
    boss.page.reload()
    boss.picture("triage-board-en")
    for person in (nurse, boss):
        person.open(f"{BOARD}?wall=1")
        assert "王小美" not in person.page.content()
        assert person.page.locator("main form, main [data-act]").count() == 0
        person.picture("triage-wall")
