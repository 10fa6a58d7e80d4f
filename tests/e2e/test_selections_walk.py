"""A supervisor does something to several slips at once, in Chromium, and prints them. White paper 2.1.3, 5.1."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

import pypdfium2
import pytest
import zxingcpp
from sqlalchemy import select

from app.acts import REGISTRY
from app.models.appointments import AppointmentSlip, Intention
from app.models.base import METADATA
from app.models.hr import Employee
from app.models.tasks import BackgroundTask, TaskState
from app.services.batches import AT_ONCE
from app.services.hr import actor_for_employee
from app.services.runner import run
from app.services.tasks import perform

LIST = "/department_slips/list/?tab=awaited&size=25"


def _actor(session: Any, username: str) -> Any:
    user = METADATA.tables["ab_user"]
    user_id = session.scalar(select(user.c.id).where(user.c.username == username))
    return actor_for_employee(session, session.scalars(select(Employee).where(Employee.user_id == user_id)).one())


def _act(live: Any, name: str, username: str, record_id: int | None, /, **values: Any) -> Any:
    from app.extensions import db

    with live.app.app_context():
        session = db.session()
        table, _dot, act_name = name.partition(".")
        act = REGISTRY.find(table, act_name)
        assert act is not None
        by = _actor(session, username)
        now = datetime.now(ZoneInfo("UTC"))
        made = run(session, act, by=by, at=now, record_id=record_id, values=values).record
        return made.id


def _work_off(live: Any) -> None:
    """Do what waits in the queue, as a worker would."""
    from app.extensions import db

    with live.app.app_context():
        session = db.session()
        waiting = session.scalars(select(BackgroundTask).where(BackgroundTask.state == TaskState.QUEUED)).all()
        for task_id, job_id in [(task.id, task.job_id) for task in waiting]:
            perform(session, task_id, job_id)


#: Telephone numbers given away, so that no two tests of this file give the same.
GIVEN = count(1)


@pytest.fixture
def slips(live: Any) -> list[int]:
    """Twelve awaited slips of one consultant, the newest of the list."""
    made = []
    start = datetime.now(ZoneInfo("Asia/Shanghai")).replace(hour=14, minute=0) + timedelta(days=30)
    for number in range(12):
        phone = f"177{next(GIVEN):08d}"
        customer = _act(
            live, "customer.register_temporary", "phone_consultant", None, name=f"批量{number:02d}", phone=phone
        )
        values = {"customer_id": customer, "intention": Intention.B, "appointed_at": start, "latest_arrival_at": start}
        made.append(_act(live, "appointment_slip.place", "phone_consultant", None, **values))
    return made


def _choose(boss: Any, ids: list[int]) -> None:
    for row_id in ids:
        boss.page.locator(f'input[form="many"][value="{row_id}"]').check()


def _open(boss: Any, name: str) -> None:
    boss.page.locator(f'form[data-many] button[data-name="{name}"]').click()
    boss.page.locator("dialog[open] form").wait_for()


def test_a_supervisor_voids_ten_slips_with_one_reason_and_one_was_voided_meanwhile(visit, live, slips) -> None:
    boss = visit("phone_supervisor")
    boss.open(LIST)
    bar = boss.page.locator("form[data-many]")
    assert not bar.is_visible(), "the bar comes with the first row"
    _choose(boss, slips[:10])
    assert "10" in bar.inner_text()
    boss.picture("selection")
    _act(live, "appointment_slip.void", "phone_supervisor", slips[3], reason="已单独作废")
    _open(boss, "void")
    assert "10" in boss.page.locator("#act-title").inner_text()
    boss.page.locator('dialog[open] button[type="submit"]').click()
    boss.page.locator('dialog[open] [name="reason"][aria-invalid="true"]').wait_for()
    boss.fill(reason="广告活动取消")
    boss.picture("selection-void")
    boss.page.locator('dialog[open] button[type="submit"]').click()
    boss.page.locator("dialog[open] .outcomes").wait_for()
    assert boss.page.locator(".outcomes .ok").count() == 9
    assert boss.page.locator(".outcomes .bad").count() == 1
    boss.picture("selection-done")
    with boss.page.expect_event("load"):
        boss.page.locator("dialog[open] [data-close]").click()
    assert boss.page.locator(f'input[form="many"][value="{slips[0]}"]').count() == 0


def test_several_slips_go_to_a_colleague_by_keyboard_at_390_pixels(visit, live, slips) -> None:
    boss = visit("phone_supervisor", width=390, locale="en")
    boss.open(LIST)
    for row_id in slips[:3]:
        box = boss.page.locator(f'input[form="many"][value="{row_id}"]')
        box.focus()
        boss.page.keyboard.press("Space")
    boss.picture("selection-narrow")
    button = boss.page.locator('form[data-many] button[data-name="dispatch"]')
    button.focus()
    boss.page.keyboard.press("Enter")
    boss.page.locator("dialog[open] form").wait_for()
    boss.picture("selection-dispatch-narrow")
    from app.extensions import db

    with live.app.app_context():
        colleague = _actor(db.session(), "phone_consultant_2")
    picker = boss.page.locator('dialog[open] .field:has([name="owner_id"]) input[role="combobox"]')
    picker.fill(colleague.display_name)
    option = boss.page.locator('dialog[open] [role="option"]').filter(has_text=colleague.display_name).first
    option.wait_for()
    option.click()
    boss.page.locator('dialog[open] button[type="submit"]').click()
    boss.page.locator("dialog[open] .outcomes").wait_for()
    boss.picture("selection-dispatched-narrow")
    assert boss.page.locator(".outcomes .ok").count() == 3
    with live.app.app_context():
        owners = db.session().scalars(
            select(AppointmentSlip.owner_id).where(AppointmentSlip.supersedes_id.in_(slips[:3]))
        )
        assert set(owners) == {colleague.employee_id}


@pytest.mark.parametrize(("width", "locale"), [(1280, "zh"), (390, "en")])
def test_slips_are_printed_in_the_background_and_the_file_lies_under_the_finger(
    visit, live, slips, width, locale
) -> None:
    """In one PDF, in the order of the list, each with its barcode twice: triage and file."""
    boss = visit("phone_supervisor", width=width, locale=locale)
    boss.open(LIST)
    _choose(boss, slips[:6])
    _open(boss, "print_appointment_slip")
    boss.picture("print-many")
    boss.send()
    assert re.search(r"/background_task/show/\d+", boss.page.url)
    boss.picture("print-many-waiting")
    _act(live, "appointment_slip.void", "phone_supervisor", slips[5], reason="已单独作废")
    _work_off(live)
    result = boss.page.locator("a[data-result]")
    result.wait_for()
    boss.page.locator("a[data-result]:focus").wait_for()
    assert result.get_attribute("target") == "_blank"
    boss.picture("print-many-done")
    answer = boss.page.request.get(boss.address + (result.get_attribute("href") or ""))
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-disposition"].startswith("inline")
    with live.app.app_context():
        numbers = _numbers(slips[:5])
    with pypdfium2.PdfDocument(answer.body()) as document:
        pictures = [page.render(scale=2, grayscale=True).to_pil() for page in document]
    found = [code.text for picture in pictures for code in zxingcpp.read_barcodes(picture)]
    assert found == [number.replace("-", "") for number in reversed(numbers) for _half in range(2)]


def _numbers(ids: list[int]) -> list[str]:
    from app.extensions import db

    return [db.session().get_one(AppointmentSlip, row_id).slip_no for row_id in ids]


@pytest.mark.parametrize(("width", "locale"), [(1280, "zh"), (390, "en")])
def test_a_large_selection_is_done_in_the_background_and_its_page_says_what_became_of_each(
    visit, live, slips, width, locale
) -> None:
    _act(live, "param.set_value", "admin", None, key=AT_ONCE.key, branch_id=None, value="11", effective_at=None,
         reason=None)  # fmt: skip
    boss = visit("phone_supervisor", width=width, locale=locale)
    boss.open(LIST)
    _choose(boss, slips)
    _act(live, "appointment_slip.void", "phone_supervisor", slips[3], reason="已单独作废")
    _open(boss, "void")
    boss.fill(reason="广告活动取消")
    boss.picture("background-void")
    boss.send()
    boss.picture("background-void-waiting")
    _work_off(live)
    boss.page.locator(".head .s-ok").wait_for()  # the page shows itself anew when the work begins and when it ends
    assert boss.page.locator("#tab-rows .s-ok").count() == 11
    assert boss.page.locator("#tab-rows .s-bad").count() == 1
    boss.picture("background-void-done")
    boss.page.locator("#tab-rows tbody tr").nth(1).locator("a").first.click()
    assert re.search(r"/appointment_slip/show/\d+", boss.page.url)


@pytest.mark.parametrize("locale", ["zh", "en"])
def test_the_pages_of_long_work_are_looked_at(visit, locale) -> None:
    for username, pages in {
        "phone_supervisor": ("background_task/list/", "print_job/list/"),
        "it_manager": ("job/list/",),
    }.items():
        somebody = visit(username, locale=locale)
        for width in (1280, 390):
            somebody.page.set_viewport_size({"width": width, "height": 860})
            for page in pages:
                somebody.open(f"/{page}")
                assert somebody.page.locator("main h1").inner_text()
                assert somebody.page.evaluate("scrollY") == 0, "only the menu moves to show its line"
                somebody.picture(f"{page.split('/')[0]}-{locale}")


def test_all_of_the_page_a_range_and_none(visit, slips) -> None:
    boss = visit("phone_supervisor")
    boss.open(LIST)
    boxes = boss.page.locator('input[form="many"][name="id"]')
    boss.page.locator("input[data-all]").check()
    assert boss.page.locator('input[form="many"][name="id"]:checked').count() == boxes.count()
    boss.page.locator("[data-none]").click()
    assert boss.page.locator('input[form="many"][name="id"]:checked').count() == 0
    boxes.nth(1).click()
    boxes.nth(5).click(modifiers=["Shift"])
    assert boss.page.locator('input[form="many"][name="id"]:checked').count() == 5


def test_a_warning_is_read_and_the_slip_placed_anyway(visit, live) -> None:
    desk = visit("phone_consultant")
    doctor = _doctor(live)
    day = datetime.now(ZoneInfo("Asia/Shanghai")) + timedelta(days=20)
    start = day.replace(hour=10, minute=0, second=0, microsecond=0)
    times = {"appointed_at": start, "latest_arrival_at": start, "intention": Intention.B}
    ids = [
        _act(live, "customer.register_temporary", "phone_consultant", None, name=f"提醒{n}", phone=f"1771111222{n}")
        for n in range(2)
    ]
    _act(
        live,
        "appointment_slip.place",
        "phone_consultant",
        None,
        customer_id=ids[0],
        preferred_doctor_id=doctor,
        **times,
    )
    desk.open(f"/customer/show/{ids[1]}")
    desk.press("place")
    text = start.strftime("%Y-%m-%dT%H:%M")
    desk.fill(appointed_at=text, latest_arrival_at=text, need_text="想约同一位医生")
    desk.page.locator('dialog[open] [name="intention"]').select_option("B")
    desk.page.evaluate(f"document.querySelector('dialog [name=preferred_doctor_id]').value = '{doctor}'")
    desk.page.locator('dialog[open] button[type="submit"]').click()
    desk.page.locator("dialog[open] .n-warn").wait_for()
    assert desk.page.locator('dialog[open] [name="need_text"]').input_value() == "想约同一位医生"
    desk.picture("warning")
    desk.send()
    assert re.search(r"/appointment_slip/show/\d+", desk.page.url)
    desk.picture("warning-kept")


def _doctor(live: Any) -> int:
    from app.extensions import db

    with live.app.app_context():
        found = _actor(db.session(), "doctor").employee_id
        assert found is not None
        return found
