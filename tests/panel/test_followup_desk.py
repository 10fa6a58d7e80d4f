"""The follow-up desk: the list, the customer, the call; sent in place, put off, without script. Issue of 2.22."""

from __future__ import annotations

import html
import re
from datetime import timedelta

import pytest
from sqlalchemy import insert, select

from app.models.customers import Stage
from app.models.followup import FollowupCategory, FollowupPlan, PlanOrigin, PlanState

DESK = "/followup_desk/list/"
HERE = {"X-Dialog": "1", "X-Place": "here"}


@pytest.fixture
def due(session, employee, supervisor, make_customer, at):
    """So many approved plans of the consultant's that are due, of one customer unless others are given."""

    def make(count, customers=None, **values):
        her = employee("phone_consultant")
        customers = customers or [make_customer()]
        category = session.scalars(select(FollowupCategory.id).where(FollowupCategory.code == "satisfaction")).one()
        common = {
            "state": PlanState.APPROVED, "origin": PlanOrigin.MANUAL, "branch_id": her.branch_id,
            "category_id": category, "executor_id": her.id, "submitter_id": her.id,
            "approver_id": supervisor.employee_id,
            "submitted_at": at, "approved_at": at, "department_id": her.department_id, "purpose": "问候近况",
        }  # fmt: skip
        session.execute(
            insert(FollowupPlan),
            [
                common | {
                    "plan_no": f"D{number:05d}", "customer_id": customers[number % len(customers)].id,
                    "planned_at": at - timedelta(days=2) + timedelta(seconds=number),
                } | values
                for number in range(count)
            ],
        )  # fmt: skip
        session.commit()
        return session.scalars(select(FollowupPlan).order_by(FollowupPlan.planned_at, FollowupPlan.id)).all()

    return make


def test_two_thousand_due_plans_open_in_twelve_statements(
    session, login, do, consultant, make_customer, due, item, statements
):
    """Done when 3, with traits, a note, an opt-out, slips and contacts behind the customer."""
    customer = make_customer()
    customer.followup_note = "中午不接电话"
    for code in ("hobby", "calling"):
        trait = {"trait_type_id": item("trait_type", code).id, "value": "喜欢游泳", "stage": Stage.FOLLOWUP}
        do("customer.add_trait", consultant, customer, **trait)
    due(2000, [customer])
    client = login("phone_consultant")
    client.get(DESK)
    with statements() as told:
        page = client.get(DESK)
    assert page.status_code == 200
    assert len(told) <= 12, (len(told), told)
    assert "2000" in page.text
    assert page.text.count("data-call=") == 50
    assert page.text.count("喜欢游泳") == 2
    assert "中午不接电话" in page.text
    assert len(page.data) < 100_000
    assert client.get(f"{DESK}?shown=100").text.count("data-call=") == 100


def test_a_call_is_carried_out_in_the_page_and_the_next_one_opens(session, login, due, item, at):
    """With script and without: errors beside fields, nothing lost, the next call behind each act."""
    first, second, third = due(3)
    client = login("phone_consultant")
    page = client.get(DESK).text
    assert f'data-plan="{first.id}"' in page
    action = html.unescape(re.search(r'<form class="here" action="([^"]+)"', page)[1])
    assert f"plan%3D{second.id}" in action
    form = page[page.index('<form class="here"') :]
    hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form))
    hidden |= {"csrf_token": re.search(r'name="csrf_token"[^>]*value="([^"]+)"', form)[1]}
    refused = client.post(action, data=hidden | {"method": "phone", "feedback": "说好"}, headers=HERE)
    assert refused.status_code == 422
    assert '<form class="here"' in refused.text
    assert 'id="here-next_planned_at-err"' in refused.text
    assert "说好" in refused.text
    reason = str(item("followup_end_reason").id)
    given = hidden | {"method": "phone", "reached": "1", "feedback": "说好", "end_flag": "1", "end_reason_id": reason}
    done = client.post(action, data=given, headers=HERE)
    assert (done.status_code, done.json["redirect"]) == (200, f"{DESK}?plan={second.id}")
    part = client.get(done.json["redirect"], headers={"X-Dialog": "1", "X-Place": "desk"}).text
    assert "<html" not in part
    assert f'data-plan="{second.id}"' in part
    assert "说好" in part  # among what was before
    assert first.plan_no in part  # and in the sentence that it is done
    put_off = html.unescape(re.search(r'<form class="later" method="post" action="([^"]+)"', part)[1])
    tomorrow = re.search(r'name="planned_at" value="([^"]+)"', part)[1]
    hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', part.partition("data-later")[2]))
    plain = client.post(put_off, data=hidden | {"planned_at": tomorrow})
    assert (plain.status_code, plain.location) == (302, f"{DESK}?plan={third.id}")
    session.expire_all()
    assert [plan.state for plan in (first, second)] == [PlanState.EXECUTED, PlanState.APPROVED]
    assert second.planned_at > at
    # What does not wait any more gives way to the first that does.
    assert f'data-plan="{third.id}"' in client.get(f"{DESK}?plan={second.id}").text


def test_the_desk_is_for_who_calls_and_an_empty_one_says_so(login):
    assert "data-call=" not in login("phone_consultant").get(DESK).text
    assert login("cashier").get(DESK).status_code == 403


@pytest.mark.parametrize("query", ["plan=x", "plan=-1", "shown=x", "nothing=1", "plan=99999999999999"])
def test_an_address_that_is_none_is_told(login, query):
    assert login("phone_consultant").get(f"{DESK}?{query}").status_code == 400


def test_a_plan_of_another_is_not_shown(login, due):
    plan = due(1)[0]
    other = login("phone_consultant_2").get(f"{DESK}?plan={plan.id}")
    assert other.status_code == 200
    assert plan.plan_no not in other.text


def test_a_long_list_has_its_page_and_wanted_ones_beyond_it(login, due):
    plans = due(60)
    page = login("phone_consultant").get(f"{DESK}?plan={plans[55].id}").text
    assert f'data-plan="{plans[55].id}"' in page


# --- approving many ----------------------------------------------------------------------------------------------


def form_of(text):
    return [
        *re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', text.partition("data-once")[2]),
        *re.findall(r'type="checkbox" name="(id)" value="(\d+)" checked', text),
    ]


def test_each_plan_is_looked_at_before_all_of_them_are_approved(session, login, due, at):
    """Whom, what about, what for, when, by whom; one that is left out is not approved and stands there still."""
    plans = due(3, state=PlanState.SUBMITTED, approver_id=None, approved_at=None, content="问恢复情况")
    client = login("phone_supervisor")
    words = "&".join(f"id={plan.id}" for plan in plans)
    page = client.get(f"/followup_plan/many/approve?{words}&back=/department_followups/list/").text
    assert [page.count(said) for said in ("问候近况", "问恢复情况", 'name="id"')] == [3, 3, 3]
    assert all(str(each) in page for each in (plans[0].customer, plans[0].category, plans[0].executor))
    sent = [pair for pair in form_of(page) if pair != ("id", str(plans[1].id))]
    nothing = {name: [value for key, value in sent if key == name] for name, _value in sent if name != "id"}
    refused = client.post("/followup_plan/many/approve", data=nothing)
    assert refused.status_code == 422
    assert refused.text.count('name="id"') == 3  # none ticked, and none lost
    given = {name: [value for key, value in sent if key == name] for name, _value in sent}
    done = client.post("/followup_plan/many/approve", data=given | {"guidance": "先问恢复"})
    assert done.text.count('<li class="ok">') == 2
    session.expire_all()
    assert [plan.state for plan in plans] == [PlanState.APPROVED, PlanState.SUBMITTED, PlanState.APPROVED]
    assert [plan.guidance for plan in plans] == ["先问恢复", None, "先问恢复"]


def test_two_hundred_are_approved_while_one_waits_and_more_in_the_background(session, login, due):
    """Done when 3: one click; the others of the machinery's acts go to the background much sooner."""
    plans = due(200, state=PlanState.SUBMITTED, approver_id=None, approved_at=None)
    client = login("phone_supervisor")
    page = client.get("/followup_plan/many/approve?" + "&".join(f"id={plan.id}" for plan in plans)).text
    sent = form_of(page)
    given = {name: [value for key, value in sent if key == name] for name, _value in sent}
    done = client.post("/followup_plan/many/approve", data=given)
    assert done.status_code == 200
    assert done.text.count('<li class="ok">') == 200
