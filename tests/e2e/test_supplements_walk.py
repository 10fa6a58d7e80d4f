"""A supplementary slip from request to slip by three people in Chromium, with a picture as evidence. 2.1.3.3."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import pytest
from PIL import Image, ImageDraw

from tests.services.test_files import PDF_FILE, REFUSED

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

TABLE = "appointment_supplement_request"


def chat_picture() -> bytes:
    """A chat as a screenshot shows it."""
    shot = Image.new("RGB", (540, 360), "#ededed")
    draw = ImageDraw.Draw(shot)
    for place, (colour, left) in enumerate((("#ffffff", 20), ("#95ec69", 180), ("#ffffff", 20))):
        draw.rounded_rectangle((left, 30 + place * 100, left + 330, 100 + place * 100), 12, fill=colour)
    written = io.BytesIO()
    shot.save(written, "PNG")
    return written.getvalue()


def an_hour_ago() -> str:
    """Today or, in the first hour of the day, yesterday, by the branch's clock."""
    return (datetime.now(UTC) + timedelta(hours=7)).strftime("%Y-%m-%dT%H:%M")


def customer_of(desk, number: str) -> None:
    desk.open("/phone_desk/list/")
    desk.press("register_temporary")
    desk.fill(name="林小雨", phone=number)
    desk.send()


def fill_in(desk, arrived: str) -> None:
    desk.fill(claimed_arrived_at=arrived, need_text="双眼皮面诊", reason="来电高峰时漏下预约单")
    desk.page.locator('dialog[open] [name="intention"]').select_option("A")
    desk.page.locator('dialog[open] [name="channel"]').select_option("phone")
    desk.page.locator('dialog[open] [name="evidence_kinds"][value="chat_record"]').check()


@pytest.mark.parametrize(
    ("width", "locale"), [(390, "zh"), (1280, "en"), pytest.param(1280, "zh", marks=pytest.mark.nightly)]
)
def test_three_people_make_a_supplementary_slip(visit, width, locale):
    tail = {"1280zh": "0101", "390zh": "0102", "1280en": "0103"}[f"{width}{locale}"]

    def name(page: str) -> str:
        return f"supplement-{page}-{locale}"

    desk = visit("phone_consultant", width=width, locale=locale)
    customer_of(desk, f"1397777{tail}")
    desk.press("submit")
    desk.picture(name("dialog"))
    fill_in(desk, an_hour_ago())
    file = desk.page.locator('dialog[open] input[type="file"]')
    sending = desk.page.locator('dialog[open] button[type="submit"]')

    # A program that calls itself a picture: a sentence beside the file, and nothing typed is lost.
    file.set_input_files({"name": "照片.jpg", "mimeType": "image/jpeg", "buffer": REFUSED["program"]})
    sending.click()
    desk.page.locator("#evidence_file_id-err").wait_for()
    assert desk.page.locator('dialog[open] [name="need_text"]').input_value() == "双眼皮面诊"
    assert desk.page.locator('dialog[open] [name="evidence_kinds"][value="chat_record"]').is_checked()
    desk.picture(name("program-refused"))

    # The right picture, but no reason: the picture is kept.
    desk.fill(reason="")
    file = desk.page.locator('dialog[open] input[type="file"]')
    file.set_input_files({"name": "聊天记录.png", "mimeType": "image/png", "buffer": chat_picture()})
    desk.page.locator('dialog[open] button[type="submit"]').click()
    desk.page.locator('dialog[open] [name="reason"][aria-invalid="true"]').wait_for()
    assert "聊天记录.png" in desk.page.locator("dialog[open]").inner_text()
    desk.picture(name("file-kept"))
    desk.fill(reason="来电高峰时漏下预约单")
    desk.send()
    assert f"/{TABLE}/show/" in desk.page.url
    url = desk.page.url.removeprefix(desk.address)
    number = desk.page.locator("h1").inner_text().strip()

    head = visit("branch_head", width=width, locale=locale)
    head.open("/")
    assert number in head.page.locator("main").inner_text(), "it waits on the workbench of who decides"
    head.picture(name("workbench"))
    head.open(url)
    head.page.locator("img.preview").scroll_into_view_if_needed()
    head.page.locator("img.preview").evaluate("picture => picture.decode()")  # once it is there
    head.picture(name("request"))
    assert head.page.locator('main a[data-act][href*="/act/execute"]').count() == 0
    head.press("approve")
    head.fill(decision_note="聊天记录属实")
    head.picture(name("approve"))
    head.send()

    it = visit("it_manager", width=width, locale=locale)
    it.open(f"/{TABLE}/list/?tab=waiting")
    assert number in it.page.locator("main").inner_text()
    it.picture(name("list"))
    it.open(url)
    assert it.page.locator('main a[data-act][href*="/act/approve"]').count() == 0
    it.press("execute")
    it.send()
    it.picture(name("executed"))
    assert it.page.locator('main a[data-act][href*="/act/execute"]').count() == 0

    desk.open(url)
    desk.page.locator('main a[href*="/appointment_slip/show/"]').first.click()
    desk.page.wait_for_url("**/appointment_slip/show/*")
    desk.picture(name("slip"))
    desk.open(url)
    with desk.page.expect_download() as saved:
        desk.page.locator('main a[href*="/stored_file/"]').first.click()
    assert saved.value.suggested_filename == "聊天记录.png"


def test_without_script_a_pdf_goes_along_with_a_plain_page(visit, browser, live):
    desk = visit("phone_consultant")
    customer_of(desk, "13977770111")
    customer = desk.page.url.rsplit("/", 1)[1]
    cookies = desk.page.context.cookies()
    plain = browser.new_context(java_script_enabled=False, timezone_id="Asia/Shanghai")
    plain.add_cookies(cookies)
    page = plain.new_page()
    page.goto(f"{live.address}/{TABLE}/act/submit?source=customer:{customer}")
    page.fill('[name="claimed_arrived_at"]', an_hour_ago())
    page.select_option('[name="intention"]', "A")
    page.select_option('[name="channel"]', "phone")
    page.check('[name="evidence_kinds"][value="other"]')
    page.set_input_files('input[type="file"]', {"name": "记录.pdf", "mimeType": "application/pdf", "buffer": PDF_FILE})
    page.click("main form button[type=submit]")
    assert "记录.pdf" in page.locator("main").inner_text(), "refused for its reason, and the file is kept"
    page.fill('[name="reason"]', "忙时漏下")
    page.click("main form button[type=submit]")
    page.wait_for_url(f"**/{TABLE}/show/*")
    assert "记录.pdf" in page.locator("main").inner_text()
    # What is far beyond every limit is answered by a page, not by a broken connection.
    page.goto(f"{live.address}/{TABLE}/act/submit?source=customer:{customer}")
    much = b"%PDF-" + b"x" * (20 * 1024 * 1024)
    page.set_input_files('input[type="file"]', {"name": "大.pdf", "mimeType": "application/pdf", "buffer": much})
    with page.expect_response(lambda answer: answer.request.method == "POST") as answered:
        page.click("main form button[type=submit]")
    assert answered.value.status == 413
    assert page.locator("[data-sentence]").inner_text().strip()
    plain.close()


def test_a_file_above_the_limit_is_said_at_once(visit):
    desk = visit("phone_consultant")
    customer_of(desk, "13977770112")
    desk.press("submit")
    sent = []
    desk.page.on("request", lambda asked: sent.append(asked.method))
    large = {"name": "大.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-" + b"x" * (11 * 1024 * 1024)}
    desk.page.locator('dialog[open] input[type="file"]').set_input_files(large)
    desk.page.locator('dialog[open] button[type="submit"]').click()
    desk.page.locator("#evidence_file_id-part").wait_for()
    assert "10 MB" in desk.page.locator("#evidence_file_id-part").inner_text()
    assert "POST" not in sent
