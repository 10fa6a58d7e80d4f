"""A scanner in hand: what it types reaches the box from wherever one is, and a slow person's typing never does."""

from __future__ import annotations

import pytest

#: Keys are typed by the clock here: with other tests beside it a machine types too slowly to pass for a scanner.
pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.nightly]

CODE = "YY01-20200101-9999"
#: One field of each kind in the page, as a form might hold them.
FIELDS = """() => {
  const form = document.createElement('form');
  form.id = 'bench';
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
  document.querySelector('form.scan').onsubmit = (event) => {
    event.preventDefault();
    window.sent.push(document.getElementById('scan').value);
  };
}"""
STATE = """(id) => { const f = document.getElementById(id); let at = null;
  try { at = [f.selectionStart, f.selectionEnd]; } catch { /* a number has none */ }
  return [f.value, at, document.activeElement.id, window.events.length]; }"""


def scanned(page, field, place=None):
    """Type as a scanner does into a field; return what it held before and after. A machine too busy to type so fast
    types as a person would: then the field is made anew, and once more."""
    for _turn in range(6):
        page.evaluate("document.getElementById('bench')?.remove()")
        page.evaluate(FIELDS)
        page.focus(f"#{field}")
        if place:
            page.evaluate(f"document.getElementById('{field}').setSelectionRange({place[0]}, {place[1]})")
        before = page.evaluate(STATE, field)
        page.keyboard.type(CODE + "\n", delay=5)
        page.wait_for_timeout(120)
        if page.evaluate("window.sent") == [CODE]:
            return before, page.evaluate(STATE, field)
    raise AssertionError("no scan was fast enough")


def test_a_scan_reaches_the_box_from_any_field_and_leaves_it_as_it_was(visit):
    desk = visit("phone_consultant")
    page = desk.page
    for field in ("n", "s", "d", "a", "t"):
        before, after = scanned(page, field, (1, 3) if field in ("t", "a") else None)
        assert after == before, field
    page.keyboard.press("Control+z")
    assert page.input_value("#t") == "左边右边", "there is nothing to undo"

    for field, typed, value in (("t", "YY012026", "YY012026"), ("a", "abcdefg", "abcdefg"), ("n", "314159", "314159")):
        page.focus(f"#{field}")
        page.keyboard.press("Control+a")
        page.evaluate("window.sent = []")
        page.keyboard.type(typed, delay=120)
        page.keyboard.press("Enter")
        page.wait_for_timeout(80)
        assert page.evaluate("window.sent") == [], field
        assert page.input_value(f"#{field}").strip() == value, field
        page.keyboard.press("Control+z")
        assert page.input_value(f"#{field}").strip() != value, "what a person typed can be undone"
    page.focus("#s")
    page.keyboard.type("y", delay=120)
    page.wait_for_timeout(80)
    assert page.input_value("#s") == "Y1", "a person still chooses by a letter"
    assert page.evaluate("window.events").count("change") >= 1


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

    def answer(said):
        asked.append(said.type)
        said.dismiss() if len(asked) == 1 else said.accept()

    page.on("dialog", answer)
    for turn in (1, 2):
        for _try in range(6):
            page.keyboard.type(number + "\n", delay=5)
            page.wait_for_timeout(400)
            if len(asked) >= turn:
                break
            page.locator('dialog[open] [name="alias"]').fill("half")
        assert asked == ["beforeunload"] * turn
        if turn == 1:
            assert page.locator('dialog[open] [name="alias"]').input_value() == "half", "nothing was touched"
    for _try in range(6):  # a busy machine may have cut the code in two
        page.wait_for_timeout(800)
        if "/appointment_slip/show/" in page.url:
            break
        page.keyboard.type(number + "\n", delay=5)
    page.wait_for_url("**/appointment_slip/show/**")
    desk.open("/search?q=nothing-of-the-kind")
    assert page.input_value("#scan") == "nothing-of-the-kind"
    desk.picture("found-nothing")
    desk.open("/search?q=wang")
    desk.picture("found-several")
    page.keyboard.press("F2")
    assert page.evaluate("document.activeElement.id") == "scan"
