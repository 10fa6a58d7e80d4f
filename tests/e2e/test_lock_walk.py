"""The lock of the screen as somebody at a desk sees it: at once, over everything, and what was typed is there again."""

from __future__ import annotations

import pytest

from tests.conftest import PASSWORD

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def test_one_key_locks_the_screen_and_the_password_gives_back_what_was_typed(visit):
    desk = visit("phone_consultant")
    page = desk.page
    desk.open("/customer/act/register_temporary")
    page.fill("[name=name]", "钱未发")
    page.keyboard.press("Control+Alt+KeyL")
    page.locator("dialog.lock[open]").wait_for()
    assert "锁定" in page.title() or "locked" in page.title()
    assert not page.locator("main").is_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    assert page.locator("dialog.lock[open]").is_visible(), "no other key opens it"
    desk.picture("lock-overlay")
    page.fill("#lock-password", "wrong")
    page.keyboard.press("Enter")
    page.locator("[data-wrong]:not([hidden])").wait_for()
    page.fill("#lock-password", PASSWORD)
    page.keyboard.press("Enter")
    page.locator("dialog.lock[open]").wait_for(state="hidden")
    assert page.input_value("[name=name]") == "钱未发", "nothing that was typed is lost"

    page.on("dialog", lambda asked: asked.accept())
    page.locator("[data-lock-screen] button").click()
    page.locator("dialog.lock[open]").wait_for()
    page.wait_for_timeout(500)
    page.goto(desk.address + "/customer/list/")
    assert page.locator("#unlock-password").is_visible(), "a reload shows the lock and nothing else"
    assert page.locator("nav.side").count() == 0
    desk.picture("lock-page")
    page.set_viewport_size({"width": 390, "height": 860})
    desk.picture("lock-page")
    page.fill("#unlock-password", PASSWORD)
    with page.expect_event("load"):
        page.keyboard.press("Enter")
    assert page.url.endswith("/customer/list/")
    desk.open("/my-login/")
    desk.picture("my-login")
    page.set_viewport_size({"width": 1280, "height": 860})
    desk.open("/language/en")
    desk.open("/my-login/")
    desk.picture("my-login-en")
    desk.open("/my-login/password")
    desk.picture("password-en")
    desk.open("/my-login/second-factor")
    with page.expect_event("load"):
        page.locator("button[type=submit]").first.click()
    desk.picture("second-factor-en")
    desk.open("/forgotten")
    desk.picture("forgotten-en")
