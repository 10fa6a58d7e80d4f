"""JavaScript off: lists, records, forms, acts with their refusals, selections and printing work all the same. And
values of unusual size: nothing breaks out of the page, nothing is lost, refusals are sentences."""

from __future__ import annotations

import pytest

from tests.conftest import PASSWORD
from tests.e2e.conftest import SCREENSHOTS
from tests.e2e.test_desk import local

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

LONG = "长" * 60 + "W" * 140
ADDRESS = "上海市徐汇区漕溪北路一号\n甲座二十八层\n靠窗工位\n请按门铃"
RTL = "‏שלום עולם مرحبا"
WIDE = """() => ({wide: document.documentElement.scrollWidth, room: document.documentElement.clientWidth,
    out: [...document.querySelectorAll('main *')].filter((each) => {
        const box = each.getBoundingClientRect();
        return box.width && box.right > innerWidth + 1
            && !each.closest('.wrap, .quick, [popover], svg, .visually-hidden');
    }).slice(0, 3).map((each) => each.className + ' ' + each.textContent.slice(0, 30))})"""


class Plain:
    """A browser without script: links and forms alone."""

    def __init__(self, browser, address, username, width=1280):
        self.context = browser.new_context(
            java_script_enabled=False, viewport={"width": width, "height": 860}, timezone_id="Asia/Shanghai"
        )
        self.page, self.address = self.context.new_page(), address
        self.open("/login/")
        self.fill(username=username, password=PASSWORD)
        self.send()

    def open(self, path):
        self.page.goto(self.address + path)

    def fill(self, **values):
        for name, value in values.items():
            control = self.page.locator(f'main [name="{name}"]').first
            if control.evaluate("each => each.tagName") == "SELECT":
                control.select_option(value)
            else:
                control.fill(value)

    def send(self, button='main form button[type="submit"]:not(.visually-hidden)'):
        with self.page.expect_event("load"):
            self.page.locator(button).first.click()

    def follow(self, link):
        with self.page.expect_event("load"):
            self.page.locator(link).first.click()

    def text(self):
        return self.page.locator("main").inner_text()


def place(desk, days=1):
    desk.follow('main a[href*="/appointment_slip/act/place"]')
    desk.fill(appointed_at=local(days, 10), latest_arrival_at=local(days, 12), intention="A")
    desk.send()
    assert "/appointment_slip/show/" in desk.page.url
    return desk.page.url, desk.page.locator("h1").inner_text().strip()


def test_without_script_everything_can_be_done(live, browser):
    desk = Plain(browser, live.address, "phone_supervisor")
    desk.open(
        "/department_slips/list/" if "/department_slips/list/" in desk.page.content() else "/appointment_slip/list/"
    )
    desk.page.screenshot(path=_shot("no-script-list"), full_page=True)
    if desk.page.locator('main a[rel="next"]').count():
        desk.follow('main a[rel="next"]')
        assert "page=1" in desk.page.url
    desk.open("/customer/list/?q=%E7%8E%8B&state=temporary")
    assert desk.page.locator("main .chip.set").count() >= 1, "filters are links and forms"

    desk.open("/customer/act/register_temporary")
    desk.send()
    assert desk.page.locator("main [data-summary] a[href^='#']").count() >= 1, "refused beside the field and above"
    desk.fill(name="钱无码", phone="13977781001")
    desk.send()
    customer = desk.page.url
    assert "/customer/show/" in customer

    desk.follow('main a[href*="/appointment_slip/act/place"]')
    desk.fill(appointed_at=local(1, 10), latest_arrival_at=local(1, 9), intention="A", need_text="怕疼")
    desk.send()
    assert desk.page.locator('main [name="need_text"]').input_value() == "怕疼", "nothing typed is lost"
    desk.page.screenshot(path=_shot("no-script-refused"), full_page=True)
    desk.fill(latest_arrival_at=local(1, 12))
    desk.send()
    assert "/appointment_slip/show/" in desk.page.url
    slip_no = desk.page.locator("h1").inner_text().strip()

    with desk.page.expect_popup() as paper:
        desk.page.locator("main form[data-print] button").first.click()
    assert "/print/" in paper.value.url
    paper.value.close()

    desk.open(f"/appointment_slip/list/?q={slip_no}")
    desk.page.locator('main input[form="many"]').first.check()
    desk.send('form#many button[data-name="void"], form#many button[formaction*="void"]')
    desk.fill(reason="客户取消，已电话确认")
    desk.send()
    assert slip_no in desk.text()
    desk.open(f"/appointment_slip/list/?q={slip_no}")
    assert "作废" in desk.text()
    desk.context.close()


def test_values_of_unusual_size_stay_on_the_page_and_are_not_lost(live, browser, visit):
    plain = Plain(browser, live.address, "phone_consultant")
    plain.open("/customer/act/register_temporary")
    plain.fill(name=LONG, phone="13977781002", followup_note="注" * 10_000)
    plain.send()
    assert len(plain.page.locator("main [name=followup_note]").input_value()) == 10_000, "refused, and still there"
    assert plain.page.locator("main [name=name]").input_value() == LONG
    refused = plain.page.locator("main [data-summary]").inner_text()
    assert "10000" in refused.replace(",", "") or "10,000" in refused, "a sentence that says how long it is"
    plain.fill(name=LONG[:60], followup_note=f"{ADDRESS}\n{RTL} 😀 {'a' * 200}")
    plain.send()
    assert "/customer/show/" in plain.page.url, plain.page.locator("main [data-summary]").all_inner_texts()
    customer = plain.page.url.removeprefix(live.address)
    plain.context.close()

    desk = visit("phone_consultant")
    for width, height, scale in ((1280, 860, 1), (640, 430, 2), (390, 860, 1)):
        desk.page.set_viewport_size({"width": width, "height": height})
        for path, name in (
            (customer, "record"),
            ("/customer/list/?q=13977781002", "list"),
            (f"/appointment_slip/act/place?source=customer:{customer.rpartition('/')[2]}", "form"),
            ("/nothing/" + "n" * 300, "error"),
        ):
            desk.open(path)
            found = desk.page.evaluate(WIDE)
            assert found["wide"] <= found["room"], (width, scale, name, found)
            assert found["out"] == [], (width, scale, name, found)
            desk.picture(f"extreme-{name}-{scale}")
    assert "😀" in desk.page.evaluate(f"fetch('{customer}').then((answer) => answer.text())")


def _shot(name):
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    return SCREENSHOTS / f"{name}-1280.png"
