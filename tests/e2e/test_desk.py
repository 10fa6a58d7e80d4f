"""The flow of the appointment desk as its people walk it, in a headless Chromium, and by REST alone."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import httpx
import pypdfium2
import pytest
import zxingcpp
from openpyxl import load_workbook
from PIL import Image

from tests.conftest import PASSWORD

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

SHANGHAI = timedelta(hours=8)


def local(days: int, hour: int) -> str:
    """A wall-clock time of the branch, so many days ahead, as the browser's field takes it."""
    day = (datetime.now(UTC) + SHANGHAI).date() + timedelta(days=days)
    return f"{day.isoformat()}T{hour:02d}:00"


def decoded(pdf: bytes) -> set[str]:
    """The barcodes of a PDF's pages, rasterised at 150 dpi."""
    found = set()
    document = pypdfium2.PdfDocument(pdf)
    for index in range(len(document)):
        page = document[index]
        picture: Image.Image = page.render(scale=150 / 72).to_pil()
        found |= {code.text for code in zxingcpp.read_barcodes(picture)}
        page.close()
    document.close()
    return found


@pytest.mark.parametrize("width", [1280, 390])
def test_a_call_becomes_a_file_a_slip_a_redone_slip_and_paper(visit, width):
    """As the phone consultant: unknown number → call → temporary file → slip → redo → print."""
    desk = visit("phone_consultant", width=width)
    number = "1397777" + ("0001" if width == 1280 else "0002")
    desk.picture("workbench")
    desk.open("/phone_desk/list/")
    desk.press("register_call")
    desk.picture("dialog-call")
    desk.fill(caller_no=number, content="想做双眼皮，问恢复期")
    desk.page.locator('dialog[open] [name="business_category_id"]').select_option(index=1)
    desk.send()
    assert "/contact_record/show/" in desk.page.url
    assert number not in desk.page.content(), "the number is masked"
    desk.picture("contact-record")

    desk.press("register_temporary")
    desk.fill(name="林小雨", age="26")
    desk.send()
    assert "/customer/show/" in desk.page.url
    desk.picture("customer")

    desk.press("place")
    desk.fill(appointed_at=local(1, 10), latest_arrival_at=local(1, 9), need_text="担心恢复期")
    desk.page.locator('dialog[open] [name="intention"]').select_option("A")
    desk.page.locator('dialog[open] button[type="submit"]').click()
    desk.page.locator('dialog[open] [name="latest_arrival_at"][aria-invalid="true"]').wait_for()
    assert desk.page.locator('dialog[open] [name="need_text"]').input_value() == "担心恢复期", "nothing typed is lost"
    desk.picture("dialog-refused")
    desk.fill(latest_arrival_at=local(1, 12))
    desk.send()
    assert "/appointment_slip/show/" in desk.page.url
    first_no = desk.page.locator("h1").inner_text().strip()
    desk.picture("slip")

    desk.press("redo")
    assert desk.page.locator('dialog[open] [name="need_text"]').input_value() == "担心恢复期", "the old words stand"
    desk.fill(appointed_at=local(2, 15), latest_arrival_at=local(2, 17))
    desk.send()
    new_no = desk.page.locator("h1").inner_text().strip()
    assert new_no != first_no
    assert first_no in desk.page.locator("main").inner_text(), "the chain is shown"
    desk.picture("slip-redone")

    form = desk.page.locator("main form[data-print]").first
    sent = {name: form.locator(f"[name={name}]").input_value() for name in ("csrf_token", "request_key")}
    answer = desk.page.request.post(desk.address + (form.get_attribute("action") or ""), form=sent)
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["x-copy-number"] == "1"
    assert decoded(answer.body()) == {new_no.replace("-", "")}
    desk.open("/my_slips/list/")
    desk.picture("list")


def test_a_supervisor_voids_one_and_hands_another_to_a_colleague_who_is_told(visit, live):
    desk = visit("phone_consultant")
    numbers = []
    for tail in ("0011", "0012"):
        desk.open("/phone_desk/list/")
        desk.press("register_temporary")
        desk.fill(name="王芳", phone=f"1397777{tail}")
        desk.send()
        desk.press("place")
        desk.fill(appointed_at=local(1, 10), latest_arrival_at=local(1, 12))
        desk.page.locator('dialog[open] [name="intention"]').select_option("B")
        desk.send()
        numbers.append((desk.page.locator("h1").inner_text().strip(), desk.page.url.removeprefix(live.address)))

    boss = visit("phone_supervisor")
    boss.open(numbers[0][1])
    boss.press("void")
    boss.page.locator('dialog[open] button[type="submit"]').click()
    boss.page.locator('dialog[open] [name="reason"][aria-invalid="true"]').wait_for()
    boss.picture("dialog-void-refused")
    boss.fill(reason="客户取消，已电话确认")
    boss.send()
    assert boss.page.locator('main a[data-act][href*="/act/void"]').count() == 0
    boss.picture("slip-void")

    boss.open(numbers[1][1])
    boss.press("redo")
    picker = boss.page.locator('dialog[open] .field:has([name="owner_id"]) input[role="combobox"]')
    picker.fill("")
    picker.press("ArrowDown")
    own = boss.page.locator('dialog[open] .field:has([name="owner_id"]) [role="option"]')
    own.first.wait_for()
    colleague = _name_of(live, "phone_consultant_2")
    picker.fill(colleague)
    option = own.filter(has_text=colleague).first
    option.wait_for()
    option.click()
    boss.picture("dialog-hand-over")
    boss.send()
    assert colleague in boss.page.locator("main").inner_text()

    other = visit("phone_consultant_2")
    other.open("/notice/list/")
    assert "王芳" in other.page.locator("main").inner_text(), "who receives a slip is told"
    other.picture("notices")
    desk.open("/notice/list/")
    assert numbers[1][0] in desk.page.locator("main").inner_text(), "who loses a slip is told"


def _name_of(live, username: str) -> str:
    from sqlalchemy import select

    from app.extensions import db
    from app.models.base import METADATA
    from app.models.hr import Employee

    user = METADATA.tables["ab_user"]
    with live.app.app_context():
        user_id = db.session.scalar(select(user.c.id).where(user.c.username == username))
        return db.session.scalars(select(Employee).where(Employee.user_id == user_id)).one().name


def test_in_the_evening_the_daily_lies_in_the_report_list_as_pdf_and_excel(visit, live):
    """Made by the scheduler's own look, at 21:01 of the branch."""
    from app.jobs.clock import look
    from app.jobs.declared import JOBS

    evening = (datetime.now(UTC) + SHANGHAI).replace(hour=21, minute=1) - SHANGHAI
    look(live.app, JOBS["reports.daily"], lambda: evening)
    boss = visit("phone_supervisor")
    boss.open("/report_run/list/")
    boss.picture("reports-stored")
    boss.page.locator("main tbody tr", has_text="预约日报").locator("a").first.click()
    boss.page.locator("main img").first.wait_for()
    boss.picture("report")
    files = {}
    shown = boss.page.url.removeprefix(boss.address)
    for name in ("pdf", "xlsx"):
        boss.open(shown)
        files[name] = boss.export(f'main a[href$="/{name}"]')
    assert files["pdf"].startswith(b"%PDF-")
    sheets = load_workbook(io.BytesIO(files["xlsx"]))
    assert len(sheets.sheetnames) == 3
    assert any(isinstance(cell.value, int) for row in sheets[sheets.sheetnames[1]].iter_rows() for cell in row)


def test_the_guide_receives_a_customer_and_the_slip_opens_for_printing(visit, live):
    desk = visit("phone_consultant")
    desk.open("/phone_desk/list/")
    desk.press("register_temporary")
    desk.fill(name="李静", phone="13977770021")
    desk.send()
    desk.press("place")
    desk.fill(appointed_at=local(1, 10), latest_arrival_at=local(1, 12))
    desk.page.locator('dialog[open] [name="intention"]').select_option("A")
    desk.send()
    slip_no, url = desk.page.locator("h1").inner_text().strip(), desk.page.url

    guide = visit("guide")
    guide.page.keyboard.press("F2")
    guide.page.keyboard.type(slip_no.replace("-", ""))
    with guide.page.expect_event("load"):
        guide.page.keyboard.press("Enter")
    assert guide.page.url == url, "a scanned slip opens"
    guide.press("arrive")
    with guide.page.context.expect_event("request", lambda asked: "/print/appointment_slip" in asked.url) as printing:
        guide.page.locator('dialog[open] button[type="submit"]').click()
    assert printing.value.method == "POST", "one click receives her and prints the slip, counted"
    guide.page.locator('main a[data-act][href*="/act/complete"]').count()
    guide.page.wait_for_url(url)
    guide.page.locator("main .n-ok").wait_for()
    assert guide.page.evaluate("scrollY") == 0, "what was done is said in sight"
    guide.picture("slip-arrived")


def test_without_javascript_an_act_is_a_plain_page(live, browser):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(live.address + "/login/")
    page.fill("[name=username]", "phone_consultant")
    page.fill("[name=password]", PASSWORD)
    page.press("[name=password]", "Enter")
    page.goto(live.address + "/phone_desk/list/")
    page.locator('main a[href*="/act/register_call"]').first.click()
    page.fill('[name="caller_no"]', "13977770031")
    page.locator('main form button[type="submit"]').click()
    assert page.locator('[name="business_category_id"][aria-invalid="true"]').count() == 1
    assert page.locator('[name="caller_no"]').input_value() == "13977770031"
    page.locator('[name="business_category_id"]').select_option(index=1)
    page.locator('main form button[type="submit"]').click()
    assert "/contact_record/show/" in page.url
    context.close()


@pytest.mark.parametrize("width", [1280, 390])
def test_the_same_pages_in_english(visit, width):
    desk = visit("phone_supervisor", width=width, locale="en")
    for name, path in (
        ("workbench", "/"),
        ("list", "/department_slips/list/"),
        ("report", "/report/appointment_daily/"),
    ):
        desk.open(path)
        assert desk.page.locator("html").get_attribute("lang") == "en"
        desk.picture(f"{name}-en")


def test_the_whole_flow_by_rest_alone(live):
    """Nothing but an HTTP client: what the contract promises is enough to do the desk's work."""
    with httpx.Client(base_url=f"{live.address}/api/v1", timeout=60) as client:

        def enter(username: str) -> dict[str, str]:
            body = {"username": username, "password": PASSWORD, "provider": "db"}
            return {"Authorization": f"Bearer {client.post('/security/login', json=body).json()['access_token']}"}

        consultant, supervisor = enter("phone_consultant"), enter("phone_supervisor")
        acts = client.get("/acts", headers=consultant).json()["result"]
        register = next(act for act in acts if (act["table"], act["act"]) == ("contact_record", "register_call"))
        assert {told["name"] for told in register["inputs"] if told["required"]} == {"business_category_id"}

        offered = client.get("/options/dictionary/business_category", headers=consultant).json()["results"]
        category = offered[0]["id"]

        call = client.post(
            "/contact_record/register_call",
            json={"caller_no": "13977770041", "business_category_id": category, "content": "问价格"},
            headers=consultant,
        )
        assert call.status_code == 201
        customer = client.post(
            "/customer/register_temporary",
            json={"name": "周雨", "contact_record_id": call.json()["id"]},
            headers=consultant,
        )
        assert (customer.status_code, customer.json()["state"]) == (201, "temporary")
        again = client.post(
            "/customer/register_temporary", json={"name": "周雨", "phone": "13977770041"}, headers=consultant
        )
        assert again.status_code == 409, "a known number is never doubled silently"

        start = datetime.now(UTC) + timedelta(days=1)
        times = {"appointed_at": start.isoformat(), "latest_arrival_at": (start + timedelta(hours=2)).isoformat()}
        placed = client.post(
            "/appointment_slip/place",
            json={"customer_id": customer.json()["id"], "intention": "A", "need_text": "怕痛", **times},
            headers={**consultant, "Idempotency-Key": "place-1"},
        ).json()
        assert (placed["state"], placed["acts"]) == ("pending", ["redo"])
        later = {name: (start + timedelta(days=1)).isoformat() for name in times}
        redone = client.post(f"/appointment_slip/{placed['id']}/redo", json=later, headers=consultant)
        assert redone.status_code == 200
        new = redone.json()["result"]
        assert (redone.json()["state"], new["state"], new["need_text"]) == ("replaced", "pending", "怕痛")
        assert new["first_ordered_at"] == placed["first_ordered_at"]

        paper = client.get(f"/appointment_slip/{new['id']}/print/appointment_slip", headers=consultant)
        assert decoded(paper.content) == {new["slip_no"].replace("-", "")}

        refused = client.post(f"/appointment_slip/{new['id']}/void", json={"reason": "客户取消"}, headers=consultant)
        assert refused.status_code == 403
        void = client.post(f"/appointment_slip/{new['id']}/void", json={"reason": "客户取消"}, headers=supervisor)
        assert (void.status_code, void.json()["state"]) == (200, "voided")
        day = (datetime.now(UTC) + SHANGHAI).date().isoformat()
        report = client.get(
            "/report/appointment_daily", params={"day": day, "format": "json"}, headers=supervisor
        ).json()
        figures = {figure["name"]: figure["value"] for figure in report["figures"]}
        assert figures["placed"] >= 1
        assert figures["redone"] >= 1
        assert figures["voided"] >= 1
