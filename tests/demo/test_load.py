"""The demo: exact amounts, every state, a login per role and branch, loaded once. Issue 2, section 5."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from werkzeug.security import check_password_hash

from app.demo import PASSWORD, DemoRefused, load, refuse_demo_accounts
from app.demo.organisation import MORE, SECONDS, logins
from app.fields import normal_phone
from app.models.appointments import SlipState
from app.roles import ROLES
from tests.demo.conftest import NOON, SMALL


def silent(_line: str) -> None:
    """Say nothing."""


@pytest.mark.slow
class TestTheWholeDemo:
    def test_the_amounts_are_exact(self, told, census):
        found = census(told.app)
        wanted = [round(amount * told.share) for amount in (2000, 3000, 1500)]
        assert [found[table] for table in ("customer", "contact_record", "appointment_slip")] == wanted
        assert found["branch"] == 2

    def test_every_state_of_a_slip_is_there(self, told, rows):
        found = dict(rows(told.app, "select state, count(*) from appointment_slip group by state"))
        assert set(found) == {state.value for state in SlipState}
        assert min(found.values()) >= 10 * told.share

    def test_about_seven_of_ten_belong_to_the_first_branch(self, demo_app, rows):
        for table in ("customer", "contact_record", "appointment_slip"):
            shares = dict(
                rows(
                    demo_app,
                    f"select b.code, count(*) from {table} t join branch b on b.id = t.branch_id group by b.code",
                )
            )
            assert shares["01"] / sum(shares.values()) == pytest.approx(0.7, abs=0.01)

    def test_every_slip_was_placed_in_the_last_sixty_days(self, demo_app, rows):
        ((days,),) = rows(
            demo_app,
            "select max((d.anchor_on - (s.ordered_at at time zone 'Asia/Shanghai')::date))"
            " from appointment_slip s, demo_state d",
        )
        assert 50 <= days <= 60

    def test_pending_slips_lie_ahead_today_included(self, demo_app, rows):
        days = {
            day
            for (day,) in rows(
                demo_app,
                "select (s.appointed_at at time zone 'Asia/Shanghai')::date - d.anchor_on"
                " from appointment_slip s, demo_state d where s.state = 'pending'",
            )
        }
        assert min(days) == 0
        assert 7 <= max(days) <= 14

    def test_supplementary_slips_wait_for_each_of_their_people_and_one_moved_performance(self, demo_app, rows):
        """2.1.3.3, in both branches."""
        found = rows(
            demo_app,
            "select branch_id, array_agg(state order by id), count(attribution_moved_at)"
            " from appointment_supplement_request group by branch_id",
        )
        assert [(sorted(states), moved) for _branch, states, moved in found] == [
            (["approved", "executed", "submitted"], 1)
        ] * 2

    def test_some_redone_slips_went_to_a_colleague(self, told, rows):
        ((handed,),) = rows(
            told.app,
            "select count(*) from appointment_slip n join appointment_slip o on o.id = n.supersedes_id"
            " where n.owner_id <> o.owner_id and o.state = 'replaced'",
        )
        assert handed >= 10 * told.share

    def test_every_slip_has_the_history_of_how_it_came_about(self, demo_app, rows):
        ((without,),) = rows(
            demo_app,
            "select count(*) from appointment_slip s where not exists (select from act_run r where"
            " (r.table_name = 'appointment_slip' and r.record_id = s.id and r.act = 'place')"
            " or (r.result_table = 'appointment_slip' and r.result_id = s.id and r.act in ('redo', 'execute')))",
        )
        assert without == 0

    def test_nothing_was_done_later_than_now_and_the_audit_time_is_the_databases(self, told, rows):
        ((later, injected),) = rows(
            told.app,
            "select count(*) filter (where occurred_at > :now), count(*) filter (where at - occurred_at > '1 day')"
            " from act_run",
            now=told.now,
        )
        assert later == 0
        assert injected > 5000 * told.share

    def test_some_contacts_are_about_nobody_and_some_were_missed(self, told, rows):
        demo_app = told.app
        found = dict(
            rows(
                demo_app,
                "select i.code, count(*) from contact_record c join dictionary_item i on i.id = c.business_category_id"
                " where c.customer_id is null group by i.code",
            )
        )
        assert {"wrong_number", "silent", "job_application", "advertising"} <= set(found)
        ((missed,),) = rows(demo_app, "select count(*) from contact_record where missed_at is not null")
        ((plans,),) = rows(demo_app, "select count(*) from followup_plan where trigger = 'missed_call'")
        assert missed == plans > 50 * told.share

    def test_lapsed_slips_lapsed_after_their_grace_and_left_a_plan(self, told, rows):
        ((lapsed, early, unplanned),) = rows(
            told.app,
            "select count(*), count(*) filter (where expired_at < latest_arrival_at + interval '60 minutes'),"
            " count(*) filter (where not exists (select from followup_plan p"
            "   where p.trigger = 'slip_lapsed' and p.appointment_slip_id = s.id))"
            " from appointment_slip s where expired_at is not null",
        )
        assert lapsed > 150 * told.share
        assert early == unplanned == 0

    def test_plans_stand_in_every_state_and_have_next_plans_reviews_and_cases(self, told, demo_app, rows):
        """SM-03."""
        found = {state for (state,) in rows(demo_app, "select distinct state from followup_plan")}
        assert found == {"draft", "submitted", "approved", "executed", "closed", "cancelled"}
        ((following, reviews, published),) = rows(
            demo_app,
            "select (select count(*) from followup_plan where next_plan_id is not null),"
            " (select count(*) from followup_review),"
            " (select count(*) from followup_case where state = 'published')",
        )
        assert min(following, reviews) > 40 * told.share
        assert published > 0 or told.share < 1

    def test_every_telephone_is_a_valid_mobile_and_nobody_shares_one(self, told, demo_app):
        from app.extensions import db
        from app.models.customers import ContactKind, CustomerContact

        with demo_app.app_context():
            numbers = [
                contact.value for contact in db.session().query(CustomerContact) if contact.kind is ContactKind.PHONE
            ]
        assert len(numbers) > 1500 * told.share
        assert len(numbers) == len(set(numbers))
        assert all(re.fullmatch(r"1[3-9]\d{9}", number) and normal_phone(number) == number for number in numbers)

    def test_the_daily_report_lies_there_for_the_last_fourteen_days_of_each_branch(self, demo_app, rows):
        found = rows(
            demo_app,
            "select r.branch_id, count(*), min(d.anchor_on - r.business_on), max(d.anchor_on - r.business_on)"
            " from report_run r, demo_state d where r.report = 'appointment_daily' group by r.branch_id",
        )
        assert [(count, least, most) for _branch, count, least, most in found] == [(14, 1, 14)] * 2

    def test_the_stored_reports_count_what_happened(self, demo_app, rows):
        """RPT-02: the slips placed on a day, by the stored figures and by the table."""
        for branch, day, figures in rows(
            demo_app,
            "select branch_id, business_on, facts->'figures' from report_run where report = 'appointment_daily'",
        ):
            ((placed,),) = rows(
                demo_app,
                "select count(*) from appointment_slip where branch_id = :branch and supersedes_id is null"
                " and not is_supplement"
                " and (ordered_at at time zone 'Asia/Shanghai')::date = :day",
                branch=branch,
                day=day,
            )
            assert {figure["name"]: figure["value"] for figure in figures}["placed"] == placed

    def test_loading_again_changes_nothing_tomorrow_too(self, told, census):
        before = census(told.app)
        for day in range(2):
            load(told.app, say=silent, share=told.share, now=told.now + timedelta(days=day))
        assert census(told.app) == before


def test_every_role_has_a_login_in_both_branches(small_app, rows):
    found = rows(
        small_app,
        "select u.username, r.name, b.code, u.password from ab_user u join ab_user_role ur on ur.user_id = u.id"
        " join ab_role r on r.id = ur.role_id join employee e on e.user_id = u.id join branch b on b.id = e.branch_id",
    )
    wanted = set(logins())
    assert {role for _login, role in wanted} == set(ROLES)
    assert {(username, role) for username, role, branch, _ in found if branch == "01"} == wanted
    second = {(username.removeprefix("b2_"), role) for username, role, branch, _ in found if branch == "02"}
    assert second == wanted
    assert all(username.startswith("b2_") for username, _, branch, _ in found if branch == "02")
    hashes = {password for *_rest, password in found}
    assert all(check_password_hash(password, PASSWORD) for password in hashes)


def test_a_supervisor_works_in_the_department_of_her_consultants(small_app, rows):
    departments = dict(
        rows(small_app, "select u.username, e.department_id from employee e join ab_user u on u.id = e.user_id").copy()
    )
    for role, supervisor in SECONDS.items():
        for prefix in ("", "b2_"):
            together = {departments[f"{prefix}{login}"] for login in (role, f"{role}_2", supervisor)}
            assert len(together) == 1


def test_a_small_demo_has_its_share_and_every_state(small_app, census, rows):
    found = census(small_app)
    assert (found["customer"], found["contact_record"], found["appointment_slip"]) == (40, 60, 30)
    states = {state for (state,) in rows(small_app, "select distinct state from appointment_slip")}
    assert states == {state.value for state in SlipState}


def test_no_share_founds_the_branches_and_their_people_only(empty_app, census):
    load(empty_app, say=silent, share=0)
    found = census(empty_app)
    assert found["customer"] == found["contact_record"] == found["appointment_slip"] == 0
    assert found["employee"] == 2 * (len(ROLES) + len(SECONDS) + len(MORE))


class Killed(BaseException):
    """What ends a load in the middle of everything."""


STORY = "select slip_no, state, owner_id, appointed_at, ordered_at from appointment_slip order by id"


def test_a_load_that_was_killed_is_continued_and_tells_the_same_story(empty_app, small_app, monkeypatch, census, rows):
    from app.demo import stage

    played = []
    usual = stage.Stage.act

    def act(self, name, **told):
        played.append(name)
        if len(played) == 150:
            raise Killed
        return usual(self, name, **told)

    monkeypatch.setattr(stage.Stage, "act", act)
    with pytest.raises(Killed):
        load(empty_app, say=silent, share=SMALL, now=NOON)
    broken_off = census(empty_app)
    assert 0 < broken_off["customer"] < 40
    monkeypatch.setattr(stage.Stage, "act", usual)
    load(empty_app, say=silent, share=SMALL, now=NOON)
    assert census(empty_app) == census(small_app)
    assert rows(empty_app, STORY) == rows(small_app, STORY)


def test_a_load_that_was_killed_is_continued_the_next_day_for_the_first_day(
    empty_app, small_app, monkeypatch, census, rows
):
    from app.demo import stage

    usual = stage.Stage.daily_reports

    def break_off(self, branch, day, at):
        raise Killed

    monkeypatch.setattr(stage.Stage, "daily_reports", break_off)
    with pytest.raises(Killed):
        load(empty_app, say=silent, share=SMALL, now=NOON)
    monkeypatch.setattr(stage.Stage, "daily_reports", usual)
    load(empty_app, say=silent, share=SMALL, now=NOON + timedelta(days=1))
    assert rows(empty_app, "select anchor_on from demo_state") == [(NOON.date(),)]
    found, wanted = census(empty_app), census(small_app)
    for table in ("customer", "contact_record", "appointment_slip", "employee", "report_run"):
        assert found[table] == wanted[table]


@pytest.fixture
def with_helpers(monkeypatch):
    """Let even a small load use a process per branch."""
    from app.demo import loading

    monkeypatch.setattr(loading, "WORTH_A_HELPER", 0)
    monkeypatch.setattr(loading.os, "cpu_count", lambda: 2)
    return loading


def test_a_process_per_branch_tells_the_same_story(empty_app, small_app, with_helpers, census, rows):
    load(empty_app, say=silent, share=SMALL, now=NOON)
    assert census(empty_app) == census(small_app)
    assert sorted(rows(empty_app, STORY)) == sorted(rows(small_app, STORY))


def test_a_helper_that_fails_is_told_and_its_work_is_done_the_next_time(
    empty_app, small_app, with_helpers, monkeypatch, census, rows
):
    with monkeypatch.context() as broken:
        broken.setattr(with_helpers.sys, "executable", "/bin/false")
        with pytest.raises(RuntimeError, match="helper"):
            load(empty_app, say=silent, share=SMALL, now=NOON)
    assert rows(empty_app, "select count(*) from demo_state where finished_at is not null") == [(0,)]
    load(empty_app, say=silent, share=SMALL, now=NOON)
    assert census(empty_app) == census(small_app)


def test_production_takes_no_demo(empty_app, monkeypatch, census):
    monkeypatch.setitem(empty_app.config, "YIMEI_MODE", "production")
    with pytest.raises(DemoRefused, match="production"):
        load(empty_app, say=silent)
    assert census(empty_app)["demo_state"] == 0
    refuse_demo_accounts(empty_app)  # a production database without a demo is served


def test_a_database_with_demo_accounts_is_not_served_in_production(small_app, monkeypatch):
    refuse_demo_accounts(small_app)  # elsewhere it is
    monkeypatch.setitem(small_app.config, "YIMEI_MODE", "production")
    with pytest.raises(DemoRefused, match="published password"):
        refuse_demo_accounts(small_app)
