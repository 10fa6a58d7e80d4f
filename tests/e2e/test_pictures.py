"""The pictures of the user guide and the README, taken from the running panel, so that they stay true.

By night they are taken into ``var/screenshots/pictures`` and compared with what the documents show: a screen that is
no more fails here. ``YIMEI_PICTURES=keep`` writes them into ``docs/pictures``; see docs/develop/README.md.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pypdfium2
import pytest
from PIL import Image
from playwright.sync_api import Browser

from tests.e2e.conftest import SCREENSHOTS, Live, Visit

pytestmark = [pytest.mark.e2e, pytest.mark.nightly]

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / "docs" / "pictures"
WIDTHS, LOCALES, HEIGHT = (1280, 390), ("zh", "en"), 860
MOST_BYTES = 4_000_000
CUSTOMER, NUMBER = "林小雨", "13977770101"


class Album:
    """Takes pictures: name, language and width make the file's name, ``workbench-en-390.webp``."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.taken = folder, set[str]()
        folder.mkdir(parents=True, exist_ok=True)

    def take(self, who: Visit, name: str) -> None:
        """Take what stands on screen, once nothing moves any more."""
        who.page.mouse.move(0, 0)
        who.page.wait_for_load_state("networkidle")
        self.keep(name, Image.open(io.BytesIO(who.page.screenshot(animations="disabled"))))

    def keep(self, name: str, picture: Image.Image) -> None:
        """Write a picture of few colours and no loss: letters stay sharp, the file small."""
        few = picture.convert("RGB").quantize(160, dither=Image.Dither.NONE).convert("RGB")
        few.save(self.folder / f"{name}.webp", lossless=True, quality=80, method=4)
        self.taken.add(f"{name}.webp")


@pytest.fixture(scope="module")
def album() -> Album:
    return Album(KEPT if os.environ.get("YIMEI_PICTURES") == "keep" else SCREENSHOTS / "pictures")


def local(days: int, hour: int) -> str:
    """A wall-clock time of the branch, so many days ahead, as the browser's field takes it."""
    day = (datetime.now(UTC) + timedelta(hours=8)).date() + timedelta(days=days)
    return f"{day.isoformat()}T{hour:02d}:00"


def ending(locale: str, width: int) -> str:
    """What a picture's name ends with: nothing in Chinese at 1280."""
    return ("" if locale == "zh" else f"-{locale}") + ("" if width == 1280 else f"-{width}")


@contextmanager
def stranger(browser: Browser, live: Live, width: int, locale: str) -> Iterator[Visit]:
    """Somebody before the login page."""
    context = browser.new_context(viewport={"width": width, "height": HEIGHT})
    page = context.new_page()
    page.goto(f"{live.address}/language/{locale}")
    page.goto(f"{live.address}/login/")
    try:
        yield Visit(page, live.address, [])
    finally:
        context.close()


def first_row(who: Visit, path: str) -> None:
    """Open a list and the record of its first row."""
    who.open(path)
    with who.page.expect_event("load"):
        who.page.locator("table.t tbody tr td.first a").first.click()


def test_the_pictures_are_those_that_the_documents_show(
    visit: Callable[..., Visit], browser: Browser, live: Live, album: Album
) -> None:
    address = desk_pictures(visit, album)
    supervisor_pictures(visit, album)
    office_pictures(visit, album, address)
    followup_pictures(visit, album)
    reception_pictures(visit, album)
    for locale in LOCALES:
        for width in WIDTHS:
            with stranger(browser, live, width, locale) as somebody:
                album.take(somebody, f"login{ending(locale, width)}")
            common_pictures(visit, album, address, locale, width)
    dark_pictures(visit, album, address)
    shown = set()
    for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        shown |= set(re.findall(r"pictures/([\w.-]+)", page.read_text("utf-8")))
    assert album.taken == shown
    sizes = {name: (album.folder / name).stat().st_size for name in album.taken}
    assert sum(sizes.values()) < MOST_BYTES, sorted(sizes.items(), key=lambda one: -one[1])[:10]
    if album.folder == KEPT:
        for path in KEPT.iterdir():
            if path.name not in album.taken:
                path.unlink()


def desk_pictures(visit: Callable[..., Visit], album: Album) -> dict[str, str]:
    """A call becomes a file, a slip and a redone slip. Returns where the customer and the slip stand."""
    desk = visit("phone_consultant")
    desk.open("/phone_desk/list/")
    album.take(desk, "phone-desk")
    desk.press("register_call")
    desk.fill(caller_no=NUMBER, content="想做双眼皮，问恢复期和价格")
    desk.page.locator('dialog[open] [name="business_category_id"]').select_option(index=1)
    album.take(desk, "call")
    desk.send()
    album.take(desk, "contact-record")
    desk.press("register_temporary")
    desk.fill(name=CUSTOMER, age="26")
    album.take(desk, "temporary-file")
    desk.send()
    customer = desk.page.url.removeprefix(desk.address)
    desk.press("submit")
    album.take(desk, "supplement")
    desk.open(customer)
    desk.press("place")
    desk.page.locator('dialog[open] [name="intention"]').select_option("A")
    desk.fill(appointed_at=local(1, 10), latest_arrival_at=local(1, 9), need_text="担心恢复期")
    desk.page.locator('dialog[open] button[type="submit"]').click()
    desk.page.locator('dialog[open] [name="latest_arrival_at"][aria-invalid="true"]').wait_for()
    album.take(desk, "place-refused")
    desk.fill(latest_arrival_at=local(1, 12))
    desk.send()
    desk.press("redo")
    desk.fill(appointed_at=local(2, 15), latest_arrival_at=local(2, 17))
    album.take(desk, "redo")
    desk.send()
    album.take(desk, "slip-redone")
    paper(desk, album)
    return {"customer": customer, "slip": desk.page.url.removeprefix(desk.address)}


def paper(desk: Visit, album: Album) -> None:
    """The printed slip, its first page."""
    form = desk.page.locator("main form[data-print]").first
    sent = {name: form.locator(f"[name={name}]").input_value() for name in ("csrf_token", "request_key")}
    answer = desk.page.request.post(desk.address + (form.get_attribute("action") or ""), form=sent)
    document = pypdfium2.PdfDocument(answer.body())
    page = document[0]
    album.keep("paper", page.render(scale=1.4).to_pil())
    page.close()
    document.close()


def supervisor_pictures(visit: Callable[..., Visit], album: Album) -> None:
    """The department's slips, one voided, one handed over, the stored reports."""
    boss = visit("phone_supervisor")
    boss.open("/department_slips/list/")
    album.take(boss, "department-slips")
    first_row(boss, "/department_slips/list/?tab=awaited")
    boss.press("void")
    album.take(boss, "void")
    boss.page.keyboard.press("Escape")
    boss.press("redo")
    album.take(boss, "hand-over")
    boss.open("/report_run/list/")
    album.take(boss, "report-list")
    boss.open("/department_slips/list/?tab=awaited")
    boss.open("/department_slips/print-shown/appointment_slip?tab=awaited")
    boss.page.locator('main form button[type="submit"]').first.click()
    boss.page.wait_for_url("**/background_task/**")
    album.take(boss, "task")


def reception_pictures(visit: Callable[..., Visit], album: Album) -> None:
    """A guide receives somebody; the triage at a glance, and as it stands on a wall."""
    guide = visit("guide")
    guide.open("/visit/list/")
    guide.press("receive")
    album.take(guide, "receive")
    triage = visit("triage")
    triage.open("/triage_board/list/")
    album.take(triage, "triage-board")
    triage.open("/triage_board/list/?wall=1")
    album.take(triage, "triage-wall")


def office_pictures(visit: Callable[..., Visit], album: Album, address: dict[str, str]) -> None:
    """A guide receives, HR looks at the tree, an administrator sets a value, looks at the jobs and the help."""
    guide = visit("guide")
    guide.open(address["slip"])
    guide.press("arrive")
    album.take(guide, "arrive")
    hr = visit("hr")
    hr.open("/department/tree")
    album.take(hr, "tree")
    admin = visit("admin")
    first_row(admin, "/param/list/?q=grace")
    admin.press("set_value")
    album.take(admin, "setting")
    admin.open("/job/list/")
    album.take(admin, "jobs")
    admin.open("/process_guide/flow")
    album.take(admin, "flow")
    desk = visit("phone_consultant")
    desk.open("/guide/consultant?screen=appointment_slip.place#help")
    album.take(desk, "help")


def followup_pictures(visit: Callable[..., Visit], album: Album) -> None:
    """A consultant's calls and who called her; a review beside its recording; the figures of a period."""
    desk = visit("phone_consultant")
    desk.open("/followup_desk/list/")
    album.take(desk, "followup-desk")
    desk.open("/incoming_calls/list/?tab=all")
    album.take(desk, "incoming-calls")
    boss = visit("phone_supervisor")
    first_row(boss, "/department_followups/list/?tab=review")
    boss.press("review")
    album.take(boss, "followup-review")
    boss.open("/report/followup_stats/")
    album.take(boss, "followup-stats")


def common_pictures(
    visit: Callable[..., Visit], album: Album, address: dict[str, str], locale: str, width: int
) -> None:
    """One page of each kind, in each language and width: the gallery of docs/guide/gallery.md."""
    end = ending(locale, width)
    desk = visit("phone_consultant", width=width, locale=locale)
    for name, path in (("workbench", "/"), ("list", "/my_slips/list/"), ("customer", address["customer"])):
        desk.open(path)
        album.take(desk, name + end)
    desk.open(address["customer"].replace("/show/", "/edit/"))
    album.take(desk, f"form{end}")
    desk.open(address["customer"])
    desk.press("add_trait")
    album.take(desk, f"act{end}")
    desk.open("/param/list/")
    album.take(desk, f"error{end}")
    if (locale, width) == ("zh", 1280):
        desk.open("/phone_desk/list/")
        desk.press("place")
        album.take(desk, "place")
    boss = visit("phone_supervisor", width=width, locale=locale)
    boss.open("/report/appointment_daily/")
    album.take(boss, f"daily-report{end}")


def dark_pictures(visit: Callable[..., Visit], album: Album, address: dict[str, str]) -> None:
    desk = visit("phone_consultant")
    desk.page.emulate_media(color_scheme="dark")
    for name, path in (("workbench", "/"), ("list", "/my_slips/list/"), ("customer", address["customer"])):
        desk.open(path)
        album.take(desk, f"{name}-dark")
