"""Heads and HR in Chromium: a leaver's hand-over, the tree by dialog and by drag. White paper 4.2.1, 4.2.2."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def pick(desk, name: str, words: str) -> None:
    """Choose from a searching select of the open dialog."""
    box = desk.page.locator(f'dialog[open] .js-pick:has(input[name="{name}"]) input[role="combobox"]')
    box.fill(words)
    desk.page.locator('[role="option"]').first.wait_for()
    box.press("Enter")


def row_of(desk, code: str):
    return desk.page.locator(".leaf").filter(has=desk.page.get_by_text(code, exact=True))


def parent_code(desk, code: str) -> str | None:
    """The code of the department that a row hangs under, or None at the top."""
    return row_of(desk, code).evaluate(
        "row => row.closest('ul').closest('li')?.querySelector('.leaf > .sub')?.textContent.trim() ?? null"
    )


@pytest.mark.parametrize("locale", ["zh", "en"])
def test_the_tree_by_dialog_and_by_drag(visit, locale):
    desk = visit("hr", locale=locale)
    desk.open("/department/tree")
    desk.picture(f"tree-{locale}")
    first, second = ("D21", "D22") if locale == "zh" else ("D19", "D20")
    row_of(desk, first).locator(".leaf-name").drag_to(row_of(desk, second))
    desk.page.locator("dialog[open] form").wait_for()
    desk.picture(f"tree-dropped-{locale}")
    desk.send()
    assert desk.page.url.endswith("/department/tree"), "one stays in the tree"
    assert parent_code(desk, first) == second

    row_of(desk, first).locator("button.tool").click()
    desk.page.locator('[popover]:popover-open a[data-act="move"]').click()
    desk.page.locator("dialog[open] form").wait_for()
    desk.page.locator("dialog[open] .js-pick button").first.click()
    desk.send()
    assert parent_code(desk, first) is None

    # A part is no place for the whole: nothing opens.
    row_of(desk, "D14").locator(".leaf-name").drag_to(row_of(desk, "D14-1"))
    assert desk.page.locator("dialog[open]").count() == 0


@pytest.mark.parametrize(("width", "leaver"), [(1280, "b2_phone_consultant_2"), (390, "b2_web_consultant_2")])
def test_a_leavers_hand_over(visit, live, width, leaver):
    """HR lets her leave; her open browser is shut out at once; the hand-over says what went to whom.

    Of the second branch: those of the first are needed by walks that share this world.
    """
    hers = visit(leaver)
    hers.open("/customer/list/")
    name = hers.page.locator(".tools").inner_text().split("\n")[-1].split("·")[0].split("•")[0].strip()
    hr = visit("b2_hr", width=width)
    hr.open(f"/employee/list/?q={name}")
    hr.picture("employees")
    hr.page.locator("tbody tr td a").first.click()
    hr.page.wait_for_load_state()
    hr.picture("employee")
    hr.press("leave")
    assert hr.page.locator("dialog[open] .told li").count() >= 1, "what she holds is told"
    hr.picture("leave")
    hr.fill(reason="回老家发展")
    hr.send()
    assert "/handover_batch/show/" in hr.page.url
    hr.picture("handover")
    hers.open("/customer/list/")
    assert "/login/" in hers.page.url, "shut out at her next request"


def test_hr_hires_and_it_opens_the_login(visit):
    hr = visit("hr")
    hr.open("/employee/list/")
    hr.press("hire")
    assert hr.page.locator('dialog[open] [name="username"]').count() == 0, "HR keeps no logins"
    hr.fill(name="新同事")
    pick(hr, "department_id", "导诊组")
    hr.picture("hire")
    hr.send()
    assert "/employee/show/" in hr.page.url
    admin = visit("admin")
    admin.open("/employee/list/")
    admin.press("hire")
    assert admin.page.locator('dialog[open] [name="username"]').count() == 1
    admin.picture("hire-with-login")


def test_a_head_sees_her_departments_and_people(visit):
    head = visit("department_head", width=390)
    head.open("/department/tree")
    head.picture("tree-of-a-head")
    codes = head.page.locator(".leaf > .sub").all_inner_texts()
    assert sorted(codes) == ["D08", "D09", "D10", "D11"]
    head.open("/department_people/list/")
    head.picture("people-of-a-head")
