"""The line editor of the throw-away document: without script, over REST, and in a browser by keys alone."""

from __future__ import annotations

import logging
import re
import threading
from typing import Any

from playwright.sync_api import Page, sync_playwright
from werkzeug.serving import make_server

from tests.conftest import PASSWORD

NAMES = ("卫一行", "蒋二行")


def customers(client: Any, token: str) -> list[tuple[int, str]]:
    """Make two customers whom the consultant may choose; return their ids and names."""
    found = []
    for number, name in enumerate(NAMES):
        given = {"name": name, "phone": f"1397779000{number}", "csrf_token": token, "request_key": f"lines-{name}"}
        made = client.post("/customer/act/register_temporary", data=given)
        found.append((int(made.location.rpartition("/")[2]), name))
    return found


def main_of(html: str) -> str:
    return html[html.index("<main") :]


def on_screen(client: Any, key: int, token: str) -> None:
    """Without script: one more empty row keeps everything, rows move, a refusal stands beside its cell."""
    (one, name), (two, _name) = customers(client, token)
    where = f"/ticket/{key}/act/itemise"
    page = main_of(client.get(where).text)
    assert "data-lines=" in page
    assert 'name="lines-__new__-price"' in page, "the row that scripts copy"
    version = re.search(r'name="row_version" value="(\d+)"', page)
    sent: dict[str, Any] = {"csrf_token": token, "request_key": f"lines-{key}"}
    if version:
        sent["row_version"] = version.group(1)
    row = {"lines-0-customer_id": str(one), "lines-0-quantity": "2", "lines-0-price": "1,250.50"}
    more = client.post(where, data={**sent, **row, "lines-do": "add"})
    assert more.status_code == 200
    assert 'name="lines-1-price"' in more.text
    assert 'value="1,250.50"' in more.text, "nothing typed is lost"
    assert "2,501.00" in more.text, "computed on the server, without script too"
    assert name in more.text
    assert "err" not in re.findall(r'class="(\w+)" id="lines-0-price-err"', more.text), "nothing is refused yet"

    second = {"lines-1-customer_id": str(two), "lines-1-quantity": "1", "lines-1-price": "x", "lines-1-remark": "二"}
    moved = client.post(where, data={**sent, **row, **second, "lines-do": "up:1"}).text
    assert moved.index('name="lines-1-price"') < moved.index('name="lines-0-price"'), "the second row stands first"
    copied = client.post(where, data={**sent, **row, "lines-do": "copy:0"}).text
    assert copied.count('value="2"') == 2
    gone = main_of(client.post(where, data={**sent, **row, **second, "lines-do": "remove:0"}).text)
    assert 'name="lines-0-price"' not in gone
    for junk in ("remove:99", "up", "x:1", "copy:9999", "remove:-1"):
        assert client.post(where, data={**sent, "lines-do": junk}).status_code in (200, 422), junk

    wrong = client.post(where, data={**sent, **row, **second})
    assert wrong.status_code == 422
    assert 'href="#lines-1-price"' in wrong.text, "the summary leads to the cell"
    assert 'id="lines-1-price-err"' in wrong.text
    assert client.post(where, data={**sent, "lines-5-price": ""}).status_code == 422, "none but empty rows is none"
    crowd = {f"lines-{number}-price": "1" for number in range(201)}
    assert "200" in client.post(where, data={**sent, **crowd}).text

    told = client.post(f"{where}/recompute", data={**sent, **row, **second}).json
    assert told["rows"] == {"0": {"amount": "2,501.00"}, "1": {"amount": ""}}
    assert [value for _label, value in told["sums"]] == ["2,501.00"]
    blank = {"lines-7-quantity": "1", "lines-7-price": ""}
    done = client.post(where, data={**sent, **blank, **row})
    assert done.status_code == 302, done.text
    shown = client.get(done.location).text
    assert "2,501.00" in shown or "2501.00" in shown
    assert name in shown[shown.index('id="story"') :], "the history names what the lines point to"


def over_rest(client: Any, key: int, headers: dict[str, str]) -> None:
    """Lists of objects; an unknown key names its row; the sums without doing it."""
    one = client.get("/customer/options?q=" + NAMES[0]).json["results"][0]["id"]
    where = f"/api/v1/ticket/{key}/itemise"

    def call(body: Any, path: str = where) -> Any:
        return client.post(path, json=body, headers=headers)

    line = {"customer_id": one, "quantity": 3, "price": "10.00"}
    cases: list[tuple[Any, list[str]]] = [
        ({"lines": [line, {**line, "colour": "red"}]}, ["lines-1-colour"]),
        ({"lines": [line, {"quantity": 1}]}, ["lines-1-customer_id", "lines-1-price"]),
        ({"lines": [line, {}]}, ["lines-1-customer_id", "lines-1-price"]),
        ({"lines": [{**line, "price": "abc"}]}, ["lines-0-price"]),
        ({"lines": [{**line, "customer_id": 10**9}]}, ["lines-0-customer_id"]),
        ({"lines": [{**line, "price": {"a": 1}}]}, ["lines-0-price"]),
        ({"lines": "x"}, ["lines"]),
        ({"lines": [1, 2]}, ["lines"]),
        ({"lines": []}, ["lines"]),
        ({"lines": [line] * 201}, ["lines"]),
        ({}, ["lines"]),
    ]
    for body, fields in cases:
        answer = call(body)
        assert (answer.status_code, sorted(answer.json["errors"])) == (422, fields), (body, answer.text)
    told = call({"lines": [line, {**line, "price": "x"}]}, f"/api/v1/ticket/{key}/recompute/itemise").json
    assert told["rows"] == [{"amount": "30.00"}, {"amount": None}]
    assert told["sums"][0]["value"] == "30.00"
    assert list(told["errors"]) == ["lines-1-price"]
    assert call({}, f"/api/v1/ticket/{key}/recompute/finish").status_code == 404
    assert call({"lines": [line] * 200}).json["total"] == "6000.00"


def in_browser(made: Any) -> None:
    """By keys alone in the dialog: search, Enter, move, copy, remove; two hundred rows stay quick."""
    from tests.e2e.conftest import ARGUMENTS, CHROMIUM

    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = make_server("127.0.0.1", 0, made, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
            page = browser.new_page(viewport={"width": 1280, "height": 860}, timezone_id="Asia/Shanghai")
            faults: list[str] = []
            page.on("pageerror", lambda wrong: faults.append(str(wrong)))
            _keys(page, f"http://127.0.0.1:{server.server_port}")
            assert faults == []
            browser.close()
    finally:
        server.shutdown()


def _keys(page: Page, address: str) -> None:
    page.goto(f"{address}/login/")
    page.fill("[name=username]", "phone_consultant")
    page.fill("[name=password]", PASSWORD)
    with page.expect_event("load"):
        page.keyboard.press("Enter")
    page.goto(f"{address}/ticket/act/write")
    page.fill("main [name=what]", "开单")
    page.keyboard.press("Enter")
    page.wait_for_url("**/ticket/show/**")
    page.locator('main a[data-act][href*="/act/itemise"]').focus()
    page.keyboard.press("Enter")
    adder = page.locator("[data-line-add] input[role=combobox]")
    adder.wait_for()
    for at, name in enumerate(NAMES):
        adder.focus()
        page.keyboard.type(name)
        page.keyboard.press("Enter")
        page.locator("tr[data-line]").nth(at).wait_for()
    rows = page.locator("tr[data-line]")
    prices = page.locator("[name$='-price'] >> visible=true")
    prices.first.focus()
    page.keyboard.type("1250.5", delay=60)  # as fingers do, not as a scanner
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.closest('tr').rowIndex") == 2, "Enter went on to the next row"
    prices.nth(1).focus()
    page.keyboard.type("99")
    page.locator("[data-sums] dd", has_text="1,349.50").wait_for()
    page.keyboard.press("Alt+ArrowUp")
    assert prices.first.input_value() == "99"
    assert page.evaluate("document.activeElement.name.endsWith('-price')"), "the focus stays in the row that moved"
    page.keyboard.press("Alt+Insert")
    assert rows.count() == 3
    page.locator("[data-sums] dd", has_text="1,448.50").wait_for()
    _picture(page, "lines")
    page.keyboard.press("Control+Delete")
    assert rows.count() == 2
    page.locator("[data-sums] dd", has_text="1,349.50").wait_for()
    page.set_viewport_size({"width": 390, "height": 860})
    _picture(page, "lines")
    page.set_viewport_size({"width": 1280, "height": 860})
    took = page.evaluate("""() => {
        const began = performance.now();
        for (let more = 0; more < 200; more++) {
            [...document.querySelectorAll("[data-rows-of] button[value^=copy]")].at(-1).click();
        }
        return performance.now() - began;
    }""")
    assert rows.count() == 200, "no more than there is room for"
    assert took < 20_000, f"{took} ms for 198 rows"
    page.locator("[data-sums] dd").filter(has_not_text="…").wait_for()
    with page.expect_event("load"):
        page.locator("dialog#act footer button[type=submit]").click()
    assert "/ticket/show/" in page.url


def _picture(page: Page, name: str) -> None:
    from tests.e2e.conftest import SCREENSHOTS

    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    width = page.viewport_size["width"]  # type: ignore[index]
    page.screenshot(path=SCREENSHOTS / f"{name}-{width}.png")
    assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{name} scrolls sideways"
