"""Bad luck at a desk: the session ends in the middle, the network is lost, keys are pressed twice. Nothing typed is
lost, nothing is done twice."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import func, select

from tests.conftest import PASSWORD

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

NUMBER = "1397776"


def in_house(live, statement):
    from app.extensions import db
    from app.services.guard import crossing

    with live.app.app_context(), crossing("doors"):
        found = db.session.scalar(statement)
        db.session.remove()
        return found


def count_named(live, name):
    from app.models.customers import Customer

    return in_house(live, select(func.count()).select_from(Customer).where(Customer.name == name))


def end_sessions(live, username):
    """As an administrator ends them."""
    from app.extensions import db
    from app.models.base import METADATA
    from app.models.doors import Ended
    from app.services.doors import sessions
    from app.services.guard import crossing
    from app.unit import acting_as, unit_of_work

    user = METADATA.tables["ab_user"]
    with live.app.app_context(), crossing("doors"), acting_as("house:test"):
        user_id = db.session.scalar(select(user.c.id).where(user.c.username == username))
        with unit_of_work(db.session()) as opened:
            sessions.end_all(opened, user_id, Ended.BY_OTHERS, datetime.now(UTC))
        db.session.remove()


def open_dialog(desk, name, tail):
    desk.open("/phone_desk/list/")
    desk.press("register_temporary")
    desk.fill(name=name, phone=NUMBER + tail)


def test_bad_luck_loses_nothing_and_does_nothing_twice(visit, live):
    desk = visit("phone_consultant_2")
    page = desk.page

    # The session ends while the dialog is open: one logs in over it, and it is sent, once.
    open_dialog(desk, "苏未段", "0001")
    end_sessions(live, "phone_consultant_2")
    page.locator('dialog#act button[type="submit"]').click()
    page.locator("dialog#log-in-again[open]").wait_for()
    desk.picture("session-ended")
    assert page.locator("#again-name").input_value() == "phone_consultant_2"
    page.fill("#again-password", "wrong")
    page.keyboard.press("Enter")
    page.locator("#log-in-again [data-wrong]:not([hidden])").wait_for()
    page.fill("#again-password", PASSWORD)
    with page.expect_event("load"):
        page.keyboard.press("Enter")
    assert "/customer/show/" in page.url
    assert count_named(live, "苏未段") == 1

    # The network is lost while it is sent; the page says so, and sending again has one effect.
    open_dialog(desk, "白午网", "0002")
    page.context.set_offline(True)
    page.locator(".net").wait_for()
    page.locator('dialog#act button[type="submit"]').click()
    page.locator("dialog#act [data-said]").wait_for()
    desk.picture("network-lost")
    page.context.set_offline(False)
    page.locator(".net").wait_for(state="detached", timeout=9000)
    assert page.locator('dialog#act [name="name"]').input_value() == "白午网"
    # This time it arrives, and the answer is lost on its way.
    lost = []

    def swallow(route):
        lost.append(route.fetch().status)
        route.abort()

    page.route("**/customer/act/register_temporary", swallow, times=1)
    page.locator('dialog#act button[type="submit"]').click()
    page.locator("dialog#act form:not([data-busy]) [data-said]").wait_for()
    assert lost == [200]
    page.locator('dialog#act button[type="submit"]').dblclick()
    page.wait_for_url("**/customer/show/**")
    assert count_named(live, "白午网") == 1

    # A plain page: double Enter, back, and the form says what it led to.
    desk.open("/customer/act/register_temporary")
    page.fill("main [name=name]", "双季人")
    page.fill("main [name=phone]", NUMBER + "0003")
    page.locator("main form button[type=submit]").dblclick(no_wait_after=True)
    page.wait_for_url("**/customer/show/**")
    done = page.url
    page.go_back()
    page.locator("[data-before] a").wait_for()
    desk.picture("back-after-act")
    assert page.locator("[data-before] a").get_attribute("href") == done.removeprefix(live.address)
    page.go_forward()
    page.wait_for_url("**/customer/show/**")
    page.reload()
    assert count_named(live, "双季人") == 1

    # A plain page whose session ends: the login carries what was typed.
    desk.open("/customer/act/register_temporary")
    page.fill("main [name=name]", "登陆人")
    page.fill("main [name=phone]", NUMBER + "0004")
    page.on("dialog", lambda asked: asked.accept())
    end_sessions(live, "phone_consultant_2")
    with page.expect_event("load"):
        page.locator("main form button[type=submit]").click()
    desk.picture("login-carries")
    page.fill("[name=username]", "phone_consultant_2")
    page.fill("[name=password]", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/customer/act/register_temporary")
    page.locator("main [data-summary]").wait_for()
    desk.picture("form-again")
    assert page.input_value("main [name=name]") == "登陆人"
    page.locator("main form button[type=submit]").click()
    page.wait_for_url("**/customer/show/**")
    assert count_named(live, "登陆人") == 1

    # Another person at the dialog: the page is left, and nothing of it is seen.
    open_dialog(desk, "别人看", "0005")
    end_sessions(live, "phone_consultant_2")
    page.locator('dialog#act button[type="submit"]').click()
    page.locator("dialog#log-in-again[open]").wait_for()
    page.fill("#again-name", "guide")
    page.fill("#again-password", PASSWORD)
    with page.expect_event("load"):
        page.keyboard.press("Enter")
    assert page.url == live.address + "/"
    assert count_named(live, "别人看") == 0
