"""A customers' file with planted errors in Chromium: handed in, mapped, checked, carried out. White paper 1.2."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook
from sqlalchemy import select

from app.acts import REGISTRY
from app.models.base import METADATA
from app.models.customers import ChannelPartner
from app.models.hr import Employee
from app.models.tasks import BackgroundTask, TaskState
from app.services.hr import actor_for_employee
from app.services.runner import run
from app.services.tasks import perform
from app.services.tasks.running import now

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

HEADS = ["贵姓", "手机", "性别", "生日", "渠道", "介绍人", "备注"]
STANDING = "17755550001"


def _actor(session: Any, username: str) -> Any:
    user = METADATA.tables["ab_user"]
    user_id = session.scalar(select(user.c.id).where(user.c.username == username))
    return actor_for_employee(session, session.scalars(select(Employee).where(Employee.user_id == user_id)).one())


@pytest.fixture
def partner(live) -> str:
    """A customer stands already; the name of a partner is returned."""
    from app.extensions import db

    with live.app.app_context():
        session = db.session()
        by = _actor(session, "phone_consultant")
        act = REGISTRY.find("customer", "register_temporary")
        if not session.scalar(select(BackgroundTask.id).where(BackgroundTask.kind == "imports.check").limit(1)):
            run(session, act, by=by, at=now(), values={"name": "慕容雪", "phone": STANDING})
        return session.scalars(select(ChannelPartner.name).where(ChannelPartner.branch_id == by.branch_id)).first()


def _newest(session: Any) -> BackgroundTask:
    return session.scalars(select(BackgroundTask).order_by(BackgroundTask.id.desc()).limit(1)).one()


@contextmanager
def working(live) -> Iterator[None]:
    """Do the newest task as a worker does, beside the browser."""
    from app.extensions import db

    def work() -> None:
        with live.app.app_context():
            session = db.session()
            task = _newest(session)
            key, job = task.id, task.job_id
            session.rollback()
            perform(session, key, job)

    thread = threading.Thread(target=work)
    thread.start()
    yield
    thread.join(60)


def workbook(partner: str, first: int) -> bytes:
    """Return a workbook with a formula, merged cells, a bad telephone, duplicates, a partner's customer referred."""
    book = Workbook()
    sheet = book.active
    sheet.title = "客户名单"
    number = iter(range(17_755_560_000 + first * 100, 17_755_560_099 + first * 100))
    lead = ("欧阳若溪", "欧阳若水", "欧阳若冰")[first % 3]  # a name that nobody of the demo bears
    rows = [
        ["2026 年老系统客户名单"],
        HEADS,
        [lead, str(next(number)), "女", "1996-05-12", None, None, "下午打电话"],
        ["王芳", str(next(number)), "女", 35187, None, lead, None],
        ["李娜", "=B3+1", "女", None, None, None, None],
        ["张敏", "12345", "女", "昨天", None, None, None],
        ["慕容雪", STANDING, "女", "1990-01-02", None, None, None],
        ["陈静", str(17_755_560_000 + first * 100), "女", None, None, None, "与第一行同号"],
        ["刘洋", str(next(number)), "男", None, partner, lead, None],
        ["赵雷", str(next(number)), "男", None, None, None, "合并"],
        ["周杰", str(next(number)), "男", None, None, None, None],
        ["吴磊", str(next(number)), "男", None, None, None, None],
    ]
    for row in rows:
        sheet.append(row)
    sheet.merge_cells("G10:G11")
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def hand_in(desk: Any, name: str, content: bytes, *, wait: bool = True) -> None:
    desk.open("/import_batch/list/")
    desk.press("upload")
    desk.page.locator('dialog[open] [name="kind"]').select_option("customers")
    file = {"name": name, "mimeType": "application/octet-stream", "buffer": content}
    desk.page.locator('dialog[open] input[type="file"]').set_input_files(file)
    if wait:
        desk.send()


def check_or_import(desk: Any, live: Any, act: str) -> None:
    """Press the act, see the progress, and wait until the page shows the result by itself."""
    desk.press(act)
    desk.send()
    desk.page.locator("[data-progress]").wait_for()
    desk.picture(f"import-{act}-progress")
    with working(live):
        desk.page.locator("[data-progress]").wait_for(state="detached", timeout=60_000)


@pytest.mark.parametrize(("width", "locale", "first"), [(1280, "zh", 1), (390, "en", 2)])
def test_a_file_with_planted_errors(visit, live, partner, width, locale, first):
    """Issue 3, item 5."""
    desk = visit("it_manager", width=width, locale=locale)
    content = workbook(partner, first)
    hand_in(desk, "老客户.xlsx", content)
    desk.picture("import-uploaded")
    address = desk.page.url
    with desk.page.expect_event("load"):
        desk.page.locator('main a[href*="/act/map"]').first.click()
    assert desk.page.locator('select[name="columns"]').count() == len(HEADS)
    if first == 1:
        assert desk.page.locator('select[name="columns"]').first.input_value() == "", "贵姓 is not known yet"
        desk.page.locator('select[name="columns"]').first.select_option("name")
    assert desk.page.locator('select[name="columns"]').first.input_value() == "name", "remembered from the first time"
    desk.picture("import-mapping")
    with desk.page.expect_event("load"):
        desk.page.locator('main form button[type="submit"]').click()
    desk.page.wait_for_url(address)
    check_or_import(desk, live, "check")
    page = desk.page.locator("main")
    cells = {cell.strip() for cell in page.locator("tbody td.first, tbody td:first-child").all_inner_texts()}
    assert {"B5", "B6", "D6", "B7", "B8", "F9", "G10", "G11"} <= cells, cells
    desk.picture("import-findings")
    if width > 800:
        desk.page.locator('[role="tab"]').nth(1).click()
        desk.picture("import-duplicates")
    beside = page.locator("tr", has_text="慕容雪 177****0001").inner_text()
    assert beside.count("慕容雪") == 2, "what stands is shown beside the row"
    assert STANDING not in page.inner_text()
    check_or_import(desk, live, "carry_out")
    desk.picture("import-done")
    with desk.page.expect_download() as awaited:
        desk.page.locator('a[href$="/refused"]').click()
    sheet = load_workbook(io.BytesIO(awaited.value.path().read_bytes())).active
    names = [row[0].value for row in sheet.iter_rows(min_row=2)]
    assert names == ["李娜", "张敏", "陈静", "刘洋", "赵雷", "周杰"]
    assert all(row[-1].value for row in sheet.iter_rows(min_row=2)), "each with its reason"
    reader = visit("member_service", width=width, locale=locale)
    reader.open("/customer/list/?q=吴磊")
    reader.page.locator("tbody tr a").first.click()
    reader.page.wait_for_load_state()
    assert reader.page.locator(".story li").first.inner_text().startswith("已导入" if locale == "zh" else "Imported")
    reader.picture("import-customer")
    hand_in(desk, "老客户.xlsx", content, wait=False)
    desk.page.locator('dialog[open] button[type="submit"]').click()
    said = desk.page.locator("dialog[open] .err, dialog[open] .n-bad")
    said.first.wait_for()
    assert "202" in said.first.inner_text(), "it says when"
    desk.picture("import-again")


def test_a_text_in_gb18030_is_read(visit, live):
    desk = visit("it_manager")
    hand_in(desk, "客户.csv", "姓名,手机,备注\n林小雨,17755570001,想了解双眼皮\n王芳,123,\n".encode("gb18030"))
    assert "GB18030" in desk.page.locator("main").inner_text().upper()
    check_or_import(desk, live, "check")
    assert "B3" in desk.page.locator("main").inner_text()
    with live.app.app_context():
        from app.extensions import db

        assert _newest(db.session()).state is TaskState.DONE
