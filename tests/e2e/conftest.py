"""A running system with a small demo in it, and a headless Chromium before it."""

from __future__ import annotations

import gc
import logging
import re
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import (
    APIRequestContext,
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    WebError,
    sync_playwright,
)
from werkzeug.serving import make_server

from tests.conftest import PASSWORD, always_open
from tests.databases import fresh_database

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
#: What the browser itself speaks: its fields for dates and times.
SPOKEN = {"zh": "zh-CN", "en": "en-GB"}
SCREENSHOTS = Path(__file__).resolve().parents[2] / "var" / "screenshots"


@dataclass(frozen=True)
class Live:
    """A server that listens: its address and its application."""

    address: str
    app: Flask


@pytest.fixture(scope="session")
def live() -> Iterator[Live]:
    """The whole application behind a threaded server, with a small demo."""
    from app import create_app
    from app.extensions import db

    with fresh_database("live", stories=True) as (app_url, owner_url):
        made = create_app(SQLALCHEMY_DATABASE_URI=app_url, DATABASE_OWNER_URL=owner_url)
        always_open(made)
        logging.getLogger("werkzeug").setLevel(logging.WARNING)
        server = make_server("127.0.0.1", 0, made, threaded=True)
        server.daemon_threads = False  # so that closing it waits for requests under way, and no connection is left open
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield Live(f"http://127.0.0.1:{server.server_port}", made)
        finally:
            server.shutdown()
            thread.join(10)
            server.server_close()
            with made.app_context():
                db.engine.dispose()


#: What the pages of the test under way did wrong; a test may take away what it called forth itself.
FAULTS: list[str] = []
#: Says on the console what the content policy refused, also where Chromium says it in another way.
TELL_REFUSED = """addEventListener("securitypolicyviolation", (event) =>
  console.error(`refused by the content policy: ${event.violatedDirective} ${event.blockedURI}`));"""


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium whose every context is listened to, whoever opens it: see ``without_faults``."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        open_plainly = chromium.new_context

        def new_context(**given: Any) -> BrowserContext:
            context = open_plainly(**given)
            _listen(context)
            return context

        chromium.new_context = new_context  # type: ignore[method-assign]
        yield chromium
        chromium.close()


@pytest.fixture(autouse=True)
def without_faults() -> Iterator[None]:
    """No page of any walk writes a fault to the console, breaks its content policy or asks another host."""
    FAULTS.clear()
    yield
    assert FAULTS == []


@dataclass
class Visit:
    """A person at her screen. ``faults`` are those of ``FAULTS``: script errors, requests that leave the host."""

    page: Page
    address: str
    faults: list[str]

    def open(self, path: str) -> None:
        self.page.goto(self.address + path)

    def press(self, act: str) -> None:
        """Press the button of an act and wait for its dialog."""
        self.page.locator(f'main a[data-act][href*="/act/{act}"]').first.click()
        self.page.locator("dialog[open] form").wait_for()

    def fill(self, **values: str) -> None:
        for name, value in values.items():
            self.page.locator(f'dialog[open] [name="{name}"]').fill(value)

    def send(self) -> None:
        """Send the open dialog and wait for the page that follows."""
        with self.page.expect_event("load"):
            self.page.locator('dialog[open] button[type="submit"]').click()

    def export(self, link: str, reason: str = "主管核对当日工作") -> bytes:
        """Follow a link that exports, say why, and take the marked file from the page of the export."""
        with self.page.expect_event("load"):
            self.page.locator(link).first.click()
        if self.page.locator('main [name="file_format"]').count():
            self.page.locator('main [name="file_format"]').select_option("xlsx")
        self.page.fill('main [name="reason"]', reason)
        with self.page.expect_event("load"):
            self.page.locator('main form button[type="submit"]').click()
        with self.page.expect_download() as saved:
            self.page.locator('main a[href*="/stored_file/"]').first.click()
        return saved.value.path().read_bytes()

    def picture(self, name: str) -> None:
        """Keep a screenshot to be looked at; no page may scroll sideways."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        width = self.page.viewport_size["width"]  # type: ignore[index]
        self.page.screenshot(path=SCREENSHOTS / f"{name}-{width}.png", full_page=True)
        wide = self.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, f"{name} scrolls sideways at {width}: {wide}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A browser that leaves a page breaks off what it was loading; the server in this very process then leaves the
    file to the collector, which tells of it wherever it comes by. That is no fault of the page."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning"))
            item.add_marker(pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"))


@pytest.fixture(scope="module", autouse=True)
def collected() -> Iterator[None]:
    """Collect what a browser broke off before the tests of other files begin."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def log_in(browser: APIRequestContext, address: str, username: str, locale: str) -> None:
    """Log a browser in by what its login form sends, without drawing the page; that form has walks of its own."""
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', browser.get(f"{address}/login/").text())
    assert token is not None
    given = {"username": username, "password": PASSWORD, "csrf_token": token.group(1)}
    assert browser.post(f"{address}/login/", form=given, max_redirects=0).status == 302, username
    if locale != "zh":
        browser.get(f"{address}/language/{locale}", max_redirects=0)


@pytest.fixture
def visit(live: Live, browser: Browser) -> Iterator[Callable[..., Visit]]:
    """Log a person in: ``visit("guide", width=390, locale="en")``. No script may fail, nothing may leave the host."""
    opened: list[tuple[Any, Visit]] = []

    def enter(username: str, *, width: int = 1280, locale: str = "zh") -> Visit:
        context = browser.new_context(
            viewport={"width": width, "height": 860}, timezone_id="Asia/Shanghai", locale=SPOKEN.get(locale)
        )
        page = context.new_page()
        person = Visit(page, live.address, FAULTS)
        opened.append((context, person))
        log_in(context.request, live.address, username, locale)
        person.open("/")
        return person

    yield enter
    for context, _person in opened:
        context.close()


#: Refusals are part of the flow, and so is a lost connection: Chromium reports every 4xx answer as an error.
EXPECTED = ("Failed to load resource",)
#: This host, what needs none, and the viewer of PDFs inside the browser.
HERE = ("http://127.0.0.1:", "data:", "blob:", "about:", "chrome-error:", "chrome-extension:", "chrome:")


def _listen(context: BrowserContext) -> None:
    def console(message: ConsoleMessage) -> None:
        ours = not message.location.get("url", "").startswith("chrome")
        if ours and message.type in ("error", "warning") and not message.text.startswith(EXPECTED):
            FAULTS.append(f"{message.type}: {message.text}")

    def request(sent: Request) -> None:
        if not sent.url.startswith(HERE):
            FAULTS.append(f"asked another host: {sent.url}")

    def broken(wrong: WebError) -> None:
        FAULTS.append(f"script: {wrong.error}")

    context.on("console", console)
    context.on("request", request)
    context.on("weberror", broken)
    context.add_init_script(TELL_REFUSED)
