"""Who did what, as its people find it: a list leaves for a reason, the auditor reads of it, IT reads nothing."""

from __future__ import annotations

import io

import pytest
from openpyxl import load_workbook

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

WHY = "月度核对本组客户"


@pytest.mark.parametrize("width", [1280, 390])
def test_a_list_leaves_for_a_reason_and_the_auditor_finds_who_took_it(visit, width):
    boss = visit("phone_supervisor", width=width)
    boss.open("/customer/list/")
    sheet = boss.export('main a[href*="/customer/export"]', WHY)
    name = boss.page.locator("#me .menu-head strong").text_content()
    marked = [cell for row in load_workbook(io.BytesIO(sheet)).active.iter_rows(values_only=True) for cell in row]
    assert any(isinstance(cell, str) and name in cell and "202" in cell for cell in marked), "who took it, and when"
    assert not any(isinstance(cell, str) and cell.isdecimal() and len(cell) == 11 for cell in marked), "numbers masked"
    export = boss.page.url.removeprefix(boss.address)
    boss.picture("trust-export")

    auditor = visit("auditor", width=width)
    auditor.open("/audit_log/list/?operation=export")
    line = auditor.page.locator("main tbody tr").first
    assert name in line.inner_text()
    auditor.picture("trust-trail")
    line.locator("a").first.click()
    auditor.page.wait_for_load_state()
    assert WHY in auditor.page.locator("main").inner_text(), "and why"
    auditor.picture("trust-entry")

    auditor.open(f"/rights/people/?q={name}")
    auditor.page.locator("main tbody tr a").first.click()
    auditor.page.wait_for_load_state()
    auditor.picture("trust-rights")
    with auditor.page.expect_event("load"):
        auditor.page.locator('form[action*="/see-as/"] button').first.click()
    assert name in auditor.page.locator("main .n-warn").inner_text()
    auditor.picture("trust-seeing")
    auditor.open("/customer/list/")
    assert auditor.page.locator("main tbody tr").count() > 1, "her rows are there"
    auditor.press("register_temporary")
    auditor.fill(name="不应建立")
    auditor.page.locator('dialog[open] button[type="submit"]').click()
    auditor.page.locator("dialog[open] .n-bad").wait_for()
    assert name in auditor.page.locator("dialog[open] .n-bad").inner_text(), "she only looks"
    auditor.picture("trust-only-looks")
    auditor.page.keyboard.press("Escape")  # a dialog left half filled would ask first
    auditor.open("/customer/list/?q=不应建立")
    assert auditor.page.locator("main tbody tr a").count() == 0
    with auditor.page.expect_event("load"):
        auditor.page.locator('form[action="/see-as/stop"] button').click()
    assert auditor.page.locator("main .n-warn").count() == 0

    it = visit("it_manager", width=width)
    it.open("/audit_log/list/")
    assert it.page.locator("main tbody").count() == 0, "IT does not read the trail"
    it.open(export)
    assert it.page.locator('main a[href*="/stored_file/"]').count() == 0, "the file is for who asked for it"


def test_the_history_of_a_record_tells_the_change_in_words(visit):
    desk = visit("phone_consultant")
    desk.open("/phone_desk/list/")
    desk.press("register_temporary")
    desk.fill(name="许知远", phone="13977770201")
    desk.send()
    customer = desk.page.url.removeprefix(desk.address)
    desk.page.locator('main a[href*="/customer/edit/"]').first.click()
    desk.page.locator('[name="sex"]').select_option("female")
    desk.page.fill('[name="name"]', "许知遥")
    with desk.page.expect_event("load"):
        desk.page.locator('main form button[type="submit"]').last.click()
    for locale, told in (("zh", ("姓名", "性别", "女")), ("en", ("Full name", "Sex", "Female"))):
        desk.open(f"/language/{locale}")
        desk.open(customer)
        desk.page.locator(".story summary").first.click()
        story = desk.page.locator(".story").inner_text()
        for words in (*told, "许知远", "许知遥"):
            assert words in story, (words, story)
        assert "13977770201" not in desk.page.content(), "masked there too"
        desk.picture(f"trust-history-{locale}")
