"""Every page of the panel, looked at by axe-core and at two narrow widths. Issue 5, done when 1 and 3.

What is looked at is derived from the application (``tests/pages.py``). By day: each page of its own, one of each kind
of those that the machinery makes alike for every table, and every role's workbench; in turn in Chinese and in English,
each in light and in dark. By night: every page of every table in every combination.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import groupby

import pytest
from playwright.sync_api import Browser, Error
from playwright.sync_api import Page as Tab

from tests.conftest import PASSWORD
from tests.e2e.looking import grave_faults, sideways, turned_dark
from tests.pages import Page, one_of_each, pages_of, without_rows

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
#: By day one list in so many is looked at, chosen by its name: they are one template with other columns.
LISTS = 5


@pytest.fixture(scope="module")
def pages(live) -> list[Page]:
    with live.app.app_context():
        from app.extensions import db

        found = pages_of(live.app, db.session())
        print("nobody may open, or there is no row of it:", *sorted(without_rows(live.app, found)))
    assert len(found) > 200, "the panel has become smaller?"
    return found


def by_day(pages: list[Page]) -> list[Page]:
    """Return the pages of the plain run."""
    few = one_of_each(pages)
    return [page for page in few if not page.rule.endswith("/list/") or zlib.crc32(page.rule.encode()) % LISTS == 0]


@pytest.fixture
def enter(live, browser: Browser) -> Callable[..., object]:
    """A tab in which a person is logged in, by her cookie, without the walk over the login page."""

    @contextmanager
    def opened(person: str, locale: str) -> Iterator[Tab]:
        client = live.app.test_client()
        if person:
            token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', client.get("/login/").text)
            assert token is not None
            given = {"username": person, "password": PASSWORD, "csrf_token": token.group(1)}
            assert client.post("/login/", data=given).status_code == 302, person
        client.get(f"/language/{locale}")
        name = live.app.config["SESSION_COOKIE_NAME"]
        kept = client.get_cookie(name)
        assert kept is not None
        context = browser.new_context(viewport={"width": 1280, "height": 860}, reduced_motion="reduce")
        context.add_cookies([{"name": name, "value": kept.value, "url": live.address}])
        try:
            yield context.new_page()
        finally:
            context.close()

    return opened


def look_at(tab: Tab, address: str, page: Page, *, frame: bool, dark: bool) -> list[str]:
    """Open a page and return its faults. ``frame``: look at the bar and the menu too."""
    try:
        answer = tab.goto(address + page.address)
    except Error as wrong:
        if "Download is starting" in wrong.message:
            return []  # a file, no page
        raise
    assert answer is not None
    if "text/html" not in answer.headers.get("content-type", ""):
        return []  # a picture
    if answer.status >= 400 and not page.kind.startswith("refused") and answer.status != 409:
        return [f"answered {answer.status}"]
    faults = sideways(tab) + grave_faults(tab, frame=frame)
    return faults + (turned_dark(tab, frame=frame) if dark else [])


def faults_of(pages: list[Page], live, enter, locales: tuple[str, ...], *, thorough: bool) -> str:
    """Walk the pages, person by person; each page in the locale whose turn it is, or ``thorough``ly in all."""
    found: list[str] = []
    people = sorted(pages, key=lambda page: page.person)
    for turn, (person, hers) in enumerate(groupby(people, key=lambda page: page.person)):
        mine = list(hers)
        for number, locale in enumerate(locales):
            now = mine if thorough else [page for at, page in enumerate(mine) if (at + turn) % len(locales) == number]
            if not now:
                continue
            with enter(person, locale) as tab:
                for at, page in enumerate(now):
                    dark = thorough or page.kind != "workbench" or turn < len(locales)
                    seen = look_at(tab, live.address, page, frame=at == 0 or thorough, dark=dark)
                    found += [f"{person or 'a stranger'} {locale} {page.address}\n    {fault}" for fault in seen]
    return "\n".join(found)


def test_no_page_keeps_anybody_out(live, pages, enter):
    few = by_day(pages)
    print(f"{len(few)} of {len(pages)} pages")
    faults = faults_of(few, live, enter, ("zh", "en"), thorough=False)
    assert not faults, faults


@pytest.mark.nightly
def test_no_page_in_any_language_and_theme_keeps_anybody_out(live, pages, enter):
    faults = faults_of(pages, live, enter, ("zh", "en"), thorough=True)
    assert not faults, faults


def test_dialogs_and_the_lock_keep_nobody_out(visit):
    """What opens over a page: an act, the menus, the remote select, the lock; in both themes."""
    desk = visit("phone_supervisor")
    desk.page.emulate_media(reduced_motion="reduce")
    faults: list[str] = []
    desk.open("/department_slips/list/?tab=all")
    desk.page.locator('button[popovertarget="me"]').click()
    faults += grave_faults(desk.page) + turned_dark(desk.page)
    desk.open("/phone_desk/list/")
    desk.press("register_temporary")
    faults += grave_faults(desk.page, frame=False) + turned_dark(desk.page, frame=False)
    desk.page.locator('dialog[open] button[type="submit"]').click()  # refused: with its sentences
    desk.page.locator('dialog[open] [aria-invalid="true"]').first.wait_for()
    faults += grave_faults(desk.page, frame=False) + turned_dark(desk.page, frame=False)
    desk.open("/")
    desk.page.locator("form[data-lock-screen] button").click()
    desk.page.locator("dialog.lock[open]").wait_for()
    faults += grave_faults(desk.page, frame=False) + turned_dark(desk.page, frame=False)
    desk.open("/customer/list/")
    faults += grave_faults(desk.page) + turned_dark(desk.page)
    assert faults == []
