"""What a page weighs: styles, scripts and icons of a first visit, and the page itself. Issue 5, done when 3."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
#: Bytes on the wire, of a visit with nothing kept.
MOST_FILES = 250 * 1024
#: Bytes of a page before it is compressed.
MOST_PAGE = 100_000

WEIGHED = """() => {
  const sums = {};
  for (const one of performance.getEntriesByType("resource")) {
    const kind = /\\.css/.test(one.name) ? "css" : /\\.js/.test(one.name) ? "js" : "icons and pictures";
    sums[kind] = (sums[kind] || 0) + one.transferSize;
  }
  const page = performance.getEntriesByType("navigation")[0];
  return { sums, page: page.decodedBodySize, wire: page.encodedBodySize,
           kept: performance.getEntriesByType("resource").filter((one) => one.transferSize === 0).length };
}"""


def test_a_first_visit_loads_little_and_a_second_nothing(visit, live, browser):
    context = browser.new_context(viewport={"width": 1280, "height": 860})
    stranger = context.new_page()
    stranger.goto(live.address + "/login/", wait_until="networkidle")
    told = {"login": stranger.evaluate(WEIGHED)}
    context.close()
    assert 20_000 < sum(told["login"]["sums"].values()) < MOST_FILES, told
    desk = visit("phone_supervisor")
    for name, path in (("workbench", "/"), ("list", "/customer/list/"), ("record", "")):
        if name == "record":
            path = desk.page.locator("main tbody tr a").first.get_attribute("href")
        desk.page.goto(live.address + path, wait_until="networkidle")
        told[name] = desk.page.evaluate(WEIGHED)
        assert sum(told[name]["sums"].values()) < 5_000, f"{name} loads again what the login brought: {told[name]}"
        assert told[name]["wire"] < told[name]["page"] / 3, f"{name} is sent compressed"
    for name, weighed in told.items():
        print(name, weighed)
    assert told["list"]["page"] < MOST_PAGE


def test_the_largest_lists_stay_small(visit, live):
    """The whole of each list, for who sees most of it, 25 rows."""
    boss = visit("branch_head")
    for path in ("/department_slips/list/?tab=all", "/customer/list/", "/department_followups/list/?tab=all"):
        boss.open(path)
        size = boss.page.evaluate(WEIGHED)["page"]
        assert boss.page.locator("main tbody tr").count() >= 10, path
        assert size < MOST_PAGE, (path, size)


def test_light_and_dark_are_chosen_where_one_stands(visit):
    """In the menu of the person: at once, kept for the next page, there before any script; as the system says else."""
    desk = visit("phone_supervisor")
    root = desk.page.locator("html")
    assert root.get_attribute("data-bs-theme") == "light"
    desk.page.emulate_media(color_scheme="dark")
    desk.page.locator('html[data-bs-theme="dark"]').wait_for(state="attached", timeout=5000)  # as the system says
    desk.page.locator('button[popovertarget="me"]').click()
    with desk.page.expect_response("**/theme"):
        desk.page.locator('form[data-themes] button[value="light"]').click()
    assert root.get_attribute("data-bs-theme") == "light"
    with desk.page.expect_response("**/theme"):
        desk.page.locator('form[data-themes] button[value="dark"]').click()
    assert root.get_attribute("data-bs-theme") == "dark"
    desk.page.emulate_media(color_scheme="light")
    assert 'data-bs-theme="dark"' in desk.page.request.get(f"{desk.address}/").text(), "the server writes it"
    for name, path in (
        ("workbench", "/"), ("list", "/department_slips/list/?tab=all"), ("report", "/report/appointment_daily/"),
        ("form", "/customer/list/"),
    ):  # fmt: skip
        desk.open(path)
        assert root.get_attribute("data-bs-theme") == "dark"
        if name == "form":
            desk.page.locator("main tbody tr a").first.click()
            desk.page.wait_for_load_state()
        desk.picture(f"dark-{name if name != 'form' else 'record'}")
