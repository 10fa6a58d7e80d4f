"""A scan from whatever field has the focus, by keys made in the page: as fast as a scanner's, however busy the machine.

Real keys are typed by night: ``test_scan_walk.py``.
"""

from __future__ import annotations

import pytest

from tests.e2e.test_scan_walk import CODE, FIELDS, STATE

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

#: Types parts of a code into what has the focus, with a halt between two parts, and ends with Enter.
SCAN = """async ([parts, halt]) => {
  const type = (key) => document.activeElement.dispatchEvent(
    new KeyboardEvent('keydown', {key, bubbles: true, cancelable: true}));
  for (const [at, part] of parts.entries()) {
    if (at) await new Promise((go) => setTimeout(go, halt));
    for (const key of part) type(key);
  }
  type('Enter');
}"""


@pytest.mark.parametrize("field", ["t", "a", "n", "s", "d", "scan"])
def test_a_scan_reaches_the_box_and_leaves_the_field_as_it_was(scanning, field):
    """Also one that halts in its middle for a moment, as on a busy machine."""
    for parts in ([CODE], [CODE[:2], CODE[2:]]):
        scanning.evaluate("document.getElementById('bench')?.remove()")
        scanning.evaluate(FIELDS)
        scanning.focus(f"#{field}")
        before = scanning.evaluate(STATE, field)
        scanning.evaluate(SCAN, [parts, 120])
        assert scanning.evaluate("window.sent") == [CODE], (field, parts)
        if field in ("t", "a"):
            assert scanning.input_value(f"#{field}") == before[0], (field, parts)


@pytest.fixture(scope="module")
def scanning(live, browser):
    """One page of one person's for all fields."""
    from tests.e2e.conftest import log_in

    context = browser.new_context(viewport={"width": 1280, "height": 860})
    log_in(context.request, live.address, "phone_consultant", "zh")
    page = context.new_page()
    page.goto(live.address + "/")
    yield page
    context.close()
