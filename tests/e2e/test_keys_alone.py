"""Keyboard alone: log in, search, place, redo, void, print. No mouse, and the focus is always to be seen."""

from __future__ import annotations

from datetime import datetime

import pytest
from playwright.sync_api import expect

from tests.conftest import PASSWORD
from tests.e2e.test_desk import local

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

#: What has the focus: what it says, and whether a ring or a border shows it.
FOCUSED = """() => {
    const at = document.activeElement;
    const looks = getComputedStyle(at);
    const ring = (looks.outlineStyle !== 'none' && parseFloat(looks.outlineWidth) > 0) || looks.boxShadow !== 'none';
    return {name: at.name || '', id: at.id || '', href: at.getAttribute('href') || '', ring, tag: at.tagName,
            text: (at.textContent || '').trim().slice(0, 40), body: at === document.body};
}"""


class Keys:
    """Presses keys and counts them."""

    def __init__(self, page):
        self.page, self.pressed = page, 0

    def press(self, key, times=1):
        for _time in range(times):
            self.page.keyboard.press(key)
            self.pressed += 1

    def type(self, words):
        self.page.keyboard.type(words)
        self.pressed += len(words)

    def at(self):
        return self.page.evaluate(FOCUSED)

    def to(self, wanted, most=90, key="Tab"):
        """Walk with Tab to what ``wanted`` says; on the way the focus is always shown."""
        for _step in range(most):
            here = self.at()
            if not here["body"] and wanted(here):
                assert here["ring"], f"no ring on {here}"
                return
            self.press(key)
        raise AssertionError(f"not reached in {most} steps; last at {self.at()}")

    def onward(self, key="Enter"):
        with self.page.expect_event("load"):
            self.press(key)


def named(name):
    return lambda here: here["name"] == name


def leading(part):
    return lambda here: part in here["href"]


def when(days, hour):
    """A time as Chromium's field takes it, typed part by part."""
    day = datetime.fromisoformat(local(days, hour))
    return day.strftime("%m%d%Y"), day.strftime("%I%M%p")


def fill_times(keys, *, days, hours):
    for name, hour in zip(("appointed_at", "latest_arrival_at"), hours, strict=True):
        keys.to(named(name))
        day, clock = when(days, hour)
        keys.type(day)
        keys.press("Tab")
        keys.type(clock)


def test_with_the_keyboard_alone_a_slip_is_placed_redone_voided_and_printed(visit, live):
    desk = visit("phone_consultant")
    desk.open("/phone_desk/list/")
    desk.press("register_temporary")
    desk.fill(name="郑键盘", phone="13977791001")
    desk.send()

    fresh = desk.page.context.browser.new_context(viewport={"width": 1280, "height": 860}, timezone_id="Asia/Shanghai")
    page = fresh.new_page()
    keys = Keys(page)
    page.goto(live.address + "/login/")
    keys.type("phone_supervisor")
    keys.press("Tab")
    keys.type(PASSWORD)
    keys.onward()

    keys.press("F2")
    keys.type("13977791001")
    keys.onward()
    if "/customer/show/" not in page.url:
        keys.to(leading("/customer/show/"))
        keys.onward()
    page.locator("h1", has_text="郑键盘").wait_for()

    keys.to(leading("/act/place"))
    keys.press("Enter")
    page.locator("dialog#act[open] form").wait_for()
    fill_times(keys, days=1, hours=(10, 12))
    keys.to(named("intention"))
    keys.press("ArrowDown")
    page.screenshot(path=_shot("keys-focus"))
    _submit(keys)
    page.wait_for_url("**/appointment_slip/show/**")
    first = page.locator("h1").inner_text().strip()

    keys.to(leading("/act/redo"))
    keys.press("Enter")
    page.locator("dialog#act[open] form").wait_for()
    fill_times(keys, days=2, hours=(15, 17))
    _submit(keys)
    expect(page.locator("h1")).not_to_have_text(first)

    with page.expect_popup() as paper:
        keys.to(lambda here: here["tag"] == "BUTTON" and "打印" in here["text"])
        keys.press("Enter")
    assert "/print/" in paper.value.url
    paper.value.close()

    keys.to(leading("/act/void"))
    keys.press("Enter")
    page.locator("dialog#act[open] form").wait_for()
    keys.to(named("reason"))
    keys.type("客户取消，已电话确认")
    _submit(keys)
    page.wait_for_load_state()
    page.locator("main .badge-s", has_text="作废").first.wait_for()
    assert keys.pressed < 600, f"{keys.pressed} keys"
    fresh.close()


def _submit(keys):
    keys.to(lambda here: here["tag"] == "BUTTON" and keys.page.evaluate("document.activeElement.type") == "submit")
    keys.onward()


def _shot(name):
    from tests.e2e.conftest import SCREENSHOTS

    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    return SCREENSHOTS / f"{name}-1280.png"
