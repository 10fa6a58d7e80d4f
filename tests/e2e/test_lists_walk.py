"""Lists and a board in a browser: keys, columns, views; a board that follows another and says when it is cut off."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from app.extensions import db
from app.models.appointments import AppointmentSlip, SlipState
from app.models.hr import Branch
from app.unit import acting_as

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.fixture
def awaited_now(live):
    """Let a slip of the demo be awaited at this very moment, whatever the hour."""
    with live.app.app_context(), acting_as("house:test"):
        statement = select(AppointmentSlip).join(AppointmentSlip.branch).where(Branch.code == "01")
        slip = db.session.scalars(statement.where(AppointmentSlip.state == SlipState.PENDING).limit(1)).one()
        slip.appointed_at = slip.latest_arrival_at = datetime.now(UTC)
        db.session.commit()
        key = f"appointment_slip-{slip.id}"
        db.session.remove()
    return key


def test_lists_and_the_board_by_keyboard(visit, awaited_now):
    desk = visit("phone_supervisor")
    page = desk.page
    desk.open("/department_slips/list/?tab=awaited")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("End")
    last = page.locator("table[data-rows] tbody tr").last
    assert last.evaluate("row => row.contains(document.activeElement)")
    page.keyboard.press("Home")
    page.keyboard.press(" ")
    expect(page.locator("tr.chosen")).to_have_count(1)
    page.keyboard.press("e")
    page.locator("dialog#act[open] form").wait_for()
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.locator("dialog#keys[open] kbd").first).to_be_visible()
    desk.picture("list-keys")
    page.keyboard.press("Escape")

    # A column moved and one taken away, by keyboard; then the view is kept and is a tab.
    page.locator('.own [data-act="choose"]').click()
    line = page.locator('[data-ordered] li:has(input[value="state"])')
    line.locator("input[type=checkbox]").focus()
    page.keyboard.press("Alt+ArrowUp")
    page.locator('[data-ordered] input[value="channel"]').press(" ")
    desk.picture("list-columns")
    with page.expect_event("load"):
        page.locator('dialog[open] footer button[type="submit"]').click()
    heads = page.locator("table[data-rows] th.first, table[data-rows] th:not(.sel):not(.last):not(.first)")
    names = [name.strip(" ↑↓") for name in heads.all_inner_texts()]
    assert names[:3] == ["预约单号", "状态", "客户"], names
    assert "渠道" not in names
    page.locator('[data-act="save"]').click()
    desk.fill(name="待到院清单")
    with page.expect_event("load"):
        page.locator('dialog[open] footer button[type="submit"]').click()
    expect(page.locator('.quick [aria-current="page"]')).to_contain_text("待到院清单")
    desk.picture("list-view")

    guide, other = visit("guide"), visit("guide_supervisor")
    for person in (guide, other):
        person.open("/arrivals_board/list/")
    guide.picture("board")
    key = awaited_now
    guide.page.locator(f'[data-card="{key}"]').focus()
    guide.page.keyboard.press("Enter")
    guide.page.locator("dialog[open] form").wait_for()
    guide.page.locator('dialog[open] button[type="submit"]').click()  # the board stays and shows it
    there = f'section[aria-labelledby="lane-here"] [data-card="{key}"]'
    expect(guide.page.locator(there)).to_be_visible()
    expect(other.page.locator(there)).to_be_visible(timeout=5_000)

    other.page.context.set_offline(True)
    expect(other.page.locator("[data-lost]")).to_have_text(re.compile(r"\d\d:\d\d:\d\d"), timeout=6_000)
    other.picture("board-lost")
    other.page.context.set_offline(False)
    expect(other.page.locator("[data-lost]")).to_be_hidden(timeout=6_000)
    other.open("/arrivals_board/list/?wall=1")
    other.picture("board-wall")
