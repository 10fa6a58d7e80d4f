"""A morning of follow-ups, worked from top to bottom by keyboard alone, in Chromium. White paper 2.1.4, 2.22."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app.acts import REGISTRY
from app.models.base import METADATA
from app.models.customers import Stage
from app.models.followup import FollowupCategory, FollowupPlan, PlanState
from app.models.hr import Employee
from app.models.settings import DictionaryItem
from app.services.hr import actor_for_employee
from app.services.runner import run
from tests.e2e.looking import grave_faults, turned_dark

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

DESK = "/followup_desk/list/"


@pytest.fixture
def submitted(live: Any) -> list[int]:
    """Three plans of the consultant's for this minute, submitted; her customer is not to be called at noon."""
    from app.extensions import db

    made = []
    with live.app.app_context():
        session, at = db.session(), datetime.now(UTC)
        user = METADATA.tables["ab_user"]
        user_id = session.scalar(select(user.c.id).where(user.c.username == "phone_consultant"))
        by = actor_for_employee(session, session.scalars(select(Employee).where(Employee.user_id == user_id)).one())

        def act(table: str, verb: str, record_id: int | None = None, /, **values: Any) -> Any:
            found = REGISTRY.find(table, verb)
            assert found is not None
            return run(session, found, by=by, at=at, record_id=record_id, values=values).record

        category = session.scalars(select(FollowupCategory.id).where(FollowupCategory.code == "satisfaction")).one()
        calling = session.scalars(select(DictionaryItem.id).where(DictionaryItem.code == "calling")).one()
        for number, name in enumerate(("周一鸣", "吴双双", "郑三思")):
            customer = act("customer", "register_temporary", name=name, phone=f"1785550{number:04d}")
            act("customer", "add_trait", customer.id, trait_type_id=calling, value="中午不接电话", stage=Stage.FOLLOWUP)
            plan = act(
                "followup_plan", "draft", customer_id=customer.id, category_id=category, purpose=f"问候{name}",
                content="问恢复情况", planned_at=at + timedelta(seconds=1), submit_now=True,
            )  # fmt: skip
            made.append(plan.id)
    return made


def state_of(live: Any, plan_id: int) -> FollowupPlan:
    from app.extensions import db

    with live.app.app_context():
        return db.session().get_one(FollowupPlan, plan_id)


def test_a_morning_is_worked_from_top_to_bottom_by_keyboard(visit, live, submitted):
    """Done when 3: looked at and approved; one call has a next plan, one is put off, one ends."""
    boss = visit("phone_supervisor")
    boss.open("/department_followups/list/?tab=approval&size=200")
    for plan_id in submitted:
        boss.page.locator(f'input[name="id"][value="{plan_id}"]').check()
    boss.page.locator('form[data-many] [data-name="approve"]').click()
    boss.page.locator("dialog[open] .look").wait_for()
    assert boss.page.locator("dialog[open] .look input:checked").count() == 3
    assert "问恢复情况" in boss.page.locator("dialog[open] .look").inner_text()
    boss.picture("approve-many")
    assert grave_faults(boss.page, frame=False) == []
    boss.page.locator('dialog[open] [name="guidance"]').fill("先问睡眠")
    boss.page.locator('dialog[open] [name="focus_flag"]').check()
    boss.page.locator('dialog[open] button[type="submit"]').click()
    boss.page.locator("dialog[open] .outcomes li.ok").nth(2).wait_for()

    hers = visit("phone_consultant")
    page = hers.page
    hers.open(f"{DESK}?plan={submitted[0]}")
    page.locator(f'[data-plan="{submitted[0]}"]').wait_for()
    assert "中午不接电话" in page.locator(".mind").inner_text()
    assert "先问睡眠" in page.locator("[data-plan]").inner_text()
    hers.picture("followup-desk")
    assert grave_faults(page, frame=False) == []
    assert turned_dark(page, frame=False) == []
    order = page.eval_on_selector_all("[data-call]", "rows => rows.map((row) => Number(row.dataset.call))")
    assert [plan_id for plan_id in order if plan_id in submitted] == submitted

    def here(plan_id: int) -> None:
        page.locator(f'[data-plan="{plan_id}"]').wait_for()
        page.locator("[data-calls] [aria-current]:focus").wait_for()

    def type_it(words: str) -> None:
        """As a person does: what comes faster than fingers is a scanner's, and not this field's."""
        page.wait_for_timeout(120)
        page.keyboard.type(words, delay=70)

    def tab_to(name: str) -> None:
        for _press in range(30):
            if page.evaluate("document.activeElement.name") == name:
                return
            page.keyboard.press("Tab")
        raise AssertionError(name)

    # Refused first: nothing of what was typed is lost, not even by a look at another call.
    here(submitted[0])
    page.keyboard.press("e")
    type_it("sleeps well, call again at the weekend")
    page.keyboard.press("Control+Enter")
    page.locator("#here-next_planned_at-err").wait_for()
    hers.picture("followup-desk-refused")
    page.keyboard.press("Escape")
    here(submitted[0])
    page.keyboard.press("ArrowDown")
    here(submitted[1])
    page.keyboard.press("ArrowUp")
    here(submitted[0])
    page.keyboard.press("e")
    tab_to("next_planned_at")
    assert page.locator('[data-here] [name="feedback"]').input_value() == "sleeps well, call again at the weekend"
    day = datetime.now(UTC) + timedelta(days=3)
    # Which part of a day comes first is the browser's own matter.
    page.locator(":focus").fill(f"{day:%Y-%m-%d}T10:00")
    page.keyboard.press("Control+Enter")

    here(submitted[1])
    page.keyboard.press("1")
    here(submitted[2])
    assert page.locator(f'[data-call="{submitted[1]}"]').count() == 0
    page.keyboard.press("?")
    page.locator("dialog#keys[open]").wait_for()
    page.keyboard.press("Escape")
    page.keyboard.press("e")
    type_it("well again, wants no more calls")
    tab_to("end_flag")
    page.keyboard.press("Space")
    tab_to("end_reason_id")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Control+Enter")
    page.locator(f'[data-call="{submitted[2]}"]').wait_for(state="detached")

    first, second, third = (state_of(live, plan_id) for plan_id in submitted)
    assert (first.state, first.next_plan_id is not None, first.end_flag) == (PlanState.EXECUTED, True, False)
    assert (second.state, second.planned_at > datetime.now(UTC) + timedelta(hours=12)) == (PlanState.APPROVED, True)
    assert (third.state, third.next_plan_id, third.end_flag) == (PlanState.EXECUTED, None, True)

    # On a telephone, in English, the panes follow one another.
    small = visit("phone_consultant", width=390, locale="en")
    small.open(DESK)
    small.picture("followup-desk-en")
