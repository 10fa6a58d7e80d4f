"""回访情况统计, RPT-07, counted by hand for two days; on screen, narrowed, as files, over REST, and who may have it."""

from __future__ import annotations

import csv
import io
from collections import Counter
from datetime import date, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select

from app.models.appointments import Intention
from app.models.followup import CallMethod, FollowupCategory, FollowupPlan
from app.reports.base import Asked
from app.reports.followup_stats import FollowupStats
from tests.reports.days import DAY, on
from tests.reports.exporting import exported

URL, REST = "/report/followup_stats", "report/followup_stats"
LAST = DAY + timedelta(days=1)
#: When the report is asked for: noon of the second day.
NOON = on(12, days=1)
BEFORE = on(8, days=-2)
ENDS = {"method": CallMethod.PHONE, "reached": True, "feedback": "恢复良好", "end_flag": True, "end_note": "已恢复"}
SILENT = ENDS | {"reached": False, "feedback": "无人接听"}
NEXT = {"method": CallMethod.PHONE, "reached": True, "feedback": "下周再联系", "next_planned_at": on(10, days=5)}
PERIOD = {"day": DAY.isoformat(), "until_on": LAST.isoformat()}

DONE_WELL = "due done on_time reached goes_on"
#: Each plan of the two days: who, about what, for when, what was done with it, and which figures count it.
CASES: dict[str, tuple[str, str, dict, str]] = {
    "left open": ("me", "product_advice", {"planned_at": on(10)}, "due overdue"),
    "of today, still open": ("me", "product_advice", {"planned_at": on(9, days=1)}, "due"),
    "promised, its minute has passed": (
        "me",
        "product_advice",
        {"planned_at": on(11, days=1), "is_promised": True},
        "due overdue",
    ),
    "promised for later": ("me", "product_advice", {"planned_at": on(13, days=1), "is_promised": True}, "due"),
    "done on its day": ("me", "product_advice", {"planned_at": on(10), "done": (on(23, 59, 59), ENDS)}, DONE_WELL),
    "done a day late, nobody there": (
        "me",
        "product_advice",
        {"planned_at": on(10), "done": (on(0, days=1), SILENT)},
        "due done goes_on",
    ),
    "promised and kept": (
        "me",
        "no_deal",
        {"planned_at": on(10), "is_promised": True, "done": (on(10, 14), ENDS)},
        DONE_WELL,
    ),
    "promised and late": (
        "me",
        "no_deal",
        {"planned_at": on(10), "is_promised": True, "done": (on(10, 15), ENDS)},
        "due done reached goes_on",
    ),
    "graded 4": ("me", "no_deal", {"planned_at": on(11), "done": (on(11), ENDS), "grade": 4}, f"{DONE_WELL} graded"),
    "graded 5": ("other", "no_deal", {"planned_at": on(11), "done": (on(11), ENDS), "grade": 5}, f"{DONE_WELL} graded"),
    "done again": (
        "me",
        "no_deal",
        {"planned_at": on(11), "done": (on(11), ENDS), "again": (on(13), ENDS), "grade": 3},
        f"{DONE_WELL} graded",
    ),
    "with a next plan": ("other", "no_deal", {"planned_at": on(11), "done": (on(11), NEXT)}, DONE_WELL),
    "its next plan was cancelled": (
        "other",
        "no_deal",
        {"planned_at": on(11), "done": (on(11), NEXT), "dropped": True},
        "due done on_time reached",
    ),
    "led to a slip": (
        "me",
        "answering",
        {"planned_at": on(0), "done": (on(0), ENDS), "slip": True},
        f"{DONE_WELL} to_slip",
    ),
    "abnormal": (
        "me",
        "recovery",
        {"planned_at": on(14), "done": (on(14), ENDS), "abnormal": True},
        f"{DONE_WELL} abnormal",
    ),
    "done by the cover": ("other", "answering", {"planned_at": on(15), "done": (on(15), ENDS), "of": "me"}, DONE_WELL),
    "waits for approval": ("me", "answering", {"planned_at": on(10), "approve": False}, ""),
    "cancelled": ("me", "answering", {"planned_at": on(10), "cancel": True}, ""),
    "of the day before": ("me", "answering", {"planned_at": on(23, 59, 59, days=-1), "done": (on(9), ENDS)}, ""),
    "of the day after": ("me", "answering", {"planned_at": on(0, days=2)}, ""),
    # R-2.22-4: what the abnormal call gave the doctor to do, the same day.
    "the doctor's task": ("doctor", "abnormal", {}, "due overdue"),
}


@pytest.fixture
def calls(session, do, make_customer, consultant, colleague, supervisor, person):
    """The two days, plan by plan."""
    people = {"me": consultant, "other": colleague, "doctor": person("doctor")}
    categories = dict(session.execute(select(FollowupCategory.code, FollowupCategory.id)).all())

    def make(who, category, said):
        by, owner = people[who], people[said.get("of", who)]
        given = {name: said[name] for name in ("planned_at", "is_promised") if name in said}
        customer = make_customer(owner, when=BEFORE)
        plan = do(
            "followup_plan.draft", owner, when=BEFORE, customer_id=customer.id, category_id=categories[category],
            purpose="跟进意向", submit_now=True, **given,
        ).record  # fmt: skip
        if said.get("approve", True):
            do("followup_plan.approve", supervisor, plan, when=BEFORE)
        if said.get("cancel"):
            do("followup_plan.cancel", owner, plan, when=BEFORE, reason="顾客不愿再被联系")
        if owner is not by:
            plan.cover_id = by.employee_id
        if "done" in said:
            carry_out(by, plan, customer, said)
        return plan

    def carry_out(by, plan, customer, said):
        when, words = said["done"]
        if said.get("slip"):
            times = {"appointed_at": on(15), "latest_arrival_at": on(16), "intention": Intention.A, "channel": "phone"}
            slip = do("appointment_slip.place", by, when=when, customer_id=customer.id, **times).record
            words = words | {"appointment_slip_id": slip.id}
        if said.get("abnormal"):
            words = words | {"abnormal_flag": True, "doctor_id": people["doctor"].employee_id}
        do("followup_plan.execute", by, plan, when=when, **words)
        if "again" in said:
            do("followup_plan.rework", supervisor, plan, when=when, comment="没有问恢复情况", quality_score=1)
            do("followup_plan.execute", by, plan, when=said["again"][0], **said["again"][1])
        if "grade" in said:
            do("followup_plan.review", supervisor, plan, when=when, quality_score=said["grade"])
        if said.get("dropped"):
            do("followup_plan.cancel", by, plan.next_plan, when=when, reason="重复了")

    made = {name: make(who, category, said) for name, (who, category, said, _counts) in CASES.items() if said}
    doctors = select(FollowupPlan).where(FollowupPlan.executor_id == people["doctor"].employee_id)
    made["the doctor's task"] = session.scalars(doctors).one()
    # Another branch: nothing here.
    other = person("b2_phone_consultant")
    at_b2 = {"customer_id": make_customer(other, when=BEFORE).id, "category_id": categories["answering"]}
    do("followup_plan.draft", other, when=BEFORE, purpose="跟进意向", planned_at=on(10), submit_now=True, **at_b2)
    session.commit()
    return made


@pytest.fixture
def gather(session, consultant, person):
    def ask(by=None, day=DAY, until=LAST, **narrowed):
        asked = Asked(day, consultant.branch_id, until, tuple(narrowed.items()))
        return FollowupStats().gather(session, asked, by or person("branch_head"), NOON)

    return ask


def counted(names) -> Counter:
    return Counter(measure for name in names for measure in CASES[name][3].split())


def figures(facts):
    return {figure.name: figure.value for figure in facts.figures}


def rows(facts, name):
    (found,) = [each for each in facts.tables if each.name == name]
    words = sum(column.kind == "text" for column in found.columns)
    named = [column.name for column in found.columns[words:]]
    told = {
        tuple(getattr(word, "zh", word) for word in row[:words]): dict(zip(named, row[words:], strict=True))
        for row in found.rows
    }
    return told, dict(zip(named, found.totals[words:], strict=True))


# --- figures -----------------------------------------------------------------------------------------------------


def test_every_figure_counts_the_calls_of_the_table_and_opens_them(session, calls, gather, person):
    """Of each measure the very plans, as its drill-down opens them."""
    report, by = FollowupStats(), person("branch_head")
    window = report.window(session, Asked(DAY, by.branch_id, LAST), NOON)
    names = {plan.id: name for name, plan in calls.items()}
    for measure in report.measures:
        opened = {names[key] for key in session.scalars(select(FollowupPlan.id).where(measure.rows(window)))}
        assert opened == {name for name, case in CASES.items() if measure.name in case[3].split()}, measure.name


def test_the_two_days_in_figures(calls, gather):
    """Counted by hand: 17 due, 12 of them done, 10 on time, 11 reached, 11 with a next plan or the end."""
    assert figures(gather()) == {
        "due": 17,
        "done": 12,
        "on_time_rate": Decimal("0.5882"),  # 10 of 17
        "overdue": 3,
        "reach_rate": Decimal("0.9167"),  # 11 of 12
        "quality": Decimal("4.00"),  # 4, 5 and 3; the grade of what had to be done again is not counted
        "goes_on_rate": Decimal("0.9167"),
        "slip_rate": Decimal("0.0833"),
        "abnormal": 1,
    }


def test_the_two_days_by_person_and_category(calls, gather, consultant, colleague, person):
    facts = gather()
    called = {"me": consultant.display_name, "other": colleague.display_name, "doctor": person("doctor").display_name}
    told, total = rows(facts, "by_person")
    assert set(told) == {(name,) for name in called.values()}
    for who, name in called.items():
        expected = counted(case for case in CASES if CASES[case][0] == who)
        for measure in ("due", "done", "on_time", "overdue", "to_slip", "abnormal"):
            assert told[name,][measure] == expected[measure], (who, measure)
    assert (told[called["me"],]["quality"], told[called["other"],]["quality"]) == (Decimal("3.50"), Decimal("5.00"))
    assert told[called["doctor"],]["reach_rate"] is None
    assert (total["due"], total["done"]) == (17, 12)
    by_both, _total = rows(facts, "by_person_and_category")
    assert by_both[called["me"], "未成交回访"]["done"] == 4
    assert by_both[called["other"], "未成交回访"]["goes_on_rate"] == Decimal("0.6667")
    assert facts.chart.labels[0].zh == "产品咨询", "in the order of the categories"


@pytest.mark.parametrize(
    ("narrowed", "cases"),
    [
        ({"executor_id": "other"}, lambda who, category: who == "other"),
        ({"category_id": "no_deal"}, lambda who, category: category == "no_deal"),
        ({"executor_id": "me", "category_id": "no_deal"}, lambda who, category: (who, category) == ("me", "no_deal")),
        ({"department_id": "me"}, lambda who, category: who != "doctor"),
    ],
)
def test_it_is_narrowed_to_a_person_a_category_a_department(
    calls, gather, session, consultant, colleague, narrowed, cases
):
    keys = {
        "executor_id": {"me": consultant.employee_id, "other": colleague.employee_id},
        "category_id": dict(session.execute(select(FollowupCategory.code, FollowupCategory.id)).all()),
        "department_id": {"me": consultant.department_id},
    }
    facts = gather(**{name: keys[name][value] for name, value in narrowed.items()})
    expected = counted(name for name, case in CASES.items() if cases(case[0], case[1]))
    assert {name: figures(facts)[name] for name in ("due", "done", "overdue", "abnormal")} == {
        name: expected[name] for name in ("due", "done", "overdue", "abnormal")
    }
    assert len(facts.parameters) == 2 + len(narrowed), "what it is narrowed to stands above it"


def test_one_day_and_an_empty_one(calls, gather):
    assert figures(gather(until=None))["due"] == 14
    empty = gather(day=date(2025, 1, 1), until=None)
    assert set(figures(empty).values()) == {0, None}
    assert [table.rows for table in empty.tables] == [(), (), ()]


# --- on screen, as files, over REST ------------------------------------------------------------------------------


def test_the_page_its_drill_down_and_its_files(calls, login, session, consultant, colleague):
    client = login("branch_head")
    page = client.get(URL, query_string=PERIOD, follow_redirects=True)
    assert page.status_code == 200
    assert "回访情况统计" in page.text or "Follow-up figures" in page.text
    given = PERIOD | {"executor_id": str(colleague.employee_id)}
    opened = client.get(f"{URL}/rows", query_string=given | {"measure": "quality"}).text
    assert f"/followup_plan/show/{calls['graded 5'].id}" in opened
    assert f"/followup_plan/show/{calls['graded 4'].id}" not in opened
    text = exported(client, f"{URL}/export/csv?{'&'.join(f'{k}={v}' for k, v in given.items())}").data.decode(
        "utf-8-sig"
    )
    assert any(colleague.display_name in line for line in csv.reader(io.StringIO(text)))
    assert consultant.display_name not in text


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"day": "2026-03-10", "until_on": "2026-03-09"}, "until_on"),
        ({"day": "2024-01-01", "until_on": "2026-03-09"}, "until_on"),
        ({"day": "2026-03-10", "until_on": "2999-01-01"}, "until_on"),
        ({"day": "2026-03-10", "executor_id": "99999999999999999999"}, "executor_id"),
        ({"day": "2026-03-10", "category_id": "x"}, "category_id"),
        ({"day": ""}, "day"),
    ],
)
def test_what_cannot_be_a_period_is_said_beside_its_field(rest, given, field):
    answer = rest("branch_head")("GET", f"{REST}?{'&'.join(f'{name}={text}' for name, text in given.items())}")
    assert answer.status_code == 422
    assert field in answer.json["errors"]


def test_a_run_is_kept_with_what_it_was_asked_for_and_opens_again(calls, login, rest, consultant):
    given = PERIOD | {"executor_id": consultant.employee_id}
    call = rest("branch_head")
    kept = call("POST", f"{REST}/run", given)
    assert kept.status_code == 201, kept.text
    page = login("branch_head").get(f"{URL}/stored/{kept.json['id']}")
    assert page.status_code == 200
    assert f'value="{LAST.isoformat()}"' in page.text


# --- whose calls -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("username", "due"),
    [
        ("phone_supervisor", 16),
        ("web_supervisor", 0),
        ("department_head", 16),
        ("branch_head", 17),
        ("operations", 17),
        ("service_supervisor", 17),
        ("b2_branch_head", 0),
    ],
)
def test_everybody_counts_the_calls_that_she_may_see(calls, gather, person, username, due):
    by = person(username)
    assert by.may("report_followup_stats", "can_list")
    assert figures(gather(by))["due"] == due


def test_who_only_makes_calls_has_no_figures_of_them(login):
    assert login("phone_consultant").get(URL, query_string=PERIOD, follow_redirects=True).status_code == 403
