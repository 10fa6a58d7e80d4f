"""Long work and subscribed reports in Chromium: subscribe, the bell, my reports; the tray, cancelling, my files."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect
from sqlalchemy import select, update

from app.models.settings import Param
from app.models.subscriptions import ReportSubscription
from app.models.tasks import OPEN_STATES, BackgroundTask
from app.reports.delivering import deliver_due
from app.services.privacy.exports import AT_ONCE_ROWS, MOST_ROWS
from app.services.tasks import perform
from app.unit import acting_as, unit_of_work

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def work_off(session, kind: str) -> None:
    """Do what waits of one kind, as a worker would."""
    waiting = select(BackgroundTask).where(BackgroundTask.kind == kind, BackgroundTask.state.in_(OPEN_STATES))
    for task_id, job_id in [(task.id, task.job_id) for task in session.scalars(waiting)]:
        perform(session, task_id, job_id)


def test_a_report_comes_by_itself_and_long_work_follows_from_page_to_page(live, visit):
    from app.extensions import db

    her = visit("phone_supervisor")
    page = her.page
    her.open("/report/contact_daily/")
    page.locator('main a[data-act="subscribe"]').click()
    page.locator("dialog[open] form").wait_for()
    her.picture("subscribe")
    page.locator('dialog[open] [name="period"]').select_option("yesterday")
    page.locator('dialog[open] [name="send_at"]').fill("00:00")
    her.send()
    assert "/report_subscription/show/" in page.url
    with live.app.app_context(), acting_as("house:test"):
        session = db.session()
        with unit_of_work(session):
            session.execute(
                update(ReportSubscription).values(
                    wanted_since=datetime.now(UTC) - timedelta(days=3), active_from=datetime.now(UTC).date()
                )
            )
            for setting, value in ((AT_ONCE_ROWS, "0"), (MOST_ROWS, "100000")):
                at = datetime.now(UTC) - timedelta(minutes=1)
                session.add(Param(key=setting.key, value=value, effective_at=at, reason="test"))
        with unit_of_work(session):
            asked, _stopped = deliver_due(session, now=datetime.now(UTC))
            assert asked >= 1
        work_off(session, "reports.deliver")
    her.open("/")
    assert int(page.locator("[data-bell-count]").inner_text()) >= 1
    page.locator('a[href*="/notice/list"]').first.click()
    page.locator('main a[href*="/report_delivery/show/"]').first.click()
    page.locator('main a[href*="/report/contact_daily/stored/"]').first.click()
    assert "/stored/" in page.url
    her.open("/report_delivery/list/")
    her.picture("my-reports")

    # Two exports wait for a worker; one is left alone, one is cancelled where one stands.
    for name in ("customer", "contact_record"):
        her.open(f"/{name}/export")
        page.locator('main [name="file_format"]').select_option("xlsx")
        page.fill('main [name="reason"]', "月度核对")
        with page.expect_event("load"):
            page.locator('main form button[type="submit"]').click()
    her.open("/customer/list/")
    assert page.locator("[data-tray-count]").inner_text() == "2"
    page.locator('[popovertarget="work"]').click()
    page.locator(".work").nth(1).wait_for()
    her.picture("tray")
    page.locator('.work a[data-act="cancel"]').last.click()
    page.locator("dialog[open] form").wait_for()
    her.send()
    assert page.url.endswith("/customer/list/"), "one stays where one is"
    assert page.locator("[data-tray-count]").inner_text() == "1"
    page.locator('[popovertarget="work"]').click()
    page.locator(".work").first.wait_for()
    with live.app.app_context(), acting_as("house:test"):
        work_off(db.session(), "export.make")
    expect(page).to_have_title(re.compile("^✓"), timeout=60_000)
    assert page.locator("[data-tray-count]").inner_text() == "✓"
    her.open("/my_files/list/")
    assert page.locator("[data-tray]").count() == 0
    her.picture("my-files")
    with page.expect_download() as saved:
        page.locator('main a[href*="/stored_file/"]').first.click()
    assert saved.value.path().read_bytes()[:2] == b"PK"
