"""A scanner in hand: what it types reaches the box from wherever one is, and a slow person's typing never does."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

CODE = "YY01-20200101-9999"
#: One field of each kind in the page, as a form might hold them.
FIELDS = """() => {
  const form = document.createElement('form');
  form.setAttribute('action', '/sent');
  form.innerHTML = `<input id=t value="左边右边"><textarea id=a>第一行第二行</textarea>
    <input id=n type=number value="12"><input id=d type=date value="2026-11-22">
    <select id=s><option>甲</option><option>Y1</option><option>Y2</option></select>`;
  window.events = [];
  window.sent = [];
  for (const name of ['input', 'change', 'submit']) form.addEventListener(name, (event) => {
    window.events.push(name);
    if (name === 'submit') event.preventDefault();
  });
  document.querySelector('main').append(form);
  document.querySelector('form.scan').addEventListener('submit', (event) => {
    event.preventDefault();
    window.sent.push(document.getElementById('scan').value);
  });
}"""
STATE = """(id) => { const f = document.getElementById(id); let at = null;
  try { at = [f.selectionStart, f.selectionEnd]; } catch { /* a number has none */ }
  return [f.value, at, document.activeElement.id, window.events.length]; }"""


def scan(page, code=CODE):
    """Type as a scanner does; on a machine too busy for that, once more."""
    for _turn in range(4):
        page.keyboard.type(code, delay=5)
        page.keyboard.press("Enter")
        page.wait_for_timeout(120)
        if page.evaluate("window.sent.length"):
            return
    raise AssertionError("no scan was fast enough")


def test_a_scan_reaches_the_box_from_any_field_and_leaves_it_as_it_was(visit):
    desk = visit("phone_consultant")
    page = desk.page
    page.evaluate(FIELDS)
    for field in ("t", "a", "n", "s", "d"):
        page.focus(f"#{field}")
        if field in ("t", "a"):
            page.evaluate(f"document.getElementById('{field}').setSelectionRange(1, 3)")
        before = page.evaluate(STATE, field)
        page.evaluate("window.sent = []")
        scan(page)
        assert page.evaluate("window.sent") == [CODE], field
        assert page.evaluate(STATE, field) == before, field
    page.focus("#t")
    page.keyboard.press("Control+z")
    assert page.input_value("#t") == "左边右边", "there is nothing to undo"
    page.evaluate("document.activeElement.blur(); window.sent = []")
    scan(page)

    for field, typed, value in (("t", "YY012026", "YY012026"), ("a", "abcdefg", "abcdefg"), ("n", "314159", "314159")):
        page.focus(f"#{field}")
        page.keyboard.press("Control+a")
        page.evaluate("window.sent = []")
        page.keyboard.type(typed, delay=120)
        page.keyboard.press("Enter")
        page.wait_for_timeout(80)
        assert page.evaluate("window.sent") == [], field
        assert page.input_value(f"#{field}").strip() == value, field
    page.focus("#s")
    page.keyboard.type("y", delay=120)
    page.wait_for_timeout(80)
    assert page.input_value("#s") == "Y1", "a person still chooses by a letter"
    assert page.evaluate("window.events").count("change") >= 1
    page.focus("#t")
    page.keyboard.press("Control+z")
    assert page.input_value("#t") != "YY012026", "what a person typed can be undone"


def test_a_scan_in_a_dialog_asks_before_it_leaves_and_then_opens_the_record(visit):
    desk = visit("phone_consultant")
    page = desk.page
    desk.picture("workbench-cards")
    desk.open("/my_slips/list/?tab=all")
    number = page.locator("table[data-rows] tbody tr a").first.inner_text().strip()
    desk.open("/phone_desk/list/")
    desk.press("register_temporary")
    page.locator('dialog[open] [name="alias"]').click()
    page.keyboard.type("half", delay=120)
    page.wait_for_timeout(80)
    asked: list[str] = []
    page.once("dialog", lambda said: (asked.append(said.type), said.dismiss()))
    page.evaluate("window.sent = []")
    for _turn in range(4):
        page.keyboard.type(number, delay=5)
        page.keyboard.press("Enter")
        page.wait_for_timeout(300)
        if asked:
            break
    assert asked == ["beforeunload"]
    assert page.locator('dialog[open] [name="alias"]').input_value() == "half", "she stays, and nothing was touched"
    page.once("dialog", lambda said: said.accept())
    with page.expect_navigation():
        page.keyboard.type(number, delay=5)
        page.keyboard.press("Enter")
    assert "/appointment_slip/show/" in page.url
    desk.open("/search?q=nothing-of-the-kind")
    assert page.input_value("#scan") == "nothing-of-the-kind"
    desk.picture("found-nothing")
    desk.open("/search?q=wang")
    desk.picture("found-several")
    page.keyboard.press("F2")
    assert page.evaluate("document.activeElement.id") == "scan"
